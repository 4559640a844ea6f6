"""Three-parameter logistic model: the 2PL with a lower asymptote g (guessing), estimated on the logit scale."""

from __future__ import annotations

import numpy as np

from talentassess.core.arrays import FloatArray, nodes_innermost
from talentassess.core.logistic import expit, log_expit
from talentassess.core.model import ItemModel, Param
from talentassess.models._logistic import (
    INTERCEPT_RANGE,
    SCALING,
    difficulty,
    logit_share,
    predictor,
    slopes,
    start_asymptote,
)

GUESSING = -1.4  # prior mean: a lower asymptote of about .20


def params(n_cat: int, n_dims: int) -> tuple[Param, ...]:
    """Return slope(s) a, intercept d and logit guessing; the guessing parameter has a default prior."""
    guessing = Param("guessing", "logit(g)", -25.0, 25.0, (-2.5, -1.0), prior=(GUESSING, 0.5))
    return (*slopes(n_dims), Param("intercept", "d", -50.0, 50.0, INTERCEPT_RANGE), guessing)


def log_prob(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, 2) log probabilities with P(x = 1) = g + (1 - g) / (1 + exp(-(a . theta + d)))."""
    z, low = predictor(theta, par), expit(par[:, -1])
    out = nodes_innermost(*z.shape, 2)
    out[:, :, 0] = np.log1p(-low) + log_expit(-z)
    out[:, :, 1] = np.log(low + (1 - low) * expit(z))
    return out


def d_par(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, 2, D + 2) derivatives by a, d, logit g."""
    by_z, by_guessing = _slopes(theta, par)
    n_dims = theta.shape[1]
    out = nodes_innermost(*by_z.shape, n_dims + 2)
    out[..., :n_dims] = by_z[..., None] * theta[:, None, None, :]
    out[..., n_dims], out[..., n_dims + 1] = by_z, by_guessing
    return out


def d_theta(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, 2, D) derivatives by theta."""
    by_z, _ = _slopes(theta, par)
    return by_z[..., None] * par[None, :, None, : theta.shape[1]]


def _slopes(theta: FloatArray, par: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (Q, J, 2) derivatives of log P by the predictor and by logit g; no division by 1 - P, which underflows."""
    z, low = predictor(theta, par), expit(par[:, -1])
    curve, rest = expit(z), expit(-z)
    p = low + (1 - low) * curve
    by_z, by_guessing = nodes_innermost(*z.shape, 2), nodes_innermost(*z.shape, 2)
    by_z[:, :, 0], by_z[:, :, 1] = -curve, (1 - low) * curve * rest / p
    by_guessing[:, :, 0], by_guessing[:, :, 1] = -low, rest * low * (1 - low) / p
    return by_z, by_guessing


def start(share: FloatArray, n_dims: int) -> FloatArray:
    """Return (J, D + 2): slopes 1, intercepts from the share above guessing, guessing at its prior where it can be."""
    low = start_asymptote(share[:, 1], GUESSING)
    inside = np.clip((share[:, 1] - low) / (1 - low), 0.03, 0.97)
    columns = [np.ones((len(share), n_dims)), SCALING * logit_share(inside)]
    return np.column_stack([*columns, logit_share(low)])


def display(par: FloatArray, n_cat: int, n_dims: int) -> dict[str, FloatArray]:
    """Return difficulty b = -d / a and lower asymptote g, each (J,)."""
    return {"b": difficulty(par, n_dims), "g": expit(par[:, -1])}


MODEL = ItemModel(
    name="3pl",
    label="three-parameter logistic model",
    params=params,
    log_prob=log_prob,
    d_par=d_par,
    d_theta=d_theta,
    start=start,
    display=display,
    categories=(2, 2),
    ordered=True,
    citation="Birnbaum (1968), in Lord & Novick, Statistical theories of mental test scores, ch. 17",
)

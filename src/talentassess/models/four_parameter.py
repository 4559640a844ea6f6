"""Four-parameter logistic model: lower asymptote g and upper asymptote u, both estimated on the logit scale."""

from __future__ import annotations

import numpy as np

from talentassess.core.arrays import FloatArray
from talentassess.core.logistic import expit
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

GUESSING, UPPER = -1.4, 3.0  # prior means: asymptotes of about .20 and .95


def params(n_cat: int, n_dims: int) -> tuple[Param, ...]:
    """Return slope(s) a, intercept d, logit guessing and logit upper asymptote, the last two with default priors."""
    return (
        *slopes(n_dims),
        Param("intercept", "d", -50.0, 50.0, INTERCEPT_RANGE),
        Param("guessing", "logit(g)", -25.0, 25.0, (-2.5, -1.0), prior=(GUESSING, 0.5)),
        Param("upper", "logit(u)", -25.0, 25.0, (2.0, 4.0), prior=(UPPER, 0.5)),
    )


def log_prob(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, 2) with P(x = 1) = g + (u - g) / (1 + exp(-(a . theta + d))); NaN where u <= g."""
    p, rest = _probabilities(theta, par)
    return np.stack([np.log(rest), np.log(p)], axis=2)


def d_par(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, 2, D + 3) derivatives by a, d, logit g, logit u."""
    curve, low, high = _parts(theta, par)
    by_z = (high - low) * curve * (1 - curve)
    by_low = (1 - curve) * low * (1 - low)
    by_high = curve * high * (1 - high)
    parts = [*(by_z * t[:, None] for t in theta.T), by_z, by_low, by_high]
    out: FloatArray = _by_probability(theta, par)[..., None] * np.stack(parts, axis=2)[:, :, None, :]
    return out


def d_theta(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, 2, D) derivatives by theta."""
    curve, low, high = _parts(theta, par)
    by_z = ((high - low) * curve * (1 - curve))[..., None] * par[None, :, : theta.shape[1]]
    return _by_probability(theta, par)[..., None] * by_z[:, :, None, :]


def _parts(theta: FloatArray, par: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    low, high = expit(par[:, -2]), expit(par[:, -1])
    return expit(predictor(theta, par)), low, np.where(high > low, high, np.nan)


def _probabilities(theta: FloatArray, par: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return P and 1 - P (Q, J), the latter as a sum of positive parts: it stays above 1 - u and loses no digits."""
    curve, low, high = _parts(theta, par)
    p = low + (high - low) * curve
    rest = expit(-par[:, -1]) + (high - low) * expit(-predictor(theta, par))
    return p, rest


def _by_probability(theta: FloatArray, par: FloatArray) -> FloatArray:
    p, rest = _probabilities(theta, par)
    return np.stack([-1 / rest, 1 / p], axis=2)


def start(share: FloatArray, n_dims: int) -> FloatArray:
    """Return (J, D + 3): slopes 1, intercepts from the share between the asymptotes, these by their priors."""
    low, miss = start_asymptote(share[:, 1], GUESSING), start_asymptote(share[:, 0], -UPPER)
    inside = (share[:, 1] - low) / (1 - miss - low)
    columns = [np.ones((len(share), n_dims)), SCALING * logit_share(np.clip(inside, 0.03, 0.97))]
    return np.column_stack([*columns, logit_share(low), -logit_share(miss)])


def display(par: FloatArray, n_cat: int, n_dims: int) -> dict[str, FloatArray]:
    """Return difficulty b = -d / a, lower asymptote g and upper asymptote u, each (J,)."""
    return {"b": difficulty(par, n_dims), "g": expit(par[:, -2]), "u": expit(par[:, -1])}


MODEL = ItemModel(
    name="4pl",
    label="four-parameter logistic model",
    params=params,
    log_prob=log_prob,
    d_par=d_par,
    d_theta=d_theta,
    start=start,
    display=display,
    categories=(2, 2),
    ordered=True,
    citation="Barton & Lord (1981), ETS Research Report 81-20",
)

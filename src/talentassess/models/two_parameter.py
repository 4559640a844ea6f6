"""Two-parameter logistic model, with the Rasch and one-parameter models as its constrained forms."""

from __future__ import annotations

import numpy as np

from talentassess.core.arrays import FloatArray, nodes_innermost
from talentassess.core.logistic import expit, log_expit
from talentassess.core.model import ItemModel, Param, Variant
from talentassess.models._logistic import INTERCEPT_RANGE, SCALING, difficulty, logit_share, predictor, slopes


def params(n_cat: int, n_dims: int) -> tuple[Param, ...]:
    """Return slope(s) a and intercept d; logistic metric (no 1.7)."""
    return (*slopes(n_dims), Param("intercept", "d", -50.0, 50.0, INTERCEPT_RANGE))


def log_prob(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, 2) log P(x = 0), log P(x = 1) with P(x = 1) = 1 / (1 + exp(-(a . theta + d)))."""
    z = predictor(theta, par)
    out = nodes_innermost(*z.shape, 2)
    out[:, :, 1] = log_expit(z)
    out[:, :, 0] = out[:, :, 1] - z  # log P(0) = log P(1) - z, exactly
    return out


def d_par(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, 2, D + 1) derivatives by a_1..a_D, d: (x - P) theta and (x - P)."""
    by_z, n_dims = _by_predictor(theta, par), theta.shape[1]
    out = nodes_innermost(*by_z.shape, n_dims + 1)
    out[..., :n_dims] = by_z[..., None] * theta[:, None, None, :]
    out[..., n_dims] = by_z
    return out


def d_theta(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, 2, D) derivatives by theta: (x - P) a."""
    return _by_predictor(theta, par)[..., None] * par[None, :, None, : theta.shape[1]]


def _by_predictor(theta: FloatArray, par: FloatArray) -> FloatArray:
    p = expit(predictor(theta, par))
    out = nodes_innermost(*p.shape, 2)
    out[:, :, 0], out[:, :, 1] = -p, 1 - p
    return out


def start(share: FloatArray, n_dims: int) -> FloatArray:
    """Return (J, D + 1): slopes 1, intercepts from the share (J, 2) of the upper category."""
    return np.column_stack([np.ones((len(share), n_dims)), SCALING * logit_share(share[:, 1])])


def display(par: FloatArray, n_cat: int, n_dims: int) -> dict[str, FloatArray]:
    """Return the difficulty b (J,) = -d / a."""
    return {"b": difficulty(par, n_dims)}


MODEL = ItemModel(
    name="2pl",
    label="two-parameter logistic model",
    params=params,
    log_prob=log_prob,
    d_par=d_par,
    d_theta=d_theta,
    start=start,
    display=display,
    categories=(2, 2),
    ordered=True,
    citation="Birnbaum (1968), in Lord & Novick, Statistical theories of mental test scores, ch. 17",
    variants={
        "rasch": Variant("Rasch model", fixed={"slope": 1.0}, free_variance=True),
        "1pl": Variant("one-parameter logistic model", tied=("slope",)),
    },
)

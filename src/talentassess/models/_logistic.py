"""Shared by the dichotomous logistic models: two categories, linear predictor z = a theta + d."""

from __future__ import annotations

import numpy as np

from talentassess.core.arrays import FloatArray
from talentassess.core.logistic import expit
from talentassess.core.model import Param

SLOPE_RANGE, INTERCEPT_RANGE = (0.5, 2.2), (-2.0, 2.0)
SCALING = 1.2  # marginal logit -> intercept: a N(0,1) trait with slope 1 flattens the curve by about this factor


def slopes(n_dims: int) -> tuple[Param, ...]:
    """Return one slope per dimension; ``a`` if there is one, else ``a1 .. aD``."""
    symbols = ["a"] if n_dims == 1 else [f"a{d + 1}" for d in range(n_dims)]
    names = ["slope"] if n_dims == 1 else [f"slope{d + 1}" for d in range(n_dims)]
    return tuple(Param(n, s, -25.0, 25.0, SLOPE_RANGE) for n, s in zip(names, symbols, strict=True))


def predictor(theta: FloatArray, par: FloatArray) -> FloatArray:
    """Return z (Q, J) = a . theta + d for theta (Q, D), par (J, >= D + 1)."""
    n_dims = theta.shape[1]
    z: FloatArray = (par[:, :n_dims] @ theta.T + par[:, n_dims : n_dims + 1]).T
    return z


def logit_share(share: FloatArray) -> FloatArray:
    """Return the logit of shares of any shape, kept finite for shares of 0 and 1."""
    inside = np.clip(share, 1e-3, 1 - 1e-3)
    return np.log(inside / (1 - inside))


def start_asymptote(share: FloatArray, prior_mean: float) -> FloatArray:
    """Return (J,) lower asymptotes to start at: the prior's mean (logit), but well below the share (J,) of answers.

    An item that fewer answer correctly than guessing explains would start far from any curve that fits it.
    """
    low: FloatArray = np.minimum(expit(np.array(prior_mean)), 0.6 * np.maximum(share, 0.01))
    return low


def difficulty(par: FloatArray, n_dims: int) -> FloatArray:
    """Return b (J,) = -d / a on the theta metric; for several dimensions along the direction of steepest slope."""
    length = np.sqrt(np.sum(par[:, :n_dims] ** 2, axis=1))
    if n_dims == 1:
        length = par[:, 0]
    with np.errstate(divide="ignore"):
        b: FloatArray = -par[:, n_dims] / length
    return b

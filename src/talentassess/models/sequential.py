"""Sequential (continuation ratio) model: categories are reached one step after the other, each step a logistic curve.

For answers that are built up in stages: a candidate who fails a step never meets the next one, so every step has a
difficulty of its own and the steps need not be in order (the graded model orders them).

R mirt's ``sequential`` has the same slope and intercepts; its ``Tutz`` is the variant ``sequential-rasch``.
"""

from __future__ import annotations

import numpy as np

from talentassess.core.arrays import FloatArray
from talentassess.core.logistic import expit, log_expit
from talentassess.core.model import ItemModel, Param, Variant
from talentassess.models._logistic import SCALING, logit_share, slopes


def params(n_cat: int, n_dims: int) -> tuple[Param, ...]:
    """Return slope(s) a, common to all steps, and step intercepts d_1..d_(K-1); logistic metric (no 1.7)."""
    steps = (Param(f"intercept{k}", f"d{k}", -50.0, 50.0, (-1.5, 1.5)) for k in range(1, n_cat))
    return (*slopes(n_dims), *steps)


def _steps(theta: FloatArray, par: FloatArray) -> FloatArray:
    """Return (Q, J, K - 1) the logit of each step, given that it is tried."""
    n_dims = theta.shape[1]
    return (theta @ par[:, :n_dims].T)[:, :, None] + par[None, :, n_dims:]


def log_prob(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, K) with P(x = k) = F_1 ... F_k (1 - F_(k+1)), F_k = 1 / (1 + exp(-(a . theta + d_k))), F_K = 0."""
    z = _steps(theta, par)
    edge = np.zeros((*z.shape[:2], 1))
    passed = np.concatenate([edge, np.cumsum(log_expit(z), axis=2)], axis=2)
    stopped = np.concatenate([log_expit(-z), edge], axis=2)
    log_p: FloatArray = passed + stopped
    return log_p


def d_par(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, K, D + K - 1) derivatives by a and d_1..d_(K-1)."""
    by_step = _by_steps(theta, par, n_cat)
    by_slope = by_step.sum(axis=3)[..., None] * theta[:, None, None, :]
    return np.concatenate([by_slope, by_step], axis=3)


def d_theta(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, K, D) derivatives by theta."""
    by_line: FloatArray = _by_steps(theta, par, n_cat).sum(axis=3)
    return by_line[..., None] * par[None, :, None, : theta.shape[1]]


def _by_steps(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, K, K - 1): d log P_k by the logit of step m: 1 - F_m if passed, -F_m if it was the one failed."""
    curve = expit(_steps(theta, par))[:, :, None, :]
    category, step = np.arange(n_cat)[:, None], np.arange(1, n_cat)
    return np.where(step <= category, 1 - curve, 0.0) - np.where(step == category + 1, curve, 0.0)


def start(share: FloatArray, n_dims: int) -> FloatArray:
    """Return (J, D + K - 1): slopes 1, intercepts from the share (J, K) of those passing among those trying."""
    tried = np.cumsum(share[:, ::-1], axis=1)[:, ::-1]
    passing = np.divide(tried[:, 1:], tried[:, :-1], out=np.full_like(tried[:, 1:], 0.5), where=tried[:, :-1] > 0)
    return np.column_stack([np.ones((len(share), n_dims)), SCALING * logit_share(passing)])


def display(par: FloatArray, n_cat: int, n_dims: int) -> dict[str, FloatArray]:
    """Return step difficulties b1..b(K-1), each (J,): theta where half of those who try a step pass it."""
    length = par[:, 0] if n_dims == 1 else np.sqrt(np.sum(par[:, :n_dims] ** 2, axis=1))
    with np.errstate(divide="ignore"):
        return {f"b{k + 1}": -par[:, n_dims + k] / length for k in range(n_cat - 1)}


MODEL = ItemModel(
    name="sequential",
    label="sequential model",
    params=params,
    log_prob=log_prob,
    d_par=d_par,
    d_theta=d_theta,
    start=start,
    display=display,
    categories=(2, None),
    ordered=True,
    citation="Tutz (1990), British Journal of Mathematical and Statistical Psychology 43, 39-55",
    variants={
        "sequential-rasch": Variant("sequential Rasch model", fixed={"slope": 1.0}, free_variance=True),
    },
)

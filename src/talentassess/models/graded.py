"""Graded response model: cumulative logits with one slope and K - 1 decreasing intercepts."""

from __future__ import annotations

import numpy as np

from talentassess.core.arrays import FloatArray, nodes_innermost
from talentassess.core.logistic import expit, log_expit
from talentassess.core.model import ItemModel, Param, Variant
from talentassess.models._logistic import SCALING, logit_share, slopes


def params(n_cat: int, n_dims: int) -> tuple[Param, ...]:
    """Return slope(s) a and intercepts d_1 > ... > d_(K-1); typical intercepts spread from 2.5 to -2.5."""
    centres = np.linspace(2.5, -2.5, n_cat + 1)[1:-1]
    reach = 0.4 * 5.0 / n_cat
    intercepts = (
        Param(f"intercept{k + 1}", f"d{k + 1}", -50.0, 50.0, (float(c - reach), float(c + reach)))
        for k, c in enumerate(centres)
    )
    return (*slopes(n_dims), *intercepts)


def _boundaries(theta: FloatArray, par: FloatArray) -> FloatArray:
    n_dims = theta.shape[1]
    z: FloatArray = (par[:, :n_dims] @ theta.T)[:, None, :] + par[:, n_dims:, None]
    return np.moveaxis(z, -1, 0)


def log_prob(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, K) with P(x = k) = F_k - F_(k+1), F_k = 1 / (1 + exp(-(a . theta + d_k))), F_0 = 1, F_K = 0.

    Differences of upper or lower tails are taken on the log scale, so extreme theta lose no digits. NaN where the
    intercepts are not decreasing.
    """
    z = _boundaries(theta, par)
    gaps = par[:, theta.shape[1] :]
    gap = gaps[:, :-1] - gaps[:, 1:]
    reached = log_expit(z)
    missed = reached - z  # log F(-z), exactly
    out = nodes_innermost(len(theta), len(par), n_cat)
    out[:, :, 0], out[:, :, -1] = missed[:, :, 0], reached[:, :, -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        # F(u) - F(l) = F(u) F(-l) (1 - exp(l - u)): a product, never a difference of nearly equal numbers
        out[:, :, 1:-1] = reached[:, :, :-1] + missed[:, :, 1:] + np.log1p(-np.exp(-gap))
    return out


def d_par(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, K, D + K - 1) derivatives by a and d_1..d_(K-1)."""
    lower, upper = _edge_slopes(theta, par)
    n_dims = theta.shape[1]
    out = nodes_innermost(*lower.shape, par.shape[1])
    out[..., :n_dims] = (lower + upper)[..., None] * theta[:, None, None, :]
    out[..., n_dims:] = 0.0
    for k in range(n_cat - 1):
        out[:, :, k + 1, n_dims + k] = lower[:, :, k + 1]
        out[:, :, k, n_dims + k] = upper[:, :, k]
    return out


def d_theta(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, K, D) derivatives by theta."""
    lower, upper = _edge_slopes(theta, par)
    return (lower + upper)[..., None] * par[None, :, None, : theta.shape[1]]


def _edge_slopes(theta: FloatArray, par: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return two (Q, J, K) arrays: d log P_k by its lower boundary's predictor and by its upper boundary's."""
    curve = expit(_boundaries(theta, par))
    gaps = par[:, theta.shape[1] :]
    gap = gaps[:, :-1] - gaps[:, 1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = np.exp(-gap) / -np.expm1(-gap)
    n_nodes, n_items, n_steps = curve.shape
    lower, upper = nodes_innermost(n_nodes, n_items, n_steps + 1), nodes_innermost(n_nodes, n_items, n_steps + 1)
    lower[:, :, 0], upper[:, :, -1] = 0.0, 0.0
    lower[:, :, 1:], upper[:, :, :-1] = 1 - curve, -curve
    lower[:, :, 1:-1] += rest
    upper[:, :, 1:-1] -= rest
    return lower, upper


def start(share: FloatArray, n_dims: int) -> FloatArray:
    """Return (J, D + K - 1): slopes 1, intercepts from the cumulative shares (J, K), kept strictly decreasing."""
    above = np.cumsum(share[:, ::-1], axis=1)[:, ::-1][:, 1:]
    intercepts = SCALING * logit_share(above) - 1e-2 * np.arange(above.shape[1])
    return np.column_stack([np.ones((len(share), n_dims)), intercepts])


def display(par: FloatArray, n_cat: int, n_dims: int) -> dict[str, FloatArray]:
    """Return thresholds b1..b(K-1), each (J,): theta where half of the persons reach category k or above."""
    length = par[:, 0] if n_dims == 1 else np.sqrt(np.sum(par[:, :n_dims] ** 2, axis=1))
    with np.errstate(divide="ignore"):
        return {f"b{k + 1}": -par[:, n_dims + k] / length for k in range(n_cat - 1)}


MODEL = ItemModel(
    name="graded",
    label="graded response model",
    params=params,
    log_prob=log_prob,
    d_par=d_par,
    d_theta=d_theta,
    start=start,
    display=display,
    categories=(2, None),
    ordered=True,
    citation="Samejima (1969), Psychometrika Monograph 17",
    variants={"1pl-graded": Variant("graded response model with one common slope", tied=("slope",))},
)

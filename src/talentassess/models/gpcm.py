"""Generalized partial credit model, with the partial credit and rating scale models as its constrained forms."""

from __future__ import annotations

import numpy as np

from talentassess.core.arrays import FloatArray, nodes_innermost
from talentassess.core.model import ItemModel, Param, Variant
from talentassess.models._logistic import slopes
from talentassess.models._multinomial import log_softmax, marginal_utilities


def params(n_cat: int, n_dims: int) -> tuple[Param, ...]:
    """Return slope(s) a and cumulative intercepts d_1..d_(K-1) (d_0 = 0)."""
    intercepts = (Param(f"intercept{k}", f"d{k}", -50.0, 50.0, (-1.5, 1.5)) for k in range(1, n_cat))
    return (*slopes(n_dims), *intercepts)


def _utilities(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    n_dims = theta.shape[1]
    line = par[:, :n_dims] @ theta.T
    out = nodes_innermost(len(theta), len(par), n_cat)
    out[:] = line.T[:, :, None] * np.arange(n_cat)
    out[:, :, 1:] += par[:, n_dims:]
    return out


def log_prob(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, K) with log P(x = k) = k a . theta + d_k - log sum_m exp(m a . theta + d_m)."""
    return log_softmax(_utilities(theta, par, n_cat))


def d_par(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, K, D + K - 1) derivatives by a and d_1..d_(K-1)."""
    log_p = log_prob(theta, par, n_cat)
    n_dims, probability = theta.shape[1], np.exp(log_p)
    out = nodes_innermost(*log_p.shape, n_dims + n_cat - 1)
    out[..., :n_dims] = _by_line(log_p)[..., None] * theta[:, None, None, :]
    out[..., n_dims:] = -probability[:, :, None, 1:]
    for k in range(1, n_cat):
        out[:, :, k, n_dims + k - 1] += 1.0
    return out


def d_theta(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, K, D) derivatives by theta."""
    by_line = _by_line(log_prob(theta, par, n_cat))
    return by_line[..., None] * par[None, :, None, : theta.shape[1]]


def _by_line(log_p: FloatArray) -> FloatArray:
    """Return (Q, J, K) derivative by the line a . theta: k minus its expectation."""
    codes = np.arange(log_p.shape[-1], dtype=np.float64)
    expected = np.einsum("qjk,k->qj", np.exp(log_p), codes)
    out = nodes_innermost(*log_p.shape)
    out[:] = codes - expected[..., None]
    return out


def start(share: FloatArray, n_dims: int) -> FloatArray:
    """Return (J, D + K - 1): slopes 0.7, intercepts from the log shares (J, K)."""
    return np.column_stack([np.full((len(share), n_dims), 0.7), marginal_utilities(share)])


def display(par: FloatArray, n_cat: int, n_dims: int) -> dict[str, FloatArray]:
    """Return step parameters b1..b(K-1), each (J,): theta where categories k - 1 and k are equally likely."""
    length = par[:, 0] if n_dims == 1 else np.sqrt(np.sum(par[:, :n_dims] ** 2, axis=1))
    steps = np.diff(np.column_stack([np.zeros(len(par)), par[:, n_dims:]]), axis=1)
    with np.errstate(divide="ignore"):
        return {f"b{k + 1}": -steps[:, k] / length for k in range(n_cat - 1)}


def rating_scale_design(n_items: int, n_cat: int) -> tuple[FloatArray, FloatArray]:
    """Return the linear tie of the rating scale model: d_jk = k delta_j + tau_k, tau_(K-1) = 0, slope 1.

    Returns
    -------
    design : (J * K, J + K - 2) columns: J locations delta, then K - 2 common steps tau.
    offset : (J * K,) 1 at the slopes.
    """
    design = np.zeros((n_items, n_cat, n_items + n_cat - 2))
    offset = np.zeros((n_items, n_cat))
    offset[:, 0] = 1.0
    for k in range(1, n_cat):
        design[np.arange(n_items), k, np.arange(n_items)] = k
        if k < n_cat - 1:
            design[:, k, n_items + k - 1] = 1.0
    return design.reshape(n_items * n_cat, -1), offset.ravel()


MODEL = ItemModel(
    name="gpcm",
    label="generalized partial credit model",
    params=params,
    log_prob=log_prob,
    d_par=d_par,
    d_theta=d_theta,
    start=start,
    display=display,
    categories=(2, None),
    ordered=True,
    citation="Muraki (1992), Applied Psychological Measurement 16, 159-176",
    variants={
        "pcm": Variant("partial credit model", fixed={"slope": 1.0}, free_variance=True),
        "rsm": Variant("rating scale model", design=rating_scale_design, free_variance=True),
    },
)

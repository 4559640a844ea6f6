"""Nominal response model: every category has a slope and an intercept of its own."""

from __future__ import annotations

import numpy as np

from talentassess.core.arrays import FloatArray, nodes_innermost
from talentassess.core.model import ItemModel, Param
from talentassess.models._multinomial import by_utilities, log_softmax, marginal_utilities


def params(n_cat: int, n_dims: int) -> tuple[Param, ...]:
    """Return category slopes a_1..a_(K-1) (per dimension) and intercepts c_1..c_(K-1); category 0 is fixed at zero.

    Category 0 is the reference (Bock's identification shifted so that its parameters are 0).
    """
    kinds = [(k, d) for d in range(n_dims) for k in range(1, n_cat)]
    category_slopes = (
        Param(f"slope{_mark(k, d, n_dims)}", f"a{_mark(k, d, n_dims)}", -25.0, 25.0, (0.6 * k - 0.25, 0.6 * k + 0.25))
        for k, d in kinds
    )
    intercepts = (Param(f"intercept{k}", f"c{k}", -50.0, 50.0, (-1.0, 1.0)) for k in range(1, n_cat))
    return (*category_slopes, *intercepts)


def _mark(k: int, d: int, n_dims: int) -> str:
    return f"{k}" if n_dims == 1 else f"{k}.{d + 1}"


def _split(par: FloatArray, n_cat: int, n_dims: int) -> tuple[FloatArray, FloatArray]:
    """Return category slopes (J, K, D) and intercepts (J, K), with the zeros of category 0 filled in."""
    free = n_cat - 1
    slope = par[:, : n_dims * free].reshape(len(par), n_dims, free).transpose(0, 2, 1)
    zeros = np.zeros((len(par), 1, n_dims))
    return np.concatenate([zeros, slope], axis=1), np.column_stack([np.zeros(len(par)), par[:, n_dims * free :]])


def log_prob(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, K) with log P(x = k) = a_k . theta + c_k - log sum_m exp(a_m . theta + c_m)."""
    slope, intercept = _split(par, n_cat, theta.shape[1])
    utilities: FloatArray = slope @ theta.T + intercept[:, :, None]
    return log_softmax(np.moveaxis(utilities, -1, 0))


def d_par(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, K, (D + 1)(K - 1)) derivatives by the category slopes (dimension by dimension) and intercepts."""
    by_z = by_utilities(log_prob(theta, par, n_cat))[..., 1:]
    n_dims, free = theta.shape[1], n_cat - 1
    out = nodes_innermost(*by_z.shape[:3], (n_dims + 1) * free)
    for d in range(n_dims):
        out[..., d * free : (d + 1) * free] = by_z * theta[:, d, None, None, None]
    out[..., n_dims * free :] = by_z
    return out


def d_theta(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, K, D) derivatives by theta: a_k minus its expectation."""
    slope, _ = _split(par, n_cat, theta.shape[1])
    expected = np.einsum("qjk,jkd->qjd", np.exp(log_prob(theta, par, n_cat)), slope)
    out: FloatArray = slope - expected[:, :, None, :]
    return out


def start(share: FloatArray, n_dims: int) -> FloatArray:
    """Return (J, (D + 1)(K - 1)): slopes rising by 0.5 per category, intercepts from the log shares (J, K)."""
    rising = np.tile(0.5 * np.arange(1, share.shape[1]), (len(share), n_dims))
    return np.column_stack([rising, marginal_utilities(share)])


def display(par: FloatArray, n_cat: int, n_dims: int) -> dict[str, FloatArray]:
    """Return nothing beyond the parameters (J, P) themselves: nominal categories have no thresholds."""
    return {}


MODEL = ItemModel(
    name="nominal",
    label="nominal response model",
    params=params,
    log_prob=log_prob,
    d_par=d_par,
    d_theta=d_theta,
    start=start,
    display=display,
    categories=(2, None),
    ordered=False,
    citation="Bock (1972), Psychometrika 37, 29-51",
)

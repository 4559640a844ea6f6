"""Shared by the divide-by-total models: log P_k = z_k - log sum exp z."""

from __future__ import annotations

import numpy as np

from talentassess.core.arrays import FloatArray, nodes_innermost


def log_softmax(z: FloatArray) -> FloatArray:
    """Return z - log sum exp z over the last axis, for z of any shape."""
    top = z.max(axis=-1, keepdims=True)
    log_p: FloatArray = z - top - np.log(np.sum(np.exp(z - top), axis=-1, keepdims=True))
    return log_p


def by_utilities(log_p: FloatArray) -> FloatArray:
    """Return (Q, J, K, K) derivative of log P_k by utility z_m: [k = m] - P_m, from log P (Q, J, K)."""
    n_cat = log_p.shape[-1]
    out = nodes_innermost(*log_p.shape, n_cat)
    out[:] = -np.exp(log_p)[:, :, None, :]
    for k in range(n_cat):
        out[:, :, k, k] += 1.0
    return out


def marginal_utilities(share: FloatArray) -> FloatArray:
    """Return (J, K - 1) log shares relative to category 0, kept finite for empty categories."""
    kept = np.maximum(share, 1e-3)
    return np.log(kept[:, 1:] / kept[:, :1])

"""Quadrature over the latent distribution: equally spaced nodes, normal weights."""

from __future__ import annotations

import numpy as np

from talentassess.core.arrays import FloatArray

# Equally spaced, not Gauss-Hermite: with 61 Gauss-Hermite nodes the gaps near zero exceed the posterior SD of a long
# test, and the log-likelihood is off by tens of units at 100 items.
NODES, LIMIT = 61, 6.0


def grid(n: int = NODES, limit: float = LIMIT) -> FloatArray:
    """Return (n,) equally spaced nodes on -limit..limit, in logits of the latent metric.

    Examples
    --------
    >>> grid(5, 2.0)
    array([-2., -1.,  0.,  1.,  2.])
    """
    return np.linspace(-limit, limit, n)


def normal_log_weights(nodes: FloatArray, mean: float = 0.0, sd: float = 1.0) -> FloatArray:
    """Return (Q,) log weights of a normal distribution on the nodes, normalised to sum to one on them.

    Parameters
    ----------
    nodes : (Q,) logits.
    mean, sd : of the latent distribution, logits; sd > 0.
    """
    log_density = -0.5 * ((nodes - mean) / sd) ** 2
    normalised: FloatArray = log_density - np.log(np.sum(np.exp(log_density)))
    return normalised


def d_normal_log_weights(nodes: FloatArray, mean: float, sd: float) -> FloatArray:
    """Return (Q, 2) derivatives of ``normal_log_weights`` by the mean and by log(sd)."""
    z = (nodes - mean) / sd
    raw = np.column_stack([z / sd, z**2])
    weights = np.exp(normal_log_weights(nodes, mean, sd))
    centred: FloatArray = raw - weights @ raw
    return centred

"""One common factor by minimum residuals: the loadings that omega needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import FloatArray
from talentassess.core.status import Status

MAX_SWEEPS, TOLERANCE = 5_000, 1e-10


@dataclass(frozen=True, eq=False, slots=True)
class OneFactor:
    """A one-factor solution.

    Attributes
    ----------
    loadings : (J,) standardised loadings; their sum is not negative. NaN if not identified.
    status : CONVERGED, AT_BOUND (a loading of 1: a Heywood case), MAX_STEPS, or NOT_IDENTIFIED below three items.
    """

    loadings: FloatArray
    status: Status

    @property
    def uniqueness(self) -> FloatArray:
        """(J,) share of each item's variance that the factor leaves, 1 - loading squared."""
        return 1.0 - self.loadings**2


def minres_one_factor(correlation: FloatArray) -> OneFactor:
    """Fit one factor to correlation (J, J) by least squares on the off-diagonal.

    Equation: minimise sum_{i<j} (r_ij - l_i l_j)^2 (Harman & Jones 1966), one loading at a time:
    l_i = sum_{j != i} r_ij l_j / sum_{j != i} l_j^2, kept within -1..1 (Harman & Fukuda 1966).

    Examples
    --------
    >>> loading = np.array([0.8, 0.6, 0.5, 0.7])
    >>> correlation = np.outer(loading, loading)
    >>> np.fill_diagonal(correlation, 1.0)
    >>> minres_one_factor(correlation).loadings.round(6)
    array([0.8, 0.6, 0.5, 0.7])
    """
    n_items = len(correlation)
    if n_items < 3:
        return OneFactor(np.full(n_items, np.nan), Status.NOT_IDENTIFIED)
    off_diagonal = correlation - np.diag(np.diag(correlation))
    loadings = _principal_axis(correlation)
    status = Status.MAX_STEPS
    for _ in range(MAX_SWEEPS):
        before = loadings.copy()
        _sweep(off_diagonal, loadings)
        if np.max(np.abs(loadings - before)) < TOLERANCE:
            status = Status.AT_BOUND if np.max(np.abs(loadings)) >= 1.0 else Status.CONVERGED
            break
    return OneFactor(loadings if loadings.sum() >= 0 else -loadings, status)


def _principal_axis(correlation: FloatArray) -> FloatArray:
    value, vector = np.linalg.eigh(correlation)
    return np.asarray(vector[:, -1] * np.sqrt(max(value[-1], 0.0)) * 0.9, dtype=np.float64)


def _sweep(off_diagonal: FloatArray, loadings: FloatArray) -> None:
    for i, row in enumerate(off_diagonal):
        others = float(loadings @ loadings - loadings[i] ** 2)
        if others > 0:
            loadings[i] = min(1.0, max(-1.0, float(row @ loadings) / others))

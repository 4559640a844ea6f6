"""Kendall's W, and the correlations of a panel: do experts put things in the same order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class Concordance:
    """Kendall's coefficient of concordance W with its test.

    Attributes
    ----------
    w : 0 (no common order) to 1 (the same order), corrected for ties.
    chi_square, df, p : Friedman's test that there is no common order; approximate with few experts or options.
    """

    w: float
    chi_square: float
    df: int
    p: float


def kendall_w(x: FloatArray) -> Concordance | None:
    """Compute Kendall's W of ratings x (E, n) by E experts of n options without gaps; None if all tie everything.

    Equation: W = 12 S / (E^2 (n^3 - n) - E sum_e T_e), S the sum of squared deviations of the options' rank sums,
    T_e = sum (t^3 - t) over the ties of expert e; chi^2 = E (n - 1) W with n - 1 degrees of freedom (Kendall & Gibbons
    1990; the chi-square is Friedman's).

    Examples
    --------
    >>> kendall_w(np.array([[1.0, 2, 3], [1, 2, 3], [2, 4, 5]])).w
    1.0
    """
    from scipy.special import chdtrc

    e, n = x.shape
    if e < 2 or n < 2:
        return None
    ranks = np.stack([average_ranks(row) for row in x])
    spread = float(np.sum((ranks.sum(axis=0) - e * (n + 1) / 2) ** 2))
    ties = sum(int(t**3 - t) for row in x for t in np.unique(row, return_counts=True)[1])
    bottom = e**2 * (n**3 - n) - e * ties
    if bottom == 0:
        return None
    w = 12 * spread / bottom
    chi_square = e * (n - 1) * w
    return Concordance(float(w), float(chi_square), n - 1, float(chdtrc(n - 1, chi_square)))


def average_ranks(x: FloatArray) -> FloatArray:
    """Return ranks of x (n,), 1 the smallest; ties get the mean of their places.

    Examples
    --------
    >>> average_ranks(np.array([2.0, 5.0, 2.0])).tolist()
    [1.5, 3.0, 1.5]
    """
    _, place, count = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    means: FloatArray = (last - (count - 1) / 2)[place]
    return means


def rank_correlation(x: FloatArray, y: FloatArray) -> float | None:
    """Return Spearman's correlation of x (n,) with y (n,), ties averaged; None if one of them does not vary.

    Examples
    --------
    >>> rank_correlation(np.array([1.0, 2, 3]), np.array([1.0, 4, 9]))
    1.0
    """
    return correlation(average_ranks(x), average_ranks(y))


def correlation(x: FloatArray, y: FloatArray) -> float | None:
    """Return Pearson's correlation of x (n,) with y (n,); None if one of them does not vary."""
    a, b = x - x.mean(), y - y.mean()
    spread = float(np.sqrt(np.sum(a**2) * np.sum(b**2)))
    return float(np.clip(np.sum(a * b) / spread, -1, 1)) if spread > 1e-12 else None

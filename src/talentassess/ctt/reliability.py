"""Reliability of a sum score from the covariance matrix of its items."""

from __future__ import annotations

import numpy as np

from talentassess.core.arrays import FloatArray
from talentassess.ctt.one_factor import OneFactor

ROUNDING = 1e-12  # sums below this share of the items' variances are zero but for rounding


def cronbach_alpha(cov: FloatArray) -> float:
    """Return coefficient alpha of items with covariance matrix cov (J, J), J >= 2.

    Equation: alpha = J / (J - 1) * (1 - trace(C) / sum(C)) (Cronbach 1951, eq. 2). On a correlation matrix this is
    the standardised alpha. NaN if the sum score has no variance.

    Examples
    --------
    >>> round(cronbach_alpha(np.array([[1.0, 0.5], [0.5, 1.0]])), 4)
    0.6667
    """
    n_items = len(cov)
    if n_items < 2:
        return float("nan")
    return n_items / (n_items - 1) * (1.0 - float(np.trace(cov)) / sum_variance(cov))


def sum_variance(cov: FloatArray) -> float:
    """Return the variance of the sum of items with covariance matrix cov (J, J); NaN if there is none but rounding."""
    total = float(cov.sum())
    return total if total > ROUNDING * float(np.trace(cov)) else float("nan")


def alpha_without_each(cov: FloatArray) -> FloatArray:
    """Return (J,) alpha of the scale without each item in turn; NaN below three items."""
    n_items = len(cov)
    variance = np.diag(cov)
    rest = cov.sum() - 2 * cov.sum(axis=1) + variance
    if n_items < 3:
        return np.full(n_items, np.nan)
    defined = rest > ROUNDING * variance.sum()
    share = np.divide(np.trace(cov) - variance, rest, out=np.full(n_items, np.nan), where=defined)
    without: FloatArray = (n_items - 1) / (n_items - 2) * (1.0 - share)
    return without


def feldt_interval(alpha: float, n_persons: float, n_items: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the lower and upper confidence limit of alpha.

    Equation: 1 - (1 - alpha) F_q, F with n - 1 and (n - 1)(J - 1) degrees of freedom (Feldt 1965; Feldt, Woodruff &
    Salih 1987). Assumes complete data and (essentially) tau-equivalent items with normal errors.

    Examples
    --------
    >>> [round(limit, 4) for limit in feldt_interval(0.597724, 392, 4)]
    [0.5285, 0.659]
    """
    from scipy.special import fdtri

    free, tail = n_persons - 1.0, (1.0 - confidence) / 2.0
    upper_f, lower_f = (float(fdtri(free, free * (n_items - 1), q)) for q in (1.0 - tail, tail))
    return 1.0 - (1.0 - alpha) * upper_f, 1.0 - (1.0 - alpha) * lower_f


def omega_total(cov: FloatArray, factor: OneFactor) -> float:
    """Return omega total of the sum score of items with covariance matrix cov (J, J) under one factor.

    Equation: omega = 1 - sum_j psi_j / sum(C), psi_j = C_jj (1 - loading_j^2) (McDonald 1999, ch. 6): the share of the
    observed sum-score variance that is not unique to single items. On a correlation matrix it is R psych's
    ``omega.tot`` with one factor.
    """
    return 1.0 - float(np.diag(cov) @ factor.uniqueness) / sum_variance(cov)


def odd_even_split_half(cov: FloatArray) -> float:
    """Return the split-half reliability of items 1, 3, 5 ... against 2, 4, 6 ... as they stand in cov (J, J).

    Equation: 4 cov(A, B) / var(A + B) (Guttman 1945, lambda 4 of this one split), which needs no equal halves.
    """
    return 4.0 * float(cov[0::2, 1::2].sum()) / sum_variance(cov)


def correlations(cov: FloatArray) -> FloatArray:
    """Return (J, J) correlations of cov (J, J); every variance must be positive."""
    sd = np.sqrt(np.diag(cov))
    r: FloatArray = cov / np.outer(sd, sd)
    return r


def item_total(cov: FloatArray) -> FloatArray:
    """Return (J,) correlation of each item with the sum score it belongs to."""
    return _with_sum(cov.sum(axis=1), np.diag(cov), np.full(len(cov), cov.sum()))


def item_rest(cov: FloatArray) -> FloatArray:
    """Return (J,) corrected item-total correlation: each item with the sum of the others (Henrysson 1963).

    NaN where the others have no variance together. From pairwise covariances, as R psych's ``r.drop``.
    """
    variance, row = np.diag(cov), cov.sum(axis=1)
    return _with_sum(row - variance, variance, cov.sum() - 2 * row + variance)


def _with_sum(covariance: FloatArray, variance: FloatArray, sum_of: FloatArray) -> FloatArray:
    defined = sum_of > ROUNDING * variance.sum()
    product = np.where(defined, variance * sum_of, 1.0)
    return np.where(defined, covariance / np.sqrt(product), np.nan)

"""How certain a norm statistic is: sampling errors of percentiles and standard scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from talentassess.core.arrays import FloatArray
from talentassess.core.errors import NormError


def percentile_se(percentile: ArrayLike, n: float) -> FloatArray:
    """Return the standard error of a percentile rank in per cent, 100 sqrt(p (1 - p) / n), of any shape.

    Examples
    --------
    >>> float(percentile_se(50.0, 100))
    5.0
    """
    share = np.asarray(percentile, dtype=np.float64) / 100.0
    return np.asarray(100.0 * np.sqrt(share * (1.0 - share) / n))


def percentile_interval(percentile: ArrayLike, n: float, confidence: float = 0.90) -> tuple[FloatArray, FloatArray]:
    """Return the exact (Clopper & Pearson 1934) limits of percentile ranks in per cent, of any shape.

    Parameters
    ----------
    percentile : 0..100.
    n : persons, or the effective number of persons of a weighted sample; n p need not be whole (mid-points are not).
    confidence : coverage, 0..1.

    Equation: lower = B(alpha/2; k, n - k + 1), upper = B(1 - alpha/2; k + 1, n - k), B the beta quantile, k = n p.

    Examples
    --------
    >>> low, high = percentile_interval(84.0, 100, 0.95)
    >>> round(float(low), 2), round(float(high), 2)
    (75.32, 90.57)
    """
    from scipy.special import betaincinv

    check_confidence(confidence)
    k, tail = np.asarray(percentile, dtype=np.float64) / 100.0 * n, (1.0 - confidence) / 2.0
    below, above = np.maximum(k, 1e-12), np.maximum(n - k, 1e-12)
    low = np.where(k <= 0, 0.0, betaincinv(below, n - k + 1.0, tail))
    high = np.where(k >= n, 1.0, betaincinv(k + 1.0, above, 1.0 - tail))
    return 100.0 * low, 100.0 * high


def z_se(z: ArrayLike, n: float) -> FloatArray:
    """Return the sampling error of a linear z score, sqrt((1 + z^2 / 2) / n), of any shape.

    Delta method for (x - mean) / sd of a normal norm sample (Oosterhuis, van der Ark & Sijtsma 2017); times 10 it is
    the error of T, times 15 of IQ, times 2 of sten and stanine before they are cut.

    Examples
    --------
    >>> [round(10 * float(z_se(z, 200)), 4) for z in (0, 2)]
    [0.7071, 1.2247]
    """
    squared = np.asarray(z, dtype=np.float64) ** 2
    return np.asarray(np.sqrt((1.0 + squared / 2.0) / n))


def normalised_z_se(percentile: ArrayLike, n: float) -> FloatArray:
    """Return the sampling error of a normalised z score, se(p) / phi(z) (delta method), of percentiles of any shape.

    Examples
    --------
    >>> round(float(normalised_z_se(50.0, 100)), 4)
    0.1253
    """
    from scipy.special import ndtri

    share = np.asarray(percentile, dtype=np.float64) / 100.0
    density = np.exp(-0.5 * np.asarray(ndtri(share)) ** 2) / np.sqrt(2.0 * np.pi)
    return np.asarray(percentile_se(percentile, n) / 100.0 / density)


def quantile_se(percent: ArrayLike, percentile: FloatArray, score: FloatArray, n: float) -> FloatArray:
    """Return the sampling error of the scores at given percentiles, in the score's unit.

    Parameters
    ----------
    percent : any shape, 0 < percent < 100.
    percentile, score : (R,) mid-point percentiles and scores of the norm, ascending.
    n : persons, or the effective number of persons.

    Equation: the standard deviation of Q(U), U ~ Beta(p (n + 1), (1 - p)(n + 1)), the law of a sample percentile
    (Maritz & Jarrett 1978), Q the norm's quantile function. No density is assumed or estimated. Departure: Q is
    interpolated, where the paper's is a step function, whose error is 0 inside a large group of equal scores; for
    coarse sum scores the result is therefore up to a half too large rather than far too small.

    Examples
    --------
    >>> score = np.linspace(0, 1, 1000)
    >>> round(float(quantile_se(50.0, 100 * score, score, 100)), 4)
    0.0495
    """
    from scipy.special import betaincinv, ndtr

    share = np.asarray(percent, dtype=np.float64)[..., None] / 100.0
    nodes = np.linspace(-4.0, 4.0, 33)
    weight = np.exp(-0.5 * nodes**2)
    weight /= weight.sum()
    law = np.asarray(betaincinv(share * (n + 1.0), (1.0 - share) * (n + 1.0), ndtr(nodes)))
    found = np.interp(100.0 * law, percentile, score)
    centre = found @ weight
    return np.asarray(np.sqrt((found - centre[..., None]) ** 2 @ weight))


def check_confidence(confidence: float) -> None:
    """Raise ``NormError`` unless confidence lies between 0 and 1."""
    if not 0 < confidence < 1:
        raise NormError(f"confidence is {confidence}; give a share between 0 and 1, e.g. 0.90.")

"""Errors of measurement of a score with known reliability, in the score's own unit."""

from __future__ import annotations

import numpy as np

from talentassess.core.errors import NormError

# Two-sided 95 % of a normal distribution.
Z95 = 1.959963984540054


def standard_error_of_measurement(sd: float, reliability: float) -> float:
    """Return the SEM, sd sqrt(1 - r): the spread of observed scores about one person's true score.

    Parameters
    ----------
    sd : standard deviation of the observed scores, positive.
    reliability : r, 0..1.

    Raises
    ------
    NormError : sd or reliability out of range (so do all functions here).

    Examples
    --------
    >>> round(standard_error_of_measurement(10, 0.80), 4)
    4.4721
    """
    _check(sd, reliability)
    return float(sd * np.sqrt(1.0 - reliability))


def standard_error_of_difference(sd: float, reliability: float) -> float:
    """Return the SED, sqrt(2) SEM: for two scores of the same test, of two persons or of one person twice.

    Examples
    --------
    >>> round(standard_error_of_difference(10, 0.80), 4)
    6.3246
    """
    return float(np.sqrt(2.0) * standard_error_of_measurement(sd, reliability))


def standard_error_of_estimate(sd: float, reliability: float) -> float:
    """Return the SEE, sd sqrt(r (1 - r)): the spread of true scores about Kelley's estimate (Dudek 1979).

    Examples
    --------
    >>> round(standard_error_of_estimate(10, 0.80), 4)
    4.0
    """
    _check(sd, reliability)
    return float(sd * np.sqrt(reliability * (1.0 - reliability)))


def confidence_band(standard_error: float, z: float = Z95) -> float:
    """Return the width of the band that a difference must exceed, z times a standard error of difference.

    For bands on estimated true scores pass sqrt(2) SEE (Gasperson, Bowler, Wuensch & Bowler 2013).

    Examples
    --------
    >>> round(confidence_band(standard_error_of_difference(10, 0.80), 1.96), 4)
    12.3961
    """
    if not (standard_error >= 0 and z > 0):
        raise NormError(f"standard_error is {standard_error} and z is {z}; an error of 0 or more and z > 0 are needed.")
    return float(z * standard_error)


def kelley_true_score(score: float, mean: float, reliability: float) -> float:
    """Return Kelley's estimate of the true score, r x + (1 - r) mean (Kelley 1927), in the score's unit.

    Examples
    --------
    >>> round(kelley_true_score(63, 50, 0.80), 4)
    60.4
    """
    _check(1.0, reliability)
    return float(reliability * score + (1.0 - reliability) * mean)


def reliable_change(before: float, after: float, sd: float, reliability: float) -> float:
    """Return the reliable change index, (after - before) / SED; beyond +-1.96 error alone is unlikely.

    Source: Jacobson & Truax 1991, p. 14.

    Examples
    --------
    >>> round(reliable_change(32.5, 47.5, 7.5, 0.80), 3)
    3.162
    """
    error = standard_error_of_difference(sd, reliability)
    if error == 0:
        raise NormError(
            "A reliability of 1 leaves no error, so there is no reliable change index; check the reliability."
        )
    return (after - before) / error


def _check(sd: float, reliability: float) -> None:
    problems = []
    if not (np.isfinite(sd) and sd > 0):
        problems.append(f"sd is {sd}; a positive number is needed")
    if not 0 <= reliability <= 1:
        problems.append(f"reliability is {reliability}; a number from 0 to 1 is needed")
    if problems:
        raise NormError("The error of measurement cannot be computed.", problems)

"""Standard scores: pure conversions, with every cut point written down."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from talentassess.core.arrays import FloatArray
from talentassess.core.errors import NormError

NormalScore = Literal["blom", "tukey", "van der waerden", "rankit"]
StanineRule = Literal["half-sd", "4-7-12-17-20"]

# Plotting position (r - a) / (n + 1 - 2a) of rank r among n.
OFFSETS: dict[str, float] = {"blom": 3 / 8, "tukey": 1 / 3, "van der waerden": 0.0, "rankit": 0.5}

STEN_CUTS = np.arange(-2.0, 2.5, 0.5)
HALF_SD_CUTS = np.arange(-1.75, 2.0, 0.5)
STANINE_PERCENT = (4, 7, 12, 17, 20, 17, 12, 7)


def z_to_t(z: ArrayLike) -> FloatArray:
    """Return T scores, 50 + 10 z (McCall 1922), of z of any shape.

    Examples
    --------
    >>> float(z_to_t(-0.5))
    45.0
    """
    return np.asarray(50.0 + 10.0 * np.asarray(z, dtype=np.float64))


def z_to_iq(z: ArrayLike) -> FloatArray:
    """Return scores on the deviation-IQ scale, 100 + 15 z, of z of any shape.

    Examples
    --------
    >>> float(z_to_iq(1.0))
    115.0
    """
    return np.asarray(100.0 + 15.0 * np.asarray(z, dtype=np.float64))


def z_to_sten(z: ArrayLike) -> FloatArray:
    """Return stens 1..10 of z of any shape; NaN stays NaN.

    Cut points -2, -1.5 ... 1.5, 2; a z on a cut belongs to the sten above it, so z = 0 is sten 6 (Canfield 1951).
    Rounding 5.5 + 2 z instead would send halves to the even number and give 0.5 the sten of 0.

    Examples
    --------
    >>> z_to_sten([-2.01, -2.0, -0.01, 0.0, 0.5, 2.0]).tolist()
    [1.0, 2.0, 5.0, 6.0, 7.0, 10.0]
    """
    return _cut(z, STEN_CUTS)


def z_to_stanine(z: ArrayLike, rule: StanineRule = "half-sd") -> FloatArray:
    """Return stanines 1..9 of z of any shape; NaN stays NaN.

    Parameters
    ----------
    z : any shape.
    rule : ``half-sd`` cuts at -1.75, -1.25 ... 1.75; ``4-7-12-17-20`` cuts where a normal distribution has 4, 11, 23,
        40, 60, 77, 89 and 96 per cent below. A z on a cut belongs to the stanine above it.

    Examples
    --------
    >>> z_to_stanine([-0.2500001, -0.25, 0.2499, 0.25, 1.75]).tolist()
    [4.0, 5.0, 5.0, 6.0, 9.0]
    >>> z_to_stanine([-0.2533, 0.252, 0.2534], "4-7-12-17-20").tolist()
    [5.0, 5.0, 6.0]
    """
    return _cut(z, stanine_cuts(rule))


def stanine_cuts(rule: StanineRule = "half-sd") -> FloatArray:
    """Return the z cut points (8,) of a stanine rule; an unknown rule raises ``NormError``.

    Examples
    --------
    >>> stanine_cuts("4-7-12-17-20").round(3).tolist()
    [-1.751, -1.227, -0.739, -0.253, 0.253, 0.739, 1.227, 1.751]
    """
    from scipy.special import ndtri

    if rule == "half-sd":
        return HALF_SD_CUTS.copy()
    if rule == "4-7-12-17-20":
        return np.asarray(ndtri(np.cumsum(STANINE_PERCENT) / 100.0))
    raise NormError(f"There is no stanine rule '{rule}'; choose one of: half-sd, 4-7-12-17-20.")


def mid_percentile(frequency: ArrayLike) -> FloatArray:
    """Return (R,) mid-point percentile of each of R ordered scores with frequency (R,), weighted or not.

    Equation: 100 (F_below + f / 2) / sum f: half of those with the same score count as below.

    Examples
    --------
    >>> mid_percentile([1, 2, 3, 1, 1, 2]).tolist()
    [5.0, 20.0, 45.0, 65.0, 75.0, 90.0]
    """
    mass = np.asarray(frequency, dtype=np.float64)
    return np.asarray(100.0 * (np.cumsum(mass) - mass / 2.0) / mass.sum())


def normalised_z(frequency: ArrayLike, method: NormalScore = "rankit") -> FloatArray:
    """Return (R,) normalised z of each of R ordered scores with frequency (R,).

    Equation: z = Phi^-1((r - a) / (n + 1 - 2a)), r the mean rank of the score, n = sum f; a = 3/8 (Blom 1958),
    1/3 (Tukey 1962), 0 (Van der Waerden 1952), 1/2 (rankit: Ipsen & Jerne 1944, the mid-point percentile).
    Weighted frequencies should sum to the number of persons. An unknown method raises ``NormError``.

    Examples
    --------
    >>> normalised_z([1, 2, 3, 1, 1, 2], "blom").round(4).tolist()
    [-1.5466, -0.8158, -0.1226, 0.3755, 0.6554, 1.2278]
    """
    from scipy.special import ndtri

    if method not in OFFSETS:
        raise NormError(f"There is no normal score '{method}'; choose one of: {', '.join(OFFSETS)}.")
    mass, offset = np.asarray(frequency, dtype=np.float64), OFFSETS[method]
    rank = np.cumsum(mass) - mass / 2.0 + 0.5
    return np.asarray(ndtri((rank - offset) / (mass.sum() + 1.0 - 2.0 * offset)))


def _cut(z: ArrayLike, cuts: FloatArray) -> FloatArray:
    # Rounded first: (x - mean) / sd of a score on a cut may come out as 0.49999999999999994.
    values = np.round(np.asarray(z, dtype=np.float64), 9)
    unit = 1.0 + np.searchsorted(np.round(cuts, 9), values, side="right")
    return np.where(np.isnan(values), np.nan, unit)

"""The logistic curve in plain NumPy: SciPy's would cost every start of the program a fifth of a second."""

from __future__ import annotations

import numpy as np

from talentassess.core.arrays import FloatArray


def expit(x: FloatArray) -> FloatArray:
    """Return 1 / (1 + exp(-x)), any shape, to full relative precision in both tails.

    Examples
    --------
    >>> expit(np.array([-800.0, 0.0, 800.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    small = np.exp(-np.abs(x))  # never overflows
    curve: FloatArray = np.where(np.asarray(x) < 0, small, 1.0) / (1.0 + small)
    return curve


def log_expit(x: FloatArray) -> FloatArray:
    """Return log(expit(x)), any shape, also where expit(x) would be 0 or 1.

    Examples
    --------
    >>> log_expit(np.array([-800.0, 800.0])).tolist()
    [-800.0, 0.0]
    """
    log_curve: FloatArray = np.minimum(x, 0.0) - np.log1p(np.exp(-np.abs(x)))
    return log_curve

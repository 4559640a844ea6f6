"""Reliability of a weighted composite, and correlation freed of measurement error: the two formulas of this package."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from talentassess.core.errors import InterviewError


def composite_reliability(
    weights: ArrayLike, correlations: ArrayLike, reliabilities: ArrayLike, sd: ArrayLike | None = None
) -> float:
    """Return the reliability of a weighted sum whose parts have independent errors.

    Equation: 1 - sum_j w_j^2 s_j^2 (1 - r_jj) / sum_jk w_j w_k s_j s_k r_jk (Mosier 1943, Psychometrika 8, 161-168).

    Parameters
    ----------
    weights : (M,) weights.
    correlations : (M, M) observed correlations, 1 on the diagonal.
    reliabilities : (M,) reliabilities r_jj.
    sd : (M,) standard deviations; 1 if left out.

    Raises
    ------
    InterviewError : shapes that do not fit, a matrix that is no correlation matrix, a composite without variance.

    Examples
    --------
    >>> matrix = [[1, 0.4, 0.3], [0.4, 1, 0.5], [0.3, 0.5, 1]]
    >>> round(composite_reliability([0.5, 0.3, 0.2], matrix, [0.85, 0.8, 0.7]), 4)
    0.8911
    """
    w, rel = np.asarray(weights, dtype=np.float64), np.asarray(reliabilities, dtype=np.float64)
    r = np.asarray(correlations, dtype=np.float64)
    s = np.ones_like(w) if sd is None else np.asarray(sd, dtype=np.float64)
    if w.ndim != 1 or rel.shape != w.shape or s.shape != w.shape or r.shape != (len(w), len(w)):
        raise InterviewError(
            f"A composite of {w.size} parts needs as many reliabilities and SDs and a square correlation matrix; found "
            f"{rel.size}, {s.size} and {r.shape}."
        )
    if not (np.allclose(r, r.T) and np.allclose(np.diagonal(r), 1)):
        raise InterviewError("The correlations must be a symmetric matrix with 1 on its diagonal.")
    weighted = w * s
    variance = float(weighted @ r @ weighted)
    if variance <= 0:
        raise InterviewError("The composite has no variance; the weights cancel the parts out.")
    return 1 - float(np.sum(weighted**2 * (1 - rel))) / variance


def disattenuated_correlation(r: float, reliability_a: float, reliability_b: float) -> float:
    """Return a correlation freed of the measurement error of both measures; NaN if a reliability is not positive.

    Equation: r / sqrt(r_aa r_bb) (Spearman 1904, Am. J. Psychology 15, 72-101). It may exceed 1 by sampling error, and
    is then shown as it is.

    Examples
    --------
    >>> round(disattenuated_correlation(0.42, 0.7, 0.8), 4)
    0.5612
    """
    product = reliability_a * reliability_b
    return r / float(np.sqrt(product)) if reliability_a > 0 and reliability_b > 0 else float("nan")

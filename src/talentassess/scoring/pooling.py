"""Results from several completed data sets made one: Rubin's rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from talentassess.core.arrays import FloatArray
from talentassess.core.errors import ScoringError

Statistic = Callable[[FloatArray, FloatArray], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Pooled:
    """An estimate from M completed data sets.

    Attributes
    ----------
    estimate : mean of the M estimates.
    within : mean of their sampling variances: what a sample of persons leaves uncertain.
    between : variance of the M estimates: what the measurement leaves uncertain.
    df : degrees of freedom of the t distribution for intervals; infinite if nothing varies between the sets.
    n_draws : M.
    """

    estimate: float
    within: float
    between: float
    df: float
    n_draws: int

    @property
    def total(self) -> float:
        """Total variance, within + (1 + 1 / M) between."""
        return self.within + (1 + 1 / self.n_draws) * self.between

    @property
    def se(self) -> float:
        """Standard error, the root of the total variance."""
        return float(np.sqrt(self.total))


def pool_estimates(estimates: ArrayLike, variances: ArrayLike) -> Pooled:
    """Combine the estimates of one quantity from M completed data sets (plausible values, imputations).

    Parameters
    ----------
    estimates : (M,) one per data set, M >= 2.
    variances : (M,) squared standard errors of each.

    Raises
    ------
    ScoringError : fewer than two estimates, unequal lengths, values that are not finite, negative variances.

    Equations: estimate = mean(q_m), within W = mean(u_m), between B = var(q_m), total = W + (1 + 1/M) B, df = (M - 1)
    (1 + W / ((1 + 1/M) B))^2 (Rubin 1987, eq. 3.1.2-3.1.6).

    Examples
    --------
    >>> pooled = pool_estimates([1.0, 2.0, 3.0], [0.5, 0.4, 0.6])
    >>> pooled.estimate, pooled.within, pooled.between, round(pooled.se, 4)
    (2.0, 0.5, 1.0, 1.354)
    """
    q, u = np.asarray(estimates, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    if q.ndim != 1 or q.shape != u.shape or len(q) < 2:
        raise ScoringError(
            f"Pooling needs two or more estimates with one variance each; found shapes {q.shape} and {u.shape}."
        )
    if not (np.isfinite(q).all() and np.isfinite(u).all() and (u >= 0).all()):
        raise ScoringError("Pooling needs finite estimates and variances of 0 or more; look at the single results.")
    within, between = float(u.mean()), float(q.var(ddof=1))
    extra = (1 + 1 / len(q)) * between
    df = (len(q) - 1) * (1 + within / extra) ** 2 if extra > 0 else float("inf")
    return Pooled(float(q.mean()), within, between, df, len(q))


def mean_statistic(values: FloatArray, weight: FloatArray) -> tuple[float, float]:
    """Return the mean of values (n,) under sampling weights (n,), and its sampling variance.

    Equation: var = n / (n - 1) sum w^2 (x - m)^2 / (sum w)^2, the linearised variance of a ratio.
    """
    share = weight / weight.sum()
    mean = float(share @ values)
    return mean, float(len(values) / (len(values) - 1) * np.sum((share * (values - mean)) ** 2))


def variance_statistic(values: FloatArray, weight: FloatArray) -> tuple[float, float]:
    """Return the population variance estimated from values (n,) under weights (n,), and its sampling variance.

    Equation: var(s^2) = sum w^2 ((x - m)^2 - s^2)^2 / (sum w)^2; (m4 - s^4) / n without weights (Cramer 1946, 27.4.2).
    """
    share = weight / weight.sum()
    squares = (values - share @ values) ** 2
    variance = float(len(values) / (len(values) - 1) * (share @ squares))
    return variance, float(np.sum((share * (squares - variance)) ** 2))


STATISTICS = {"mean": mean_statistic, "variance": variance_statistic}

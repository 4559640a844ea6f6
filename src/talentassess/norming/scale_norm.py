"""The norm of one scale: the distribution of its scores in the norm sample, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from talentassess.core.arrays import BoolArray, FloatArray
from talentassess.core.errors import NormError
from talentassess.norming.conversions import mid_percentile
from talentassess.norming.sampling import quantile_se

# Scores of one answer pattern may differ in their last bits; nothing that is measured differs by less than this.
SAME_DECIMALS = 9


@dataclass(frozen=True, eq=False, kw_only=True)
class ScaleNorm:
    """Scores of a norm sample on one scale.

    Attributes
    ----------
    name : the scale.
    score : (R,) distinct scores, ascending, in the metric of the table.
    frequency : (R,) persons with that score; weighted ones are scaled to sum to ``n``.
    n : persons with a score.
    n_effective : (sum w)^2 / sum w^2 (Kish 1965); ``n`` without weights. All errors rest on it.

    Raises
    ------
    NormError : naming the scale and what is wrong with its rows.

    Examples
    --------
    >>> norm = ScaleNorm(name="q", score=np.array([1.0, 2.0, 3.0]), frequency=np.array([10.0, 20.0, 10.0]), n=40,
    ...                  n_effective=40.0)
    >>> norm.percentile.tolist(), norm.percentile_of(2.5).tolist(), norm.quantile(50.0)[0]
    ([12.5, 50.0, 87.5], 68.75, 2.0)
    """

    name: str
    score: FloatArray
    frequency: FloatArray
    n: int
    n_effective: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "score", np.asarray(self.score, dtype=np.float64))
        object.__setattr__(self, "frequency", np.asarray(self.frequency, dtype=np.float64))
        problems = _row_problems(self)
        if problems:
            raise NormError(f"The norm of scale '{self.name}' is not a distribution.", problems)

    @property
    def mean(self) -> float:
        """Mean of the norm sample."""
        return float(self.frequency @ self.score / self.frequency.sum())

    @property
    def sd(self) -> float:
        """Standard deviation of the norm sample, ddof 1."""
        squared = float(self.frequency @ (self.score - self.mean) ** 2) / float(self.frequency.sum())
        return float(np.sqrt(squared * self.n / (self.n - 1)))

    @property
    def mean_se(self) -> float:
        """Sampling error of the mean, sd / sqrt(n)."""
        return self.sd / float(np.sqrt(self.n_effective))

    @property
    def sd_se(self) -> float:
        """Sampling error of the standard deviation of a normal sample, sd / sqrt(2 n)."""
        return self.sd / float(np.sqrt(2.0 * self.n_effective))

    @property
    def percentile(self) -> FloatArray:
        """(R,) mid-point percentile of each row."""
        return mid_percentile(self.frequency)

    def percentile_of(self, score: ArrayLike) -> FloatArray:
        """Return percentiles of scores of any shape: linear between rows, the end row's beyond the observed range."""
        values = np.round(np.asarray(score, dtype=np.float64), SAME_DECIMALS)
        return np.asarray(np.interp(values, self.score, self.percentile))

    def outside(self, score: ArrayLike) -> BoolArray:
        """Return True where a score lies below the lowest or above the highest score of the norm sample."""
        values = np.round(np.asarray(score, dtype=np.float64), SAME_DECIMALS)
        return np.asarray((values < self.score[0]) | (values > self.score[-1]))

    def standardise(self, score: ArrayLike) -> FloatArray:
        """Return linear z scores, (score - mean) / sd, of scores of any shape."""
        return np.asarray((np.asarray(score, dtype=np.float64) - self.mean) / self.sd)

    def quantile(self, percent: float) -> tuple[float, float]:
        """Return the score at a percentile, and its sampling error.

        The score is interpolated between the mid-point percentiles of the rows; for its error see
        ``sampling.quantile_se``.

        Raises
        ------
        NormError : the percentile is not between that of the lowest and of the highest score of the norm sample.
        """
        lowest, highest = float(self.percentile[0]), float(self.percentile[-1])
        if not lowest <= percent <= highest:
            raise NormError(
                f"Scale '{self.name}': percentile {percent:g} cannot be read from this norm sample; its lowest score "
                f"has percentile {lowest:.2f} and its highest {highest:.2f}. Ask for a percentile between them."
            )
        error = quantile_se(percent, self.percentile, self.score, self.n_effective)
        return float(np.interp(percent, self.percentile, self.score)), float(error)

    def quantile_errors(self) -> FloatArray:
        """Return (R,) sampling error of the score at each row's percentile."""
        return quantile_se(self.percentile, self.percentile, self.score, self.n_effective)


def _row_problems(norm: ScaleNorm) -> list[str]:
    score, frequency = norm.score, norm.frequency
    if score.ndim != 1 or score.shape != frequency.shape or len(score) < 2:
        return [f"{score.size} score(s) and {frequency.size} frequency(ies); two rows or more, one of each, are needed"]
    problems = []
    if not (np.all(np.isfinite(score)) and np.all(np.diff(score) > 0)):
        problems.append("the scores must be finite and ascend from row to row")
    if not (np.all(np.isfinite(frequency)) and np.all(frequency > 0)):
        problems.append("every frequency must be positive")
    elif abs(float(frequency.sum()) - norm.n) > 1e-6 * max(norm.n, 1):
        problems.append(f"the frequencies sum to {frequency.sum():g}, n is {norm.n}")
    if not 1 < norm.n_effective <= norm.n * (1 + 1e-9):
        problems.append(f"the effective n is {norm.n_effective:g}; it must lie between 1 and n = {norm.n}")
    return problems

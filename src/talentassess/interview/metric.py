"""The common metric of several methods: means, SDs and correlations of a group of persons who have all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import BoolArray, FloatArray
from talentassess.core.errors import InterviewError
from talentassess.interview.mosier import composite_reliability

FEWEST = 10  # persons with all methods: below, means, SDs and correlations of the group say too little to build on


@dataclass(frozen=True, eq=False, kw_only=True)
class MethodMetric:
    """What C competencies and M methods are standardised by.

    Attributes
    ----------
    competencies, methods : (C,) and (M,) labels.
    persons : (C,) number of persons with all methods, who set the metric.
    mean, sd : (C, M) of the methods' scores.
    reliability : (C, M) of the methods' scores.
    correlation : (C, M, M) observed.
    """

    competencies: tuple[str, ...]
    methods: tuple[str, ...]
    persons: tuple[int, ...]
    mean: FloatArray
    sd: FloatArray
    reliability: FloatArray
    correlation: FloatArray

    def composite_sd(self, weights: FloatArray) -> FloatArray:
        """Return (C,) sqrt(w' R w), the SD of the weighted sum of standardised scores."""
        sd: FloatArray = np.sqrt(weights @ (self.correlation @ weights).T)
        return sd

    def composite_reliability(self, weights: FloatArray) -> FloatArray:
        """Return (C,) reliability of the weighted sum of standardised scores (Mosier 1943)."""
        rows = zip(self.correlation, self.reliability, strict=True)
        return np.array([composite_reliability(weights, matrix, rel) for matrix, rel in rows])


def fit_metric(
    score: FloatArray,
    complete: BoolArray,
    reliability: FloatArray,
    labels: tuple[Sequence[str], Sequence[str]],
) -> MethodMetric:
    """Return the metric of the persons who have all methods.

    Parameters
    ----------
    score : (N, C, M) scores, NaN where there is none.
    complete : (N, C) True where a person has all methods.
    reliability : (C, M).
    labels : competencies (C,) and methods (M,).

    Raises
    ------
    InterviewError : fewer than ten persons with all methods, or a method on which all have the same score.
    """
    competencies, methods = labels
    _check_complete(score, complete, competencies, methods)
    whole = [score[complete[:, c], c] for c in range(len(competencies))]
    return MethodMetric(
        competencies=tuple(competencies),
        methods=tuple(methods),
        persons=tuple(len(x) for x in whole),
        mean=np.array([x.mean(axis=0) for x in whole]),
        sd=np.array([x.std(axis=0, ddof=1) for x in whole]),
        reliability=reliability,
        correlation=np.array([np.corrcoef(x, rowvar=False) for x in whole]),
    )


def _check_complete(
    score: FloatArray, complete: BoolArray, competencies: Sequence[str], methods: Sequence[str]
) -> None:
    problems = []
    for c, competency in enumerate(competencies):
        count = int(complete[:, c].sum())
        if count < FEWEST:
            each = ", ".join(f"{m} {int(np.isfinite(score[:, c, j]).sum())}" for j, m in enumerate(methods))
            problems.append(f"{competency}: {count} person(s) with all methods ({each}); at least {FEWEST} are needed")
            continue
        for m, name in enumerate(methods):
            if np.ptp(score[complete[:, c], c, m]) == 0:
                problems.append(f"{competency}, {name}: all persons have the same score")
    if problems:
        raise InterviewError(
            "These methods cannot be brought to one metric; person ids must be the same in all of them. For a few "
            "persons, give reference=, the profile of a larger group.",
            problems,
        )

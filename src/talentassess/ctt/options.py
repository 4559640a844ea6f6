"""Option analysis: who chooses which category, by score group and against the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from talentassess.core.arrays import BoolArray, FloatArray, IntArray
from talentassess.core.errors import DataError
from talentassess.core.provenance import Provenance
from talentassess.core.responses import MISSING
from talentassess.core.status import Finding, Severity, finding_columns
from talentassess.core.tabular import Columns, Tabular
from talentassess.ctt.records import CategoryStatistics, GroupShare, record_columns


@dataclass(frozen=True, eq=False, kw_only=True)
class OptionAnalysis(Tabular):
    """Result of ``analyze_options``: raw choices of one situational item.

    Attributes
    ----------
    item : label.
    categories : one record per kind of choice and option.
    options : one record per kind of choice, option and score group.
    findings : unused options, contradictions, persons left out.
    provenance : where the choices came from.
    """

    item: str
    categories: tuple[CategoryStatistics, ...]
    options: tuple[GroupShare, ...]
    findings: tuple[Finding, ...]
    provenance: Provenance

    def __repr__(self) -> str:
        return f"OptionAnalysis({self.item}, {len(self.findings)} finding(s), {self.provenance.label})"

    def tables(self) -> dict[str, Columns]:
        """Return ``categories`` (a row per choice and option), ``options`` (per score group) and ``findings``."""
        return {
            "categories": record_columns(self.categories, CategoryStatistics),
            "options": record_columns(self.options, GroupShare),
            "findings": finding_columns(self.findings),
        }


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Choice:
    """What one item's options were chosen by whom.

    Attributes
    ----------
    item, pick : labels.
    labels : (K,) names of the categories.
    code : (N,) int, 0..K-1, -1 missing.
    score : (N,) score to set the choices against, NaN unknown.
    weight : (N,) positive.
    """

    item: str
    pick: str
    labels: tuple[str, ...]
    code: IntArray
    score: FloatArray
    weight: FloatArray

    @property
    def known(self) -> BoolArray:
        """(N,) True where both the choice and the score are known."""
        known: BoolArray = (self.code != MISSING) & ~np.isnan(self.score)
        return known


@dataclass(frozen=True, kw_only=True)
class OptionSettings:
    """How ``analyze_options`` reads the choices.

    Attributes
    ----------
    labels : names of the options, in the order of their positions; A, B, C ... if left out.
    groups : number of score groups, at least 2.
    provenance : where the choices came from.
    """

    labels: tuple[str, ...] = ()
    groups: int = 5
    provenance: Provenance = field(default_factory=lambda: Provenance("in memory"))


def analyze_options(
    choices: Mapping[str, ArrayLike],
    score: ArrayLike,
    n_options: int,
    *,
    item: str = "item",
    weight: ArrayLike | None = None,
    settings: OptionSettings | None = None,
) -> OptionAnalysis:
    """Set the raw choices of one situational item against a score.

    Parameters
    ----------
    choices : kind of choice -> (N,) option positions 0..n_options-1, -1 missing; e.g. ``most`` and ``least``.
    score : (N,) score of the same persons, any metric, NaN unknown. Use one that leaves this item out, or the
        option-total correlations are inflated.
    n_options : number of options of the item, at least 2.
    item : label.
    weight : (N,) positive sampling weights.
    settings : option labels, number of score groups, provenance.

    Raises
    ------
    DataError : naming the choice, person row and value that break a rule.

    Examples
    --------
    >>> most = [0, 0, 1, 1, 2, -1]
    >>> result = analyze_options({"most": most}, [9, 8, 7, 5, 3, 4], 3, settings=OptionSettings(groups=2))
    >>> [(row.label, row.n, round(row.rest_r, 2)) for row in result.categories]
    [('A', 2, 0.8), ('B', 2, -0.15), ('C', 1, -0.79)]
    """
    settings = settings or OptionSettings()
    values = np.asarray(score, dtype=np.float64)
    weights = np.ones(values.shape) if weight is None else np.asarray(weight, dtype=np.float64)
    codes = {pick: np.asarray(code) for pick, code in choices.items()}
    _check_choices(codes, values, weights, n_options, settings)
    labels = settings.labels or tuple(_letter(k) for k in range(n_options))
    made = [
        Choice(item=item, pick=pick, labels=labels, code=code.astype(np.int64), score=values, weight=weights)
        for pick, code in codes.items()
    ]
    return OptionAnalysis(
        item=item,
        categories=tuple(row for choice in made for row in category_statistics(choice)),
        options=tuple(row for choice in made for row in group_shares(choice, settings.groups)),
        findings=(*_unused(made), *_contradictions(made), *_left_out(made)),
        provenance=settings.provenance,
    )


def category_statistics(choice: Choice) -> list[CategoryStatistics]:
    """Return one record per category: n, share, point-biserial correlation with the score, mean score.

    Equation: r = (m_k - m) / s * sqrt(p_k / (1 - p_k)), s with ddof 0: the product-moment correlation of the score with
    the 0/1 indicator of choosing category k (Lord & Novick 1968, ch. 15).
    """
    n_options = len(choice.labels)
    counts = np.bincount(choice.code[choice.code != MISSING], minlength=n_options)
    shares = _shares(choice.code, choice.weight, choice.code != MISSING, n_options)
    mean, r = _against_score(choice)
    return [
        CategoryStatistics(
            item=choice.item,
            pick=choice.pick,
            category=k,
            label=choice.labels[k],
            n=int(counts[k]),
            share=float(shares[k]),
            rest_r=number_or_none(r[k]),
            mean_score=number_or_none(mean[k]),
        )
        for k in range(n_options)
    ]


def group_shares(choice: Choice, groups: int) -> list[GroupShare]:
    """Return the share of every category in every score group that has members."""
    n_options = len(choice.labels)
    member = score_groups(np.where(choice.known, choice.score, np.nan), groups, choice.weight)
    rows = []
    for group in range(groups):
        inside = member == group
        if not inside.any():
            continue
        shares = _shares(choice.code, choice.weight, inside, n_options)
        rows += [
            GroupShare(
                item=choice.item,
                pick=choice.pick,
                category=k,
                label=choice.labels[k],
                group=group + 1,
                n=int(inside.sum()),
                share=float(shares[k]),
            )
            for k in range(n_options)
        ]
    return rows


def score_groups(score: FloatArray, groups: int, weight: FloatArray) -> IntArray:
    """Return (N,) group 0 (lowest) .. groups-1 of each person, -1 where score (N,) is NaN.

    A person's group is decided by the mid-point percentile of the score: equal scores are never torn apart, so groups
    are as even as ties allow.

    Examples
    --------
    >>> score_groups(np.array([1.0, 2.0, 2.0, 3.0, np.nan]), 2, np.ones(5))
    array([ 0,  1,  1,  1, -1])
    """
    known = ~np.isnan(score)
    group = np.full(len(score), -1, dtype=np.int64)
    if not known.any():
        return group
    _, place = np.unique(score[known], return_inverse=True)
    mass = np.bincount(place, weights=weight[known])
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    group[known] = np.minimum(np.floor(middle * groups + 1e-9).astype(np.int64), groups - 1)[place]
    return group


def number_or_none(value: float) -> float | None:
    """Return a plain float, or None for NaN."""
    return None if np.isnan(value) else float(value)


def _shares(code: IntArray, weight: FloatArray, inside: BoolArray, n_options: int) -> FloatArray:
    mass = np.bincount(code[inside], weights=weight[inside], minlength=n_options).astype(np.float64)
    total = mass.sum()
    return mass / total if total > 0 else mass


def _against_score(choice: Choice) -> tuple[FloatArray, FloatArray]:
    known, n_options = choice.known, len(choice.labels)
    code, score, weight = choice.code[known], choice.score[known], choice.weight[known]
    mass = np.bincount(code, weights=weight, minlength=n_options)
    sums = np.bincount(code, weights=weight * score, minlength=n_options)
    mean = np.divide(sums, mass, out=np.full(n_options, np.nan), where=mass > 0)
    if not known.any():
        return mean, mean
    share = mass / mass.sum()
    centre = sums.sum() / mass.sum()
    sd = np.sqrt(np.sum(weight * (score - centre) ** 2) / mass.sum())
    defined = (share > 0) & (share < 1) & (sd > 0)
    odds = np.sqrt(np.divide(share, 1 - share, out=np.zeros(n_options), where=defined))
    r = np.divide((mean - centre) * odds, sd, out=np.full(n_options, np.nan), where=defined)
    return mean, r


def _check_choices(
    codes: Mapping[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]],
    score: FloatArray,
    weight: FloatArray,
    n_options: int,
    settings: OptionSettings,
) -> None:
    problems = []
    if n_options < 2 or settings.groups < 2:
        problems.append(f"{n_options} options and {settings.groups} score groups; at least 2 of each are needed")
    if settings.labels and len(settings.labels) != n_options:
        problems.append(f"{len(settings.labels)} labels were given for {n_options} options")
    if not codes:
        problems.append("no choices were given; pass e.g. {'most': positions, 'least': positions}")
    if score.ndim != 1 or weight.shape != score.shape or not np.all(np.isfinite(weight) & (weight > 0)):
        problems.append("score must be one column, and weight one positive number per score")
    for pick, code in codes.items():
        problems += _code_problems(pick, code, len(score), n_options)
    if problems:
        raise DataError("The choices cannot be analysed.", problems)


def _code_problems(
    pick: str, code: np.ndarray[tuple[int, ...], np.dtype[np.generic]], n_persons: int, n_options: int
) -> list[str]:
    if code.shape != (n_persons,):
        return [f"choice '{pick}' has shape {code.shape}; one position per person is needed, ({n_persons},)"]
    if code.dtype.kind not in "iu":
        return [f"choice '{pick}' holds {code.dtype}; whole-number option positions are needed"]
    positions = code.astype(np.int64)
    return [
        f"choice '{pick}', person row {i}: position {positions[i]} is not one of 0..{n_options - 1} (or -1, missing)"
        for i in np.flatnonzero((positions < MISSING) | (positions >= n_options))
    ]


def _unused(made: Sequence[Choice]) -> list[Finding]:
    return [
        Finding(
            "unused_option",
            Severity.NOTE,
            f"{choice.item}, option {label}",
            f"Nobody chose this option{f' as {choice.pick}' if choice.pick else ''}.",
            "Replace it if it is meant to attract anybody; it has no option-total correlation.",
        )
        for choice in made
        for k, label in enumerate(choice.labels)
        if not np.any(choice.code == k)
    ]


def _contradictions(made: Sequence[Choice]) -> list[Finding]:
    findings = []
    for a, first in enumerate(made):
        for second in made[a + 1 :]:
            both = int(np.sum((first.code == second.code) & (first.code != MISSING)))
            if both:
                findings.append(
                    Finding(
                        "contradictory_choice",
                        Severity.WARNING,
                        first.item,
                        f"{both} person(s) chose the same option as {first.pick} and as {second.pick}.",
                        "Check how the answers were recorded; such pairs carry no information about preference.",
                    )
                )
    return findings


def _left_out(made: Sequence[Choice]) -> list[Finding]:
    unknown = int(np.sum(np.isnan(made[0].score)))
    if not unknown:
        return []
    return [
        Finding(
            "score_unknown",
            Severity.NOTE,
            made[0].item,
            f"{unknown} person(s) have no score: they count in n and share, not in score groups or correlations.",
            "Nothing needs to be done if they answered nothing else.",
        )
    ]


def _letter(position: int) -> str:
    return chr(ord("A") + position) if position < 26 else str(position + 1)

"""Option analysis: who chooses which category, by score group and against the score."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.errors import DataError
from talentassess.core.provenance import Provenance
from talentassess.core.responses import MISSING
from talentassess.core.status import Finding, Severity, finding_columns
from talentassess.core.tabular import Columns, Tabular
from talentassess.ctt.choices import Choice, category_statistics, group_shares, stack_choices
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
    by_score = np.argsort(values, kind="stable")
    table = stack_choices(
        [_choice(item, pick, labels, code, values, weights, by_score) for pick, code in codes.items()]
    )
    categories = tuple(row for rows in category_statistics(table) for row in rows)
    return OptionAnalysis(
        item=item,
        categories=categories,
        options=tuple(group_shares(table, settings.groups)),
        findings=(*_unused(categories), *_contradictions(item, codes), *_left_out(item, values)),
        provenance=settings.provenance,
    )


def _choice(
    item: str,
    pick: str,
    labels: tuple[str, ...],
    code: IntArray,
    score: FloatArray,
    weight: FloatArray,
    order: IntArray,
) -> Choice:
    order = order[code[order] != MISSING]
    persons = np.ones(len(order), dtype=np.int64)
    return Choice(item, pick, labels, code[order].astype(np.int64), score[order], persons, weight[order])


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


def _unused(categories: Sequence[CategoryStatistics]) -> list[Finding]:
    return [
        Finding(
            "unused_option",
            Severity.NOTE,
            f"{row.item}, option {row.label}",
            f"Nobody chose this option{f' as {row.pick}' if row.pick else ''}.",
            "Replace it if it is meant to attract anybody; it has no option-total correlation.",
        )
        for row in categories
        if row.n == 0
    ]


def _contradictions(item: str, codes: Mapping[str, IntArray]) -> list[Finding]:
    findings = []
    for (first, one), (second, other) in itertools.combinations(codes.items(), 2):
        both = int(np.sum((one == other) & (one != MISSING)))
        if both:
            findings.append(
                Finding(
                    "contradictory_choice",
                    Severity.WARNING,
                    item,
                    f"{both} person(s) chose the same option as {first} and as {second}.",
                    "Check how the answers were recorded; such pairs carry no information about preference.",
                )
            )
    return findings


def _left_out(item: str, score: FloatArray) -> list[Finding]:
    unknown = int(np.sum(np.isnan(score)))
    if not unknown:
        return []
    return [
        Finding(
            "score_unknown",
            Severity.NOTE,
            item,
            f"{unknown} person(s) have no score: they count in n and share, not in score groups or correlations.",
            "Nothing needs to be done if they answered nothing else.",
        )
    ]


def _letter(position: int) -> str:
    return chr(ord("A") + position) if position < 26 else str(position + 1)

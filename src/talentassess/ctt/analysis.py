"""Classical item and scale analysis of scored answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from talentassess.core.arrays import BoolArray, FloatArray
from talentassess.core.errors import DataError
from talentassess.core.responses import Responses
from talentassess.core.status import Finding
from talentassess.ctt.choices import category_statistics, group_shares, number_or_none
from talentassess.ctt.flags import FlagRules, item_findings
from talentassess.ctt.moments import Moments, pairwise_moments
from talentassess.ctt.records import CategoryStatistics, GroupShare, ItemAnalysis, ItemStatistics, ScaleStatistics
from talentassess.ctt.reliability import alpha_without_each, item_rest, item_total
from talentassess.ctt.rest_scores import ScaleAnswers, rest_choices, scale_answers
from talentassess.ctt.scale import scale_findings, scale_statistics

FEWEST_PERSONS = 3  # a correlation of two persons is always 1 or -1


def analyze_items(
    responses: Responses, *, rules: FlagRules | None = None, groups: int = 5, confidence: float = 0.95
) -> ItemAnalysis:
    """Analyse every scale's items and sum score in the classical way.

    Parameters
    ----------
    responses : scored answers; x (N, J) int16, codes 0..K-1, -1 missing; weights enter means and covariances.
    rules : thresholds of the flags.
    groups : number of rest-score groups of the option analysis, at least 2.
    confidence : of the interval of alpha.

    Missing answers: every mean uses the persons who answered the item, every covariance those who answered both
    (pairwise); alpha, item-rest and item-total correlations follow from that covariance matrix, as in R psych 2.2.9.
    The option analysis uses the mean of a person's other answers as the rest score.

    Raises
    ------
    DataError : fewer than three persons answered a scale, or an argument is out of range.

    Examples
    --------
    >>> answers = [[2, 2, 1], [0, 1, 0], [1, 1, 1], [2, 1, 2], [0, 0, 0]]
    >>> r = Responses(x=answers, n_cat=[3, 3, 3], item_ids=["q1", "q2", "q3"], person_ids=list("abcde"))
    >>> analysis = analyze_items(r)
    >>> round(analysis.alpha, 3), round(analysis.item("q2").item_rest, 3)
    (0.865, 0.593)
    """
    rules = rules or FlagRules()
    answers = {scale: scale_answers(responses, scale) for scale in responses.scale_names}
    _check(answers, groups, confidence)
    parts = [_analyze_scale(responses, scale, answers[scale], rules, groups, confidence) for scale in answers]
    items = {item.item: item for part in parts for item in part.items}
    return ItemAnalysis(
        scales=tuple(part.scale for part in parts),
        item_statistics=tuple(items[item] for item in responses.item_ids),
        categories=tuple(row for part in parts for row in part.categories),
        options=tuple(row for part in parts for row in part.options),
        findings=tuple(finding for part in parts for finding in part.findings),
        provenance=replace(
            responses.provenance,
            options={**responses.provenance.options, "score groups": str(groups), "confidence": f"{confidence:g}"},
        ),
    )


def _check(answers: Mapping[str, ScaleAnswers], groups: int, confidence: float) -> None:
    problems = []
    if groups < 2:
        problems.append(f"groups is {groups}; at least 2 score groups are needed")
    if not 0 < confidence < 1:
        problems.append(f"confidence is {confidence}; give a share between 0 and 1, e.g. 0.95")
    for scale, own in answers.items():
        n = int(np.sum(own.given > 0))
        if n < FEWEST_PERSONS:
            problems.append(f"scale '{scale}': {n} person(s) answered it; at least {FEWEST_PERSONS} are needed")
    if problems:
        raise DataError("The items cannot be analysed.", problems)


@dataclass(frozen=True, eq=False, slots=True)
class _Part:
    scale: ScaleStatistics
    items: list[ItemStatistics]
    categories: list[CategoryStatistics]
    options: list[GroupShare]
    findings: list[Finding]


def _analyze_scale(
    responses: Responses, name: str, answers: ScaleAnswers, rules: FlagRules, groups: int, confidence: float
) -> _Part:
    columns, weight = answers.columns, responses.weight
    moments = pairwise_moments(answers.codes.T, weight)
    varies = np.nan_to_num(np.diag(moments.cov)) > 0.0
    used = moments.select(varies)
    scale, factor = scale_statistics(name, answers, weight, used, confidence)
    categories: list[list[CategoryStatistics]] = []
    options: list[GroupShare] = []
    for table in rest_choices(responses, answers):
        categories += category_statistics(table)
        options += group_shares(table, groups)
    corrected = _spread(varies, used)
    items = [
        _item(responses, int(column), moments, j, corrected[:, j], categories[j]) for j, column in enumerate(columns)
    ]
    rated = zip(items, categories, strict=True)
    flags = [flag for item, rows in rated for flag in item_findings(item, rows, scale.alpha, rules)]
    ids = [responses.item_ids[j] for j in columns[varies]]
    return _Part(
        scale=scale,
        items=items,
        categories=[row for rows in categories for row in rows],
        options=options,
        findings=[*scale_findings(scale, used, ids, factor, len(responses.person_ids)), *flags],
    )


def _spread(varies: BoolArray, used: Moments) -> FloatArray:
    """Return (3, J) item-total, item-rest and alpha-without, NaN for the items that do not vary."""
    out = np.full((3, len(varies)), np.nan)
    if len(used.mean) > 1:
        out[:, varies] = [item_total(used.cov), item_rest(used.cov), alpha_without_each(used.cov)]
    return out


def _item(
    responses: Responses,
    column: int,
    moments: Moments,
    j: int,
    corrected: FloatArray,
    categories: list[CategoryStatistics],
) -> ItemStatistics:
    item, n_cat, n = responses.item_ids[column], int(responses.n_cat[column]), int(moments.n_pair[j, j])
    mean = number_or_none(moments.mean[j])
    return ItemStatistics(
        item=item,
        scale=responses.scales[column],
        categories=n_cat,
        reverse_keyed=item in responses.reversed_items,
        n=n,
        missing=1.0 - n / responses.n_persons,
        mean=mean,
        sd=number_or_none(moments.sd[j]),
        p=None if mean is None else mean / (n_cat - 1),
        item_total=number_or_none(corrected[0]),
        item_rest=number_or_none(corrected[1]),
        alpha_without=number_or_none(corrected[2]),
        floor=categories[0].share if n else None,
        ceiling=categories[-1].share if n else None,
        median_seconds=_median_seconds(responses, column),
    )


def _median_seconds(responses: Responses, column: int) -> float | None:
    if responses.seconds is None:
        return None
    known = responses.seconds[:, column]
    known = known[~np.isnan(known)]
    return float(np.median(known)) if len(known) else None

"""Choices against a score: who chooses which category, by score group and on the whole, for many items in one go."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from talentassess.core.arrays import BoolArray, FloatArray, IntArray
from talentassess.ctt.records import CategoryStatistics, GroupShare


class Choice(NamedTuple):
    """What one item's options were chosen by whom; persons with the same code and score may share an entry.

    Attributes
    ----------
    item, pick : labels.
    labels : (K,) names of the categories.
    code : (M,) int, 0..K-1.
    score : (M,) score to set the choices against, ascending, NaN unknown and last.
    persons : (M,) number of persons of each entry.
    weight : (M,) positive, of these persons together.
    """

    item: str
    pick: str
    labels: tuple[str, ...]
    code: IntArray
    score: FloatArray
    persons: IntArray
    weight: FloatArray


@dataclass(frozen=True, eq=False, slots=True)
class ChoiceTable:
    """Several choices, entry after entry.

    Attributes
    ----------
    choices : the L choices.
    starts : (L + 1,) offsets of their categories on a stacked axis of length S.
    choice, slot : (M,) which choice an entry belongs to, and its category on the stacked axis.
    score, persons, weight : (M,) as in ``Choice``.
    """

    choices: tuple[Choice, ...]
    starts: IntArray
    choice: IntArray
    slot: IntArray
    score: FloatArray
    persons: IntArray
    weight: FloatArray

    @property
    def known(self) -> BoolArray:
        """(M,) True where the score is known."""
        return ~np.isnan(self.score)

    def by_category(self, values: FloatArray | IntArray) -> FloatArray:
        """Return (S,) sums of values (M,) over the entries of each category."""
        return np.bincount(self.slot, values, minlength=int(self.starts[-1])).astype(np.float64)

    def over_choice(self, values: FloatArray) -> FloatArray:
        """Return, for each category (S,), the sum of values (S,) over all categories of its choice."""
        return np.repeat(np.add.reduceat(values, self.starts[:-1]), np.diff(self.starts))


def stack_choices(choices: Sequence[Choice]) -> ChoiceTable:
    """Put choices into one table."""
    starts = np.concatenate([[0], np.cumsum([len(choice.labels) for choice in choices])]).astype(np.int64)
    choice = np.repeat(np.arange(len(choices)), [len(one.code) for one in choices])
    code, score, persons, weight = (np.concatenate(column) for column in list(zip(*choices, strict=True))[3:])
    return ChoiceTable(tuple(choices), starts, choice, starts[choice] + code, score, persons, weight)


def category_statistics(table: ChoiceTable) -> list[list[CategoryStatistics]]:
    """Return, per choice, one record per category: n, share, point-biserial correlation with the score, mean score.

    Equation: r = (m_k - m) / s * sqrt(p_k / (1 - p_k)), s with ddof 0: the product-moment correlation of the score with
    the 0/1 indicator of choosing category k (Lord & Novick 1968, ch. 15).
    """
    mass = table.by_category(table.weight)
    mean, r = _against_score(table)
    columns = (table.by_category(table.persons), _ratio(mass, table.over_choice(mass), 0.0), r, mean)
    n, share, rest_r, mean_score = (column.tolist() for column in columns)
    return [
        [
            CategoryStatistics(
                item=choice.item,
                pick=choice.pick,
                category=k,
                label=label,
                n=int(n[slot]),
                share=share[slot],
                rest_r=number_or_none(rest_r[slot]),
                mean_score=number_or_none(mean_score[slot]),
            )
            for k, (label, slot) in enumerate(zip(choice.labels, range(*ends), strict=True))
        ]
        for choice, ends in zip(table.choices, itertools.pairwise(table.starts.tolist()), strict=True)
    ]


def group_shares(table: ChoiceTable, groups: int) -> list[GroupShare]:
    """Return the share of every category in every score group that has members, choice by choice."""
    n_slots = int(table.starts[-1])
    member = _score_groups(table, groups)
    inside = member >= 0
    cell = member[inside] * n_slots + table.slot[inside]
    persons, mass = (
        np.bincount(cell, by[inside], minlength=groups * n_slots).reshape(groups, n_slots).astype(np.float64)
        for by in (table.persons, table.weight)
    )
    n = np.add.reduceat(persons, table.starts[:-1], axis=1).astype(np.int64).tolist()
    share = [_ratio(row, table.over_choice(row), 0.0).tolist() for row in mass]
    return [
        GroupShare(
            item=choice.item,
            pick=choice.pick,
            category=k,
            label=label,
            group=g + 1,
            n=n[g][i],
            share=share[g][first + k],
        )
        for i, (choice, first) in enumerate(zip(table.choices, table.starts.tolist(), strict=False))
        for g in range(groups)
        if n[g][i]
        for k, label in enumerate(choice.labels)
    ]


def _score_groups(table: ChoiceTable, groups: int) -> IntArray:
    """Return (M,) group 0 (lowest) .. groups-1 of each entry within its choice, -1 where the score is unknown.

    An entry's group is decided by the mid-point percentile of its score: equal scores are never torn apart, so groups
    are as even as ties allow.
    """
    known = table.known
    group = np.full(len(known), -1, dtype=np.int64)
    if not known.any():
        return group
    choice, score = table.choice[known], table.score[known]
    first = np.concatenate([[True], (np.diff(choice) != 0) | (np.diff(score) != 0)])
    mass = np.add.reduceat(table.weight[known], np.flatnonzero(first))
    owner = choice[first]
    total = np.bincount(owner, mass)
    middle = (np.cumsum(mass) - mass / 2 - (np.cumsum(total) - total)[owner]) / total[owner]
    group[known] = np.minimum(np.floor(middle * groups + 1e-9).astype(np.int64), groups - 1)[np.cumsum(first) - 1]
    return group


def _against_score(table: ChoiceTable) -> tuple[FloatArray, FloatArray]:
    """Return (S,) mean score of those who chose each category, and the correlation of choosing it with the score."""
    known = table.known
    # Measured from each choice's lowest score: scores that are all equal then have no spread, and not 1e-17.
    present, lowest = np.unique(table.choice[known], return_index=True)
    origin = np.full(len(table.choices), np.nan)
    origin[present] = table.score[known][lowest]
    weight, score = np.where(known, table.weight, 0.0), np.where(known, table.score - origin[table.choice], 0.0)
    mass, sums = table.by_category(weight), table.by_category(weight * score)
    total = table.over_choice(mass)
    mean, share = _ratio(sums, mass), _ratio(mass, total)
    centre = _ratio(table.over_choice(sums), total)
    squares = table.by_category(weight * (score - centre[table.slot]) ** 2)
    sd = np.sqrt(_ratio(table.over_choice(squares), total))
    odds = np.sqrt(_ratio(share, 1.0 - share))
    return mean + np.repeat(origin, np.diff(table.starts)), _ratio((mean - centre) * odds, sd)


def number_or_none(value: float) -> float | None:
    """Return a plain float, or None for NaN."""
    return None if np.isnan(value) else float(value)


def _ratio(above: FloatArray, below: FloatArray, otherwise: float = np.nan) -> FloatArray:
    quotient: FloatArray = np.divide(above, below, out=np.full(above.shape, otherwise), where=below > 0)
    return quotient

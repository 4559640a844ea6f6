"""Rest scores: each item's answers set against the mean of a person's other answers, persons alike taken together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from talentassess.core import kernel
from talentassess.core.arrays import CodeArray, FloatArray, IntArray
from talentassess.core.responses import MISSING, Responses
from talentassess.ctt.choices import Choice, ChoiceTable, stack_choices

STRIP = 512  # persons turned at a time: rows and columns of the strip fit into the cache together
TABLE = 1_000_000  # entries of one table of choices


@dataclass(frozen=True, eq=False, slots=True)
class ScaleAnswers:
    """The answers to one scale's items.

    Attributes
    ----------
    columns : (J,) the items' positions in the form.
    codes : (J, N) int16, codes 0..K-1, -1 missing; each item's side by side in memory.
    given, total : (N,) number of answers of each person, and the sum of their codes.
    """

    columns: IntArray
    codes: CodeArray
    given: IntArray
    total: IntArray


def scale_answers(responses: Responses, scale: str) -> ScaleAnswers:
    """Return the answers to one scale's items, with what its rest scores are made of."""
    columns = np.flatnonzero([name == scale for name in responses.scales])
    x = responses.x if len(columns) == responses.n_items else responses.x[:, columns]
    codes = np.empty(x.shape[::-1], dtype=np.int16)
    for first in range(0, len(x), STRIP):
        codes[:, first : first + STRIP] = x[first : first + STRIP].T
    given = np.full(len(x), len(columns))
    if codes.min() < 0:
        given -= np.sum(codes == MISSING, axis=0, dtype=np.int32)
    total = np.sum(codes, axis=0, dtype=np.int32).astype(np.int64) - MISSING * (len(columns) - given)
    return ScaleAnswers(columns, codes, given, total)


def rest_choices(responses: Responses, answers: ScaleAnswers) -> Iterator[ChoiceTable]:
    """Yield the items' choices against the mean code of the same persons' other answers, in the order of the items."""
    most = int(answers.total.max()) + 1
    kinds, kind = np.unique(answers.given * most + answers.total, return_inverse=True)
    cells = cache(lambda n_cat: _Cells(kind, *np.divmod(kinds, most), n_cat))
    waiting: list[Choice] = []
    for column, codes in zip(answers.columns, answers.codes, strict=True):
        n_cat = int(responses.n_cat[column])
        labels = tuple(str(k) for k in range(n_cat))
        waiting.append(Choice(responses.item_ids[column], "", labels, *cells(n_cat).count(codes, responses.weight)))
        if sum(len(choice.code) for choice in waiting) > TABLE:
            yield stack_choices(waiting)
            waiting = []
    if waiting:
        yield stack_choices(waiting)


class _Cells:
    """Numbers for what persons can have in common: answers given, sum of codes, and code of an item with n_cat.

    kind : (N,) which of the P pairs of given (P,) and total (P,) a person has.
    """

    def __init__(self, kind: IntArray, given: IntArray, total: IntArray, n_cat: int) -> None:
        self.given, self.total, self.digits = given, total, n_cat + 1
        self.first = kind * self.digits - MISSING
        cells = np.arange(len(given) * self.digits)
        # Otherwise so thinly filled that sorting the persons is cheaper than counting them.
        self.every = cells if len(cells) <= 4 * len(kind) else None
        self.order = self._by_score(cells) if self.every is not None else cells[:0]

    def count(self, codes: CodeArray, weight: FloatArray | None) -> tuple[IntArray, FloatArray, IntArray, FloatArray]:
        """Return the filled cells of an item's codes (N,), by rest score: code, rest score, persons, weight."""
        first, cells, order = self.first, self.every, self.order
        if cells is None:
            cells, place = np.unique(first + codes, return_inverse=True)
            first, codes, order = place, np.zeros_like(codes), self._by_score(cells)
        persons = _tally(first, codes, None, len(cells))
        order = order[persons[order] > 0]
        mass = persons if weight is None else _tally(first, codes, weight, len(cells))
        return *self._code_and_score(cells[order]), persons[order].astype(np.int64), mass[order]

    def _by_score(self, cells: IntArray) -> IntArray:
        """Return the places of the cells with an answer to the item, by their rest scores."""
        answered = np.flatnonzero(cells % self.digits)
        return answered[np.argsort(self._code_and_score(cells[answered])[1], kind="stable")]

    def _code_and_score(self, cells: IntArray) -> tuple[IntArray, FloatArray]:
        kind, digit = np.divmod(cells, self.digits)
        code, others = digit + MISSING, self.given[kind] - 1
        sums = self.total[kind] - code
        return code, np.divide(sums, others, out=np.full(sums.shape, np.nan), where=others > 0)


def _tally(cell: IntArray, codes: CodeArray, weight: FloatArray | None, size: int) -> FloatArray:
    """Return (size,) the persons, or their weight (N,), at each sum of cell (N,) and code (N,)."""
    if kernel.library() is not None:
        return kernel.tally(cell, codes, weight, size)
    return np.bincount(cell + codes, weight, minlength=size).astype(np.float64)

"""The cells of a table: distinct texts per column, what they mean as codes or numbers, and which of them are wrong.

A column is held as its distinct texts and, per row, the position of its text, so that the work is done once per
distinct text and not once per cell.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from talentassess.core.arrays import BoolArray, CodeArray, FloatArray, IntArray
from talentassess.core.responses import MISSING

ALWAYS_MISSING = frozenset({"", "NA", "NaN", "nan"})
_WHOLE = re.compile(r"([+-]?\d{1,15})(\.0*)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_BAD = -2
_ONE_BY_ONE = 20  # more cells than this with the same wrong value share a line that lists their rows
_DISTINCT_SHOWN = 50  # a column with more distinct wrong values than this holds something else than answers

Problem = tuple[int, str]  # row to sort by, sentence


@dataclass(frozen=True, eq=False, slots=True)
class TextColumn:
    """A column as distinct texts.

    Attributes
    ----------
    label : how messages name the column, e.g. ``column 'q1'``.
    levels : the distinct texts, without blanks around them.
    index : (N,) int, position in ``levels`` per row, -1 no cell.
    rows : (N,) int, row number in the file.
    """

    label: str
    levels: tuple[str, ...]
    index: IntArray
    rows: IntArray

    def take(self, positions: IntArray) -> TextColumn:
        """Return the cells at these positions."""
        return replace(self, index=self.index[positions], rows=self.rows[positions])

    def texts(self) -> list[str]:
        """Return the text of every cell, empty where there is none."""
        return [self.levels[i] if i >= 0 else "" for i in self.index]

    def used(self) -> list[int]:
        """Return the positions of the levels that occur."""
        counts = np.bincount(self.index + 1, minlength=len(self.levels) + 1)[1:]
        return [int(level) for level in np.flatnonzero(counts)]

    def blank(self) -> BoolArray:
        """Return (N,) True where the cell is empty or NA."""
        empty = np.array([level in ALWAYS_MISSING for level in self.levels] + [True])
        return np.asarray(empty[self.index])


@dataclass(frozen=True, slots=True)
class CodeBook:
    """What the cells of an item may hold.

    Attributes
    ----------
    codes : canonical text -> category code 0..K-1; several texts may stand for one category.
    n_cat : the declared number of categories K.
    missing : canonical texts that mean missing, beside those that always do.
    allowed : the rule in words, for messages.
    """

    codes: Mapping[str, int]
    n_cat: int
    missing: frozenset[str] = frozenset()
    allowed: str = ""


def text_column(label: str, values: np.ndarray[tuple[int], np.dtype[np.generic]], rows: IntArray) -> TextColumn:
    """Return the column of these cells: texts, numbers, booleans, dates; None and NaN are empty."""
    if values.dtype == object and (levels := _all_text(values)) is not None:
        place = {text: i for i, text in enumerate(levels)}
        found_at = np.fromiter(map(place.__getitem__, values.tolist()), dtype=np.int64, count=len(values))
        return TextColumn(label, tuple(text.strip() for text in levels), found_at, rows)
    import pandas as pd  # only here: a file of text is read without waiting for pandas to load

    index, found = pd.factorize(values)
    return TextColumn(label, tuple(_cell_text(value) for value in found.tolist()), index.astype(np.int64), rows)


def _all_text(values: np.ndarray[tuple[int], np.dtype[np.generic]]) -> list[str] | None:
    """Return the distinct texts in order of appearance, or None if any cell is something else than text."""
    distinct = dict.fromkeys(values.tolist())
    return list(distinct) if all(isinstance(value, str) for value in distinct) else None


def _cell_text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def canonical(value: object) -> str:
    """Return the text under which equal codes are equal: 1, 1.0, "1" and " 1 " are all ``1``.

    Examples
    --------
    >>> [canonical(value) for value in (1, 1.0, " 1 ", "1.50", "often")]
    ['1', '1', '1', '1.5', 'often']
    """
    text = str(value).strip()
    if whole := _WHOLE.fullmatch(text):
        return str(int(whole[1]))
    if _NUMBER.fullmatch(text) and math.isfinite(number := float(text)):
        return _cell_text(number) if abs(number) < 1e15 else text
    return text


def is_whole(text: str) -> bool:
    """Tell whether a canonical text is a whole number."""
    return _WHOLE.fullmatch(text) is not None


def answer_texts(column: TextColumn, declared: Iterable[str] = ()) -> dict[int, str]:
    """Return the canonical text of each level that occurs and is not empty.

    A column of True and False only counts as 1 and 0, unless these words are the declared categories.
    """
    texts = {level: canonical(column.levels[level]) for level in column.used()}
    texts = {level: text for level, text in texts.items() if text not in ALWAYS_MISSING}
    boolean = {"true": "1", "false": "0"}
    if set(texts.values()) & set(declared) or not all(text.lower() in boolean for text in texts.values()):
        return texts
    return {level: boolean[text.lower()] for level, text in texts.items()}


def decode(column: TextColumn, book: CodeBook) -> tuple[CodeArray, list[Problem]]:
    """Return (N,) int16 codes 0..K-1, -1 missing, and a problem for every cell the code book does not know."""
    code_of_level = np.full(len(column.levels) + 1, MISSING, dtype=np.int16)
    for level, text in answer_texts(column, book.codes).items():
        code_of_level[level] = MISSING if text in book.missing else book.codes.get(text, _BAD)
    codes = code_of_level[column.index]
    bad = codes == _BAD
    return np.where(bad, np.int16(MISSING), codes), bad_cells(column, bad, book.allowed, tuple(book.codes))


def decode_numbers(
    column: TextColumn, allowed: str, missing: frozenset[str] = frozenset(), *, zero: bool = True
) -> tuple[FloatArray, list[Problem]]:
    """Return (N,) non-negative numbers, NaN where empty, and a problem for every cell that is anything else.

    Parameters
    ----------
    column : the cells.
    allowed : the rule in words, for messages.
    missing : canonical texts that mean unknown where they are no valid number.
    zero : whether 0 is valid.
    """
    number = np.full(len(column.levels) + 1, np.nan)
    wrong = np.zeros(len(column.levels) + 1, dtype=np.bool_)
    for level in column.used():
        text = canonical(column.levels[level])
        value = float(text) if _NUMBER.fullmatch(text) else math.nan
        valid = math.isfinite(value) and (value > 0 or (zero and value == 0))
        number[level] = value if valid else math.nan
        wrong[level] = not valid and text not in ALWAYS_MISSING and text not in missing
    return number[column.index], bad_cells(column, wrong[column.index], allowed)


def decode_within(column: TextColumn, low: float, high: float) -> tuple[FloatArray, list[Problem]]:
    """Return (N,) numbers from low to high, NaN where empty, and a problem for every cell that is anything else."""
    number = np.full(len(column.levels) + 1, np.nan)
    wrong = np.zeros(len(column.levels) + 1, dtype=np.bool_)
    for level, text in answer_texts(column).items():
        value = float(text) if _NUMBER.fullmatch(text) else math.nan
        wrong[level] = not low <= value <= high
        number[level] = math.nan if wrong[level] else value
    return number[column.index], bad_cells(column, wrong[column.index], f"numbers from {low:g} to {high:g}")


def bad_cells(column: TextColumn, bad: BoolArray, allowed: str, known: Sequence[str] = ()) -> list[Problem]:
    """Return a line per wrong cell; a value that is wrong in many rows gets one line that lists the rows."""
    if not bad.any():
        return []
    levels = [int(level) for level in np.unique(column.index[bad])]
    if len(levels) > _DISTINCT_SHOWN:
        shown = ", ".join(f"'{column.levels[level]}'" for level in levels[:3])
        text = f"{len(levels)} different values such as {shown}; allowed: {allowed}"
        return [_rows_line(column, column.rows[bad], text)]
    lines: list[Problem] = []
    for level in levels:
        rows = column.rows[column.index == level]
        text = f"'{column.levels[level]}'{suggest(column.levels[level], known)}; allowed: {allowed}"
        groups = [rows] if len(rows) > _ONE_BY_ONE else np.split(rows, len(rows))
        lines.extend(_rows_line(column, group, text) for group in groups)
    return lines


def _rows_line(column: TextColumn, rows: IntArray, text: str) -> Problem:
    where = f"row {rows[0]}" if len(rows) == 1 else f"rows {row_ranges(rows)} ({len(rows)} cells)"
    return int(rows[0]), f"{where}, {column.label}: {text}"


def row_ranges(rows: Iterable[int]) -> str:
    """Return row numbers with runs shortened.

    Examples
    --------
    >>> row_ranges([2, 3, 4, 9])
    '2-4, 9'
    """
    ordered = np.unique(np.fromiter(rows, dtype=np.int64))
    runs = np.split(ordered, np.flatnonzero(np.diff(ordered) > 1) + 1)
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def suggest(name: str, known: Sequence[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the nearest known name, or nothing."""
    by_folded = {text.casefold(): text for text in known if not is_whole(text)}
    near = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return f" (did you mean '{by_folded[near[0]]}'?)" if near else ""


def sorted_lines(problems: Iterable[Problem]) -> list[str]:
    """Return the sentences in the order of their rows."""
    return [line for _, line in sorted(problems, key=lambda problem: problem[0])]

"""Read ratings from tables: long (a row per rating or per person and rater) and wide (a column per rater)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from talentassess.agreement.ratings import SINGLE_ITEM, Ratings
from talentassess.bank.cells import Problem, TextColumn, canonical, decode_within, row_ranges, sorted_lines
from talentassess.bank.layout import SIMULATED_COLUMN, no_column
from talentassess.bank.table_files import load_table
from talentassess.core.arrays import BoolArray, FloatArray, IntArray
from talentassess.core.errors import DataError
from talentassess.core.provenance import Provenance

if TYPE_CHECKING:
    from talentassess.bank.table_files import Table, TableSource


def read_ratings(
    table: TableSource,
    *,
    person: str | None = None,
    rater: str | Sequence[str],
    score: str | Sequence[str] | None = None,
    item: str | None = None,
    task: str | None = None,
    low: float | None = None,
    high: float | None = None,
) -> Ratings:
    """Read a table of ratings; every wrong cell is named, nothing is guessed or dropped.

    Long tables have a row per rating (``score`` names one column, ``item`` may name another), or a row per person and
    rater with a column per item (``score`` lists them). Wide tables have a row per person and a column per rater
    (``rater`` lists them). Empty cells, NaN and NA are ratings that were not given. A column named SIMULATED with any
    value in it marks the ratings as simulated.

    Parameters
    ----------
    table : path to .csv, .tsv, .txt (UTF-8), .xlsx, .parquet or .sav, or a pandas, polars or pyarrow table.
    person : column of the persons (or other objects) rated; may be left out in wide tables: "1" to "N".
    rater : column of the raters, or the columns that hold their ratings.
    score : column of the ratings, or a column per item; left out in wide tables.
    item, task : columns of the items and of the tasks rated, in long tables.
    low, high : ends of the rating scale, as declared. Both left out: the ratings are labels (nominal).

    Raises
    ------
    DataError : the file cannot be read, columns are absent, cells are wrong (named by row, column, value and what is
        allowed), a person, rater or item is empty, or a rating is given more than once.

    Examples
    --------
    >>> import pandas as pd
    >>> read_ratings(pd.DataFrame({"r1": [4, 2], "r2": [5, None]}), rater=["r1", "r2"], low=1, high=5)
    Ratings(3 ratings of 2 persons by 2 raters, 1 item, 1 to 5, real answers)
    """
    loaded = load_table(table)
    if (low is None) != (high is None):
        raise DataError("Give both ends of the rating scale, low= and high=; neither for labels (nominal ratings).")
    scale = None if low is None or high is None else (float(low), float(high))
    if isinstance(rater, str):
        return _read_long(loaded, {"person": person, "rater": rater, "item": item, "task": task}, score, scale)
    if score is not None or item is not None or task is not None:
        raise DataError("With a column per rater (rater=[...]) there is no score, item or task column: leave them out.")
    return _read_wide(loaded, person, list(rater), scale)


def _read_long(
    table: Table, roles: dict[str, str | None], score: str | Sequence[str] | None, scale: tuple[float, float] | None
) -> Ratings:
    if roles["person"] is None or score is None:
        raise DataError("A long table needs person= and score=; for a column per rater give their list as rater=[...].")
    named = {role: column for role, column in roles.items() if column is not None}
    columns = [score] if isinstance(score, str) else list(score)
    if len(columns) > 1 and "item" in named:
        raise DataError("With several score columns, each is an item: leave item= out.")
    _check_columns(table, [*named.items(), *(("score", name) for name in columns)])
    ids, codes, problems = {}, {}, []
    for role, name in named.items():
        ids[role], codes[role], empty = _labels(table.columns[name], f"every rating needs its {role}")
        problems += empty
    values, labels, wrong = _scores([table.columns[name] for name in columns], scale)
    _refuse(table, [*problems, *wrong])
    if "item" not in named:
        ids["item"] = (SINGLE_ITEM,) if len(columns) == 1 else tuple(columns)
        codes["item"] = np.repeat(np.arange(len(columns)), len(table.rows))
    given = ~np.isnan(values)
    spread = {role: np.tile(code, len(values) // len(code))[given] for role, code in codes.items()}
    _refuse_repeats(table, ids, spread, np.tile(table.rows, len(columns))[given])
    return _ratings(table, ids, spread, values[given], scale, labels)


def _read_wide(table: Table, person: str | None, raters: list[str], scale: tuple[float, float] | None) -> Ratings:
    _check_columns(table, [*([("person", person)] if person else []), *(("rater", name) for name in raters)])
    persons = tuple(str(i + 1) for i in range(len(table.rows)))
    problems: list[Problem] = []
    if person is not None:
        persons, code, problems = _labels(table.columns[person], "every row needs its person")
        problems += _twice(table.columns[person], persons, code)
    values, labels, wrong = _scores([table.columns[name] for name in raters], scale)
    _refuse(table, [*problems, *wrong])
    given = ~np.isnan(values)
    codes = {
        "person": np.tile(np.arange(len(table.rows)), len(raters))[given],
        "rater": np.repeat(np.arange(len(raters)), len(table.rows))[given],
    }
    ids = {"person": persons, "rater": tuple(raters), "item": (SINGLE_ITEM,)}
    return _ratings(table, ids, codes, values[given], scale, labels)


def _ratings(
    table: Table,
    ids: dict[str, tuple[str, ...]],
    codes: dict[str, IntArray],
    values: FloatArray,
    scale: tuple[float, float] | None,
    labels: tuple[str, ...],
) -> Ratings:
    mark = table.columns.get(SIMULATED_COLUMN)
    simulated = mark is not None and not bool(mark.blank().all())
    low, high = scale if scale is not None else (0.0, max(len(labels) - 1.0, 1.0))
    return Ratings(
        person=codes["person"],
        rater=codes["rater"],
        item=codes.get("item"),
        task=codes.get("task"),
        score=values,
        low=low,
        high=high,
        person_ids=ids["person"],
        rater_ids=ids["rater"],
        item_ids=ids["item"],
        task_ids=ids.get("task", ()),
        labels=labels,
        provenance=Provenance(table.source, simulated=simulated, options=dict(table.notes)),
    )


def _check_columns(table: Table, asked: Sequence[tuple[str, str]]) -> None:
    problems = [no_column(name, role, list(table.columns)) for role, name in asked if name not in table.columns]
    names = [name for _, name in asked]
    problems += [
        f"column '{name}' is asked for more than once" for name in dict.fromkeys(names) if names.count(name) > 1
    ]
    if problems:
        known = ", ".join(list(table.columns)[:12])
        raise DataError(f"{table.source}: these columns cannot be used as asked. There are: {known}.", problems)


def _labels(column: TextColumn, rule: str) -> tuple[tuple[str, ...], IntArray, list[Problem]]:
    """Return distinct labels in order of appearance, each row's position, and a problem per empty cell."""
    texts, blank = column.texts(), column.blank()
    names = dict.fromkeys(text for text, empty in zip(texts, blank, strict=True) if not empty)
    place = {name: i for i, name in enumerate(names)}
    codes = np.array([place.get(text, -1) for text in texts], dtype=np.int64)
    rows = column.rows[blank]
    problems = [(int(rows[0]), f"row(s) {row_ranges(rows)}, {column.label}: empty; {rule}")] if len(rows) else []
    return tuple(names), codes, problems


def _twice(column: TextColumn, persons: tuple[str, ...], code: IntArray) -> list[Problem]:
    counts = np.bincount(code[code >= 0], minlength=len(persons))
    rows = {int(i): column.rows[code == i] for i in np.flatnonzero(counts > 1)}
    return [
        (int(r[0]), f"rows {row_ranges(r)}, {column.label}: '{persons[i]}' occurs {len(r)} times; one row per person")
        for i, r in rows.items()
    ]


def _scores(
    columns: Sequence[TextColumn], scale: tuple[float, float] | None
) -> tuple[FloatArray, tuple[str, ...], list[Problem]]:
    """Return scores of all columns one after the other, the names of labels, and the wrong cells."""
    if scale is not None:
        parts = [decode_within(column, *scale) for column in columns]
        return np.concatenate([p for p, _ in parts]), (), [line for _, lines in parts for line in lines]
    texts = [np.array([canonical(text) for text in column.texts()]) for column in columns]
    blanks: list[BoolArray] = [column.blank() for column in columns]
    labels = sorted({str(t) for part, blank in zip(texts, blanks, strict=True) for t in part[~blank]})
    place = {label: float(i) for i, label in enumerate(labels)}
    values = [
        np.array([np.nan if empty else place[str(text)] for text, empty in zip(part, blank, strict=True)])
        for part, blank in zip(texts, blanks, strict=True)
    ]
    return np.concatenate(values), tuple(labels), []


def _refuse(table: Table, problems: Sequence[Problem]) -> None:
    if problems:
        raise DataError(
            f"{table.source}: {len(problems)} problem(s) in the cells; nothing was read. Correct the table, or declare "
            "the scale that was used (low=, high=).",
            sorted_lines(problems),
        )


def _refuse_repeats(table: Table, ids: dict[str, tuple[str, ...]], codes: dict[str, IntArray], rows: IntArray) -> None:
    """Refuse ratings that are given more than once, naming the rows."""
    roles = [role for role in ("person", "rater", "item", "task") if role in codes]
    cells, cell, count = np.unique(
        np.column_stack([codes[role] for role in roles]), axis=0, return_inverse=True, return_counts=True
    )
    problems = []
    for i in np.flatnonzero(count > 1):
        own = rows[cell.ravel() == i]
        words = ", ".join(
            f"{role} '{ids[role][code]}'" for role, code in zip(roles, cells[i], strict=True) if len(ids[role]) > 1
        )
        problems.append((int(own.min()), f"rows {row_ranges(own)}: {words} is rated {count[i]} times"))
    if problems:
        raise DataError(
            f"{table.source}: {len(problems)} rating(s) are given more than once. Keep one row per person, rater and "
            "item; name the column of occasions or tasks with task=.",
            sorted_lines(problems),
        )

"""Read forced-choice answers and count them, for use within persons only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from talentassess.assembly.form import ForcedChoiceBlock, ForcedChoiceForm
from talentassess.bank.cells import CodeBook, Problem, decode, sorted_lines
from talentassess.bank.layout import Roles, Sheet, lay_out, people
from talentassess.bank.table_files import load_table
from talentassess.core.arrays import CodeArray, FloatArray, IntArray
from talentassess.core.errors import DataError
from talentassess.core.ipsative import IpsativeScores
from talentassess.core.responses import MISSING

if TYPE_CHECKING:
    from talentassess.bank.table_files import TableSource


def score_forced_choice(table: TableSource, form: ForcedChoiceForm, *, person: str | None = None) -> IpsativeScores:
    """Read most/least choices and return scores that compare scales within each person.

    Parameters
    ----------
    table : path or data frame with the columns ``b001_most``, ``b001_least`` and so on, holding the place (1, 2, 3) or
        the item id of the statement chosen. Empty cells are missing; a block counts only if both are there.
    form : from ``build_forced_choice`` or ``load_forced_choice``.
    person : column of person ids; row numbers if left out.

    Equation: a statement scores +1 if most, -1 if least, 0 else, times -1 if reverse-keyed; a scale's score is the mean
    over its answered statements minus the mean of the person's scale means (Hicks 1970: ipsative).

    Raises
    ------
    DataError : a column is missing, a cell names no statement of its block, or most and least are the same.

    Examples
    --------
    >>> import pandas as pd
    >>> from talentassess.assembly.form import Statement
    >>> trio = [Statement("a1", "care", "...", False, 4), Statement("b1", "pace", "...", False, 4),
    ...         Statement("c1", "order", "...", True, 4)]
    >>> form = ForcedChoiceForm(bank="tiny 0.1.0", bank_hash="", scales=("care", "pace", "order"),
    ...     blocks=(ForcedChoiceBlock("b001", tuple(trio)),), desirability_source="rational (authors)", optimal=True,
    ...     gap=0.0, findings=())
    >>> scores = score_forced_choice(pd.DataFrame({"b001_most": ["a1"], "b001_least": [3]}), form)
    >>> scores.within.round(2).tolist()
    [[0.33, -0.67, 0.33]]
    """
    roles = Roles(person)
    columns = [f"{block.id}_{part}" for block in form.blocks for part in ("most", "least")]
    sheet = lay_out(load_table(table), roles, columns)
    absent = [sheet.absent(column, "an answer of the form") for column in columns if column not in sheet.answers]
    if absent:
        raise DataError("The table does not hold the whole form.", absent)
    problems: list[Problem] = []
    value = np.concatenate([_values(block, sheet, problems) for block in form.blocks], axis=1)
    persons = people(sheet)
    problems += persons.problems
    if problems:
        raise DataError("The forced-choice answers cannot be used; correct these cells.", sorted_lines(problems))
    scales = np.array([form.scales.index(s.scale) for block in form.blocks for s in block.statements])
    return _scores(persons.ids, form, value, scales, sheet)


def _values(block: ForcedChoiceBlock, sheet: Sheet, problems: list[Problem]) -> FloatArray:
    """Return (N, 3) +1, 0, -1 in the keyed direction, NaN without an answer."""
    most, least = (_choice(block, sheet, part, problems) for part in ("most", "least"))
    same = (most == least) & (most != MISSING)
    if same.any():
        column = sheet.answers[f"{block.id}_least"]
        problems += [
            (int(row), f"row {row}, {column.label}: the same statement is most and least; choose two")
            for row in column.rows[same]
        ]
    places = np.arange(len(block.statements))
    value: FloatArray = (most[:, None] == places).astype(np.float64) - (least[:, None] == places)
    value *= np.array([-1.0 if s.reverse else 1.0 for s in block.statements])
    value[(most == MISSING) | (least == MISSING)] = np.nan
    return value


def _choice(block: ForcedChoiceBlock, sheet: Sheet, part: str, problems: list[Problem]) -> CodeArray:
    codes = {str(place): place - 1 for place in range(1, len(block.statements) + 1)}
    codes |= {s.item: place for place, s in enumerate(block.statements)}
    allowed = f"1, 2, 3 or {', '.join(s.item for s in block.statements)}"
    book = CodeBook(codes, len(block.statements), allowed=allowed)
    chosen, wrong = decode(sheet.answers[f"{block.id}_{part}"], book)
    problems += wrong
    return chosen


def _scores(
    persons: tuple[str, ...], form: ForcedChoiceForm, value: FloatArray, scales: IntArray, sheet: Sheet
) -> IpsativeScores:
    shape = (len(value), len(form.scales))
    mean, se, count = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, dtype=np.int64)
    for position in range(len(form.scales)):
        part = value[:, scales == position]
        n = np.sum(~np.isnan(part), axis=1)
        total, square = np.nansum(part, axis=1), np.nansum(part**2, axis=1)
        count[:, position] = n
        np.divide(total, n, out=mean[:, position], where=n > 0)
        scatter = np.maximum(square - total**2 / np.maximum(n, 1), 0.0)
        se[:, position] = np.where(n > 1, np.sqrt(scatter / np.maximum(n - 1, 1) / np.maximum(n, 1)), np.nan)
    answered = count > 0
    centre = np.where(answered, mean, 0).sum(axis=1) / np.maximum(answered.sum(axis=1), 1)
    return IpsativeScores(
        person_ids=persons,
        scales=form.scales,
        within=mean - centre[:, None],
        se=se,
        n_answered=count,
        provenance=sheet.provenance({"form": form.form_hash, "bank": form.bank}),
    )

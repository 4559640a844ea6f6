"""Read answers from tables: files and data frames, wide and long, with or without an item bank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from talentassess.bank.answers import RawAnswers
from talentassess.bank.cells import Problem, sorted_lines
from talentassess.bank.item_choice import (
    Categories,
    Code,
    Items,
    asked_columns,
    choose_items,
    code_items,
    decode_items,
    decode_seconds,
    missing_texts,
)
from talentassess.bank.layout import Roles, Sheet, lay_out, people
from talentassess.bank.table_files import load_table
from talentassess.core.errors import DataError
from talentassess.core.responses import Responses

if TYPE_CHECKING:
    from talentassess.bank.schema import ItemBank
    from talentassess.bank.table_files import Table, TableSource

_BANK_REMEDY = "Correct the table, name codes that mean missing (missing=[...]), or give the item's codes in the bank."
_PLAIN_REMEDY = (
    "Correct the table; name codes that mean missing (missing=[...]); declare categories that nobody may have used "
    "(categories=[...]); name the items (items=[...]) if a column holds no answers."
)


def read_responses(
    table: TableSource,
    *,
    bank: ItemBank | None = None,
    items: Items | None = None,
    person: str | None = None,
    group: str | None = None,
    weight: str | None = None,
    categories: Categories | None = None,
    missing: Sequence[Code] | Code = (),
    seconds: Mapping[str, str] | str | None = None,
) -> Responses:
    """Read a table of answers as scored responses; every wrong cell is named, nothing is guessed or dropped.

    Values are matched by their text: 1, 1.0, "1" and " 1 " are one code. Empty cells, NaN, None and NA are always
    missing. A column of True and False only counts as 1 and 0. Persons without any answer are kept. A column named
    SIMULATED with any value in it marks the answers as simulated and is no item.

    Parameters
    ----------
    table : path to .csv, .tsv, .txt (UTF-8), .xlsx, .parquet or .sav, or a pandas, polars or pyarrow table. Wide (a
        row per person) or long (a row per answer, columns ``id`` or ``person``, ``item``, ``resp``).
    bank : the items' bank; reads and keys its columns. ``items``, ``categories`` and ``seconds`` are the bank's then.
    items : columns, or scale -> columns; ``"-q7"`` marks q7 as reverse-keyed (code K-1-x), unless a column has that
        very name. Left out: all columns but those named by the arguments below.
    person : column of unique person ids; left out: "1" to "N" in wide tables, ``id`` or ``person`` in long ones.
    group : column of group labels.
    weight : column of positive sampling weights.
    categories : all categories from low to high, for all items or by item or scale. Left out: per scale, the whole
        numbers from the smallest to the largest that any of its items shows, as noted in ``provenance.options``.
    missing : values that mean missing, e.g. ``[-9, 99]``.
    seconds : item -> column of response times in seconds; in a long table the name of its column of times.

    Returns
    -------
    Responses : x (N, J) int16, codes 0..K-1 in the order of the categories, -1 missing.

    Raises
    ------
    DataError : the file cannot be read, or columns or cells are wrong; ``.problems`` names each by row (header = row
        1 in CSV and XLSX; counted from 1 in Parquet, SPSS and tables in memory), column, value and what is allowed.
    ContentError : with ``bank``, an item without a key.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"who": ["ann", "bo"], "q1": [1, 4], "q2": ["2", None], "q3": [5, 2]})
    >>> r = read_responses(table, items={"care": ["q1", "q2", "-q3"]}, person="who", categories=[1, 2, 3, 4, 5])
    >>> r
    Responses(2 persons, 3 items, 1 scale, 16.7 % missing, real answers)
    >>> r.x.tolist()
    [[0, 1, 0], [3, -1, 3]]
    """
    if bank is not None:
        _refuse_beside_bank({"items": items, "categories": categories, "seconds": seconds})
        return key_responses(
            read_answers(table, bank, person=person, group=group, weight=weight, missing=missing), bank
        )
    return _read_plain(load_table(table), Roles(person, group, weight, seconds), items, categories, missing)


def read_answers(
    table: TableSource,
    bank: ItemBank,
    *,
    person: str | None = None,
    group: str | None = None,
    weight: str | None = None,
    missing: Sequence[Code] | Code = (),
) -> RawAnswers:
    """Read the raw answers to a bank's items: nothing reversed, nothing keyed.

    Every item is read from the columns the bank gives it, self-report by code or by label; other columns are left
    alone. Response times are read where their columns exist. A retired item may be absent from the table.

    Parameters
    ----------
    table : as for ``read_responses``; in a long table ``item`` holds the bank's column names.
    bank : the item bank.
    person, group, weight, missing : as for ``read_responses``.

    Returns
    -------
    RawAnswers : self-report codes 0..K-1 and situational option positions from 0, -1 missing.

    Raises
    ------
    DataError : as ``read_responses``; also for one option chosen as most and least, and for tied ranks.

    Examples
    --------
    >>> import pandas as pd
    >>> from talentassess.bank.load import load_bank
    >>> bank = load_bank("service_core")
    >>> columns = [column for item in bank.items for column in item.answer_columns.values()]
    >>> read_answers(pd.DataFrame({column: [None, None] for column in columns}), bank).n_persons
    2
    """
    from talentassess.bank.bank_columns import bank_cells, bank_columns

    loaded, codes = load_table(table), missing_texts(missing)
    sheet = lay_out(loaded, Roles(person, group, weight), bank_columns(bank))
    cells, who = bank_cells(sheet, bank, codes), people(sheet)
    _refuse(sheet, [*who.problems, *cells.problems], _BANK_REMEDY)
    options = {
        "bank": f"{bank.id} {bank.version}",
        "missing": ", ".join(sorted(codes)),
        "retired items not in the table": ", ".join(cells.absent),
    }
    return RawAnswers(
        person_ids=who.ids,
        self_report=cells.self_report,
        situational=cells.situational,
        seconds=cells.seconds,
        group=who.group,
        weight=who.weight,
        provenance=sheet.provenance(options),
    )


def key_responses(raw: RawAnswers | TableSource, bank: ItemBank) -> Responses:
    """Turn raw answers, or a table of them, into scored responses by the bank's keys.

    Parameters
    ----------
    raw : answers from ``read_answers``, or a table that needs none of its options (row numbers become person ids).
    bank : the item bank; every item needs its key (see ``derive_keys``).

    Raises
    ------
    DataError, ContentError : as ``read_answers`` and ``key_answers``.

    Examples
    --------
    >>> from talentassess.bank.load import load_bank
    >>> bank = load_bank("service_core")
    >>> item = bank.self_report[0]
    >>> raw = RawAnswers(person_ids=("ann", "bo"), self_report={item.id: [0, 4]})
    >>> key_responses(raw, bank).n_cat.tolist()
    [5]
    """
    from talentassess.bank.scoring import key_answers

    return key_answers(raw if isinstance(raw, RawAnswers) else read_answers(raw, bank), bank)


def _refuse_beside_bank(given: Mapping[str, object]) -> None:
    lines = [f"{name}= was given" for name, value in given.items() if value is not None]
    if lines:
        raise DataError("With bank=, the bank itself says what the items and their codes are. Leave these out.", lines)


def _read_plain(
    table: Table, roles: Roles, items: Items | None, categories: Categories | None, missing: Sequence[Code] | Code
) -> Responses:
    sheet, codes = lay_out(table, roles, asked_columns(items, table.columns)), missing_texts(missing)
    chosen = choose_items(items, sheet, roles)
    coding, who = code_items(chosen, sheet, categories, codes), people(sheet)
    x, wrong = decode_items(chosen, sheet, coding)
    times, wrong_times = decode_seconds(chosen, sheet, roles, codes)
    _refuse(sheet, [*coding.problems, *who.problems, *wrong, *wrong_times], _PLAIN_REMEDY)
    reversed_items = tuple(choice.name for choice in chosen if choice.reverse)
    options = {
        "categories": coding.note,
        "missing": ", ".join(sorted(codes)),
        "reverse": ", ".join(reversed_items),
    }
    return Responses(
        x=x,
        n_cat=np.array([coding.books[choice.name].n_cat for choice in chosen]),
        item_ids=tuple(choice.name for choice in chosen),
        person_ids=who.ids,
        scales=tuple(choice.scale for choice in chosen),
        reversed_items=reversed_items,
        group=who.group,
        weight=who.weight,
        seconds=times,
        provenance=sheet.provenance(options),
    )


def _refuse(sheet: Sheet, problems: Sequence[Problem], remedy: str) -> None:
    if problems:
        raise DataError(
            f"{sheet.source}: {len(problems)} problem(s) in the cells; nothing was read. {remedy}",
            sorted_lines(problems),
        )

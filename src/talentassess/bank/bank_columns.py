"""The columns of a bank's items in a table, read as raw answers: nothing reversed, nothing keyed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from talentassess.bank.cells import ALWAYS_MISSING, CodeBook, Problem, canonical, decode
from talentassess.bank.item_choice import decode_times
from talentassess.bank.layout import Sheet
from talentassess.bank.schema import Item, ItemBank, SelfReportItem, SituationalItem
from talentassess.core.arrays import BoolArray, CodeArray, FloatArray
from talentassess.core.errors import DataError

RATINGS = 5  # effectiveness is rated 1..5, as it is keyed


@dataclass(frozen=True, eq=False, slots=True)
class BankCells:
    """The raw answers to a bank's items.

    Attributes
    ----------
    self_report : item id -> (N,) int16, codes 0..K-1 not yet reversed, -1 missing.
    situational : item id -> (N, m) int16 option positions, ratings - 1 or ranks - 1, -1 missing.
    seconds : item id -> (N,) response time in seconds, NaN unknown; items with a column of times only.
    absent : retired items that have no columns in the table.
    problems : the wrong cells.
    """

    self_report: Mapping[str, CodeArray]
    situational: Mapping[str, CodeArray]
    seconds: Mapping[str, FloatArray]
    absent: tuple[str, ...]
    problems: list[Problem]


def bank_columns(bank: ItemBank) -> list[str]:
    """Return the columns that hold the answers of a bank's items, retired ones left out."""
    return [column for item in bank.items if item.status != "retired" for column in item.answer_columns.values()]


def bank_cells(sheet: Sheet, bank: ItemBank, missing: frozenset[str]) -> BankCells:
    """Read the answers and response times of a bank's items.

    Parameters
    ----------
    sheet : the table by person; other columns than the bank's are left alone.
    bank : the items; a retired one may be absent from the table.
    missing : canonical texts that mean missing.

    Raises
    ------
    DataError : columns of the bank that are not there, or codes of the bank that are said to mean missing.
    """
    absent = tuple(item.id for item in bank.items if _is_absent(item, sheet))
    _check_columns(sheet, bank, absent)
    _check_missing(bank, missing)
    problems: list[Problem] = []
    statements = {}
    for statement in bank.self_report:
        if statement.id not in absent:
            book = _statement_book(statement, bank, missing)
            statements[statement.id] = _decode_parts(sheet, statement, book, problems)[:, 0]
    situations = {}
    for situation in bank.situational:
        if situation.id not in absent:
            codes = _decode_parts(sheet, situation, _situation_book(situation, missing), problems)
            problems += _contradictions(sheet, situation, codes)
            situations[situation.id] = codes
    return BankCells(statements, situations, _seconds(sheet, bank, absent, missing, problems), absent, problems)


def _is_absent(item: Item, sheet: Sheet) -> bool:
    return item.status == "retired" and not any(column in sheet.answers for column in item.answer_columns.values())


def _check_columns(sheet: Sheet, bank: ItemBank, absent: Sequence[str]) -> None:
    lines = [
        sheet.absent(column, f"'{part}' of item '{item.id}'")
        for item in bank.items
        if item.id not in absent
        for part, column in item.answer_columns.items()
        if column not in sheet.answers
    ]
    if lines:
        raise DataError(
            f"{sheet.source}: {len(lines)} column(s) of the bank '{bank.id}' are not there. Rename the table's "
            "columns, name the items' columns in the bank, or add empty columns for items that were not administered.",
            lines,
        )


def _check_missing(bank: ItemBank, missing: frozenset[str]) -> None:
    books = [(item.id, _statement_book(item, bank, missing)) for item in bank.self_report]
    books += [(item.id, _situation_book(item, missing)) for item in bank.situational]
    lines = [
        f"item '{item}': '{text}' is a category of the bank but is said to mean missing"
        for item, book in books
        for text in book.codes
        if text in missing or text in ALWAYS_MISSING
    ]
    if lines:
        raise DataError("A code is either an answer or missing. Leave it out of missing=, or mend the bank.", lines)


def _statement_book(item: SelfReportItem, bank: ItemBank, missing: frozenset[str]) -> CodeBook:
    """Return the codes of a statement's response scale; its labels are known as well."""
    labels = bank.response_scales[item.responses]
    codes = item.codes or tuple(str(i + 1) for i in range(len(labels)))
    by_label = {canonical(label): i for i, label in enumerate(labels)}
    by_code = {canonical(code): i for i, code in enumerate(codes)}
    allowed = f"{', '.join(codes)} (or the labels '{labels[0]}' .. '{labels[-1]}')"
    return CodeBook({**by_label, **by_code}, len(labels), missing, allowed + _missing_note(missing))


def _situation_book(item: SituationalItem, missing: frozenset[str]) -> CodeBook:
    count = {"rate_each": RATINGS, "rank": len(item.options)}.get(item.format)
    codes = (item.codes or item.option_ids) if count is None else tuple(str(i + 1) for i in range(count))
    book = {canonical(code): i for i, code in enumerate(codes)}
    return CodeBook(book, len(codes), missing, ", ".join(codes) + _missing_note(missing))


def _missing_note(missing: frozenset[str]) -> str:
    return f", or {', '.join(sorted(missing))} or empty for missing" if missing else ""


def _decode_parts(sheet: Sheet, item: Item, book: CodeBook, problems: list[Problem]) -> CodeArray:
    """Return (N, m) codes of the parts of an item's answer, -1 missing; wrong cells are added to the problems."""
    parts = []
    for column in item.answer_columns.values():
        codes, wrong = decode(sheet.answers[column], book)
        parts.append(codes)
        problems += wrong
    return np.stack(parts, axis=1)


def _contradictions(sheet: Sheet, item: SituationalItem, codes: CodeArray) -> list[Problem]:
    """Name the persons who choose one option as most and least, or give one rank to two options."""
    if item.format == "most_least":
        bad, rule = (codes[:, 0] == codes[:, 1]) & (codes[:, 0] >= 0), "most and least must be two options"
    elif item.format == "rank":
        bad, rule = _tied_ranks(codes), "every rank may be given once"
    else:
        return []
    columns = list(item.answer_columns.values())
    rows = sheet.answers[columns[0]].rows
    names = ", ".join(f"'{column}'" for column in columns)
    texts = [sheet.answers[column].texts() for column in columns] if bad.any() else []
    return [
        (int(rows[i]), f"row {rows[i]}, columns {names}: found {', '.join(t[i] or 'empty' for t in texts)}; {rule}")
        for i in np.flatnonzero(bad)
    ]


def _tied_ranks(codes: CodeArray) -> BoolArray:
    ordered = np.sort(codes, axis=1)
    tied: BoolArray = np.any((np.diff(ordered, axis=1) == 0) & (ordered[:, 1:] >= 0), axis=1)
    return tied


def _seconds(
    sheet: Sheet, bank: ItemBank, absent: Sequence[str], missing: frozenset[str], problems: list[Problem]
) -> dict[str, FloatArray]:
    times = {}
    for item in bank.items:
        if item.id not in absent and item.seconds_column in sheet.answers:
            times[item.id], wrong = decode_times(sheet.answers[item.seconds_column], missing)
            problems += wrong
    return times

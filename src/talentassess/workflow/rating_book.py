"""The workbook one subject-matter expert fills in: effectiveness of options, relevance of items. Keys stay hidden."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from talentassess.bank.competency import CompetencyModel
from talentassess.bank.load import load_competencies
from talentassess.bank.records import choices
from talentassess.bank.schema import Item, ItemBank, Option, SelfReportItem, SituationalItem
from talentassess.core.errors import ContentError
from talentassess.core.files import write_whole
from talentassess.core.version import VERSION
from talentassess.panel.ratings import ANCHORS, EFFECTIVENESS, RELEVANCE, RELEVANCE_ANCHORS
from talentassess.workflow import rating_cells as cells

_OPTIONS = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
# What a protected sheet still allows: looking at long text is not changing it.
_ALLOWED = {"format_rows": True, "format_columns": True, "select_locked_cells": True, "select_unlocked_cells": True}
CONTEXTS = {"general": "Any customer service role", "corner_store": "Corner store", "call_centre": "Busy call centre"}
WIDE = {"A": 6, "B": 90}
LINE = 88.0  # characters of a line in column B, by which row heights are set: spreadsheets do not measure locked rows


@dataclass(frozen=True)
class _Styles:
    title: Format
    text: Format
    head: Format
    scenario: Format
    label: Format
    entry: Format
    words: Format


def rating_workbook(
    bank: ItemBank,
    path: str | Path,
    *,
    expert: str = "",
    items: Sequence[str] | None = None,
    competencies: CompetencyModel | None = None,
    seed: int = 1,
) -> Path:
    """Write the workbook in which one subject-matter expert rates items.

    A sheet of instructions; a sheet with the scenarios and their options, to be rated from 1 (harmful) to 5 (best); a
    sheet with every scenario and statement beside the definition of its competency, to be rated from 1 (not relevant)
    to 4 (highly relevant) and as essential or not; a cell for a comment in each row. Options stand in an order of their
    own for every expert, and nothing shows the key. Only cells to fill in can be changed; hidden ids and hashes
    tie the ratings to the bank and the wording that was rated. Read it back with ``read_expert_ratings``.

    Parameters
    ----------
    bank : the bank to be rated.
    path : file to write, .xlsx.
    expert : name, if known; the expert can write it in. A name with SIMULATED in it marks the ratings as simulated.
    items : ids of the items to be rated; all but the retired ones if left out.
    competencies : definitions of the competencies; the shipped model if left out.
    seed : with the expert's name, decides the order of the options.

    Raises
    ------
    ContentError : another suffix, no item, an unknown item, or items whose wording is not there.

    Examples
    --------
    >>> import tempfile
    >>> from talentassess.bank.load import load_bank
    >>> with tempfile.TemporaryDirectory() as place:
    ...     rating_workbook(load_bank("service_core"), Path(place) / "ann.xlsx", expert="Ann").name
    'ann.xlsx'
    """
    target = Path(path)
    if target.suffix.lower() != ".xlsx":
        raise ContentError(f"'{target.name}' is not a workbook; give a name that ends in .xlsx.")
    chosen = _chosen(bank, items)
    model = competencies or load_competencies()
    rng = np.random.default_rng([seed, zlib.crc32(expert.encode())])
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, _OPTIONS) as book:
        book.set_properties({"title": f"Ratings of {bank.title} {bank.version}", "comments": f"talentassess {VERSION}"})
        styles = _styles(book)
        situational = [item for item in chosen if isinstance(item, SituationalItem)]
        front = book.add_worksheet(cells.INSTRUCTIONS)
        if situational:
            _write_options(book.add_worksheet(cells.EFFECTIVENESS_SHEET), situational, styles, rng)
        _write_relevance(book.add_worksheet(cells.RELEVANCE_SHEET), chosen, bank, model, styles)
        _write_front(front, bank, expert, len(chosen), situational, styles)
        _write_hidden(book.add_worksheet(cells.HIDDEN), bank, chosen, seed)
    return write_whole(target, buffer.getvalue())


def _chosen(bank: ItemBank, items: Sequence[str] | None) -> list[Item]:
    """Return the items to be rated in the bank's order; all have wording."""
    wanted = [item.id for item in bank.items if item.status != "retired"] if items is None else list(items)
    unknown = [
        f"'{name}': {choices(name, bank.item_ids)}" for name in dict.fromkeys(wanted) if name not in bank.item_ids
    ]
    if unknown or not wanted:
        raise ContentError(f"The items to be rated cannot be taken from the bank '{bank.id}'.", unknown or ["no item"])
    chosen = [item for item in bank.items if item.id in set(wanted)]
    silent = [f"item '{item.id}' (status {item.status})" for item in chosen if None in _texts(item)]
    if silent:
        raise ContentError(
            f"{len(silent)} item(s) have no wording in the bank '{bank.id}', so nobody can rate them. Name the others "
            "with items=.",
            silent,
        )
    return chosen


def _texts(item: Item) -> list[str | None]:
    if isinstance(item, SelfReportItem):
        return [item.text]
    return [item.scenario, *(option.text for option in item.options)]


def _styles(book: Workbook) -> _Styles:
    base = {"font_name": "Calibri", "font_size": 11, "valign": "top", "text_wrap": True}
    entry = base | {"locked": False, "bg_color": "#fff7dc", "border": 1, "border_color": "#c9b678"}
    return _Styles(
        title=book.add_format(base | {"bold": True, "font_size": 16, "text_wrap": False}),
        text=book.add_format(base),
        head=book.add_format(base | {"bold": True, "bottom": 1, "valign": "bottom"}),
        scenario=book.add_format(base | {"bold": True, "bg_color": "#e3e8ee", "top": 1}),
        label=book.add_format(base | {"bold": True}),
        entry=book.add_format(entry | {"align": "center"}),
        words=book.add_format(entry),
    )


def _prepare(sheet: Worksheet, widths: Mapping[str, float], head: Sequence[str], hidden: str, styles: _Styles) -> None:
    for letter, width in widths.items():
        sheet.set_column(f"{letter}:{letter}", width, styles.text)
    sheet.set_column(hidden, 10, styles.text, {"hidden": True})
    for column, name in enumerate(head):
        sheet.write_string(0, column, name, styles.head)
    sheet.freeze_panes(1, 0)
    sheet.repeat_rows(0)
    sheet.hide_gridlines(2)
    sheet.set_paper(9)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.protect("", _ALLOWED)


def _write_options(
    sheet: Worksheet, items: Sequence[SituationalItem], styles: _Styles, rng: np.random.Generator
) -> None:
    head = ("No.", "Situation and what one could do", "Effective-ness, 1 to 5", "Comment", "item", "option")
    hidden = f"{cells.OPTION_ITEM}:{cells.OPTION_ID}"
    _prepare(sheet, WIDE | {cells.EFFECTIVENESS_COLUMN: 14, cells.OPTION_COMMENT: 40}, head, hidden, styles)
    row = cells.FIRST_ROW
    for number, item in enumerate(items, 1):
        _row_height(sheet, row, f"{CONTEXTS[item.context]}: {item.scenario}", bold=True)
        sheet.write_number(f"{cells.NUMBER}{row}", number, styles.scenario)
        sheet.write_string(f"{cells.TEXT}{row}", f"{CONTEXTS[item.context]}: {item.scenario}", styles.scenario)
        for letter in (cells.EFFECTIVENESS_COLUMN, cells.OPTION_COMMENT):
            sheet.write_blank(f"{letter}{row}", None, styles.scenario)
        for option in _shuffled(item, rng):
            row += 1
            _write_option(sheet, row, item, option, styles)
        row += 1
    _validate(sheet, cells.EFFECTIVENESS_COLUMN, row - 1, EFFECTIVENESS, "1 harmful ... 5 best")


def _shuffled(item: SituationalItem, rng: np.random.Generator) -> Iterator[Option]:
    for position in rng.permutation(len(item.options)):
        yield item.options[int(position)]


def _write_option(sheet: Worksheet, row: int, item: SituationalItem, option: Option, styles: _Styles) -> None:
    _row_height(sheet, row, str(option.text))
    sheet.write_string(f"{cells.TEXT}{row}", str(option.text), styles.text)
    sheet.write_blank(f"{cells.EFFECTIVENESS_COLUMN}{row}", None, styles.entry)
    sheet.write_blank(f"{cells.OPTION_COMMENT}{row}", None, styles.words)
    sheet.write_string(f"{cells.OPTION_ITEM}{row}", item.id, styles.text)
    sheet.write_string(f"{cells.OPTION_ID}{row}", option.id, styles.text)


def _row_height(sheet: Worksheet, row: int, text: str, *, bold: bool = False, least: int = 1) -> None:
    lines = max(least, int(np.ceil(len(text) * (1.1 if bold else 1.0) / LINE)))
    sheet.set_row(row - 1, 15.0 * lines + 3)


def _validate(sheet: Worksheet, letter: str, last: int, allowed: Sequence[object], title: str) -> None:
    shown = ", ".join(map(str, allowed))
    rule = {
        "validate": "list",
        "source": list(allowed),
        "input_title": title,
        "input_message": f"Choose {shown}.",
        "error_title": "Not on the scale",
        "error_message": f"Allowed: {shown}. Leave the cell empty if you cannot say.",
    }
    sheet.data_validation(f"{letter}{cells.FIRST_ROW}:{letter}{last}", rule)


def _write_relevance(
    sheet: Worksheet, items: Sequence[Item], bank: ItemBank, model: CompetencyModel, styles: _Styles
) -> None:
    head = ("No.", "Situation or statement", "Competency", "Relevance, 1 to 4", "Essential? y / n", "Comment", "item")
    widths = WIDE | {cells.COMPETENCY: 60, cells.RELEVANCE_COLUMN: 12, cells.ESSENTIAL_COLUMN: 12}
    hidden = f"{cells.ITEM_ID}:{cells.ITEM_ID}"
    _prepare(sheet, widths | {cells.ITEM_COMMENT: 40}, head, hidden, styles)
    for row, item in enumerate(items, cells.FIRST_ROW):
        meaning = competency_text(bank, item.scale, model)
        text = str(_texts(item)[0])
        _row_height(sheet, row, text, least=int(np.ceil(len(meaning) / 58)))
        sheet.write_number(f"{cells.NUMBER}{row}", row - cells.FIRST_ROW + 1, styles.text)
        sheet.write_string(f"{cells.TEXT}{row}", text, styles.text)
        sheet.write_string(f"{cells.COMPETENCY}{row}", meaning, styles.text)
        sheet.write_blank(f"{cells.RELEVANCE_COLUMN}{row}", None, styles.entry)
        sheet.write_blank(f"{cells.ESSENTIAL_COLUMN}{row}", None, styles.entry)
        sheet.write_blank(f"{cells.ITEM_COMMENT}{row}", None, styles.words)
        sheet.write_string(f"{cells.ITEM_ID}{row}", item.id, styles.text)
    last = cells.FIRST_ROW + len(items) - 1
    _validate(sheet, cells.RELEVANCE_COLUMN, last, RELEVANCE, "1 not ... 4 highly relevant")
    _validate(sheet, cells.ESSENTIAL_COLUMN, last, ("y", "n"), "Essential?")


def competency_text(bank: ItemBank, scale: str, model: CompetencyModel) -> str:
    """Return the name of a scale's competency and its definition, as far as there is one."""
    found = next(entry for entry in bank.scales if entry.id == scale)
    if found.competency is None or found.competency not in model.ids:
        return found.name
    return f"{found.name}: {model.competency(found.competency).definition}"


def _write_front(
    sheet: Worksheet, bank: ItemBank, expert: str, n_items: int, situational: Sequence[SituationalItem], styles: _Styles
) -> None:
    sheet.set_column("A:A", 22, styles.text)
    sheet.set_column("B:B", 100, styles.text)
    sheet.hide_gridlines(2)
    sheet.write_string("A1", f"{bank.title}: expert ratings", styles.title)
    sheet.write_string("A2", f"Bank {bank.id} {bank.version}", styles.text)
    sheet.write_string("A4", "Your name", styles.label)
    sheet.write_string(cells.EXPERT_CELL, expert, styles.words)
    sheet.write_string("A5", "Date (YYYY-MM-DD)", styles.label)
    sheet.write_blank(cells.DATE_CELL, None, styles.words)
    row = 6
    for label, text in _instructions(n_items, situational):
        row += 1
        sheet.write_string(f"A{row}", label, styles.label)
        sheet.write_string(f"B{row}", text, styles.text)
        sheet.set_row(row - 1, 15.0 * int(np.ceil(max(len(text), 1) / 100)) + 3)
    for label, formula in _counters(n_items, situational):
        row += 1
        sheet.write_string(f"A{row}", label, styles.label)
        sheet.write_formula(f"B{row}", formula, styles.text, "")
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.protect("", _ALLOWED)
    sheet.activate()


def _instructions(n_items: int, situational: Sequence[SituationalItem]) -> Iterator[tuple[str, str]]:
    yield (
        "What this is",
        "You know the work these items are about. Please judge by yourself, without talking to the other experts: "
        "where you differ, the item will be talked over. Fill in the yellow cells only; leave a cell empty if you "
        "cannot say, and write down why.",
    )
    if situational:
        yield (
            f"Sheet {cells.EFFECTIVENESS_SHEET}",
            f"{len(situational)} situations, each with several things one could do. Rate every one of them by itself: "
            "how well does it serve customer, colleagues and employer in this situation? Several may get the same "
            "rating. They stand in random order.",
        )
        for value, words in ANCHORS.items():
            yield f"   {value}", words
    yield (
        f"Sheet {cells.RELEVANCE_SHEET}",
        f"{n_items} situations and statements, each beside the competency it is meant for. How relevant is it to this "
        "competency as defined there, be it that it speaks for the competency or against it? Not: how "
        "well is it written, or how good does it look.",
    )
    for value, words in RELEVANCE_ANCHORS.items():
        yield f"   {value}", words
    yield (
        "   Essential? y / n",
        "y: one cannot be good at this competency without what the item is about. n: useful, or not necessary.",
    )
    yield (
        "Comments",
        "Unclear wording, a missing option, something your work place does otherwise: please write it down.",
    )


def _counters(n_items: int, situational: Sequence[SituationalItem]) -> Iterator[tuple[str, str]]:
    """Yield formulas that show the expert what is still open."""
    options = sum(len(item.options) for item in situational)
    relevance = f"COUNT({cells.RELEVANCE_SHEET}!{cells.RELEVANCE_COLUMN}{cells.FIRST_ROW}:{cells.RELEVANCE_COLUMN}9999)"
    essential = (
        f"COUNTA({cells.RELEVANCE_SHEET}!{cells.ESSENTIAL_COLUMN}{cells.FIRST_ROW}:{cells.ESSENTIAL_COLUMN}9999)"
    )
    if situational:
        letter = cells.EFFECTIVENESS_COLUMN
        count = f"COUNT({cells.EFFECTIVENESS_SHEET}!{letter}{cells.FIRST_ROW}:{letter}9999)"
        yield "Effectiveness rated", f'={count}&" of {options}"'
    yield "Relevance rated", f'={relevance}&" of {n_items}"'
    yield "Essential answered", f'={essential}&" of {n_items}"'


def _write_hidden(sheet: Worksheet, bank: ItemBank, items: Sequence[Item], seed: int) -> None:
    """Write what ties the workbook to the bank; read before any rating."""
    rows = {
        "schema": cells.SCHEMA,
        "bank": bank.id,
        "version": bank.version,
        "content_hash": bank.content_hash,
        "items": str(len(items)),
        "options": str(sum(len(item.options) for item in items if isinstance(item, SituationalItem))),
        "seed": str(seed),
        **{f"{cells.SHOWN}{item.id}": cells.shown_hash(item) for item in items},
    }
    for row, (name, value) in enumerate(rows.items()):
        sheet.write_string(row, 0, name)
        sheet.write_string(row, 1, value)
    sheet.protect("", {})
    sheet.very_hidden()

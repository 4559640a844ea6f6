"""A report as a workbook: a cover, then a sheet per table with its caption, number formats and notes."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from talentassess.core.errors import ReportError
from talentassess.core.version import VERSION
from talentassess.render.blocks import TableBlock
from talentassess.render.cells import Cell, excel_format, format_cell
from talentassess.render.doc import ReportDoc
from talentassess.render.layout import column_widths, row_headed

NAME_LIMIT, WIDEST = 31, 60.0
LONGEST_TEXT, MOST_ROWS = 32_767, 1_048_576  # what the workbook format can hold; beyond it cells would be lost
RISKY = ("=", "+", "-", "@")
COVER = "Report"
_FORBIDDEN = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
_OPTIONS = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}


@dataclass(frozen=True)
class Sheet:
    """A table, its label in the report and the name of its sheet."""

    name: str
    label: str
    table: TableBlock


@dataclass(frozen=True)
class Styles:
    """The cell formats of one workbook."""

    title: Format
    plain: Format
    wrapped: Format
    soft: Format
    head: Format
    head_number: Format
    mark: Format
    link: Format


def render_xlsx(doc: ReportDoc) -> bytes:
    """Return the report as the bytes of an XLSX workbook; text is always written as text, never as a formula."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, _OPTIONS) as book:
        book.set_properties({"title": doc.title, "subject": doc.subtitle, "comments": f"talentassess {VERSION}"})
        styles = _styles(book)
        sheets = _sheets(doc)
        _write_cover(_new_sheet(book, COVER, doc, styles), doc, sheets, styles)
        for sheet in sheets:
            _write_table(book, _new_sheet(book, sheet.name, doc, styles), sheet, doc.simulated, styles)
    return buffer.getvalue()


def _styles(book: Workbook) -> Styles:
    base = {"font_name": "Calibri", "font_size": 11, "valign": "top"}
    head = base | {"bold": True, "bottom": 1, "text_wrap": True, "valign": "bottom"}
    return Styles(
        title=book.add_format(base | {"bold": True, "font_size": 16}),
        plain=book.add_format(base),
        wrapped=book.add_format(base | {"text_wrap": True}),
        soft=book.add_format(base | {"font_color": "#4c5a6a"}),
        head=book.add_format(head),
        head_number=book.add_format(head | {"align": "right"}),
        mark=book.add_format(base | {"bold": True, "font_color": "#ffffff", "bg_color": "#8a1c5b"}),
        link=book.add_format(base | {"font_color": "#0b5a83", "underline": 1}),
    )


def _sheets(doc: ReportDoc) -> tuple[Sheet, ...]:
    labels, used, found = doc.labels(), {COVER.casefold()}, list[Sheet]()
    tables = [(labels[table.anchor], table) for table in doc.tables]
    behind = [(labels[figure.anchor], figure.data_table) for figure in doc.figures]
    for label, table in (*tables, *behind):
        if table is not None:
            name = sheet_name(f"{label[0]}{label.split()[-1]} {table.caption}", used)
            used.add(name.casefold())
            found.append(Sheet(name, label, table))
    return tuple(found)


def sheet_name(wish: str, used: set[str]) -> str:
    """Return a sheet name that workbooks accept: 31 characters, no brackets or slashes, not yet used.

    Parameters
    ----------
    wish : the name one would like.
    used : names that are taken, casefolded.

    Examples
    --------
    >>> sheet_name("T1 Items: slope/threshold", set())
    'T1 Items slope threshold'
    """
    clean = " ".join(_FORBIDDEN.sub(" ", wish).split()).strip("' ") or "Sheet"
    number, name = 1, clean[:NAME_LIMIT].rstrip("' ")
    while name.casefold() in used or name.casefold() == "history":  # History is reserved by Excel
        number += 1
        tail = f" ({number})"
        name = clean[: NAME_LIMIT - len(tail)].rstrip("' ") + tail
    return name


def _new_sheet(book: Workbook, name: str, doc: ReportDoc, styles: Styles) -> Worksheet:
    sheet = book.add_worksheet(name)
    sheet.hide_gridlines(2)
    sheet.set_paper(9)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    mark = "SIMULATED" if doc.simulated else ""
    sheet.set_header(f"&L&A&C&B{mark}")
    sheet.set_footer(f"&L&B{mark}&R&P / &N")
    if doc.simulated:
        sheet.write_string(0, 0, "SIMULATED: these are not answers of real people.", styles.mark)
    return sheet


def _write_cover(sheet: Worksheet, doc: ReportDoc, sheets: tuple[Sheet, ...], styles: Styles) -> None:
    sheet.set_column(0, 0, 16, styles.plain)
    sheet.set_column(1, 1, 30, styles.plain)
    sheet.set_column(2, 2, 90, styles.plain)
    for row, (texts, style) in enumerate(_cover_lines(doc, styles), 1 if doc.simulated else 0):
        for column, text in enumerate(texts):
            _write_text(sheet, row, column, text, style)
    row = sheet.dim_rowmax + 2
    for column, text in enumerate(("Sheet", "Rows", "What it holds")):
        sheet.write_string(row, column, text, styles.head)
    for row_below, entry in enumerate(sheets, row + 1):
        sheet.write_url(
            row_below, 0, f"internal:'{entry.name.replace(chr(39), chr(39) * 2)}'!A1", styles.link, entry.label
        )
        sheet.write_number(row_below, 1, entry.table.n_rows, styles.plain)
        _write_text(sheet, row_below, 2, entry.table.caption, styles.plain)


def _cover_lines(doc: ReportDoc, styles: Styles) -> Iterator[tuple[tuple[str, ...], Format]]:
    yield (doc.title,), styles.title
    yield (doc.subtitle,), styles.soft
    for line in doc.provenance:
        yield ("Source", "", line), styles.wrapped
    for line in doc.attributions:
        yield ("Attribution", "", line), styles.wrapped
    if doc.claims:
        yield (), styles.plain
        yield ("What the data say", "Rests on", "Claim and caveat"), styles.head
        labels = doc.labels()
        for number, claim in enumerate(doc.claims, 1):
            yield (str(number), labels[claim.rests_on], f"{claim.sentence} {claim.caveat}"), styles.wrapped
    if doc.findings:
        yield (), styles.plain
        yield ("Finding", "Where", "What was found, and what to do"), styles.head
        for found in doc.findings:
            yield (found.severity.value, found.where, f"{found.message} {found.remedy}"), styles.wrapped


def _write_table(book: Workbook, sheet: Worksheet, entry: Sheet, simulated: bool, styles: Styles) -> None:
    table, top = entry.table, 1 if simulated else 0
    _write_text(sheet, top, 0, f"{entry.label}. {table.caption}", styles.title)
    head = top + 1
    measured = column_widths(table) | dict(table.widths)
    for column, name in enumerate(table.columns):
        style = {"num_format": excel_format(_pattern(table, name)), "valign": "top", "text_wrap": measured[name] > 30}
        sheet.set_column(column, column, min(measured[name] + 1, WIDEST))
        sheet.write_string(head, column, name, styles.head_number if table.numeric(name) else styles.head)
        _write_column(book, sheet, (head + 1, column), table.cells[name], style)
    sheet.freeze_panes(head + 1, 1 if row_headed(table) else 0)
    sheet.repeat_rows(0, head)
    if table.n_rows:
        sheet.autofilter(head, 0, head + table.n_rows, len(table.columns) - 1)
    for row, note in enumerate(table.notes, head + table.n_rows + 2):
        _write_text(sheet, row, 0, note, styles.soft)


def _pattern(table: TableBlock, name: str) -> str:
    decimals = any(isinstance(cell, float) for cell in table.cells[name])
    return table.formats.get(name, "") or ("0.00" if decimals else "0")


def _write_column(
    book: Workbook, sheet: Worksheet, start: tuple[int, int], cells: tuple[Cell, ...], style: Mapping[str, object]
) -> None:
    top, column = start
    plain = book.add_format(dict(style))
    # the quote prefix keeps text such as "=1+1" text even after somebody has edited the cell
    quoted = book.add_format({**style, "quote_prefix": True})
    for row, cell in enumerate(cells, top):
        if cell is None:
            sheet.write_blank(row, column, None, plain)
        elif isinstance(cell, int | float) and not isinstance(cell, bool) and math.isfinite(cell):
            sheet.write_number(row, column, cell, plain)
        else:
            text = format_cell(cell)
            _write_text(sheet, row, column, text, quoted if text.startswith(RISKY) else plain)


def _write_text(sheet: Worksheet, row: int, column: int, text: str, style: Format) -> None:
    if len(text) > LONGEST_TEXT or row >= MOST_ROWS:
        limit = f"{LONGEST_TEXT:,} characters in a cell" if len(text) > LONGEST_TEXT else f"{MOST_ROWS:,} rows"
        raise ReportError(f"A workbook holds at most {limit}; row {row + 1:,} has more. Save the report as .json.")
    sheet.write_string(row, column, text, style)

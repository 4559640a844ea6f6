"""A rating form as workbook: a sheet per candidate, a row per question; only allowed values can be typed in."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from talentassess.core.version import VERSION
from talentassess.interview import InterviewGuide, PlannedQuestion
from talentassess.render.xlsx import sheet_name

SCHEMA = "talentassess/rating_form/1"
STAR_LEVELS = ("missing", "partial", "complete")
TICK = "x"
# Rows and columns, counted from 0. Row KEYS and columns A, B are hidden; they say what a cell is about when it is read.
TITLE, CANDIDATE, RATER, DATE, KEYS, HEAD, FIRST = 0, 1, 2, 3, 4, 5, 6
VALUE = 4  # column of candidate, rater and date
_OPTIONS = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}


def render_form_xlsx(guide: InterviewGuide, candidates: Sequence[str], rater: str) -> bytes:
    """Return one rater's forms, a sheet per candidate, as the bytes of an XLSX workbook.

    Only input cells can be changed (the sheets are protected without a password): ratings are whole numbers 1 to 5,
    STAR parts missing, partial or complete, faults an x.
    """
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, _OPTIONS) as book:
        book.set_properties({"title": f"Rating form: {guide.role}", "comments": f"talentassess {VERSION}"})
        styles = _styles(book)
        used = {"help"}
        for candidate in candidates:
            name = sheet_name(candidate or "Candidate", used)
            used.add(name.casefold())
            _write_form(book.add_worksheet(name), guide, candidate, rater, styles)
        _write_help(book.add_worksheet("Help"), guide, styles)
    return buffer.getvalue()


def _styles(book: Workbook) -> Mapping[str, Format]:
    base = {"font_name": "Calibri", "font_size": 10, "valign": "top", "text_wrap": True}
    entry = base | {"locked": False, "bg_color": "#fff8e1", "border": 1, "border_color": "#b9c1cb"}
    return {
        "title": book.add_format({"font_name": "Calibri", "font_size": 16, "bold": True}),
        "head": book.add_format(base | {"bold": True, "bottom": 1, "valign": "bottom"}),
        "plain": book.add_format(base | {"bottom": 1, "bottom_color": "#d9dee5"}),
        "bold": book.add_format(base | {"bold": True, "bottom": 1, "bottom_color": "#d9dee5"}),
        "soft": book.add_format({"font_name": "Calibri", "font_size": 10, "font_color": "#4c5a6a"}),
        "entry": book.add_format(entry),
        "centred": book.add_format(entry | {"align": "center"}),
        "rating": book.add_format(entry | {"align": "center", "bold": True, "font_size": 14}),
    }


def _columns(guide: InterviewGuide) -> list[tuple[str, str, float]]:
    """Return (key, heading, width) of every column."""
    anchors = [(f"anchor:{level}", f"{level} {guide.rating[level - 1]}", 27.0) for level in (1, 3, 5)]
    return [
        ("question", "", 4.0),
        ("competency", "", 4.0),
        ("number", "No.", 4.5),
        ("name", "Competency", 17.0),
        ("text", "Question", 38.0),
        *anchors,
        ("rating", "Rating 1-5", 8.0),
        *((f"star:{s.part}", s.name, 10.0) for s in guide.star),
        *((f"fault:{f.id}", f.name, 10.0) for f in guide.faults),
        ("notes", "What was said and done", 60.0),
    ]


def _write_form(
    sheet: Worksheet, guide: InterviewGuide, candidate: str, rater: str, styles: Mapping[str, Format]
) -> None:
    columns = _columns(guide)
    sheet.hide_gridlines(2)
    sheet.set_paper(9)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.set_footer(f"&L&A&CGuide {guide.guide_id}&R&P / &N")
    sheet.write_string(TITLE, 0, SCHEMA)
    sheet.write_string(CANDIDATE, 0, guide.guide_id)
    sheet.write_string(TITLE, 2, f"Rating form: {guide.role}, {guide.context.replace('_', ' ')}", styles["title"])
    for row, name, value in ((CANDIDATE, "Candidate", candidate), (RATER, "Rater", rater), (DATE, "Date", "")):
        sheet.write_string(row, VALUE - 1, name, styles["bold"])
        sheet.write_string(row, VALUE, value, styles["entry"]) if value else sheet.write_blank(
            row, VALUE, None, styles["entry"]
        )
    hint = "Rate each answer before you talk with anyone. Leave a rating empty if the question was not asked."
    sheet.write_string(CANDIDATE, VALUE + 1, hint, styles["soft"])
    for column, (key, heading, width) in enumerate(columns):
        sheet.set_column(column, column, width, None, {"hidden": column < 2})
        sheet.write_string(KEYS, column, key)
        sheet.write_string(HEAD, column, heading, styles["head"])
    sheet.set_row(KEYS, None, None, {"hidden": True})
    for row, planned in enumerate(guide.questions, FIRST):
        _write_question(sheet, row, planned, [key for key, _, _ in columns], styles)
    _validate(sheet, [key for key, _, _ in columns], FIRST + len(guide.questions) - 1)
    sheet.freeze_panes(FIRST, VALUE + 1)
    sheet.repeat_rows(HEAD)
    sheet.protect("", {"format_columns": True, "format_rows": True})


def _write_question(
    sheet: Worksheet, row: int, planned: PlannedQuestion, keys: Sequence[str], styles: Mapping[str, Format]
) -> None:
    texts = {
        "question": planned.question.id,
        "competency": planned.competency,
        "number": str(planned.number),
        "name": planned.name,
        "text": planned.question.text,
        **{f"anchor:{level}": "\n".join(lines) for level, lines in planned.anchors.levels.items()},
    }
    for column, key in enumerate(keys):
        if key in texts:
            sheet.write_string(row, column, texts[key], styles["bold" if key == "name" else "plain"])
        else:
            style = "rating" if key == "rating" else "entry" if key == "notes" else "centred"
            sheet.write_blank(row, column, None, styles[style])
    # rows do not grow by themselves where cells are written by a program: some 24 characters fit on a line of an anchor
    room = {"text": 34, **{key: 24 for key in texts if key.startswith("anchor:")}}
    lines = max(sum(len(line) // width + 1 for line in texts[key].split("\n")) for key, width in room.items())
    sheet.set_row(row, max(60, 13.5 * lines))


def _validate(sheet: Worksheet, keys: Sequence[str], last: int) -> None:
    for column, key in enumerate(keys):
        if key == "rating":
            rule: dict[str, object] = {
                "validate": "integer",
                "criteria": "between",
                "minimum": 1,
                "maximum": 5,
                "error_title": "Rating",
                "error_message": "A whole number from 1 to 5, or empty if the question was not asked.",
            }
        elif key.startswith("star:"):
            rule = {"validate": "list", "source": list(STAR_LEVELS), "error_message": "missing, partial or complete."}
        elif key.startswith("fault:"):
            rule = {"validate": "list", "source": [TICK], "error_message": "An x if the answer has this fault."}
        else:
            continue
        sheet.data_validation(FIRST, column, last, column, rule)


def _write_help(sheet: Worksheet, guide: InterviewGuide, styles: Mapping[str, Format]) -> None:
    sheet.hide_gridlines(2)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    for column, width in enumerate((24, 44, 44, 44)):
        sheet.set_column(column, column, width)
    rows: list[tuple[str, ...]] = [
        ("Rating", *(f"{k} {label}" for k, label in enumerate(guide.rating, 1) if k in (1, 3, 5))),
        ("STAR part", *STAR_LEVELS),
        *((s.name, s.missing, s.partial, s.complete) for s in guide.star),
        ("Fault", "How it shows", "What to do"),
        *((f.name, f.description, f.hint) for f in guide.faults),
    ]
    sheet.write_string(0, 0, "Help", styles["title"])
    for row, texts in enumerate(rows, 2):
        heading = texts[0] in ("Rating", "STAR part", "Fault")
        for column, text in enumerate(texts):
            sheet.write_string(row, column, text, styles["head" if heading else "plain"])

"""Read the workbooks that experts filled in; every bad cell is named with file, sheet and cell."""

from __future__ import annotations

import os
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from xml.etree.ElementTree import ParseError

from talentassess.bank.cells import canonical
from talentassess.bank.schema import ItemBank
from talentassess.core.errors import DataError
from talentassess.panel.forms import SIMULATED, ExpertForm, combine_forms, option_pairs
from talentassess.panel.long_table import YES_NO, read_rating_table
from talentassess.panel.ratings import EFFECTIVENESS, RELEVANCE, ExpertComment, ExpertRatings
from talentassess.workflow import rating_cells as cells

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

    from talentassess.bank.table_files import TableSource

KeyT = TypeVar("KeyT")
NAMED = 8  # items in a message; more are counted
_DATE = re.compile(r"\d{4}(-\d{2}){0,2}")


@dataclass(eq=False, slots=True)
class _Reading:
    """What has been read of one workbook so far, and what is wrong in it."""

    name: str
    expert: str = ""
    collected: str = ""
    items: list[str] = field(default_factory=list)
    options: list[tuple[str, str]] = field(default_factory=list)
    effectiveness: dict[tuple[str, str], float] = field(default_factory=dict)
    relevance: dict[str, float] = field(default_factory=dict)
    essential: dict[str, float] = field(default_factory=dict)
    comments: list[tuple[str, str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def blame(self, sheet: str, cell: str, what: str) -> None:
        """Note a bad cell."""
        self.problems.append(f"{self.name}, sheet {sheet}, cell {cell}: {what}")


def read_expert_ratings(
    files: Sequence[str | Path] | TableSource, bank: ItemBank, *, collected: str | None = None
) -> ExpertRatings:
    """Read what subject-matter experts filled in: their workbooks, or one long table of ratings.

    Unfinished workbooks are read as far as they go, and a finding names them. Nothing is read if a cell is wrong.

    Parameters
    ----------
    files : workbooks made by ``rating_workbook``, one per expert; or one table (.csv, .tsv, .xlsx, .parquet, .sav, or
        in memory) with the columns expert, item, option, effectiveness, relevance, essential, comment (a row per option
        with its effectiveness, a row per item with relevance and essential).
    bank : the bank that was rated.
    collected : date of the ratings, YYYY, YYYY-MM or YYYY-MM-DD; the latest one of the workbooks if left out.

    Raises
    ------
    DataError : no file, a file that is no rating workbook or whose items have another wording in this bank, bad cells
        (file, sheet and cell each), a workbook without the expert's name, an expert twice.

    Examples
    --------
    >>> import tempfile
    >>> from talentassess.bank.load import load_bank
    >>> from talentassess.workflow.rating_book import rating_workbook
    >>> bank = load_bank("service_core")
    >>> with tempfile.TemporaryDirectory() as place:
    ...     ratings = read_expert_ratings([rating_workbook(bank, Path(place) / "a.xlsx", expert="Ann")], bank)
    >>> ratings.findings[0].code
    'empty_form'
    """
    if collected is not None and not _is_date(collected):
        raise DataError(f"collected is '{collected}'; write a date as YYYY-MM-DD, YYYY-MM or YYYY.")
    if not isinstance(files, list | tuple):
        single = isinstance(files, str | os.PathLike) and _has_hidden_sheet(Path(files))
        if not single:
            return read_rating_table(files, bank, collected=collected)  # type: ignore[arg-type]
        files = [str(files)]
    paths = [Path(file) for file in files]
    if len(paths) == 1 and paths[0].suffix.lower() != ".xlsx":
        return read_rating_table(paths[0], bank, collected=collected)
    read = [_read_workbook(path, bank) for path in paths]
    problems = [line for one in read for line in one.problems]
    if problems:
        raise DataError(f"{len(problems)} problem(s) in the experts' workbooks; nothing was read.", problems)
    source = f"{len(paths)} rating workbook(s)"
    return combine_forms([_form(one) for one in read], bank, source=source, collected=collected)


def _has_hidden_sheet(path: Path) -> bool:
    if path.suffix.lower() != ".xlsx" or not path.is_file():
        return False
    return cells.HIDDEN in _sheets(path)


def _sheets(path: Path) -> Mapping[str, Worksheet]:
    """Return the sheets of a workbook by name; what is no workbook raises ``DataError``."""
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    if path.suffix.lower() != ".xlsx":
        raise DataError(f"'{path.name}' is not a workbook (.xlsx). Give workbooks only, or a single long table.")
    if not path.is_file():
        raise DataError(
            f"There is no file '{path.name}' in '{path.parent.name or '.'}'. Check the name and the folder."
        )
    try:
        with warnings.catch_warnings():
            # openpyxl warns of formats and validations it does not keep; only values are read here.
            warnings.filterwarnings("ignore", module="openpyxl")
            book = load_workbook(path, data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, ParseError, KeyError, ValueError, IndexError) as error:
        raise DataError(
            f"'{path.name}' cannot be read as an Excel workbook ({type(error).__name__}: {error}). It may be damaged "
            "or protected by a password. Ask the expert to send it again."
        ) from error
    return {sheet.title: sheet for sheet in book.worksheets}


def _read_workbook(path: Path, bank: ItemBank) -> _Reading:
    sheets = _sheets(path)
    reading = _Reading(path.name)
    if not _belongs(sheets, reading, bank):
        return reading
    front = sheets[cells.INSTRUCTIONS]
    reading.expert = " ".join(str(front[cells.EXPERT_CELL].value or "").split())
    if not reading.expert:
        reading.blame(cells.INSTRUCTIONS, cells.EXPERT_CELL, "empty; the expert's name must stand here")
    _read_date(front, reading)
    if cells.EFFECTIVENESS_SHEET in sheets:
        _read_options(sheets[cells.EFFECTIVENESS_SHEET], reading, set(option_pairs(bank)))
    _read_relevance(sheets[cells.RELEVANCE_SHEET], reading, set(bank.item_ids))
    _check_rows(sheets, reading)
    return reading


def _check_rows(sheets: Mapping[str, Worksheet], reading: _Reading) -> None:
    """Note rows that were made and are gone."""
    hidden = _hidden(sheets)
    for name, found in {"items": len(reading.items), "options": len(reading.options)}.items():
        if hidden.get(name) != str(found) and not reading.problems:
            reading.problems.append(
                f"{reading.name}: {found} {name} are left of {hidden.get(name)}; rows were deleted, export it again"
            )


def _hidden(sheets: Mapping[str, Worksheet]) -> dict[str, str]:
    return {str(name.value): str(value.value) for name, value in sheets[cells.HIDDEN].iter_rows(max_col=2)}


def _belongs(sheets: Mapping[str, Worksheet], reading: _Reading, bank: ItemBank) -> bool:
    """Tell whether a workbook was made for this bank with this wording; note why not."""
    needed = (cells.HIDDEN, cells.INSTRUCTIONS, cells.RELEVANCE_SHEET)
    absent = [name for name in needed if name not in sheets]
    if absent:
        reading.problems.append(
            f"{reading.name}: no rating workbook, it has no sheet '{absent[0]}'; make them with ta.rating_workbook"
        )
        return False
    hidden = _hidden(sheets)
    if hidden.get("schema") != cells.SCHEMA:
        reading.problems.append(
            f"{reading.name}: made in the form {hidden.get('schema')}; this version reads {cells.SCHEMA}"
        )
        return False
    if hidden.get("content_hash") == bank.content_hash:
        return True
    shown = {name.removeprefix(cells.SHOWN): value for name, value in hidden.items() if name.startswith(cells.SHOWN)}
    if hidden.get("bank") != bank.id or not shown:
        reading.problems.append(
            f"{reading.name}: made for the bank {hidden.get('bank')} {hidden.get('version')} (content hash "
            f"{hidden.get('content_hash')}); this is {bank.id} {bank.version} ({bank.content_hash}); load the bank it "
            "was made for, or have the changed items rated again"
        )
        return False
    now = {item.id: cells.shown_hash(item) for item in bank.items}
    changed = [item for item, before in shown.items() if now.get(item) != before]
    if changed:
        more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
        reading.problems.append(
            f"{reading.name}: the wording of {', '.join(changed[:NAMED])}{more} has changed since the workbook was "
            f"made, or is gone; load the bank as it was then ({hidden.get('version')}), or have these items rated again"
        )
    return not changed


def _read_date(front: Worksheet, reading: _Reading) -> None:
    value = front[cells.DATE_CELL].value
    if isinstance(value, datetime | date):
        reading.collected = value.strftime("%Y-%m-%d")
        return
    text = str(value or "").strip()
    if text and not _is_date(text):
        reading.blame(cells.INSTRUCTIONS, cells.DATE_CELL, f"'{text}' is not a date; write YYYY-MM-DD")
        return
    reading.collected = text


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    parts = [int(part) for part in text.split("-")]
    try:
        date(*[*parts, 1, 1][:3])
    except ValueError:
        return False
    return True


def _rows(sheet: Worksheet, letter: str) -> Iterator[tuple[int, str]]:
    """Yield (row, id) of the rows with a hidden id."""
    for row in range(cells.FIRST_ROW, sheet.max_row + 1):
        value = sheet[f"{letter}{row}"].value
        if value is not None:
            yield row, str(value)


def _read_options(sheet: Worksheet, reading: _Reading, known: set[tuple[str, str]]) -> None:
    for row, item in _rows(sheet, cells.OPTION_ITEM):
        pair = (item, str(sheet[f"{cells.OPTION_ID}{row}"].value))
        if pair not in known or pair in reading.options:
            _blame_id(sheet, reading, f"{cells.OPTION_ITEM}{row}", " ".join(pair), again=pair in reading.options)
            continue
        reading.options.append(pair)
        scale = {str(value): float(value) for value in EFFECTIVENESS}
        _take(sheet, f"{cells.EFFECTIVENESS_COLUMN}{row}", scale, reading.effectiveness, pair, reading)
        _comment(sheet, f"{cells.OPTION_COMMENT}{row}", pair, reading)
    for row in range(cells.FIRST_ROW, sheet.max_row + 1):
        cell = f"{cells.EFFECTIVENESS_COLUMN}{row}"
        if sheet[f"{cells.OPTION_ITEM}{row}"].value is None and sheet[cell].value is not None:
            reading.blame(sheet.title, cell, f"'{sheet[cell].value}' in a row without an option; move or clear it")


def _read_relevance(sheet: Worksheet, reading: _Reading, known: set[str]) -> None:
    scale = {str(value): float(value) for value in RELEVANCE}
    for row, item in _rows(sheet, cells.ITEM_ID):
        if item not in known or item in reading.items:
            _blame_id(sheet, reading, f"{cells.ITEM_ID}{row}", item, again=item in reading.items)
            continue
        reading.items.append(item)
        _take(sheet, f"{cells.RELEVANCE_COLUMN}{row}", scale, reading.relevance, item, reading)
        _take(sheet, f"{cells.ESSENTIAL_COLUMN}{row}", YES_NO, reading.essential, item, reading)
        _comment(sheet, f"{cells.ITEM_COMMENT}{row}", (item, ""), reading)


def _blame_id(sheet: Worksheet, reading: _Reading, cell: str, label: str, *, again: bool) -> None:
    what = "is there a second time" if again else "is not in the bank"
    reading.blame(sheet.title, cell, f"the hidden id '{label}' {what}; hidden cells must stay as they were")


def _take(
    sheet: Worksheet, cell: str, allowed: Mapping[str, float], into: dict[KeyT, float], key: KeyT, reading: _Reading
) -> None:
    value = sheet[cell].value
    text = canonical("" if value is None else value).lower()
    if not text:
        return
    if text in allowed:
        into[key] = allowed[text]
        return
    shown = "y, n" if allowed is YES_NO else ", ".join(allowed)
    reading.blame(sheet.title, cell, f"'{value}'; allowed: {shown}, or empty")


def _comment(sheet: Worksheet, cell: str, pair: tuple[str, str], reading: _Reading) -> None:
    text = str(sheet[cell].value or "").strip()
    if text:
        reading.comments.append((*pair, text))


def _form(reading: _Reading) -> ExpertForm:
    return ExpertForm(
        expert=reading.expert,
        source=reading.name,
        items=tuple(reading.items),
        options=tuple(reading.options),
        effectiveness=reading.effectiveness,
        relevance=reading.relevance,
        essential=reading.essential,
        comments=tuple(ExpertComment(reading.expert, *entry) for entry in reading.comments),
        collected=reading.collected,
        simulated=SIMULATED in reading.expert,
    )

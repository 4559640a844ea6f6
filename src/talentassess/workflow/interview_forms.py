"""Rating forms of an interview guide: to print, to fill in, and read back with every bad cell named."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from talentassess.core.errors import InterviewError
from talentassess.core.files import write_whole
from talentassess.core.provenance import Provenance, hash_json
from talentassess.core.status import Finding, Severity
from talentassess.interview import AnswerRating, InterviewGuide, InterviewRatings
from talentassess.interview.ratings import whole_rating
from talentassess.render.blocks import slug

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

FORM_SUFFIXES = (".xlsx", ".pdf")


@dataclass(frozen=True, eq=False, kw_only=True)
class RatingForm:
    """A form for each candidate and rater.

    Attributes
    ----------
    guide : the interview it belongs to.
    candidates, raters : names; an empty name leaves the field open.
    """

    guide: InterviewGuide
    candidates: tuple[str, ...]
    raters: tuple[str, ...]

    def __repr__(self) -> str:
        return (
            f"RatingForm({len(self.guide.questions)} questions, {len(self.candidates)} candidate(s), "
            f"{len(self.raters)} rater(s))"
        )

    def save(self, path: str | Path) -> tuple[Path, ...]:
        """Write the forms, a file per rater, and return the paths; ``.xlsx`` to fill in or ``.pdf`` to print.

        With several raters their names are added to the file's name, so that nobody sees another's ratings.

        Raises
        ------
        InterviewError : another suffix, or a file that cannot be written.
        """
        target = Path(path)
        if target.suffix.lower() not in FORM_SUFFIXES:
            raise InterviewError(f"A rating form cannot be saved as '{target.name}'; use {' or '.join(FORM_SUFFIXES)}.")
        return tuple(self._save_one(target, number, rater) for number, rater in enumerate(self.raters, 1))

    def _save_one(self, target: Path, number: int, rater: str) -> Path:
        # each renderer brings a heavy library; only the one that is asked for is loaded
        if target.suffix.lower() == ".pdf":
            from talentassess.render.form_pdf import render_form_pdf as render
        else:
            from talentassess.render.form_xlsx import render_form_xlsx as render
        content = render(self.guide, self.candidates, rater)
        if len(self.raters) > 1:
            target = target.with_name(f"{target.stem}-{slug(rater) or number}{target.suffix}")
        try:
            return write_whole(target, content)
        except OSError as error:
            raise InterviewError(f"'{target.name}' cannot be written: {error.strerror}. Close it elsewhere.") from error


def rating_form(
    guide: InterviewGuide, *, candidates: Sequence[str] = ("",), raters: Sequence[str] = ("",)
) -> RatingForm:
    """Make rating forms for an interview guide.

    Parameters
    ----------
    guide : from ``build_guide``.
    candidates : a form (sheet, page) for each; left out, one form with an open field.
    raters : a file for each; left out, one with an open field.

    Raises
    ------
    InterviewError : a name twice, or no candidate or rater at all.
    """
    for kind, names in (("candidate", candidates), ("rater", raters)):
        twice = sorted({name for name in names if list(names).count(name) > 1})
        if twice or not names:
            found = f"{', '.join(twice)} more than once" if twice else "none"
            raise InterviewError(f"The {kind}s' names: found {found}; give each one once, or leave them out.")
        files = [slug(name) for name in names]
        if kind == "rater" and len(set(files)) < len(files):
            raise InterviewError("Two raters' names give the same file name; write them so that they differ.")
    return RatingForm(guide=guide, candidates=tuple(candidates), raters=tuple(raters))


def read_rating_forms(paths: Sequence[str | Path], *, simulated: bool = False) -> InterviewRatings:
    """Read filled rating forms (.xlsx) of any number of raters and candidates.

    Parameters
    ----------
    paths : the workbooks.
    simulated : True if the ratings are SIMULATED.

    Returns
    -------
    InterviewRatings; an empty rating is missing and named in a finding, a sheet nobody filled in is left out and named.

    Raises
    ------
    InterviewError : a file that is no rating form, a rating that is not 1 to 5, an unknown STAR word or tick, a form
        without candidate or rater: each named by file, sheet and cell. The same candidate, rater and question twice.
    """
    problems: list[str] = []
    findings: list[Finding] = []
    ratings: list[AnswerRating] = []
    guides: dict[str, str] = {}
    for path in map(Path, paths):
        for form in _forms(path, problems):
            guides.setdefault(form.guide, form.place)
            found = list(_read_form(form, problems))
            if form.empty:
                message = "Nobody has filled in this form; it was left out."
                findings.append(
                    Finding("empty_form", Severity.NOTE, form.place, message, "Remove the sheet, or fill it.")
                )
            else:
                ratings += found
    if not paths:
        problems.append("no file was given")
    if problems:
        raise InterviewError("These rating forms cannot be read; mend the cells and read them again.", problems)
    if not ratings:
        raise InterviewError("Nobody has filled in any of these rating forms; there is nothing to read.")
    if len(guides) > 1:
        message = f"The forms come from {len(guides)} guides ({', '.join(guides)})."
        remedy = "Candidates who were asked other questions, or rated on other anchors, are not quite comparable."
        findings.append(Finding("several_guides", Severity.WARNING, "forms", message, remedy))
    contents = hash_json([[r.person, r.rater, r.question, r.rating] for r in ratings])
    source = ", ".join(Path(path).name for path in paths)
    return InterviewRatings(
        ratings=tuple(ratings),
        findings=tuple(findings),
        provenance=Provenance(source, contents, simulated=simulated, options={"guide": ", ".join(guides)}),
    )


@dataclass(frozen=True, eq=False, slots=True)
class _Form:
    """A sheet of a workbook: where it stands, its guide, and its cells as text by (row, column) from 1."""

    place: str
    guide: str
    cells: Mapping[tuple[int, int], str]
    keys: Mapping[str, int]
    last: int

    def text(self, row: int, key: str) -> str:
        """Return the text of a cell, empty if it is."""
        return self.cells.get((row, self.keys[key]), "")

    @property
    def empty(self) -> bool:
        """True if nothing was filled in."""
        entries = [key for key in self.keys if key in ("rating", "notes") or key.startswith(("star:", "fault:"))]
        return not any(self.text(row, key) for row in self.rows for key in entries)

    @property
    def rows(self) -> range:
        """The rows that hold questions."""
        from talentassess.render.form_xlsx import FIRST

        return range(FIRST + 1, self.last + 1)

    def cell(self, row: int, key: str) -> str:
        """Return a place for a message: file, sheet and cell."""
        return f"{self.place}, cell {_letters(self.keys[key])}{row}"


def _letters(column: int) -> str:
    out = ""
    while column:
        column, rest = divmod(column - 1, 26)
        out = chr(65 + rest) + out
    return out


def _forms(path: Path, problems: list[str]) -> Iterator[_Form]:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    from talentassess.render.form_xlsx import SCHEMA

    if path.suffix.lower() != ".xlsx":
        problems.append(f"{path.name}: filled rating forms are .xlsx files; ratings in a table: read_interview_ratings")
        return
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="openpyxl")  # formats it does not keep; only values are read
            book = load_workbook(path, data_only=True)
    except FileNotFoundError:
        problems.append(f"{path.name}: there is no such file")
        return
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as error:
        problems.append(f"{path.name}: cannot be read as a workbook ({error})")
        return
    sheets = [sheet for sheet in book.worksheets if sheet.cell(1, 1).value == SCHEMA]
    if not sheets:
        problems.append(f"{path.name}: holds no rating form; use the workbook written by 'rating_form'")
    for sheet in sheets:
        yield from _form(path.name, sheet, problems)


def _form(name: str, sheet: Worksheet, problems: list[str]) -> Iterator[_Form]:
    from talentassess.render.form_xlsx import CANDIDATE, KEYS

    rows = sheet.iter_rows()
    cells = {(c.row, c.column): _cell_text(c.value) for row in rows for c in row if c.value is not None}
    keys = {text: column for (row, column), text in cells.items() if row == KEYS + 1}
    place = f"{name}, sheet '{sheet.title}'"
    absent = [key for key in ("question", "competency", "rating", "notes") if key not in keys]
    if absent:
        problems.append(f"{place}: the hidden row {KEYS + 1} lacks {', '.join(absent)}; use a fresh form")
        return
    last = max((row for row, column in cells if column == keys["question"]), default=0)
    yield _Form(place, cells.get((CANDIDATE + 1, 1), ""), cells, keys, last)


def _cell_text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _read_form(form: _Form, problems: list[str]) -> Iterator[AnswerRating]:
    from talentassess.render.form_xlsx import CANDIDATE, RATER, VALUE

    if form.empty:
        return
    names = {}
    for row, kind in ((CANDIDATE + 1, "candidate"), (RATER + 1, "rater")):
        names[kind] = form.cells.get((row, VALUE + 1), "")
        if not names[kind]:
            problems.append(f"{form.place}, cell {_letters(VALUE + 1)}{row}: the {kind} is empty; write the name in")
    for row in form.rows:
        question = form.text(row, "question")
        if not question:
            problems.append(f"{form.cell(row, 'question')}: the hidden question id is gone; use a fresh form")
            continue
        yield AnswerRating(
            person=names["candidate"],
            rater=names["rater"],
            question=question,
            competency=form.text(row, "competency"),
            rating=whole_rating(form.text(row, "rating"), form.cell(row, "rating"), problems),
            star=dict(_star(form, row, problems)),
            faults=tuple(_faults(form, row, problems)),
            notes=form.text(row, "notes"),
            place=form.cell(row, "rating"),
        )


def _star(form: _Form, row: int, problems: list[str]) -> Iterator[tuple[str, str]]:
    from talentassess.render.form_xlsx import STAR_LEVELS

    for key in form.keys:
        found = form.text(row, key).casefold() if key.startswith("star:") else ""
        if found and found not in STAR_LEVELS:
            problems.append(f"{form.cell(row, key)}: found '{found}'; allowed: {', '.join(STAR_LEVELS)}, or empty")
        elif found:
            yield key.removeprefix("star:"), found


def _faults(form: _Form, row: int, problems: list[str]) -> Iterator[str]:
    from talentassess.render.form_xlsx import TICK

    for key in form.keys:
        found = form.text(row, key).casefold() if key.startswith("fault:") else ""
        if found and found != TICK:
            problems.append(f"{form.cell(row, key)}: found '{found}'; tick a fault with {TICK}, or leave it empty")
        elif found:
            yield key.removeprefix("fault:")

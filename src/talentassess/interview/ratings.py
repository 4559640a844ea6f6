"""What raters wrote down: one rating per person, rater and question, with the cell it came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from talentassess.bank.cells import ALWAYS_MISSING, suggest
from talentassess.bank.records import choices
from talentassess.bank.table_files import Table, load_table
from talentassess.core.errors import InterviewError
from talentassess.core.provenance import Provenance, hash_json
from talentassess.core.status import Finding, Severity
from talentassess.core.tabular import Columns, Tabular

if TYPE_CHECKING:
    from talentassess.bank.table_files import TableSource

LOWEST, HIGHEST = 1, 5
COLUMNS = ("person", "rater", "question", "rating")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRating:
    """How one rater judged one person's answer to one question.

    Attributes
    ----------
    person, rater, question, competency : their ids.
    rating : 1 to 5, or None if the rater gave none.
    star : STAR part -> missing, partial or complete, as far as it was noted.
    faults : ids of the faults that were ticked.
    notes : what the rater wrote.
    place : file, sheet and cell, or the row it came from.
    """

    person: str
    rater: str
    question: str
    competency: str
    rating: int | None
    star: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    notes: str = ""
    place: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class InterviewRatings(Tabular):
    """All ratings of some interviews.

    Attributes
    ----------
    ratings : one per person, rater and question.
    findings : missing ratings, ratings of answers without a result, and the like.
    provenance : where they came from.

    Raises
    ------
    InterviewError : a person, rater and question that occurs twice, or a rating out of range.
    """

    ratings: tuple[AnswerRating, ...]
    findings: tuple[Finding, ...] = ()
    provenance: Provenance = field(default_factory=lambda: Provenance("in memory"))

    def __post_init__(self) -> None:
        problems = [*_twice(self.ratings), *_out_of_range(self.ratings)]
        if problems:
            raise InterviewError("These ratings cannot be used.", problems)
        object.__setattr__(self, "findings", (*self.findings, *_missing(self.ratings)))

    def __repr__(self) -> str:
        return (
            f"InterviewRatings({len(self.persons)} persons, {len(self.raters)} raters, "
            f"{len({r.question for r in self.ratings})} questions, {len(self.ratings)} ratings, "
            f"{sum(r.rating is None for r in self.ratings)} missing)"
        )

    @property
    def persons(self) -> tuple[str, ...]:
        """The persons, in order of appearance."""
        return tuple(dict.fromkeys(r.person for r in self.ratings))

    @property
    def raters(self) -> tuple[str, ...]:
        """The raters, in order of appearance."""
        return tuple(dict.fromkeys(r.rater for r in self.ratings))

    @property
    def competencies(self) -> tuple[str, ...]:
        """The competencies, in order of appearance."""
        return tuple(dict.fromkeys(r.competency for r in self.ratings))

    def tables(self) -> dict[str, Columns]:
        """Return ``ratings`` (long: person, rater, question, competency, rating ...) and ``findings``."""
        names = ("person", "rater", "question", "competency", "rating")
        parts = tuple(dict.fromkeys(part for r in self.ratings for part in r.star))
        return {
            "ratings": {
                **{name: [getattr(r, name) for r in self.ratings] for name in names},
                **{part: [r.star.get(part) for r in self.ratings] for part in parts},
                "faults": [", ".join(r.faults) for r in self.ratings],
                "notes": [r.notes for r in self.ratings],
                "place": [r.place for r in self.ratings],
            },
            "findings": {n: [getattr(f, n) for f in self.findings] for n in ("code", "where", "message", "remedy")},
        }


def read_interview_ratings(
    source: TableSource, competency_of: Mapping[str, str], *, columns: Sequence[str] = COLUMNS, simulated: bool = False
) -> InterviewRatings:
    """Read ratings from a long table: a row per person, rater and question.

    Parameters
    ----------
    source : path to .csv, .tsv, .xlsx, .parquet or .sav, or a table in memory.
    competency_of : question -> competency, e.g. ``bank.competency_of()``.
    columns : names of the columns with person, rater, question and rating, in this order.
    simulated : True if the ratings are SIMULATED.

    Raises
    ------
    InterviewError : a column that is not there, an unknown question, a rating that is not 1, 2, 3, 4 or 5 (row and
        column are named), or the same person, rater and question twice. An empty rating is missing, and is named.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"person": ["p1", "p1"], "rater": ["a", "b"], "question": ["q1", "q1"], "rating": [3, 4]})
    >>> read_interview_ratings(table, {"q1": "ownership"})
    InterviewRatings(1 persons, 2 raters, 1 questions, 2 ratings, 0 missing)
    """
    table = load_table(source)
    cells = {part: _texts(table, name) for part, name in zip(COLUMNS, columns, strict=True)}
    problems: list[str] = []
    found: list[AnswerRating] = []
    for i, row in enumerate(table.rows):
        place = f"{table.source}, row {row}"
        person, rater, question, text = (cells[part][i] for part in COLUMNS)
        problems += [f"{place}: the {n} is empty" for n, v in (("person", person), ("rater", rater)) if not v]
        if question not in competency_of:
            problems.append(f"{place}: there is no question '{question}'; {choices(question, list(competency_of))}")
            continue
        rating = whole_rating(text, f"{place}, column '{columns[3]}'", problems)
        found.append(
            AnswerRating(
                person=person,
                rater=rater,
                question=question,
                competency=competency_of[question],
                rating=rating,
                place=place,
            )
        )
    if problems:
        raise InterviewError(f"The ratings in {table.source} cannot be used.", problems)
    contents = hash_json([[r.person, r.rater, r.question, r.rating] for r in found])
    return InterviewRatings(
        ratings=tuple(found), provenance=Provenance(table.source, contents, simulated=simulated or _marked(table))
    )


def whole_rating(text: str, place: str, problems: list[str]) -> int | None:
    """Return a rating 1 to 5, None for an empty cell; anything else adds a line to ``problems``.

    Examples
    --------
    >>> bad = []
    >>> whole_rating("4", "C3", bad), whole_rating("", "C4", bad), whole_rating("4.5", "C5", bad), bad
    (4, None, None, ["C5: found '4.5'; a whole number from 1 to 5 is needed, or an empty cell"])
    """
    if text in ALWAYS_MISSING:
        return None
    if text in {str(level) for level in range(LOWEST, HIGHEST + 1)}:
        return int(text)
    problems.append(f"{place}: found '{text}'; a whole number from {LOWEST} to {HIGHEST} is needed, or an empty cell")
    return None


def _texts(table: Table, name: str) -> list[str]:
    if name not in table.columns:
        raise InterviewError(
            f"{table.source} has no column '{name}'{suggest(name, list(table.columns))}. A row per person, rater and "
            f"question is needed, with the columns {', '.join(COLUMNS)}; other names: columns=[...]."
        )
    return table.columns[name].texts()


def _marked(table: Table) -> bool:
    return "SIMULATED" in table.columns


def _twice(ratings: Sequence[AnswerRating]) -> Iterator[str]:
    counts = Counter((r.person, r.rater, r.question) for r in ratings)
    for (person, rater, question), n in counts.items():
        if n > 1:
            places = "; ".join(r.place for r in ratings if (r.person, r.rater, r.question) == (person, rater, question))
            yield f"person '{person}', rater '{rater}', question '{question}': {n} ratings ({places}); keep one"


def _out_of_range(ratings: Sequence[AnswerRating]) -> Iterator[str]:
    for r in ratings:
        if r.rating is not None and not LOWEST <= r.rating <= HIGHEST:
            yield f"{r.place or r.person}: rating {r.rating}; {LOWEST} to {HIGHEST} are needed"


def _missing(ratings: Sequence[AnswerRating]) -> Iterator[Finding]:
    gone: dict[tuple[str, str], list[str]] = {}
    for r in ratings:
        if r.rating is None:
            gone.setdefault((r.person, r.rater), []).append(r.question)
    for (person, rater), questions in gone.items():
        message = f"Rater '{rater}' left {len(questions)} answer(s) unrated: {', '.join(questions)}."
        remedy = "Ask the rater; a score rests on the ratings that are there."
        yield Finding("missing_rating", Severity.WARNING, person, message, remedy)
    by_person: dict[str, set[str]] = {}
    for r in ratings:
        by_person.setdefault(r.person, set()).add(r.question)
    every = set().union(*by_person.values()) if by_person else set()
    for person, asked in by_person.items():
        if asked != every:
            message = f"Was not rated on {len(every - asked)} question(s): {', '.join(sorted(every - asked))}."
            remedy = "Scores from other questions are not quite comparable; ask every candidate the same ones."
            yield Finding("other_questions", Severity.WARNING, person, message, remedy)

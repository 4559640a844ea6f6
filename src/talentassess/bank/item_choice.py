"""Which columns are items, what their cells may hold, and their answers as codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from talentassess.bank.cells import (
    ALWAYS_MISSING,
    CodeBook,
    Problem,
    TextColumn,
    answer_texts,
    canonical,
    decode,
    decode_numbers,
    is_whole,
    suggest,
)
from talentassess.bank.layout import SIMULATED_COLUMN, Roles, Sheet
from talentassess.bank.table_files import is_unnamed
from talentassess.core.arrays import CodeArray, FloatArray
from talentassess.core.errors import DataError

Code: TypeAlias = str | int | float
Items: TypeAlias = Sequence[str] | Mapping[str, Sequence[str]]
Categories: TypeAlias = Sequence[Code] | Mapping[str, Sequence[Code]]

DEFAULT_SCALE = "scale"
MAX_INFERRED = 11  # 0..10 is the longest response scale in common use; more codes than this must be declared
MAX_UNSEEN = 4  # a longer run of codes that nobody used looks like a missing code (9, 99, -9) taken for an answer
MAX_CATEGORIES = 1000  # far beyond any response scale; a longer list is a mistake
_LISTED = 15  # longer lists of categories are printed as first .. last


@dataclass(frozen=True, slots=True)
class ItemChoice:
    """An item read from a table: its name, its scale, and whether its codes are turned round."""

    name: str
    scale: str
    reverse: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Coding:
    """What the cells of every item may hold.

    Attributes
    ----------
    books : item -> its code book.
    note : where the categories come from, for the provenance.
    problems : scales whose categories cannot be inferred.
    """

    books: Mapping[str, CodeBook]
    note: str
    problems: list[Problem]


def asked_columns(items: Items | None, known: Iterable[str]) -> list[str] | None:
    """Return the columns asked for, without marks, or None if no items are named."""
    columns = set(known)
    return None if items is None else [_unmarked(name, columns)[0] for _, name in _pairs(items)]


def choose_items(items: Items | None, sheet: Sheet, roles: Roles) -> list[ItemChoice]:
    """Return the items in the order asked for, all answer columns if none are named.

    Parameters
    ----------
    items : columns, or scale -> columns. A leading ``-`` marks a reverse-keyed item unless a column has that name.
    sheet : the table by person.
    roles : which columns are not answers.

    Raises
    ------
    DataError : naming every column that is not there, is not an item, or is listed twice.
    """
    known = set(sheet.answers)
    if items is None:
        chosen = _all_items(sheet)
    else:
        chosen = [ItemChoice(column, scale, turned) for scale, column, turned in _marked(items, known)]
    problems = [_unknown(choice.name, sheet, roles) for choice in chosen if choice.name not in known]
    problems += _listed_twice(chosen)
    if isinstance(roles.seconds, Mapping):
        names = [choice.name for choice in chosen]
        problems += [
            f"seconds names '{item}', which is no item{suggest(item, names)}"
            for item in roles.seconds
            if item not in names
        ]
    if problems or not chosen:
        raise DataError(f"{sheet.source}: the items cannot be read as asked.", problems or ["there is no item column"])
    return chosen


def missing_texts(missing: Sequence[Code] | Code) -> frozenset[str]:
    """Return the canonical texts of the values that mean missing; one value may stand without a list."""
    values = [missing] if isinstance(missing, str | int | float | np.generic) else missing
    return frozenset(canonical(value) for value in values)


def code_items(
    chosen: Sequence[ItemChoice], sheet: Sheet, categories: Categories | None, missing: frozenset[str]
) -> Coding:
    """Return the code book of every item: its declared categories, else those inferred for its scale.

    Raises
    ------
    DataError : a declaration names an unknown item, repeats a category, or lists a code that means missing.
    """
    declared = _declared(chosen, categories, missing)
    books = {name: _book(texts, missing, "") for name, texts in declared.items()}
    notes = {name: f"declared {_listed(texts)}" for name, texts in declared.items()}
    problems: list[Problem] = []
    for scale in dict.fromkeys(choice.scale for choice in chosen):
        names = [choice.name for choice in chosen if choice.scale == scale and choice.name not in declared]
        if names:
            texts, note, problem = _inferred(scale, names, sheet, missing)
            remark = " (whole numbers seen; declare others with categories=[...])"
            books |= dict.fromkeys(names, _book(texts, missing, remark))
            notes |= dict.fromkeys(names, note)
            problems += problem
    return Coding(books, _categories_note(chosen, notes), problems)


def decode_items(chosen: Sequence[ItemChoice], sheet: Sheet, coding: Coding) -> tuple[CodeArray, list[Problem]]:
    """Return x (N, J) int16, codes 0..K-1 with reverse-keyed items turned round (K-1-x), -1 missing; and problems."""
    x = np.empty((sheet.n_persons, len(chosen)), dtype=np.int16)
    problems: list[Problem] = []
    for j, choice in enumerate(chosen):
        book = coding.books[choice.name]
        codes, wrong = decode(sheet.answers[choice.name], book)
        x[:, j] = np.where(codes >= 0, book.n_cat - 1 - codes, codes) if choice.reverse else codes
        problems += wrong
    return x, problems


def decode_seconds(
    chosen: Sequence[ItemChoice], sheet: Sheet, roles: Roles, missing: frozenset[str]
) -> tuple[FloatArray | None, list[Problem]]:
    """Return (N, J) response times in seconds, NaN unknown, and problems; None if no column holds times."""
    if not roles.seconds:
        return None, []
    seconds = np.full((sheet.n_persons, len(chosen)), np.nan)
    problems: list[Problem] = []
    for j, choice in enumerate(chosen):
        column = choice.name if isinstance(roles.seconds, str) else roles.seconds.get(choice.name)
        if column is not None:
            seconds[:, j], wrong = decode_times(sheet.seconds[column], missing)
            problems += wrong
    return seconds, problems


def decode_times(column: TextColumn, missing: frozenset[str]) -> tuple[FloatArray, list[Problem]]:
    """Return (N,) response times in seconds of one column, NaN unknown, and problems."""
    allowed = "seconds, 0 or more with a decimal point, or empty for unknown"
    return decode_numbers(column, allowed, missing)


def _pairs(items: Items) -> list[tuple[str, str]]:
    if isinstance(items, Mapping):
        return [(str(scale), name) for scale, names in items.items() for name in _as_list(names)]
    return [(DEFAULT_SCALE, name) for name in _as_list(items)]


def _as_list(names: Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else [str(name) for name in names]


def _marked(items: Items, known: set[str]) -> list[tuple[str, str, bool]]:
    return [(scale, *_unmarked(name, known)) for scale, name in _pairs(items)]


def _unmarked(name: str, known: set[str]) -> tuple[str, bool]:
    """Return the column and whether it is marked as reverse-keyed."""
    if name in known or not name.startswith("-"):
        return name, False
    return name[1:].strip(), True


def _all_items(sheet: Sheet) -> list[ItemChoice]:
    names = [name for name, column in sheet.answers.items() if not (is_unnamed(name) and column.blank().all())]
    unnamed = [f"{name} holds values; name it in the header" for name in names if is_unnamed(name)]
    if unnamed:
        raise DataError(
            f"{sheet.source}: an item needs a name. Name the items with items=[...] to leave a column out "
            "(row names of R: write.csv(..., row.names = FALSE)).",
            unnamed,
        )
    return [ItemChoice(name, DEFAULT_SCALE) for name in names]


def _unknown(name: str, sheet: Sheet, roles: Roles) -> str:
    if name == SIMULATED_COLUMN:
        return f"column '{name}' marks simulated answers and cannot be an item"
    if use := next((role for role, column in roles.named().items() if column == name), None):
        return f"column '{name}' is already used as {use} and cannot be an item"
    return sheet.absent(name, "an item")


def _listed_twice(chosen: Sequence[ItemChoice]) -> list[str]:
    counts = Counter(choice.name for choice in chosen)
    lines = []
    for name, count in counts.items():
        scales = list(dict.fromkeys(choice.scale for choice in chosen if choice.name == name))
        if len(scales) > 1:
            lines.append(
                f"item '{name}' is listed in {len(scales)} scales ({', '.join(scales)}); an item has one scale"
            )
        elif count > 1:
            lines.append(f"item '{name}' is listed {count} times; an item may be listed once")
    return lines


def _declared(
    chosen: Sequence[ItemChoice], categories: Categories | None, missing: frozenset[str]
) -> dict[str, tuple[str, ...]]:
    """Return item -> canonical categories, for the items that have a declaration of their own or of their scale."""
    if categories is None:
        return {}
    if not isinstance(categories, Mapping):
        texts = _category_texts("categories", categories, missing)
        return {choice.name: texts for choice in chosen}
    _check_declared_names(chosen, categories)
    lists = {name: _category_texts(f"categories of '{name}'", codes, missing) for name, codes in categories.items()}
    return {
        choice.name: lists[choice.name if choice.name in lists else choice.scale]
        for choice in chosen
        if choice.name in lists or choice.scale in lists
    }


def _check_declared_names(chosen: Sequence[ItemChoice], categories: Mapping[str, Sequence[Code]]) -> None:
    known = [name for choice in chosen for name in (choice.name, choice.scale)]
    unknown = [f"'{name}' is neither{suggest(name, known)}" for name in categories if name not in known]
    if unknown:
        raise DataError("categories must name items or scales that are read.", unknown)


def _category_texts(what: str, categories: Sequence[Code], missing: frozenset[str]) -> tuple[str, ...]:
    if isinstance(categories, str):
        raise DataError(f"{what}: found the text '{categories}'; give a list such as [1, 2, 3, 4].")
    texts = tuple(canonical(code) for code in categories)
    problems = [f"'{text}' is declared {n} times" for text, n in Counter(texts).items() if n > 1]
    problems += [f"'{text}' is named in missing= as well" for text in texts if text in missing]
    problems += [f"'{text}' always means missing" for text in texts if text in ALWAYS_MISSING]
    if not 2 <= len(texts) <= MAX_CATEGORIES:
        problems.append(f"found {len(texts)}; an item needs at least two categories, at most {MAX_CATEGORIES}")
    if problems:
        raise DataError(f"{what}: every category may be declared once, and may not mean missing.", problems)
    return texts


def _book(texts: Sequence[str], missing: frozenset[str], remark: str) -> CodeBook:
    allowed = _listed(texts) + remark if texts else "whole numbers; declare other categories with categories=[...]"
    if missing:
        allowed += f", or {', '.join(sorted(missing))} or empty for missing"
    return CodeBook({text: code for code, text in enumerate(texts)}, len(texts), missing, allowed)


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(texts) if len(texts) <= _LISTED else f"{texts[0]} .. {texts[-1]} ({len(texts)} categories)"


def _inferred(
    scale: str, names: Sequence[str], sheet: Sheet, missing: frozenset[str]
) -> tuple[list[str], str, list[Problem]]:
    """Return the whole numbers from the smallest to the largest seen in a scale, a note, and what forbids it."""
    where = {
        int(text): name
        for name in reversed(names)
        for text in answer_texts(sheet.answers[name]).values()
        if is_whole(text) and text not in missing
    }
    seen = sorted(where)
    if problem := _not_inferable(scale, seen, where):
        return [str(code) for code in seen], "", [(0, problem)]
    texts = [str(code) for code in range(seen[0], seen[-1] + 1)]
    unseen = [text for text in texts if int(text) not in where]
    note = f"inferred {seen[0]}..{seen[-1]}"
    return texts, f"{note} (never seen: {', '.join(unseen)})" if unseen else note, []


def _not_inferable(scale: str, seen: Sequence[int], where: Mapping[int, str]) -> str:
    remedy = "declare them with categories=[...]"
    if not seen:
        return f"scale '{scale}': no whole number was seen, so its categories cannot be inferred; {remedy}"
    if len(seen) == 1:
        return f"scale '{scale}': only {seen[0]} was seen, so its categories cannot be inferred; {remedy}"
    gap = max(after - before - 1 for before, after in pairwise(seen))
    if seen[-1] - seen[0] + 1 <= MAX_INFERRED and gap <= MAX_UNSEEN:
        return ""
    return (
        f"scale '{scale}': answers run from {seen[0]} (column '{where[seen[0]]}') to {seen[-1]} (column "
        f"'{where[seen[-1]]}'), too wide or with too long a gap to infer categories; {remedy}, name codes that mean "
        "missing with missing=[...], or name the items with items=[...] if a column is not an item"
    )


def _categories_note(chosen: Sequence[ItemChoice], notes: Mapping[str, str]) -> str:
    """Return the one note if all agree, else one per scale; an item that departs from its scale gets its own."""
    if len(set(notes.values())) == 1:
        return next(iter(notes.values()))
    parts: dict[str, str] = {}
    for choice in chosen:
        first = parts.setdefault(choice.scale, notes[choice.name])
        if notes[choice.name] != first:
            parts[choice.name] = notes[choice.name]
    return "; ".join(f"{name}: {note}" for name, note in parts.items())

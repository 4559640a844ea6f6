"""Wide and long tables laid out alike: one column per item, one row per person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from talentassess.bank.cells import Problem, TextColumn, decode_numbers, row_ranges, sorted_lines, suggest
from talentassess.bank.table_files import Table
from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.errors import DataError
from talentassess.core.provenance import Provenance

SIMULATED_COLUMN = "SIMULATED"
ITEM, ANSWER = "item", "resp"  # column names of the Item Response Warehouse
PERSON_NAMES = ("id", "person")


@dataclass(frozen=True, slots=True)
class Roles:
    """Which columns are not answers.

    Attributes
    ----------
    person, group, weight : column names, or None.
    seconds : item -> column of its response times (wide), or the one column of times of a long table, or None.
    """

    person: str | None = None
    group: str | None = None
    weight: str | None = None
    seconds: Mapping[str, str] | str | None = None

    def named(self) -> dict[str, str]:
        """Return role -> column name, for the roles given."""
        roles = {"person": self.person, "group": self.group, "weight": self.weight}
        named = {role: column for role, column in roles.items() if column is not None}
        if isinstance(self.seconds, str):
            return {**named, "seconds": self.seconds}
        return {**named, **{f"seconds of item '{item}'": column for item, column in (self.seconds or {}).items()}}


@dataclass(frozen=True, eq=False, kw_only=True)
class Sheet:
    """A table laid out by person.

    Attributes
    ----------
    source : file name or kind of table.
    shape : wide or long.
    simulated : True if the table carries the mark of simulated answers.
    notes : what was done on reading, for the provenance.
    n_persons : number of persons N.
    answers : column name or item -> (N,) cells that may be answers.
    seconds : column name or item -> (N,) cells that may be response times.
    roles : person, group, weight -> (N,) cells.
    """

    source: str
    shape: str
    simulated: bool
    notes: Mapping[str, str]
    n_persons: int
    answers: Mapping[str, TextColumn]
    seconds: Mapping[str, TextColumn]
    roles: Mapping[str, TextColumn]

    def absent(self, name: str, role: str) -> str:
        """Return the line for an item or answer that the table does not have."""
        if self.shape == "wide":
            return no_column(name, role, list(self.answers))
        return f"no row has '{name}' in column '{ITEM}', asked for as {role}{suggest(name, list(self.answers))}"

    def provenance(self, options: Mapping[str, str]) -> Provenance:
        """Return where the answers come from, with the settings that made them."""
        given = {name: text for name, text in options.items() if text}
        return Provenance(self.source, simulated=self.simulated, options={**given, **self.notes})


@dataclass(frozen=True, eq=False, slots=True)
class People:
    """Who answered.

    Attributes
    ----------
    ids : (N,) labels; row numbers 1..N where no column holds them.
    group : (N,) labels, or None.
    weight : (N,) positive sampling weights, or None.
    problems : the wrong cells.
    """

    ids: tuple[str, ...]
    group: tuple[str, ...] | None
    weight: FloatArray | None
    problems: list[Problem] = field(default_factory=list)


def lay_out(table: Table, roles: Roles, asked: Sequence[str] | None = None) -> Sheet:
    """Return a wide or long table by person.

    A table is long if it has the columns ``item``, ``resp`` and ``id`` (or ``person``, or the person column given),
    and no items are asked for, or some that are not columns.

    Parameters
    ----------
    table : the table as read.
    roles : which columns are not answers.
    asked : names of the items asked for, or None.

    Raises
    ------
    DataError : a column of ``roles`` is not there, or is used twice; in a long table also a repeated answer, an
        empty person or item, or a group or weight that changes within a person.
    """
    long_person = _long_person(table, roles)
    is_long = long_person is not None and (asked is None or any(name not in table.columns for name in asked))
    _check_roles(table, roles)
    if is_long and long_person is not None:
        return _from_long(table, roles, long_person)
    return _from_wide(table, roles)


def no_column(name: str, role: str, known: Sequence[str]) -> str:
    """Return the line for a column or item that is not there."""
    return f"there is no column '{name}', asked for as {role}{suggest(name, known)}"


def people(sheet: Sheet) -> People:
    """Return the persons with their groups and weights, and every empty, repeated or wrong cell among these."""
    ids, problems = _person_ids(sheet)
    group, weight = sheet.roles.get("group"), sheet.roles.get("weight")
    labels = None if group is None else tuple(group.texts())
    if group is not None:
        problems += _empty_cells(group, "every person needs a group; write for instance 'not stated'")
    if weight is None:
        return People(ids, labels, None, problems)
    numbers, wrong = decode_numbers(weight, "positive numbers with a decimal point", zero=False)
    problems += [*wrong, *_empty_cells(weight, "every person needs a weight, a positive number")]
    return People(ids, labels, numbers, problems)


def _long_person(table: Table, roles: Roles) -> str | None:
    """Return the person column if the table has the columns of a long one."""
    if not {ITEM, ANSWER} <= set(table.columns):
        return None
    candidates = PERSON_NAMES if roles.person is None else (roles.person,)
    return next((name for name in candidates if name in table.columns), None)


def _check_roles(table: Table, roles: Roles) -> None:
    named = roles.named()
    problems = [no_column(name, role, list(table.columns)) for role, name in named.items() if name not in table.columns]
    for name, count in Counter(named.values()).items():
        if count > 1:
            uses = ", ".join(role for role, column in named.items() if column == name)
            problems.append(f"column '{name}' is asked for more than once: {uses}")
    if problems:
        raise DataError(
            f"{table.source}: these columns cannot be used as asked. There are: {_shown(table.columns)}.", problems
        )


def _shown(names: Mapping[str, TextColumn]) -> str:
    return ", ".join(list(names)[:12]) + (" ..." if len(names) > 12 else "")


def _is_simulated(table: Table) -> bool:
    mark = table.columns.get(SIMULATED_COLUMN)
    return mark is not None and not bool(mark.blank().all())


def _from_wide(table: Table, roles: Roles) -> Sheet:
    if isinstance(roles.seconds, str):
        raise DataError(
            f"{table.source} is a wide table (one row per person): give seconds as a mapping item -> column of times, "
            f"such as {{'q1': '{roles.seconds}'}}."
        )
    named = roles.named()
    taken = {*named.values(), SIMULATED_COLUMN}
    return Sheet(
        source=table.source,
        shape="wide",
        simulated=_is_simulated(table),
        notes=table.notes,
        n_persons=len(table.rows),
        answers={name: column for name, column in table.columns.items() if name not in taken},
        seconds=table.columns,
        roles={role: table.columns[name] for role, name in named.items() if role in ("person", "group", "weight")},
    )


def _from_long(table: Table, roles: Roles, person: str) -> Sheet:
    if roles.seconds is not None and not isinstance(roles.seconds, str):
        raise DataError(
            f"{table.source} is a long table (one row per answer): give seconds as the name of its one column of "
            "response times, not as a mapping of items."
        )
    grid = _Grid.of(table, person)
    constant = {
        role: grid.constant(table, name) for role, name in (("group", roles.group), ("weight", roles.weight)) if name
    }
    return Sheet(
        source=table.source,
        shape="long",
        simulated=_is_simulated(table),
        notes={"layout": "long", **table.notes},
        n_persons=len(grid.first),
        answers=grid.spread(table, ANSWER),
        seconds=grid.spread(table, roles.seconds) if isinstance(roles.seconds, str) else {},
        roles={"person": table.columns[person].take(grid.first), **constant},
    )


@dataclass(frozen=True, eq=False, slots=True)
class _Grid:
    """Where the records of a long table go.

    Attributes
    ----------
    person : (R,) int, person of each record.
    first : (N,) int, first record of each person.
    items : the item names in order of appearance.
    record : (N, J) int, the record that holds an answer, -1 none.
    """

    person: IntArray
    first: IntArray
    items: tuple[str, ...]
    record: IntArray

    @classmethod
    def of(cls, table: Table, person: str) -> _Grid:
        """Place every record; empty and repeated ones raise ``DataError``."""
        empty = [
            problem
            for name, rule in ((person, "every answer needs its person"), (ITEM, "every answer needs its item"))
            for problem in _empty_cells(table.columns[name], rule)
        ]
        if empty:
            raise DataError(
                f"{table.source}: {len(empty)} answer(s) belong to nobody or to no item.", sorted_lines(empty)
            )
        persons, who = _distinct(table.columns[person])
        items, what = _distinct(table.columns[ITEM])
        _refuse_repeats(table, persons, items, who * len(items) + what)
        record = np.full((len(persons), len(items)), -1, dtype=np.int64)
        record[who, what] = np.arange(len(who))
        return cls(who, np.unique(who, return_index=True)[1].astype(np.int64), items, record)

    def spread(self, table: Table, name: str) -> dict[str, TextColumn]:
        """Return item -> (N,) cells of the answer or time column."""
        column = table.columns[name]
        return {item: self._item_cells(column, j) for j, item in enumerate(self.items)}

    def _item_cells(self, column: TextColumn, j: int) -> TextColumn:
        record = self.record[:, j]
        index = np.where(record >= 0, column.index[record], -1)
        return TextColumn(f"{column.label} (item '{self.items[j]}')", column.levels, index, column.rows[record])

    def constant(self, table: Table, name: str) -> TextColumn:
        """Return the (N,) cells of a column that must not change within a person."""
        column = table.columns[name]
        levels, index = _distinct(column)
        change = np.flatnonzero(index != index[self.first][self.person])
        lines = [
            f"row {column.rows[i]}, {column.label}: '{levels[index[i]]}'; the person's first row "
            f"({column.rows[self.first[self.person[i]]]}) has '{levels[index[self.first[self.person[i]]]]}'"
            for i in change
        ]
        if lines:
            raise DataError(f"{table.source}: {column.label} must hold one value per person.", lines)
        return column.take(self.first)


def _distinct(column: TextColumn) -> tuple[tuple[str, ...], IntArray]:
    """Return the distinct texts in order of appearance, and each cell's position among them."""
    _, first = np.unique(column.index, return_index=True)
    ordered = [int(column.index[i]) for i in np.sort(first)]
    names = dict.fromkeys(column.levels[level] if level >= 0 else "" for level in ordered)
    position = {name: i for i, name in enumerate(names)}
    place = np.array([position.get(level, -1) for level in (*column.levels, "")], dtype=np.int64)
    return tuple(names), place[column.index]


def _repeated(key: IntArray) -> list[IntArray]:
    """Return the positions of every key that occurs more than once."""
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    if len(starts) == len(key):
        return []
    return [group for group in np.split(order, starts[1:]) if len(group) > 1]


def _refuse_repeats(table: Table, persons: tuple[str, ...], items: tuple[str, ...], key: IntArray) -> None:
    lines = [
        f"rows {row_ranges(table.rows[group])}: person '{persons[key[group[0]] // len(items)]}' answers item "
        f"'{items[key[group[0]] % len(items)]}' {len(group)} times"
        for group in _repeated(key)
    ]
    if lines:
        raise DataError(
            f"{table.source}: {len(lines)} answer(s) are given more than once. Keep one row per person and item "
            "(one wave, one rater).",
            lines,
        )


def _person_ids(sheet: Sheet) -> tuple[tuple[str, ...], list[Problem]]:
    column = sheet.roles.get("person")
    if column is None:
        return tuple(str(i + 1) for i in range(sheet.n_persons)), []
    problems = _empty_cells(column, "every person needs an id")
    names, index = _distinct(column)
    filled = np.flatnonzero(~column.blank())
    for group in _repeated(index[filled]):
        rows = column.rows[filled[group]]
        text = f"'{names[index[filled[group[0]]]]}' occurs {len(rows)} times; every person may occur once"
        problems.append((int(rows[0]), f"rows {row_ranges(rows)}, {column.label}: {text}"))
    return tuple(column.texts()), problems


def _empty_cells(column: TextColumn, rule: str) -> list[Problem]:
    empty = np.flatnonzero(column.blank())
    texts = {int(i): column.levels[column.index[i]] if column.index[i] >= 0 else "" for i in empty}
    return [
        (int(column.rows[i]), f"row {column.rows[i]}, {column.label}: {_quoted(text)}; {rule}")
        for i, text in texts.items()
    ]


def _quoted(text: str) -> str:
    return f"'{text}' (missing)" if text else "empty"

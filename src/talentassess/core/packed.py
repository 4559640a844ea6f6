"""Answers too many to hold as numbers: packed into rows of joint tables, on disk beyond a limit."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

import numpy as np
from numpy.typing import NDArray

from talentassess.core import kernel
from talentassess.core.answers import Answers, kernel_answers
from talentassess.core.arrays import BoolArray, CodeArray, FloatArray, IntArray
from talentassess.core.errors import DataError
from talentassess.core.likelihood import offsets
from talentassess.core.provenance import Provenance, hash_json
from talentassess.core.responses import Responses
from talentassess.core.survey import Survey, survey_from_sums

ON_DISK = 200_000_000  # bytes of packed answers above which they stand in a temporary file instead of memory


@dataclass(frozen=True, eq=False, slots=True)
class PackedRows:
    """Answers as the kernel reads them; rows come back as codes.

    Attributes
    ----------
    layout : how items are grouped; rows : (N, G) rows of the groups' tables.
    """

    layout: kernel.Layout
    rows: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, int]:
        """Persons and items, (N, J)."""
        return len(self.rows), len(self.layout.n_cat)

    def __getitem__(self, persons: slice | IntArray | BoolArray) -> CodeArray:
        """Return the codes of these persons (n, J), -1 missing."""
        return kernel.unpack(self.layout, self.rows[persons])


@dataclass(frozen=True, eq=False, slots=True)
class StreamPart:
    """One dimension of a stream: what calibration asks of ``Responses``, without holding the answers as numbers.

    Attributes
    ----------
    some : the first persons' answers to its items, for starting values.
    n_persons : number of persons N read.
    weighted : True if the persons carry weights; groups : labels in order of appearance.
    answers, survey : as they enter the likelihood, and the first look at them.
    """

    some: Responses
    n_persons: int
    weighted: bool
    groups: tuple[str, ...]
    answers: Answers
    survey: Survey

    @property
    def item_ids(self) -> tuple[str, ...]:
        """Labels of the items."""
        return self.some.item_ids

    @property
    def n_cat(self) -> IntArray:
        """(J,) declared categories."""
        return self.some.n_cat

    @property
    def n_items(self) -> int:
        """Number of items J."""
        return self.some.n_items


@dataclass(frozen=True, eq=False, slots=True)
class Gathered:
    """A stream of answers, read to its end.

    Attributes
    ----------
    some : the first chunk.
    n_persons : number of persons read.
    parts : the dimensions by the items they hold.
    provenance : of the stream.
    """

    some: Responses
    n_persons: int
    parts: Mapping[tuple[str, ...], StreamPart]
    provenance: Provenance

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The groups in order of appearance, None if there are none."""
        return next(iter(self.parts.values())).groups or None


class _Store:
    """Arrays appended to one another, in memory or in a temporary file that vanishes with the process."""

    def __init__(self) -> None:
        self.arrays: list[NDArray[np.uint16]] = []
        self.file: IO[bytes] | None = None
        self.rows = 0

    def append(self, rows: NDArray[np.uint16]) -> None:
        """Add rows (n, G) at the end."""
        self.rows += len(rows)
        self.arrays.append(rows)
        if self.file is not None or sum(array.nbytes for array in self.arrays) > ON_DISK:
            self.file = self.file or tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the answers
            for array in self.arrays:
                array.tofile(self.file)
            self.arrays.clear()

    def whole(self, width: int) -> NDArray[np.uint16]:
        """Return all rows (N, width); nothing can be added afterwards."""
        if self.file is None:
            return np.concatenate(self.arrays) if self.arrays else np.empty((0, width), dtype=np.uint16)
        self.file.flush()
        rows = np.memmap(self.file, dtype=np.uint16, mode="r", shape=(self.rows, width))
        self.file.close()  # the map keeps the content
        return rows


@dataclass(slots=True)
class _Part:
    """What has been read of one dimension."""

    starts: IntArray
    worth: FloatArray
    layout: kernel.Layout
    store: _Store
    sums: FloatArray
    answered: list[NDArray[np.uint16]] = field(default_factory=list)
    group: list[IntArray] = field(default_factory=list)
    weight: list[FloatArray] = field(default_factory=list)

    def add(self, x: CodeArray) -> BoolArray:
        """Pack the answers (n, J); the persons without any are counted but left out. Return who is kept (n,)."""
        rows = self._packed(x)
        answered, sums = kernel.survey_sums(self.layout, rows, self.worth)
        self.sums += sums
        self.answered.append(answered.astype(np.uint16))
        kept = answered > 0
        self.store.append(rows if kept.all() else rows[kept])
        return kept

    def finish(self) -> tuple[Answers, Survey]:
        """Return the answers as they enter the likelihood, and the first look at them."""
        rows = self.store.whole(self.layout.n_groups)
        n = len(rows)
        group = np.concatenate(self.group) if self.group else np.broadcast_to(np.int64(0), n)
        weight = np.concatenate(self.weight) if self.weight else np.broadcast_to(np.float64(1), n)
        answered = np.concatenate(self.answered).astype(np.int64)
        survey = survey_from_sums(answered, self.sums, self.starts, self.worth)
        packed = PackedRows(self.layout, rows)
        return kernel_answers(packed, rows, group, weight, self.starts, self.layout), survey

    @property
    def missing(self) -> BoolArray:
        """(J,) items whose tables have room for a missing answer."""
        return np.greater(self.layout.size, self.layout.n_cat)

    def _make_room(self, missing: BoolArray) -> None:
        """Lay out anew what was read before the first missing answer of some item."""
        before = PackedRows(self.layout, self.store.whole(self.layout.n_groups))
        self.layout, self.store = kernel.plan_layout(self.starts, missing), _Store()
        for first in range(0, len(before), 65_536):
            self.store.append(self._packed(before[first : first + 65_536]))

    def _packed(self, x: CodeArray) -> NDArray[np.uint16]:
        """Return rows (n, G) for codes (n, J), after making room for missing answers where there was none."""
        rows = kernel.pack_if_it_fits(self.layout, x)
        while rows is None:
            self._make_room(self.missing | kernel.any_missing(x))
            rows = kernel.pack_if_it_fits(self.layout, x)
        return rows


def gather_stream(
    chunks: Iterable[Responses],
    dimensions: Iterable[tuple[str, ...]],
    worth: Callable[[Sequence[str], IntArray], FloatArray],
    *,
    grouped: bool,
) -> Gathered:
    """Read all chunks once, keeping about two bytes per six to twelve answers.

    Parameters
    ----------
    chunks : consecutive persons' answers to the same items, with the same declared categories.
    dimensions : item ids of each dimension.
    worth : what each category counts in a sum, (S,), from item ids and categories (J,).
    grouped : True keeps the persons' groups.

    Raises
    ------
    DataError : no chunks, or chunks of different forms.
    """
    reader: _Reader | None = None
    for chunk in chunks:
        if reader is None:
            reader = _Reader(chunk, tuple(dimensions), worth, grouped)
        reader.add(chunk)
    if reader is None:
        raise DataError("There are no answers: the stream of chunks is empty.")
    return reader.finish()


class _Reader:
    """Reads chunk after chunk into the dimensions' stores."""

    def __init__(
        self,
        head: Responses,
        dimensions: tuple[tuple[str, ...], ...],
        worth: Callable[[Sequence[str], IntArray], FloatArray],
        grouped: bool,
    ) -> None:
        place = {item: j for j, item in enumerate(head.item_ids)}
        self.head, self.grouped, self.n_persons = head, grouped, 0
        self.columns = {items: np.array([place[item] for item in items]) for items in dimensions}
        self.parts = {
            items: _new_part(head.n_cat[own], worth(items, head.n_cat[own])) for items, own in self.columns.items()
        }
        self.labels: dict[str, int] = {}
        self.hashes: list[str] = []

    def add(self, chunk: Responses) -> None:
        """Read one chunk."""
        _check_alike(self.head, chunk, self.n_persons)
        labels = chunk.group or () if self.grouped else ()
        numbers = np.array([self.labels.setdefault(g, len(self.labels)) for g in labels], dtype=np.int64)
        for items, part in self.parts.items():
            whole = items == chunk.item_ids
            kept = part.add(chunk.x if whole else np.ascontiguousarray(chunk.x[:, self.columns[items]]))
            if self.grouped:
                part.group.append(numbers[kept])
            if chunk.weight is not None:
                part.weight.append(chunk.weight[kept])
        self.n_persons += chunk.n_persons
        self.hashes.append(chunk.provenance.data_hash)

    def finish(self) -> Gathered:
        """Return what was read."""
        found = {}
        for items, part in self.parts.items():
            some = self.head if items == self.head.item_ids else self.head.select(items)
            weighted, groups = self.head.weight is not None, tuple(self.labels)
            found[items] = StreamPart(some, self.n_persons, weighted, groups, *part.finish())
        was = self.head.provenance
        origin = Provenance(was.source, hash_json(self.hashes), was.simulated, options=was.options)
        return Gathered(self.head, self.n_persons, found, origin)


def _new_part(n_cat: IntArray, worth: FloatArray) -> _Part:
    starts = offsets(n_cat)
    layout = kernel.plan_layout(starts, np.zeros(len(n_cat), dtype=bool))
    return _Part(starts, worth, layout, _Store(), np.zeros((int(starts[-1]), kernel.LANES)))


def _check_alike(head: Responses, chunk: Responses, n_before: int) -> None:
    """Refuse a chunk of another form; raises ``DataError``."""
    same = chunk.item_ids == head.item_ids and bool(np.array_equal(chunk.n_cat, head.n_cat))
    if not same or (chunk.weight is None) != (head.weight is None) or (chunk.group is None) != (head.group is None):
        raise DataError(
            f"The chunk after person {n_before} differs from the first in its items, categories, groups or weights. "
            "Read all chunks with the same items, declared categories and columns."
        )

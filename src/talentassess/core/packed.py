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
class Gathered:
    """A stream of answers, read to its end.

    Attributes
    ----------
    item_ids, n_cat, scales : the form, as in ``Responses``; n_cat (J,).
    n_persons : number of persons read; n_answering : of those, with at least one answer.
    weighted : True if the persons carry weights.
    groups : labels in order of appearance, empty if there are none.
    parts : per dimension, the answers as they enter the likelihood and the first look at them.
    provenance : of the stream.
    """

    item_ids: tuple[str, ...]
    n_cat: IntArray
    scales: tuple[str, ...]
    n_persons: int
    n_answering: int
    weighted: bool
    groups: tuple[str, ...]
    parts: dict[str, tuple[Answers, Survey]]
    provenance: Provenance


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
        """Return all rows (N, width)."""
        if self.file is None:
            return np.concatenate(self.arrays) if self.arrays else np.empty((0, width), dtype=np.uint16)
        self.file.flush()
        return np.memmap(self.file, dtype=np.uint16, mode="r", shape=(self.rows, width))


@dataclass(slots=True)
class _Part:
    """What has been read of one dimension."""

    starts: IntArray
    worth: FloatArray
    layout: kernel.Layout
    store: _Store
    sums: FloatArray
    answered: list[NDArray[np.uint16]] = field(default_factory=list)

    def add(self, x: CodeArray) -> BoolArray:
        """Pack the answers (n, J); the persons without any are counted but left out. Return who is kept (n,)."""
        missing = self.missing | np.any(x < 0, axis=0)
        if (missing != self.missing).any():
            self._make_room(missing)
        rows = kernel.pack(self.layout, x)
        answered, sums = kernel.survey_sums(self.layout, rows, self.worth)
        self.sums += sums
        self.answered.append(answered.astype(np.uint16))
        kept = answered > 0
        self.store.append(rows if kept.all() else rows[kept])
        return kept

    @property
    def missing(self) -> BoolArray:
        """(J,) items whose tables have room for a missing answer."""
        return np.greater(self.layout.size, self.layout.n_cat)

    def _make_room(self, missing: BoolArray) -> None:
        """Lay out anew what was read before the first missing answer of some item."""
        before, old = PackedRows(self.layout, self.store.whole(self.layout.n_groups)), self.store
        self.layout, self.store = kernel.plan_layout(self.starts, missing), _Store()
        for first in range(0, len(before), 65_536):
            self.store.append(kernel.pack(self.layout, before[first : first + 65_536]))
        if old.file is not None:
            old.file.close()


def gather_stream(
    chunks: Iterable[Responses],
    dimensions: Mapping[str, tuple[str, ...]] | None,
    worth: Callable[[Sequence[str], IntArray], FloatArray],
) -> Gathered:
    """Read all chunks once, keeping about two bytes per six to twelve answers.

    Parameters
    ----------
    chunks : consecutive persons' answers to the same items, with the same declared categories.
    dimensions : name -> item ids; None: the scales.
    worth : what each category counts in a sum, (S,), from item ids and categories (J,).
    """
    head: Responses | None = None
    parts: dict[str, _Part] = {}
    columns: dict[str, IntArray] = {}
    group: dict[str, list[IntArray]] = {}
    weight: dict[str, list[FloatArray]] = {}
    labels: dict[str, int] = {}
    hashes: list[str] = []
    n_persons = n_answering = 0
    for chunk in chunks:
        if head is None:
            head = chunk
            named = dimensions or {scale: chunk.items_of(scale) for scale in chunk.scale_names}
            place = {item: j for j, item in enumerate(chunk.item_ids)}
            columns = {name: np.array([place[item] for item in items]) for name, items in named.items()}
            parts = {
                name: _new_part(chunk.n_cat[own], worth(named[name], chunk.n_cat[own])) for name, own in columns.items()
            }
            group, weight = {name: [] for name in parts}, {name: [] for name in parts}
        _check_alike(head, chunk, n_persons)
        numbers = np.array([labels.setdefault(g, len(labels)) for g in chunk.group or ()], dtype=np.int64)
        for name, part in parts.items():
            kept = part.add(chunk.x if len(parts) == 1 else np.ascontiguousarray(chunk.x[:, columns[name]]))
            if chunk.group is not None:
                group[name].append(numbers[kept])
            if chunk.weight is not None:
                weight[name].append(chunk.weight[kept])
        n_persons += chunk.n_persons
        n_answering += int(np.count_nonzero(np.any([p.answered[-1] > 0 for p in parts.values()], axis=0)))
        hashes.append(chunk.provenance.data_hash)
    if head is None:
        raise DataError("There are no answers: the stream of chunks is empty.")
    return Gathered(
        item_ids=head.item_ids,
        n_cat=head.n_cat,
        scales=head.scales,
        n_persons=n_persons,
        n_answering=n_answering,
        weighted=head.weight is not None,
        groups=tuple(labels),
        parts={name: _finish(part, group[name], weight[name]) for name, part in parts.items()},
        provenance=Provenance(
            head.provenance.source, hash_json(hashes), head.provenance.simulated, options=head.provenance.options
        ),
    )


def _new_part(n_cat: IntArray, worth: FloatArray) -> _Part:
    starts = offsets(n_cat)
    layout = kernel.plan_layout(starts, np.zeros(len(n_cat), dtype=bool))
    return _Part(starts, worth, layout, _Store(), np.zeros((int(starts[-1]), kernel.LANES)))


def _finish(part: _Part, group: list[IntArray], weight: list[FloatArray]) -> tuple[Answers, Survey]:
    rows = part.store.whole(part.layout.n_groups)
    n = len(rows)
    numbers = np.concatenate(group) if group else np.broadcast_to(np.int64(0), n)
    weights = np.concatenate(weight) if weight else np.broadcast_to(np.float64(1), n)
    survey = survey_from_sums(np.concatenate(part.answered).astype(np.int64), part.sums, part.starts, part.worth)
    return kernel_answers(PackedRows(part.layout, rows), rows, numbers, weights, part.starts, part.layout), survey


def _check_alike(head: Responses, chunk: Responses, n_before: int) -> None:
    """Refuse a chunk of another form; raises ``DataError``."""
    same = chunk.item_ids == head.item_ids and bool(np.array_equal(chunk.n_cat, head.n_cat))
    if not same or (chunk.weight is None) != (head.weight is None) or (chunk.group is None) != (head.group is None):
        raise DataError(
            f"The chunk after person {n_before} differs from the first in its items, categories, groups or weights. "
            "Read all chunks with the same items, declared categories and columns."
        )

"""The compiled E-step: finds the library, lays the answers out for it, runs one pass over the persons.

The library is optional. Where it was not built, the same numbers come from NumPy (``core.likelihood``).
"""

from __future__ import annotations

import ctypes
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from talentassess.core.arrays import BoolArray, CodeArray, FloatArray, IntArray

LANES = 8  # nodes per block of the library's vectors
MOST_ROWS = 64  # of a group's table: all tables of a form together stay within the second-level cache
EDGE = 1e-11  # posterior share at the edge of a person's window above which all nodes are used
FINEST_EDGE = 1e-15  # the same for scores, which are to be exact to rounding
PACKED = 64  # persons the library packs at a time
MOST_BLOCKS = 128  # blocks of nodes the library takes
WORTH_A_THREAD = 2_000_000  # table look-ups: below this, starting a thread costs more than it saves

_POINTERS = ("codes", "offset", "table", "prior", "row", "weight", "nodes", "counts", "mass", "mean", "second")


class _Pass(ctypes.Structure):
    """Mirror of ``Pass`` in kernel.c."""

    _fields_: ClassVar = [
        *((name, ctypes.c_int64) for name in ("n", "groups", "blocks")),
        *((name, ctypes.c_void_p) for name in (*_POINTERS, "log_marginal", "window")),
        ("edge", ctypes.c_double),
        ("failed", ctypes.c_void_p),
        ("loglik", ctypes.c_double),
    ]


@cache
def library() -> ctypes.CDLL | None:
    """Return the compiled kernel, or None where it was not built or ``TALENTASSESS_KERNEL=numpy`` turns it off."""
    if os.environ.get("TALENTASSESS_KERNEL") == "numpy":
        return None
    here = Path(__file__).parent
    found = [here / f"_kernel{suffix}" for suffix in EXTENSION_SUFFIXES if (here / f"_kernel{suffix}").exists()]
    if not found:
        return None
    try:
        return _declare(ctypes.CDLL(str(found[0])))
    except (OSError, AttributeError):  # built for another machine, or from sources before these
        return None


def _declare(loaded: ctypes.CDLL) -> ctypes.CDLL:
    """Say what the library's functions take; ``AttributeError`` if it has not got one."""
    loaded.talentassess_pass.argtypes = [ctypes.POINTER(_Pass)]
    whole, pointer = ctypes.c_int64, ctypes.c_void_p
    loaded.talentassess_tables.argtypes = [whole, whole, *[pointer] * 6]
    loaded.talentassess_fold.argtypes = [whole, whole, *[pointer] * 6]
    loaded.talentassess_survey.argtypes = [whole, whole, *[pointer] * 5]
    loaded.talentassess_common_bits.argtypes = [whole, whole, pointer, pointer]
    loaded.talentassess_tally.argtypes = [whole, pointer, pointer, pointer, pointer]
    loaded.talentassess_signs.argtypes = [whole, whole, pointer, pointer]
    loaded.talentassess_pack_rows.argtypes = [whole, whole, whole, *[pointer] * 10]
    loaded.talentassess_pack_rows.restype = whole
    return loaded


def kernel_name() -> str:
    """Say which E-step runs here, e.g. ``compiled kernel (AVX-512), 2 threads`` or ``NumPy``."""
    loaded = library()
    if loaded is None:
        return "NumPy"
    isa = ("baseline", "AVX2", "AVX-512")[loaded.talentassess_isa()]
    return f"compiled kernel ({isa}), {threads()} thread{'s' if threads() > 1 else ''}"


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS at one thread while the kernel is in use: idle BLAS threads spin and take the processors from it."""
    if library() is None:
        yield
        return
    with _blas().limit(limits=1, user_api="blas"):
        yield


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def threads() -> int:
    """Return how many threads a pass may use: ``TALENTASSESS_THREADS``, else the processors this process may use."""
    asked = os.environ.get("TALENTASSESS_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _parts(n: int, work: int) -> list[slice]:
    """Cut n persons into as many consecutive slices as the amount of work is worth threads."""
    edges = np.linspace(0, n, max(1, min(threads(), work // WORTH_A_THREAD, n)) + 1).astype(int)
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(edges)]


def _in_threads(one: Callable[[int], None], n_parts: int) -> None:
    if n_parts == 1:
        one(0)
        return
    with ThreadPoolExecutor(n_parts) as pool:
        list(pool.map(one, range(n_parts)))


def run_slices(n: int, work: int, one: Callable[[slice], None]) -> None:
    """Call ``one`` on consecutive slices of n persons, in as many threads as the amount of work is worth."""
    parts = _parts(n, work)
    _in_threads(lambda k: one(parts[k]), len(parts))


@dataclass(frozen=True, eq=False, slots=True)
class Layout:
    """How items are grouped into joint tables.

    Attributes
    ----------
    first_item : (G + 1,) int32 first item of each group.
    n_cat : (J,) int32 categories; size : (J,) int32 digits, one more where answers are missing.
    start : (J,) int32 offset of each item on the stacked category axis; length : its total S.
    place : (J,) int32 value of the item's digit; offset : (G + 1,) int32 first table row of each group.
    """

    first_item: NDArray[np.int32]
    n_cat: NDArray[np.int32]
    size: NDArray[np.int32]
    start: NDArray[np.int32]
    place: NDArray[np.int32]
    offset: NDArray[np.int32]
    length: int

    @property
    def n_groups(self) -> int:
        """Number of groups of items."""
        return len(self.first_item) - 1

    @property
    def complete(self) -> bool:
        """True if no table has room for a missing answer."""
        return bool(np.all(self.size == self.n_cat))

    @property
    def n_rows(self) -> int:
        """Number of table rows of all groups together."""
        return int(self.offset[-1])


def plan_layout(starts: IntArray, missing: BoolArray, breaks: Sequence[int] = ()) -> Layout:
    """Group neighbouring items so that each joint table has at most ``MOST_ROWS`` rows.

    Parameters
    ----------
    starts : (J + 1,) offsets on the stacked category axis.
    missing : (J,) whether any answer to the item is missing.
    breaks : items at which a new group must begin, e.g. where the next dimension does.
    """
    n_cat = np.diff(starts).astype(np.int32)
    size = n_cat + missing.astype(np.int32)
    first, place, rows = [0], np.ones(len(n_cat), dtype=np.int32), [1]
    for j, digits in enumerate(size):
        if j > first[-1] and (rows[-1] * digits > MOST_ROWS or j in breaks):
            first.append(j)
            rows.append(1)
        place[j] = rows[-1]
        rows[-1] *= int(digits)
    offset = np.concatenate([[0], np.cumsum(rows)]).astype(np.int32)
    ends = np.array([*first, len(n_cat)], dtype=np.int32)
    return Layout(ends, n_cat, size, starts[:-1].astype(np.int32), place, offset, int(starts[-1]))


def any_missing(x: CodeArray) -> BoolArray:
    """Return (J,) whether any of the codes (N, J) of an item is -1, missing."""
    loaded = library()
    if loaded is None or not len(x):
        return np.asarray(np.any(x < 0, axis=0))
    x = np.ascontiguousarray(x, dtype=np.int16)
    signs = np.empty(x.shape[1], dtype=np.int16)
    loaded.talentassess_signs(*x.shape, _at(x), _at(signs))
    return np.less(signs, 0)


def pack(layout: Layout, x: CodeArray) -> NDArray[np.uint16]:
    """Return (N, G) rows of the groups' tables for codes (N, J), -1 missing, for which the layout has room."""
    codes = pack_if_it_fits(layout, x)
    if codes is None:
        raise RuntimeError("An answer is missing for which the layout has no room; callers plan for it.")
    return codes


def pack_if_it_fits(layout: Layout, x: CodeArray) -> NDArray[np.uint16] | None:
    """Return what ``pack`` does, or None where an answer of x (N, J) is missing for which the layout has no room."""
    loaded = library()
    if loaded is None:
        if np.any((x < 0) & (layout.size == layout.n_cat)):
            return None
        digits = np.where(x < 0, layout.n_cat, x) * layout.place
        return np.add.reduceat(digits, layout.first_item[:-1], axis=1).astype(np.uint16)
    x = np.ascontiguousarray(x, dtype=np.int16)
    codes = np.empty((len(x), layout.n_groups), dtype=np.uint16)
    fits: list[bool] = []

    def one(rows: slice) -> None:
        part, items = x[rows], x.shape[1]
        factor, digit = np.empty(layout.n_groups, dtype=np.uint64), np.empty(PACKED * items + LANES, dtype=np.uint8)
        closed, missing = np.empty((2, items), dtype=np.int16)
        done = loaded.talentassess_pack_rows(
            len(part), items, layout.n_groups, _at(layout.first_item), _at(layout.place), _at(layout.n_cat),
            _at(layout.size), _at(part), _at(factor), _at(digit), _at(closed), _at(missing), _at(codes[rows]),
        )  # fmt: skip
        fits.append(done == len(part))

    run_slices(len(x), x.size // 4, one)
    return codes if all(fits) else None


def pack_anew(starts: IntArray, x: CodeArray, breaks: Sequence[int] = ()) -> tuple[Layout, NDArray[np.uint16]]:
    """Return a layout that suits codes (N, J), -1 missing, and their rows (N, G) of its tables.

    Most answers are complete: they are packed as if they were, which stops at the first missing one and starts again.
    starts and breaks as in ``plan_layout``.
    """
    layout = plan_layout(starts, np.zeros(x.shape[1], dtype=bool), breaks)
    codes = pack_if_it_fits(layout, x)
    if codes is None:
        layout = plan_layout(starts, any_missing(x), breaks)
        codes = pack(layout, x)
    return layout, codes


def unpack(layout: Layout, rows: NDArray[np.uint16]) -> CodeArray:
    """Return codes (N, J), -1 missing, from rows of the groups' tables (N, G)."""
    group = np.repeat(np.arange(layout.n_groups), np.diff(layout.first_item))
    codes = (rows[:, group] // layout.place % layout.size).astype(np.int16)
    codes[codes == layout.n_cat] = -1
    return codes


def joint_tables(layout: Layout, log_prob: FloatArray, blocks: int, table: FloatArray | None = None) -> FloatArray:
    """Return (rows, 8 * blocks) joint probabilities from stacked log probabilities (S, Q); padding is 0.

    ``table`` (rows, 8 * blocks) is filled if it is given.
    """
    probability = zeros((layout.length, LANES * blocks))
    np.exp(log_prob, out=probability[:, : log_prob.shape[1]])
    if table is None:
        table = aligned((layout.n_rows, LANES * blocks))
    _loaded().talentassess_tables(
        layout.n_groups, blocks, _at(layout.first_item), _at(layout.n_cat), _at(layout.size), _at(layout.start),
        _at(probability), _at(table),
    )  # fmt: skip
    return table


def fold(layout: Layout, counts: FloatArray) -> FloatArray:
    """Return (S, 8 * blocks) counts per category from counts per table row (rows, 8 * blocks), which is used up."""
    folded = np.zeros((layout.length, counts.shape[1]))
    _loaded().talentassess_fold(
        layout.n_groups, counts.shape[1] // LANES, _at(layout.first_item), _at(layout.n_cat), _at(layout.size),
        _at(layout.start), _at(counts), _at(folded),
    )  # fmt: skip
    return folded


def survey_sums(layout: Layout, codes: NDArray[np.uint16], worth: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the number of answers per person (N,) and, per category (S, 8), the sums that kernel.c describes.

    codes : (N, G) from ``pack``; worth : (S,) what each category counts in a sum, NaN for items that do not count.
    """
    value = _row_values(layout, worth)
    if library() is None:
        return _survey_sums(layout, codes, value)
    answered = np.empty(len(codes), dtype=np.int32)
    sums = zeros((layout.n_rows, LANES))
    _loaded().talentassess_survey(
        len(codes), layout.n_groups, _at(layout.offset), _at(codes), _at(value), _at(answered), _at(sums)
    )
    return answered.astype(np.int64), fold(layout, sums)


def _row_values(layout: Layout, worth: FloatArray) -> FloatArray:
    """Return (rows, 3) answers, answers that count and their scores in each table row, from worth (S,)."""
    group = np.repeat(np.arange(layout.n_groups), np.diff(layout.first_item))
    height = np.diff(layout.offset)[group]  # table rows of each item's group
    item = np.repeat(np.arange(len(group)), height)
    within = np.arange(len(item)) - np.repeat(np.cumsum(height) - height, height)
    digit = within // layout.place[item] % layout.size[item]
    given = digit < layout.n_cat[item]
    score = np.where(given, worth[np.minimum(layout.start[item] + digit, layout.length - 1)], np.nan)
    row = layout.offset[group[item]] + within
    columns = [given.astype(np.float64), np.isfinite(score).astype(np.float64), np.nan_to_num(score)]
    return np.column_stack([np.bincount(row, column, minlength=layout.n_rows) for column in columns])


def _survey_sums(layout: Layout, codes: NDArray[np.uint16], value: FloatArray) -> tuple[IntArray, FloatArray]:
    rows = codes + layout.offset[:-1]
    answered, n, total = value[rows].sum(axis=1).T
    some = n > 1
    u = np.where(some, 1 / np.maximum(n - 1, 1), 0.0)
    lanes = [np.ones(len(n)), some, u, u * total, u**2, u**2 * total, (u * total) ** 2, np.zeros(len(n))]
    sums = np.zeros((layout.length, LANES))
    x = unpack(layout, codes)
    for k, lane in enumerate(lanes):
        for j in range(x.shape[1]):
            given = x[:, j] >= 0
            counted = np.bincount(x[given, j], lane[given], minlength=layout.n_cat[j])
            sums[layout.start[j] : layout.start[j] + layout.n_cat[j], k] += counted
    return answered.astype(np.int64), sums


def common_bits(bits: NDArray[np.uint64]) -> FloatArray:
    """Return (R, R) how many bits every two of the rows (R, words) have in common; needs the library."""
    bits = np.ascontiguousarray(bits)
    common = np.empty((len(bits), len(bits)))
    _loaded().talentassess_common_bits(*bits.shape, _at(bits), _at(common))
    return common


def tally(cell: IntArray, code: CodeArray, weight: FloatArray | None, size: int) -> FloatArray:
    """Return (size,) weight (N,), or one each, at every sum 0..size-1 of cell (N,) and code (N,); needs the library."""
    table = np.zeros(size)
    cell, code = np.ascontiguousarray(cell, dtype=np.int64), np.ascontiguousarray(code, dtype=np.int16)
    weight = None if weight is None else np.ascontiguousarray(weight)
    _loaded().talentassess_tally(len(cell), _at(cell), _at(code), None if weight is None else _at(weight), _at(table))
    return table


@dataclass(frozen=True, eq=False, slots=True)
class Outcome:
    """What one pass over the persons gave.

    Attributes
    ----------
    loglik : weighted log-likelihood of the persons that did not fail.
    counts : (S, Q) expected counts; mass : (P, Q) expected persons per prior and node.
    failed : (N,) persons whose products of probabilities vanish: they need logarithms.
    """

    loglik: float
    counts: FloatArray
    mass: FloatArray
    failed: BoolArray


class Compiled:
    """Answers laid out for the kernel, with the room a pass needs; it remembers each person's window.

    Parameters
    ----------
    layout, codes : from ``plan_layout`` and ``pack``; codes (N, G).
    row : (N,) which prior a person has; None: the first.
    weight : (N,) or None: one each.
    """

    def __init__(
        self,
        layout: Layout,
        codes: NDArray[np.uint16],
        row: NDArray[np.int32] | None = None,
        weight: FloatArray | None = None,
    ) -> None:
        self.layout, self.codes, self.row, self.weight = layout, codes, row, weight
        self.window = np.zeros(len(codes), dtype=np.uint8)
        self.failed = np.zeros(len(codes), dtype=np.uint8)
        self._table = self._counts = np.empty((0, 0))

    def expected_counts(self, log_prob: FloatArray, log_prior: FloatArray) -> Outcome:
        """Return counts and mass at log probabilities (S, Q) under log weights of the nodes (P, Q)."""
        n_nodes, blocks = log_prob.shape[1], _blocks(log_prob)
        shared, padded = self._shared(log_prob, log_prior)
        parts = _parts(len(self.codes), len(self.codes) * self.layout.n_groups * blocks)
        if self._counts.shape != (len(parts) * self.layout.n_rows, LANES * blocks):
            self._counts = aligned((len(parts) * self.layout.n_rows, LANES * blocks))
            self.window[:] = 0  # another grid
        counts = self._counts.reshape(len(parts), self.layout.n_rows, -1)
        mass, loglik = zeros((len(parts), *padded.shape)), np.zeros(len(parts))

        def one(k: int) -> None:
            counts[k] = 0.0
            record = self._record(parts[k], shared, {"window": self.window})
            record.counts, record.mass = counts[k].ctypes.data, mass[k].ctypes.data
            _run(record)
            loglik[k] = record.loglik

        _in_threads(one, len(parts))
        for k in range(1, len(parts)):
            counts[0] += counts[k]
        folded = fold(self.layout, counts[0])
        mass_sum: FloatArray = mass.sum(axis=0)
        return Outcome(float(loglik.sum()), folded[:, :n_nodes], mass_sum[:, :n_nodes], self.failed.astype(bool))

    def moments(self, log_prob: FloatArray, log_prior: FloatArray, nodes: FloatArray) -> tuple[FloatArray, BoolArray]:
        """Return posterior means of theta and theta^2, (2, N), at nodes (Q,), and who failed (N,)."""
        shared, _ = self._shared(log_prob, log_prior)
        padded = zeros((LANES * _blocks(log_prob),))
        padded[: len(nodes)] = nodes
        shared["nodes"] = padded
        found = np.empty((2, len(self.codes)))
        parts = _parts(len(self.codes), len(self.codes) * self.layout.n_groups * _blocks(log_prob))

        def one(k: int) -> None:
            record = self._record(parts[k], shared, {"mean": found[0], "second": found[1]})
            record.edge = FINEST_EDGE
            _run(record)

        _in_threads(one, len(parts))
        return found, self.failed.astype(bool)

    def _shared(self, log_prob: FloatArray, log_prior: FloatArray) -> tuple[dict[str, FloatArray], FloatArray]:
        blocks = _blocks(log_prob)
        if self._table.shape != (self.layout.n_rows, LANES * blocks):
            self._table = aligned((self.layout.n_rows, LANES * blocks))
        joint_tables(self.layout, log_prob, blocks, self._table)
        prior = zeros((len(log_prior), LANES * blocks))
        prior[:, : log_prior.shape[1]] = np.exp(log_prior)
        return {"table": self._table, "prior": prior}, prior

    def _record(self, rows: slice, shared: dict[str, FloatArray], by_person: dict[str, NDArray[np.generic]]) -> _Pass:
        record = _Pass(n=rows.stop - rows.start, groups=self.layout.n_groups, blocks=0, edge=EDGE)
        record.blocks = shared["table"].shape[1] // LANES
        record.offset = _at(self.layout.offset)
        for name, array in shared.items():
            setattr(record, name, _at(array))
        given = {"codes": self.codes, "row": self.row, "weight": self.weight, "failed": self.failed, **by_person}
        for name, by in given.items():
            if by is not None:
                setattr(record, name, _at(by[rows]))
        return record


def _run(record: _Pass) -> None:
    if _loaded().talentassess_pass(ctypes.byref(record)):
        raise MemoryError("The E-step found no memory for its posteriors.")


def _blocks(log_prob: FloatArray) -> int:
    blocks: int = -(-log_prob.shape[1] // LANES)
    return blocks


def aligned(shape: tuple[int, ...]) -> FloatArray:
    """Return an uninitialised array of any shape on a 64-byte boundary, as the library's vectors need it."""
    size = int(np.prod(shape)) * 8
    room = np.empty(size + 64, dtype=np.uint8)
    first = -room.ctypes.data % 64
    return room[first : first + size].view(np.float64).reshape(shape)


def zeros(shape: tuple[int, ...]) -> FloatArray:
    """Return an array of zeros of any shape on a 64-byte boundary."""
    out = aligned(shape)
    out[:] = 0.0
    return out


def _loaded() -> ctypes.CDLL:
    loaded = library()
    if loaded is None:
        raise RuntimeError("The compiled kernel is not here; callers ask library() first.")
    return loaded


def _at(array: NDArray[np.generic]) -> int:
    address: int = array.ctypes.data
    return address

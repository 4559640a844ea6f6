"""The compiled kernel of expectation propagation: tables of joint answers, and the call."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import BoolArray, CodeArray, FloatArray, IntArray
from talentassess.core.ep_reference import Populations

ROWS = 64  # of a table of joint answers at the most: the tables of a form stay in the cache
LANES = 8  # nodes come in blocks of this many
FAILED = 3  # the kernel gave a person up; the reference takes over


@dataclass(frozen=True, eq=False, slots=True)
class Packed:
    """Answers as rows of joint tables, group by group of neighbouring items of one dimension.

    Attributes
    ----------
    groups : items of each group; dim_starts (D + 1,) first group of each dimension.
    sizes : per group the number of codes of each of its items, a last one standing for "missing".
    row_starts : (G + 1,) first table row of each group.
    codes : (N, G) row of each person within the group's table.
    """

    groups: tuple[tuple[int, ...], ...]
    sizes: tuple[tuple[int, ...], ...]
    dim_starts: IntArray
    row_starts: IntArray
    codes: np.ndarray[tuple[int, int], np.dtype[np.uint16]]


def pack(x: CodeArray, n_cat: IntArray, dim_of_item: IntArray, n_dims: int) -> Packed:
    """Group the items of each dimension and turn codes (N, J) into rows of the groups' tables."""
    size = n_cat + (x < 0).any(axis=0)
    groups: list[tuple[int, ...]] = []
    dim_starts = [0]
    for d in range(n_dims):
        run: list[int] = []
        for j in np.flatnonzero(dim_of_item == d):
            if run and size[[*run, j]].prod() > ROWS:
                groups.append(tuple(run))
                run = []
            run.append(int(j))
        groups += [tuple(run)] if run else []
        dim_starts.append(len(groups))
    sizes = tuple(tuple(int(size[j]) for j in items) for items in groups)
    codes = np.empty((len(x), len(groups)), dtype=np.uint16)
    for g, items in enumerate(groups):
        row = np.zeros(len(x), dtype=np.int64)
        for j in items:
            row = row * size[j] + np.where(x[:, j] < 0, n_cat[j], x[:, j])
        codes[:, g] = row
    starts = np.concatenate([[0], np.cumsum([int(np.prod(s)) for s in sizes])]).astype(np.int64)
    return Packed(tuple(groups), sizes, np.array(dim_starts, dtype=np.int64), starts, codes)


def tables(packed: Packed, log_prob: FloatArray, starts: IntArray) -> FloatArray:
    """Return (rows, Q') joint probabilities of each group's answers at the nodes, Q' a multiple of 8, padded with 0."""
    n_nodes = log_prob.shape[1]
    out = aligned((int(packed.row_starts[-1]), -(-n_nodes // LANES) * LANES))
    prob = np.exp(log_prob)
    for g, (items, sizes) in enumerate(zip(packed.groups, packed.sizes, strict=True)):
        joint = np.ones((1, n_nodes))
        for j, size in zip(items, sizes, strict=True):
            own = np.ones((size, n_nodes))
            own[: starts[j + 1] - starts[j]] = prob[starts[j] : starts[j + 1]]
            joint = (joint[:, None] * own).reshape(-1, n_nodes)
        out[packed.row_starts[g] : packed.row_starts[g + 1], :n_nodes] = joint
    return out


def fold(packed: Packed, rows: FloatArray, starts: IntArray, n_nodes: int) -> FloatArray:
    """Return (S, Q) counts of each category from the counts of the joint tables' rows (rows, Q')."""
    out = np.zeros((int(starts[-1]), n_nodes))
    for g, (items, sizes) in enumerate(zip(packed.groups, packed.sizes, strict=True)):
        joint = rows[packed.row_starts[g] : packed.row_starts[g + 1], :n_nodes].reshape(*sizes, n_nodes)
        for axis, j in enumerate(items):
            others = tuple(a for a in range(len(items)) if a != axis)
            out[starts[j] : starts[j + 1]] = joint.sum(axis=others)[: starts[j + 1] - starts[j]]
    return out


def aligned(shape: tuple[int, ...]) -> FloatArray:
    """Return zeros whose memory starts at a multiple of 64 bytes, as the kernel's vectors need."""
    size = int(np.prod(shape))
    raw = np.zeros(size + 8)
    skip = (-raw.ctypes.data % 64) // 8
    return raw[skip : skip + size].reshape(shape)


_POINTERS = (
    "dim_starts", "row_starts", "codes", "answered", "population", "weight", "nodes", "table", "precision", "shift",
    "constant", "floor", "tau", "nu", "evidence", "counts", "first_moment", "second_moment", "status",
)  # fmt: skip


class _Task(ctypes.Structure):
    """One call's arguments; the fields stand in the order of ``struct ep_task``."""

    _fields_ = [  # noqa: RUF012
        *((name, ctypes.c_int64) for name in ("first", "last", "n_dims", "n_blocks", "n_groups", "max_sweeps")),
        *((name, ctypes.c_double) for name in ("spacing", "tol")),
        *((name, ctypes.c_void_p) for name in _POINTERS),
    ]


@dataclass(frozen=True, eq=False, slots=True)
class Sums:
    """What one pass adds up: rows (rows, Q'), first (G, D) and second (G, D, D) moments; per person evidence, status.

    ``evidence`` and ``status`` are (N,).
    """

    rows: FloatArray
    first: FloatArray
    second: FloatArray
    evidence: FloatArray
    status: IntArray


def run(
    kernel: ctypes.CDLL,
    packed: Packed,
    persons: tuple[BoolArray, IntArray, FloatArray],
    world: Populations,
    table: FloatArray,
    nodes: FloatArray,
    sites: FloatArray,
    limits: tuple[float, int, int],
) -> Sums:
    """Settle all persons' sites (2, N, D) in place and add up what they contribute.

    Parameters
    ----------
    kernel : the loaded library.
    packed, table : from ``pack`` and ``tables``.
    persons : answered (N, D), group (N,), weight (N,).
    nodes : (Q,) equally spaced.
    limits : tolerance, sweeps at the most, threads.
    """
    answered, group, weight = persons
    n, n_dims = answered.shape
    tol, max_sweeps, threads = limits
    padded = aligned((table.shape[1],))
    padded[: len(nodes)] = nodes
    evidence, status = np.zeros(n), np.zeros(n, dtype=np.uint8)
    common = {
        "dim_starts": packed.dim_starts, "row_starts": packed.row_starts, "codes": packed.codes,
        "answered": answered.view(np.uint8), "population": group, "weight": weight, "nodes": padded, "table": table,
        "precision": np.ascontiguousarray(world.precision), "shift": world.shift, "constant": world.constant,
        "floor": world.floor, "tau": sites[0], "nu": sites[1], "evidence": evidence, "status": status,
    }  # fmt: skip
    cuts = np.linspace(0, n, max(threads, 1) + 1).astype(np.int64)
    g = len(world.constant)

    def part(k: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        sums = aligned(table.shape), np.zeros((g, n_dims)), np.zeros((g, n_dims, n_dims))
        arrays = common | dict(zip(("counts", "first_moment", "second_moment"), sums, strict=True))
        task = _Task(
            int(cuts[k]), int(cuts[k + 1]), n_dims, table.shape[1] // LANES, len(packed.groups), max_sweeps,
            float(nodes[1] - nodes[0]), tol, *(arrays[name].ctypes.data for name in _POINTERS),
        )  # fmt: skip
        if kernel.ep_range(ctypes.byref(task)) != 0:
            raise MemoryError("There is no memory for the working space of the compiled kernel.")
        return sums

    rows, first, second = _add_up([part(0)] if threads <= 1 else _in_threads(part, threads))
    return Sums(rows, first, second, evidence, status.astype(np.int64))


def _in_threads(
    part: Callable[[int], tuple[FloatArray, FloatArray, FloatArray]], threads: int
) -> list[tuple[FloatArray, FloatArray, FloatArray]]:
    """Run the parts side by side: the kernel holds no lock of Python's."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(part, range(threads)))


def _add_up(parts: Sequence[tuple[FloatArray, FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray, FloatArray]:
    rows, first, second = parts[0]
    for more in parts[1:]:
        rows, first, second = rows + more[0], first + more[1], second + more[2]
    return rows, first, second

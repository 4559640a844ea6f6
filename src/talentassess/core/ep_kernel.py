"""The compiled kernel of expectation propagation: tables of joint answers, and the call."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from talentassess.core.arrays import BoolArray, CodeArray, FloatArray, IntArray
from talentassess.core.ep_reference import Populations
from talentassess.core.kernel import (
    LANES,
    Layout,
    aligned,
    fold,
    joint_tables,
    library,
    pack_anew,
    run_slices,
    zeros,
)

FAILED = 3  # the kernel gave a person up; the reference takes over
VISIT = 20  # table look-ups that one visit to a dimension's nodes is worth


@dataclass(frozen=True, eq=False, slots=True)
class Packed:
    """Answers as rows of joint tables, group by group of neighbouring items of one dimension.

    Attributes
    ----------
    layout : how the items are grouped; no group reaches over two dimensions.
    dim_starts : (D + 1,) first group of each dimension.
    codes : (N, G) row of each person within the group's table.
    """

    layout: Layout
    dim_starts: IntArray
    codes: NDArray[np.uint16]


def pack_dimensions(x: CodeArray, starts: IntArray, dim_of_item: IntArray, n_dims: int) -> Packed | None:
    """Lay out codes (N, J) for the kernel, ``dim_of_item`` (J,) rising; None where there is no kernel."""
    if not hasattr(library(), "talentassess_ep"):  # none, or one built before there was this
        return None
    breaks = (np.flatnonzero(np.diff(dim_of_item)) + 1).tolist()
    layout, codes = pack_anew(starts, x, breaks)
    dim_of_group = dim_of_item[layout.first_item[:-1]]
    dim_starts = np.searchsorted(dim_of_group, np.arange(n_dims + 1)).astype(np.int64)
    return Packed(layout, dim_starts, codes)


_WHOLE = ("first", "last", "n_dims", "n_blocks", "n_groups", "max_sweeps")
_SHARED = (
    "dim_starts", "row_starts", "codes", "answered", "population", "weight", "nodes", "table", "precision", "shift",
    "constant", "floor", "tau", "nu", "evidence", "status",
)  # fmt: skip
_OWN = ("counts", "first_moment", "second_moment")


class _Task(ctypes.Structure):
    """Mirror of ``EpTask`` in kernel_ep.c."""

    _fields_ = (
        [(name, ctypes.c_int64) for name in _WHOLE]
        + [(name, ctypes.c_double) for name in ("spacing", "tol")]
        + [(name, ctypes.c_void_p) for name in (*_SHARED, *_OWN)]
    )


@dataclass(frozen=True, eq=False, slots=True)
class Sums:
    """What one pass gave.

    Attributes
    ----------
    counts : (S, Q) expected counts; first : (G, D) and second : (G, D, D) moments, all without the failed.
    evidence : (N,); status : (N,) how the sites ended, ``FAILED`` among them.
    """

    counts: FloatArray
    first: FloatArray
    second: FloatArray
    evidence: FloatArray
    status: IntArray


def run(
    packed: Packed,
    persons: tuple[BoolArray, IntArray, FloatArray],
    world: Populations,
    log_prob: FloatArray,
    nodes: FloatArray,
    sites: FloatArray,
    limits: tuple[float, int],
) -> Sums:
    """Settle all persons' sites (2, N, D) in place and add up what they contribute.

    Parameters
    ----------
    packed : from ``pack_dimensions``.
    persons : answered (N, D), group (N,), weight (N,).
    world : the populations.
    log_prob : (S, Q); nodes : (Q,) equally spaced.
    limits : tolerance, sweeps at the most.
    """
    answered, group, weight = persons
    (n, n_dims), blocks, g = answered.shape, -(-len(nodes) // LANES), len(world.constant)
    padded = zeros((LANES * blocks,))
    padded[: len(nodes)] = nodes
    evidence, status = np.zeros(n), np.zeros(n, dtype=np.uint8)
    shared = {
        "dim_starts": packed.dim_starts, "row_starts": packed.layout.offset.astype(np.int64), "codes": packed.codes,
        "answered": answered, "population": np.ascontiguousarray(group, dtype=np.int64), "weight": weight,
        "nodes": padded, "table": joint_tables(packed.layout, log_prob, blocks), "precision": world.precision,
        "shift": world.shift, "constant": world.constant, "floor": world.floor, "tau": sites[0], "nu": sites[1],
        "evidence": evidence, "status": status,
    }  # fmt: skip
    own: dict[int, tuple[FloatArray, ...]] = {}

    def one(rows: slice) -> None:
        task = _Task(
            rows.start, rows.stop, n_dims, blocks, packed.layout.n_groups, limits[1], nodes[1] - nodes[0], limits[0]
        )
        sums = zeros((packed.layout.n_rows, LANES * blocks)), np.zeros((g, n_dims)), np.zeros((g, n_dims, n_dims))
        for name, array in [*shared.items(), *zip(_OWN, sums, strict=True)]:
            setattr(task, name, array.ctypes.data)
        _call(task)
        own[rows.start] = sums

    run_slices(n, n * blocks * (packed.layout.n_groups + VISIT * n_dims), one)
    in_order = [own[first] for first in sorted(own)]  # whichever thread was first: the same sum
    counts, first, second = (np.sum([sums[k] for sums in in_order], axis=0) for k in range(3))
    rows = aligned(counts.shape)
    rows[:] = counts
    return Sums(fold(packed.layout, rows)[:, : len(nodes)], first, second, evidence, status.astype(np.int64))


def _call(task: _Task) -> None:
    loaded = library()
    if loaded is None:
        raise RuntimeError("The compiled kernel is not here; callers ask library() first.")
    if loaded.talentassess_ep(ctypes.byref(task)) != 0:
        raise MemoryError("Expectation propagation found no memory for its working space.")

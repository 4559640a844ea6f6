"""The compiled pass over the persons of a form with testlets; where it was not built, NumPy gives the same numbers."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from talentassess.core.answers import Answers
from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.kernel import (
    LANES,
    Layout,
    aligned,
    fold,
    joint_tables,
    library,
    pack,
    plan_layout,
    run_slices,
    zeros,
)
from talentassess.core.likelihood import CHUNK, EStep
from talentassess.core.reduction import ReducedForm, reduced_e_step

SHARE = 40  # items without a testlet are taken this many at a time: products of more probabilities may vanish

_WHOLE = ("n", "groups", "parts", "general", "blocks")
_POINTERS = (
    "codes",
    "offset",
    "first_group",
    "table",
    "prior",
    "specific",
    "row",
    "weight",
    "counts",
    "mass",
    "failed",
)


class _ReducedPass(ctypes.Structure):
    """Mirror of ``ReducedPass`` in kernel_bifactor.c."""

    _fields_ = (
        [(name, ctypes.c_int64) for name in _WHOLE]
        + [(name, ctypes.c_void_p) for name in _POINTERS]
        + [("loglik", ctypes.c_double)]
    )


@dataclass(frozen=True, eq=False, slots=True)
class Packed:
    """Answers laid out for the compiled pass: testlet after testlet, then the items without one.

    Attributes
    ----------
    rows : (S,) category rows of the form in the order of the layout.
    layout : the groups of items.
    first_group : (parts + 1,) first group of each part of the layout.
    codes : (N, G) rows of the groups' tables.
    row : (N,) group of each person.
    """

    rows: IntArray
    layout: Layout
    first_group: NDArray[np.int32]
    codes: NDArray[np.uint16]
    row: NDArray[np.int32]


def pack_reduced(form: ReducedForm, answers: Answers) -> Packed | None:
    """Return the answers laid out for the compiled pass, or None where there is none."""
    loaded = library()
    if loaded is None or not hasattr(loaded, "talentassess_reduced_pass") or not len(answers.x):
        return None
    single = form.single
    parts = [*form.testlets, *np.split(single, np.arange(SHARE, len(single), SHARE))]
    parts = [part for part in parts if len(part)]
    order = np.concatenate(parts)
    n_cat = np.diff(form.starts)[order]
    starts = np.concatenate([[0], np.cumsum(n_cat)]).astype(np.int64)
    ends = np.cumsum([len(part) for part in parts])
    chunks = [slice(first, first + CHUNK) for first in range(0, len(answers.x), CHUNK)]
    missing = np.any([np.min(answers.x[rows][:, order], axis=0) < 0 for rows in chunks], axis=0)
    layout = plan_layout(starts, missing, [int(end) for end in ends[:-1]])
    first_group = np.searchsorted(layout.first_item, [0, *ends]).astype(np.int32)
    codes = np.concatenate([pack(layout, answers.x[rows][:, order]) for rows in chunks])
    return Packed(form.rows(order), layout, first_group, codes, answers.group.astype(np.int32))


def reduced_pass(
    form: ReducedForm, packed: Packed | None, answers: Answers, log_prob: FloatArray, log_prior: FloatArray
) -> EStep:
    """Return log-likelihood, expected counts (S, Q) and mass (G, Qg), as ``reduced_e_step`` does.

    Parameters
    ----------
    form : items and nodes; packed : from ``pack_reduced``, or None for NumPy.
    answers : the answers; log_prob : (S, Q); log_prior : (G, Qg).
    """
    a = answers
    if packed is None or form.n_nodes[1] % LANES:
        return reduced_e_step(form, a.x, log_prob, log_prior, a.group, a.weight)
    step, failed = _compiled(form, packed, a.weight, log_prob, log_prior)
    if not failed.any():
        return step
    rest = reduced_e_step(form, a.x[failed], log_prob, log_prior, a.group[failed], a.weight[failed])
    return EStep(step.loglik + rest.loglik, step.counts + rest.counts, step.mass + rest.mass)


def _compiled(
    form: ReducedForm, packed: Packed, weight: FloatArray, log_prob: FloatArray, log_prior: FloatArray
) -> tuple[EStep, NDArray[np.bool_]]:
    """Return the pass without the persons whose products vanish, and which (N,) those are."""
    n_general, n_specific = form.n_nodes
    n, layout = len(packed.codes), packed.layout
    table = joint_tables(layout, log_prob[packed.rows], n_general * n_specific // LANES)
    specific, prior = aligned((n_specific,)), np.exp(log_prior)
    specific[:] = np.exp(form.specific_log_weights)
    failed = np.zeros(n, dtype=np.uint8)
    shared: dict[str, NDArray[np.generic]] = {"offset": layout.offset, "first_group": packed.first_group}
    shared |= {"table": table, "prior": prior, "specific": specific}
    by_person: dict[str, NDArray[np.generic]] = {"codes": packed.codes, "row": packed.row}
    by_person |= {"weight": weight, "failed": failed}
    sums: list[tuple[float, FloatArray, FloatArray]] = []

    def one(rows: slice) -> None:
        sizes = (rows.stop - rows.start, layout.n_groups, len(packed.first_group) - 1, n_general, n_specific // LANES)
        record = _ReducedPass(*sizes)
        counts, mass = zeros(table.shape), np.zeros_like(prior)
        own: dict[str, NDArray[np.generic]] = {name: array[rows] for name, array in by_person.items()}
        for name, array in (shared | own | {"counts": counts, "mass": mass}).items():
            setattr(record, name, array.ctypes.data)
        if _library().talentassess_reduced_pass(ctypes.byref(record)):
            raise MemoryError("The E-step found no memory for its posteriors.")
        sums.append((record.loglik, counts, mass))

    run_slices(n, n * layout.n_groups * table.shape[1] // LANES, one)
    counts = fold(layout, sum((part[1] for part in sums[1:]), sums[0][1]))
    out = np.empty_like(counts)
    out[packed.rows] = counts
    loglik, mass = sum(part[0] for part in sums), sum((part[2] for part in sums[1:]), sums[0][2])
    return EStep(loglik, out, mass), failed.astype(bool)


def _library() -> ctypes.CDLL:
    loaded = library()
    if loaded is None:
        raise RuntimeError("The compiled kernel is not here; callers ask pack_reduced() first.")
    return loaded

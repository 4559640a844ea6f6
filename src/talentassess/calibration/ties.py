"""The linear map behind constraints, as a sparse matrix: designs, fixed and equal parameters, sums of effects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from talentassess.calibration.constraints import Composed, Entries, Equal, Fixed, Tie, TieMap, effect_kind
from talentassess.core.arrays import BoolArray, FloatArray, IntArray
from talentassess.core.errors import ModelError
from talentassess.core.likelihood import ItemBlock
from talentassess.core.model import Param, Variant


def tie_together(
    blocks: Sequence[ItemBlock],
    variants: Sequence[Variant],
    entries: Entries,
    asked: Sequence[Tie],
    sums: Sequence[Composed],
) -> TieMap:
    """Build the linear map from the variants' designs and all constraints; contradictions raise ``ModelError``."""
    matrix, offset, designed = _stack_designs(blocks, variants, entries)
    for constraint in asked:
        matrix, offset = _apply(matrix, offset, entries.where(constraint), constraint)
    used = np.flatnonzero(np.abs(matrix).sum(axis=0) > 0)
    tie = _describe(sparse.csc_array(matrix[:, used]), offset, entries, designed)
    return _compose(tie, entries, designed, sums) if sums else tie


def _stack_designs(
    blocks: Sequence[ItemBlock], variants: Sequence[Variant], entries: Entries
) -> tuple[sparse.csc_array, FloatArray, BoolArray]:
    """Return the map before any tie (the variants' designs, else the identity), and which rows are designed."""
    designs, offsets, designed = [], [], []
    for (n_items, n_params), block, variant in zip(entries.sizes, blocks, variants, strict=True):
        design, offset = np.eye(n_items * n_params), np.zeros(n_items * n_params)
        if variant.design is not None:
            design, offset = variant.design(n_items, block.n_cat)
        designs.append(sparse.csc_array(design))
        offsets.append(offset)
        designed.append(np.full(n_items * n_params, variant.design is not None))
    stacked = sparse.csc_array(sparse.block_diag(designs, format="csc"))
    return stacked, np.concatenate(offsets), np.concatenate(designed)


def _apply(
    matrix: sparse.csc_array, offset: FloatArray, rows: IntArray, constraint: Tie
) -> tuple[sparse.csc_array, FloatArray]:
    part = sparse.coo_array(sparse.csr_array(matrix)[rows, :])
    free = np.unique(part.coords[0])
    held = np.setdiff1d(np.arange(len(rows)), free)
    if isinstance(constraint, Fixed):
        if not np.allclose(offset[rows[held]], constraint.value):
            raise ModelError(f"'{constraint.param}' is already fixed at another value: leave the constraint out.")
    elif len(held):
        raise ModelError(f"'{constraint.param}' is already fixed for some items: it cannot be estimated as equal.")
    if np.any(part.data != 1.0) or part.nnz != len(free):
        raise ModelError(f"'{constraint.param}' follows the design of its model and cannot be constrained further.")
    columns = np.unique(part.coords[1])
    merge = sparse.lil_array(sparse.eye_array(matrix.shape[1]))
    merge[columns, columns] = 0.0
    if isinstance(constraint, Fixed):
        if sparse.csc_array(matrix[:, columns]).nnz > part.nnz:
            raise ModelError(f"'{constraint.param}' is tied to other items: it cannot be fixed for some of them only.")
        offset = offset.copy()
        offset[rows] = constraint.value
    elif len(columns):
        merge[columns, columns[0]] = 1.0
    return sparse.csc_array(matrix @ sparse.csc_array(merge)), offset


def _compose(tie: TieMap, entries: Entries, designed: BoolArray, sums: Sequence[Composed]) -> TieMap:
    """Put effects in the place of free values that stand for one parameter alone."""
    place = {(i, p.name): row for row, (i, p) in enumerate(zip(entries.items, entries.params, strict=True))}
    parts = {key: weights for one in sums for key, weights in one.parts.items()}
    if len(parts) < sum(len(one.parts) for one in sums):
        raise ModelError("Two Composed(...) constraints name the same parameter of an item. Put them into one.")
    effects = tuple(dict.fromkeys(name for weights in parts.values() for name in weights))
    matrix, rows = sparse.lil_array(tie.matrix), np.array([place[key] for key in parts], dtype=np.int64)
    columns = _own_columns(tie, entries, designed, rows)
    added = sparse.lil_array((matrix.shape[0], len(effects)))
    number = {name: e for e, name in enumerate(effects)}
    for row, weights in zip(rows, parts.values(), strict=True):
        for name, weight in weights.items():
            added[row, number[name]] = weight
    kept = np.setdiff1d(np.arange(tie.n_free), columns)
    unbounded = np.full(len(effects), np.inf)
    return TieMap(
        ties=sparse.csr_array(sparse.hstack([sparse.csc_array(matrix)[:, kept], sparse.csc_array(added)])),
        offset=tie.offset,
        names=(*(tie.names[f] for f in kept), *effects),
        lower=np.concatenate([tie.lower[kept], -unbounded]),
        upper=np.concatenate([tie.upper[kept], unbounded]),
        param_names=(*(tie.param_names[f] for f in kept), *map(effect_kind, effects)),
        composed=frozenset(item for one in sums for item in one.items),
        n_effects=len(effects),
    )


def _own_columns(tie: TieMap, entries: Entries, designed: BoolArray, rows: IntArray) -> IntArray:
    """Return the free value of each parameter (M,) that is to be composed; one it shares is a contradiction."""
    by_row, users = sparse.csr_array(tie.matrix), np.diff(sparse.csc_array(tie.matrix).indptr)
    columns = []
    for row in rows:
        own = by_row.indices[by_row.indptr[row] : by_row.indptr[row + 1]]
        if designed[row] or len(own) != 1 or users[own[0]] != 1:
            raise ModelError(
                f"'{entries.params[row].name}' of item '{entries.items[row]}' is fixed, equal to others or part of its "
                "model's design: it cannot be composed of effects as well. Leave one of the two constraints out."
            )
        columns.append(own[0])
    return np.array(columns, dtype=np.int64)


def merge_equal(tie: TieMap, entries: Entries, constraint: Equal) -> tuple[TieMap, list[IntArray]]:
    """Give items that a finished map treats apart one common value; contradictions raise ``ModelError``.

    Returns the new map, and per new free value the old ones (M,) it stands for.
    """
    matrix = sparse.csr_array(tie.matrix)
    matrix.sum_duplicates()
    rows = entries.where(constraint)
    picked = sparse.csr_array(matrix[rows, :])
    columns = np.unique(picked.indices)
    if np.any(np.diff(picked.indptr) == 0):
        raise ModelError(f"'{constraint.param}' is already fixed for some items: it cannot be estimated as equal.")
    if np.any(np.diff(picked.indptr) != 1) or any(not tie.param_names[c] for c in columns):
        raise ModelError(f"'{constraint.param}' follows the design of its model and cannot be constrained further.")
    own = [columns if k == columns[0] else np.array([k]) for k in range(tie.n_free) if k not in columns[1:]]
    merge = sparse.lil_array((tie.n_free, len(own)))
    for k, old in enumerate(own):
        merge[old, k] = 1.0
    merged = sparse.csc_array(matrix @ sparse.csc_array(merge))
    place = next(k for k, old in enumerate(own) if old[0] == columns[0])
    touched = merged.indices[merged.indptr[place] : merged.indptr[place + 1]]
    name = _name(list(dict.fromkeys(entries.items[row] for row in touched)), entries.params[touched[0]], True)
    names = [name if k == place else tie.names[old[0]] for k, old in enumerate(own)]
    return TieMap(
        ties=sparse.csr_array(merged),
        offset=tie.offset,
        names=tuple(names),
        lower=np.array([tie.lower[old].max() for old in own]),
        upper=np.array([tie.upper[old].min() for old in own]),
        param_names=tuple(tie.param_names[old[0]] for old in own),
    ), own


def _describe(matrix: sparse.csc_array, offset: FloatArray, entries: Entries, designed: BoolArray) -> TieMap:
    """Name each free value and give it bounds: those of its parameter, or none where it is part of a design."""
    names, kinds, lower, upper = [], [], [], []
    for column in range(matrix.shape[1]):
        rows = matrix.indices[matrix.indptr[column] : matrix.indptr[column + 1]]
        params = [entries.params[row] for row in rows]
        items = list(dict.fromkeys(entries.items[row] for row in rows))
        alone = not designed[rows].any()
        kinds.append(params[0].name if alone else "")
        names.append(_name(items, params[0], alone))
        lower.append(max(p.lower for p in params) if alone else -np.inf)
        upper.append(min(p.upper for p in params) if alone else np.inf)
    return TieMap(sparse.csr_array(matrix), offset, tuple(names), np.array(lower), np.array(upper), tuple(kinds))


def _name(items: list[str], param: Param, alone: bool) -> str:
    if len(items) == 1:
        return f"{items[0]}.{param.name}" if alone else f"{items[0]}.location"
    shared = param.name if alone else param.name.replace("intercept", "step")
    return f"{shared} (common to {len(items)} items: {items[0]} ... {items[-1]})"

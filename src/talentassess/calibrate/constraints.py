"""Fixed and equal parameters: everything that is not free becomes one linear map, par = A @ free + offset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from talentassess.core.arrays import BoolArray, FloatArray, IntArray
from talentassess.core.errors import ModelError
from talentassess.core.likelihood import ItemBlock
from talentassess.core.model import Param, Variant


@dataclass(frozen=True, slots=True)
class Fixed:
    """Hold a parameter at a value, for some items or for all that have it.

    Examples
    --------
    >>> Fixed("slope", 1.0, items=("q1", "q2"))
    Fixed(param='slope', value=1.0, items=('q1', 'q2'))
    """

    param: str
    value: float
    items: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Equal:
    """Estimate one common value of a parameter for some items, or for all that have it."""

    param: str
    items: tuple[str, ...] | None = None


Constraint = Fixed | Equal


@dataclass(frozen=True, eq=False, slots=True)
class Entries:
    """The stacked parameters of all blocks, length T: which item and which parameter each entry is.

    Attributes
    ----------
    items : (T,) item ids.
    params : (T,) declarations.
    sizes : (J_b, P_b) of each block.
    """

    items: tuple[str, ...]
    params: tuple[Param, ...]
    sizes: tuple[tuple[int, int], ...]

    def split(self, stacked: FloatArray) -> list[FloatArray]:
        """Cut a stacked vector (T,) into one (J_b, P_b) array per block."""
        ends = np.cumsum([j * p for j, p in self.sizes])
        return [part.reshape(size) for part, size in zip(np.split(stacked, ends[:-1]), self.sizes, strict=True)]

    def where(self, param: str, items: tuple[str, ...] | None) -> BoolArray:
        """Return (T,) True at the entries a constraint means; nothing found raises ``ModelError``."""
        chosen = None if items is None else set(items)
        found = np.array(
            [
                p.name == param and (chosen is None or item in chosen)
                for item, p in zip(self.items, self.params, strict=True)
            ]
        )
        if not found.any():
            names = dict.fromkeys(p.name for p in self.params)
            raise ModelError(f"No item has a parameter '{param}' to constrain; there are: {', '.join(names)}.")
        return found


@dataclass(frozen=True, eq=False, slots=True)
class TieMap:
    """The linear map from F free values to T stacked parameters: par = matrix @ free + offset.

    Attributes
    ----------
    matrix : (T, F) sparse; offset : (T,).
    names : (F,) e.g. ``q1.slope`` or ``slope`` where it is shared by all items.
    lower, upper : (F,) bounds.
    param_names : (F,) declared name of the parameter a free value stands for alone; empty where it is a mixture.
    """

    matrix: sparse.csr_array
    offset: FloatArray
    names: tuple[str, ...]
    lower: FloatArray
    upper: FloatArray
    param_names: tuple[str, ...]

    @property
    def n_free(self) -> int:
        """Number of free values F."""
        return len(self.names)


def list_entries(blocks: Sequence[ItemBlock], item_ids: Sequence[str]) -> Entries:
    """List the stacked parameters of the blocks, item by item within each block."""
    items: list[str] = []
    params: list[Param] = []
    for block in blocks:
        declared = block.model.params(block.n_cat, len(block.dims))
        for item in block.items:
            items += [item_ids[item]] * len(declared)
            params += declared
    return Entries(tuple(items), tuple(params), tuple((int(b.par.shape[0]), int(b.par.shape[1])) for b in blocks))


def tie_parameters(
    blocks: Sequence[ItemBlock], variants: Sequence[Variant], entries: Entries, constraints: Sequence[Constraint]
) -> TieMap:
    """Build the linear map from the variants' own constraints and the user's; contradictions raise ``ModelError``."""
    matrix, offset = _variant_ties(blocks, variants, entries)
    for constraint in constraints:
        rows = np.flatnonzero(entries.where(constraint.param, constraint.items))
        matrix, offset = _apply(matrix, offset, rows, constraint)
    used = np.flatnonzero(np.abs(matrix).sum(axis=0) > 0)
    return _describe(sparse.csr_array(matrix[:, used]), offset, entries)


def _variant_ties(
    blocks: Sequence[ItemBlock], variants: Sequence[Variant], entries: Entries
) -> tuple[sparse.csc_array, FloatArray]:
    designs, offsets = [], []
    for (n_items, n_params), block, variant in zip(entries.sizes, blocks, variants, strict=True):
        if variant.design is not None:
            design, offset = variant.design(n_items, block.n_cat)
            design = sparse.csc_array(design)
        else:
            names = [p.name for p in block.model.params(block.n_cat, len(block.dims))]
            design, offset = _simple_design(variant, names, n_items, n_params)
        designs.append(sparse.csc_array(design))
        offsets.append(offset)
    return sparse.csc_array(sparse.block_diag(designs, format="csc")), np.concatenate(offsets)


def _simple_design(
    variant: Variant, names: list[str], n_items: int, n_params: int
) -> tuple[sparse.csc_array, FloatArray]:
    size = n_items * n_params
    matrix, offset = sparse.csc_array(sparse.eye_array(size)), np.zeros(size)
    constraints: list[Constraint] = [Fixed(name, value) for name, value in variant.fixed.items()]
    constraints += [Equal(name) for name in variant.tied]
    for constraint in constraints:
        rows = np.flatnonzero(np.tile([name == constraint.param for name in names], n_items))
        matrix, offset = _apply(matrix, offset, rows, constraint)
    return sparse.csc_array(matrix[:, np.flatnonzero(np.abs(matrix).sum(axis=0) > 0)]), offset


def _apply(
    matrix: sparse.csc_array, offset: FloatArray, rows: IntArray, constraint: Constraint
) -> tuple[sparse.csc_array, FloatArray]:
    part = sparse.coo_array(sparse.csr_array(matrix)[rows, :])
    columns = np.unique(part.coords[1])
    if np.any(part.data != 1.0) or len(np.unique(part.coords[0])) < len(rows):
        raise ModelError(f"'{constraint.param}' is already fixed or follows its model's design: leave it out.")
    merge = sparse.lil_array(sparse.eye_array(matrix.shape[1]))
    merge[columns, columns] = 0.0
    if isinstance(constraint, Fixed):
        if sparse.csc_array(matrix[:, columns]).nnz > len(rows):
            raise ModelError(f"'{constraint.param}' is tied to other items: it cannot be fixed for some of them only.")
        offset = offset.copy()
        offset[rows] = constraint.value
    else:
        merge[columns, columns[0]] = 1.0
    return sparse.csc_array(matrix @ sparse.csc_array(merge)), offset


def _describe(matrix: sparse.csr_array, offset: FloatArray, entries: Entries) -> TieMap:
    by_column = sparse.csc_array(matrix)
    names, kinds, lower, upper = [], [], [], []
    for column in range(matrix.shape[1]):
        rows = by_column.indices[by_column.indptr[column] : by_column.indptr[column + 1]]
        coefficients = by_column.data[by_column.indptr[column] : by_column.indptr[column + 1]]
        params = [entries.params[row] for row in rows]
        items = list(dict.fromkeys(entries.items[row] for row in rows))
        alone = len({p.name for p in params}) == 1 and bool(np.all(coefficients == 1.0))
        kinds.append(params[0].name if alone else "")
        names.append(_name(items, params, alone, column))
        lower.append(max(p.lower for p in params) if alone else -np.inf)
        upper.append(min(p.upper for p in params) if alone else np.inf)
    return TieMap(matrix, offset, tuple(names), np.array(lower), np.array(upper), tuple(kinds))


def _name(items: list[str], params: list[Param], alone: bool, column: int) -> str:
    if len(items) == 1:
        return f"{items[0]}.{params[0].name}" if alone else f"{items[0]}.location"
    shared = params[0].name if alone else f"step{column + 1}"
    return f"{shared} (common to {len(items)} items)"

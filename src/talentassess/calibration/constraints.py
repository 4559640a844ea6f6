"""Fixed, equal and composed parameters: all that is not free becomes one linear map, par = A @ free + offset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    def __post_init__(self) -> None:
        if not np.isfinite(self.value):
            raise ModelError(f"Fixed('{self.param}', ...) needs a finite value; found {self.value}.")
        object.__setattr__(self, "items", _item_list("Fixed", self.items, 1))


@dataclass(frozen=True, slots=True)
class Equal:
    """Estimate one common value of a parameter for some items, or for all that have it (dimension by dimension)."""

    param: str
    items: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "items", _item_list("Equal", self.items, 2))


def _item_list(kind: str, items: Sequence[str] | None, least: int) -> tuple[str, ...] | None:
    if items is None:
        return None
    if isinstance(items, str):
        raise ModelError(f"{kind}(items=...) takes a list of item ids; found the single text '{items}'.")
    if len(set(items)) < least:
        raise ModelError(f"{kind}(items=...) needs at least {least} item(s); found {len(set(items))}.")
    return tuple(items)


@dataclass(frozen=True, eq=False, slots=True)
class Composed:
    """Write parameters of items as weighted sums of common effects: par = sum_e weight_e effect_e.

    This is how facets beyond the item (raters, tasks, item features) enter a model: every item x rater is an item, and
    its parameters are sums of an item's and a rater's effect (Fischer 1973; Linacre 1989). The effects are estimated;
    the parameters named take no default prior, and their items need not vary as long as the effects can be told.

    Attributes
    ----------
    parts : (item, parameter) -> effect -> weight, e.g. ``{("i1:r2", "intercept1"): {"severity[r2]": -1.0}}``. What
        stands before the bracket of an effect is its kind; ``priors={"severity": ...}`` acts on all of a kind.
    """

    parts: Mapping[tuple[str, str], Mapping[str, float]]

    def __post_init__(self) -> None:
        if not self.parts:
            raise ModelError("Composed(...) needs at least one parameter: {(item, parameter): {effect: weight}}.")
        for (item, param), weights in self.parts.items():
            wrong = [name for name, weight in weights.items() if not np.isfinite(weight) or weight == 0]
            if wrong or not weights:
                which = f"the weight of '{wrong[0]}' is {weights[wrong[0]]:g}" if wrong else "it has no effect"
                raise ModelError(
                    f"Composed(...): '{param}' of item '{item}' needs effects with finite weights, not 0; {which}."
                )

    def __repr__(self) -> str:
        kinds = ", ".join(sorted(self.kinds))
        return f"Composed({len(self.parts)} parameters of {len(self.items)} items from {len(self.effects)} of: {kinds})"

    @property
    def items(self) -> tuple[str, ...]:
        """The items it touches, in order."""
        return tuple(dict.fromkeys(item for item, _ in self.parts))

    @property
    def effects(self) -> tuple[str, ...]:
        """The effects, in order of appearance."""
        return tuple(dict.fromkeys(name for weights in self.parts.values() for name in weights))

    @property
    def kinds(self) -> frozenset[str]:
        """What stands before the bracket of the effects' names."""
        return frozenset(effect_kind(name) for name in self.effects)


def effect_kind(effect: str) -> str:
    """Return the kind of an effect.

    Examples
    --------
    >>> effect_kind("severity[r2]")
    'severity'
    """
    return effect.split("[", 1)[0]


Tie = Fixed | Equal
Constraint = Tie | Composed


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

    def where(self, constraint: Tie) -> IntArray:
        """Return the positions of the entries a constraint means; none if the form has no such parameter."""
        chosen = None if constraint.items is None else set(constraint.items)
        return np.flatnonzero(
            [
                p.name == constraint.param and (chosen is None or item in chosen)
                for item, p in zip(self.items, self.params, strict=True)
            ]
        )


@dataclass(frozen=True, eq=False, slots=True)
class TieMap:
    """The linear map from F free values to T stacked parameters: par = matrix @ free + offset.

    Attributes
    ----------
    matrix : (T, F) sparse; offset : (T,).
    names : (F,) e.g. ``q1.slope`` or ``slope`` where it is shared by all items.
    lower, upper : (F,) bounds.
    param_names : (F,) declared name of the parameter a free value stands for alone, or the kind of an effect; empty
        where it is a mixture.
    plain : True if every stacked parameter is a free value of its own, in the same order.
    composed : ids of items with parameters that are sums of effects; the last ``n_effects`` free values are these.
    """

    matrix: sparse.csr_array
    offset: FloatArray
    names: tuple[str, ...]
    lower: FloatArray
    upper: FloatArray
    param_names: tuple[str, ...]
    plain: bool = False
    composed: frozenset[str] = frozenset()
    n_effects: int = 0

    @property
    def n_free(self) -> int:
        """Number of free values F."""
        return len(self.names)

    def forth(self, free: FloatArray) -> FloatArray:
        """Return the stacked parameters (T,) at free values (F,)."""
        return free if self.plain else np.asarray(self.matrix @ free + self.offset)

    def back(self, slope: FloatArray) -> FloatArray:
        """Return the derivative (F,) by the free values from that by the stacked parameters (T,)."""
        return slope if self.plain else np.asarray(self.matrix.T @ slope)


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
    ties = [c for c in constraints if not isinstance(c, Composed)]
    sums = [c for c in constraints if isinstance(c, Composed)]
    asked = [*_variant_constraints(blocks, variants, entries), *ties]
    if not asked and not sums and all(variant.design is None for variant in variants):
        return _untied(entries)
    matrix, offset, designed = _stack_designs(blocks, variants, entries)
    for constraint in asked:
        matrix, offset = _apply(matrix, offset, entries.where(constraint), constraint)
    used = np.flatnonzero(np.abs(matrix).sum(axis=0) > 0)
    tie = _describe(sparse.csc_array(matrix[:, used]), offset, entries, designed)
    return _compose(tie, entries, designed, sums) if sums else tie


def _untied(entries: Entries) -> TieMap:
    """Return the identity: every parameter of every item is a free value."""
    return TieMap(
        matrix=sparse.eye_array(len(entries.items), format="csr"),
        offset=np.zeros(len(entries.items)),
        names=tuple(f"{item}.{p.name}" for item, p in zip(entries.items, entries.params, strict=True)),
        lower=np.array([p.lower for p in entries.params]),
        upper=np.array([p.upper for p in entries.params]),
        param_names=tuple(p.name for p in entries.params),
        plain=True,
    )


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


def _variant_constraints(blocks: Sequence[ItemBlock], variants: Sequence[Variant], entries: Entries) -> list[Tie]:
    """Return what the variants fix or tie; items of one variant share a value whatever their number of categories."""
    rows = np.concatenate([[0], np.cumsum([j * p for j, p in entries.sizes])])
    members: dict[str, list[str]] = {}
    for k, block in enumerate(blocks):
        members.setdefault(block.variant, []).extend(dict.fromkeys(entries.items[rows[k] : rows[k + 1]]))
    found: list[Tie] = []
    for name, variant in {b.variant: v for b, v in zip(blocks, variants, strict=True)}.items():
        found += [Fixed(param, value, tuple(members[name])) for param, value in variant.fixed.items()]
        if len(members[name]) > 1:
            found += [Equal(param, tuple(members[name])) for param in variant.tied]
    return found


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
        matrix=sparse.csr_array(sparse.hstack([sparse.csc_array(matrix)[:, kept], sparse.csc_array(added)])),
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
        matrix=sparse.csr_array(merged),
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

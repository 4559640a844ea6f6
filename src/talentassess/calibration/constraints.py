"""Fixed, equal and composed parameters: all that is not free becomes one linear map, par = A @ free + offset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from talentassess.core.arrays import BoolArray, FloatArray, IntArray, block_diagonal
from talentassess.core.errors import ModelError
from talentassess.core.likelihood import ItemBlock
from talentassess.core.model import Param, Variant

if TYPE_CHECKING:
    from scipy import sparse


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
    ties : (T, F) sparse; None if every stacked parameter is a free value of its own, in the same order.
    offset : (T,).
    names : (F,) e.g. ``q1.slope`` or ``slope`` where it is shared by all items.
    lower, upper : (F,) bounds.
    param_names : (F,) declared name of the parameter a free value stands for alone, or the kind of an effect; empty
        where it is a mixture.
    composed : ids of items with parameters that are sums of effects; the last ``n_effects`` free values are these.
    """

    ties: sparse.csr_array | None
    offset: FloatArray
    names: tuple[str, ...]
    lower: FloatArray
    upper: FloatArray
    param_names: tuple[str, ...]
    composed: frozenset[str] = frozenset()
    n_effects: int = 0

    @property
    def plain(self) -> bool:
        """True if nothing is fixed, tied or composed."""
        return self.ties is None

    @property
    def matrix(self) -> sparse.csr_array:
        """The map (T, F), also where it is the identity."""
        if self.ties is not None:
            return self.ties
        from scipy import sparse  # slow to load, and most forms have no ties

        return sparse.eye_array(len(self.offset), format="csr")

    @property
    def n_free(self) -> int:
        """Number of free values F."""
        return len(self.names)

    @property
    def is_free(self) -> BoolArray:
        """(T,) False for parameters that are fixed."""
        if self.ties is None:
            return np.ones(len(self.offset), dtype=bool)
        free: BoolArray = np.diff(self.ties.indptr) > 0
        return free

    def forth(self, free: FloatArray) -> FloatArray:
        """Return the stacked parameters (T,) at free values (F,)."""
        return free if self.ties is None else np.asarray(self.ties @ free + self.offset)

    def back(self, slope: FloatArray) -> FloatArray:
        """Return the derivative (F, ...) by the free values from that by the stacked parameters (T, ...)."""
        return slope if self.ties is None else np.asarray(self.ties.T @ slope)

    def fold(self, pieces: Sequence[FloatArray]) -> FloatArray:
        """Return second derivatives (F, F) by the free values from those by the items' parameters, each (P, P)."""
        if self.ties is None:
            return block_diagonal(pieces)
        from scipy import sparse  # loaded already, with the ties

        folded = self.ties.T @ sparse.block_diag(pieces, format="csr") @ self.ties
        return np.asarray(folded.toarray(), dtype=np.float64)

    def behind(self, rows: IntArray) -> IntArray:
        """Return the positions (M,) of the free values behind some of the stacked parameters."""
        if self.ties is None:
            return np.unique(rows)
        return np.unique(self.ties[rows, :].indices).astype(np.int64)


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
    from talentassess.calibration.ties import tie_together  # brings sparse matrices, which are slow to load

    return tie_together(blocks, variants, entries, asked, sums)


def _untied(entries: Entries) -> TieMap:
    """Return the identity: every parameter of every item is a free value."""
    return TieMap(
        ties=None,
        offset=np.zeros(len(entries.items)),
        names=tuple(f"{item}.{p.name}" for item, p in zip(entries.items, entries.params, strict=True)),
        lower=np.array([p.lower for p in entries.params]),
        upper=np.array([p.upper for p in entries.params]),
        param_names=tuple(p.name for p in entries.params),
    )


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

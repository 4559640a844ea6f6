"""What is to be estimated when items may measure several dimensions at once: blocks, ties, free correlations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy import sparse

from talentassess.calibration.constraints import Entries, Tie, TieMap, list_entries, tie_parameters
from talentassess.calibration.priors import NormalPrior, Prior
from talentassess.core.arrays import CodeArray, FloatArray, IntArray
from talentassess.core.errors import CalibrationError, ModelError
from talentassess.core.likelihood import ItemBlock
from talentassess.core.model import ItemModel, loading_params, slope_dimension
from talentassess.core.posterior import Prior as Latent
from talentassess.core.responses import Responses
from talentassess.models import PLAIN, all_models, find_model

WEAK_NODES = 60  # points of the latent distribution over which the weak prior on unused categories is averaged
EMPTY_CATEGORY_WEIGHT = 1.0  # answers' worth of prior on an item that has a declared but unused category

Pattern = Mapping[str, tuple[int, ...]]  # item id -> the dimensions it measures, ascending


@dataclass(frozen=True, eq=False, slots=True)
class LoadingProblem:
    """One calibration problem on D latent dimensions, means 0 and variances 1.

    Attributes
    ----------
    responses : the answers, for labels and the audit.
    x : (N', J) codes of the persons with at least one answer; weight : (N',) their weights.
    blocks : items by model, number of categories and dimensions, holding the starting values.
    entries, tie : stacked parameters and the linear map from the free values.
    priors : one prior or None per free item value.
    dimensions : (D,) names.
    pairs : pairs of dimensions whose correlation is estimated.
    pseudo : (J,) answers' worth of prior on items with an unused category.
    weak : (Q, D) points over which that prior is averaged.
    """

    responses: Responses
    x: CodeArray
    weight: FloatArray
    blocks: tuple[ItemBlock, ...]
    entries: Entries
    tie: TieMap
    priors: tuple[Prior | None, ...]
    dimensions: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...]
    pseudo: FloatArray
    weak: FloatArray

    @property
    def n_dims(self) -> int:
        """Number of dimensions D."""
        return len(self.dimensions)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all free values: item parameters, then correlations."""
        named = (f"correlation [{self.dimensions[a]}, {self.dimensions[b]}]" for a, b in self.pairs)
        return (*self.tie.names, *named)

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bounds (F,) of all free values."""
        reach = np.ones(len(self.pairs))
        return np.concatenate([self.tie.lower, -reach]), np.concatenate([self.tie.upper, reach])

    def start(self) -> FloatArray:
        """Return starting values (F,) of all free values; correlations start at 0."""
        stacked = np.concatenate([block.par.ravel() for block in self.blocks]) - self.tie.offset
        shared = np.maximum(np.abs(self.tie.matrix).sum(axis=0), 1e-12)
        item_values: FloatArray = np.asarray(self.tie.matrix.T @ stacked) / shared
        return np.concatenate([item_values, np.zeros(len(self.pairs))])

    def unpack(self, free: FloatArray) -> tuple[tuple[ItemBlock, ...], Latent]:
        """Turn free values (F,) into blocks with their parameters and the latent distribution."""
        stacked = self.tie.matrix @ free[: self.tie.n_free] + self.tie.offset
        parts = self.entries.split(np.asarray(stacked))
        cov = np.eye(self.n_dims)
        for (a, b), value in zip(self.pairs, free[self.tie.n_free :], strict=True):
            cov[a, b] = cov[b, a] = value
        return tuple(replace(k, par=par) for k, par in zip(self.blocks, parts, strict=True)), Latent(
            np.zeros(self.n_dims), cov
        )

    def columns_of(self, item: str) -> IntArray:
        """Return the positions (M,) of the free values that an item's parameters depend on."""
        rows = np.flatnonzero([name == item for name in self.entries.items])
        return np.unique(sparse.coo_array(self.tie.matrix[rows, :]).coords[1]).astype(np.int64)


def read_pattern(responses: Responses, loadings: Mapping[str, Sequence[str]]) -> dict[str, tuple[int, ...]]:
    """Return item id -> dimensions; empty dimensions, unknown items or items in none raise ``CalibrationError``."""
    if not loadings:
        raise CalibrationError("loadings is empty: name at least one dimension with its items.")
    problems = [f"dimension '{name}' has no items" for name, items in loadings.items() if not len(items)]
    problems += [
        f"dimension '{name}' takes a list of item ids; found the single text '{items}'"
        for name, items in loadings.items()
        if isinstance(items, str)
    ]
    listed = {item for items in loadings.values() for item in items}
    problems += [f"unknown item '{item}'" for item in sorted(listed - set(responses.item_ids))]
    problems += [f"item '{item}' is in no dimension" for item in responses.item_ids if item not in listed]
    if problems:
        raise CalibrationError("loadings must name known items and every item at least once.", problems)
    return {item: tuple(d for d, items in enumerate(loadings.values()) if item in items) for item in responses.item_ids}


def read_pairs(dimensions: Sequence[str], correlated: bool | Sequence[tuple[str, str]]) -> tuple[tuple[int, int], ...]:
    """Return the pairs of dimensions to correlate; unknown or repeated names raise ``CalibrationError``."""
    if isinstance(correlated, bool):
        return tuple(combinations(range(len(dimensions)), 2)) if correlated else ()
    pairs = []
    for pair in correlated:
        if len(pair) != 2 or not set(pair) <= set(dimensions) or pair[0] == pair[1]:
            raise CalibrationError(
                f"correlated lists pairs of different dimensions out of {', '.join(dimensions)}; found {pair!r}."
            )
        low, high = sorted(dimensions.index(name) for name in pair)
        pairs.append((low, high))
    return tuple(dict.fromkeys(pairs))


def build_loading_problem(
    responses: Responses,
    models: Mapping[str, str],
    pattern: Pattern,
    dimensions: Sequence[str],
    *,
    pairs: tuple[tuple[int, int], ...],
    constraints: Sequence[Tie],
    priors: Mapping[str, Prior] | None,
) -> LoadingProblem:
    """Set up one problem; arguments are checked by the public functions (``read_pattern``, ``read_pairs``)."""
    kept = responses.answered.any(axis=1)
    weight = np.ones(responses.n_persons) if responses.weight is None else responses.weight
    blocks = _blocks(responses, models, pattern, len(dimensions))
    entries = _numbered(list_entries(blocks, responses.item_ids), blocks, len(dimensions))
    check_constrained(constraints, entries, responses)
    tie = tie_parameters(blocks, [PLAIN] * len(blocks), entries, constraints)
    unused = [
        bool(np.any(np.bincount(column[column >= 0], minlength=k) == 0))
        for column, k in zip(responses.x.T, responses.n_cat, strict=True)
    ]
    half = np.random.default_rng(0).standard_normal((WEAK_NODES // 2, len(dimensions)))
    return LoadingProblem(
        responses=responses,
        x=responses.x[kept],
        weight=weight[kept].astype(np.float64),
        blocks=blocks,
        entries=entries,
        tie=tie,
        priors=_priors(tie, entries, priors),
        dimensions=tuple(dimensions),
        pairs=pairs,
        pseudo=EMPTY_CATEGORY_WEIGHT * np.array(unused, dtype=np.float64),
        weak=np.concatenate([half, -half]),
    )


def free_slope_model(name: str, n_cat: int, n_dims: int) -> ItemModel:
    """Return a model that can measure ``n_dims`` dimensions with free slopes; others raise ``ModelError``."""
    model, variant = find_model(name)
    if variant is not PLAIN:
        raise ModelError(
            f"'{name}' holds slopes or steps together; loadings are slopes to be estimated. Use '{model.name}', with "
            "Fixed(...) or Equal(...) constraints where you want them held."
        )
    low, high = model.categories
    if n_cat < low or (high is not None and n_cat > high):
        fitting = [m.name for m in all_models().values() if m.categories[0] <= n_cat <= (m.categories[1] or n_cat)]
        raise ModelError(f"The {model.label} does not take items of {n_cat} categories; use {', '.join(fitting)}.")
    try:
        kinds = {slope_dimension(p.name, n_dims) for p in model.params(n_cat, n_dims)}
    except ValueError:
        kinds = set()
    grows = len(model.params(n_cat, n_dims)) - len(model.params(n_cat, 1))
    numbered = (
        sum(slope_dimension(p.name, n_dims) not in (None, 0) for p in model.params(n_cat, n_dims)) if kinds else 0
    )
    if not set(range(n_dims)) <= kinds or grows != numbered:
        raise ModelError(f"The {model.label} has no slope for each of {n_dims} dimensions; use 2pl, graded or gpcm.")
    return model


def _blocks(responses: Responses, models: Mapping[str, str], pattern: Pattern, n_dims: int) -> tuple[ItemBlock, ...]:
    together: dict[tuple[str, int, tuple[int, ...]], list[int]] = {}
    for j, item in enumerate(responses.item_ids):
        together.setdefault((models[item], int(responses.n_cat[j]), pattern[item]), []).append(j)
    blocks = []
    for (name, n_cat, dims), items in together.items():
        model, index = free_slope_model(name, n_cat, n_dims), np.array(items, dtype=np.int64)
        par = model.start(_shares(responses, index, n_cat), len(dims))
        declared = loading_params(model, n_cat, dims, n_dims)
        for p, param in enumerate(declared):
            d = slope_dimension(param.name, n_dims)
            if d is not None:
                signs = [_sign(responses, j, [i for i, k in pattern.items() if d in k]) for j in items]
                par[:, p] *= np.array(signs) / np.sqrt(len(dims))
        blocks.append(ItemBlock(model, n_cat, index, par, dims, name))
    return tuple(blocks)


def _shares(responses: Responses, items: IntArray, n_cat: int) -> FloatArray:
    x = responses.x[:, items]
    answered = np.maximum((x >= 0).sum(axis=0), 1)
    return np.stack([(x == k).sum(axis=0) / answered for k in range(n_cat)], axis=1)


def _sign(responses: Responses, j: int, items: Sequence[str]) -> float:
    """Return -1 for an item that runs against the others of a dimension, which is where its slope starts."""
    others = [responses.item_ids.index(item) for item in items if item != responses.item_ids[j]]
    rows = responses.answered[:, j] & responses.answered[:, others].any(axis=1)
    if not others or rows.sum() < 2:
        return 1.0
    scaled = np.where(responses.answered, responses.x / (responses.n_cat - 1), np.nan)[rows]
    own, rest = scaled[:, j], np.nanmean(scaled[:, others], axis=1)
    return -1.0 if float((own - own.mean()) @ (rest - rest.mean())) < 0 else 1.0


def _numbered(entries: Entries, blocks: Sequence[ItemBlock], n_dims: int) -> Entries:
    """Number the slopes as the form's dimensions are, so that slope3 means the third dimension for every item."""
    params = [p for b in blocks for _ in b.items for p in loading_params(b.model, b.n_cat, b.dims, n_dims)]
    return replace(entries, params=tuple(params))


def check_constrained(constraints: Sequence[Tie], entries: Entries, responses: Responses) -> None:
    """Refuse constraints that no entry of the form answers to; raises ``ModelError`` naming what there is."""
    known = ", ".join(dict.fromkeys(p.name for p in entries.params))
    for constraint in constraints:
        strange = [item for item in constraint.items or () if item not in responses.item_ids]
        if strange:
            raise ModelError(f"The constraint on '{constraint.param}' names unknown item(s): {', '.join(strange)}.")
        rows = entries.where(constraint)
        without = set(constraint.items or ()) - {entries.items[row] for row in rows}
        if not len(rows) or without:
            whose = f" for {', '.join(sorted(without))}" if without else ""
            raise ModelError(
                f"There is no parameter '{constraint.param}' to constrain{whose}; there are: {known}. Slopes are "
                "numbered by dimension, and an item has those of its own dimensions only."
            )


def _priors(tie: TieMap, entries: Entries, asked: Mapping[str, Prior] | None) -> tuple[Prior | None, ...]:
    defaults: dict[str, Prior] = {p.name: NormalPrior(*p.prior) for p in entries.params if p.prior is not None}
    unknown = sorted(set(asked or {}) - {p.name for p in entries.params})
    if unknown:
        known = ", ".join(dict.fromkeys(p.name for p in entries.params))
        raise ModelError(f"priors names parameter(s) that no item has: {', '.join(unknown)}. There are: {known}.")
    wanted = defaults if asked is None else {**defaults, **asked} if asked else {}
    return tuple(wanted.get(name) for name in tie.param_names)

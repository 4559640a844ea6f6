"""What is to be estimated, from which answers: any mix of models, any structure of the latent side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from talentassess.calibration.constraints import Constraint, Entries, TieMap, list_entries, tie_parameters
from talentassess.calibration.priors import NormalPrior, Prior
from talentassess.calibration.structures import NormalGroups, Structure
from talentassess.core.answers import gather_answers
from talentassess.core.arrays import CodeArray, FloatArray, IntArray
from talentassess.core.errors import ModelError
from talentassess.core.likelihood import ItemBlock, offsets
from talentassess.core.model import ItemModel, Variant
from talentassess.core.quadrature import grid
from talentassess.core.responses import Responses
from talentassess.models import find_model

EMPTY_CATEGORY_WEIGHT = 1.0  # answers' worth of prior on an item that has a declared but unused category


@dataclass(frozen=True, eq=False, slots=True)
class Problem:
    """One calibration problem: items with their parameters, and the structure of the latent side.

    Attributes
    ----------
    responses : the answers, for labels and the audit.
    starts : (J + 1,) item offsets on the stacked category axis.
    blocks : items by model, holding the starting values.
    entries, tie : stacked parameters and the linear map from the free values.
    priors : one prior or None per free item value.
    structure : the latent distribution and the integration over it.
    pseudo : (J,) answers' worth of prior on items with an unused category.
    """

    responses: Responses
    starts: IntArray
    blocks: tuple[ItemBlock, ...]
    entries: Entries
    tie: TieMap
    priors: tuple[Prior | None, ...]
    structure: Structure
    pseudo: FloatArray

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all free values: item parameters, then those of the latent distribution."""
        return (*self.tie.names, *self.structure.names)

    def start(self) -> FloatArray:
        """Return starting values (F,) of all free values, from the shares of the categories."""
        return self._project([block.par for block in self.blocks])

    def even_start(self) -> FloatArray:
        """Return starting values (F,) as if all categories were equally frequent: admissible under most ties."""
        shares = [np.full((len(b.items), b.n_cat), 1 / b.n_cat) for b in self.blocks]
        return self._project([b.model.start(share, 1) for b, share in zip(self.blocks, shares, strict=True)])

    def _project(self, pars: Sequence[FloatArray]) -> FloatArray:
        stacked = np.concatenate([par.ravel() for par in pars]) - self.tie.offset
        weights = np.maximum(np.abs(self.tie.matrix).sum(axis=0), 1e-12)
        # exact for plain and tied parameters (their mean); for the rating scale design a rough projection will do
        item_values = np.asarray(self.tie.matrix.T @ stacked) / weights
        return np.concatenate([item_values, self.structure.start])

    def unpack(self, free: FloatArray) -> tuple[tuple[ItemBlock, ...], FloatArray]:
        """Turn free values (F,) into blocks with their parameters, and latent values (L,)."""
        stacked = self.tie.matrix @ free[: self.tie.n_free] + self.tie.offset
        parts = self.entries.split(np.asarray(stacked))
        blocks = tuple(replace(b, par=par) for b, par in zip(self.blocks, parts, strict=True))
        return blocks, free[self.tie.n_free :]


def build_problem(
    responses: Responses,
    models: Mapping[str, str],
    *,
    groups: Sequence[str] | None,
    anchored: bool,
    constraints: Sequence[Constraint],
    priors: Mapping[str, Prior] | None,
) -> Problem:
    """Set up one calibration problem.

    Parameters
    ----------
    responses : the items of one dimension.
    models : item id -> model name.
    groups : (N,) label per person, or None for one population.
    anchored : True if anchor items fix the metric, so that the first group's mean and variance are free as well.
    constraints : the user's, beyond those of the models.
    priors : parameter name -> prior; None takes the models' own defaults.
    """
    labels = tuple(dict.fromkeys(groups)) if groups is not None else ("all",)
    group = np.zeros(responses.n_persons, dtype=np.int64)
    if groups is not None:
        group = np.array([labels.index(g) for g in groups], dtype=np.int64)
    blocks, variants = _blocks(responses, models)
    entries = list_entries(blocks, responses.item_ids)
    tie = tie_parameters(blocks, variants, entries, constraints)
    free_mean = np.array([anchored or g > 0 for g in range(len(labels))])
    free_sd = free_mean | any(variant.free_variance for variant in variants)
    unused = [np.any(np.bincount(column[column >= 0], minlength=k) == 0) for column, k in _columns(responses)]
    return Problem(
        responses=responses,
        starts=offsets(responses.n_cat),
        blocks=blocks,
        entries=entries,
        tie=tie,
        priors=_priors(tie, entries, priors),
        structure=NormalGroups(gather_answers(responses, group), labels, free_mean, free_sd, grid()),
        pseudo=EMPTY_CATEGORY_WEIGHT * np.array(unused, dtype=np.float64),
    )


def _columns(responses: Responses) -> list[tuple[CodeArray, int]]:
    return [(responses.x[:, j], int(k)) for j, k in enumerate(responses.n_cat)]


def _blocks(responses: Responses, models: Mapping[str, str]) -> tuple[tuple[ItemBlock, ...], tuple[Variant, ...]]:
    together: dict[tuple[str, int], list[int]] = {}
    for j, item in enumerate(responses.item_ids):
        together.setdefault((models[item], int(responses.n_cat[j])), []).append(j)
    blocks, variants = [], []
    for (name, n_cat), items in together.items():
        model, variant = find_model(name)
        _check_categories(model, n_cat, [responses.item_ids[j] for j in items])
        index = np.array(items, dtype=np.int64)
        blocks.append(ItemBlock(model, n_cat, index, _start(model, responses, index, n_cat), (0,), name))
        variants.append(variant)
    return tuple(blocks), tuple(variants)


def _check_categories(model: ItemModel, n_cat: int, items: list[str]) -> None:
    low, high = model.categories
    if n_cat < low or (high is not None and n_cat > high):
        allowed = f"{low}" if low == high else f"{low} to {high or 'any number of'}"
        raise ModelError(
            f"The {model.label} takes items of {allowed} categories; {', '.join(items[:5])} declare(s) {n_cat}. "
            "Choose another model for them, e.g. model={'" + items[0] + "': 'graded', ...}."
        )


def _start(model: ItemModel, responses: Responses, items: IntArray, n_cat: int) -> FloatArray:
    x = responses.x[:, items]
    answered = np.maximum((x >= 0).sum(axis=0), 1)
    share = np.stack([(x == k).sum(axis=0) / answered for k in range(n_cat)], axis=1)
    par = model.start(share, 1)
    slopes = [p for p, declared in enumerate(model.params(n_cat, 1)) if declared.name.startswith("slope")]
    par[:, slopes] *= np.where(rest_correlation(responses)[items] < 0, -1.0, 1.0)[:, None]
    return par


def rest_correlation(responses: Responses) -> FloatArray:
    """Return (J,) correlation of each item with the mean of the others, each scaled 0..1; 0 where undefined.

    It only sets the sign of the starting slope and the audit's reverse-key finding; item analysis proper is ``ctt``.
    """
    scaled = np.where(responses.answered, responses.x / (responses.n_cat - 1), 0.0)
    answered = responses.answered.astype(np.float64)
    n_rest = answered.sum(axis=1, keepdims=True) - answered
    rest = (scaled.sum(axis=1, keepdims=True) - scaled) / np.maximum(n_rest, 1.0)
    usable = answered * (n_rest > 0)
    n = np.maximum(usable.sum(axis=0), 1.0)
    x_centred = usable * (scaled - (usable * scaled).sum(axis=0) / n)
    rest_centred = usable * (rest - (usable * rest).sum(axis=0) / n)
    spread = np.sqrt((x_centred**2).sum(axis=0) * (rest_centred**2).sum(axis=0))
    top: FloatArray = (x_centred * rest_centred).sum(axis=0)
    correlation: FloatArray = np.divide(top, spread, out=np.zeros_like(top), where=spread > 0)
    return correlation


def _priors(tie: TieMap, entries: Entries, asked: Mapping[str, Prior] | None) -> tuple[Prior | None, ...]:
    defaults: dict[str, Prior] = {p.name: NormalPrior(*p.prior) for p in entries.params if p.prior is not None}
    if asked is None:
        return tuple(defaults.get(name) for name in tie.param_names)
    wanted = {**defaults, **asked} if asked else {}
    return tuple(wanted.get(name) for name in tie.param_names)

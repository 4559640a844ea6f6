"""What is to be estimated, from which answers: any mix of models, any structure of the latent side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from talentassess.calibration.constraints import Composed, Constraint, Entries, TieMap, list_entries, tie_parameters
from talentassess.calibration.priors import NormalPrior, Prior
from talentassess.calibration.starts import category_worth, facing_fixed_locations, starting_values
from talentassess.calibration.structures import NormalGroups, Structure
from talentassess.calibration.testlets import name_slopes, testlet_ties
from talentassess.core.answers import Answers, gather_answers
from talentassess.core.arrays import CodeRows, FloatArray, IntArray
from talentassess.core.errors import CalibrationError, ModelError
from talentassess.core.likelihood import ItemBlock
from talentassess.core.model import ItemModel, Variant
from talentassess.core.packed import StreamPart
from talentassess.core.quadrature import grid
from talentassess.core.responses import Responses
from talentassess.core.survey import Survey
from talentassess.models import find_model

EMPTY_CATEGORY_WEIGHT = 1.0  # answers' worth of prior on an item that has a declared but unused category


@dataclass(frozen=True, eq=False, slots=True)
class Problem:
    """One calibration problem: items with their parameters, and the structure of the latent side.

    Attributes
    ----------
    responses : the answers, for labels and the audit; survey : a first look at them.
    starts : (J + 1,) item offsets on the stacked category axis.
    blocks : items by model, holding the starting values.
    entries, tie : stacked parameters and the linear map from the free values.
    priors : one prior or None per free item value.
    structure : the latent distribution and the integration over it.
    x : (N', J) codes as they enter the likelihood, to be read some persons at a time.
    pseudo : (J,) answers' worth of prior on items with an unused category.
    specific : names of the structure's dimensions after the first: the testlets.
    """

    responses: Responses | StreamPart
    survey: Survey
    starts: IntArray
    blocks: tuple[ItemBlock, ...]
    entries: Entries
    tie: TieMap
    priors: tuple[Prior | None, ...]
    structure: Structure
    x: CodeRows
    pseudo: FloatArray
    specific: tuple[str, ...] = ()

    @property
    def in_memory(self) -> Responses:
        """The answers as numbers; a stream raises ``CalibrationError``."""
        if isinstance(self.responses, StreamPart):
            raise CalibrationError("This needs all answers at once; read them with ta.read_responses.")
        return self.responses

    @property
    def weighted(self) -> bool:
        """True if the persons carry weights."""
        r = self.responses
        return r.weighted if isinstance(r, StreamPart) else r.weight is not None

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
        return self._project([b.model.start(share, len(b.dims)) for b, share in zip(self.blocks, shares, strict=True)])

    def _project(self, pars: Sequence[FloatArray]) -> FloatArray:
        stacked = np.concatenate([par.ravel() for par in pars]) - self.tie.offset
        if self.tie.plain:
            return np.concatenate([stacked, self.structure.start])
        if self.tie.composed:  # effects overlap, so that shares of the sums would not do: their least squares
            square, image = (self.tie.matrix.T @ self.tie.matrix).toarray(), self.tie.matrix.T @ stacked
            return np.concatenate([np.linalg.lstsq(square, np.asarray(image))[0], self.structure.start])
        weights = np.maximum(np.abs(self.tie.matrix).sum(axis=0), 1e-12)
        # exact for tied parameters (their mean); for the rating scale design a rough projection will do
        item_values = np.asarray(self.tie.matrix.T @ stacked) / weights
        return np.concatenate([item_values, self.structure.start])

    def unpack(self, free: FloatArray) -> tuple[tuple[ItemBlock, ...], FloatArray]:
        """Turn free values (F,) into blocks with their parameters, and latent values (L,)."""
        parts = self.entries.split(self.tie.forth(free[: self.tie.n_free]))
        blocks = tuple(replace(b, par=par) for b, par in zip(self.blocks, parts, strict=True))
        return blocks, free[self.tie.n_free :]


def build_problem(
    responses: Responses | StreamPart,
    models: Mapping[str, str],
    *,
    groups: Sequence[str] | None,
    held: Sequence[str] = (),
    constraints: Sequence[Constraint],
    priors: Mapping[str, Prior] | None,
    testlets: Mapping[str, Sequence[str]] | None = None,
) -> Problem:
    """Set up one calibration problem; items nothing can be learned about raise ``CalibrationError``.

    Parameters
    ----------
    responses : the items of one dimension.
    models : item id -> model name.
    groups : (N,) label per person, or None for one population.
    held : items whose parameters anchors hold; they fix the metric, so the first group's mean and variance are free.
    constraints : the user's, beyond those of the models.
    priors : parameter name -> prior; None takes the models' own defaults.
    testlets : testlet -> item ids, checked; each is a specific dimension beside the general one.
    """
    testlets = testlets or {}
    labels = tuple(dict.fromkeys(groups)) if groups is not None else ("all",)
    answers, survey, some = _first_look(responses, models, groups, labels)
    own = tuple(np.array([responses.item_ids.index(item) for item in items]) for items in testlets.values())
    composed = {item for c in constraints if isinstance(c, Composed) for item in c.items}
    check_estimable(responses.item_ids, survey, [*held, *composed])
    blocks, variants = _blocks(some, survey, models, own)
    entries = list_entries(blocks, responses.item_ids)
    entries = name_slopes(entries, blocks) if own else entries
    tie = tie_parameters(blocks, variants, entries, [*testlet_ties(testlets, models), *constraints])
    free_mean = np.array([bool(held) or g > 0 for g in range(len(labels))])
    free_sd = free_mean | any(variant.free_variance for variant in variants)
    # effects borrow from other items what one item does not show: they take priors of their own where that is not so
    unused = np.add.reduceat(survey.counts == 0, survey.starts[:-1]) > 0
    unused &= ~np.isin(np.array(responses.item_ids), sorted(composed))
    base = NormalGroups(answers, labels, free_mean, free_sd, grid())
    _refuse_taken_names(tie, base.names)
    return Problem(
        responses=responses,
        survey=survey,
        starts=survey.starts,
        blocks=facing_fixed_locations(blocks, entries, tie),
        entries=entries,
        tie=tie,
        priors=_priors(tie, entries, priors),
        structure=_with_testlets(base, own) if own else base,
        x=answers.x,
        pseudo=EMPTY_CATEGORY_WEIGHT * unused.astype(np.float64),
        specific=tuple(testlets),
    )


def _refuse_taken_names(tie: TieMap, latent: Sequence[str]) -> None:
    """Refuse effects called like another estimate: nobody could tell the two apart by name."""
    own = len(tie.names) - tie.n_effects
    taken = sorted(set(tie.names[own:]) & {*tie.names[:own], *latent})
    if taken:
        raise ModelError(f"Composed(...): an estimate is called '{taken[0]}' already. Give the effect another name.")


def _with_testlets(base: NormalGroups, own: tuple[IntArray, ...]) -> Structure:
    from talentassess.calibration.bifactor import with_testlets  # most forms have no testlets

    return with_testlets(base, own)


def _first_look(
    responses: Responses | StreamPart,
    models: Mapping[str, str],
    groups: Sequence[str] | None,
    labels: Sequence[str],
) -> tuple[Answers, Survey, Responses]:
    """Return the answers as they enter the likelihood, a first look at them, and persons that stand for all."""
    if isinstance(responses, StreamPart):
        return responses.answers, responses.survey, responses.some
    number = {label: g for g, label in enumerate(labels)}
    group = np.zeros(responses.n_persons, dtype=np.int64)
    if groups is not None:
        group = np.array([number[g] for g in groups], dtype=np.int64)
    worth = category_worth(responses.item_ids, responses.n_cat, models)
    return (*gather_answers(responses, group, worth), responses)


def check_estimable(item_ids: Sequence[str], survey: Survey, held: Sequence[str] = ()) -> None:
    """Refuse items that nothing can be learned about; raises ``CalibrationError`` naming each of them.

    Items whose parameters are ``held`` by anchors, or composed of effects, need not vary.
    """
    problems = []
    for j, item in enumerate(item_ids):
        counts = survey.counts_of(j)
        seen = np.flatnonzero(counts)
        if item in held:
            continue
        if len(seen) == 0:
            problems.append(f"item '{item}': nobody answered it")
        elif len(seen) == 1:
            problems.append(f"item '{item}': all {counts.sum():.0f} answers are in category {seen[0]}")
    if problems:
        raise CalibrationError(
            "Some items have no variation, so their parameters cannot be estimated. Leave them out with "
            "responses.select([...]), or fix their parameters with anchors.",
            problems,
        )


def _blocks(
    responses: Responses, survey: Survey, models: Mapping[str, str], testlets: Sequence[IntArray]
) -> tuple[tuple[ItemBlock, ...], tuple[Variant, ...]]:
    dims: dict[int, tuple[int, ...]] = {int(j): (0, f) for f, items in enumerate(testlets, start=1) for j in items}
    together: dict[tuple[str, int, tuple[int, ...]], list[int]] = {}
    for j, item in enumerate(responses.item_ids):
        together.setdefault((models[item], int(responses.n_cat[j]), dims.get(j, (0,))), []).append(j)
    blocks, variants = [], []
    for (name, n_cat, own), items in together.items():
        model, variant = find_model(name)
        _check_categories(model, n_cat, [responses.item_ids[j] for j in items])
        index = np.array(items, dtype=np.int64)
        start = starting_values(model, survey, responses, models, index, len(own))
        blocks.append(ItemBlock(model, n_cat, index, start, own, name))
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


def _priors(tie: TieMap, entries: Entries, asked: Mapping[str, Prior] | None) -> tuple[Prior | None, ...]:
    defaults: dict[str, Prior] = {p.name: NormalPrior(*p.prior) for p in entries.params if p.prior is not None}
    if asked is None:
        return tuple(defaults.get(name) for name in tie.param_names)
    wanted = {**defaults, **asked} if asked else {}
    return tuple(wanted.get(name) for name in tie.param_names)

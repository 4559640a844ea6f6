"""Simulated answers, marked SIMULATED for good: from a calibration, or from a bank with drawn item parameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from talentassess.bank.schema import Item, ItemBank, SituationalItem
from talentassess.core.arrays import CodeArray, FloatArray
from talentassess.core.calibration import Calibration, FreeParameters, Latent
from talentassess.core.errors import TalentAssessError
from talentassess.core.likelihood import ItemBlock
from talentassess.core.provenance import Provenance, hash_json
from talentassess.core.responses import Responses
from talentassess.core.status import Status
from talentassess.models import find_model

CORRELATION = 0.4  # between competencies of simulated persons: typical of self-reported work competencies
SHAPE_REACH, SHAPE_NODES = 12.0, 4801  # standard deviations and points on which a latent shape is inverted
SITUATIONAL_SLOPE = 0.6  # situational items discriminate less than self-report; their drawn slopes are scaled by this


def simulate(
    source: Calibration | ItemBank,
    n: int,
    *,
    seed: int,
    theta: FloatArray | None = None,
    name: str = "simulated persons",
) -> Responses:
    """Draw answers of ``n`` persons from a model; the result is marked SIMULATED wherever it goes.

    Parameters
    ----------
    source : a calibration (its items, parameters and latent distribution), or a bank: graded items whose parameters are
        drawn from the typical ranges of the model, competencies correlated .4.
    n : number of persons, at least 1.
    seed : of the random numbers; the same seed gives the same answers.
    theta : (n, D) true values in logits, drawn from the latent distribution if left out.
    name : the source written into the provenance.

    Returns
    -------
    Responses without missing answers, ``provenance.simulated`` True.

    Examples
    --------
    >>> import talentassess as ta
    >>> ta.simulate(ta.load_bank("service_core"), 50, seed=3).provenance.label
    'SIMULATED'
    """
    if n < 1:
        raise TalentAssessError(f"simulate needs at least one person; found n = {n}.")
    rng = np.random.default_rng(seed)
    truth = source if isinstance(source, Calibration) else drawn_calibration(source)
    if len(truth.latent.groups) > 1 and theta is None:
        groups = ", ".join(truth.latent.groups)
        raise TalentAssessError(
            f"The calibration has several groups ({groups}): give theta, drawn for the group meant."
        )
    if theta is None:
        theta = _persons(truth.latent, n, rng)
    if theta.shape != (n, len(truth.dimensions)):
        raise TalentAssessError(f"theta has shape {theta.shape}; it must be {(n, len(truth.dimensions))}.")
    x = np.empty((n, len(truth.item_ids)), dtype=np.int16)
    for block in truth.blocks:
        x[:, block.items] = _draw(block, theta, rng)
    return Responses(
        x=x,
        n_cat=truth.n_cat,
        item_ids=truth.item_ids,
        person_ids=tuple(f"SIM-{i + 1:0{len(str(n))}d}" for i in range(n)),
        scales=tuple(truth.dimension_of(item) for item in truth.item_ids),
        provenance=Provenance(name, simulated=True, options={"seed": str(seed), "from": truth.provenance.source}),
    )


def _persons(latent: Latent, n: int, rng: np.random.Generator) -> FloatArray:
    """Draw (n, D) true values of the reference group; dimensions with a shape of their own by inverting its CDF."""
    theta: FloatArray = rng.multivariate_normal(latent.mean[0], latent.cov[0], size=n, method="cholesky")
    for d, shape in enumerate(latent.shapes):
        if shape is not None:
            inside = np.linspace(-SHAPE_REACH, SHAPE_REACH, SHAPE_NODES)
            cumulative = np.cumsum(np.exp(shape.log_weights(inside)))
            drawn = np.interp(rng.random(n), cumulative / cumulative[-1], inside)
            theta[:, d] = latent.mean[0, d] + np.sqrt(latent.cov[0, d, d]) * drawn
    return theta


def _draw(block: ItemBlock, theta: FloatArray, rng: np.random.Generator) -> CodeArray:
    cumulative = np.cumsum(np.exp(block.log_prob(theta)), axis=2)
    u = rng.random((len(theta), len(block.items), 1))
    drawn: CodeArray = np.minimum((u > cumulative).sum(axis=2), block.n_cat - 1).astype(np.int16)
    return drawn


def drawn_calibration(bank: ItemBank) -> Calibration:
    """Return a made-up calibration of a bank: graded parameters drawn from their typical ranges, marked SIMULATED.

    What is drawn for an item depends on its id alone: all simulated persons answer the same items, in every bank that
    holds them and whatever else of the bank is edited.
    """
    item_ids, dimensions = bank.item_ids, bank.scale_ids
    n_cat = np.array([bank.n_cat(item) for item in item_ids], dtype=np.int64)
    groups: dict[tuple[int, int], list[int]] = {}
    bank_items = bank.items
    for j, item in enumerate(bank_items):
        groups.setdefault((dimensions.index(item.scale), int(n_cat[j])), []).append(j)
    blocks = [_drawn_block([bank_items[j] for j in places], d, k, places) for (d, k), places in groups.items()]
    cov = np.full((len(dimensions),) * 2, CORRELATION) + (1 - CORRELATION) * np.eye(len(dimensions))
    return Calibration(
        item_ids=item_ids,
        n_cat=n_cat,
        dimensions=dimensions,
        blocks=tuple(blocks),
        par_cov=tuple(np.zeros((*b.par.shape, b.par.shape[1])) for b in blocks),
        latent=Latent(("all",), np.zeros((1, len(dimensions))), cov[None]),
        free=FreeParameters((), np.empty(0), np.empty((0, 0))),
        loglik=float("nan"),
        n_persons=0,
        n_steps=0,
        status=Status.NOT_CHECKED,
        trace=(),
        audit=(),
        provenance=Provenance(f"bank {bank.id} with drawn parameters", simulated=True),
    )


def _drawn_block(items: Sequence[Item], dim: int, n_cat: int, places: list[int]) -> ItemBlock:
    model, _ = find_model("graded")
    draws = [np.random.default_rng(int(hash_json(["drawn", item.id]), 16)) for item in items]
    par = np.array([[rng.uniform(*p.typical) for p in model.params(n_cat, 1)] for rng in draws])
    situational = [isinstance(item, SituationalItem) for item in items]
    par[:, 0] *= np.where(situational, SITUATIONAL_SLOPE, 1.0)
    return ItemBlock(model, n_cat, np.array(places), par, (dim,), "graded")

"""Scores of a calibration with testlets: posterior means of the general and specific dimensions, with covariances."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from talentassess.core.arrays import CodeArray, FloatArray, IntArray
from talentassess.core.calibration import Calibration
from talentassess.core.errors import ScoringError
from talentassess.core.likelihood import ItemBlock, offsets, stack_log_prob
from talentassess.core.quadrature import normal_log_weights
from talentassess.core.reduction import ReducedForm, plain_form, reduced_posteriors, suited_form


def has_testlets(calibration: Calibration) -> bool:
    """Say whether items measure a specific dimension beside a general one, and none of these are correlated."""
    pairs = {block.dims for block in calibration.blocks if len(block.dims) > 1}
    specific = [d for dims in pairs for d in dims[1:]]
    general = {block.dims[0] for block in calibration.blocks}
    nested = bool(pairs) and len(specific) == len(pairs) == len(set(specific)) and general.isdisjoint(specific)
    return nested and not np.any(calibration.latent.cov[:, ~np.eye(len(calibration.dimensions), dtype=bool)])


@dataclass(frozen=True, eq=False, slots=True)
class SpecificForm:
    """The items of one general dimension and its testlets.

    Attributes
    ----------
    dims : (1 + F,) the dimensions of the calibration: the general one, then the testlets'.
    positions : (Jd,) positions of the items in the calibration.
    blocks : items by model; positions and dims counted within the form.
    form : items of each testlet, and nodes that suit them.
    mean, sd : (G,) distribution of the general dimension, logits.
    """

    dims: tuple[int, ...]
    positions: IntArray
    blocks: tuple[ItemBlock, ...]
    form: ReducedForm
    mean: FloatArray
    sd: FloatArray


def testlet_form(calibration: Calibration, d: int) -> SpecificForm:
    """Return the form of general dimension number ``d``."""
    own = [block for block in calibration.blocks if block.dims[0] == d]
    dims = (d, *sorted({block.dims[1] for block in own if len(block.dims) > 1}))
    positions = np.sort(np.concatenate([block.items for block in own]))
    blocks = tuple(
        replace(b, items=np.searchsorted(positions, b.items), dims=tuple(dims.index(k) for k in b.dims)) for b in own
    )
    testlets = tuple(
        np.sort(np.concatenate([b.items for b in blocks if b.dims == (0, f)])) for f in range(1, len(dims))
    )
    mean, sd = calibration.latent.mean[:, d], np.sqrt(calibration.latent.cov[:, d, d])
    form = plain_form(offsets(calibration.n_cat[positions]), testlets)
    return SpecificForm(dims, positions, blocks, suited_form(form, blocks, mean, sd) or form, mean, sd)


def refuse_with_testlets(method: str, item_uncertainty: bool, covariates: bool) -> None:
    """Raise ``ScoringError`` for what is not offered with testlets."""
    if method != "eap":
        raise ScoringError(
            f"method='{method}' is not offered for a calibration with testlets: its scores integrate over the specific "
            "dimensions. Use 'eap'."
        )
    if item_uncertainty:
        raise ScoringError("item_uncertainty is not offered for a calibration with testlets; leave it out.")
    if covariates:
        raise ScoringError("A calibration with testlets has no latent regression; leave covariates out.")


def testlet_scores(calibration: Calibration, x: CodeArray, group: IntArray) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return EAP scores (N, D), posterior covariances (N, D, D) and numbers of answers (N, D).

    Parameters
    ----------
    calibration : with testlets in at least one of its dimensions; ``x`` : (N, J) codes; ``group`` : (N,) numbers.

    Equations: E(s_f | x) = sum_g p(g | x) E(s_f | g, x); given g the specific dimensions are independent, so that
    E(s_f s_h | x) = sum_g p(g | x) E(s_f | g, x) E(s_h | g, x). Covariances between dimensions calibrated one by one
    are 0.
    """
    n_dims = len(calibration.dimensions)
    theta, cov = np.zeros((len(x), n_dims)), np.zeros((len(x), n_dims, n_dims))
    answered = np.zeros((len(x), n_dims), dtype=np.int64)
    for d in dict.fromkeys(block.dims[0] for block in calibration.blocks):
        form = testlet_form(calibration, d)
        own, codes = np.array(form.dims), x[:, form.positions]
        theta[:, own], second = _moments(form, codes, group)
        cov[:, own[:, None], own] = second
        answered[:, d] = (codes >= 0).sum(axis=1)
        for k, items in zip(own[1:], form.form.testlets, strict=True):
            answered[:, k] = (codes[:, items] >= 0).sum(axis=1)
    return theta, cov, answered


def _moments(form: SpecificForm, x: CodeArray, group: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return posterior means (N, 1 + F) and covariances (N, 1 + F, 1 + F)."""
    reduced = form.form
    log_prob = stack_log_prob(form.blocks, reduced.theta, reduced.starts)
    log_prior = np.stack([normal_log_weights(reduced.general, m, s) for m, s in zip(form.mean, form.sd, strict=True)])
    size = len(form.dims)
    mean, cov = np.empty((len(x), size)), np.empty((len(x), size, size))
    for p in reduced_posteriors(reduced, x, log_prob, log_prior, group):
        n = len(p.general)
        given = np.empty((n, size, len(reduced.general)))  # E(dimension | g, x)
        given[:, 0] = reduced.general
        spread = np.zeros((n, size))  # E(var(dimension | g, x))
        for f, conditional in enumerate(p.conditional, start=1):
            given[:, f] = conditional @ reduced.specific
            second = conditional @ reduced.specific**2
            spread[:, f] = np.sum(p.general * (second - given[:, f] ** 2), axis=1)
        mean[p.rows] = np.einsum("nq,ndq->nd", p.general, given)
        centred = given - mean[p.rows][:, :, None]
        cov[p.rows] = np.einsum("nq,ndq,neq->nde", p.general, centred, centred, optimize=True)
        cov[p.rows] += spread[:, :, None] * np.eye(size)
    return mean, cov

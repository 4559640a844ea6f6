"""EAP and MAP on correlated dimensions: every answer speaks of all of them, through the latent covariance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from talentassess.core.answers import Answers
from talentassess.core.arrays import CodeArray, FloatArray, IntArray
from talentassess.core.calibration import Calibration
from talentassess.core.derived import joint_grid
from talentassess.core.ep import ep_form, ep_pass, gaussian_posteriors
from talentassess.core.errors import ScoringError
from talentassess.core.likelihood import CHUNK, ItemBlock, offsets, stack_log_prob
from talentassess.scoring.inputs import Aligned, count_answers

ROUNDS, TOLERANCE = 100, 1e-8
JOINT = ("eap", "map")  # methods that use the population, and so its correlations


def is_correlated(calibration: Calibration) -> bool:
    """Tell whether the latent covariance says anything about how the dimensions hang together."""
    cov = calibration.latent.cov
    return bool(np.any(cov - np.einsum("gdd->gd", cov)[:, :, None] * np.eye(cov.shape[1]) != 0))


def joint_posterior(calibration: Calibration, aligned: Aligned, method: str) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return scores (N, D) in logits, their posterior covariance (N, D, D) and numbers of answers (N, D).

    Parameters
    ----------
    calibration : every item measures one dimension.
    aligned : the answers of N persons.
    method : ``eap`` (posterior mean and covariance by expectation propagation) or ``map`` (posterior mode, by Fisher
        scoring; covariance: the inverse of expected information plus the population's precision).
    """
    several = [item for block in calibration.blocks if len(block.dims) > 1 for item in block.items]
    if several:
        raise ScoringError(f"Item '{calibration.item_ids[several[0]]}' measures several dimensions at once.")
    form = _Form.of(calibration, aligned.x, aligned.group)
    theta, cov = _expected(form) if method == "eap" else _modes(form)
    own = [np.flatnonzero(form.dim == d) for d in range(theta.shape[1])]
    complete = not aligned.any_missing()
    return theta, cov, np.column_stack([count_answers(form.x[:, items], complete) for items in own])


@dataclass(frozen=True, eq=False, slots=True)
class _Form:
    """Items and answers with the items of a dimension side by side.

    Attributes
    ----------
    blocks, n_cat, dim : items by model, categories (J,) and dimension (J,) of each.
    x, group : (N, J) codes, (N,) group numbers; mean, cov : the populations (G, D), (G, D, D).
    """

    blocks: tuple[ItemBlock, ...]
    n_cat: IntArray
    dim: IntArray
    x: CodeArray
    group: IntArray
    mean: FloatArray
    cov: FloatArray

    @classmethod
    def of(cls, calibration: Calibration, x: CodeArray, group: IntArray) -> _Form:
        """Return the form with codes x (N, J) in its own order of items."""
        dim = np.empty(len(calibration.item_ids), dtype=np.int64)
        for block in calibration.blocks:
            dim[block.items] = block.dims[0]
        order = np.argsort(dim, kind="stable")
        place = np.argsort(order)
        blocks = tuple(replace(block, items=place[block.items]) for block in calibration.blocks)
        latent = calibration.latent
        return cls(blocks, calibration.n_cat[order], dim[order], x[:, order], group, latent.mean, latent.cov)


def _expected(form: _Form) -> tuple[FloatArray, FloatArray]:
    n_dims, starts, one = form.mean.shape[1], offsets(form.n_cat), np.ones(len(form.x))
    nodes = joint_grid(form.blocks, form.mean, form.cov)
    log_prob = stack_log_prob(form.blocks, np.repeat(nodes[:, None], n_dims, axis=1), starts)
    answers = ep_form(Answers(np.ascontiguousarray(form.x), form.group, one, one, starts), form.dim, n_dims)
    sites = answers.no_sites()
    passed = ep_pass(answers, log_prob, nodes, (form.mean, form.cov), sites)
    if passed is None:
        raise ScoringError("The calibration's latent covariance is not positive definite: calibrate again.")
    return gaussian_posteriors(sites, form.group, (form.mean, form.cov))


def _modes(form: _Form) -> tuple[FloatArray, FloatArray]:
    theta, cov = np.empty((len(form.x), form.mean.shape[1])), np.empty((len(form.x), *form.cov.shape[1:]))
    precision = np.asarray(np.linalg.inv(form.cov), dtype=np.float64)
    near = _expected(form)[0]
    for first in range(0, len(form.x), CHUNK):
        rows = slice(first, first + CHUNK)
        x, own = form.x[rows], form.group[rows]
        theta[rows], cov[rows] = _climb(form.blocks, x, near[rows], form.mean[own], precision[own])
    return theta, cov


def _climb(
    blocks: Sequence[ItemBlock], x: CodeArray, start: FloatArray, mean: FloatArray, precision: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return posterior modes (n, D) and inverse information (n, D, D), by Fisher scoring with step halving."""
    theta, moving = start.copy(), np.arange(len(x))
    height, slope, information = _height(blocks, x, theta, mean, precision)
    for _ in range(ROUNDS):
        step = np.linalg.solve(information[moving], slope[moving][:, :, None])[:, :, 0]
        left = moving
        while len(left):
            tried = theta[left] + step
            found = _height(blocks, x[left], tried, mean[left], precision[left])
            small = np.max(np.abs(step), axis=1) < TOLERANCE
            better = (found[0] >= height[left]) | small
            kept = left[better]
            theta[kept] = tried[better]
            height[kept], slope[kept], information[kept] = (part[better] for part in found)
            moving = np.setdiff1d(moving, left[small])
            left, step = left[~better], step[~better] / 2
        if not len(moving):
            break
    return theta, np.asarray(np.linalg.inv(information), dtype=np.float64)


def _height(
    blocks: Sequence[ItemBlock], x: CodeArray, theta: FloatArray, mean: FloatArray, precision: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return log posterior (n,), its slope (n, D) and expected information with the prior's (n, D, D)."""
    off = theta - mean
    pull = np.einsum("nde,ne->nd", precision, off)
    height, slope, information = -0.5 * (off * pull).sum(axis=1), -pull, precision.copy()
    for block in blocks:
        d = block.dims[0]
        log_prob, by_theta = block.log_prob(theta), block.d_theta(theta)[..., 0]
        codes, answered = np.maximum(x[:, block.items], 0).astype(np.int64)[:, :, None], x[:, block.items] >= 0
        height += np.where(answered, np.take_along_axis(log_prob, codes, axis=2)[:, :, 0], 0.0).sum(axis=1)
        slope[:, d] += np.where(answered, np.take_along_axis(by_theta, codes, axis=2)[:, :, 0], 0.0).sum(axis=1)
        expected = (np.exp(log_prob) * by_theta**2).sum(axis=2)
        information[:, d, d] += np.where(answered, expected, 0.0).sum(axis=1)
    return height, slope, information

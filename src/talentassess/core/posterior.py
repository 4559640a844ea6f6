"""A person's posterior over several dimensions: its mode, its curvature there, and weighted draws from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import BoolArray, CodeArray, FloatArray, IntArray
from talentassess.core.likelihood import ItemBlock

ROUNDS, TOLERANCE = 100, 1e-9  # scoring steps to a mode; most persons need fewer than ten
FARTHEST = 2.0  # logits a step may move: keeps steep items from throwing it across the scale
CELLS = 2**18  # persons x items x categories at a time: what the processor's cache holds
SET, FROM_PRIOR = 20, 4  # draws that belong together, and how many of them come from the prior
WIDER = 1.1  # standard deviation of the proposal relative to the curvature at the mode


@dataclass(frozen=True, eq=False, slots=True)
class Prior:
    """Normal latent distribution of one group: mean (D,), cov (D, D), logits."""

    mean: FloatArray
    cov: FloatArray

    def log_density(self, theta: FloatArray) -> FloatArray:
        """Return the log density (...,) at theta (..., D)."""
        return normal_log_density(theta - self.mean, np.linalg.inv(np.linalg.cholesky(self.cov)))


@dataclass(frozen=True, eq=False, slots=True)
class Modes:
    """Posterior modes theta (N, D) and inverse information there, cov (N, D, D); found (N,) False where it failed."""

    theta: FloatArray
    cov: FloatArray
    found: BoolArray


@dataclass(frozen=True, eq=False, slots=True)
class Draws:
    """Weighted draws: theta (M, N, D); log_weight (M, N), log of joint density over proposal density."""

    theta: FloatArray
    log_weight: FloatArray

    def weights(self) -> FloatArray:
        """Return (M, N) weights that sum to one for every person."""
        weight = np.exp(self.log_weight - self.log_weight.max(axis=0))
        normalised: FloatArray = weight / weight.sum(axis=0)
        return normalised

    def log_marginal(self) -> tuple[FloatArray, FloatArray]:
        """Return log p(x) (N,) and its Monte-Carlo variance (N,), judged from the sets the draws fall into.

        The log of an average is too low by half its relative variance: that much is added back.
        """
        top = self.log_weight.max(axis=0)
        by_set = np.exp(self.log_weight - top).reshape(-1, SET, self.log_weight.shape[1]).mean(axis=1)
        mean = by_set.mean(axis=0)
        relative: FloatArray = by_set.var(axis=0, ddof=1) / len(by_set) / mean**2
        return np.log(mean) + top + relative / 2, relative


def normal_log_density(centred: FloatArray, inverse_root: FloatArray) -> FloatArray:
    """Return the normal log density (...,) at ``centred`` (..., D), for inverse Cholesky roots (D, D) or (N, D, D)."""
    z = (inverse_root @ centred[..., None])[..., 0]
    log_scale = np.log(np.diagonal(inverse_root, axis1=-2, axis2=-1)).sum(axis=-1)
    density: FloatArray = log_scale - 0.5 * (z**2).sum(axis=-1) - 0.5 * centred.shape[-1] * np.log(2 * np.pi)
    return density


def person_slices(n_persons: int, n_items: int, widest: int) -> list[slice]:
    """Return slices that cover (N,) persons in pieces small enough for a table of persons x items x ``widest``."""
    size = int(np.clip(CELLS // max(n_items * widest, 1), 16, 8192))
    return [slice(first, min(first + size, n_persons)) for first in range(0, n_persons, size)]


def chosen(table: FloatArray, codes: CodeArray) -> FloatArray:
    """Return the entries (N, J, ...) of the chosen categories from a table (N, J, K, ...); 0 where codes are -1."""
    person, item = np.arange(len(codes))[:, None], np.arange(codes.shape[1])
    picked = table[person, item, np.maximum(codes, 0)]
    picked[codes < 0] = 0.0
    return picked


def log_likelihood(blocks: Sequence[ItemBlock], x: CodeArray, theta: FloatArray) -> FloatArray:
    """Return log p(x_i | theta_i) (N,) of codes x (N, J) at each person's own theta (N, D)."""
    total = np.zeros(len(x))
    for block in blocks:
        for rows in person_slices(len(x), len(block.items), block.n_cat):
            total[rows] += chosen(block.log_prob(theta[rows]), x[rows][:, block.items]).sum(axis=1)
    return total


def find_modes(blocks: Sequence[ItemBlock], x: CodeArray, prior: Prior, start: FloatArray | None = None) -> Modes:
    """Return the posterior modes of persons with codes x (N, J), by Fisher scoring with step halving.

    Equation: theta <- theta + (I(theta) + Sigma^-1)^-1 (dl/dtheta - Sigma^-1 (theta - mu)), I the expected information
    of the answered items. ``start`` (N, D) is where to begin; the prior's mean if left out.
    """
    theta = np.tile(prior.mean, (len(x), 1)) if start is None else start.copy()
    precision = np.linalg.inv(prior.cov)
    height = log_likelihood(blocks, x, theta) + prior.log_density(theta)
    moving, found = np.arange(len(x)), np.zeros(len(x), dtype=bool)
    for _ in range(ROUNDS):
        slope, information = _derivatives(blocks, x[moving], theta[moving])
        slope -= (theta[moving] - prior.mean) @ precision
        step = np.linalg.solve(information + precision, slope[..., None])[..., 0]
        longest = np.abs(step).max(axis=1)
        found[moving[longest < TOLERANCE]] = True
        left = longest >= TOLERANCE
        moving, step = moving[left], step[left] * np.minimum(1.0, FARTHEST / longest[left])[:, None]
        if not len(moving):
            break
        stuck = _climb(blocks, x, prior, moving, step, theta, height)
        found[moving[stuck]] = True  # no step gains what rounding would not hide
        moving = moving[~stuck]
    _, information = _derivatives(blocks, x, theta)
    return Modes(theta, np.linalg.inv(information + precision), found)


def _climb(
    blocks: Sequence[ItemBlock],
    x: CodeArray,
    prior: Prior,
    moving: IntArray,
    step: FloatArray,
    theta: FloatArray,
    height: FloatArray,
) -> BoolArray:
    """Move persons uphill in place, halving steps that lead down; return which of them could not move."""
    waiting = np.arange(len(moving))
    for halving in range(12):
        who = moving[waiting]
        new = theta[who] + step[waiting] * 0.5**halving
        reached = log_likelihood(blocks, x[who], new) + prior.log_density(new)
        up = reached > height[who]
        theta[who[up]], height[who[up]] = new[up], reached[up]
        waiting = waiting[~up]
        if not len(waiting):
            break
    stuck = np.zeros(len(moving), dtype=bool)
    stuck[waiting] = True
    return stuck


def _derivatives(blocks: Sequence[ItemBlock], x: CodeArray, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return dl/dtheta (N, D) and the expected information (N, D, D) of the answered items."""
    n, n_dims = theta.shape
    slope, information = np.zeros((n, n_dims)), np.zeros((n, n_dims, n_dims))
    for block in blocks:
        dims = list(block.dims)
        for rows in person_slices(n, len(block.items), block.n_cat * len(dims)):
            codes = x[rows][:, block.items]
            by_theta = block.d_theta(theta[rows])
            slope[rows, dims] += chosen(by_theta, codes).sum(axis=1)
            root = by_theta * np.sqrt(np.exp(block.log_prob(theta[rows])) * (codes >= 0)[:, :, None])[..., None]
            flat = root.reshape(len(codes), -1, len(dims))
            information[rows][:, np.array(dims)[:, None], dims] += flat.transpose(0, 2, 1) @ flat
    return slope, information


def standard_draws(n_sets: int, n_persons: int, n_dims: int, rng: np.random.Generator) -> FloatArray:
    """Return (M, N, D) standard normal draws in sets of ``SET``, each draw followed by its mirror image."""
    half = rng.standard_normal((n_sets * SET // 2, n_persons, n_dims))
    both: FloatArray = np.stack([half, -half], axis=1).reshape(n_sets * SET, n_persons, n_dims)
    return both


def weighted_draws(
    blocks: Sequence[ItemBlock], x: CodeArray, prior: Prior, modes: Modes, standard: FloatArray
) -> Draws:
    """Turn standard normal draws (M, N or 1, D) into weighted draws from the posteriors of persons x (N, J).

    Of each set a fixed part follows the prior and the rest a normal distribution at the mode, a little wider than the
    curvature there; the weights use the mixture's density, so none can exceed SET / FROM_PRIOR times the likelihood
    (Owen & Zhou 2000, deterministic mixture).
    """
    own, common = np.linalg.cholesky(modes.cov) * WIDER, np.linalg.cholesky(prior.cov)
    from_prior = np.arange(len(standard)) % SET < FROM_PRIOR
    standard = np.broadcast_to(standard, (len(standard), *modes.theta.shape))
    theta = modes.theta + (own @ standard[..., None])[..., 0]
    theta[from_prior] = prior.mean + standard[from_prior] @ common.T
    log_weight, narrowing = np.empty(theta.shape[:2]), np.linalg.inv(own)
    share = np.log([FROM_PRIOR / SET, 1 - FROM_PRIOR / SET])
    for m, point in enumerate(theta):
        log_prior = prior.log_density(point)
        near = normal_log_density(point - modes.theta, narrowing)
        mixture = np.logaddexp(share[0] + log_prior, share[1] + near)
        log_weight[m] = log_likelihood(blocks, x, point) + log_prior - mixture
    return Draws(theta, log_weight)


def quadrature_draws(
    blocks: Sequence[ItemBlock], x: CodeArray, prior: Prior, modes: Modes, nodes: FloatArray, log_weight: FloatArray
) -> Draws:
    """Lay a common rule of standard normal nodes (M, D) with log weights (M,) around the modes of persons x (N, J).

    Equation: adaptive quadrature, theta = mode + L z with LL' the inverse information there (Naylor & Smith 1982).
    """
    root = np.linalg.cholesky(modes.cov)
    narrowing = np.linalg.inv(root)
    theta = modes.theta + (root @ nodes[:, None, :, None])[..., 0]
    total = np.empty(theta.shape[:2])
    for m, point in enumerate(theta):
        near = normal_log_density(point - modes.theta, narrowing)
        total[m] = log_likelihood(blocks, x, point) + prior.log_density(point) - near + log_weight[m]
    return Draws(theta, total)

"""Standard errors: Oakes' observed information, cross-product, and their sandwich, all analytic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import sparse

from talentassess.calibration.objective import Evaluation, item_gradient, prior_curvature, pseudo_counts
from talentassess.calibration.problem import Problem
from talentassess.core.arrays import BoolArray, CodeArray, FloatArray, IntArray
from talentassess.core.errors import ModelError
from talentassess.core.likelihood import ItemBlock, posteriors, stack_log_prob
from talentassess.core.quadrature import d_normal_log_weights, normal_log_weights

METHODS = ("oakes", "crossprod", "sandwich")
# Smallest to largest eigenvalue of the scaled information: truly singular cases give 1e-8 to 2e-7 (rounding of the
# second derivatives), weakly identified ones 3e-6 and more.
SINGULAR = 3e-7
SMALLEST_STEP = 1e-9
NEGLIGIBLE = 1e-10  # posterior weight of a node below which a person's scores there cannot be seen in the sum
STEP = 1e-4  # of the central difference that turns analytic gradients into second derivatives; error about STEP^4


def covariance(problem: Problem, at: Evaluation, method: str | None, at_bound: BoolArray) -> FloatArray | None:
    """Return the (F, F) covariance of the free values, or None if the information is not positive definite.

    Rows of values at a bound are NaN.

    Parameters
    ----------
    method : ``oakes`` (observed information by Oakes' identity, 1999), ``crossprod`` (sum of squared scores),
        ``sandwich`` (both; right under sampling weights and misfit) or None (all NaN).

    Equations: observed = -E[d2 log f] - sum_i w_i Cov_i(s_i), where s_i is the complete-data score and the expectation
    and covariance are over person i's posterior (Louis 1982; equal to Oakes' form); crossprod = sum_i w_i E_i[s_i]
    E_i[s_i]'; sandwich = observed^-1 (sum_i w_i^2 E_i[s_i] E_i[s_i]') observed^-1.
    """
    size = len(at.free)
    out = np.full((size, size), np.nan)
    if method is None:
        return out
    if method not in METHODS:
        raise ModelError(f"se='{method}' is not known; choose one of: {', '.join(METHODS)}, or None for none.")
    inside = np.flatnonzero(~at_bound)
    spread, crossprod, meat = _score_moments(problem, at)
    keep, prior = np.ix_(inside, inside), prior_information(problem, at)
    inverse = _inverse((complete_information(problem, at) + prior - spread)[keep])
    if inverse is None:  # whether the data identify the parameters does not depend on how errors are computed
        return None
    if method == "crossprod":
        inverse = _inverse((crossprod + prior)[keep])
    elif method == "sandwich":
        inverse = inverse @ (meat + prior)[keep] @ inverse
    if inverse is None:
        return out  # fewer persons than parameters: cross-products have no inverse, the errors stay unknown
    out[keep] = inverse
    if method != "oakes":
        blank = held_by_weak_prior(problem)
        out[blank, :] = out[:, blank] = np.nan
    return out


def held_by_weak_prior(problem: Problem) -> IntArray:
    """Return the positions (M,) of free values of items with an unused category.

    Nobody's answer speaks of them, so squared scores (crossprod, sandwich) know nothing of their error.
    """
    items = {item for item, w in zip(problem.responses.item_ids, problem.pseudo, strict=True) if w > 0}
    rows = np.flatnonzero([item in items for item in problem.entries.items])
    return np.unique(sparse.coo_array(problem.tie.matrix[rows, :]).coords[1]).astype(np.int64)


def complete_information(problem: Problem, at: Evaluation) -> FloatArray:
    """Return (F, F) minus the expected second derivative of the complete-data log-likelihood.

    The models give analytic gradients; their derivative is taken by a fourth-order central difference at fixed
    expected counts, where the function is smooth and free of quadrature noise.
    """
    out = _item_information(problem, at, at.step.counts)
    for g, (mean_at, sd_at) in enumerate(latent_positions(problem)):
        block_at = [k for k in (mean_at, sd_at) if k is not None]
        kept = [column for column, k in enumerate((mean_at, sd_at)) if k is not None]
        out[np.ix_(block_at, block_at)] = _latent_information(problem, at, g)[np.ix_(kept, kept)]
    return out


def prior_information(problem: Problem, at: Evaluation) -> FloatArray:
    """Return (F, F) what the priors know: their curvature, and the weak prior on items with an unused category."""
    out = _item_information(problem, at, pseudo_counts(problem))
    n_free = problem.tie.n_free
    out[:n_free, :n_free] += np.diag(prior_curvature(problem, at.free))
    return out


def _item_information(problem: Problem, at: Evaluation, counts: FloatArray) -> FloatArray:
    """Return (F, F) minus the second derivative of sum counts (S, Q) log P, zero for the latent distribution."""
    theta = problem.nodes[:, None]
    pieces: list[FloatArray] = []
    for block in at.blocks:

        def moved_gradient(shift: FloatArray, block: ItemBlock = block) -> FloatArray:
            return item_gradient(replace(block, par=block.par + shift), counts, problem.starts, theta)

        pieces += list(-_symmetric_derivative(moved_gradient, block.par.shape[1], _safe_step(block, theta)))
    tie, n_free = problem.tie, problem.tie.n_free
    out = np.zeros((len(at.free), len(at.free)))
    by_items = tie.matrix.T @ sparse.block_diag(pieces, format="csr") @ tie.matrix
    out[:n_free, :n_free] = by_items.toarray()
    return out


def _safe_step(block: ItemBlock, theta: FloatArray) -> float:
    """Return a step that keeps every item's parameters well inside the region where the model is defined.

    Intercepts of a graded item with a rare category may lie closer together than the usual step.
    """
    step = STEP
    units = np.eye(block.par.shape[1])
    while step > SMALLEST_STEP and not all(
        np.isfinite(replace(block, par=block.par + 16 * sign * step * unit).log_prob(theta)).all()
        for unit in units
        for sign in (-1, 1)
    ):
        step /= 4
    return step


def _symmetric_derivative(gradient: Callable[[FloatArray], FloatArray], size: int, step: float = STEP) -> FloatArray:
    """Return (..., P, P) derivative of ``gradient(shift (P,)) -> (..., P)`` at zero, made symmetric."""
    columns = []
    for p in range(size):
        unit = np.eye(size)[p] * step
        near, far = gradient(unit) - gradient(-unit), gradient(2 * unit) - gradient(-2 * unit)
        columns.append((8 * near - far) / (12 * step))
    second = np.stack(columns, axis=-2)
    return (second + np.swapaxes(second, -1, -2)) / 2


def _latent_information(problem: Problem, at: Evaluation, g: int) -> FloatArray:
    """Return (2, 2) information about the mean and log sd of group g, given its expected node counts."""

    def gradient(shift: FloatArray) -> FloatArray:
        mean, sd = at.mean[g] + shift[0], at.sd[g] * np.exp(shift[1])
        slopes: FloatArray = at.step.mass[g] @ d_normal_log_weights(problem.nodes, mean, sd)
        return slopes

    return -_symmetric_derivative(gradient, 2)


def _score_moments(problem: Problem, at: Evaluation) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return three (F, F) sums over persons: posterior covariance of scores, w E[s]E[s]', w^2 E[s]E[s]'."""
    theta, p = problem.nodes[:, None], problem.patterns
    log_prob = stack_log_prob(at.blocks, theta, problem.starts)
    log_prior = np.stack([normal_log_weights(problem.nodes, m, s) for m, s in zip(at.mean, at.sd, strict=True)])
    slopes = [block.model.d_par(theta, block.par, block.n_cat) for block in at.blocks]
    latent = [d_normal_log_weights(problem.nodes, m, s) for m, s in zip(at.mean, at.sd, strict=True)]
    size = len(at.free)
    second, crossprod, meat = np.zeros((size, size)), np.zeros((size, size)), np.zeros((size, size))
    for rows, _, posterior, _ in posteriors(p.x, log_prob, log_prior, p.group, problem.starts):
        expected = np.zeros((posterior.shape[0], size))
        x, group, weight = p.x[rows], p.group[rows], p.weight[rows]
        for q in range(len(theta)):
            near = np.flatnonzero(posterior[:, q] > NEGLIGIBLE)
            if not len(near):
                continue
            at_node = [s[q] for s in slopes], np.stack([part[q] for part in latent])
            score = _scores_at_node(problem, x[near], group[near], *at_node)
            weighted = score * posterior[near, q : q + 1]
            expected[near] += weighted
            second += (weighted * weight[near, None]).T @ score
        crossprod += (expected * p.weight[rows, None]).T @ expected
        meat += (expected * p.weight_sq[rows, None]).T @ expected
    return second - crossprod, crossprod, meat


def _scores_at_node(
    problem: Problem, x: CodeArray, group: IntArray, slopes: list[FloatArray], latent: FloatArray
) -> FloatArray:
    """Return (n, F) complete-data scores of some persons at one node.

    Parameters
    ----------
    x, group : (n, J) codes and (n,) group numbers.
    slopes : per block (Jb, K, P) derivatives of log P at the node.
    latent : (G, 2) derivatives of the node's log weight.
    """
    parts = []
    for block, slope in zip(problem.blocks, slopes, strict=True):
        codes = x[:, block.items]
        picked = slope[np.arange(len(block.items)), np.maximum(codes, 0)]
        parts.append(np.where(codes[..., None] >= 0, picked, 0.0).reshape(len(x), -1))
    by_items = np.asarray(np.concatenate(parts, axis=1) @ problem.tie.matrix)
    positions = latent_positions(problem)
    by_latent = np.zeros((len(x), sum(k is not None for pair in positions for k in pair)))
    for g, pair in enumerate(positions):
        for column, position in enumerate(pair):
            if position is not None:
                by_latent[group == g, position - problem.tie.n_free] = latent[g, column]
    return np.concatenate([by_items, by_latent], axis=1)


def latent_positions(problem: Problem) -> list[tuple[int | None, int | None]]:
    """Return per group the positions of its mean and log sd among the free values, None where fixed."""
    means = _running(problem.free_mean, problem.tie.n_free)
    sds = _running(problem.free_sd, problem.tie.n_free + int(problem.free_mean.sum()))
    return list(zip(means, sds, strict=True))


def _running(free: BoolArray, start: int) -> list[int | None]:
    places = start + np.cumsum(free) - 1
    return [int(place) if is_free else None for place, is_free in zip(places, free, strict=True)]


def _inverse(matrix: FloatArray) -> FloatArray | None:
    """Return the inverse of a symmetric matrix, or None if it is not positive definite to working precision."""
    if not matrix.size:
        return matrix
    if not np.isfinite(matrix).all():
        return None
    symmetric = (matrix + matrix.T) / 2
    scale = np.sqrt(np.maximum(np.diag(symmetric), 1e-300))
    values, vectors = np.linalg.eigh(symmetric / np.outer(scale, scale))
    if values[0] < SINGULAR * values[-1]:
        return None
    inverse: FloatArray = (vectors / values) @ vectors.T / np.outer(scale, scale)
    return inverse

"""Standard errors: Oakes' observed information, cross-product, and their sandwich, all analytic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import sparse

from talentassess.calibrate.objective import Evaluation, item_gradient, prior_curvature, pseudo_counts
from talentassess.calibrate.problem import Problem
from talentassess.core.arrays import BoolArray, FloatArray
from talentassess.core.errors import ModelError
from talentassess.core.likelihood import ItemBlock, posteriors, stack_log_prob
from talentassess.core.quadrature import d_normal_log_weights, normal_log_weights

METHODS = ("oakes", "crossprod", "sandwich")
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
    observed = crossprod if method == "crossprod" else complete_information(problem, at) - spread
    bread = _inverse(observed[np.ix_(inside, inside)])
    if bread is None:
        return None
    if method == "sandwich":
        bread = bread @ meat[np.ix_(inside, inside)] @ bread
    out[np.ix_(inside, inside)] = bread
    return out


def complete_information(problem: Problem, at: Evaluation) -> FloatArray:
    """Return (F, F) minus the expected second derivative of the complete-data log-likelihood and log priors.

    The models give analytic gradients; their derivative is taken by a fourth-order central difference at fixed
    expected counts, where the function is smooth and free of quadrature noise.
    """
    counts, theta = at.step.counts + pseudo_counts(problem), problem.nodes[:, None]
    pieces: list[FloatArray] = []
    for block in at.blocks:

        def moved_gradient(shift: FloatArray, block: ItemBlock = block) -> FloatArray:
            return item_gradient(replace(block, par=block.par + shift), counts, problem.starts, theta)

        pieces += list(-_symmetric_derivative(moved_gradient, block.par.shape[1]))
    tie, n_free = problem.tie, problem.tie.n_free
    out = np.zeros((len(at.free), len(at.free)))
    by_items = (tie.matrix.T @ sparse.block_diag(pieces, format="csr") @ tie.matrix).toarray()
    out[:n_free, :n_free] = by_items + np.diag(prior_curvature(problem, at.free))
    for g, (mean_at, sd_at) in enumerate(latent_positions(problem)):
        block_at = [k for k in (mean_at, sd_at) if k is not None]
        kept = [column for column, k in enumerate((mean_at, sd_at)) if k is not None]
        out[np.ix_(block_at, block_at)] = _latent_information(problem, at, g)[np.ix_(kept, kept)]
    return out


def _symmetric_derivative(gradient: Callable[[FloatArray], FloatArray], size: int) -> FloatArray:
    """Return (..., P, P) derivative of ``gradient(shift (P,)) -> (..., P)`` at zero, made symmetric."""
    columns = []
    for p in range(size):
        unit = np.eye(size)[p] * STEP
        near, far = gradient(unit) - gradient(-unit), gradient(2 * unit) - gradient(-2 * unit)
        columns.append((8 * near - far) / (12 * STEP))
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
        for q in range(len(theta)):
            score = _scores_at_node(problem, rows, [s[q] for s in slopes], np.stack([part[q] for part in latent]))
            weighted = score * posterior[:, q : q + 1]
            expected += weighted
            second += (weighted * p.weight[rows, None]).T @ score
        crossprod += (expected * p.weight[rows, None]).T @ expected
        meat += (expected * p.weight_sq[rows, None]).T @ expected
    return second - crossprod, crossprod, meat


def _scores_at_node(problem: Problem, rows: slice, slopes: list[FloatArray], latent: FloatArray) -> FloatArray:
    """Return (n, F) complete-data scores of a chunk of persons at one node.

    Parameters
    ----------
    slopes : per block (Jb, K, P) derivatives of log P at the node.
    latent : (G, 2) derivatives of the node's log weight.
    """
    x, group = problem.patterns.x[rows], problem.patterns.group[rows]
    parts = []
    for block, slope in zip(problem.blocks, slopes, strict=True):
        codes = x[:, block.items]
        picked = slope[np.arange(len(block.items)), np.maximum(codes, 0)]
        parts.append(np.where(codes[..., None] >= 0, picked, 0.0).reshape(len(x), -1))
    by_items = np.asarray(np.concatenate(parts, axis=1) @ problem.tie.matrix)
    by_latent = np.zeros((len(x), sum(k is not None for pair in latent_positions(problem) for k in pair)))
    for g, pair in enumerate(latent_positions(problem)):
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
    symmetric = (matrix + matrix.T) / 2
    scale = np.sqrt(np.maximum(np.diag(symmetric), 1e-300))
    values, vectors = np.linalg.eigh(symmetric / np.outer(scale, scale))
    if not np.isfinite(values).all() or values[0] < 1e-9 * values[-1]:
        return None
    inverse: FloatArray = (vectors / values) @ vectors.T / np.outer(scale, scale)
    return inverse

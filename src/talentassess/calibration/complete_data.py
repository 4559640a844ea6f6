"""Scores and information as if everybody's theta were known: the pieces a stochastic calibration is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scipy import sparse

from talentassess.calibration.loadings import LoadingProblem
from talentassess.core.arrays import CodeArray, FloatArray
from talentassess.core.likelihood import ItemBlock
from talentassess.core.posterior import Prior as Latent
from talentassess.core.posterior import chosen, person_slices

STEP = 1e-4  # of the central difference that turns analytic scores into second derivatives; error about STEP^2
SMALLEST_STEP = 1e-8


def item_slopes(block: ItemBlock, theta: FloatArray) -> FloatArray:
    """Return (Q, Jb, K, P) derivatives of the log probabilities by the parameters at theta (Q, D)."""
    slopes: FloatArray = block.model.d_par(theta[:, block.dims], block.par, block.n_cat)
    return slopes


def person_scores(
    problem: LoadingProblem, blocks: Sequence[ItemBlock], latent: Latent, x: CodeArray, theta: FloatArray
) -> FloatArray:
    """Return (n, F) complete-data scores of some persons with codes x (n, J) at their theta (n, D).

    Equation: d log p(x_i | theta_i) / d par, and u_a u_b - (Sigma^-1)_ab with u = Sigma^-1 theta_i for a correlation.
    """
    parts = [chosen(item_slopes(b, theta), x[:, b.items]).reshape(len(x), -1) for b in blocks]
    by_items = np.asarray(np.concatenate(parts, axis=1) @ problem.tie.matrix)
    precision = np.linalg.inv(latent.cov)
    u = theta @ precision
    by_pairs = [u[:, a] * u[:, b] - precision[a, b] for a, b in problem.pairs]
    return np.column_stack([by_items, *by_pairs])


def total_score(
    problem: LoadingProblem, blocks: Sequence[ItemBlock], latent: Latent, theta: FloatArray, free: FloatArray
) -> FloatArray:
    """Return (F,) the weighted sum of all persons' scores at theta (N', D), with the priors' slopes."""
    parts = []
    for block in blocks:
        total = np.zeros(block.par.shape)
        for rows in person_slices(len(theta), len(block.items), block.n_cat * block.par.shape[1]):
            picked = chosen(item_slopes(block, theta[rows]), problem.x[rows][:, block.items])
            total += np.einsum("n,njp->jp", problem.weight[rows], picked)
        parts.append(total.ravel())
    by_items = problem.tie.matrix.T @ np.concatenate(parts)
    precision = np.linalg.inv(latent.cov)
    u = theta @ precision
    second = (u * problem.weight[:, None]).T @ u - problem.weight.sum() * precision
    by_pairs = [second[a, b] for a, b in problem.pairs]
    return np.concatenate([by_items, by_pairs]) + prior_slope(problem, blocks, free)


def expected_information(
    problem: LoadingProblem, blocks: Sequence[ItemBlock], latent: Latent, theta: FloatArray, free: FloatArray
) -> sparse.csc_array:
    """Return (F, F) expected complete-data information given theta (N', D): the preconditioner.

    Equation: sum_i w_i sum_k P_k (d log P_k)(d log P_k)' per item; n (P_ac P_bd + P_ad P_bc) for the correlations ab
    and cd, P = Sigma^-1; plus the priors' curvature.
    """
    pieces: list[FloatArray] = []
    for block in blocks:
        n_par = block.par.shape[1]
        total = np.zeros((len(block.items), n_par, n_par))
        for rows in person_slices(len(theta), len(block.items), block.n_cat * n_par):
            answered = (problem.x[rows][:, block.items] >= 0) * problem.weight[rows, None]
            root = np.sqrt(np.exp(block.log_prob(theta[rows])) * answered[:, :, None])
            flat = (item_slopes(block, theta[rows]) * root[..., None]).transpose(1, 0, 2, 3)
            flat = flat.reshape(len(block.items), -1, n_par)
            total += flat.transpose(0, 2, 1) @ flat
        pieces += list(total)
    by_items = problem.tie.matrix.T @ sparse.block_diag(pieces, format="csr") @ problem.tie.matrix
    by_items = by_items + sparse.csr_array(prior_information(problem, blocks, free))
    p, n = np.linalg.inv(latent.cov), problem.weight.sum()
    by_pairs = np.array(
        [[n * (p[a, c] * p[b, d] + p[a, d] * p[b, c]) for c, d in problem.pairs] for a, b in problem.pairs]
    )
    if not problem.pairs:
        return sparse.csc_array(by_items)
    return sparse.csc_array(sparse.block_diag([by_items, by_pairs], format="csc"))


def observed_item_information(
    problem: LoadingProblem, blocks: Sequence[ItemBlock], x: CodeArray, theta: FloatArray, weight: FloatArray
) -> FloatArray:
    """Return (F_items, F_items) minus the second derivative of sum_i w_i log p(x_i | theta_i).

    Parameters
    ----------
    x, theta, weight : (n, J) codes, (n, D) and (n,) of some persons, who may occur several times.
    """
    pieces: list[FloatArray] = []
    for block in blocks:
        codes = x[:, block.items]
        total = np.zeros((*block.par.shape, block.par.shape[1]))
        for rows in person_slices(len(theta), len(block.items), block.n_cat * block.par.shape[1]):

            def gradient(
                shift: FloatArray, block: ItemBlock = block, rows: slice = rows, codes: CodeArray = codes
            ) -> FloatArray:
                moved = replace(block, par=block.par + shift)
                picked = chosen(item_slopes(moved, theta[rows]), codes[rows])
                total: FloatArray = np.einsum("n,njp->jp", weight[rows], picked)
                return total

            total -= _derivative(gradient, block)
        pieces += list(total)
    by_items = problem.tie.matrix.T @ sparse.block_diag(pieces, format="csr") @ problem.tie.matrix
    return np.asarray(by_items.toarray(), dtype=np.float64)


def pair_information(problem: LoadingProblem, latent: Latent, second: FloatArray) -> FloatArray:
    """Return (pairs, pairs) minus the second derivative by the correlations; second (D, D) is sum w theta theta'."""
    p, n = np.linalg.inv(latent.cov), problem.weight.sum()
    u = p @ second @ p
    return np.array(
        [
            [
                p[a, c] * u[d, b] + p[a, d] * u[c, b] + u[a, d] * p[b, c] + u[a, c] * p[b, d]
                - n * (p[a, c] * p[d, b] + p[a, d] * p[c, b])
                for c, d in problem.pairs
            ]
            for a, b in problem.pairs
        ]
    ).reshape(len(problem.pairs), len(problem.pairs))  # fmt: skip


def prior_slope(problem: LoadingProblem, blocks: Sequence[ItemBlock], free: FloatArray) -> FloatArray:
    """Return (F,) derivative of the log priors, the weak prior on items with an unused category among them."""
    slope = np.zeros(len(free))
    for f, prior in enumerate(problem.priors):
        if prior is not None:
            slope[f] = prior.slope(free[f : f + 1])[0]
    if problem.pseudo.any():
        by_entry = np.concatenate([_weak_gradient(problem, b, np.zeros(b.par.shape[1])).ravel() for b in blocks])
        slope[: problem.tie.n_free] += problem.tie.matrix.T @ by_entry
    return slope


def prior_information(problem: LoadingProblem, blocks: Sequence[ItemBlock], free: FloatArray) -> FloatArray:
    """Return (F_items, F_items) minus the second derivative of the log priors."""
    curvature = np.zeros(problem.tie.n_free)
    for f, prior in enumerate(problem.priors):
        if prior is not None:
            curvature[f] = prior.curvature(free[f : f + 1])[0]
    out = np.diag(np.maximum(curvature, 0.0))
    if problem.pseudo.any():
        pieces: list[FloatArray] = []
        for block in blocks:

            def gradient(shift: FloatArray, block: ItemBlock = block) -> FloatArray:
                return _weak_gradient(problem, block, shift)

            pieces += list(-_derivative(gradient, block))
        weak = problem.tie.matrix.T @ sparse.block_diag(pieces, format="csr") @ problem.tie.matrix
        out += weak.toarray()
    return out


def _weak_gradient(problem: LoadingProblem, block: ItemBlock, shift: FloatArray) -> FloatArray:
    """Return (Jb, P) slope of the weak prior: pseudo answers spread evenly over categories and the latent points."""
    moved = replace(block, par=block.par + shift)
    by_item = item_slopes(moved, problem.weak).mean(axis=(0, 2))
    out: FloatArray = by_item * problem.pseudo[block.items][:, None]
    return out


def _derivative(gradient: Callable[[FloatArray], FloatArray], block: ItemBlock) -> FloatArray:
    """Return (Jb, P, P) derivative of ``gradient(shift (P,)) -> (Jb, P)`` at zero, made symmetric."""
    step, columns = _safe_step(block), []
    for unit in np.eye(block.par.shape[1]) * step:
        columns.append((gradient(unit) - gradient(-unit)) / (2 * step))
    second = np.stack(columns, axis=-2)
    return (second + np.swapaxes(second, -1, -2)) / 2


def _safe_step(block: ItemBlock) -> float:
    """Return a step that stays where the model is defined: a graded item's intercepts may lie close together."""
    step, origin = STEP, np.zeros((1, len(block.dims)))
    while step > SMALLEST_STEP and not all(
        np.isfinite(block.model.log_prob(origin, block.par + 8 * sign * step * unit, block.n_cat)).all()
        for unit in np.eye(block.par.shape[1])
        for sign in (-1, 1)
    ):
        step /= 4
    return step

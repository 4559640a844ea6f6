"""The marginal (or posterior) log-likelihood, its gradient and the information that preconditions it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from talentassess.calibration.problem import Problem
from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.likelihood import EStep, ItemBlock, block_rows, stack_log_prob


@dataclass(frozen=True, eq=False, slots=True)
class Evaluation:
    """The objective at one point.

    Attributes
    ----------
    free : (F,) the point.
    loglik : marginal log-likelihood; value : the same plus log priors, which is what is maximised.
    gradient : (F,) of ``value``.
    blocks : the items with their parameters at the point; latent : (L,) the latent values.
    step : expected counts.
    """

    free: FloatArray
    loglik: float
    value: float
    gradient: FloatArray
    blocks: tuple[ItemBlock, ...]
    latent: FloatArray
    step: EStep


def evaluate(problem: Problem, free: FloatArray) -> Evaluation | None:
    """Return the objective at ``free`` (F,), or None where the parameters are not admissible.

    The gradient follows from Fisher's identity: the derivative of the marginal log-likelihood is the posterior
    expectation of the complete-data derivative, i.e. sum over nodes of expected counts times d log P.
    """
    blocks, latent = problem.unpack(free)
    theta = problem.structure.theta
    log_prob = stack_log_prob(blocks, theta, problem.starts)
    if not np.isfinite(log_prob).all():
        return None
    passed = problem.structure.e_step(log_prob, latent)
    if passed is None:
        return None
    step, by_latent = passed
    pseudo = pseudo_counts(problem)
    counts = step.counts + pseudo
    extra, extra_slope = _log_priors(problem, free)
    value = step.loglik + extra + float(np.sum(pseudo * log_prob))
    if not np.isfinite(value):
        return None
    by_entry = np.concatenate([item_gradient(b, counts, problem.starts, theta).ravel() for b in blocks])
    gradient = np.concatenate([problem.tie.matrix.T @ by_entry + extra_slope, by_latent])
    if not np.isfinite(gradient).all():
        return None
    return Evaluation(free, step.loglik, value, gradient, blocks, latent, step)


def item_gradient(block: ItemBlock, counts: FloatArray, starts: IntArray, theta: FloatArray) -> FloatArray:
    """Return (Jb, P): sum over nodes and categories of counts (S, Q) times d log P / d par."""
    expected = counts[block_rows(block, starts)]
    out: FloatArray = np.einsum("jkq,qjkp->jp", expected, block.d_par(theta), optimize=True)
    return out


def information(problem: Problem, at: Evaluation) -> sparse.csc_array:
    """Return (F, F) expected complete-data information, block-diagonal over items: the preconditioner.

    Equation: sum_q n_jq sum_k P_k (d log P_k)(d log P_k)' per item, plus the priors' curvature; the structure adds
    its own for the latent values.
    """
    theta = problem.structure.theta
    counts = at.step.counts + pseudo_counts(problem)
    pieces = []
    for block in at.blocks:
        slope = block.d_par(theta)
        at_node = counts[block_rows(block, problem.starts)].sum(axis=1)
        expected = np.exp(block.log_prob(theta)) * at_node.T[:, :, None]
        pieces += list(np.einsum("qjk,qjkp,qjkr->jpr", expected, slope, slope, optimize=True))
    tie = problem.tie
    by_items = tie.matrix.T @ sparse.block_diag(pieces, format="csr") @ tie.matrix
    by_items = by_items + sparse.diags_array(np.maximum(prior_curvature(problem, at.free), 0.0))
    latent = sparse.csr_array(problem.structure.information(at.step, at.latent))
    return sparse.csc_array(sparse.block_diag([by_items, latent], format="csc"))


def pseudo_counts(problem: Problem) -> FloatArray:
    """Return (S, Q) counts that stand for the weak prior on items with a declared but unused category."""
    per_category = np.repeat(problem.pseudo / problem.responses.n_cat, problem.responses.n_cat)
    return per_category[:, None] * problem.structure.base_weights


def _log_priors(problem: Problem, free: FloatArray) -> tuple[float, FloatArray]:
    total, slope = 0.0, np.zeros(problem.tie.n_free)
    for f, prior in enumerate(problem.priors):
        if prior is not None:
            value = free[f : f + 1]
            total += float(prior.log_density(value)[0])
            if np.isfinite(total):  # outside a prior's range the point is refused; its slope does not exist
                slope[f] = prior.slope(value)[0]
    return total, slope


def prior_curvature(problem: Problem, free: FloatArray) -> FloatArray:
    """Return (F_items,) curvature of the log priors at the free values."""
    curvature = np.zeros(problem.tie.n_free)
    for f, prior in enumerate(problem.priors):
        if prior is not None:
            curvature[f] = prior.curvature(free[f : f + 1])[0]
    return curvature

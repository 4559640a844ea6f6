"""The marginal (or posterior) log-likelihood, its gradient and the information that preconditions it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talentassess.calibration.priors import Prior
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
    log_prob : (S, Q) stacked log probabilities; slopes : per block (Q, Jb, K, P) their derivatives by the parameters.
    """

    free: FloatArray
    loglik: float
    value: float
    gradient: FloatArray
    blocks: tuple[ItemBlock, ...]
    latent: FloatArray
    step: EStep
    log_prob: FloatArray
    slopes: tuple[FloatArray, ...]


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
    counts, extra = step.counts, 0.0
    if problem.pseudo.any():
        pseudo = pseudo_counts(problem)
        counts, extra = counts + pseudo, float(np.sum(pseudo * log_prob))
    prior, prior_slope = _log_priors(problem, free)
    value = step.loglik + extra + prior
    if not np.isfinite(value):
        return None
    slopes = tuple(block.d_par(theta) for block in blocks)
    pieces = zip(blocks, slopes, strict=True)
    by_entry = np.concatenate([sum_slopes(b, counts, problem.starts, slope).ravel() for b, slope in pieces])
    gradient = np.concatenate([problem.tie.back(by_entry) + prior_slope, by_latent])
    if not np.isfinite(gradient).all():
        return None
    return Evaluation(free, step.loglik, value, gradient, blocks, latent, step, log_prob, slopes)


def log_likelihood(problem: Problem, free: FloatArray) -> float | None:
    """Return the marginal log-likelihood alone at ``free`` (F,), or None where the parameters are not admissible."""
    blocks, latent = problem.unpack(free)
    passed = problem.structure.e_step(stack_log_prob(blocks, problem.structure.theta, problem.starts), latent)
    return None if passed is None or not np.isfinite(passed[0].loglik) else passed[0].loglik


def item_gradient(block: ItemBlock, counts: FloatArray, starts: IntArray, theta: FloatArray) -> FloatArray:
    """Return (Jb, P): sum over nodes and categories of counts (S, Q) times d log P / d par at theta (Q, D)."""
    return sum_slopes(block, counts, starts, block.d_par(theta))


def sum_slopes(block: ItemBlock, counts: FloatArray, starts: IntArray, slope: FloatArray) -> FloatArray:
    """Return (Jb, P): sum over nodes and categories of counts (S, Q) times slope (Q, Jb, K, P)."""
    out: FloatArray = np.einsum("jkq,qjkp->jp", counts[block_rows(block, starts)], slope)
    return out


def pseudo_counts(problem: Problem) -> FloatArray:
    """Return (S, Q) counts that stand for the weak prior on items with a declared but unused category."""
    per_category = np.repeat(problem.pseudo / problem.responses.n_cat, problem.responses.n_cat)
    return per_category[:, None] * problem.structure.base_weights


def _log_priors(problem: Problem, free: FloatArray) -> tuple[float, FloatArray]:
    total, slope = 0.0, np.zeros(problem.tie.n_free)
    acting = _acting(problem.priors)
    for prior, places in acting:
        total += float(np.sum(prior.log_density(free[places])))
    if np.isfinite(total):  # outside a prior's range the point is refused; its slope does not exist
        for prior, places in acting:
            slope[places] = prior.slope(free[places])
    return total, slope


def prior_curvature(problem: Problem, free: FloatArray) -> FloatArray:
    """Return (F_items,) curvature of the log priors at the free values."""
    curvature = np.zeros(problem.tie.n_free)
    for prior, places in _acting(problem.priors):
        curvature[places] = prior.curvature(free[places])
    return curvature


def _acting(priors: Sequence[Prior | None]) -> list[tuple[Prior, IntArray]]:
    """Return each prior with the free values it acts on: asked once for all of them, not value by value."""
    places: dict[int, list[int]] = {}
    for f, prior in enumerate(priors):
        if prior is not None:
            places.setdefault(id(prior), []).append(f)
    return [(prior, np.array(own)) for own in places.values() if (prior := priors[own[0]]) is not None]

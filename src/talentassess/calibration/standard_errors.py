"""Standard errors: Oakes' observed information, cross-product, and their sandwich, all analytic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from talentassess.calibration.missing_information import cross_products, score_moments
from talentassess.calibration.objective import Evaluation, evaluate, item_gradient, prior_curvature, pseudo_counts
from talentassess.calibration.problem import Problem
from talentassess.calibration.structures import NormalGroups
from talentassess.core.arrays import BoolArray, FloatArray, IntArray
from talentassess.core.errors import ModelError
from talentassess.core.likelihood import ItemBlock

METHODS = ("oakes", "crossprod", "sandwich")
# Smallest to largest eigenvalue of the scaled information: truly singular cases give 1e-8 to 2e-7 (rounding of the
# second derivatives), weakly identified ones 3e-6 and more.
SINGULAR = 3e-7
# Persons from whose posteriors the lost information is reckoned where there are four times as many: it is an average
# over persons, so that standard errors are off by about one in a thousand.
SPREAD_FROM = 20_000
SMALLEST_STEP = 1e-9
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
    keep, prior = np.ix_(inside, inside), prior_information(problem, at)
    observed, crossprod, meat = _informations(problem, at, prior, needed=method != "oakes")
    inverse = _inverse(observed[keep])
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
    return problem.tie.behind(rows)


def _informations(
    problem: Problem, at: Evaluation, prior: FloatArray, *, needed: bool
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return observed information (with the prior's), cross-products and their square-weighted form, each (F, F).

    The last two are only filled in if they are needed.
    """
    if isinstance(problem.structure, NormalGroups):
        complete = complete_information(problem, at, problem.structure)
        sample = None if needed else problem.structure.sample(SPREAD_FROM)
        moments = score_moments(problem, at, problem.structure if sample is None else sample)
        share = 1.0 if sample is None else float(sample.group_sizes().sum() / problem.structure.group_sizes().sum())
        return complete + prior - moments.spread / share, moments.crossprod, moments.meat
    several = _informations_of_several(problem, at, prior)
    if several is not None:
        return several
    crossprod, meat = cross_products(problem, at) if needed else (np.zeros_like(prior), np.zeros_like(prior))
    return gradient_information(problem, at), crossprod, meat


def _informations_of_several(
    problem: Problem, at: Evaluation, prior: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """Return what ``_informations`` does where there are several dimensions; None for other structures."""
    # imported here because a form of one dimension, the common case, needs none of them
    from talentassess.calibration.bifactor import Bifactor
    from talentassess.calibration.correlated import CorrelatedNormal
    from talentassess.calibration.correlated_information import correlated_moments
    from talentassess.calibration.testlet_information import reduced_moments

    if isinstance(problem.structure, Bifactor):
        moments = reduced_moments(problem, at, problem.structure)
        complete = complete_information(problem, at, problem.structure.base)
        return complete + prior - moments.spread, moments.crossprod, moments.meat
    if isinstance(problem.structure, CorrelatedNormal):
        found = correlated_moments(problem, at, problem.structure)
        complete = _item_information(problem, at, at.step.counts)
        n_free = problem.tie.n_free
        complete[n_free:, n_free:] = -_symmetric_derivative(found.latent_gradient, len(at.latent))
        return complete + prior - found.spread, found.crossprod, found.meat
    return None


def gradient_information(problem: Problem, at: Evaluation) -> FloatArray:
    """Return (F, F) observed information as minus the derivative of the analytic gradient, by central differences.

    The gradient is smooth and deterministic, so the difference is exact to about STEP^2; each free value costs two
    passes over the data.
    """
    size = len(at.free)
    out = np.full((size, size), np.nan)
    for f in range(size):
        step = STEP
        while step > SMALLEST_STEP:
            unit = np.eye(1, size, f)[0] * step
            up, down = evaluate(problem, at.free + unit), evaluate(problem, at.free - unit)
            if up is not None and down is not None:
                out[f] = (down.gradient - up.gradient) / (2 * step)
                break
            step /= 4
    symmetric: FloatArray = (out + out.T) / 2
    return symmetric


def complete_information(problem: Problem, at: Evaluation, structure: NormalGroups) -> FloatArray:
    """Return (F, F) minus the expected second derivative of the complete-data log-likelihood.

    The models give analytic gradients; their derivative is taken by a fourth-order central difference at fixed
    expected counts, where the function is smooth and free of quadrature noise.
    """
    out = _item_information(problem, at, at.step.counts)
    n_free = problem.tie.n_free

    def latent_gradient(shift: FloatArray) -> FloatArray:
        slopes: FloatArray = np.einsum("gq,gql->l", at.step.mass, structure.d_log_prior(at.latent + shift))
        return slopes

    if len(at.latent):
        out[n_free:, n_free:] = -_symmetric_derivative(latent_gradient, len(at.latent))
    return out


def prior_information(problem: Problem, at: Evaluation) -> FloatArray:
    """Return (F, F) what the priors know: their curvature, and the weak prior on items with an unused category."""
    out = _item_information(problem, at, pseudo_counts(problem))
    n_free = problem.tie.n_free
    out[:n_free, :n_free] += np.diag(prior_curvature(problem, at.free))
    return out


def _item_information(problem: Problem, at: Evaluation, counts: FloatArray) -> FloatArray:
    """Return (F, F) minus the second derivative of sum counts (S, Q) log P, zero for the latent distribution."""
    theta = problem.structure.theta
    pieces: list[FloatArray] = []
    for block in at.blocks:

        def moved_gradient(shift: FloatArray, block: ItemBlock = block) -> FloatArray:
            return item_gradient(replace(block, par=block.par + shift), counts, problem.starts, theta)

        pieces += list(-_symmetric_derivative(moved_gradient, block.par.shape[1], _safe_step(block, theta)))
    tie, n_free = problem.tie, problem.tie.n_free
    out = np.zeros((len(at.free), len(at.free)))
    out[:n_free, :n_free] = tie.fold(pieces)
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

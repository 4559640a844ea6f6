"""Scores of persons: what their answers say about the parameters, and what the unseen trait takes away again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from talentassess.calibration.objective import Evaluation
from talentassess.calibration.problem import Problem
from talentassess.calibration.structures import NormalGroups
from talentassess.core.arrays import CodeArray, FloatArray
from talentassess.core.likelihood import ItemBlock, posteriors, stack_log_prob

PERSONS = 1024  # at a time: the scores of all categories of that many persons stay within some tens of MB
NEGLIGIBLE = 1e-12  # posterior weight of a node that no score can make visible in the sum
DEGREES = 30  # of polynomials at the most: the recurrence keeps them orthogonal that far; ten are usual
ENOUGH = 1e-7  # share of the information that a further polynomial must add to be worth another one


@dataclass(frozen=True, eq=False, slots=True)
class ScoreMoments:
    """Sums over persons, each (F, F).

    Attributes
    ----------
    spread : sum w Cov_i(s), the information lost because theta is not seen.
    crossprod : sum w E_i[s] E_i[s]'; meat : sum w^2 E_i[s] E_i[s]'.
    """

    spread: FloatArray
    crossprod: FloatArray
    meat: FloatArray


def score_moments(problem: Problem, at: Evaluation, structure: NormalGroups) -> ScoreMoments:
    """Return the moments of the complete-data scores over each person's posterior.

    A score is a smooth function of theta, so its variance over a posterior p_i follows from the polynomials that are
    orthonormal under p_i: Cov_i(s) = sum_(r>=1) c_r c_r' with c_r = E_i[s phi_r]. The sum is exact at r = Q - 1 and is
    cut where further terms no longer count.
    """
    log_prob = stack_log_prob(at.blocks, structure.theta, problem.starts)
    slopes = [by_node(block, structure.theta) for block in at.blocks]
    by_latent = structure.d_log_prior(at.latent)
    a, size = structure.answers, len(at.free)
    spread, crossprod, meat = np.zeros((size, size)), np.zeros((size, size)), np.zeros((size, size))
    passes = posteriors(a.x, log_prob, structure.log_prior(at.latent), a.group, a.starts)
    for chunk, _, posterior, _ in passes:
        for first in range(0, len(posterior), PERSONS):
            part = slice(first, first + PERSONS)
            rows = slice(chunk.start + first, min(chunk.start + first + PERSONS, chunk.stop))
            w, small = a.weight[rows, None], 0
            for r, weights in enumerate(orthonormal(posterior[part], structure.nodes)):
                by_items = item_scores(problem, a.x[rows], slopes, [weights] * len(slopes))
                latent = np.einsum("nq,nql->nl", weights, by_latent[a.group[rows]]) if by_latent.shape[2] else None
                score = by_items if latent is None else np.concatenate([by_items, latent], axis=1)
                gained = (score * w).T @ score
                if r == 0:
                    crossprod += gained
                    meat += (score * a.weight_sq[rows, None]).T @ score
                    continue
                spread += gained
                small = small + 1 if np.all(np.diag(gained) <= ENOUGH * np.diag(crossprod + spread)) else 0
                if small == 2:  # one may be small by symmetry
                    break
    return ScoreMoments(spread, crossprod, meat)


def cross_products(problem: Problem, at: Evaluation) -> tuple[FloatArray, FloatArray]:
    """Return sum w E_i[s] E_i[s]' and sum w^2 E_i[s] E_i[s]', each (F, F), for any structure."""
    structure = problem.structure
    log_prob = stack_log_prob(at.blocks, structure.theta, problem.starts)
    slopes = [by_node(block, structure.theta) for block in at.blocks]
    size = len(at.free)
    crossprod, meat = np.zeros((size, size)), np.zeros((size, size))
    for persons in structure.person_scores(log_prob, at.latent):
        weights = [persons.posterior[block.dims[-1]] for block in at.blocks]
        by_items = item_scores(problem, persons.x, slopes, weights)
        score = np.concatenate([by_items, persons.latent_scores], axis=1)
        crossprod += (score * persons.weight[:, None]).T @ score
        meat += (score * persons.weight_sq[:, None]).T @ score
    return crossprod, meat


def item_scores(
    problem: Problem, x: CodeArray, slopes: Sequence[FloatArray], weights: Sequence[FloatArray]
) -> FloatArray:
    """Return (n, F_items): ``entry_scores`` of codes x (n, J), by the free values."""
    stacked = entry_scores(problem, x, slopes, weights)
    return stacked if problem.tie.plain else np.asarray(stacked @ problem.tie.matrix)


def entry_scores(
    problem: Problem, x: CodeArray, slopes: Sequence[FloatArray], weights: Sequence[FloatArray]
) -> FloatArray:
    """Return (n, T): as ``item_scores``, by the stacked parameters before any tie.

    Parameters
    ----------
    x : (n, J) codes.
    slopes : per block (Q, Jb * K * P) derivatives of log P.
    weights : per block (n, Q).
    """
    parts = []
    for block, slope, w in zip(problem.blocks, slopes, weights, strict=True):
        n_items, n_par = block.par.shape
        expected = (w @ slope).reshape(-1, n_par)
        codes = x[:, block.items]
        place = np.arange(len(x) * n_items).reshape(codes.shape) * block.n_cat + np.maximum(codes, 0)
        picked = expected.take(place, axis=0)
        picked[codes < 0] = 0.0
        parts.append(picked.reshape(len(x), -1))
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def by_node(block: ItemBlock, theta: FloatArray) -> FloatArray:
    """Return (Q, Jb * K * P) derivatives of log P at the nodes theta (Q, D)."""
    slope = block.d_par(theta)
    return np.ascontiguousarray(slope.reshape(len(slope), -1))


def orthonormal(posterior: FloatArray, nodes: FloatArray) -> Iterator[FloatArray]:
    """Yield posterior (n, Q) times the orthonormal polynomials of degree 0, 1, 2, ... under it.

    Stieltjes' three-term recurrence (Gautschi 2004, section 2.2) on the nodes (Q,), for all persons at once.
    """
    yield posterior
    posterior = np.where(posterior > NEGLIGIBLE, posterior, 0.0)  # polynomials are huge where nobody is
    posterior = posterior / posterior.sum(axis=1, keepdims=True)
    before, phi = np.zeros_like(posterior), np.ones_like(posterior)
    b_before = np.zeros((len(posterior), 1))
    for _ in range(1, min(len(nodes), DEGREES)):
        weighted = posterior * phi
        a = (weighted * phi) @ nodes
        nxt = (nodes - a[:, None]) * phi - b_before * before
        b = np.sqrt(np.sum(posterior * nxt**2, axis=1, keepdims=True))
        done = b < 1e-8  # the posterior sits on as many nodes as there are polynomials already
        nxt = np.divide(nxt, b, out=np.zeros_like(nxt), where=~done)
        before, phi, b_before = phi, nxt, b
        yield posterior * phi

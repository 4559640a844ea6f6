"""What the unseen general and specific dimensions take away from the information: testlets, exactly as without them.

Given the general node the testlets are independent, so that a person's covariance of scores splits into that of the
scores expected at each general node and, within each testlet, that of its own scores given the general node.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from talentassess.calibration.bifactor import Bifactor
from talentassess.calibration.missing_information import ENOUGH, ScoreMoments, orthonormal
from talentassess.calibration.objective import Evaluation
from talentassess.calibration.problem import Problem
from talentassess.core.arrays import CodeArray, FloatArray, IntArray
from talentassess.core.likelihood import ItemBlock, block_rows, stack_log_prob
from talentassess.core.reduction import reduced_posteriors

CELLS = 4_000_000  # expected scores held at a time: persons times general nodes times parameters
NEGLIGIBLE = 1e-10  # posterior weight of a general node below which scores at it are not worth forming


@dataclass(frozen=True, eq=False, slots=True)
class _Part:
    """A block of items: columns of its parameters, and derivatives of log P (Qg, Qs, Jb * K * P); Qs = 1 if single."""

    block: ItemBlock
    columns: IntArray
    slope: FloatArray

    @property
    def testlet(self) -> int:
        """Number of the specific dimension, 0 without one."""
        return self.block.dims[1] if len(self.block.dims) > 1 else 0

    def scores(self, expected: FloatArray, x: CodeArray) -> FloatArray:
        """Pick the derivatives of the chosen categories: (n, Jb * K * P) and codes (n, J) -> (n, Jb * P)."""
        n_items, n_par = self.block.par.shape
        codes = x[:, self.block.items]
        table = expected.reshape(len(x), n_items, self.block.n_cat, n_par)
        chosen = table[np.arange(len(x))[:, None], np.arange(n_items), np.maximum(codes, 0)]
        return np.where(codes[:, :, None] >= 0, chosen, 0.0).reshape(len(x), -1)


@dataclass(slots=True)
class _Sums:
    """Running sums over persons, each (T + L, T + L) for T stacked parameters and L latent values."""

    spread: FloatArray
    crossprod: FloatArray
    meat: FloatArray


def reduced_moments(problem: Problem, at: Evaluation, structure: Bifactor) -> ScoreMoments:
    """Return the moments of the complete-data scores over each person's posterior, each (F, F).

    Equation: Cov(s) = Cov_g(E[s | g]) + sum_f E_g(Cov[s_f | g]), s_f the scores of testlet f; the first by polynomials
    that are orthonormal under the posterior, as in ``missing_information.score_moments``.
    """
    form, base = structure.form, structure.base
    parts = _parts(problem, at, structure)
    by_latent = base.d_log_prior(at.latent)
    size = sum(len(part.columns) for part in parts) + len(at.latent)
    sums = _Sums(*(np.zeros((size, size)) for _ in range(3)))
    log_prob = stack_log_prob(at.blocks, structure.theta, problem.starts)
    a = base.answers
    n_at_once = max(1, CELLS // (len(form.general) * size))
    for p in reduced_posteriors(form, a.x, log_prob, base.log_prior(at.latent), a.group):
        for first in range(0, len(p.general), n_at_once):
            chosen = slice(first, first + n_at_once)
            rows = slice(p.rows.start + first, min(p.rows.start + first + n_at_once, p.rows.stop))
            general, conditional = p.general[chosen], [given[chosen] for given in p.conditional]
            given = _expected_scores(parts, general, conditional, a.x[rows], by_latent[a.group[rows]])
            _add_between(sums, general, given, form.general, a.weight[rows], a.weight_sq[rows])
            for f, weights in enumerate(conditional, start=1):
                own = [part for part in parts if part.testlet == f]
                places = np.concatenate([block_rows(part.block, problem.starts).ravel() for part in own])
                testlet = _Testlet(own, p.hot[chosen][:, places])
                _add_within(sums, testlet, general * a.weight[rows, None], weights, given)
    latent = sparse.eye_array(len(at.latent))
    tie = sparse.csr_array(sparse.block_diag([problem.tie.matrix, latent], format="csr"))
    return ScoreMoments(*(np.asarray(tie.T @ (tie.T @ m).T) for m in (sums.spread, sums.crossprod, sums.meat)))


def _parts(problem: Problem, at: Evaluation, structure: Bifactor) -> list[_Part]:
    n_general, n_specific = structure.form.n_nodes
    parts, start = [], 0
    for block in at.blocks:
        slope = np.ascontiguousarray(block.d_par(structure.theta).reshape(n_general, n_specific, -1))
        columns = np.arange(start, start + block.par.size)
        start += block.par.size
        parts.append(_Part(block, columns, slope if len(block.dims) > 1 else slope[:, :1]))
    return parts


def _expected_scores(
    parts: list[_Part], general: FloatArray, conditional: list[FloatArray], x: CodeArray, by_latent: FloatArray
) -> FloatArray:
    """Return (Qg, n, T + L) scores expected at each general node that weighs anything; by_latent (n, Qg, L)."""
    n, n_general, n_latent = by_latent.shape
    given = np.zeros((n_general, n, sum(len(part.columns) for part in parts) + n_latent))
    for g in range(n_general):
        use = np.flatnonzero(general[:, g] > NEGLIGIBLE)
        for part in parts if len(use) else []:
            if part.testlet:
                expected = conditional[part.testlet - 1][use, g] @ part.slope[g]
            else:
                expected = np.broadcast_to(part.slope[g], (len(use), part.slope.shape[2]))
            given[g, use, part.columns[0] : part.columns[-1] + 1] = part.scores(expected, x[use])
        given[g, use, given.shape[2] - n_latent :] = by_latent[use, g]
    return given


def _add_between(
    sums: _Sums, general: FloatArray, given: FloatArray, nodes: FloatArray, weight: FloatArray, weight_sq: FloatArray
) -> None:
    """Add the persons' expected scores squared, and their covariance over the general nodes."""
    small = 0
    for r, weights in enumerate(orthonormal(general, nodes)):
        score: FloatArray = np.einsum("ng,gnt->nt", weights, given)
        gained = (score * weight[:, None]).T @ score
        if r == 0:
            sums.crossprod += gained
            sums.meat += (score * weight_sq[:, None]).T @ score
            continue
        sums.spread += gained
        known = np.diag(sums.crossprod) + np.diag(sums.spread)
        small = small + 1 if np.all(np.diag(gained) <= ENOUGH * known) else 0
        if small == 2:  # one may be small by symmetry
            break


def _add_within(
    sums: _Sums, testlet: _Testlet, general: FloatArray, conditional: FloatArray, given: FloatArray
) -> None:
    """Add the covariance of one testlet's scores given the general node.

    Parameters
    ----------
    general : (n, Qg) weight times posterior of the general nodes; conditional : (n, Qg, Qs).
    given : (Qg, n, T + L) expected scores.

    Equation: sum_i E_i[s s'] - sum_i E_g(E[s | g] E[s | g]'). The first needs only how often each pair of categories
    was chosen at each pair of nodes.
    """
    total = np.zeros((len(testlet.columns),) * 2)
    for g in range(general.shape[1]):
        use = np.flatnonzero(general[:, g] > NEGLIGIBLE)
        if not len(use):
            continue
        hot, weight = testlet.hot[use], general[use, g]
        at_pairs = weight[:, None] * conditional[use, g]
        chosen = (hot[:, None, :] * at_pairs[:, :, None]).reshape(len(use), -1)
        pairs = (hot.T @ chosen).reshape(hot.shape[1], -1, hot.shape[1]).transpose(1, 0, 2)  # (Qs, S_f, S_f)
        slope = testlet.slopes(g)
        total += np.sum(slope.transpose(0, 2, 1) @ (pairs @ slope), axis=0)
        mean = given[g][np.ix_(use, testlet.columns)]
        total -= (mean * weight[:, None]).T @ mean
    sums.spread[np.ix_(testlet.columns, testlet.columns)] += total


@dataclass(frozen=True, eq=False, slots=True)
class _Testlet:
    """The blocks of one testlet side by side: columns of their parameters, and who chose which category (n, S_f)."""

    parts: list[_Part]
    hot: FloatArray

    @property
    def columns(self) -> IntArray:
        """Positions (T_f,) of the testlet's parameters among all."""
        return np.concatenate([part.columns for part in self.parts])

    def slopes(self, g: int) -> FloatArray:
        """Return derivatives of log P (Qs, S_f, T_f) at a general node: an item's categories by its own parameters."""
        per_item: list[FloatArray] = []
        for part in self.parts:
            n_items, n_par = part.block.par.shape
            per_item += list(part.slope[g].reshape(-1, n_items, part.block.n_cat, n_par).transpose(1, 0, 2, 3))
        n_rows, n_columns = (sum(item.shape[k] for item in per_item) for k in (1, 2))
        out, row, column = np.zeros((len(per_item[0]), n_rows, n_columns)), 0, 0
        for item in per_item:
            out[:, row : row + item.shape[1], column : column + item.shape[2]] = item
            row, column = row + item.shape[1], column + item.shape[2]
        return out

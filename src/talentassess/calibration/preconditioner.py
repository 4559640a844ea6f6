"""What steers the optimiser: complete-data information less the part that is lost because theta is not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from talentassess.calibration.objective import Evaluation, prior_curvature, pseudo_counts
from talentassess.calibration.problem import Problem
from talentassess.core.arrays import BoolArray, FloatArray
from talentassess.core.likelihood import block_rows

Solve = Callable[[FloatArray], FloatArray]

LEAST_SHARE = 0.01  # of the complete information that is taken to be left in any direction: keeps the inverse positive
HELD = 1e8  # times the largest information, for values at a bound: as good as known
RIDGE = 1e-8  # relative, for parameters about which nobody's answer says anything


def precondition(problem: Problem, at: Evaluation, *, seen: bool = False, held: BoolArray | None = None) -> Solve:
    """Return an approximate inverse of the observed information at a point, as a function (F,) -> (F,).

    With ``seen`` it is the inverse of the complete-data information, as if theta were seen: an EM step. Item values
    that are ``held`` (F,) at a bound do not move, and the others move as if these were known.

    Equations: complete-data information per item sum_q n_jq sum_k P_k (d log P_k)(d log P_k)', plus the priors'
    curvature; from it is taken sum_q n_q v_q c_q c_q' with c_jq = sum_k P_k (d log P_k / d par)(d log P_k / d theta)
    and v_q the posterior variance at theta_q: the score's variance over a narrow posterior. The difference is inverted
    by Woodbury's identity, so the cost is linear in the items.
    """
    complete, lost = _information(problem, at)
    if seen:
        lost = None
    n_items = problem.tie.n_free
    items = _item_solver(problem, at, complete, np.zeros(n_items, dtype=bool) if held is None else held[:n_items])
    rest = _symmetric_solver(problem.structure.information(at.step, at.latent))
    if lost is None:
        return lambda v: np.concatenate([items(v[:n_items, None])[:, 0], rest(v[n_items:])])
    spread = problem.tie.back(lost)
    solved = items(spread)
    left, directions = np.linalg.eigh(np.eye(spread.shape[1]) - spread.T @ solved)
    inverse = (directions / np.maximum(left, LEAST_SHARE)) @ directions.T

    def solve(v: FloatArray) -> FloatArray:
        by_items = items(v[:n_items, None])[:, 0] + solved @ (inverse @ (solved.T @ v[:n_items]))
        return np.concatenate([by_items, rest(v[n_items:])])

    return solve


def _information(problem: Problem, at: Evaluation) -> tuple[list[FloatArray], FloatArray | None]:
    """Return complete information per block (Jb, P, P), and what is lost (T, D * Q) if the structure knows."""
    theta, n_dims = problem.structure.theta, problem.structure.theta.shape[1]
    counts = at.step.counts + pseudo_counts(problem)
    complete, cross = [], []
    by_node = np.zeros((n_dims, len(theta)))
    seen = at.step.mass.sum(axis=0)
    for block, slope in zip(at.blocks, at.slopes, strict=True):
        rows = block_rows(block, problem.starts)
        answered = counts[rows].sum(axis=1)  # (Jb, Q)
        probability = np.exp(at.log_prob[rows]).transpose(2, 0, 1)
        root = np.sqrt(probability * answered.T[:, :, None])
        squares = (slope * root[..., None]).transpose(1, 3, 2, 0).reshape(*slope.shape[1:4:2], -1)
        complete.append(squares @ squares.transpose(0, 2, 1))
        if len(block.dims) == 1 and len(seen) == len(theta):
            by_theta = block.d_theta(theta)[..., 0]
            share = answered / np.maximum(seen, 1e-300)
            cross.append(np.einsum("qjkp,qjk->jpq", slope, probability * by_theta) * share[:, None, :])
            by_node[block.dims[0]] += np.einsum("qjk,qjk,qjk,jq->q", probability, by_theta, by_theta, share)
    lost = problem.structure.lost(at.step, at.latent, by_node) if len(cross) == len(at.blocks) else None
    if lost is None:
        return complete, None
    return complete, _columns(problem, at, cross, np.sqrt(lost))


def _columns(problem: Problem, at: Evaluation, cross: Sequence[FloatArray], root: FloatArray) -> FloatArray:
    """Stack the blocks' cross information (Jb, P, Q), scaled by root (D, Q), under their dimensions: (T, D * Q)."""
    n_nodes = root.shape[1]
    out = np.zeros((len(problem.tie.offset), root.size))
    row = 0
    for block, part in zip(at.blocks, cross, strict=True):
        d, size = block.dims[0], part.shape[0] * part.shape[1]
        out[row : row + size, d * n_nodes : (d + 1) * n_nodes] = part.reshape(size, n_nodes) * root[d]
        row += size
    return out[:, np.any(out != 0, axis=0)]


def _item_solver(problem: Problem, at: Evaluation, complete: Sequence[FloatArray], held: BoolArray) -> Solve:
    """Return the solver (F_items, m) -> (F_items, m) of the complete information, item by item if nothing is tied."""
    tie, most = problem.tie, max(float(np.max(part)) for part in complete)
    curvature = np.maximum(prior_curvature(problem, at.free), 0.0) + np.where(held, HELD * max(most, RIDGE), 0.0)
    if not tie.plain:
        from scipy import sparse  # slow to load, as is the next, and most forms have no ties
        from scipy.sparse.linalg import splu

        matrix = tie.matrix.T @ sparse.block_diag([m for part in complete for m in part], format="csr") @ tie.matrix
        matrix = matrix + sparse.diags_array(curvature)
        ridge = RIDGE * max(most, RIDGE)
        factor = splu(sparse.csc_array(matrix + ridge * sparse.eye_array(matrix.shape[0])))
        return lambda v: np.asarray(factor.solve(v), dtype=np.float64)
    inverses, places, row = [], [], 0
    for part in complete:
        n_items, n_par = part.shape[:2]
        own = slice(row, row + n_items * n_par)
        diagonal = np.eye(n_par) * (curvature[own].reshape(n_items, 1, n_par) + RIDGE * max(most, RIDGE))
        inverses.append(np.linalg.inv(part + diagonal))
        places.append(own)
        row = own.stop

    def solve(v: FloatArray) -> FloatArray:
        parts = [
            np.matmul(inverse, v[own].reshape(len(inverse), -1, v.shape[1])).reshape(-1, v.shape[1])
            for inverse, own in zip(inverses, places, strict=True)
        ]
        return np.concatenate(parts)

    return solve


def _symmetric_solver(matrix: FloatArray) -> Solve:
    if not len(matrix):
        return lambda v: v
    inverse = np.linalg.inv(matrix + RIDGE * max(float(np.max(np.diag(matrix))), RIDGE) * np.eye(len(matrix)))
    return lambda v: inverse @ v

"""Approximate observed information: what the optimiser is preconditioned with when several dimensions are fitted."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from talentassess.calibration.objective import Evaluation, information, pseudo_counts
from talentassess.calibration.problem import Problem
from talentassess.core.arrays import FloatArray
from talentassess.core.likelihood import ItemBlock, block_rows


def approximate_information(problem: Problem, at: Evaluation) -> sparse.csc_array:
    """Return (F, F) complete-data information less an approximation of what is lost because theta is not seen.

    Equation: at each node, the information about an item's parameters and theta together has the Schur complement
    I_pp - c c' / (1 + I_theta), c the cross information and I_theta the information of all items of the dimension; it
    is summed over the nodes with the expected numbers of persons. Positive definite wherever the complete-data
    information is. The loss across dimensions is left out.
    """
    tie, n_latent = problem.tie, len(at.latent)
    counts = at.step.counts + pseudo_counts(problem)
    cross = [_cross_information(problem, block, counts) for block in at.blocks]
    lost = sparse.lil_array((tie.matrix.shape[0],) * 2)
    ends = np.cumsum([block.par.size for block in at.blocks])
    for d in sorted({block.dims for block in at.blocks}):
        own = [b for b, block in enumerate(at.blocks) if block.dims == d]
        rows = np.concatenate([np.arange(ends[b] - at.blocks[b].par.size, ends[b]) for b in own])
        persons = np.max([cross[b][2].max(axis=1) for b in own], axis=0)
        theta = np.sum([(cross[b][1] * cross[b][2]).sum(axis=1) for b in own], axis=0)
        root = np.concatenate([(cross[b][0] * cross[b][2][:, :, None]).reshape(len(persons), -1) for b in own], axis=1)
        root /= np.sqrt(np.maximum(persons + theta, 1e-300))[:, None]
        lost[np.ix_(rows, rows)] = root.T @ root
    by_items = tie.matrix.T @ sparse.csr_array(lost) @ tie.matrix
    nothing = sparse.csr_array((n_latent, n_latent))
    return sparse.csc_array(information(problem, at) - sparse.block_diag([by_items, nothing], format="csc"))


def _cross_information(
    problem: Problem, block: ItemBlock, counts: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return information about parameters and theta (Q, Jb, P), about theta (Q, Jb), and persons (Q, Jb) per node."""
    theta = problem.structure.theta
    probability, by_theta = np.exp(block.log_prob(theta)), block.d_theta(theta)[..., 0]
    cross = np.einsum("qjk,qjkp->qjp", probability * by_theta, block.d_par(theta))
    return cross, (probability * by_theta**2).sum(axis=2), counts[block_rows(block, problem.starts)].sum(axis=1).T

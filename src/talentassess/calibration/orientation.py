"""Which way a scale runs: a likelihood does not change when all slopes and theta change sign together."""

from __future__ import annotations

import numpy as np

from talentassess.calibration.objective import Evaluation
from talentassess.calibration.problem import Problem
from talentassess.calibration.structures import NormalGroups
from talentassess.core.arrays import BoolArray, FloatArray


def turned_round(problem: Problem, at: Evaluation) -> FloatArray | None:
    """Return the free values (F,) of the mirror image where the scale runs against its own items, else None.

    It does if sum_j slope_j r_j < 0 with item-rest correlations r_j, over items with ordered categories. There is no
    mirror image where slopes are fixed, e.g. by anchors, or part of a design.
    """
    if not isinstance(problem.structure, NormalGroups) or _agreement(problem, at) >= 0:
        return None
    signs = _signs(problem)
    return None if signs is None else signs * at.free


def _agreement(problem: Problem, at: Evaluation) -> float:
    rest = problem.survey.rest_correlation
    return float(sum(b.par[:, 0] @ rest[b.items] for b in at.blocks if b.model.ordered))


def _signs(problem: Problem) -> FloatArray | None:
    """Return -1 for free values (F,) that are slopes or latent means, 1 for the others; None if the two are mixed."""
    is_slope: BoolArray = np.array([param.name.startswith("slope") for param in problem.entries.params])
    from scipy import sparse  # slow to load, and few scales run the wrong way

    tie = problem.tie
    used = sparse.coo_array(tie.matrix)
    slopes = np.bincount(used.coords[1], is_slope[used.coords[0]], minlength=tie.n_free)
    others = np.bincount(used.coords[1], ~is_slope[used.coords[0]], minlength=tie.n_free)
    if np.any(tie.offset[is_slope] != 0) or np.any((slopes > 0) & (others > 0)):
        return None
    latent = [-1.0 if name.startswith("latent mean") else 1.0 for name in problem.structure.names]
    return np.concatenate([np.where(slopes > 0, -1.0, 1.0), latent])

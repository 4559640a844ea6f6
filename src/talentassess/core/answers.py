"""Answers as they enter the likelihood: merged patterns with their weights, and the pass over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import CodeArray, FloatArray, IntArray
from talentassess.core.likelihood import EStep, e_step, offsets
from talentassess.core.responses import Responses

MERGE_UP_TO = 16  # items: longer forms seldom repeat an answer pattern, and sorting them costs more than it saves


@dataclass(frozen=True, eq=False, slots=True)
class Answers:
    """Distinct answer patterns with their weights.

    Attributes
    ----------
    x : (N', J) codes, -1 missing.
    group : (N',) group number.
    weight : (N',) summed weights; weight_sq : (N',) summed squared weights (for sampling weights).
    starts : (J + 1,) item offsets on the stacked category axis.
    """

    x: CodeArray
    group: IntArray
    weight: FloatArray
    weight_sq: FloatArray
    starts: IntArray

    def e_step(self, log_prob: FloatArray, log_prior: FloatArray) -> EStep:
        """Return expected counts at log probabilities (S, Q) under log weights of the nodes per group (G, Q)."""
        return e_step(self.x, log_prob, log_prior, self.group, self.weight, self.starts)

    def group_sizes(self, n_groups: int) -> FloatArray:
        """Return (G,) summed weights per group."""
        return np.bincount(self.group, self.weight, minlength=n_groups).astype(np.float64)


def gather_answers(responses: Responses, group: IntArray) -> Answers:
    """Merge persons with the same answers and group (N,); those without any answer carry no information: left out."""
    kept = responses.answered.any(axis=1)
    x, group = responses.x[kept], group[kept]
    starts = offsets(responses.n_cat)
    weight: FloatArray = np.ones(len(x)) if responses.weight is None else responses.weight[kept]
    if x.shape[1] > MERGE_UP_TO:
        return Answers(x, group, weight, weight**2, starts)
    keys = np.column_stack([x, group.astype(np.int16)])
    distinct, where = np.unique(keys, axis=0, return_inverse=True)
    where = where.ravel()
    return Answers(
        x=np.ascontiguousarray(distinct[:, :-1]),
        group=distinct[:, -1].astype(np.int64),
        weight=np.bincount(where, weight).astype(np.float64),
        weight_sq=np.bincount(where, weight**2).astype(np.float64),
        starts=starts,
    )

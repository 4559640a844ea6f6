"""Answers as they enter the likelihood: merged patterns with their weights, and the pass over them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from talentassess.core import kernel
from talentassess.core.arrays import CodeArray, CodeRows, FloatArray, IntArray
from talentassess.core.likelihood import EStep, e_step, offsets
from talentassess.core.responses import Responses
from talentassess.core.survey import Survey, survey_answers, survey_from_sums

MERGE_UP_TO = 16  # items: longer forms seldom repeat an answer pattern, and sorting them costs more than it saves


@dataclass(frozen=True, eq=False, slots=True)
class Answers:
    """Distinct answer patterns with their weights.

    Attributes
    ----------
    x : (N', J) codes, -1 missing; read them some persons at a time.
    group : (N',) group number.
    weight : (N',) summed weights; weight_sq : (N',) summed squared weights (for sampling weights).
    starts : (J + 1,) item offsets on the stacked category axis.
    compiled : the same answers laid out for the compiled kernel, None where there is none.
    """

    x: CodeRows
    group: IntArray
    weight: FloatArray
    weight_sq: FloatArray
    starts: IntArray
    compiled: kernel.Compiled | None = field(default=None, repr=False)

    def e_step(self, log_prob: FloatArray, log_prior: FloatArray) -> EStep:
        """Return expected counts at log probabilities (S, Q) under log weights of the nodes per group (G, Q)."""
        if self.compiled is None or log_prob.shape[1] > kernel.MOST_BLOCKS * kernel.LANES:
            return e_step(self.x, log_prob, log_prior, self.group, self.weight, self.starts)
        fast = self.compiled.expected_counts(log_prob, log_prior)
        if not fast.failed.any():
            return EStep(fast.loglik, fast.counts, fast.mass)
        x, group, weight = self.x[fast.failed], self.group[fast.failed], self.weight[fast.failed]
        slow = e_step(x, log_prob, log_prior, group, weight, self.starts)
        return EStep(fast.loglik + slow.loglik, fast.counts + slow.counts, fast.mass + slow.mass)

    def sample(self, n: int) -> Answers:
        """Return every k-th of the patterns, so that about n are left."""
        k = max(1, len(self.x) // n)
        x, group = np.ascontiguousarray(self.x[::k]), self.group[::k]
        weight, weight_sq = np.ascontiguousarray(self.weight[::k]), self.weight_sq[::k]
        return Answers(x, group, weight, weight_sq, self.starts, compile_answers(x, group, weight, self.starts))

    def group_sizes(self, n_groups: int) -> FloatArray:
        """Return (G,) summed weights per group."""
        return np.bincount(self.group, self.weight, minlength=n_groups).astype(np.float64)


def gather_answers(responses: Responses, group: IntArray, worth: FloatArray) -> tuple[Answers, Survey]:
    """Return the answers as they enter the likelihood, and a first look at all of them.

    Persons with the same answers and group (N,) are merged on short forms; those without any answer carry no
    information and are left out of the likelihood, not of the survey. worth (S,): what each category counts in a sum.
    """
    x, starts = responses.x, offsets(responses.n_cat)
    weight: FloatArray = np.ones(len(x)) if responses.weight is None else responses.weight
    if x.shape[1] > MERGE_UP_TO and kernel.library() is not None:
        layout, codes = kernel.pack_anew(starts, x)
        survey = survey_from_sums(*kernel.survey_sums(layout, codes, worth), starts, worth)
        if (survey.answered == 0).any():
            kept = survey.answered > 0
            x, group, weight, codes = x[kept], group[kept], weight[kept], codes[kept]
        return Answers(x, group, weight, weight**2, starts, _compiled(layout, codes, group, weight)), survey
    survey = survey_answers(x, starts, worth)
    kept = survey.answered > 0
    x, group, weight, weight_sq = x[kept], group[kept], weight[kept], weight[kept] ** 2
    if x.shape[1] <= MERGE_UP_TO:
        # 16-bit keys sort fastest; a latent regression may have more groups than they count
        keys = np.column_stack([x, group.astype(np.int16 if group.max(initial=0) < 2**15 else np.int64)])
        distinct, where = np.unique(keys, axis=0, return_inverse=True)
        where = where.ravel()
        x, group = np.ascontiguousarray(distinct[:, :-1]), distinct[:, -1].astype(np.int64)
        weight = np.bincount(where, weight).astype(np.float64)
        weight_sq = np.bincount(where, weight_sq).astype(np.float64)
    return Answers(x, group, weight, weight_sq, starts, compile_answers(x, group, weight, starts)), survey


def kernel_answers(
    x: CodeRows, rows: NDArray[np.uint16], group: IntArray, weight: FloatArray, starts: IntArray, layout: kernel.Layout
) -> Answers:
    """Return answers whose rows (N, G) are packed already, with groups (N,) and weights (N,)."""
    plain = bool(np.all(weight == 1))
    compiled = None if kernel.library() is None else _compiled(layout, rows, group, weight)
    return Answers(x, group, weight, weight if plain else weight**2, starts, compiled)


def compile_answers(x: CodeArray, group: IntArray, weight: FloatArray, starts: IntArray) -> kernel.Compiled | None:
    """Return codes (N, J) with their groups (N,) and weights (N,) laid out for the kernel; None where there is none."""
    if kernel.library() is None or not len(x):
        return None
    return _compiled(*kernel.pack_anew(starts, x), group, weight)


def _compiled(layout: kernel.Layout, codes: NDArray[np.uint16], group: IntArray, weight: FloatArray) -> kernel.Compiled:
    row = group.astype(np.int32) if group.any() else None
    return kernel.Compiled(layout, codes, row, None if np.all(weight == 1) else weight)

"""Expected a posteriori scores by quadrature."""

from __future__ import annotations

import numpy as np

from talentassess.core import kernel
from talentassess.core.answers import compile_answers
from talentassess.core.arrays import CodeArray, FloatArray, IntArray
from talentassess.core.likelihood import posteriors, stack_log_prob
from talentassess.scoring.form import Form
from talentassess.scoring.inputs import count_answers

WORTH_COMPILING = 200  # persons: below this, laying out tables costs more than logarithms do


def expected_a_posteriori(form: Form, x: CodeArray, group: IntArray) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return posterior means (N,) and variances (N,) of theta in logits, and the number of answers (N,).

    x : (N, Jd) codes, -1 missing; group : (N,) numbers.
    """
    nodes = form.nodes()
    log_prob = stack_log_prob(form.blocks, nodes[:, None], form.starts)
    log_prior = form.log_prior(nodes)
    mean, second = np.empty(len(x)), np.empty(len(x))
    left, complete = np.ones(len(x), dtype=bool), False
    if len(x) >= WORTH_COMPILING and len(nodes) <= kernel.LANES * kernel.MOST_BLOCKS:
        compiled = compile_answers(x, group, np.ones(len(x)), form.starts)
        if compiled is not None:
            (mean, second), left = compiled.moments(log_prob, log_prior, nodes)
            complete = compiled.layout.complete
    if left.any():
        at = np.flatnonzero(left)
        for rows, _, posterior, _ in posteriors(x[at], log_prob, log_prior, group[at], form.starts):
            mean[at[rows]], second[at[rows]] = posterior @ nodes, posterior @ nodes**2
    return mean, second - mean**2, count_answers(x, complete)

"""Posterior weights of persons on the nodes of one dimension."""

from __future__ import annotations

from collections.abc import Iterator

from talentassess.core.arrays import CodeArray, FloatArray, IntArray
from talentassess.core.likelihood import posteriors, stack_log_prob
from talentassess.scoring.form import Form

CHUNK = 1024  # persons at a time: grids that are refined for drawing have up to two thousand nodes


def posterior_weights(
    form: Form, x: CodeArray, group: IntArray, nodes: FloatArray
) -> Iterator[tuple[slice, FloatArray]]:
    """Yield (rows, weights (n, Q)) for consecutive chunks of persons; each person's weights sum to one.

    Parameters
    ----------
    form : the items of one dimension.
    x : (N, Jd) codes, -1 missing; group (N,) numbers.
    nodes : (Q,) logits, equally spaced.
    """
    log_prob = stack_log_prob(form.blocks, nodes[:, None], form.starts)
    log_prior = form.log_prior(nodes)
    for first in range(0, len(x), CHUNK):
        part = slice(first, first + CHUNK)
        for rows, _, weights, _ in posteriors(x[part], log_prob, log_prior, group[part], form.starts):
            yield slice(first + rows.start, first + rows.stop), weights

"""One problem out of the dimensions' own: their items side by side, their traits correlated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy import sparse

from talentassess.calibration.constraints import Entries, Equal, TieMap
from talentassess.calibration.correlated import CorrelatedNormal, correlation_roots
from talentassess.calibration.problem import Problem
from talentassess.calibration.structures import NormalGroups
from talentassess.calibration.ties import merge_equal
from talentassess.core.answers import gather_answers
from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.ep import ep_form
from talentassess.core.errors import CalibrationError, ModelError
from talentassess.core.likelihood import ItemBlock, offsets
from talentassess.core.quadrature import grid
from talentassess.core.responses import Responses
from talentassess.core.survey import Survey

HIGHEST_START = 0.9  # correlation to start from


def join_problems(
    persons: tuple[Responses, IntArray],
    problems: Mapping[str, Problem],
    firsts: Sequence[FloatArray],
    across: Sequence[Equal],
) -> tuple[Problem, FloatArray]:
    """Return one problem with correlated dimensions, and where to start from (F,).

    Parameters
    ----------
    persons : the answers to all items, and the group (N,) of each person.
    problems : one problem per dimension, in the order of the dimensions.
    firsts : per dimension the free values of a rough fit of its own.
    across : ties between items of different dimensions.

    Raises ``CalibrationError`` for fewer than two dimensions, ``ModelError`` for ties that cannot be made.
    """
    parts = list(problems.values())
    structures = [part.structure for part in parts if isinstance(part.structure, NormalGroups)]
    if len(parts) < 2:
        raise CalibrationError("correlated=True needs at least two dimensions; found one. Leave it out.")
    if len(structures) < len(parts):
        raise ModelError("correlated=True takes dimensions with normal latent distributions only.")
    responses, group = persons
    ordered = responses.select([item for part in parts for item in part.responses.item_ids])
    entries = Entries(
        tuple(item for part in parts for item in part.entries.items),
        tuple(param for part in parts for param in part.entries.params),
        tuple(size for part in parts for size in part.entries.sizes),
    )
    tie, priors = _join_ties([part.tie for part in parts]), [prior for part in parts for prior in part.priors]
    start = np.concatenate([first[: part.tie.n_free] for first, part in zip(firsts, parts, strict=True)])
    for constraint in across:
        tie, old = merge_equal(tie, entries, constraint)
        priors, start = [priors[k[0]] for k in old], np.array([start[k].mean() for k in old])
    structure = _join_structures(tuple(problems), parts, structures, (ordered, group), firsts)
    problem = Problem(
        responses=ordered,
        survey=_join_surveys([part.survey for part in parts]),
        starts=offsets(ordered.n_cat),
        blocks=_join_blocks(parts),
        entries=entries,
        tie=tie,
        priors=tuple(priors),
        structure=structure,
        x=structure.form.answers.x,
        pseudo=np.concatenate([part.pseudo for part in parts]),
    )
    return problem, np.concatenate([start, problem.structure.start])


def _join_structures(
    names: tuple[str, ...],
    parts: Sequence[Problem],
    own: Sequence[NormalGroups],
    persons: tuple[Responses, IntArray],
    firsts: Sequence[FloatArray],
) -> CorrelatedNormal:
    """Return the correlated population that starts where the dimensions' rough fits end."""
    free_mean, free_sd = np.stack([s.free_mean for s in own], axis=1), np.stack([s.free_sd for s in own], axis=1)
    ends = [s.mean_sd(first[part.tie.n_free :]) for s, first, part in zip(own, firsts, parts, strict=True)]
    mean, sd = np.stack([end[0] for end in ends], axis=1), np.stack([end[1] for end in ends], axis=1)
    roots = np.tile(correlation_roots(_suggested_correlations(parts)), len(own[0].groups))
    sizes = [len(part.responses.item_ids) for part in parts]
    no_survey = np.zeros(int(persons[0].n_cat.sum()))  # the dimensions have been looked at already
    answers, _ = gather_answers(*persons, no_survey)
    form = ep_form(answers, np.repeat(np.arange(len(parts)), sizes), len(parts))
    return CorrelatedNormal(
        form=form,
        dimensions=names,
        groups=own[0].groups,
        free_mean=free_mean,
        free_sd=free_sd,
        nodes=grid(),
        start=np.concatenate([mean[free_mean], np.log(sd[free_sd]), roots]),
        sites=form.no_sites(),
    )


def _join_blocks(parts: Sequence[Problem]) -> tuple[ItemBlock, ...]:
    """Return all items' blocks, positions counted over the dimensions one after the other."""
    blocks: list[ItemBlock] = []
    before = 0
    for d, part in enumerate(parts):
        blocks += [replace(block, items=block.items + before, dims=(d,)) for block in part.blocks]
        before += len(part.responses.item_ids)
    return tuple(blocks)


def _join_ties(ties: Sequence[TieMap]) -> TieMap:
    """Return the dimensions' linear maps side by side; a name without an item in it stays clear by its examples."""
    side_by_side = sparse.csr_array(sparse.block_diag([tie.matrix for tie in ties], format="csr"))
    return TieMap(
        ties=None if all(tie.plain for tie in ties) else side_by_side,
        offset=np.concatenate([tie.offset for tie in ties]),
        names=tuple(name for tie in ties for name in tie.names),
        lower=np.concatenate([tie.lower for tie in ties]),
        upper=np.concatenate([tie.upper for tie in ties]),
        param_names=tuple(name for tie in ties for name in tie.param_names),
    )


def _join_surveys(surveys: Sequence[Survey]) -> Survey:
    """Return the dimensions' first looks side by side; item-rest correlations stay within a dimension."""
    sizes = np.concatenate([np.diff(survey.starts) for survey in surveys])
    return Survey(
        answered=np.sum([survey.answered for survey in surveys], axis=0),
        counts=np.concatenate([survey.counts for survey in surveys]),
        rest_correlation=np.concatenate([survey.rest_correlation for survey in surveys]),
        starts=offsets(sizes),
    )


def _suggested_correlations(parts: Sequence[Problem]) -> FloatArray:
    """Return (D, D) correlations of the dimensions' mean scores, corrected for attenuation by alpha: a start only."""
    scores, reliabilities = [], []
    for part in parts:
        score, alpha = _mean_score(part)
        scores.append(score)
        reliabilities.append(alpha)
    table, size = np.stack(scores, axis=1), len(parts)
    out = np.eye(size)
    for a, b in zip(*np.tril_indices(size, -1), strict=True):
        both = np.isfinite(table[:, a]) & np.isfinite(table[:, b])
        if both.sum() > 2 and np.ptp(table[both, a]) > 0 and np.ptp(table[both, b]) > 0:
            r = float(np.corrcoef(table[both, a], table[both, b])[0, 1]) / np.sqrt(reliabilities[a] * reliabilities[b])
            out[a, b] = out[b, a] = np.clip(r, -HIGHEST_START, HIGHEST_START)
    while np.linalg.eigvalsh(out)[0] < 0.05:
        out = 0.9 * out + 0.1 * np.eye(size)
    return out


def _mean_score(part: Problem) -> tuple[FloatArray, float]:
    """Return each person's mean answer (N,), turned by the sign of the starting slopes, and coefficient alpha."""
    responses = part.in_memory
    sign = np.ones(len(responses.item_ids))
    for block in part.blocks:
        if block.model.ordered:
            sign[block.items] = np.where(block.par[:, 0] < 0, -1.0, 1.0)
    answers = np.where(responses.answered, sign * responses.x / (responses.n_cat - 1), np.nan)
    n = responses.answered.sum(axis=1)
    score = np.full(len(answers), np.nan)
    score[n > 0] = np.nansum(answers[n > 0], axis=1) / n[n > 0]
    items = float(np.sum([np.nanvar(answers[:, j]) for j in range(answers.shape[1])]))
    size = answers.shape[1]
    total = float(np.nanvar(score)) * size**2
    alpha = size / max(size - 1, 1) * (1 - items / total) if total > 0 else 0.0
    return score, float(np.clip(alpha, 0.3, 1.0))

"""Calibrate all dimensions at once, their traits correlated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from talentassess.calibration.assemble import Fit, item_covariances
from talentassess.calibration.audit import audit_after, audit_before, count_parameters
from talentassess.calibration.constraints import Equal
from talentassess.calibration.correlated import CorrelatedNormal
from talentassess.calibration.ep_check import approximation_finding
from talentassess.calibration.inputs import Settings
from talentassess.calibration.joined import join_problems
from talentassess.calibration.optimise import maximise
from talentassess.calibration.problem import Problem
from talentassess.calibration.run import Path, Progress
from talentassess.calibration.stages import on_suited_grid
from talentassess.calibration.standard_errors import covariance
from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.calibration import Calibration, FreeParameters, Latent
from talentassess.core.provenance import Provenance
from talentassess.core.responses import Responses
from talentassess.core.status import Status

ROUGH, ROUGH_STEPS = 0.05, 30  # tolerance and passes of the dimensions' own fits that give the starting values


def calibrate_together(
    responses: Responses,
    problems: Mapping[str, Problem],
    settings: Settings,
    across: tuple[Equal, ...],
    progress: Callable[[Progress], None],
) -> Calibration:
    """Fit all dimensions at once and return one calibration with the full latent covariance.

    Parameters
    ----------
    responses : the answers to all items.
    problems : one problem per dimension.
    across : ties between items of different dimensions.
    """
    label = ", ".join(problems)
    rough = [_rough(problem, name) for name, problem in problems.items()]
    group = _group_numbers(responses, settings.labels)
    problem, start = join_problems((responses, group), problems, [path.last.free for path in rough], across)
    climb = partial(maximise, report=progress, dimension=label, optimiser=settings.optimiser)
    stopped = any(path.status is Status.INTERRUPTED for path in rough)
    path = climb(problem, tol=settings.tol, max_steps=1 if stopped else settings.max_steps, start=start)
    path = replace(path, status=Status.INTERRUPTED) if stopped else on_suited_grid(path, settings, climb)
    n_steps = path.n_steps + sum(part.n_steps for part in rough)
    return _finish(responses, problems, replace(path, n_steps=n_steps), settings, label)


def _rough(problem: Problem, name: str) -> Path:
    return maximise(problem, tol=ROUGH, max_steps=ROUGH_STEPS, report=_silent, dimension=name)


def _silent(progress: Progress) -> None:
    """Report nothing."""


def _group_numbers(responses: Responses, labels: tuple[str, ...] | None) -> IntArray:
    if labels is None:
        return np.zeros(responses.n_persons, dtype=np.int64)
    order = {label: g for g, label in enumerate(dict.fromkeys(labels))}
    return np.array([order[label] for label in labels], dtype=np.int64)


def _finish(
    responses: Responses, problems: Mapping[str, Problem], path: Path, settings: Settings, label: str
) -> Calibration:
    problem, structure = path.problem, path.problem.structure
    cov = covariance(problem, path.last, settings.se, path.at_bound)
    counted = count_parameters(problem, label)
    if (cov is None or counted) and path.status is Status.CONVERGED:
        path = replace(path, status=Status.NOT_IDENTIFIED)
    if cov is None:
        cov = np.full((len(path.last.free),) * 2, np.nan)
    audit = [finding for name, part in problems.items() for finding in audit_before(part, name)]
    audit += [*counted, *audit_after(problem, path, cov, label, settings.se)]
    if isinstance(structure, CorrelatedNormal):
        audit.append(approximation_finding(problem, path.last, structure, label))
    return _assemble(responses, tuple(problems), Fit(label, problem, path, cov, path.status, audit), settings)


def _assemble(responses: Responses, dimensions: tuple[str, ...], fit: Fit, settings: Settings) -> Calibration:
    """Return the calibration: items by their place in the whole form, latent values in the form people read."""
    problem, at, anchors = fit.problem, fit.path.last, settings.anchors
    positions = np.array([responses.item_ids.index(item) for item in problem.responses.item_ids])
    return Calibration(
        item_ids=responses.item_ids,
        n_cat=responses.n_cat,
        dimensions=dimensions,
        blocks=tuple(replace(block, items=positions[block.items]) for block in at.blocks),
        par_cov=tuple(item_covariances(fit)),
        latent=Latent(problem.structure.groups, *problem.structure.moments(at.latent)),
        free=_shown(problem, at.free, fit.cov),
        loglik=at.loglik,
        n_persons=int(responses.answered.any(axis=1).sum()),
        n_steps=fit.path.n_steps,
        status=fit.status,
        trace=(fit.path.trace,),
        audit=tuple(fit.audit),
        provenance=Provenance(
            source=responses.provenance.source,
            data_hash=responses.provenance.data_hash,
            simulated=responses.provenance.simulated or (anchors is not None and anchors.provenance.simulated),
            options=settings.options(),
        ),
    )


def _shown(problem: Problem, free: FloatArray, cov: FloatArray) -> FreeParameters:
    """Return the free values with standard deviations and correlations in place of logs and roots (delta method)."""
    structure, n_items = problem.structure, problem.tie.n_free
    if not isinstance(structure, CorrelatedNormal):
        return FreeParameters(problem.names, free, cov)
    values, by_latent = structure.shown(free[n_items:])
    slopes = np.eye(len(free))
    slopes[n_items:, n_items:] = by_latent
    unknown = np.isnan(np.diag(cov))
    shown = slopes @ np.where(unknown[:, None] | unknown, 0.0, cov) @ slopes.T
    blank = (slopes[:, unknown] != 0).any(axis=1)
    shown[blank, :] = shown[:, blank] = np.nan
    names = (*problem.tie.names, *structure.shown_names())
    return FreeParameters(names, np.concatenate([free[:n_items], values]), shown)

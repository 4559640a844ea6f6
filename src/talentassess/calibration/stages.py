"""Where a fit starts and where it goes on: an even sample first, better nodes afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from talentassess.calibration.inputs import Settings
from talentassess.calibration.orientation import turned_round
from talentassess.calibration.problem import Problem
from talentassess.calibration.run import Path
from talentassess.core.arrays import FloatArray
from talentassess.core.status import Status

WARM_UP = 4000  # persons whose rough estimates start those of everybody, where there are four times as many
ROUGH = 2e-3  # logits, tolerance on the sample: finer would be lost in its sampling error
GRID_ROUNDS = 5  # each lets the estimates move once more; two are usual where one is needed


def from_sample(problem: Problem, settings: Settings, climb: Callable[..., Path]) -> Path:
    """Fit all persons, starting from a rough fit to an even sample where there are many."""
    sample, start = problem.structure.sample(WARM_UP), None
    if sample is not None and settings.max_steps > 1:
        # a category that nobody in the sample chose must not run away
        rough = replace(problem, structure=sample, pseudo=np.maximum(problem.pseudo, 1.0))
        path = climb(rough, tol=ROUGH, max_steps=settings.max_steps)
        start = path.last.free
        if path.status is Status.INTERRUPTED:
            return replace(climb(problem, tol=settings.tol, max_steps=1, start=start), status=Status.INTERRUPTED)
    return climb(problem, tol=settings.tol, max_steps=settings.max_steps, start=start)


def on_suited_grid(path: Path, settings: Settings, climb: Callable[..., Path]) -> Path:
    """Go on from the estimates on a wider or finer grid as long as they ask for one."""
    for _ in range(GRID_ROUNDS):
        better = path.problem.structure.suited(path.last.blocks, path.last.latent)
        if better is None or path.status is Status.INTERRUPTED:
            break
        path = _go_on(path, replace(path.problem, structure=better), path.last.free, settings, climb)
    return path


def right_way_round(path: Path, settings: Settings, climb: Callable[..., Path]) -> Path:
    """Go on from the mirror image where the estimates run against the items; from far away either may be reached."""
    mirrored = turned_round(path.problem, path.last)
    if mirrored is None or path.status is Status.INTERRUPTED:
        return path
    again = _go_on(path, path.problem, mirrored, settings, climb)
    # priors on slopes may prefer the estimates as they were
    return again if again.last.value >= path.last.value - 1e-6 else path


def _go_on(path: Path, problem: Problem, start: FloatArray, settings: Settings, climb: Callable[..., Path]) -> Path:
    """Maximise from ``start`` (F,) with the passes that are left, and count and trace both runs."""
    left = max(1, settings.max_steps - path.n_steps)
    again = climb(problem, tol=settings.tol, max_steps=left, start=start)
    return replace(again, n_steps=path.n_steps + again.n_steps, trace=path.trace + again.trace)

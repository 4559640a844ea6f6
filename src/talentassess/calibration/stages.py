"""Where a fit starts and where it goes on: an even sample first, better nodes afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from talentassess.calibration.inputs import Settings
from talentassess.calibration.problem import Problem
from talentassess.calibration.run import Path
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
        problem = replace(path.problem, structure=better)
        again = climb(problem, tol=settings.tol, max_steps=settings.max_steps, start=path.last.free)
        path = replace(again, n_steps=path.n_steps + again.n_steps, trace=path.trace + again.trace)
    return path

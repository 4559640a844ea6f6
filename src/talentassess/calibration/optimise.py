"""The outer loop of the calibration: from starting values to a maximum, or to a status that says why not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from talentassess.calibration.lbfgs import climb_lbfgs
from talentassess.calibration.objective import evaluate
from talentassess.calibration.problem import Problem
from talentassess.calibration.run import Path, Progress, Run
from talentassess.calibration.squarem import climb_squarem
from talentassess.core.arrays import FloatArray
from talentassess.core.errors import CalibrationError
from talentassess.core.status import Status

OPTIMISERS = {"l-bfgs": climb_lbfgs, "squarem": climb_squarem}


def maximise(
    problem: Problem,
    *,
    tol: float,
    max_steps: int,
    report: Callable[[Progress], None],
    dimension: str,
    optimiser: str = "l-bfgs",
    start: FloatArray | None = None,
) -> Path:
    """Maximise the objective from ``start`` (F,) until the proposed step is below ``tol`` everywhere.

    Raises ``CalibrationError`` if the starting values are not admissible. Ctrl-C ends the run with INTERRUPTED and
    the best point so far.
    """
    first = evaluate(problem, problem.start() if start is None else start)
    if first is None:
        first = evaluate(problem, problem.even_start())
    if first is None:
        raise CalibrationError(
            f"'{dimension}': the starting values give no finite likelihood. If parameters are fixed or tied, they put "
            "others out of order (a graded item's intercepts must fall): fix or tie all intercepts of an item, or none."
        )
    run = Run(
        problem=problem,
        lower=np.concatenate([problem.tie.lower, problem.structure.lower]),
        upper=np.concatenate([problem.tie.upper, problem.structure.upper]),
        at=first,
        trace=[first.value],
        tol=tol,
        max_steps=max_steps,
        report=lambda step, loglik, change: report(Progress(dimension, step, loglik, change)),
    )
    try:
        status = OPTIMISERS[optimiser](run)
    except KeyboardInterrupt:
        status = Status.INTERRUPTED
    stuck = run.stuck()
    if status is Status.CONVERGED and stuck.any():
        status = Status.AT_BOUND
    return Path(problem, run.at, status, tuple(run.trace), run.n_steps, stuck)

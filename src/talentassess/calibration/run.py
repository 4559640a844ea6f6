"""The state of one run of an optimiser, and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from talentassess.calibration.objective import Evaluation, evaluate
from talentassess.calibration.problem import Problem
from talentassess.core.arrays import BoolArray, FloatArray
from talentassess.core.status import Status

LONGEST_STEP = 1.5  # logits per parameter and step: keeps early steps inside the region where the model is smooth
ROUNDING = 1e-11  # expected gain, relative to the objective, that rounding hides: a search cannot see it


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a running calibration stands: dimension, step, log-likelihood, largest change (logits)."""

    dimension: str
    step: int
    loglik: float
    change: float


@dataclass(frozen=True, eq=False, slots=True)
class Path:
    """How a run ended: problem, last evaluation, status, objective per step, E-steps, values (F,) at a bound."""

    problem: Problem
    last: Evaluation
    status: Status
    trace: tuple[float, ...]
    n_steps: int
    at_bound: BoolArray


@dataclass(slots=True)
class Run:
    """Mutable state of one run; it never leaves the optimisers.

    Attributes
    ----------
    problem : what is maximised; lower, upper : (F,) bounds of the free values.
    at : the best point so far; trace : objective per step; n_steps : passes over the data.
    tol, max_steps, report : as in ``maximise``.
    """

    problem: Problem
    lower: FloatArray
    upper: FloatArray
    at: Evaluation
    trace: list[float]
    tol: float
    max_steps: int
    report: Callable[[int, float, float], None]
    n_steps: int = 1

    def evaluate(self, free: FloatArray) -> Evaluation | None:
        """Return the objective at ``free`` (F,), moved inside the bounds; counts as a pass over the data."""
        self.n_steps += 1
        return evaluate(self.problem, np.clip(free, self.lower, self.upper))

    def stuck(self, at: Evaluation | None = None) -> BoolArray:
        """Return (F,) which values sit at a bound that the gradient pushes against, at a point or the best so far."""
        at = at or self.at
        low, high = at.free <= self.lower, at.free >= self.upper
        stuck: BoolArray = (low & (at.gradient < 0)) | (high & (at.gradient > 0))
        return stuck

    def accept(self, found: Evaluation) -> None:
        """Go on from ``found`` and report the step."""
        change = float(np.max(np.abs(found.free - self.at.free), initial=0.0))
        self.at = found
        self.trace.append(found.value)
        self.report(self.n_steps, found.loglik, change)

    def exhausted(self, gain: float) -> Status:
        """Say how a search ended that found nothing better: the gain may lie below what rounding shows.

        A negative gain is no gain: the direction was wrong, and the point need not be a maximum.
        """
        return Status.CONVERGED if 0 <= gain < ROUNDING * max(1.0, abs(self.at.value)) else Status.STALLED

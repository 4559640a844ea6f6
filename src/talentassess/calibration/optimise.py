"""Preconditioned L-BFGS with backtracking and bounds: the outer loop of the calibration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from talentassess.calibration.inputs import Settings
from talentassess.calibration.objective import Evaluation, evaluate
from talentassess.calibration.preconditioner import precondition
from talentassess.calibration.problem import Problem
from talentassess.core.arrays import BoolArray, FloatArray
from talentassess.core.errors import CalibrationError
from talentassess.core.status import Status

MEMORY = 15  # pairs kept: enough for the slow directions of short tests
LONGEST_STEP = 1.5  # logits per parameter and step: keeps early steps inside the region where the model is smooth
ROUNDING = 1e-11  # expected gain, relative to the objective, that rounding hides: the search cannot see it
GRID_ROUNDS = 5  # each lets the estimates move once more; two are usual where one is needed
REFRESH = 4  # steps after which the preconditioner has settled


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
class _State:
    """Mutable state of one run; it never leaves this module."""

    at: Evaluation
    solve: Callable[[FloatArray], FloatArray]
    pairs: list[tuple[FloatArray, FloatArray]]
    trace: list[float]
    n_steps: int = 1
    halvings: int = 0


def maximise(
    problem: Problem,
    *,
    tol: float,
    max_steps: int,
    report: Callable[[Progress], None],
    dimension: str,
    start: FloatArray | None = None,
) -> Path:
    """Maximise the objective from ``start`` (F,) until the proposed step is below ``tol`` everywhere.

    Raises ``CalibrationError`` if the starting values are not admissible. Ctrl-C ends the run with INTERRUPTED and
    the best point so far.
    """
    lower, upper = _bounds(problem)
    first = evaluate(problem, problem.start() if start is None else start)
    if first is None:
        first = evaluate(problem, problem.even_start())
    if first is None:
        raise CalibrationError(
            f"'{dimension}': the starting values give no finite likelihood. If parameters are fixed or tied, they put "
            "others out of order (a graded item's intercepts must fall): fix or tie all intercepts of an item, or none."
        )
    state = _State(first, precondition(problem, first), [], [first.value])
    try:
        status = _iterate(problem, state, (lower, upper), tol, max_steps, lambda s: report(_progress(dimension, s)))
    except KeyboardInterrupt:
        status = Status.INTERRUPTED
    stuck = _at_bound(state.at, lower, upper)
    if status is Status.CONVERGED and stuck.any():
        status = Status.AT_BOUND
    return Path(problem, state.at, status, tuple(state.trace), state.n_steps, stuck)


def on_suited_grid(path: Path, settings: Settings, progress: Callable[[Progress], None], name: str) -> Path:
    """Go on from the estimates on a wider or finer grid as long as they ask for one."""
    for _ in range(GRID_ROUNDS):
        better = path.problem.structure.suited(path.last.blocks, path.last.latent)
        if better is None or path.status is Status.INTERRUPTED:
            break
        again = maximise(
            replace(path.problem, structure=better),
            tol=settings.tol,
            max_steps=settings.max_steps,
            report=progress,
            dimension=name,
            start=path.last.free,
        )
        path = replace(again, n_steps=path.n_steps + again.n_steps, trace=path.trace + again.trace)
    return path


def _iterate(
    problem: Problem,
    state: _State,
    bounds: tuple[FloatArray, FloatArray],
    tol: float,
    max_steps: int,
    report: Callable[[_State], None],
) -> Status:
    while state.n_steps < max_steps:
        stuck = _at_bound(state.at, *bounds)
        direction = _direction(state, stuck)
        if not np.isfinite(direction).all():
            return Status.NON_FINITE
        if np.max(np.abs(direction), initial=0.0) < tol:
            return Status.CONVERGED
        found = _line_search(problem, state, direction, bounds)
        if found is None and state.pairs:
            state.pairs.clear()  # the memory misled the search: try once more with the preconditioner alone
            continue
        if found is None:
            gain = float(state.at.gradient @ direction)
            return Status.CONVERGED if gain < ROUNDING * max(1.0, abs(state.at.value)) else Status.STALLED
        _remember(problem, state, found, stuck)
        report(state)
    return Status.MAX_STEPS


def _direction(state: _State, stuck: BoolArray) -> FloatArray:
    """Two-loop recursion (Nocedal & Wright 2006, algorithm 7.4) around the complete-data information."""
    gradient = np.where(stuck, 0.0, state.at.gradient)
    q, weights = gradient.copy(), []
    for s, y in reversed(state.pairs):
        weights.append(float(s @ q) / float(s @ y))
        q = q - weights[-1] * y
    direction = state.solve(q)
    for (s, y), weight in zip(state.pairs, reversed(weights), strict=True):
        direction = direction + s * (weight - float(y @ direction) / float(s @ y))
    direction = np.where(stuck, 0.0, direction)
    if float(direction @ gradient) <= 0 and state.pairs:
        state.pairs.clear()
        direction = np.where(stuck, 0.0, state.solve(gradient))
    return direction


def _line_search(
    problem: Problem, state: _State, direction: FloatArray, bounds: tuple[FloatArray, FloatArray]
) -> Evaluation | None:
    """Backtrack until the objective rises enough (Armijo); None if no step of useful length does."""
    slope = float(direction @ state.at.gradient)
    length = min(1.0, LONGEST_STEP / float(np.max(np.abs(direction))))
    noise = 1e-13 * abs(state.at.value)  # rounding of the sum over persons
    while length > 1e-7:
        candidate = np.clip(state.at.free + length * direction, *bounds)
        found = evaluate(problem, candidate)
        state.n_steps += 1
        if found is not None and found.value >= state.at.value + 1e-4 * length * slope - noise:
            return found
        length *= 0.4
    return None


def _remember(problem: Problem, state: _State, found: Evaluation, stuck: BoolArray) -> None:
    s, y = found.free - state.at.free, state.at.gradient - found.gradient
    y = np.where(stuck, 0.0, y)
    if float(s @ y) > 1e-14:
        state.pairs.append((s, y))
        del state.pairs[:-MEMORY]
    state.at = found
    state.trace.append(found.value)
    if len(state.trace) <= REFRESH:
        state.solve = precondition(problem, found)


def _bounds(problem: Problem) -> tuple[FloatArray, FloatArray]:
    structure = problem.structure
    lower = np.concatenate([problem.tie.lower, structure.lower])
    return lower, np.concatenate([problem.tie.upper, structure.upper])


def _at_bound(at: Evaluation, lower: FloatArray, upper: FloatArray) -> BoolArray:
    low, high = at.free <= lower, at.free >= upper
    stuck: BoolArray = (low & (at.gradient < 0)) | (high & (at.gradient > 0))
    return stuck


def _progress(dimension: str, state: _State) -> Progress:
    change = float(np.max(np.abs(state.pairs[-1][0]))) if state.pairs else float("nan")
    return Progress(dimension, state.n_steps, state.at.loglik, change)

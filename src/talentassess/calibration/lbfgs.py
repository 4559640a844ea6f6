"""Preconditioned L-BFGS with backtracking: six to fifteen passes over the data where EM needs hundreds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from talentassess.calibration.objective import Evaluation
from talentassess.calibration.preconditioner import precondition
from talentassess.calibration.run import LONGEST_STEP, Run
from talentassess.core.arrays import BoolArray, FloatArray
from talentassess.core.status import Status

MEMORY = 15  # pairs kept: enough for the slow directions of short tests
MOVED = 0.25  # logits that any value may move before the preconditioner is made anew
FAR = 0.5  # logits of a step that leads to another place, whose curvature earlier steps say nothing about ...
PROGRESS = 1.0  # ... if the objective gains that much; less is a drift along a flat side, which they do describe


@dataclass(slots=True)
class _Memory:
    """What L-BFGS knows about the curvature.

    Attributes
    ----------
    made_at : (F,) where the preconditioner was made; held : (F,) values at a bound there; solve : the preconditioner.
    pairs : recent (step, change of gradient), each (F,).
    """

    made_at: FloatArray
    held: BoolArray
    solve: Callable[[FloatArray], FloatArray]
    pairs: list[tuple[FloatArray, FloatArray]]


def climb_lbfgs(run: Run) -> Status:
    """Maximise until the proposed step is below the run's tolerance everywhere."""
    memory = _Memory(run.at.free, run.stuck(), precondition(run.problem, run.at, held=run.stuck()), [])
    while run.n_steps < run.max_steps:
        stuck = run.stuck()
        moved = float(np.max(np.abs(run.at.free - memory.made_at), initial=0.0)) > MOVED
        if moved or np.any(stuck != memory.held):
            memory.made_at, memory.held = run.at.free, stuck
            memory.solve = precondition(run.problem, run.at, held=stuck)
        direction = _direction(run.at, memory, stuck)
        if not np.isfinite(direction).all():
            return Status.NON_FINITE
        if np.max(np.abs(direction), initial=0.0) < run.tol:
            return Status.CONVERGED
        found = _line_search(run, direction)
        if found is None and memory.pairs:
            memory.pairs.clear()  # the memory misled the search: try once more with the preconditioner alone
            continue
        if found is None:
            return run.exhausted(float(run.at.gradient @ direction))
        _remember(run.at, found, memory, stuck)
        run.accept(found)
    return Status.MAX_STEPS


def _direction(at: Evaluation, memory: _Memory, stuck: BoolArray) -> FloatArray:
    """Two-loop recursion (Nocedal & Wright 2006, algorithm 7.4) around the preconditioner."""
    gradient = np.where(stuck, 0.0, at.gradient)
    q, weights = gradient.copy(), []
    for s, y in reversed(memory.pairs):
        weights.append(float(s @ q) / float(s @ y))
        q = q - weights[-1] * y
    direction = memory.solve(q)
    for (s, y), weight in zip(memory.pairs, reversed(weights), strict=True):
        direction = direction + s * (weight - float(y @ direction) / float(s @ y))
    direction = np.where(stuck, 0.0, direction)
    if float(direction @ gradient) <= 0 and memory.pairs:
        memory.pairs.clear()
        direction = np.where(stuck, 0.0, memory.solve(gradient))
    return direction


def _line_search(run: Run, direction: FloatArray) -> Evaluation | None:
    """Backtrack until the objective rises enough (Armijo); None if no step of useful length does."""
    slope = float(direction @ run.at.gradient)
    length = min(1.0, LONGEST_STEP / float(np.max(np.abs(direction))), _to_a_bound(run, direction))
    noise = 1e-13 * abs(run.at.value)  # rounding of the sum over persons
    while length > 1e-7:
        found = run.evaluate(run.at.free + length * direction)
        if found is not None and found.value >= run.at.value + 1e-4 * length * slope - noise:
            return found
        length *= 0.4
    return None


def _to_a_bound(run: Run, direction: FloatArray) -> float:
    """Return the length at which the first value meets its bound.

    Beyond it that value alone would stay behind, and along a ridge, as slope and intercept form one, the others would
    then lead downhill; the next step holds the value at its bound and moves the others accordingly. A value that is as
    good as there must not shorten the step to nothing: it is moved the rest of the way beside the others.
    """
    ends = np.where(direction > 0, run.upper, run.lower) - run.at.free
    lengths = np.divide(ends, direction, out=np.full(len(ends), np.inf), where=(direction != 0) & (ends != 0))
    return max(1e-3, float(np.min(lengths, initial=np.inf)))


def _remember(before: Evaluation, found: Evaluation, memory: _Memory, stuck: BoolArray) -> None:
    """Remember the step, or forget all steps where this one led far away: there the new preconditioner knows more."""
    s, y = found.free - before.free, before.gradient - found.gradient
    if np.max(np.abs(s), initial=0.0) > FAR and found.value - before.value > PROGRESS:
        memory.pairs.clear()
        return
    y = np.where(stuck, 0.0, y)
    if float(s @ y) > 1e-14:
        memory.pairs.append((s, y))
        del memory.pairs[:-MEMORY]

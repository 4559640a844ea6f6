"""Which questions to ask in the time there is: an integer programme, solved exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import FloatArray
from talentassess.core.errors import InterviewError

# Worth of the first, second ... question of one competency, in shares of its weight. A first question on another
# competency is worth more than a second on the same one unless its weight is less than half.
FURTHER = 0.5
OWN_CONTEXT = 0.15  # share of the weight added where a question was written for the role's context
REPEATED_THEME = 0.3  # share of the mean weight lost where a second question takes up a theme
TIE = 1e-6  # share of the mean weight by which a question earlier in the bank, or drawn by the seed, is preferred


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question that could be asked.

    Attributes
    ----------
    competency : row of its competency.
    minutes : time it takes with its probes.
    own_context : True if it was written for the role's context.
    themes : the themes it covers.
    """

    competency: int
    minutes: float
    own_context: bool
    themes: tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class _Programme:
    """Maximise gain'z over whole numbers 0 <= z <= upper with rows lower <= matrix z <= top."""

    gain: FloatArray
    upper: FloatArray
    matrix: FloatArray
    lower: FloatArray
    top: FloatArray


def choose_questions(
    candidates: Sequence[Candidate], weights: FloatArray, minutes: float, most: int, seed: int | None = None
) -> tuple[int, ...]:
    """Return the positions of the questions that cover the most importance in the time.

    Maximise sum_c w_c (u_c1 + u_c2 / 2 + u_c3 / 4 ...) + 0.15 sum_q w_c(q) own_q x_q - 0.3 mean(w) sum_t r_t over x_q
    (asked or not), u_ck (competency c has a k-th question) and r_t (questions beyond the first on theme t), with
    sum_k u_ck = sum_q in c x_q, r_t >= sum_q on t x_q - 1 and sum_q minutes_q x_q <= minutes. The weightiest
    competencies, as many as fit with their shortest questions (at most three), must each have a question. Solved to
    optimality by HiGHS branch and bound; ties go to the question that stands first in the bank.

    Parameters
    ----------
    candidates : the Q questions that fit the context.
    weights : (C,) importance of the competencies, any unit, all > 0.
    minutes : time for questions.
    most : most questions for one competency.
    seed : if given, ties are broken at random with this seed.

    Raises
    ------
    InterviewError : not even the shortest question fits.

    Examples
    --------
    >>> pool = [Candidate(0, 7, False, ()), Candidate(0, 6, False, ()), Candidate(1, 8, False, ())]
    >>> choose_questions(pool, np.array([0.6, 0.4]), minutes=15, most=2)
    (0, 2)
    """
    shortest = min((candidate.minutes for candidate in candidates), default=np.inf)
    if shortest > minutes:
        needed = f"the shortest takes {shortest:g}" if candidates else "there is none"
        more = f"{shortest - minutes:g} min more" if candidates else "more time"
        raise InterviewError(
            f"No question fits into the time that is left for questions ({minutes:g} min): {needed}. Give {more}, or "
            "another context."
        )
    programme = _programme(candidates, weights, minutes, most, seed)
    return tuple(int(q) for q in np.flatnonzero(_solve(programme)[: len(candidates)] > 0.5))


def _solve(p: _Programme) -> FloatArray:
    from scipy.optimize import Bounds, LinearConstraint, milp

    found = milp(
        -p.gain,
        integrality=np.ones(len(p.gain)),
        bounds=Bounds(0, p.upper),
        constraints=LinearConstraint(p.matrix, p.lower, p.top),
        options={"mip_rel_gap": 0.0},
    )
    if found.x is None:
        raise InterviewError(f"The choice of questions has no solution ({found.message}). Give more time.")
    return np.asarray(found.x, dtype=np.float64)


def _programme(
    candidates: Sequence[Candidate], weights: FloatArray, minutes: float, most: int, seed: int | None
) -> _Programme:
    n_q, n_c = len(candidates), len(weights)
    themes = sorted({theme for candidate in candidates for theme in candidate.themes})
    owner = np.array([candidate.competency for candidate in candidates])
    time = np.array([candidate.minutes for candidate in candidates], dtype=np.float64)
    own = np.array([candidate.own_context for candidate in candidates])
    mean = float(weights.mean())
    gain = np.concatenate(
        [
            OWN_CONTEXT * weights[owner] * own - TIE * mean * _order(n_q, seed),
            np.outer(weights, FURTHER ** np.arange(most)).ravel(),
            np.full(len(themes), -REPEATED_THEME * mean),
        ]
    )
    upper = np.concatenate([np.ones(n_q + n_c * most), np.full(len(themes), np.inf)])
    rows, lower, top = [np.concatenate([time, np.zeros(n_c * most + len(themes))])], [0.0], [minutes]
    for c in range(n_c):
        counts = np.zeros(n_c * most)
        counts[c * most : (c + 1) * most] = -1
        rows.append(np.concatenate([owner == c, counts, np.zeros(len(themes))]))
        lower, top = [*lower, 0.0], [*top, 0.0]
    for t, theme in enumerate(themes):
        on_theme = np.array([theme in candidate.themes for candidate in candidates])
        rows.append(np.concatenate([on_theme, np.zeros(n_c * most), -1.0 * (np.arange(len(themes)) == t)]))
        lower, top = [*lower, -np.inf], [*top, 1.0]
    for c in _musts(owner, time, weights, minutes):
        rows.append(np.concatenate([owner == c, np.zeros(n_c * most + len(themes))]))
        lower, top = [*lower, 1.0], [*top, float(most)]
    return _Programme(gain, upper, np.array(rows, dtype=np.float64), np.array(lower), np.array(top))


def _order(n: int, seed: int | None) -> FloatArray:
    """Return (n,) ranks scaled to 0..1: the bank's order, or one drawn by the seed."""
    ranks = np.arange(n) if seed is None else np.random.default_rng(seed).permutation(n)
    return np.asarray(ranks / max(1, n - 1), dtype=np.float64)


def _musts(owner: FloatArray, time: FloatArray, weights: FloatArray, minutes: float) -> list[int]:
    """Return the weightiest competencies that can each have a question: at most three, while their shortest fit."""
    found: list[int] = []
    used = 0.0
    for c in np.argsort(-weights, kind="stable"):
        shortest = float(np.min(time[owner == c], initial=np.inf))
        if len(found) == 3 or used + shortest > minutes:
            break
        found.append(int(c))
        used += shortest
    return found

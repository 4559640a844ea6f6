"""Interview statistics against independent sources."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from interview_cases import rated
from talentassess.interview import (
    composite_reliability,
    disattenuated_correlation,
    rating_components,
    score_interview,
)
from talentassess.interview.choice import Candidate, choose_questions

MATRIX = np.array([[1, 0.4, 0.3], [0.4, 1, 0.5], [0.3, 0.5, 1]])


def test_mosier():
    """Weights .5 .3 .2, correlations .4 .3 .5, reliabilities .85 .80 .70: .8911290323 (10 digits, worked by hand).

    error = .25 * .15 + .09 * .20 + .04 * .30 = .0675; variance = .38 + 2 (.06 + .03 + .03) = .62; 1 - .0675 / .62.
    """
    found = composite_reliability([0.5, 0.3, 0.2], MATRIX, [0.85, 0.8, 0.7])
    assert found == pytest.approx(0.8911290323, abs=5e-11)
    assert found == pytest.approx(1 - 0.0675 / 0.62, abs=1e-12)


def test_mosier_of_parallel_parts_is_spearman_brown():
    """Exact identity: k parallel parts of reliability r, correlated r, give k r / (1 + (k - 1) r)."""
    r, k = 0.6, 4
    matrix = np.full((k, k), r) + (1 - r) * np.eye(k)
    assert composite_reliability(np.ones(k), matrix, np.full(k, r)) == pytest.approx(
        k * r / (1 + (k - 1) * r), abs=1e-12
    )


def test_mosier_with_standard_deviations_is_mosier_with_weights_times_them():
    sd = np.array([2.0, 0.5, 3.0])
    a = composite_reliability([0.5, 0.3, 0.2], MATRIX, [0.85, 0.8, 0.7], sd)
    b = composite_reliability(np.array([0.5, 0.3, 0.2]) * sd, MATRIX, [0.85, 0.8, 0.7])
    assert a == pytest.approx(b, abs=1e-12)


def test_disattenuation():
    assert disattenuated_correlation(0.42, 0.7, 0.8) == pytest.approx(0.42 / np.sqrt(0.56), abs=1e-12)
    assert np.isnan(disattenuated_correlation(0.42, 0.0, 0.8))


def anova_components(x: np.ndarray) -> tuple[float, float, float]:
    """Return (rater, question, residual) of a crossed raters x questions design within persons, by mean squares.

    Written from the expected mean squares of the two-way random model without replication: E(MS_r) = e + Q r,
    E(MS_q) = e + R q, pooled over persons. Another way than the pair differences of the package.
    """
    p, n_r, n_q = x.shape
    mean = x.mean(axis=(1, 2), keepdims=True)
    rater, question = x.mean(axis=2, keepdims=True), x.mean(axis=1, keepdims=True)
    ms_r = n_q * np.sum((rater - mean) ** 2) / (p * (n_r - 1))
    ms_q = n_r * np.sum((question - mean) ** 2) / (p * (n_q - 1))
    ms_e = np.sum((x - rater - question + mean) ** 2) / (p * (n_r - 1) * (n_q - 1))
    return (ms_r - ms_e) / n_q, (ms_q - ms_e) / n_r, ms_e


@pytest.mark.parametrize("seed", range(5))
def test_components_of_a_balanced_design_are_those_of_the_analysis_of_variance(seed):
    rng = np.random.default_rng(seed)
    x = 3 + rng.normal(size=(40, 1, 1)) + rng.normal(size=(40, 3, 1)) * 0.8 + rng.normal(size=(40, 1, 4)) * 0.9
    x = np.clip(np.round(x + rng.normal(size=(40, 3, 4))), 1, 5)
    found = rating_components(rated(x))
    expected = anova_components(x)
    assert min(expected) > 0  # nothing truncated, or the identity would not have to hold
    assert (found.rater, found.question, found.residual) == pytest.approx(expected, abs=1e-10)


def test_standard_error_of_a_balanced_interview():
    """SE^2 = r / R + q / Q + e / (R Q), Brennan (2001) absolute error of the p x R x Q mean."""
    rng = np.random.default_rng(1)
    x = 3 + rng.normal(size=(30, 1, 1)) + 0.5 * rng.normal(size=(30, 1, 3)) + 0.7 * rng.normal(size=(30, 2, 3))
    x = np.clip(np.round(x), 1, 5)
    scores = score_interview(rated(x))
    c = scores.components
    expected = np.sqrt(c.rater / 2 + c.question / 3 + c.residual / 6)
    assert scores.se[:, 0] == pytest.approx(np.full(30, expected), abs=1e-12)
    assert scores.score[:, 0] == pytest.approx(x.mean(axis=(1, 2)), abs=1e-12)
    assert scores.reliability[0] == pytest.approx(1 - expected**2 / np.var(x.mean(axis=(1, 2)), ddof=1), abs=1e-12)


def worth(chosen: tuple[int, ...], pool: list[Candidate], weights: np.ndarray, most: int) -> float:
    """The objective of the choice, computed from its definition."""
    total = 0.0
    for c, w in enumerate(weights):
        n = sum(pool[q].competency == c for q in chosen)
        total += -np.inf if n > most else w * sum(0.5**k for k in range(n))
    total += 0.15 * sum(weights[pool[q].competency] * pool[q].own_context for q in chosen)
    themes = [theme for q in chosen for theme in pool[q].themes]
    return total - 0.3 * weights.mean() * (len(themes) - len(set(themes)))


@pytest.mark.parametrize("seed", range(12))
def test_the_choice_is_the_best_of_all_choices(seed):
    """Against the enumeration of all subsets of ten questions."""
    rng = np.random.default_rng(seed)
    weights = np.sort(rng.uniform(0.1, 1, size=4))[::-1]
    themes = ("a", "b", "c")
    pool = [
        Candidate(
            int(rng.integers(4)) if q > 3 else q,
            float(rng.integers(4, 10)),
            bool(rng.integers(2)),
            tuple(t for t in themes if rng.random() < 0.3),
        )
        for q in range(10)
    ]
    minutes, most = 27.0, 2
    found = choose_questions(pool, weights, minutes, most)
    assert sum(pool[q].minutes for q in found) <= minutes
    order = np.argsort(-weights)
    musts, used = [], 0.0
    for c in order[:3]:
        used += min(p.minutes for p in pool if p.competency == c)
        if used > minutes:
            break
        musts.append(c)
    feasible = [
        s
        for n in range(11)
        for s in combinations(range(10), n)
        if sum(pool[q].minutes for q in s) <= minutes and set(musts) <= {pool[q].competency for q in s}
    ]
    best = max(worth(s, pool, weights, most) for s in feasible)
    # the tie-break costs at most 1e-6 of the mean weight per question
    assert worth(found, pool, weights, most) == pytest.approx(best, abs=1e-5)

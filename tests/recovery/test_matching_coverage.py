"""Simulated candidates with known true scores: are the probabilities and intervals of a match what they say?"""

from __future__ import annotations

import numpy as np
import pytest

from matching_cases import levelled, make_scores
from talentassess.matching import match

NAMES = ("listening", "service", "dependability")
R = 0.5 * np.eye(3) + 0.5
NOISE = np.diag([0.3, 0.4, 0.5])
CUTS, LEVEL_SE = np.array([-0.3, 0.0, 0.2]), 0.25
POOLS, N = 40, 60


def simulate(seed):
    """Return (truth, true level, matches) per pool; the levels differ from their stated values by LEVEL_SE."""
    rng = np.random.default_rng(seed)
    posterior = np.linalg.inv(np.linalg.inv(R) + np.linalg.inv(NOISE))
    out = []
    for _ in range(POOLS):
        true = rng.multivariate_normal(np.zeros(3), R, N)
        observed = true + rng.multivariate_normal(np.zeros(3), NOISE, N)
        theta = observed @ np.linalg.inv(NOISE) @ posterior
        profile = levelled(NAMES, tuple(CUTS), LEVEL_SE)
        found = match(make_scores(theta, posterior, NAMES), profile, draws=1000, seed=int(rng.integers(1000)))
        out.append((true, CUTS + LEVEL_SE * rng.standard_normal(3), found))
    return out


@pytest.fixture(scope="module")
def pools():
    return simulate(20)


def calibration(p, met):
    """Return the largest |observed - predicted| over five bins in standard errors, clustered by pool."""
    worst = 0.0
    for low in np.arange(0, 1, 0.2):
        inside = (p >= low) & (p < low + 0.2)
        gaps = np.array([(m[i] - q[i]).sum() for q, m, i in zip(p, met, inside, strict=True)])
        worst = max(worst, abs(gaps.sum()) / np.sqrt(np.sum(gaps**2)))
    return worst


def test_probability_of_meeting_is_calibrated(pools):
    for c in range(3):
        p = np.array([found.p_meets[:, c] for _, _, found in pools])
        met = np.array([true[:, c] >= level[c] for true, level, _ in pools]).astype(float)
        assert calibration(p, met) < 3.5  # of 15 bins, at a fixed seed


def test_joint_probability_is_calibrated(pools):
    p = np.array([found.p_all for _, _, found in pools])
    met = np.array([(true >= level).all(axis=1) for true, level, _ in pools]).astype(float)
    assert calibration(p, met) < 3.5


def test_rank_intervals_cover(pools):
    hits = []
    for true, _, found in pools:
        rank = 1 + np.argsort(np.argsort(-true @ found.composite.weight))
        hits.append(np.mean((found.composite.rank_lower <= rank) & (rank <= found.composite.rank_upper)))
    # Ranks are whole numbers, so a nominal 90 % interval covers a little more; the mean of 40 pools varies by .005.
    assert 0.885 < np.mean(hits) < 0.93


def test_the_truly_best_is_among_the_leading(pools):
    among, p_best = [], []
    for true, _, found in pools:
        best = int(np.argmax(true @ found.composite.weight))
        among.append(found.composite.leading[best])
        p_best.append(found.composite.p_best[best])
    assert np.mean(among) >= 0.85
    # The probability given to the truly best one is, on average, the sum of squared probabilities (calibration).
    expected = [np.sum(found.composite.p_best**2) for _, _, found in pools]
    assert np.mean(p_best) == pytest.approx(np.mean(expected), abs=4 * np.std(p_best) / np.sqrt(POOLS))

"""SIMULATED panels with a known true key: the consensus recovers it, and intervals cover what they say."""

from __future__ import annotations

import numpy as np

import talentassess as ta
from panel_cases import expected_rating, simulated_experts, true_key

BANK = ta.load_bank("service_core")
NOISE = 0.7  # points of effectiveness


def reviews(n_experts: int, seeds: range):
    settings = ta.PanelSettings(draws=50)
    for seed in seeds:
        yield ta.review_panel(simulated_experts(BANK, n_experts, seed=seed, noise=NOISE), BANK, settings=settings)


def test_a_large_panel_recovers_the_true_key():
    review = next(iter(reviews(60, range(1, 2))))
    keyed = ta.consensus_key(review, BANK, accept=("accept", "discuss", "rework"))
    found = true_key(keyed)
    truth = expected_rating(true_key(BANK), NOISE)  # rounding and the ends of the scale pull the mean inwards
    # standard error of a mean is at most 0.77 / sqrt(60) = 0.10; the largest of 88 differences stays below 3.5 of them
    assert np.max(np.abs(found - truth)) < 0.35
    assert np.mean(np.abs(found - truth)) < 0.10
    assert all(row.best_agrees for row in review.items if row.best_agrees is not None)


def test_intervals_cover_the_expected_rating_about_as_often_as_they_say():
    truth = expected_rating(true_key(BANK), NOISE)
    inside = []
    for review in reviews(12, range(100, 140)):
        limits = np.array([(row.lower, row.upper) for row in review.options])
        middle = (true_key(BANK) > 1) & (true_key(BANK) < 5)  # at the ends ratings are skewed, t is not
        inside.append(((limits[:, 0] <= truth) & (truth <= limits[:, 1]))[middle])
    share = np.mean(inside)
    # 40 panels x 50-odd options; Monte-Carlo standard error near 0.005, t with rounded ratings a little off
    assert 0.93 < share < 0.97


def test_standard_errors_are_the_spread_over_panels():
    means, errors = [], []
    for review in reviews(10, range(200, 260)):
        means.append([row.mean for row in review.options])
        errors.append([row.se for row in review.options])
    spread = np.sqrt(np.mean(np.var(means, axis=0, ddof=1)))
    claimed = np.sqrt(np.mean(np.square(errors)))
    # mean of 88 variances over 60 panels: relative Monte-Carlo error below 3 %
    np.testing.assert_allclose(claimed, spread, rtol=0.05)

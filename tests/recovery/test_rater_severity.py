"""Recovery of severities under the many-facet Rasch model; all ratings are SIMULATED."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import talentassess as ta
from agreement_cases import simulated_panel

SEVERITY = np.array([-1.0, -0.4, 0.0, 0.3, 1.1])


def test_severities_come_back_within_their_errors():
    # 20 panels of 150 persons, two of five raters each: errors standardised by the reported SE have variance 1.
    z, steps, sd = [], [], []
    for seed in range(20):
        ratings, _ = simulated_panel(150, SEVERITY, (-0.2, 0.2), per_person=2, seed=100 + seed)
        result = ta.rater_severity(ratings)
        z.append([(r.measure - t) / r.se for r, t in zip(result.raters, SEVERITY - SEVERITY.mean(), strict=True)])
        steps.append([t.measure for t in result.thresholds])
        sd.append(result.person_sd)
    z = np.array(z)
    # 100 values, of which a fifth is not free: bounds of about three standard errors
    assert abs(z.mean()) < 0.35
    assert 0.7 < np.sqrt(np.mean(z**2)) < 1.3
    np.testing.assert_allclose(np.mean(steps, axis=0), [-1.2, 0.0, 1.2], atol=0.08)
    assert np.mean(sd) == pytest.approx(1.5, abs=0.1)


def test_adjusted_measures_are_nearer_the_truth_than_mean_ratings():
    # Each person meets two of five raters: whom one met shifts the mean rating, not the measure.
    ratings, theta = simulated_panel(600, SEVERITY * 1.5, per_person=2, seed=11)
    result = ta.rater_severity(ratings)
    adjusted = np.corrcoef([p.measure for p in result.persons], theta)[0, 1]
    raw = np.corrcoef([p.mean for p in result.persons], theta)[0, 1]
    assert adjusted > raw + 0.02
    # the posterior standard deviations say how far off the measures are
    error = np.array([p.measure for p in result.persons]) - theta
    assert np.sqrt(np.mean(error**2)) == pytest.approx(np.sqrt(np.mean([p.se**2 for p in result.persons])), rel=0.08)


def test_fit_is_one_for_raters_who_follow_the_model_and_not_for_one_who_guesses():
    ratings, _ = simulated_panel(500, SEVERITY, seed=12)
    result = ta.rater_severity(ratings)
    np.testing.assert_allclose([r.infit for r in result.raters], 1.0, atol=0.15)
    np.testing.assert_allclose([r.outfit for r in result.raters], 1.0, atol=0.2)
    noisy = np.array(ratings.score)
    guessing = ratings.rater == 2
    noisy[guessing] = np.random.default_rng(0).integers(1, 5, guessing.sum())
    spoiled = ta.rater_severity(replace(ratings, score=noisy))
    assert spoiled["R2"].infit > 1.5
    assert [f.where for f in spoiled.findings if f.code == "rater_misfit"] == ["R2"]
    assert spoiled.to_frame()["SIMULATED"].eq("SIMULATED").all()


def test_equal_raters_are_called_equal_as_often_as_they_should():
    # Wald test at .05 on 60 panels of equal raters: between 0 and 8 rejections (99.5 % of Binomial(60, .05)).
    p = [ta.rater_severity(simulated_panel(80, [0, 0, 0], seed=200 + s)[0]).p for s in range(60)]
    assert np.sum(np.array(p) < 0.05) <= 8
    assert 0.35 < np.mean(p) < 0.65

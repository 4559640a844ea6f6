"""Plausible values: moments and quantiles of the exact posterior, Rubin's rules, what they are for, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import talentassess as ta
from scoring_cases import made_form
from talentassess.calibration import calibrate
from talentassess.core.errors import CalibrationError, ScoringError
from talentassess.core.status import Status
from talentassess.scoring import score
from talentassess.scoring.form import dimension_form
from talentassess.scoring.plausible import draw_posterior, plausible_values
from talentassess.scoring.pooling import mean_statistic, pool_estimates, variance_statistic
from talentassess.workflow.simulate import simulate

SHORT = made_form([("3pl", 3, 2), ("graded", 2, 4), ("nominal", 1, 3)], seed=4, latent=(0.3, 1.2))


def holes(people):
    x = people.x.copy()
    x[0] = -1
    x[1::3, ::2] = -1
    return replace(people, x=x)


@pytest.mark.parametrize("parts", [SHORT, made_form([("graded", 60, 5)], seed=2)], ids=["short", "long"])
def test_moments_equal_those_of_the_posterior(parts):
    """With the probabilities (k + 1/2) / M the draws are an integration rule: no chance is left."""
    people = holes(simulate(parts, 12, seed=1))
    form = dimension_form(parts, 0)
    even = np.tile((np.arange(4000) + 0.5) / 4000, (12, 1))
    draws = draw_posterior(form, people.x[:, form.positions], np.zeros(12, dtype=np.int64), even)
    eap = score(parts, people)
    # 2e-4 SD and 1e-3 relative: the two half-cells of probability 1 / 8000 in the tails
    assert np.max(np.abs(draws.mean(axis=1) - eap.theta[:, 0]) / eap.se[:, 0]) < 2e-4
    np.testing.assert_allclose(draws.var(axis=1), eap.cov[:, 0, 0], rtol=1e-3)


def test_quantiles_equal_those_of_a_brute_force_posterior():
    people = holes(simulate(SHORT, 6, seed=3))
    form = dimension_form(SHORT, 0)
    wanted = np.array([0.01, 0.1, 0.5, 0.9, 0.99])
    found = draw_posterior(form, people.x, np.zeros(6, dtype=np.int64), np.tile(wanted, (6, 1)))
    fine = np.linspace(-6, 6, 120_001)
    logs = {}
    for block in SHORT.blocks:
        log_p = block.log_prob(fine[:, None])
        logs |= {int(item): log_p[:, row] for row, item in enumerate(block.items)}
    for codes, quantiles in zip(people.x, found, strict=True):
        log_post = -((fine - 0.3) ** 2) / (2 * 1.44)
        log_post = log_post + sum(logs[j][:, k] for j, k in enumerate(codes) if k >= 0)
        cdf = np.cumsum(np.exp(log_post - log_post.max()))
        # 2e-3: between nodes, .05 logits apart here, the log density is a chord
        np.testing.assert_allclose(quantiles, np.interp(wanted, cdf / cdf[-1], fine), atol=2e-3)


def test_draws_have_the_posterior_moments_and_do_not_depend_on_others():
    form = made_form([("2pl", 20, 2)], seed=1)
    people = simulate(form, 30, seed=1)
    values = plausible_values(form, people, 2000, seed=5)
    eap = score(form, people)
    z = (values.values[:, :, 0].mean(axis=1) - eap.theta[:, 0]) / (eap.se[:, 0] / np.sqrt(2000))
    assert np.max(np.abs(z)) < 4.2  # 30 standard normal deviates: p = 8e-4
    ratio = values.values[:, :, 0].var(axis=1, ddof=1) / eap.cov[:, 0, 0]
    np.testing.assert_allclose(ratio, 1, atol=4.2 * np.sqrt(2 / 1999))
    np.testing.assert_array_equal(values.values, plausible_values(form, people, 2000, seed=5).values)
    assert len(np.unique(values.values)) == values.values.size  # continuous: no value twice


# --- Rubin's rules ---------------------------------------------------------------------------------------------------


def test_pooling_by_hand():
    """q = 2, 4, 6, 8 with u = 1: B = 20 / 3, T = 1 + 5/4 * 20/3 = 28 / 3, df = 3 (1 + 3 / 25)^2 (Rubin 1987, 3.1)."""
    pooled = pool_estimates([2, 4, 6, 8], [1, 1, 1, 1])
    assert pooled.estimate == 5
    assert pooled.within == 1
    assert pooled.between == pytest.approx(20 / 3)
    assert pooled.total == pytest.approx(28 / 3)
    assert pooled.se == pytest.approx(np.sqrt(28 / 3))
    assert pooled.df == pytest.approx(3 * (1 + 3 / 25) ** 2)
    assert pool_estimates([1, 1], [2, 2]).df == np.inf


def test_the_ready_statistics_equal_the_textbook_without_weights():
    values = np.random.default_rng(1).gamma(3.0, size=500)
    mean, error = mean_statistic(values, np.ones(500))
    assert (mean, error) == pytest.approx((values.mean(), values.var(ddof=1) / 500), rel=1e-12)
    variance, spread = variance_statistic(values, np.full(500, 3.0))
    fourth = np.mean((values - values.mean()) ** 4)
    assert variance == pytest.approx(values.var(ddof=1), rel=1e-12)
    assert spread == pytest.approx((fourth - values.var() ** 2) / 500, rel=1e-2)  # s^2 with n - 1 inside


def test_whole_weights_count_persons():
    values, weight = np.array([1.0, 2.0, 5.0]), np.array([2.0, 1.0, 1.0])
    assert mean_statistic(values, weight)[0] == pytest.approx(np.mean([1, 1, 2, 5]))


# --- what they are for -----------------------------------------------------------------------------------------------


def test_the_population_variance_is_recovered_where_that_of_eap_scores_is_too_small():
    truth = made_form([("2pl", 6, 2)], seed=7)
    people = replace(simulate(truth, 4000, seed=8), group=("a", "b") * 2000)
    values = plausible_values(truth, people, 10, seed=9)
    pooled = values.combine("variance")
    assert score(truth, people).theta.var() < 0.65
    assert abs(pooled.estimate - 1) < 3.5 * pooled.se
    assert pooled.se < 0.06
    mean = values.combine("mean", persons=np.array(people.group) == "a")
    assert abs(mean.estimate) < 3.5 * mean.se
    # the posterior's part is what is left of the variance of the mean: (1 - rho) / rho of the EAP's
    assert mean.total > mean.within
    table = values.to_frame("moments")
    assert table["group"].tolist() == ["all", "a", "b"]
    assert table["mean"][1] == mean.estimate
    assert table["se(variance)"][0] == pooled.se
    assert set(values.to_frame().columns) == {"person", "group", "draw", "scale", "SIMULATED"}


def test_a_statistic_of_ones_own():
    form = made_form([("2pl", 10, 2)], seed=1)
    values = plausible_values(form, simulate(form, 200, seed=1), 3, seed=1)
    share = values.combine(lambda x, weight: (float(weight @ (x > 0)) / 200, 0.0))
    assert share.estimate == pytest.approx(np.mean(values.values > 0))
    assert share.within == 0


def test_item_uncertainty_widens_the_draws_as_it_widens_the_scores():
    people = simulate(made_form([("graded", 6, 3)], seed=1), 150, seed=1)
    calibration = calibrate(people, "graded")
    few = people.take(np.arange(20))
    draws = plausible_values(calibration, few, 300, seed=2, item_uncertainty=True).values[:, :, 0]
    total, plain = score(calibration, few, item_uncertainty=True), score(calibration, few)
    ratio = draws.var(axis=1) / total.cov[:, 0, 0]
    # 20 persons with 300 draws each know the mean ratio to 2 %; terms of second order add a little
    assert np.mean(ratio) == pytest.approx(1, abs=0.07)
    assert np.mean(draws.var(axis=1) / plain.cov[:, 0, 0]) > 1.04


def test_a_person_without_answers_has_the_populations_distribution_and_says_so():
    form = made_form([("2pl", 10, 2)], seed=1, latent=(0.5, 1.5))
    people = simulate(form, 3, seed=1)
    x = people.x.copy()
    x[1] = -1
    values = plausible_values(form, replace(people, x=x), 4000, seed=1)
    assert values.status[:, 0].tolist() == [Status.CONVERGED, Status.NO_ANSWERS, Status.CONVERGED]
    assert values.values[1].mean() == pytest.approx(0.5, abs=0.1)
    assert values.values[1].std() == pytest.approx(1.5, abs=0.07)
    assert values.provenance.options["seed"] == "1"
    assert repr(values) == "PlausibleValues(3 persons, 4000 draws, scale; SIMULATED)"


def test_two_scales_are_drawn_apart():
    people = replace(simulate(made_form([("2pl", 8, 2)], seed=1), 400, seed=1), scales=("u",) * 4 + ("v",) * 4)
    calibration = calibrate(people, "rasch")
    values = plausible_values(calibration, people, 6, seed=1)
    assert values.values.shape == (400, 6, 2)
    eap = score(calibration, people).theta
    for d in range(2):
        assert np.corrcoef(values.values[:, :, d].mean(axis=1), eap[:, d])[0, 1] > 0.75
    with pytest.raises(ScoringError, match=r"Name one dimension: u, v \(found: None\)"):
        values.combine("mean")


# --- refusals --------------------------------------------------------------------------------------------------------


def test_refusals():
    form = made_form([("2pl", 4, 2)], seed=1)
    people = simulate(form, 5, seed=1)
    with pytest.raises(ScoringError, match="two draws or more, to tell their variation; found n = 1"):
        plausible_values(form, people, 1, seed=1)
    with pytest.raises(CalibrationError, match="has no estimated parameters"):
        plausible_values(form, people, seed=1, item_uncertainty=True)
    values = ta.plausible_values(form, people, 2, seed=1)
    with pytest.raises(ScoringError, match="There is no statistic 'median'; choose mean, variance, or a function"):
        values.combine("median")
    with pytest.raises(ScoringError, match=r"for each of the 5 persons.*int64 of shape \(2,\) with 1 chosen"):
        values.combine("mean", persons=np.array([0, 1]))
    with pytest.raises(ScoringError, match=r"two or more estimates with one variance each; found shapes \(1,\)"):
        ta.pool_estimates([1.0], [1.0])
    with pytest.raises(ScoringError, match="finite estimates and variances of 0 or more"):
        ta.pool_estimates([1.0, np.nan], [1.0, 1.0])


def test_parameters_that_no_draw_can_admit_are_refused():
    people = simulate(made_form([("graded", 4, 4)], seed=1), 200, seed=1)
    calibration = calibrate(people, "graded")
    wild = replace(
        calibration,
        free=replace(calibration.free, cov=calibration.free.cov * 1e6),
        par_cov=tuple(cov * 1e6 for cov in calibration.par_cov),
    )
    with pytest.raises(ScoringError, match="None of 200 draws of the item parameters is admissible"):
        plausible_values(wild, people, seed=1, item_uncertainty=True)

"""Scores with the item parameters' own uncertainty: derivatives, multiple imputation, a closed form, refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import talentassess as ta
from scoring_cases import made_form
from shared_data import counted
from talentassess.calibration import Equal, calibrate
from talentassess.core.calibration import FreeParameters
from talentassess.core.errors import CalibrationError, ScoringError
from talentassess.core.parameter_map import map_parameters, moved
from talentassess.scoring import score
from talentassess.workflow.simulate import simulate

TWO_SCALES = ("north", "north", "north", "north", "south", "south", "south", "south")


def answers(parts, n=300, seed=1, **changes):
    return replace(simulate(made_form(parts, seed=seed), n, seed=seed), **changes)


CASES = {
    "2pl": lambda: calibrate(answers([("2pl", 8, 2)]), "2pl"),
    "rasch": lambda: calibrate(answers([("2pl", 8, 2)], scales=TWO_SCALES), "rasch"),
    "common slope": lambda: calibrate(answers([("gpcm", 8, 3)]), "gpcm", constraints=[Equal("slope")]),
    "rating scale": lambda: calibrate(answers([("gpcm", 8, 4)], scales=TWO_SCALES), "rsm"),
    "two groups": lambda: calibrate(answers([("graded", 8, 3)], group=("a", "b") * 150), "graded", groups=True),
    "mixed": lambda: calibrate(
        answers([("3pl", 3, 2), ("nominal", 3, 3), ("2pl", 2, 2)], n=600),
        {f"i{j}": "3pl" if j < 4 else "nominal" if j < 7 else "2pl" for j in range(1, 9)},
    ),
}


@pytest.fixture(scope="module", params=CASES)
def calibration(request):
    return CASES[request.param]()


@pytest.mark.parametrize("method", ["eap", "map", "ml", "wle"])
def test_the_derivatives_equal_finite_differences_of_whole_scorings(calibration, method):
    """Every estimate is moved up and down, everybody scored again: nothing of the analytic derivation is used."""
    theta = np.linspace(-2, 2, 12)[:, None] * np.ones(len(calibration.dimensions))
    people = simulate(calibration, 12, seed=9, theta=theta)
    if len(calibration.latent.groups) > 1:
        people = replace(people, group=("a", "b") * 6)
    x = people.x.copy()
    x[0] = -1
    x[1::4, ::3] = -1
    people = replace(people, x=x)
    found = score(calibration, people, method, item_uncertainty=True)
    layout, cov, step = map_parameters(calibration), calibration.free.cov, 1e-5

    def scored(shift):
        values = score(moved(calibration, layout, shift), people, method).theta
        return np.where(np.isfinite(values), values, np.nan)

    units = step * np.eye(len(cov))
    gradient = np.stack([(scored(u) - scored(-u)) / (2 * step) for u in units], axis=2)
    expected = np.einsum("ndf,fg,neg->nde", gradient, cov, gradient)
    # 1e-5 relative: roots are found to 1e-10 and divided by 2e-5; Warm's J holds a difference of its own
    np.testing.assert_allclose(found.item_cov, expected, rtol=1e-5, atol=1e-9)
    plain = score(calibration, people, method)
    np.testing.assert_array_equal(found.theta, plain.theta)
    np.testing.assert_allclose(found.cov, plain.cov + np.nan_to_num(found.item_cov), rtol=1e-14)
    informed = np.isfinite(found.theta) & (found.n_answered > 0)
    assert np.all(found.se[informed] > plain.se[informed])
    assert "item uncertainty" in found.provenance.options


def test_the_derivative_of_a_rasch_ml_estimate_has_a_closed_form():
    """d theta / d d_j = - P_j Q_j / sum PQ, by differentiating sum P = raw score; written out here by hand."""
    calibration = calibrate(counted("lsat6.csv"), "rasch")
    person = ta.Responses(x=[[1, 0, 1, 0, 1]], n_cat=[2] * 5, item_ids=calibration.item_ids, person_ids=["p"])
    found = score(calibration, person, "ml", item_uncertainty=True)
    intercept = calibration.blocks[0].par[:, 1]
    p = 1 / (1 + np.exp(-(found.theta[0, 0] + intercept)))
    weights = p * (1 - p) / np.sum(p * (1 - p))
    cov = calibration.free.cov[:5, :5]  # the sixth estimate is the latent standard deviation
    assert calibration.free.names[5].startswith("log latent sd")
    assert found.item_cov[0, 0, 0] == pytest.approx(weights @ cov @ weights, rel=1e-9)


def test_multiple_imputation_of_the_parameters_gives_the_same_total_variance():
    """Draw parameter sets, score with each, add mean variance and variance of the means (Yang, Hansen & Cai 2012)."""
    calibration = CASES["2pl"]()
    people = simulate(calibration, 15, seed=2)
    found = score(calibration, people, item_uncertainty=True)
    layout, cov = map_parameters(calibration), calibration.free.cov
    half = np.random.default_rng(3).multivariate_normal(np.zeros(len(cov)), cov, size=400)
    scored = [score(moved(calibration, layout, shift), people) for shift in (*half, *-half)]
    theta = np.stack([s.theta[:, 0] for s in scored])
    within = np.mean([s.cov[:, 0, 0] for s in scored], axis=0)
    # 400 pairs: a variance is known to 1 / sqrt(200) = 7 %; the delta method leaves out terms of second order
    np.testing.assert_allclose(found.item_cov[:, 0, 0], theta.var(axis=0), rtol=0.3)
    assert np.median(theta.var(axis=0) / found.item_cov[:, 0, 0]) == pytest.approx(1, abs=0.12)
    np.testing.assert_allclose(found.cov[:, 0, 0], within + theta.var(axis=0), rtol=0.05)


def test_errors_of_scores_from_different_scales_are_independent_when_calibrated_apart():
    found = score(CASES["rasch"](), answers([("2pl", 8, 2)], n=5, scales=TWO_SCALES), item_uncertainty=True)
    np.testing.assert_array_equal(found.item_cov[:, 0, 1], 0)


def test_the_item_part_is_in_the_table_and_survives_saving(tmp_path):
    found = score(CASES["2pl"](), answers([("2pl", 8, 2)], n=4), item_uncertainty=True)
    np.testing.assert_allclose(found.to_frame()["se from items(scale)"], found.item_se[:, 0])
    loaded = ta.load_scores(ta.save(found, tmp_path / "scores.json"))
    np.testing.assert_array_equal(loaded.item_cov, found.item_cov)
    plain = score(CASES["2pl"](), answers([("2pl", 8, 2)], n=4))
    assert plain.item_se is None
    assert "item_cov" not in ta.save(plain, tmp_path / "plain.json").read_text()


def test_a_calibration_saved_by_version_1_can_be_used():
    calibration = ta.load_calibration(Path(__file__).parents[2] / "artefacts" / "v1" / "calibration.json")
    assert sum(part.nnz for part in map_parameters(calibration).items) >= calibration.n_free - 8


# --- refusals --------------------------------------------------------------------------------------------------------


def test_calibrations_without_standard_errors_are_refused():
    people = answers([("2pl", 8, 2)], n=200)
    with pytest.raises(CalibrationError, match=r"no standard errors for 16 of 16 estimates.*se='oakes'") as caught:
        score(calibrate(people, "2pl", se=None), people, item_uncertainty=True)
    assert caught.value.problems[0] == "no standard error: i1.slope"
    made = made_form([("2pl", 8, 2)])
    with pytest.raises(CalibrationError, match="has no estimated parameters"):
        score(made, people, item_uncertainty=True)


def test_sum_scores_and_correlated_dimensions_are_refused():
    calibration, people = CASES["rasch"](), answers([("2pl", 8, 2)], n=5, scales=TWO_SCALES)
    with pytest.raises(ScoringError, match="item_uncertainty is not offered for method='sum-eap'; choose one of: eap"):
        score(calibration, people, "sum-eap", item_uncertainty=True)
    latent = replace(calibration.latent, cov=np.array([[[1.0, 0.4], [0.4, 1.0]]]))
    with pytest.raises(ScoringError, match="calibrated one by one; here north, south are correlated"):
        score(replace(calibration, latent=latent), people, item_uncertainty=True)


def test_estimates_that_cannot_be_placed_or_contradict_the_items_are_refused():
    calibration = CASES["2pl"]()
    free = calibration.free
    renamed = replace(calibration, free=FreeParameters(("q77.slope", *free.names[1:]), free.values, free.cov))
    with pytest.raises(CalibrationError, match="meaning of some estimates is not known") as caught:
        map_parameters(renamed)
    assert caught.value.problems == ("'q77.slope' belongs to no item and no group of the calibration",)
    doubled = replace(calibration, free=FreeParameters(free.names, free.values, 2 * free.cov))
    with pytest.raises(CalibrationError, match="does not agree with the items' own covariances"):
        map_parameters(doubled)


def test_reports_say_what_the_standard_errors_include():
    calibration, people = CASES["2pl"](), answers([("2pl", 8, 2)], n=4)
    sentence = "The standard errors include what is uncertain about the item parameters."
    for asked in (True, False):
        doc = ta.report(score(calibration, people, item_uncertainty=asked))
        notes = " ".join(note for table in doc.tables for note in table.notes)
        assert (sentence in notes) is asked

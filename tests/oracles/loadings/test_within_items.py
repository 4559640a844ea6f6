"""Items that measure two dimensions, against a plain two-dimensional grid; one dimension against the EM calibration.

Tolerances follow from the chain's own claim: estimates within about a fifth of a standard error of the maximum (root
mean square), log-likelihoods within four of their Monte-Carlo standard errors.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from loading_cases import ITEMS, LOADINGS, PATTERN, Grid, simulated
from shared_data import counted, science
from talentassess.calibration import calibrate
from talentassess.calibration.mhrm import RobbinsMonro
from talentassess.calibration.stochastic import calibrate_loadings
from talentassess.core.errors import ScoringError
from talentassess.core.status import Status
from talentassess.scoring import multidim, score
from talentassess.workflow.artefacts import load_calibration, save

ANSWERS = simulated(500, missing=0.3)


@cache
def fitted():
    return calibrate_loadings(ANSWERS, "2pl", LOADINGS, seed=3, run=RobbinsMonro(samples=300))


def as_grid_parameters(calibration) -> tuple[np.ndarray, np.ndarray, float]:
    slopes, intercepts = np.zeros((10, 2)), np.zeros(10)
    for block in calibration.blocks:
        slopes[np.ix_(block.items, block.dims)] = block.par[:, :-1]
        intercepts[block.items] = block.par[:, -1]
    return slopes, intercepts, float(calibration.latent.cov[0, 0, 1])


def in_grid_order(calibration, values: np.ndarray) -> np.ndarray:
    """Bring free values into the grid's order: slopes item by item, intercepts, correlation."""
    by_name = dict(zip(calibration.free.names, values, strict=True))
    slopes = [by_name[f"{ITEMS[j]}.slope{d + 1}"] for j, d in np.argwhere(PATTERN)]
    return np.array([*slopes, *(by_name[f"{i}.intercept"] for i in ITEMS), by_name["correlation [verbal, numeric]"]])


def test_two_dimensions_with_missing_answers_agree_with_the_grid():
    calibration = fitted()
    assert calibration.status is Status.CONVERGED
    estimates, errors, highest = Grid(ANSWERS.x).maximum()
    ours = in_grid_order(calibration, calibration.free.values)
    assert np.sqrt(np.mean(((ours - estimates) / errors) ** 2)) < 0.2
    np.testing.assert_array_less(np.abs(ours - estimates), 0.4 * errors)
    our_errors = in_grid_order(calibration, np.sqrt(np.diag(calibration.free.cov)))
    np.testing.assert_allclose(our_errors, errors, rtol=0.15)  # they depend on the estimates, which differ a little
    assert calibration.loglik <= highest + 4 * float(calibration.provenance.options["loglik_se"])


def test_loglik_at_the_estimates_is_that_of_the_grid():
    calibration = fitted()
    noise = float(calibration.provenance.options["loglik_se"])
    exact = Grid(ANSWERS.x).loglik(*as_grid_parameters(calibration))
    assert noise < 0.5
    assert abs(calibration.loglik - exact) < 4 * noise


@pytest.mark.parametrize("case", ["LSAT7", "Science"])
def test_one_dimension_agrees_with_em(case):
    responses, model = (counted("lsat7.csv"), "2pl") if case == "LSAT7" else (science(), "graded")
    exact = calibrate(responses, model)
    ours = calibrate_loadings(responses, model, {"all": responses.item_ids}, seed=2, run=RobbinsMonro(samples=300))
    assert ours.status is Status.CONVERGED
    assert ours.free.names == exact.free.names
    errors = np.sqrt(np.diag(exact.free.cov))
    assert np.sqrt(np.mean(((ours.free.values - exact.free.values) / errors) ** 2)) < 0.2
    np.testing.assert_allclose(np.sqrt(np.diag(ours.free.cov)), errors, rtol=0.2)
    assert abs(ours.loglik - exact.loglik) < 4 * float(ours.provenance.options["loglik_se"]) + 0.5


def test_same_seed_same_numbers():
    few, run = ANSWERS.take(range(200)), RobbinsMonro(max_cycles=60, samples=40)
    first, again, other = (calibrate_loadings(few, "2pl", LOADINGS, seed=s, run=run) for s in (5, 5, 6))
    np.testing.assert_array_equal(first.free.values, again.free.values)
    assert first.loglik == again.loglik
    assert not np.array_equal(first.free.values, other.free.values)


def test_scores_have_the_posterior_moments_of_the_grid():
    calibration, some = fitted(), ANSWERS.take(range(60))
    mean, cov = Grid(some.x).moments(*as_grid_parameters(calibration))
    scores = score(calibration, some)
    np.testing.assert_allclose(scores.theta, mean, atol=5e-3)
    np.testing.assert_allclose(scores.cov, cov, atol=5e-3)
    assert (scores.cov[:, 0, 1] > 0).any()


def test_scores_on_more_dimensions_than_a_product_rule_serves(monkeypatch):
    """The quasi-random points that stand in beyond three dimensions, tried where the grid can judge them."""
    monkeypatch.setattr(multidim, "NODES", {})
    calibration, some = fitted(), ANSWERS.take(range(60))
    mean, cov = Grid(some.x).moments(*as_grid_parameters(calibration))
    scores = score(calibration, some)
    np.testing.assert_allclose(scores.theta, mean, atol=0.02)  # of a posterior standard deviation of about .7
    np.testing.assert_allclose(scores.cov, cov, atol=0.02)


def test_map_is_the_top_of_the_posterior():
    """No node of a fine grid around the mode is higher, and the mode is not at the edge of it."""
    calibration, some = fitted(), ANSWERS.take(range(20))
    slopes, intercepts, rho = as_grid_parameters(calibration)
    grid = Grid(some.x, n_nodes=441)
    top = grid.theta[grid.joint(slopes, intercepts, rho).argmax(axis=1)]
    np.testing.assert_allclose(score(calibration, some, "map").theta, top, atol=0.02)  # the spacing is 0.025


def test_a_score_does_not_depend_on_who_else_is_scored():
    calibration = fitted()
    together, alone = score(calibration, ANSWERS.take(range(30))), score(calibration, ANSWERS.take([17]))
    np.testing.assert_allclose(alone.theta[0], together.theta[17], atol=1e-12)


@pytest.mark.parametrize("method", ["ml", "wle", "sum-eap"])
def test_methods_that_go_dimension_by_dimension_are_refused(method):
    with pytest.raises(ScoringError, match=r"'q4' measure 2 at once\. Use method='eap' or 'map'"):
        score(fitted(), ANSWERS, method)


def test_item_table_numbers_slopes_by_dimension_and_files_keep_it(tmp_path):
    calibration = fitted()
    table = calibration.to_frame().set_index("item")
    assert table.loc["q0", "dimension"] == "verbal"
    assert table.loc["q4", "dimension"] == "verbal+numeric"
    assert np.isnan(table.loc["q9", "a1"])
    assert table.loc["q9", "a2"] == pytest.approx(calibration.blocks[-1].par[-1, 0])
    again = load_calibration(save(calibration, tmp_path / "within.json"))
    np.testing.assert_array_equal(score(again, ANSWERS.take([0])).theta, score(calibration, ANSWERS.take([0])).theta)

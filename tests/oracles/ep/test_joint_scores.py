"""Scores on correlated dimensions against dense integration and direct maximisation; what matching makes of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

import talentassess as ta
from ep_cases import EQUI3, PAIR, case, dense
from matching_cases import levelled
from talentassess.core.calibration import Latent
from talentassess.core.errors import ScoringError
from talentassess.core.status import Status
from talentassess.scoring.correlated import joint_posterior
from talentassess.scoring.inputs import Aligned
from talentassess.workflow.artefacts import load_calibration, load_scores, save


@pytest.fixture(scope="module")
def three():
    c = case(300, EQUI3, 5, seed=31, missing=0.1)
    return c, ta.calibrate(c.responses(), correlated=True)


def at_estimates(c, calibration, rows):
    return replace(
        c, blocks=calibration.blocks, mean=calibration.latent.mean, cov=calibration.latent.cov, x=c.x[rows],
        group=c.group[rows], theta=c.theta[rows],
    )  # fmt: skip


def test_eap_has_the_full_posterior_covariance(three):
    c, calibration = three
    rows = np.arange(0, 300, 10)
    _, mean, cov = dense(at_estimates(c, calibration, rows), 61, 6.0)
    scores = ta.score(calibration, c.responses())
    assert np.abs(scores.theta[rows] - mean).max() < 2e-3
    assert np.abs(scores.cov[rows] - cov).max() < 5e-3
    assert np.abs(scores.cov[:, 0, 1]).min() > 0
    apart = ta.score(ta.calibrate(c.responses()), c.responses())
    assert np.all(apart.cov[:, 0, 1] == 0)
    assert np.all(scores.reliability > apart.reliability)  # every answer speaks of all three


def test_posterior_covers_the_truth():
    """Squared Mahalanobis distances of SIMULATED truths are chi-square with D degrees of freedom: mean D."""
    c = case(1500, EQUI3, 6, seed=32)
    scores = ta.score(ta.calibrate(c.responses(), correlated=True, se=None), c.responses())
    off = c.theta - scores.theta
    distance = np.einsum("nd,nde,ne->n", off, np.linalg.inv(scores.cov), off)
    assert distance.mean() == pytest.approx(3, abs=3 * np.sqrt(6 / 1500))


def test_map_is_the_mode_of_the_joint_posterior(three):
    c, calibration = three
    scores = ta.score(calibration, c.responses(), "map")
    for i in (0, 7, 91):

        def minus(theta, i=i):
            total = -multivariate_normal(calibration.latent.mean[0], calibration.latent.cov[0]).logpdf(theta)
            for block in calibration.blocks:
                log_prob = block.log_prob(theta[None])[0]
                total -= sum(log_prob[k, c.x[i, j]] for k, j in enumerate(block.items) if c.x[i, j] >= 0)
            return total

        assert scores.theta[i] == pytest.approx(minimize(minus, np.zeros(3), tol=1e-12).x, abs=1e-5)
    assert np.linalg.eigvalsh(scores.cov).min() > 0


def test_methods_without_a_population_stay_dimension_by_dimension(three):
    c, calibration = three
    latent = calibration.latent
    alone = replace(calibration, latent=Latent(latent.groups, latent.mean, latent.cov * np.eye(3)))
    for method in ("wle", "sum-eap"):
        one, other = ta.score(calibration, c.responses(), method), ta.score(alone, c.responses(), method)
        assert np.array_equal(one.theta, other.theta, equal_nan=True)


def test_a_dimension_without_answers_is_predicted_and_marked(three):
    c, calibration = three
    x = c.x.copy()
    x[0, c.dim == 2] = -1
    scores = ta.score(calibration, replace(c, x=x).responses())
    assert scores.status[0][2] is Status.NO_ANSWERS
    assert scores.theta[0, 2] != 0
    assert scores.se[0, 2] < 1


def test_items_of_several_dimensions_are_refused(three):
    c, calibration = three
    first = replace(calibration.blocks[0], dims=(0, 1))
    within = replace(calibration, blocks=(first, *calibration.blocks[1:]))
    with pytest.raises(ScoringError, match="Item 'i1' measures several dimensions at once"):
        joint_posterior(within, Aligned(c.x, c.group), "eap")


def test_matching_uses_the_joint_posterior():
    """P(all levels met) from draws against the bivariate normal integral; without the covariance it is another."""
    c = case(60, np.array([[1.0, 0.9], [0.9, 1.0]]), 3, seed=33, slope=0.9)
    answers = replace(c.responses(), scales=tuple("listening" if d == 0 else "dependability" for d in c.dim))
    scores = ta.score(ta.calibrate(answers, correlated=True, se=None), answers)
    profile = levelled(("listening", "dependability"), (0.0, 0.2), se=0.3)
    matches = ta.match(scores, profile)
    levels = np.array([0.0, 0.2])
    for i in (0, 11, 40):
        cov = scores.cov[i] + 0.09 * np.eye(2)
        exact = multivariate_normal(-(scores.theta[i] - levels), cov).cdf(np.zeros(2))
        assert matches.p_all[i] == pytest.approx(exact, abs=5 * max(matches.p_all_mc[i], 1e-3))
    independent = replace(scores, cov=scores.cov * np.eye(2))
    assert np.abs(ta.match(independent, profile).p_all - matches.p_all).max() > 0.03


def test_artefacts_keep_the_covariance(three, tmp_path):
    c, calibration = three
    scores = ta.score(calibration, c.responses())
    back = load_calibration(save(calibration, tmp_path / "calibration.json"))
    assert np.array_equal(back.latent.cov, calibration.latent.cov)
    assert back.tables()["correlations"]["se"] == pytest.approx(calibration.tables()["correlations"]["se"])
    again = ta.score(back, c.responses())
    assert np.array_equal(again.theta, scores.theta)
    assert np.array_equal(load_scores(save(scores, tmp_path / "scores.json")).cov, scores.cov)


def test_table_of_correlations(three):
    _, calibration = three
    table = calibration.tables()["correlations"]
    assert list(zip(table["dimension"], table["with"], strict=True)) == [("s1", "s2"), ("s1", "s3"), ("s2", "s3")]
    assert table["correlation"] == pytest.approx(calibration.latent.cov[0][np.triu_indices(3, 1)])
    assert np.all((np.array(table["se"]) > 0.02) & (np.array(table["se"]) < 0.08))
    assert "correlations" not in ta.calibrate(case(100, PAIR, 3, seed=34).responses(), se=None).tables()

"""Scores with testlets against brute force over all dimensions, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import talentassess as ta
from bifactor_cases import MIXED, TESTLETS, dense_joint, mixed_answers, mixed_problem
from talentassess.calibration import Fixed, calibrate
from talentassess.core.errors import ScoringError
from talentassess.core.quadrature import grid
from talentassess.core.status import Status


@pytest.fixture(scope="module")
def answers():
    answers = mixed_answers(300, 4)
    return replace(answers, weight=None)


@pytest.fixture(scope="module")
def calibration(answers):
    fixed = [Fixed("specific_slope", 0.8)]
    return calibrate(answers, MIXED, groups=True, testlets=TESTLETS, constraints=fixed, se=None)


def test_scores_and_covariances_equal_the_full_integral(answers, calibration):
    """Posterior means, variances and covariances of three dimensions, from a grid of 31 x 24 x 24 nodes."""
    some = answers.take(np.arange(12))
    problem = mixed_problem(some)
    form = replace(problem.structure.form, general=grid(31, 6.0), specific=grid(24, 5.25))
    problem = replace(problem, structure=problem.structure._on(form))
    stacked = np.concatenate([b.par.ravel() for b in calibration.blocks])
    group_values = np.array([calibration.latent.mean[1, 0], 0.5 * np.log(calibration.latent.cov[1, 0, 0])])
    nodes, joint = dense_joint(problem, np.concatenate([stacked, group_values]))
    posterior = joint / joint.sum(axis=1, keepdims=True)
    mean = posterior @ nodes
    cov = np.einsum("nq,qd,qe->nde", posterior, nodes, nodes) - mean[:, :, None] * mean[:, None, :]
    scores = ta.score(calibration, some)
    # merged answer patterns may come in another order: look each up by its codes
    a = problem.structure.base.answers
    for row, (x, g) in enumerate(zip(a.x, a.group, strict=True)):
        person = next(i for i in range(12) if np.array_equal(some.x[i], x) and some.group[i] == "ab"[g])
        np.testing.assert_allclose(scores.theta[person], mean[row], atol=1e-4)
        np.testing.assert_allclose(scores.cov[person], cov[row], atol=1e-4)


def test_scores_name_dimensions_answers_and_statuses(answers, calibration):
    scores = ta.score(calibration, answers)
    assert scores.dimensions == ("scale", "text", "film")
    assert scores.method == "eap"
    np.testing.assert_array_equal(scores.n_answered[:, 0], answers.answered.sum(axis=1))
    np.testing.assert_array_equal(scores.n_answered[:, 2], answers.answered[:, [1, 3]].sum(axis=1))
    nobody = scores.n_answered[:, 2] == 0
    assert nobody.any()
    assert all(person[2] is Status.NO_ANSWERS for person, none in zip(scores.status, nobody, strict=True) if none)
    np.testing.assert_allclose(scores.theta[nobody, 2], 0.0, atol=1e-12)
    np.testing.assert_allclose(scores.se[nobody, 2], 1.0, atol=1e-5)
    assert np.all(scores.cov[:, 0, 1][scores.n_answered[:, 1] > 0] < 0)  # one answer, two explanations


def test_other_methods_are_refused(answers, calibration):
    for method in ("map", "ml", "wle", "sum-eap"):
        with pytest.raises(ScoringError, match=f"method='{method}' is not offered for a calibration with testlets"):
            ta.score(calibration, answers, method)
    with pytest.raises(ScoringError, match="item_uncertainty is not offered for a calibration with testlets"):
        ta.score(calibration, answers, item_uncertainty=True)
    with pytest.raises(ScoringError, match="Items of 'scale' measure other dimensions"):
        ta.sum_score_table(calibration, "scale")


def test_a_calibration_with_testlets_is_saved_and_read_back(tmp_path, answers, calibration):
    ta.save(calibration, tmp_path / "c.json")
    back = ta.load_calibration(tmp_path / "c.json")
    np.testing.assert_array_equal(ta.score(back, answers).theta, ta.score(calibration, answers).theta)
    assert back.dimensions == calibration.dimensions

"""Properties that hold for any answers: order, merging and labels do not matter; likelihoods match brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from talentassess.calibration import calibrate
from talentassess.core.answers import gather_answers
from talentassess.core.likelihood import ItemBlock, e_step, offsets, posteriors, stack_log_prob
from talentassess.core.quadrature import d_normal_log_weights, grid, normal_log_weights
from talentassess.core.responses import Responses
from talentassess.core.survey import plain_worth
from talentassess.models import all_models
from talentassess.scoring import score

MODEL = all_models()["graded"]


def responses(x: np.ndarray, n_cat: int = 3) -> Responses:
    n, j = x.shape
    return Responses(x=x, n_cat=[n_cat] * j, item_ids=[f"q{i}" for i in range(j)], person_ids=range(n))


codes = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).integers(-1, 3, size=(40, 5)))


@given(codes)
@settings(max_examples=20, deadline=None)
def test_the_marginal_likelihood_is_the_sum_over_nodes(x):
    """e_step against a plain loop over persons and nodes."""
    rng = np.random.default_rng(0)
    par = np.column_stack([rng.uniform(0.5, 2, 5), rng.uniform(0, 2, 5), rng.uniform(-2, -0.1, 5)])
    block = ItemBlock(MODEL, 3, np.arange(5), par)
    nodes, starts = grid(21, 4.0), offsets(np.full(5, 3))
    prior = normal_log_weights(nodes)
    log_p = stack_log_prob([block], nodes[:, None], starts)
    step = e_step(x.astype(np.int16), log_p, prior[None], np.zeros(40, dtype=np.int64), np.ones(40), starts)
    p = np.exp(block.log_prob(nodes[:, None]))
    brute = 0.0
    for person in x:
        chance = np.exp(prior)
        for j, code in enumerate(person):
            if code >= 0:
                chance = chance * p[:, j, code]
        brute += np.log(chance.sum())
    assert step.loglik == pytest.approx(brute, abs=1e-9)
    np.testing.assert_allclose(step.counts.sum(), (x >= 0).sum(), rtol=1e-12)
    np.testing.assert_allclose(step.mass.sum(), 40, rtol=1e-12)


@given(codes)
@settings(max_examples=20, deadline=None)
def test_merging_patterns_keeps_every_answer(x):
    merged, _ = gather_answers(responses(x), np.zeros(40, dtype=np.int64), plain_worth(np.full(5, 3)))
    assert merged.weight.sum() == (x >= 0).any(axis=1).sum()
    for j, code in itertools.product(range(5), range(3)):
        assert merged.weight[merged.x[:, j] == code].sum() == (x[:, j] == code).sum()


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(3)
    theta = rng.normal(size=(400, 1))
    par = np.column_stack([rng.uniform(0.8, 2, 6), rng.uniform(0.3, 1.5, 6), rng.uniform(-1.5, -0.3, 6)])
    p = np.exp(ItemBlock(MODEL, 3, np.arange(6), par).log_prob(theta))
    x = (rng.random((400, 6, 1)) > np.cumsum(p, axis=2)).sum(axis=2).clip(0, 2)
    answers = responses(x)
    return answers, calibrate(answers, "graded")


@given(st.permutations(range(6)))
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_items_and_persons_does_not_matter(fitted, order):
    answers, calibration = fitted
    shuffled = answers.select([answers.item_ids[j] for j in order]).take(np.arange(400)[::-1])
    again = calibrate(shuffled, "graded", se=None)
    assert again.loglik == pytest.approx(calibration.loglik, abs=1e-6)
    np.testing.assert_allclose(again.blocks[0].par, calibration.blocks[0].par[list(order)], atol=1e-4)
    np.testing.assert_allclose(score(calibration, shuffled).theta[::-1], score(calibration, answers).theta, atol=1e-12)


def test_turning_all_items_round_turns_theta_round(fitted):
    answers, calibration = fitted
    turned = responses(2 - answers.x)
    mirrored = calibrate(turned, "graded")
    assert mirrored.loglik == pytest.approx(calibration.loglik, abs=1e-6)
    np.testing.assert_allclose(score(mirrored, turned).theta, -score(calibration, answers).theta, atol=1e-4)


@given(codes)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_scores_of_all_methods_are_finite_or_say_why(fitted, x):
    _, calibration = fitted
    people = responses(np.column_stack([x, x[:, :1]]))
    for method in ("eap", "map", "ml", "wle", "sum-eap"):
        scores = score(calibration, people, method)
        settled = np.array([[s.ok for s in row] for row in scores.status])
        assert np.isfinite(scores.theta[settled]).all()
        assert (scores.se[settled] > 0).all()


def test_more_of_the_trait_never_lowers_the_score(fitted):
    """EAP rises with every single answer that rises (graded items have monotone likelihood ratios here)."""
    _, calibration = fitted
    low = np.ones((12, 6), dtype=int)
    high = low.copy()
    high[np.arange(12) % 12, np.arange(12) % 6] = 2
    assert (score(calibration, responses(high)).theta > score(calibration, responses(low)).theta).all()


@given(st.floats(-2, 2), st.floats(0.4, 2.0))
@settings(max_examples=25, deadline=None)
def test_latent_weights_are_a_distribution_with_the_right_gradient(mean, sd):
    nodes = grid(61, 6.0)
    assert np.exp(normal_log_weights(nodes, mean, sd)).sum() == pytest.approx(1.0, abs=1e-12)
    step = 1e-5
    by_mean = (normal_log_weights(nodes, mean + step, sd) - normal_log_weights(nodes, mean - step, sd)) / (2 * step)
    by_log_sd = normal_log_weights(nodes, mean, sd * np.exp(step)) - normal_log_weights(nodes, mean, sd * np.exp(-step))
    expected = np.column_stack([by_mean, by_log_sd / (2 * step)])
    np.testing.assert_allclose(d_normal_log_weights(nodes, mean, sd), expected, rtol=1e-6, atol=1e-5)


def test_posteriors_sum_to_one_even_for_a_thousand_items():
    """Underflow: 1,300 items of likelihood e^-900 and less per person still give a proper posterior."""
    rng = np.random.default_rng(0)
    par = np.column_stack([rng.uniform(0.5, 2, 1300), rng.uniform(0, 2, 1300), rng.uniform(-2, -0.1, 1300)])
    block = ItemBlock(MODEL, 3, np.arange(1300), par)
    nodes, starts = grid(), offsets(np.full(1300, 3))
    x = rng.integers(0, 3, size=(5, 1300)).astype(np.int16)
    log_p = stack_log_prob([block], nodes[:, None], starts)
    for _, _, posterior, log_marginal in posteriors(
        x, log_p, normal_log_weights(nodes)[None], np.zeros(5, dtype=np.int64), starts
    ):
        np.testing.assert_allclose(posterior.sum(axis=1), 1.0, atol=1e-12)
        assert (log_marginal < -700).all()
        assert np.isfinite(log_marginal).all()

"""Nested logit, sequential and unfolding models against independent definitions and exact identities.

No foreign program is needed: a sequential item is a set of dichotomous step items (missing where a step was never
tried), a nested logit item is a dichotomous and a nominal item (missing where the key was chosen), and the unfolding
model is a partial credit model of 2 K subjective answers folded in the middle. Each of these is computed by other code
of ours, itself checked against R mirt, or by the textbook formula written out below.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from known_forms import known_form
from talentassess.calibration import Equal, Fixed, calibrate
from talentassess.core.likelihood import ItemBlock
from talentassess.core.responses import Responses
from talentassess.models import find_model
from talentassess.scoring import score
from talentassess.workflow.simulate import simulate

THETA = np.linspace(-4.0, 4.0, 33)[:, None]


def model(name):
    return find_model(name)[0]


def logistic(z):
    return 1 / (1 + np.exp(-z))


# --- sequential -----------------------------------------------------------------------------------------------------


def test_a_sequential_item_of_two_categories_is_a_2pl_item():
    par = np.array([[1.3, -0.4], [0.6, 1.1]])
    np.testing.assert_allclose(
        model("sequential").log_prob(THETA, par, 2), model("2pl").log_prob(THETA, par, 2), atol=1e-14
    )


def test_sequential_with_three_categories_written_out():
    """P0 = 1 - F1, P1 = F1 (1 - F2), P2 = F1 F2 (Tutz 1990); steps deliberately out of order."""
    a, d1, d2 = 1.4, -0.7, 0.9
    f1, f2 = logistic(a * THETA[:, 0] + d1), logistic(a * THETA[:, 0] + d2)
    expected = np.column_stack([1 - f1, f1 * (1 - f2), f1 * f2])
    found = np.exp(model("sequential").log_prob(THETA, np.array([[a, d1, d2]]), 3))[:, 0]
    np.testing.assert_allclose(found, expected, atol=1e-14)


def as_steps(responses: Responses) -> Responses:
    """One dichotomous item per step; missing where it was not tried."""
    columns, names = [], []
    for j, item in enumerate(responses.item_ids):
        for step in range(1, int(responses.n_cat[j])):
            tried = responses.x[:, j] >= step - 1
            columns.append(np.where(tried, responses.x[:, j] >= step, -1))
            names.append(f"{item}.{step}")
    return Responses(
        x=np.column_stack(columns), n_cat=[2] * len(names), item_ids=names, person_ids=responses.person_ids
    )


def graded_answers() -> Responses:
    """SIMULATED from graded items, so that the models fitted here do not hold: the identities hold all the same."""
    rng = np.random.default_rng(9)
    par = np.array([[rng.uniform(*p.typical) for p in model("graded").params(3, 1)] for _ in range(8)])
    return simulate(known_form("graded", par, 3), 500, seed=9)


def test_a_sequential_calibration_is_a_2pl_calibration_of_its_steps():
    """Log-likelihood, parameters and standard errors agree."""
    responses = graded_answers()
    whole = calibrate(responses, "sequential")
    steps = as_steps(responses)
    tied = [Equal("slope", (f"{item}.1", f"{item}.2")) for item in responses.item_ids]
    apart = calibrate(steps, "2pl", constraints=tied)
    assert whole.loglik == pytest.approx(apart.loglik, abs=1e-6)
    par, both = whole.blocks[0].par, apart.blocks[0].par.reshape(8, 2, 2)
    np.testing.assert_allclose(par, np.column_stack([both[:, 0, 0], both[:, 0, 1], both[:, 1, 1]]), atol=2e-5)
    se = np.sqrt(np.diagonal(whole.par_cov[0], axis1=1, axis2=2))
    other = np.sqrt(np.diagonal(apart.par_cov[0], axis1=1, axis2=2)).reshape(8, 2, 2)
    np.testing.assert_allclose(se, np.column_stack([other[:, 0, 0], other[:, 0, 1], other[:, 1, 1]]), atol=1e-5)


def test_the_sequential_rasch_model_is_a_rasch_model_of_its_steps():
    responses = graded_answers()
    whole, apart = calibrate(responses, "sequential-rasch"), calibrate(as_steps(responses), "rasch")
    assert whole.loglik == pytest.approx(apart.loglik, abs=1e-6)
    np.testing.assert_allclose(whole.free.values, apart.free.values, atol=2e-5)
    np.testing.assert_allclose(whole.free.cov, apart.free.cov, atol=1e-5)


# --- nested logit ---------------------------------------------------------------------------------------------------


def test_collapsing_the_distractors_gives_the_2pl():
    nested = model("nested-logit")
    par = np.array([[1.2, -0.3, 0.5, -0.4, 0.8, -0.6], [0.7, 0.9, 0.0, 0.0, 0.1, 0.2]])
    log_p, two = nested.log_prob(THETA, par, 4), model("2pl").log_prob(THETA, par[:, :2], 2)
    np.testing.assert_allclose(log_p[..., -1], two[..., 1], atol=1e-14)
    np.testing.assert_allclose(np.logaddexp.reduce(log_p[..., :-1], axis=2), two[..., 0], atol=1e-13)
    given_wrong = log_p[..., :-1] - two[..., :1]
    np.testing.assert_allclose(given_wrong, model("nominal").log_prob(THETA, par[:, 2:], 3), atol=1e-13)


def nested_answers(n=1200, n_items=8, seed=3):
    rng = np.random.default_rng(seed)
    nested = model("nested-logit")
    par = np.array([[rng.uniform(*p.typical) for p in nested.params(4, 1)] for _ in range(n_items)])
    return simulate(known_form("nested-logit", par, 4), n, seed=seed)


def test_a_nested_logit_calibration_is_a_2pl_and_a_nominal_calibration_of_its_parts():
    """Suh & Bolt's likelihood factors: key or not (2PL), and which distractor among the wrong answers (nominal)."""
    answers = nested_answers()
    whole = calibrate(answers, "nested-logit")
    right = answers.x == 3
    keyed, wrong = [f"{i}.key" for i in answers.item_ids], [f"{i}.wrong" for i in answers.item_ids]
    parts = Responses(
        x=np.column_stack([right, np.where(right, -1, answers.x)]),
        n_cat=[2] * 8 + [3] * 8,
        item_ids=keyed + wrong,
        person_ids=answers.person_ids,
    )
    apart = calibrate(parts, dict.fromkeys(keyed, "2pl") | dict.fromkeys(wrong, "nominal"))
    assert whole.loglik == pytest.approx(apart.loglik, abs=1e-6)
    np.testing.assert_allclose(whole.blocks[0].par, np.column_stack([block.par for block in apart.blocks]), atol=5e-5)
    both = [np.sqrt(np.diagonal(cov, axis1=1, axis2=2)) for cov in apart.par_cov]
    np.testing.assert_allclose(
        np.sqrt(np.diagonal(whole.par_cov[0], axis1=1, axis2=2)), np.column_stack(both), atol=2e-5
    )


def test_distractors_without_slopes_only_add_their_shares_to_the_2pl():
    """With lambda = 0 the distractors are independent of theta: log-likelihood = 2PL + multinomial, same scores."""
    answers = nested_answers()
    flat = [Fixed("distractor_slope1", 0.0), Fixed("distractor_slope2", 0.0)]
    nested = calibrate(answers, "nested-logit", constraints=flat)
    keyed = replace(
        answers, x=answers.x == 3, n_cat=np.full(8, 2), provenance=replace(answers.provenance, data_hash="")
    )
    two = calibrate(keyed, "2pl")
    counts = np.array([np.bincount(column[column < 3], minlength=3) for column in answers.x.T])
    shares = counts / counts.sum(axis=1, keepdims=True)
    assert nested.loglik == pytest.approx(two.loglik + float(np.sum(counts * np.log(shares))), abs=1e-6)
    np.testing.assert_allclose(nested.blocks[0].par[:, :2], two.blocks[0].par, atol=2e-5)
    np.testing.assert_allclose(score(nested, answers).theta, score(two, keyed).theta, atol=1e-4)


# --- generalized graded unfolding -----------------------------------------------------------------------------------


def folded(alpha, delta, tau, theta):
    """P(z) from the definition (Roberts, Donoghue & Laughlin 2000): 2 K subjective answers, folded.

    Subjective answers y = 0..M, M = 2 K - 1, follow a partial credit model with thresholds tau_1..tau_C, 0, -tau_C..
    -tau_1 (C = K - 1); the observed answer z is given from below (y = z) or from above (y = M - z).
    """
    c, m, theta = len(tau), 2 * len(tau) + 1, np.asarray(theta)
    subjective = np.concatenate([tau, [0.0], -np.asarray(tau)[::-1]])
    weight = np.array([np.exp(alpha * (y * (theta - delta) - subjective[:y].sum())) for y in range(m + 1)])
    return np.array([(weight[z] + weight[m - z]) / weight.sum(axis=0) for z in range(c + 1)]).T


@pytest.mark.parametrize("tau", [[-0.8], [-1.3, -0.5], [-1.6, -1.0, -0.7], [-0.4, -1.2, 0.3, -0.9, -0.2]])
def test_the_unfolding_model_folds_a_partial_credit_model(tau):
    alpha, delta = 1.3, -0.6
    found = np.exp(model("ggum").log_prob(THETA, np.array([[alpha, delta, *tau]]), len(tau) + 1))[:, 0]
    np.testing.assert_allclose(found, folded(alpha, delta, tau, THETA[:, 0]), atol=1e-13)


def test_the_unfolding_model_is_symmetric_about_its_location_and_under_reflection():
    par = np.array([[1.1, 0.7, -1.2, -0.6]])
    mirrored = par * [1.0, -1.0, 1.0, 1.0]
    ggum = model("ggum")
    around = ggum.log_prob(THETA + 0.7, par, 3)
    np.testing.assert_allclose(around, around[::-1], atol=1e-12)
    np.testing.assert_allclose(ggum.log_prob(THETA, par, 3), ggum.log_prob(-THETA, mirrored, 3), atol=1e-12)
    peak = np.exp(ggum.log_prob(np.array([[0.7]]), par, 3))[0, 0]
    assert peak[2] > np.exp(around[0, 0, 2])


def test_a_far_location_gives_the_generalized_partial_credit_model():
    """As delta grows with delta + tau fixed, only the lower fold is left: a GPCM with d_k = -alpha sum(delta + tau)."""
    alpha, delta, steps = 1.2, 40.0, np.array([-0.5, 0.6])
    par = np.array([[alpha, delta, *(steps - delta)]])
    gpcm = np.array([[alpha, *(-alpha * np.cumsum(steps))]])
    expected = model("gpcm").log_prob(THETA, gpcm, 3)
    np.testing.assert_allclose(model("ggum").log_prob(THETA, par, 3), expected, atol=1e-12)


def test_the_derivatives_hold_at_the_location_itself():
    """The distance has a kink there, the model has not: by symmetry d log P / d theta = 0, and so by delta."""
    par = np.array([[1.1, 0.7, -1.2, -0.6]])
    ggum, at = model("ggum"), np.array([[0.7]])
    np.testing.assert_allclose(ggum.d_theta(at, par, 3), 0.0, atol=1e-14)
    step = 1e-4 * np.eye(4)
    for p in range(4):
        slope = (ggum.log_prob(at, par + step[p], 3) - ggum.log_prob(at, par - step[p], 3)) / 2e-4
        np.testing.assert_allclose(ggum.d_par(at, par, 3)[..., p], slope, atol=1e-7)


def test_unfolding_calibration_maximises_the_folded_likelihood():
    """Marginal log-likelihood from the definition above, on a grid of its own: moving any parameter lowers it."""
    rng = np.random.default_rng(4)
    par = np.array([[rng.uniform(*p.typical) for p in model("ggum").params(3, 1)] for _ in range(6)])
    answers = simulate(known_form("ggum", par, 3), 400, seed=2)
    fitted = calibrate(answers, "ggum")
    nodes = np.linspace(-6, 6, 121)
    weight = np.exp(-(nodes**2) / 2) / np.exp(-(nodes**2) / 2).sum()

    def loglik(values):
        likelihood = np.ones((400, 121))
        for j, (alpha, delta, *tau) in enumerate(values):
            likelihood *= folded(alpha, delta, tau, nodes).T[answers.x[:, j]]
        return float(np.log(likelihood @ weight).sum())

    best = loglik(fitted.blocks[0].par)
    assert fitted.loglik == pytest.approx(best, abs=1e-5)
    for j in range(6):
        for p in range(4):
            for sign in (-1, 1):
                moved = fitted.blocks[0].par.copy()
                moved[j, p] += sign * 0.01
                assert loglik(moved) < best


def test_information_of_an_unfolding_item_vanishes_at_its_location():
    from talentassess.core.derived import item_information

    block = ItemBlock(model("ggum"), 3, np.arange(1), np.array([[1.1, 0.7, -1.2, -0.6]]))
    info = item_information(block, np.array([[0.7], [1.9], [-0.5]]))[:, 0]
    assert info[0] == pytest.approx(0.0, abs=1e-20)
    assert info[1] == pytest.approx(info[2], rel=1e-12)
    assert info[1] > 0.05

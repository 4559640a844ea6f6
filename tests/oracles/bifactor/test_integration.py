"""Dimension reduction against brute force over all dimensions, NumPy against the compiled pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bifactor_cases import dense_log_likelihoods, dense_loglik, mixed_answers, mixed_problem, moved
from talentassess.calibration.missing_information import cross_products
from talentassess.calibration.objective import Evaluation, evaluate
from talentassess.calibration.problem import Problem, build_problem
from talentassess.calibration.standard_errors import complete_information, gradient_information, prior_information
from talentassess.calibration.testlet_information import reduced_moments
from talentassess.core import kernel_bifactor
from talentassess.core.likelihood import e_step, stack_log_prob
from talentassess.core.quadrature import grid
from talentassess.core.reduction import finer_form, plain_form, reduced_e_step
from talentassess.core.responses import Responses

STEP = 1e-4


def small(problem: Problem) -> Problem:
    """Put a problem on few nodes, so that the full grid of three dimensions stays small (11 x 8 x 8)."""
    form = replace(problem.structure.form, general=grid(11, 5.0), specific=grid(8, 4.0))
    return replace(problem, structure=problem.structure._on(form))


@pytest.fixture(scope="module")
def problem() -> Problem:
    return small(mixed_problem(mixed_answers()))


def test_log_likelihood_equals_the_integral_over_all_dimensions(problem):
    free = moved(problem)
    assert evaluate(problem, free).loglik == pytest.approx(dense_loglik(problem, free), abs=1e-9)


def test_gradient_equals_differences_of_the_full_integral(problem):
    """All free values: general and specific slopes, intercepts, the second group's mean and log sd."""
    free = moved(problem)
    units = np.eye(len(free)) * STEP
    numeric = [(dense_loglik(problem, free + u) - dense_loglik(problem, free - u)) / (2 * STEP) for u in units]
    assert problem.names[-2:] == ("latent mean [b]", "log latent sd [b]")
    # error of the central difference: about STEP^2 times the third derivative (tens)
    np.testing.assert_allclose(evaluate(problem, free).gradient, numeric, atol=2e-6)


def test_observed_information_equals_second_differences_of_the_full_integral(problem):
    free, h = moved(problem), 1e-3
    some = [0, 1, 5, 9, len(free) - 2, len(free) - 1]

    def second(a: int, b: int) -> float:
        ua, ub = np.eye(len(free))[a] * h, np.eye(len(free))[b] * h
        corners = [(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]
        return sum(s * dense_loglik(problem, free + i * ua + k * ub) for i, k, s in corners) / (4 * h * h)

    numeric = np.array([[-second(a, b) for b in some] for a in some])
    at = evaluate(problem, free)
    found = observed_information(problem, at)[np.ix_(some, some)]
    # the reference's own error: rounding 1e-12 / h^2 and truncation of order h^2
    np.testing.assert_allclose(found, numeric, atol=2e-4)


def observed_information(problem: Problem, at: Evaluation) -> np.ndarray:
    """Return complete-data information minus what is lost, as ``covariance`` forms it."""
    moments = reduced_moments(problem, at, problem.structure)
    complete = complete_information(problem, at, problem.structure.base)
    return complete + prior_information(problem, at) - moments.spread


def test_observed_information_equals_differences_of_the_gradient(problem):
    at = evaluate(problem, moved(problem))
    # the difference's own error is of order STEP^2
    np.testing.assert_allclose(observed_information(problem, at), gradient_information(problem, at), atol=1e-5)


def test_cross_products_equal_those_of_the_persons_brute_force_scores(problem):
    free = moved(problem)
    units = np.eye(len(free)) * STEP
    scores = np.stack(
        [
            (dense_log_likelihoods(problem, free + u) - dense_log_likelihoods(problem, free - u)) / (2 * STEP)
            for u in units
        ],
        axis=1,
    )
    answers = problem.structure.base.answers
    crossprod, meat = cross_products(problem, evaluate(problem, free))
    np.testing.assert_allclose(crossprod, scores.T @ (scores * answers.weight[:, None]), atol=1e-5)
    np.testing.assert_allclose(meat, scores.T @ (scores * answers.weight_sq[:, None]), atol=1e-5)
    moments = reduced_moments(problem, evaluate(problem, free), problem.structure)
    # it leaves general nodes out whose weight is below 1e-10
    np.testing.assert_allclose(moments.crossprod, crossprod, atol=1e-7)
    np.testing.assert_allclose(moments.meat, meat, atol=1e-7)


def test_without_specific_slopes_it_is_the_unidimensional_likelihood(problem):
    free = moved(problem)
    blocks, latent = problem.unpack(free)
    flat = [replace(b, par=np.delete(b.par, 1, axis=1), dims=(0,)) if len(b.dims) > 1 else b for b in blocks]
    none = [
        replace(b, par=np.insert(f.par, 1, 0.0, axis=1)) if len(b.dims) > 1 else b
        for b, f in zip(blocks, flat, strict=True)
    ]
    base = problem.structure.base
    two = problem.structure.e_step(stack_log_prob(none, problem.structure.theta, problem.starts), latent)[0]
    one = base.answers.e_step(stack_log_prob(flat, base.theta, problem.starts), base.log_prior(latent))
    assert two.loglik == pytest.approx(one.loglik, abs=1e-10)
    np.testing.assert_allclose(two.mass, one.mass, atol=1e-10)
    summed = two.counts.reshape(len(two.counts), *problem.structure.form.n_nodes).sum(axis=2)
    np.testing.assert_allclose(summed, one.counts, atol=1e-10)


def test_base_weights_are_those_of_two_standard_normals(problem):
    weights = problem.structure.base_weights
    theta = problem.structure.theta
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert weights @ theta[:, 0] ** 2 == pytest.approx(1.0, abs=1e-4)  # 11 nodes on -5..5 give the variance to 1e-5
    assert weights @ (theta[:, 0] * theta[:, 1]) == pytest.approx(0.0, abs=1e-12)


def compiled_and_numpy(problem: Problem, log_prob: np.ndarray, latent: np.ndarray):
    """Return the pass by the compiled kernel and by NumPy; skip where nothing was compiled."""
    structure = problem.structure
    if structure.packed is None:
        pytest.skip("the kernel was not built here")
    a, log_prior = structure.base.answers, structure.base.log_prior(latent)
    fast = kernel_bifactor.reduced_pass(structure.form, structure.packed, a, log_prob, log_prior)
    return fast, reduced_e_step(structure.form, a.x, log_prob, log_prior, a.group, a.weight)


def assert_same(fast, slow):
    assert fast.loglik == pytest.approx(slow.loglik, rel=1e-12, abs=1e-10)
    np.testing.assert_allclose(fast.counts, slow.counts, atol=1e-10)
    np.testing.assert_allclose(fast.mass, slow.mass, atol=1e-10)


@pytest.mark.parametrize("n_specific", [8, 16, 24, 40])
def test_the_compiled_pass_equals_numpy(n_specific):
    problem = mixed_problem(mixed_answers(700, 5))
    problem = replace(
        problem, structure=problem.structure._on(replace(problem.structure.form, specific=grid(n_specific, 5.0)))
    )
    blocks, latent = problem.unpack(moved(problem))
    assert_same(*compiled_and_numpy(problem, stack_log_prob(blocks, problem.structure.theta, problem.starts), latent))


def test_persons_whose_products_vanish_are_done_in_logarithms():
    problem = mixed_problem(mixed_answers(100, 6))
    blocks, latent = problem.unpack(moved(problem))
    log_prob = stack_log_prob(blocks, problem.structure.theta, problem.starts)
    # every answer to a text costs a factor e^-250: complete texts vanish in a product, single answers do not
    text = problem.structure.form.rows(problem.structure.form.testlets[0])
    log_prob[text] -= 250.0
    fast, slow = compiled_and_numpy(problem, log_prob, latent)
    assert fast.loglik < -250 * 100
    assert_same(fast, slow)


def test_three_threads_give_the_same_sums(monkeypatch):
    problem = mixed_problem(mixed_answers(1000, 7))
    blocks, latent = problem.unpack(moved(problem))
    log_prob = stack_log_prob(blocks, problem.structure.theta, problem.starts)
    monkeypatch.setenv("TALENTASSESS_THREADS", "3")
    monkeypatch.setattr("talentassess.core.kernel.WORTH_A_THREAD", 1)
    assert_same(*compiled_and_numpy(problem, log_prob, latent))


def test_single_items_are_taken_in_shares():
    """85 items without a testlet and one testlet: more singles than one product takes."""
    rng = np.random.default_rng(1)
    names = [f"i{j}" for j in range(88)]
    answers = Responses(x=rng.integers(0, 2, (60, 88)), n_cat=[2] * 88, item_ids=names, person_ids=range(60))
    models = dict.fromkeys(names, "2pl")
    testlets = {"t": tuple(names[10:13])}
    problem = build_problem(answers, models, groups=None, constraints=(), priors=None, testlets=testlets)
    blocks, latent = problem.unpack(moved(problem))
    assert_same(*compiled_and_numpy(problem, stack_log_prob(blocks, problem.structure.theta, problem.starts), latent))


def test_finer_grids_are_finer_and_wider():
    form = plain_form(np.array([0, 2, 4]), (np.array([0, 1]),))
    finer = finer_form(form)
    for before, after in ((form.general, finer.general), (form.specific, finer.specific)):
        # the number of nodes is whole (and a multiple of eight for the specific ones)
        assert np.diff(after)[0] == pytest.approx(np.diff(before)[0] / 2, rel=0.01)
        assert 4 / 3 * before[-1] <= after[-1] + 1e-9
        assert after[-1] < 1.6 * before[-1]
    assert finer.n_nodes[1] % 8 == 0


def test_items_without_a_testlet_alone_are_a_unidimensional_form(problem):
    base = problem.structure.base
    blocks, latent = problem.unpack(moved(problem))
    single = [b for b in blocks if len(b.dims) == 1]
    items = np.concatenate([b.items for b in single])
    log_prob = np.zeros((int(problem.starts[-1]), len(base.nodes)))
    part = stack_log_prob(single, base.theta, problem.starts)
    rows = problem.structure.form.rows(items)
    log_prob[rows] = part[rows]
    x = np.where(np.isin(np.arange(base.answers.x.shape[1]), items), base.answers.x, -1).astype(np.int16)
    one = e_step(x, log_prob, base.log_prior(latent), base.answers.group, base.answers.weight, problem.starts)
    pairs = np.repeat(log_prob, problem.structure.form.n_nodes[1], axis=1)
    two = reduced_e_step(
        problem.structure.form, x, pairs, base.log_prior(latent), base.answers.group, base.answers.weight
    )
    assert two.loglik == pytest.approx(one.loglik, abs=1e-10)

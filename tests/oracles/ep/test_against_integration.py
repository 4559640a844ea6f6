"""Expectation propagation against brute-force integration over the traits: dense product grids, importance sampling.

The grids and the sampler stand in ``tests/ep_cases.py``; they use nothing of the code under test but the models.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ep_cases import EQUI3, PAIR, case, dense, importance
from talentassess.core.ep import ep_form, ep_pass, ep_posteriors, evidence_error, gaussian_posteriors, some_persons
from talentassess.core.likelihood import e_step, one_hot
from talentassess.core.quadrature import grid, normal_log_weights


def by_ep(c, nodes=None, compiled=True):
    nodes = grid() if nodes is None else nodes
    form = c.form(compiled)
    sites = form.no_sites()
    done = ep_pass(form, c.log_prob(nodes), nodes, c.population, sites)
    mean, cov = gaussian_posteriors(sites, c.group, c.population)
    return done, mean, cov, sites


# Tolerances: about twice what was measured. Short scales of steep items are the hard case: few answers leave the
# posterior lop-sided. Errors of the mean over persons are ten to a hundred times smaller than the largest.
@pytest.mark.parametrize(
    ("build", "mean_error", "largest", "moment"),
    [
        (lambda: case(150, PAIR, 10, seed=2), 1e-5, 3e-4, 1e-3),
        (lambda: case(150, PAIR, 3, seed=3, slope=2.0), 1e-4, 3e-3, 1e-2),
        (lambda: case(60, EQUI3, 3, seed=4, missing=0.3), 3e-5, 6e-4, 3e-3),
        (lambda: case(150, PAIR, 6, model="2pl", n_cat=2, seed=5), 2e-4, 8e-4, 4e-3),
    ],
    ids=["two scales of ten", "two scales of three", "three scales of three, holes", "two scales of yes/no items"],
)
def test_evidence_means_and_covariances(build, mean_error, largest, moment):
    c = build()
    exact, mean, cov = dense(c, n_nodes=81 if c.cov.shape[1] == 2 else 61)
    done, ep_mean, ep_cov, _ = by_ep(c)
    off = done.evidence - exact
    assert abs(off.mean()) < mean_error
    assert np.abs(off).max() < largest
    assert np.abs(ep_mean - mean).max() < moment
    assert np.abs(ep_cov - cov).max() < moment
    assert done.loglik == pytest.approx(done.evidence.sum(), rel=1e-14)


def test_extreme_patterns_and_persons_without_answers_in_a_dimension():
    c = case(8, EQUI3, 5, seed=6)
    x = c.x.copy()
    x[0], x[1] = 0, 4  # all lowest, all highest
    x[2] = np.where(c.dim == 0, 4, np.where(c.dim == 1, 0, 4))  # against the correlations
    x[3, c.dim == 1] = -1
    x[4, c.dim != 2] = -1
    x[5] = -1
    c = replace(c, x=x)
    exact, mean, cov = dense(c, n_nodes=61)
    done, ep_mean, ep_cov, sites = by_ep(c)
    assert np.abs(done.evidence - exact).max() < 1e-3
    assert np.abs(ep_mean - mean).max() < 1e-2
    assert np.abs(ep_cov - cov).max() < 1e-2
    # no answers, no site: exactly, so that the answered dimensions alone decide
    assert np.all(sites[:, 3, 1] == 0)
    assert np.all(sites[:, 4, :2] == 0)
    assert done.evidence[5] == pytest.approx(0, abs=1e-12)
    assert ep_mean[5] == pytest.approx(np.zeros(3), abs=1e-12)
    assert ep_cov[5] == pytest.approx(EQUI3, abs=1e-12)
    # one answered dimension: its posterior is one-dimensional quadrature, the rest follows by regression
    alone = c.log_likes(grid())[2][4] + normal_log_weights(grid())
    weight = np.exp(alone - alone.max())
    centre = weight @ grid() / weight.sum()
    assert ep_mean[4] == pytest.approx(EQUI3[2] * centre, abs=1e-9)


def test_five_dimensions_against_importance_sampling():
    cov = np.full((5, 5), 0.5) + 0.5 * np.eye(5)
    c = case(40, cov, 8, seed=7)
    done, mean, post, _ = by_ep(c)
    off = np.array([done.evidence[i] - importance(c, i, mean[i], post[i], 13) for i in range(40)])
    # measured: mean 2e-5, largest 7e-5, the sampler's own error included
    assert abs(off.mean()) < 5e-5
    assert np.abs(off).max() < 2e-4


def test_independent_dimensions_are_one_dimensional_quadrature():
    c = case(120, np.eye(2), 4, seed=8, missing=0.1)
    nodes = grid()
    done, *_ = by_ep(c)
    total, counts = 0.0, np.zeros_like(done.counts)
    one, zero = np.ones(120), np.zeros(120, dtype=np.int64)
    for d in range(2):
        own = np.flatnonzero(c.dim == d)
        starts = np.concatenate([[0], np.cumsum(c.n_cat[own])])
        rows = np.concatenate([np.arange(c.starts[j], c.starts[j + 1]) for j in own])
        alone = e_step(c.x[:, own], c.log_prob(nodes)[rows], normal_log_weights(nodes)[None], zero, one, starts)
        total += alone.loglik
        counts[rows] = alone.counts
    assert done.loglik == pytest.approx(total, abs=1e-6)  # 61 nodes end at six standard deviations
    assert np.abs(done.counts - counts).max() < 1e-6


def test_groups_with_their_own_populations_match_the_product_grid():
    cov = np.stack([PAIR, [[0.6, -0.2], [-0.2, 1.5]]])
    c = case(80, cov, 5, seed=9, groups=2, mean=[[0.0, 0.0], [0.8, -0.5]])
    exact, mean, _ = dense(c)
    done, ep_mean, _, _ = by_ep(c, grid(81, 8.0))
    assert np.abs(done.evidence - exact).max() < 2e-3
    assert np.abs(ep_mean - mean).max() < 2e-2
    for g in range(2):
        assert done.first[g] == pytest.approx(ep_mean[c.group == g].sum(axis=0), abs=1e-8)
        assert done.mass[g] == np.sum(c.group == g)


@pytest.mark.parametrize("model", ["3pl", "nominal"])
def test_items_whose_likelihood_is_not_log_concave(model):
    """A wrong answer to an easy item can widen the posterior: sites of negative precision are allowed."""
    n, per, n_cat = (4000, 2, 2) if model == "3pl" else (150, 4, 5)
    c = case(n, PAIR, per, model=model, n_cat=n_cat, seed=10)
    first = np.unique(c.x, axis=0, return_index=True)[1]
    c = replace(c, x=c.x[first], group=c.group[first], theta=c.theta[first])
    exact, mean, _ = dense(c)
    done, ep_mean, ep_cov, sites = by_ep(c)
    assert done.unsettled == 0
    assert np.isfinite(done.evidence).all()
    assert np.linalg.eigvalsh(ep_cov).min() > 0
    assert np.abs(done.evidence - exact).max() < 5e-3
    assert np.abs(ep_mean - mean).max() < 5e-2
    if model == "3pl":
        assert (sites[0] < 0).any()


def test_error_of_the_evidence_is_exact_for_two_dimensions():
    """Pairs of dimensions are all there are: the correction gives the product grid's evidence."""
    c = case(100, PAIR, 3, seed=3, slope=2.0)
    exact, *_ = dense(c, n_nodes=141, limit=8.0)
    nodes, form = grid(161, 8.0), c.form()
    log_prob = c.log_prob(nodes)
    done = ep_pass(form, log_prob, nodes, c.population, form.no_sites())
    (_, persons), *_ = ep_posteriors(form, log_prob, nodes, c.population, form.no_sites())
    error = evidence_error(persons, nodes)
    off = done.evidence - exact
    assert np.abs(off).max() > 1e-4  # there is something to correct
    assert np.abs(off - error).max() < 1e-6


def test_error_of_the_evidence_is_right_to_second_order_for_three():
    c = case(40, EQUI3, 3, seed=4, slope=2.0)
    exact, *_ = dense(c, n_nodes=61)
    nodes, form = grid(), c.form()
    log_prob, sites = c.log_prob(nodes), form.no_sites()
    done = ep_pass(form, log_prob, nodes, c.population, sites)
    (_, persons), *_ = ep_posteriors(form, log_prob, nodes, c.population, sites)
    off = done.evidence - exact
    assert np.abs(off - evidence_error(persons, nodes)).max() < 0.2 * np.abs(off).max()


def test_kernel_and_reference_agree():
    for c in (
        case(300, EQUI3, 4, seed=11, missing=0.25),
        case(300, np.stack([PAIR, 2 * PAIR]), 30, seed=12, groups=2, mean=[[0, 0], [1, -1]]),
        case(200, PAIR, 5, model="3pl", n_cat=2, seed=13),
    ):
        form = c.form()
        if form.packed is None:
            pytest.skip("the compiled kernel was not built")
        for nodes in (grid(), grid(121)):
            fast, slow = by_ep(c, nodes)[0], by_ep(c, nodes, compiled=False)[0]
            assert np.abs(fast.evidence - slow.evidence).max() < 1e-10
            assert np.abs(fast.counts - slow.counts).max() < 1e-10
            assert np.abs(fast.second - slow.second).max() < 1e-9
            assert (fast.unsettled, fast.guarded) == (slow.unsettled, slow.guarded) == (0, 0)


def test_patterns_too_unlikely_for_products_fall_back_to_logarithms():
    """Forty steep items answered against each other: every product of probabilities underflows."""
    c = case(5, PAIR, 60, model="2pl", n_cat=2, seed=14, slope=1.0)
    par = c.blocks[0].par.copy()
    par[:, 0], par[:, 1] = 60.0, np.where(np.arange(60) % 2, 300.0, -300.0)
    x = c.x.copy()
    x[0, :60] = np.arange(60) % 2 == 0  # wrong where it is easy, right where it is hard
    c = replace(c, x=x, blocks=(replace(c.blocks[0], par=par), c.blocks[1]))
    done, *_ = by_ep(c)
    assert np.isfinite(done.evidence).all()
    assert done.evidence[0] < -5000
    assert by_ep(c, compiled=False)[0].evidence == pytest.approx(done.evidence, rel=1e-9)


def test_warm_starts_and_samples_do_not_change_a_result():
    c = case(200, EQUI3, 4, seed=15, missing=0.1)
    nodes, form = grid(), c.form()
    log_prob, sites = c.log_prob(nodes), form.no_sites()
    cold = ep_pass(form, log_prob, nodes, c.population, sites)
    sites += np.random.default_rng(1).normal(0, 0.3, sites.shape) * (sites != 0)
    warm = ep_pass(form, log_prob, nodes, c.population, sites)
    assert np.abs(warm.evidence - cold.evidence).max() < 1e-10
    part = some_persons(form, np.arange(0, 200, 7))
    some = ep_pass(part, log_prob, nodes, c.population, part.no_sites())
    assert np.abs(some.evidence - cold.evidence[::7]).max() < 1e-10
    assert one_hot(c.x, c.starts).sum() == pytest.approx(cold.counts.sum())


def test_improper_population_is_refused():
    c = case(10, PAIR, 3, seed=16)
    form = ep_form(c.form().answers, c.dim, 2)
    improper = np.array([[[1.0, 1.2], [1.2, 1.0]]])
    assert ep_pass(form, c.log_prob(grid()), grid(), (c.mean, improper), form.no_sites()) is None

"""Exact identities of linking: a calibration and its own re-expression, chains, moved scores, equated scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import talentassess as ta
from linking_cases import drawn, known, re_expressed
from talentassess.core.derived import item_information
from talentassess.core.likelihood import ItemBlock
from talentassess.linking import METHODS
from talentassess.linking.metric import change_metric
from talentassess.models import all_models
from talentassess.workflow.simulate import simulate

MODELS = sorted(all_models())
FORM = (("2pl", 2, 3), ("3pl", 2, 2), ("graded", 5, 2), ("gpcm", 4, 2))
UNITS, ORIGINS = st.floats(0.4, 2.5), st.floats(-2.0, 2.0)


def block_of(name: str, n_cat: int | None = None, seed: int = 0) -> ItemBlock:
    model = all_models()[name]
    k = n_cat or model.categories[1] or 4
    rng = np.random.default_rng(seed)
    par = np.array([[rng.uniform(*p.typical) for p in model.params(k, 1)] for _ in range(4)])
    return ItemBlock(model, k, np.arange(4), par, (0,), name)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=8)
@given(a=UNITS, b=ORIGINS)
def test_curves_keep_their_shape_on_the_new_metric(name, a, b):
    """P(A theta + B; par') = P(theta; par), information shrinks by A^2, and the way back ends where it began."""
    block, theta = block_of(name), np.linspace(-4, 4, 17)[:, None]
    changed = change_metric(block, a, b)
    moved = replace(block, par=changed.par)
    np.testing.assert_allclose(np.exp(moved.log_prob(a * theta + b)), np.exp(block.log_prob(theta)), atol=1e-12)
    np.testing.assert_allclose(item_information(moved, a * theta + b) * a**2, item_information(block, theta), rtol=1e-8)
    np.testing.assert_allclose(change_metric(moved, 1 / a, -b / a).par, block.par, atol=1e-10)


@pytest.mark.parametrize("name", MODELS)
def test_derivatives_of_the_change_of_metric(name):
    block, a, b, step = block_of(name), 1.3, -0.6, 1e-5
    changed = change_metric(block, a, b)
    by_a = (change_metric(block, a + step, b).par - change_metric(block, a - step, b).par) / (2 * step)
    by_b = (change_metric(block, a, b + step).par - change_metric(block, a, b - step).par) / (2 * step)
    np.testing.assert_allclose(changed.by_link, np.stack([by_a, by_b], axis=2), atol=1e-8)
    for p in range(block.par.shape[1]):
        near = 0.01 * np.eye(block.par.shape[1])[p]
        up = change_metric(replace(block, par=block.par + near), a, b).par
        np.testing.assert_allclose(changed.by_par[:, p], (up - changed.par)[0] / 0.01, atol=1e-10)


def test_slope_intercept_models_move_by_the_textbook_formulas():
    """a' = a / A and b' = A b + B for every difficulty, step and threshold; asymptotes stay."""
    a, b = 1.4, 0.3
    for name in ("2pl", "3pl", "4pl", "graded", "gpcm"):
        block = block_of(name)
        par = change_metric(block, a, b).par
        shown = (block.model.display(p, block.n_cat, 1) for p in (block.par, par))
        before, after = shown
        np.testing.assert_allclose(par[:, 0], block.par[:, 0] / a)
        for key in before:
            expected = a * before[key] + b if key.startswith("b") else before[key]
            np.testing.assert_allclose(after[key], expected, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=5)
@given(a=UNITS, b=ORIGINS, seed=st.integers(0, 50))
def test_a_calibration_linked_to_its_own_re_expression_returns_a_and_b(method, a, b, seed):
    old = drawn(FORM, seed=seed)
    link = ta.link_scales(re_expressed(old, a, b), old, method)
    assert link.status.ok
    assert (pytest.approx(a, rel=1e-8), pytest.approx(b, abs=1e-8)) == (link.A, link.B)


def test_nominal_items_link_by_haebara():
    old = drawn((("nominal", 4, 6),))
    link = ta.link_scales(re_expressed(old, 0.8, 0.5), old, "haebara")
    assert (pytest.approx(0.8, abs=1e-9), pytest.approx(0.5, abs=1e-9)) == (link.A, link.B)
    assert np.isnan([one.difference for one in link.agreement]).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_link_to_oneself_is_the_identity_without_error(method):
    form = drawn(FORM)
    link = ta.link_scales(form, form, method)
    assert (pytest.approx(1.0, abs=1e-12), pytest.approx(0.0, abs=1e-12)) == (link.A, link.B)
    np.testing.assert_allclose(link.cov, 0.0, atol=1e-16)
    assert "same_calibration" in {finding.code for finding in link.findings}


@pytest.mark.parametrize("method", METHODS)
def test_the_way_back_is_the_inverse(method):
    """Symmetric criteria and moments do not care which side is called new; errors follow by the delta method."""
    one, two = drawn(FORM, seed=1), drawn(FORM, seed=2)
    there, back = ta.link_scales(one, two, method), ta.link_scales(two, one, method)
    assert pytest.approx(1.0, abs=1e-9) == there.A * back.A
    assert pytest.approx(-back.B / back.A, abs=1e-9) == there.B
    gradient = np.array([[-1 / back.A**2, 0.0], [back.B / back.A**2, -1 / back.A]])
    np.testing.assert_allclose(there.cov, gradient @ back.cov @ gradient.T, rtol=1e-6, atol=1e-12)
    round_trip = ta.chain_links([there, back])
    assert (pytest.approx(1.0, abs=1e-9), pytest.approx(0.0, abs=1e-9)) == (round_trip.A, round_trip.B)
    np.testing.assert_allclose(round_trip.cov, 0.0, atol=1e-12)  # the same estimates there and back


def test_one_direction_does_care():
    one, two = drawn(FORM, seed=1), drawn(FORM, seed=2)
    there, back = ta.link_scales(one, two, symmetric=False), ta.link_scales(two, one, symmetric=False)
    assert abs(there.A * back.A - 1) > 1e-4


def test_a_chain_is_the_composition():
    new, middle, old = (drawn(FORM, seed=s) for s in (1, 2, 3))
    first, second = ta.link_scales(new, middle), ta.link_scales(middle, old)
    chain = ta.chain_links([first, second])
    assert pytest.approx(second.A * first.A, rel=1e-14) == chain.A
    assert pytest.approx(second.A * first.B + second.B, rel=1e-14) == chain.B
    assert chain.method == "chain: stocking-lord, stocking-lord"
    theta = np.array([-1.0, 0.0, 2.0])
    np.testing.assert_allclose(chain.A * theta + chain.B, second.A * (first.A * theta + first.B) + second.B, atol=1e-12)
    assert ta.chain_links([first]) is first


def test_errors_of_a_chain():
    """With a middle calibration of its own for each link the delta method for independent links; shared, it differs."""
    new, middle, old = (drawn(FORM, seed=s) for s in (1, 2, 3))
    twin = replace(middle, latent=replace(middle.latent, mean=middle.latent.mean + 1e-9))
    first, second = ta.link_scales(new, middle), ta.link_scales(twin, old)
    by_first, by_second = second.A * np.eye(2), np.array([[first.A, 0.0], [first.B, 1.0]])
    expected = by_first @ first.cov @ by_first.T + by_second @ second.cov @ by_second.T
    chain = ta.chain_links([first, second])
    np.testing.assert_allclose(chain.cov, expected, rtol=1e-10)
    assert [f.code for f in chain.findings if "chain" in f.code] == ["chain_break"]
    shared = ta.chain_links([first, ta.link_scales(middle, old)])
    assert "chain_break" not in {f.code for f in shared.findings}
    # the middle form's errors enter one link with the sign opposite to the other's
    assert np.all(np.diag(shared.cov) < 0.95 * np.diag(expected))


def test_scores_move_with_the_calibration():
    """Scoring with the moved calibration equals moving the scores; so does the likelihood of every answer pattern."""
    new, old = drawn(FORM, seed=1), drawn(FORM, seed=2)
    link = ta.link_scales(new, old)
    moved = link.apply(new)
    answers = simulate(new, 40, seed=5)
    for method in ("eap", "map", "wle"):
        direct, before = ta.score(moved, answers, method), ta.score(new, answers, method)
        after = link.apply_scores(before, uncertainty=False)
        np.testing.assert_allclose(direct.theta, after.theta, atol=2e-5)  # two quadrature grids
        np.testing.assert_allclose(direct.cov, after.cov, atol=2e-5)
    with_error = link.apply_scores(before)
    at = np.column_stack([before.theta[:, 0], np.ones(40)])
    extra = np.einsum("na,ab,nb->n", at, link.cov, at)
    np.testing.assert_allclose(with_error.cov[:, 0, 0], after.cov[:, 0, 0] + extra)
    assert with_error.provenance.options["link error"] == "included"
    assert (moved.latent.mean[0, 0], moved.latent.cov[0, 0, 0]) == (pytest.approx(link.B), pytest.approx(link.A**2))


def test_covariance_of_a_moved_calibration_against_brute_force():
    """Every estimate moved a little, linked and applied anew: the whole chain of derivatives at once."""
    parts = (("2pl", 2, 3), ("graded", 3, 2))
    new, old = drawn(parts, seed=5), drawn(parts, seed=6)
    moved = ta.link_scales(new, old, "mean-sigma").apply(new)
    total = np.zeros_like(moved.free.cov)
    for which in (0, 1):
        columns = []
        for k in range(len(new.free.values)):
            ends = []
            for step in (1e-5, -1e-5):
                values = (new, old)[which].free.values.copy()
                values[k] += step
                pars = [("2pl", 2, values[:6].reshape(3, 2)), ("graded", 3, values[6:].reshape(2, 3))]
                pair = (known(pars), old) if which == 0 else (new, known(pars))
                ends.append(ta.link_scales(*pair, "mean-sigma").apply(pair[0]).free.values)
            columns.append((ends[0] - ends[1]) / 2e-5)
        gradient = np.array(columns).T
        total += gradient @ (new, old)[which].free.cov @ gradient.T
    np.testing.assert_allclose(moved.free.cov, total, atol=1e-8)
    np.testing.assert_allclose(moved.par_cov[1][0], total[6:9, 6:9], atol=1e-8)
    apart = ta.link_scales(new, old, "mean-sigma").apply(new, uncertainty=False)
    assert apart.free.cov[0, 0] == pytest.approx(0.01 / ta.link_scales(new, old, "mean-sigma").A ** 2)


@pytest.mark.parametrize("equate", [ta.equate_true_scores, ta.equate_observed_scores])
@settings(max_examples=5)
@given(seed=st.integers(0, 100))
def test_equated_scores_rise_from_the_bottom_to_the_top(equate, seed):
    x, y = drawn(FORM, seed=seed), drawn(FORM[:3], seed=seed + 1, prefix="y")
    table = equate(x, y)
    assert (np.diff(table.equated) > -1e-9).all()
    assert -0.5 <= table.equated[0] <= table.equated[-1] <= table.max_y + 0.5
    assert (table.se >= 0).all()

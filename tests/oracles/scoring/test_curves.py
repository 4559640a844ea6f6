"""Characteristic and information curves with errors: base R on LSAT6, finite differences, formulas written by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

import talentassess as ta
from scoring_cases import made_form
from shared_data import counted
from talentassess.calibration import calibrate
from talentassess.core.errors import ScoringError
from talentassess.core.parameter_map import map_parameters, moved
from talentassess.scoring.curves import characteristic_curves
from talentassess.workflow.simulate import simulate

# lsat6_difficulty.txt, written by lsat6_difficulty.R: kind, item or theta, value, standard error
LINES = [line.split() for line in (Path(__file__).parent / "lsat6_difficulty.txt").read_text().splitlines()]


@pytest.fixture(scope="module")
def lsat6():
    return calibrate(counted("lsat6.csv"), "2pl")


@pytest.fixture(scope="module")
def mixed():
    """Two scales: 3PL with graded items, rating scale items with a common design."""
    people = simulate(made_form([("3pl", 4, 2), ("graded", 4, 4), ("gpcm", 4, 3)], seed=3), 700, seed=3)
    people = replace(people, scales=("first",) * 8 + ("second",) * 4)
    models = {f"i{j}": "3pl" if j < 5 else "graded" if j < 9 else "rsm" for j in range(1, 13)}
    return calibrate(people, models)


def test_difficulties_and_their_errors_equal_those_of_a_fit_in_that_parametrisation(lsat6):
    """R maximises over (a, b) and inverts its own Hessian: no delta method there, one here."""
    for kind, j, value, se in LINES:
        if kind == "b":
            # 5e-5: two optimisers and a numerical Hessian
            assert lsat6.items["b"][int(j) - 1] == pytest.approx(float(value), abs=5e-5)
            assert lsat6.items["se(b)"][int(j) - 1] == pytest.approx(float(se), abs=5e-5)


@pytest.mark.parametrize(("kind", "name"), [("tcc", "expected"), ("info", "information")])
def test_curves_and_their_errors_equal_those_of_base_r(lsat6, kind, name):
    rows = [(float(t), float(value), float(se)) for k, t, value, se in LINES if k == kind]
    curves = characteristic_curves(lsat6, [t for t, _, _ in rows])
    assert len(rows) == 3
    np.testing.assert_allclose(getattr(curves, name)[0], [value for _, value, _ in rows], atol=1e-5)
    np.testing.assert_allclose(getattr(curves, f"{name}_se")[0], [se for _, _, se in rows], atol=1e-5)


def test_graded_and_partial_credit_thresholds_have_their_delta_errors(mixed):
    """b = -d / a and b_k = -(d_k - d_(k-1)) / a, differentiated by hand; g = expit(v) likewise."""
    items = mixed.items
    for block, cov in zip(mixed.blocks, mixed.par_cov, strict=True):
        for row, j in enumerate(block.items):
            a, d, v = block.par[row, 0], block.par[row, 1:], cov[row]
            if block.model.name == "graded":
                gradient = np.array([d[1] / a**2, 0, -1 / a, 0])
                shown = items["se(b2)"][j]
            elif block.model.name == "gpcm":
                gradient = np.array([(d[1] - d[0]) / a**2, 1 / a, -1 / a])
                shown = items["se(b2)"][j]
            else:
                g = expit(d[1])
                gradient = np.array([0, 0, g * (1 - g)])
                shown = items["se(g)"][j]
            assert shown == pytest.approx(np.sqrt(gradient @ v @ gradient), rel=1e-6)


def test_an_item_of_the_2pl_by_hand(lsat6):
    theta = np.array([-2.0, 0.0, 1.5])
    curves = characteristic_curves(lsat6, theta)
    a, d = lsat6.blocks[0].par[2]
    p = expit(a * theta + d)
    by_expected = p * (1 - p) * np.array([theta, np.ones(3)])
    by_information = np.array([2 * a * p * (1 - p), np.zeros(3)]) + a**2 * (1 - 2 * p) * by_expected
    cov = lsat6.par_cov[0][2]
    np.testing.assert_allclose(curves.item_expected[2], p, atol=1e-12)
    np.testing.assert_allclose(curves.item_information[2], a**2 * p * (1 - p), atol=1e-12)
    for shown, by in ((curves.item_expected_se, by_expected), (curves.item_information_se, by_information)):
        np.testing.assert_allclose(shown[2], np.sqrt(np.einsum("pq,pr,rq->q", by, cov, by)), rtol=1e-8)


def test_errors_equal_finite_differences_by_every_estimate(mixed):
    theta = np.linspace(-3, 3, 7)
    curves = characteristic_curves(mixed, theta)
    layout, cov, step = map_parameters(mixed), mixed.free.cov, 1e-5
    for name in ("expected", "information", "sem"):
        ends = [
            [getattr(characteristic_curves(moved(mixed, layout, s * step * unit), theta), name) for s in (1, -1)]
            for unit in np.eye(len(cov))
        ]
        gradient = np.stack([(up - down) / (2 * step) for up, down in ends], axis=2)
        expected = np.sqrt(np.einsum("dqf,fg,dqg->dq", gradient, cov, gradient))
        np.testing.assert_allclose(getattr(curves, f"{name}_se"), expected, rtol=1e-6)


def test_the_tables_carry_curves_and_the_simulated_mark(mixed):
    curves = characteristic_curves(mixed, [-1.0, 1.0])
    tests, items = curves.to_frame(), curves.to_frame("items")
    assert tests["dimension"].tolist() == ["first", "first", "second", "second"]
    np.testing.assert_array_equal(tests["sem"], curves.sem.ravel())
    assert set(tests["SIMULATED"]) == {"SIMULATED"}
    assert items["item"].tolist()[:4] == ["i1", "i1", "i2", "i2"]
    np.testing.assert_allclose(curves.item_expected[:8].sum(axis=0), curves.expected[0])
    assert repr(curves) == "CharacteristicCurves(first, second; 12 items, theta -1 to 1; SIMULATED)"
    assert characteristic_curves(mixed).theta.shape == (81,)


def test_without_standard_errors_the_curves_say_so():
    curves = characteristic_curves(made_form([("2pl", 4, 2)]), [0.0])
    assert np.isfinite(curves.information).all()
    assert np.isnan(curves.information_se).all()
    assert np.isnan(curves.sem_se).all()
    (finding,) = curves.findings
    assert finding.code == "curves_without_errors"
    assert "has no estimated parameters" in finding.remedy


def test_nominal_items_have_information_but_no_expected_score():
    people = simulate(made_form([("nominal", 5, 3)], seed=2), 600, seed=2)
    curves = characteristic_curves(calibrate(people, "nominal"), [0.0])
    assert np.isnan(curves.expected).all()
    assert np.isfinite(curves.information_se).all()
    assert [f.code for f in curves.findings] == ["no_expected_score"]
    assert "5 item(s) have categories without an order" in curves.findings[0].message


def test_bad_theta_is_refused(lsat6):
    with pytest.raises(ScoringError, match=r"one row of finite numbers; found shape \(1, 2\)"):
        characteristic_curves(lsat6, [[0.0, 1.0]])
    block = replace(lsat6.blocks[0], dims=(0, 1))
    with pytest.raises(ScoringError, match="Item_1 measures several"):
        characteristic_curves(replace(lsat6, blocks=(block,)), [0.0])
    assert ta.characteristic_curves is characteristic_curves

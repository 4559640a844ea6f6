"""Calibrations with testlets against R mirt, against their own likelihood, and what they say about themselves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import talentassess as ta
from shared_data import sat12, verbal_aggression
from talentassess.calibration import Equal, Fixed, NormalPrior, calibrate
from talentassess.core.errors import CalibrationError, ModelError
from talentassess.core.responses import Responses
from talentassess.core.status import Status

MIRT = json.loads((Path(__file__).parent / "mirt_sat12.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def sat():
    answers = sat12(MIRT["key"])
    testlets = {
        f"part {f}": [i for i, s in zip(answers.item_ids, MIRT["specific"], strict=True) if s == f] for f in (1, 2, 3)
    }
    return calibrate(answers, "2pl", testlets=testlets, se="crossprod", tol=1e-4)


def test_sat12_parameters_agree_with_mirt(sat):
    """Its own test takes 1e-2 relative; ours converge further, and flat directions differ by more: up to 0.15 SE."""
    expected, own, errors = np.array(MIRT["estimates"]), np.empty((32, 3)), np.empty((32, 3))
    for block, cov in zip(sat.blocks, sat.par_cov, strict=True):
        own[block.items], errors[block.items] = block.par, np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
    assert sat.status is Status.CONVERGED
    assert np.max(np.abs(own - expected) / errors) < 0.2
    assert np.sqrt(np.mean((own - expected) ** 2)) < 0.05
    assert np.median(np.abs(own - expected)) < 0.01


def test_sat12_cross_product_errors_agree_with_mirt(sat):
    expected = np.array(MIRT["errors"])
    own = np.empty((32, 3))
    for block, cov in zip(sat.blocks, sat.par_cov, strict=True):
        own[block.items] = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
    ratio = own / expected
    assert np.median(np.abs(ratio - 1)) < 0.01
    assert np.all(np.abs(ratio[np.abs(expected) < 0.3] - 1) < 0.1)


def test_sat12_results_name_their_dimensions(sat):
    assert sat.dimensions == ("scale", "part 1", "part 2", "part 3")
    assert sat.items["dimension"][:3] == ["scale+part 2", "scale+part 3", "scale+part 2"]
    assert {"Item.1.slope", "Item.1.specific_slope", "Item.1.intercept"} <= set(sat.free.names)
    assert sat.n_free == 96
    np.testing.assert_array_equal(sat.latent.cov, np.eye(4)[None])
    assert "part 1: Item.7, Item.9" in sat.provenance.options["testlets"]
    codes = {f.code: f for f in sat.audit}
    assert "uncorrelated with the general one" in codes["orthogonal_testlets"].message
    assert float(codes["node_doubling"].message.split()[-1].rstrip(".")) < 1e-2


SITUATIONS = ("S1", "S2", "S3", "S4")


def situations(answers: Responses) -> dict[str, list[str]]:
    return {s: [item for item in answers.item_ids if item.startswith(s)] for s in SITUATIONS}


@pytest.fixture(scope="module")
def rasch_testlets():
    """Verbal aggression: six answers to each of four situations (De Boeck & Wilson 2004)."""
    answers = verbal_aggression(dichotomous=True)
    return calibrate(answers, "rasch", testlets=situations(answers))


def test_rasch_testlets_have_one_specific_standard_deviation_each(rasch_testlets):
    c = rasch_testlets
    assert c.status is Status.CONVERGED
    assert c.n_free == 24 + 4 + 1  # difficulties, specific sds, general sd
    for block in c.blocks:
        assert np.all(block.par[:, 0] == 1.0)
        assert np.ptp(block.par[:, 1]) == 0.0
        assert block.par[0, 1] > 0
    shared = [name for name in c.free.names if name.startswith("specific_slope")]
    assert shared[0] == "specific_slope (common to 6 items: S1WantCurse ... S1DoShout)"


def test_rasch_testlets_fit_better_than_rasch_by_more_than_four_parameters(rasch_testlets):
    answers = verbal_aggression(dichotomous=True)
    plain = calibrate(answers, "rasch", se=None)
    # R mirt 1.47 gives -4036.90965 on a grid that cuts the tails of a latent sd of 1.4; see oracles/calibration
    assert plain.loglik == pytest.approx(-4036.90965, abs=6e-3)
    assert rasch_testlets.loglik > plain.loglik + 50
    assert rasch_testlets.bic < plain.bic


def test_from_answers_to_a_report(rasch_testlets, tmp_path):
    """The whole way of a user: calibrate with testlets, look at the audit, score, report."""
    answers = verbal_aggression(dichotomous=True)
    assert [f.where for f in rasch_testlets.audit if f.code == "idle_testlet"] == ["S1"]
    scores = ta.score(rasch_testlets, answers)
    assert scores.dimensions == ("scale", *SITUATIONS)
    # without testlets the general trait seems more reliable than it is: .874 (R mirt: .8736) against .824
    assert 0.80 < scores.reliability[0] < 0.84
    page = ta.report(rasch_testlets).save(tmp_path / "report.html")
    assert "Items of &#39;S1&#39; measure a second dimension (testlets)" in page.read_text(encoding="utf-8")


def test_specific_slopes_fixed_at_zero_are_the_unidimensional_calibration():
    answers = verbal_aggression(dichotomous=True)
    zero = calibrate(answers, "2pl", testlets=situations(answers), constraints=[Fixed("specific_slope", 0.0)], se=None)
    plain = calibrate(answers, "2pl", se=None)
    # both grids are fine enough for 1e-3
    assert zero.loglik == pytest.approx(plain.loglik, abs=1e-3)
    assert zero.n_free == plain.n_free
    slopes = np.concatenate([b.par[np.argsort(b.items), 0] for b in zero.blocks])
    order = np.concatenate([np.sort(b.items) for b in zero.blocks])
    np.testing.assert_allclose(slopes[np.argsort(order)], plain.blocks[0].par[:, 0], atol=1e-3)


def dependent(n: int = 400, seed: int = 3) -> Responses:
    """SIMULATED: eight dichotomous items, the first five of which share a second dimension."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 1)) + np.where(np.arange(8) < 5, 1.0, 0.0) * rng.normal(size=(n, 1))
    x = (rng.random((n, 8)) < 1 / (1 + np.exp(-1.3 * z))).astype(int)
    return Responses(x=x, n_cat=[2] * 8, item_ids=[f"q{j}" for j in range(8)], person_ids=range(n))


def test_specific_dimensions_point_upwards_whatever_the_start():
    from talentassess.calibration.optimise import maximise
    from talentassess.calibration.problem import build_problem
    from talentassess.calibration.testlet_audit import orient

    answers = dependent()
    problem = build_problem(
        answers,
        dict.fromkeys(answers.item_ids, "1pl"),
        groups=None, constraints=(), priors=None,
        testlets={"t": answers.item_ids[:5]},
    )  # fmt: skip
    start = problem.start()
    specific = [f for f, name in enumerate(problem.names) if name.startswith("specific_slope")]
    start[specific] *= -1
    path = maximise(problem, tol=1e-6, max_steps=200, report=lambda _: None, dimension="d", start=start)
    turned = orient(path)
    assert path.last.free[specific[0]] < -0.5
    assert turned.last.free[specific[0]] == -path.last.free[specific[0]]
    assert turned.last.value == pytest.approx(path.last.value, abs=1e-9)
    assert orient(turned) is turned


def test_one_slope_for_all_ties_general_and_specific_slopes():
    answers = dependent()
    c = calibrate(answers, "1pl", testlets={"t": answers.item_ids[:5]})
    assert c.n_free == 1 + 1 + 8
    assert c.status is Status.CONVERGED


def test_testlets_of_two_items_are_flagged_and_tied_ones_are_not():
    answers = dependent()
    loose = calibrate(answers, "2pl", testlets={"pair": answers.item_ids[:2]}, se=None, max_steps=40)
    assert any(f.code == "small_testlet" and f.where == "pair" for f in loose.audit)
    tied = calibrate(
        answers, "2pl", testlets={"pair": answers.item_ids[:2]},
        constraints=[Equal("specific_slope", answers.item_ids[:2])],
    )  # fmt: skip
    assert not any(f.code == "small_testlet" for f in tied.audit)
    assert tied.status is Status.CONVERGED


def test_a_testlet_without_dependence_is_called_idle():
    rng = np.random.default_rng(9)
    z = rng.normal(size=(500, 1))
    x = (rng.random((500, 8)) < 1 / (1 + np.exp(-1.3 * z))).astype(int)
    answers = Responses(x=x, n_cat=[2] * 8, item_ids=[f"q{j}" for j in range(8)], person_ids=range(500))
    c = calibrate(answers, "1pl", testlets={"none": answers.item_ids[:4]})
    idle = [f for f in c.audit if f.code == "idle_testlet"]
    assert [f.where for f in idle] == ["none"]
    assert "differs from zero by two standard errors" in idle[0].message


def test_testlets_belong_to_their_dimension():
    answers = dependent()
    dims = {"first": answers.item_ids[:5], "second": answers.item_ids[5:]}
    c = calibrate(answers, "1pl", dimensions=dims, testlets={"t": answers.item_ids[:3]}, se=None)
    assert c.dimensions == ("first", "t", "second")
    assert sorted({b.dims for b in c.blocks}) == [(0,), (0, 1), (2,)]
    assert c.latent.cov.shape == (1, 3, 3)
    assert c.dimension_of("q7") == "second"


@pytest.mark.parametrize(
    ("testlets", "said"),
    [
        ({"t": ["q0", "q99"]}, "unknown item 'q99'"),
        ({"t": ["q0"]}, r"testlet 't' has 1 item\(s\)"),
        ({"t": ["q0", "q1"], "u": ["q1", "q2"]}, "item 'q1' is listed 2 times"),
        ({"t": ["q0", "q6"]}, "testlet 't' has items of the dimensions first and second"),
        ({"first": ["q0", "q1"]}, "testlet 'first' has the name of a dimension"),
        ({"t": "q0"}, "testlet 't' is a single text, not a list"),
    ],
)
def test_testlets_that_do_not_fit_are_refused(testlets, said):
    answers = dependent()
    dims = {"first": answers.item_ids[:5], "second": answers.item_ids[5:]}
    with pytest.raises(CalibrationError, match=said):
        calibrate(answers, "2pl", dimensions=dims, testlets=testlets)


def test_models_without_a_specific_slope_are_refused():
    answers = dependent()
    for model in ("nominal", "rsm"):
        with pytest.raises(ModelError, match=f"Item 'q0' of testlet 't' has model '{model}', which takes no specific"):
            calibrate(answers, model, testlets={"t": ["q0", "q1", "q2"]})


def test_anchors_and_the_second_engine_do_not_take_testlets():
    answers = dependent()
    testlets = {"t": ["q0", "q1", "q2"]}
    plain = calibrate(answers, "1pl", se=None)
    with pytest.raises(ModelError, match="Anchors and testlets do not go together yet: fix the parameters"):
        calibrate(answers, "1pl", anchors=plain, testlets=testlets)
    with pytest.raises(ModelError, match="engine='girth' does not know testlets"):
        calibrate(answers, "2pl", engine="girth", testlets=testlets)
    bifactor = calibrate(answers, "1pl", testlets=testlets, se=None)
    with pytest.raises(CalibrationError, match="The anchors have testlets"):
        calibrate(answers, "1pl", anchors=bifactor)


def test_constraints_and_priors_know_the_specific_slope():
    answers = dependent()
    testlets = {"t": ["q0", "q1", "q2"]}
    c = calibrate(
        answers, "2pl", testlets=testlets, se=None,
        constraints=[Fixed("specific_slope", 0.7, ["q0", "q1", "q2"])], priors={"slope": NormalPrior(1.0, 0.5)},
    )  # fmt: skip
    block = next(b for b in c.blocks if len(b.dims) == 2)
    assert np.all(block.par[:, 1] == 0.7)
    with pytest.raises(ModelError, match="No item has a parameter 'specific_slope'"):
        calibrate(answers, "2pl", constraints=[Fixed("specific_slope", 0.7)])

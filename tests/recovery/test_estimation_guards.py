"""Where estimation is hardest: steep asymptotes, wide populations, unidentified forms, anchors, ties. All SIMULATED."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shared_data import counted, make_responses
from talentassess.calibration import Equal, Fixed, LogNormalPrior, NormalPrior, calibrate
from talentassess.calibration.objective import evaluate
from talentassess.calibration.problem import build_problem
from talentassess.core.calibration import Calibration, FreeParameters, Latent
from talentassess.core.derived import suited_grid
from talentassess.core.errors import CalibrationError, ModelError, ScoringError
from talentassess.core.likelihood import ItemBlock
from talentassess.core.provenance import Provenance
from talentassess.core.quadrature import grid
from talentassess.core.status import Status
from talentassess.models import find_model
from talentassess.scoring import score
from talentassess.workflow.simulate import simulate


def known(model: str, par: np.ndarray, n_cat: int, mean: float = 0.0, sd: float = 1.0) -> Calibration:
    """Return a calibration with these parameters, for simulation and scoring."""
    block = ItemBlock(find_model(model)[0], n_cat, np.arange(len(par)), np.asarray(par, dtype=float), (0,), model)
    return Calibration(
        item_ids=tuple(f"q{j}" for j in range(len(par))),
        n_cat=np.full(len(par), n_cat),
        dimensions=("trait",),
        blocks=(block,),
        par_cov=(np.zeros((*block.par.shape, block.par.shape[1])),),
        latent=Latent(("all",), np.array([[mean]]), np.array([[[sd**2]]])),
        free=FreeParameters((), np.empty(0), np.empty((0, 0))),
        loglik=float("nan"),
        n_persons=0,
        n_steps=0,
        status=Status.NOT_CHECKED,
        trace=(),
        audit=(),
        provenance=Provenance("guard study", simulated=True),
    )


def rasch(n_items: int, sd: float = 1.0) -> Calibration:
    return known("rasch", np.column_stack([np.ones(n_items), np.linspace(4, -4, n_items)]), 2, sd=sd)


@pytest.mark.parametrize("model", ["3pl", "4pl"])
def test_derivatives_stay_finite_for_steep_items_far_out(model):
    tail = [-1.4] if model == "3pl" else [-1.4, 3.0]
    par, theta = np.array([[25.0, 0.0, *tail], [3.0, 5.0, *tail]]), np.array([[-15.0], [15.0]])
    found, _ = find_model(model)
    for part in (found.log_prob, found.d_par, found.d_theta):
        assert np.isfinite(part(theta, par, 2)).all()


def test_map_and_wle_exist_for_everybody_under_the_3pl():
    rng = np.random.default_rng(0)
    par = np.column_stack([rng.uniform(0.8, 2, 20), rng.normal(size=20), np.full(20, -1.4)])
    par[0, 0] = 3.0
    form = known("3pl", par, 2)
    people = simulate(form, 200, seed=1)
    for method in ("map", "wle"):
        assert np.isfinite(score(form, people, method).theta).all()


@pytest.mark.parametrize("sd", [2.0, 4.0])
def test_a_wide_population_gets_a_wide_grid(sd):
    """Rasch with free variance equals the one-slope 2PL (exact identity), which needs no wide grid."""
    answers = simulate(rasch(20), 3000, seed=3, theta=np.random.default_rng(1).normal(scale=sd, size=(3000, 1)))
    fitted, common = calibrate(answers, "rasch"), calibrate(answers, "1pl")
    assert fitted.status is Status.CONVERGED
    assert fitted.loglik == pytest.approx(common.loglik, abs=1e-2)
    se = np.sqrt(fitted.free.cov[-1, -1])
    assert abs(np.log(np.sqrt(fitted.latent.cov[0, 0, 0])) - np.log(sd)) < 4 * se


def test_scores_in_a_wide_population_match_a_fine_and_wide_integration():
    form = rasch(20, sd=3.0)
    best = make_responses(np.ones((1, 20)), list(form.item_ids), 2)
    nodes = np.linspace(-40, 40, 8001)
    log_p = form.blocks[0].log_prob(nodes[:, None])[:, :, 1].sum(axis=1) - 0.5 * (nodes / 3.0) ** 2
    weight = np.exp(log_p - log_p.max())
    mean = np.average(nodes, weights=weight)
    sd = np.sqrt(np.average((nodes - mean) ** 2, weights=weight))
    result = score(form, best)
    assert (result.theta[0, 0], result.se[0, 0]) == pytest.approx((mean, sd), abs=1e-4)


def test_a_very_informative_form_gets_a_fine_grid():
    par = np.column_stack([np.full(300, 3.0), np.linspace(6, -6, 300)])
    block = known("2pl", par, 2).blocks
    assert len(suited_grid(block, np.zeros(1), np.ones(1))) > 61
    assert len(suited_grid(rasch(20).blocks, np.zeros(1), np.ones(1))) == 61


def test_perfect_patterns_have_no_ml_whatever_the_slopes():
    for slope in (1.0, 2.5, 4.0, 20.0):
        form = known("2pl", np.column_stack([np.full(10, slope), np.linspace(-1, 1, 10)]), 2)
        ends = make_responses(np.array([[0] * 10, [1] * 10]), list(form.item_ids), 2)
        result = score(form, ends, "ml")
        assert result.theta[:, 0].tolist() == [-np.inf, np.inf]
        assert {s[0] for s in result.status} == {Status.EXTREME_PATTERN}


@pytest.mark.parametrize(
    ("model", "n_items", "n_cat"), [("2pl", 1, 2), ("2pl", 2, 2), ("graded", 1, 4), ("rasch", 1, 2)]
)
def test_forms_that_cannot_be_identified_never_converge(model, n_items, n_cat):
    rng = np.random.default_rng(5)
    answers = make_responses(rng.integers(0, n_cat, size=(300, n_items)), None, n_cat)
    for se in ("oakes", None):
        fitted = calibrate(answers, model, se=se)
        assert not fitted.status.ok
        assert "more_parameters_than_data" in {finding.code for finding in fitted.audit}


def test_an_unused_category_keeps_its_standard_errors_in_large_samples():
    """Adjacent intercepts lie closer than the usual difference step; compared with differences of the gradient."""
    par = np.column_stack([np.full(6, 1.2), np.full(6, 1.5), np.full(6, 0.2), np.full(6, -1.4)])
    answers = simulate(known("graded", par, 4), 20_000, seed=2)
    x = answers.x.copy()
    x[x[:, 0] == 2, 0] = 1
    holed = replace(answers, x=x, provenance=replace(answers.provenance, data_hash=""))
    fitted = calibrate(holed, "graded")
    assert fitted.status is Status.CONVERGED
    models = dict.fromkeys(holed.item_ids, "graded")
    problem = build_problem(holed, models, groups=None, constraints=(), priors=None)
    step, size = 2e-6, len(fitted.free.values)
    rows = [
        (evaluate(problem, fitted.free.values + e).gradient - evaluate(problem, fitted.free.values - e).gradient)
        / (2 * step)
        for e in step * np.eye(size)[:4]
    ]
    from talentassess.calibration.standard_errors import complete_information, prior_information

    observed = -np.array(rows)[:, :4]
    at = evaluate(problem, fitted.free.values)
    inverse = np.linalg.inv(fitted.free.cov)[:4, :4]
    np.testing.assert_allclose(inverse, observed, rtol=2e-3, atol=1e-3 * np.abs(observed).max())
    assert np.isfinite(complete_information(problem, at, problem.structure) + prior_information(problem, at)).all()


@pytest.mark.parametrize("kind", ["crossprod", "sandwich"])
def test_squared_scores_know_no_errors_of_an_unused_category_and_say_so(kind):
    par = np.column_stack([np.full(6, 1.2), np.full(6, 1.5), np.full(6, 0.2), np.full(6, -1.4)])
    answers = simulate(known("graded", par, 4), 1000, seed=2)
    x = answers.x.copy()
    x[x[:, 0] == 0, 0] = 1
    holed = replace(answers, x=x, provenance=replace(answers.provenance, data_hash=""))
    fits = {se: calibrate(holed, "graded", se=se) for se in ("oakes", kind)}
    errors = {se: np.sqrt(np.diag(fit.free.cov)) for se, fit in fits.items()}
    touched = np.array([name.startswith("q0.") for name in fits[kind].free.names])
    assert np.isnan(errors[kind][touched]).all()
    assert np.isfinite(errors["oakes"]).all()
    np.testing.assert_allclose(errors[kind][~touched], errors["oakes"][~touched], rtol=0.15)
    assert "errors_unknown" in {finding.code for finding in fits[kind].audit}


def test_lognormal_prior_errors_are_those_of_the_posterior_mode():
    answers = counted("lsat7.csv").take(np.arange(0, 1000, 3))
    fitted = calibrate(answers, "2pl", priors={"slope": LogNormalPrior(0.0, 0.3)})
    priors = {"slope": LogNormalPrior(0.0, 0.3)}
    models = dict.fromkeys(answers.item_ids, "2pl")
    problem = build_problem(answers, models, groups=None, constraints=(), priors=priors)
    step, size = 1e-4, len(fitted.free.values)
    hessian = np.array(
        [
            (evaluate(problem, fitted.free.values + e).gradient - evaluate(problem, fitted.free.values - e).gradient)
            / (2 * step)
            for e in step * np.eye(size)
        ]
    )
    np.testing.assert_allclose(np.linalg.inv(-hessian), fitted.free.cov, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("model", ["rasch", "1pl", "pcm"])
def test_anchors_work_with_constrained_models(model):
    n_cat = 3 if model == "pcm" else 2
    slope = 1.3 if model == "1pl" else 1.0
    rest = [np.linspace(1, -1, 12)] if n_cat == 2 else [np.linspace(1, -1, 12), np.linspace(0.6, -0.8, 12)]
    form = known("gpcm" if n_cat == 3 else "2pl", np.column_stack([np.full(12, slope), *rest]), n_cat)
    first = calibrate(simulate(form, 2000, seed=1).select([f"q{j}" for j in range(8)]), model)
    later = simulate(form, 2000, seed=2, theta=np.random.default_rng(4).normal(0.6, 0.9, size=(2000, 1)))
    linked = calibrate(later, model, anchors=first)
    np.testing.assert_allclose(linked.blocks[0].par[:8], first.blocks[0].par, atol=1e-12)
    assert linked.latent.mean[0, 0] == pytest.approx(0.6, abs=0.2)
    assert linked.status is Status.CONVERGED


def test_anchors_of_another_model_or_other_categories_are_refused():
    answers = counted("lsat6.csv")
    anchors = calibrate(answers, "2pl")
    with pytest.raises(CalibrationError, match=f"item '{answers.item_ids[0]}': anchored as 2pl with 2, now 3pl with 2"):
        calibrate(answers, "3pl", anchors=anchors)


def test_a_constant_item_may_be_anchored():
    answers = counted("lsat6.csv")
    anchors = calibrate(answers, "2pl")
    passed = answers.take(np.flatnonzero(answers.x[:, 0] == 1))
    assert calibrate(passed, "2pl", anchors=anchors).blocks[0].par[0, 0] == anchors.blocks[0].par[0, 0]


def test_one_slope_is_one_slope_across_numbers_of_categories():
    rng = np.random.default_rng(1)
    theta = rng.normal(size=(800, 1))
    three = simulate(
        known("graded", np.column_stack([np.full(4, 1.2), np.full(4, 1.0), np.full(4, -1.0)]), 3),
        800,
        seed=1,
        theta=theta,
    )
    par = np.column_stack([np.full(4, 1.2), np.full(4, 1.5), np.full(4, 0.5), np.full(4, -0.5), np.full(4, -1.5)])
    five = simulate(known("graded", par, 5), 800, seed=2, theta=theta)
    both = replace(
        three,
        x=np.column_stack([three.x, five.x]),
        n_cat=np.concatenate([three.n_cat, five.n_cat]),
        item_ids=tuple(f"q{j}" for j in range(8)),
        scales=("trait",) * 8,
        provenance=replace(three.provenance, data_hash=""),
    )
    fitted = calibrate(both, "1pl-graded")
    assert len({block.par[0, 0] for block in fitted.blocks}) == 1
    assert len(set(fitted.free.names)) == fitted.n_free == 1 + 4 * 2 + 4 * 4
    rating = calibrate(both, "rsm")
    assert len(set(rating.free.names)) == rating.n_free


def test_designs_cannot_be_tied_in_silence():
    answers = simulate(
        known("gpcm", np.column_stack([np.ones(5), np.linspace(1, -1, 5), np.linspace(0.5, -1, 5)]), 3), 500, seed=1
    )
    with pytest.raises(ModelError, match="'intercept1' follows the design of its model"):
        calibrate(answers, "rsm", constraints=[Equal("intercept1", ("q0", "q1"))])
    with pytest.raises(ModelError, match="The prior on 'intercept1' has nothing to act on"):
        calibrate(answers, "rsm", priors={"intercept1": NormalPrior(0, 1)})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"tol": 1000.0}, "tol must lie above 0 and be at most 0.01"),
        ({"tol": -1.0}, "tol must lie above 0"),
        ({"max_steps": 0}, "max_steps must be at least 1; found 0"),
        ({"constraints": [Fixed("slope", 400.0)]}, "lies outside the values the parameter may take, -25 to 25"),
        ({"priors": {"slope": 3}}, r"priors\['slope'\] must be a prior"),
        ({"constraints": ["slope"]}, "constraints must be Fixed"),
        ({"engine": "girth", "priors": {"slope": NormalPrior(1, 1)}}, "engine='girth' does not know priors"),
    ],
)
def test_settings_are_checked_before_the_work(arguments, words):
    with pytest.raises(ModelError, match=words):
        calibrate(counted("lsat6.csv"), "2pl", **arguments)


def test_constraint_objects_check_themselves():
    with pytest.raises(ModelError, match="found the single text 'q0'"):
        Fixed("slope", 1.0, items="q0")
    with pytest.raises(ModelError, match="needs a finite value; found nan"):
        Fixed("slope", float("nan"))
    with pytest.raises(ModelError, match=r"Equal\(items=...\) needs at least 2"):
        Equal("slope", items=("q0",))
    with pytest.raises(CalibrationError, match="groups must be True or one label per person"):
        calibrate(counted("lsat6.csv"), "2pl", groups="abab")
    with pytest.raises(CalibrationError, match=r"have no group, e\.g\. '0'"):
        calibrate(counted("lsat6.csv"), "2pl", groups=[None] * 1000)


def test_constraints_across_dimensions():
    answers = counted("lsat6.csv")
    items = answers.item_ids
    parts = {"one": items[:3], "two": items[3:]}
    models = dict.fromkeys(items[:3], "3pl") | dict.fromkeys(items[3:], "rasch")
    with pytest.raises(ModelError, match="ties items of the dimensions one and two"):
        calibrate(answers, "2pl", dimensions=parts, constraints=[Equal("slope", (items[0], items[4]))])
    # a constraint on a parameter that only one dimension has concerns that dimension alone
    fixed = calibrate(answers, models, dimensions=parts, constraints=[Fixed("guessing", -1.4)], se=None)
    assert set(fixed.blocks[0].par[:, 2]) == {-1.4}


def test_one_prior_does_not_switch_the_others_off():
    answers = counted("lsat6.csv")
    both = calibrate(answers, "4pl", priors={"guessing": NormalPrior(-1.0, 0.3)}, se=None)
    (note,) = [finding for finding in both.audit if finding.code == "priors"]
    assert "guessing, upper" in note.message


def test_an_interrupt_stops_the_other_dimensions_too():
    answers = counted("lsat6.csv")
    items = answers.item_ids
    seen = []

    def interrupt(progress):
        seen.append(progress.dimension)
        raise KeyboardInterrupt

    parts = {"one": items[:3], "two": items[3:]}
    stopped = calibrate(answers, "1pl", dimensions=parts, progress=interrupt)
    assert stopped.status is Status.INTERRUPTED
    assert set(seen) == {"one"}


def test_sum_scores_of_unordered_categories_are_refused():
    form = known("nominal", np.column_stack([np.full(5, 0.6), np.full(5, 1.2), np.zeros(5), np.zeros(5)]), 3)
    with pytest.raises(ScoringError, match="its categories are not ordered"):
        score(form, simulate(form, 5, seed=1), "sum-eap")


def test_infinite_errors_stay_off_the_other_dimensions():
    answers = counted("lsat6.csv")
    items = answers.item_ids
    fitted = calibrate(answers, "rasch", dimensions={"one": items[:3], "two": items[3:]}, se=None)
    best = make_responses(np.ones((1, 5)), list(items), 2)
    cov = score(fitted, best, "ml").cov[0]
    assert cov[0, 1] == cov[1, 0] == 0.0
    assert np.isinf(cov[0, 0])


def test_the_grid_of_the_calibration_is_the_usual_one_where_it_suits():
    answers = counted("lsat6.csv")
    problem = build_problem(answers, dict.fromkeys(answers.item_ids, "2pl"), groups=None, constraints=(), priors=None)
    np.testing.assert_array_equal(problem.structure.nodes, grid())


def test_ties_and_priors_that_the_usual_start_breaks_find_another_start():
    """Common intercepts may put other intercepts out of order; a log-normal slope cannot start below 0."""
    par = np.column_stack([np.full(6, 1.2), np.linspace(2.5, 0.5, 6), np.linspace(1.5, -0.5, 6), np.linspace(0, -2, 6)])
    answers = simulate(known("graded", par, 4), 800, seed=2)
    tied = calibrate(answers, "graded", constraints=[Equal("intercept1"), Equal("intercept2"), Equal("intercept3")])
    assert tied.status is Status.CONVERGED
    assert tied.n_free == 6 + 3
    x = answers.x.copy()
    x[:, 0] = 3 - x[:, 0]
    turned = replace(answers, x=x, provenance=replace(answers.provenance, data_hash=""))
    positive = calibrate(turned, "graded", priors={"slope": LogNormalPrior(0.0, 0.5)}, se=None)
    assert (positive.blocks[0].par[:, 0] > 0).all()

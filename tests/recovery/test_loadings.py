"""Within-item calibration: known truth, awkward data, bad input, interruption. All answers here are SIMULATED."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from loading_cases import ITEMS, LOADINGS, simulated
from talentassess.calibration import Equal, Fixed, NormalPrior
from talentassess.calibration.complete_data import (
    observed_item_information,
    pair_information,
    person_scores,
    prior_information,
    prior_slope,
    total_score,
)
from talentassess.calibration.exploratory import explore_dimensions
from talentassess.calibration.loadings import build_loading_problem, free_slope_model
from talentassess.calibration.mhrm import RobbinsMonro
from talentassess.calibration.stochastic import calibrate_loadings
from talentassess.core.errors import CalibrationError, ModelError
from talentassess.core.posterior import Prior, find_modes, log_likelihood
from talentassess.core.responses import Responses
from talentassess.core.status import Status
from talentassess.models import all_models

QUICK = RobbinsMonro(max_cycles=30, samples=40)


GENERAL = np.array([1.2, 1.8, 1.5, 1.0, 2.0, 1.4, 1.6, 1.1, 1.9])
SPECIFIC = np.array([1.3, 1.0, 1.6, 1.5, 1.1, 1.2, 0.0, 0.0, 0.0])  # items 6 to 8 measure the general dimension only


def bifactor(n: int, seed: int) -> Responses:
    """Return SIMULATED graded answers (three categories) to nine items: a general and two specific dimensions."""
    rng = np.random.default_rng(seed)
    specific = rng.standard_normal((n, 3))[:, np.arange(9) // 3]
    line = rng.standard_normal((n, 1)) * GENERAL + specific * SPECIFIC + rng.logistic(size=(n, 9))
    x = (line > -1.0).astype(int) + (line > 0.8)
    return Responses(x=x, n_cat=[3] * 9, item_ids=[f"g{j}" for j in range(9)], person_ids=range(n))


def bifactor_truth(name: str) -> float:
    item, parameter = name.split(".")
    known = {"intercept1": 1.0, "intercept2": -0.8, "slope1": GENERAL[int(item[1])]}
    return float(known.get(parameter, SPECIFIC[int(item[1])]))


def test_bifactor_slopes_are_recovered_within_their_errors():
    answers = bifactor(1000, seed=8)
    items = answers.item_ids
    loadings = {"general": items, "first": items[:3], "second": items[3:6]}
    found = calibrate_loadings(
        answers, "graded", loadings, correlated=False, seed=1, run=RobbinsMonro(samples=150, tol=0.3)
    )
    assert found.status is Status.CONVERGED
    truth = np.array([bifactor_truth(name) for name in found.free.names])
    z = (found.free.values - truth) / np.sqrt(np.diag(found.free.cov))
    # 33 correlated standard normal deviates: their root mean square lies well inside these limits
    assert 0.6 < np.sqrt(np.mean(z**2)) < 1.45
    assert np.abs(z).max() < 4
    np.testing.assert_array_equal(found.latent.cov[0], np.eye(3))


def test_step_limit_and_interruption_are_never_called_converged():
    answers = simulated(150, missing=0.0)
    limited = calibrate_loadings(answers, "2pl", LOADINGS, run=QUICK)
    assert limited.status is Status.MAX_STEPS
    assert np.isfinite(limited.loglik)
    assert any(f.code == "status" and "step limit" in f.message for f in limited.audit)

    def stop(progress):
        raise KeyboardInterrupt

    stopped = calibrate_loadings(answers, "2pl", LOADINGS, run=RobbinsMonro(progress=stop))
    assert stopped.status is Status.INTERRUPTED
    assert np.isfinite(stopped.free.values).all()
    assert np.isnan(stopped.loglik)
    assert any(f.code == "not_looked_at" for f in stopped.audit)


def test_progress_is_reported():
    seen = []
    calibrate_loadings(simulated(150, 0.0), "2pl", LOADINGS, run=replace(QUICK, max_cycles=70, progress=seen.append))
    assert [p.step for p in seen] == [50, 60, 70]
    assert all(p.change > 0 for p in seen)


def test_a_model_the_data_cannot_tell_apart_is_not_called_converged():
    """Two dimensions with the same items and a free correlation: the axes can be turned at no cost."""
    answers = simulated(300, 0.0)
    both = {"one": ITEMS, "two": ITEMS}
    found = calibrate_loadings(answers, "2pl", both, run=RobbinsMonro(max_cycles=300, samples=60))
    assert found.status in (Status.NOT_IDENTIFIED, Status.MAX_STEPS, Status.AT_BOUND)
    assert any(f.code == "status" for f in found.audit)


def test_constraints_priors_and_unused_categories():
    answers = simulated(200, 0.0)
    wider = replace(answers, n_cat=np.array([3] + [2] * 9))
    model = {item: "graded" if item == "q0" else "2pl" for item in ITEMS}
    found = calibrate_loadings(
        wider,
        model,
        LOADINGS,
        correlated=False,
        constraints=[Fixed("slope1", 1.0, ("q1",)), Equal("slope2", ("q6", "q7"))],
        priors={"slope1": NormalPrior(1.0, 0.3)},
        run=QUICK,
    )
    by_item = {ITEMS[j]: (block, row) for block in found.blocks for row, j in enumerate(block.items)}
    assert by_item["q1"][0].par[by_item["q1"][1], 0] == 1.0
    assert by_item["q6"][0].par[by_item["q6"][1], 0] == by_item["q7"][0].par[by_item["q7"][1], 0]
    codes = [f.code for f in found.audit]
    assert "unused_category" in codes
    assert "priors" in codes
    assert "Equal" in found.provenance.options["constraints"]


MODELS = sorted(set(all_models()) - {"ggum", "nested-logit"})


@pytest.mark.parametrize("name", ["ggum", "nested-logit"])
def test_models_without_a_slope_for_each_dimension_are_refused(name):
    with pytest.raises(ModelError, match="has no slope for each of 2 dimensions"):
        free_slope_model(name, 3, 2)


@pytest.mark.parametrize("name", MODELS)
def test_scores_and_information_are_derivatives_of_the_complete_data_likelihood(name):
    """Against central differences of log p(x | theta) + log N(theta), every model, answers missing."""
    model, rng = all_models()[name], np.random.default_rng(2)
    n_cat = model.categories[1] or 3
    x = rng.integers(-1, n_cat, size=(40, 4))
    answers = Responses(x=x, n_cat=[n_cat + (j == 0 and model.categories[1] is None) for j in range(4)],
                        item_ids=list("abcd"), person_ids=range(40), weight=rng.uniform(0.5, 2, 40))  # fmt: skip
    pattern = {"a": (0,), "b": (0, 2), "c": (1, 2), "d": (0, 1, 2)}
    problem = build_loading_problem(
        answers,
        dict.fromkeys("abcd", name),
        pattern,
        ("x", "y", "z"),
        pairs=((0, 1), (1, 2)),
        constraints=(),
        priors=None,
    )
    theta = rng.standard_normal((len(problem.x), 3))
    free = problem.start()
    free[problem.tie.n_free :] = [0.3, -0.2]

    def value(at):
        blocks, latent = problem.unpack(at)
        return problem.weight @ (log_likelihood(blocks, problem.x, theta) + latent.log_density(theta))

    def slope(at):
        blocks, latent = problem.unpack(at)
        return problem.weight @ person_scores(problem, blocks, latent, problem.x, theta)

    def prior_at(at):
        return prior_slope(problem, problem.unpack(at)[0], at)

    blocks, latent = problem.unpack(free)
    units = np.eye(len(free)) * 1e-5
    numeric = np.array([(value(free + u) - value(free - u)) / 2e-5 for u in units])
    np.testing.assert_allclose(slope(free), numeric, atol=1e-5)
    total = total_score(problem, blocks, latent, theta, free)
    np.testing.assert_allclose(total - prior_slope(problem, blocks, free), numeric, atol=1e-5)
    second = -np.column_stack([(slope(free + u) - slope(free - u)) / 2e-5 for u in units])
    k = problem.tie.n_free
    items = observed_item_information(problem, blocks, problem.x, theta, problem.weight)
    np.testing.assert_allclose(items, second[:k, :k], atol=1e-3)
    pairs = pair_information(problem, latent, (theta * problem.weight[:, None]).T @ theta)
    np.testing.assert_allclose(pairs, second[k:, k:], atol=1e-4)
    prior_second = -np.column_stack([
        (prior_at(free + u) - prior_at(free - u)) / 2e-5 for u in units])  # fmt: skip
    np.testing.assert_allclose(prior_information(problem, blocks, free), prior_second[:k, :k], atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_posterior_modes_have_no_slope_left(name):
    model, rng = all_models()[name], np.random.default_rng(3)
    n_cat = model.categories[1] or 4
    answers = Responses(
        x=rng.integers(-1, n_cat, size=(50, 3)), n_cat=[n_cat] * 3, item_ids=list("abc"), person_ids=range(50)
    )
    pattern = {"a": (0,), "b": (0, 1), "c": (0, 1)}
    problem = build_loading_problem(
        answers, dict.fromkeys("abc", name), pattern, ("x", "y"), pairs=(), constraints=(), priors=None
    )
    blocks, _ = problem.unpack(problem.start())
    prior = Prior(np.array([0.2, -0.1]), np.array([[1.0, 0.5], [0.5, 1.3]]))
    modes = find_modes(blocks, problem.x, prior)
    assert modes.found.all()
    for unit in np.eye(2) * 1e-4:
        up, down = (
            log_likelihood(blocks, problem.x, modes.theta + s * unit) + prior.log_density(modes.theta + s * unit)
            for s in (1, -1)
        )
        np.testing.assert_allclose((up - down) / 2e-4, 0.0, atol=2e-4)


def test_constant_items_are_refused_by_name():
    answers = simulated(50, 0.0)
    x = answers.x.copy()
    x[:, 3] = 1
    with pytest.raises(CalibrationError, match="item 'q3': all 50 answers are in category 1"):
        calibrate_loadings(replace(answers, x=x), "2pl", LOADINGS)
    with pytest.raises(CalibrationError, match="item 'q3': all 50 answers are in category 1"):
        explore_dimensions(replace(answers, x=x), 2, "2pl")


def test_an_item_and_its_double_are_pointed_out():
    """One dimension of three items, two of them the same: its slope has no upper end."""
    answers = simulated(150, 0.0).select(["q0", "q1", "q2"])
    x = answers.x.copy()
    x[:, 1] = x[:, 0]
    found = explore_dimensions(replace(answers, x=x), 1, "2pl", run=replace(QUICK, max_cycles=300))
    codes = [(f.code, f.where) for f in found.audit]
    assert ("communality_near_one", "q0") in codes
    assert found.status is not Status.CONVERGED or any(code == "steep_slope" for code, _ in codes)


def refused(kind, match, **changes):
    arguments = {"model": "2pl", "loadings": LOADINGS, **changes}
    with pytest.raises(kind, match=match):
        calibrate_loadings(simulated(30, 0.0), arguments.pop("model"), arguments.pop("loadings"), **arguments)


def test_bad_input_says_what_to_do():
    refused(CalibrationError, "item 'q9' is in no dimension", loadings={"a": ITEMS[:9]})
    refused(CalibrationError, "unknown item 'zz'", loadings={"a": [*ITEMS, "zz"]})
    refused(CalibrationError, "dimension 'b' has no items", loadings={"a": ITEMS, "b": []})
    refused(CalibrationError, "found the single text 'q1'", loadings={"a": ITEMS, "b": "q1"})
    refused(CalibrationError, "loadings is empty", loadings={})
    refused(CalibrationError, r"out of verbal, numeric; found \('verbal', 'art'\)", correlated=[("verbal", "art")])
    refused(ModelError, "'rasch' holds slopes or steps together.*Use '2pl'", model="rasch")
    refused(ModelError, "no parameter 'slope3' to constrain; there are: slope1", constraints=[Fixed("slope3", 1.0)])
    refused(ModelError, "no parameter 'slope2' to constrain for q0", constraints=[Fixed("slope2", 1.0, ("q0",))])
    refused(ModelError, r"must be Fixed\(...\) or Equal\(...\) objects; found 'slope'", constraints=["slope"])
    refused(ModelError, "priors names parameter.s. that no item has: guess", priors={"guess": NormalPrior(0, 1)})


def test_bad_settings_of_an_exploration_say_what_to_do():
    answers = simulated(60, 0.0)
    with pytest.raises(ModelError, match="no rotation 'promax'; choose one of: none, varimax"):
        explore_dimensions(answers, 2, "2pl", rotation="promax")
    with pytest.raises(ModelError, match="n_dimensions=8 cannot be estimated from 10 items: choose 1 to 6"):
        explore_dimensions(answers, 8, "2pl")
    with pytest.raises(ModelError, match="2 items are too few to look for dimensions; take at least 3"):
        explore_dimensions(answers.select(["q0", "q1"]), 1, "2pl")
    with pytest.raises(ModelError, match=r"several slopes per dimension.*Use 2pl"):
        explore_dimensions(replace(answers, n_cat=np.full(10, 3)), 2, "nominal")
    with pytest.raises(ModelError, match="three-parameter logistic model does not take items of 3 categories; use"):
        explore_dimensions(replace(answers, n_cat=np.full(10, 3)), 2, "3pl")
    with pytest.raises(ModelError, match=r"RobbinsMonro\(draws=...\) must be at least 1; found 0"):
        RobbinsMonro(draws=0)
    with pytest.raises(ModelError, match=r"RobbinsMonro\(tol=...\) must lie above 0 and be at most 0.5; found 3"):
        RobbinsMonro(tol=3)

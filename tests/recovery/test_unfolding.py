"""Unfolding and keyed items in a calibration: direction, starts, anchors, findings. All SIMULATED."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from known_forms import known_form
from talentassess.calibration import Fixed, calibrate
from talentassess.calibration.optimise import maximise
from talentassess.calibration.problem import build_problem
from talentassess.core.errors import ModelError, ScoringError
from talentassess.core.responses import Responses
from talentassess.core.status import Severity, Status
from talentassess.scoring import score
from talentassess.workflow.simulate import simulate

LOCATIONS = np.array([-1.4, 1.3, -0.9, 0.1, 0.8, -1.2, 1.5, -0.4, 1.1, -1.5])


def unfolding_form(locations=LOCATIONS):
    rng = np.random.default_rng(1)
    n = len(locations)
    thresholds = np.column_stack([rng.uniform(-1.6, -1.2, n), rng.uniform(-0.9, -0.5, n)])
    return known_form("ggum", np.column_stack([rng.uniform(1.2, 1.8, n), locations, thresholds]), 3)


@pytest.fixture(scope="module")
def answers():
    return simulate(unfolding_form(), 1000, seed=5)


@pytest.fixture(scope="module")
def fitted(answers):
    return calibrate(answers, "ggum")


def locations(calibration):
    return next(b.par[:, 1] for b in calibration.blocks if b.model.name == "ggum")


def findings(calibration, code):
    return [f for f in calibration.audit if f.code == code]


def test_the_first_clear_item_lies_on_the_positive_side_and_the_audit_says_how_the_scale_runs(fitted):
    """The truth has q1 at -1.8: the scale comes out mirrored, as the convention wants, and nothing else changes."""
    assert fitted.status is Status.CONVERGED
    np.testing.assert_allclose(locations(fitted), -LOCATIONS, atol=0.35)
    (note,) = findings(fitted, "reflection")
    assert note.severity is Severity.NOTE
    highest = fitted.item_ids[locations(fitted).argmax()]
    assert f"from 'q7' ({locations(fitted)[6]:.2f}) to '{highest}' ({locations(fitted).max():.2f})" in note.message
    assert "Put another item first, or fix a location" in note.remedy


def test_another_first_item_turns_the_scale_round(answers, fitted):
    turned = calibrate(answers.select(["q2", *(i for i in answers.item_ids if i != "q2")]), "ggum")
    assert turned.loglik == pytest.approx(fitted.loglik, abs=1e-6)
    order = [fitted.item_ids.index(item) for item in turned.item_ids]
    np.testing.assert_allclose(locations(turned), -locations(fitted)[order], atol=1e-4)
    back = answers.select(list(turned.item_ids))
    np.testing.assert_allclose(score(turned, back).theta, -score(fitted, answers).theta, atol=1e-4)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_fixed_location_decides_the_direction(answers, fitted, sign):
    """Fixed at its own estimate or at the mirror image of that: the same maximum, read either way."""
    held = Fixed("location", sign * float(locations(fitted)[6]), items=("q7",))
    found = calibrate(answers, "ggum", constraints=[held])
    assert found.loglik == pytest.approx(fitted.loglik, abs=1e-5)
    np.testing.assert_allclose(locations(found), sign * locations(fitted), atol=1e-3)
    assert not findings(found, "reflection")


def test_anchors_decide_the_direction(fitted):
    """Anchors on one scale, new answers whose own convention would run the other way."""
    order = ["q2", *(f"q{k}" for k in (1, 3, 4, 5, 6, 7, 8, 9, 10))]
    new = simulate(unfolding_form(), 800, seed=6).select(order)
    linked = calibrate(new, "ggum", anchors=fitted)
    np.testing.assert_allclose(locations(linked), locations(fitted)[[fitted.item_ids.index(i) for i in order]])
    assert linked.status is Status.CONVERGED
    assert abs(linked.latent.mean[0, 0]) < 0.2


def test_rising_items_of_the_same_form_decide_the_direction():
    """Graded items before or after: the trait runs with them, whatever the first unfolding item is."""
    theta = np.random.default_rng(2).normal(size=(1000, 1))
    near = simulate(unfolding_form(), 1000, seed=5, theta=theta)
    rng = np.random.default_rng(3)
    par = np.column_stack([rng.uniform(1, 2, 5), rng.uniform(0.5, 1.5, 5), rng.uniform(-1.5, -0.5, 5)])
    rising = simulate(known_form("graded", par, 3), 1000, seed=7, theta=theta)
    names = [*(f"u{k}" for k in range(10)), *(f"r{k}" for k in range(5))]
    both = Responses(x=np.column_stack([near.x, rising.x]), n_cat=[3] * 15, item_ids=names, person_ids=near.person_ids)
    models = {name: "ggum" if name.startswith("u") else "graded" for name in names}
    found = calibrate(both, models)
    np.testing.assert_allclose(locations(found), LOCATIONS, atol=0.35)
    assert not findings(found, "reflection")
    assert not findings(found, "negative_item_rest")
    assert np.corrcoef(score(found, both).theta[:, 0], theta[:, 0])[0, 1] > 0.85


def test_unfolding_items_are_never_called_reverse_keyed(fitted):
    """Half of them correlate negatively with the rest by nature; neither audit nor start may call that a wrong key."""
    assert not findings(fitted, "negative_item_rest")
    assert not findings(fitted, "negative_slope")


def test_no_other_start_finds_a_better_maximum(answers, fitted):
    """From the truth, three random starts and a misleading one; full count: analysis/results/unfolding_starts.md."""
    models = dict.fromkeys(answers.item_ids, "ggum")
    problem = build_problem(answers, models, groups=None, constraints=(), priors=None)
    rng = np.random.default_rng(8)

    def reached(par):
        path = maximise(problem, tol=1e-3, max_steps=80, report=lambda _: None, dimension="trait", start=par.ravel())
        return path.last.loglik

    truth = reached(unfolding_form().blocks[0].par)
    assert truth == pytest.approx(fitted.loglik, abs=1e-3)

    def placed(locations):
        return np.column_stack([np.ones(10), locations, np.full(10, -1.2), np.full(10, -0.6)])

    others = [reached(placed(rng.uniform(-2.5, 2.5, 10))) for _ in range(3)]
    assert max(others) < fitted.loglik + 1e-3
    # otherwise starts would not matter, and this test would show nothing
    assert reached(placed(np.tile([3.0, -3.0], 5))) < fitted.loglik - 1.0


def test_missing_answers_and_booklets_do_not_disturb_the_start(answers):
    x = answers.x.copy()
    x[np.random.default_rng(0).random(x.shape) < 0.25] = -1
    x[:3] = -1
    holes = replace(answers, x=x, provenance=replace(answers.provenance, data_hash=""))
    found = calibrate(holes, "ggum")
    assert found.status is Status.CONVERGED
    np.testing.assert_allclose(locations(found), -LOCATIONS, atol=0.5)


@pytest.mark.parametrize("name", ["ggum", "nested-logit"])
def test_sum_scores_are_refused(name, answers):
    with pytest.raises(ScoringError, match=r"has no meaning: its categories are not ordered. Use eap."):
        score(calibrate(answers, name), answers, "sum-eap")


def test_a_nested_logit_item_needs_two_distractors(answers):
    two = Responses(x=answers.x > 0, n_cat=[2] * 10, item_ids=answers.item_ids, person_ids=answers.person_ids)
    with pytest.raises(ModelError, match=r"takes items of 3 to any number of categories; q1, .* declare\(s\) 2"):
        calibrate(two, "nested-logit")


def keyed_answers(slope_of_q1=1.2):
    """Distractor codes that run against theta (high slope on code 0), so that code sums mislead."""
    par = np.tile([1.2, 0.0, -1.5, -2.5, 0.0, 0.0], (8, 1))
    par[0, 0] = slope_of_q1
    return simulate(known_form("nested-logit", par, 4), 1500, seed=4)


def test_the_key_alone_counts_in_item_rest_correlations():
    found = calibrate(keyed_answers(), "nested-logit")
    assert found.status is Status.CONVERGED
    assert not findings(found, "negative_item_rest")
    assert (found.blocks[0].par[:, 0] > 0.8).all()


def test_a_wrong_key_is_found():
    found = calibrate(keyed_answers(slope_of_q1=-1.2), "nested-logit")
    (low,) = findings(found, "negative_item_rest")
    (falling,) = findings(found, "negative_slope")
    assert low.where == falling.where == "q1"
    assert found.blocks[0].par[0, 0] == pytest.approx(-1.2, abs=0.35)

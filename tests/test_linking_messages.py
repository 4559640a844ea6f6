"""What linking says: every refusal, every finding, the tables and the printed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import talentassess as ta
from linking_cases import drawn, known
from talentassess.core.errors import CalibrationError, ModelError, ScoringError
from talentassess.core.likelihood import ItemBlock
from talentassess.core.status import Status
from talentassess.linking.metric import change_metric, find_generators
from talentassess.models import all_models
from talentassess.workflow.simulate import simulate

FORM = (("2pl", 2, 4), ("graded", 4, 3))
NEW, OLD = drawn(FORM, seed=1), drawn(FORM, seed=2)


def codes(result) -> set[str]:
    return {finding.code for finding in result.findings}


def test_an_unknown_method_lists_the_methods():
    with pytest.raises(CalibrationError, match="no linking method 'equipercentile'; choose one of: stocking-lord"):
        ta.link_scales(NEW, OLD, "equipercentile")


def test_no_common_items():
    with pytest.raises(CalibrationError, match=r"they share 0: none\. Name them alike in both"):
        ta.link_scales(NEW, drawn(FORM, prefix="other"))


def test_items_that_are_not_common_are_named():
    with pytest.raises(CalibrationError, match="item 'q9' is not in both calibrations"):
        ta.link_scales(NEW, OLD, items=["i1", "q9"])
    with pytest.raises(CalibrationError, match="items takes a list of item ids; found the single text 'i1'"):
        ta.link_scales(NEW, OLD, items="i1")


def test_common_items_with_other_categories():
    other = drawn((("2pl", 2, 4), ("graded", 5, 3)))
    with pytest.raises(CalibrationError, match="item 'i5' has 4 categories in the new calibration and 5 in the old"):
        ta.link_scales(NEW, other)


def test_several_dimensions_need_a_name():
    answers = ta.simulate(ta.load_bank("service_core"), 300, seed=1)
    scales = answers.scale_names[:2]
    items = [i for i, s in zip(answers.item_ids, answers.scales, strict=True) if s in scales]
    both = ta.calibrate(answers.select(items), "graded")
    with pytest.raises(CalibrationError, match=r"Name one dimension of the new calibration with dimension=...: .*None"):
        ta.link_scales(both, both)
    link = ta.link_scales(both, both, dimension=scales[1])
    assert (link.new_dimension, link.A) == (scales[1], pytest.approx(1.0))
    moved = replace(link, A=1.5, B=0.5).apply(both)
    d = both.dimensions.index(scales[1])
    assert moved.latent.mean[0].tolist() == [0.5 if k == d else 0.0 for k in range(2)]
    for before, after in zip(both.blocks, moved.blocks, strict=True):
        factor = 1.5 if before.dims == (d,) else 1.0
        np.testing.assert_allclose(after.par[:, 0] * factor, before.par[:, 0])
    scores = ta.score(both, answers.select(items))
    after = replace(link, A=1.5, B=0.5).apply_scores(scores)
    np.testing.assert_allclose(after.theta[:, 1 - d], scores.theta[:, 1 - d])
    np.testing.assert_allclose(after.theta[:, d], 1.5 * scores.theta[:, d] + 0.5)


def test_unordered_items_have_no_expected_score_and_no_difficulty():
    nominal = drawn((("nominal", 4, 6),))
    with pytest.raises(
        CalibrationError, match="adds up expected scores, which items of the nominal response model do not"
    ):
        ta.link_scales(nominal, nominal)
    with pytest.raises(CalibrationError, match="have no slope and difficulties to take means of"):
        ta.link_scales(nominal, nominal, "mean-mean")
    with pytest.raises(CalibrationError, match="'i1': categories of the nominal response model are not ordered"):
        ta.equate_true_scores(nominal, nominal)


def test_moments_that_cannot_be_divided():
    flat = known([("2pl", 2, np.array([[1.0, 0.5], [1.0, 0.5]]))])
    with pytest.raises(CalibrationError, match=r"spread of the difficulties of the common items is 0 \(new\)"):
        ta.link_scales(flat, flat, "mean-sigma")


def cloud_model():
    """A model whose curves are symmetric about zero whatever its parameters: it has no other origin."""
    base = all_models()["2pl"]

    def squared(theta):
        return theta**2

    return replace(
        base,
        name="valley",
        label="valley model",
        log_prob=lambda theta, par, k: base.log_prob(squared(theta), par, k),
        d_par=lambda theta, par, k: base.d_par(squared(theta), par, k),
        d_theta=lambda theta, par, k: base.d_theta(squared(theta), par, k) * 2 * theta[:, None, None, :],
    )


def test_a_model_without_another_metric_is_refused():
    with pytest.raises(ModelError, match="The valley model cannot be put on another metric"):
        find_generators(cloud_model(), 2)


def test_an_ideal_point_model_is_moved_too():
    """P = exp(-(a (theta - location))^2 / 2): location' = A location + B, a' = a / A, found without being told."""
    base = all_models()["2pl"]
    declared = base.params(2, 1)

    def height(theta, par):
        return (par[:, 0] * (theta - par[:, 1])) ** 2 / 2 + 0.1

    def log_prob(theta, par, k):
        z = height(theta, par)
        return np.stack([np.log(-np.expm1(-z)), -z], axis=2)

    def outer(theta, par):
        z = height(theta, par)
        return np.stack([1 / np.expm1(z), -np.ones_like(z)], axis=2)

    def d_par(theta, par, k):
        gap = theta - par[:, 1]
        inner = np.stack([par[:, 0] * gap**2, -(par[:, 0] ** 2) * gap], axis=2)
        return outer(theta, par)[..., None] * inner[:, :, None, :]

    def d_theta(theta, par, k):
        return (outer(theta, par) * (par[:, 0] ** 2 * (theta - par[:, 1]))[:, :, None])[..., None]

    model = replace(base, params=lambda *_: declared, log_prob=log_prob, d_par=d_par, d_theta=d_theta)
    par = np.array([[1.2, -0.7], [0.6, 1.5]])
    moved = change_metric(ItemBlock(model, 2, np.arange(2), par), 1.5, 0.25).par
    np.testing.assert_allclose(moved, np.column_stack([par[:, 0] / 1.5, 1.5 * par[:, 1] + 0.25]), atol=1e-12)


def test_inadmissible_parameters_are_named_as_such():
    crossed = ItemBlock(all_models()["graded"], 3, np.arange(1), np.array([[1.0, -1.0, 1.0]]))
    with pytest.raises(ModelError, match="parameters for which its curves are not defined"):
        change_metric(crossed, 1.1, 0.0)


def test_missing_errors_leave_nan_and_a_finding():
    link = ta.link_scales(drawn(FORM, seed=1, cov=None), OLD)
    assert np.isfinite([link.A, link.B]).all()
    assert np.isnan(link.cov).all()
    assert "no_standard_errors" in codes(link)
    moved = link.apply(drawn(FORM, seed=1, cov=None))
    assert np.isnan(moved.free.cov).all()
    drift = ta.parameter_drift(drawn(FORM, seed=1, cov=None), OLD)
    assert drift.flagged == ()
    assert "not_tested" in codes(drift)
    assert len(drift.items) == 7


def test_fixed_parameters_add_no_error():
    from talentassess.core.calibration import FreeParameters

    fixed = replace(
        OLD,
        free=FreeParameters((), np.empty(0), np.empty((0, 0))),
        par_cov=tuple(np.zeros_like(cov) for cov in OLD.par_cov),
    )
    link = ta.link_scales(NEW, fixed)
    assert "known_parameters" in codes(link)
    assert (np.diag(link.cov) > 0).all()
    assert (np.diag(link.cov) < np.diag(ta.link_scales(NEW, OLD).cov)).all()


def test_findings_about_the_anchor_and_the_calibrations():
    few = ta.link_scales(NEW, OLD, items=["i1", "i2"])
    assert "few_common_items" in codes(few)
    stalled = ta.link_scales(replace(NEW, status=Status.STALLED), OLD)
    assert [f.where for f in stalled.findings if f.code == "calibration_status"] == ["new calibration"]
    # the same seven items, the first four under another model
    other = known([("graded", 2, OLD.blocks[0].par), ("graded", 4, OLD.blocks[1].par)])
    assert "other_model" in codes(ta.link_scales(NEW, other))
    with pytest.raises(CalibrationError, match="item 'i1': 2pl in the new calibration, graded in the old"):
        ta.parameter_drift(NEW, other)


def test_items_that_say_nothing_do_not_determine_a_link():
    """Items with slope zero have the same curves on any scale."""
    flat = known([("2pl", 2, np.column_stack([np.zeros(5), np.linspace(-1, 1, 5)]))])
    link = ta.link_scales(flat, flat)
    assert link.status is Status.NOT_IDENTIFIED
    assert link.findings[0].code == "link_status"
    assert "Do not use the link" in link.findings[0].remedy
    assert "not identified" in repr(link)
    assert np.isnan(link.cov).all()
    with pytest.raises(CalibrationError, match=r"do not determine a link \(not identified\)"):
        ta.parameter_drift(flat, flat)


def test_items_that_disagree_are_pointed_at():
    par = OLD.blocks[0].par.copy()
    par[1, 1] += 2.5
    link = ta.link_scales(known([("2pl", 2, par), ("graded", 4, OLD.blocks[1].par)]), OLD)
    assert [f.where for f in link.findings if f.code == "items_disagree"] == ["i2"]
    assert max(link.agreement, key=lambda one: one.rmsd).item == "i2"


def test_tied_slopes_and_rating_scales_keep_their_free_values():
    """1pl has one common slope, rsm common steps: free values move through the tie, and their errors with them."""
    for name, n_cat in (("1pl", 2), ("rsm", 4), ("1pl-graded", 3)):
        truth = drawn((({"1pl": "2pl", "rsm": "gpcm", "1pl-graded": "graded"}[name], n_cat, 6),), seed=3)
        old, new = (ta.calibrate(simulate(truth, 500, seed=s), name) for s in (1, 2))
        link = ta.link_scales(new, old)
        assert "covariances_between_items" not in codes(link)
        moved = link.apply(new, uncertainty=False)
        assert moved.free.names == new.free.names
        again = ta.link_scales(moved, old)
        assert (pytest.approx(1.0, abs=1e-8), pytest.approx(0.0, abs=1e-8)) == (again.A, again.B)
        diagonal = np.diagonal(moved.par_cov[0], axis1=1, axis2=2)
        if name == "1pl":
            assert moved.free.values[0] == pytest.approx(new.free.values[0] / link.A)
            np.testing.assert_allclose(diagonal[:, 0], moved.free.cov[0, 0])


def test_equal_slopes_asked_for_by_the_user_are_recognised_and_equal_intercepts_refused():
    truth = drawn((("2pl", 2, 6),), seed=3)
    answers = simulate(truth, 600, seed=1)
    old = ta.calibrate(simulate(truth, 600, seed=2), "2pl")
    tied = ta.calibrate(answers, "2pl", constraints=[ta.Equal("slope", items=("i1", "i2", "i3"))])
    link = ta.link_scales(tied, old)
    assert "covariances_between_items" not in codes(link)
    moved = link.apply(tied)
    np.testing.assert_allclose(moved.blocks[0].par[:3, 0], moved.blocks[0].par[0, 0])
    bound = ta.calibrate(answers, "2pl", constraints=[ta.Equal("intercept", items=("i1", "i2"))])
    with pytest.raises(CalibrationError, match="holds parameters equal that differ on the old scale"):
        ta.link_scales(bound, old).apply(bound)


def test_a_rasch_calibration_in_another_unit_is_no_longer_called_rasch():
    rasch = known([("rasch", 2, np.column_stack([np.ones(5), np.linspace(-1, 1, 5)]))])
    link = ta.link_scales(rasch, drawn((("2pl", 2, 5),)), fix_scale=False)
    assert link.A != 1.0
    assert link.apply(rasch).blocks[0].variant == "2pl"


def test_scores_must_be_logits():
    link = ta.link_scales(NEW, OLD)
    scores = ta.score(NEW, simulate(NEW, 5, seed=1))
    with pytest.raises(ScoringError, match="these are in 'T-score'"):
        link.apply_scores(replace(scores, metric="T-score"))


def test_chains_need_links():
    with pytest.raises(CalibrationError, match="at least one link"):
        ta.chain_links([])


def test_drift_needs_three_items_or_a_link():
    with pytest.raises(CalibrationError, match="needs at least 3 common items; found 2"):
        ta.parameter_drift(NEW, OLD, items=["i1", "i2"])
    with pytest.raises(CalibrationError, match="level must lie between 0 and 1; found 5"):
        ta.parameter_drift(NEW, OLD, level=5)
    given = ta.parameter_drift(NEW, OLD, ta.link_scales(NEW, OLD), items=["i1", "i2"])
    assert (given.rounds, len(given.items)) == (0, 2)


def test_unsettled_flags_are_said():
    """Two random forms have nothing in common but the names: nearly all items differ and none is left to link by."""
    drift = ta.parameter_drift(drawn(FORM, seed=1, cov=1e-4), drawn(FORM, seed=2, cov=1e-4))
    assert len(drift.flagged) >= 5
    assert "purification" in codes(drift)


def test_equating_refuses_what_it_cannot_do():
    reverse = known([("2pl", 2, np.array([[1.0, 0.0], [-1.0, 0.5]]))])
    with pytest.raises(CalibrationError, match="item 'i2': its expected score falls as theta rises"):
        ta.equate_true_scores(reverse, OLD)
    with pytest.raises(CalibrationError, match="items of form X must be a list of calibrated item ids; found: q7"):
        ta.equate_true_scores(NEW, OLD, items_x=["q7"])
    with pytest.raises(CalibrationError, match="items of form Y must be a list of calibrated item ids; found: 'i1'"):
        ta.equate_true_scores(NEW, OLD, items_y="i1")
    with pytest.raises(CalibrationError, match="weight_x is the share of form X's group and lies from 0 to 1; found 2"):
        ta.equate_observed_scores(NEW, OLD, weight_x=2)


def test_equating_says_what_the_scale_rests_on():
    assert codes(ta.equate_true_scores(NEW, OLD)) == {"scale_assumed"}
    link = ta.link_scales(NEW, OLD)
    assert "scale_assumed" not in codes(ta.equate_true_scores(NEW, OLD, link=link))
    assert "other_link" in codes(ta.equate_true_scores(OLD, NEW, link=link))
    stalled = replace(OLD, status=Status.STALLED)
    assert "calibration_status" in codes(ta.equate_true_scores(NEW, stalled, link=link))


def test_tables_and_printed_forms():
    link = ta.link_scales(NEW, OLD)
    assert repr(link).startswith("Link(A = ")
    assert "SIMULATED" in repr(link)
    assert link.to_frame()["coefficient"].tolist() == ["A", "B"]
    assert list(link.to_frame("items")) == ["item", "categories", "mean score difference", "rmsd"]
    assert len(link.to_frame("findings")) == len(link.findings)
    drift = ta.parameter_drift(NEW, OLD)
    assert len(drift.to_frame()) == 7
    assert len(drift.to_frame("parameters")) == 4 * 2 + 3 * 4
    assert "7 common items" in repr(drift)
    table = ta.equate_true_scores(NEW, OLD, link=link)
    assert table.to_frame()["score"].tolist() == list(range(14))
    assert repr(table).startswith("EquatingTable(true score: 7 items, 0..13 -> 7 items, 0..13; largest SE")


def test_a_linked_calibration_can_be_saved_and_used_as_anchors(tmp_path):
    link = ta.link_scales(NEW, OLD)
    moved = link.apply(NEW)
    again = ta.load_calibration(ta.save(moved, tmp_path / "moved.json"))
    np.testing.assert_array_equal(again.free.cov, moved.free.cov)
    assert again.parameter_hash == moved.parameter_hash
    anchored = ta.calibrate(
        simulate(OLD, 200, seed=1), {i: "2pl" if k < 4 else "graded" for k, i in enumerate(OLD.item_ids)}, anchors=moved
    )
    np.testing.assert_allclose(anchored.blocks[0].par, moved.blocks[0].par)
    assert [f.code for f in moved.audit] == ["linked"]

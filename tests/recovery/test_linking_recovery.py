"""Two SIMULATED samples, known truth: separate calibration and linking, concurrent, fixed anchors, drift."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import talentassess as ta
from linking_cases import drawn
from talentassess.core.calibration import Calibration
from talentassess.core.responses import Responses

A, B = 1.2, 0.5  # the new group: mean 0.5, SD 1.2 on the old group's scale
FORM = (("2pl", 2, 8), ("graded", 3, 6), ("gpcm", 3, 4))
OLD, NEW = range(12), range(4, 18)  # positions of the items of either form; eight in common


def models(truth: Calibration) -> dict[str, str]:
    return {truth.item_ids[j]: block.variant for block in truth.blocks for j in block.items}


def answers(truth: Calibration, n: int, seed: int, moved: bool) -> Responses:
    theta = np.random.default_rng(seed).normal(size=(n, 1))
    return ta.simulate(truth, n, seed=seed + 1000, theta=A * theta + B if moved else theta)


def fit(responses: Responses, truth: Calibration, **options) -> Calibration:
    return ta.calibrate(responses, {item: models(truth)[item] for item in responses.item_ids}, **options)


@pytest.fixture(scope="module")
def two_samples():
    """Two forms of one bank: the bank, both samples' answers, both calibrations."""
    truth = drawn(FORM, seed=11)
    old = answers(truth, 1200, 1, moved=False).select([truth.item_ids[j] for j in OLD])
    new = answers(truth, 1200, 2, moved=True).select([truth.item_ids[j] for j in NEW])
    return truth, (old, new), (fit(old, truth), fit(new, truth))


def together(old: Responses, new: Responses, truth: Calibration) -> Responses:
    """Return both samples in one table, -1 where an item was not given."""
    x = np.full((old.n_persons + new.n_persons, len(truth.item_ids)), -1, dtype=np.int16)
    for rows, part in ((slice(old.n_persons), old), (slice(old.n_persons, None), new)):
        x[rows, [truth.item_ids.index(item) for item in part.item_ids]] = part.x
    groups = ("old",) * old.n_persons + ("new",) * new.n_persons
    return Responses(
        x=x, n_cat=truth.n_cat, item_ids=truth.item_ids, person_ids=range(len(x)), group=groups,
        provenance=old.provenance,
    )  # fmt: skip


def test_three_ways_to_one_scale_agree_with_the_truth_and_each_other(two_samples):
    """Separate calibration with links, concurrent calibration and fixed anchors find the new group's mean and SD.

    Bounds: 3.5 standard errors against the truth, and the size of a standard error between methods, which use the same
    answers (their differences are much smaller than their errors).
    """
    truth, (old, new), (c_old, c_new) = two_samples
    joint = fit(together(old, new, truth), truth, groups=True)
    anchored = fit(new, truth, anchors=c_old)
    place = [(joint.latent.mean[1, 0], np.sqrt(joint.latent.cov[1, 0, 0]))]
    place.append((anchored.latent.mean[0, 0], np.sqrt(anchored.latent.cov[0, 0, 0])))
    error = np.sqrt(np.diag(joint.free.cov))[-2:]
    assert joint.free.names[-2:] == ("latent mean [new]", "log latent sd [new]")
    for method in ("stocking-lord", "haebara", "mean-mean", "mean-sigma"):
        link = ta.link_scales(c_new, c_old, method)
        assert len(link.items) == 8
        assert abs(link.A - A) < 3.5 * link.se[0] < 0.5
        assert abs(link.B - B) < 3.5 * link.se[1] < 0.35
        if method in ("stocking-lord", "haebara"):
            place.append((link.B, link.A))
            # the concurrent calibration uses all answers at once: a link from the same answers cannot do better
            assert link.se[1] > 0.9 * error[0]
            assert link.se[0] > 0.9 * error[1] * A
    mean, sd = np.array(place).T
    assert np.ptp(mean) < 1.5 * error[0]
    assert np.ptp(sd) < 1.5 * error[1] * A


def test_moved_parameters_cover_the_truth(two_samples):
    """Standardised errors of all parameters of the new form, on the old scale, link error included."""
    truth, _, (c_old, c_new) = two_samples
    moved = ta.link_scales(c_new, c_old).apply(c_new)
    z = []
    for block, cov in zip(moved.blocks, moved.par_cov, strict=True):
        whole = next(b for b in truth.blocks if b.variant == block.variant)
        rows = [list(whole.items).index(truth.item_ids.index(moved.item_ids[j])) for j in block.items]
        z.append(((block.par - whole.par[rows]) / np.sqrt(np.diagonal(cov, axis1=1, axis2=2))).ravel())
    # 38 values that share the link's error: a mean square above 2 happens about once in a thousand
    assert 0.4 < np.mean(np.concatenate(z) ** 2) < 2.0
    assert moved.provenance.simulated
    assert moved.provenance.options["linked to"] == c_old.parameter_hash
    assert moved.n_free == c_new.n_free
    assert moved.aic == c_new.aic


def test_true_score_equating_recovers_the_true_conversion(two_samples):
    """Sum scores of the new form on the old form, within 4 standard errors at every score."""
    truth, _, (c_old, c_new) = two_samples
    table = ta.equate_true_scores(c_new, c_old, link=ta.link_scales(c_new, c_old))
    known = ta.equate_true_scores(truth, truth, items_x=c_new.item_ids, items_y=c_old.item_ids)
    gap = np.abs(table.equated - known.equated)
    assert (gap <= 4 * table.se + 1e-9).all()
    assert 0.02 < table.se[1:-1].max() < 0.5
    assert table.provenance.simulated
    assert "SIMULATED" in repr(table)
    assert "SIMULATED" in table.to_frame()


def test_errors_of_a_and_b_match_their_spread():
    """24 pairs of samples of 400 on six items: mean SE against empirical SD, mean squared z, and drift's p values.

    A longer run (109 pairs of 800 on eight items) gave mean SE / SD of A and B: Stocking-Lord 1.03 and 0.99, Haebara
    0.99 and 0.97, mean-mean 1.04 and 0.99, mean-sigma 0.87 and 0.95; coverage of 95 % intervals .94 to .96; 4.1 % of
    drift's p values below .05; standard errors of equated scores within 10 % of their spread at every score.
    """
    truth = drawn((("2pl", 2, 3), ("graded", 3, 3)), seed=3)
    found, p = {"stocking-lord": [], "mean-mean": []}, []
    for seed in range(24):
        old = fit(answers(truth, 400, 2 * seed + 100, moved=False), truth, tol=1e-4)
        new = fit(answers(truth, 400, 2 * seed + 101, moved=True), truth, tol=1e-4)
        for method, links in found.items():
            links.append(ta.link_scales(new, old, method))
        if seed % 2:
            p += [one.p for one in ta.parameter_drift(new, old, found["stocking-lord"][-1]).items]
    for links in found.values():
        estimate, se = np.array([(k.A, k.B) for k in links]), np.array([k.se for k in links])
        # an SD from 24 values has a relative error of 15 %: three of those
        ratio = se.mean(axis=0) / estimate.std(axis=0, ddof=1)
        assert ((ratio > 0.65) & (ratio < 1.6)).all()
        z = (estimate - [A, B]) / se
        assert ((z**2).mean(axis=0) < 1 + 3 * np.sqrt(2 / 24)).all()
        assert np.abs(z).max() < 4.5
    # 72 tests, six at a time correlated: .05 +- 3 x .03
    assert np.mean(np.array(p) < 0.05) < 0.14


def test_drift_is_found_and_does_not_spread():
    """One graded item is 0.8 harder for the new sample, one 2PL item half as steep: these two are flagged, no other."""
    truth = drawn(FORM, seed=11)
    flat, hard = truth.blocks[0].par.copy(), truth.blocks[1].par.copy()
    flat[2] *= 0.5
    hard[3, 1:] -= 0.8 * hard[3, 0]
    changed = replace(
        truth, blocks=(replace(truth.blocks[0], par=flat), replace(truth.blocks[1], par=hard), truth.blocks[2])
    )
    old, new = fit(answers(truth, 1500, 5, moved=False), truth), fit(answers(changed, 1500, 6, moved=True), truth)
    drift = ta.parameter_drift(new, old)
    assert drift.flagged == drift.purified == (truth.item_ids[2], truth.item_ids[11])
    assert drift.rounds >= 2
    assert [f.where for f in drift.findings if f.code == "drift"] == list(drift.flagged)
    by_item = {one.item: one for one in drift.items}
    hardest = by_item[truth.item_ids[11]]
    assert hardest.df == 3
    # two curves 0.8 apart at each of two thresholds; the area is in logits of theta
    assert hardest.area == pytest.approx(1.6, abs=0.5)
    assert hardest.score_difference > 0.1
    unpurified = ta.link_scales(new, old)
    stable = ta.link_scales(new, old, items=[i for i in truth.item_ids if i not in drift.flagged])
    assert abs(stable.B - B) < 3.5 * stable.se[1]
    assert abs(unpurified.B - B) > abs(stable.B - B)
    assert "items_disagree" in {f.code for f in unpurified.findings}


def test_rasch_forms_link_by_a_shift_alone():
    truth = drawn((("rasch", 2, 12),), seed=2)
    old, new = fit(answers(truth, 800, 21, moved=False), truth), fit(answers(truth, 800, 22, moved=True), truth)
    link = ta.link_scales(new, old)
    assert link.A == 1.0
    assert link.se[0] == 0.0
    # both scales have their origin at their own sample's mean, and the unit of the slope
    assert abs(link.B - B) < 3.5 * link.se[1] < 0.3
    moved = link.apply(new)
    assert moved.blocks[0].variant == "rasch"
    assert np.sqrt(moved.latent.cov[0, 0, 0]) == pytest.approx(A, abs=0.15)
    assert moved.latent.mean[0, 0] == pytest.approx(link.B)
    drift = ta.parameter_drift(new, old, link)
    assert {one.df for one in drift.items} == {1}

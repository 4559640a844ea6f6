"""Simulate with a known truth, fit, recover: mixed forms, missing answers, groups, anchors, weights. All SIMULATED."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from talentassess.calibration import Fixed, NormalPrior, calibrate
from talentassess.core.calibration import Calibration, FreeParameters, Latent
from talentassess.core.likelihood import ItemBlock
from talentassess.core.provenance import Provenance
from talentassess.core.responses import Responses
from talentassess.core.status import Status
from talentassess.models import find_model
from talentassess.scoring import score
from talentassess.workflow.simulate import simulate

PARTS = (("2pl", 2, 8), ("graded", 5, 6), ("nominal", 4, 5), ("gpcm", 3, 5))


def mixed_truth(parts=PARTS, seed=4) -> Calibration:
    rng = np.random.default_rng(seed)
    blocks, first = [], 0
    for name, n_cat, n_items in parts:
        model, _ = find_model(name)
        par = np.array([[rng.uniform(*p.typical) for p in model.params(n_cat, 1)] for _ in range(n_items)])
        blocks.append(ItemBlock(model, n_cat, np.arange(first, first + n_items), par, (0,), name))
        first += n_items
    return Calibration(
        item_ids=tuple(f"{b.variant}_{i}" for b in blocks for i in b.items),
        n_cat=np.concatenate([np.full(len(b.items), b.n_cat) for b in blocks]),
        dimensions=("trait",),
        blocks=tuple(blocks),
        par_cov=tuple(np.zeros((*b.par.shape, b.par.shape[1])) for b in blocks),
        latent=Latent(("all",), np.zeros((1, 1)), np.ones((1, 1, 1))),
        free=FreeParameters((), np.empty(0), np.empty((0, 0))),
        loglik=float("nan"),
        n_persons=0,
        n_steps=0,
        status=Status.NOT_CHECKED,
        trace=(),
        audit=(),
        provenance=Provenance("recovery study", simulated=True),
    )


def models_of(truth: Calibration) -> dict[str, str]:
    return {truth.item_ids[i]: b.variant for b in truth.blocks for i in b.items}


def standardised_errors(truth: Calibration, fitted: Calibration) -> np.ndarray:
    """Return (estimate - truth) / SE of all parameters."""
    parts = []
    for block in truth.blocks:
        other, cov = next(
            (o, c) for o, c in zip(fitted.blocks, fitted.par_cov, strict=True) if o.items[0] == block.items[0]
        )
        parts.append(((other.par - block.par) / np.sqrt(np.diagonal(cov, axis1=1, axis2=2))).ravel())
    return np.concatenate(parts)


def test_a_form_of_four_models_is_recovered():
    truth = mixed_truth()
    answers = simulate(truth, 3000, seed=8)
    fitted = calibrate(answers, models_of(truth))
    z = standardised_errors(truth, fitted)
    assert fitted.status is Status.CONVERGED
    assert fitted.n_free == z.size == 16 + 30 + 30 + 15
    # 91 correlated standard normals: the mean square has a standard deviation of about 0.2
    assert 0.5 < np.mean(z**2) < 1.7
    assert np.mean(np.abs(z) < 1.96) > 0.88


def test_coverage_of_intervals_over_replications():
    """95 % intervals of all parameters of a small mixed form cover the truth in 92-98 % of 40 x 15 cases."""
    truth = mixed_truth((("2pl", 2, 4), ("graded", 3, 3)), seed=1)
    inside = [
        np.abs(standardised_errors(truth, calibrate(simulate(truth, 800, seed=s), models_of(truth)))) < 1.96
        for s in range(40)
    ]
    assert 0.92 < np.mean(inside) < 0.98


def test_missing_at_random_is_ignored_properly():
    truth = mixed_truth()
    answers = simulate(truth, 4000, seed=9)
    x = answers.x.copy()
    x[np.random.default_rng(0).random(x.shape) < 0.3] = -1
    holes = replace(answers, x=x, provenance=replace(answers.provenance, data_hash=""))
    fitted = calibrate(holes, models_of(truth))
    z = standardised_errors(truth, fitted)
    assert 0.5 < np.mean(z**2) < 1.7
    assert fitted.n_persons == 4000


def test_group_means_and_variances():
    """Two groups, the second higher by 0.7 and with sd 1.3; estimates within 4 standard errors of the truth."""
    truth = mixed_truth((("2pl", 2, 10), ("graded", 4, 6)))
    rng = np.random.default_rng(2)
    theta = np.concatenate([rng.normal(size=1500), rng.normal(0.7, 1.3, size=1500)])[:, None]
    answers = simulate(truth, 3000, seed=5, theta=theta)
    groups = ["reference"] * 1500 + ["focal"] * 1500
    fitted = calibrate(answers, models_of(truth), groups=groups)
    assert fitted.latent.groups == ("reference", "focal")
    assert fitted.latent.mean[0, 0] == 0.0
    se = np.sqrt(np.diag(fitted.free.cov))[-2:]
    assert fitted.free.names[-2:] == ("latent mean [focal]", "log latent sd [focal]")
    assert abs(fitted.latent.mean[1, 0] - 0.7) < 4 * se[0] < 0.3
    assert abs(np.log(fitted.latent.cov[1, 0, 0]) / 2 - np.log(1.3)) < 4 * se[1] < 0.2


def test_anchored_items_keep_their_parameters_and_the_new_group_gets_its_place():
    truth = mixed_truth((("2pl", 2, 20),))
    anchors = calibrate(simulate(truth, 3000, seed=1), "2pl")
    shifted = simulate(truth, 2000, seed=2, theta=np.random.default_rng(1).normal(0.5, 0.8, size=(2000, 1)))
    old = anchors.item_ids[:12]
    linked = calibrate(shifted, "2pl", anchors=Calibration(**{**vars(anchors), **_first(anchors, 12)}))
    for item in range(12):
        np.testing.assert_allclose(linked.blocks[0].par[item], anchors.blocks[0].par[item], atol=1e-12)
    assert np.all(linked.par_cov[0][:12] == 0)
    assert linked.latent.mean[0, 0] == pytest.approx(0.5, abs=0.15)
    assert np.sqrt(linked.latent.cov[0, 0, 0]) == pytest.approx(0.8, abs=0.12)
    assert len(old) == 12


def _first(calibration: Calibration, n: int) -> dict[str, object]:
    """Cut a one-block calibration to its first n items."""
    (block,) = calibration.blocks
    return {
        "item_ids": calibration.item_ids[:n],
        "n_cat": calibration.n_cat[:n],
        "blocks": (replace(block, items=block.items[:n], par=block.par[:n]),),
        "par_cov": (calibration.par_cov[0][:n],),
    }


def test_integer_weights_equal_repeated_rows():
    """Exact identity: a person with weight 3 counts like three persons."""
    truth = mixed_truth((("graded", 4, 6),))
    answers = simulate(truth, 300, seed=3)
    weight = np.random.default_rng(5).integers(1, 4, size=300)
    weighted = calibrate(replace(answers, weight=weight.astype(float)), "graded")
    rows = np.repeat(np.arange(300), weight)
    repeated = Responses(x=answers.x[rows], n_cat=answers.n_cat, item_ids=answers.item_ids, person_ids=range(len(rows)))
    copied = calibrate(repeated, "graded")
    assert weighted.loglik == pytest.approx(copied.loglik, abs=1e-6)
    np.testing.assert_allclose(weighted.blocks[0].par, copied.blocks[0].par, atol=1e-5)
    np.testing.assert_allclose(weighted.free.cov, copied.free.cov, atol=1e-6)


def test_fixed_values_and_priors_do_what_they_say():
    truth = mixed_truth((("2pl", 2, 8),))
    answers = simulate(truth, 500, seed=6)
    fixed = calibrate(answers, "2pl", constraints=[Fixed("slope", 1.5, items=("2pl_0", "2pl_3"))])
    assert fixed.blocks[0].par[[0, 3], 0].tolist() == [1.5, 1.5]
    assert fixed.par_cov[0][0][0, 0] == 0.0
    strong = calibrate(answers, "2pl", priors={"slope": NormalPrior(1.0, 0.01)})
    np.testing.assert_allclose(strong.blocks[0].par[:, 0], 1.0, atol=0.02)
    assert any(finding.code == "priors" for finding in strong.audit)


def test_rating_scale_model_recovers_common_steps():
    """Truth: d_jk = k delta_j + tau_k, slope 1, latent sd 1.2 (a rating scale form); 8 items of 4 categories."""
    model, variant = find_model("rsm")
    delta, tau = np.linspace(-1, 1, 8), np.array([0.9, 0.5, 0.0])
    design, offset = variant.design(8, 4)
    par = (design @ np.concatenate([delta, tau[:2]]) + offset).reshape(8, 4)
    np.testing.assert_allclose(par[:, 1:], np.arange(1, 4) * delta[:, None] + tau, atol=1e-12)
    truth = mixed_truth((("gpcm", 4, 8),))
    known = replace(truth, blocks=(ItemBlock(model, 4, np.arange(8), par, (0,), "rsm"),))
    theta = np.random.default_rng(1).normal(scale=1.2, size=(3000, 1))
    fitted = calibrate(simulate(known, 3000, seed=2, theta=theta), "rsm")
    z = (fitted.free.values - [*delta, *tau[:2], np.log(1.2)]) / np.sqrt(np.diag(fitted.free.cov))
    assert fitted.n_free == 11
    assert np.mean(z**2) < 2.5  # 11 correlated values: 99.5 % point of the mean square is about 2.5


def test_hard_data_give_findings_not_nonsense():
    """A reverse-keyed item, an unused interior category, two unconnected booklets, an empty person."""
    truth = mixed_truth((("graded", 4, 8),))
    answers = simulate(truth, 600, seed=7)
    x = answers.x.copy()
    x[:, 0] = 3 - x[:, 0]
    x[x[:, 1] == 2, 1] = 1
    x[:300, 4:], x[300:, :4], x[0] = -1, -1, -1
    fitted = calibrate(replace(answers, x=x, provenance=replace(answers.provenance, data_hash="")), "graded")
    codes = {finding.code: finding for finding in fitted.audit}
    assert fitted.status is Status.CONVERGED
    assert fitted.n_persons == 599
    assert codes["negative_item_rest"].where == "graded_0"
    assert codes["negative_slope"].where == "graded_0"
    assert "Categories 2 " in codes["unused_category"].message
    assert "2 sets" in codes["disconnected"].message
    assert "1 person(s)" in codes["no_answers"].message
    assert np.isfinite(fitted.free.values).all()
    assert np.isfinite(fitted.free.cov).all()
    assert score(fitted, answers).theta.shape == (600, 1)


def test_a_slope_that_runs_away_is_reported_at_its_bound():
    """Two copies of one item and an unrelated one: the slopes of the copies have no finite maximum."""
    rng = np.random.default_rng(0)
    first, other = rng.integers(0, 2, size=400), rng.integers(0, 2, size=400)
    copies = Responses(
        x=np.column_stack([first, first, other]), n_cat=[2, 2, 2], item_ids=["a", "b", "c"], person_ids=range(400)
    )
    fitted = calibrate(copies, "2pl", max_steps=300)
    assert not fitted.status.ok
    assert {"status", "steep_slope"} <= {finding.code for finding in fitted.audit}


def test_the_step_limit_and_an_interrupt_say_so():
    truth = mixed_truth((("graded", 4, 8),))
    answers = simulate(truth, 300, seed=7)
    assert calibrate(answers, "graded", max_steps=3, se=None).status is Status.MAX_STEPS

    def interrupt(progress):
        if progress.step > 3:
            raise KeyboardInterrupt

    stopped = calibrate(answers, "graded", progress=interrupt)
    assert stopped.status is Status.INTERRUPTED
    assert np.isfinite(stopped.loglik)
    assert "status" in {finding.code for finding in stopped.audit}

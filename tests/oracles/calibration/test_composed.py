"""Parameters composed of effects: models that have a name of their own are the oracle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import talentassess as ta
from shared_data import counted, make_responses
from talentassess.calibration import Composed, Equal, Fixed, NormalPrior
from talentassess.core.errors import ModelError


def drawn(n: int = 400, items: int = 5, n_cat: int = 4, seed: int = 3):
    """Return SIMULATED rating scale answers."""
    rng = np.random.default_rng(seed)
    theta, location, step = rng.normal(size=n), np.linspace(-1, 1, items), np.array([-0.8, 0.1, 0.7])
    up = np.cumsum(theta[:, None, None] - location[None, :, None] - step[: n_cat - 1], axis=2)
    p = np.exp(np.concatenate([np.zeros((n, items, 1)), up], axis=2))
    p /= p.sum(axis=2, keepdims=True)
    return make_responses((rng.random((n, items, 1)) > p.cumsum(axis=2)).sum(axis=2), n_cat=n_cat)


def rating_scale(items, n_cat=4):
    """Return d_jk = -k delta_j + tau_k, tau_(K-1) = 0."""
    parts = {}
    for item in items:
        for k in range(1, n_cat):
            parts[item, f"intercept{k}"] = {f"difficulty[{item}]": -float(k)}
            if k < n_cat - 1:
                parts[item, f"intercept{k}"][f"step[{k}]"] = 1.0
    return Composed(parts)


def test_rating_scale_model_written_as_effects_is_the_rating_scale_model():
    # The same likelihood in other words: equal to the optimiser's tolerance (1e-6 logits).
    answers = drawn()
    named = ta.calibrate(answers, "rsm")
    composed = ta.calibrate(answers, "pcm", constraints=[rating_scale(answers.item_ids)])
    assert composed.status.ok
    assert composed.n_free == named.n_free
    assert composed.loglik == pytest.approx(named.loglik, abs=1e-6)
    np.testing.assert_allclose(composed.blocks[0].par, named.blocks[0].par, atol=1e-5)
    np.testing.assert_allclose(composed.par_cov[0], named.par_cov[0], atol=1e-6)


def test_linear_logistic_test_model_with_a_full_design_is_the_rasch_model():
    # Five easiness values re-expressed by five other effects (an invertible design): nothing changes but the names.
    answers = counted("lsat6.csv")
    design = np.array(
        [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [1, 0, 1, 1, 0], [1, 1, 0, 1, 1]], dtype=float
    )
    parts = {
        (item, "intercept"): {f"feature[{e}]": w for e, w in enumerate(row) if w}
        for item, row in zip(answers.item_ids, design, strict=True)
    }
    rasch = ta.calibrate(answers, "rasch")
    lltm = ta.calibrate(answers, "rasch", constraints=[Composed(parts)])
    assert lltm.loglik == pytest.approx(rasch.loglik, abs=1e-6)
    effects = np.array([v for n, v in zip(lltm.free.names, lltm.free.values, strict=True) if n.startswith("feature")])
    np.testing.assert_allclose(design @ effects, rasch.blocks[0].par[:, 1], atol=1e-5)


def test_a_prior_acts_on_effects_of_a_kind():
    answers = drawn()
    tight = ta.calibrate(
        answers, "pcm", constraints=[rating_scale(answers.item_ids)], priors={"step": NormalPrior(0.0, 0.001)}, se=None
    )
    steps = [v for n, v in zip(tight.free.names, tight.free.values, strict=True) if n.startswith("step")]
    np.testing.assert_allclose(steps, 0.0, atol=1e-3)


@pytest.mark.parametrize("method", ["eap", "map", "ml", "wle"])
def test_item_uncertainty_of_scores_is_that_of_the_model_with_a_name(method):
    # The same model in other words, so the same delta method; tolerance of the two optima (1e-6 logits).
    answers = drawn()
    named = ta.calibrate(answers, "rsm")
    composed = ta.calibrate(answers, "pcm", constraints=[rating_scale(answers.item_ids)])
    expected = ta.score(named, answers, method, item_uncertainty=True)
    found = ta.score(composed, answers, method, item_uncertainty=True)
    np.testing.assert_allclose(found.item_cov, expected.item_cov, atol=1e-5)
    assert np.nanmin(found.item_cov) > 0


def test_effects_of_several_dimensions_and_groups_survive_saving(tmp_path):
    answers = drawn()
    parts = {"a": answers.item_ids[:2], "b": answers.item_ids[2:]}
    answers = replace(answers, group=tuple("xy"[i % 2] for i in range(answers.n_persons)))
    composed = ta.calibrate(
        answers, "pcm", dimensions=parts, groups=True, constraints=[rating_scale(items) for items in parts.values()]
    )
    named = ta.calibrate(answers, "rsm", dimensions=parts, groups=True)
    assert composed.loglik == pytest.approx(named.loglik, abs=1e-6)
    expected = ta.score(named, answers, "eap", item_uncertainty=True)
    ta.save(composed, tmp_path / "composed.json")
    loaded = ta.load_calibration(tmp_path / "composed.json")
    assert loaded.free.effects == composed.free.effects
    found = ta.score(loaded, answers, "eap", item_uncertainty=True)
    np.testing.assert_allclose(found.item_cov, expected.item_cov, atol=1e-5)


def test_a_stream_gives_the_same_effects():
    answers = drawn()
    chunks = [answers.take(np.arange(first, first + 100)) for first in range(0, 400, 100)]
    whole = ta.calibrate(answers, "pcm", constraints=[rating_scale(answers.item_ids)])
    stream = ta.calibrate(chunks, "pcm", constraints=[rating_scale(answers.item_ids)])
    np.testing.assert_allclose(stream.free.values, whole.free.values, atol=1e-5)
    assert stream.free.effects == whole.free.effects


def test_links_of_composed_items_are_those_of_the_model_with_a_name():
    # Parameters and covariances are the same, so A, B, their errors and the moved parameters are.
    answers, others = drawn(), drawn(seed=5)
    links, moved = [], []
    for model, constraints in (("rsm", ()), ("pcm", [rating_scale(answers.item_ids)])):
        old, new = (ta.calibrate(x, model, constraints=constraints) for x in (answers, others))
        links.append(ta.link_scales(new, old))
        moved.append(links[-1].apply(new))
    assert links[1].se == pytest.approx(links[0].se, abs=1e-5)
    np.testing.assert_allclose(moved[1].par_cov[0], moved[0].par_cov[0], atol=1e-5)


def test_provenance_tells_apart_constraints_that_differ_in_a_weight():
    answers = drawn(100)
    one, two = (
        ta.calibrate(answers, "gpcm", constraints=[Composed({("i1", "intercept1"): {"a": w}})], se=None)
        for w in (1.0, 2.0)
    )
    assert one.provenance.options["constraints"] == two.provenance.options["constraints"]
    assert one.provenance.options["composed"] != two.provenance.options["composed"]


def test_effects_do_not_take_the_name_of_another_estimate():
    answers = drawn(100)
    for name in ("i1.slope", "i2.intercept1"):
        with pytest.raises(ModelError, match=f"an estimate is called '{name}' already. Give the effect another name"):
            ta.calibrate(answers, "gpcm", constraints=[Composed({("i1", "intercept1"): {name: 1.0}})])
    grouped = replace(answers, group=tuple("xy"[i % 2] for i in range(100)))
    with pytest.raises(ModelError, match=r"called 'latent mean \[y\]' already"):
        ta.calibrate(
            grouped, "pcm", groups=True, constraints=[Composed({("i1", "intercept1"): {"latent mean [y]": 1}})]
        )


def test_messages():
    answers = drawn(100)
    whole = rating_scale(answers.item_ids)
    with pytest.raises(ModelError, match="needs at least one parameter"):
        Composed({})
    with pytest.raises(ModelError, match=r"finite weights, not 0; the weight of 'a' is 0\."):
        Composed({("i1", "intercept1"): {"a": 0.0}})
    with pytest.raises(ModelError, match=r"not 0; it has no effect\."):
        Composed({("i1", "intercept1"): {}})
    with pytest.raises(ModelError, match="unknown item 'q9'"):
        ta.calibrate(answers, "pcm", constraints=[Composed({("q9", "intercept1"): {"a": 1.0}})])
    with pytest.raises(ModelError, match="item 'i1' has no parameter 'location'"):
        ta.calibrate(answers, "pcm", constraints=[Composed({("i1", "location"): {"a": 1.0}})])
    with pytest.raises(ModelError, match="'intercept1' of item 'i1' is fixed, equal to others or part of"):
        ta.calibrate(answers, "pcm", constraints=[whole, Fixed("intercept1", 0.0)])
    with pytest.raises(ModelError, match="cannot be composed of effects as well"):
        ta.calibrate(answers, "pcm", constraints=[whole, Equal("intercept1")])
    with pytest.raises(ModelError, match="cannot be composed of effects as well"):
        ta.calibrate(answers, "rsm", constraints=[whole])
    with pytest.raises(ModelError, match="Two Composed"):
        ta.calibrate(answers, "pcm", constraints=[whole, whole])
    with pytest.raises(ModelError, match="leave correlated=True out"):
        ta.calibrate(
            answers,
            "pcm",
            constraints=[whole],
            dimensions={"a": answers.item_ids[:2], "b": answers.item_ids[2:]},
            correlated=True,
        )
    with pytest.raises(ModelError, match="reaches over the dimensions a and b"):
        ta.calibrate(
            answers, "pcm", constraints=[whole], dimensions={"a": answers.item_ids[:2], "b": answers.item_ids[2:]}
        )
    with pytest.raises(ModelError, match=r"must be Fixed\(...\), Equal\(...\) or Composed\(...\); found 'x'"):
        ta.calibrate(answers, "pcm", constraints=["x"])
    assert repr(whole) == "Composed(15 parameters of 5 items from 7 of: difficulty, step)"

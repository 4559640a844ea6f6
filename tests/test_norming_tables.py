"""Norm tables: fitting, applying, saving, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talentassess.core.errors import ArtefactError, NormError, TalentAssessError
from talentassess.core.provenance import Provenance
from talentassess.core.scores import Scores
from talentassess.core.status import Status
from talentassess.norming import (
    NormCard,
    NormSettings,
    NormTable,
    ScaleNorm,
    apply_norms_raw,
    confidence_band,
    fit_norms,
    fit_norms_raw,
    kelley_true_score,
    load_norms,
    normalised_z,
    reliable_change,
    save_norms,
    standard_error_of_measurement,
    z_to_stanine,
)


def card(n: int = 400, **more: object) -> NormCard:
    filled: dict[str, object] = {
        "population": "call centre staff",
        "sample": "convenience sample of hires",
        "n": n,
        "collected_from": "2023-05",
        "collected_to": "2024-01",
        "source_hash": "0f0d82dc9ce31b87",
        "simulated": False,
        "method": "EAP scores, graded model",
    }
    return NormCard(**{**filled, **more})


def scores(theta: np.ndarray, se: float = 0.3, names: tuple[str, ...] = ("ownership",), **more: object) -> Scores:
    n, d = theta.shape
    filled: dict[str, object] = {
        "person_ids": tuple(f"p{i}" for i in range(n)),
        "dimensions": names,
        "theta": theta,
        "cov": np.broadcast_to(np.eye(d) * se**2, (n, d, d)),
        "method": "eap",
        "metric": "logit",
        "status": ((Status.CONVERGED,) * d,) * n,
        "n_answered": np.full((n, d), 8),
        "reliability": np.full(d, 0.85),
        "provenance": Provenance("answers.csv", options={"calibration": "c1"}),
    }
    return Scores(**{**filled, **more})


def sample(n: int = 400, seed: int = 11, **more: object) -> Scores:
    return scores(np.random.default_rng(seed).normal(0.2, 1.1, (n, 1)), **more)


def norms(n: int = 400) -> NormTable:
    return fit_norms(sample(n), card=card(n))


def test_applied_to_its_own_sample_norms_are_centred() -> None:
    normed = norms().apply(sample())
    assert normed.z.mean() == pytest.approx(0, abs=1e-9)  # scores are kept to 9 decimals
    assert normed.z.std(ddof=1) == pytest.approx(1, abs=1e-9)
    assert normed.percentile.mean() == pytest.approx(50, abs=1e-9)
    assert set(normed.flags) == {("",)}
    assert normed.t.mean() == pytest.approx(50, abs=1e-8)
    assert normed.iq.std(ddof=1) == pytest.approx(15, abs=1e-8)


def test_percentile_between_rows_and_beyond_the_range() -> None:
    table = fit_norms_raw({"q": [1, 2, 2, 4] * 10}, card=card(40))
    normed = apply_norms_raw(table, {"q": [0, 1, 3, 4, 5]}, se={"q": 0.0})
    assert normed.percentile.ravel().tolist() == [12.5, 12.5, 68.75, 87.5, 87.5]
    assert [flag for (flag,) in normed.flags] == [
        "outside the norm sample's range",
        "",
        "",
        "",
        "outside the norm sample's range",
    ]
    finding = next(f for f in normed.findings if f.code == "outside_norm_range")
    assert "2 person(s) score below the lowest or above the highest person of the norm sample" in finding.message


def test_errors_join_measurement_and_sampling() -> None:
    table, at = norms(), np.array([[0.5]])
    norm = table.scale("ownership")
    z = float(norm.standardise(0.5))
    precise, noisy = table.apply(scores(at, se=1e-9)), table.apply(scores(at, se=0.3))
    assert float(precise.z_se[0, 0]) == pytest.approx(np.sqrt((1 + z**2 / 2) / 400), abs=1e-8)
    assert float(noisy.z_se[0, 0]) == pytest.approx(np.hypot(0.3 / norm.sd, precise.z_se[0, 0]), abs=1e-8)
    share = float(precise.percentile[0, 0]) / 100
    assert float(precise.percentile_se[0, 0]) == pytest.approx(100 * np.sqrt(share * (1 - share) / 400), abs=1e-5)
    assert noisy.percentile_low[0, 0] < precise.percentile_low[0, 0] < precise.percentile[0, 0]
    assert noisy.percentile_high[0, 0] > precise.percentile_high[0, 0] > precise.percentile[0, 0]
    assert "Errors join measurement and norm sampling; intervals 90 %." in noisy.note


def test_percentile_interval_covers_the_population_percentile() -> None:
    from scipy.stats import norm as normal

    # 400 norm samples of 200 with one candidate each: 90 % +- 3 Monte-Carlo errors (1.5 points each), seed fixed.
    rng, hits = np.random.default_rng(8), 0
    for _ in range(400):
        table = fit_norms(scores(rng.normal(size=(200, 1))), card=card(200))
        true = rng.normal()
        normed = table.apply(scores(np.array([[true + 0.4 * rng.normal()]]), se=0.4))
        hits += normed.percentile_low[0, 0] <= 100 * normal.cdf(true) <= normed.percentile_high[0, 0]
    assert 0.855 <= hits / 400 <= 0.945


def test_quantile_and_its_error() -> None:
    table = fit_norms(scores(np.random.default_rng(4).normal(size=(4000, 1))), card=card(4000))
    for percent, exact in ((40, -0.2533), (90, 1.2816)):
        theta, se = table.quantile("ownership", percent)
        density = np.exp(-(exact**2) / 2) / np.sqrt(2 * np.pi)
        asymptotic = np.sqrt(percent / 100 * (1 - percent / 100) / 4000) / density
        assert theta == pytest.approx(exact, abs=4 * asymptotic)
        # The error follows the local density, itself estimated from some 60 scores beside the quantile.
        assert se == pytest.approx(asymptotic, rel=0.2)
    assert float(table.standardise("ownership", table.scale("ownership").mean)) == pytest.approx(0, abs=1e-12)


def test_quantile_error_agrees_with_the_bootstrap() -> None:
    # Scores as a short scale gives them: few distinct values, unevenly spaced. 800 resamples: 2.5 % Monte-Carlo error.
    rng = np.random.default_rng(6)
    values = np.round(rng.gamma(4, 0.4, 500), 1)
    table = fit_norms_raw({"q": values}, card=card(500))
    for percent in (25, 50, 80):
        drawn = [
            fit_norms_raw({"q": rng.choice(values, 500)}, card=card(500)).quantile("q", percent)[0] for _ in range(800)
        ]
        assert 0.9 * np.std(drawn) < table.quantile("q", percent)[1] < 1.5 * np.std(drawn)


def test_quantile_outside_what_the_sample_shows_is_refused() -> None:
    table = fit_norms_raw({"q": [1] * 20 + [2, 3] * 10}, card=card(40))
    with pytest.raises(NormError, match=r"percentile 10 cannot be read .* its lowest score has percentile 25.00"):
        table.quantile("q", 10)


def test_stens_and_stanines_of_both_rules() -> None:
    skewed = np.exp(np.random.default_rng(1).normal(size=400))
    table = fit_norms_raw({"q": skewed}, card=card())
    linear = apply_norms_raw(table, {"q": skewed})
    ranked = apply_norms_raw(table, {"q": skewed}, settings=NormSettings(stanine_rule="4-7-12-17-20"))
    assert np.bincount(ranked.stanine.ravel().astype(int))[1:].tolist() == [16, 28, 48, 68, 80, 68, 48, 28, 16]
    assert linear.stanine.min() > 1  # nobody is 1.75 SD below the mean of a distribution that ends on that side
    assert "percentile and stanine (4-7-12-17-20): from the ranks" in ranked.note
    assert linear.sten.min() >= 1


def test_weighted_norms() -> None:
    values, weight = np.tile([1.0, 2.0, 3.0, 4.0], 25), np.tile([1.0, 1.0, 1.0, 3.0], 25)
    table = fit_norms_raw({"q": values}, card=card(100), weights=weight)
    norm = table.scale("q")
    assert norm.frequency == pytest.approx(np.array([1, 1, 1, 3]) / 6 * 100)
    assert norm.percentile == pytest.approx([100 / 12, 25, 500 / 12, 75])
    assert norm.n_effective == pytest.approx(150**2 / 300)
    assert norm.mean == pytest.approx(3.0)
    assert table.provenance.options["weights"] == "sampling weights"


def test_heavy_weights_are_reported() -> None:
    weight = np.r_[np.full(10, 30.0), np.ones(990)]
    table = fit_norms_raw({"q": np.arange(1000.0)}, card=card(1000), weights=weight)
    finding = next(f for f in table.findings if f.code == "large_design_effect")
    assert "1000 persons are worth 167 (design effect 6.00)" in finding.message


def test_small_samples_are_marked_and_tiny_ones_refused() -> None:
    finding = norms(100).findings[0]
    assert finding.code == "small_norm_sample"
    assert "at the median the standard error is 5.0 percentile points, at the mean 1.0 T points" in finding.message
    assert norms(400).findings == ()
    with pytest.raises(NormError, match=r"scale 'ownership': 29 persons; .* percentile would be 9 percentile points"):
        fit_norms(sample(29), card=card(29))
    with pytest.raises(NormError, match=r"40 persons worth 6\.5 after weighting"):
        fit_norms_raw({"q": np.arange(40.0)}, card=card(40), weights=np.r_[np.full(5, 50.0), np.ones(35)])


def test_card_names_every_empty_field() -> None:
    with pytest.raises(NormError) as caught:
        card(population=" ", sample="", n=0, source_hash="", simulated="no")
    text = str(caught.value)
    assert "A norm without a complete card cannot be used" in text
    for line in (
        "field 'population' is empty",
        "field 'sample' is empty",
        "field 'source_hash' is empty",
        "field 'n' is 0; the number of persons, 1 or more, is needed",
        "field 'simulated' is 'no'; true or false is needed",
    ):
        assert line in text
    with pytest.raises(NormError, match=r"'collected_to' \(2022-12\) lies before 'collected_from' \(2023-05\)"):
        card(collected_to="2022-12")
    assert card(collected_from="2024-01-15", collected_to="2024").n == 400


def test_card_and_answers_must_agree_on_simulation() -> None:
    simulated = sample(provenance=Provenance("simulate", simulated=True))
    with pytest.raises(NormError, match="The card says real answers, but the scores come from SIMULATED"):
        fit_norms(simulated, card=card())
    with pytest.raises(NormError, match="The card says SIMULATED, but the scores come from real answers"):
        fit_norms(sample(), card=card(simulated=True))
    table = fit_norms(simulated, card=card(simulated=True))
    assert "SIMULATED" in repr(table)
    normed = table.apply(sample())
    assert normed.provenance.simulated
    assert "SIMULATED" in repr(normed)


def test_card_must_count_the_sample() -> None:
    with pytest.raises(NormError, match="The card says N = 399, but 400 persons were given"):
        fit_norms(sample(), card=card(399))


def test_unnormed_scale_is_named() -> None:
    two = scores(np.zeros((3, 2)), names=("ownership", "empathy"))
    with pytest.raises(NormError, match=r"No norm for 1 scale\(s\). Normed scales: ownership.") as caught:
        norms().apply(two)
    assert "unnormed scale 'empathy'" in str(caught.value)
    with pytest.raises(NormError, match="no norm for scale 'empathy' in this table; normed scales: ownership"):
        norms().quantile("empathy", 50)
    with pytest.raises(NormError, match=r"Cannot norm: empathy. The scores' dimensions are: ownership"):
        fit_norms(sample(), card=card(), scales=["empathy"])
    with pytest.raises(NormError, match="no normed scale 'x' here"):
        norms().apply(sample()).column("x")


def test_metrics_do_not_mix() -> None:
    with pytest.raises(NormError, match="The scores are in metric 'raw', the norms in metric 'logit'"):
        apply_norms_raw(norms(), {"ownership": [1, 2]})


def test_scores_of_another_method_or_calibration_are_marked() -> None:
    other = sample(method="wle", provenance=Provenance("b.csv", options={"calibration": "c2"}))
    codes = {f.code: f.message for f in norms().apply(other).findings}
    assert "The norm sample's scoring is 'eap', these scores' is 'wle'" in codes["other_scoring"]
    assert "The norm sample's calibration is 'c1', these scores' is 'c2'" in codes["other_calibration"]


def test_persons_without_answers_enter_neither_norm_nor_result() -> None:
    status = tuple((Status.NO_ANSWERS if i < 5 else Status.CONVERGED,) for i in range(400))
    answered = np.where(np.arange(400)[:, None] < 5, 0, 8)
    some = sample(status=status, n_answered=answered)
    table = fit_norms(some, card=card())
    assert table.scale("ownership").n == 395
    assert "5 of 400 persons have no score on it" in table.findings[0].message
    normed = table.apply(some)
    assert normed.flags[0] == ("no score",)
    assert np.isnan([normed.z[0, 0], normed.sten[0, 0], normed.percentile_low[0, 0], normed.z_se[0, 0]]).all()
    assert np.isfinite(normed.percentile_high[5:]).all()
    assert "5 person(s) have no usable score" in next(f for f in normed.findings if f.code == "no_score").message


def test_scores_that_did_not_converge_are_counted() -> None:
    status = tuple((Status.MAX_STEPS if i < 3 else Status.CONVERGED,) for i in range(400))
    table = fit_norms(sample(status=status), card=card())
    assert "3 score(s) of the norm sample did not converge" in table.findings[0].message
    assert "3 score(s) did not converge" in table.apply(sample(status=status)).findings[0].message


def test_infinite_scores_are_refused_and_named() -> None:
    theta = np.random.default_rng(0).normal(size=(400, 1))
    theta[7] = np.inf
    with pytest.raises(NormError, match=r"1 score\(s\) are not finite; .* Score with EAP, MAP or WLE") as caught:
        fit_norms(scores(theta), card=card())
    assert "person 'p7', scale 'ownership': inf" in str(caught.value)


def test_missing_standard_errors_are_marked() -> None:
    blind = scores(np.zeros((2, 1)), cov=np.full((2, 1, 1), np.nan))
    assert "2 score(s) have no standard error" in norms().apply(blind).findings[0].message
    table = fit_norms_raw({"q": np.arange(400.0)}, card=card())
    assert "No standard error of measurement was given" in apply_norms_raw(table, {"q": [3]}).findings[0].message


def test_bad_raw_scores_weights_and_settings() -> None:
    with pytest.raises(NormError, match="scale 'q' holds something that is not a number"):
        fit_norms_raw({"q": ["high", "low"]}, card=card())
    with pytest.raises(NormError, match="scale 'a' has 2 scores; scale 'b' has 1 scores"):
        fit_norms_raw({"a": [1, 2], "b": [1]}, card=card())
    with pytest.raises(NormError, match="must be one column of finite numbers"):
        fit_norms_raw({"q": [np.inf, 1]}, card=card())
    with pytest.raises(NormError, match="no scale was given"):
        fit_norms_raw({}, card=card())
    with pytest.raises(NormError, match="all 40 persons have the same score"):
        fit_norms_raw({"q": [3.0] * 40}, card=card(40))
    with pytest.raises(NormError, match=r"person row 1: weight -1\.0"):
        fit_norms_raw({"q": np.arange(40.0)}, card=card(40), weights=np.r_[1, -1, np.ones(38)])
    with pytest.raises(NormError, match=r"weights has shape \(3,\); one weight per person is needed, \(40,\)"):
        fit_norms_raw({"q": np.arange(40.0)}, card=card(40), weights=[1, 1, 1])
    table = fit_norms_raw({"q": np.arange(40.0)}, card=card(40))
    with pytest.raises(NormError) as caught:
        apply_norms_raw(table, {"q": [1, 2]}, se={"q": -1, "r": 1}, person_ids=["a"])
    assert "scale 'q': error -1" in str(caught.value)
    assert "scale 'r' has an error but no scores" in str(caught.value)
    assert "1 person ids for 2 scores" in str(caught.value)
    with pytest.raises(NormError, match=r"confidence is 90; give a share between 0 and 1"):
        NormSettings(confidence=90)
    with pytest.raises(NormError, match="no stanine rule 'quick'; choose one of: half-sd, 4-7-12-17-20"):
        z_to_stanine(0.1, "quick")
    with pytest.raises(NormError, match="no normal score 'filliben'; choose one of: blom, tukey"):
        normalised_z([1, 2], "filliben")


def test_bad_arguments_of_the_error_functions() -> None:
    with pytest.raises(NormError) as caught:
        standard_error_of_measurement(-1, 1.2)
    assert "sd is -1; a positive number is needed" in str(caught.value)
    assert "reliability is 1.2; a number from 0 to 1 is needed" in str(caught.value)
    with pytest.raises(NormError, match="reliability is nan"):
        kelley_true_score(60, 50, float("nan"))
    with pytest.raises(NormError, match="A reliability of 1 leaves no error"):
        reliable_change(1, 2, 1, 1.0)
    with pytest.raises(NormError, match="standard_error is -2"):
        confidence_band(-2)


def test_scale_rows_must_be_a_distribution() -> None:
    with pytest.raises(NormError) as caught:
        ScaleNorm(name="q", score=[2, 1], frequency=[10, 5], n=40, n_effective=50)
    text = str(caught.value)
    assert "The norm of scale 'q' is not a distribution." in text
    assert "the scores must be finite and ascend" in text
    assert "the frequencies sum to 15, n is 40" in text
    assert "the effective n is 50; it must lie between 1 and n = 40" in text


@pytest.mark.parametrize("how", ["file", "folder"])
def test_saved_norms_come_back_to_the_bit(how: str, tmp_path: Path) -> None:
    table = norms()
    place = table.save(tmp_path / "norms.json") if how == "file" else save_norms(table, tmp_path / "staff_2024")
    again = load_norms(place)
    assert again.to_json() == table.to_json()
    assert again.apply(sample()).percentile.tolist() == table.apply(sample()).percentile.tolist()


def test_turned_line_ends_are_no_tampering(tmp_path: Path) -> None:
    folder = save_norms(norms(), tmp_path / "staff")
    file = folder / "table.csv"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert load_norms(folder).names == ("ownership",)


def test_tampering_is_refused(tmp_path: Path) -> None:
    file = norms().save(tmp_path / "norms.json")
    file.write_text(file.read_text(encoding="utf-8").replace('"n": 400', '"n": 4000', 1), encoding="utf-8")
    with pytest.raises(ArtefactError, match=r"norms.json: the content was changed after it was saved"):
        load_norms(file)
    folder = save_norms(norms(), tmp_path / "staff")
    table = folder / "table.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("ownership,", "empathy,", 1), encoding="utf-8")
    with pytest.raises(ArtefactError, match=r"'staff': card.json or table.csv was changed after it was saved"):
        load_norms(folder)


def test_norms_without_a_card_do_not_load(tmp_path: Path) -> None:
    folder = save_norms(norms(), tmp_path / "staff")
    content = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    del content["card"]
    (folder / "card.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(NormError, match="This norm has no card, so it does not load"):
        load_norms(folder)
    (folder / "card.json").unlink()
    with pytest.raises(NormError, match=r"'staff' has no card.json, so it does not load"):
        load_norms(folder)
    file = norms().save(tmp_path / "norms.json")
    content = json.loads(file.read_text(encoding="utf-8"))
    del content["card"]["sample"]
    content["card"]["nation"] = "US"
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(NormError) as caught:
        load_norms(file)
    assert "field 'sample' is missing" in str(caught.value)
    assert "field 'nation' is not known" in str(caught.value)


def test_other_files_are_not_norms(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text('{"schema": "talentassess/norms/2"}', encoding="utf-8")
    with pytest.raises(
        ArtefactError, match="not a norm table of schema talentassess/norms/1; found 'talentassess/norms/2'"
    ):
        load_norms(file)
    file.write_text("no json", encoding="utf-8")
    with pytest.raises(ArtefactError, match=r"x.json: this is not a JSON file in UTF-8"):
        load_norms(file)
    (tmp_path / "card.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ArtefactError, match=r"is not a norm folder: it needs card.json and table.csv"):
        load_norms(tmp_path)
    with pytest.raises(NormError, match="There are no norms 'martians_2031': no such file or folder"):
        load_norms("martians_2031")


def test_tables_for_print() -> None:
    table = norms()
    assert list(table.tables()) == ["norms", "scales", "card", "findings"]
    frame = table.to_frame()
    assert {"T", "se(T)", "sten", "stanine 4-7-12-17-20", "z blom", "T rankit", "se(score)"} <= set(frame.columns)
    assert frame.notna().all().all()
    assert table.to_frame("card").set_index("field").loc["population", "value"] == "call centre staff"
    grouped = table.apply(sample(4, group=("a", "a", "b", "b")))
    assert grouped.to_frame()["group"].tolist() == ["a", "a", "b", "b"]
    assert len(grouped.to_frame()) == 4
    with pytest.raises(TalentAssessError, match="choose one of: normed, findings"):
        grouped.to_frame("norms")


def test_a_table_needs_scales_with_names_of_their_own() -> None:
    table = norms()
    with pytest.raises(NormError, match="names of their own; found: ownership, ownership"):
        NormTable(card=table.card, scales=table.scales * 2, metric="logit", findings=(), provenance=Provenance("a.csv"))


@settings(max_examples=40, deadline=None)
@given(values=st.lists(st.integers(0, 30), min_size=30, max_size=80).filter(lambda v: len(set(v)) > 1))
def test_percentiles_rise_and_quantiles_invert_them(values: list[int]) -> None:
    norm = fit_norms_raw({"q": values}, card=card(len(values))).scale("q")
    assert np.all(np.diff(norm.percentile) > 0)
    definition = [
        100 * (np.sum(np.array(values) < s) + np.sum(np.array(values) == s) / 2) / len(values) for s in norm.score
    ]
    assert norm.percentile == pytest.approx(definition, abs=1e-10)
    for score, percent in zip(norm.score, norm.percentile, strict=True):
        found, se = norm.quantile(float(percent))
        assert found == pytest.approx(float(score), abs=1e-9)
        assert se > 0
    assert norm.mean == pytest.approx(np.mean(values), abs=1e-10)
    assert norm.sd == pytest.approx(np.std(values, ddof=1), abs=1e-10)

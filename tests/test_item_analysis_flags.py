"""What an item analysis says about odd items, odd scales and bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talentassess.core.errors import DataError, TalentAssessError
from talentassess.core.provenance import Provenance
from talentassess.core.responses import Responses
from talentassess.core.status import Severity, Status
from talentassess.ctt import FlagRules, ItemAnalysis, OptionSettings, analyze_items, analyze_options
from talentassess.ctt.one_factor import minres_one_factor


def codes(n: int = 400, items: int = 6, seed: int = 3) -> np.ndarray:
    """Return five-category answers that share a trait."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=(n, 1)) + rng.normal(size=(n, items))
    return np.digitize(raw, [-1.5, -0.5, 0.5, 1.5]).astype(float)


def responses(x: np.ndarray, **more: object) -> Responses:
    n, j = x.shape
    named = {"item_ids": [f"q{i + 1}" for i in range(j)], "person_ids": [f"p{i}" for i in range(n)], "n_cat": [5] * j}
    return Responses(x=x, **{**named, **more})


def codes_of(analysis: ItemAnalysis, where: str) -> list[str]:
    return [f.code for f in analysis.findings if f.where == where]


def message_of(analysis: ItemAnalysis, code: str) -> str:
    return next(str(f) for f in analysis.findings if f.code == code)


def test_clean_scale_has_no_findings() -> None:
    analysis = analyze_items(responses(codes()))
    assert analysis.findings == ()
    assert all(value is not None for value in (analysis.alpha, analysis.scales[0].omega, analysis.scales[0].split_half))


def test_reverse_keyed_item_is_a_problem() -> None:
    x = codes()
    x[:, 2] = 4 - x[:, 2]
    analysis = analyze_items(responses(x))
    finding = next(f for f in analysis.findings if f.code == "negative_item_rest")
    assert (finding.where, finding.severity) == ("q3", Severity.PROBLEM)
    assert "people high on the other items score low on it" in finding.message
    assert "it is not reversed" in finding.remedy
    turned = analyze_items(responses(x, reversed_items=["q3"]))
    assert "was the file already keyed?" in message_of(turned, "negative_item_rest")
    assert "alpha_rises_without" in codes_of(analysis, "q3")


def test_low_item_rest_follows_the_rules() -> None:
    x = codes()
    x[:320, 0] = np.random.default_rng(1).integers(0, 5, 320)
    weak = analyze_items(responses(x))
    assert 0 < weak.item("q1").item_rest < 0.20
    assert "low_item_rest" in codes_of(weak, "q1")
    strict = analyze_items(responses(codes()), rules=FlagRules(item_rest=0.95))
    assert {f.code for f in strict.findings} == {"low_item_rest"}
    assert "is below 0.95" in message_of(strict, "low_item_rest")


def test_constant_and_unanswered_items_are_left_out_and_named() -> None:
    x = codes()
    x[:, 1], x[:, 3] = 2, np.nan
    analysis = analyze_items(responses(x))
    assert codes_of(analysis, "q2") == ["constant_item"]
    assert codes_of(analysis, "q4") == ["unanswered_item"]
    assert "Everybody who answered gave the same answer" in message_of(analysis, "constant_item")
    scale = analysis.scales[0]
    assert (scale.n_items, scale.n_used) == (6, 4)
    assert analysis.alpha == pytest.approx(analyze_items(responses(codes()[:, [0, 2, 4, 5]])).alpha, abs=1e-12)
    assert analysis.item("q2").sd == 0
    assert analysis.item("q2").item_rest is None
    assert analysis.item("q4").mean is None


def test_constant_item_with_odd_weights_is_still_constant() -> None:
    x = codes()
    x[:, 1] = 3
    weighted = analyze_items(responses(x, weight=np.random.default_rng(5).uniform(0.1, 3, len(x))))
    assert codes_of(weighted, "q2") == ["constant_item"]


def test_unused_category_floor_ceiling_and_missing() -> None:
    x = codes()
    x[:, 0] = np.minimum(x[:, 0], 3)
    x[: int(0.85 * len(x)), 1] = 0
    x[: int(0.85 * len(x)), 2] = 4
    x[: int(0.12 * len(x)), 3] = np.nan
    analysis = analyze_items(responses(x))
    assert "Nobody used category 4 of its 5." in message_of(analysis, "unused_category")
    assert "floor" in codes_of(analysis, "q2")
    assert "ceiling" in codes_of(analysis, "q3")
    assert "12.0 % of the persons gave no answer (flagged above 10 %)" in message_of(analysis, "many_missing")


def test_easy_dichotomous_item_is_flagged_later_than_a_graded_one() -> None:
    rules = FlagRules()
    assert (rules.extreme(2), rules.extreme(5)) == (0.95, 0.80)


def test_single_item_scale_has_no_alpha_and_says_so() -> None:
    analysis = analyze_items(responses(codes(items=1)))
    assert analysis.alpha is None
    assert analysis.scales[0].sem is None
    assert "1 of its 1 item(s) have variance; alpha, omega" in message_of(analysis, "too_few_items")
    assert analysis.options == ()


def test_two_item_scale_keeps_alpha_only() -> None:
    analysis = analyze_items(responses(codes(items=2)))
    assert analysis.alpha is not None
    assert analysis.scales[0].omega is None
    assert analysis.item("q1").alpha_without is None
    assert "alpha-without-item and omega do not exist" in message_of(analysis, "two_items")


def test_items_that_cancel_leave_no_reliability() -> None:
    x = codes(items=1)
    analysis = analyze_items(responses(np.hstack([x, 4 - x])))
    assert analysis.alpha is None
    assert "its items cancel each other" in message_of(analysis, "no_sum_variance")


def test_negative_alpha_is_a_problem() -> None:
    rng = np.random.default_rng(0)
    a = rng.integers(0, 5, 300)
    x = np.column_stack([a, 4 - a, rng.integers(0, 5, 300)]).astype(float)
    analysis = analyze_items(responses(x))
    assert analysis.alpha < 0
    assert "the items go against each other" in message_of(analysis, "negative_alpha")


def test_forms_without_common_persons() -> None:
    x = codes()
    x[:200, :3], x[200:, 3:] = np.nan, np.nan
    analysis = analyze_items(responses(x))
    assert analysis.alpha is None
    assert "9 pair(s) of items have fewer than two persons in common (q1 & q4" in message_of(
        analysis, "no_common_answers"
    )
    assert analysis.item("q1").mean is not None


def test_persons_without_answers_are_counted() -> None:
    x = codes()
    x[:7] = np.nan
    analysis = analyze_items(responses(x))
    assert analysis.scales[0].n_persons == 393
    assert "7 of 400 persons answered none of its items" in message_of(analysis, "persons_without_answers")


def test_heywood_case_warns_about_omega() -> None:
    x = codes(items=3)
    x[:, 1] = x[:, 0]
    analysis = analyze_items(responses(x))
    assert "no unique variance (a Heywood case)" in message_of(analysis, "heywood_case")


def test_one_factor_status() -> None:
    assert minres_one_factor(np.eye(2)).status is Status.NOT_IDENTIFIED
    exact = np.outer([0.9, 0.8, 0.7, -0.6], [0.9, 0.8, 0.7, -0.6])
    np.fill_diagonal(exact, 1.0)
    found = minres_one_factor(exact)
    assert found.status is Status.CONVERGED
    assert found.loadings == pytest.approx([0.9, 0.8, 0.7, -0.6], abs=1e-8)  # the stopping rule is 1e-10 per step


def test_every_scale_on_its_own() -> None:
    scales = ["a", "b"] * 3
    both = analyze_items(responses(codes(), scales=scales))
    alone = analyze_items(responses(codes()[:, ::2]))
    assert both["a"].alpha == pytest.approx(alone.alpha, abs=1e-12)
    with pytest.raises(DataError, match=r"There are 2 scales, each with its own alpha. Pick one, e.g. analysis\['a'\]"):
        _ = both.alpha
    with pytest.raises(DataError, match="no scale 'c' in this analysis; the scales are: a, b"):
        _ = both["c"]
    with pytest.raises(DataError, match="Unknown item 'q9'"):
        both.item("q9")
    assert [row.item for row in both.item_statistics] == ["q1", "q2", "q3", "q4", "q5", "q6"]


def test_weights_act_like_repeated_persons() -> None:
    x, counts = codes(60), np.random.default_rng(2).integers(1, 5, 60)
    weighted = analyze_items(responses(x, weight=counts.astype(float)))
    repeated = analyze_items(responses(np.repeat(x, counts, axis=0)))
    # Ratios of covariances agree; n - 1 differs, so SDs do not.
    assert weighted.alpha == pytest.approx(repeated.alpha, abs=1e-12)
    for name in ("item_rest", "item_total", "alpha_without", "mean", "floor", "ceiling"):
        assert list(weighted.items[name]) == pytest.approx(list(repeated.items[name]), abs=1e-12)
    ours, theirs = weighted.to_frame("categories"), repeated.to_frame("categories")
    assert ours["rest_r"].tolist() == pytest.approx(theirs["rest_r"].tolist(), abs=1e-12)
    # The interval of alpha rests on the effective number of persons, so it is wider than if all were alike.
    even = analyze_items(responses(x))
    assert weighted.scales[0].alpha_low < even.scales[0].alpha_low + (weighted.alpha - even.alpha)


def test_missing_answers_do_not_count_in_shares() -> None:
    x = np.array([[0, 1, 2], [4, np.nan, 3], [2, 2, 2], [1, 1, np.nan], [3, 3, 4]])
    analysis = analyze_items(responses(x))
    item = analysis.item("q2")
    assert (item.n, item.missing) == (4, pytest.approx(0.2))
    shares = [row.share for row in analysis.categories if row.item == "q2"]
    assert shares == pytest.approx([0, 0.5, 0.25, 0.25, 0])


def test_median_seconds_ignores_unknown_times() -> None:
    seconds = np.tile([[4.0, np.nan]], (4, 1))
    seconds[0, 0], seconds[1, 0] = np.nan, 10.0
    analysis = analyze_items(responses(codes(4, 2), seconds=seconds))
    assert analysis.item("q1").median_seconds == 4.0
    assert analysis.item("q2").median_seconds is None


def test_option_groups_rise_with_the_category() -> None:
    analysis = analyze_items(responses(codes(2000)), groups=5)
    top = [row.share for row in analysis.options if row.item == "q1" and row.category == 4]
    assert len(top) == 5
    assert top == sorted(top)
    per_group = analysis.to_frame("options").groupby(["item", "group"])["share"].sum()
    assert per_group.to_numpy() == pytest.approx(1.0, abs=1e-12)


def test_tables_and_simulated_mark() -> None:
    simulated = responses(codes(), provenance=Provenance("simulated", simulated=True))
    analysis = analyze_items(simulated)
    assert analysis.provenance.simulated
    assert "SIMULATED" in repr(analysis)
    assert list(analysis.tables()) == ["items", "scales", "categories", "options", "findings"]
    assert len(analysis.to_frame()) == 6
    assert analysis.to_frame("options").shape[0] == 6 * 5 * 5
    with pytest.raises(TalentAssessError, match="no table 'option' here; choose one of: items, scales"):
        analysis.to_frame("option")


def test_bad_arguments_are_all_named() -> None:
    x = codes(5, 4)
    x[2:, 2:] = np.nan
    with pytest.raises(DataError) as caught:
        analyze_items(responses(x, scales=["a", "a", "b", "b"]), groups=1, confidence=1.5)
    text = str(caught.value)
    assert "groups is 1; at least 2 score groups are needed" in text
    assert "confidence is 1.5; give a share between 0 and 1" in text
    assert "scale 'b': 2 person(s) answered it; at least 3 are needed" in text


def test_most_and_least_picks() -> None:
    score = np.arange(100.0)
    most = np.where(score > 60, 0, np.where(score > 30, 1, 2))
    least = np.where(score > 50, 2, 0)
    result = analyze_options(
        {"most": most, "least": least}, score, 4, item="s1", settings=OptionSettings(labels=("w", "x", "y", "z"))
    )
    rows = {(row.pick, row.label): row for row in result.categories}
    expected = np.corrcoef(most == 0, score)[0, 1]
    assert rows["most", "w"].rest_r == pytest.approx(expected, abs=1e-12)
    assert rows["most", "z"].rest_r is None
    assert [(f.where, f.message) for f in result.findings] == [
        ("s1, option z", "Nobody chose this option as most."),
        ("s1, option x", "Nobody chose this option as least."),
        ("s1, option z", "Nobody chose this option as least."),
    ]
    shares = [row.share for row in result.options if (row.pick, row.label) == ("most", "w")]
    assert shares == pytest.approx([0, 0, 0, 0.95, 1])


def test_contradictions_and_unknown_scores_are_reported() -> None:
    result = analyze_options({"most": [0, 1, 1, -1], "least": [0, 1, 0, -1]}, [1, 2, np.nan, 4], 2, item="s7")
    found = {f.code: f.message for f in result.findings}
    assert found["contradictory_choice"] == "2 person(s) chose the same option as most and as least."
    assert "1 person(s) have no score" in found["score_unknown"]
    assert "OptionAnalysis(s7" in repr(result)
    assert len(result.to_frame()) == 4


def test_bad_choices_are_all_named() -> None:
    with pytest.raises(DataError) as caught:
        analyze_options({"most": [0, 5, 1], "least": [0.5, 1, 1], "all": [1]}, [1, 2, 3], 3)
    text = str(caught.value)
    assert "choice 'most', person row 1: position 5 is not one of 0..2 (or -1, missing)" in text
    assert "choice 'least' holds float64; whole-number option positions are needed" in text
    assert "choice 'all' has shape (1,); one position per person is needed, (3,)" in text
    with pytest.raises(DataError, match="no choices were given"):
        analyze_options({}, [1, 2, 3], 3)
    with pytest.raises(DataError, match="2 labels were given for 3 options"):
        analyze_options({"most": [0, 1, 2]}, [1, 2, 3], 3, settings=OptionSettings(labels=("a", "b")))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), items=st.integers(3, 7), holes=st.floats(0, 0.2))
def test_alpha_and_item_rest_equal_their_definitions(seed: int, items: int, holes: float) -> None:
    x = codes(60, items, seed)
    complete = analyze_items(responses(x))
    total = x.sum(axis=1)
    alpha = items / (items - 1) * (1 - x.var(axis=0, ddof=1).sum() / total.var(ddof=1))
    assert complete.alpha == pytest.approx(alpha, abs=1e-10)  # sums of 60 small numbers
    rest = [np.corrcoef(x[:, j], total - x[:, j])[0, 1] for j in range(items)]
    assert list(complete.items["item_rest"]) == pytest.approx(rest, abs=1e-10)
    x[np.random.default_rng(seed).random(x.shape) < holes] = np.nan
    order = np.random.default_rng(seed + 1).permutation(len(x))
    shuffled, straight = analyze_items(responses(x[order])), analyze_items(responses(x))
    assert shuffled.alpha == pytest.approx(straight.alpha, abs=1e-10)

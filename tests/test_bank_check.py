"""The content check: each fault planted in a bank is found, and a sound bank is left in peace."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest

from bank_fixtures import TINY_BANK, broken_bank
from talentassess.bank.check import BankCheck, check_bank
from talentassess.bank.load import load_bank, load_competencies
from talentassess.bank.schema import ItemBank
from talentassess.bank.word_groups import HEDGES, NEGATIVE_TONE, POSITIVE_TONE, WATCHED_IN_ITEMS, WordGroup
from talentassess.bank.wording import count_watched, negations, reading_grade, syllables, tfidf_cosine, watched_words
from talentassess.core.status import Severity

TINY = load_bank(TINY_BANK)


def codes(check: BankCheck) -> set[str]:
    return {finding.code for finding in check.findings}


def finding(check: BankCheck, code: str, where: str = ""):
    return next(f for f in check.findings if f.code == code and (not where or f.where == where))


def edited(tmp_path, file: str, old: str, new: str) -> BankCheck:
    return check_bank(load_bank(broken_bank(tmp_path, {file: (old, new)})))


def test_the_tiny_bank_has_warnings_but_no_problem():
    check = check_bank(TINY)
    assert check.ok
    assert repr(check) == "BankCheck(tiny 1.2.3: 0 problem(s), 6 warning(s), 9 note(s))"
    where = {code: {f.where for f in check.findings if f.code == code} for code in codes(check)}
    assert where["unkeyed"] == {"pace_ml", "pace_pick"}
    assert where["thin_scale"] == {"ownership", "follow_up", "pace"}
    assert where["tied_ranks"] == {"fu_rank"}
    assert where["blind_rule"] == {"tiny"}
    severities = [f.severity for f in check.findings]
    assert severities == [Severity.WARNING] * 6 + [Severity.NOTE] * 9


def test_coverage_counts_items_by_scale_method_and_context():
    frame = check_bank(TINY).to_frame("coverage").set_index("scale")
    assert frame.index.tolist() == ["ownership", "follow_up", "pace", "all"]
    assert frame.loc["ownership", "self_report"] == 2
    assert frame.loc["ownership", "situational call_centre"] == 1
    assert frame.loc["follow_up", "situational corner_store"] == 0
    assert frame.loc["all", "items"] == frame["items"][:-1].sum() == len(TINY.items)
    formats = check_bank(TINY).to_frame("formats").set_index("format")
    assert formats.loc["pick_best"].tolist() == [1, 1, 0, 2]


def test_interview_questions_join_the_coverage():
    questions = {"ownership": {"general": 3}, "follow_up": {"general": 1, "call_centre": 2}}
    check = check_bank(TINY, questions=questions)
    frame = check.to_frame("coverage").set_index("scale")
    assert frame.loc["follow_up", ["interview general", "interview call_centre"]].tolist() == [1, 2]
    gaps = [f.where for f in check.findings if f.code == "context_gap" and "interview question" in f.message]
    assert gaps == ["ownership"]  # pace has no competency and no question at all: not a gap between contexts


def test_retired_items_do_not_count(tmp_path):
    check = edited(tmp_path, "self_report.yaml", "status: draft", "status: retired")
    assert check.to_frame("coverage").set_index("scale").loc["follow_up", "self_report"] == 1


def test_statistics_hold_the_numbers_behind_the_findings():
    frame = check_bank(TINY).to_frame("statistics")
    shares = frame[frame["name"] == "share reverse-keyed"].set_index("where")["value"]
    assert shares.to_dict() == {"ownership": 0.5, "follow_up": 0.5, "pace": 1.0}


SELF, SJT, CARD = "self_report.yaml", "sjt.yaml", "bank.yaml"
WAIT, ASK = "I wait until", "customers ask again"
PLANTED = [
    (
        SELF,
        "reverse: true",
        "reverse: false",
        "key_balance",
        "follow_up",
        "0 of 2 statements are reverse-keyed; 40% to 50%",
    ),
    (SELF, WAIT, "I always wait until", "absolute", "fu_2", "'always' (absolute); hardly anybody"),
    (SELF, WAIT, "I do not wait without", "double_negative", "fu_2", "2 negating words"),
    (SELF, WAIT, "I do not wait until", "negated_reverse", "fu_2", "contains a negation"),
    (SELF, ASK, "my family asks again", "sensitive", "fu_2", "'family' (family); it may let family status"),
    (SELF, ASK, "he asks again", "gendered", "fu_2", "'he' (gendered); a gendered person"),
    (SELF, WAIT, "I keep an eye on mail until", "idiom", "fu_2", "'keep an eye on' (idiom); people who learnt english"),
    (SELF, WAIT, "I wait " + 20 * "and wait ", "long_statement", "fu_2", "has 45 words"),
    (SELF, "id: fu_2", "id: Fu_01", "confusable_ids", "fu_1, Fu_01", "leading zeros"),
    (CARD, "  yes_no:", "  spare: [Low, High]\n  yes_no:", "unused_response_scale", "spare", "no item uses"),
    (CARD, "language: en", "language: de", "not_english", "tiny", "the language is de"),
    (SJT, "rationale: Solves the problem at once.", "rationale: null", "missing_rationale", "ow_pick", "option(s) a"),
    (SJT, "effectiveness: 4", "effectiveness: 5", "tied_key", "ow_pick", "options a, d share the best"),
]


@pytest.mark.parametrize(("file", "old", "new", "code", "where", "piece"), PLANTED, ids=[p[3] for p in PLANTED])
def test_planted_faults_are_found(tmp_path, file, old, new, code, where, piece):
    assert not [f for f in check_bank(TINY).findings if (f.code, f.where) == (code, where)]
    assert piece in finding(edited(tmp_path, file, old, new), code, where).message.lower()


def test_same_and_similar_statements(tmp_path):
    old, promise = "I wait until customers ask again.", "I call customers back on the day"
    same = edited(tmp_path / "1", SELF, old, f"{promise} I promised.")
    assert finding(same, "duplicate", "fu_1, fu_2").severity is Severity.PROBLEM
    assert not same.ok
    near = edited(tmp_path / "2", SELF, old, f"{promise} promised.")
    assert finding(near, "near_duplicate", "fu_1, fu_2").severity is Severity.WARNING


def test_a_scale_without_items_is_a_problem(tmp_path):
    check = edited(
        tmp_path, "bank.yaml", "competency: null}", "competency: null}\n  - {id: tone, name: Tone, competency: null}"
    )
    assert finding(check, "empty_scale", "tone").severity is Severity.PROBLEM


def test_hard_words_are_found(tmp_path):
    hard = "I prioritise organisational responsibilities notwithstanding considerable administrative complications."
    check = edited(tmp_path, "self_report.yaml", "I wait until customers ask again.", hard)
    assert "plain language is at most 9" in finding(check, "hard_to_read", "follow_up (statements)").message


def test_competency_model_is_held_against_the_scales(tmp_path):
    shipped = load_competencies()
    assert "unknown_competency" not in codes(check_bank(TINY, shipped))
    bank = load_bank(broken_bank(tmp_path, {"bank.yaml": ("competency: null", "competency: composure")}))
    if "composure" not in shipped.ids:
        assert finding(check_bank(bank, shipped), "unknown_competency", "pace").severity is Severity.PROBLEM
    assert "unknown_competency" not in codes(check_bank(bank))


def situational_bank(lengths_by_option: list[list[int]], effectiveness: list[list[int]]) -> ItemBank:
    """Build a bank of most/least items whose options have these lengths and keys."""
    item = {
        "scale": "s", "context": "general", "format": "most_least", "scenario": "A customer waits.",
        "key_source": "rational (authors)", "status": "draft", "version": 1,
    }  # fmt: skip
    items = [
        item
        | {
            "id": f"q{i}",
            "options": [
                {"id": "abcde"[o], "text": "x" * length, "effectiveness": value, "rationale": "because"}
                for o, (length, value) in enumerate(zip(lengths, values, strict=True))
            ],
        }
        for i, (lengths, values) in enumerate(zip(lengths_by_option, effectiveness, strict=True))
    ]
    card = {
        "schema": "talentassess/bank/1", "id": "made", "title": "Made", "description": "For the tests.",
        "version": "0.0.1", "language": "en", "licence": "Apache-2.0", "authors": ["Tests"],
        "scales": [{"id": "s", "name": "S", "competency": None}], "situational": items,
    }  # fmt: skip
    return ItemBank.model_validate(card)


ROTATED = [np.roll([5, 4, 2, 1], shift).tolist() for shift in range(4)] * 2


def test_a_longest_best_option_is_noticed():
    giveaway = check_bank(situational_bank([[10 * v for v in key] for key in ROTATED], ROTATED))
    # all 8 best options are the longest; chance .25 each: .25**8 < .001; most and least are both right: the whole key
    message = finding(giveaway, "blind_rule").message
    assert (
        "Picking the longest earns 100% of the way from chance to the key and hits the best option in 8 of" in message
    )
    assert "8 items; chance gives 2.0 (p < 0.001)" in message
    even = check_bank(situational_bank([[20, 20, 20, 20]] * 8, ROTATED))
    assert not codes(even) & {"blind_rule", "best_position"}


def test_a_favourite_place_of_the_best_option_is_noticed():
    check = check_bank(situational_bank([[20, 20, 20, 20]] * 8, [[1, 2, 5, 4]] * 8))
    assert "option 3 is the best in 8 of 8 items" in finding(check, "best_position").message.lower()


def test_a_narrow_key_is_noticed():
    check = check_bank(situational_bank([[20, 21, 22, 23]], [[3, 4, 4, 3]]))
    assert "over 1 points only" in finding(check, "narrow_key", "q0").message


# -- measures -----------------------------------------------------------------------------------------------------


def test_reading_grade_by_hand():
    # counted by hand: 13 words, 2 sentences, 19 syllables; 1e-12 for rounding
    text = "I call the customer back today. The order was not ready until noon."
    assert [syllables(w) for w in ("customer", "today", "order", "ready", "until")] == [3, 2, 2, 2, 2]
    assert reading_grade(text) == pytest.approx(0.39 * 6.5 + 11.8 * 19 / 13 - 15.59, abs=1e-12)
    assert np.isnan(reading_grade("12 34"))


def test_tfidf_cosine_by_hand():
    # three texts; "a" is in two of them, "b" and "c" in one: weights 1 + ln(4/3) and 1 + ln(4/2)
    common, rare = 1 + log(4 / 3), 1 + log(2)
    cosine = tfidf_cosine(["a b", "a", "c"])
    assert cosine[0, 1] == pytest.approx(common / sqrt(common**2 + rare**2), abs=1e-12)
    assert cosine[0, 2] == 0
    assert np.diag(cosine) == pytest.approx([1, 1, 1], abs=1e-12)
    assert tfidf_cosine(["a", "1"])[1].tolist() == [0, 0]


def test_negations_are_counted_by_sentence():
    assert negations("I don't leave. I never wait.") == 1
    assert negations("I can't leave without a note.") == 2
    assert negations("I neither wait nor leave.") == 1


def test_watched_words_and_phrases():
    group = WordGroup("test", "because", frozenset({"all"}), ("keep an eye on",))
    assert watched_words("All, all of it; I keep an eye on it.", group) == ("all", "keep an eye on")
    assert count_watched("All, all of it; I keep an eye on it.", group) == 3
    assert watched_words("Tall people keep an eye only.", group) == ()


def test_every_word_group_has_a_reason_and_own_words():
    groups = [*WATCHED_IN_ITEMS, *POSITIVE_TONE, *NEGATIVE_TONE, HEDGES]
    assert [g.name for g in groups if len(g.reason) < 20 or not (g.words or g.phrases)] == []
    assert len({g.name for g in groups}) == len(groups)
    assert [w for g in groups for w in g.words if w != w.lower() or " " in w] == []
    positive, negative = (frozenset().union(*(g.words for g in tone)) for tone in (POSITIVE_TONE, NEGATIVE_TONE))
    assert len(positive) > 120
    assert not positive & negative

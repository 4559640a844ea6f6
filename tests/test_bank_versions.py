"""Paired versions, keys per role context, and the desirability of statements: each rule broken once."""

from __future__ import annotations

import pytest

from bank_fixtures import made_bank, made_situational
from talentassess.bank.check import check_bank
from talentassess.bank.schema import SelfReportItem, SituationalItem
from talentassess.core.status import Severity

TEXTS = ["Ask what it is for.", "Show the nearest one.", "Name both prices.", "Fetch a colleague."]


def changed(item: SituationalItem, **fields) -> SituationalItem:
    return SituationalItem.model_validate(item.model_dump() | fields)


def pair(**second) -> list[SituationalItem]:
    """Return two sound versions; ``second`` changes the second one."""
    first, other = made_situational([TEXTS] * 2, [[5, 2, 4, 1], [2, 5, 1, 4]])
    return [
        changed(first, customer_need="browsing", pair="q1"),
        changed(other, **({"customer_need": "urgent", "pair": "q0"} | second)),
    ]


def found(items, code, **card):
    return [f for f in check_bank(made_bank(items, **card)).findings if f.code == code]


def test_a_sound_pair_is_left_in_peace():
    codes = {f.code for f in check_bank(made_bank(pair())).findings}
    assert not codes & {"pair_unlike", "pair_incomplete", "pair_one_sided"}


def options_with(position: int, text: str) -> list[dict[str, object]]:
    options = [option.model_dump() for option in pair()[1].options]
    options[position]["text"] = text
    return options


UNLIKE = [
    ({"customer_need": "empathy"}, "the needs browsing and empathy are not opposites"),
    ({"context": "call_centre"}, "the context differs: general and call_centre"),
    ({"format": "pick_best"}, "the format differs: most_least and pick_best"),
    ({"options": options_with(1, "Show another one.")}, "the options differ in wording or order"),
    ({"options": [o.model_dump() for o in pair()[0].options]}, "the same option is best in both (a), whatever"),
]


@pytest.mark.parametrize(("fields", "message"), UNLIKE, ids=[m for _, m in UNLIKE])
def test_what_a_pair_must_not_differ_in(fields, message):
    (finding,) = found(pair(**fields), "pair_unlike")
    assert finding.severity is Severity.PROBLEM
    assert finding.where == "q0, q1"
    assert message in finding.message[0].lower() + finding.message[1:]


def test_ratings_and_ranks_have_no_pairs():
    items = [changed(item, format="rank") for item in pair()]
    assert "the format rank has no one best option" in found(items, "pair_unlike")[0].message.lower()


def test_a_version_without_its_partner():
    alone = pair()[:1]
    (finding,) = found(alone, "pair_incomplete")
    assert finding.severity is Severity.PROBLEM
    assert "'q1' is not among the situational items" in finding.message
    # a bank that takes its items from another one may leave a version behind
    (selected,) = found(alone, "pair_incomplete", part_of="whole", selection=["q0"])
    assert selected.severity is Severity.NOTE


def test_a_pair_must_point_both_ways():
    third = changed(made_situational([TEXTS], [[5, 2, 4, 1]])[0], id="q2", customer_need="browsing", pair="q1")
    (finding,) = found([*pair(), third], "pair_one_sided")
    assert finding.where == "q2"
    assert "names 'q1' as its paired version, but that item names 'q0'" in finding.message.lower()


def in_context(**by_option) -> list[SituationalItem]:
    item = made_situational([TEXTS], [[5, 2, 4, 1]])[0]
    options = [o.model_dump() | {"in_context": by_option.get(o.id, {})} for o in item.options]
    return [changed(item, options=options)]


def test_keys_per_context_must_change_the_best_option():
    assert not found(in_context(a={"call_centre": 3}), "context_without_effect")
    (finding,) = found(in_context(b={"call_centre": 3, "corner_store": 4}), "context_without_effect")
    assert "call_centre, corner_store, but the best option is the same" in finding.message


def test_a_tie_in_a_context_is_found():
    (finding,) = found(in_context(a={"call_centre": 4}), "tied_key")
    assert "a, c share the best effectiveness in the context call_centre" in finding.message


def statements(*rated) -> list[SelfReportItem]:
    return [
        SelfReportItem(
            id=f"s{i}", scale="s", text=f"I do thing number {'abcdefgh'[i]} today.", reverse=reverse,
            responses="agree5", desirability=value, status="draft", version=1,
        )
        for i, (reverse, value) in enumerate(rated)
    ]  # fmt: skip


def test_a_key_that_can_be_guessed_from_desirability():
    (finding,) = found(statements((False, 4.0), (False, 4.5), (True, 2.0), (True, 3.0)), "desirable_key")
    assert "(lowest 4, highest 3)" in finding.message
    assert not found(statements((False, 3.9), (False, 4.5), (True, 2.0), (True, 3.0)), "desirable_key")


def test_desirability_statistics_by_hand():
    # values 4, 2, 3, 3 with directions 1, -1, 1, -1: mean 3, SD sqrt(1/2); covariance (1 + 1)/4, so r = .5/sqrt(.5)
    check = check_bank(made_bank(statements((False, 4.0), (True, 2.0), (False, 3.0), (True, 3.0))))
    values = {s.name: s.value for s in check.statistics}
    assert values["desirability of the statements: SD"] == pytest.approx(0.5**0.5)
    assert values["desirability: correlation with the keyed direction"] == pytest.approx(0.5**0.5)


def test_missing_desirability_is_noted_only_where_others_have_it():
    (finding,) = found(statements((False, 4.0), (True, None), (False, 3.0)), "missing_desirability")
    assert "for 1 of 3 statements: s1" in finding.message
    assert not found(statements((False, None), (True, None), (False, None)), "missing_desirability")


def test_middle_ratings_that_pay_are_found():
    middling = made_situational([TEXTS], [[2, 3, 4, 5]], form="rate_each")
    assert "rating every option 3 earns 3 of 4 points" in found(middling, "middle_ratings")[0].message.lower()
    assert not found(made_situational([TEXTS], [[1, 2, 4, 5]], form="rate_each"), "middle_ratings")

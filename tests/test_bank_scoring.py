"""Raw answers and their scoring: reversed statements, keys, provenance, and refusals by name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bank_fixtures import TINY_BANK
from talentassess.bank.answers import RawAnswers
from talentassess.bank.keys import derive_keys
from talentassess.bank.load import load_bank
from talentassess.bank.scoring import key_answers
from talentassess.core.errors import ContentError, DataError
from talentassess.core.provenance import Provenance

TINY = load_bank(TINY_BANK)


def answers(**changes: object) -> RawAnswers:
    fields: dict[str, object] = {
        "person_ids": ("ann", "bo", "cy"),
        "self_report": {"fu_1": np.array([0, 4, -1]), "fu_2": np.array([0, 4, -1]), "pace_1": np.array([0, 1, 1])},
        "situational": {
            "ow_ml": np.array([[1, 2], [2, 1], [1, -1]]),
            "fu_rank": np.array([[2, 0, 1, 3], [0, 3, 2, 1], [-1, -1, -1, -1]]),
        },
        "seconds": {"ow_ml": np.array([30.5, np.nan, 12])},
        "provenance": Provenance("pilot.csv", options={"missing": "-9"}),
    }
    return RawAnswers(**(fields | changes))


def test_scored_answers_by_hand():
    r = key_answers(answers(), TINY)
    # order of the scales: ownership, follow_up, pace; self-report first
    assert r.item_ids == ("ow_ml", "fu_1", "fu_2", "fu_rank", "pace_1")
    assert r.scales == ("ownership", "follow_up", "follow_up", "follow_up", "pace")
    assert r.n_cat.tolist() == [5, 5, 5, 6, 2]
    assert r.x.tolist() == [[4, 0, 4, 5, 1], [0, 4, 0, 0, 0], [-1, -1, -1, -1, 0]]
    assert r.reversed_items == ("fu_2", "pace_1")
    assert r.scale_names == TINY.scale_ids


def test_seconds_follow_their_items():
    r = key_answers(answers(), TINY)
    np.testing.assert_array_equal(r.seconds[:, 0], [30.5, np.nan, 12])
    assert np.isnan(r.seconds[:, 1:]).all()
    assert key_answers(answers(seconds={}), TINY).seconds is None


def test_group_and_weight_are_carried_on():
    r = key_answers(answers(group=("x", "y", "x"), weight=[1, 2, 3]), TINY)
    assert r.group == ("x", "y", "x")
    assert r.weight.tolist() == [1, 2, 3]


def test_provenance_names_bank_keys_and_what_was_left_out():
    raw = answers()
    provenance = key_answers(raw, TINY).provenance
    assert provenance.source == "pilot.csv"
    assert provenance.label == "real answers"
    assert provenance.options["missing"] == "-9"
    assert provenance.options["bank"] == "tiny 1.2.3"
    assert provenance.options["bank hash"] == TINY.content_hash
    assert provenance.options["raw answers hash"] == raw.provenance.data_hash
    assert provenance.options["keys"] == "rational (authors) [ow_ml, fu_rank]"
    assert provenance.options["incomplete answers set to missing"] == "ow_ml: 1"
    assert provenance.options["items without answers"] == "ow_1, ow_2, ow_pick, fu_rate, pace_ml, pace_pick"
    assert provenance.data_hash not in ("", raw.provenance.data_hash)


def test_simulated_answers_stay_simulated():
    simulated = answers(provenance=Provenance("made up", simulated=True))
    assert key_answers(simulated, TINY).provenance.label == "SIMULATED"


def test_real_answers_scored_with_a_simulated_key_are_simulated():
    fields = {"pace_ml": np.array([[0, 3], [0, 3]]), "pace_pick": np.array([[0], [0]])}
    made_up = RawAnswers(person_ids=("a", "b"), situational=fields, provenance=Provenance("x", simulated=True))
    bank = derive_keys(made_up, TINY)
    real = RawAnswers(person_ids=("a", "b"), situational=fields)
    assert key_answers(real, bank).provenance.label == "SIMULATED"


@given(st.lists(st.integers(-1, 4), min_size=1, max_size=20))
def test_turning_round_twice_gives_the_answers_back(codes):
    x = np.array(codes, dtype=np.int16)
    persons = tuple(str(i) for i in range(len(codes)))
    once = key_answers(RawAnswers(person_ids=persons, self_report={"fu_2": x}), TINY).x[:, 0]
    twice = key_answers(RawAnswers(person_ids=persons, self_report={"fu_2": once}), TINY).x[:, 0]
    np.testing.assert_array_equal(twice, x)
    assert np.all((once == -1) == (x == -1))


def test_unkeyed_items_are_named_with_the_remedy():
    raw = answers(situational={"pace_ml": np.array([[0, 1]] * 3), "pace_pick": np.array([[0]] * 3)}, seconds={})
    with pytest.raises(ContentError, match=r"ta\.derive_keys\(answers, bank\)") as caught:
        key_answers(raw, TINY)
    assert caught.value.problems == (
        "situational item 'pace_ml' has no key",
        "situational item 'pace_pick' has no key",
    )


def test_unknown_items_and_items_of_the_other_kind_are_named():
    raw = answers(self_report={"fu_3": np.array([0, 0, 0]), "ow_pick": np.array([0, 0, 0])}, seconds={})
    with pytest.raises(ContentError, match="belong to this bank") as caught:
        key_answers(raw, TINY)
    assert "item 'fu_3' is not a self-report item of this bank; did you mean" in str(caught.value)
    assert "item 'ow_pick' is not a self-report item" in str(caught.value)


def test_every_bad_answer_is_named_by_person_and_item():
    raw = answers(
        self_report={"fu_1": np.array([0, 5, -1]), "pace_1": np.array([2, 0, 0])},
        situational={"ow_ml": np.array([[1, 1], [2, 1], [7, 0]])},
    )
    with pytest.raises(DataError, match="4 answer") as caught:
        key_answers(raw, TINY)
    assert caught.value.problems == (
        "person 'cy', item 'ow_ml', most: code 7 is not one of 0..3 (or -1, missing)",
        "person 'ann', item 'ow_ml': option number 2 is both most and least; they must differ",
        "person 'bo', item 'fu_1': code 5 is not one of 0..4 (or -1, missing)",
        "person 'ann', item 'pace_1': code 2 is not one of 0..1 (or -1, missing)",
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"self_report": {"fu_1": np.array([0.5, 1, 2])}}, "Item 'fu_1': answers must be whole-number codes"),
        ({"self_report": {"fu_1": ["a", "b", "c"]}}, "whole-number codes"),
        ({"self_report": {"fu_1": np.array([-3, 1, 2])}}, "Item 'fu_1': codes run from 0 up, -1 is missing; found -3"),
        (
            {"self_report": {"fu_1": np.array([0, 1])}},
            "item 'fu_1': self-report answers have shape (2,); (3,) is needed",
        ),
        ({"situational": {"ow_ml": np.array([0, 1, 2])}}, "item 'ow_ml': situational answers have shape (3,)"),
        ({"person_ids": ("ann", "ann", "cy")}, "person 'ann' occurs 2 times"),
        ({"self_report": {"ow_ml": np.array([0, 1, 2])}}, "item 'ow_ml' is given as self-report and as situational"),
        ({"seconds": {"ow_1": np.zeros(3)}}, "item 'ow_1': has response times but no answers"),
        ({"seconds": {"fu_1": np.zeros(2)}}, "item 'fu_1': response times have shape (2,)"),
        ({"group": ("a",)}, "group has 1 entries; 3 are needed"),
        ({"person_ids": ()}, "There are no answers: 0 persons"),
    ],
)
def test_raw_answers_check_their_shape(changes, expected):
    with pytest.raises(DataError) as caught:
        answers(**changes)
    assert expected in str(caught.value)


def test_raw_answers_as_a_table():
    frame = answers(group=("x", "y", "x")).to_frame()
    assert frame.columns.tolist()[:3] == ["person", "group", "fu_1"]
    assert frame["ow_ml[0]"].tolist() == [1, 2, 1]
    assert frame["ow_ml[1]"].isna().tolist() == [False, False, True]
    assert "3 persons, 3 self-report + 2 situational items, real answers" in repr(answers())

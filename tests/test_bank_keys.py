"""What situational answers are worth: the four formats by hand, and the sample-consensus key."""

from __future__ import annotations

import csv
from collections import Counter
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bank_fixtures import TINY_BANK
from shared_data import shared
from talentassess.bank.answers import RawAnswers
from talentassess.bank.keys import consensus_effectiveness, derive_keys, key_situational, situational_key
from talentassess.bank.load import load_bank
from talentassess.bank.schema import ItemBank, SituationalItem
from talentassess.core.errors import ContentError, DataError
from talentassess.core.provenance import Provenance

TINY = load_bank(TINY_BANK)


def situational(item_id: str) -> SituationalItem:
    item = TINY.item(item_id)
    assert isinstance(item, SituationalItem)
    return item


def codes(item_id: str, raw: list[list[int]]) -> list[int]:
    return key_situational(situational(item_id), np.array(raw, dtype=np.int16)).tolist()


def test_pick_best_codes_are_the_levels_of_the_key():
    # effectiveness 5, 2, 2, 4: levels 2 < 4 < 5 are the codes 0, 1, 2
    assert codes("ow_pick", [[0], [1], [2], [3], [-1]]) == [2, 0, 0, 1, -1]


def test_most_least_points():
    # effectiveness 2, 5, 1, 4: best b (1), worst c (2); code = points + 2
    raw = [[1, 2], [2, 1], [1, 0], [0, 2], [2, 0], [0, 1], [0, 3], [1, -1], [-1, 2]]
    assert codes("ow_ml", raw) == [4, 0, 3, 3, 1, 1, 2, -1, -1]


def test_rate_each_counts_ratings_within_one_point():
    # effectiveness 5, 2, 1, 4; raw is rating - 1
    assert codes("fu_rate", [[4, 1, 0, 3]]) == [4]  # ratings 5 2 1 4: as keyed
    assert codes("fu_rate", [[3, 2, 1, 2]]) == [4]  # ratings 4 3 2 3: each one point away
    assert codes("fu_rate", [[2, 3, 2, 1]]) == [0]  # ratings 3 4 3 2: each two points away
    assert codes("fu_rate", [[4, 1, 2, -1]]) == [-1]  # one rating missing


def test_rank_counts_ordered_pairs_and_leaves_tied_ones_out():
    # effectiveness 1, 5, 4, 1: pairs b>a, b>c, b>d, c>a, c>d; a and d are tied in the key
    assert codes("fu_rank", [[2, 0, 1, 3]]) == [5]  # b c a d
    assert codes("fu_rank", [[3, 0, 1, 2]]) == [5]  # b c d a: the tied pair does not count
    assert codes("fu_rank", [[0, 3, 2, 1]]) == [0]  # a d c b
    assert codes("fu_rank", [[1, 0, 3, 2]]) == [3]  # b a d c: b>a, b>c, b>d
    assert codes("fu_rank", [[1, 0, 3, -1]]) == [-1]


@pytest.mark.parametrize("item_id", ["ow_pick", "ow_ml", "fu_rate", "fu_rank"])
def test_codes_use_exactly_the_declared_categories(item_id):
    item = situational(item_id)
    answers = {
        "pick_best": [(option,) for option in range(4)],
        "most_least": list(permutations(range(4), 2)),
        "rate_each": list(product(range(5), repeat=4)),
        "rank": list(permutations(range(4))),
    }[item.format]
    found = set(codes(item_id, [list(answer) for answer in answers]))
    assert found == set(range(TINY.n_cat(item_id)))


def test_key_reads_as_a_sentence():
    key = situational_key(situational("ow_pick"))
    assert (key.best, key.worst) == (("a",), ("b", "c"))
    assert str(key) == (
        "ow_pick (pick_best): best a, worst b/c; effectiveness a 5.00, b 2.00, c 2.00, d 4.00; rational (authors)"
    )


@pytest.mark.parametrize(
    ("item_id", "raw", "expected"),
    [
        ("ow_ml", [[1, 2], [1, 1]], "row 2, item 'ow_ml': option number 2 is both most and least"),
        ("ow_ml", [[1, 4]], "item 'ow_ml', least: code 4 is not one of 0..3 (or -1, missing)"),
        ("ow_pick", [[-2]], "item 'ow_pick', choice: code -2 is not one of 0..3"),
        ("fu_rate", [[0, 0, 5, 0]], "item 'fu_rate', c: code 5 is not one of 0..4"),
        ("fu_rank", [[0, 1, 1, -1]], "item 'fu_rank': the ranks are 1, 2, 2, missing; each rank may be given once"),
        ("ow_ml", [[1], [2]], "item 'ow_ml': answers have shape (2, 1); most_least needs (N, 2)"),
    ],
)
def test_answers_that_break_the_format(item_id, raw, expected):
    with pytest.raises(DataError) as caught:
        codes(item_id, raw)
    assert expected in str(caught.value)


def test_all_bad_answers_are_named_with_their_persons():
    with pytest.raises(DataError, match="3 answer") as caught:
        key_situational(situational("ow_ml"), np.array([[0, 0], [9, 1], [3, 3]]), ("ann", "bo", "cy"))
    assert [name for name in ("ann", "bo", "cy") if f"person '{name}'" in str(caught.value)] == ["ann", "bo", "cy"]


def test_an_unkeyed_item_cannot_be_scored():
    with pytest.raises(ContentError, match=r"'pace_ml' has no key.*ta\.derive_keys\(answers, bank\)"):
        codes("pace_ml", [[0, 1]])


# -- sample consensus ---------------------------------------------------------------------------------------------


def sample(most_least: list[list[int]], picks: list[int], **more: object) -> RawAnswers:
    return RawAnswers(
        person_ids=tuple(f"p{i}" for i in range(len(picks))),
        situational={
            "pace_ml": np.array(most_least, dtype=np.int16),
            "pace_pick": np.array(picks, dtype=np.int16)[:, None],
        },
        **more,
    )


MOST_LEAST = [[0, 3], [0, 3], [0, 1], [1, 3], [2, -1]]
PICKS = [2, 2, 2, 1, 0]


def test_consensus_key_by_hand():
    bank = derive_keys(sample(MOST_LEAST, PICKS), TINY)
    # most: a 3/4, b 1/4; least: b 1/4, d 3/4 of the 4 complete answers -> consensus .75, 0, 0, -.75; 3 + 2c
    most_least = situational_key(bank.item("pace_ml"))
    assert most_least.effectiveness == (4.5, 3.0, 3.0, 1.5)
    assert (most_least.best, most_least.worst) == (("a",), ("d",))
    assert most_least.source == "sample consensus, N = 4"
    # chosen: a .2, b .2, c .6, d 0; 1 + 4 share
    pick = situational_key(bank.item("pace_pick"))
    assert pick.effectiveness == (1.8, 1.8, 3.4, 1.0)
    assert pick.source == "sample consensus, N = 5"
    assert bank.n_cat("pace_pick") == 3


def test_consensus_leaves_existing_keys_and_the_given_bank_alone():
    bank = derive_keys(sample(MOST_LEAST, PICKS), TINY)
    assert bank.item("ow_ml") == TINY.item("ow_ml")
    assert TINY.item("pace_ml").key_source is None
    assert bank.content_hash != TINY.content_hash
    assert "2 without a key" not in repr(bank)


def test_consensus_uses_sampling_weights_and_says_so():
    bank = derive_keys(sample(MOST_LEAST, [2, 2, 2, 1, 2], weight=np.array([1, 1, 1, 3, 1.0])), TINY)
    key = situational_key(bank.item("pace_ml"))
    # weights 1 1 1 3: most a .5, b .5; least b 1/6, d 5/6 -> 3 + 2 (.5, 1/3, 0, -5/6); the sixth digit is rounding
    np.testing.assert_allclose(key.effectiveness, [4, 3 + 2 / 3, 3, 3 - 5 / 3], atol=1e-9)
    assert key.source == "sample consensus, N = 4, weighted"


def test_a_key_from_simulated_answers_says_so():
    bank = derive_keys(sample(MOST_LEAST, PICKS, provenance=Provenance("made up", simulated=True)), TINY)
    assert situational_key(bank.item("pace_pick")).source == "sample consensus, N = 5, SIMULATED"


@pytest.mark.parametrize(
    ("most_least", "picks", "expected"),
    [
        (
            [[0, 3], [1, 3], [0, 2], [1, 2]],
            [0, 0, 0, 1],
            ["'pace_ml': options a, b tie for best", "c, d tie for w"],
        ),
        ([[0, 3]] * 4, [0, 1, 1, 0], ["'pace_pick': options a, b tie for best"]),
        ([[0, -1]] * 2, [0, 0], ["'pace_ml': there are no complete answers"]),
    ],
)
def test_samples_that_give_no_key(most_least, picks, expected):
    with pytest.raises(ContentError) as caught:
        derive_keys(sample(most_least, picks), TINY)
    for piece in expected:
        assert piece in str(caught.value)


def test_consensus_refuses_contradictory_answers():
    with pytest.raises(DataError, match="person 'p1', item 'pace_ml': option number 3 is both most and least"):
        derive_keys(sample([[0, 3], [2, 2]], [0, 0]), TINY)


def test_items_without_answers_and_other_formats_get_no_consensus():
    fields = situational("fu_rank").model_dump() | {"key_source": None}
    fields["options"] = [option | {"effectiveness": None} for option in fields["options"]]
    others = [item for item in TINY.situational if item.id != "fu_rank"]
    parts = {"self_report": TINY.self_report, "situational": [SituationalItem.model_validate(fields), *others]}
    bank = ItemBank.model_validate(TINY.model_dump(by_alias=True) | parts)
    with pytest.raises(ContentError) as caught:
        derive_keys(RawAnswers(person_ids=("p",), self_report={"ow_1": np.array([0])}), bank)
    assert "item 'fu_rank': the format rank has no consensus key here" in str(caught.value)
    assert "item 'pace_ml': there are no complete answers" in str(caught.value)


@given(st.lists(st.permutations(range(4)).map(lambda order: order[:2]), min_size=1, max_size=30))
def test_consensus_stays_in_range_and_balances(pairs):
    effectiveness = consensus_effectiveness(situational("pace_ml"), np.array(pairs, dtype=np.int16))
    assert np.all((effectiveness >= 1) & (effectiveness <= 5))
    # as many votes for most as for least, so the mean is the middle of the scale; 1e-9 for the rounding to 10 digits
    assert abs(effectiveness.mean() - 3) < 1e-9


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.integers(2, 5))
def test_consensus_does_not_depend_on_the_sample_size(picks, times):
    once = np.array(picks, dtype=np.int16)[:, None]
    item = situational("pace_pick")
    np.testing.assert_array_equal(
        consensus_effectiveness(item, once), consensus_effectiveness(item, np.repeat(once, times, axis=0))
    )


def test_consensus_of_the_real_retail_answers_equals_a_plain_count():
    # oracle: votes counted cell by cell with the csv module, SIOP 2020-21 retail hires
    path = shared("data/ccbysa/siop2021_walmart_dev.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    pairs = [(row["SJ_Most_1"], row["SJ_Least_1"]) for row in rows if row["SJ_Most_1"] and row["SJ_Least_1"]]
    votes = Counter(most for most, _ in pairs)
    votes.subtract(least for _, least in pairs)
    raw = np.array(pairs, dtype=np.int16) - 1
    found = consensus_effectiveness(situational("pace_ml"), raw)
    # 1e-9: effectiveness is rounded to ten digits
    np.testing.assert_allclose(found, [3 + 2 * votes[code] / len(pairs) for code in "1234"], atol=1e-9)

"""Blind rules: what they earn is checked against brute force, and a planted give-away is found."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import talentassess as ta
from bank_fixtures import made_situational
from talentassess.bank.blind_rules import RULES, apply_blind_rules, draw_blind_read, positive_words
from talentassess.bank.check import check_bank
from talentassess.bank.keys import key_situational
from talentassess.core.errors import DataError

FORMATS = ("pick_best", "most_least", "rate_each", "rank")
CORE = ta.load_bank("service_core")


def rule(result, name):
    return next(row for row in result.rules if row.rule == name)


def points_of(item, order):
    """Answer an item by an order (best first) and return its points: the scoring the answers would get."""
    n = len(order)
    place = [order.index(k) for k in range(n)]
    answer = {
        "pick_best": [order[0]],
        "most_least": [order[0], order[-1]],
        "rank": place,
        "rate_each": [round(4 * (1 - p / (n - 1))) for p in place],
    }[item.format]
    return int(key_situational(item, np.array([answer], dtype=np.int16))[0])


@pytest.mark.parametrize("form", FORMATS)
def test_share_of_the_longest_against_a_loop(form):
    """One item, no ties: the rule's points by hand, chance by listing all orders; 1e-12 for rounding."""
    item = made_situational([["x" * n for n in (30, 60, 45, 20)]], [[2, 5, 4, 1]], form=form)[0]
    order = (1, 2, 0, 3)  # from the longest to the shortest
    every = [points_of(item, o) for o in permutations(range(4))]
    highest = {"most_least": 4, "rate_each": 4}.get(form, max(every))
    chance = np.mean(every)
    result = rule(apply_blind_rules([item]), "the longest")
    assert result.share == pytest.approx((points_of(item, order) - chance) / (highest - chance), abs=1e-12)
    assert result.share_se == pytest.approx(np.std(every) / (highest - chance), abs=1e-12)
    assert (result.hits, result.expected) == (1.0, 0.25)
    assert result.p == pytest.approx(0.25, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.permutations([1, 2, 4, 5]), st.lists(st.integers(1, 3), min_size=4, max_size=4)), max_size=4)
)
def test_hit_test_equals_full_enumeration(drawn):
    """Oracle: list, for every item, each place the best option may have (all equally likely) and add up."""
    if not drawn:
        return
    lengths = [[10 * n for n in row] for _, row in drawn]
    items = made_situational([["x" * n for n in row] for row in lengths], [list(key) for key, _ in drawn])
    result = rule(apply_blind_rules(items), "the longest")
    ties = [[n == max(row) for n in row] for row in lengths]
    hits = sum(tie[list(key).index(5)] / sum(tie) for (key, _), tie in zip(drawn, ties, strict=True))
    totals = [
        sum(t[k] / sum(t) for k, t in zip(best, ties, strict=True)) for best in product(range(4), repeat=len(ties))
    ]
    assert result.hits == pytest.approx(hits, abs=1e-9)
    assert result.p == pytest.approx(np.mean([total >= hits - 1e-9 for total in totals]), abs=1e-9)


def test_tied_best_options_count_as_both():
    item = made_situational([["xxxx", "xx", "x", "xxx"]], [[5, 5, 2, 1]])[0]
    result = rule(apply_blind_rules([item]), "the longest")
    assert (result.hits, result.expected, result.p) == (1.0, 0.5, pytest.approx(0.5))


def test_a_rule_without_any_difference_earns_nothing():
    result = rule(apply_blind_rules(made_situational([["same"] * 4] * 6, [[1, 2, 4, 5]] * 6)), "the longest")
    assert result.share == pytest.approx(0, abs=1e-12)
    assert result.share_se == pytest.approx(0, abs=1e-12)
    assert result.hits == 1.5
    assert not result.pays


WORDY = {5: "Thank the caller warmly and help.", 4: "Note the number.", 2: "Read the note.", 1: "Refuse the refund."}


def test_a_friendly_best_option_is_found_and_so_is_a_plain_one():
    keys = [np.roll([5, 4, 2, 1], k).tolist() for k in range(4)] * 3
    kind = apply_blind_rules(made_situational([[WORDY[v] for v in key] for key in keys], keys))
    assert rule(kind, "the most positive words").pays
    assert rule(kind, "the kindest tone").share == 1.0
    plain = apply_blind_rules(
        made_situational([[WORDY[6 - v] if v in (1, 5) else WORDY[v] for v in k] for k in keys], keys)
    )
    assert not rule(plain, "the most positive words").pays
    assert rule(plain, "the fewest positive words").share > 0.3


def test_places_are_counted_by_position_and_by_length():
    items = made_situational([["x" * n for n in (10, 20, 30, 40)]] * 8, [[1, 2, 5, 4]] * 8)
    frame = apply_blind_rules(items).to_frame("places").set_index(["order", "place"])
    assert frame.loc[("position", 3), "best"] == 8
    assert frame.loc[("length", 2), "best"] == 8
    assert frame.loc[("length", 1), "p"] == 1.0
    assert frame.loc[("position", 3), "p"] == pytest.approx(0.25**8)


def test_unkeyed_and_unpublished_items_are_left_out():
    assert apply_blind_rules([]).rules == ()
    assert repr(apply_blind_rules([])) == "BlindRules(no keyed item)"
    unkeyed = made_situational([["a", "b", "c", "d"]], [[None] * 4])
    assert apply_blind_rules(unkeyed).rules == ()
    silent = made_situational([[None] * 4], [[1, 2, 4, 5]], status="external")
    assert {row.rule for row in apply_blind_rules(silent).rules} == {"the first", "the last"}


def test_word_rules_are_for_english():
    result = apply_blind_rules(CORE.situational, english=False)
    assert {row.rule for row in result.rules} < set(RULES)
    assert not [
        row.rule for row in result.rules if "positive" in row.rule or "hedged" in row.rule or "tone" in row.rule
    ]


def test_blind_read_draws_shuffles_and_repeats():
    first, again = draw_blind_read(CORE.situational, 8, seed=3), draw_blind_read(CORE.situational, 8, seed=3)
    assert first == again
    assert len({item.id for item in first}) == 8
    assert first != draw_blind_read(CORE.situational, 8, seed=4)
    for item in first:
        whole = CORE.item(item.id)
        assert sorted(o.id for o in item.options) == sorted(o.id for o in whole.options)
        assert {o.id: o for o in item.options} == {o.id: o for o in whole.options}
    assert any(item.options != CORE.item(item.id).options for item in first)
    assert len(draw_blind_read(CORE.situational, 99)) == len(CORE.situational)


@pytest.mark.parametrize(("n", "seed"), [(0, 1), (5, -1)])
def test_blind_read_says_what_it_needs(n, seed):
    with pytest.raises(DataError, match=f"n of at least 1 and a seed of at least 0; found n = {n}, seed = {seed}"):
        draw_blind_read(CORE.situational, n, seed=seed)


def test_the_check_carries_rules_and_blind_read():
    check = check_bank(CORE, seed=2)
    assert len(check.blind_read) == 20
    tables = check.tables()
    assert list(tables["blind_rules"]["rule"]) == list(RULES)
    assert tables["blind_read_rules"]["items"] == [20] * len(RULES)
    # the order in which the options are shown cannot change what their wording earns
    wording = [i for i, name in enumerate(RULES) if name not in ("the first", "the last")]
    for i in wording:
        assert tables["blind_rules"]["share"][i] == pytest.approx(tables["blind_read_rules"]["share"][i], abs=1e-12)


def test_positive_words_count_repeats():
    assert positive_words("Thank you, thanks, and thank them kindly.") == 4

"""Answers to a bank's items read from tables, raw and keyed; expected codes and points worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from talentassess.bank.answers import RawAnswers
from talentassess.bank.schema import ItemBank
from talentassess.bank.tables import key_responses, read_answers, read_responses
from talentassess.core.errors import ContentError, DataError, TalentAssessError

LEVELS = (5, 3, 2, 1)


def statement(item: str, **fields: object) -> dict[str, object]:
    base = {"id": item, "scale": "care", "text": "I help.", "reverse": False, "responses": "agree"}
    return base | {"status": "draft", "version": 1} | fields


def situation(item: str, answered: str, levels: tuple[int | None, ...] = LEVELS, **fields: object) -> dict[str, object]:
    options = [
        {"id": name, "text": f"Do {name}.", "effectiveness": level} for name, level in zip("abcd", levels, strict=True)
    ]
    base = {"id": item, "scale": "care", "context": "general", "format": answered, "scenario": "A customer waits."}
    key = None if None in levels else "rational (authors)"
    return base | {"options": options, "key_source": key, "status": "draft", "version": 1} | fields


def bank_of(statements: list[dict[str, object]], situations: list[dict[str, object]]) -> ItemBank:
    return ItemBank.model_validate(
        {
            "schema": "talentassess/bank/1",
            "id": "tiny",
            "title": "Tiny",
            "description": "For tests.",
            "version": "0.1.0",
            "language": "en",
            "licence": "Apache-2.0",
            "authors": ["tests"],
            "scales": [{"id": "care", "name": "Care", "competency": None}],
            "response_scales": {"agree": ["Disagree", "Neither", "Agree"]},
            "self_report": statements,
            "situational": situations,
        }
    )


BANK = bank_of(
    [statement("s1"), statement("s2", reverse=True, column="Q2", codes=["0", "1", "2"])],
    [
        situation("best", "pick_best"),
        situation("ml", "most_least", codes=["1", "2", "3", "4"], columns={"most": "M", "least": "L", "seconds": "T"}),
        situation("rate", "rate_each"),
        situation("rank", "rank"),
    ],
)


def table(**changes: list[object]) -> pd.DataFrame:
    """Two persons with every answer, and one with none."""
    columns: dict[str, list[object]] = {
        "who": ["ann", "bo", "cy"],
        "s1": [1, "Agree", None],
        "Q2": ["0", "2", ""],
        "best": ["a", "d", None],
        "M": [1, 4, None],
        "L": [4, 1, None],
        "T": [12.5, None, None],
        "s1_seconds": [2, 3, None],
        "note": ["x", "y", "z"],
    }
    for option, rating in zip("abcd", LEVELS, strict=True):
        columns[f"rate_{option}"] = [rating, 1, None]
    for position, option in enumerate("abcd"):
        columns[f"rank_{option}"] = [position + 1, 4 - position, None]
    return pd.DataFrame(columns | changes, dtype=object)


def failure(frame: pd.DataFrame, bank: ItemBank = BANK, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        read_answers(frame, bank, **options)
    return str(caught.value)


def test_raw_answers_are_positions_neither_reversed_nor_keyed() -> None:
    raw = read_answers(table(), BANK, person="who")
    assert raw.person_ids == ("ann", "bo", "cy")
    assert {item: x.tolist() for item, x in raw.self_report.items()} == {"s1": [0, 2, -1], "s2": [0, 2, -1]}
    assert raw.situational["best"].tolist() == [[0], [3], [-1]]
    assert raw.situational["ml"].tolist() == [[0, 3], [3, 0], [-1, -1]]
    assert raw.situational["rate"].tolist() == [[4, 2, 1, 0], [0, 0, 0, 0], [-1] * 4]
    assert raw.situational["rank"].tolist() == [[0, 1, 2, 3], [3, 2, 1, 0], [-1] * 4]
    np.testing.assert_array_equal(raw.seconds["ml"], [12.5, np.nan, np.nan])
    np.testing.assert_array_equal(raw.seconds["s1"], [2, 3, np.nan])
    assert set(raw.seconds) == {"ml", "s1"}
    assert raw.provenance.source == "pandas table"
    assert raw.provenance.options["bank"] == "tiny 0.1.0"


def test_keyed_responses_are_the_points_of_the_bank() -> None:
    """The best and the worst answers: all or no points.

    rate_each of person bo: all rated 1 is within one point of the keys 2 and 1, so two options count.
    """
    r = read_responses(table(), bank=BANK, person="who")
    scored = dict(zip(r.item_ids, r.x.T.tolist(), strict=True))
    assert scored == {
        "s1": [0, 2, -1],
        "s2": [2, 0, -1],
        "best": [3, 0, -1],
        "ml": [4, 0, -1],
        "rate": [4, 2, -1],
        "rank": [6, 0, -1],
    }
    assert dict(zip(r.item_ids, r.n_cat.tolist(), strict=True)) == {
        "s1": 3,
        "s2": 3,
        "best": 4,
        "ml": 5,
        "rate": 5,
        "rank": 7,
    }
    assert r.reversed_items == ("s2",)


def test_key_responses_takes_raw_answers_or_a_table() -> None:
    raw = read_answers(table(), BANK)
    assert isinstance(raw, RawAnswers)
    np.testing.assert_array_equal(key_responses(raw, BANK).x, key_responses(table(), BANK).x)
    assert key_responses(raw, BANK).person_ids == ("1", "2", "3")


def test_a_long_table_holds_the_banks_columns_as_items() -> None:
    wide = table().drop(columns="note")
    tall = wide.melt("who", var_name="item", value_name="resp").rename(columns={"who": "id"})
    np.testing.assert_array_equal(read_responses(tall, bank=BANK).x, read_responses(wide, bank=BANK, person="who").x)


def test_missing_group_and_weight_go_with_the_answers() -> None:
    frame = table(M=[-9, 4, None]).assign(g=["x", "y", "x"], w=[1, 2, 3])
    raw = read_answers(frame, BANK, person="who", group="g", weight="w", missing=[-9])
    assert raw.situational["ml"][0].tolist() == [-1, 3]
    assert raw.group == ("x", "y", "x")
    assert raw.weight is not None
    assert raw.weight.tolist() == [1, 2, 3]
    assert raw.provenance.options["missing"] == "-9"


def test_the_simulated_mark_reaches_the_scores() -> None:
    assert read_responses(table(SIMULATED=["1", "1", "1"]), bank=BANK).provenance.simulated


def test_a_retired_item_may_be_absent() -> None:
    bank = bank_of([statement("s1"), statement("old", status="retired")], [])
    raw = read_answers(table(), bank)
    assert raw.item_ids == ("s1",)
    assert raw.provenance.options["retired items not in the table"] == "old"


def test_an_item_without_key_says_how_to_key_it() -> None:
    bank = bank_of([], [situation("best", "pick_best", (None,) * 4)])
    assert read_answers(table(), bank).situational["best"].tolist() == [[0], [3], [-1]]
    with pytest.raises(ContentError, match=r"(?s)derive_keys.*'best' has no key"):
        read_responses(table(), bank=bank)


def test_absent_columns_are_all_named() -> None:
    text = failure(table().drop(columns=["M", "rate_c"]).rename(columns={"s1": "S1x"}))
    assert "3 column(s) of the bank 'tiny' are not there" in text
    assert "no column 's1', asked for as 'answer' of item 's1'" in text
    assert "no column 'M', asked for as 'most' of item 'ml'" in text
    assert "no column 'rate_c', asked for as 'c' of item 'rate' (did you mean 'rate_" in text
    assert "add empty columns for items that were not administered" in text


def test_wrong_cells_say_what_the_bank_allows() -> None:
    text = failure(table(s1=["agree", 4, 1], best=["e", "A", "a"], rate_a=[6, 0, 1], T=[-1, 1, 1]))
    assert "row 1, column 's1': 'agree' (did you mean 'Agree'?); allowed: 1, 2, 3 (or the labels 'Disagree'" in text
    assert "row 2, column 's1': '4'" in text
    assert "row 1, column 'best': 'e'; allowed: a, b, c, d" in text
    assert "row 2, column 'best': 'A' (did you mean 'a'?)" in text
    assert "row 1, column 'rate_a': '6'; allowed: 1, 2, 3, 4, 5" in text
    assert "row 1, column 'T': '-1'; allowed: seconds, 0 or more" in text
    assert "give the item's codes in the bank" in text


def test_contradictory_answers_are_named_by_row() -> None:
    text = failure(table(L=[4, 4, None], rank_a=[1, 3, None]))
    assert "row 2, columns 'M', 'L': found 4, 4; most and least must be two options" in text
    assert "row 2, columns 'rank_a', 'rank_b', 'rank_c', 'rank_d': found 3, 3, 2, 1; every rank may be given" in text


def test_a_category_of_the_bank_cannot_mean_missing() -> None:
    text = failure(table(), missing=[3])
    assert "item 's1': '3' is a category of the bank but is said to mean missing" in text
    assert "Leave it out of missing=" in text


def test_items_and_categories_are_the_banks() -> None:
    with pytest.raises(DataError, match=r"(?s)the bank itself.*items= was given.*categories= was given"):
        read_responses(table(), bank=BANK, items=["s1"], categories=[1, 2, 3])


def test_every_refusal_is_a_talentassess_error() -> None:
    with pytest.raises(TalentAssessError, match="no file"):
        key_responses("absent.csv", BANK)

"""Person-job matching against independent numbers; sources in README.md of this folder."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtr

from matching_cases import CSR, levelled, make_scores
from talentassess.content import content_dir
from talentassess.matching import (
    load_occupations,
    match,
    probability_above,
    probability_meets,
    profile_distance,
    to_percent,
    true_score_above,
    true_score_order,
)

EXPECTED = json.loads(Path(__file__).with_name("expected.json").read_text(encoding="utf-8"))
TEXTBOOK = EXPECTED["textbook_profiles"]
RETAIL = "41-2031.00"


def skills(code: str) -> np.ndarray:
    occupations = load_occupations()
    columns = [e for e, element in enumerate(occupations.elements) if element.domain == "Skills"]
    return occupations.importance[occupations.codes.index(code)][columns]


@pytest.mark.parametrize("part", ["d2", "elevation", "scatter", "shape", "r", "icc_double_entry", "phi"])
def test_textbook_profile_distance(part):
    distance = profile_distance(np.array(TEXTBOOK["p"]), np.array(TEXTBOOK["j"]))
    assert getattr(distance, part) == pytest.approx(TEXTBOOK[part], abs=5e-10)  # last printed digit


@pytest.mark.parametrize("part", ["r", "d2", "means", "sds"])
def test_service_against_retail_skills(part):
    distance = profile_distance(skills(CSR), skills(RETAIL))
    assert getattr(distance, part) == pytest.approx(EXPECTED["service_against_retail"][part], abs=5e-5)


def test_onet_standardised_scores():
    assert to_percent(np.array(3.0), 1, 5) == 50
    assert round(float(to_percent(np.array(5.0), 0, 7))) == 71


def test_kelley_probability_above_cut():
    kelley = true_score_above(58, 55, mean=50, sd=10, reliability=0.85)
    assert kelley == pytest.approx(EXPECTED["kelley_above"], abs=5e-8)
    naive = ndtr((58 - 55) / (10 * np.sqrt(1 - 0.85)))
    assert naive == pytest.approx(EXPECTED["naive_above"], abs=5e-8)
    assert kelley < naive


def test_match_on_kelley_estimates_gives_the_same_probability():
    estimate, error = 50 + 0.85 * 8, 10 * np.sqrt(0.85 * 0.15)
    scores = make_scores(np.array([[estimate]]), np.array([[error**2]]), ("listening",))
    matches = match(scores, levelled(("listening",), (55.0,)))
    assert matches.p_meets[0, 0] == pytest.approx(EXPECTED["kelley_above"], abs=5e-8)


def test_kelley_order_of_two():
    assert true_score_order(60, 57, sd=10, reliability=0.85) == pytest.approx(EXPECTED["kelley_order"], abs=5e-8)


def test_probability_above_on_kelley_estimates_gives_the_same_order():
    estimates, error = 50 + 0.85 * (np.array([[60.0], [57.0]]) - 50), 10 * np.sqrt(0.85 * 0.15)
    scores = make_scores(estimates, np.array([[error**2]]), ("listening",))
    matches = match(scores, levelled(("listening",), (50.0,)))
    assert probability_above(matches, "p000", "p001") == pytest.approx(EXPECTED["kelley_order"], abs=5e-8)


def test_conjunctive_probabilities():
    p = probability_meets(np.array([0.3, -0.1, 0.8]), np.array([0.3, 0.35, 0.4]), np.array([0, -0.5, 0.5]))
    assert p == pytest.approx(EXPECTED["conjunctive"]["each"], abs=5e-5)
    assert p.prod() == pytest.approx(EXPECTED["conjunctive"]["product"], abs=5e-5)


def test_match_draws_the_conjunctive_product_when_errors_are_independent():
    names = ("listening", "service", "dependability")
    scores = make_scores(np.array([[0.3, -0.1, 0.8]]), np.diag([0.3, 0.35, 0.4]) ** 2, names)
    matches = match(scores, levelled(names, (0.0, -0.5, 0.5)), draws=20_000)
    assert matches.p_meets[0] == pytest.approx(EXPECTED["conjunctive"]["each"], abs=5e-5)
    # 4 Monte-Carlo standard errors: a correct program fails once in 16,000 seeds, and the seed is fixed.
    assert matches.p_all[0] == pytest.approx(EXPECTED["conjunctive"]["product"], abs=4 * matches.p_all_mc[0])
    assert matches.p_all_mc[0] == pytest.approx(np.sqrt(0.5683 * 0.4317 / 20_000), rel=0.02)


def cells(table: str) -> list[str]:
    path = content_dir("norms") / "occupations" / "onet_29_3" / f"{table}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    return [cell for row in rows for cell in row[1:]]


def test_share_of_zero_and_missing_errors():
    skill_errors = cells("skills_importance_se") + cells("skills_level_se")
    zero = 100 * np.mean([float(cell) == 0 for cell in skill_errors])
    assert zero == pytest.approx(EXPECTED["zero_skill_errors_percent"], abs=0.05)
    missing = 100 * np.mean([cell == "" for cell in cells("work_styles_importance_se")])
    assert missing == pytest.approx(EXPECTED["missing_work_style_errors_percent"], abs=0.05)


def test_raw_profiles_of_any_two_occupations_are_alike():
    r = np.corrcoef(np.array([skills(code) for code in load_occupations().codes]))
    mean = r[np.triu_indices_from(r, 1)].mean()
    assert mean == pytest.approx(EXPECTED["mean_correlation_of_two_occupations"], abs=0.005)

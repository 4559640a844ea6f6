"""Item analysis against R psych 2.2.9 (tests/oracles/item_analysis/psych_reference.R)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from shared_data import BFI, bfi, counted, make_responses, read_numbers, science, shared
from talentassess.core.responses import Responses
from talentassess.ctt import ItemAnalysis, analyze_items
from talentassess.ctt.one_factor import minres_one_factor

HERE = Path(__file__).parent
EXPECTED = json.loads((HERE / "oracles/item_analysis/psych_reference.json").read_text(encoding="utf-8"))
SETS = ("lsat7", "science", *BFI)
# psych prints 10 digits; only rounding separates the two.
PRINTED = 1e-9
# psych stops its loadings at about 1e-6; ours go to 1e-10.
FACTOR = 1e-6


def responses_of(name: str) -> Responses:
    if name == "lsat7":
        return counted("lsat7.csv")
    return science() if name == "science" else bfi(name)


@pytest.fixture(scope="module", params=SETS)
def case(request: pytest.FixtureRequest) -> tuple[str, ItemAnalysis]:
    return request.param, analyze_items(responses_of(request.param))


def column(analysis: ItemAnalysis, name: str) -> np.ndarray:
    return np.array(analysis.items[name], dtype=float)


def test_alpha_and_its_interval(case: tuple[str, ItemAnalysis]) -> None:
    name, analysis = case
    scale, expected = analysis.scales[0], EXPECTED[name]
    assert analysis.alpha == pytest.approx(expected["alpha"], abs=PRINTED)
    assert scale.alpha_standardised == pytest.approx(expected["alpha_standardised"], abs=PRINTED)
    assert scale.mean_inter_item == pytest.approx(expected["average_r"], abs=PRINTED)
    assert [scale.alpha_low, scale.alpha_high] == pytest.approx(expected["feldt"], abs=PRINTED)


def test_item_statistics(case: tuple[str, ItemAnalysis]) -> None:
    name, analysis = case
    expected = EXPECTED[name]
    first_code = 0 if name == "lsat7" else 1
    assert column(analysis, "mean") + first_code == pytest.approx(expected["mean"], abs=PRINTED)
    assert column(analysis, "sd") == pytest.approx(expected["sd"], abs=PRINTED)
    assert column(analysis, "item_rest") == pytest.approx(expected["item_rest"], abs=PRINTED)
    assert column(analysis, "alpha_without") == pytest.approx(expected["alpha_without"], abs=PRINTED)


def test_omega_total(case: tuple[str, ItemAnalysis]) -> None:
    name, analysis = case
    scale, expected = analysis.scales[0], EXPECTED[name]
    assert scale.omega_standardised == pytest.approx(expected["omega_standardised"], abs=FACTOR)
    assert scale.omega == pytest.approx(expected["omega"], abs=FACTOR)


@pytest.mark.parametrize("name", ["lsat7", "science"])
def test_complete_data_statistics(name: str) -> None:
    analysis, expected = analyze_items(responses_of(name)), EXPECTED[name]
    scale = analysis.scales[0]
    shift = 0 if name == "lsat7" else len(analysis.item_statistics)
    assert column(analysis, "item_total") == pytest.approx(expected["item_total"], abs=PRINTED)
    assert scale.split_half == pytest.approx(expected["split_half"], abs=PRINTED)
    assert scale.mean + shift == pytest.approx(expected["sum_mean"], abs=PRINTED)
    assert scale.sd == pytest.approx(expected["sum_sd"], abs=PRINTED)
    assert scale.sem == pytest.approx(expected["sum_sd"] * np.sqrt(1 - expected["alpha"]), abs=PRINTED)
    first = [row.rest_r for row in analysis.categories if row.item == analysis.item_statistics[0].item]
    assert first == pytest.approx(expected["first_item_category_rest"], abs=PRINTED)


def test_minres_loadings_of_psych_fa() -> None:
    x = responses_of("lsat7").x.astype(float)
    loadings = minres_one_factor(np.corrcoef(x.T)).loadings
    assert loadings == pytest.approx(EXPECTED["lsat7"]["loadings"], abs=1e-5)


# shared/oracles/reference/reference_open.json, psych::alpha, 7 decimals; ability and bfi have missing answers.
REFERENCES = {
    "ability": "data/oracle/psychTools_ability.csv",
    "blot": "data/oracle/psychTools_blot.csv",
    "deAyala": "data/permissive/mirt_deAyala_freq.csv",
    "LSAT6": "data/permissive/mirt_LSAT6_freq.csv",
}


@pytest.mark.parametrize("name", REFERENCES)
def test_alpha_and_item_rest_of_open_data(name: str) -> None:
    reference = json.loads(shared("oracles/reference/reference_open.json").read_text(encoding="utf-8"))
    header, cells = read_numbers(shared(REFERENCES[name]))
    if name in ("deAyala", "LSAT6"):
        cells = np.repeat(cells[:, :-1], cells[:, -1].astype(int), axis=0)
    expected = reference[name]["ctt"]
    analysis = analyze_items(make_responses(cells, header[: cells.shape[1]]))
    assert analysis.alpha == pytest.approx(expected["alpha"], abs=1e-7)
    assert analysis.scales[0].alpha_standardised == pytest.approx(expected["std"], abs=1e-7)
    assert column(analysis, "item_rest") == pytest.approx(expected["r_drop"], abs=1e-7)
    assert column(analysis, "mean") == pytest.approx(expected["mean"], abs=1e-7)

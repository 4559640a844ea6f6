"""Norm statistics against numbers computed elsewhere (tests/oracles/norming/expected.json)."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from shared_data import shared
from talentassess.norming import (
    NormCard,
    ScaleNorm,
    confidence_band,
    fit_norms_raw,
    kelley_true_score,
    mid_percentile,
    normalised_z,
    reliable_change,
    standard_error_of_difference,
    standard_error_of_estimate,
    standard_error_of_measurement,
    z_to_iq,
    z_to_stanine,
    z_to_sten,
    z_to_t,
)
from talentassess.norming.conversions import stanine_cuts
from talentassess.norming.sampling import percentile_interval, z_se

EXPECTED = json.loads((Path(__file__).parent / "oracles/norming/expected.json").read_text(encoding="utf-8"))
FOUR, THREE = 5.1e-5, 5.1e-4  # half a unit of the last printed decimal


def ten_scores() -> ScaleNorm:
    score, frequency = np.unique(EXPECTED["ten_scores"]["values"], return_counts=True)
    return ScaleNorm(name="x", score=score, frequency=frequency, n=10, n_effective=10.0)


def test_mid_percentile_is_exact() -> None:
    assert ten_scores().percentile.tolist() == EXPECTED["ten_scores"]["percentile"]
    assert mid_percentile([1, 2, 3, 1, 1, 2]).tolist() == EXPECTED["ten_scores"]["percentile"]


@pytest.mark.parametrize("method", ["rankit", "blom"])
def test_normalised_scores(method: str) -> None:
    assert normalised_z(ten_scores().frequency, method) == pytest.approx(EXPECTED["ten_scores"][method], abs=FOUR)


def test_tukey_and_van_der_waerden_by_their_formula() -> None:
    from scipy.stats import norm, rankdata

    values = np.array(EXPECTED["ten_scores"]["values"])
    rank = np.unique(rankdata(values))
    frequency = ten_scores().frequency
    assert normalised_z(frequency, "tukey") == pytest.approx(norm.ppf((rank - 1 / 3) / (10 + 1 / 3)), abs=1e-12)
    assert normalised_z(frequency, "van der waerden") == pytest.approx(norm.ppf(rank / 11), abs=1e-12)


def test_stanine_cuts() -> None:
    positive = EXPECTED["stanine_cuts"]["positive"]
    expected = [-cut for cut in reversed(positive)] + positive
    assert stanine_cuts("4-7-12-17-20") == pytest.approx(expected, abs=THREE)
    assert stanine_cuts("half-sd").tolist() == [-1.75, -1.25, -0.75, -0.25, 0.25, 0.75, 1.25, 1.75]


def test_the_two_stanine_rules_differ_between_their_cuts() -> None:
    assert z_to_stanine(0.2515).tolist() == 6
    assert z_to_stanine(0.2515, "4-7-12-17-20").tolist() == 5


def test_sten_halves_do_not_go_to_the_even_number() -> None:
    # Each half SD starts a new sten; rounding 2 z + 5.5 to even would give 2, 4, 4, 6, 6, 8, 8, 10, 10.
    assert z_to_sten(np.arange(-2.0, 2.5, 0.5)).tolist() == [2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert z_to_sten([-9.0, 9.0]).tolist() == [1, 10]
    assert z_to_sten((47.5 - 50) / 2.5 * 0.5).tolist() == 5


def test_cut_points_survive_rounding_error() -> None:
    z = (0.1 + 0.2 - 0.0) / 0.6  # 0.5000000000000001
    assert z_to_sten([z, z - 2e-16]).tolist() == [7, 7]


def test_t_and_iq() -> None:
    assert z_to_t([-2, 0, 1.5]).tolist() == [30, 50, 65]
    assert z_to_iq([-2, 0, 1.5]).tolist() == [70, 100, 122.5]


def test_clopper_pearson_interval() -> None:
    low, high = percentile_interval(84.0, 100, 0.95)
    assert float(low) / 100 == pytest.approx(EXPECTED["clopper"]["low"], abs=FOUR)
    assert float(high) / 100 == pytest.approx(EXPECTED["clopper"]["high"], abs=FOUR)
    assert float(percentile_interval(0.0, 50)[0]) == 0
    assert float(percentile_interval(100.0, 50)[1]) == 100


@pytest.mark.parametrize("z", ["0", "2"])
def test_standard_error_of_t(z: str) -> None:
    assert 10 * float(z_se(float(z), 200)) == pytest.approx(EXPECTED["t_se"][z], abs=FOUR)


def test_errors_of_measurement() -> None:
    expected = EXPECTED["error"]
    sed, see = standard_error_of_difference(10, 0.80), standard_error_of_estimate(10, 0.80)
    assert standard_error_of_measurement(10, 0.80) == pytest.approx(expected["sem"], abs=FOUR)
    assert sed == pytest.approx(expected["sed"], abs=FOUR)
    assert confidence_band(sed, 1.96) == pytest.approx(expected["band"], abs=FOUR)
    assert see == pytest.approx(expected["see"], abs=1e-12)
    assert confidence_band(np.sqrt(2) * see, 1.96) == pytest.approx(expected["see_band"], abs=FOUR)
    assert kelley_true_score(63, 50, 0.80) == pytest.approx(expected["kelley_63"], abs=1e-12)


def test_reliable_change() -> None:
    expected = EXPECTED["error"]
    assert standard_error_of_measurement(7.5, 0.80) == pytest.approx(expected["change_sem"], abs=THREE)
    assert standard_error_of_difference(7.5, 0.80) == pytest.approx(expected["change_sed"], abs=THREE)
    assert reliable_change(32.5, 47.5, 7.5, 0.80) == pytest.approx(expected["change"], abs=THREE)


@pytest.mark.parametrize("group", ["2.0", "3.0", "5.0"])
def test_elfe_groups(group: str) -> None:
    rows = csv.DictReader(shared("oracles/testdata/elfe.csv").read_text(encoding="utf-8").splitlines())
    raw = [float(row["raw"]) for row in rows if row["group"] == group]
    card = NormCard(
        population="school children, ELFE 1-6",
        sample="cNORM example data",
        n=len(raw),
        collected_from="unknown",
        collected_to="unknown",
        source_hash="elfe",
        simulated=False,
        method="number right",
        country="DE",
    )
    norm = fit_norms_raw({"reading": raw}, card=card).scale("reading")
    at = norm.score.tolist().index(EXPECTED["elfe"]["raw"])
    t = z_to_t(normalised_z(norm.frequency, "rankit"))[at]
    assert float(t) == pytest.approx(EXPECTED["elfe"]["t"][group], abs=THREE)
    if group == "3.0":
        assert (norm.n, norm.mean) == (EXPECTED["elfe"]["n"], pytest.approx(EXPECTED["elfe"]["mean"], abs=1e-12))
        assert norm.sd == pytest.approx(EXPECTED["elfe"]["sd"], abs=FOUR)

"""Scores against R mirt 1.47 (EAP, sum-score EAP, empirical reliability) and a base-R script (MAP, ML, WLE)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from shared_data import counted, make_responses, science
from talentassess.calibration import calibrate
from talentassess.core.derived import item_information
from talentassess.core.status import Status
from talentassess.scoring import score, sum_score_table

HERE = Path(__file__).parent
MIRT = json.loads((HERE.parent / "calibration" / "irt_reference.json").read_text())
# science_pattern.txt, written by science_pattern.R: method -> (theta, se) of the answers (4, 4, 3, 2)
PATTERN = {
    words[0].lower(): (float(words[1]), float(words[2]))
    for words in map(str.split, (HERE / "science_pattern.txt").read_text().splitlines())
}


@pytest.mark.parametrize("method", ["eap", "map", "ml", "wle"])
def test_science_pattern_4432(method):
    calibration = calibrate(science(), "graded")
    person = make_responses(np.array([[3, 3, 2, 1]]), list(calibration.item_ids), 4)
    result = score(calibration, person, method)
    theta, se = PATTERN[method]
    # 1e-5: the R script starts from parameters printed with eight digits
    assert result.theta[0, 0] == pytest.approx(theta, abs=1e-5)
    assert result.se[0, 0] == pytest.approx(se, abs=1e-5)


@pytest.mark.parametrize(
    ("case", "model"), [("Science_GRM", "graded"), ("Science_GPCM", "gpcm"), ("Science_PCM", "pcm")]
)
def test_eap_of_the_first_ten_science_persons(case, model):
    answers = science()
    result = score(calibrate(answers, model), answers)
    np.testing.assert_allclose(np.c_[result.theta, result.se][:10], MIRT[case]["EAP_first10"], atol=1e-5)
    assert result.reliability[0] == pytest.approx(MIRT[case]["empirical_rxx"], abs=1e-5)


@pytest.mark.parametrize(
    ("case", "model", "file"),
    [("LSAT6_2PL", "2pl", "lsat6.csv"), ("LSAT7_2PL", "2pl", "lsat7.csv"), ("LSAT6_Rasch", "rasch", "lsat6.csv")],
)
def test_sum_score_table(case, model, file):
    table = sum_score_table(calibrate(counted(file), model))
    expected = MIRT[case]["EAPsum"]
    np.testing.assert_allclose(table.eap, [row["F1"] for row in expected], atol=2e-5)
    np.testing.assert_allclose(table.se, [row["SE_F1"] for row in expected], atol=2e-5)
    np.testing.assert_allclose(1000 * table.share, [row["expected"] for row in expected], atol=1e-3)


def test_sum_score_eap_of_polytomous_items():
    answers = science()
    calibration = calibrate(answers, "graded")
    expected = [row["F1"] for row in MIRT["Science_GRM"]["EAPsum"]]
    np.testing.assert_allclose(sum_score_table(calibration).eap, expected, atol=2e-5)
    by_sum = score(calibration, answers, "sum-eap")
    sums = answers.x.sum(axis=1)
    np.testing.assert_allclose(by_sum.theta[:, 0], np.array(expected)[sums], atol=2e-5)


def test_ml_is_infinite_and_says_so_for_extreme_patterns():
    calibration = calibrate(counted("lsat6.csv"), "2pl")
    people = make_responses(np.array([[0] * 5, [1] * 5, [1, 0, 1, 0, 1]]), list(calibration.item_ids), 2)
    result = score(calibration, people, "ml")
    assert result.theta[:2, 0].tolist() == [-np.inf, np.inf]
    assert [s[0] for s in result.status] == [Status.EXTREME_PATTERN, Status.EXTREME_PATTERN, Status.CONVERGED]
    assert np.isfinite(score(calibration, people, "wle").theta).all()


def test_wle_of_the_2pl_maximises_likelihood_times_root_information():
    """Exact identity (Warm 1989, p. 431): for the 2PL, WLE is the mode under Jeffreys' prior."""
    calibration = calibrate(counted("lsat7.csv"), "2pl")
    patterns = np.array(np.meshgrid(*[[0, 1]] * 5)).reshape(5, -1).T
    people = make_responses(patterns, list(calibration.item_ids), 2)
    (block,) = calibration.blocks
    fine = np.linspace(-8, 8, 160_001)[:, None]
    log_p = block.log_prob(fine)
    jeffreys = 0.5 * np.log(item_information(block, fine).sum(axis=1))
    for pattern, estimate in zip(patterns, score(calibration, people, "wle").theta[:, 0], strict=True):
        objective = log_p[:, np.arange(5), pattern].sum(axis=1) + jeffreys
        assert fine[objective.argmax(), 0] == pytest.approx(estimate, abs=1e-4)  # the fine grid's spacing


def test_a_person_without_answers_gets_the_population_and_a_status():
    calibration = calibrate(counted("lsat6.csv"), "2pl")
    nobody = make_responses(np.full((1, 5), np.nan), list(calibration.item_ids), 2)
    result = score(calibration, nobody)
    assert result.status[0][0] is Status.NO_ANSWERS
    assert (result.theta[0, 0], result.se[0, 0]) == pytest.approx((0.0, 1.0), abs=1e-6)
    assert np.isnan(score(calibration, nobody, "wle").theta[0, 0])

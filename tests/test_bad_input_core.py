"""Bad input to responses, calibration, scoring, simulation and saved files: every message says what and where."""

from __future__ import annotations

import json

import numpy as np
import pytest

from shared_data import counted, make_responses
from talentassess.calibration import BetaPrior, Equal, Fixed, NormalPrior, calibrate
from talentassess.core.errors import (
    ArtefactError,
    CalibrationError,
    DataError,
    ModelError,
    ScoringError,
    TalentAssessError,
)
from talentassess.core.responses import Responses
from talentassess.core.status import Status
from talentassess.scoring import score, sum_score_table
from talentassess.workflow.artefacts import load_calibration, load_scores, save
from talentassess.workflow.simulate import simulate


def responses(x, **changes):
    x = np.asarray(x)
    given = {
        "n_cat": [2] * x.shape[-1],
        "item_ids": [f"q{j + 1}" for j in range(x.shape[-1])],
        "person_ids": [f"p{i + 1}" for i in range(len(x))],
    }
    return Responses(x=x, **{**given, **changes})


GOOD = [[0, 1], [1, 0], [1, 1], [0, 0]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": [["yes", "no"]]}, ["whole-number codes", "ta.read_responses"]),
        ({"x": [0, 1, 1]}, ["persons x items", "1 dimension"]),
        ({"x": [[0, 2], [1, 0]]}, ["person 'p1', item 'q2'", "code 2", "0..1"]),
        ({"x": [[0, -5], [1, 0]]}, ["person 'p1', item 'q2'", "code -5", "-1, missing"]),
        ({"x": [[0.5, 1.0], [1.0, 0.0]]}, ["row 0", "0.5", "whole-number"]),
        ({"x": np.empty((0, 2))}, ["no answers", "0 persons"]),
        ({"x": GOOD, "person_ids": ["ann", "bo", "ann", "cy"]}, ["person 'ann' occurs 2 times"]),
        ({"x": GOOD, "item_ids": ["q", "q"]}, ["item 'q' occurs 2 times"]),
        ({"x": GOOD, "n_cat": [2, 1]}, ["at least two categories", "item 'q2' declares 1"]),
        ({"x": GOOD, "n_cat": [2, 2, 2]}, ["n_cat has 3 entries", "2 are needed"]),
        ({"x": GOOD, "group": ["a", "b"]}, ["group has 2 entries", "4 are needed"]),
        ({"x": GOOD, "weight": [1, 0, 1, 1]}, ["person 'p2'", "weight 0", "positive"]),
        ({"x": GOOD, "seconds": [[1, 2], [3, -4], [5, 6], [7, 8]]}, ["person 'p2', item 'q2'", "-4.0 seconds"]),
        ({"x": GOOD, "seconds": [[1, 2]]}, ["seconds has shape (1, 2)", "(4, 2)"]),
    ],
)
def test_responses_name_what_is_wrong(changes, words):
    with pytest.raises(DataError) as error:
        responses(**changes)
    for word in words:
        assert word in str(error.value)


def test_more_than_twenty_problems_are_counted_not_lost():
    with pytest.raises(DataError) as error:
        responses(np.full((30, 1), 7))
    assert len(error.value.problems) == 30
    assert "... and 10 more" in str(error.value)


def test_selecting_an_unknown_item_or_scale():
    with pytest.raises(DataError, match=r"Unknown item\(s\): q9\. Known: q1, q2"):
        responses(GOOD).select(["q9"])
    with pytest.raises(DataError, match="There is no scale 'care'; the scales are: scale"):
        responses(GOOD).items_of("care")


@pytest.mark.parametrize(
    ("x", "words"),
    [
        ([[0, 1], [1, 1], [0, 1]], ["item 'q2': all 3 answers are in category 1", "responses.select"]),
        ([[0, -1], [1, -1]], ["item 'q2': nobody answered it"]),
    ],
)
def test_items_without_variation_cannot_be_calibrated(x, words):
    with pytest.raises(CalibrationError) as error:
        calibrate(responses(x), "2pl")
    for word in words:
        assert word in str(error.value)


def test_unknown_model_engine_se_and_method():
    with pytest.raises(ModelError, match=r"There is no model '5pl'\. Choose one of: .*graded"):
        calibrate(responses(GOOD), "5pl")
    with pytest.raises(ModelError, match="engine='mirt' is not known"):
        calibrate(responses(GOOD), "2pl", engine="mirt")
    with pytest.raises(ModelError, match="se='bootstrap' is not known; choose one of: oakes"):
        calibrate(counted("lsat6.csv"), "2pl", se="bootstrap")
    calibration = calibrate(counted("lsat6.csv"), "2pl")
    with pytest.raises(ScoringError, match="no scoring method 'mean'; choose one of: eap"):
        score(calibration, counted("lsat6.csv"), "mean")


def test_a_model_refuses_categories_it_does_not_take():
    with pytest.raises(ModelError, match="two-parameter logistic model takes items of 2 categories; q1, q2 declare"):
        calibrate(responses([[0, 1], [2, 0], [1, 2]], n_cat=[3, 3]), "2pl")


def test_the_mapping_item_to_model_must_fit():
    with pytest.raises(ModelError) as error:
        calibrate(responses(GOOD), {"q1": "2pl", "q7": "2pl"})
    assert "unknown item 'q7'" in str(error.value)
    assert "item 'q2' has no model" in str(error.value)


def test_every_item_belongs_to_one_dimension():
    with pytest.raises(CalibrationError) as error:
        calibrate(responses(GOOD), "2pl", dimensions={"a": ["q1", "q1"], "b": ["q8"]})
    for word in ("item 'q2' is in no dimension", "item 'q1' is listed 2 times", "unknown item 'q8'"):
        assert word in str(error.value)


def test_constraints_and_priors_name_parameters_that_exist():
    answers = counted("lsat6.csv")
    with pytest.raises(ModelError, match=r"No item has a parameter 'discrimination'.*slope, intercept"):
        calibrate(answers, "2pl", constraints=[Fixed("discrimination", 1.0)])
    with pytest.raises(ModelError, match="'slope' is already fixed"):
        calibrate(answers, "rasch", constraints=[Fixed("slope", 2.0)])
    with pytest.raises(ModelError, match="priors names parameter\\(s\\) that no item has: guess"):
        calibrate(answers, "2pl", priors={"guess": NormalPrior(0, 1)})
    with pytest.raises(ModelError, match="sd must be positive; found -1"):
        NormalPrior(0.0, -1.0)
    with pytest.raises(ModelError, match="a - 1 must be positive"):
        BetaPrior(0.5, 2.0)


def test_groups_need_labels():
    with pytest.raises(CalibrationError, match="groups=True needs group labels"):
        calibrate(responses(GOOD), "2pl", groups=True)
    with pytest.raises(CalibrationError, match="groups has 2 labels for 4 persons"):
        calibrate(responses(GOOD), "2pl", groups=["a", "b"])


def test_anchors_need_common_items():
    anchor = calibrate(counted("lsat6.csv"), "2pl")
    with pytest.raises(CalibrationError, match="None of the items q1, q2"):
        calibrate(responses(GOOD), "2pl", anchors=anchor)


def test_scoring_other_items_or_categories():
    calibration = calibrate(counted("lsat6.csv"), "2pl")
    names = list(calibration.item_ids)
    with pytest.raises(ScoringError, match="item 'q1' is not in the calibration"):
        score(calibration, responses(GOOD))
    with pytest.raises(ScoringError, match=f"item '{names[4]}' is missing from the answers"):
        score(calibration, counted("lsat6.csv").select(names[:4]))
    with pytest.raises(ScoringError, match=f"item '{names[0]}' declares 3 categories; it was calibrated with 2"):
        score(calibration, make_responses(np.zeros((1, 5)), names, 3))
    with pytest.raises(ScoringError, match=r"Name one dimension: scale \(found: care\)"):
        sum_score_table(calibration, "care")
    short = score(calibration, counted("lsat6.csv").select(names[:4]), partial=True)
    assert short.n_answered.max() == 4


def test_scoring_persons_of_an_unknown_group():
    answers = counted("lsat6.csv")
    calibration = calibrate(answers, "2pl", groups=["a"] * 500 + ["b"] * 500)
    with pytest.raises(ScoringError, match="the answers carry no group column"):
        score(calibration, answers)
    strangers = make_responses(np.zeros((1, 5)), list(answers.item_ids), 2)
    with pytest.raises(ScoringError, match=r"Unknown group\(s\): c. The calibration has: a, b"):
        score(calibration, Responses(**{**vars(strangers), "group": ("c",)}))


def test_girth_guards():
    answers = counted("lsat6.csv")
    holes = make_responses(np.where(np.eye(1000, 5) > 0, np.nan, answers.x), list(answers.item_ids), 2)
    with pytest.raises(CalibrationError, match="5 answers are missing; girth takes complete answers"):
        calibrate(holes, "2pl", engine="girth")
    with pytest.raises(ModelError, match="engine='girth' takes one model for all items"):
        calibrate(answers, "3pl", engine="girth")
    unused = make_responses(answers.x, list(answers.item_ids), 3)
    with pytest.raises(CalibrationError, match="nobody chose category 2; girth would shift the thresholds"):
        calibrate(unused, "graded", engine="girth")
    assert calibrate(answers, "2pl", engine="girth").status is Status.NOT_CHECKED


def test_simulating_nobody_or_with_the_wrong_truth():
    calibration = calibrate(counted("lsat6.csv"), "2pl")
    with pytest.raises(TalentAssessError, match="at least one person; found n = 0"):
        simulate(calibration, 0, seed=1)
    with pytest.raises(TalentAssessError, match=r"theta has shape \(2, 2\); it must be \(3, 1\)"):
        simulate(calibration, 3, seed=1, theta=np.zeros((2, 2)))


def test_saved_files_that_are_not_what_they_say(tmp_path):
    calibration = calibrate(counted("lsat6.csv"), "2pl")
    path = save(calibration, tmp_path / "calibration.json")
    with pytest.raises(ArtefactError, match=r"holds a calibration \(version 1\)\. Needed here: scores"):
        load_scores(path)
    content = json.loads(path.read_text())
    content["loglik"] = -1.0
    path.write_text(json.dumps(content))
    with pytest.raises(ArtefactError, match="was changed after it was written"):
        load_calibration(path)
    path.write_text("no json")
    with pytest.raises(ArtefactError, match="not readable as JSON"):
        load_calibration(path)
    path.write_text('{"a": 1}')
    with pytest.raises(ArtefactError, match="has no 'schema' field"):
        load_calibration(path)
    with pytest.raises(ArtefactError, match=r"There is no file none\.json"):
        load_calibration(tmp_path / "none.json")


def test_a_wrong_table_name_lists_the_names():
    with pytest.raises(TalentAssessError, match="There is no table 'item' here; choose one of: items, parameters"):
        calibrate(counted("lsat6.csv"), "2pl").to_frame("item")


def test_equal_ties_parameters_and_unknown_items_are_named():
    answers = counted("lsat6.csv")
    first = answers.item_ids[:2]
    tied = calibrate(answers, "2pl", constraints=[Equal("slope", items=first)])
    assert tied.n_free == 9
    assert tied.blocks[0].par[0, 0] == tied.blocks[0].par[1, 0]
    with pytest.raises(ModelError, match="The constraint on 'slope' names unknown item\\(s\\): q9"):
        calibrate(answers, "2pl", constraints=[Equal("slope", items=("q9", *first))])

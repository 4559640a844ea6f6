"""Reading ratings, and what agreement says: every refusal, the tables and the printed forms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import talentassess as ta
from agreement_cases import brennan, krippendorff_example, shrout_fleiss, simulated_panel
from talentassess.agreement import Ratings, from_matrix
from talentassess.core.errors import DataError

LONG = pd.DataFrame(
    {
        "who": ["ann", "ann", "bo", "bo", "cy"],
        "by": ["x", "y", "x", "y", "x"],
        "mark": [3, 4, 1, 2, None],
        "what": ["a", "a", "a", "a", "a"],
    }
)


def read(table=LONG, **changes):
    return ta.read_ratings(table, **({"person": "who", "rater": "by", "score": "mark", "low": 1, "high": 5} | changes))


def test_long_wide_and_item_columns_give_the_same_ratings():
    long = read()
    wide = pd.DataFrame({"who": ["ann", "bo", "cy"], "x": [3, 1, None], "y": ["4", "2", "NA"]})
    by_rater = ta.read_ratings(wide, person="who", rater=["x", "y"], low=1, high=5)
    np.testing.assert_array_equal(long.matrix(), by_rater.matrix())
    assert long.person_ids == by_rater.person_ids == ("ann", "bo", "cy")
    both = read(LONG.assign(second=[5, 5, 5, 5, 5]), score=["mark", "second"])
    np.testing.assert_array_equal(both.matrix("mark"), long.matrix())
    assert repr(both) == "Ratings(9 ratings of 3 persons by 2 raters, 2 items, 1 to 5, real answers)"


def test_files_and_the_mark_of_simulated_data(tmp_path):
    path = tmp_path / "ratings.csv"
    LONG.assign(SIMULATED="SIMULATED").to_csv(path, index=False)
    ratings = read(path)
    assert (ratings.provenance.source, ratings.provenance.simulated) == ("ratings.csv", True)
    assert "SIMULATED" in repr(ta.intraclass_correlation(ratings))


def test_wrong_cells_are_named():
    with pytest.raises(DataError, match=r"(?s)row 2, column 'mark': '9'; allowed: numbers from 1 to 5"):
        read(LONG.assign(mark=[3, 9, 1, 2, None]))
    with pytest.raises(DataError, match=r"row 3, column 'mark': 'high'; allowed"):
        read(LONG.assign(mark=["3", "4", "high", "2", "1"]))
    with pytest.raises(DataError, match=r"row\(s\) 2, column 'by': empty; every rating needs its rater"):
        read(LONG.assign(by=["x", None, "x", "y", "x"]))
    with pytest.raises(DataError, match=r"rows 1-2: person 'ann', rater 'x' is rated 2 times"):
        read(LONG.assign(by=["x", "x", "x", "y", "x"]))
    with pytest.raises(DataError, match="rows 1-2, column 'who': 'ann' occurs 2 times; one row per person"):
        ta.read_ratings(pd.DataFrame({"who": ["ann", "ann"], "r": [1, 2]}), person="who", rater=["r"], low=1, high=2)


def test_wrong_columns_are_named():
    with pytest.raises(DataError, match=r"no column 'grade', asked for as score"):
        read(score="grade")
    with pytest.raises(DataError, match="column 'who' is asked for more than once"):
        read(rater="who")
    with pytest.raises(DataError, match="Give both ends of the rating scale"):
        read(high=None)
    with pytest.raises(DataError, match="A long table needs person= and score="):
        read(score=None)
    with pytest.raises(DataError, match="With several score columns, each is an item"):
        read(LONG.assign(second=1), score=["mark", "second"], item="what")
    with pytest.raises(DataError, match="there is no score, item or task column"):
        read(rater=["x", "y"])


def test_records_check_themselves():
    ids = {"person_ids": ["a", "b"], "rater_ids": ["x"], "low": 1, "high": 5}
    with pytest.raises(DataError, match="There are no ratings"):
        Ratings(person=[], rater=[], score=[], **ids)
    with pytest.raises(DataError, match="person has shape"):
        Ratings(person=[0], rater=[0, 0], score=[1, 2], **ids)
    with pytest.raises(DataError, match="person holds position 2; there are 2 person_ids"):
        Ratings(person=[2], rater=[0], score=[1], **ids)
    with pytest.raises(DataError, match="person_ids holds the same label more than once"):
        Ratings(person=[0], rater=[0], score=[1], **(ids | {"person_ids": ["a", "a"]}))
    with pytest.raises(DataError, match=r"person 'b', rater 'x': 7"):
        Ratings(person=[1], rater=[0], score=[7], **ids)
    with pytest.raises(DataError, match=r"person 'a', rater 'x': 2 times"):
        Ratings(person=[0, 0], rater=[0, 0], score=[1, 2], **ids)
    with pytest.raises(DataError, match="from low to a higher high; found low=5, high=1"):
        from_matrix([[1, 2]], low=5, high=1)
    with pytest.raises(DataError, match=r"found 1 dimension"):
        from_matrix([1, 2], low=1, high=2)


def test_items_and_tasks_have_to_be_named():
    ratings, _ = simulated_panel(20, [0, 0], (0.0, 0.5))
    with pytest.raises(DataError, match=r"There are 2 items: name one, e.g. item='q0' or ratings.mean_over_items"):
        ta.intraclass_correlation(ratings)
    with pytest.raises(DataError, match="There is no item 'q9'; there are: q0, q1"):
        ta.krippendorff_alpha(ratings, item="q9")
    with pytest.raises(DataError, match="There are 3 tasks: name one"):
        ta.intraclass_correlation(brennan())
    with pytest.raises(DataError, match="have no tasks; leave task='t1' out"):
        ratings.matrix("q0", "t1")


def test_means_over_items_need_all_items():
    ratings, _ = simulated_panel(20, [0, 0], (0.0, 0.5))
    whole = ratings.mean_over_items()
    assert whole.matrix()[0, 0] == np.mean([ratings.matrix(q)[0, 0] for q in ratings.item_ids])
    some = Ratings(
        person=ratings.person[1:], rater=ratings.rater[1:], item=ratings.item[1:], score=ratings.score[1:],
        low=1, high=4, person_ids=ratings.person_ids, rater_ids=ratings.rater_ids, item_ids=ratings.item_ids,
    ).mean_over_items()  # fmt: skip
    assert np.isnan(some.matrix()).sum() == 1
    assert some.provenance.options["means left out, an item was not rated"] == "1 of 40"
    with pytest.raises(DataError, match=r"not whole points of the scale. Use the single ratings, not their means"):
        ta.rater_severity(from_matrix([[1.5, 2], [2, 1]], low=1, high=3))


def test_reliability_refusals():
    labels = ta.read_ratings(pd.DataFrame({"x": ["a", "b"], "y": ["a", "c"]}), rater=["x", "y"])
    assert labels.labels == ("a", "b", "c")
    for refused in (ta.intraclass_correlation, ta.generalizability):
        with pytest.raises(DataError, match=r"labels .nominal.: use ta.krippendorff_alpha"):
            refused(labels)
    with pytest.raises(DataError, match="labels without an order: level='interval' needs numbers"):
        ta.krippendorff_alpha(labels, "interval")
    with pytest.raises(DataError, match="Nominal ratings have no mean"):
        labels.mean_over_items()
    with pytest.raises(DataError, match="no level 'rank'; choose one of: nominal, ordinal, interval, ratio"):
        ta.krippendorff_alpha(shrout_fleiss(), "rank")
    with pytest.raises(DataError, match="level='ratio' needs values from 0 up; found -1"):
        ta.krippendorff_alpha(from_matrix([[-1, 1], [1, 1]], low=-1, high=1), "ratio")
    with pytest.raises(DataError, match="n_boot must be 0 or more"):
        ta.krippendorff_alpha(shrout_fleiss(), n_boot=-1)
    with pytest.raises(DataError, match="No person has two ratings"):
        ta.krippendorff_alpha(from_matrix([[1, np.nan], [np.nan, 2]], low=1, high=2))
    with pytest.raises(DataError, match="confidence must lie between 0 and 1; found 95"):
        ta.intraclass_correlation(shrout_fleiss(), confidence=95)
    with pytest.raises(DataError, match="at least two raters; found 1"):
        ta.intraclass_correlation(from_matrix([[1], [2]], low=1, high=2))
    with pytest.raises(DataError, match="Only 1 of 3 persons were rated by all 2 raters"):
        ta.generalizability(from_matrix([[1, 2], [np.nan, 2], [1, np.nan]], low=1, high=2))
    with pytest.raises(DataError, match=r"There is no form 'ICC\(9\)'; there are: ICC\(1,1\)"):
        ta.intraclass_correlation(shrout_fleiss())["ICC(9)"]


def test_same_rating_everywhere_has_no_alpha():
    result = ta.krippendorff_alpha(from_matrix([[3, 3], [3, 3]], low=1, high=5), n_boot=10)
    assert np.isnan([result.alpha, result.lower]).all()
    assert [f.code for f in result.findings] == ["no_variance"]


def test_studies_refuse_what_they_do_not_know():
    study = ta.generalizability(shrout_fleiss())
    with pytest.raises(DataError, match="whole and at least 1; found 0"):
        study.decide([0])
    with pytest.raises(DataError, match="This design has no tasks"):
        study.decide([2], n_tasks=[2])
    with pytest.raises(DataError, match="There is no source 't'; there are: p, r, pr,e"):
        study["t"]
    b = brennan()
    kept = ~((b.task == 2) & (b.rater == 11))
    uneven = Ratings(
        person=b.person[kept], rater=b.rater[kept], task=b.task[kept], score=b.score[kept], low=0, high=9,
        person_ids=b.person_ids, rater_ids=b.rater_ids, task_ids=b.task_ids,
    )  # fmt: skip
    with pytest.raises(DataError, match="same number of raters, two or more; found: 't1' 4, 't2' 4, 't3' 3"):
        ta.generalizability(uneven)


def test_panels_refuse():
    panel = from_matrix([[3, 4], [1, 2]], low=1, high=4)
    with pytest.raises(DataError, match="agree must lie above 1 and be at most 4; found 1"):
        ta.content_validity(panel, agree=1)
    with pytest.raises(DataError, match="alpha must lie between 0 and 1; found 5"):
        ta.content_validity(panel, agree=3, alpha=5)
    with pytest.raises(DataError, match="There is no element 'z'"):
        ta.content_validity(panel, agree=3)["z"]
    with pytest.raises(DataError, match="no null 'skewed'; choose uniform, slight_skew"):
        ta.within_group_agreement(panel, null="skewed")
    with pytest.raises(DataError, match="The null must give 4 shares that sum to 1, one per category; found 5"):
        ta.within_group_agreement(panel, null="slight_skew")
    with pytest.raises(DataError, match="its variance is 0"):
        ta.within_group_agreement(panel, null=[1, 0, 0, 0])
    with pytest.raises(DataError, match="There is no target 'z'"):
        ta.within_group_agreement(panel)["z"]
    with pytest.raises(DataError, match=r"without tasks. Read the tasks as items"):
        ta.within_group_agreement(brennan())
    labels = ta.read_ratings(pd.DataFrame({"x": ["a", "b"], "y": ["a", "c"]}), rater=["x", "y"])
    with pytest.raises(DataError, match="Content validity needs ratings on a scale, not labels"):
        ta.content_validity(labels, agree=1)
    with pytest.raises(DataError, match="an ordered scale, not labels"):
        ta.rater_severity(labels)


def test_severity_refuses():
    with pytest.raises(DataError, match="thresholds='free' is not known; choose one of: common, by_question"):
        ta.rater_severity(shrout_fleiss(), thresholds="free")
    with pytest.raises(DataError, match="There is one rater only"):
        ta.rater_severity(from_matrix([[1], [2]], low=1, high=2))
    with pytest.raises(DataError, match="Rater 'rater3' rated nobody"):
        ta.rater_severity(from_matrix([[1, 2, np.nan], [2, 1, np.nan]], low=1, high=2))
    with pytest.raises(DataError, match=r"The scale must have whole points, at most 1000; found 0.5 to 2"):
        ta.rater_severity(from_matrix([[1, 2], [2, 1]], low=0.5, high=2))
    ratings, _ = simulated_panel(60, [-0.5, 0.5])
    with pytest.raises(DataError, match="There is no rater 'R9'; there are: R0, R1"):
        ta.rater_severity(ratings)["R9"]


def test_tables_and_printed_forms():
    ratings, _ = simulated_panel(60, [-0.5, 0.5])
    result = ta.rater_severity(ratings)
    assert list(result.tables()) == ["raters", "questions", "thresholds", "persons", "summary", "findings"]
    assert len(result.to_frame("persons")) == 60
    assert repr(result).startswith("RaterSeverity(60 persons, 2 raters, 1 question(s); separation")
    assert list(ta.intraclass_correlation(shrout_fleiss()).tables()) == ["forms", "anova", "findings"]
    assert ta.krippendorff_alpha(krippendorff_example(), n_boot=0).to_frame()["n_units"].tolist() == [11]
    study = ta.generalizability(brennan())
    assert list(study.to_frame()["source"]) == ["p", "t", "r:t", "pt", "pr:t,e"]
    assert len(study.decide([1, 2], n_tasks=[1, 2, 3]).to_frame()) == 6
    assert ratings.to_frame().columns.tolist() == ["person", "rater", "item", "score", "SIMULATED"]
    assert "task" in brennan().to_frame().columns

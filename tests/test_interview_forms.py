"""Rating forms: written, filled in, read back; every bad cell is named with file, sheet and cell."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from openpyxl import load_workbook

import talentassess as ta
from interview_cases import RATINGS, rated, tiny, tiny_guide
from talentassess.core.errors import InterviewError
from talentassess.interview import AnswerRating, InterviewRatings, score_interview
from talentassess.render.form_xlsx import FIRST, KEYS, VALUE


def column(sheet, key):
    return next(cell.column for cell in sheet[KEYS + 1] if cell.value == key)


def fill(path, sheet_name, entries):
    """Write into a form as a rater would: (row of question from 0, key) -> value, or ("candidate", "") -> name."""
    book = load_workbook(path)
    sheet = book[sheet_name]
    for (row, key), value in entries.items():
        if row == "top":
            sheet.cell({"candidate": 2, "rater": 3}[key], VALUE + 1).value = value
        else:
            sheet.cell(FIRST + 1 + row, column(sheet, key)).value = value
    book.save(path)
    return path


@pytest.fixture
def filled(tmp_path):
    """Two raters' workbooks on two candidates, filled in; one rating is left open."""
    guide = tiny_guide(minutes=24)
    paths = ta.rating_form(guide, candidates=["Ann", "Bo"], raters=["R1", "R2"]).save(tmp_path / "form.xlsx")
    ratings = {("R1", "Ann"): (4, 3), ("R1", "Bo"): (2, 2), ("R2", "Ann"): (5, 3), ("R2", "Bo"): (1, None)}
    for path, rater in zip(paths, ("R1", "R2"), strict=True):
        for candidate in ("Ann", "Bo"):
            first, second = ratings[rater, candidate]
            entries = {(0, "rating"): first, (1, "rating"): second, (0, "star:result"): "Partial"}
            fill(path, candidate, entries | {(1, "fault:vague"): "X", (0, "notes"): "said that 1 + 1 = 2"})
    return paths


def test_round_trip(filled):
    found = ta.read_rating_forms(filled)
    assert repr(found) == "InterviewRatings(2 persons, 2 raters, 2 questions, 8 ratings, 1 missing)"
    frame = found.to_frame()
    got = {(r.person, r.rater, r.question): r.rating for r in found.ratings}
    assert got["Ann", "R2", "ow_iq_03"] == 5
    assert got["Bo", "R2", "fu_iq_03"] is None
    assert set(frame["competency"]) == {"ownership", "follow_up"}
    assert found.ratings[0].star == {"result": "partial"}
    assert found.ratings[1].faults == ("vague",)
    assert found.ratings[0].notes == "said that 1 + 1 = 2"
    assert [f.message for f in found.findings] == ["Rater 'R2' left 1 answer(s) unrated: fu_iq_03."]
    scores = score_interview(found)
    assert scores.score[0].tolist() == [4.5, 3.0]
    assert scores.n_missing[1].tolist() == [0, 1]


def test_only_allowed_values_can_be_typed_in(filled):
    sheet = load_workbook(filled[0])["Ann"]
    rules = {str(rule.sqref): rule for rule in sheet.data_validations.dataValidation}
    kinds = sorted((rule.type, rule.formula1, rule.formula2) for rule in rules.values())
    assert ("whole", "1", "5") in kinds
    assert ("list", '"missing,partial,complete"', None) in kinds
    assert ("list", '"x"', None) in kinds
    assert sheet.protection.sheet
    assert not sheet.cell(FIRST + 1, column(sheet, "rating")).protection.locked
    assert sheet.cell(FIRST + 1, column(sheet, "text")).protection.locked
    assert sheet.column_dimensions["A"].hidden
    assert sheet.row_dimensions[KEYS + 1].hidden


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({(0, "rating"): 6}, "sheet 'Ann', cell I7: found '6'; a whole number from 1 to 5 is needed"),
        ({(1, "rating"): 2.5}, "sheet 'Ann', cell I8: found '2.5'; a whole number"),
        ({(1, "rating"): "good"}, "sheet 'Ann', cell I8: found 'good'; a whole number"),
        ({(1, "rating"): True}, "sheet 'Ann', cell I8: found 'True'; a whole number"),
        (
            {(0, "star:task"): "some"},
            "sheet 'Ann', cell K7: found 'some'; allowed: missing, partial, complete, or empty",
        ),
        ({(0, "fault:vague"): "yes"}, "sheet 'Ann', cell N7: found 'yes'; tick a fault with x"),
        ({("top", "candidate"): None}, "sheet 'Ann', cell E2: the candidate is empty; write the name in"),
        ({("top", "rater"): None}, "sheet 'Ann', cell E3: the rater is empty"),
        ({(0, "question"): None}, "sheet 'Ann', cell A7: the hidden question id is gone; use a fresh form"),
    ],
)
def test_bad_cells_are_named(filled, entries, message):
    fill(filled[0], "Ann", entries)
    with pytest.raises(InterviewError) as caught:
        ta.read_rating_forms(filled)
    assert any(f"form-r1.xlsx, {message}" in line for line in caught.value.problems), caught.value.problems


def test_the_same_form_twice_is_refused(filled):
    with pytest.raises(InterviewError, match="person 'Ann', rater 'R1', question 'ow_iq_03': 2 ratings"):
        ta.read_rating_forms([filled[0], filled[0]])


def test_files_that_are_no_forms(tmp_path, filled):
    text, other = tmp_path / "a.csv", tmp_path / "b.xlsx"
    text.write_text("x", encoding="utf-8")
    pd.DataFrame({"x": [1]}).to_excel(other, index=False)
    broken = tmp_path / "c.xlsx"
    broken.write_bytes(b"no workbook")
    with pytest.raises(InterviewError) as caught:
        ta.read_rating_forms([text, other, broken, tmp_path / "d.xlsx"])
    lines = caught.value.problems
    assert lines[0] == "a.csv: filled rating forms are .xlsx files; ratings in a table: read_interview_ratings"
    assert lines[1] == "b.xlsx: holds no rating form; use the workbook written by 'rating_form'"
    assert lines[2].startswith("c.xlsx: cannot be read as a workbook")
    assert lines[3] == "d.xlsx: there is no such file"
    with pytest.raises(InterviewError, match="no file was given"):
        ta.read_rating_forms([])
    fill(filled[0], "Ann", {})
    book = load_workbook(filled[0])
    book["Ann"].cell(KEYS + 1, column(book["Ann"], "rating"), "points")
    book.save(filled[0])
    with pytest.raises(InterviewError, match=r"sheet 'Ann': the hidden row 5 lacks rating; use a fresh form"):
        ta.read_rating_forms(filled)


def test_empty_forms_are_left_out_and_named(tmp_path, filled):
    (blank,) = ta.rating_form(tiny_guide(minutes=24)).save(tmp_path / "blank.xlsx")
    found = ta.read_rating_forms([*filled, blank])
    assert [f.where for f in found.findings if f.code == "empty_form"] == ["blank.xlsx, sheet 'Candidate'"]
    with pytest.raises(InterviewError, match="Nobody has filled in any of these rating forms"):
        ta.read_rating_forms([blank])


def test_forms_of_two_guides_are_told(tmp_path, filled):
    (other,) = ta.rating_form(tiny_guide(minutes=60), candidates=["Cy"], raters=["R1"]).save(tmp_path / "x.xlsx")
    fill(other, "Cy", {(0, "rating"): 3})
    codes = [f.code for f in ta.read_rating_forms([*filled, other]).findings]
    assert "several_guides" in codes
    assert "other_questions" in codes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"candidates": ["A", "A"]}, "The candidates' names: found A more than once"),
        ({"raters": []}, "The raters' names: found none"),
        ({"raters": ["A b", "a-b"]}, "Two raters' names give the same file name"),
    ],
)
def test_names_must_differ(options, message):
    with pytest.raises(InterviewError, match=message):
        ta.rating_form(tiny_guide(), **options)


def test_printed_forms_and_other_suffixes(tmp_path):
    form = ta.rating_form(tiny_guide(), candidates=["Ann"], raters=["R1", "R2"])
    paths = form.save(tmp_path / "new" / "form.pdf")
    assert [path.name for path in paths] == ["form-r1.pdf", "form-r2.pdf"]
    assert all(path.read_bytes().startswith(b"%PDF") for path in paths)
    with pytest.raises(InterviewError, match=r"cannot be saved as 'form.docx'; use .xlsx or .pdf"):
        form.save(tmp_path / "form.docx")


# --- ratings in a table, scores ------------------------------------------------------------------------------------


def test_a_long_table_gives_scores_with_the_mark():
    found = ta.read_interview_ratings(RATINGS, tiny().competency_of())
    scores = ta.score_interview(found)
    assert scores.provenance.simulated
    assert scores.score == pytest.approx(np.array([[4.0, 2.0], [2.0, 3.0]]))
    assert scores.n_missing.tolist() == [[0, 1], [0, 0]]
    assert scores.n_raters.tolist() == [[2, 1], [2, 2]]
    codes = [f.code for f in scores.findings]
    assert codes == ["few_persons", "raters_apart", "missing_rating"]
    assert ta.report(scores).simulated


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rating": ["7"]}, "row 1, column 'rating': found '7'; a whole number from 1 to 5"),
        ({"question": ["ow_iq_1"]}, "row 1: there is no question 'ow_iq_1'; did you mean 'ow_iq_01'"),
        ({"rater": [""]}, "row 1: the rater is empty"),
    ],
)
def test_bad_rows_are_named(change, message):
    table = {"person": ["p"], "rater": ["a"], "question": ["ow_iq_01"], "rating": ["3"]} | change
    with pytest.raises(InterviewError, match=message):
        ta.read_interview_ratings(pd.DataFrame(table), tiny().competency_of())


def test_missing_column():
    with pytest.raises(InterviewError, match=r"has no column 'rater' \(did you mean 'raters'\?\)"):
        ta.read_interview_ratings(
            pd.DataFrame({"person": ["p"], "raters": ["a"], "question": ["q"], "rating": [3]}), {"q": "ownership"}
        )


def test_ratings_in_memory_are_checked():
    one = AnswerRating(person="p", rater="a", question="q", competency="ownership", rating=7, place="row 1")
    with pytest.raises(InterviewError, match="row 1: rating 7; 1 to 5 are needed"):
        InterviewRatings(ratings=(one,))


def test_one_rater_or_one_question_is_said():
    codes = [f.code for f in score_interview(rated(np.array([[[3.0, 4.0]], [[2.0, 5.0]]]))).findings]
    assert "one_rater" in codes
    assert "one_question" not in codes
    codes = [f.code for f in score_interview(rated(np.array([[[3.0], [4.0]], [[2.0], [5.0]]]))).findings]
    assert "one_question" in codes
    alone = score_interview(rated(np.array([[[3.0]]])))
    assert np.isnan(alone.se[0, 0])
    same = score_interview(rated(np.full((3, 2, 2), 3.0)))
    assert "no_spread" in [f.code for f in same.findings]


def test_scores_show_the_raters_side_by_side_and_what_does_not_enter_them():
    def answer(person, rater, rating, **more):
        return AnswerRating(person=person, rater=rater, question="q1", competency="ownership", rating=rating, **more)

    ratings = [
        answer("p", "a", 1, star={"task": "partial", "result": "missing"}, faults=("vague",)),
        answer("p", "b", 4, star={"task": "complete"}, faults=("vague", "rambling")),
        *(answer(person, rater, 3) for person in ("q", "r") for rater in "ab"),
    ]
    scores = ta.score_interview(InterviewRatings(ratings=tuple(ratings)))
    answers = scores.to_frame("answers")
    first = answers.iloc[0]
    assert (first["rating(a)"], first["rating(b)"], first["apart"]) == (1, 4, 3)
    assert (first["incomplete(task)"], first["incomplete(result)"]) == (1, 1)
    assert first["faults"] == "vague 2, rambling 1"
    told = {f.code: f.message for f in scores.findings}
    assert told["raters_apart"] == "On 1 of 3 answers two raters lie 2 points or more apart."
    assert told["low_reliability"].startswith("Reliability below 0.5: ownership 0.00.")
    assert "does not enter the scores" in told["notes_not_scored"]
    doc = ta.report(scores)
    assert [s.title for s in doc.sections] == ["Scores", "The raters side by side"]
    (page,) = [t for t in doc.tables if t.anchor == "answer-table"]
    assert list(page.columns) == ["person", "competency", "question", "by a", "by b", "apart", "T", "R", "faults"]


def test_nothing_to_score():
    with pytest.raises(InterviewError, match="There is no rating to score"):
        score_interview(rated(np.full((1, 1, 1), np.nan)))


def test_raters_who_never_share_an_answer_still_show_their_differences():
    """Rater a has questions 0 and 1, rater b question 2: D_q = 0, D_rq = 2, so raters 2, questions unseen."""
    x = np.full((4, 2, 3), np.nan)
    x[:, 0, :2], x[:, 1, 2] = 3, 5
    scores = score_interview(rated(x))
    assert (scores.components.rater, scores.components.residual) == (2.0, 0.0)
    assert np.isnan(scores.components.question)
    assert scores.se[0, 0] == pytest.approx(np.sqrt(2 * ((2 / 3) ** 2 + (1 / 3) ** 2)))

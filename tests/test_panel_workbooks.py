"""Workbooks for experts: what they show and hide, the round trip, and what is said of every bad cell."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import openpyxl
import pandas as pd
import pytest

import talentassess as ta
from bank_fixtures import TINY_BANK, broken_bank
from panel_cases import filled_workbook, simulated_experts
from talentassess.core.errors import ContentError, DataError
from talentassess.workflow import rating_cells as cells

BANK = ta.load_bank("service_core")
RATED = ("ow_sr_01", "ow_sj_01", "al_sj_04")  # a statement, a situation with four options and one with five
PANEL = simulated_experts(BANK, 3, seed=11)


def workbook(tmp_path, e=0, change=None, **options):
    """SIMULATED expert e's filled workbook on the three items."""
    return filled_workbook(BANK, tmp_path / f"e{e}.xlsx", PANEL, e, items=RATED, change=change, **options)


@pytest.fixture
def blank(tmp_path):
    """A workbook as the expert gets it."""
    path = ta.rating_workbook(BANK, tmp_path / "blank.xlsx", expert="Ann", items=RATED)
    return openpyxl.load_workbook(path)


def test_sheets_are_protected_with_only_the_ratings_open(blank):
    sheet = blank[cells.EFFECTIVENESS_SHEET]
    assert sheet.protection.sheet
    assert sheet.freeze_panes == "A2"
    assert blank[cells.HIDDEN].sheet_state == "veryHidden"
    for row in range(cells.FIRST_ROW, sheet.max_row + 1):
        is_option = sheet[f"{cells.OPTION_ITEM}{row}"].value is not None
        for letter in (cells.EFFECTIVENESS_COLUMN, cells.OPTION_COMMENT):
            assert sheet[f"{letter}{row}"].protection.locked is not is_option
        assert sheet[f"{cells.TEXT}{row}"].protection.locked
    assert sheet.column_dimensions[cells.OPTION_ITEM].hidden
    assert blank[cells.RELEVANCE_SHEET].column_dimensions[cells.ITEM_ID].hidden


def test_cells_to_fill_in_take_only_the_scale(blank):
    rules = {
        name: [(str(rule.sqref), rule.formula1) for rule in blank[name].data_validations.dataValidation]
        for name in (cells.EFFECTIVENESS_SHEET, cells.RELEVANCE_SHEET)
    }
    assert rules[cells.EFFECTIVENESS_SHEET] == [("C2:C12", '"1,2,3,4,5"')]  # 2 scenarios, 4 + 5 options
    assert rules[cells.RELEVANCE_SHEET] == [("D2:D4", '"1,2,3,4"'), ("E2:E4", '"y,n"')]


def test_nothing_in_the_workbook_tells_the_key(blank):
    said = " ".join(
        str(cell.value) for sheet in blank.worksheets for row in sheet.iter_rows() for cell in row if cell.value
    )
    for item in RATED[1:]:
        for option in BANK.item(item).options:
            assert option.text in said
            assert option.rationale not in said
    assert "rational" not in said
    numbers = [c.value for row in blank[cells.EFFECTIVENESS_SHEET].iter_rows() for c in row if isinstance(c.value, int)]
    assert numbers == [1, 2]  # the numbers of the situations


def test_relevance_stands_beside_the_definition(blank):
    sheet = blank[cells.RELEVANCE_SHEET]
    definition = ta.load_competencies().competency("ownership").definition
    assert definition in [sheet[f"{cells.COMPETENCY}{row}"].value[len("Ownership: ") :] for row in (3, 4)]


def test_options_are_shuffled_by_expert_and_seed(tmp_path):
    def order(expert, seed):
        path = ta.rating_workbook(BANK, tmp_path / "x.xlsx", expert=expert, seed=seed)
        sheet = openpyxl.load_workbook(path)[cells.EFFECTIVENESS_SHEET]
        return [c.value for c in sheet[cells.OPTION_ID] if c.value]

    assert order("Ann", 1) == order("Ann", 1)
    assert order("Ann", 1) != order("Bo", 1)
    assert order("Ann", 1) != order("Ann", 2)
    # SIMULATED by the seed alone: among 20 items, the bank's own order survives in few
    ids = order("Ann", 1)[1:]
    assert sum(ids[i : i + 4] == list("abcd") for i in range(len(ids))) < 8


def test_round_trip_of_a_panel(tmp_path):
    read = ta.read_expert_ratings([workbook(tmp_path, e) for e in range(3)], BANK)
    columns = [PANEL.options.index(pair) for pair in read.options]
    rows = [PANEL.items.index(item) for item in read.items]
    np.testing.assert_array_equal(read.effectiveness, PANEL.effectiveness[:, columns])
    np.testing.assert_array_equal(read.relevance, PANEL.relevance[:, rows])
    np.testing.assert_array_equal(read.essential, PANEL.essential[:, rows])
    assert read.items == ("al_sj_04", "ow_sr_01", "ow_sj_01")  # the bank's order
    assert read.experts == PANEL.experts
    assert (read.collected, read.findings, read.provenance.simulated) == ("2026-11-20", (), True)


def test_a_single_workbook_is_read_by_its_path(tmp_path):
    assert ta.read_expert_ratings(workbook(tmp_path), BANK).experts == ("SIMULATED expert 1",)


def test_names_without_the_mark_are_real_experts(tmp_path):
    book = workbook(tmp_path, change=lambda b: b[cells.INSTRUCTIONS].__setitem__(cells.EXPERT_CELL, "Ann  Lee "))
    read = ta.read_expert_ratings([book], BANK)
    assert read.experts == ("Ann Lee",)
    assert not read.provenance.simulated


def test_comments_are_kept_with_their_place(tmp_path):
    def write(book):
        book[cells.RELEVANCE_SHEET][f"{cells.ITEM_COMMENT}2"] = " Not in our shop. "

    comment = ta.read_expert_ratings([workbook(tmp_path, change=write)], BANK).comments[0]
    assert (comment.item, comment.option, comment.text) == ("al_sj_04", "", "Not in our shop.")


def test_unfinished_workbooks_are_read_and_named(tmp_path):
    half = replace(PANEL, effectiveness=PANEL.effectiveness.copy())
    half.effectiveness[0, half.options.index(("ow_sj_01", "b"))] = np.nan
    paths = [
        filled_workbook(BANK, tmp_path / "half.xlsx", half, 0, items=RATED),
        ta.rating_workbook(BANK, tmp_path / "empty.xlsx", expert="SIMULATED sloth", items=RATED),
    ]
    read = ta.read_expert_ratings(paths, BANK)
    assert [(f.code, f.where) for f in read.findings] == [
        ("unfinished_form", "SIMULATED expert 1"),
        ("empty_form", "SIMULATED sloth"),
    ]
    assert "(half.xlsx) is not finished: effectiveness 8 of 9 filled in" in read.findings[0].message
    assert len(read.experts) == 2
    assert np.isnan(read.effectiveness).sum() == 1 + 9
    review = ta.review_panel(read, BANK)  # and it is reviewed as far as it goes
    assert review["ow_sj_01"].n_effectiveness == 0
    assert {f.code for f in review.findings} >= {"unfinished_form", "empty_form", "small_panel"}


def edit(sheet, cell, value):
    return lambda book: book[sheet].__setitem__(cell, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            edit("Effectiveness", "C3", 6),
            "e0.xlsx, sheet Effectiveness, cell C3: '6'; allowed: 1, 2, 3, 4, 5, or empty",
        ),
        (edit("Effectiveness", "C3", 3.5), "sheet Effectiveness, cell C3: '3.5'; allowed"),
        (edit("Effectiveness", "C2", 4), "cell C2: '4' in a row without an option; move or clear it"),
        (edit("Effectiveness", "F3", "z"), "the hidden id 'al_sj_04 z' is not in the bank"),
        (edit("Relevance", "D2", "high"), "sheet Relevance, cell D2: 'high'; allowed: 1, 2, 3, 4, or empty"),
        (edit("Relevance", "E2", "perhaps"), "sheet Relevance, cell E2: 'perhaps'; allowed: y, n, or empty"),
        (edit("Relevance", "G3", "al_sj_04"), "cell G3: the hidden id 'al_sj_04' is there a second time"),
        (edit("Instructions", "B4", None), "sheet Instructions, cell B4: empty; the expert's name must stand here"),
        (edit("Instructions", "B5", "last week"), "cell B5: 'last week' is not a date; write YYYY-MM-DD"),
        (edit("Instructions", "B5", "2026-13-01"), "cell B5: '2026-13-01' is not a date"),
        (lambda b: b["Relevance"].delete_rows(2), "2 items are left of 3; rows were deleted, export it again"),
        (edit("Workbook", "B1", "talentassess/rating_workbook/9"), "made in the form talentassess/rating_workbook/9"),
        (lambda b: b.remove(b["Workbook"]), "no rating workbook, it has no sheet 'Workbook'"),
    ],
)
def test_every_bad_cell_is_named_with_file_sheet_and_cell(tmp_path, change, message):
    with pytest.raises(DataError, match="nothing was read") as raised:
        ta.read_expert_ratings([workbook(tmp_path, change=change)], BANK)
    assert message in "\n".join(raised.value.problems)


def test_all_bad_cells_of_all_workbooks_are_named_at_once(tmp_path):
    paths = [workbook(tmp_path, e, edit("Effectiveness", "C3", 9)) for e in range(3)]
    with pytest.raises(DataError, match=r"3 problem\(s\)") as raised:
        ta.read_expert_ratings(paths, BANK)
    assert [line[:7] for line in raised.value.problems] == ["e0.xlsx", "e1.xlsx", "e2.xlsx"]


def test_dates_of_the_spreadsheet_are_dates(tmp_path):
    import datetime

    path = workbook(tmp_path, when=datetime.datetime(2026, 11, 5))
    assert ta.read_expert_ratings([path], BANK).collected == "2026-11-05"
    assert ta.read_expert_ratings([path], BANK, collected="2026").collected == "2026"
    with pytest.raises(DataError, match="collected is 'May'; write a date as YYYY-MM-DD"):
        ta.read_expert_ratings([path], BANK, collected="May")


def test_a_workbook_of_another_bank_version_is_refused(tmp_path):
    tiny = ta.load_bank(TINY_BANK)
    other = ta.load_bank(broken_bank(tmp_path, {"sjt.yaml": ("waterproof", "water-proof")}))
    path = ta.rating_workbook(tiny, tmp_path / "a.xlsx", expert="Ann", items=["ow_pick"])
    with pytest.raises(DataError, match=r"a\.xlsx: the wording of ow_pick has changed .* load the bank as it was then"):
        ta.read_expert_ratings([path], other)
    message = rf"a\.xlsx: made for the bank tiny \S+ \(content hash {tiny.content_hash}\); this is service_core"
    with pytest.raises(DataError, match=message):
        ta.read_expert_ratings([path], BANK)


def test_ratings_hold_while_the_wording_that_was_rated_stays(tmp_path):
    """Another item reworded, a rated item advanced and rekeyed: nothing an expert saw has changed."""
    path = workbook(tmp_path)
    other = [item.model_copy(update={"text": "Other words."}) for item in BANK.self_report if item.id == "fu_sr_01"]
    statements = [next((o for o in other if o.id == item.id), item) for item in BANK.self_report]
    rated = BANK.item("ow_sj_01")
    options = [option.model_copy(update={"effectiveness": 6 - option.effectiveness}) for option in rated.options]
    advanced = rated.model_copy(update={"status": "reviewed", "version": 2, "options": tuple(options)})
    situations = [advanced if item.id == rated.id else item for item in BANK.situational]
    now = BANK.model_copy(update={"self_report": tuple(statements), "situational": tuple(situations)})
    assert now.content_hash != BANK.content_hash
    read = ta.read_expert_ratings([path], now)
    assert np.array_equal(read.effectiveness, ta.read_expert_ratings([path], BANK).effectiveness)
    assert read.bank_hash == now.content_hash


def test_a_rated_item_with_other_wording_is_named(tmp_path):
    path = workbook(tmp_path)
    reworded = BANK.item("ow_sr_01").model_copy(update={"text": "Other words."})
    statements = [reworded if item.id == reworded.id else item for item in BANK.self_report]
    now = BANK.model_copy(update={"self_report": tuple(statements)})
    with pytest.raises(DataError, match=r"e0\.xlsx: the wording of ow_sr_01 has changed since the workbook was made"):
        ta.read_expert_ratings([path], now)


def test_one_expert_with_two_workbooks_is_refused(tmp_path):
    paths = [workbook(tmp_path), tmp_path / "again.xlsx"]
    filled_workbook(BANK, paths[1], PANEL, 0, items=RATED, change=edit("Instructions", "B4", "simulated  EXPERT 1"))
    with pytest.raises(DataError, match=r"'SIMULATED expert 1' in e0\.xlsx, again\.xlsx"):
        ta.read_expert_ratings(paths, BANK)


def test_files_that_are_no_workbooks(tmp_path):
    (tmp_path / "broken.xlsx").write_text("no zip")
    for name, message in {
        "broken.xlsx": "cannot be read as an Excel workbook",
        "absent.xlsx": r"There is no file 'absent\.xlsx'",
        "list.csv": r"'list\.csv' is not a workbook",
    }.items():
        with pytest.raises(DataError, match=message):
            ta.read_expert_ratings([tmp_path / name, tmp_path / name], BANK)
    with pytest.raises(DataError, match="There are no experts' ratings to read"):
        ta.read_expert_ratings([], BANK)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.xls", {}, r"'a\.xls' is not a workbook; give a name that ends in \.xlsx"),
        ("a.xlsx", {"items": ["ow_sj_99"]}, "'ow_sj_99': did you mean 'ow_s"),
        ("a.xlsx", {"items": []}, "no item"),
    ],
)
def test_workbooks_that_cannot_be_made(tmp_path, name, options, message):
    with pytest.raises(ContentError, match=message):
        ta.rating_workbook(BANK, tmp_path / name, **options)


def test_items_without_wording_cannot_be_rated(tmp_path):
    with pytest.raises(ContentError, match=r"no wording in the bank 'tiny'.*\n.*item 'pace_1' \(status external\)"):
        ta.rating_workbook(ta.load_bank(TINY_BANK), tmp_path / "a.xlsx")


# --- long tables ---------------------------------------------------------------------------------------------------


def test_a_long_table_holds_the_same_ratings(tmp_path):
    read = ta.read_expert_ratings([workbook(tmp_path, e) for e in range(3)], BANK)
    path = tmp_path / "long.csv"
    read.to_frame().to_csv(path, index=False)
    again = ta.read_expert_ratings(path, BANK, collected="2026-11-20")
    assert again.provenance.simulated
    assert again.provenance.data_hash == read.provenance.data_hash
    assert ta.read_expert_ratings([path], BANK).experts == read.experts


def long_table(**columns):
    table = {"expert": ["A", "A"], "item": ["ow_sj_01"] * 2, "option": ["a", ""], "effectiveness": ["3", ""]}
    return pd.DataFrame(table | {"relevance": ["", "4"], "essential": ["", "yes"]} | columns)


def test_a_long_table_is_unfinished_against_what_it_asks():
    read = ta.read_expert_ratings(long_table(), BANK)
    assert "effectiveness 1 of 4" in read.findings[0].message
    assert (read.relevance.tolist(), read.essential.tolist()) == ([[4.0]], [[1.0]])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"expert": ["A", ""]}, "row 2, column 'expert': empty"),
        ({"item": ["ow_sj_01", "ow_sj_9"]}, "row 2, column 'item': 'ow_sj_9' is not in the bank 'service_core'"),
        ({"option": ["x", ""]}, "row 1, column 'option': item 'ow_sj_01' has no option 'x'"),
        ({"effectiveness": ["0", ""]}, "row 1, column 'effectiveness': '0'; allowed: 1, 2, 3, 4, 5"),
        ({"effectiveness": ["3", "3"]}, "row 2, column 'effectiveness': '3'; it belongs in a row with an option"),
        ({"relevance": ["2", ""]}, "row 1, column 'relevance': '2'; it belongs in a row without an option"),
        ({"essential": ["", "maybe"]}, "row 2, column 'essential': 'maybe'; allowed: y, n"),
        ({"option": ["a", "a"], "effectiveness": ["3", "4"], "relevance": "", "essential": ""}, "rated it already"),
        ({"severity": ["1", "1"]}, "column 'severity' is not known"),
    ],
)
def test_bad_cells_of_a_long_table_are_named(columns, message):
    with pytest.raises(DataError, match=re.escape(message)):
        ta.read_expert_ratings(long_table(**columns), BANK)


def test_a_table_without_experts_is_refused():
    with pytest.raises(DataError, match="there is no column 'expert'"):
        ta.read_expert_ratings(pd.DataFrame({"item": ["ow_sj_01"]}), BANK)


# --- the record ----------------------------------------------------------------------------------------------------


def test_ratings_off_the_scale_are_refused():
    wrong = PANEL.effectiveness.copy()
    wrong[1, 0] = 7
    with pytest.raises(DataError, match=r"expert 'SIMULATED expert 2', item al_sj_01, option a, effectiveness: 7"):
        replace(PANEL, effectiveness=wrong)
    with pytest.raises(DataError, match=r"relevance has shape \(3, 1\); there are 3 experts and 70 items"):
        replace(PANEL, relevance=PANEL.relevance[:, :1])
    with pytest.raises(DataError, match="The expert 'A' is there more than once"):
        replace(PANEL, experts=("A", "A", "B"))

"""The ledger of a bank: recording, advancing, checking; every step the life cycle forbids is refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import talentassess as ta
from bank_fixtures import TINY_BANK, broken_bank
from talentassess.bank.check import check_bank
from talentassess.bank.history import COLUMNS, LEDGER, HistoryEntry, content_hash, load_history, step_fault
from talentassess.bank.load import load_bank
from talentassess.bank.yaml_edit import edited_statuses
from talentassess.core.errors import ContentError
from talentassess.core.status import Severity

WHO = {"author": "A. Author", "reason": "first draft", "date": "2025-01-31"}
SELF, SJT = "self_report.yaml", "sjt.yaml"


@pytest.fixture
def bank(tmp_path) -> Path:
    """A copy of the tiny bank, recorded."""
    folder = broken_bank(tmp_path, {})
    ta.record_history(load_bank(folder).items, folder, **WHO)
    return folder


def edit(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")


def advance(folder: Path, item: str, *statuses: str) -> None:
    for status in statuses:
        ta.advance_items([load_bank(folder).item(item)], folder, status, **WHO)


def codes(folder: Path) -> dict[str, object]:
    check = check_bank(load_bank(folder), history=load_history(folder))
    return {f.code: f for f in check.findings}


# -- recording --------------------------------------------------------------------------------------------------------


def test_recording_writes_one_row_per_item_and_nothing_twice(bank):
    history = load_history(bank)
    items = load_bank(bank).items
    assert len(history.entries) == len(items)
    first = history.of("fu_1")
    expected = HistoryEntry("fu_1", 1, "draft", "2025-01-31", "A. Author", "first draft", content_hash(items[4]))
    assert first == (replace(expected, content_hash=content_hash(load_bank(bank).item("fu_1"))),)
    before = (bank / LEDGER).read_bytes()
    assert ta.record_history(items, bank, **WHO) == ()
    assert (bank / LEDGER).read_bytes() == before
    assert repr(history) == f"History({len(items)} entries on {len(items)} items, last on 2025-01-31)"
    assert list(history.to_frame().columns) == list(COLUMNS)


def test_the_ledger_only_grows(bank):
    before = (bank / LEDGER).read_text(encoding="utf-8")
    edit(bank, SELF, "I wait until customers", "I pause until customers")
    (entry,) = ta.record_history(load_bank(bank).items, bank, author="B. Editor", reason="plainer, with a comma")
    after = (bank / LEDGER).read_text(encoding="utf-8")
    assert after.startswith(before)
    assert load_history(bank).of("fu_2")[-1] == entry


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"author": " "}, "needs author: say who"),
        ({"author": "", "reason": ""}, "needs author and reason"),
        ({"date": "31.01.2025"}, "date: found '31.01.2025'; a day such as 2025-03-31"),
    ],
)
def test_who_why_and_when_are_needed(bank, fields, message):
    with pytest.raises(ContentError, match=message):
        ta.record_history(load_bank(bank).items, bank, **(WHO | fields))


def test_content_is_wording_options_and_key_and_nothing_else():
    item = load_bank(TINY_BANK).item("ow_pick")
    first, *rest = item.options
    same = [
        item.model_copy(update={"status": "operational", "version": 9, "columns": {"choice": "Q1"}}),
        item.model_copy(update={"options": (first.model_copy(update={"rationale": "x", "indicator": None}), *rest)}),
    ]
    other = [
        item.model_copy(update={"scenario": "Another one."}),
        item.model_copy(update={"format": "most_least"}),
        item.model_copy(update={"options": (first.model_copy(update={"effectiveness": 4.5}), *rest)}),
        item.model_copy(update={"options": (first.model_copy(update={"in_context": {"call_centre": 1.0}}), *rest)}),
        item.model_copy(update={"options": (*rest, first)}),
    ]
    assert {content_hash(i) for i in same} == {content_hash(item)}
    assert len({content_hash(i) for i in [item, *other]}) == 6


# -- steps ------------------------------------------------------------------------------------------------------------

BEFORE = HistoryEntry("q", 2, "reviewed", "2025-01-01", "A", "r", "a" * 16)
STEPS = [
    (BEFORE, {"status": "piloted"}, ""),
    (BEFORE, {"status": "retired"}, ""),
    (BEFORE, {"version": 3, "status": "draft", "content_hash": "b" * 16}, ""),
    (BEFORE, {"status": "operational"}, "the step from reviewed to operational is not allowed; from reviewed an item"),
    (BEFORE, {"status": "draft"}, "the step from reviewed to draft is not allowed"),
    (BEFORE, {"version": 1}, "the version falls from 2 to 1"),
    (BEFORE, {"version": 3}, "version 3 is new and must begin as draft, not as reviewed"),
    (BEFORE, {"content_hash": "b" * 16}, "its content was changed without a new version (version 2, reviewed)"),
    (BEFORE, {"status": "piloted", "content_hash": "b" * 16}, "its content was changed without a new version"),
    (replace(BEFORE, status="draft"), {"status": "draft", "content_hash": "b" * 16}, ""),
    (replace(BEFORE, status="retired"), {"status": "operational"}, "it needs a higher version"),
    (replace(BEFORE, status="piloted"), {"status": "operational"}, ""),
    (
        None,
        {"status": "reviewed"},
        "its first entry says reviewed; record it as draft and advance it, or copy the history.csv",
    ),
    (None, {"status": "draft"}, ""),
    (None, {"status": "external"}, ""),
]


@pytest.mark.parametrize(("before", "change", "fault"), STEPS)
def test_the_steps_of_the_life_cycle(before, change, fault):
    said = step_fault(before, replace(BEFORE, **change))
    assert (fault in said) if fault else said == ""


def test_an_operational_text_cannot_change_without_a_new_version(bank):
    advance(bank, "fu_2", "reviewed", "piloted", "operational")
    edit(bank, SELF, "I wait until customers", "I pause until customers")
    finding = codes(bank)["changed_without_version"]
    assert (finding.severity, finding.where) == (Severity.PROBLEM, "fu_2")
    assert "changed without a new version (version 1, operational, recorded on 2025-01-31)" in finding.message
    with pytest.raises(ContentError, match="nothing was recorded") as caught:
        ta.record_history(load_bank(bank).items, bank, **WHO)
    assert "item 'fu_2': its content was changed without a new version" in caught.value.problems[0]
    # the way that is open: a new version that begins as draft
    edit(bank, SELF, "status: operational\n    version: 1", "status: draft\n    version: 2")
    assert "not_recorded" in codes(bank)
    ta.record_history(load_bank(bank).items, bank, **WHO)
    assert not set(codes(bank)) & {"not_recorded", "changed_without_version", "step_not_allowed"}
    assert [(e.version, e.status) for e in load_history(bank).of("fu_2")] == [
        (1, "draft"), (1, "reviewed"), (1, "piloted"), (1, "operational"), (2, "draft"),
    ]  # fmt: skip


def test_a_changed_draft_is_a_warning(bank):
    edit(bank, SELF, "I wait until customers", "I pause until customers")
    assert codes(bank)["changed_without_version"].severity is Severity.WARNING


def test_a_status_that_jumps_is_a_problem(bank):
    edit(bank, SELF, "status: draft", "status: operational")
    finding = codes(bank)["step_not_allowed"]
    assert finding.severity is Severity.PROBLEM
    assert "The step from draft to operational is not allowed" in finding.message


def test_items_that_come_and_go(bank):
    edit(bank, SELF, "id: fu_1", "id: fu_9")
    found = codes(bank)
    assert "1 item(s) are not in the ledger: fu_9" in found["not_recorded"].message
    assert (found["gone_from_bank"].where, found["gone_from_bank"].severity) == ("fu_1", Severity.NOTE)


def test_a_reviewed_item_must_not_vanish(bank):
    advance(bank, "fu_1", "reviewed")
    edit(bank, SELF, "id: fu_1", "id: fu_9")
    assert codes(bank)["gone_from_bank"].severity is Severity.PROBLEM


def test_a_bank_without_ledger_is_noted_and_a_check_without_history_says_nothing():
    check = check_bank(load_bank(TINY_BANK), history=load_history(TINY_BANK))
    assert [f.severity for f in check.findings if f.code == "no_ledger"] == [Severity.NOTE]
    assert not [f for f in check_bank(load_bank(TINY_BANK)).findings if f.code == "no_ledger"]


# -- reading ----------------------------------------------------------------------------------------------------------

HEAD = ",".join(COLUMNS)
ROW = "q,1,draft,2025-01-31,A,why," + "a" * 16
BROKEN = [
    ("item,version", "line 1: found 'item,version'; the columns are item,version,status"),
    (f"{HEAD}\nq,1,draft", "line 2: found 3 cells; 7 are needed"),
    (f"{HEAD}\n{ROW.replace('why', ' ')}", "line 2: found an empty cell in reason"),
    (f"{HEAD}\n{ROW.replace('1,draft', 'one,draft')}", "line 2: version: found 'one'; a whole number from 1"),
    (f"{HEAD}\n{ROW.replace('draft', 'drat')}", "line 2: status: found 'drat'; there are: draft, reviewed"),
    (f"{HEAD}\n{ROW.replace('2025-01-31', 'May')}", "line 2: date: found 'May'"),
    (f"{HEAD}\n{ROW}\n{ROW.replace('draft', 'operational')}", "line 3: item 'q': the step from draft to operational"),
]


@pytest.mark.parametrize(("text", "message"), BROKEN)
def test_a_ledger_that_was_tampered_with_is_refused(tmp_path, text, message):
    folder = broken_bank(tmp_path, {})
    (folder / LEDGER).write_text(text + "\n", encoding="utf-8")
    with pytest.raises(ContentError, match=r"history\.csv' is not sound; restore it") as caught:
        load_history(folder)
    assert caught.value.problems[0].startswith(message)


def test_a_ledger_of_bytes_is_refused(tmp_path):
    folder = broken_bank(tmp_path, {})
    (folder / LEDGER).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ContentError, match=r"history\.csv' cannot be read"):
        load_history(folder)


# -- advancing --------------------------------------------------------------------------------------------------------


def test_advancing_changes_one_word_of_the_file(bank):
    edit(bank, SELF, "    status: draft", "    status: draft  # by hand")
    before = (bank / SELF).read_text(encoding="utf-8")
    advance(bank, "fu_1", "reviewed")
    after = (bank / SELF).read_text(encoding="utf-8")
    assert after == before.replace("status: draft  # by hand", "status: reviewed  # by hand", 1)
    assert load_bank(bank).item("fu_1").status == "reviewed"
    assert load_history(bank).of("fu_1")[-1].status == "reviewed"


def test_windows_line_ends_and_byte_order_marks_stay(bank):
    raw = b"\xef\xbb\xbf" + (bank / SELF).read_bytes().replace(b"\n", b"\r\n")
    (bank / SELF).write_bytes(raw)
    advance(bank, "fu_2", "reviewed")
    edited = (bank / SELF).read_bytes()
    assert load_bank(bank).item("fu_2").status == "reviewed"
    assert edited.count(b"\r\n") == raw.count(b"\r\n")
    assert edited.startswith(b"\xef\xbb\xbf")
    assert len(edited) == len(raw) + len(b"reviewed") - len(b"draft")


def test_advancing_refuses_steps_and_unrecorded_items(bank):
    before = (bank / SELF).read_bytes(), (bank / LEDGER).read_bytes()
    with pytest.raises(ContentError, match="The items cannot become operational") as caught:
        advance(bank, "fu_1", "operational")
    assert "the step from draft to operational is not allowed" in caught.value.problems[0]
    with pytest.raises(ContentError, match="The items cannot become draft") as again:
        advance(bank, "fu_1", "draft")
    assert again.value.problems == ("item 'fu_1': it is draft already",)
    with pytest.raises(ContentError, match=r"no status 'pilot'; did you mean 'piloted'\?"):
        advance(bank, "fu_1", "pilot")
    assert ((bank / SELF).read_bytes(), (bank / LEDGER).read_bytes()) == before
    edit(bank, SELF, "I wait until customers", "I pause until customers")
    with pytest.raises(ContentError, match="not in the ledger as they are now; record them first"):
        advance(bank, "fu_2", "reviewed")


def test_a_status_that_is_no_plain_word_is_left_alone(bank):
    edit(bank, SELF, "status: draft", 'status: "draft"')
    with pytest.raises(ContentError, match=r"self_report\.yaml, line 9: write the status of 'fu_1' as a plain word"):
        advance(bank, "fu_1", "reviewed")


def test_items_that_stand_in_no_file(tmp_path):
    with pytest.raises(ContentError, match="The files of the folder 'tiny_bank' have no status") as caught:
        edited_statuses(TINY_BANK, ["fu_1", "nowhere"], "reviewed")
    assert caught.value.problems == ("item 'nowhere'",)


def test_nested_items_of_other_files_are_found(tmp_path):
    """Interview questions stand deep inside their file; the ledger needs only id, status and version."""
    text = "behaviours:\n  - id: b1\n    questions:\n      - {id: q1, status: draft, version: 1}\n"
    (tmp_path / "interview").mkdir()
    (tmp_path / "interview" / "al.yaml").write_text(text, encoding="utf-8")
    (edited,) = edited_statuses(tmp_path, ["q1"], "reviewed").values()
    assert edited == text.replace("draft", "reviewed")

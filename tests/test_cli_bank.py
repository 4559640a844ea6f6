"""The commands on banks: report and blind sheet, ledger, differences, claims."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from typer.testing import CliRunner

import talentassess as ta
from bank_fixtures import TINY_BANK
from talentassess.cli.app import app

PLAIN = {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200"}
WHO = ("--author", "A. Author", "--reason", "a reason")


def run(*arguments: str | Path, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(a) for a in arguments], env=PLAIN)
    assert done.exit_code == code, (done.output, done.exception)
    return done.stdout


def copied_bank(folder: Path) -> Path:
    shutil.copytree(TINY_BANK, folder)
    return folder


def test_bank_check_writes_a_report_and_a_blind_sheet(tmp_path):
    run("bank", "check", "service_core", "--out", tmp_path / "r.html", "--blind-read", tmp_path / "b.json")
    bank = ta.load_bank("service_core")
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert [item.id for item in bank.items if item.id not in html] == []
    sheet = (tmp_path / "b.json").read_text(encoding="utf-8")
    assert all(item.id in sheet for item in bank.situational)
    rationales = [option.rationale for item in bank.situational for option in item.options]
    assert [text for text in rationales if text in sheet] == []
    assert "effectiveness" not in sheet.lower()


def test_bank_check_ends_with_1_on_problems(tmp_path):
    """A bank that loads but whose content has a problem: two statements with the same words."""
    bank = copied_bank(tmp_path / "bank")
    first, second = (ta.load_bank(bank).item(name) for name in ("fu_1", "fu_2"))
    text = (bank / "self_report.yaml").read_text(encoding="utf-8")
    (bank / "self_report.yaml").write_text(text.replace(second.text, first.text), encoding="utf-8")
    found = [
        f for f in json.loads(run("bank", "check", bank, "--json", code=1))["findings"] if f["severity"] == "problem"
    ]
    assert [f["code"] for f in found] == ["duplicate"]
    assert "problem: fu_1, fu_2" in run("bank", "check", bank, code=1)


def test_bank_record_advance_and_diff_follow_an_item(tmp_path):
    old, new = copied_bank(tmp_path / "old"), copied_bank(tmp_path / "new")
    assert "11 event(s) recorded." in run("bank", "record", new, *WHO)
    assert "0 event(s) recorded." in run("bank", "record", new, *WHO)
    shown = run("bank", "advance", new, "fu_1", "fu_2", "--to", "reviewed", *WHO, "--date", "2025-03-31")
    assert "2 event(s) recorded." in shown
    assert "2025-03-31" in shown
    assert "6 event(s) recorded." in run("bank", "advance", new, "--from", "draft", "--to", "reviewed", *WHO)
    shown = run("bank", "diff", old, new)
    assert "8 status" in shown
    assert f"Changes from '{old}' (tiny 1.2.3) to '{new}' (tiny 1.2.3)" in shown
    text = (new / "sjt.yaml").read_text(encoding="utf-8")
    (new / "sjt.yaml").write_text(text.replace("was cut off twice", "was cut off once", 1), encoding="utf-8")
    # drafts became reviewed and one text changed on the way, all at version 1
    assert "rules broken" in run("bank", "diff", old, new, code=1)
    assert [r["kind"] for r in json.loads(run("bank", "diff", old, new, "--json", code=1))["changes"]].count(
        "wording"
    ) == 1
    assert "changed without a new version" in run("bank", "check", new, code=1)


def test_bank_trace_shows_the_claims(monkeypatch, tmp_path):
    claims = "schema: talentassess/traceability/1\nsources: [{id: s1, title: One}]\nclaims:\n"
    line = "  - {id: c1, source: s1, claim: It asks., covered_by: ['competency:ownership']}\n"
    file = tmp_path / "traceability.yaml"
    loaded = ta.load_claims
    monkeypatch.setattr("talentassess.workflow.content_review.load_claims", lambda: loaded(file))
    file.write_text(claims + line, encoding="utf-8")
    shown = run("bank", "trace")
    assert "1 of 1 claims of 1 sources are covered" in shown
    assert re.search(r"c1 +│ It asks. +│ competency:ownership", shown)
    file.write_text(claims + line.replace("ownership", "owner"), encoding="utf-8")
    found = json.loads(run("bank", "trace", "--json", code=1))["traceability_findings"]
    assert [f["code"] for f in found] == ["claim_not_covered", "dangling_reference"]


def test_advance_needs_items_or_a_status(refused, tmp_path):
    bank = copied_bank(tmp_path / "bank")
    assert "not both" in refused("bank", "advance", bank, "--to", "reviewed", *WHO)
    assert "not both" in refused("bank", "advance", bank, "fu_1", "--from", "draft", "--to", "reviewed", *WHO)
    none = refused("bank", "advance", bank, "--from", "piloted", "--to", "operational", *WHO)
    assert "No item of the bank has the status 'piloted'. There are: 8 draft, 3 external." in none
    assert "The bank has no such items. - 'fu_3': did you mean 'fu_" in refused(
        "bank", "advance", bank, "fu_3", "--to", "reviewed", *WHO
    )


def test_one_file_is_not_written_over_another(refused, tmp_path):
    one = tmp_path / "one.html"
    used = "'one.html' is used by this command already and would be lost"
    assert used in refused("bank", "check", "service_core", "--out", one, "--blind-read", one)
    form = ("form", "build", "service_core", "--blocks", "4", "--out", tmp_path / "form.json")
    assert used in refused(*form, "--questionnaire", one, "--report", one)
    assert list(tmp_path.iterdir()) == []


def test_items_lists_every_shipped_bank():
    listed = json.loads(run("items", "--json"))
    assert {row["bank"] for row in listed["banks"]} == {"service", "service_core"}
    assert [row["bank"] for row in listed["interview_banks"]] == ["service_interview"]
    assert listed["interview_banks"][0]["questions"] == 91


def test_the_ledger_of_a_report_begins_with_the_newest(tmp_path):
    bank = copied_bank(tmp_path / "bank")
    run("bank", "record", bank, *WHO)
    run("bank", "advance", bank, "fu_2", "--to", "reviewed", *WHO)
    run("bank", "check", bank, "--out", tmp_path / "review.json")
    report = (tmp_path / "review.json").read_text(encoding="utf-8")
    ledger = report[report.index("Events, newest first") :]
    assert re.search(r'"Item":\s*\[\s*"fu_2"', ledger)


def test_a_bank_of_borrowed_items_has_no_ledger_of_its_own(refused, tmp_path):
    copied_bank(tmp_path / "tiny")
    short = tmp_path / "short"
    short.mkdir()
    card = (TINY_BANK / "bank.yaml").read_text(encoding="utf-8").replace("id: tiny", "id: short", 1)
    selection = "part_of: tiny\nselection: [fu_1, fu_2, ow_1, ow_2, pace_1]\n"
    (short / "bank.yaml").write_text(card + selection, encoding="utf-8")
    assert "takes its items from 'tiny', which keeps their ledger" in refused("bank", "record", short, *WHO)
    to_reviewed = ("bank", "advance", short, "fu_1", "--to", "reviewed", *WHO)
    assert "takes its items from 'tiny', which keeps their ledger" in refused(*to_reviewed)
    run("bank", "record", tmp_path / "tiny", *WHO)
    shown = run("bank", "check", short)
    assert "no ledger" not in shown.lower()  # it is held against the ledger of the bank it takes them from
    assert "gone_from_bank" not in shown
    assert "no longer" not in shown

"""``talentassess bank panel``: workbooks out, ratings in, and plain refusals. All experts here are SIMULATED."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

import talentassess as ta
from panel_cases import filled_workbook, simulated_experts
from talentassess.cli.app import app

BANK = ta.load_bank("service_core")
RATED = ("ow_sr_01", "ow_sj_01", "ow_sj_02")
PLAIN = {"NO_COLOR": "1", "COLUMNS": "200", "TERM": "dumb"}


def run(*arguments):
    done = CliRunner().invoke(app, ["bank", "panel", *map(str, arguments)], env=PLAIN)
    assert done.exit_code == 0, f"{done.output}\n{done.exception!r}"
    return done.stdout


@pytest.fixture
def refused(refused):
    """Run a command of ``bank panel`` that must be refused."""
    return lambda *arguments: refused("bank", "panel", *arguments)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    place = tmp_path_factory.mktemp("filled")
    panel = simulated_experts(BANK, 7, seed=2, relevant=1.0)
    return [filled_workbook(BANK, place / f"{e}.xlsx", panel, e, items=RATED) for e in range(7)]


def test_export_writes_a_workbook_per_expert(tmp_path):
    said = run(
        "export", "service_core", "--out", tmp_path / "experts", "--experts", "Ann Lee, Bo", "--items", "ow_sj_01"
    )
    names = ["service_core_ann_lee.xlsx", "service_core_bo.xlsx"]
    assert sorted(path.name for path in (tmp_path / "experts").iterdir()) == names
    assert all(name in said for name in names)
    read = ta.read_expert_ratings(sorted((tmp_path / "experts").iterdir()), BANK)
    assert (read.experts, read.items) == (("Ann Lee", "Bo"), ("ow_sj_01",))


def test_export_never_overwrites_a_workbook(tmp_path, refused):
    arguments = ("export", "service_core", "--out", tmp_path, "--experts", "Ann", "--items", "ow_sj_01")
    run(*arguments)
    assert "workbooks already that would be lost, perhaps with ratings in them: service_core_ann.xlsx" in refused(
        *arguments
    )


def test_export_needs_names_that_differ(tmp_path, refused):
    assert "--experts names nobody" in refused("export", "service_core", "--out", tmp_path, "--experts", " , ")
    twice = refused("export", "service_core", "--out", tmp_path, "--experts", "Ann Lee,Ann-Lee")
    assert "give the same file name" in twice


def test_import_reports_and_saves_the_bank(tmp_path, files):
    report, folder = tmp_path / "review.html", tmp_path / "keyed"
    said = run(
        "import", *files, "--bank", "service_core", "--out", report, "--save-bank", folder, "--accept", "accept,discuss"
    )
    assert "SIMULATED" in said
    assert "Panel of experts" in report.read_text(encoding="utf-8")
    keyed = ta.load_bank(folder)
    assert keyed.item("ow_sj_01").key_source.startswith("subject-matter experts (n = 7, mean, rwg .")
    assert keyed.item("ow_sj_03").key_source == "rational (authors)"
    assert keyed.item("ow_sr_01").relevance_panel.cvi == 1.0


def test_a_panels_key_begins_as_draft_and_its_ledger_goes_along(tmp_path):
    """A reviewed item that takes the panel's key, from the workbook to the ledger of the saved bank."""
    rated, who = tmp_path / "rated", ("--author", "A. Author", "--reason", "a reason")
    ta.save_bank(ta.load_bank("service"), rated)
    bank = ta.load_bank(rated)
    ta.record_history(bank.items, rated, author="A. Author", reason="first drafts")
    panel = simulated_experts(bank, 5, seed=2, relevant=1.0, noise=0.3)
    books = [filled_workbook(bank, tmp_path / f"{e}.xlsx", panel, e, items=RATED) for e in range(5)]
    # the items are advanced while the experts have their workbooks
    ta.advance_items([bank.item(name) for name in RATED], rated, "reviewed", author="A. Author", reason="read")
    ledger = (rated / "history.csv").read_text(encoding="utf-8")
    keyed = tmp_path / "keyed"
    chosen = ("--save-bank", keyed, "--accept", "accept,discuss,rework")
    arguments = ["bank", "panel", "import", *books, "--bank", rated, *chosen]
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], env=PLAIN)
    assert done.exit_code == 0, done.output
    assert "Record them: talentassess bank record" in done.stderr
    assert (keyed / "history.csv").read_text(encoding="utf-8") == ledger
    found = {name: ta.load_bank(keyed).item(name) for name in RATED}
    assert [(found[name].version, found[name].status) for name in RATED] == [
        (1, "reviewed"), (2, "draft"), (2, "draft")
    ]  # fmt: skip
    recorded = CliRunner().invoke(app, ["bank", "record", str(keyed), *who], env=PLAIN)
    assert (recorded.exit_code, "2 event(s) recorded." in recorded.output) == (0, True)


def test_import_refuses_a_folder_that_exists_before_it_reads(tmp_path, files, refused):
    taken = refused("import", *files, "--bank", "service_core", "--out", tmp_path / "a.html", "--save-bank", tmp_path)
    assert "exists already. Choose another name for --save-bank." in taken
    assert not (tmp_path / "a.html").exists()


def test_import_prints_json_only(files):
    content = json.loads(run("import", *files, "--bank", "service_core", "--json"))
    assert content["mark"] == "SIMULATED"
    assert [row["item"] for row in content["items"]] == list(RATED)


def test_import_names_what_is_wrong(tmp_path, files, refused):
    assert "There is no file 'x.xlsx'" in refused("import", tmp_path / "x.xlsx", files[0], "--bank", "service_core")
    assert "made for the bank service_core" in refused("import", *files, "--bank", "service")
    wrong = refused("import", *files, "--bank", "service_core", "--out", tmp_path / "a.txt")
    assert "'.txt' is not a suffix of what this command writes" in wrong
    unknown = refused(
        *("import", *files, "--bank", "service_core", "--save-bank", tmp_path / "k", "--statistic", "sum")
    )
    assert "There is no statistic 'sum'" in unknown

"""The command line: help on every command, JSON that is only JSON, the whole chain, and plain messages on bad input."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openpyxl
import pytest
import typer
from typer.testing import CliRunner

import talentassess as ta
from interview_cases import RATINGS, TINY_INTERVIEW, tiny_guide
from talentassess.bank.json_schema import json_schemas
from talentassess.calibration import calibrate
from talentassess.cli import INTERRUPTED, main
from talentassess.cli.app import app
from talentassess.cli.console import as_options, show_table
from talentassess.cli.reading import REPORTS
from talentassess.render.save import SUFFIXES
from talentassess.scoring import score

ROOT = Path(__file__).resolve().parents[1]
RETAIL = ROOT / "analysis" / "data" / "siop2021_retail"
ROLE = "43-4051.00"
CUT = (ROLE, "--scored-only")
N_PILOT, N_PEOPLE, N_REAL = 250, 25, 300
PLAIN = {"NO_COLOR": "1", "COLUMNS": "200", "TERM": "dumb"}  # help as text, whatever the terminal of the run
OPTIONS = ("--person", "id", "--categories", "1,2,3,4,5")


def run(*arguments: str | Path) -> str:
    """Run a command that must succeed and return what it writes to stdout."""
    done = CliRunner().invoke(app, [str(a) for a in arguments], env=PLAIN)
    assert done.exit_code == 0, f"{done.output}\n{done.exception!r}"
    return done.stdout


@dataclass(frozen=True)
class Chain:
    """Files of one chain, the options that read its tables, and ``said``: stdout of each command."""

    folder: Path
    pilot: Path
    people: Path
    reading: tuple[str, ...]
    said: dict[str, str]

    def __truediv__(self, name: str) -> Path:
        return self.folder / name


def write_answers(path: Path, responses: ta.Responses) -> Path:
    """Write simulated answers with codes 1..5 as a user would have them; the SIMULATED column marks them."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", *responses.item_ids, "SIMULATED"])
        for person, row in zip(responses.person_ids, responses.x, strict=True):
            writer.writerow([person, *(code + 1 for code in row), "SIMULATED"])
    return path


@pytest.fixture(scope="module")
def chain(tmp_path_factory) -> Chain:
    """From SIMULATED answers to a report, by commands only: analyze, calibrate, score, norms, match, pool, report."""
    place = tmp_path_factory.mktemp("chain")
    bank = ta.load_bank("service_core")
    items = [i.id for s in bank.scale_ids for i in [x for x in bank.self_report if x.scale == s][:3]]
    pilot, people = (ta.simulate(bank, n, seed=seed).select(items) for n, seed in ((N_PILOT, 1), (N_PEOPLE, 2)))
    scales = {name: list(pilot.items_of(name)) for name in pilot.scale_names}
    (place / "scales.yaml").write_text("".join(f"{s}: [{', '.join(names)}]\n" for s, names in scales.items()))
    reading = ("--scales", str(place / "scales.yaml"), *OPTIONS)
    answers = write_answers(place / "pilot.csv", pilot), write_answers(place / "people.csv", people)
    calibration, scores, candidates = place / "calibration.json", place / "scores.json", place / "new/candidates.json"
    card = ("--population", "nobody", "--sample", "SIMULATED pilot", "--from", "2025", "--to", "2026-03")
    said = {
        "analyze": run("analyze", answers[0], *reading, "--report", place / "items.html"),
        "calibrate": run("calibrate", answers[0], *reading, "--out", calibration),
        "score": run("score", calibration, answers[0], *reading, "--out", scores),
        "candidates": run("score", calibration, answers[1], *reading, "--out", candidates),
        "csv": run("score", calibration, answers[1], *reading, "--out", place / "candidates.csv"),
        "norms": run("norms", scores, *card, "--out", place / "deep/norms"),
        "match": run("match", candidates, *CUT, "--norms", place / "deep/norms"),
        "pool": run("pool", candidates, *CUT, "--norms", place / "deep/norms", "--out", place / "reports/pool.html"),
        "report": run("report", calibration, "--out", place / "calibration.xlsx"),
    }
    write_choices(place)
    return Chain(place, *answers, reading, said)


def write_choices(place: Path) -> None:
    """Write a small forced-choice form and SIMULATED answers to it."""
    form = ta.build_forced_choice(ta.load_bank("service"), 6)
    form.save(place / "form.json")
    columns = [f"{block.id}_{part}" for block in form.blocks for part in ("most", "least")]
    rows = [[*columns, "SIMULATED"], *([*[1, 3] * 6, "SIMULATED"], [*[2, 1] * 6, "SIMULATED"])]
    (place / "choices.csv").write_text("".join(",".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Chain:
    """The first 300 retail hires through the bank, with consensus keys."""
    place = tmp_path_factory.mktemp("real")
    rows = (RETAIL / "answers.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (place / "answers.csv").write_text("".join(rows[: N_REAL + 1]), encoding="utf-8")
    table, reading = place / "answers.csv", ("--bank", str(RETAIL), "--person", "UNIQUE_ID", "--derive-keys")
    calibration, scores = place / "calibration.json", place / "scores.json"
    card = ("--population", "retail hires", "--sample", "convenience sample", "--from", "2020", "--to", "2021")
    said = {
        "analyze": run("analyze", table, *reading, "--json"),
        "calibrate": run("calibrate", table, *reading, "--se", "none", "--out", calibration, "--json"),
        "score": run("score", calibration, table, *reading, "--out", scores, "--json"),
        "norms": run("norms", scores, *card, "--out", place / "norms", "--json"),
        "report": run("report", scores, "--out", place / "scores.html"),
    }
    return Chain(place, table, table, reading, said)


# --- every command ---------------------------------------------------------------------------------------------------


def commands() -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield every command with its path, e.g. ("bank", "check")."""

    def walk(node: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
        inner = getattr(node, "commands", None)
        if inner is None:
            yield path, node
            return
        for name, command in inner.items():
            yield from walk(command, (*path, name))

    yield from walk(typer.main.get_command(app), ())


COMMANDS = dict(commands())
NAMES = [" ".join(path) for path in COMMANDS]


def test_the_commands_of_the_design_are_there():
    design = "demo items analyze calibrate score norms match pool report profile"
    on_banks = ("check", "trace", "diff", "record", "advance", "schemas", "panel export", "panel import")
    groups = {*(f"interview {name}" for name in ("guide", "form", "ratings", "raters")), "form build", "form score"}
    assert set(NAMES) == {*design.split(), *(f"bank {name}" for name in on_banks), *groups}


@pytest.mark.parametrize("path", COMMANDS, ids=NAMES)
def test_help_of_every_command_says_what_it_does_and_what_each_option_is_for(path):
    command = COMMANDS[path]
    shown = re.sub(r"[\s│]+", " ", run(*path, "--help"))
    first = str(command.help).splitlines()[0]
    assert len(first) > 20
    assert first in shown
    silent = [p.name for p in command.params if not getattr(p, "help", None)]
    assert silent == []


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_named_in_the_readme(name):
    assert f"talentassess {name}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_version():
    assert run("--version").startswith(f"talentassess {ta.__version__}")


def test_the_bare_program_shows_its_commands():
    done = CliRunner().invoke(app, [], env=PLAIN)
    assert "calibrate" in done.output


# --- JSON ------------------------------------------------------------------------------------------------------------

WITH_JSON = {
    "items": ("items",),
    "items of a bank": ("items", "service_core"),
    "bank check": ("bank", "check", "service_core"),
    "profile": ("profile", ROLE),
    "profile --search": ("profile", "customer", "--search"),
    "analyze": ("analyze", "{pilot}", "{reading}"),
    "calibrate": ("calibrate", "{people}", "{reading}", "--se", "none", "--out", "{place}/again.json"),
    "score": ("score", "{place}/calibration.json", "{people}", "{reading}", "--out", "{place}/again.csv"),
    "norms": (
        *("norms", "{place}/scores.json", "--population", "nobody", "--sample", "SIMULATED"),
        *("--from", "2025", "--to", "2026", "--out", "{place}/again"),
    ),
    "match": ("match", "{place}/new/candidates.json", *CUT, "--norms", "{place}/deep/norms"),
    "pool": (
        *("pool", "{place}/new/candidates.json", *CUT, "--norms", "{place}/deep/norms"),
        *("--out", "{place}/again/pool.json"),
    ),
    "interview guide": (
        *("interview", "guide", "--role", ROLE, "--context", "call_centre", "--minutes", "30"),
        *("--bank", str(TINY_INTERVIEW), "--out", "{place}/again/guide.json"),
    ),
    "interview raters": (*("interview", "raters", str(RATINGS), "--bank", str(TINY_INTERVIEW)),),
    "form build": ("form", "build", "service", "--blocks", "20", "--out", "{place}/again/form.json"),
    "form score": ("form", "score", "{place}/form.json", "{place}/choices.csv"),
    "interview ratings": (
        *("interview", "ratings", str(RATINGS), "--bank", str(TINY_INTERVIEW), "--out", "{place}/again/ratings.csv"),
    ),
}
ABOUT_ANSWERS = (
    "analyze",
    "calibrate",
    "score",
    "norms",
    "match",
    "pool",
    "interview ratings",
    "interview raters",
    "form score",
)


def filled(arguments: tuple[str, ...], chain: Chain) -> list[str]:
    names = {"pilot": chain.pilot, "people": chain.people, "place": chain.folder}
    parts = [list(chain.reading) if a == "{reading}" else [a.format(**names)] for a in arguments]
    return [part for group in parts for part in group]


def test_every_command_with_json_is_tested_here():
    offering = {path[0] for path, command in COMMANDS.items() if any(p.name == "as_json" for p in command.params)}
    assert offering == {arguments[0] for arguments in WITH_JSON.values()}


@pytest.mark.parametrize("name", WITH_JSON)
def test_json_is_all_that_stands_on_stdout(name, chain):
    printed = run(*filled(WITH_JSON[name], chain), "--json")
    content = json.loads(printed)  # fails if anything else is printed
    assert printed.isascii()  # right in a pipe of any encoding
    assert content.pop("mark", None) == ("SIMULATED" if name in ABOUT_ANSWERS else None)
    assert content
    for table in content.values():
        assert isinstance(table, list)
        assert all(isinstance(row, dict) for row in table)
    assert any(content.values())


def test_json_and_screen_hold_the_same_role(chain):
    content = json.loads(run("profile", ROLE, "--json"))
    screen = run("profile", ROLE)
    assert len(content["requirements"]) == 20
    for row in content["requirements"]:
        assert f"{row['importance']:.2f}" in screen
    # the figures of the shipped O*NET pack are checked in test_matching_occupations; here they only must be all there
    assert "Customer Service Representatives" in screen
    assert "USDOL/ETA" in screen


# --- the chain on SIMULATED answers ----------------------------------------------------------------------------------


def responses_of(chain: Chain, table: Path) -> ta.Responses:
    """Read a table of the chain through the library, to compare."""
    lines = (chain / "scales.yaml").read_text().splitlines()
    scales = {line.split(":")[0]: re.findall(r"\w+", line.split(":")[1]) for line in lines}
    return ta.read_responses(table, items=scales, person="id", categories=[1, 2, 3, 4, 5])


def test_the_chain_gives_the_numbers_of_the_library(chain):
    pilot, people = responses_of(chain, chain.pilot), responses_of(chain, chain.people)
    scores = score(calibrate(pilot), people)
    saved = ta.load_scores(chain / "new/candidates.json")
    # same code, same data: only the last digits may differ, by the order in which threads add
    np.testing.assert_allclose(saved.theta, scores.theta, atol=1e-9)
    np.testing.assert_allclose(saved.cov, scores.cov, atol=1e-9)
    assert saved.person_ids == people.person_ids
    norms = ta.load_norms(chain / "deep/norms")
    assert norms.card.n == N_PILOT
    matches = ta.match(scores, ta.load_profile(ROLE).restricted_to(scores.dimensions), norms=norms)
    printed = json.loads(run("match", chain / "new/candidates.json", *CUT, "--norms", chain / "deep/norms", "--json"))
    by_person = {row["person"]: row for row in printed["candidates"]}
    for i, person in enumerate(matches.person_ids):
        assert by_person[person]["rank"] == matches.composite.rank[i]
        assert by_person[person]["p_meets_all"] == pytest.approx(matches.p_all[i], abs=1e-9)


def test_item_analysis_on_the_screen(chain):
    analysis = ta.analyze_items(responses_of(chain, chain.pilot))
    row = next(line for line in chain.said["analyze"].splitlines() if "│ ownership " in line)
    cells = [cell.strip() for cell in row.split("│")]
    assert cells[1:4] == ["ownership", str(N_PILOT), "3"]
    assert cells[4] == f"{analysis['ownership'].alpha:.2f}"


def test_scores_as_csv_carry_the_mark_and_the_numbers(chain):
    rows = list(csv.DictReader((chain / "candidates.csv").read_text(encoding="utf-8").splitlines()))
    saved = ta.load_scores(chain / "new/candidates.json")
    assert [row["person"] for row in rows] == list(saved.person_ids)
    assert {row["SIMULATED"] for row in rows} == {"SIMULATED"}
    column = saved.column("ownership")
    assert [float(row["ownership"]) for row in rows] == pytest.approx(list(saved.theta[:, column]), abs=1e-12)


@pytest.mark.parametrize("command", ["analyze", "calibrate", "score", "norms", "match", "pool"])
def test_the_screen_says_simulated(chain, command):
    assert "SIMULATED" in chain.said[command]


def test_the_screen_shows_scores_by_person_and_scale(chain):
    saved = ta.load_scores(chain / "new/candidates.json")
    lines = [re.split(r"\s*│\s*", line.strip("│ \n")) for line in chain.said["candidates"].splitlines() if "│" in line]
    assert lines[0][:2] == [saved.person_ids[0], saved.dimensions[0]]
    assert lines[0][2:4] == [f"{saved.theta[0, 0]:.2f}", f"{saved.se[0, 0]:.2f}"]
    assert lines[0][-1] == saved.status[0][0].value
    assert len(lines) == 40
    assert f"The first 40 of {N_PEOPLE * 5} rows" in chain.said["candidates"]


def test_match_lists_by_rank_and_says_who_cannot_be_told_apart(chain):
    lines = [line.split("│") for line in chain.said["match"].splitlines() if line.startswith("│")]
    ranks = [int(cells[1]) for cells in lines]
    assert ranks == sorted(ranks)
    assert len(ranks) == N_PEOPLE
    leading = sum("cannot be told apart" in cells[-2] for cells in lines)
    assert f"{leading} candidate(s) cannot be told apart from the first in rank" in chain.said["match"]
    assert leading > 1  # 15 short items cannot single out one of 25 people


def test_reports_of_the_chain_are_written_into_new_folders(chain):
    assert "SIMULATED" in (chain / "items.html").read_text(encoding="utf-8")
    pool = (chain / "reports/pool.html").read_text(encoding="utf-8")
    assert "SIMULATED" in pool
    assert "Customer Service Representatives" in pool
    assert (chain / "calibration.xlsx").read_bytes()[:2] == b"PK"
    assert f"Report: {chain / 'reports/pool.html'}" in chain.said["pool"]


def test_a_saved_report_scores_and_norms_can_be_written_in_another_form(chain):
    candidates = chain / "new/candidates.json"
    run("report", candidates, "--out", chain / "scores_report.json")
    run("report", chain / "scores_report.json", "--out", chain / "scores_report.xlsx")
    run("report", chain / "deep/norms", "--out", chain / "norms_report.json")
    assert (chain / "scores_report.xlsx").read_bytes()[:2] == b"PK"
    norms = json.loads((chain / "norms_report.json").read_text(encoding="utf-8"))
    assert norms["report"]["title"] == "Norms"
    assert norms["mark"] == "SIMULATED"


def test_a_minus_turns_an_item(chain):
    first, second = list(responses_of(chain, chain.pilot).items_of("ownership"))[:2]
    plain, turned = (
        json.loads(run("analyze", chain.pilot, "--items", f"{first},{sign}{second}", *OPTIONS, "--json"))["items"]
        for sign in ("", "-")
    )
    assert turned[1]["mean"] == pytest.approx(4 - plain[1]["mean"])  # code K - 1 - x with K = 5
    assert turned[1]["item_rest"] == pytest.approx(-plain[1]["item_rest"])
    assert turned[0]["mean"] == plain[0]["mean"]


@pytest.mark.parametrize(
    ("model", "columns"), [("rasch", ["a", "b"]), ("3pl", ["a", "b", "g"]), ("nominal", ["a1", "c1"])]
)
def test_calibrate_shows_the_parameters_of_any_model(tmp_path, model, columns):
    rng = np.random.default_rng(5)
    theta, difficulty = rng.normal(size=(400, 1)), np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    x = (rng.random((400, 5)) < 1 / (1 + np.exp(difficulty - 1.4 * theta))).astype(int)
    lines = ["q1,q2,q3,q4,q5,SIMULATED", *(",".join(map(str, row)) + ",yes" for row in x)]
    (tmp_path / "right.csv").write_text("\n".join(lines))
    arguments = ("calibrate", tmp_path / "right.csv", "--model", model, "--out", tmp_path / "c.json")
    shown = run(*arguments, "--se", "none")
    head = next(line for line in shown.splitlines() if "dimension" in line)
    assert re.findall(r"\S+", re.sub("[┃│]", " ", head)) == ["item", "dimension", *columns]
    for line in (line for line in shown.splitlines() if line.startswith("│ q")):
        assert re.fullmatch(r"│ q\d\s+│ scale\s+(│\s+-?\d+\.\d\d )+│", line)


def test_group_weight_and_missing_codes_reach_the_results(tmp_path):
    rng = np.random.default_rng(6)
    theta = rng.normal(size=(200, 1)) + np.repeat([0.0, 1.0], 100)[:, None]
    x = (theta + rng.logistic(size=(200, 4)) > np.array([-0.5, 0.0, 0.5, 1.0])).astype(int)
    cells = [["-9" if i == 3 else str(code) for code in row] for i, row in enumerate(x)]
    lines = [",".join([*row, "ab"[i >= 100], "2.5", "x"]) for i, row in enumerate(cells)]
    (tmp_path / "t.csv").write_text("\n".join(["q1,q2,q3,q4,site,w,SIMULATED", *lines]))
    reading = ("--items", "q1,q2,q3,q4", "--group", "site", "--missing", "-9")
    fit = ("--weight", "w", "--model", "rasch", "--out", tmp_path / "c.json", "--json")
    content = json.loads(run("calibrate", tmp_path / "t.csv", *reading, *fit))
    assert [row["group"] for row in content["latent"]] == ["a", "b"]
    assert content["latent"][1]["mean"] > 0.3  # simulated one logit higher
    plain = json.loads(run("calibrate", tmp_path / "t.csv", *reading, "--model", "rasch", *fit[4:]))
    # weights of 2.5 count everybody 2.5 times: the same estimates, standard errors smaller by the root of 2.5
    for one, other in zip(content["parameters"], plain["parameters"], strict=True):
        assert one["estimate"] == pytest.approx(other["estimate"], abs=1e-3)
        assert other["se"] / one["se"] == pytest.approx(np.sqrt(2.5), rel=1e-2)
    shown = run("score", tmp_path / "c.json", tmp_path / "t.csv", *reading, "--out", tmp_path / "s.json")
    cells = [[c.strip() for c in line.split("│")[1:-1]] for line in shown.splitlines() if line.startswith("│")]
    assert cells[3][:3] == ["4", "a", "scale"]
    assert cells[3][-2:] == ["0", "no answers"]


# --- the chain on real answers ---------------------------------------------------------------------------------------


def test_the_real_chain_is_not_marked_simulated(real):
    for command in ("analyze", "calibrate", "score", "norms"):
        assert json.loads(real.said[command])["mark"] == "real answers"
    page = (real / "scores.html").read_text(encoding="utf-8").split("<script")[0]
    assert "SIMULATED" not in page
    assert "real answers" in page


def test_the_real_chain_gives_the_numbers_of_the_library(real):
    bank = ta.load_bank(RETAIL)
    raw = ta.read_answers(real.pilot, bank, person="UNIQUE_ID")
    responses = ta.key_responses(raw, ta.derive_keys(raw, bank))
    analysis = ta.analyze_items(responses)
    printed = json.loads(real.said["analyze"])
    assert len(printed["items"]) == responses.n_items == 64
    assert {row["scale"]: row["alpha"] for row in printed["scales"]} == pytest.approx(
        {scale.scale: scale.alpha for scale in analysis.scales}
    )
    saved = ta.load_scores(real / "scores.json")
    assert saved.theta.shape == (N_REAL, 14)
    assert json.loads(real.said["score"])["scores"][0]["person"] == "245203329"  # first person of the shipped file
    assert ta.load_norms(real / "norms").card.n == N_REAL


# --- other commands --------------------------------------------------------------------------------------------------


def test_items_lists_banks_and_the_items_of_one():
    assert "service_core" in run("items")
    shown = run("items", "service_core")
    bank = ta.load_bank("service_core")
    assert [item for item in bank.item_ids if f"│ {item} " not in shown] == []


def test_items_lists_the_questions_of_an_interview_bank():
    shown = run("items", TINY_INTERVIEW)
    assert "InterviewBank(tiny_interview 1.0.0" in shown
    assert "fu_iq_03" in shown
    assert len(json.loads(run("items", TINY_INTERVIEW, "--json"))["probes"]) == 30


def test_bank_check_passes_the_shipped_bank_and_prints_its_coverage():
    shown = run("bank", "check", "service_core")
    assert "Coverage: items per scale, method and context" in shown
    assert "Blind rules: what the look of the options earns" in shown
    assert "0 problem(s)" in shown


def test_bank_check_takes_an_interview_bank_and_prints_its_themes():
    shown = run("bank", "check", TINY_INTERVIEW)
    assert "Coverage: questions per competency and context" in shown
    assert "Coverage of the standard themes" in shown
    assert "InterviewBankCheck(tiny_interview 1.0.0: 0 problem(s)" in shown


def test_an_interview_from_guide_to_scores(tmp_path):
    guide, form, scores = tmp_path / "guide.json", tmp_path / "form.xlsx", tmp_path / "scores.html"
    planning = ("interview", "guide", "--role", ROLE, "--context", "call_centre", "--bank", TINY_INTERVIEW)
    shown = run(*planning, "--minutes", "24", "--out", guide)
    assert "ow_iq_03" in shown
    assert "Left out, too: " in shown
    assert "Competencies left out" in run(*planning, "--minutes", "16", "--out", guide)
    run(*planning, "--minutes", "24", "--out", guide)
    run(*planning, "--minutes", "24", "--out", tmp_path / "guide.pdf")
    run("report", guide, "--out", tmp_path / "guide.html")
    printed = run(
        "interview", "form", "--guide", guide, "--out", form, "--candidate", "Ann", "--rater", "A b", "--rater", "C"
    )
    assert re.findall(r"form-\S+", printed) == ["form-a-b.xlsx", "form-c.xlsx"]
    for name in ("form-a-b.xlsx", "form-c.xlsx"):
        book = openpyxl.load_workbook(tmp_path / name)
        for row in (7, 8):
            book["Ann"].cell(row, 9).value = 4
        book.save(tmp_path / name)
    shown = run(
        "interview", "ratings", tmp_path / "form-a-b.xlsx", tmp_path / "form-c.xlsx", "--out", scores, "--simulated"
    )
    assert "SIMULATED" in shown
    assert "SIMULATED" in scores.read_text(encoding="utf-8")


def test_a_bad_rating_is_named_with_its_cell(refused, tmp_path):
    ta.rating_form(tiny_guide(minutes=24), candidates=["Ann"], raters=["R"]).save(tmp_path / "form.xlsx")
    book = openpyxl.load_workbook(tmp_path / "form.xlsx")
    book["Ann"].cell(7, 9).value = 9
    book.save(tmp_path / "form.xlsx")
    message = refused("interview", "ratings", tmp_path / "form.xlsx", "--out", tmp_path / "scores.csv")
    assert "form.xlsx, sheet 'Ann', cell I7: found '9'; a whole number from 1 to 5 is needed" in message
    message = refused("interview", "form", "--guide", tmp_path / "form.xlsx", "--out", tmp_path / "form.xlsx")
    assert "is used by this command already" in message


def test_bank_schemas_writes_json_schemas(tmp_path):
    printed = run("bank", "schemas", "--out", tmp_path / "new/schemas").split()
    assert len(printed) == len(json_schemas())
    for path in printed:
        assert "$schema" in json.loads(Path(path).read_text(encoding="utf-8"))


def test_search_finds_titles_and_says_so_when_there_are_none():
    found = json.loads(run("profile", "customer service", "--search", "--json"))["occupations"]
    assert found[0] == {"code": ROLE, "title": "Customer Service Representatives"}
    many = json.loads(run("profile", "clerks", "--search", "--json"))["occupations"]
    assert len(many) > 10  # all of them, not the ten nearest
    done = CliRunner().invoke(app, ["profile", "zzzz", "--search"], env=PLAIN)
    assert done.exit_code == 0
    assert "No title holds 'zzzz'." in done.output


# --- the screen ------------------------------------------------------------------------------------------------------


def test_brackets_in_a_label_are_not_taken_for_colours(capsys):
    show_table("People [bold]", {"name[id]": ["[red]ann", "bo[/]"], "score": [1.25, None]})
    shown = capsys.readouterr().out
    for text in ("People [bold]", "name[id]", "[red]ann", "bo[/]", "1.25", "- "):
        assert text in shown


def test_no_number_is_cut_on_a_narrow_screen(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    show_table("Wide", {f"column{k}": [123456.789 + k] for k in range(6)} | {"item": ["a_long_item_name"]})
    shown = capsys.readouterr().out
    assert "…" not in shown
    for k in range(6):
        assert f"{123456.789 + k:.2f}" in shown
    assert "a_long_item_name" in shown


def test_a_table_fits_the_terminal_without_losing_anything(capsys, monkeypatch):
    words = "a sentence of several words that will be folded at its spaces"
    columns = {"item": ["q1", "q2"], "text": [words, words], **{f"number{k}": [1.5, 123456.0 + k] for k in range(12)}}
    monkeypatch.setenv("COLUMNS", "80")
    show_table("Wide", columns)
    shown = capsys.readouterr().out
    assert max(len(line) for line in shown.splitlines()) <= 80
    assert [word for word in words.split() if shown.count(word) < 2] == []
    assert [k for k in range(12) if f"{123456.0 + k:.2f}" not in shown] == []
    assert shown.count("│ q2") == shown.count("item") > 1  # every part begins with the column that names the rows
    monkeypatch.setenv("COLUMNS", "400")
    show_table("Wide", columns)
    assert capsys.readouterr().out.count("item") == 1


def test_a_table_without_rows_says_none(capsys):
    show_table("Changes from a rather long name to another", {"item": [], "kind": []})
    assert capsys.readouterr().out == "Changes from a rather long name to another: none\n"


def test_long_tables_say_how_many_rows_they_leave_out(capsys):
    show_table("Many", {"row": list(range(45))})
    shown = capsys.readouterr().out
    assert "The first 40 of 45 rows; --json and the files hold all." in shown
    assert "│  39 │" in shown
    assert "│  40 │" not in shown


# --- bad input -------------------------------------------------------------------------------------------------------


def test_report_suffixes_are_those_of_the_renderers():
    assert REPORTS == SUFFIXES


def test_missing_file(refused, chain):
    message = refused("analyze", chain / "pilto.csv", *chain.reading)
    assert "There is no file" in message
    assert "pilto.csv' (did you mean 'pilot.csv'?)" in message


def test_unknown_model(refused, chain):
    message = refused("calibrate", chain.people, *chain.reading, "--model", "grade", "--out", chain / "x.json")
    assert "There is no model 'grade'" in message
    assert "graded" in message
    assert not (chain / "x.json").exists()


def test_bank_beside_items(refused, chain):
    message = refused("analyze", chain.people, "--bank", "service_core", "--items", "ow_sr_01")
    assert "leave out --items, --scales, --categories" in message


def test_items_beside_scales(refused, chain):
    message = refused("analyze", chain.people, "--items", "ow_sr_01", *chain.reading)
    assert "either --items (one scale) or --scales (a file), not both" in message


def test_items_that_name_nothing(refused, chain):
    assert "--items names no column" in refused("analyze", chain.people, "--items", " , ", *OPTIONS)


def test_unknown_item(refused, chain):
    message = refused("analyze", chain.people, "--items", "ow_sr_01,ow_sr_99", *OPTIONS)
    assert "there is no column 'ow_sr_99'" in message


def test_unknown_bank(refused, chain):
    message = refused("analyze", chain.people, "--bank", "service_cor")
    assert "There is no bank 'service_cor'" in message
    assert "service_core" in message


def test_unknown_role(refused, chain):
    message = refused("match", chain / "new/candidates.json", "barista wizard", "--norms", chain / "deep/norms")
    assert "'barista wizard' is neither the code" in message


def test_unknown_role_is_sent_to_the_search_by_its_command(refused):
    assert "'talentassess profile --search customer'" in refused("profile", "qqqqq")


def test_a_role_in_a_context_shows_its_emphasis_and_whose_judgement_it_is():
    shown = run("profile", ROLE, "--context", "call_centre")
    assert "emphasis" in shown
    assert "multiplies the weights by the emphasis" in shown
    assert "rational (authors)" in shown
    assert "emphasis" not in run("profile", ROLE)


def test_what_was_not_scored_is_left_out_by_the_option_of_the_command():
    message = "leave it out on purpose with profile.restricted_to(['ownership', 'follow_up'])."
    assert as_options(message) == "leave it out on purpose with --scored-only."


def test_missing_norms_folder(refused, chain):
    message = refused("match", chain / "new/candidates.json", *CUT, "--norms", chain / "no_norms")
    assert "There are no norms" in message
    assert "no such file or folder" in message


def test_norms_without_card(refused, chain, tmp_path):
    (tmp_path / "table.csv").write_text("scale,score,frequency\n")
    message = refused("pool", chain / "new/candidates.json", *CUT, "--norms", tmp_path, "--out", tmp_path / "p.html")
    assert "has no card.json, so it does not load" in message


def test_scores_file_that_is_a_calibration(refused, chain):
    message = refused("match", chain / "calibration.json", ROLE, "--norms", chain / "deep/norms")
    assert "calibration.json holds a calibration (version 1). Needed here: scores (version 1)." in message


def test_calibration_file_that_is_scores(refused, chain):
    message = refused("score", chain / "scores.json", chain.people, *chain.reading, "--out", chain / "x.json")
    assert "scores.json holds scores (version 1). Needed here: a calibration (version 1)." in message


def test_scores_file_that_is_a_folder_or_missing_or_no_json(refused, chain):
    assert "cannot be read: Is a directory" in refused("match", chain.folder, ROLE, "--norms", chain / "deep/norms")
    missing = refused("match", chain / "none.json", ROLE, "--norms", chain / "deep/norms")
    assert f"There is no file none.json in {chain.folder.name}." in missing
    message = refused("report", chain.pilot, "--out", chain / "x.html")
    assert "pilot.csv is not a talentassess file" in message


def test_missing_file_named_without_a_folder(refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert f"There is no file none.json in {tmp_path.name}." in refused("report", "none.json", "--out", "x.html")


def test_edited_scores(refused, chain):
    edited = chain / "edited.json"
    edited.write_text((chain / "scores.json").read_text().replace('"eap"', '"map"'))
    message = refused("report", edited, "--out", chain / "x.html")
    assert "edited.json was changed after it was written" in message


@pytest.mark.parametrize(
    ("arguments", "suffix"),
    [
        (("analyze", "{pilot}", "{reading}", "--report", "{place}/x.doc"), ".doc"),
        (("calibrate", "{pilot}", "{reading}", "--out", "{place}/x.csv"), ".csv"),
        (("calibrate", "{pilot}", "{reading}", "--out", "{place}/x.json", "--report", "{place}/x.docx"), ".docx"),
        (("score", "{place}/calibration.json", "{people}", "{reading}", "--out", "{place}/x.xlsx"), ".xlsx"),
        (
            ("pool", "{place}/new/candidates.json", *CUT, "--norms", "{place}/deep/norms", "--out", "{place}/x.txt"),
            ".txt",
        ),
        (("report", "{place}/calibration.json", "--out", "{place}/x"), ""),
    ],
    ids=["analyze", "calibrate", "calibrate --report", "score", "pool", "report"],
)
def test_wrong_suffix_is_refused_before_the_work(refused, chain, arguments, suffix):
    message = refused(*filled(arguments, chain))
    assert f"'{suffix}' is not a suffix of what this command writes. Use ." in message
    assert "Responses(" not in message  # nothing was read yet
    assert list(chain.folder.glob("x*")) == []


def test_a_file_that_is_read_is_never_overwritten(refused, chain):
    before = (chain / "calibration.json").read_bytes()
    score = ("score", chain / "calibration.json", chain.people, *chain.reading, "--out")
    assert "would be lost" in refused(*score, chain / "calibration.json")
    assert "would be lost" in refused(*score, chain / "deep/../calibration.json")
    assert "would be lost" in refused("report", chain / "calibration.json", "--out", chain / "calibration.json")
    card = chain / "deep/norms/card.json"
    pool = ("pool", chain / "new/candidates.json", *CUT, "--norms", chain / "deep/norms", "--out", card)
    assert "would be lost" in refused(*pool)
    assert "would be lost" in refused("report", chain / "deep/norms", "--out", card)
    both = ("--out", chain / "twice.json", "--report", chain / "twice.json")
    assert "would be lost" in refused("calibrate", chain.people, *chain.reading, *both)
    assert (chain / "calibration.json").read_bytes() == before
    assert ta.load_norms(chain / "deep/norms").card.n == N_PILOT


def test_files_and_folders_are_not_mixed_up(refused, chain):
    (chain / "folder.json").mkdir(exist_ok=True)
    calibrate = ("calibrate", chain.people, *chain.reading, "--out")
    assert "'folder.json' is a folder; give the name of a file" in refused(*calibrate, chain / "folder.json")
    inside = refused(*calibrate, chain / "scores.json/x.json")
    assert "'x.json' cannot be written: 'scores.json' is a file and holds no others." in inside
    card = ("--population", "p", "--sample", "s", "--from", "2025", "--to", "2026", "--out", chain / "scales.yaml")
    assert "'scales.yaml' is a file; give the name of a folder" in refused("norms", chain / "scores.json", *card)


def test_unkeyed_bank(refused, real):
    message = refused("analyze", real.pilot, "--bank", RETAIL, "--person", "UNIQUE_ID")
    assert "situational item 'SJ_1' has no key" in message
    assert "Derive one with --derive-keys" in message  # the option, not the name of a Python function


def test_bad_cells_are_named_with_the_options_that_help(refused, chain, tmp_path):
    text = chain.people.read_text().splitlines()
    first = text[1].split(",")
    (tmp_path / "bad.csv").write_text("\n".join([text[0], ",".join([first[0], "9", *first[2:]]), *text[2:]]))
    message = refused("analyze", tmp_path / "bad.csv", *chain.reading)
    assert f"row 2, column '{text[0].split(',')[1]}': '9'" in message
    assert "--missing" in message
    assert "missing=[...]" not in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("care: [q1, q2\n", "not valid YAML"),
        ("care: q1\n", "must hold scale names, each with a list of columns"),
        ("care: []\n", "must hold scale names, each with a list of columns"),
        ("{}\n", "must hold scale names, each with a list of columns"),
        ("- q1\n- q2\n", "must hold scale names, each with a list of columns"),
        ("care: [[q1], q2]\n", "must hold scale names, each with a list of columns"),
        ("", "the file is empty"),
        ("care: [q1]\ncare: [q2]\n", "'care'"),
    ],
    ids=["broken", "no list", "empty list", "nothing", "a list", "nested", "empty", "a scale twice"],
)
def test_bad_yaml_in_scales(refused, chain, tmp_path, content, words):
    (tmp_path / "scales.yaml").write_text(content)
    message = refused("analyze", chain.people, "--scales", tmp_path / "scales.yaml", *OPTIONS)
    assert words in message
    assert "scales.yaml" in message


def test_scales_file_missing_or_of_another_encoding(refused, chain, tmp_path):
    missing = refused("analyze", chain.people, "--scales", tmp_path / "none.yaml")
    assert f"none.yaml: there is no such file in the folder '{tmp_path.name}'" in missing
    (tmp_path / "latin.yaml").write_bytes("größe: [q1]".encode("latin-1"))
    assert "not UTF-8" in refused("analyze", chain.people, "--scales", tmp_path / "latin.yaml")


def test_empty_population(refused, chain, tmp_path):
    card = ("--population", "", "--sample", "", "--from", "2025", "--to", "2024", "--out", tmp_path / "n")
    message = refused("norms", chain / "scores.json", *card)
    for words in ("field 'population' is empty", "field 'sample' is empty", "lies before"):  # all, not the first
        assert words in message
    assert not (tmp_path / "n").exists()


def test_impossible_confidence(refused, chain):
    message = refused("match", chain / "new/candidates.json", *CUT, "--norms", chain / "deep/norms", "--confidence", 3)
    assert "must lie between 0.5 and 1" in message


def test_answers_that_lack_items_of_the_calibration(refused, chain):
    message = refused(
        *("score", chain / "calibration.json", chain.people, "--items", "ow_sr_01,ow_sr_02", *OPTIONS),
        *("--out", chain / "x.json"),
    )
    assert "item 'al_sr_01' is missing from the answers" in message


def test_unknown_option_and_command(refused):
    assert "No such option" in refused("items", "--jsn")
    assert "No such command" in refused("analyse")


def test_a_full_disk_is_told_plainly(refused, chain, monkeypatch, tmp_path):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "card.json"))

    monkeypatch.setattr("talentassess.norming.save_norms", full)
    card = ("--population", "p", "--sample", "s", "--from", "2025", "--to", "2026", "--out", tmp_path / "n")
    assert "Error: 'card.json': No space left on device." in refused("norms", chain / "scores.json", *card)


def test_ctrl_c_says_that_nothing_is_half_done(monkeypatch, capsys):
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("talentassess.bank.load.bank_names", interrupted)
    monkeypatch.setattr(sys, "argv", ["talentassess", "items"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == INTERRUPTED
    assert "nothing was left half done" in capsys.readouterr().err


# --- as a program ----------------------------------------------------------------------------------------------------


def program(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "talentassess.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **PLAIN})


def test_the_program_ends_with_2_and_one_plain_message_on_bad_input(chain):
    done = program("analyze", chain / "none.csv")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Error: There is no file ")
    assert len(done.stderr.splitlines()) == 1


def test_the_program_shows_any_name_on_any_terminal(tmp_path):
    """A terminal that knows ASCII only gets code points instead of a failure."""
    lines = ["größe,länge", *("1,2", "2,3", "3,3", "4,1", "2,2", "1,1")]
    (tmp_path / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    command = [sys.executable, "-m", "talentassess.cli", "analyze", str(tmp_path / "t.csv")]
    env = {**os.environ, **PLAIN, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    assert "gr\\xf6\\xdfe" in done.stdout


def test_the_program_ends_with_0_and_keeps_progress_off_stdout(chain):
    done = program("analyze", chain.people, "--items", "ow_sr_01,ow_sr_02,ow_sr_03", *OPTIONS, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["scales"][0]["n_persons"] == N_PEOPLE
    assert "Responses(25 persons, 3 items" in done.stderr

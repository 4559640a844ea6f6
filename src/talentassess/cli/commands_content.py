"""Commands on content: items, bank check, bank schemas, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from talentassess.cli.console import emit_json, emit_tables, show_findings, show_table
from talentassess.cli.reading import REPORTS, Json, check_folder, check_out
from talentassess.core.tabular import Columns


def items(
    bank: Annotated[
        str | None, typer.Argument(help="Item bank: a shipped name or a folder; all item banks if left out.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the shipped item banks, or the items (or interview questions) of one."""
    from talentassess.bank.interview_load import is_interview_bank, load_interview_bank
    from talentassess.bank.load import bank_names, load_bank

    if bank is None:
        banks = [load_bank(name) for name in bank_names()]
        rows: Columns = {
            "bank": [b.id for b in banks],
            "title": [b.title for b in banks],
            "version": [b.version for b in banks],
            "scales": [len(b.scales) for b in banks],
            "items": [len(b.items) for b in banks],
        }
        emit_json({"banks": rows}) if as_json else show_table("Item banks", rows)
        return
    if is_interview_bank(bank):
        questions = load_interview_bank(bank)
        if as_json:
            emit_tables(questions)
            return
        names = ["question", "competency", "contexts", "minutes", "themes", "probes", "text"]
        show_table(repr(questions), {n: questions.tables()["questions"][n] for n in names}, limit=500)
        return
    loaded = load_bank(bank)
    if as_json:
        emit_tables(loaded)
        return
    columns = loaded.tables()["items"]
    names = [n for n in ("item", "scale", "method", "context", "format", "categories", "key", "status") if n in columns]
    show_table(repr(loaded), {n: columns[n] for n in names}, limit=500)


def check(
    bank: Annotated[str, typer.Argument(help="Item or interview bank: a shipped name or a folder.")],
    as_json: Json = False,
) -> None:
    """Check a bank's content: schema, coverage, key balance, probes, anchors, wording. Exit code 1 on problems."""
    from talentassess.bank.check import check_bank
    from talentassess.bank.interview_check import check_interview_bank
    from talentassess.bank.interview_load import is_interview_bank, load_interview_bank
    from talentassess.bank.load import load_bank, load_competencies

    interview = is_interview_bank(bank)
    model = load_competencies()
    found = check_interview_bank(load_interview_bank(bank), model) if interview else check_bank(load_bank(bank), model)
    if as_json:
        emit_tables(found)
    else:
        tables = found.tables()
        per = "questions per competency and context" if interview else "items per scale, method and context"
        show_table(f"Coverage: {per}", tables["coverage"], limit=200)
        if "themes" in tables:
            show_table("Coverage of the standard themes", tables["themes"], limit=200)
        show_table("Statistics", tables["statistics"], limit=200)
        show_findings(found.findings, limit=200)
        print(repr(found))
    if not found.ok:
        raise typer.Exit(1)


def schemas(out: Annotated[Path, typer.Option("--out", help="Folder for the JSON Schemas.")]) -> None:
    """Write the JSON Schemas of the content files, for editors and reviewers."""
    from talentassess.bank.json_schema import write_json_schemas

    check_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    for path in write_json_schemas(out):
        print(path)


def report(
    saved: Annotated[Path, typer.Argument(help="A saved report, calibration or scores (.json), or a folder of norms.")],
    out: Annotated[Path, typer.Option("--out", help="Report to write: .html, .pdf, .xlsx or .json.")],
) -> None:
    """Write a saved result in another form, e.g. a report's JSON as PDF."""
    from talentassess.workflow.saved import report_of_file

    check_out(out, REPORTS, saved, saved / "card.json")
    print(f"Report: {report_of_file(saved).save(out)}")

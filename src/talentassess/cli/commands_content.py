"""Commands on content: items, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from talentassess.cli.console import emit_json, emit_tables, show_table
from talentassess.cli.reading import REPORTS, Json, check_out
from talentassess.core.tabular import Columns


def items(
    bank: Annotated[
        str | None, typer.Argument(help="Bank: a shipped name or a folder; all shipped banks if left out.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the shipped banks, or the items (or interview questions) of one."""
    from talentassess.bank.interview_load import interview_bank_names, is_interview_bank, load_interview_bank
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
        talks = [load_interview_bank(name) for name in interview_bank_names()]
        interviews: Columns = {
            "bank": [b.id for b in talks],
            "title": [b.title for b in talks],
            "version": [b.version for b in talks],
            "competencies": [len(b.interviews) for b in talks],
            "questions": [len(b.chains) for b in talks],
        }
        if as_json:
            emit_json({"banks": rows, "interview_banks": interviews})
            return
        show_table("Item banks", rows)
        show_table("Interview banks", interviews)
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


def report(
    saved: Annotated[Path, typer.Argument(help="A saved report, calibration or scores (.json), or a folder of norms.")],
    out: Annotated[Path, typer.Option("--out", help="Report to write: .html, .pdf, .xlsx or .json.")],
) -> None:
    """Write a saved result in another form, e.g. a report's JSON as PDF."""
    from talentassess.workflow.saved import report_of_file

    check_out(out, REPORTS, saved, saved / "card.json")
    print(f"Report: {report_of_file(saved).save(out)}")

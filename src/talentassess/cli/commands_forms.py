"""Commands on forced-choice forms: build one from a bank, score its answers within persons."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from talentassess.cli.console import emit_tables, say, show_findings, show_table
from talentassess.cli.reading import REPORTS, Json, check_out


def build(
    bank: Annotated[str, typer.Argument(help="Item bank: a shipped name or a folder.")],
    blocks: Annotated[int, typer.Option("--blocks", help="Number of blocks of three statements.")],
    out: Annotated[Path, typer.Option("--out", help="The form to write, keys included: .json.")],
    mixed: Annotated[int, typer.Option("--mixed", help="Blocks that hold both keyed directions.")] = 0,
    tolerance: Annotated[float, typer.Option("--tolerance", help="Largest range of desirability in a block.")] = 0.5,
    seed: Annotated[int, typer.Option("--seed", help="Of the printed order.")] = 0,
    questionnaire: Annotated[
        Path | None, typer.Option("--questionnaire", help="Also write what people fill in: .pdf, .html or .xlsx.")
    ] = None,
    audit: Annotated[Path | None, typer.Option("--report", help="Also write the audit of the design.")] = None,
    as_json: Json = False,
) -> None:
    """Build a forced-choice form: triplets matched on desirability and keyed direction, across scales."""
    from talentassess.assembly import ForcedChoiceDesign, build_forced_choice
    from talentassess.bank.load import load_bank
    from talentassess.workflow.report import report
    from talentassess.workflow.report_forced_choice import questionnaire as printed

    check_out(out, (".json",))
    check_out(questionnaire, REPORTS, out)
    check_out(audit, REPORTS, out, *([] if questionnaire is None else [questionnaire]))
    design = ForcedChoiceDesign(tolerance=tolerance, mixed=mixed)
    say(f"Building {blocks} blocks; many blocks take some seconds ...")
    form = build_forced_choice(load_bank(bank), blocks, design=design, seed=seed)
    say(f"{form!r}\nSaved: {form.save(out)}")
    if questionnaire is not None:
        say(f"Questionnaire: {printed(form).save(questionnaire)}")
    if audit is not None:
        say(f"Report: {report(form).save(audit)}")
    if as_json:
        emit_tables(form)
        return
    show_table("Scales", form.tables()["scales"], limit=100)
    show_findings(form.findings)


def count(
    form: Annotated[Path, typer.Argument(help="A form written by 'form build' (.json).")],
    answers: Annotated[Path, typer.Argument(help="Table with the columns b001_most, b001_least, ...")],
    person: Annotated[str | None, typer.Option("--person", help="Column of person ids.")] = None,
    as_json: Json = False,
) -> None:
    """Order the scales within each person; the scores cannot compare persons."""
    from talentassess.assembly import load_forced_choice, score_forced_choice
    from talentassess.core.ipsative import WARNING

    scores = score_forced_choice(answers, load_forced_choice(form), person=person)
    if as_json:
        emit_tables(scores)
        return
    columns = scores.tables()["within_persons"]
    show_table(f"Within persons, {scores.provenance.label}", {n: columns[n] for n in columns if n != "reading"})
    print(f"Read as: {WARNING}.")

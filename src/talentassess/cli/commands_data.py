"""Commands on answers: analyze, calibrate, score."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from talentassess.cli import reading as r
from talentassess.cli.console import emit_tables, say, show_findings, show_table


def analyze(
    table: r.Table,
    bank: r.Bank = None,
    items: r.Items = None,
    scales: r.Scales = None,
    person: r.Person = None,
    group: r.Group = None,
    weight: r.Weight = None,
    categories: r.Categories = None,
    missing: r.Missing = None,
    derive_keys: r.DeriveKeys = False,
    report: r.Report = None,
    as_json: r.Json = False,
) -> None:
    """Analyse items: reliability per scale, item statistics, and flags with their reasons."""
    from talentassess.ctt import analyze_items

    responses = r.read_table(
        table,
        bank=bank,
        items=items,
        scales=scales,
        person=person,
        group=group,
        weight=weight,
        categories=categories,
        missing=missing,
        derive_keys=derive_keys,
    )
    say(repr(responses))
    analysis = analyze_items(responses)
    if report is not None:
        from talentassess.workflow.report import report as make

        say(f"Report: {make(analysis).save(report)}")
    if as_json:
        emit_tables(analysis)
        return
    tables = analysis.tables()
    show_table("Scales", {n: tables["scales"][n] for n in ("scale", "n_persons", "n_items", "alpha", "omega", "sem")})
    names = ("item", "scale", "n", "mean", "sd", "item_rest", "alpha_without", "floor", "ceiling", "missing")
    show_table("Items", {n: tables["items"][n] for n in names}, limit=100)
    show_findings(analysis.findings)


def calibrate(
    table: r.Table,
    out: Annotated[Path, typer.Option("--out", help="File for the calibration (.json).")],
    model: Annotated[
        str, typer.Option("--model", help="Item response model for all items, e.g. graded, 2pl, rasch.")
    ] = "graded",
    bank: r.Bank = None,
    items: r.Items = None,
    scales: r.Scales = None,
    person: r.Person = None,
    group: r.Group = None,
    weight: r.Weight = None,
    categories: r.Categories = None,
    missing: r.Missing = None,
    derive_keys: r.DeriveKeys = False,
    se: Annotated[str, typer.Option("--se", help="Standard errors: oakes, crossprod, sandwich or none.")] = "oakes",
    engine: Annotated[str, typer.Option("--engine", help="native, or girth as the second estimator.")] = "native",
    report: r.Report = None,
    as_json: r.Json = False,
) -> None:
    """Calibrate items by marginal maximum likelihood; one dimension per scale."""
    from talentassess.calibrate import Progress
    from talentassess.calibrate import calibrate as fit
    from talentassess.workflow.artefacts import save

    responses = r.read_table(
        table,
        bank=bank,
        items=items,
        scales=scales,
        person=person,
        group=group,
        weight=weight,
        categories=categories,
        missing=missing,
        derive_keys=derive_keys,
    )
    say(repr(responses))

    def tell(progress: Progress) -> None:
        if progress.step % 10 == 0:
            say(f"  {progress.dimension}: step {progress.step}, log-likelihood {progress.loglik:,.3f}")

    method = None if se == "none" else se
    calibration = fit(responses, model, groups=group is not None, se=method, engine=engine, progress=tell)
    say(f"{calibration!r}\nSaved: {save(calibration, out)}")
    if report is not None:
        from talentassess.workflow.report import report as make

        say(f"Report: {make(calibration).save(report)}")
    if as_json:
        emit_tables(calibration)
        return
    if not calibration.status.ok:
        say(f"Attention: {calibration.status.value}. {calibration.status.remedy}")
    show_findings([f for f in calibration.audit if f.severity.value != "note"])
    names = [
        n for n in calibration.items if n in ("item", "dimension", "a", "se(a)") or n.startswith(("b", "se(b", "g"))
    ]
    show_table("Items", {n: calibration.items[n] for n in names}, limit=100)


def score(
    calibration: Annotated[Path, typer.Argument(help="A calibration saved by 'talentassess calibrate'.")],
    table: r.Table,
    out: Annotated[Path, typer.Option("--out", help="File for the scores: .json (for norms, match, pool) or .csv.")],
    method: Annotated[str, typer.Option("--method", help="eap, map, ml, wle or sum-eap.")] = "eap",
    bank: r.Bank = None,
    items: r.Items = None,
    scales: r.Scales = None,
    person: r.Person = None,
    group: r.Group = None,
    weight: r.Weight = None,
    categories: r.Categories = None,
    missing: r.Missing = None,
    derive_keys: r.DeriveKeys = False,
    as_json: r.Json = False,
) -> None:
    """Score persons with a saved calibration."""
    from talentassess.score import score as run
    from talentassess.workflow.artefacts import load_calibration, save, save_table

    loaded = load_calibration(calibration)
    responses = r.read_table(
        table,
        bank=bank,
        items=items,
        scales=scales,
        person=person,
        group=group,
        weight=weight,
        categories=categories,
        missing=missing,
        derive_keys=derive_keys,
    )
    scores = run(loaded, responses, method)
    say(f"{scores!r}\nSaved: {save_table(scores, out) if out.suffix == '.csv' else save(scores, out)}")
    if as_json:
        emit_tables(scores)
        return
    columns = scores.tables()["scores"]
    show_table("Scores", {n: c for n, c in columns.items() if not n.startswith(("answers(", "status("))}, limit=20)

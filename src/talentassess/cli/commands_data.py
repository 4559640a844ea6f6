"""Commands on answers: analyze, calibrate, score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from talentassess.cli import reading as r
from talentassess.cli.console import emit_tables, say, show_findings, show_table
from talentassess.core.tabular import Column, Columns


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

    r.check_out(report, r.REPORTS, table)
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
    tables, mark = analysis.tables(), analysis.provenance.label
    names = ("scale", "n_persons", "n_items", "alpha", "omega", "sem")
    show_table(f"Scales, {mark}", {n: tables["scales"][n] for n in names})
    item_names = ("item", "scale", "n", "mean", "sd", "item_rest", "alpha_without", "floor", "ceiling", "missing")
    show_table(f"Items, {mark}", {n: tables["items"][n] for n in item_names}, limit=100)
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
    from talentassess.calibration import Progress
    from talentassess.calibration import calibrate as fit
    from talentassess.workflow.artefacts import save

    r.check_out(out, (".json",), table)
    r.check_out(report, r.REPORTS, table, out)
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
    show_table(f"Items, {calibration.provenance.label}", _parameters(calibration.items), limit=100)


def _parameters(items: Columns) -> Columns:
    """Return the slopes and thresholds of the items; all parameters of a model without thresholds (nominal)."""
    names = [n for n in items if f"se({n})" in items and not n.startswith("logit")]
    shown = [n for n in names if not n.startswith("d")] if any(n.startswith("b") for n in names) else names
    columns = [n for name in shown for n in (name, f"se({name})") if not _all_nan(items[n])]
    return {n: items[n] for n in ("item", "dimension", *columns)}


def _all_nan(cells: Column) -> bool:
    return all(cell is None or (isinstance(cell, float) and math.isnan(cell)) for cell in cells)


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
    from talentassess.scoring import score as run
    from talentassess.workflow.artefacts import load_calibration, save, save_table

    r.check_out(out, (".json", ".csv"), table, calibration)
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
    written = save_table(scores, out) if out.suffix.lower() == ".csv" else save(scores, out)
    say(f"{scores!r}\nSaved: {written}")
    if as_json:
        emit_tables(scores)
        return
    show_table(f"Scores, {scores.provenance.label}", _person_by_scale(scores.tables()["scores"], scores.dimensions))


def _person_by_scale(scores: Columns, dimensions: Sequence[str]) -> Columns:
    """Return a row per person and scale, which a screen has room for however many scales there are."""
    rows = [(i, name) for i in range(len(scores["person"])) for name in dimensions]
    return {
        "person": [scores["person"][i] for i, _ in rows],
        **({"group": [scores["group"][i] for i, _ in rows]} if "group" in scores else {}),
        "scale": [name for _, name in rows],
        "score": [scores[name][i] for i, name in rows],
        "se": [scores[f"se({name})"][i] for i, name in rows],
        "answers": [scores[f"answers({name})"][i] for i, name in rows],
        "status": [scores[f"status({name})"][i] for i, name in rows],
    }

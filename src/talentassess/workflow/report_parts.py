"""Sections that several reports share: items, calibration, scores, norms."""

from __future__ import annotations

import numpy as np

from talentassess.core.calibration import Calibration
from talentassess.core.scores import Scores
from talentassess.core.status import Finding, Severity
from talentassess.core.tabular import Columns
from talentassess.ctt import ItemAnalysis
from talentassess.norming import NormTable
from talentassess.render.blocks import Block, Callout, FindingBlock, Paragraph, TableBlock
from talentassess.render.charts import (
    category_curves,
    item_map,
    reliability_bars,
    score_distribution,
    test_information,
    wright_map,
)
from talentassess.render.doc import Section
from talentassess.render.wording import caveat

SHOWN_ROWS = 40  # of long tables on a page; workbook and JSON hold all
NUMBERS = "0.00"


def rename(columns: Columns, names: dict[str, str]) -> Columns:
    """Return some columns under the headings a reader expects, in the order given."""
    return {heading: columns[name] for name, heading in names.items() if name in columns}


def formats(columns: Columns, pattern: str, *plain: str) -> dict[str, str]:
    """Return one number format for every column of numbers but the plain ones."""
    numeric = {
        name for name, cells in columns.items() if all(isinstance(c, float | np.floating) or c is None for c in cells)
    }
    return {name: pattern for name in columns if name in numeric and name not in plain}


def item_sections(analysis: ItemAnalysis) -> list[Section]:
    """Return ``Scales`` and ``Items``: reliability, item statistics, flags."""
    return [Section("Scales", "scales", _scale_blocks(analysis)), Section("Items", "items", _item_blocks(analysis))]


def _scale_blocks(analysis: ItemAnalysis) -> tuple[Block, ...]:
    scales = rename(
        analysis.tables()["scales"],
        {
            "scale": "Scale",
            "n_persons": "N",
            "n_items": "Items",
            "mean": "Mean",
            "sd": "SD",
            "alpha": "Alpha",
            "alpha_low": "Alpha, lower",
            "alpha_high": "Alpha, upper",
            "omega": "Omega total",
            "sem": "SEM",
            "mean_inter_item": "Mean inter-item r",
        },
    )
    known = [s for s in analysis.scales if s.alpha is not None]
    bars = reliability_bars(
        [s.scale for s in known],
        [_number(s.alpha) for s in known],
        lower=[_number(s.alpha_low) for s in known],
        upper=[_number(s.alpha_high) for s in known],
        omega=[_number(s.omega) for s in known],
    )
    level = round(100 * analysis.scales[0].confidence)
    note = f"Limits of alpha: {level} % (Feldt). SEM in points of the sum score: SD times the root of 1 - alpha."
    return (
        TableBlock("Reliability of the sum scores", scales, formats(scales, NUMBERS), (note,), anchor="reliability"),
        bars,
        Callout("How to read alpha", caveat("reliability_alpha")),
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _item_blocks(analysis: ItemAnalysis) -> tuple[Block, ...]:
    table = rename(
        analysis.items,
        {
            "item": "Item",
            "scale": "Scale",
            "reverse_keyed": "Reversed",
            "n": "N",
            "missing": "Missing",
            "mean": "Mean",
            "sd": "SD",
            "item_total": "Item-total r",
            "item_rest": "Item-rest r",
            "alpha_without": "Alpha without",
            "floor": "Floor",
            "ceiling": "Ceiling",
            "median_seconds": "Seconds (median)",
        },
    )
    if not any(s is not None for s in table["Seconds (median)"]):
        table = {name: cells for name, cells in table.items() if name != "Seconds (median)"}
    table = {**table, "Reversed": ["yes" if turned else "" for turned in table["Reversed"]]}
    shares = dict.fromkeys(("Missing", "Floor", "Ceiling"), "0.0 %")
    flagged = {f.where for f in analysis.findings}
    items = analysis.item_statistics
    usable = [i for i in items if i.p is not None and i.item_rest is not None]
    figure = item_map(
        [i.item for i in usable],
        [_number(i.p) for i in usable],
        [_number(i.item_rest) for i in usable],
        flagged=[i.item in flagged for i in usable],
        x_label="Item mean as share of the highest code",
    )
    return (
        FindingBlock(analysis.findings, "Flags, with their reasons"),
        TableBlock("Item statistics", table, {**formats(table, NUMBERS), **shares}, limit=80, anchor="item-statistics"),
        figure,
    )


def calibration_sections(calibration: Calibration, scores: Scores | None = None) -> list[Section]:
    """Return ``Calibration`` (status, audit, parameters) and a sub-section of charts per dimension."""
    sections = [Section("Calibration", "calibration", _calibration_blocks(calibration))]
    for d, dimension in enumerate(calibration.dimensions):
        blocks: list[Block] = []
        if scores is not None:
            blocks.append(wright_map(calibration, dimension, scores.theta[np.isfinite(scores.theta[:, d]), d]))
        blocks += [test_information(calibration, dimension), category_curves(calibration, _steepest(calibration, d))]
        sections.append(Section(dimension, f"calibration-{dimension}".replace("_", "-"), tuple(blocks), level=2))
    return sections


def _steepest(calibration: Calibration, d: int) -> str:
    """Return the item of a dimension with the largest first parameter (the slope): the one that shapes it most."""
    best = max(
        (float(par[0]), int(item))
        for block in calibration.blocks
        if block.dims == (d,)
        for item, par in zip(block.items, block.par, strict=True)
    )
    return calibration.item_ids[best[1]]


def status_block(calibration: Calibration) -> Callout:
    """Return how the estimation ended, which stands before the numbers."""
    status = calibration.status
    text = (
        f"Log-likelihood {calibration.loglik:,.3f}, {calibration.n_free} parameters, {calibration.n_persons:,} persons, "
        f"AIC {calibration.aic:,.1f}, BIC {calibration.bic:,.1f}, {calibration.n_steps} passes over the data."
    )
    if status.ok:
        return Callout("The estimation converged", text)
    return Callout(f"Attention: {status.value}", f"{status.remedy} {text}", Severity.PROBLEM)


def _calibration_blocks(calibration: Calibration) -> tuple[Block, ...]:
    table = dict(calibration.items)
    quiet, loud = _split_notes(calibration.audit)
    note = "a and d on the logistic metric (no 1.7); b in logits of the latent trait; se from the observed information."
    return (
        status_block(calibration),
        FindingBlock(loud, "Audit: look at these first"),
        FindingBlock(quiet, "Audit: notes"),
        TableBlock(
            "Item parameters", table, formats(table, NUMBERS), (note,), limit=SHOWN_ROWS, anchor="item-parameters"
        ),
        Paragraph(caveat("one_dimension")),
        Paragraph(caveat("fit_not_tested")),
    )


def _split_notes(findings: tuple[Finding, ...]) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Return notes (of each kind with the same remedy one line) and graver findings."""
    loud = tuple(f for f in findings if f.severity is not Severity.NOTE)
    grouped: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        if finding.severity is Severity.NOTE:
            grouped.setdefault((finding.code, finding.remedy), []).append(finding)
    return tuple(_merged(group) for group in grouped.values()), loud


def _merged(group: list[Finding]) -> Finding:
    if len(group) == 1:
        return group[0]
    where = ", ".join(f.where for f in group[:6]) + (f" and {len(group) - 6} more" if len(group) > 6 else "")
    texts = list(dict.fromkeys(f.message for f in group))
    message = texts[0] if len(texts) == 1 else f"{len(group)} of a kind, e.g.: {texts[0]}"
    return Finding(group[0].code, Severity.NOTE, where, message, group[0].remedy)


def score_sections(scores: Scores) -> list[Section]:
    """Return ``Scores``: the table, its reliability and the distribution per dimension."""
    table = scores.tables()["scores"]
    shown = {name: cells for name, cells in table.items() if not name.startswith("answers(")}
    settled = {name for name, cells in shown.items() if name.startswith("status(") and set(cells) == {"converged"}}
    shown = {name: cells for name, cells in shown.items() if name not in settled}
    reliability = {"Scale": list(scores.dimensions), "Reliability": scores.reliability}
    note = f"{scores.method.upper()} scores in {scores.metric}s of the latent trait, with standard errors."
    return [
        Section(
            "Scores",
            "scores",
            (
                Paragraph(caveat("measurement_error", percent=68)),
                TableBlock("Empirical reliability of the scores", reliability, {"Reliability": NUMBERS}),
                TableBlock("Scores of the persons", shown, formats(shown, NUMBERS), (note,), limit=SHOWN_ROWS),
            ),
        )
    ]


def norm_sections(norms: NormTable) -> list[Section]:
    """Return ``Norms``: the card first, then what each scale's norms look like."""
    tables = norms.tables()
    scales = tables["scales"]
    names = {"scale": "Scale", "score": "Score", "percentile": "Percentile", "z": "z", "t": "T", "stanine": "Stanine"}
    rows = rename(tables["norms"], names) or tables["norms"]
    blocks: list[Block] = [
        TableBlock("Norm card", tables["card"], anchor="norm-card"),
        FindingBlock(norms.findings, "What to know before using these norms"),
        TableBlock("Norm group per scale", scales, formats(scales, NUMBERS), anchor="norm-group"),
        TableBlock(
            "Norm table", tables["norms"], formats(tables["norms"], NUMBERS), limit=SHOWN_ROWS, anchor="norm-table"
        ),
    ]
    del rows
    return [Section("Norms", "norms", tuple(blocks))]


def distribution_figures(scores: Scores) -> tuple[Block, ...]:
    """Return the score distribution of every dimension."""
    return tuple(
        score_distribution(scores.theta[np.isfinite(scores.theta[:, d]), d], label=f"{name} (logits)")
        for d, name in enumerate(scores.dimensions)
    )

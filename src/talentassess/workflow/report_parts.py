"""Sections that several reports share: items, calibration, scores, norms."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from talentassess.core.calibration import Calibration
from talentassess.core.scores import Scores
from talentassess.core.status import Finding, Severity, Status
from talentassess.core.tabular import Columns
from talentassess.ctt import ItemAnalysis, ItemStatistics, ScaleStatistics
from talentassess.norming import NormTable
from talentassess.render.blocks import Block, Callout, FindingBlock, Paragraph, TableBlock
from talentassess.render.charts import (
    category_curves,
    item_map,
    latent_density,
    reliability_bars,
    test_information,
    wright_map,
)
from talentassess.render.doc import Section
from talentassess.render.wording import caveat

NORM_COLUMNS = (
    "scale",
    "score",
    "frequency",
    "percentile",
    "percentile low",
    "percentile high",
    "z",
    "T",
    "se(T)",
    "sten",
    "stanine",
)
WHOLE_TABLE = "The saved norms hold more: IQ, normalised scores (Blom, Tukey, Van der Waerden, Rankit), all errors."
SHOWN_ROWS = 40  # of long tables on a page; workbook and JSON hold all
NUMBERS = "0.00"


def rename(columns: Columns, names: dict[str, str]) -> Columns:
    """Return some columns under the headings a reader expects, in the order given."""
    return {heading: columns[name] for name, heading in names.items() if name in columns}


def plain_name(label: str) -> str:
    """Return an id as words: ``active_listening`` -> ``Active listening``.

    Examples
    --------
    >>> plain_name("follow_up"), plain_name("scale_01")
    ('Follow up', 'Scale 01')
    """
    words = label.replace("_", " ")
    return words[:1].upper() + words[1:]


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
    level = round(100 * analysis.scales[0].confidence)
    note = f"Limits of alpha: {level} % (Feldt). SEM in points of the sum score: SD times the root of 1 - alpha."
    return (
        TableBlock("Reliability of the sum scores", scales, formats(scales, NUMBERS), (note,), anchor="reliability"),
        *([_alpha_bars(known)] if known else []),
        Callout("How to read alpha", caveat("reliability_alpha")),
    )


def _alpha_bars(scales: Sequence[ScaleStatistics]) -> Block:
    return reliability_bars(
        [s.scale for s in scales],
        [_number(s.alpha) for s in scales],
        lower=[_number(s.alpha_low) for s in scales],
        upper=[_number(s.alpha_high) for s in scales],
        omega=[_number(s.omega) for s in scales],
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
    figures = [_item_figure(usable, flagged)] if usable else []
    return (
        FindingBlock(grouped(analysis.findings), "Flags, with their reasons"),
        TableBlock("Item statistics", table, {**formats(table, NUMBERS), **shares}, limit=80, anchor="item-statistics"),
        *figures,
    )


def _item_figure(items: Sequence[ItemStatistics], flagged: set[str]) -> Block:
    return item_map(
        [i.item for i in items],
        [_number(i.p) for i in items],
        [_number(i.item_rest) for i in items],
        flagged=[i.item in flagged for i in items],
        x_label="Item mean as share of the highest code",
    )


def calibration_sections(calibration: Calibration, scores: Scores | None = None) -> list[Section]:
    """Return ``Calibration`` (status, audit, parameters) and a sub-section of charts per dimension."""
    sections = [Section("Calibration", "calibration", _calibration_blocks(calibration))]
    for d, dimension in enumerate(calibration.dimensions):
        if any(d in block.dims and len(block.dims) > 1 for block in calibration.blocks):
            sections.append(Section(dimension, f"calibration-{d + 1}", (_uncharted(dimension),), level=2))
            continue
        figures = {
            "information": test_information(calibration, dimension),
            "curves": category_curves(calibration, _steepest(calibration, d)),
        }
        if scores is not None:
            theta = scores.theta[np.isfinite(scores.theta[:, d]), d]
            figures = {"wright-map": wright_map(calibration, dimension, theta), **figures}
        if calibration.latent.shape_of(d) is not None:
            figures["density"] = latent_density(calibration, dimension)
        # numbered, because two names may make the same anchor
        blocks = tuple(replace(figure, anchor=f"{kind}-{d + 1}") for kind, figure in figures.items())
        sections.append(Section(dimension, f"calibration-{d + 1}", blocks, level=2))
    return sections


def _uncharted(dimension: str) -> Callout:
    return Callout(
        "No curves are drawn",
        f"Items of '{dimension}' measure a second dimension (testlets) as well: along one dimension alone their curves "
        "and information would look sharper than they are. Read the item table, and the standard errors of the scores.",
    )


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
        f"Log-likelihood {calibration.loglik:,.3f}, {calibration.n_free} parameters, {calibration.n_persons:,} "
        f"persons, AIC {calibration.aic:,.1f}, BIC {calibration.bic:,.1f}, {calibration.n_steps} passes over the data."
    )
    if status.ok:
        return Callout("The estimation converged", text)
    warning = f"{caveat('not_converged', status=status.value)} {status.remedy} {text}"
    return Callout(f"Attention: {status.value}", warning, Severity.PROBLEM)


def _calibration_blocks(calibration: Calibration) -> tuple[Block, ...]:
    loud = tuple(f for f in calibration.audit if f.severity is not Severity.NOTE)
    quiet = tuple(f for f in calibration.audit if f.severity is Severity.NOTE)
    return (
        status_block(calibration),
        FindingBlock(grouped(loud), "Audit: look at these first"),
        FindingBlock(grouped(quiet), "Audit: notes"),
        *_parameter_tables(calibration),
        *_regression_table(calibration),
        Paragraph(caveat("one_dimension")),
        Paragraph(caveat("fit_not_tested")),
    )


def _regression_table(calibration: Calibration) -> tuple[Block, ...]:
    """Return what covariates say about the latent means, if they were asked."""
    if calibration.latent.regression is None:
        return ()
    names = {"dimension": "Dimension", "covariate": "Covariate", "estimate": "Estimate", "se": "SE", "z": "z"}
    table = rename(calibration.tables()["regression"], names)
    note = "Logits of the latent trait per unit of the covariate. Scores do not use covariates unless asked to."
    return (TableBlock("Latent regression", table, formats(table, "0.000"), (note,), anchor="regression-table"),)


def _parameter_tables(calibration: Calibration) -> tuple[Block, ...]:
    """Return the item parameters twice: as slopes and thresholds, and as slopes and intercepts."""
    items = calibration.items
    raw = {p.symbol for block in calibration.blocks for p in block.model.params(block.n_cat, len(block.dims))}
    symbols = [name for name in items if f"se({name})" in items]
    slopes = [name for name in symbols if name in raw and name.startswith("a")]
    parts = {
        "Slopes and thresholds": [*slopes, *(name for name in symbols if name not in raw)],
        "Slopes and intercepts": [*slopes, *(name for name in symbols if name in raw and name not in slopes)],
    }
    notes = (
        "a: slope, logistic metric (no 1.7). b: theta where two neighbouring categories part, logits.",
        "a: slope, logistic metric (no 1.7). d: intercepts; se: standard error from the observed information.",
    )
    tables = []
    for (title, chosen), note in zip(parts.items(), notes, strict=True):
        wanted = {"item": "Item", "dimension": "Scale"} | {n: n for name in chosen for n in (name, f"se({name})")}
        table = rename(items, wanted)
        if len(chosen) > len(slopes):
            tables.append(TableBlock(title, table, formats(table, NUMBERS), (note,), limit=SHOWN_ROWS))
    return tuple(tables)


def grouped(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return findings with those of one kind and remedy in one line, so that a reader sees kinds, not repetition."""
    groups: dict[tuple[str, str, Severity], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.code, finding.remedy, finding.severity), []).append(finding)
    return tuple(_merged(group) for group in groups.values())


def _merged(group: list[Finding]) -> Finding:
    """Return one finding for several: the same sentence once, with the range of the number that differs."""
    first = group[0]
    if len(group) == 1:
        return first
    where = ", ".join(dict.fromkeys(f.where for f in group))
    texts = list(dict.fromkeys(f.message for f in group))
    if len(texts) == 1:
        return replace(first, where=where)
    common = _common_sentence(texts)
    if common is None:
        return replace(
            first, where=f"{len(group)} of a kind", message=" ".join(f"{f.where}: {f.message}" for f in group)
        )
    return replace(first, where=where, message=common)


NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def _common_sentence(texts: list[str]) -> str | None:
    """Return sentences that differ in one number only as one sentence with that number's range; None if they do not.

    Examples
    --------
    >>> _common_sentence(["r is 0.05, below 0.20.", "r is 0.14, below 0.20.", "r is 0.11, below 0.20."])
    'r is 0.05 to 0.14, below 0.20.'
    """
    if len({NUMBER.sub("#", text) for text in texts}) > 1:
        return None
    numbers = [NUMBER.findall(text) for text in texts]
    differing = [k for k, column in enumerate(zip(*numbers, strict=True)) if len(set(column)) > 1]
    if len(differing) != 1:
        return None
    ordered = sorted((row[differing[0]] for row in numbers), key=float)
    place = list(NUMBER.finditer(texts[0]))[differing[0]]
    return f"{texts[0][: place.start()]}{ordered[0]} to {ordered[-1]}{texts[0][place.end() :]}"


def score_sections(scores: Scores) -> list[Section]:
    """Return ``Scores``: their reliability, and a row per person and scale with its interval."""
    cells = [(i, d) for i in range(len(scores.person_ids)) for d in range(len(scores.dimensions))]
    theta, se = scores.theta, scores.se
    table: Columns = {
        "Person": [scores.person_ids[i] for i, _ in cells],
        "Scale": [scores.dimensions[d] for _, d in cells],
        "Score": theta.ravel(),
        "SE": se.ravel(),
        "68 % interval": [_interval(float(theta[i, d]), float(se[i, d])) for i, d in cells],
        "Answers": scores.n_answered.ravel(),
        "Status": [scores.status[i][d].value for i, d in cells],
    }
    reliability: Columns = {"Scale": list(scores.dimensions), "Reliability": scores.reliability}
    note = f"{scores.method.upper()} scores in {scores.metric}s of the latent trait."
    if scores.item_cov is not None:
        note += " The standard errors include what is uncertain about the item parameters."
    patterns = {"Score": NUMBERS, "SE": NUMBERS}
    return [
        Section(
            "Scores",
            "scores",
            (
                *_score_warning(scores),
                Paragraph(caveat("measurement_error", percent=68)),
                TableBlock("Empirical reliability of the scores", reliability, {"Reliability": NUMBERS}),
                TableBlock("Scores of the persons", table, patterns, (note,), limit=SHOWN_ROWS),
            ),
        )
    ]


def _score_warning(scores: Scores) -> tuple[Callout, ...]:
    """Return what the calibration behind the scores left open; what concerns one person stands in that person's row."""
    found = {status for row in scores.status for status in row}
    open_ones = sorted(found - {Status.CONVERGED, Status.NO_ANSWERS, Status.EXTREME_PATTERN}, key=lambda s: s.value)
    return tuple(
        Callout(
            f"Attention: {status.value}",
            f"{caveat('not_converged', status=status.value)} {status.remedy} The scores rest on that calibration.",
            Severity.PROBLEM,
        )
        for status in open_ones
    )


def _interval(score: float, se: float) -> str:
    """Return score -+ SE in words; an infinite or unknown score has none."""
    return f"{score - se:.2f} to {score + se:.2f}" if np.isfinite([score, se]).all() else "none"


def norm_sections(norms: NormTable, remark: str = "") -> list[Section]:
    """Return ``Norms``: the card first, a remark if there is one, then what each scale's norms look like."""
    tables = norms.tables()
    card, scales = tables["card"], tables["scales"]
    rows = rename(tables["norms"], {name: name[:1].upper() + name[1:] for name in NORM_COLUMNS})
    return [
        Section(
            "Norms",
            "norms",
            (
                TableBlock("Norm card", card, anchor="norm-card"),
                *([Paragraph(remark)] if remark else []),
                FindingBlock(grouped(norms.findings), "What to know before using these norms"),
                TableBlock("Norm group per scale", scales, formats(scales, NUMBERS), anchor="norm-group"),
                TableBlock("Norm table", rows, formats(rows, NUMBERS), (WHOLE_TABLE,), limit=20, anchor="norm-table"),
            ),
        )
    ]

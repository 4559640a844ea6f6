"""The study report: what a psychologist needs from a pilot, in the order of the work."""

from __future__ import annotations

import numpy as np

from talentassess.bank.keys import situational_key
from talentassess.core.tabular import Columns
from talentassess.ctt import OptionAnalysis, ScaleStatistics
from talentassess.panel.consensus import EXPERTS
from talentassess.render.blocks import Block, Callout, Claim, ClaimBlock, Paragraph, TableBlock
from talentassess.render.charts import option_trace_lines
from talentassess.render.doc import ReportDoc, Section, compose_report
from talentassess.render.wording import caveat
from talentassess.workflow.report_parts import (
    NUMBERS,
    calibration_sections,
    formats,
    item_sections,
    norm_sections,
    score_sections,
    status_block,
)
from talentassess.workflow.study import Study

TRACED = 9  # situational items whose trace lines are drawn

CLOSE = 0.5  # points of effectiveness (1 to 5): a lead smaller than this hangs on a few per cent of the sample
CREDIT = (
    "Most/least items: one point each for naming the best option as most and the worst as least effective, minus one "
    "point each for the opposite; codes 0 to 4."
)
NO_EVIDENCE = (
    ("Job analysis", "who does the job, what it asks, SME ratings with their agreement"),
    ("Item fit and local dependence", "S-X2, Q3 and limited-information tests on this sample"),
    ("Differential item functioning", "group membership of the persons, with consent, and enough of each group"),
    ("Criterion validity", "performance of the same people later on, rated independently of the scores"),
    ("Adverse impact", "group membership and the decisions that would follow from a cut"),
    ("Retest reliability", "a second testing of some of the same people"),
)


def study_report(study: Study, title: str) -> ReportDoc:
    """Return the report of a pilot study: summary, data, keys, items, calibration, norms, scores, what is missing."""
    sections = [
        Section("Summary", "summary", _summary(study)),
        Section("Data", "data", _data(study)),
        *([Section("Situational keys", "keys", _keys(study))] if study.bank.situational else []),
        *item_sections(study.analysis),
        *([Section("Option analysis", "options", _options(study))] if study.options else []),
        *calibration_sections(study.calibration, study.scores),
        *([Section("Second estimator", "second-estimator", _check(study))] if study.check else []),
        *score_sections(study.scores),
        *norm_sections(study.norms, caveat("norms_same_sample")),
        Section("What this study does not show", "missing-evidence", _missing()),
    ]
    return compose_report(
        title,
        sections,
        sources=[study.responses.provenance],
        subtitle=f"{study.responses.n_persons:,} persons, {study.responses.n_items} items, "
        f"{len(study.calibration.dimensions)} scales",
        attributions=_attributions(study),
    )


def _attributions(study: Study) -> list[str]:
    card = study.bank
    return [f"Item bank: {card.title} {card.version}, {', '.join(card.authors)}; licence {card.licence}."]


def _summary(study: Study) -> tuple[Block, ...]:
    scales = [s for s in study.analysis.scales if s.alpha is not None]
    low = [s for s in scales if (s.alpha or 0) < 0.70]
    flagged = {f.where for f in study.analysis.findings} & set(study.responses.item_ids)
    claims = [
        Claim(_reliabilities(scales, len(low)), "reliability", caveat("reliability_alpha")),
        Claim(
            f"{len(flagged)} of {study.responses.n_items} items are flagged by the item analysis.",
            "item-statistics",
            "A flag is a reason to look, not a verdict; nothing was dropped.",
        ),
        Claim(
            f"The calibration ended with status: {study.calibration.status.value}.",
            "calibration",
            caveat("fit_not_tested"),
        ),
        Claim(
            f"The norms rest on {study.norms.card.n:,} persons: {study.norms.card.sample}.",
            "norm-card",
            caveat("convenience_norms", n=f"{study.norms.card.n:,}", population=study.norms.card.population),
        ),
    ]
    if any(item.key_source and "consensus" in item.key_source for item in study.bank.situational):
        text = "The situational items are scored with a sample-consensus key, because none is published."
        claims.append(Claim(text, "keys", caveat("sample_consensus_key")))
    warning = () if study.calibration.status.ok else (status_block(study.calibration),)
    return (*warning, ClaimBlock(tuple(claims)))


def _reliabilities(scales: list[ScaleStatistics], low: int) -> str:
    if not scales:
        return "No scale has an alpha: each needs two items that vary."
    best, worst = max(scales, key=lambda s: s.alpha or 0.0), min(scales, key=lambda s: s.alpha or 0.0)
    limits = "" if best.alpha_low is None else f", 95 % limits {best.alpha_low:.2f} to {best.alpha_high:.2f}"
    return (
        f"{len(scales) - low} of {len(scales)} scales reach an alpha of .70; the highest is {best.scale} "
        f"({best.alpha:.2f}{limits}), the lowest {worst.scale} ({worst.alpha:.2f})."
    )


def _data(study: Study) -> tuple[Block, ...]:
    responses = study.responses
    missing = 1 - responses.answered.mean(axis=0)
    empty = int((~responses.answered.any(axis=1)).sum())
    options = responses.provenance.options
    keys = "sample consensus" if "consensus" in options.get("keys", "") else options.get("keys", "none needed")
    rows = {
        "persons": f"{responses.n_persons:,}",
        "persons without any answer": f"{empty:,}",
        "items": f"{responses.n_items}",
        "reverse-keyed items": f"{len(responses.reversed_items)}",
        "missing answers": f"{100 * (1 - responses.answered.mean()):.2f} % (highest: "
        f"{responses.item_ids[int(missing.argmax())]}, {100 * missing.max():.2f} %)",
        "situational keys": keys,
        "source": responses.provenance.source,
        "hash of the keyed answers": responses.provenance.data_hash,
        "bank": f"{study.bank.id} {study.bank.version}, content hash {study.bank.content_hash}",
    }
    return (
        Paragraph(study.bank.description),
        TableBlock("The data", {"What": list(rows), "Value": list(rows.values())}, anchor="data-table"),
    )


def _keys(study: Study) -> tuple[Block, ...]:
    keys = [situational_key(item) for item in study.bank.situational]
    table: Columns = {
        "Item": [k.item for k in keys],
        "Format": [k.format.replace("_", "/") for k in keys],
        "Best": [", ".join(k.best) for k in keys],
        "Worst": [", ".join(k.worst) for k in keys],
        "Lead of the best": [_lead(k.effectiveness) for k in keys],
        "Effectiveness (1 to 5)": [
            ", ".join(f"{o} {e:.2f}" for o, e in zip(k.options, k.effectiveness, strict=True)) for k in keys
        ],
        "Source": [k.source for k in keys],
    }
    close = [k.item for k in keys if _lead(k.effectiveness) < CLOSE]
    notes = [CREDIT]
    if close:
        notes.append(
            f"Lead below {CLOSE:g}: {', '.join(close)}. Another sample may well name another best option there."
        )
    return (
        Callout("About these keys", " ".join(_key_caveats([k.source for k in keys]))),
        TableBlock(
            "Keys of the situational items", table, {"Lead of the best": NUMBERS}, tuple(notes), anchor="key-table"
        ),
    )


def _key_caveats(sources: list[str]) -> list[str]:
    """Return what to know of keys from these sources: a sample, a panel of experts, the authors."""
    kinds = {
        "sample_consensus_key": [s for s in sources if "consensus" in s],
        "expert_panel": [s for s in sources if s.startswith(EXPERTS)],
    }
    others = len(sources) > sum(len(found) for found in kinds.values())
    known = [caveat(name) for name, found in kinds.items() if found]
    # the authors' caveat says that no experts were asked, which a mixed bank would contradict
    return (
        known if not others else [*known, caveat("rational_key_of_others" if kinds["expert_panel"] else "rational_key")]
    )


def _lead(effectiveness: tuple[float, ...]) -> float:
    """Return how far the best option stands above the next one."""
    first, second = sorted(effectiveness, reverse=True)[:2]
    return first - second


def _options(study: Study) -> tuple[Block, ...]:
    tables = [o.tables()["categories"] for o in study.options]
    names = {"item": "Item", "pick": "Choice", "label": "Option", "n": "N", "share": "Share", "rest_r": "r with rest"}
    columns: Columns = {heading: [cell for t in tables for cell in t[name]] for name, heading in names.items()}
    note = "r with rest: point-biserial correlation of choosing the option with the mean of the scale's other items."
    patterns = {"Share": "0.0 %", "r with rest": NUMBERS}
    title = "Choices and their correlation with the other items"
    return (
        TableBlock(title, columns, patterns, (note,), limit=80, anchor="option-table"),
        *(_traces(study, option) for option in study.options[:TRACED]),
    )


def _traces(study: Study, option: OptionAnalysis) -> Block:
    picks = dict.fromkeys(row.pick for row in option.options)
    first = "most" if "most" in picks else next(iter(picks))
    rows = [row for row in option.options if row.pick == first]
    item = next(i for i in study.bank.situational if i.id == option.item)
    return option_trace_lines(
        [f"{row.group}" for row in rows],
        [row.label for row in rows],
        [row.share for row in rows],
        item=option.item,
        keyed=situational_key(item).best,
    )


def _check(study: Study) -> tuple[Block, ...]:
    names = list(study.check)
    table: Columns = {
        "Scale": names,
        "Parameters": [len(study.check[n].parameters) for n in names],
        "Largest difference": [float(np.nanmax(np.abs(study.check[n].girth - study.check[n].native))) for n in names],
        "Largest difference / se": [study.check[n].largest for n in names],
    }
    left = [s for s in study.calibration.dimensions if s not in study.check]
    note = f"Not compared, because girth cannot take them as they stand: {', '.join(left)}." if left else ""
    return (
        Paragraph(
            "The same answers of the persons with complete answers, calibrated twice: by this package and by girth, an "
            "independent implementation of marginal maximum likelihood. " + caveat("second_estimator")
        ),
        TableBlock(
            "Native engine and girth",
            table,
            formats(table, "0.000"),
            tuple(n for n in (note,) if n),
            anchor="cross-check",
        ),
    )


def _missing() -> tuple[Block, ...]:
    table = {
        "Evidence": [name for name, _ in NO_EVIDENCE],
        "State": ["no evidence yet"] * len(NO_EVIDENCE),
        "What would supply it": [supply for _, supply in NO_EVIDENCE],
    }
    return (Paragraph(caveat("no_validity")), TableBlock("Evidence that is missing", table, anchor="no-evidence"))

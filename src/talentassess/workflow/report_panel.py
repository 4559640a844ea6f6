"""The report of a panel: what experts agree on, what they do not, and how their key differs from the bank's."""

from __future__ import annotations

from dataclasses import replace

from talentassess.core.tabular import Columns
from talentassess.panel import ItemConsensus, PanelReview
from talentassess.panel.records import VERDICTS
from talentassess.render.blocks import Block, Callout, Claim, ClaimBlock, FindingBlock, Paragraph, TableBlock
from talentassess.render.charts import interval_comparison
from talentassess.render.doc import ReportDoc, Section, compose_report
from talentassess.render.wording import caveat
from talentassess.workflow.report_parts import NUMBERS, SHOWN_ROWS, formats, grouped, rename

DRAWN = 8  # situational items in the chart, those that differ most
KINDS = ("mean of the experts", "key of the bank")


def panel_report(review: PanelReview, title: str) -> ReportDoc:
    """Return the report of a panel review: settings and counts, findings, items, key, relevance, experts, comments."""
    ratings = review.ratings
    situational = [row for row in review.items if row.n_effectiveness]
    sections = [
        Section("Settings and counts", "settings", _settings(review)),
        Section("What can be said", "summary", _summary(review)),
        Section("Items", "items", _items(review)),
        *([Section("The panel and the key", "key", _key(review, situational))] if situational else []),
        *([Section("Relevance", "relevance", _relevance(review))] if review.s_cvi_ave is not None else []),
        Section("Experts", "experts", _experts(review)),
        *([Section("Comments", "comments", _comments(review))] if ratings.comments else []),
    ]
    return compose_report(
        title,
        sections,
        sources=[review.provenance],
        subtitle=f"{len(review.experts)} experts, {len(review.items)} items, bank {ratings.bank}",
    )


def _settings(review: PanelReview) -> tuple[Block, ...]:
    ratings, rated = review.ratings, [row for row in review.items if row.method == "situational"]
    counts = {
        "experts": f"{len(ratings.experts)}",
        "items": f"{len(ratings.items)} ({len(rated)} situational with {len(ratings.options)} options)",
        "cells filled in": f"{100 * ratings.given:.0f} %",
        "experts with empty cells": f"{ratings.unfinished}",
        "rated": ratings.collected or "date not given",
        "bank": f"{ratings.bank}, content hash {ratings.bank_hash}",
        "hash of the ratings": review.provenance.data_hash,
        **{f"verdict {verdict}": f"{review.count(verdict)} items" for verdict in VERDICTS},
    }
    names = {"setting": "Limit", "value": "Value", "source": "Where it comes from"}
    limits = rename(review.tables()["settings"], names)
    return (
        TableBlock("What was rated", {"What": list(counts), "Value": list(counts.values())}, anchor="counts"),
        TableBlock("Limits of the verdicts", limits, anchor="limits"),
    )


def _limits(lower: float | None, upper: float | None) -> str:
    """Return the 95 % limits in words; nothing where one of them does not exist."""
    return "" if lower is None or upper is None else f", 95 % limits {lower:.2f} to {upper:.2f}"


def _summary(review: PanelReview) -> tuple[Block, ...]:
    counts = ", ".join(f"{verdict} {review.count(verdict)}" for verdict in VERDICTS)
    claims = [Claim(f"Verdicts on {len(review.items)} items: {counts}.", "item-table", caveat("expert_verdict"))]
    compared = [row for row in review.items if row.best_agrees is not None]
    if compared:
        same = sum(bool(row.best_agrees) for row in compared)
        text = f"On {same} of {len(compared)} situational items the panel's best option is the key's."
        claims.append(Claim(text, "key-table", caveat("expert_panel")))
    if review.icc_k is not None and review.icc is not None:
        text = (
            f"The panel's mean ratings of the options have a reliability of {review.icc_k:.2f} (ICC(2,k)"
            f"{_limits(review.icc_k_lower, review.icc_k_upper)}); one expert's, {review.icc:.2f} (ICC(2,1)"
            f"{_limits(review.icc_lower, review.icc_upper)})."
        )
        claims.append(Claim(text, "option-table", caveat("expert_key_interval")))
    if review.s_cvi_ave is not None:
        text = f"On average {100 * review.s_cvi_ave:.0f} % of the experts find an item relevant (S-CVI/Ave)."
        claims.append(Claim(text, "relevance-table", caveat("expert_relevance")))
    return FindingBlock(grouped(review.findings), "Read before the numbers"), ClaimBlock(tuple(claims))


def _items(review: PanelReview) -> tuple[Block, ...]:
    order = sorted(review.items, key=lambda row: -VERDICTS.index(row.verdict))
    table: Columns = {
        "Item": [row.item for row in order],
        "Verdict": [row.verdict for row in order],
        "Why": ["; ".join(row.reasons) for row in order],
        "Experts": [max(row.n_effectiveness, row.n_relevance) for row in order],
        "rwg": [row.rwg for row in order],
        "rwg(J)": [row.rwg_j for row in order],
        "ICC(2,1)": [row.icc for row in order],
        "ICC(2,k)": [row.icc_k for row in order],
        "W": [row.w for row in order],
        "p(W)": [row.w_p for row in order],
        "I-CVI": [row.i_cvi for row in order],
        "Kappa": [row.kappa for row in order],
        "CVR": [row.cvr for row in order],
    }
    table = {name: cells for name, cells in table.items() if any(cell is not None for cell in cells)}
    notes = (
        "Items to be reworked stand first. rwg: agreement on one option, mean over the options, against a uniform "
        "null; the verdict rests on it. "
        "rwg(J): of all options together, which grows with their number. W: Kendall's concordance of the experts' "
        "order. Kappa: I-CVI corrected for chance. CVR: of 'essential'.",
    )
    return (
        TableBlock(
            "Agreement and relevance per item",
            table,
            {**formats(table, NUMBERS), **({"p(W)": "p"} if "p(W)" in table else {})},
            notes,
            limit=80,
            anchor="item-table",
        ),
    )


def _key(review: PanelReview, situational: list[ItemConsensus]) -> tuple[Block, ...]:
    table: Columns = {
        "Item": [row.item for row in situational],
        "Best, panel": [", ".join(row.best) for row in situational],
        "P(best)": [row.p_best for row in situational],
        "Best as in the key": [_yes(row.best_agrees) for row in situational],
        "Worst, panel": [", ".join(row.worst) for row in situational],
        "Worst as in the key": [_yes(row.worst_agrees) for row in situational],
        "Rank r with the key": [row.rank_r for row in situational],
        "Options off the key": [", ".join(row.off_key) for row in situational],
        "Largest difference": [row.largest_difference for row in situational],
    }
    sources = list(dict.fromkeys(row.key_source or "none" for row in situational))
    notes = (
        f"Key of the bank: {'; '.join(sources)}. P(best): that the panel would put this option first, by drawing "
        f"experts with replacement ({review.settings.draws:,} draws). Off the key: the interval leaves the key's value "
        "out.",
    )
    patterns = {"P(best)": "chance", "Rank r with the key": NUMBERS, "Largest difference": NUMBERS}
    return (
        Callout("About intervals", caveat("expert_key_interval")),
        TableBlock("The panel and the key per item", table, patterns, notes, limit=SHOWN_ROWS, anchor="key-table"),
        *_figure(review, situational),
        _options(review),
    )


def _yes(agrees: bool | None) -> str | None:
    return None if agrees is None else ("yes" if agrees else "no")


def _figure(review: PanelReview, situational: list[ItemConsensus]) -> tuple[Block, ...]:
    """Return the chart of the items whose means differ most from the key."""
    known = [row for row in situational if row.largest_difference is not None]
    known.sort(key=lambda row: -(row.largest_difference or 0.0))
    rows = [option for row in known[:DRAWN] for option in review.options_of(row.item) if option.lower is not None]
    if not rows:
        return ()
    level = round(100 * review.settings.confidence)
    figure = interval_comparison(
        [f"{row.item} {row.option}" for row in rows],
        [_number(row.mean) for row in rows],
        [_number(row.lower) for row in rows],
        [_number(row.upper) for row in rows],
        [_number(row.key) for row in rows],
        label=f"Effectiveness (1 harmful to 5 best), {level} % interval",
        kinds=KINDS,
    )
    shown = min(DRAWN, len(known))
    caption = f"The {shown} of {len(known)} items that differ most from the key. {figure.caption}"
    return (replace(figure, caption=caption, anchor="key-figure"),)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _options(review: PanelReview) -> TableBlock:
    names = {
        "item": "Item",
        "option": "Option",
        "n": "N",
        "mean": "Mean",
        "median": "Median",
        "sd": "SD",
        "se": "SE",
        "lower": "Lower",
        "upper": "Upper",
        "p_best": "P(best)",
        "key": "Key",
        "difference": "Mean less key",
    }
    table = rename(review.tables()["options"], names)
    level = round(100 * review.settings.confidence)
    note = f"Lower, upper: {level} % interval of the mean (Student's t), cut at the ends of the scale."
    patterns = {**formats(table, NUMBERS), "P(best)": "chance", "Mean less key": "+0.00"}
    return TableBlock("Options", table, patterns, (note,), limit=SHOWN_ROWS, anchor="option-table")


def _relevance(review: PanelReview) -> tuple[Block, ...]:
    table: Columns = {
        "Item": [row.item for row in review.items],
        "Competency": [row.scale for row in review.items],
        "Experts": [row.n_relevance for row in review.items],
        "I-CVI": [row.i_cvi for row in review.items],
        "Kappa": [row.kappa for row in review.items],
        "CVR": [row.cvr for row in review.items],
        "Critical CVR": [row.cvr_critical for row in review.items],
    }
    text = (
        f"S-CVI/Ave {review.s_cvi_ave:.2f}: mean of the I-CVI of {len(review.items)} items. S-CVI/UA "
        f"{review.s_cvi_ua:.2f}: share of items that every expert finds quite or highly relevant."
    )
    return (
        Paragraph(f"{text} {caveat('expert_relevance')}"),
        TableBlock("Relevance", table, formats(table, NUMBERS), limit=SHOWN_ROWS, anchor="relevance-table"),
    )


def _experts(review: PanelReview) -> tuple[Block, ...]:
    names = {
        "expert": "Expert",
        "n_effectiveness": "Options rated",
        "n_relevance": "Relevance rated",
        "n_essential": "Essential answered",
        "expert_rest": "r with the others",
        "severity": "Severity",
        "relevance": "Mean relevance",
        "essential": "Share essential",
    }
    table = rename(review.tables()["experts"], names)
    note = (
        "r with the others: over the options, with the mean of the other experts. Severity: mean difference from them "
        "in points of effectiveness; below 0 more severe."
    )
    patterns = {**formats(table, NUMBERS), "Severity": "+0.00", "Share essential": "0 %"}
    return (TableBlock("Experts beside each other", table, patterns, (note,), anchor="expert-table"),)


def _comments(review: PanelReview) -> tuple[Block, ...]:
    names = {"item": "Item", "option": "Option", "expert": "Expert", "text": "Comment"}
    table = rename(review.tables()["comments"], names)
    return (TableBlock("What the experts wrote", table, limit=80, anchor="comment-table"),)

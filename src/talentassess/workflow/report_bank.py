"""The content report of an item bank, for reviewers: what it covers, what the check found, and every item in full."""

from __future__ import annotations

from collections.abc import Sequence

from talentassess.bank.blind_rules import BlindRules, positive_words
from talentassess.bank.check import BankCheck
from talentassess.bank.schema import Option, SelfReportItem, SituationalItem
from talentassess.bank.traceability import Traceability
from talentassess.core.status import Severity
from talentassess.core.tabular import Columns
from talentassess.render.blocks import Block, Callout, FindingBlock, Paragraph, TableBlock
from talentassess.render.charts import interval_plot
from talentassess.render.doc import ReportDoc, Section, compose_report
from talentassess.render.wording import caveat
from talentassess.workflow.report_parts import NUMBERS, grouped, plain_name, rename

LEDGER_ROWS = 60
RULES_TEXT = (
    "Each rule answers the items by the look of their options alone, without scenario or key. 0 % is what chance "
    "earns, 100 % is the key. A rule that pays would let test-wise people score without the competency."
)
TIES = "A tie of t options counts 1/t. p: exact probability of so many hits by chance (one-sided)."
ITEMS_TEXT = (
    "Every item of the bank with its key, scale by scale. Keys run from 1 (harmful) to 5 (best); a column with the "
    "name of a context holds the key that is valid there. Positive words: of courtesy, warmth, concern and assurance."
)
READ_TEXT = (
    "Read each scenario and mark the option you think best (and worst, where asked), without any key. The options "
    "stand in random order; two readers should work apart from each other. Compare the marks with the key afterwards."
)


def bank_report(check: BankCheck, title: str) -> ReportDoc:
    """Return the content report: summary, findings, coverage, blind rules, items by scale, ledger, traceability."""
    bank = check.bank
    sections = [
        Section("Summary", "summary", _summary(check)),
        Section("Findings", "findings", _findings(check)),
        Section("Coverage", "coverage", _coverage(check)),
        *([Section("Blind rules", "blind-rules", _blind(check))] if check.blind.rules else []),
        Section("Items", "items", (Paragraph(ITEMS_TEXT),)),
        *(
            Section(scale.name, f"scale-{scale.id.replace('_', '-')}", _items(check, scale.id), 2)
            for scale in bank.scales
        ),
        *([Section("Ledger", "ledger", _ledger(check))] if check.history is not None and check.history.entries else []),
        *([Section("Traceability", "traceability", _trace(check.traceability))] if check.traceability else []),
        Section("Statistics", "statistics", _statistics(check)),
    ]
    return compose_report(
        title,
        sections,
        sources=[],
        subtitle=f"{bank.title} {bank.version}: {len(bank.scales)} scales, {len(bank.self_report)} statements, "
        f"{len(bank.situational)} situational items",
        attributions=[f"Item bank: {bank.title} {bank.version}, {', '.join(bank.authors)}; licence {bank.licence}."],
    )


def blind_read_report(check: BankCheck, title: str) -> ReportDoc:
    """Return the sheet of a blind read: the drawn items with shuffled, numbered options and no keys."""
    blocks = [block for number, item in enumerate(check.blind_read, 1) for block in _sheet(number, item)]
    section = Section("Blind read", "blind-read", (Callout("How to read", READ_TEXT), *blocks))
    return compose_report(title, [section], sources=[], subtitle=f"{check.bank.title} {check.bank.version}")


def _sheet(number: int, item: SituationalItem) -> tuple[Block, ...]:
    ask = {
        "pick_best": "mark the best option",
        "most_least": "mark the best and the worst option",
        "rate_each": "rate each option from 1 to 5",
        "rank": "rank the options, 1 is best",
    }
    table: Columns = {
        "No.": list(range(1, len(item.options) + 1)),
        "Option": [option.text for option in item.options],
        "Mark": ["" for _ in item.options],
    }
    caption = f"{item.id}: {ask[item.format]}"
    return (Paragraph(f"{number}. {item.scenario}"), TableBlock(caption, table, widths={"Mark": 10}))


def _summary(check: BankCheck) -> tuple[Block, ...]:
    bank = check.bank
    counts = {severity: len(check.having(severity)) for severity in reversed(Severity)}
    rows = {
        "bank": f"{bank.id} {bank.version}, content hash {bank.content_hash}",
        "licence, authors": f"{bank.licence}; {', '.join(bank.authors)}",
        "status": _tally([item.status for item in bank.items]),
        "keys": _tally([item.key_source or "not keyed" for item in bank.situational]) or "none needed",
        "findings": ", ".join(f"{n} {severity.value}(s)" for severity, n in counts.items()),
    }
    if check.traceability is not None:
        rows["claims of the sources"] = check.traceability.summary
    rational = any(item.key_source == "rational (authors)" for item in bank.situational)
    return (
        Paragraph(bank.description),
        TableBlock("The bank", {"What": list(rows), "Value": list(rows.values())}, anchor="bank-table"),
        *([Callout("About the keys", caveat("rational_key"))] if rational else []),
    )


def _tally(labels: Sequence[str]) -> str:
    return ", ".join(f"{labels.count(label)} {label}" for label in dict.fromkeys(labels))


def _findings(check: BankCheck) -> tuple[Block, ...]:
    if not check.findings:
        return (Paragraph("The check found nothing to report. It measures form; a reviewer judges the content."),)
    return (
        Paragraph("The check measures form: it points a reviewer to items and does not replace one."),
        FindingBlock(grouped(check.findings), "What the check found"),
    )


def _coverage(check: BankCheck) -> tuple[Block, ...]:
    tables = check.tables()
    note = "Items in use (retired ones do not count). Statements are not tied to a context."
    names = {name: plain_name(name) for name in tables["coverage"]}
    formats = {name: plain_name(name) for name in tables["formats"]}
    return (
        TableBlock("Items by scale, method and context", rename(tables["coverage"], names), notes=(note,)),
        *([TableBlock("Formats by context", rename(tables["formats"], formats))] if check.bank.situational else []),
    )


def _blind(check: BankCheck) -> tuple[Block, ...]:
    blind, read = check.blind, check.blind_read_rules
    shares = [100 * rule.share for rule in blind.rules]
    reach = [196 * rule.share_se for rule in blind.rules]
    label = "Share of the way from chance (0) to the key (100), in %, with 1.96 SE under chance"
    drawn = f"A blind read: {len(check.blind_read)} items drawn at random, options shuffled"
    return (
        Paragraph(RULES_TEXT),
        interval_plot(
            [rule.rule for rule in blind.rules],
            shares,
            [share - r for share, r in zip(shares, reach, strict=True)],
            [share + r for share, r in zip(shares, reach, strict=True)],
            label=label,
            reference=0.0,
        ),
        _rule_table("What blind rules earn on all keyed items", blind, "rules-all"),
        _place_table("Where the best option stands", blind, "places-all"),
        _rule_table(drawn, read, "rules-read"),
        _place_table("Where the best option stands in the blind read", read, "places-read"),
    )


def _rule_table(caption: str, blind: BlindRules, anchor: str) -> TableBlock:
    names = {
        "rule": "Rule",
        "items": "Items",
        "share": "Share of the points",
        "share_se": "SE by chance",
        "hits": "Hits",
        "expected": "Hits by chance",
        "p": "p",
    }
    patterns = {
        **dict.fromkeys(("Share of the points", "SE by chance"), "0.0 %"),
        **dict.fromkeys(("Hits", "Hits by chance"), "0.0"),
        "p": "0.000",
    }
    return TableBlock(caption, rename(blind.tables()["rules"], names), patterns, (TIES,), anchor=anchor)


def _place_table(caption: str, blind: BlindRules, anchor: str) -> TableBlock:
    names = {"order": "Order", "place": "Place", "items": "Items", "best": "Best", "expected": "By chance", "p": "p"}
    note = "Position: as printed. Length: 1 is the longest option, in characters."
    patterns = {"Best": "0.0", "By chance": "0.0", "p": "0.000"}
    return TableBlock(caption, rename(blind.tables()["places"], names), patterns, (note,), anchor=anchor)


def _items(check: BankCheck, scale: str) -> tuple[Block, ...]:
    statements = [item for item in check.bank.self_report if item.scale == scale]
    situations = [item for item in check.bank.situational if item.scale == scale]
    return (
        *([_statements(scale, statements)] if statements else []),
        *(block for item in situations for block in _situation(item)),
    )


def _statements(scale: str, items: Sequence[SelfReportItem]) -> TableBlock:
    table: dict[str, Sequence[object]] = {
        "Item": [item.id for item in items],
        "Statement": [item.text or "(not published)" for item in items],
        "Key": ["reversed" if item.reverse else "" for item in items],
        "Indicator": [item.indicator for item in items],
        "Desirability": [item.desirability for item in items],
        # short, so that the table stands upright between the situations and takes no page of its own
        "Status, version": [f"{item.status}, {item.version}" for item in items],
    }
    if all(item.desirability is None for item in items):
        del table["Desirability"]
    return TableBlock(f"Statements: {scale}", table, {"Desirability": "0.0"} if "Desirability" in table else {})


def _situation(item: SituationalItem) -> tuple[Block, ...]:
    options = item.options
    contexts = sorted({context for option in options for context in option.in_context})
    table: Columns = {
        "Option": [option.id for option in options],
        "Text": [option.text or "(not published)" for option in options],
        "Key": [option.effectiveness for option in options],
        **{plain_name(c): [option.in_context.get(c, option.effectiveness) for option in options] for c in contexts},
        "Shows, and why": [_reason(option) for option in options],
        "Positive words": [positive_words(option.text or "") for option in options],
    }
    about = [item.context.replace("_", " "), item.format.replace("_", "/"), f"{item.status}, version {item.version}"]
    if item.pair is not None:
        about.append(f"paired with {item.pair}, need: {item.customer_need}")
    patterns = dict.fromkeys(("Key", *map(plain_name, contexts)), "0.0")
    return (
        Paragraph(f"{item.id} ({'; '.join(about)}). {item.scenario or 'The wording is not published.'}"),
        TableBlock(f"Options of {item.id}", table, patterns if item.keyed else {}),
    )


def _reason(option: Option) -> str:
    """Return the behaviour an option shows and the reason for its key in one cell, so that the table stays narrow."""
    parts = [part for part in (option.indicator, option.rationale) if part]
    return ". ".join(part[:1].upper() + part[1:].rstrip(".") for part in parts) + ("." if parts else "")


def _ledger(check: BankCheck) -> tuple[Block, ...]:
    history = check.history
    if history is None:
        return ()
    names = {
        "item": "Item",
        "version": "Version",
        "status": "Status",
        "date": "Date",
        "author": "Author",
        "reason": "Reason",
        "content_hash": "Content hash",
    }
    newest = {name: list(cells)[::-1] for name, cells in history.tables()["history"].items()}
    return (TableBlock("Events, newest first", rename(newest, names), limit=LEDGER_ROWS, anchor="ledger-table"),)


def _trace(trace: Traceability) -> tuple[Block, ...]:
    tables = trace.tables()
    sources = {"source": "Source", "title": "Title", "claims": "Claims", "covered": "Covered"}
    covers = trace.covers
    first = [i for i, row in enumerate(covers) if not i or covers[i - 1].claim != row.claim]
    table: Columns = {
        "Claim": [row.claim if i in first else "" for i, row in enumerate(covers)],
        "What the source asks for": [row.text if i in first else "" for i, row in enumerate(covers)],
        "Covered by": [row.reference or "nothing" for row in covers],
        "Wording": [row.wording if row.found is not None else "(not looked up)" for row in covers],
    }
    return (
        *([FindingBlock(grouped(trace.findings), "Open claims")] if trace.findings else []),
        TableBlock("Claims of the sources", rename(tables["sources"], sources), anchor="sources-table"),
        TableBlock("What covers each claim", table, anchor="trace-table"),
    )


def _statistics(check: BankCheck) -> tuple[Block, ...]:
    names = {"name": "Statistic", "where": "Where", "value": "Value", "expected": "Expected"}
    table = rename(check.tables()["statistics"], names)
    return (TableBlock("Statistics of the check", table, {"Value": NUMBERS}, anchor="statistics-table"),)

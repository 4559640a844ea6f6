"""A forced-choice form as two documents: the questionnaire people fill in, and the audit of its design."""

from __future__ import annotations

from collections.abc import Sequence

from talentassess.assembly import ForcedChoiceBlock, ForcedChoiceForm
from talentassess.core.tabular import Columns
from talentassess.render.blocks import Callout, FindingBlock, Paragraph, TableBlock
from talentassess.render.doc import ReportDoc, Section
from talentassess.workflow.report_parts import plain_name, rename

PER_TABLE = 8  # blocks on one table: about a page, so that a block is seldom cut in two
BOX = "\u2610"
SCALES = {"scale": "Scale", "statements": "Statements", "reverse_keyed": "Reverse-keyed"}


def questionnaire(form: ForcedChoiceForm, *, title: str = "Which is most like you?") -> ReportDoc:
    """Return the form as people fill it in: no scale, key or desirability is shown.

    Examples
    --------
    >>> import talentassess as ta
    >>> doc = ta.questionnaire(ta.build_forced_choice(ta.load_bank("service"), 20))
    >>> [section.title for section in doc.sections]
    ['How to answer', 'Statements']
    """
    parts = [form.blocks[start : start + PER_TABLE] for start in range(0, len(form.blocks), PER_TABLE)]
    how = (
        Paragraph(
            "Each block holds three statements about how people act at work. Choose the one that is most like you and "
            "the one that is least like you. The third stays empty."
        ),
        Paragraph(
            "Some choices are hard because all three, or none, sound like you. Choose all the same: there are no right "
            "or wrong answers."
        ),
        Paragraph("Name or number:  ____________________        Date:  ____________________"),
    )
    return ReportDoc(
        title=title,
        subtitle=f"{len(form.blocks)} blocks; form {form.form_hash}",
        simulated=False,
        sections=(
            Section("How to answer", "how-to-answer", how),
            Section("Statements", "statements", tuple(_sheet(part) for part in parts)),
        ),
    )


def _sheet(blocks: Sequence[ForcedChoiceBlock]) -> TableBlock:
    rows = [(block, place, s) for block in blocks for place, s in enumerate(block.statements, start=1)]
    first, last = (int(blocks[end].id.lstrip("b")) for end in (0, -1))
    return TableBlock(
        f"Blocks {first} to {last}",
        {
            "Block": [block.id if place == 1 else "" for block, place, _ in rows],
            "No.": [str(place) for _, place, _ in rows],
            "Statement": [s.text for _, _, s in rows],
            "Most": [BOX for _ in rows],
            "Least": [BOX for _ in rows],
        },
        anchor=f"blocks-{first}",
    )


def forced_choice_report(form: ForcedChoiceForm, title: str) -> ReportDoc:
    """Return the audit of a form for the psychologist, keys included: not to be given to applicants."""
    tables = form.tables()
    found = "proved to be the smallest" if form.optimal else f"at most {100 * form.gap:.0f} % above the smallest"
    spread = [block.spread for block in form.blocks]
    design = (
        Callout("Keys inside", "This audit shows scales, keys and desirability. The questionnaire does not."),
        Paragraph(
            f"{len(form.blocks)} blocks of three statements from {len(form.scales)} scales of {form.bank}. Within a "
            f"block desirability ({form.desirability_source}, 1 to 5) spreads over {max(spread):.1f} points at most "
            f"and {sum(spread) / len(spread):.2f} on average; the total is {found}. "
            f"{sum(block.mixed for block in form.blocks)} blocks mix keyed directions."
        ),
        FindingBlock(form.findings),
    )
    scales = {**tables["scales"], "scale": [plain_name(str(s)) for s in tables["scales"]["scale"]]}
    asked = ", ".join(f"{name} = {value}" for name, value in form.options.items())
    return ReportDoc(
        title=title,
        simulated=False,
        sections=(
            Section("Design", "design", design),
            Section(
                "Balance",
                "balance",
                (
                    TableBlock(
                        "Statements per scale",
                        rename(
                            scales, {"scale": "Scale", "statements": "Statements", "reverse_keyed": "Reverse-keyed"}
                        ),
                        anchor="scales",
                    ),
                    TableBlock("How often two scales meet", _meetings(form), anchor="meetings"),
                ),
            ),
            Section("Blocks", "blocks", (TableBlock("Statements", _statements(form), anchor="block-table"),)),
        ),
        provenance=(f"Bank {form.bank}, content {form.bank_hash}; no answers; {asked}; {form.created}",),
    )


def _meetings(form: ForcedChoiceForm) -> Columns:
    counts = [int(str(n)) for n in form.tables()["pairs"]["blocks"]]
    levels = sorted(set(counts))
    return {"Blocks": levels, "Pairs of scales": [counts.count(level) for level in levels]}


def _statements(form: ForcedChoiceForm) -> Columns:
    columns = form.tables()["statements"]
    names = {"block": "Block", "item": "Item", "scale": "Scale", "keyed": "Keyed", "desirability": "Desirability"}
    return rename({**columns, "scale": [plain_name(str(s)) for s in columns["scale"]]}, {**names, "text": "Statement"})

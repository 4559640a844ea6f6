"""The content report of an interview bank, for reviewers: coverage, findings, and every question with its chain."""

from __future__ import annotations

from talentassess.bank.interview import CompetencyInterview
from talentassess.bank.interview_check import InterviewBankCheck
from talentassess.core.tabular import Columns
from talentassess.render.blocks import Block, Callout, FindingBlock, Paragraph, TableBlock
from talentassess.render.doc import ReportDoc, Section
from talentassess.workflow.report_parts import plain_name, rename

CONTEXTS = {"general": "General", "corner_store": "Corner store", "call_centre": "Call centre"}
THEMES = {"theme": "Theme", "name": "Name", "questions": "Questions", "ids": "Ids"}


def interview_bank_report(check: InterviewBankCheck, title: str) -> ReportDoc:
    """Return the content report: summary, coverage, themes, and per competency its chains, probes and anchors."""
    bank = check.bank
    about = (
        Paragraph(f"{bank.description} {len(bank.chains)} questions on {len(bank.interviews)} competencies."),
        Callout("Drafts", "Questions and anchors are the authors' own and have not been tried in real interviews."),
        FindingBlock(check.findings),
    )
    covered = (
        TableBlock("Questions that can be asked, by context", _coverage(check), anchor="coverage-table"),
        TableBlock(
            "The standard themes and the questions that cover them",
            rename(check.tables()["themes"], THEMES),
            anchor="themes",
        ),
    )
    return ReportDoc(
        title=title,
        subtitle=f"{bank.id} {bank.version}, content {check.bank_hash}",
        simulated=False,
        sections=(
            Section("Summary", "summary", about),
            Section("Coverage", "coverage", covered),
            *(_competency(interview) for interview in bank.interviews),
        ),
    )


def _coverage(check: InterviewBankCheck) -> Columns:
    rows = {(row.competency, row.context): row.questions for row in check.coverage}
    names = check.bank.competencies
    columns: Columns = {label: [rows[name, context] for name in names] for context, label in CONTEXTS.items()}
    return {"Competency": [plain_name(name) for name in names], **columns}


def _competency(interview: CompetencyInterview) -> Section:
    label = interview.competency.replace("_", "-")
    return Section(
        plain_name(interview.competency),
        f"part-{label}",
        (_chains(interview, label), _anchors(interview, label)),
    )


def _chains(interview: CompetencyInterview, label: str) -> Block:
    """Return every question below the behaviour and situation it comes from, with its probes."""
    rows: list[tuple[str, str, str]] = []
    for chain in interview.chains:
        question = chain.question
        contexts = ", ".join(CONTEXTS[context].lower() for context in question.contexts)
        rows += [(question.id, "Behaviour", chain.behaviour.text), ("", "Situation", chain.situation.text)]
        rows.append(("", f"Question ({contexts})", question.text))
        rows += [("", f"Probe: {probe.part}", probe.text) for probe in question.probes]
    columns: Columns = {name: [row[k] for row in rows] for k, name in enumerate(("Id", "Step", "Wording"))}
    return TableBlock("From behaviour to probes", columns, anchor=f"chain-{label}")


def _anchors(interview: CompetencyInterview, label: str) -> Block:
    anchors = [
        (CONTEXTS[context], str(level), text)
        for context, given in interview.anchors.given.items()
        for level, texts in given.levels.items()
        for text in texts
    ]
    columns: Columns = {
        "Context": [context for context, _, _ in anchors],
        "Level": [level for _, level, _ in anchors],
        "Anchor": [text for _, _, text in anchors],
    }
    return TableBlock("Anchors", columns, anchor=f"anchors-{label}")

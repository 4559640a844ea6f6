"""Commands on item banks: check, trace, diff, record, advance, schemas."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from talentassess.cli.console import emit_json, emit_tables, say, show_findings, show_table
from talentassess.cli.reading import REPORTS, Json, check_folder, check_out
from talentassess.core.errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from talentassess.bank.history import HistoryEntry, LifecycleItem
    from talentassess.bank.traceability import Traceability
    from talentassess.core.tabular import Columns

Bank = Annotated[str, typer.Argument(help="Item bank: a shipped name or a folder.")]
Author = Annotated[str, typer.Option("--author", help="Who makes the change.")]
Reason = Annotated[str, typer.Option("--reason", help="Why the change is made.")]
Date = Annotated[str | None, typer.Option("--date", help="Day of the change, e.g. 2025-03-31; today if left out.")]
REFERENCES = 6  # of a claim on the screen
ALL = 500  # rows: a review shows everything


def check(
    bank: Bank,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the report for reviewers: .html, .pdf, .xlsx or .json.")
    ] = None,
    blind_read: Annotated[
        Path | None, typer.Option("--blind-read", help="Write a sheet of drawn items without keys, for a blind reader.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the draw of the blind read.")] = 1,
    as_json: Json = False,
) -> None:
    """Check a bank's content: coverage, keys, blind rules, wording, ledger, claims. Exit code 1 on problems."""
    from talentassess.bank.interview_load import is_interview_bank
    from talentassess.workflow.content_review import review_bank

    check_out(out, REPORTS)
    check_out(blind_read, REPORTS, *([] if out is None else [out]))
    if is_interview_bank(bank):
        _check_interview(bank, out, blind_read, as_json)
        return
    found = review_bank(bank, seed=seed)
    if as_json:
        emit_tables(found)
    else:
        tables = found.tables()
        show_table("Coverage: items per scale, method and context", tables["coverage"], limit=ALL)
        if found.bank.situational:
            show_table("Situational items: formats per context", tables["formats"])
            show_table("Blind rules: what the look of the options earns", tables["blind_rules"], digits=3)
            show_table("Where the best option stands", tables["best_places"], digits=3)
            show_table(f"Blind read of {len(found.blind_read)} items", tables["blind_read_rules"], digits=3)
            show_table("Where the best option stands in the blind read", tables["blind_read_places"], digits=3)
        show_table("Statistics", tables["statistics"], limit=ALL)
        if "sources" in tables:
            show_table("Claims of the sources that are covered", tables["sources"])
        show_findings(found.findings, limit=ALL)
        print(repr(found))
    if out is not None:
        from talentassess.workflow.report import report as make

        say(f"Writing the report with every item to {out.name} ...")
        say(f"Report: {make(found).save(out)}")
    if blind_read is not None:
        from talentassess.workflow.report_bank import blind_read_report

        say(f"Blind read: {blind_read_report(found, 'Blind read').save(blind_read)}")
    if not found.ok:
        raise typer.Exit(1)


def _check_interview(bank: str, out: Path | None, blind_read: Path | None, as_json: bool) -> None:
    from talentassess.workflow.content_review import review_interview_bank

    if blind_read is not None:
        raise ContentError("An interview bank has no keys to hide; --blind-read is for situational items.")
    found = review_interview_bank(bank)
    if as_json:
        emit_tables(found)
    else:
        tables = found.tables()
        show_table("Coverage: questions per competency and context", tables["coverage"], limit=ALL)
        show_table("Coverage of the standard themes", tables["themes"], limit=ALL)
        show_table("Statistics", tables["statistics"], limit=ALL)
        show_findings(found.findings, limit=ALL)
        print(repr(found))
    if out is not None:
        from talentassess.workflow.report import report as make

        say(f"Report: {make(found).save(out)}")
    if not found.ok:
        raise typer.Exit(1)


def trace(as_json: Json = False) -> None:
    """Show what covers each claim of the sources (items/traceability.yaml). Exit code 1 where nothing does."""
    from talentassess.workflow.content_review import trace_content

    found = trace_content()
    if as_json:
        emit_tables(found)
    else:
        tables = found.tables()
        show_table("Claims of the sources", tables["sources"])
        show_table("What covers each claim (--json has all, with the wording)", _by_claim(found), limit=ALL)
        show_findings(found.findings, limit=ALL)
        print(repr(found))
    if not found.ok:
        raise typer.Exit(1)


def _by_claim(found: Traceability) -> Columns:
    """Return a row per claim with all that covers it."""
    texts = {row.claim: row.text for row in found.covers}
    covers = {claim: [row.reference or "nothing" for row in found.covers if row.claim == claim] for claim in texts}
    return {
        "claim": list(texts),
        "what the source asks for": list(texts.values()),
        "covered by": [_first(references) for references in covers.values()],
    }


def _first(references: Sequence[str]) -> str:
    more = len(references) - REFERENCES
    return ", ".join(references[:REFERENCES]) + (f" and {more} more" if more > 0 else "")


def diff(
    old: Annotated[str, typer.Argument(help="The older bank: a shipped name or a folder.")],
    new: Annotated[str, typer.Argument(help="The newer bank: a shipped name or a folder.")],
    as_json: Json = False,
) -> None:
    """Compare two versions of a bank, item by item. Exit code 1 if a change breaks the rules of the life cycle."""
    from talentassess.bank.diff import compare_banks
    from talentassess.bank.load import load_bank

    found = compare_banks(load_bank(old), load_bank(new))
    if as_json:
        emit_tables(found)
    else:
        title = f"Changes from '{old}' ({found.old}) to '{new}' ({found.new})"
        show_table(title, found.tables()["changes"], limit=ALL)
        show_findings(found.findings, limit=ALL)
        print(repr(found))
    if not found.ok:
        raise typer.Exit(1)


def record(bank: Bank, author: Author, reason: Reason, date: Date = None, as_json: Json = False) -> None:
    """Record new and changed items in the bank's ledger (history.csv); what the life cycle forbids is refused."""
    from talentassess.bank.history import record_history

    _show(record_history(_own_items(bank), bank, author=author, reason=reason, date=date), as_json)


def advance(
    bank: Bank,
    items: Annotated[list[str] | None, typer.Argument(help="Ids of the items; or use --from.")] = None,
    *,
    to: Annotated[str, typer.Option("--to", help="New status: reviewed, piloted, operational or retired.")],
    author: Author,
    reason: Reason,
    from_status: Annotated[
        str | None, typer.Option("--from", help="Advance all items that have this status, instead of naming them.")
    ] = None,
    date: Date = None,
    as_json: Json = False,
) -> None:
    """Give items their next status: in the YAML files, where comments stay, and in the ledger."""
    from talentassess.bank.history import advance_items
    from talentassess.bank.records import choices

    own = {item.id: item for item in _own_items(bank)}
    if bool(items) == (from_status is not None):
        raise ContentError("Name the items to advance, or give --from with the status they have; not both.")
    unknown = [f"'{name}': {choices(name, list(own))}" for name in items or () if name not in own]
    if unknown:
        raise ContentError("The bank has no such items.", unknown)
    chosen = [own[name] for name in dict.fromkeys(items or ())]
    chosen = chosen or [item for item in own.values() if item.status == from_status]
    if not chosen:
        there = Counter(item.status for item in own.values())
        counts = ", ".join(f"{n} {status}" for status, n in there.items())
        raise ContentError(f"No item of the bank has the status '{from_status}'. There are: {counts}.")
    _show(advance_items(chosen, bank, to, author=author, reason=reason, date=date), as_json)


def _own_items(bank: str) -> Sequence[LifecycleItem]:
    """Return the items whose life cycle a bank keeps; one that borrows its items keeps none."""
    from talentassess.bank.interview_load import is_interview_bank, load_interview_bank
    from talentassess.bank.load import load_bank

    if is_interview_bank(bank):
        return [chain.question for chain in load_interview_bank(bank).chains]
    loaded = load_bank(bank)
    if loaded.part_of is not None:
        raise ContentError(f"The bank '{loaded.id}' takes its items from '{loaded.part_of}', which keeps their ledger.")
    return loaded.items


def _show(entries: tuple[HistoryEntry, ...], as_json: bool) -> None:
    from talentassess.bank.history import History

    table = History(entries=entries).tables()["history"]
    if as_json:
        emit_json({"history": table})
        return
    if entries:
        show_table("Recorded", table)
    print(f"{len(entries)} event(s) recorded.")


def schemas(out: Annotated[Path, typer.Option("--out", help="Folder for the JSON Schemas.")]) -> None:
    """Write the JSON Schemas of the content files, for editors and reviewers."""
    from talentassess.bank.json_schema import write_json_schemas

    check_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    for path in write_json_schemas(out):
        print(path)

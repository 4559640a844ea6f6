"""The ledger of a bank: which version of an item had which status and content, since when, by whom and why.

``history.csv`` in the bank's folder is append-only: a row per event, in the order of the events. An item's content is
its wording, options and key; notes for authors (rationales, indicators) and the columns of data files are not.
The ledger serves any items that have an id, a status and a version: statements, situations, interview questions.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol, get_args

from talentassess.bank.evidence import EVIDENCE_FIELDS
from talentassess.bank.load import bank_folder
from talentassess.bank.records import choices
from talentassess.bank.review import note, problem, warning
from talentassess.bank.schema import ItemStatus
from talentassess.content import content_dir
from talentassess.core.errors import ContentError
from talentassess.core.files import write_whole
from talentassess.core.provenance import hash_json
from talentassess.core.status import Finding
from talentassess.core.tabular import Columns, Tabular

LEDGER = "history.csv"
COLUMNS = ("item", "version", "status", "date", "author", "reason", "content_hash")
LIFECYCLE = ("draft", "reviewed", "piloted", "operational", "retired")
# Fields that say something about an item without being part of what people answer or how it is scored.
NOT_CONTENT = frozenset(
    (
        *("status", "version", "rationale", "indicator", "desirability", "themes", "column", "columns", "codes"),
        *EVIDENCE_FIELDS,
    )
)
SHOWN = 8  # ids named in a finding; more are counted
CHANGED = "In its file, raise the version by 1 and write status: draft, then record it; or restore the content."
CHANGED_DRAFT = "Raise its version by 1 if anybody has read or answered the old wording; then record it."
RECORD = "Run 'talentassess bank record FOLDER --author NAME --reason TEXT'."


class LifecycleItem(Protocol):
    """An item with an id, a status and a version, whose fields can be listed."""

    @property
    def id(self) -> str:
        """Unique in its bank."""

    @property
    def status(self) -> str:
        """One of the statuses of the life cycle, or external."""

    @property
    def version(self) -> int:
        """Goes up with every change of content."""

    def model_dump(self, *, mode: str, exclude_none: bool) -> dict[str, object]:
        """Return the item's fields as plain data."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One event in the life of an item.

    Attributes
    ----------
    item, version, status : as in the bank after the event.
    date : day of the event, ISO 8601.
    author, reason : who, and why.
    content_hash : of wording, options and key (``content_hash``).
    """

    item: str
    version: int
    status: str
    date: str
    author: str
    reason: str
    content_hash: str


@dataclass(frozen=True, eq=False, kw_only=True)
class History(Tabular):
    """The ledger of one bank.

    Attributes
    ----------
    entries : in the order in which they were recorded.
    """

    entries: tuple[HistoryEntry, ...]

    def __repr__(self) -> str:
        last = f", last on {self.entries[-1].date}" if self.entries else ""
        return f"History({len(self.entries)} entries on {len(self.latest())} items{last})"

    def latest(self) -> dict[str, HistoryEntry]:
        """Return item id -> its last entry."""
        return {entry.item: entry for entry in self.entries}

    def of(self, item_id: str) -> tuple[HistoryEntry, ...]:
        """Return the entries of one item, oldest first."""
        return tuple(entry for entry in self.entries if entry.item == item_id)

    def tables(self) -> dict[str, Columns]:
        """Return ``history`` (a row per event)."""
        return {"history": {name: [getattr(entry, name) for entry in self.entries] for name in COLUMNS}}


def content_hash(item: LifecycleItem) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of an item's content: wording, options and key.

    Fields that are empty do not count, so that an optional field added to the schema later changes no hash.

    Examples
    --------
    >>> from talentassess.bank.load import load_bank
    >>> item = load_bank("service_core").situational[0]
    >>> content_hash(item) == content_hash(item.model_copy(update={"status": "reviewed", "version": 2}))
    True
    """
    return hash_json(_content(item.model_dump(mode="json", exclude_none=True)))


def _content(value: object) -> object:
    if isinstance(value, Mapping):
        kept = {str(name): _content(part) for name, part in value.items() if name not in NOT_CONTENT}
        return {name: part for name, part in kept.items() if part not in (None, {}, [])}
    return [_content(part) for part in value] if isinstance(value, list | tuple) else value


# -- reading ------------------------------------------------------------------------------------------------------


def load_history(name_or_path: str | Path) -> History:
    """Read the ledger of a bank; empty if it has none.

    Parameters
    ----------
    name_or_path : name of a shipped bank, or a folder.

    Raises
    ------
    ContentError : the ledger is not as this program writes it, or holds a step that the life cycle does not allow.

    Examples
    --------
    >>> load_history("service_core").of("no_such_item")
    ()
    """
    path = _folder(name_or_path) / LEDGER
    if not path.exists():
        return History(entries=())
    try:
        rows = list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ContentError(f"The ledger '{LEDGER}' cannot be read ({error}). Restore it from its last copy.") from error
    entries, problems = _parse(rows)
    if problems:
        raise ContentError(f"The ledger '{LEDGER}' is not sound; restore it from its last copy.", problems)
    return History(entries=tuple(entries))


def _folder(name_or_path: str | Path) -> Path:
    """Return a bank's folder; a shipped name may be that of any kind of bank."""
    shipped = content_dir("items") / str(name_or_path)
    return shipped if (shipped / "bank.yaml").is_file() else bank_folder(name_or_path)


def _parse(rows: Sequence[Sequence[str]]) -> tuple[list[HistoryEntry], list[str]]:
    if not rows or tuple(rows[0]) != COLUMNS:
        return [], [f"line 1: found '{','.join(rows[0]) if rows else ''}'; the columns are {','.join(COLUMNS)}"]
    entries: list[HistoryEntry] = []
    problems: list[str] = []
    last: dict[str, HistoryEntry] = {}
    for line, row in enumerate(rows[1:], 2):
        fault = _row_fault(row)
        if not fault:
            entry = _entry(row)
            fault = step_fault(last.get(entry.item), entry)
            last[entry.item] = entry
            entries.append(entry)
        if fault:
            problems.append(f"line {line}: {fault}")
    return entries, problems


def _entry(row: Sequence[str]) -> HistoryEntry:
    item, version, status, day, author, reason, digest = row
    return HistoryEntry(item, int(version), status, day, author, reason, digest)


def _row_fault(row: Sequence[str]) -> str:
    """Say what is wrong with a row by itself; empty if nothing is."""
    if len(row) != len(COLUMNS):
        return f"found {len(row)} cells; {len(COLUMNS)} are needed"
    blank = [name for name, cell in zip(COLUMNS, row, strict=True) if not cell.strip()]
    if blank:
        return f"found an empty cell in {', '.join(blank)}"
    if not row[1].isdecimal() or int(row[1]) < 1:
        return f"version: found '{row[1]}'; a whole number from 1 is needed"
    if row[2] not in get_args(ItemStatus):
        return f"status: found '{row[2]}'; there are: {', '.join(get_args(ItemStatus))}"
    return _date_fault(row[3])


def _date_fault(day: str) -> str:
    try:
        date.fromisoformat(day)
    except ValueError:
        return f"date: found '{day}'; a day such as 2025-03-31 is needed"
    return ""


# -- steps --------------------------------------------------------------------------------------------------------


def step_fault(before: HistoryEntry | None, after: HistoryEntry) -> str:
    """Say why the life cycle does not allow a step; empty if it does.

    draft -> reviewed -> piloted -> operational -> retired, one step at a time; retired from any; back to draft only
    with a higher version. Content changes only with a higher version, or while the item is a draft. External items
    (not ours) have no life cycle.

    Examples
    --------
    >>> draft = HistoryEntry("ow_1", 1, "draft", "2025-01-01", "A. Author", "first draft", "0" * 16)
    >>> step_fault(draft, replace(draft, status="operational"))
    "item 'ow_1': the step from draft to operational is not allowed; from draft an item goes to reviewed or retired"
    """
    where = f"item '{after.item}': "
    if before is None:
        remedy = f"record it as draft and advance it, or copy the {LEDGER} of the bank it comes from"
        fresh = after.status in ("draft", "external")
        return "" if fresh else f"{where}its first entry says {after.status}; {remedy}"
    if after.version < before.version:
        return f"{where}the version falls from {before.version} to {after.version}; it may only rise"
    if after.version > before.version:
        fresh = after.status in ("draft", "external")
        return "" if fresh else f"{where}version {after.version} is new and must begin as draft, not as {after.status}"
    if after.content_hash != before.content_hash and not before.status == after.status == "draft":
        return f"{where}its content was changed without a new version (version {after.version}, {before.status})"
    if after.status == before.status:
        return ""
    allowed = _next(before.status)
    if after.status in allowed:
        return ""
    goes = f"from {before.status} an item goes to {' or '.join(allowed)}" if allowed else "it needs a higher version"
    return f"{where}the step from {before.status} to {after.status} is not allowed; {goes}"


def _next(status: str) -> tuple[str, ...]:
    if status not in LIFECYCLE or status == "retired":
        return ()
    following = LIFECYCLE[LIFECYCLE.index(status) + 1]
    return tuple(dict.fromkeys((following, "retired")))


# -- writing ------------------------------------------------------------------------------------------------------


def record_history(
    items: Sequence[LifecycleItem], folder: str | Path, *, author: str, reason: str, date: str | None = None
) -> tuple[HistoryEntry, ...]:
    """Append new and changed items to a bank's ledger and return the entries written; none if nothing changed.

    Parameters
    ----------
    items : all items of the bank, e.g. ``bank.items``.
    folder : of the bank; a shipped name will do.
    author, reason : who made the change, and why.
    date : ISO 8601 day; today (UTC) if left out.

    Raises
    ------
    ContentError : a change that the life cycle does not allow, an empty author or reason, a date that is none. Nothing
        is written then.
    """
    history = load_history(folder)
    last = history.latest()
    day = _stamp(author, reason, date)
    entries = [
        HistoryEntry(item.id, item.version, item.status, day, author, reason, content_hash(item)) for item in items
    ]
    changed = [entry for entry in entries if _differs(last.get(entry.item), entry)]
    return _append(history, changed, _folder(folder))


def advance_items(
    items: Sequence[LifecycleItem],
    folder: str | Path,
    status: str,
    *,
    author: str,
    reason: str,
    date: str | None = None,
) -> tuple[HistoryEntry, ...]:
    """Give items another status: in the YAML files of their bank, comments kept, and in its ledger.

    Parameters
    ----------
    items : the items to advance, as they are now; each must be in the ledger as it is now.
    folder : of the bank; a shipped name will do.
    status : the new one.
    author, reason, date : as in ``record_history``.

    Raises
    ------
    ContentError : as ``record_history``; also if an item is not in the ledger, or was changed since. No file is changed
        then.
    """
    from talentassess.bank.yaml_edit import edited_statuses

    place, history = _folder(folder), load_history(folder)
    last, day = history.latest(), _stamp(author, reason, date)
    if status not in LIFECYCLE:
        raise ContentError(f"There is no status '{status}'; {choices(status, LIFECYCLE[1:])}.")
    entries = [HistoryEntry(i.id, i.version, status, day, author, reason, content_hash(i)) for i in items]
    now = [replace(entry, status=item.status) for entry, item in zip(entries, items, strict=True)]
    stale = [f"item '{entry.item}'" for entry in now if _differs(last.get(entry.item), entry)]
    if stale:
        raise ContentError(f"These items are not in the ledger as they are now; record them first. {RECORD}", stale)
    faults = [f"item '{item.id}': it is {status} already" for item in items if item.status == status]
    faults = faults + _faults(last, entries)
    if faults:
        raise ContentError(f"The items cannot become {status}.", faults)
    for path, text in edited_statuses(place, [entry.item for entry in entries], status).items():
        write_whole(path, text)
    return _append(history, entries, place)


def _stamp(author: str, reason: str, day: str | None) -> str:
    """Return the day to record, after checking what a person gave."""
    blank = [name for name, text in (("author", author), ("reason", reason)) if not text.strip()]
    if blank:
        raise ContentError(f"The ledger needs {' and '.join(blank)}: say who made the change, and why.")
    today = datetime.now(UTC).date().isoformat() if day is None else day
    if _date_fault(today):
        raise ContentError(f"The ledger cannot take this {_date_fault(today)}.")
    return today


def _differs(before: HistoryEntry | None, now: HistoryEntry) -> bool:
    if before is None:
        return True
    return (before.version, before.status, before.content_hash) != (now.version, now.status, now.content_hash)


def _faults(last: Mapping[str, HistoryEntry], entries: Sequence[HistoryEntry]) -> list[str]:
    return [fault for entry in entries if (fault := step_fault(last.get(entry.item), entry))]


def _append(history: History, entries: Sequence[HistoryEntry], folder: Path) -> tuple[HistoryEntry, ...]:
    faults = _faults(history.latest(), entries)
    if faults:
        remedy = "Raise the version and set the status back to draft, or undo the change"
        raise ContentError(f"The life cycle does not allow these changes; nothing was recorded. {remedy}.", faults)
    if entries:
        write_whole(folder / LEDGER, ledger_text([*history.entries, *entries]))
    return tuple(entries)


def ledger_text(entries: Sequence[HistoryEntry]) -> str:
    """Return a ledger as the text of ``history.csv``."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for entry in entries:
        writer.writerow([getattr(entry, name) for name in COLUMNS])
    return stream.getvalue()


# -- checking -----------------------------------------------------------------------------------------------------


def history_reviews(items: Sequence[LifecycleItem], history: History, *, complete: bool = True) -> Iterator[Finding]:
    """Yield findings where items and their ledger do not agree.

    Parameters
    ----------
    items : of a bank.
    history : its ledger.
    complete : False if the items are a selection, so that the ledger may know others.
    """
    if not history.entries:
        found = "no ledger yet; nobody can tell which wording was reviewed or piloted"
        yield note("no_ledger", LEDGER, found, RECORD)
        return
    last = history.latest()
    unknown = [item.id for item in items if item.id not in last]
    if unknown:
        more = " ..." if len(unknown) > SHOWN else ""
        found = f"{len(unknown)} item(s) are not in the ledger: {', '.join(unknown[:SHOWN])}{more}"
        yield note("not_recorded", LEDGER, found, RECORD)
    for item in items:
        if item.id in last:
            yield from _against_ledger(item, last[item.id])
    for item_id in sorted(set(last) - {item.id for item in items}) if complete else ():
        if last[item_id].status != "retired":
            found = f"is {last[item_id].status} (version {last[item_id].version}) in the ledger, but not in the bank"
            report = note if last[item_id].status == "draft" else problem
            yield report("gone_from_bank", item_id, found, "Keep the item with the status retired.")


def _against_ledger(item: LifecycleItem, before: HistoryEntry) -> Iterator[Finding]:
    now = replace(before, version=item.version, status=item.status, content_hash=content_hash(item))
    changed = now.content_hash != before.content_hash and now.version == before.version
    if changed:
        found = f"its content was changed without a new version (version {before.version}, {before.status}, recorded on"
        is_draft = before.status == item.status == "draft"
        report, remedy = (warning, CHANGED_DRAFT) if is_draft else (problem, CHANGED)
        yield report("changed_without_version", item.id, f"{found} {before.date})", remedy)
    elif step_fault(before, now):
        remedy = "Correct status and version, or take the steps in between with 'talentassess bank advance'."
        yield problem("step_not_allowed", item.id, step_fault(before, now).split(": ", 1)[1], remedy)
    elif _differs(before, now):
        found = f"is version {item.version}, {item.status}; the ledger has version {before.version}, {before.status}"
        yield note("not_recorded", item.id, found, RECORD)

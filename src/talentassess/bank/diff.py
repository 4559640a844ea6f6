"""What changed between two versions of a bank, and whether the changes follow the rules of the life cycle."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from talentassess.bank.evidence import EVIDENCE_FIELDS
from talentassess.bank.history import CHANGED, CHANGED_DRAFT, LIFECYCLE, LifecycleItem, content_hash
from talentassess.bank.review import problem, warning
from talentassess.bank.schema import ItemBank
from talentassess.core.status import Finding, Severity, finding_columns, gravest_first
from talentassess.core.tabular import Columns, Tabular

ChangeKind = Literal["added", "removed", "wording", "key", "status", "version", "scale", "notes", "other"]
_FIELDS: Mapping[ChangeKind, tuple[str, ...]] = {
    "wording": ("text", "scenario", "probes", "options"),
    "key": ("effectiveness", "in_context", "reverse", "key_source", "format", "responses"),
    "notes": ("indicator", "rationale", "desirability", "themes", *EVIDENCE_FIELDS),
    "status": ("status",),
    "version": ("version",),
    "scale": ("scale",),
}
_KINDS: Mapping[str, ChangeKind] = {field: kind for kind, fields in _FIELDS.items() for field in fields}
IN_USE = ("piloted", "operational")  # answers have been collected with these: they must not vanish


@dataclass(frozen=True, slots=True)
class ItemChange:
    """One field of an item that differs between two versions of a bank.

    Attributes
    ----------
    item : its id.
    kind : added, removed, wording, key, status, version, scale, notes (rationale, indicator), or other.
    field : the field, e.g. ``options.b.text``; empty for an item added or removed.
    before, after : what it said and says; empty where there was or is nothing.
    """

    item: str
    kind: ChangeKind
    field: str
    before: str
    after: str


@dataclass(frozen=True, eq=False, kw_only=True)
class BankDiff(Tabular):
    """Result of ``compare_banks``.

    Attributes
    ----------
    old, new : id and version of the two.
    changes : a row per changed field; items in the order of the new bank, then those removed.
    findings : rules that a change breaks (problems), and what to look at (warnings).
    """

    old: str
    new: str
    changes: tuple[ItemChange, ...]
    findings: tuple[Finding, ...]

    def __repr__(self) -> str:
        counts = {kind: len(self.items(kind)) for kind in ("added", "removed", "wording", "key", "status")}
        said = ", ".join(f"{n} {kind}" for kind, n in counts.items())
        return f"BankDiff({self.old} -> {self.new}: items {said}; {'rules kept' if self.ok else 'rules broken'})"

    @property
    def ok(self) -> bool:
        """True if no rule is broken."""
        return not any(finding.severity is Severity.PROBLEM for finding in self.findings)

    def items(self, kind: str) -> tuple[str, ...]:
        """Return the ids of the items that have a change of one kind."""
        return tuple(dict.fromkeys(change.item for change in self.changes if change.kind == kind))

    def tables(self) -> dict[str, Columns]:
        """Return ``changes`` (a row per changed field) and ``findings``."""
        return {
            "changes": {name: [getattr(row, name) for row in self.changes] for name in ItemChange.__slots__},
            "findings": finding_columns(self.findings),
        }


def compare_banks(old: ItemBank, new: ItemBank) -> BankDiff:
    """Compare two versions of a bank, item by item.

    Rules: new content (wording, options, key) needs a higher version, unless the item was a draft; a version does not
    fall; a status goes back only with a higher version; items that were piloted or operational do not vanish.

    Examples
    --------
    >>> from talentassess.bank.load import load_bank
    >>> bank = load_bank("service_core")
    >>> compare_banks(bank, bank).changes
    ()
    """
    changes, findings = compare_items(old.items, new.items)
    if changes and old.id == new.id and old.version == new.version:
        found = f"{len({change.item for change in changes})} item(s) changed, the bank is still version {new.version}"
        findings = (*findings, warning("bank_version", new.id, found, "Raise the version in bank.yaml."))
    return BankDiff(
        old=f"{old.id} {old.version}",
        new=f"{new.id} {new.version}",
        changes=changes,
        findings=gravest_first(findings),
    )


def compare_items(
    old: Sequence[LifecycleItem], new: Sequence[LifecycleItem]
) -> tuple[tuple[ItemChange, ...], tuple[Finding, ...]]:
    """Return the changes between two lists of items of any kind, and the rules they break; see ``compare_banks``."""
    before, after = {item.id: item for item in old}, {item.id: item for item in new}
    changes: list[ItemChange] = []
    findings: list[Finding] = []
    for item in new:
        if item.id not in before:
            changes.append(ItemChange(item.id, "added", "", "", _wording(item)))
            continue
        changes += _changes(before[item.id], item)
        findings += _broken_rules(before[item.id], item)
    for item in old:
        if item.id not in after:
            changes.append(ItemChange(item.id, "removed", "", _wording(item), ""))
            if item.status in IN_USE:
                found = f"was {item.status} (version {item.version}) and is gone"
                findings.append(problem("removed", item.id, found, "Keep the item with the status retired."))
    return tuple(changes), tuple(findings)


def _changes(old: LifecycleItem, new: LifecycleItem) -> Iterator[ItemChange]:
    before, after = _fields(old), _fields(new)
    for field in dict.fromkeys((*after, *before)):
        if before.get(field, "") != after.get(field, ""):
            yield ItemChange(new.id, _kind(field), field, before.get(field, ""), after.get(field, ""))


def _kind(field: str) -> ChangeKind:
    """Return the kind of the innermost part of a field that has one."""
    return next((_KINDS[part] for part in reversed(field.split(".")) if part in _KINDS), "other")


def _wording(item: LifecycleItem) -> str:
    return " | ".join(text for field, text in _fields(item).items() if field.rpartition(".")[2] in ("text", "scenario"))


def _fields(item: LifecycleItem) -> dict[str, str]:
    """Return every field of an item as path -> text; entries of lists are named by their id, else by their number."""
    return dict(_flat(item.model_dump(mode="json", exclude_none=True), ""))


def _flat(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _flat(part, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and any(isinstance(part, Mapping) for part in value):
        for number, part in enumerate(value, 1):
            yield from _flat(part, f"{path}.{part.get('id', number) if isinstance(part, Mapping) else number}")
    elif value not in (None, []):
        yield path, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _broken_rules(old: LifecycleItem, new: LifecycleItem) -> Iterator[Finding]:
    if new.version < old.version:
        found = f"the version falls from {old.version} to {new.version}"
        yield problem("version_falls", new.id, found, "Give the item a version above the old one.")
        return
    if new.version > old.version:
        return
    if content_hash(old) != content_hash(new):
        found = f"its content changed, its version is still {new.version}"
        is_draft = old.status == new.status == "draft"
        report, remedy = (warning, CHANGED_DRAFT) if is_draft else (problem, CHANGED)
        yield report("changed_without_version", new.id, found, remedy)
    if _stage(new.status) < _stage(old.status):
        found = f"the status goes back from {old.status} to {new.status} at the same version"
        yield problem("status_back", new.id, found, "Only a new version begins again as draft.")


def _stage(status: str) -> int:
    return LIFECYCLE.index(status) if status in LIFECYCLE else 0

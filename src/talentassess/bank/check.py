"""Review the content of a bank: coverage, keys, wording; each finding with its number and a remedy."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from talentassess.bank.competency import CompetencyModel
from talentassess.bank.key_review import key_reviews
from talentassess.bank.records import Context, Method
from talentassess.bank.review import Statistic, note, problem, warning
from talentassess.bank.schema import ItemBank, SituationalItem
from talentassess.bank.wording_review import wording_reviews
from talentassess.core.status import Finding, Severity, finding_columns, gravest_first
from talentassess.core.tabular import Columns, Tabular

FEW = {
    "self_report": 3,
    "situational": 2,
}  # fewer items give no item-rest correlation, or no reliability, worth reading


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many items of one method measure a scale in one context.

    Attributes
    ----------
    scale, method : scale id; ``self_report`` or ``situational``.
    context : role context; ``any`` for self-report, which is not tied to one.
    items : number of items that are not retired.
    """

    scale: str
    method: Method
    context: Context | str
    items: int


@dataclass(frozen=True, eq=False, kw_only=True)
class BankCheck(Tabular):
    """Result of ``check_bank``.

    Attributes
    ----------
    bank : id and version of the bank.
    bank_hash : content hash of what was checked.
    findings : problems first, then warnings and notes.
    coverage : number of items per scale, method and context.
    statistics : the numbers behind the findings, and those that gave none.
    """

    bank: str
    bank_hash: str
    findings: tuple[Finding, ...]
    coverage: tuple[Coverage, ...]
    statistics: tuple[Statistic, ...]

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(self.having(severity))} {severity.value}(s)" for severity in reversed(Severity))
        return f"BankCheck({self.bank}: {counts})"

    @property
    def ok(self) -> bool:
        """True if there is no finding of severity problem."""
        return not self.having(Severity.PROBLEM)

    def having(self, severity: Severity) -> tuple[Finding, ...]:
        """Return the findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity is severity)

    def tables(self) -> dict[str, Columns]:
        """Return ``findings``, ``coverage`` (scale x method x context) and ``statistics``."""
        return {
            "findings": finding_columns(self.findings),
            "coverage": {name: [getattr(row, name) for row in self.coverage] for name in Coverage.__slots__},
            "statistics": {name: [getattr(row, name) for row in self.statistics] for name in Statistic.__slots__},
        }


def check_bank(bank: ItemBank, competencies: CompetencyModel | None = None) -> BankCheck:
    """Review a bank's content.

    Coverage per scale, method and context; balance of reverse keys; whether the length or place of an option gives the
    key away; spread of effectiveness; missing rationales; reading grade, watched words and near-duplicates. The wording
    measures point a reviewer to items; they do not replace one.

    Parameters
    ----------
    bank : from ``load_bank``.
    competencies : from ``load_competencies``; if given, the scales are also held against it.

    Examples
    --------
    >>> from talentassess.bank.load import load_bank
    >>> check_bank(load_bank("service_core")).ok
    True
    """
    coverage = tuple(_coverage(bank))
    reviews: list[Finding | Statistic] = [
        *_identifier_findings(bank),
        *_coverage_findings(bank, coverage),
        *_competency_findings(bank, competencies),
        *key_reviews(bank),
        *wording_reviews(bank),
    ]
    findings = (review for review in reviews if isinstance(review, Finding))
    return BankCheck(
        bank=f"{bank.id} {bank.version}",
        bank_hash=bank.content_hash,
        findings=gravest_first(findings),
        coverage=coverage,
        statistics=tuple(review for review in reviews if isinstance(review, Statistic)),
    )


def _coverage(bank: ItemBank) -> Iterator[Coverage]:
    in_use = [item for item in bank.items if item.status != "retired"]
    counts = Counter(
        (item.scale, item.method, item.context if isinstance(item, SituationalItem) else "any") for item in in_use
    )
    for scale in bank.scale_ids:
        yield Coverage(scale, "self_report", "any", counts[scale, "self_report", "any"])
        for context in get_args(Context):
            yield Coverage(scale, "situational", context, counts[scale, "situational", context])


def _identifier_findings(bank: ItemBank) -> Iterator[Finding]:
    """Find ids that a person would mix up: equal but for case, underscores and leading zeros."""
    alike: dict[str, list[str]] = {}
    for item_id in bank.item_ids:
        plain = re.sub(r"0+(?=\d)", "", item_id.lower().replace("_", " ")).replace(" ", "")
        alike.setdefault(plain, []).append(item_id)
    for ids in alike.values():
        if len(ids) > 1:
            found = "the ids differ only in case, underscores or leading zeros"
            yield warning("confusable_ids", ", ".join(ids), found, "Rename one.")
    used = {item.responses for item in bank.self_report}
    for name in bank.response_scales:
        if name not in used:
            yield note("unused_response_scale", name, "no item uses this response scale", "Remove it from bank.yaml.")


def _coverage_findings(bank: ItemBank, coverage: tuple[Coverage, ...]) -> Iterator[Finding]:
    counts: Counter[tuple[str, str]] = Counter()
    for row in coverage:
        counts[row.scale, row.method] += row.items
    for scale in bank.scale_ids:
        if not any(counts[scale, method] for method in FEW):
            yield problem("empty_scale", scale, "the scale has no items in use", "Write items, or remove the scale.")
        for method, few in FEW.items():
            if 0 < counts[scale, method] < few:
                found = f"only {counts[scale, method]} {method} item(s); at least {few} are needed to judge them"
                yield warning("thin_scale", scale, found, "Write more items, or read its scores with care.")
    contexts = {row.context for row in coverage if row.method == "situational" and row.items}
    for row in coverage:
        if row.method == "situational" and not row.items and row.context in contexts and counts[row.scale, row.method]:
            found = f"no situational item in the context {row.context}, which other scales have"
            yield note("context_gap", row.scale, found, "Write one if the bank is to be used in that context.")


def _competency_findings(bank: ItemBank, competencies: CompetencyModel | None) -> Iterator[Finding]:
    if competencies is None:
        return
    for scale in bank.scales:
        if scale.competency is not None and scale.competency not in competencies.ids:
            found = f"the competency '{scale.competency}' is not in the competency model yet"
            yield problem("unknown_competency", scale.id, found, "Describe it in competencies.yaml, or write null.")
    for scale in bank.scales:
        if scale.competency in competencies.ids and scale.competency is not None:
            planned = competencies.competency(scale.competency).methods
            used = {item.method for item in bank.items if item.scale == scale.id}
            for method in sorted(used - set(planned)):
                found = f"has {method} items, but the competency model does not plan this method"
                yield note(
                    "unplanned_method", scale.id, found, "Add the method in competencies.yaml or drop the items."
                )

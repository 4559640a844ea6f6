"""What a content check reports: statistics, and findings with a remedy."""

from __future__ import annotations

from dataclasses import dataclass

from talentassess.bank.schema import Item, ItemBank, SelfReportItem
from talentassess.core.status import Finding, Severity
from talentassess.core.tabular import Tabular


@dataclass(frozen=True, slots=True)
class Statistic:
    """One number of a content check.

    Attributes
    ----------
    name : what was measured.
    where : the scale or bank it was measured on.
    value : the number found.
    expected : what it should be, in words.
    """

    name: str
    where: str
    value: float
    expected: str


class Reviewed(Tabular):
    """Mix-in for the result of a content check: it has ``findings``."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """True if there is no finding of severity problem."""
        return not self.having(Severity.PROBLEM)

    def having(self, severity: Severity) -> tuple[Finding, ...]:
        """Return the findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity is severity)

    def counts(self) -> str:
        """Return the number of findings by severity in words, the gravest first."""
        return ", ".join(f"{len(self.having(severity))} {severity.value}(s)" for severity in reversed(Severity))


def note(code: str, where: str, message: str, remedy: str) -> Finding:
    """Return a finding of severity note."""
    return Finding(code, Severity.NOTE, where, _sentence(message), remedy)


def warning(code: str, where: str, message: str, remedy: str) -> Finding:
    """Return a finding of severity warning."""
    return Finding(code, Severity.WARNING, where, _sentence(message), remedy)


def problem(code: str, where: str, message: str, remedy: str) -> Finding:
    """Return a finding of severity problem: the bank should not be used like this."""
    return Finding(code, Severity.PROBLEM, where, _sentence(message), remedy)


def _sentence(message: str) -> str:
    return f"{message[0].upper()}{message[1:].rstrip('.')}."


def wording_of(item: Item) -> str:
    """Return all published wording of an item as one text; empty if none is published."""
    if isinstance(item, SelfReportItem):
        return item.text or ""
    parts = [item.scenario, *(option.text for option in item.options)]
    return " ".join(f"{part.rstrip('.!?')}." if part[-1] not in ".!?" else part for part in parts if part)


def reads_english(bank: ItemBank) -> bool:
    """True if the word lists and the reading grade, made for English, apply."""
    return bank.language.split("-")[0] == "en"

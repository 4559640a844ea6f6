"""How a computation ended: a closed list, each with a sentence and a remedy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from talentassess.core.tabular import Columns


class Status(Enum):
    """How an estimation ended. Anything but ``CONVERGED`` is shown before the numbers it qualifies."""

    CONVERGED = "converged"
    MAX_STEPS = "stopped at the step limit"
    STALLED = "stopped without reaching the tolerance"
    AT_BOUND = "a parameter sits at its bound"
    NOT_IDENTIFIED = "not identified"
    NON_FINITE = "a non-finite value arose"
    INTERRUPTED = "interrupted"
    NOT_CHECKED = "convergence not reported by the engine"
    EXTREME_PATTERN = "no finite estimate for this answer pattern"
    NO_ANSWERS = "no answers"

    @property
    def remedy(self) -> str:
        """Say in a full sentence what the reader should do."""
        return _REMEDIES[self]

    @property
    def ok(self) -> bool:
        """True only for ``CONVERGED``."""
        return self is Status.CONVERGED


_REMEDIES = {
    Status.CONVERGED: "Nothing needs to be done.",
    Status.MAX_STEPS: "Raise max_steps, or look at the audit for items that keep moving; do not use the estimates yet.",
    Status.STALLED: "The likelihood could not be raised further; look at the audit, loosen tol, or simplify the model.",
    Status.AT_BOUND: "Look at the item named in the audit: drop it, repair its key, or give its parameter a prior.",
    Status.NOT_IDENTIFIED: "The data do not determine all parameters; fix or tie some, or collect more answers.",
    Status.NON_FINITE: "Check the data and starting values of the items named in the audit; do not use the estimates.",
    Status.INTERRUPTED: "The run was stopped by the user; the state so far is kept. Run it again to finish.",
    Status.NOT_CHECKED: "The external engine does not say whether it converged; compare it with engine='native'.",
    Status.EXTREME_PATTERN: "Maximum likelihood has no finite value here; use EAP, MAP or WLE for this person.",
    Status.NO_ANSWERS: "This person answered none of the items; any value shown is the population's, not theirs.",
}


class Severity(Enum):
    """How much a finding matters."""

    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a reader must know before using a result.

    Attributes
    ----------
    code : short stable identifier, e.g. ``negative_item_rest``.
    severity : note, warning or problem.
    where : the item, person, scale or file concerned.
    message : what was found, with the number that shows it.
    remedy : what to do about it.
    """

    code: str
    severity: Severity
    where: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.severity.value}: {self.where}: {self.message} {self.remedy}"


def gravest_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings with problems first, then warnings, then notes; order within a severity is kept."""
    order = (Severity.PROBLEM, Severity.WARNING, Severity.NOTE)
    return tuple(sorted(findings, key=lambda finding: order.index(finding.severity)))


def finding_columns(findings: Sequence[Finding]) -> Columns:
    """Return findings as columns: severity, code, where, message, remedy."""
    return {
        "severity": [f.severity.value for f in findings],
        "code": [f.code for f in findings],
        "where": [f.where for f in findings],
        "message": [f.message for f in findings],
        "remedy": [f.remedy for f in findings],
    }

"""Review the content of a bank: coverage, keys, wording; each finding with its number and a remedy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from talentassess.bank.blind_rules import BlindRules, apply_blind_rules, blind_reviews, draw_blind_read
from talentassess.bank.competency import CompetencyModel
from talentassess.bank.coverage import (
    Coverage,
    Questions,
    coverage_matrix,
    coverage_of,
    coverage_reviews,
    format_matrix,
)
from talentassess.bank.history import History, history_reviews
from talentassess.bank.key_review import key_reviews
from talentassess.bank.review import Reviewed, Statistic, reads_english, warning
from talentassess.bank.schema import ItemBank, SituationalItem
from talentassess.bank.traceability import Traceability
from talentassess.bank.wording_review import wording_reviews
from talentassess.core.status import Finding, Severity, finding_columns, gravest_first
from talentassess.core.tabular import Columns


@dataclass(frozen=True, eq=False, kw_only=True)
class BankCheck(Reviewed):
    """Result of ``check_bank``.

    Attributes
    ----------
    bank : what was checked.
    findings : problems first, then warnings and notes.
    coverage : number of items per scale, method and context.
    statistics : the numbers behind the findings, and those that gave none.
    blind : what blind rules (pick the longest, the nicest, the last) earn on all situational items.
    blind_read : items drawn at random, their options shuffled, for a reader without a key.
    blind_read_rules : what the same rules earn on those.
    history : the ledger of the bank; None if it was not given.
    traceability : which claims of the sources the content covers; None if it was not given.
    """

    bank: ItemBank
    findings: tuple[Finding, ...]
    coverage: tuple[Coverage, ...]
    statistics: tuple[Statistic, ...]
    blind: BlindRules
    blind_read: tuple[SituationalItem, ...]
    blind_read_rules: BlindRules
    history: History | None = None
    traceability: Traceability | None = None

    def __repr__(self) -> str:
        return f"BankCheck({self.bank.id} {self.bank.version}: {self.counts()})"

    def tables(self) -> dict[str, Columns]:
        """Return ``findings``, ``coverage``, ``formats``, ``statistics``, the blind rules, and ``traceability``."""
        blind, read = self.blind.tables(), self.blind_read_rules.tables()
        return {
            "findings": finding_columns(self.findings),
            "coverage": coverage_matrix(self.coverage),
            "formats": format_matrix(self.bank),
            "statistics": {name: [getattr(row, name) for row in self.statistics] for name in Statistic.__slots__},
            "blind_rules": blind["rules"],
            "best_places": blind["places"],
            "blind_read_rules": read["rules"],
            "blind_read_places": read["places"],
            **({} if self.traceability is None else self.traceability.tables()),
        }


def check_bank(
    bank: ItemBank,
    competencies: CompetencyModel | None = None,
    *,
    history: History | None = None,
    questions: Questions | None = None,
    traceability: Traceability | None = None,
    seed: int = 1,
) -> BankCheck:
    """Review a bank's content.

    Coverage per scale, method and context; balance of reverse keys and their desirability; whether the look or place of
    an option gives the key away; spread of effectiveness; paired versions and keys per context; missing rationales;
    reading grade, watched words and near-duplicates; changes that the ledger does not know. The measures point a
    reviewer to items; they do not replace one.

    Parameters
    ----------
    bank : from ``load_bank``.
    competencies : from ``load_competencies``; if given, the scales are also held against it.
    history : from ``load_history``; if given, items are held against their ledger.
    questions : number of interview questions by competency and context; if given, they are part of the coverage.
    traceability : from ``trace_claims``; if given, its tables are part of the result, and open claims are a warning:
        they concern the content as a whole, not this bank alone.
    seed : of the draw of the blind read.

    Examples
    --------
    >>> from talentassess.bank.load import load_bank
    >>> check_bank(load_bank("service_core")).ok
    True
    """
    english = reads_english(bank)
    in_use = [item for item in bank.situational if item.status != "retired"]
    coverage = coverage_of(bank, questions)
    blind, drawn = apply_blind_rules(in_use, english=english), draw_blind_read(in_use, seed=seed)
    reviews: list[Finding | Statistic] = [
        *coverage_reviews(bank, coverage, competencies),
        *key_reviews(bank),
        *blind_reviews(bank, blind),
        *wording_reviews(bank),
        *([] if history is None else history_reviews(bank.items, history, complete=bank.part_of is None)),
        *([] if traceability is None else _open_claims(traceability)),
    ]
    return BankCheck(
        bank=bank,
        findings=gravest_first(review for review in reviews if isinstance(review, Finding)),
        coverage=coverage,
        statistics=tuple(review for review in reviews if isinstance(review, Statistic)),
        blind=blind,
        blind_read=drawn,
        blind_read_rules=apply_blind_rules(drawn, english=english),
        history=history,
        traceability=traceability,
    )


def _open_claims(traceability: Traceability) -> Iterator[Finding]:
    if not traceability.ok:
        claims = dict.fromkeys(f.where for f in traceability.findings if f.severity is Severity.PROBLEM)
        found = f"{traceability.summary}; {len(claims)} are open or name what does not exist: {', '.join(claims)}"
        yield warning("open_claims", "traceability.yaml", found, "See 'talentassess bank trace'.")

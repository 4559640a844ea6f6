"""How far raters agree, how many are needed, and how severe each one is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from talentassess.agreement.facet_records import RaterSeverity
from talentassess.agreement.facets import rater_severity
from talentassess.agreement.gtheory import Decision, generalizability
from talentassess.agreement.icc import intraclass_correlation
from talentassess.agreement.krippendorff import krippendorff_alpha
from talentassess.agreement.ratings import Ratings
from talentassess.core.arrays import IntArray
from talentassess.core.errors import InterviewError, TalentAssessError
from talentassess.core.provenance import Provenance
from talentassess.core.status import Finding, Severity, finding_columns, gravest_first
from talentassess.core.tabular import Columns, Tabular
from talentassess.interview.ratings import HIGHEST, LOWEST, AnswerRating, InterviewRatings

AIM = 0.80  # dependability that the number of raters needed is stated for; a convention (Nunnally & Bernstein 1994)
MOST_RATERS = 10
NOT_KNOWN = float("nan")

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompetencyAgreement:
    """How far the raters agree on one competency. Numbers are NaN where the ratings do not tell them.

    Attributes
    ----------
    competency : its id.
    persons, raters : whom all these raters rated on all its questions.
    icc_single, icc_single_lower, icc_single_upper : ICC(2,1) of a rater's mean over the questions, with 95 % limits:
        how well one rater stands for another, leniency counted as error.
    icc_mean, icc_mean_lower, icc_mean_upper : ICC(2,k) of the mean of these raters.
    alpha, alpha_lower, alpha_upper : Krippendorff's alpha (ordinal) of single ratings; units are answers.
    e_rho2, phi : generalizability and dependability of the mean of these raters.
    raters_needed : fewest raters (up to 10) whose mean has phi of at least .80; None if ten are too few or not known.
    """

    competency: str
    persons: int = 0
    raters: int = 0
    icc_single: float = NOT_KNOWN
    icc_single_lower: float = NOT_KNOWN
    icc_single_upper: float = NOT_KNOWN
    icc_mean: float = NOT_KNOWN
    icc_mean_lower: float = NOT_KNOWN
    icc_mean_upper: float = NOT_KNOWN
    alpha: float = NOT_KNOWN
    alpha_lower: float = NOT_KNOWN
    alpha_upper: float = NOT_KNOWN
    e_rho2: float = NOT_KNOWN
    phi: float = NOT_KNOWN
    raters_needed: int | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class RaterReview(Tabular):
    """Result of ``review_raters``.

    Attributes
    ----------
    competencies : agreement per competency.
    decisions : competency -> what 1 to 10 raters would give (the D study).
    severity : many-facet Rasch analysis of all ratings together; None where it could not be fitted.
    findings : look at them before the numbers.
    provenance : of the ratings.
    """

    competencies: tuple[CompetencyAgreement, ...]
    decisions: dict[str, tuple[Decision, ...]]
    severity: RaterSeverity | None
    findings: tuple[Finding, ...]
    provenance: Provenance

    def __repr__(self) -> str:
        raters = len(self.severity.raters) if self.severity is not None else max(c.raters for c in self.competencies)
        return (
            f"RaterReview({len(self.competencies)} competencies, {raters} raters; {len(self.findings)} finding(s), "
            f"{self.provenance.label})"
        )

    def tables(self) -> dict[str, Columns]:
        """Return ``agreement`` (a row per competency), ``decisions``, ``raters``, ``persons`` and ``findings``."""
        rows = [(competency, decision) for competency, found in self.decisions.items() for decision in found]
        names = ("n_raters", "e_rho2", "phi", "relative_sem", "absolute_sem")
        severity = {} if self.severity is None else self.severity.tables()
        return {
            "agreement": {n: [getattr(c, n) for c in self.competencies] for n in CompetencyAgreement.__slots__},
            "decisions": {
                "competency": [competency for competency, _ in rows],
                **{name: [getattr(decision, name) for _, decision in rows] for name in names},
            },
            **{name: severity[name] for name in ("raters", "persons") if name in severity},
            "findings": finding_columns(self.findings),
        }


def review_raters(ratings: InterviewRatings, *, n_boot: int = 1000, seed: int = 0) -> RaterReview:
    """Say how far interviewers agree, how many are needed, and who is severe.

    Per competency: intraclass correlations (Shrout & Fleiss 1979) and a G and D study of the raters' means over its
    questions, Krippendorff's alpha of the single ratings. Over all ratings: the severity of each rater by a many-facet
    Rasch model, and for each person the rating that a rater of average severity would be expected to give.

    Parameters
    ----------
    ratings : from ``read_rating_forms`` or ``read_interview_ratings``.
    n_boot, seed : of the bootstrap behind the limits of alpha.

    Raises
    ------
    InterviewError : fewer than two raters, or no rating at all.

    Examples
    --------
    >>> rows = [AnswerRating(person=f"p{p}", rater=f"r{r}", question="q1", competency="ownership",
    ...                      rating=1 + (p + (p * r) % 2) % 5) for p in range(12) for r in range(3)]
    >>> review = review_raters(InterviewRatings(ratings=tuple(rows)), n_boot=100)
    >>> [(c.competency, c.persons, c.raters) for c in review.competencies]
    [('ownership', 12, 3)]
    """
    given = [r for r in ratings.ratings if r.rating is not None]
    if len({r.rater for r in given}) < 2:
        raise InterviewError("Agreement needs ratings by at least two raters; these are by fewer.")
    findings: list[Finding] = []
    agreement, decisions = [], {}
    for competency in dict.fromkeys(r.competency for r in given):
        own = [r for r in given if r.competency == competency]
        row, decided = _agreement(competency, own, ratings.provenance, findings, (n_boot, seed))
        agreement.append(row)
        if decided:
            decisions[competency] = decided
    everything = _as_ratings(given, ratings.provenance)
    severity = _try(lambda: rater_severity(everything), "all ratings", "severity", findings)
    if severity is not None:
        findings += severity.findings
        findings += _one_dimension(agreement)
    return RaterReview(
        competencies=tuple(agreement),
        decisions=decisions,
        severity=severity,
        findings=gravest_first([*ratings.findings, *dict.fromkeys(findings)]),
        provenance=ratings.provenance,
    )


def _agreement(
    competency: str,
    own: Sequence[AnswerRating],
    provenance: Provenance,
    findings: list[Finding],
    bootstrap: tuple[int, int],
) -> tuple[CompetencyAgreement, tuple[Decision, ...]]:
    means = _as_ratings(own, provenance).mean_over_items()
    icc = _try(lambda: intraclass_correlation(means), competency, "ICC and G study", findings)
    answers = _as_ratings(own, provenance, by_answer=True)
    n_boot, seed = bootstrap
    alpha = _try(
        lambda: krippendorff_alpha(answers, "ordinal", n_boot=n_boot, seed=seed), competency, "alpha", findings
    )
    known: dict[str, float | int | None] = {}
    decided: tuple[Decision, ...] = ()
    if alpha is not None:
        known |= {"alpha": alpha.alpha, "alpha_lower": alpha.lower, "alpha_upper": alpha.upper}
    if icc is not None:
        study = generalizability(means)
        decided = study.decide(range(1, MOST_RATERS + 1)).rows
        here = study.decide([study.n_raters]).rows[0]
        enough = [row.n_raters for row in decided if row.phi >= AIM]
        known |= {"persons": icc.n_persons, "raters": icc.n_raters, "e_rho2": here.e_rho2, "phi": here.phi}
        known["raters_needed"] = min(enough, default=None)
        for name, form in (("icc_single", icc["ICC(2,1)"]), ("icc_mean", icc["ICC(2,k)"])):
            known |= {name: form.icc, f"{name}_lower": form.lower, f"{name}_upper": form.upper}
        findings += [replace(f, where=f"{competency}, {f.where}") for f in (*icc.findings, *study.findings)]
    return CompetencyAgreement(competency=competency, **known), decided  # type: ignore[arg-type]


def _as_ratings(rows: Sequence[AnswerRating], provenance: Provenance, *, by_answer: bool = False) -> Ratings:
    """Return interview ratings as ratings of persons on questions, or of single answers if ``by_answer``."""
    person = [f"{r.person} on {r.question}" if by_answer else r.person for r in rows]
    question = ["answer" if by_answer else r.question for r in rows]
    labels = [tuple(dict.fromkeys(values)) for values in (person, [r.rater for r in rows], question)]
    place = [{label: i for i, label in enumerate(names)} for names in labels]
    return Ratings(
        person=_codes(person, place[0]),
        rater=_codes([r.rater for r in rows], place[1]),
        item=_codes(question, place[2]),
        score=np.array([r.rating for r in rows], dtype=np.float64),
        low=LOWEST,
        high=HIGHEST,
        person_ids=labels[0],
        rater_ids=labels[1],
        item_ids=labels[2],
        provenance=provenance,
    )


def _codes(values: Sequence[str], place: dict[str, int]) -> IntArray:
    return np.array([place[value] for value in values], dtype=np.int64)


def _try(compute: Callable[[], ResultT], where: str, what: str, findings: list[Finding]) -> ResultT | None:
    """Return a result, or None with a finding that says why these ratings do not give it."""
    try:
        return compute()
    except TalentAssessError as error:
        remedy = "Have more persons rated by the same raters."
        findings.append(Finding("not_computed", Severity.WARNING, where, f"No {what}: {error.message}", remedy))
        return None


def _one_dimension(agreement: Sequence[CompetencyAgreement]) -> Iterator[Finding]:
    if len(agreement) > 1:
        yield Finding(
            "one_dimension",
            Severity.NOTE,
            "severity",
            f"The severities come from all {len(agreement)} competencies together, as if they were one dimension.",
            "Use them to see who is severe or lenient; score competencies one by one.",
        )

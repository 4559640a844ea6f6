"""What a many-facet Rasch analysis returns."""

from __future__ import annotations

from dataclasses import dataclass

from talentassess.core.calibration import Calibration
from talentassess.core.errors import DataError
from talentassess.core.provenance import Provenance
from talentassess.core.scores import Scores
from talentassess.core.status import Finding, Status, finding_columns
from talentassess.core.tabular import Columns, Tabular


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetElement:
    """One rater or one question. Numbers are NaN where the design does not determine them.

    Attributes
    ----------
    label : of the rater or question.
    n : ratings. mean : of these, in points of the scale.
    measure : severity of a rater (positive is severe; they sum to 0) or difficulty of a question, logits.
    se : its standard error.
    infit, outfit : mean squares, 1 expected; above 1 more noise than the model expects, below 1 less.
    """

    label: str
    n: int
    mean: float
    measure: float
    se: float
    infit: float
    outfit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One step of the scale: where two neighbouring categories are equally likely, relative to the question.

    Attributes
    ----------
    question : label, or "all" where the steps are common.
    step : from category step - 1 to ``step``, in points of the scale: its upper point.
    measure, se : F_k in logits; the steps of a question sum to 0.
    """

    question: str
    step: float
    measure: float
    se: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonMeasure:
    """One person, adjusted for who rated them and on what.

    Attributes
    ----------
    person : label. n : ratings. mean : of these, in points: not adjusted; NaN without ratings.
    measure, se : expected a posteriori and posterior standard deviation, logits.
    fair : expected rating by a rater of average severity, over all questions, in points.
    status : of the measure.
    """

    person: str
    n: int
    mean: float
    measure: float
    se: float
    fair: float
    status: Status


@dataclass(frozen=True, eq=False, kw_only=True)
class RaterSeverity(Tabular):
    """Result of ``rater_severity``.

    Attributes
    ----------
    status : how the estimation ended; NOT_IDENTIFIED without numbers where the design is not connected.
    raters, questions, thresholds, persons : records; ``result["R1"]`` picks a rater.
    separation : true spread of severity over its mean error; ``reliability`` of the differences between raters (not
        agreement: high means that raters differ).
    chi_square, df, p : Wald test that all raters are equally severe.
    person_sd : standard deviation of the persons' latent distribution, logits.
    calibration, scores : what the engine returned, or None without numbers.
    findings : look at them before the numbers.
    provenance : of the ratings.
    """

    status: Status
    raters: tuple[FacetElement, ...]
    questions: tuple[FacetElement, ...]
    thresholds: tuple[Threshold, ...]
    persons: tuple[PersonMeasure, ...]
    separation: float
    reliability: float
    chi_square: float
    df: int
    p: float
    person_sd: float
    calibration: Calibration | None
    scores: Scores | None
    findings: tuple[Finding, ...]
    provenance: Provenance

    def __repr__(self) -> str:
        return (
            f"RaterSeverity({len(self.persons)} persons, {len(self.raters)} raters, {len(self.questions)} question(s); "
            f"separation {self.separation:.2f}, {self.status.value}; {len(self.findings)} finding(s), "
            f"{self.provenance.label})"
        )

    def __getitem__(self, rater: str) -> FacetElement:
        found = [r for r in self.raters if r.label == rater]
        if not found:
            raise DataError(f"There is no rater '{rater}'; there are: {', '.join(r.label for r in self.raters[:12])}.")
        return found[0]

    def tables(self) -> dict[str, Columns]:
        """Return ``raters``, ``questions``, ``thresholds``, ``persons``, ``summary`` and ``findings``."""
        element, step, person = FacetElement.__slots__, Threshold.__slots__, PersonMeasure.__slots__
        persons: dict[str, list[object]] = {name: [getattr(p, name) for p in self.persons] for name in person}
        persons["status"] = [p.status.value for p in self.persons]
        summary = ("separation", "reliability", "chi_square", "df", "p", "person_sd")
        return {
            "raters": {name: [getattr(r, name) for r in self.raters] for name in element},
            "questions": {name: [getattr(q, name) for q in self.questions] for name in element},
            "thresholds": {name: [getattr(t, name) for t in self.thresholds] for name in step},
            "persons": persons,
            "summary": {**{name: [getattr(self, name)] for name in summary}, "status": [self.status.value]},
            "findings": finding_columns(self.findings),
        }

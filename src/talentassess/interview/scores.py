"""Interview scores: means over raters and questions, with a standard error that knows both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.errors import InterviewError
from talentassess.core.provenance import Provenance
from talentassess.core.status import Finding, Severity, finding_columns
from talentassess.core.tabular import Columns, Tabular
from talentassess.interview.ratings import AnswerRating, InterviewRatings

FEW_PERSONS = 10  # variance components from fewer persons move a lot from sample to sample


@dataclass(frozen=True, slots=True)
class RatingComponents:
    """Variance of a rating within a person and competency, by where it comes from (rating points squared).

    Attributes
    ----------
    rater : between raters who judge the same answer; NaN if nobody was rated by two.
    question : between questions on one competency; NaN if no competency had two questions.
    residual : what neither explains; contains what could not be told apart from it.
    pairs : pairs of ratings that differ in rater only, in question only, in both.
    """

    rater: float
    question: float
    residual: float
    pairs: tuple[int, int, int]


@dataclass(frozen=True, eq=False, kw_only=True)
class InterviewScores(Tabular):
    """Scores of N persons on C competencies from interview ratings.

    Attributes
    ----------
    person_ids : (N,) labels.
    competencies : (C,) ids.
    score : (N, C) mean rating, 1 to 5; NaN if there is none.
    se : (N, C) standard error; NaN where a person has a single rating and nothing tells its error.
    n_raters, n_questions, n_ratings, n_missing : (N, C) counts.
    reliability : (C,) 1 - mean(se^2) / var(score) over the persons, not below 0; NaN with fewer than three persons.
        As the errors hold the leniency of raters and the difficulty of questions too, which do not matter where all
        persons share them, it is rather too low than too high.
    components : where the error comes from.
    findings : limits a reader should know, missing ratings among them.
    provenance : where the ratings came from.
    """

    person_ids: tuple[str, ...]
    competencies: tuple[str, ...]
    score: FloatArray
    se: FloatArray
    n_raters: IntArray
    n_questions: IntArray
    n_ratings: IntArray
    n_missing: IntArray
    reliability: FloatArray
    components: RatingComponents
    findings: tuple[Finding, ...]
    provenance: Provenance = field(default_factory=lambda: Provenance("in memory"))

    def __repr__(self) -> str:
        return (
            f"InterviewScores({len(self.person_ids)} persons, {', '.join(self.competencies)}; "
            f"{int(self.n_missing.sum())} ratings missing, {self.provenance.label})"
        )

    def tables(self) -> dict[str, Columns]:
        """Return ``scores`` (a row per person and competency), ``competencies``, ``components`` and ``findings``."""
        rows = [(i, c) for i in range(len(self.person_ids)) for c in range(len(self.competencies))]
        names = ("score", "se", "n_raters", "n_questions", "n_ratings", "n_missing")
        c = self.components
        return {
            "scores": {
                "person": [self.person_ids[i] for i, _ in rows],
                "competency": [self.competencies[k] for _, k in rows],
                **{name: [getattr(self, name)[i, k] for i, k in rows] for name in names},
            },
            "competencies": {
                "competency": list(self.competencies),
                "persons": np.sum(np.isfinite(self.score), axis=0),
                "mean": [_mean(column) for column in self.score.T],
                "sd": [_sd(column) for column in self.score.T],
                "reliability": self.reliability,
            },
            "components": {
                "source": ["rater", "question", "residual"],
                "variance": [c.rater, c.question, c.residual],
                "pairs": list(c.pairs),
            },
            "findings": finding_columns(self.findings),
        }


def score_interview(ratings: InterviewRatings) -> InterviewScores:
    """Score interviews: the mean of a person's ratings on each competency, with its standard error.

    SE^2 = s2_rater sum_r (n_r / n)^2 + s2_question sum_q (n_q / n)^2 + s2_residual / n, with n ratings of which n_r
    came from rater r and n_q belong to question q. The three variances are those of a rating within a person and
    competency (raters' leniency included: the absolute error of generalisability theory, Brennan 2001, Generalizability
    Theory, eq. 3.11). They are estimated from half squared differences of pairs of ratings of the same person and
    competency (Koch 1968, Technometrics 10, 551-558): D_r of pairs that differ in rater only, D_q in question only,
    D_rq in both; s2_rater = D_rq - D_q, s2_question = D_rq - D_r, s2_residual = D_r + D_q - D_rq, not below 0. They are
    pooled over competencies and persons. With one rater or one question only, what stays hidden is named in a finding.

    Parameters
    ----------
    ratings : from ``read_rating_forms`` or ``read_interview_ratings``.

    Raises
    ------
    InterviewError : there is no rating at all.
    """
    given = [r for r in ratings.ratings if r.rating is not None]
    if not given:
        raise InterviewError("There is no rating to score: every answer was left unrated. Fill in the forms first.")
    components = rating_components(ratings)
    cells = _cells(ratings)
    persons, competencies = ratings.persons, ratings.competencies
    size = (len(persons), len(competencies))
    score, se = np.full(size, np.nan), np.full(size, np.nan)
    counts = {name: np.zeros(size, dtype=np.int64) for name in ("raters", "questions", "ratings", "missing")}
    for i, person in enumerate(persons):
        for c, competency in enumerate(competencies):
            cell = cells.get((person, competency), [])
            rated = [r for r in cell if r.rating is not None]
            counts["missing"][i, c] = len(cell) - len(rated)
            counts["ratings"][i, c] = len(rated)
            counts["raters"][i, c] = len({r.rater for r in rated})
            counts["questions"][i, c] = len({r.question for r in rated})
            if rated:
                score[i, c] = np.mean([r.rating for r in rated if r.rating is not None])
                se[i, c] = np.sqrt(_error_variance(rated, components))
    return InterviewScores(
        person_ids=persons,
        competencies=competencies,
        score=score,
        se=se,
        **{f"n_{name}": count for name, count in counts.items()},
        reliability=np.array([_reliability(score[:, c], se[:, c]) for c in range(size[1])]),
        components=components,
        findings=(*_findings(ratings, components), *ratings.findings),
        provenance=ratings.provenance,
    )


def rating_components(ratings: InterviewRatings) -> RatingComponents:
    """Return the variance components of ratings within persons and competencies; see ``score_interview``."""
    halves: tuple[list[float], list[float], list[float]] = ([], [], [])
    for cell in _cells(ratings).values():
        for a, b in combinations([r for r in cell if r.rating is not None], 2):
            kind = 0 if a.question == b.question else 1 if a.rater == b.rater else 2
            halves[kind].append((float(a.rating or 0) - float(b.rating or 0)) ** 2 / 2)
    pairs = (len(halves[0]), len(halves[1]), len(halves[2]))
    d_r, d_q, d_rq = (float(np.mean(h)) if h else np.nan for h in halves)
    if all(pairs):
        return RatingComponents(max(0.0, d_rq - d_q), max(0.0, d_rq - d_r), max(0.0, d_r + d_q - d_rq), pairs)
    if pairs[2] and pairs[1]:  # raters never share an answer
        return RatingComponents(max(0.0, d_rq - d_q), np.nan, d_q, pairs)
    if pairs[2] and pairs[0]:  # nobody rates two answers of a person
        return RatingComponents(np.nan, max(0.0, d_rq - d_r), d_r, pairs)
    if pairs[0] and pairs[1]:  # in different interviews: the residual is in either, so it stays there
        return RatingComponents(d_r, d_q, 0.0, pairs)
    # One kind of pairs: their half squared difference is all the error that can be seen.
    seen = [d for d in (d_r, d_q, d_rq) if np.isfinite(d)]
    return RatingComponents(np.nan, np.nan, seen[0] if seen else np.nan, pairs)


def _cells(ratings: InterviewRatings) -> dict[tuple[str, str], list[AnswerRating]]:
    """Return (person, competency) -> the ratings, missing ones included."""
    cells: dict[tuple[str, str], list[AnswerRating]] = {}
    for r in ratings.ratings:
        cells.setdefault((r.person, r.competency), []).append(r)
    return cells


def _error_variance(rated: list[AnswerRating], components: RatingComponents) -> float:
    n = len(rated)
    total = components.residual / n
    for key, variance in (("rater", components.rater), ("question", components.question)):
        if np.isfinite(variance):
            labels = [getattr(r, key) for r in rated]
            total += variance * sum((labels.count(label) / n) ** 2 for label in set(labels))
    return float(total)


def _reliability(score: FloatArray, se: FloatArray) -> float:
    use = np.isfinite(score) & np.isfinite(se)
    if use.sum() < 3:
        return float("nan")
    observed = float(np.var(score[use], ddof=1))
    return max(0.0, 1 - float(np.mean(se[use] ** 2)) / observed) if observed > 0 else float("nan")


def _findings(ratings: InterviewRatings, components: RatingComponents) -> Iterator[Finding]:
    same_answer, same_rater, _ = components.pairs
    if not same_answer:
        message = "No answer was judged by two raters, so the standard errors leave out how much raters differ."
        yield Finding("one_rater", Severity.WARNING, "ratings", message, "Have two raters judge the same answers.")
    if not same_rater:
        message = "No competency has two questions, so the standard errors leave out how much questions differ."
        remedy = "Ask two questions on the competencies that matter most."
        yield Finding("one_question", Severity.WARNING, "ratings", message, remedy)
    if len(ratings.persons) < FEW_PERSONS:
        message = f"The error variances and reliabilities rest on {len(ratings.persons)} person(s)."
        remedy = f"Read them as rough; {FEW_PERSONS} or more make them steadier."
        yield Finding("few_persons", Severity.NOTE, "ratings", message, remedy)
    for c in ratings.competencies:
        values = [r.rating for r in ratings.ratings if r.competency == c and r.rating is not None]
        if len(set(values)) == 1 and len(values) > 2:
            message = f"All {len(values)} ratings are {values[0]}."
            yield Finding("no_spread", Severity.WARNING, c, message, "Look at the anchors with the raters.")


def _mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _sd(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else float("nan")

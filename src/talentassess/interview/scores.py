"""Interview scores: means over raters and questions, with a standard error that knows both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.errors import InterviewError
from talentassess.core.provenance import Provenance
from talentassess.core.status import Finding, Severity, finding_columns
from talentassess.core.tabular import Columns, Tabular
from talentassess.interview.ratings import AnswerRating, InterviewRatings

LOW_RELIABILITY = 0.5  # below it, less than half of the variance between persons is theirs
INCOMPLETE = ("missing", "partial")
WIDE = 2  # rating points between two raters of one answer that call for a talk
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
    ratings : what the scores rest on; the STAR marks and faults in them do not enter the scores.
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
    ratings: tuple[AnswerRating, ...] = ()

    def __repr__(self) -> str:
        return (
            f"InterviewScores({len(self.person_ids)} persons, {', '.join(self.competencies)}; "
            f"{int(self.n_missing.sum())} ratings missing, {self.provenance.label})"
        )

    def tables(self) -> dict[str, Columns]:
        """Return ``scores``, ``competencies``, ``components``, ``answers`` and ``findings``.

        ``scores`` has a row per person and competency. ``answers`` has a row per person and question: the ratings of
        each rater side by side, how far they lie apart, and how many raters found a part of the story missing or
        partial, or ticked a fault.
        """
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
            "answers": _answer_columns(self.ratings),
            "findings": finding_columns(self.findings),
        }


def _answer_columns(ratings: Sequence[AnswerRating]) -> Columns:
    answers: dict[tuple[str, str, str], dict[str, AnswerRating]] = {}
    for r in ratings:
        answers.setdefault((r.person, r.competency, r.question), {})[r.rater] = r
    raters = list(dict.fromkeys(r.rater for r in ratings))
    columns: dict[str, list[object]] = {
        name: [key[k] for key in answers] for k, name in enumerate(("person", "competency", "question"))
    }
    for rater in raters:
        columns[f"rating({rater})"] = [by[rater].rating if rater in by else None for by in answers.values()]
    columns["apart"] = [_apart(list(by.values())) for by in answers.values()]
    for part in max((tuple(r.star) for r in ratings), key=len, default=()):  # a form's own order of the parts
        columns[f"incomplete({part})"] = [
            sum(r.star.get(part) in INCOMPLETE for r in by.values()) for by in answers.values()
        ]
    columns["faults"] = [_counted(fault for r in by.values() for fault in r.faults) for by in answers.values()]
    return columns


def _counted(labels: Iterable[str]) -> str:
    """Return labels with how often each occurs: ``vague 2, rambling 1``."""
    return ", ".join(f"{label} {n}" for label, n in Counter(labels).items())


def _apart(ratings: Sequence[AnswerRating]) -> int | None:
    """Return highest minus lowest rating of an answer; None with fewer than two."""
    given = [r.rating for r in ratings if r.rating is not None]
    return max(given) - min(given) if len(given) > 1 else None


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
    reliability = np.array([_reliability(score[:, c], se[:, c]) for c in range(size[1])])
    return InterviewScores(
        person_ids=persons,
        competencies=competencies,
        score=score,
        se=se,
        **{f"n_{name}": count for name, count in counts.items()},
        reliability=reliability,
        components=components,
        findings=(*_findings(ratings, components), *_doubts(ratings, reliability), *ratings.findings),
        provenance=ratings.provenance,
        ratings=ratings.ratings,
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


def _doubts(ratings: InterviewRatings, reliability: FloatArray) -> Iterator[Finding]:
    """Yield what speaks against reading differences between persons, and what was noted but not scored."""
    low = [(c, r) for c, r in zip(ratings.competencies, reliability, strict=True) if r < LOW_RELIABILITY]
    if low:
        listed = ", ".join(f"{c} {r:.2f}" for c, r in low)
        message = f"Reliability below {LOW_RELIABILITY:g}: {listed}. Most of what sets these persons apart is error."
        remedy = "Do not order persons by these scores; add raters and questions."
        yield Finding("low_reliability", Severity.WARNING, "scores", message, remedy)
    apart = _answer_columns(ratings.ratings)["apart"]
    wide = sum(isinstance(gap, int) and gap >= WIDE for gap in apart)
    if wide:
        message = f"On {wide} of {len(apart)} answers two raters lie {WIDE} points or more apart."
        remedy = "Let these raters compare their notes with the anchors; a mean hides such a split."
        yield Finding("raters_apart", Severity.WARNING, "ratings", message, remedy)
    if any(r.star or r.faults for r in ratings.ratings):
        message = "What was noted of STAR and faults does not enter the scores."
        yield Finding("notes_not_scored", Severity.NOTE, "ratings", message, "Read it beside the ratings.")


def _mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _sd(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else float("nan")

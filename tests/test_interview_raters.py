"""Review of interview raters: agreement per competency, raters needed, severity; all SIMULATED with a known truth."""

from __future__ import annotations

import numpy as np
import pytest

import talentassess as ta
from interview_cases import RATINGS, TINY_INTERVIEW, rated
from talentassess.agreement.gtheory import generalizability
from talentassess.agreement.icc import intraclass_correlation
from talentassess.agreement.ratings import from_matrix
from talentassess.core.errors import InterviewError
from talentassess.interview import AnswerRating, InterviewRatings, review_raters
from talentassess.render.blocks import FindingBlock

SEVERITY = np.array([-0.8, 0.0, 0.8])


def simulated(persons: int, seed: int = 1, questions: int = 2) -> np.ndarray:
    """Return SIMULATED ratings 1 to 5 (persons, raters, questions), thresholds +-1.5 and +-0.5 logits."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(0, 1.5, (persons, 1, 1)) - SEVERITY[None, :, None] + np.zeros((1, 1, questions))
    steps = np.cumsum(theta[..., None] - np.array([-1.5, -0.5, 0.5, 1.5]), axis=-1)
    weight = np.exp(np.concatenate([np.zeros((*theta.shape, 1)), steps], axis=-1))
    below = np.cumsum(weight / weight.sum(axis=-1, keepdims=True), axis=-1)
    return 1.0 + (rng.random((*theta.shape, 1)) > below).sum(axis=-1)


@pytest.fixture(scope="module")
def review():
    return review_raters(rated(simulated(300)), n_boot=200)


def test_agreement_is_that_of_the_raters_means(review):
    means = from_matrix(simulated(300).mean(axis=2), low=1, high=5)
    (row,) = review.competencies
    icc, study = intraclass_correlation(means), generalizability(means)
    assert (row.persons, row.raters) == (300, 3)
    assert row.icc_single == pytest.approx(icc["ICC(2,1)"].icc)
    assert row.icc_mean_lower == pytest.approx(icc["ICC(2,k)"].lower)
    decided = study.decide(range(1, 11)).rows
    assert row.phi == pytest.approx(decided[2].phi)
    assert row.raters_needed == next(d.n_raters for d in decided if d.phi >= 0.8)
    assert 0 < row.alpha < row.icc_mean


def test_severities_of_the_simulation_are_found(review):
    found = {r.label: r for r in review.severity.raters}
    for label, true in zip(("r0", "r1", "r2"), SEVERITY, strict=True):
        assert abs(found[label].measure - true) < 4 * found[label].se
    assert review.severity.p < 0.001


def test_fair_ratings_undo_the_luck_of_the_raters():
    """Each person is seen by two of three raters: the fair rating follows the truth more closely than the mean."""
    values = simulated(600, seed=5)
    values[np.arange(600), np.arange(600) % 3] = np.nan
    ratings = rated(values)
    kept = InterviewRatings(ratings=tuple(r for r in ratings.ratings if r.rating is not None))
    review = review_raters(kept, n_boot=0)
    full = simulated(600, seed=5).mean(axis=(1, 2))
    fair = {p.person: p.fair for p in review.severity.persons}
    plain = np.nanmean(values.reshape(600, -1), axis=1)
    adjusted = np.array([fair[f"p{i}"] for i in range(600)])
    assert np.corrcoef(adjusted, full)[0, 1] > np.corrcoef(plain, full)[0, 1] + 0.005


def test_what_cannot_be_computed_is_said_and_the_rest_is_there():
    """Nobody was rated by both raters: no ICC, no alpha, no severity, and a reason for each."""
    values = np.full((6, 2, 1), np.nan)
    values[:3, 0, 0], values[3:, 1, 0] = [1, 3, 5], [2, 3, 4]
    kept = tuple(r for r in rated(values).ratings if r.rating is not None)
    review = review_raters(InterviewRatings(ratings=kept), n_boot=10)
    assert np.isnan(review.competencies[0].icc_single)
    reasons = [f.message for f in review.findings if f.code == "not_computed"]
    assert any(m.startswith("No ICC and G study") for m in reasons)
    assert any(m.startswith("No alpha") for m in reasons)
    assert review.severity is not None
    assert review.severity.status is ta.Status.NOT_IDENTIFIED
    assert ta.report(review).sections[0].title == "Read before the numbers"


def test_one_rater_is_refused():
    one = AnswerRating(person="p1", rater="a", question="q1", competency="ownership", rating=3)
    with pytest.raises(InterviewError, match="at least two raters"):
        review_raters(InterviewRatings(ratings=(one,)))


def test_the_report_shows_findings_before_numbers(review, tmp_path):
    doc = ta.report(review)
    assert isinstance(doc.sections[0].blocks[0], FindingBlock)
    assert {t.anchor for t in doc.tables} >= {"icc", "d-study", "rater-table", "person-table"}
    page = doc.save(tmp_path / "raters.html").read_text(encoding="utf-8")
    assert "ICC(2,k)" in page


def test_the_fixture_of_the_commands_is_reviewed():
    bank = ta.load_interview_bank(TINY_INTERVIEW)
    review = review_raters(ta.read_interview_ratings(RATINGS, bank.competency_of()), n_boot=50)
    assert {c.competency for c in review.competencies} <= set(bank.competencies)
    assert review.provenance.source == RATINGS.name


def test_questions_that_rotate_leave_no_mean_and_the_review_says_so():
    """Every rater rates one of two questions of each person: no mean over both, but alpha and severity remain."""
    values = simulated(40, seed=2)
    rows, raters = np.indices(values.shape[:2])
    values[rows, raters, (rows + raters) % 2] = np.nan
    review = review_raters(rated(values), n_boot=50)
    (row,) = review.competencies
    assert np.isnan(row.icc_single)
    assert np.isfinite(row.alpha)
    assert review.severity is not None
    assert any("No rater rated all 2 items of any person" in f.message for f in review.findings)
    # What was found on one competency names it: alpha's findings, too.
    few = review_raters(rated(simulated(5)), n_boot=20)
    assert "ownership: alpha" in [f.where for f in few.findings if f.code == "few_units"]


def test_findings_name_their_competency_and_the_projection_is_one_row_each():
    values = np.full((9, 3, 1), np.nan)
    values[..., 0] = 1 + (np.arange(9)[:, None] + np.arange(3)) % 5
    values[0, 0, 0] = np.nan
    review = review_raters(rated(values), n_boot=10)
    (left_out,) = [f for f in review.findings if "not rated by every rater" in f.message]
    assert left_out.where.startswith("ownership")
    (phi,) = [t for t in ta.report(review).tables if t.anchor == "d-study"]
    assert list(phi.columns) == ["Competency", *map(str, range(1, 11))]
    assert phi.cells["Competency"] == ("Ownership",)

"""Several methods in one profile: metric, errors, disagreement, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import talentassess as ta
from talentassess.core.errors import InterviewError
from talentassess.core.provenance import Provenance
from talentassess.core.scores import Scores
from talentassess.core.status import Status
from talentassess.interview import InterviewScores, RatingComponents, combine_methods, composite_reliability


def theta_scores(theta, se, reliability, method="ml", dimensions=("ownership",), simulated=True):
    n, d = theta.shape
    cov = np.zeros((n, d, d))
    cov[:, range(d), range(d)] = se**2
    return Scores(
        person_ids=tuple(f"p{i}" for i in range(n)),
        dimensions=dimensions,
        theta=theta,
        cov=cov,
        method=method,
        metric="logit",
        status=np.full((n, d), Status.CONVERGED, dtype=object),
        n_answered=np.full((n, d), 10),
        reliability=np.asarray(reliability, dtype=float),
        provenance=Provenance("test", simulated=simulated),
    )


def interview_scores(score, se, reliability, competencies=("ownership",), persons=None):
    n, c = score.shape
    counts = np.full((n, c), 2)
    return InterviewScores(
        person_ids=persons or tuple(f"p{i}" for i in range(n)),
        competencies=competencies,
        score=score,
        se=se,
        n_raters=counts,
        n_questions=counts,
        n_ratings=2 * counts,
        n_missing=0 * counts,
        reliability=np.asarray(reliability, dtype=float),
        components=RatingComponents(0.1, 0.1, 0.1, (1, 1, 1)),
        findings=(),
        provenance=Provenance("forms", simulated=True),
    )


def three_methods(n, reliabilities=(0.85, 0.7, 0.55), seed=0, shared=1.0):
    """Congeneric methods: the same true score (or one correlated ``shared``) with errors that fit the reliabilities."""
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(n, 1))
    found = []
    for rel in reliabilities:
        own = shared * true + np.sqrt(1 - shared**2) * rng.normal(size=(n, 1))
        error = np.sqrt((1 - rel) / rel)
        found.append((own + error * rng.normal(size=(n, 1)), np.full((n, 1), error), [rel]))
    (a, sa, ra), (b, sb, rb), (c, sc, rc) = found
    return {
        "self_report": theta_scores(a, sa, ra),
        "situational": theta_scores(b, sb, rb),
        "interview": interview_scores(3 + 0.5 * c, 0.5 * sc, rc),
    }


def test_methods_that_measure_the_same_differ_no_more_often_than_by_chance():
    """SIMULATED congeneric methods: 5 % flagged; binomial SE of 3 x 4000 nearly independent flags is .002."""
    profile = combine_methods(three_methods(4000))
    rate = sum(a.flagged for a in profile.agreement) / sum(a.persons for a in profile.agreement)
    assert rate == pytest.approx(0.05, abs=0.01)
    assert all(a.disattenuated == pytest.approx(1, abs=0.06) for a in profile.agreement)
    assert not [f for f in profile.findings if f.code == "methods_disagree"]


def test_methods_that_share_little_are_named_before_they_are_added_up():
    profile = combine_methods(three_methods(800, shared=0.5))
    assert {f.code for f in profile.findings} >= {"methods_disagree", "many_differ", "weights_by_judgement"}
    assert sum(a.flagged for a in profile.agreement) > 3 * sum(a.expected_by_chance for a in profile.agreement)
    doc = ta.report(profile)
    titles = [section.title for section in doc.sections]
    assert titles == ["How far the methods agree", "Methods and composite"]
    assert doc.simulated


def test_the_composite_is_the_weighted_sum_with_mosiers_reliability():
    weights = {"self_report": 5, "situational": 3, "interview": 2}
    profile = combine_methods(three_methods(300), weights=weights)
    assert profile.weights == pytest.approx([0.5, 0.3, 0.2])
    raw = profile.z[:, 0] @ profile.weights
    assert profile.composite[:, 0] == pytest.approx(raw / raw.std(ddof=1))
    observed = np.corrcoef(profile.z[:, 0], rowvar=False)
    expected = composite_reliability([0.5, 0.3, 0.2], observed, [0.85, 0.7, 0.55])
    assert profile.composite_reliability[0] == pytest.approx(expected, abs=1e-12)
    # the mean squared standard error and the reliability say the same: both come from the same reliabilities
    assert np.mean(profile.composite_se**2) == pytest.approx(1 - expected, abs=0.03)


def test_shrunken_scores_get_the_error_of_the_score_before_shrinkage():
    """EAP of a normal true score: EAP = r X, posterior SD sqrt(1 - r). In SDs of X the error is sqrt(1 - r)."""
    rng = np.random.default_rng(3)
    r, n = 0.6, 5000
    true = rng.normal(size=(n, 1))
    x = true + np.sqrt((1 - r) / r) * rng.normal(size=(n, 1))
    eap = theta_scores(r * x, np.full((n, 1), np.sqrt(1 - r)), [r], method="eap")
    ml = theta_scores(x, np.full((n, 1), np.sqrt((1 - r) / r)), [r])
    profile = combine_methods({"eap": eap, "ml": ml})
    assert profile.se[0, 0] == pytest.approx([np.sqrt(1 - r)] * 2, abs=0.02)
    assert profile.z[:, 0, 0] == pytest.approx(profile.z[:, 0, 1], abs=1e-9)


def test_a_few_persons_are_placed_in_the_metric_of_a_larger_group():
    everybody = three_methods(200)
    group = combine_methods(everybody)
    few = {
        "self_report": theta_scores(everybody["self_report"].theta[:3], everybody["self_report"].se[:3], [0.85]),
        "situational": theta_scores(everybody["situational"].theta[:3], everybody["situational"].se[:3], [0.7]),
        "interview": interview_scores(everybody["interview"].score[:3], everybody["interview"].se[:3], [np.nan]),
    }
    with pytest.raises(InterviewError, match="For a few persons, give reference="):
        combine_methods(few)
    placed = combine_methods(few, reference=group)
    assert placed.composite == pytest.approx(group.composite[:3])
    assert placed.composite_se == pytest.approx(group.composite_se[:3])
    assert placed.composite_reliability == pytest.approx(group.composite_reliability)
    assert [(a.persons, a.compared) for a in placed.agreement] == [(200, 3)] * 3
    with pytest.raises(InterviewError, match="the methods in the same order"):
        combine_methods({"interview": few["interview"], "self_report": few["self_report"]}, reference=group)


def test_separately_scored_methods_of_a_real_bank_join():
    """SIMULATED answers to the shipped bank: its self-report and situational items, each scored by itself."""
    answers = ta.simulate(ta.load_bank("service_core"), 150, seed=4)
    parts = {kind: [i for i in answers.item_ids if i.startswith("ow_" + kind)] for kind in ("sr", "sj")}
    scored = {}
    for kind, items in parts.items():
        chosen = answers.select(items)
        scored[kind] = ta.score(ta.calibrate(chosen, "graded", se=None), chosen)
    profile = combine_methods(scored)
    assert profile.competencies == ("ownership",)
    assert profile.provenance.simulated
    assert np.isfinite(profile.composite).all()


def test_scores_of_a_calibration_that_ended_badly_are_a_problem_before_the_numbers():
    methods = three_methods(60)
    methods["situational"].status[:] = Status.AT_BOUND
    first = combine_methods(methods).findings[0]
    assert (first.code, first.severity.value, first.where) == ("score_status", "problem", "ownership")
    assert first.message.startswith("situational: these scores come from a calibration that did not end well (a param")
    methods["situational"].status[:] = Status.NO_ANSWERS
    assert "score_status" not in {f.code for f in combine_methods(methods).findings}


def test_a_small_group_and_correlations_above_one_are_told():
    few = combine_methods(three_methods(12, reliabilities=(0.3, 0.3, 0.3), seed=1))
    (found,) = [f for f in few.findings if f.code == "few_persons"]
    assert found.message.startswith("Means, SDs and correlations of the methods rest on 12 persons")
    assert "come from the group of their calibration" in found.message
    above = [a.disattenuated for a in few.agreement if a.disattenuated > 1]
    (told,) = [f for f in few.findings if f.code == "above_one"]
    assert told.message == f"{len(above)} of 3 correlations freed of error are above 1, up to {max(above):.2f}."
    assert "few_persons" not in {f.code for f in combine_methods(three_methods(60)).findings}


def test_an_unknown_reliability_is_said_without_a_nan():
    methods = three_methods(60)
    nothing = interview_scores(methods["interview"].score, methods["interview"].se, [0.0])
    found = [f for f in combine_methods(methods | {"interview": nothing}).findings if f.code == "agreement_unknown"]
    assert len(found) == 2
    assert not any("nan" in f.message for f in found)


def test_the_page_shows_the_disagreement_before_the_composite():
    profile = combine_methods(three_methods(800, shared=0.5))
    (table,) = [t for t in ta.report(profile).tables if t.caption.startswith("Profile per person")]
    names = list(table.columns)
    assert names.index("methods differ") < names.index("composite")
    assert names[-2:] == ["composite", "SE 4"]


def test_a_person_without_a_method_has_no_composite_and_is_named():
    methods = three_methods(30)
    theta = methods["self_report"].theta.copy()
    theta[4] = np.nan
    methods["self_report"] = theta_scores(theta, methods["self_report"].se, [0.85])
    profile = combine_methods(methods)
    assert np.isnan(profile.composite[4, 0])
    assert np.isfinite(np.delete(profile.composite[:, 0], 4)).all()
    assert [f.message for f in profile.findings if f.code == "no_composite"] == [
        "1 person(s) lack a method and have no composite: p4."
    ]


def test_tables_keep_methods_and_composite_together():
    profile = combine_methods(three_methods(20))
    columns = list(profile.tables()["profile"])
    assert columns[2:8:2] == ["self_report", "situational", "interview"]
    assert columns[-3:] == ["composite", "se(composite)", "methods_differ"]
    frame = profile.to_frame()
    assert list(frame["SIMULATED"].unique()) == ["SIMULATED"]
    disagreement = profile.to_frame("disagreement")
    assert len(disagreement) == 3 * 20
    assert (disagreement["flag"] == (disagreement["ratio"].abs() > 1.959964)).all()
    assert profile.to_frame("agreement")["flagged"].sum() == disagreement["flag"].sum()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: {"self_report": m["self_report"]}, "A composite needs two methods or more"),
        (lambda m: m | {"situational": theta_scores(np.zeros((30, 1)), np.ones((30, 1)), [0.5], dimensions=("pace",))},
         "The methods have no competency in common"),
        (lambda m: m | {"situational": theta_scores(np.zeros((30, 1)), np.ones((30, 1)), [0.5])},
         "ownership, situational: all persons have the same score"),
        (lambda m: m | {"interview": interview_scores(np.ones((30, 1)), np.ones((30, 1)), [0.5],
                                                      persons=tuple(f"x{i}" for i in range(30)))},
         r"ownership: 0 person\(s\) with all methods \(self_report 30, situational 30, interview 30\)"),
    ],
)  # fmt: skip
def test_what_cannot_be_combined(change, message):
    with pytest.raises(InterviewError, match=message):
        combine_methods(change(three_methods(30)))


@pytest.mark.parametrize("weights", [{"self_report": 1}, {"self_report": 1, "situational": 0, "interview": 1}])
def test_weights_must_fit(weights):
    with pytest.raises(InterviewError, match="give a positive number for each of self_report, situational, interview"):
        combine_methods(three_methods(30), weights=weights)


def test_confidence_must_be_one():
    with pytest.raises(InterviewError, match=r"confidence is 95; give a number from 0.5"):
        combine_methods(three_methods(30), confidence=95)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 1], np.eye(3), [0.5, 0.5]), "A composite of 2 parts needs"),
        (([1, 1], [[1, 0.5], [0.4, 1]], [0.5, 0.5]), "must be a symmetric matrix with 1"),
        (([1, -1], [[1, 1], [1, 1]], [0.5, 0.5]), "has no variance"),
    ],
)
def test_mosier_refuses(arguments, message):
    with pytest.raises(InterviewError, match=message):
        composite_reliability(*arguments)

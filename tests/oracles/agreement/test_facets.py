"""Many-facet Rasch through the engine: against R lme4, an independent maximiser, and known probabilities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import approx_fprime, minimize

import talentassess as ta
from agreement_cases import simulated_panel
from shared_data import shared
from talentassess.agreement import Ratings, from_matrix
from talentassess.agreement.facet_design import connected_sets, lay_out_facets
from talentassess.core.status import Status
from talentassess.models import find_model

HERE = Path(__file__).parent


def test_probabilities_of_linacres_model():
    # oracles: B 1, D .3, C .4, F (-.8, .1, .7) -> probabilities and expectation
    design = lay_out_facets(from_matrix([[0, 3], [1, 2]], low=0, high=3, rater_ids=["a", "b"]), by_item=False)
    effects = {"difficulty[rating]": 0.3, "severity[a]": 0.4, "step[1]": 0.8, "step[2]": 0.7}
    parts = design.constraint().parts
    d = [sum(w * effects[e] for e, w in parts["rating | a", f"intercept{k}"].items()) for k in (1, 2, 3)]
    p = np.exp(find_model("pcm")[0].log_prob(np.array([[1.0]]), np.array([[1.0, *d]]), 4))[0, 0]
    assert p == pytest.approx([0.0987, 0.2965, 0.3621, 0.2427], abs=5e-5)
    assert p @ np.arange(4) == pytest.approx(1.7489, abs=5e-5)
    other = [sum(w * effects[e] for e, w in parts["rating | b", f"intercept{k}"].items()) for k in (1, 2, 3)]
    assert np.array(other) - np.array(d) == pytest.approx(np.array([1, 2, 3]) * 0.8)  # severities -.4 and .4


def test_two_categories_against_a_logistic_mixed_model():
    long = ta.read_ratings(
        shared("data/oracle/sirt_ratings1.csv"), person="idstud", rater="rater",
        score=["k1", "k2", "k3", "k4", "k5"], low=0, high=3,
    )  # fmt: skip
    order = [long.rater_ids.index(f"db{r}") for r in ("01", "02", "03", "07", "08", "31", "54")]
    ratings = Ratings(
        person=long.person, rater=long.rater, item=long.item, score=(long.score >= 2).astype(float), low=0, high=1,
        person_ids=long.person_ids, rater_ids=long.rater_ids, item_ids=long.item_ids,
    )  # fmt: skip
    lines = (HERE / "lme4_facets.txt").read_text(encoding="utf-8").splitlines()[1:]
    cells = {line.split()[0]: [float(v) for v in line.split()[1:]] for line in lines}
    result = ta.rater_severity(ratings)
    assert result.status is Status.CONVERGED
    # lme4 integrates with 25 adaptive nodes and takes SEs from its own Hessian by differences
    assert result.calibration.loglik == pytest.approx(cells["loglik"][0], abs=2e-3)
    assert result.person_sd == pytest.approx(cells["sd"][0], abs=5e-3)
    easiness = [cells[f"item{q}"][0] for q in long.item_ids]
    assert [-q.measure for q in result.questions] == pytest.approx(easiness, abs=2e-3)
    lenient = [cells[f"rater{r}"][0] for r in range(1, 7)]
    assert [-result.raters[r].measure for r in order[:6]] == pytest.approx(lenient, abs=2e-3)
    errors = [cells[f"rater{r}"][1] for r in range(1, 7)]
    assert [result.raters[r].se for r in order[:6]] == pytest.approx(errors, rel=0.02)


def brute_force(x: np.ndarray, question: np.ndarray, rater: np.ndarray, n_cat: int):
    """Maximise the marginal likelihood of codes x (N, V) on 81 Gauss-Hermite nodes, written out from the model."""
    node, weight = np.polynomial.hermite_e.hermegauss(81)
    n_q, n_r = question.max() + 1, rater.max() + 1

    def unpack(par):
        d, c = par[:n_q], np.append(par[n_q : n_q + n_r - 1], -par[n_q : n_q + n_r - 1].sum())
        f = par[n_q + n_r - 1 : -1]
        return d, c, np.append(f, -f.sum()), np.exp(par[-1])

    def minus(par):
        d, c, f, sd = unpack(par)
        log_like = np.zeros((len(x), len(node)))
        for v in range(x.shape[1]):
            step = sd * node[:, None] - d[question[v]] - c[rater[v]] - f
            up = np.concatenate([np.zeros((len(node), 1)), np.cumsum(step, axis=1)], axis=1)
            log_p = up - np.log(np.exp(up).sum(axis=1, keepdims=True))
            rows = x[:, v] >= 0
            log_like[rows] += log_p.T[x[rows, v]]
        return -np.sum(np.log(np.exp(log_like) @ (weight / weight.sum())))

    found = minimize(minus, np.zeros(n_q + n_r - 1 + n_cat - 2 + 1), method="BFGS", options={"gtol": 1e-5})
    slope = lambda at: approx_fprime(at, minus, 1e-5)  # noqa: E731
    hessian = np.array([(slope(found.x + h) - slope(found.x - h)) / 2e-3 for h in 1e-3 * np.eye(len(found.x))])
    return -found.fun, *unpack(found.x), np.sqrt(np.diag(np.linalg.inv((hessian + hessian.T) / 2)))


def test_four_categories_against_an_independent_maximiser():
    ratings, _ = simulated_panel(150, [-0.8, 0.1, 0.7], (-0.3, 0.4), per_person=2, seed=4)  # SIMULATED
    result = ta.rater_severity(ratings)
    design = lay_out_facets(ratings, by_item=False)
    loglik, d, c, f, sd, se = brute_force(design.x.astype(int), design.question, design.rater, 4)
    # BFGS on differences: estimates to about 1e-4, errors from a Hessian by differences to about 1e-2 relative
    assert result.calibration.loglik == pytest.approx(loglik, abs=1e-5)
    assert [r.measure for r in result.raters] == pytest.approx(c, abs=1e-3)
    assert [q.measure for q in result.questions] == pytest.approx(d, abs=1e-3)
    assert [t.measure for t in result.thresholds] == pytest.approx(f, abs=1e-3)
    assert result.person_sd == pytest.approx(sd, abs=1e-3)
    assert [r.se for r in result.raters[:2]] == pytest.approx(se[2:4], rel=0.02)
    assert [t.se for t in result.thresholds[:2]] == pytest.approx(se[4:6], rel=0.02)


def test_severity_does_not_hang_on_the_order_of_the_raters():
    # The last rater's severity and error come from the sum: another rater put last must give the same.
    ratings, _ = simulated_panel(120, [-0.8, 0.1, 0.7], seed=5)
    turned = from_matrix(ratings.matrix()[:, ::-1], low=1, high=4, rater_ids=ratings.rater_ids[::-1])
    one, other = ta.rater_severity(ratings), ta.rater_severity(turned)
    for rater in ratings.rater_ids:
        assert other[rater].measure == pytest.approx(one[rater].measure, abs=1e-4)
        assert other[rater].se == pytest.approx(one[rater].se, rel=1e-3)
    assert other.chi_square == pytest.approx(one.chi_square, rel=1e-3)


def test_fair_rating_of_equal_raters_is_their_mean_rating():
    # At severity 0 and with equal raters, expectation and observation agree on average.
    ratings, _ = simulated_panel(400, [0.0, 0.0, 0.0], seed=6)
    result = ta.rater_severity(ratings)
    fair = np.mean([p.fair for p in result.persons])
    # shrinkage pulls single persons in, not the mean; the expected score bends a little over it
    assert fair == pytest.approx(ratings.score.mean(), abs=0.02)


def test_thresholds_by_question_are_the_partial_credit_model():
    # With one rating of every question by each of two equally severe halves nothing else changes: more parameters
    # cannot fit worse, and each question has its own steps that sum to zero.
    ratings, _ = simulated_panel(200, [-0.5, 0.5], (0.0, 0.5), seed=7)
    common, own = ta.rater_severity(ratings), ta.rater_severity(ratings, thresholds="by_question")
    assert own.calibration.n_free == common.calibration.n_free + 2
    assert own.calibration.loglik > common.calibration.loglik
    for q in ratings.item_ids:
        assert sum(t.measure for t in own.thresholds if t.question == q) == pytest.approx(0.0, abs=1e-12)


def test_disconnected_raters_give_a_finding_and_no_numbers():
    x = np.full((8, 4), np.nan)
    x[:4, :2] = [[1, 2], [2, 2], [3, 4], [1, 3]]
    x[4:, 2:] = [[1, 1], [2, 4], [3, 3], [4, 2]]
    result = ta.rater_severity(from_matrix(x, low=1, high=4))
    assert result.status is Status.NOT_IDENTIFIED
    assert np.isnan([r.measure for r in result.raters]).all()
    assert (result.calibration, result.scores) == (None, None)
    assert [f.code for f in result.findings] == ["disconnected"]
    assert "fall into 2 sets that cannot be compared: rater1, rater2 | rater3, rater4." in result.findings[0].message
    x[0, 2] = 2  # one person more rated across connects them
    assert connected_sets(lay_out_facets(from_matrix(x, low=1, high=4), False))[0] == [
        ["rater1", "rater2", "rater3", "rater4"]
    ]


def test_raters_nested_in_questions_are_not_connected():
    # Every rater has a question of their own: severity and difficulty cannot be told apart, though persons overlap.
    ratings, _ = simulated_panel(50, [0.0, 0.0], (0.0, 0.0), seed=8)
    own = ratings.rater == ratings.item
    nested = Ratings(
        person=ratings.person[own], rater=ratings.rater[own], item=ratings.item[own], score=ratings.score[own],
        low=1, high=4, person_ids=ratings.person_ids, rater_ids=ratings.rater_ids, item_ids=ratings.item_ids,
    )  # fmt: skip
    result = ta.rater_severity(nested)
    assert result.status is Status.NOT_IDENTIFIED
    assert {f.where for f in result.findings} == {"raters", "questions"}


def test_raters_who_are_alike_are_not_separated():
    # Exact identity: under equal severity E sum m^2 = sum se^2, so over samples the mean square of the severities and
    # the mean squared error agree (within 4 standard errors of the mean over 60 SIMULATED panels of two raters).
    gap = []
    for seed in range(60):
        result = ta.rater_severity(simulated_panel(60, [0.0, 0.0], seed=seed)[0])
        m, se = (np.array([getattr(r, name) for r in result.raters]) for name in ("measure", "se"))
        observed, error = np.mean(m**2), np.mean(se**2)
        gap.append(observed - error)
        assert result.reliability == pytest.approx(max(1 - error / observed, 0))
        assert result.separation == pytest.approx(np.sqrt(max(observed / error - 1, 0)))
    assert abs(np.mean(gap)) < 4 * np.std(gap) / np.sqrt(len(gap))


def test_extreme_raters_and_unused_categories_are_held_by_a_prior_and_named():
    ratings, _ = simulated_panel(100, [-0.3, 0.3], seed=9)
    x = np.column_stack([np.minimum(ratings.matrix(), 3), np.full(100, 3.0)])
    result = ta.rater_severity(from_matrix(x, low=1, high=4))
    assert result.status is Status.CONVERGED
    codes = {f.code: f.message for f in result.findings}
    assert "4 (all questions)" in codes["extreme_step"]
    assert np.isfinite([r.measure for r in result.raters]).all()
    harsh = np.column_stack([ratings.matrix(), np.ones(100)])
    result = ta.rater_severity(from_matrix(harsh, low=1, high=4))
    assert result.status is Status.CONVERGED
    assert (
        "1 raters gave one extreme category only: rater3."
        in {f.code: f.message for f in result.findings}["extreme_severity"]
    )
    assert result["rater3"].measure > 3


@pytest.mark.parametrize(
    ("name", "person", "score", "high"),
    [
        ("immer_ptam1", "pid", ["OP", "TF"], 5),
        ("immer_ptam4", "idstud", ["crit2", "crit3", "crit4"], 3),
        ("immer_immer04b", "idstud", ["TA", "CC", "GR", "VOC"], 7),
    ],
)
def test_immer_ratings_run_through(name, person, score, high):
    ratings = ta.read_ratings(
        shared(f"data/oracle/{name}.csv"), person=person, rater="rater", score=score, low=0, high=high
    )
    result = ta.rater_severity(ratings)
    assert result.status is Status.CONVERGED
    assert sum(r.measure for r in result.raters) == pytest.approx(0.0, abs=1e-10)
    assert result.reliability > 0.8
    assert [p.status for p in result.persons if p.n] == [Status.CONVERGED] * sum(p.n > 0 for p in result.persons)


def test_immer10_standard_setting_and_immer12_score_differences_run_through():
    raters = [f"R{r:02d}" for r in range(1, 14)]
    panel = ta.read_ratings(shared("data/oracle/immer_immer10.csv"), person="item", rater=raters, low=1, high=3)
    assert (len(panel.person_ids), len(panel.rater_ids), len(panel.score)) == (61, 13, 793)
    assert ta.rater_severity(panel).status is Status.CONVERGED
    assert ta.generalizability(panel)["p"].raw > 0
    judges = ta.read_ratings(
        shared("data/oracle/immer_immer12.csv"), person="idpair", rater="judge", score=["ST", "SA", "FT", "FA"],
        low=0, high=60,
    )  # fmt: skip
    study = ta.generalizability(judges.mean_over_items())
    assert (study.n_persons, study.n_raters) == (20, 9)
    assert study.decide(n_raters=[9]).rows[0].e_rho2 == pytest.approx(
        ta.intraclass_correlation(judges.mean_over_items())["ICC(3,k)"].icc, abs=1e-12
    )


def test_severities_do_not_depend_on_order_or_on_where_the_scale_starts():
    # Exact invariances of the model, to the optimiser's tolerance: order of raters and persons, a constant, the
    # direction of the scale (which turns the sign).
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (60, 1)) + rng.normal(0, 0.4, (1, 4)) + rng.normal(0, 0.7, (60, 4))
    x = np.clip(np.round(3 + x), 1, 5)
    x[rng.random(x.shape) < 0.2] = np.nan
    raters, persons = rng.permutation(4), rng.permutation(60)
    plain = from_matrix(x, low=1, high=5, rater_ids=list("ABCD"))
    moved = from_matrix(
        x[persons][:, raters], low=1, high=5, rater_ids=["ABCD"[r] for r in raters],
        person_ids=[str(p + 1) for p in persons],
    )  # fmt: skip
    base, order, higher, turned = (
        ta.rater_severity(ratings)
        for ratings in (
            plain,
            moved,
            from_matrix(x + 10, low=11, high=15, rater_ids=list("ABCD")),
            from_matrix(6 - x, low=1, high=5, rater_ids=list("ABCD")),
        )
    )
    for label in "ABCD":
        found = [result[label].measure for result in (order, higher)] + [-turned[label].measure]
        assert found == pytest.approx([base[label].measure] * 3, abs=1e-6)
        assert order[label].se == pytest.approx(base[label].se, abs=1e-6)
    fair = {p.person: p.fair for p in order.persons}
    assert [fair[p.person] for p in base.persons] == pytest.approx([p.fair for p in base.persons], abs=1e-6)

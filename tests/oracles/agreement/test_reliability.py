"""Reliability of ratings against published numbers and R."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import talentassess as ta
from agreement_cases import brennan, krippendorff_example, shrout_fleiss
from shared_data import shared
from talentassess.agreement import Ratings, from_matrix

HERE = Path(__file__).parent
FORMS = ["ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)", "ICC(3,k)"]


def psych(name: str) -> np.ndarray:
    """Return R psych's table (6, 7): ICC, F, df1, df2, p, lower, upper."""
    lines = (HERE / "psych_icc.txt").read_text(encoding="utf-8").splitlines()
    first = lines.index(f"# {name} ") + 1
    return np.array([[float(cell) for cell in line.split()[1:]] for line in lines[first : first + 6]])


def irr(name: str, raters: int, high: int):
    columns = [f"rater{r + 1}" for r in range(raters)]
    return ta.read_ratings(shared(f"data/oracle/irr_{name}.csv"), rater=columns, low=1, high=high)


def check_against_psych(ratings, name: str) -> None:
    result = ta.intraclass_correlation(ratings)
    found = np.array([[f.icc, f.f, f.df1, f.df2, f.p, f.lower, f.upper] for f in (result[form] for form in FORMS)])
    # R printed ten digits.
    np.testing.assert_allclose(found, psych(name), rtol=1e-8, atol=1e-10)


def test_shrout_fleiss_table_with_tests_and_limits():
    check_against_psych(shrout_fleiss(), "shrout_fleiss")


def test_irr_anxiety_and_video():
    check_against_psych(irr("anxiety", 3, 6), "anxiety")
    check_against_psych(irr("video", 4, 5), "video")
    # irr's manual: ICC(A,1) = .198; the name of McGraw & Wong finds the same form
    assert ta.intraclass_correlation(irr("anxiety", 3, 6))["ICC(A,1)"].icc == pytest.approx(0.198, abs=5e-4)


@pytest.mark.parametrize(
    ("level", "expected"), [("nominal", 0.7434), ("ordinal", 0.8154), ("interval", 0.8491), ("ratio", 0.7974)]
)
def test_krippendorffs_example(level, expected):
    result = ta.krippendorff_alpha(krippendorff_example(), level, n_boot=200)
    assert result.alpha == pytest.approx(expected, abs=5e-5)  # printed with four decimals
    assert (result.n_units, result.n_ratings, result.n_raters) == (11, 40, 4)
    assert result.lower < result.alpha < result.upper
    assert [f.code for f in result.findings] == ["single_ratings", "few_units"]


def test_bootstrap_limits_are_the_seeds_and_no_others():
    first, again, other = (ta.krippendorff_alpha(krippendorff_example(), n_boot=100, seed=s) for s in (5, 5, 6))
    assert (first.lower, first.upper) == (again.lower, again.upper)
    assert (first.lower, first.upper) != (other.lower, other.upper)


def test_bootstrap_limits_against_a_plain_loop():
    # The same persons drawn again as persons of their own: the definition, spelled out.
    ratings = krippendorff_example()
    x = ratings.matrix()
    units = x[(~np.isnan(x)).sum(axis=1) >= 2]
    weights = np.random.default_rng(3).multinomial(len(units), np.full(len(units), 1 / len(units)), size=60)
    alphas = [
        ta.krippendorff_alpha(from_matrix(np.repeat(units, w, axis=0), low=1, high=5), n_boot=0).alpha for w in weights
    ]
    result = ta.krippendorff_alpha(ratings, n_boot=60, seed=3)
    assert [result.lower, result.upper] == pytest.approx(np.quantile(alphas, [0.025, 0.975]), abs=1e-12)


def test_irr_diagnoses_through_fleiss_kappa():
    columns = [f"rater{r + 1}" for r in range(6)]
    ratings = ta.read_ratings(shared("data/oracle/irr_diagnoses.csv"), rater=columns)
    result = ta.krippendorff_alpha(ratings, "nominal", n_boot=0)
    n = result.n_ratings
    kappa = 1 - (1 - result.alpha) * n / (n - 1)  # alpha's expected disagreement draws without replacement
    assert kappa == pytest.approx(0.430, abs=5e-4)
    assert len(ratings.labels) == 5


def test_irr_vision_runs_through():
    ratings = ta.read_ratings(shared("data/oracle/irr_vision.csv"), rater=["r.eye", "l.eye"])
    result = ta.krippendorff_alpha(ratings, "nominal", n_boot=0)
    # two raters, complete: alpha is Scott's pi but for the factor n / (n - 1) of the expected disagreement
    x = ratings.matrix()
    share = np.bincount(x.astype(int).ravel()) / x.size
    pi = 1 - np.mean(x[:, 0] != x[:, 1]) / (1 - np.sum(share**2))
    assert 1 - (1 - result.alpha) * x.size / (x.size - 1) == pytest.approx(pi, abs=1e-12)
    assert result.n_units == 7477


def test_brennans_nested_example():
    study = ta.generalizability(brennan())
    expected = {"p": 0.4731, "t": 0.3252, "r:t": 0.6475, "pt": 0.5596, "pr:t,e": 2.3802}
    assert {c.source: round(c.variance, 4) for c in study.components} == pytest.approx(expected, abs=1e-4)
    own = study.decide(n_raters=[4], n_tasks=[3]).rows[0]
    assert (own.e_rho2, own.phi) == pytest.approx((0.5514, 0.4637), abs=5e-5)
    # by hand from the components: two tasks, three raters each
    other = study.decide(n_raters=[3], n_tasks=[2]).rows[0]
    relative = 0.5596 / 2 + 2.3802 / 6
    assert other.relative_sem == pytest.approx(np.sqrt(relative), abs=1e-4)
    assert other.absolute_error == pytest.approx(relative + 0.3252 / 2 + 0.6475 / 6, abs=1e-4)


def test_crossed_study_is_the_intraclass_correlation():
    # Exact identities: Erho2 over k raters is ICC(3,k), Phi is ICC(2,k); over one, the single forms.
    study, icc = ta.generalizability(shrout_fleiss()), ta.intraclass_correlation(shrout_fleiss())
    one, four = study.decide(n_raters=[1, 4]).rows
    assert (one.e_rho2, four.e_rho2) == pytest.approx((icc["ICC(3,1)"].icc, icc["ICC(3,k)"].icc), abs=1e-12)
    assert (one.phi, four.phi) == pytest.approx((icc["ICC(2,1)"].icc, icc["ICC(2,k)"].icc), abs=1e-12)


def test_negative_component_is_reported_and_not_used():
    study = ta.generalizability(from_matrix([[1, 2], [2, 1], [1, 2], [2, 1]], low=1, high=2))
    assert study["p"].raw < 0
    assert study["p"].variance == 0.0
    assert "negative_component" in [f.code for f in study.findings]
    assert study.decide([2]).rows[0].e_rho2 == 0.0


def test_lakes_against_reml():
    ratings = ta.read_ratings(
        shared("data/oracle/mpsychor_Lakes.csv"), person="personID", rater="raterID", item="item", score="score",
        low=1, high=7,
    )  # fmt: skip
    for line in (HERE / "lme4_lakes.txt").read_text(encoding="utf-8").splitlines():
        item, n, *expected = line.split()
        study = ta.generalizability(ratings, item=item)
        assert study.n_persons == int(n)
        found = [study[source].variance for source in ("p", "r", "pr,e")]
        assert found == pytest.approx([float(v) for v in expected], rel=1e-4)  # REML's optimiser, not its eight digits


def test_persons_without_all_ratings_are_named():
    x = np.array(shrout_fleiss().matrix())
    gap = np.vstack([x, [5, np.nan, 5, 5]])
    result = ta.intraclass_correlation(from_matrix(gap, low=1, high=10))
    assert result["ICC(2,1)"].icc == pytest.approx(ta.intraclass_correlation(shrout_fleiss())["ICC(2,1)"].icc)
    assert [f.code for f in result.findings] == ["incomplete_persons"]
    assert "1 of 7 persons were not rated by every rater and are left out: 7." in result.findings[0].message


def test_raters_who_differ_by_a_constant():
    result = ta.intraclass_correlation(from_matrix([[1, 2], [2, 3], [4, 5]], low=1, high=5))
    assert result["ICC(3,1)"].icc == 1.0
    assert result["ICC(2,1)"].icc < 1.0
    assert [f.code for f in result.findings] == ["no_variance"]


def test_negative_total_variance_has_no_absolute_agreement():
    # Persons with equal means, raters with equal means, error 1.5: (B - E) / (B + (J - E) / n) would be 3.
    result = ta.intraclass_correlation(from_matrix([[1, 2, 3], [2, 3, 1], [3, 1, 2]], low=1, high=3))
    assert np.isnan([result["ICC(2,1)"].icc, result["ICC(2,k)"].icc]).all()
    assert result["ICC(3,1)"].icc == pytest.approx(-0.5)
    assert [f.code for f in result.findings] == ["no_total_variance"]


def test_limits_hold_the_estimate_and_no_limit_lies_above_one():
    # Spearman & Brown's formula has a pole at -1 / (k - 1): a lower limit of 10.4 came out for these first ratings.
    result = ta.intraclass_correlation(from_matrix([[1, 3, 1, 2], [3, 3, 3, 1]], low=1, high=5))
    assert result["ICC(2,k)"].lower == -np.inf
    rng = np.random.default_rng(3)
    for _ in range(1000):
        x = rng.integers(1, 6, size=rng.integers(2, 5, size=2)).astype(float)
        for form in ta.intraclass_correlation(from_matrix(x, low=1, high=5)).forms:
            values = np.array([form.lower, form.icc, form.upper])
            assert not (values > 1 + 1e-9).any()
            if not np.isnan(values).any():
                assert form.lower <= form.icc + 1e-9 <= form.upper + 2e-9


def test_components_errors_are_their_spread_over_studies():
    # SIMULATED p x r studies with normal effects, variances 1, .36, .64: the mean squared error formula against the
    # variance over 400 studies (relative standard error of a variance about .09 here).
    rng = np.random.default_rng(5)
    raw, error = [], []
    for _ in range(400):
        x = rng.normal(0, 1, (30, 1)) + rng.normal(0, 0.6, (1, 5)) + rng.normal(0, 0.8, (30, 5))
        components = ta.generalizability(from_matrix(x, low=-20, high=20)).components
        raw.append([c.raw for c in components])
        error.append([c.se**2 for c in components])
    np.testing.assert_allclose(np.mean(raw, axis=0), [1, 0.36, 0.64], atol=0.06)
    np.testing.assert_allclose(np.mean(error, axis=0), np.var(raw, axis=0), rtol=0.35)


def test_perfect_agreement_has_no_negative_component_of_rounding():
    study = ta.generalizability(from_matrix(np.tile([[0.1], [0.2], [0.7]], (1, 3)), low=0, high=1))
    assert study.findings == ()
    assert study["pr,e"].raw == 0.0
    same = ta.generalizability(from_matrix(np.full((4, 3), 3.0), low=1, high=5))
    assert [f.code for f in same.findings] == ["no_variance"]


def test_raters_of_several_tasks_are_named_because_the_coefficients_are_too_high():
    # SIMULATED p x r x t with s(p) 1, s(pr) .49, s(pt) .49, error .81, 3 raters, 4 tasks: true Erho2 .739.
    rng, place = np.random.default_rng(0), np.indices((60, 4, 3)).reshape(3, -1)
    x = rng.normal(0, 1, (60, 1, 1)) + rng.normal(0, 0.7, (60, 4, 1)) + rng.normal(0, 0.7, (60, 1, 3))
    x = x + rng.normal(0, 0.9, (60, 4, 3))
    ratings = Ratings(
        person=place[0], task=place[1], rater=place[2], score=x.ravel(), low=-20, high=20,
        person_ids=tuple(map(str, range(60))), rater_ids=("A", "B", "C"), task_ids=("a", "b", "c", "d"),
    )  # fmt: skip
    study = ta.generalizability(ratings)
    (finding,) = [f for f in study.findings if f.code == "raters_across_tasks"]
    assert "3 rater(s) rated several tasks" in finding.message
    assert "A, B, C" in finding.message
    assert study.decide([3]).rows[0].e_rho2 > 0.739
    own = replace(ratings, rater=place[1] * 3 + place[2], rater_ids=tuple(map(str, range(12))))
    assert "raters_across_tasks" not in [f.code for f in ta.generalizability(own).findings]


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval", "ratio"])
def test_alpha_of_a_fine_scale_is_that_of_all_pairs(level):
    # Krippendorff's definition by loops over pairs of values, against sums over values; gaps included.
    rng = np.random.default_rng(4)
    x = np.clip(np.round(50 + 20 * rng.normal(size=(25, 1)) + 10 * rng.normal(size=(25, 4)), 1), 0, 100)
    x[rng.random(x.shape) < 0.2] = np.nan
    units = [row[~np.isnan(row)] for row in x if np.sum(~np.isnan(row)) > 1]
    pooled = np.concatenate(units)

    def difference(a, b):
        if level == "ordinal":
            low, high = min(a, b), max(a, b)
            between = np.sum((pooled >= low) & (pooled <= high))
            return float((between - (np.sum(pooled == a) + np.sum(pooled == b)) / 2) ** 2)
        ratio = ((a - b) / (a + b)) ** 2 if a + b > 0 else 0.0
        return {"nominal": float(a != b), "interval": (a - b) ** 2, "ratio": ratio}[level]

    n = len(pooled)
    observed = sum(difference(a, b) / (len(u) - 1) for u in units for a in u for b in u) / n
    expected = sum(difference(a, b) for a in pooled for b in pooled) / (n * (n - 1))
    result = ta.krippendorff_alpha(from_matrix(x, low=0, high=100), level, n_boot=0)
    assert (result.observed, result.expected) == pytest.approx((observed, expected), rel=1e-10)


def test_a_hundred_thousand_ratings_have_narrow_limits():
    # SIMULATED; the units repeat a few hundred patterns, and the bootstrap counts each once.
    rng = np.random.default_rng(1)
    x = np.clip(np.round(3 + 0.8 * rng.normal(size=(20_000, 1)) + 0.6 * rng.normal(size=(20_000, 5))), 1, 5)
    result = ta.krippendorff_alpha(from_matrix(x, low=1, high=5), n_boot=100)
    assert result.upper - result.lower < 0.03


def test_a_constant_added_to_all_ratings_changes_nothing():
    # What counts as rounding is measured by the ratings' size; at 10 million points it must not swallow their spread.
    x = np.random.default_rng(0).integers(1, 6, (30, 4)).astype(float)
    near = ta.intraclass_correlation(from_matrix(x, low=1, high=5))
    far = ta.intraclass_correlation(from_matrix(x + 1e7, low=1e7, high=1e7 + 9))
    assert [f.icc for f in far.forms] == pytest.approx([f.icc for f in near.forms], abs=1e-8)
    studies = [ta.generalizability(from_matrix(x + c, low=c, high=c + 9)) for c in (0.0, 1e7)]
    assert [c.raw for c in studies[1].components] == pytest.approx([c.raw for c in studies[0].components], abs=1e-8)
    for v in (0.1, 1 / 3, 3.3, 1e6 + 0.1):
        flat = ta.intraclass_correlation(from_matrix(np.full((7, 4), v), low=v - 1, high=v + 1))
        assert (flat.ms_persons, flat.ms_raters, flat.ms_error) == (0.0, 0.0, 0.0)

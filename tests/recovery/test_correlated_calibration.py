"""Calibrating correlated dimensions together: derivatives, the dense likelihood, ties, anchors, coverage, refusals.

All answers are SIMULATED (tests/ep_cases.py); truth is what they were drawn from.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import talentassess as ta
from ep_cases import EQUI3, PAIR, case, dense
from talentassess.calibration import Equal, Fixed, NormalPrior, correlated, together
from talentassess.calibration.correlated import correlation_roots
from talentassess.calibration.objective import evaluate
from talentassess.calibration.standard_errors import covariance, gradient_information, prior_information
from talentassess.core.errors import CalibrationError, ModelError
from talentassess.core.status import Status


def correlations(calibration) -> dict[str, tuple[float, float]]:
    free = calibration.free
    se = np.sqrt(np.diag(free.cov))
    return {
        n: (float(v), float(s)) for n, v, s in zip(free.names, free.values, se, strict=True) if n.startswith("corr")
    }


@pytest.fixture(scope="module")
def fitted():
    """A small hard form (three items a scale, holes, two groups), its calibration and the problem behind it."""
    kept = {}

    def spy(problem, at, method, at_bound):
        kept["problem"], kept["at"], kept["at_bound"] = problem, at, at_bound
        return covariance(problem, at, method, at_bound)

    c = case(500, EQUI3, 3, n_cat=4, seed=3, missing=0.15, groups=2, mean=[[0, 0, 0], [0.4, -0.3, 0.2]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(together, "covariance", spy)
        calibration = ta.calibrate(c.responses(groups=True), correlated=True, groups=True)
    return c, calibration, kept["problem"], kept["at"], kept["at_bound"]


def test_gradient_is_the_derivative_of_the_evidence(fitted):
    """Fisher's identity holds for the approximation itself; away from the optimum, where the gradient is large."""
    _, _, problem, at, _ = fitted
    free = at.free + np.random.default_rng(0).normal(0, 0.05, len(at.free))
    gradient, step, numbers = evaluate(problem, free).gradient, 1e-3, []
    for unit in np.eye(len(free)) * step:
        up, down, up2, down2 = (evaluate(problem, free + k * unit).loglik for k in (1, -1, 2, -2))
        numbers.append((8 * (up - down) - (up2 - down2)) / (12 * step))
    assert np.abs(gradient).max() > 5
    assert np.abs(gradient - numbers).max() < 1e-6 * np.abs(gradient).max()


def test_observed_information_is_the_derivative_of_the_gradient(fitted, monkeypatch):
    """The implicit differentiation of the fixed point against central differences of the analytic gradient."""
    _, calibration, problem, at, at_bound = fitted
    monkeypatch.setattr(correlated, "TOL", 1e-10)  # a difference over 1e-4 magnifies what a pass leaves unsettled
    differenced = gradient_information(problem, at)
    analytic = np.linalg.inv(covariance(problem, at, "oakes", at_bound))
    assert np.abs(differenced - analytic).max() < 1e-5 * np.abs(differenced).max()
    n_items = problem.tie.n_free
    assert np.abs(differenced[:12, 12:24]).max() > 0.5  # items of different dimensions do inform one another
    assert np.abs(prior_information(problem, at)[n_items:]).max() == 0
    # crossprod and sandwich estimate the same errors under a true model
    for method in ("crossprod", "sandwich"):
        ratio = np.sqrt(np.diag(covariance(problem, at, method, at_bound)) / np.diag(np.linalg.inv(analytic)))
        assert np.median(ratio) == pytest.approx(1, abs=0.1)
    assert calibration.status is Status.CONVERGED


def test_shown_values_are_means_standard_deviations_and_correlations(fitted):
    _, calibration, problem, at, _ = fitted
    cov, (first, second) = calibration.latent.cov, calibration.latent.groups
    assert np.all(np.diagonal(cov[0]) == 1)
    named = dict(zip(calibration.free.names, calibration.free.values, strict=True))
    assert named[f"correlation s1 ~ s2 [{first}]"] == pytest.approx(cov[0, 0, 1])
    assert named[f"s3: latent sd [{second}]"] == pytest.approx(np.sqrt(cov[1, 2, 2]))
    assert named[f"s2: latent mean [{second}]"] == pytest.approx(calibration.latent.mean[1, 1])
    low = np.tril_indices(3, -1)
    sd = np.sqrt(np.diagonal(cov[1]))
    own = [named[f"correlation {p} [{second}]"] for p in ("s1 ~ s2", "s1 ~ s3", "s2 ~ s3")]
    assert own == pytest.approx((cov[1] / np.outer(sd, sd))[low])
    shown, slopes = problem.structure.shown(at.latent)
    for k in range(len(shown)):
        unit = np.eye(len(shown))[k] * 1e-6
        up, down = problem.structure.shown(at.latent + unit)[0], problem.structure.shown(at.latent - unit)[0]
        assert slopes[:, k] == pytest.approx((up - down) / 2e-6, abs=1e-8)
    roots = correlation_roots(EQUI3)
    back = replace(problem.structure, groups=("a",), free_mean=np.zeros((1, 3), bool), free_sd=np.zeros((1, 3), bool))
    assert back.moments(roots)[1][0] == pytest.approx(EQUI3)


def test_estimates_maximise_the_dense_likelihood_too():
    """Two scales: the product grid's own log-likelihood along the correlation peaks where the estimate lies."""
    c = case(400, PAIR, 4, seed=21)
    calibration = ta.calibrate(c.responses(), correlated=True)
    at = replace(c, blocks=calibration.blocks)

    def exact(r: float) -> float:
        return dense(replace(at, cov=np.array([[[1, r], [r, 1]]])), 61, 6.0)[0].sum()

    (estimate, se), *_ = correlations(calibration).values()
    low, middle, high = (exact(estimate + step) for step in (-0.02, 0, 0.02))
    assert calibration.loglik == pytest.approx(middle, abs=0.05)
    top = 0.02 * (low - high) / (2 * (low - 2 * middle + high))
    assert abs(top) < 0.05 * se  # the other parameters held, so this is a section, not the profile
    (finding,) = [f for f in calibration.audit if f.code == "ep_approximation"]
    assert "answer patterns" in finding.message


def test_uncorrelated_truth_gives_the_separate_calibrations():
    c = case(600, np.eye(2), 5, seed=22)
    together_, apart = ta.calibrate(c.responses(), correlated=True), ta.calibrate(c.responses())
    (r, se), *_ = correlations(together_).values()
    assert abs(r) < 3 * se
    for one, other in zip(together_.blocks, apart.blocks, strict=True):
        assert one.par == pytest.approx(other.par, abs=0.03)
    assert together_.loglik - apart.loglik == pytest.approx(0.5 * (r / se) ** 2, abs=0.05)  # likelihood ratio = Wald


def test_correlations_are_covered_by_their_intervals():
    """95 % intervals from 20 samples and three correlations: 60 trials, expected 57, sd about 2."""
    inside, off = 0, []
    for seed in range(20):
        c = case(300, EQUI3, 4, n_cat=3, seed=100 + seed)
        calibration = ta.calibrate(c.responses(), correlated=True, tol=1e-4)
        found = np.array(list(correlations(calibration).values()))
        truth = EQUI3[np.tril_indices(3, -1)]
        off.append(found[:, 0] - truth)
        inside += int(np.sum(np.abs(found[:, 0] - truth) < 1.96 * found[:, 1]))
    assert inside >= 51
    assert np.abs(np.mean(off, axis=0)).max() < 3 * np.std(off, axis=0).max() / np.sqrt(20)


def test_rasch_scales_keep_their_variances():
    cov = np.array([[1.4, 0.7], [0.7, 0.8]])
    c = case(800, cov, 8, model="2pl", n_cat=2, seed=23)
    par = c.blocks[0].par
    c = case(800, cov, 8, model="2pl", n_cat=2, seed=23, slope=1.0)
    c = replace(c, blocks=tuple(replace(b, par=np.column_stack([np.ones(8), par[:, 1]])) for b in c.blocks))
    calibration = ta.calibrate(c.responses(), "rasch", correlated=True)
    assert calibration.status is Status.CONVERGED
    assert "s1: latent sd [all]" in calibration.free.names
    assert calibration.latent.cov[0, 0, 0] > calibration.latent.cov[0, 1, 1]
    assert np.all(calibration.blocks[0].par[:, 0] == 1)


def test_ties_within_across_and_by_model():
    c = case(400, PAIR, 4, seed=24)
    answers = c.responses()
    across = ta.calibrate(
        answers, correlated=True, constraints=[Equal("slope", ("i1", "i5")), Fixed("slope", 1.2, ("i2",))]
    )
    a, b = across.blocks
    assert a.par[0, 0] == b.par[0, 0]
    assert a.par[1, 0] == 1.2
    assert "slope (common to 2 items: i1 ... i5)" in across.free.names
    assert across.par_cov[0][0, 0, 0] == pytest.approx(across.par_cov[1][0, 0, 0])
    within = ta.calibrate(answers, correlated=True, constraints=[Equal("slope")])
    assert np.ptp(within.blocks[0].par[:, 0]) == np.ptp(within.blocks[1].par[:, 0]) == 0
    assert within.blocks[0].par[0, 0] != within.blocks[1].par[0, 0]  # a tie without names stays within a dimension
    with pytest.raises(ModelError, match="correlated=True"):
        ta.calibrate(answers, constraints=[Equal("slope", ("i1", "i5"))])
    fixed = [Fixed("slope", 1.0, ("i1",)), Equal("slope", ("i1", "i5"))]
    with pytest.raises(ModelError, match="already fixed"):
        ta.calibrate(answers, correlated=True, constraints=fixed)


def test_priors_and_anchors():
    c = case(400, PAIR, 4, seed=25)
    answers = c.responses()
    free = ta.calibrate(answers, correlated=True)
    tight = ta.calibrate(answers, correlated=True, priors={"slope": NormalPrior(1.0, 0.05)})
    assert np.abs(tight.blocks[0].par[:, 0] - 1).max() < np.abs(free.blocks[0].par[:, 0] - 1).max()
    anchored = ta.calibrate(answers.select(["i1", "i2", "i5", "i6", "i7"]), correlated=True, anchors=free)
    assert anchored.blocks[0].par == pytest.approx(free.blocks[0].par[:2])
    assert np.abs(anchored.latent.mean).max() < 0.1
    assert np.diagonal(anchored.latent.cov[0]) == pytest.approx([1, 1], abs=0.2)
    (r, se), *_ = correlations(anchored).values()
    assert abs(r - free.latent.cov[0, 0, 1]) < 2 * se


def test_order_of_items_and_weights_do_not_matter():
    c = case(300, PAIR, 4, seed=26)
    answers = c.responses()
    mixed = answers.select(["i5", "i1", "i7", "i2", "i3", "i8", "i6", "i4"])
    one, other = ta.calibrate(answers, correlated=True), ta.calibrate(mixed, correlated=True)
    assert other.loglik == pytest.approx(one.loglik, abs=1e-6)
    assert other.latent.cov[0, 0, 1] == pytest.approx(one.latent.cov[0, 0, 1], abs=1e-5)
    assert other.dimension_of("i7") == "s2"
    slope = dict(zip(one.items["item"], one.items["a"], strict=True))
    assert [slope[i] for i in other.items["item"]] == pytest.approx(other.items["a"], abs=1e-4)
    double = ta.calibrate(replace(answers, weight=np.full(300, 2.0)), correlated=True)
    assert double.loglik == pytest.approx(2 * one.loglik, rel=1e-9)
    assert correlations(double)["correlation s1 ~ s2 [all]"][1] == pytest.approx(
        correlations(one)["correlation s1 ~ s2 [all]"][1] / np.sqrt(2), rel=1e-3
    )


def test_duplicated_scale_runs_to_the_bound_and_says_so():
    """The same trait twice: the correlation is one, which is outside what can be estimated."""
    c = case(400, np.array([[1.0, 0.9999], [0.9999, 1.0]]), 5, seed=27)
    calibration = ta.calibrate(c.responses(), correlated=True, max_steps=300)
    assert calibration.latent.cov[0, 0, 1] > 0.97
    (_, se), *_ = correlations(calibration).values()
    assert calibration.status in (Status.AT_BOUND, Status.CONVERGED)
    assert (calibration.status is Status.AT_BOUND) == bool(np.isnan(se))


def test_refusals():
    c = case(200, PAIR, 3, seed=28)
    answers = c.responses()
    with pytest.raises(CalibrationError, match="at least two dimensions"):
        ta.calibrate(answers.select(["i1", "i2", "i3"]), correlated=True)
    with pytest.raises(ModelError, match="normal latent distributions without covariates"):
        ta.calibrate(answers, correlated=True, density="davidian-2")
    with pytest.raises(ModelError, match="does not know correlated"):
        ta.calibrate(answers, correlated=True, engine="girth")

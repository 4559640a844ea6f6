"""Latent regression against lme4, brute-force maximisation, multiple groups and simulated truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from shared_data import make_responses, read_numbers, shared
from talentassess.calibration import calibrate
from talentassess.calibration.objective import evaluate
from talentassess.calibration.problem import Problem, build_problem
from talentassess.calibration.regression import with_covariates
from talentassess.core.covariates import read_covariates
from talentassess.core.errors import CalibrationError, DataError, ModelError, ScoringError
from talentassess.core.kernel import library as kernel_library
from talentassess.core.responses import Responses
from talentassess.core.status import Status
from talentassess.linking.apply import calibration_on_scale
from talentassess.linking.link import link_scales
from talentassess.scoring import score
from talentassess.workflow.artefacts import load_calibration, save


def drawn(n: int, n_items: int, seed: int, beta: tuple[float, float] = (0.6, -0.4)) -> tuple[Responses, dict]:
    """Return SIMULATED 2PL answers of persons whose trait depends on a number and a 0/1 mark."""
    rng = np.random.default_rng(seed)
    z = {"years": rng.normal(size=n), "night": (rng.random(n) < 0.4).astype(float)}
    theta = beta[0] * z["years"] + beta[1] * z["night"] + rng.normal(size=n)
    slope, intercept = rng.uniform(0.8, 2, n_items), rng.normal(size=n_items)
    probability = 1 / (1 + np.exp(-(theta[:, None] * slope + intercept)))
    return make_responses((rng.random(probability.shape) < probability).astype(float)), z


def problem_of(responses: Responses, z: dict, model: str = "2pl", groups: list[str] | None = None) -> Problem:
    models = dict.fromkeys(responses.item_ids, model)
    problem = build_problem(responses, models, groups=groups, constraints=(), priors=None)
    labels = problem.structure.groups
    group = np.array([labels.index(g) for g in groups or ["all"] * responses.n_persons])
    given = read_covariates(z, responses.person_ids)
    return replace(problem, structure=with_covariates(problem.structure, responses, group, given))


# lme4 1.1-31, nAGQ = 31: lme4_verbal_aggression.R beside this file
LME4 = {"anger": (0.057732478, 0.016915996), "male": (0.321880382, 0.193075082)}
LME4_SD, LME4_LOGLIK = 1.3524795, -4029.961623
LME4_ITEMS = (1.1459028212, 0.4896093206, 0.0052035357, 1.6737914330, 0.6325354496, -0.0632464559)


def test_verbal_aggression_matches_lme4():
    """Both integrate by quadrature: estimates to 3e-4 (lme4's tolerance); its errors hold the variance fixed, 1 %."""
    header, cells = read_numbers(shared("data/oracle/difR_verbal.csv"))
    answers = make_responses(cells[:, :24], header[:24])
    fitted = calibrate(answers, "rasch", covariates={"anger": cells[:, 24] - 20, "male": cells[:, 25]})
    assert fitted.status is Status.CONVERGED
    assert fitted.loglik == pytest.approx(LME4_LOGLIK, abs=1e-4)
    found = fitted.latent.regression
    for p, (estimate, se) in enumerate(LME4.values()):
        assert found.beta[0, p] == pytest.approx(estimate, abs=3e-4)
        assert found.se[0, p] == pytest.approx(se, rel=0.01)
    assert found.sd[0, 0] == pytest.approx(LME4_SD, abs=1e-4)
    np.testing.assert_allclose(fitted.blocks[0].par[:6, 1], LME4_ITEMS, atol=3e-4)


@pytest.mark.parametrize("groups", [False, True])
def test_gradient_is_the_derivative_of_the_log_likelihood(groups):
    answers, z = drawn(200, 6, seed=1)
    labels = ["a" if i % 3 else "b" for i in range(200)] if groups else None
    problem = problem_of(answers, z, "rasch", labels)
    assert problem.names[-2:] == ("beta [years]", "beta [night]")
    at = problem.start() + np.random.default_rng(2).normal(scale=0.3, size=len(problem.names))
    found, step = evaluate(problem, at), 1e-5
    for f in range(len(at)):
        unit = step * np.eye(len(at))[f]
        slope = (evaluate(problem, at + unit).value - evaluate(problem, at - unit).value) / (2 * step)
        assert found.gradient[f] == pytest.approx(slope, abs=1e-5)


def test_estimates_maximise_the_likelihood_written_out():
    """Brute force: the likelihood per person by the trapezium rule on a wide grid, maximised by BFGS."""
    answers, z = drawn(150, 3, seed=3)
    design, x = np.column_stack([z["years"], z["night"]]), answers.x
    theta = np.linspace(-9, 9, 181)

    def minus_loglik(free: np.ndarray) -> float:
        p = 1 / (1 + np.exp(-(theta[:, None] + free[:3])))
        given = np.prod(np.where(x[:, None, :] == 1, p, 1 - p), axis=2)
        sd = np.exp(free[3])
        prior = np.exp(-0.5 * ((theta - (design @ free[4:])[:, None]) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))
        return -float(np.log((given * prior).sum(axis=1) * (theta[1] - theta[0])).sum())

    best = minimize(minus_loglik, np.zeros(6), method="BFGS", options={"gtol": 1e-7})
    fitted = calibrate(answers, "rasch", covariates=z)
    assert fitted.loglik == pytest.approx(-best.fun, abs=1e-5)
    np.testing.assert_allclose(fitted.latent.regression.beta[0], best.x[4:], atol=1e-3)
    assert np.log(fitted.latent.regression.sd[0, 0]) == pytest.approx(best.x[3], abs=1e-3)


def test_a_group_mark_as_covariate_is_a_group_mean_at_equal_variances():
    """Exact identity with the multiple-group likelihood, and close to its estimate where the variances are equal."""
    answers, z = drawn(1500, 8, seed=4)
    night = z["night"]
    night[0] = 0.0  # so that the day shift is the reference group
    labels = ["night" if mark else "day" for mark in night]
    models = dict.fromkeys(answers.item_ids, "2pl")
    groups = build_problem(answers, models, groups=labels, constraints=(), priors=None)
    problem = problem_of(answers, {"night": night})
    items = problem.start()[: problem.tie.n_free]
    grouped = evaluate(groups, np.concatenate([items, [-0.3, 0.0]]))
    regressed = evaluate(problem, np.concatenate([items, [-0.3]]))
    assert regressed.loglik == pytest.approx(grouped.loglik, abs=1e-8)
    np.testing.assert_allclose(regressed.gradient, grouped.gradient[:-1], atol=1e-8)
    as_group, as_mark = calibrate(answers, "2pl", groups=labels), calibrate(answers, "2pl", covariates={"night": night})
    assert as_mark.loglik < as_group.loglik  # one value less
    assert as_mark.latent.regression.beta[0, 0] == pytest.approx(as_group.latent.mean[1, 0], abs=0.03)
    assert as_mark.latent.regression.se[0, 0] == pytest.approx(np.sqrt(as_group.free.cov[-2, -2]), rel=0.1)


def test_coefficients_are_recovered_and_their_errors_cover_the_truth():
    """SIMULATED, 12 samples: of 24 intervals at 95 %, at least 19 hold the truth (fewer: about 1 in 1,000)."""
    inside: list[bool] = []
    for seed in range(12):
        answers, z = drawn(300, 8, seed=100 + seed)
        found = calibrate(answers, "2pl", covariates=z).latent.regression
        inside += list(np.abs(found.beta[0] - np.array([0.6, -0.4])) < 1.96 * found.se[0])
    assert sum(inside) >= 19


def test_weights_count_as_persons():
    answers, z = drawn(150, 4, seed=5)
    once = calibrate(answers, "rasch", covariates=z).latent.regression
    twice = calibrate(replace(answers, weight=np.full(150, 2.0)), "rasch", covariates=z).latent.regression
    np.testing.assert_allclose(twice.beta, once.beta, atol=1e-5)
    np.testing.assert_allclose(twice.se, once.se / np.sqrt(2), rtol=1e-3)


@pytest.mark.parametrize("kind", ["crossprod", "sandwich"])
def test_other_errors_are_of_the_same_size(kind):
    """Under the true model all three estimate the same covariance; SIMULATED, 600 persons."""
    answers, z = drawn(600, 4, seed=6)
    oakes, other = (calibrate(answers, "rasch", covariates=z, se=se).latent.regression.se for se in ("oakes", kind))
    np.testing.assert_allclose(other, oakes, rtol=0.25)


def test_result_lists_the_regression_and_the_marginal_moments():
    answers, z = drawn(600, 10, seed=7)
    fitted = calibrate(answers, "2pl", covariates=z)
    table = fitted.tables()["regression"]
    assert table["covariate"] == ["years", "night"]
    np.testing.assert_allclose(table["z"], table["estimate"] / table["se"])
    found = fitted.latent.regression
    predicted = np.column_stack(list(z.values())) @ found.beta[0]
    assert fitted.latent.mean[0, 0] == pytest.approx(predicted.mean(), abs=1e-10)
    assert fitted.latent.cov[0, 0, 0] == pytest.approx(1 + predicted.var(), abs=1e-10)
    assert found.explained[0, 0] == pytest.approx(predicted.var() / (1 + predicted.var()), abs=1e-10)
    assert fitted.provenance.options["covariates"] == "years, night"
    assert calibrate(answers, "2pl").tables().keys() == {"items", "parameters", "latent", "audit"}


def test_default_scores_do_not_know_the_covariates():
    answers, z = drawn(400, 6, seed=8)
    fitted = calibrate(answers, "2pl", covariates=z)
    x = np.tile(answers.x[:1], (2, 1))
    pair = make_responses(x.astype(float), list(answers.item_ids), 2)
    apart = {"years": [-2.0, 2.0], "night": [1.0, 0.0]}
    plain = score(fitted, pair)
    assert plain.theta[0, 0] == plain.theta[1, 0]
    assert "covariates" not in plain.provenance.options
    for method in ("eap", "map", "sum-eap"):
        moved = score(fitted, pair, method, covariates=apart)
        assert moved.theta[1, 0] > moved.theta[0, 0] + 0.3
        assert moved.provenance.options["covariates"] == "years, night"
    for method in ("ml", "wle"):  # no prior, nothing to move
        np.testing.assert_array_equal(
            score(fitted, pair, method, covariates=apart).theta, score(fitted, pair, method).theta
        )


def test_scores_with_covariates_match_integration_per_person():
    answers, z = drawn(300, 5, seed=9)
    fitted = calibrate(answers, "2pl", covariates=z)
    found, theta = score(fitted, answers, covariates=z), np.linspace(-9, 9, 721)
    log_p = fitted.blocks[0].log_prob(theta[:, None])
    beta = fitted.latent.regression.beta[0]
    for i in (0, 17, 250):
        centre = z["years"][i] * beta[0] + z["night"][i] * beta[1]
        joint = np.exp(log_p[:, np.arange(5), answers.x[i]].sum(axis=1) - 0.5 * (theta - centre) ** 2)
        mean = np.average(theta, weights=joint)
        sd = np.sqrt(np.average((theta - mean) ** 2, weights=joint))
        assert (found.theta[i, 0], found.se[i, 0]) == pytest.approx((mean, sd), abs=1e-6)


def test_a_regression_survives_saving(tmp_path):
    answers, z = drawn(200, 4, seed=10)
    fitted = calibrate(answers, "rasch", covariates=z)
    again = load_calibration(save(fitted, tmp_path / "c.json"))
    assert again.parameter_hash == fitted.parameter_hash
    for name in ("beta", "se", "mean", "sd", "explained"):
        np.testing.assert_array_equal(getattr(again.latent.regression, name), getattr(fitted.latent.regression, name))
    np.testing.assert_array_equal(score(again, answers, covariates=z).theta, score(fitted, answers, covariates=z).theta)


def test_many_cells_give_the_same_with_and_without_the_compiled_kernel(monkeypatch):
    """40,000 persons with covariates of their own: more cells than 16 bits count."""
    rng = np.random.default_rng(11)
    z = rng.normal(size=40_000)
    x = (rng.random((40_000, 3)) < 1 / (1 + np.exp(-(0.5 * z + rng.normal(size=40_000))))[:, None]).astype(float)
    answers = make_responses(x)
    found = [evaluate(p, p.start()) for p in (problem_of(answers, {"z": z}, "rasch"),)]
    monkeypatch.setenv("TALENTASSESS_KERNEL", "numpy")
    kernel_library.cache_clear()
    plain = problem_of(answers, {"z": z}, "rasch")
    found.append(evaluate(plain, plain.start()))
    monkeypatch.undo()
    kernel_library.cache_clear()
    assert len(plain.structure.z) == 40_000
    assert found[0].loglik == pytest.approx(found[1].loglik, rel=1e-12)
    np.testing.assert_allclose(found[0].gradient, found[1].gradient, rtol=1e-7, atol=1e-6)


BAD = [
    ({}, DataError, "found no column"),
    ({"age": [30.0] * 59}, DataError, "covariate 'age' has shape"),
    ({"age": ["old"] * 60}, DataError, "covariate 'age' holds texts or objects such as 'old'"),
    ({"age": [np.nan, *range(59)]}, DataError, "covariate 'age' is not known for 1 person"),
    ({"age": [30.0] * 60}, CalibrationError, "'age' is 30 for everybody"),
    ({"age": np.arange(60.0), "born": 2000 - np.arange(60.0)}, CalibrationError, "'born' follows from age"),
    ({"days": 1000.0 * np.arange(60)}, CalibrationError, "'days' has a standard deviation of 1.73e"),
]


@pytest.mark.parametrize(("covariates", "error", "message"), BAD)
def test_bad_covariates_are_refused_by_name(covariates, error, message):
    answers, _ = drawn(60, 4, seed=12)
    with pytest.raises(error, match=message):
        calibrate(answers, "rasch", covariates=covariates)


def test_a_person_without_a_covariate_is_named():
    answers, _ = drawn(60, 4, seed=12)
    with pytest.raises(DataError, match="person '7': age is nan"):
        calibrate(answers, "rasch", covariates={"age": [np.nan if i == 7 else float(i) for i in range(60)]})


def test_what_does_not_go_together_is_refused():
    answers, z = drawn(80, 4, seed=13)
    with pytest.raises(ModelError, match="density and covariates cannot be combined"):
        calibrate(answers, "rasch", covariates=z, density="davidian-1")
    with pytest.raises(ModelError, match="engine='girth' does not know covariates"):
        calibrate(answers, "rasch", covariates=z, engine="girth")
    marks = ["b" if mark else "a" for mark in z["night"]]
    with pytest.raises(CalibrationError, match="'night' follows from"):
        calibrate(answers, "rasch", covariates=z, groups=marks)
    with pytest.raises(ScoringError, match="has no latent regression"):
        score(calibrate(answers, "rasch"), answers, covariates=z)
    with pytest.raises(ScoringError, match="covariates are years, night; found years"):
        score(calibrate(answers, "rasch", covariates=z), answers, covariates={"years": z["years"]})


def test_a_data_frame_and_a_structured_array_will_do():
    import pandas as pd

    answers, z = drawn(80, 4, seed=13)
    frame = pd.DataFrame(z)
    record = np.array(list(zip(z["years"], z["night"], strict=True)), dtype=[("years", float), ("night", float)])
    read = [read_covariates(given, answers.person_ids) for given in (z, frame, record)]
    assert {r.names for r in read} == {("years", "night")}
    for other in read[1:]:
        np.testing.assert_array_equal(other.values, read[0].values)


def test_linking_carries_the_regression_and_the_shape_along():
    """A linked calibration gives the old scores in the new metric: A theta + B, with covariates and under a shape."""
    answers, z = drawn(400, 8, seed=14)
    target = calibrate(answers, "2pl", se="oakes")
    for options, scored in (({"covariates": z}, {"covariates": z}), ({"density": "loglinear-2"}, {})):
        own = calibrate(answers, "2pl", **options)
        link = link_scales(own, target)
        moved = calibration_on_scale(own, link, uncertainty=False)
        before, after = score(own, answers, **scored).theta, score(moved, answers, **scored).theta
        np.testing.assert_allclose(after, link.A * before + link.B, atol=1e-4)

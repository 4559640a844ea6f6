"""Latent densities: identities with the normal, derivatives, recovery of shapes, and what depends on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad, simpson
from scipy.stats import chi2

import talentassess as ta
from shared_data import counted, make_responses
from talentassess.calibration import calibrate
from talentassess.calibration.densities import _histogram, _starts
from talentassess.calibration.objective import evaluate
from talentassess.calibration.optimise import maximise
from talentassess.calibration.problem import Problem, build_problem
from talentassess.calibration.shaped import ShapedGroups
from talentassess.core.calibration import Calibration
from talentassess.core.errors import CalibrationError, ModelError, ReportError, ScoringError
from talentassess.core.latent_shape import FAMILIES, LatentShape, hermite, shape_terms, sphere
from talentassess.core.quadrature import grid, normal_log_weights
from talentassess.core.responses import Responses
from talentassess.core.status import Status
from talentassess.render.charts import latent_density
from talentassess.scoring import score, sum_score_table
from talentassess.workflow.artefacts import load_calibration, save
from talentassess.workflow.report import report
from talentassess.workflow.simulate import simulate

SHAPES = [
    LatentShape("davidian", np.array([0.4])),
    LatentShape("davidian", np.array([0.3, -0.5, 0.2])),
    LatentShape("davidian", np.linspace(-0.6, 0.6, 10)),
    LatentShape("loglinear", np.array([0.8])),
    LatentShape("loglinear", np.array([-1.5, -2.0, 0.3, 0.1])),
]
IDS = [f"{s.name}-{n}" for n, s in enumerate(SHAPES)]


def answers_of(theta: np.ndarray, n_items: int, seed: int, spread: float = 1.0) -> tuple[Responses, np.ndarray]:
    """Return SIMULATED 2PL answers of these persons, and the slopes."""
    rng = np.random.default_rng(seed)
    slope, intercept = rng.uniform(0.8, 2, n_items), rng.normal(scale=spread, size=n_items)
    probability = 1 / (1 + np.exp(-(theta[:, None] * slope + intercept)))
    return make_responses((rng.random(probability.shape) < probability).astype(float)), slope


def bimodal(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    low = rng.random(n) < 0.35
    theta = np.where(low, rng.normal(-1.6, 0.5, n), rng.normal(0.86, 0.55, n))
    # mean and variance of the mixture, so that the true metric is 0 and 1
    mean = 0.35 * -1.6 + 0.65 * 0.86
    variance = 0.35 * (0.5**2 + 1.6**2) + 0.65 * (0.55**2 + 0.86**2) - mean**2
    return (theta - mean) / np.sqrt(variance)


def bimodal_density(t: np.ndarray) -> np.ndarray:
    mean = 0.35 * -1.6 + 0.65 * 0.86
    sd = np.sqrt(0.35 * (0.5**2 + 1.6**2) + 0.65 * (0.55**2 + 0.86**2) - mean**2)
    z = mean + sd * t
    parts = [(0.35, -1.6, 0.5), (0.65, 0.86, 0.55)]
    return sd * sum(p * np.exp(-0.5 * ((z - m) / s) ** 2) / (s * np.sqrt(2 * np.pi)) for p, m, s in parts)


@pytest.fixture(scope="module")
def two_peaks() -> tuple[Responses, np.ndarray, Calibration, Calibration]:
    answers, slope = answers_of(bimodal(2000, 1), 16, 2)
    return answers, slope, calibrate(answers, "2pl"), calibrate(answers, "2pl", density="davidian-2")


def shaped_problem(family: str, values: np.ndarray, model: str = "2pl", groups: bool = False) -> Problem:
    answers, _ = answers_of(bimodal(300, 3), 6, 4)
    labels = ["a" if i % 3 else "b" for i in range(300)] if groups else None
    models = dict.fromkeys(answers.item_ids, model)
    problem = build_problem(answers, models, groups=labels, constraints=(), priors=None)
    return replace(problem, structure=ShapedGroups(problem.structure, family, values))


# --- the densities themselves ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("order", [1, 4, 10])
def test_values_of_zero_are_the_normal(family, order):
    """Exact identity: the weights are those of the normal structure."""
    found = LatentShape(family, np.zeros(order)).log_weights(grid(), 0.3, 1.2)
    assert_allclose(found, normal_log_weights(grid(), 0.3, 1.2), atol=1e-11)


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
def test_mean_is_0_sd_is_1_and_the_area_is_1(shape):
    """Simpson's rule on 2,001 points, another rule on another grid than the package's."""
    t = np.linspace(-14, 14, 2001)
    area, mean, second, third, fourth = (simpson(shape.density(t) * t**r, x=t) for r in range(5))
    assert (area, mean, second) == pytest.approx((1, 0, 1), abs=1e-7)
    assert shape.skewness_kurtosis() == pytest.approx((third, fourth - 3), abs=1e-5)


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
def test_derivatives_of_a_density(shape):
    """Central differences; compared where there is mass, because a Davidian curve may touch zero elsewhere."""
    t, step = grid(41, 4.0), 1e-5
    terms = shape_terms(shape.family, shape.values, t)
    weights = np.exp(shape.log_weights(t))

    def at(shift: np.ndarray, moved: float = 0.0) -> np.ndarray:
        return shape_terms(shape.family, shape.values + shift, t + moved).log_density

    none = np.zeros(len(shape.values))
    assert_allclose(weights * (at(none, step) - at(none, -step)) / (2 * step), weights * terms.slope, atol=1e-6)
    for r, unit in enumerate(np.eye(len(none)) * step):
        difference = (at(unit) - at(-unit)) / (2 * step) - terms.by_value[:, r]
        assert_allclose(weights * (difference - weights @ difference), 0, atol=1e-5)  # up to a constant


def test_davidian_is_the_squared_polynomial_of_zhang_and_davidian():
    """h(z) = P(z)^2 phi(z) written in plain powers, as in the paper, moments by adaptive integration."""
    shape = LatentShape("davidian", np.array([0.3, -0.5]))
    point, _ = sphere(shape.values)
    powers = [point[0] - point[2] / np.sqrt(2), point[1], point[2] / np.sqrt(2)]  # e_2 = (z^2 - 1) / sqrt(2)

    def raw(z: float) -> float:
        return (powers[0] + powers[1] * z + powers[2] * z**2) ** 2 * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)

    area, mean, second = (quad(lambda z, r=r: raw(z) * z**r, -12, 12)[0] for r in (0, 1, 2))
    assert area == pytest.approx(1, abs=1e-10)  # angles make the polynomial a density: no constant is left to find
    sd = np.sqrt(second - mean**2)
    for t in (-2.0, -0.3, 0.7, 2.5):
        assert shape.density(np.array([t]))[0] == pytest.approx(sd * raw(mean + sd * t), rel=1e-8)


def test_hermite_polynomials_are_orthonormal():
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    values = hermite(nodes, 10)
    assert_allclose((values.T * weights / np.sqrt(2 * np.pi)) @ values, np.eye(11), atol=1e-11)


def test_angles_stay_on_the_sphere_and_start_at_the_normal():
    for angles in (np.zeros(4), np.array([0.3, -1.2, 2.0, 0.1])):
        point, slope = sphere(angles)
        assert point @ point == pytest.approx(1)
        assert_allclose(point @ slope, 0, atol=1e-15)
    assert_allclose(sphere(np.zeros(4))[0], np.eye(5)[0])


# --- the structure ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("groups", [False, True])
def test_the_likelihood_at_the_normal_is_the_normal_structures(family, groups):
    shaped = shaped_problem(family, np.zeros(3), "rasch", groups)
    plain = replace(shaped, structure=shaped.structure.normal)
    at = plain.start() + 0.2
    found, known = evaluate(shaped, np.concatenate([at, np.zeros(3)])), evaluate(plain, at)
    assert found.loglik == pytest.approx(known.loglik, abs=1e-9)
    assert_allclose(found.gradient[:-3], known.gradient, atol=1e-8)
    assert_allclose(found.step.counts, known.step.counts, atol=1e-10)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("groups", [False, True])
def test_gradient_is_the_derivative_of_the_log_likelihood(family, groups):
    problem = shaped_problem(family, np.array([0.3, -0.4, 0.2]), "rasch", groups)
    at = problem.start() + np.random.default_rng(1).normal(scale=0.1, size=len(problem.names))
    found, step = evaluate(problem, at), 1e-5
    for f, unit in enumerate(np.eye(len(at)) * step):
        slope = (evaluate(problem, at + unit).value - evaluate(problem, at - unit).value) / (2 * step)
        assert found.gradient[f] == pytest.approx(slope, abs=2e-5)


# --- estimation ------------------------------------------------------------------------------------------------------


def test_two_peaks_are_found_and_slopes_come_nearer_the_truth(two_peaks):
    """SIMULATED mixture of two normals: integrated squared error below a third of the normal's, less bias of slopes."""
    _, slope, normal, curve = two_peaks
    assert curve.status is Status.CONVERGED
    t = np.linspace(-4, 4, 401)
    known = [curve.latent.shapes[0], LatentShape("davidian", np.zeros(1))]
    errors = [float(np.sum((shape.density(t) - bimodal_density(t)) ** 2)) for shape in known]
    assert errors[0] < errors[1] / 3
    bias = [float(np.mean(c.blocks[0].par[:, 0] - slope)) for c in (curve, normal)]
    assert abs(bias[0]) < abs(bias[1])
    assert curve.loglik > normal.loglik + 50
    assert curve.bic < normal.bic
    assert "latent_density_departs" in {f.code for f in curve.audit}


@pytest.mark.parametrize("density", ["davidian-3", "loglinear-2"])
def test_skewness_is_found(density):
    """SIMULATED chi-square with 8 degrees of freedom, skewness 1: half the normal's squared error."""
    theta = (np.random.default_rng(5).chisquare(8, 2000) - 8) / 4
    answers, _ = answers_of(theta, 20, 6, spread=2.0)
    fitted = calibrate(answers, "2pl", density=density, se=None)
    assert fitted.status is Status.CONVERGED
    assert 0.5 < fitted.latent.shapes[0].skewness_kurtosis()[0] < 1.5
    t = np.linspace(-2, 4, 301)
    truth = 4 * chi2.pdf(8 + 4 * t, 8)
    known = [LatentShape("davidian", np.zeros(1)), fitted.latent.shapes[0]]
    errors = [np.sum((shape.density(t) - truth) ** 2) for shape in known]
    assert errors[1] < errors[0] / 2


def test_the_best_of_several_starts_is_kept(two_peaks):
    """From the normal itself, where a Davidian curve's angles have no slope to follow, the search ends lower."""
    answers, _, normal, curve = two_peaks
    models = dict.fromkeys(answers.item_ids, "2pl")
    plain = build_problem(answers, models, groups=None, constraints=(), priors=None)
    flat = replace(plain, structure=ShapedGroups(plain.structure, "davidian", np.zeros(2)))
    at_normal = evaluate(flat, np.concatenate([normal.free.values, np.zeros(2)]))
    assert_allclose(at_normal.gradient[-2:], 0, atol=0.5)  # singular: mean and variance absorb both angles
    path = maximise(plain, tol=1e-6, max_steps=200, report=lambda _: None, dimension="scale")
    t, weights = histogram = _histogram(path, plain.structure)
    assert (weights @ t, weights @ t**2) == pytest.approx((0, 1), abs=1e-12)
    starts = _starts("davidian", 2, histogram)
    fits = [-weights @ LatentShape("davidian", start).log_weights(t) for start in starts]
    assert fits == sorted(fits)
    assert len(starts) > 1  # several maxima already against the histogram
    assert curve.loglik > normal.loglik + 50


def test_a_higher_order_never_fits_worse(two_peaks):
    """Curves are nested: the lower order is among the starts, without which bfi agreeableness ended lower at 4."""
    answers, _, normal, curve = two_peaks
    higher = calibrate(answers, "2pl", density="davidian-3", se=None)
    assert normal.loglik < curve.loglik <= higher.loglik + 1e-4


def test_errors_agree_with_repeated_samples():
    """SIMULATED: spread of a coefficient over 8 samples against its mean standard error; a factor 2 is 3 sigma off."""
    found, errors = [], []
    for seed in range(8):
        theta = (np.random.default_rng(50 + seed).chisquare(8, 300) - 8) / 4
        fitted = calibrate(answers_of(theta, 8, 70 + seed)[0], "rasch", density="loglinear-1")
        found.append(fitted.free.values[-1])
        errors.append(np.sqrt(fitted.free.cov[-1, -1]))
    assert 1 / 2 < np.std(found, ddof=1) / np.mean(errors) < 2


def test_groups_share_the_shape_and_keep_their_means(two_peaks):
    theta = np.concatenate([bimodal(900, 8), 0.5 + 0.8 * bimodal(900, 9)])
    answers, _ = answers_of(theta, 12, 10)
    fitted = calibrate(answers, "2pl", groups=["one"] * 900 + ["two"] * 900, density="loglinear-2")
    assert fitted.status is Status.CONVERGED
    assert fitted.latent.mean[1, 0] == pytest.approx(0.5, abs=0.15)
    assert np.sqrt(fitted.latent.cov[1, 0, 0]) == pytest.approx(0.8, abs=0.1)
    assert fitted.latent.shapes[0].skewness_kurtosis()[1] < -0.7


def test_too_flexible_a_density_says_so():
    """Five Rasch items have six sum scores, which cannot determine the difficulties and four angles as well."""
    fitted = calibrate(counted("lsat7.csv"), "rasch", density="davidian-4")
    codes = {f.code: f for f in fitted.audit}
    assert "4 values of a davidian-4 density" in codes["density_too_flexible"].message
    assert "latent_density_normal" in codes


def test_anchored_items_keep_the_metric_and_let_mean_and_sd_free(two_peaks):
    _, _, _, curve = two_peaks
    answers = simulate(curve, 800, seed=2, theta=(0.4 + 0.7 * bimodal(800, 12))[:, None])
    fitted = calibrate(answers, "2pl", anchors=curve, density="davidian-2", se=None)
    assert fitted.status is Status.CONVERGED
    assert fitted.latent.mean[0, 0] == pytest.approx(0.4, abs=0.12)
    assert np.sqrt(fitted.latent.cov[0, 0, 0]) == pytest.approx(0.7, abs=0.1)
    assert fitted.provenance.options["density"] == "davidian-2"


def test_each_dimension_has_its_own_shape(two_peaks):
    answers, *_ = two_peaks
    two = answers.take(range(500))
    fitted = calibrate(
        two, "rasch", dimensions={"x": two.item_ids[:8], "y": two.item_ids[8:]}, density="loglinear-2", se=None
    )
    assert [shape.name for shape in fitted.latent.shapes] == ["loglinear-2"] * 2
    assert set(fitted.tables()["density"]["dimension"]) == {"x", "y"}
    assert np.isfinite(score(fitted, two).theta).all()


def test_an_interrupted_search_keeps_the_best_curve_so_far(two_peaks):
    answers, *_ = two_peaks
    calls: list[int] = []

    def stop(progress: object) -> None:
        calls.append(1)
        if len(calls) == 22:
            raise KeyboardInterrupt

    fitted = calibrate(answers, "2pl", density="davidian-4", se=None, progress=stop)
    assert fitted.status is Status.INTERRUPTED
    assert len(calls) == 22
    assert fitted.latent.shapes


def test_comparison_prefers_the_curve_where_there_is_one_and_refuses_several_scales(two_peaks):
    answers, _, normal, _ = two_peaks
    compared = ta.compare_densities(answers, "2pl", densities=["loglinear-2"], se=None)
    assert compared.densities == ("normal", "loglinear-2")
    table = compared.tables()["densities"]
    assert table["loglik"][0] == pytest.approx(normal.loglik, abs=1e-6)
    assert table["p"][0] is None
    assert table["p"][1] < 1e-6
    assert [table["bic"][n] for n in (0, 1)] == [c.bic for c in compared.calibrations]
    assert compared.best("hq") is compared.calibrations[1]
    hq = 2 * normal.n_free * np.log(np.log(normal.n_persons)) - 2 * normal.loglik
    assert table["hq"][0] == pytest.approx(hq, abs=1e-4)
    assert "bic: loglinear-2" in repr(compared)
    with pytest.raises(ModelError, match="no criterion 'dic'; choose one of: bic, hq, aic"):
        compared.best("dic")
    two = replace(answers, scales=("x",) * 8 + ("y",) * 8)
    with pytest.raises(CalibrationError, match="one scale at a time; found x, y"):
        ta.compare_densities(two, "2pl")


@pytest.mark.parametrize("density", ["davidian-0", "davidian-11", "davidian", "spline-3", "", "loglinear-x"])
def test_unknown_densities_are_refused(density):
    answers, _ = answers_of(bimodal(50, 1), 3, 1)
    with pytest.raises(ModelError, match=f"density='{density}' is not known; choose 'normal', or one of 'davidian-1'"):
        calibrate(answers, "rasch", density=density)
    with pytest.raises(ModelError, match="engine='girth' does not know density"):
        calibrate(answers, "rasch", density="davidian-1", engine="girth")


# --- what rests on the density ---------------------------------------------------------------------------------------


def test_eap_and_sum_scores_use_the_density(two_peaks):
    """Against integration written out with the density itself."""
    answers, _, _, curve = two_peaks
    theta = np.linspace(-7, 7, 2801)
    log_p, prior = curve.blocks[0].log_prob(theta[:, None]), curve.latent.shapes[0].density(theta)
    found = score(curve, answers.take(range(5)))
    for i in range(5):
        joint = prior * np.exp(log_p[:, np.arange(16), answers.x[i]].sum(axis=1))
        mean = np.average(theta, weights=joint)
        sd = np.sqrt(np.average((theta - mean) ** 2, weights=joint))
        assert (found.theta[i, 0], found.se[i, 0]) == pytest.approx((mean, sd), abs=1e-6)
    table = sum_score_table(curve)
    none = prior * np.exp(log_p[:, :, 0].sum(axis=1))
    assert table.eap[0] == pytest.approx(np.average(theta, weights=none), abs=1e-6)
    assert table.share[0] == pytest.approx(none.sum() * (theta[1] - theta[0]), rel=1e-6)
    by_sum = score(curve, answers.take(range(5)), "sum-eap")
    assert_allclose(by_sum.theta[:, 0], table.eap[answers.x[:5].sum(axis=1)], atol=1e-12)
    with pytest.raises(ScoringError, match="method='map' needs a normal latent distribution"):
        score(curve, answers, "map")


def test_a_density_survives_saving(two_peaks, tmp_path):
    answers, _, normal, curve = two_peaks
    again = load_calibration(save(curve, tmp_path / "c.json"))
    assert again.latent.shapes[0].name == "davidian-2"
    assert again.parameter_hash == curve.parameter_hash != normal.parameter_hash
    np.testing.assert_array_equal(score(again, answers).theta, score(curve, answers).theta)
    assert load_calibration(save(normal, tmp_path / "n.json")).latent.shapes == ()


def test_simulated_persons_follow_the_density(two_peaks):
    """Skewness and kurtosis of expected scores cannot be seen; the mean share of answers can: within 4 errors."""
    *_, curve = two_peaks
    drawn = simulate(curve, 20_000, seed=1)
    theta = np.linspace(-7, 7, 1401)
    weights = np.exp(curve.latent.shapes[0].log_weights(theta))
    p = np.exp(curve.blocks[0].log_prob(theta[:, None]))[:, :, 1]
    total = p.sum(axis=1)
    spread = weights @ (total - weights @ total) ** 2 + weights @ (p * (1 - p)).sum(axis=1)
    seen = drawn.x.sum(axis=1)
    assert seen.mean() == pytest.approx(weights @ total, abs=4 * np.sqrt(spread / 20_000))
    assert seen.var() == pytest.approx(spread, rel=0.05)
    normal = np.exp(normal_log_weights(theta)) @ (total - np.exp(normal_log_weights(theta)) @ total) ** 2
    assert abs(weights @ (total - weights @ total) ** 2 / normal - 1) > 0.05  # the test could tell


def test_tables_chart_and_report_show_the_density(two_peaks):
    _, _, normal, curve = two_peaks
    tables = curve.tables()
    assert tables["latent"]["density"] == ["davidian-2"]
    assert "density" not in normal.tables()
    columns = tables["density"]
    assert_allclose(np.array(columns["density"]), curve.latent.shapes[0].density(np.array(columns["theta"])))
    figure = latent_density(curve, "scale")
    assert "davidian-2" in figure.caption
    assert "density-1" in {getattr(block, "anchor", "") for block in report(curve).blocks}
    with pytest.raises(ReportError, match="was taken to be normal"):
        latent_density(normal, "scale")

"""Calibration against R mirt 1.47 (see README.md in this folder).

Tolerances: the reference was run to 1e-9, ours to 1e-6 on the parameters; 1e-5 on the log-likelihood, 1e-4 on
parameters and 1e-3 on standard errors are what ENGINE accuracy asks for. Observed differences are below 5e-6.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shared_data import BFI, bfi, counted, sat12, science, verbal_aggression
from talentassess.calibration import calibrate
from talentassess.calibration.objective import evaluate
from talentassess.calibration.problem import build_problem
from talentassess.core.quadrature import grid
from talentassess.core.status import Status

HERE = Path(__file__).parent
MIRT = json.loads((HERE / "irt_reference.json").read_text())
OPEN = json.loads((HERE / "reference_open.json").read_text())

CASES = {
    "LSAT6_2PL": ("2pl", lambda: counted("lsat6.csv")),
    "LSAT6_Rasch": ("rasch", lambda: counted("lsat6.csv")),
    "LSAT7_2PL": ("2pl", lambda: counted("lsat7.csv")),
    "LSAT7_Rasch": ("rasch", lambda: counted("lsat7.csv")),
    "Science_GRM": ("graded", science),
    "Science_GPCM": ("gpcm", science),
    "Science_PCM": ("pcm", science),
    "VA_Rasch": ("rasch", lambda: verbal_aggression(dichotomous=True)),
    "VA_2PL": ("2pl", lambda: verbal_aggression(dichotomous=True)),
    "SAT12_2PL": ("2pl", lambda: sat12(OPEN["SAT12_key"])),
}


def on_reference_grid(result, responses, model):
    """Return our log-likelihood on the reference's 121 nodes (ours are 61; it matters only for a wide latent sd)."""
    models = dict.fromkeys(responses.item_ids, model)
    problem = build_problem(responses, models, groups=None, constraints=(), priors=None)
    return evaluate(replace(problem, structure=replace(problem.structure, nodes=grid(121))), result.free.values).loglik


def expected_parameters(case: str, model: str, n_cat: int) -> np.ndarray:
    """mirt prints 2PL as a, d, g, u; GPCM as a, scoring weights, d0..; keep slope and intercepts."""
    coef = np.array(MIRT[case]["coef"], dtype=float)
    if model in ("2pl", "rasch"):
        return coef[:, :2]
    return coef if model == "graded" else np.column_stack([coef[:, 0], coef[:, -(n_cat - 1) :]])


@pytest.mark.parametrize("case", CASES)
def test_loglik_parameters_and_standard_errors(case):
    model, data = CASES[case]
    responses = data()
    result = calibrate(responses, model)
    reference = MIRT[case]
    assert result.status is Status.CONVERGED
    assert on_reference_grid(result, responses, model) == pytest.approx(reference["logLik"], abs=1e-5)
    # the latent sd of VA_Rasch asks for a wider grid than the reference's (dense integration: test_open_fits.py)
    assert result.loglik == pytest.approx(reference["logLik"], abs=5e-3 if case == "VA_Rasch" else 1e-3)
    (block,) = result.blocks
    # verbal aggression with free variance: another grid, and mirt stopped 8e-6 log-likelihood units short
    near = 2e-3 if case == "VA_Rasch" else 1e-4
    np.testing.assert_allclose(block.par, expected_parameters(case, model, int(responses.n_cat[0])), atol=near)
    np.testing.assert_allclose(result.latent.cov[0, 0, 0], reference["cov"][0][0], atol=near)
    errors = np.sqrt(np.diag(result.free.cov))
    if model in ("rasch", "pcm"):
        errors[-1] *= 2 * result.latent.cov[0, 0, 0]  # ours is of log(sd), mirt's of the variance: delta method
    np.testing.assert_allclose(errors, reference["se"], atol=1e-3)


def check_open(result, reference, tolerance):
    """The open reference was run to mirt's default tolerance: its own parameters are good to about 1e-3."""
    assert result.loglik == pytest.approx(reference["fit"]["logLik"], abs=1e-3)
    table = result.to_frame("items").set_index("item")
    for item, par in reference["pars"].items():
        for name, value in par.items():
            if name == "a" or name.startswith("b"):
                assert table.loc[item, name] == pytest.approx(value, rel=tolerance, abs=tolerance)


def test_de_ayala_2pl():
    check_open(calibrate(counted("deayala.csv"), "2pl"), OPEN["deAyala"], 1e-3)


def test_de_ayala_2pl_against_direct_maximisation():
    """Log-likelihood, parameters and SEs from an independent NumPy optimiser (independent_mle_numpy.txt)."""
    result = calibrate(counted("deayala.csv"), "2pl")
    (block,) = result.blocks
    assert result.loglik == pytest.approx(-55198.496086, abs=1e-5)
    expected = [1.244893, 2.022921, 1.573444, 1.566883, 0.996139, 2.58492, 0.995758, 0.393869, -0.416318, -0.550479]
    errors = [0.043402, 0.060605, 0.041324, 0.040513, 0.027349, 0.040845, 0.030424, 0.021484, 0.021339, 0.018122]
    np.testing.assert_allclose(block.par.T.ravel(), expected, atol=1e-5)
    np.testing.assert_allclose(np.sqrt(np.diag(result.free.cov)).reshape(-1, 2).T.ravel(), errors, atol=1e-5)


def test_verbal_aggression_graded():
    check_open(calibrate(verbal_aggression(), "graded"), OPEN["VerbalAggression_grm"], 2e-3)


@pytest.mark.parametrize("scale", BFI)
def test_bfi_graded_with_missing_answers(scale):
    check_open(calibrate(bfi(scale), "graded", se=None), OPEN["bfi"][scale], 3e-3)


def test_a_rasch_model_is_a_one_slope_2pl():
    """Exact identity: slope 1 with free variance equals one common slope with variance 1 (slope = sd)."""
    rasch = calibrate(counted("lsat6.csv"), "rasch")
    common = calibrate(counted("lsat6.csv"), "1pl")
    assert common.loglik == pytest.approx(rasch.loglik, abs=1e-6)
    assert common.blocks[0].par[0, 0] == pytest.approx(np.sqrt(rasch.latent.cov[0, 0, 0]), abs=1e-5)


def test_two_categories_make_graded_gpcm_nominal_and_2pl_the_same_model():
    answers = counted("lsat7.csv")
    fits = [calibrate(answers, model) for model in ("2pl", "graded", "gpcm", "nominal")]
    for other in fits[1:]:
        assert other.loglik == pytest.approx(fits[0].loglik, abs=1e-7)
        np.testing.assert_allclose(other.blocks[0].par, fits[0].blocks[0].par, atol=1e-5)


def test_sandwich_equals_oakes_in_large_samples_and_crossprod_is_near():
    answers = counted("deayala.csv")
    errors = {
        kind: np.sqrt(np.diag(calibrate(answers, "2pl", se=kind).free.cov))
        for kind in ("oakes", "crossprod", "sandwich")
    }
    np.testing.assert_allclose(errors["crossprod"], errors["oakes"], rtol=0.1)
    np.testing.assert_allclose(errors["sandwich"], errors["oakes"], rtol=0.1)
    assert not np.allclose(errors["crossprod"], errors["oakes"], rtol=1e-6)


def test_oakes_is_the_hessian_of_the_marginal_loglikelihood():
    """Independent of the formula: central differences of the analytic gradient of the marginal log-likelihood."""
    answers = science()
    result = calibrate(answers, "gpcm")
    models = dict.fromkeys(answers.item_ids, "gpcm")
    problem = build_problem(answers, models, groups=None, constraints=(), priors=None)
    size, step = len(result.free.values), 1e-4
    hessian = np.empty((size, size))
    for k in range(size):
        shift = np.eye(size)[k] * step
        up, down = evaluate(problem, result.free.values + shift), evaluate(problem, result.free.values - shift)
        hessian[k] = (up.gradient - down.gradient) / (2 * step)
    np.testing.assert_allclose(np.linalg.inv(-hessian), result.free.cov, rtol=1e-5, atol=1e-7)

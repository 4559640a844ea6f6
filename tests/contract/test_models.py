"""One contract, every model: whatever stands in the models folder must keep it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from talentassess.calibration import calibrate
from talentassess.core.calibration import Calibration, FreeParameters, Latent
from talentassess.core.derived import expected_score, item_information
from talentassess.core.likelihood import ItemBlock
from talentassess.core.model import ItemModel, Param
from talentassess.core.provenance import Provenance
from talentassess.core.status import Status
from talentassess.models import all_models, find_model, model_names
from talentassess.scoring import score
from talentassess.workflow.artefacts import load_calibration, save
from talentassess.workflow.simulate import simulate

MODELS = sorted(all_models())
DIMENSIONS = (1, 2)


def categories(model: ItemModel) -> int:
    return model.categories[1] or 4


def draw(model: ItemModel, n_items: int, n_dims: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    declared = model.params(categories(model), n_dims)
    return np.array([[rng.uniform(*p.typical) for p in declared] for _ in range(n_items)])


def points(n_dims: int) -> np.ndarray:
    return np.random.default_rng(1).normal(scale=2.0, size=(9, n_dims))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("n_dims", DIMENSIONS)
def test_declarations(name, n_dims):
    model = all_models()[name]
    declared = model.params(categories(model), n_dims)
    assert model.citation
    assert model.label
    assert len({p.name for p in declared}) == len(declared) == len({p.symbol for p in declared})
    for p in declared:
        assert isinstance(p, Param)
        assert p.lower < p.typical[0] < p.typical[1] < p.upper
    for variant in model.variants.values():
        assert variant.label
        assert set(variant.fixed) | set(variant.tied) <= {p.name for p in model.params(categories(model), 1)}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("n_dims", DIMENSIONS)
def test_probabilities_sum_to_one_from_minus_to_plus_infinity(name, n_dims):
    model = all_models()[name]
    k, par = categories(model), draw(model, 5, n_dims)
    theta = np.concatenate([points(n_dims), np.full((1, n_dims), 30.0), np.full((1, n_dims), -30.0)])
    log_p = model.log_prob(theta, par, k)
    assert log_p.shape == (len(theta), 5, k)
    assert not np.isnan(log_p).any()
    np.testing.assert_allclose(np.exp(log_p).sum(axis=2), 1.0, atol=1e-12)


def differences(function, at, step):
    """Fourth-order central difference: error about step**4."""
    near, far = function(at + step) - function(at - step), function(at + 2 * step) - function(at - 2 * step)
    return (8 * near - far) / (12 * np.abs(step).max())


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("n_dims", DIMENSIONS)
def test_analytic_derivatives_match_finite_differences(name, n_dims):
    model = all_models()[name]
    k, par, theta = categories(model), draw(model, 5, n_dims), points(n_dims)
    by_par, by_theta = model.d_par(theta, par, k), model.d_theta(theta, par, k)
    assert by_par.shape == (len(theta), 5, k, par.shape[1])
    assert by_theta.shape == (len(theta), 5, k, n_dims)
    for p in range(par.shape[1]):
        step = 1e-3 * np.eye(par.shape[1])[p]
        expected = differences(lambda value: model.log_prob(theta, value, k), par, step)
        np.testing.assert_allclose(by_par[..., p], expected, atol=1e-8)
    for d in range(n_dims):
        step = 1e-3 * np.eye(n_dims)[d]
        expected = differences(lambda value: model.log_prob(value, par, k), theta, step)
        np.testing.assert_allclose(by_theta[..., d], expected, atol=1e-8)


@pytest.mark.parametrize("name", MODELS)
def test_the_score_has_expectation_zero_and_information_is_its_variance(name):
    """Bartlett's identities: sum_k P dlogP = 0; information from the slopes is never negative."""
    model = all_models()[name]
    k, theta = categories(model), points(1)
    block = ItemBlock(model, k, np.arange(5), draw(model, 5, 1))
    p = np.exp(block.log_prob(theta))
    np.testing.assert_allclose((p * block.d_theta(theta)[..., 0]).sum(axis=2), 0.0, atol=1e-10)
    np.testing.assert_allclose(np.einsum("qjk,qjkp->qjp", p, model.d_par(theta, block.par, k)), 0.0, atol=1e-10)
    assert (item_information(block, theta) > 0).all()


@pytest.mark.parametrize("name", MODELS)
def test_higher_theta_means_higher_expected_category_if_ordered(name):
    model = all_models()[name]
    block = ItemBlock(model, categories(model), np.arange(5), draw(model, 5, 1))
    expected = expected_score(block, np.linspace(-4, 4, 41)[:, None])
    if model.ordered:
        assert (np.diff(expected, axis=0) > -1e-12).all()  # curves may reach their limit to the last digit
        assert (expected[-1] > expected[0] + 0.5).all()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("n_dims", DIMENSIONS)
def test_starting_values_are_admissible_even_for_empty_categories(name, n_dims):
    model = all_models()[name]
    k = categories(model)
    even, lopsided = np.full(k, 1 / k), np.eye(k)[0]
    par = model.start(np.stack([even, lopsided, lopsided[::-1]]), n_dims)
    assert par.shape == (3, len(model.params(k, n_dims)))
    assert np.isfinite(model.log_prob(points(n_dims), par, k)).all()
    assert all(len(values) == 3 for values in model.display(par, k, n_dims).values())


def truth(model: ItemModel, n_items: int) -> Calibration:
    par = draw(model, n_items, 1, seed=5)
    return Calibration(
        item_ids=tuple(f"q{j + 1}" for j in range(n_items)),
        n_cat=np.full(n_items, categories(model)),
        dimensions=("trait",),
        blocks=(ItemBlock(model, categories(model), np.arange(n_items), par, (0,), model.name),),
        par_cov=(np.zeros((*par.shape, par.shape[1])),),
        latent=Latent(("all",), np.zeros((1, 1)), np.ones((1, 1, 1))),
        free=FreeParameters((), np.empty(0), np.empty((0, 0))),
        loglik=float("nan"),
        n_persons=0,
        n_steps=0,
        status=Status.NOT_CHECKED,
        trace=(),
        audit=(),
        provenance=Provenance("contract suite", simulated=True),
    )


@pytest.fixture(scope="module", params=MODELS)
def fitted(request):
    """Simulate 1,500 persons on 12 items and calibrate them, once per model."""
    known = truth(all_models()[request.param], 12)
    answers = simulate(known, 1500, seed=11)
    return known, answers, calibrate(answers, request.param)


def test_recovery_within_sampling_error(fitted):
    """Mean squared standardised error of all parameters is near 1: they miss by what their SEs say."""
    known, _, result = fitted
    assert result.status is Status.CONVERGED
    z = (result.blocks[0].par - known.blocks[0].par) / np.sqrt(np.diagonal(result.par_cov[0], axis1=1, axis2=2))
    # Parameters under a prior are shrunk towards it, so only "not larger than chance" can be asked of them: with 24 and
    # more correlated values the mean square stays below 2.2 in all but about one run of a thousand.
    assert np.mean(z**2) < 2.2
    assert np.abs(z).max() < 5


def test_the_gradient_is_zero_at_the_estimate_and_the_information_positive_definite(fitted):
    _, _, result = fitted
    assert (np.linalg.eigvalsh(result.free.cov) > 0).all()
    assert np.diff(result.trace[0]).min() > -1e-6  # the objective never falls


def test_scores_track_the_truth(fitted):
    known, answers, result = fitted
    theta = np.random.default_rng(3).normal(size=(400, 1))
    people = simulate(known, 400, seed=3, theta=theta)
    scores = score(result, people)
    inside = np.abs(scores.theta - theta) < 1.96 * scores.se
    assert 0.90 < inside.mean() < 0.99  # 95 % intervals of 400 persons: 0.95 +- 4 binomial SEs
    assert answers.provenance.simulated
    assert scores.provenance.simulated


def test_a_saved_calibration_scores_to_the_same_bits(fitted, tmp_path):
    _, answers, result = fitted
    again = load_calibration(save(result, tmp_path / "calibration.json"))
    np.testing.assert_array_equal(score(again, answers).theta, score(result, answers).theta)
    np.testing.assert_array_equal(again.free.cov, result.free.cov)
    assert again.status is result.status
    assert again.provenance == result.provenance


def test_the_item_table_shows_every_parameter_with_its_error(fitted):
    _, _, result = fitted
    table = result.to_frame()
    model = result.blocks[0].model
    for p in model.params(result.blocks[0].n_cat, 1):
        assert np.isfinite(table[[p.symbol, f"se({p.symbol})"]]).all(axis=None)
    for name in model.display(result.blocks[0].par, result.blocks[0].n_cat, 1):
        assert (table[f"se({name})"] > 0).all()


@pytest.mark.parametrize("name", model_names())
def test_every_name_is_found_and_frozen(name):
    model, variant = find_model(name)
    assert variant.label
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.name = "other"

"""Model-implied moments: exact against sums over nodes, and as the ground of M2 and C2 against R mirt 1.47.

M2 (Maydeu-Olivares & Joe 2005, eq. 3.7; 2006) and C2 (Cai & Monroe 2014) are put together here from the moments, their
Jacobian and the answers; mirt's values stand in fit_reference.json. ENGINE asks for 1e-3; observed 6e-7 and less
(VA_Rasch, whose latent sd mirt integrates on a narrower grid: 1.5e-4).

Departure: C2 of the two partial credit fits. mirt prints 16.340 (GPCM) and 31.777 (PCM); we get 19.039 and 31.694. Ours
equal a computation from the 256 pattern probabilities and numerical derivatives alone (below), and over 150 SIMULATED
samples of 392 persons they had mean 2.04 and variance 4.12 (GPCM, df 2), 5.18 and 10.94 (PCM, df 5): the chi-squared
distributions they should have. mirt's PCM value is ours without the derivative by the latent sd.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shared_data import counted, sat12, science, verbal_aggression
from talentassess.calibration import calibrate
from talentassess.calibration.problem import build_problem
from talentassess.core.errors import ModelError
from talentassess.core.likelihood import ItemBlock, one_hot, stack_log_prob
from talentassess.core.moments import expected_moments, moments_at
from talentassess.core.quadrature import d_normal_log_weights, grid, normal_log_weights
from talentassess.models import all_models

REFERENCE = json.loads((Path(__file__).parent / "fit_reference.json").read_text())
CASES = {
    "LSAT6_2PL": ("2pl", lambda: counted("lsat6.csv")),
    "LSAT6_Rasch": ("rasch", lambda: counted("lsat6.csv")),
    "LSAT7_2PL": ("2pl", lambda: counted("lsat7.csv")),
    "LSAT7_Rasch": ("rasch", lambda: counted("lsat7.csv")),
    "Science_GRM": ("graded", science),
    "VA_Rasch": ("rasch", lambda: verbal_aggression(dichotomous=True)),
    "SAT12_2PL": ("2pl", lambda: sat12(REFERENCE["SAT12_key"])),
}


def indicators(n_cat: np.ndarray) -> np.ndarray:
    """Return the features of all categories but each item's lowest."""
    starts = np.concatenate([[0], np.cumsum(n_cat)])
    return np.delete(np.eye(starts[-1]), starts[:-1], axis=0)


def scores(n_cat: np.ndarray) -> np.ndarray:
    """Return one feature per item: its code."""
    codes = np.concatenate([np.arange(k) for k in n_cat])
    return np.where(np.repeat(np.arange(len(n_cat)), n_cat) == np.arange(len(n_cat))[:, None], codes, 0.0)


def products(values: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    return values[..., pairs[0]] * values[..., pairs[1]]


def covariance(calibration, first, second, pairs) -> np.ndarray:
    """Return the covariance of the first-order features and the products: summed over all patterns if there are few.

    For dichotomous items it follows node by node: E[prod over the union of two sets of items].
    """
    mean = np.concatenate([first.univariate, second.bivariate[pairs[0], pairs[1]]])
    n_items = int(second.item.max()) + 1
    if np.prod(calibration.n_cat.astype(float)) < 1000:
        patterns = np.array(list(itertools.product(*(range(k) for k in calibration.n_cat))), dtype=np.int16)
        starts = np.concatenate([[0], np.cumsum(calibration.n_cat)]).astype(np.int64)
        hot = one_hot(patterns, starts)
        nodes = grid(121, 9.0)
        sd = float(np.sqrt(calibration.latent.cov[0, 0, 0]))
        log_p = stack_log_prob(calibration.blocks, nodes[:, None], starts)
        chance = np.exp(hot @ log_p) @ np.exp(normal_log_weights(nodes, 0.0, sd))
        assert chance.sum() == pytest.approx(1.0, abs=1e-10)
        seen = np.column_stack(
            [hot @ indicators(calibration.n_cat).T, products(hot @ scores(calibration.n_cat).T, pairs)]
        )
        return (seen * chance[:, None]).T @ seen - np.outer(mean, mean)
    member = np.zeros((len(mean), n_items))
    member[np.arange(n_items), np.arange(n_items)] = 1
    member[n_items + np.arange(pairs.shape[1]), pairs[0]] = 1
    member[n_items + np.arange(pairs.shape[1]), pairs[1]] = 1
    log_p = np.log(second.conditional)
    chance = np.exp(member @ log_p)  # of passing all items of the set, at each node
    joint = (chance * second.weights) @ chance.T
    one, other = np.nonzero(member @ member.T)  # sets that share items: these are passed once, not twice
    shared = np.exp((member[one] * member[other]) @ log_p)
    joint[one, other] = (chance[one] * chance[other] / shared) @ second.weights
    return joint - np.outer(mean, mean)


def limited_information(responses, model: str) -> tuple[float, int]:
    """Return M2 (dichotomous items) or C2 and its degrees of freedom."""
    calibration = calibrate(responses, model, se=None)
    n_cat, x = calibration.n_cat, responses.x.astype(float)
    first = expected_moments(calibration, features=indicators(n_cat))
    second = expected_moments(calibration, features=scores(n_cat))
    pairs = np.array(list(itertools.combinations(range(len(n_cat)), 2))).T
    problem = build_problem(
        responses, dict.fromkeys(responses.item_ids, model), groups=None, constraints=(), priors=None
    )
    by_par = np.concatenate([first.d_univariate(), second.d_bivariate(*pairs)])
    n_latent = len(problem.structure.names)
    slope = by_par[:, : first.n_par] @ problem.tie.matrix.toarray()
    slope = np.column_stack([slope, by_par[:, first.n_par + 1 : first.n_par + 1 + n_latent]])
    starts = np.concatenate([[0], np.cumsum(n_cat)]).astype(np.int64)
    observed = np.concatenate(
        [(one_hot(responses.x, starts) @ indicators(n_cat).T).mean(axis=0), products(x, pairs).mean(axis=0)]
    )
    residual = observed - np.concatenate([first.univariate, second.bivariate[pairs[0], pairs[1]]])
    complement = np.linalg.qr(slope, mode="complete")[0][:, slope.shape[1] :]
    spread = complement.T @ covariance(calibration, first, second, pairs) @ complement
    projected = complement.T @ residual
    return responses.n_persons * float(projected @ np.linalg.solve(spread, projected)), complement.shape[1]


@pytest.mark.parametrize("case", CASES)
def test_m2_and_c2(case):
    model, data = CASES[case]
    found, df = limited_information(data(), model)
    assert df == REFERENCE[case]["df"]
    assert found == pytest.approx(REFERENCE[case]["M2"], rel=1e-3)


def by_enumeration(responses, model: str) -> float:
    """Return C2 from pattern probabilities and their numerical derivatives, without moments, Jacobian or tie matrix."""
    calibration = calibrate(responses, model, se=None)
    problem = build_problem(
        responses, dict.fromkeys(responses.item_ids, model), groups=None, constraints=(), priors=None
    )
    patterns = np.array(list(itertools.product(range(4), repeat=4)), dtype=np.int16)
    starts, nodes = np.arange(0, 17, 4), grid(161, 10.0)
    indicator = one_hot(patterns, starts)
    pairs = np.array(list(itertools.combinations(range(4), 2))).T
    pick = np.column_stack([np.delete(indicator, starts[:-1], axis=1), products(patterns.astype(float), pairs)])

    def chances(free: np.ndarray) -> np.ndarray:
        blocks, latent = problem.unpack(free)
        sd = np.exp(latent[0]) if len(latent) else 1.0
        log_p = stack_log_prob(blocks, nodes[:, None], starts)
        return np.exp(indicator @ log_p) @ np.exp(normal_log_weights(nodes, 0.0, sd))

    free, step = calibration.free.values, 1e-5
    p = chances(free)
    slope = np.column_stack([chances(free + e) - chances(free - e) for e in step * np.eye(len(free))]) / (2 * step)
    mean, delta = p @ pick, pick.T @ slope
    inverse = np.linalg.inv((pick * p[:, None]).T @ pick - np.outer(mean, mean))
    weight = inverse - inverse @ delta @ np.linalg.solve(delta.T @ inverse @ delta, delta.T @ inverse)
    seen = one_hot(responses.x, starts)
    observed = np.concatenate([np.delete(seen, starts[:-1], axis=1).mean(axis=0), products(responses.x, pairs).mean(0)])
    return responses.n_persons * float((observed - mean) @ weight @ (observed - mean))


@pytest.mark.parametrize(("model", "df"), [("gpcm", 2), ("pcm", 5), ("graded", 2)])
def test_c2_of_partial_credit_forms_by_enumeration(model, df):
    found, found_df = limited_information(science(), model)
    assert found_df == df
    assert found == pytest.approx(by_enumeration(science(), model), rel=1e-5)


def mixed_form(seed: int) -> list[ItemBlock]:
    """Return two items of every model, parameters drawn from their typical range."""
    rng, blocks, first = np.random.default_rng(seed), [], 0
    for model in all_models().values():
        k = 2 if model.categories[1] == 2 else 3
        par = np.array([[rng.uniform(*p.typical) for p in model.params(k, 1)] for _ in range(2)])
        if model.name == "graded":
            par[:, 1:] = -np.sort(-par[:, 1:], axis=1) - 0.2 * np.arange(k - 1)
        blocks.append(ItemBlock(model, k, first + np.arange(2), par, (0,), model.name))
        first += 2
    return blocks[::-1]


def test_moments_of_every_model_are_sums_over_nodes():
    """Exact: the joint tables of all pairs of items of a mixed form, summed over nodes by hand."""
    nodes = grid(31, 5.0)
    weights = np.exp(normal_log_weights(nodes, 0.4, 1.3))
    blocks = mixed_form(3)
    found = moments_at(blocks, nodes[:, None], weights)
    tables = {int(j): np.exp(b.log_prob(nodes[:, None]))[:, row] for b in blocks for row, j in enumerate(b.items)}
    size = [tables[j].shape[1] for j in range(len(tables))]
    starts = np.concatenate([[0], np.cumsum(size)])
    for i, j in itertools.combinations(range(len(tables)), 2):
        joint = np.array([[np.sum(weights * a * b) for b in tables[j].T] for a in tables[i].T])
        rows, columns = slice(starts[i], starts[i + 1]), slice(starts[j], starts[j + 1])
        np.testing.assert_allclose(found.bivariate[rows, columns], joint, atol=1e-14)
        np.testing.assert_allclose(found.bivariate[columns, rows], joint.T, atol=1e-14)
        np.testing.assert_allclose(joint.sum(axis=1), found.univariate[rows], atol=1e-12)
    own = slice(starts[2], starts[3])
    np.testing.assert_allclose(found.bivariate[own, own], np.diag(found.univariate[own]), atol=1e-14)


def test_jacobians_are_the_derivatives_of_the_moments():
    """Central differences of the moments by every parameter of a mixed form, and by the latent mean and log sd."""
    nodes, step = grid(41, 6.0), 1e-5
    blocks = mixed_form(5)

    def at(shift: np.ndarray):
        cut = np.cumsum([b.par.size for b in blocks])
        parts = np.split(shift[: cut[-1]], cut[:-1])
        moved = [replace(b, par=b.par + part.reshape(b.par.shape)) for b, part in zip(blocks, parts, strict=True)]
        weights = np.exp(normal_log_weights(nodes, 0.2 + shift[-2], 1.2 * np.exp(shift[-1])))
        return moments_at(moved, nodes[:, None], weights, d_weights=derivative)

    weights = np.exp(normal_log_weights(nodes, 0.2, 1.2))
    derivative = weights[:, None] * d_normal_log_weights(nodes, 0.2, 1.2)
    size = sum(b.par.size for b in blocks) + 2
    here = at(np.zeros(size))
    first, second = np.nonzero(here.item[:, None] < here.item)
    for found, pick in (
        (here.d_univariate(), lambda m: m.univariate),
        (here.d_bivariate(first, second), lambda m: m.bivariate[first, second]),
    ):
        numeric = np.column_stack([(pick(at(e)) - pick(at(-e))) / (2 * step) for e in step * np.eye(size)])
        np.testing.assert_allclose(found, numeric, atol=1e-9)


def test_parameters_are_named_and_groups_have_their_own_moments():
    answers = counted("lsat7.csv")
    groups = ["a", "b"] * 500
    fitted = calibrate(answers, "2pl", groups=groups, se=None)
    moments = [expected_moments(fitted, group=g) for g in (0, 1)]
    assert moments[0].names == fitted.free.names[:10]
    shares = [np.mean(answers.x[g::2], axis=0) for g in (0, 1)]
    for moment, share in zip(moments, shares, strict=True):
        np.testing.assert_allclose(moment.univariate[1::2], share, atol=0.02)
    assert not np.allclose(moments[0].univariate, moments[1].univariate, atol=1e-4)


def test_what_moments_refuse():
    fitted = calibrate(counted("lsat7.csv"), "2pl", se=None)
    with pytest.raises(ModelError, match="There is no dimension 'speed' in the calibration; there are: scale"):
        expected_moments(fitted, "speed")
    with pytest.raises(ModelError, match="Feature 0 must be made of the categories of one item"):
        expected_moments(fitted, features=np.ones((1, 10)))
    with pytest.raises(ModelError, match="features of different items; found a pair of the same item"):
        expected_moments(fitted).d_bivariate(np.array([0]), np.array([1]))

"""Look at the marginal likelihood by importance sampling: its value, its slope and its curvature, with their noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talentassess.calibration.complete_data import (
    observed_item_information,
    pair_information,
    person_scores,
    prior_information,
    prior_slope,
)
from talentassess.calibration.loadings import LoadingProblem
from talentassess.core.arrays import CodeArray, FloatArray, IntArray
from talentassess.core.likelihood import ItemBlock
from talentassess.core.posterior import SET, Draws, Modes, standard_draws, weighted_draws
from talentassess.core.posterior import Prior as Latent

FEWEST_SETS = 6  # of draws for the score: fewer leave its spread too uncertain to be taken off
SCORE_SHARE = 0.4  # of the draws serve the score and its spread, which cost more per draw than the log-likelihood
CURVATURE_DRAWS = 20_000  # persons x draws for the complete-data curvature: its noise is then below 1 %
AT_A_TIME = 400  # persons whose draws are held in memory
NEGLIGIBLE = 1e-7  # weight of a draw below which it cannot be seen in a person's sums
SINGULAR = 1e-6  # smallest to largest eigenvalue of the scaled information


@dataclass(frozen=True, eq=False, slots=True)
class Look:
    """The marginal likelihood at one point.

    Attributes
    ----------
    free : (F,) the point.
    loglik, loglik_se : marginal log-likelihood (without priors) and its Monte-Carlo standard error.
    value : log-likelihood plus log priors (the weak prior on unused categories left out).
    newton : (F,) Newton step towards the maximum of log-likelihood plus log priors.
    cov : (F, F) inverse of the observed information, or None if that is not positive definite.
    distance : root mean square, over the parameters, of the Newton step in standard errors, Monte-Carlo noise included.
    noise : what the noise alone is expected to contribute to it.
    draws_worth : (N',) effective number of draws per person, of the n_draws taken.
    """

    free: FloatArray
    loglik: float
    loglik_se: float
    value: float
    newton: FloatArray
    cov: FloatArray | None
    distance: float
    noise: float
    draws_worth: FloatArray
    n_draws: int


@dataclass(slots=True)
class _Sums:
    """Running sums over persons; they never leave this module."""

    score: FloatArray
    missing: FloatArray
    noise: FloatArray
    complete: FloatArray
    second: FloatArray


def look_at(problem: LoadingProblem, free: FloatArray, modes: Modes, samples: int, rng: np.random.Generator) -> Look:
    """Estimate value, slope and curvature of the marginal log-likelihood at ``free`` (F,) from weighted draws.

    Equations: log p(x_i) by importance sampling; score = sum_i w_i E_i[s_i] (Fisher); observed information =
    E[-d2 log f] - sum_i w_i Cov_i(s_i) (Louis 1982, eq. 3.2'), s_i the complete-data score and E_i, Cov_i over the
    posterior of person i, here from independent weighted draws instead of the chain's recursion of Cai (2010a).

    Parameters
    ----------
    modes : posterior modes of the problem's persons at ``free``.
    samples : draws per person.
    """
    blocks, latent = problem.unpack(free)
    n_sets = -(-samples // SET)
    sums = _empty_sums(problem, len(free))
    value, variance, worth = 0.0, 0.0, np.empty(len(problem.x))
    for first in range(0, len(problem.x), AT_A_TIME):
        rows = slice(first, min(first + AT_A_TIME, len(problem.x)))
        x, weight = problem.x[rows], problem.weight[rows]
        standard = standard_draws(n_sets, len(x), problem.n_dims, rng)
        part = Modes(modes.theta[rows], modes.cov[rows], modes.found[rows])
        draws = weighted_draws(blocks, x, latent, part, standard)
        log_marginal, spread = draws.log_marginal()
        value += float(weight @ log_marginal)
        variance += float(weight**2 @ spread)
        worth[rows] = 1 / (draws.weights() ** 2).sum(axis=0)
        _add_scores(problem, (blocks, latent), (x, weight), _first(draws, n_sets), sums, rng)
    return _summary(problem, free, sums, (value, float(np.sqrt(variance)), worth), n_sets * SET)


def _empty_sums(problem: LoadingProblem, size: int) -> _Sums:
    square = (size, size)
    n_free = problem.tie.n_free
    second = np.zeros((problem.n_dims, problem.n_dims))
    return _Sums(np.zeros(size), np.zeros(square), np.zeros(square), np.zeros((n_free, n_free)), second)


def _first(draws: Draws, n_sets: int) -> Draws:
    kept = SET * max(min(FEWEST_SETS, n_sets), round(SCORE_SHARE * n_sets))
    return Draws(draws.theta[:kept], draws.log_weight[:kept])


def _add_scores(
    problem: LoadingProblem,
    at: tuple[tuple[ItemBlock, ...], Latent],
    persons: tuple[CodeArray, FloatArray],
    draws: Draws,
    sums: _Sums,
    rng: np.random.Generator,
) -> None:
    """Add the posterior mean and covariance of some persons' scores, and their complete-data curvature."""
    (blocks, latent), (x, weight) = at, persons
    share = draws.weights()
    alike = (share**2).sum(axis=0)
    mean, second = np.zeros((len(x), len(sums.score))), np.zeros_like(sums.missing)
    noisy = np.zeros_like(sums.noise)
    # a weighted covariance around its own mean is too small by 1 - sum of squared weights
    inflated = weight / (1 - alike)
    for point, own in zip(draws.theta, share, strict=True):
        near = np.flatnonzero(own > NEGLIGIBLE)
        score = person_scores(problem, blocks, latent, x[near], point[near])
        mean[near] += score * own[near, None]
        second += (score * (own * inflated)[near, None]).T @ score
        noisy += (score * (own * inflated * weight * alike)[near, None]).T @ score
    sums.score += weight @ mean
    sums.missing += second - (mean * inflated[:, None]).T @ mean
    sums.noise += noisy - (mean * (inflated * weight * alike)[:, None]).T @ mean
    picked = _resampled(share, len(problem.x), rng)
    for row in picked:
        point = draws.theta[row, np.arange(len(x))]
        sums.complete += observed_item_information(problem, blocks, x, point, weight / len(picked))
        sums.second += (point * weight[:, None]).T @ point / len(picked)


def _resampled(share: FloatArray, n_persons: int, rng: np.random.Generator) -> IntArray:
    """Return (R, n) draw numbers chosen with the weights (M, n) as probabilities, evenly spread (systematic)."""
    n_wanted = max(2, CURVATURE_DRAWS // n_persons)
    ticks = (np.arange(n_wanted)[:, None] + rng.random((1, share.shape[1]))) / n_wanted
    cumulative = np.cumsum(share, axis=0)
    picked = np.stack([np.searchsorted(c, t) for c, t in zip(cumulative.T, ticks.T, strict=True)], axis=1)
    inside: IntArray = np.minimum(picked, len(share) - 1).astype(np.int64)
    return inside


def _summary(
    problem: LoadingProblem, free: FloatArray, sums: _Sums, likelihood: tuple[float, float, FloatArray], n_draws: int
) -> Look:
    blocks, latent = problem.unpack(free)
    n_free, (value, se, worth) = problem.tie.n_free, likelihood
    complete = np.zeros_like(sums.missing)
    complete[:n_free, :n_free] = sums.complete + prior_information(problem, blocks, free)
    complete[n_free:, n_free:] = pair_information(problem, latent, sums.second)
    score = sums.score + prior_slope(problem, blocks, free)
    inside = _free_to_move(problem, free, score)
    cov = _inverse((complete - sums.missing)[np.ix_(inside, inside)])
    newton = np.zeros(len(free))
    posterior = value + _log_priors(problem, free)
    if cov is None:
        return Look(free, value, se, posterior, newton, None, np.inf, np.inf, worth, n_draws)
    newton[inside] = cov @ score[inside]
    squared = float(score[inside] @ newton[inside]) / max(len(inside), 1)
    by_noise = float(np.sum(cov * sums.noise[np.ix_(inside, inside)])) / max(len(inside), 1)
    full = np.full((len(free), len(free)), np.nan)
    full[np.ix_(inside, inside)] = cov
    return Look(
        free,
        value,
        se,
        posterior,
        newton,
        full,
        float(np.sqrt(max(squared, 0.0))),
        float(np.sqrt(max(by_noise, 0.0))),
        worth,
        n_draws,
    )


def _log_priors(problem: LoadingProblem, free: FloatArray) -> float:
    return sum(
        float(prior.log_density(free[f : f + 1])[0]) for f, prior in enumerate(problem.priors) if prior is not None
    )


def _free_to_move(problem: LoadingProblem, free: FloatArray, score: FloatArray) -> IntArray:
    lower, upper = problem.bounds
    return np.flatnonzero(~(((free <= lower) & (score < 0)) | ((free >= upper) & (score > 0))))


def _inverse(matrix: FloatArray) -> FloatArray | None:
    """Return the inverse of a symmetric matrix, or None if it is not positive definite beyond the noise."""
    if not matrix.size:
        return matrix
    symmetric = (matrix + matrix.T) / 2
    scale = np.sqrt(np.maximum(np.diag(symmetric), 1e-300))
    values, vectors = np.linalg.eigh(symmetric / np.outer(scale, scale))
    if not np.isfinite(values).all() or values[0] < SINGULAR * values[-1]:
        return None
    inverse: FloatArray = (vectors / values) @ vectors.T / np.outer(scale, scale)
    return inverse

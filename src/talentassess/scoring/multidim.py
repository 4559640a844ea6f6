"""Scores on several dimensions at once, for forms whose items measure more than one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import ndtri

from talentassess.core.arrays import BoolArray, CodeArray, FloatArray, IntArray
from talentassess.core.calibration import Calibration
from talentassess.core.errors import ScoringError
from talentassess.core.posterior import (
    FROM_PRIOR,
    SET,
    Draws,
    Modes,
    Prior,
    find_modes,
    quadrature_draws,
    weighted_draws,
)
from talentassess.core.responses import MISSING

JOINT_METHODS = ("eap", "map")
NODES = {1: 31, 2: 17, 3: 11}  # Gauss-Hermite nodes per dimension; beyond three a product rule grows too large
SETS = 128  # of points instead: 2,048 around the mode and 512 from the prior
AT_A_TIME = 400  # persons whose points are held in memory


def measures_jointly(calibration: Calibration, method: str) -> bool:
    """Return True if items measure several dimensions; methods that go one by one raise ``ScoringError`` then."""
    if all(len(block.dims) == 1 for block in calibration.blocks):
        return False
    if method not in JOINT_METHODS:
        shared = next(block for block in calibration.blocks if len(block.dims) > 1)
        item = calibration.item_ids[shared.items[0]]
        raise ScoringError(
            f"method='{method}' scores one dimension at a time, but items such as '{item}' measure {len(shared.dims)} "
            "at once. Use method='eap' or 'map', which score all dimensions jointly."
        )
    return True


def refuse_options_jointly(item_uncertainty: bool, covariates: bool) -> None:
    """Raise ``ScoringError`` for options that joint scoring does not have."""
    if item_uncertainty or covariates:
        named = "item_uncertainty" if item_uncertainty else "covariates"
        raise ScoringError(f"{named} is not offered where items measure several dimensions; leave it out.")


def score_jointly(
    calibration: Calibration, x: CodeArray, group: IntArray, person_ids: Sequence[str], method: str
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return theta (N, D), error covariance (N, D, D) and number of answers on each dimension (N, D).

    Every person is scored on the same points, so a score depends on nobody else's answers.

    Parameters
    ----------
    calibration : items may measure several dimensions.
    x : (N, J) codes in the order of the calibration's items, -1 missing.
    group : (N,) group numbers.
    person_ids : (N,) labels for messages.
    method : ``eap``: posterior mean and covariance by adaptive Gauss-Hermite quadrature on up to three dimensions, by
        importance sampling on Sobol points around the mode beyond;
        ``map``: posterior mode, and the inverse of expected information plus prior precision there.

    Raises
    ------
    ScoringError : a posterior mode was not found.
    """
    n, n_dims = len(x), len(calibration.dimensions)
    theta, cov = np.empty((n, n_dims)), np.empty((n, n_dims, n_dims))
    weigh = _weigher(calibration) if method == "eap" else None
    for g in range(len(calibration.latent.groups)):
        prior = Prior(calibration.latent.mean[g], calibration.latent.cov[g])
        members = np.flatnonzero(group == g)
        for first in range(0, len(members), AT_A_TIME):
            who = members[first : first + AT_A_TIME]
            modes = find_modes(calibration.blocks, x[who], prior)
            _check_found(modes.found, [person_ids[i] for i in who])
            theta[who], cov[who] = modes.theta, modes.cov
            if weigh is not None:
                draws = weigh(x[who], prior, modes)
                theta[who], cov[who] = _moments(draws.theta, draws.weights())
    return theta, cov, _answers(calibration, x)


def _weigher(calibration: Calibration) -> Callable[[CodeArray, Prior, Modes], Draws]:
    """Return what turns codes, prior and modes into weighted points."""
    blocks, n_dims = calibration.blocks, len(calibration.dimensions)
    if n_dims in NODES:
        nodes, log_weight = _product_rule(n_dims, NODES[n_dims])
        return lambda x, prior, modes: quadrature_draws(blocks, x, prior, modes, nodes, log_weight)
    points = _points(n_dims)
    return lambda x, prior, modes: weighted_draws(blocks, x, prior, modes, points)


def _product_rule(n_dims: int, n_nodes: int) -> tuple[FloatArray, FloatArray]:
    """Return nodes (M, D) and log weights (M,) of the Gauss-Hermite product rule for the standard normal."""
    line, weight = np.polynomial.hermite_e.hermegauss(n_nodes)
    nodes = np.stack(np.meshgrid(*[line] * n_dims, indexing="ij"), axis=-1).reshape(-1, n_dims)
    weights = np.stack(np.meshgrid(*[np.log(weight)] * n_dims, indexing="ij"), axis=-1).reshape(-1, n_dims)
    return nodes, weights.sum(axis=1) - n_dims * np.log(np.sqrt(2 * np.pi))


def _points(n_dims: int) -> FloatArray:
    """Return (M, 1, D) standard normal points, mirrored pairs, laid out as ``weighted_draws`` takes them."""
    from scipy.stats import qmc  # slow to load, and most forms never need it

    sizes = (SETS * FROM_PRIOR, SETS * (SET - FROM_PRIOR))
    parts = []
    for number, size in enumerate(sizes):
        uniform = qmc.Sobol(n_dims, seed=np.random.default_rng(number)).random(size // 2)
        half: FloatArray = ndtri(np.clip(uniform, 1e-12, 1 - 1e-12))
        parts.append(np.stack([half, -half], axis=1).reshape(SETS, -1, n_dims))
    points: FloatArray = np.concatenate(parts, axis=1).reshape(-1, 1, n_dims)
    return points


def _moments(theta: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return weighted means (n, D) and covariances (n, D, D) of points (M, n, D) with weights (M, n)."""
    mean = np.einsum("mn,mnd->nd", weight, theta)
    centred = theta - mean
    cov = np.einsum("mn,mnd,mne->nde", weight, centred, centred, optimize=True)
    return mean, cov


def _check_found(found: BoolArray, person_ids: list[str]) -> None:
    lost = [f"person '{person}'" for person, good in zip(person_ids, found, strict=True) if not good]
    if lost:
        raise ScoringError(
            "The most likely position was not found for some answer patterns; look at the calibration's audit for "
            "extreme slopes.",
            lost,
        )


def _answers(calibration: Calibration, x: CodeArray) -> IntArray:
    counts = np.zeros((len(x), len(calibration.dimensions)), dtype=np.int64)
    for block in calibration.blocks:
        loads = np.zeros((len(block.items), len(calibration.dimensions)), dtype=np.int64)
        loads[:, list(block.dims)] = 1
        counts += (x[:, block.items] != MISSING).astype(np.int64) @ loads
    return counts

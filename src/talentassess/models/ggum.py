"""Generalized graded unfolding model: agreement peaks where theta meets the item's location and falls off both ways.

For statements that people can reject from either side ("I am about as tidy as others"). Codes 0..K-1 are degrees of
agreement. Nothing here rises with theta: a high code means *near* the item, so the model is not ``ordered``, sums of
codes mean nothing, and items must NOT be reverse-keyed: a statement of the other pole has a location of the other sign.

Reflection: (theta, delta) and (-theta, -delta) give the same likelihood. The convention here: rising items of other
models on the same form fix the direction, or fixed locations (anchors) do; failing both, the first item of the form
that loads at least half as much on the first principal component as the item that loads most starts on the positive
side. The audit says which way the scale runs (``reflection``).

The likelihood has many local maxima. Random starts ended at the best one in none of the samples of
analysis/results/unfolding_starts.md, the start used here (``start_by_trait``) in 27 of 30; of the others two, with all
items near the middle of the population, did not converge, and one of 300 persons ended 0.6 log-likelihood units short.
Location and thresholds of an item beyond the population are hardly told apart: if the status is not CONVERGED, a prior
may help, e.g. priors={"location": NormalPrior(0, 2)}.

Roberts et al.'s parameters: discrimination alpha > 0, location delta, thresholds tau_1..tau_(K-1) as distances from
delta (usually negative, rising to 0). R mirt's ``ggum`` has a1 = alpha, b1 = delta, t_k = -tau_k. Several dimensions:
the weighted distance sqrt(sum_d alpha_d^2 (theta_d - delta_d)^2), and tau times the sum of alpha_d, as in mirt.
"""

from __future__ import annotations

import numpy as np

from talentassess.core.arrays import FloatArray
from talentassess.core.model import ItemModel, Param
from talentassess.models._multinomial import by_utilities, log_softmax

FARTHEST = 12.0  # logits: a location out there is a rising or falling item that does not unfold within reach
LEAST_DISCRIMINATION = 0.05  # below it answers do not depend on theta, and location and thresholds on nothing
LOCATIONS, DISCRIMINATIONS, SPREADS = np.linspace(-2.0, 2.0, 13), (0.6, 1.0, 1.6), (0.3, 0.6, 1.0)


def params(n_cat: int, n_dims: int) -> tuple[Param, ...]:
    """Return discrimination(s) alpha, location(s) delta and thresholds tau_1..tau_(K-1), logistic metric (no 1.7)."""
    marks = [""] if n_dims == 1 else [str(d + 1) for d in range(n_dims)]
    centres = [-0.6 - 0.4 * (n_cat - 1 - k) for k in range(1, n_cat)]
    return (
        *(Param(f"discrimination{m}", f"alpha{m}", LEAST_DISCRIMINATION, 25.0, (0.7, 1.8)) for m in marks),
        *(Param(f"location{m}", f"delta{m}", -FARTHEST, FARTHEST, (-2.0, 2.0)) for m in marks),
        *(Param(f"threshold{k + 1}", f"tau{k + 1}", -25.0, 25.0, (c - 0.2, c + 0.2)) for k, c in enumerate(centres)),
    )


def _distance(theta: FloatArray, par: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return u (Q, J), the weighted distance from the location, and theta - delta (Q, J, D)."""
    n_dims = theta.shape[1]
    gap: FloatArray = theta[:, None, :] - par[:, n_dims : 2 * n_dims]
    u: FloatArray = np.sqrt(np.sum((gap * par[:, :n_dims]) ** 2, axis=2))
    return u, gap


def _pulls(n_cat: int) -> FloatArray:
    """Return (K,) M / 2 - k with M = 2 K - 1: how strongly a category dislikes distance; 1/2 for full agreement."""
    return (2 * n_cat - 1) / 2 - np.arange(n_cat, dtype=np.float64)


def _cumulated(par: FloatArray, n_cat: int) -> FloatArray:
    """Return (J, K) tau_1 + ... + tau_k, 0 for category 0."""
    tau = par[:, par.shape[1] - n_cat + 1 :]
    return np.column_stack([np.zeros(len(par)), np.cumsum(tau, axis=1)])


def log_prob(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, K) with P(x = k) proportional to (exp(k v) + exp((M - k) v)) exp(-alpha (tau_1 + ... + tau_k)).

    v = alpha (theta - delta), M = 2 K - 1 (Roberts et al. 2000). Both exponentials together are 2 cosh((M / 2 -
    k) v) up to a factor common to all categories, which shows that only the distance |v| counts and cannot overflow.
    """
    u, _ = _distance(theta, par)
    reach = u[..., None] * _pulls(n_cat)
    log_cosh = reach + np.log1p(np.exp(-2 * reach))
    return log_softmax(log_cosh - _strength(par, theta.shape[1])[:, None] * _cumulated(par, n_cat))


def d_par(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, K, 2 D + K - 1) derivatives by alpha, delta, tau."""
    n_dims = theta.shape[1]
    by_z = by_utilities(log_prob(theta, par, n_cat))
    by_square, gap = _by_square(theta, par, n_cat, by_z)
    alpha, strength = par[:, :n_dims], _strength(par, n_dims)
    by_strength = -np.einsum("qjkm,jm->qjk", by_z, _cumulated(par, n_cat))
    by_alpha = by_square[..., None] * (2 * alpha * gap**2)[:, :, None, :] + by_strength[..., None]
    by_delta = by_square[..., None] * (-2 * alpha**2 * gap)[:, :, None, :]
    later = np.cumsum(by_z[..., ::-1], axis=3)[..., ::-1][..., 1:]  # tau_k stands in every sum from k on
    return np.concatenate([by_alpha, by_delta, -strength[:, None, None] * later], axis=3)


def d_theta(theta: FloatArray, par: FloatArray, n_cat: int) -> FloatArray:
    """Return (Q, J, K, D) derivatives by theta."""
    by_square, gap = _by_square(theta, par, n_cat, by_utilities(log_prob(theta, par, n_cat)))
    return by_square[..., None] * (2 * par[:, : theta.shape[1]] ** 2 * gap)[:, :, None, :]


def _by_square(theta: FloatArray, par: FloatArray, n_cat: int, by_z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (Q, J, K) derivative of log P by the squared distance u^2, and theta - delta (Q, J, D).

    By u^2 and not by u, because sqrt has no derivative at 0 while cosh of it does: d log cosh(c u) / d u^2 =
    c tanh(c u) / (2 u), which tends to c^2 / 2.
    """
    u, gap = _distance(theta, par)
    pull, near = _pulls(n_cat), u[..., None] < 1e-8
    ratio = np.tanh(pull * u[..., None]) / np.where(near, 1.0, u[..., None])
    slope = pull * np.where(near, pull, ratio) / 2
    out: FloatArray = np.einsum("qjkm,qjm->qjk", by_z, slope)
    return out, gap


def _strength(par: FloatArray, n_dims: int) -> FloatArray:
    """Return (J,) the factor of the thresholds: alpha, or the sum of alpha_d."""
    total: FloatArray = par[:, :n_dims].sum(axis=1)
    return total


def start(share: FloatArray, n_dims: int) -> FloatArray:
    """Return (J, 2 D + K - 1) from the shares (J, K): the less agreement, the further out; the side is not known."""
    n_items, n_cat = share.shape
    agreement = share @ np.arange(n_cat, dtype=np.float64) / (n_cat - 1)
    location = np.repeat(2.0 * (1.0 - agreement[:, None]) + 0.2, n_dims, axis=1)
    thresholds = np.tile(_even_thresholds(n_cat, 0.6), (n_items, 1))
    return np.column_stack([np.ones((n_items, n_dims)), location, thresholds])


def start_by_trait(counts: FloatArray, theta: FloatArray) -> FloatArray:
    """Return (J, K + 1) starting values that best explain how answers change along a rough trait estimate.

    Shares alone cannot tell on which side of the population an item lies, and from the wrong side no optimiser gets
    across: in the middle the item would have to fit everybody's agreement.

    Parameters
    ----------
    counts : (B, J, K) answers of the persons in each of B trait classes.
    theta : (B,) mean rough trait of a class.
    """
    n_cat = counts.shape[2]
    candidates = np.array(
        [
            [alpha, delta, *_even_thresholds(n_cat, spread)]
            for alpha in DISCRIMINATIONS
            for delta in LOCATIONS
            for spread in SPREADS
        ]
    )
    fit = np.einsum("bjk,bck->jc", counts, log_prob(theta[:, None], candidates, n_cat))
    best: FloatArray = candidates[fit.argmax(axis=1)]
    return best


def _even_thresholds(n_cat: int, spread: float) -> FloatArray:
    """Return (K - 1,) thresholds ``spread`` apart that end one ``spread`` below the location."""
    return -spread * np.arange(n_cat - 1, 0, -1, dtype=np.float64)


def display(par: FloatArray, n_cat: int, n_dims: int) -> dict[str, FloatArray]:
    """Return nothing beyond the parameters (J, P) themselves: delta is already a location on the theta metric."""
    return {}


MODEL = ItemModel(
    name="ggum",
    label="generalized graded unfolding model",
    params=params,
    log_prob=log_prob,
    d_par=d_par,
    d_theta=d_theta,
    start=start,
    display=display,
    categories=(2, None),
    ordered=False,
    citation="Roberts, Donoghue & Laughlin (2000), Applied Psychological Measurement 24, 3-32",
    worth=None,
    start_by_trait=start_by_trait,
)

"""Marginal likelihoods written out in plain NumPy and maximised by SciPy: slow and short, none of the package in it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp


def logistic(z: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -z))


def chances(model: str, par: np.ndarray, theta: np.ndarray, n_cat: int) -> np.ndarray:
    """Return (K, Q) probabilities of one item; parameters in the order the package documents them."""
    if model in ("2pl", "3pl", "4pl"):
        low = logistic(par[2]) if model != "2pl" else 0.0
        high = logistic(par[3]) if model == "4pl" else 1.0
        z = par[0] * theta + par[1]
        return np.array([(1 - high) + (high - low) * logistic(-z), low + (high - low) * logistic(z)])
    if model == "graded":
        z = np.vstack([np.full_like(theta, np.inf), par[0] * theta + par[1:, None], np.full_like(theta, -np.inf)])
        upper, lower = z[:-1], z[1:]
        # the difference of two logistics, taken in the tail where both are small
        turned = upper + lower > 0
        return np.where(turned, logistic(-lower) - logistic(-upper), logistic(upper) - logistic(lower))
    steps = np.arange(n_cat)
    slopes = par[0] * steps if model == "gpcm" else np.concatenate([[0], par[: n_cat - 1]])
    intercepts = np.concatenate([[0], par[1:] if model == "gpcm" else par[n_cat - 1 :]])
    utility = slopes[:, None] * theta + intercepts[:, None]
    return np.exp(utility - logsumexp(utility, axis=0))


def log_likelihood(
    x: np.ndarray,
    model: str,
    par: np.ndarray,
    n_cat: int,
    *,
    weight: np.ndarray | None = None,
    mean: float = 0.0,
    sd: float = 1.0,
    prior_answers: tuple[int, ...] = (),
    by_person: bool = False,
    n_nodes: int = 81,
) -> float | np.ndarray:
    """Return the log-likelihood of codes (N, J), -1 missing, at parameters (J, P); -inf where they are no model.

    ``prior_answers`` are items with one answer's worth of weak prior, spread evenly over categories, in a standard
    normal population.
    """
    theta = np.linspace(-8, 8, n_nodes) * max(sd, 0.5) + mean
    log_w = -0.5 * ((theta - mean) / sd) ** 2
    log_w -= logsumexp(log_w)
    joint, prior = np.tile(log_w, (len(x), 1)), 0.0
    for j, own in enumerate(par):
        p = chances(model, own, theta, n_cat)
        if not (p > 0).all():
            return -np.inf
        seen = x[:, j] >= 0
        joint[seen] += np.log(p)[x[seen, j]]
        if j in prior_answers:
            prior += float(np.exp(log_w) @ np.log(p).mean(axis=0))
    person = logsumexp(joint, axis=1)
    if by_person:
        return person
    return float(person.sum() if weight is None else weight @ person) + prior


def maximum(value: Callable[[np.ndarray], float], start: np.ndarray) -> tuple[np.ndarray, float]:
    """Return where a function is largest, and how large, by SciPy's BFGS with numerical derivatives."""
    scale = max(1.0, abs(value(start)) / 1000)

    def loss(free: np.ndarray) -> float:
        found = value(free)
        return -found / scale if np.isfinite(found) else 1e10

    done = minimize(loss, start, method="BFGS", options={"gtol": 1e-6})
    return done.x, -scale * float(done.fun)


def slopes_along(value: Callable[[np.ndarray], float], free: np.ndarray, n: int = 12, seed: int = 0) -> np.ndarray:
    """Return central differences (n,) of a function along random directions of length one."""
    directions = np.random.default_rng(seed).normal(size=(n, len(free)))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    step = 1e-4
    return np.array([(value(free + step * d) - value(free - step * d)) / (2 * step) for d in directions])

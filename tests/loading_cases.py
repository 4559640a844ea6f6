"""SIMULATED answers to items that measure two dimensions, and a likelihood on a plain grid to judge estimates by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logsumexp

from talentassess.core.provenance import Provenance
from talentassess.core.responses import Responses

ITEMS = [f"q{j}" for j in range(10)]
LOADINGS = {"verbal": ITEMS[:6], "numeric": ITEMS[4:]}  # q4 and q5 measure both
PATTERN = np.array([[item in LOADINGS[d] for d in LOADINGS] for item in ITEMS])
SLOPES = np.where(PATTERN, [[1.4, 0], [1.0, 0], [1.8, 0], [0.8, 0], [0.9, 0.7], [0.6, 1.2], *[[0, 1.3]] * 4], 0.0)
INTERCEPTS = np.array([0.5, -0.6, 0.2, 1.0, -1.1, 0.4, -0.3, 0.8, 0.0, -0.9])
CORRELATION = 0.4


def simulated(n: int, missing: float, seed: int = 11) -> Responses:
    """Return SIMULATED 2PL answers of n persons, a share of them missing at random."""
    rng = np.random.default_rng(seed)
    theta = rng.multivariate_normal([0, 0], [[1, CORRELATION], [CORRELATION, 1]], size=n)
    x = (rng.random((n, 10)) < expit(theta @ SLOPES.T + INTERCEPTS)).astype(int)
    x[rng.random(x.shape) < missing] = -1
    source = Provenance("two simulated dimensions", simulated=True)
    return Responses(x=x, n_cat=[2] * 10, item_ids=ITEMS, person_ids=range(n), provenance=source)


@dataclass
class Grid:
    """The marginal likelihood of two-parameter items on two correlated dimensions, by brute force."""

    x: np.ndarray
    n_nodes: int = 35
    limit: float = 5.5

    def __post_init__(self):
        line = np.linspace(-self.limit, self.limit, self.n_nodes)
        self.theta = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
        self.area = (line[1] - line[0]) ** 2
        self.right, self.wrong = (self.x == 1).astype(float), (self.x == 0).astype(float)

    def log_weights(self, rho: float) -> np.ndarray:
        a, b = self.theta.T
        quadratic = (a**2 - 2 * rho * a * b + b**2) / (1 - rho**2)
        return -quadratic / 2 - np.log(2 * np.pi) - np.log(1 - rho**2) / 2 + np.log(self.area)

    def joint(self, slopes: np.ndarray, intercepts: np.ndarray, rho: float) -> np.ndarray:
        z = self.theta @ slopes.T + intercepts
        return self.right @ log_expit(z).T + self.wrong @ log_expit(-z).T + self.log_weights(rho)

    def loglik(self, slopes, intercepts, rho) -> float:
        return float(logsumexp(self.joint(slopes, intercepts, rho), axis=1).sum())

    def moments(self, slopes, intercepts, rho) -> tuple[np.ndarray, np.ndarray]:
        joint = self.joint(slopes, intercepts, rho)
        posterior = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
        mean = posterior @ self.theta
        second = np.einsum("nq,qd,qe->nde", posterior, self.theta, self.theta, optimize=True)
        return mean, second - mean[:, :, None] * mean[:, None, :]

    def unpack(self, free: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        slopes = np.zeros((10, 2))
        slopes[PATTERN] = free[: PATTERN.sum()]
        return slopes, free[PATTERN.sum() : -1], float(free[-1])

    def value_and_gradient(self, free: np.ndarray) -> tuple[float, np.ndarray]:
        slopes, intercepts, rho = self.unpack(free)
        joint = self.joint(slopes, intercepts, rho)
        log_marginal = logsumexp(joint, axis=1, keepdims=True)
        posterior = np.exp(joint - log_marginal)
        p = expit(self.theta @ slopes.T + intercepts).T
        residual = self.right.T @ posterior - ((self.right + self.wrong).T @ posterior) * p
        a, b = self.theta.T
        by_rho = rho / (1 - rho**2) + (a * b * (1 + rho**2) - rho * (a**2 + b**2)) / (1 - rho**2) ** 2
        gradient = [(residual @ self.theta)[PATTERN], residual.sum(axis=1), [posterior.sum(axis=0) @ by_rho]]
        return float(log_marginal.sum()), np.concatenate(gradient)

    def maximum(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Return estimates, standard errors (inverse observed information) and log-likelihood."""

        def objective(free):
            value, gradient = self.value_and_gradient(free)
            return -value, -gradient

        start = np.concatenate([np.full(PATTERN.sum(), 0.8), np.zeros(10), [0.1]])
        bounds = [(-10, 10)] * (len(start) - 1) + [(-0.95, 0.95)]
        done = minimize(
            objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"gtol": 1e-5, "maxiter": 500}
        )
        step = 1e-4
        columns = [
            (self.value_and_gradient(done.x + u)[1] - self.value_and_gradient(done.x - u)[1]) / (2 * step)
            for u in np.eye(len(start)) * step
        ]
        return done.x, np.sqrt(np.diag(np.linalg.inv(-np.array(columns)))), -float(done.fun)

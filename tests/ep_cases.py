"""Simulated forms with correlated dimensions, and brute-force integrals to hold expectation propagation against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm as normal
from scipy.stats import qmc

from talentassess.core.answers import Answers
from talentassess.core.ep import EpForm, ep_form
from talentassess.core.likelihood import ItemBlock, offsets, stack_log_prob
from talentassess.core.quadrature import grid
from talentassess.core.responses import Responses
from talentassess.models import find_model


@dataclass(frozen=True)
class Case:
    """A form, its populations and answers; ``dim`` (J,) rises."""

    x: np.ndarray
    group: np.ndarray
    dim: np.ndarray
    blocks: tuple[ItemBlock, ...]
    mean: np.ndarray
    cov: np.ndarray
    theta: np.ndarray
    n_cat: np.ndarray

    @property
    def starts(self) -> np.ndarray:
        return offsets(self.n_cat)

    @property
    def population(self) -> tuple[np.ndarray, np.ndarray]:
        return self.mean, self.cov

    def form(self, compiled: bool = True) -> EpForm:
        one = np.ones(len(self.x))
        return ep_form(
            Answers(self.x, self.group, one, one, self.starts), self.dim, self.cov.shape[1], compiled=compiled
        )

    def log_prob(self, nodes: np.ndarray) -> np.ndarray:
        return stack_log_prob(self.blocks, np.repeat(nodes[:, None], self.cov.shape[1], axis=1), self.starts)

    def log_likes(self, nodes: np.ndarray) -> list[np.ndarray]:
        """Per dimension (N, Q) log-likelihood of the answers at the nodes."""
        table, out = self.log_prob(nodes), []
        for d in range(self.cov.shape[1]):
            like = np.zeros((len(self.x), len(nodes)))
            for j in np.flatnonzero(self.dim == d):
                seen = self.x[:, j] >= 0
                like[seen] += table[self.starts[j] + self.x[seen, j]]
            out.append(like)
        return out

    def responses(self, groups: bool = False) -> Responses:
        return Responses(
            x=self.x,
            n_cat=self.n_cat,
            item_ids=[f"i{j + 1}" for j in range(len(self.dim))],
            person_ids=range(len(self.x)),
            scales=tuple(f"s{d + 1}" for d in self.dim),
            group=tuple("ab"[g] for g in self.group) if groups else None,
        )


def case(n, cov, per, *, model="graded", n_cat=5, seed=1, mean=None, missing=0.0, groups=1, slope=1.4) -> Case:
    """SIMULATED answers of n persons to ``per`` items on each dimension of covariance cov (D, D)."""
    rng = np.random.default_rng(seed)
    cov = np.broadcast_to(np.asarray(cov, dtype=float), (groups, *np.shape(cov)[-2:])).copy()
    n_dims = cov.shape[1]
    mean = np.zeros((groups, n_dims)) if mean is None else np.asarray(mean, dtype=float)
    group = rng.integers(0, groups, n)
    theta = np.stack([rng.multivariate_normal(mean[g], cov[g]) for g in group])
    found, dim, blocks = find_model(model)[0], np.repeat(np.arange(n_dims), per), []
    x = np.empty((n, len(dim)), dtype=np.int16)
    for d in range(n_dims):
        par = np.array([[rng.uniform(*p.typical) for p in found.params(n_cat, 1)] for _ in range(per)])
        if found.ordered:
            par[:, 0] = slope * rng.lognormal(0, 0.25, per)
        if model == "graded":
            cuts = np.linspace(1.6, -1.6, n_cat - 1) + rng.uniform(-0.3, 0.3, (per, n_cat - 1))
            par[:, 1:] = slope * np.sort(cuts, axis=1)[:, ::-1]
        blocks.append(ItemBlock(found, n_cat, np.flatnonzero(dim == d), par, (d,), model))
        cumulative = np.cumsum(np.exp(blocks[-1].log_prob(theta)), axis=2)
        x[:, dim == d] = np.minimum((rng.random((n, per, 1)) > cumulative).sum(axis=2), n_cat - 1)
    x[rng.random(x.shape) < missing] = -1
    return Case(x, group, dim, tuple(blocks), mean, cov, theta, np.full(len(dim), n_cat))


def dense(c: Case, n_nodes=81, limit=7.0):
    """Log evidence (N,), posterior means (N, D) and covariances (N, D, D) by a product grid: the definition itself."""
    nodes, n_dims = grid(n_nodes, limit), c.cov.shape[1]
    points = np.stack(np.meshgrid(*[nodes] * n_dims, indexing="ij"), axis=-1).reshape(-1, n_dims)
    likes, volume = c.log_likes(nodes), (nodes[1] - nodes[0]) ** n_dims
    evidence, means, covs = np.empty(len(c.x)), np.empty(c.theta.shape), np.empty((*c.theta.shape, n_dims))
    prior = []
    for m, s in zip(c.mean, c.cov, strict=True):
        off = points - m
        quad = np.einsum("pd,de,pe->p", off, np.linalg.inv(s), off)
        prior.append(-0.5 * quad - 0.5 * np.linalg.slogdet(2 * np.pi * s)[1])
    for i in range(len(c.x)):
        joint = likes[0][i]
        for like in likes[1:]:
            joint = joint[..., None] + like[i]
        joint = joint.ravel() + prior[c.group[i]]
        top = joint.max()
        weight = np.exp(joint - top)
        total = weight.sum()
        evidence[i] = top + np.log(total * volume)
        weight /= total
        means[i] = weight @ points
        off = points - means[i]
        covs[i] = (off * weight[:, None]).T @ off
    return evidence, means, covs


def importance(c: Case, i: int, mean, cov, n_log2=14, seed=1):
    """Log evidence of person i by quasi-Monte Carlo importance sampling from a normal proposal a little too wide."""
    n_dims = len(mean)
    u = normal.ppf(qmc.Sobol(n_dims, seed=seed).random(2**n_log2))
    root = np.linalg.cholesky(cov * 1.2)
    theta = mean + u @ root.T
    log_weight = 0.5 * (u**2).sum(axis=1) + np.log(np.diag(root)).sum()
    off = theta - c.mean[c.group[i]]
    s = c.cov[c.group[i]]
    log_weight += -0.5 * np.einsum("pd,de,pe->p", off, np.linalg.inv(s), off) - 0.5 * np.linalg.slogdet(s)[1]
    for block in c.blocks:
        log_prob = block.log_prob(theta)
        for k, j in enumerate(block.items):
            if c.x[i, j] >= 0:
                log_weight += log_prob[:, k, c.x[i, j]]
    top = log_weight.max()
    return top + np.log(np.mean(np.exp(log_weight - top)))


EQUI3 = np.array([[1.0, 0.6, 0.3], [0.6, 1.0, 0.5], [0.3, 0.5, 1.0]])
PAIR = np.array([[1.0, 0.7], [0.7, 1.0]])

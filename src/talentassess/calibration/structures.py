"""How persons differ: the latent distribution of a calibration, and how the answers are integrated over it.

A structure owns the latent side of the likelihood. The item side (parameters, ties, priors) is the same for all of
them, because every structure hands over expected counts of each category at common nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from talentassess.core.answers import Answers
from talentassess.core.arrays import BoolArray, CodeArray, FloatArray
from talentassess.core.derived import suited_grid
from talentassess.core.likelihood import EStep, ItemBlock, posteriors
from talentassess.core.quadrature import d_normal_log_weights, grid, normal_log_weights


@dataclass(frozen=True, eq=False, slots=True)
class PersonScores:
    """Some persons as the standard errors see them.

    Attributes
    ----------
    x : (n, J) codes; weight, weight_sq : (n,) summed weights and summed squared weights.
    posterior : one (n, Q) array of node weights per latent dimension; a block of items goes with its last dimension.
    latent_scores : (n, L) expected derivatives of the complete-data log-likelihood by the latent values.
    """

    x: CodeArray
    weight: FloatArray
    weight_sq: FloatArray
    posterior: tuple[FloatArray, ...]
    latent_scores: FloatArray


class Structure(Protocol):
    """What the optimiser, the standard errors and the audit need to know about the latent side."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Labels; the first is the reference group."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the L free latent values."""
        ...

    @property
    def start(self) -> FloatArray:
        """Starting values (L,)."""
        ...

    @property
    def lower(self) -> FloatArray:
        """Lower bounds (L,)."""
        ...

    @property
    def upper(self) -> FloatArray:
        """Upper bounds (L,)."""
        ...

    @property
    def theta(self) -> FloatArray:
        """Nodes (Q, D) at which items are evaluated, a column per latent dimension; a block takes those it measures."""
        ...

    @property
    def base_weights(self) -> FloatArray:
        """Weights (Q,) of the nodes in a standard population, used for weak priors."""
        ...

    def group_sizes(self) -> FloatArray:
        """Return (G,) summed weights of the persons with answers in each group."""
        ...

    def e_step(self, log_prob: FloatArray, latent: FloatArray) -> tuple[EStep, FloatArray] | None:
        """Return expected counts at log probabilities (S, Q) and latent values (L,), and the gradient (L,).

        The gradient is that of the log-likelihood by the latent values. None where they are not admissible.
        """
        ...

    def information(self, step: EStep, latent: FloatArray) -> FloatArray:
        """Return (L, L) complete-data information about the latent values: the optimiser's preconditioner."""
        ...

    def lost(self, step: EStep, latent: FloatArray, information: FloatArray) -> FloatArray | None:
        """Return (D, Q) persons near each node times their posterior variance; None where that makes no sense.

        ``information`` (D, Q) is the test information about each dimension at the nodes.
        """
        ...

    def moments(self, latent: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the latent means (G, D') and covariances (G, D', D'), D' over all dimensions of the structure."""
        ...

    def person_scores(self, log_prob: FloatArray, latent: FloatArray) -> Iterator[PersonScores]:
        """Yield the persons' posteriors and scores at log probabilities (S, Q) and latent values (L,), in chunks."""
        ...

    def suited(self, blocks: Sequence[ItemBlock], latent: FloatArray) -> Structure | None:
        """Return the structure on better nodes for these items and latent values (L,); None if there are none."""
        ...

    def sample(self, n: int) -> Structure | None:
        """Return the structure for an even sample of about n persons; None if there are not four times as many."""
        ...

    def finer(self) -> Structure:
        """Return the same structure on a grid twice as fine and one third wider, for checking the quadrature."""
        ...


@dataclass(frozen=True, eq=False, slots=True)
class NormalGroups:
    """One latent dimension, normal in every group.

    Attributes
    ----------
    answers : the answers as they enter the likelihood.
    groups : labels; the first is the reference.
    free_mean, free_sd : (G,) which latent means and standard deviations are estimated.
    nodes : (Q,) quadrature nodes, logits.
    """

    answers: Answers
    groups: tuple[str, ...]
    free_mean: BoolArray
    free_sd: BoolArray
    nodes: FloatArray

    @property
    def names(self) -> tuple[str, ...]:
        """Free latent means, then logs of free standard deviations."""
        means = (f"latent mean [{g}]" for g, free in zip(self.groups, self.free_mean, strict=True) if free)
        sds = (f"log latent sd [{g}]" for g, free in zip(self.groups, self.free_sd, strict=True) if free)
        return (*means, *sds)

    @property
    def start(self) -> FloatArray:
        """Standard normal in every group."""
        return np.zeros(int(self.free_mean.sum() + self.free_sd.sum()))

    @property
    def upper(self) -> FloatArray:
        """Latent mean up to 10 logits, standard deviation up to 12."""
        return np.array([10.0] * int(self.free_mean.sum()) + [2.5] * int(self.free_sd.sum()))

    @property
    def lower(self) -> FloatArray:
        """Latent mean down to -10 logits, standard deviation down to 0.08."""
        return -self.upper

    @property
    def theta(self) -> FloatArray:
        """The nodes as a column (Q, 1)."""
        return self.nodes[:, None]

    @property
    def base_weights(self) -> FloatArray:
        """Standard normal weights (Q,)."""
        return np.exp(normal_log_weights(self.nodes))

    def group_sizes(self) -> FloatArray:
        """Return (G,) summed weights of the persons with answers in each group."""
        return self.answers.group_sizes(len(self.groups))

    def mean_sd(self, latent: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return means (G,) and standard deviations (G,) at the free latent values (L,)."""
        n_means = int(self.free_mean.sum())
        mean, sd = np.zeros(len(self.groups)), np.ones(len(self.groups))
        mean[self.free_mean] = latent[:n_means]
        sd[self.free_sd] = np.exp(latent[n_means:])
        return mean, sd

    def moments(self, latent: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return means (G, 1) and variances (G, 1, 1) at the free latent values (L,)."""
        mean, sd = self.mean_sd(latent)
        return mean[:, None], (sd**2)[:, None, None]

    def log_prior(self, latent: FloatArray) -> FloatArray:
        """Return (G, Q) log weights of the nodes at the free latent values (L,)."""
        return np.stack([normal_log_weights(self.nodes, m, s) for m, s in zip(*self.mean_sd(latent), strict=True)])

    def d_log_prior(self, latent: FloatArray) -> FloatArray:
        """Return (G, Q, L) derivatives of the log weights by the free latent values (L,)."""
        mean, sd = self.mean_sd(latent)
        by_group = np.stack([d_normal_log_weights(self.nodes, m, s) for m, s in zip(mean, sd, strict=True)])
        out = np.zeros((len(self.groups), len(self.nodes), len(latent)))
        for column, g in enumerate(np.flatnonzero(self.free_mean)):
            out[g, :, column] = by_group[g, :, 0]
        for column, g in enumerate(np.flatnonzero(self.free_sd), start=int(self.free_mean.sum())):
            out[g, :, column] = by_group[g, :, 1]
        return out

    def e_step(self, log_prob: FloatArray, latent: FloatArray) -> tuple[EStep, FloatArray] | None:
        """Return expected counts and the gradient (L,) by the latent values; see ``Structure``."""
        log_prior = self.log_prior(latent)
        if not np.isfinite(log_prior).all():
            return None
        step = self.answers.e_step(log_prob, log_prior)
        if not len(latent):
            return step, np.zeros(0)
        gradient: FloatArray = np.einsum("gq,gql->l", step.mass, self.d_log_prior(latent))
        return step, gradient

    def information(self, step: EStep, latent: FloatArray) -> FloatArray:
        """Return (L, L) Fisher information of normal means and log standard deviations; see ``Structure``."""
        _, sd = self.mean_sd(latent)
        mass = step.mass.sum(axis=1)
        return np.diag(np.concatenate([(mass / sd**2)[self.free_mean], (2 * mass)[self.free_sd]]))

    def lost(self, step: EStep, latent: FloatArray, information: FloatArray) -> FloatArray | None:
        """Return (1, Q) persons times posterior variance at test information (1, Q); see ``Structure``."""
        _, sd = self.mean_sd(latent)
        variance = 1 / (information + (1 / sd**2)[:, None])  # (G, Q)
        near: FloatArray = np.sum(step.mass * variance, axis=0, keepdims=True)
        return near

    def person_scores(self, log_prob: FloatArray, latent: FloatArray) -> Iterator[PersonScores]:
        """Yield posteriors (n, Q) and expected latent scores (n, L); see ``Structure``."""
        a, by_latent = self.answers, self.d_log_prior(latent)
        for rows, _, posterior, _ in posteriors(a.x, log_prob, self.log_prior(latent), a.group, a.starts):
            scores = np.zeros((len(posterior), len(latent)))
            for g in range(len(self.groups)):
                member = a.group[rows] == g
                scores[member] = posterior[member] @ by_latent[g]
            yield PersonScores(a.x[rows], a.weight[rows], a.weight_sq[rows], (posterior,), scores)

    def suited(self, blocks: Sequence[ItemBlock], latent: FloatArray) -> NormalGroups | None:
        """Return the structure on the nodes that suit these items and latent values (L,); None if it is on them."""
        nodes = suited_grid(blocks, *self.mean_sd(latent))
        return None if np.array_equal(nodes, self.nodes) else replace(self, nodes=nodes)

    def sample(self, n: int) -> NormalGroups | None:
        """Return the structure for an even sample of about n persons; None if there are not four times as many."""
        return replace(self, answers=self.answers.sample(n)) if len(self.answers.x) > 4 * n else None

    def finer(self) -> NormalGroups:
        """Return the same structure on a grid twice as fine and one third wider, for checking the quadrature."""
        return replace(self, nodes=grid(8 * (len(self.nodes) - 1) // 3 + 1, float(self.nodes[-1]) * 4 / 3))

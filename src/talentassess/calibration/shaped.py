"""One latent dimension of any smooth shape: the normal structure with another density in place of the normal's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from talentassess.calibration.structures import NormalGroups, PersonScores
from talentassess.core.answers import Answers
from talentassess.core.arrays import FloatArray
from talentassess.core.derived import suited_grid
from talentassess.core.errors import ModelError
from talentassess.core.latent_shape import (
    DAVIDIAN,
    FAMILIES,
    HIGHEST,
    LatentShape,
    ShapeTerms,
    normalised,
    shape_terms,
)
from talentassess.core.likelihood import EStep, ItemBlock, posteriors

NORMAL = "normal"
TURN = 2 * np.pi  # bound of an angle: a full turn repeats the curve, so it is out of reach in practice
STEEPEST = 8.0  # bound of a log-linear coefficient: a density thousands of times the normal's somewhere
FIRM = 1e-3  # of the group sizes, added to the preconditioner: Davidian angles know nothing of themselves at the normal


@dataclass(frozen=True, eq=False, slots=True)
class ShapedGroups:
    """One latent dimension whose groups share a shape and differ in mean and standard deviation.

    Weights of group g at node theta_q: h((theta_q - mean_g) / sd_g; v), normalised, h of mean 0 and sd 1.

    Attributes
    ----------
    normal : answers, groups, free means and standard deviations, nodes (Q,).
    family : of the shape; first : (k,) starting values of the shape.
    """

    normal: NormalGroups
    family: str
    first: FloatArray

    @property
    def groups(self) -> tuple[str, ...]:
        """Labels; the first is the reference group."""
        return self.normal.groups

    @property
    def answers(self) -> Answers:
        """The answers as they enter the likelihood."""
        return self.normal.answers

    @property
    def names(self) -> tuple[str, ...]:
        """Free latent means, logs of free standard deviations, values of the shape."""
        word = "angle" if self.family == DAVIDIAN else "coefficient"
        return (*self.normal.names, *(f"{self.family} {word} {r + 1}" for r in range(len(self.first))))

    @property
    def start(self) -> FloatArray:
        """Mean 0 and standard deviation 1 in every group, and the given shape (L,)."""
        return np.concatenate([self.normal.start, self.first])

    @property
    def upper(self) -> FloatArray:
        """Upper bounds (L,)."""
        limit = TURN if self.family == DAVIDIAN else STEEPEST
        return np.concatenate([self.normal.upper, np.full(len(self.first), limit)])

    @property
    def lower(self) -> FloatArray:
        """Lower bounds (L,)."""
        return -self.upper

    @property
    def theta(self) -> FloatArray:
        """The nodes as a column (Q, 1)."""
        return self.normal.theta

    @property
    def base_weights(self) -> FloatArray:
        """Standard normal weights (Q,)."""
        return self.normal.base_weights

    def group_sizes(self) -> FloatArray:
        """Return (G,) summed weights of the persons with answers in each group."""
        return self.normal.group_sizes()

    def shape(self, latent: FloatArray) -> LatentShape:
        """Return the shape at the free latent values (L,)."""
        return LatentShape(self.family, latent[len(latent) - len(self.first) :].copy())

    def moments(self, latent: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return means (G, 1) and variances (G, 1, 1) at the free latent values (L,)."""
        return self.normal.moments(latent[: len(self.normal.names)])

    def log_prior(self, latent: FloatArray) -> FloatArray:
        """Return (G, Q) log weights of the nodes at the free latent values (L,)."""
        return np.stack([normalised(terms.log_density) for terms, _, _ in self._terms(latent)])

    def d_log_prior(self, latent: FloatArray) -> FloatArray:
        """Return (G, Q, L) derivatives of the log weights by the free latent values (L,)."""
        out = np.zeros((len(self.groups), len(self.normal.nodes), len(latent)))
        n_means, n_normal = int(self.normal.free_mean.sum()), len(self.normal.names)
        for g, (terms, t, sd) in enumerate(self._terms(latent)):
            if self.normal.free_mean[g]:
                out[g, :, int(self.normal.free_mean[:g].sum())] = -terms.slope / sd
            if self.normal.free_sd[g]:
                out[g, :, n_means + int(self.normal.free_sd[:g].sum())] = -terms.slope * t
            out[g, :, n_normal:] = terms.by_value
            out[g] -= np.exp(normalised(terms.log_density)) @ out[g]
        return out

    def e_step(self, log_prob: FloatArray, latent: FloatArray) -> tuple[EStep, FloatArray] | None:
        """Return expected counts and the gradient (L,) by the latent values; see ``Structure``."""
        log_prior = self.log_prior(latent)
        if not np.isfinite(log_prior).all():
            return None
        step = self.answers.e_step(log_prob, log_prior)
        gradient: FloatArray = np.einsum("gq,gql->l", step.mass, self.d_log_prior(latent))
        return step, gradient

    def information(self, step: EStep, latent: FloatArray) -> FloatArray:
        """Return (L, L) expected information about the latent values if theta were seen; see ``Structure``."""
        slope, size = self.d_log_prior(latent), step.mass.sum(axis=1)
        expected = np.exp(self.log_prior(latent)) * size[:, None]
        out: FloatArray = np.einsum("gq,gql,gqm->lm", expected, slope, slope, optimize=True)
        return out + FIRM * float(size.sum()) * np.eye(len(latent))

    def lost(self, step: EStep, latent: FloatArray, information: FloatArray) -> FloatArray | None:
        """Return (1, Q) persons times posterior variance at test information (1, Q); see ``Structure``."""
        return self.normal.lost(step, latent[: len(self.normal.names)], information)

    def person_scores(self, log_prob: FloatArray, latent: FloatArray) -> Iterator[PersonScores]:
        """Yield posteriors (n, Q) and expected latent scores (n, L); see ``Structure``."""
        a, by_latent = self.answers, self.d_log_prior(latent)
        for rows, _, posterior, _ in posteriors(a.x, log_prob, self.log_prior(latent), a.group, a.starts):
            scores = np.zeros((len(posterior), len(latent)))
            for g in range(len(self.groups)):
                member = a.group[rows] == g
                scores[member] = posterior[member] @ by_latent[g]
            yield PersonScores(a.x[rows], a.weight[rows], a.weight_sq[rows], (posterior,), scores)

    def suited(self, blocks: Sequence[ItemBlock], latent: FloatArray) -> ShapedGroups | None:
        """Return the structure on the nodes that suit these items and latent values (L,); None if it is on them."""
        mean, sd = self.normal.mean_sd(latent[: len(self.normal.names)])
        nodes = suited_grid(blocks, mean, sd, self.shape(latent))
        same = len(nodes) == len(self.normal.nodes) and nodes[-1] == self.normal.nodes[-1]
        return None if same else replace(self, normal=replace(self.normal, nodes=nodes))

    def sample(self, n: int) -> ShapedGroups | None:
        """Return the structure for an even sample of about n persons; None if there are not four times as many."""
        sampled = self.normal.sample(n)
        return None if sampled is None else replace(self, normal=sampled)

    def finer(self) -> ShapedGroups:
        """Return the same structure on a grid twice as fine and one third wider, for checking the quadrature."""
        return replace(self, normal=self.normal.finer())

    def _terms(self, latent: FloatArray) -> list[tuple[ShapeTerms, FloatArray, float]]:
        """Return per group the density's terms, the standardised nodes (Q,) and the standard deviation."""
        values = self.shape(latent).values
        mean, sd = self.normal.mean_sd(latent[: len(self.normal.names)])
        standardised = [(self.normal.nodes - m) / s for m, s in zip(mean, sd, strict=True)]
        return [(shape_terms(self.family, values, t), t, float(s)) for t, s in zip(standardised, sd, strict=True)]


def parse_density(density: str) -> tuple[str, int] | None:
    """Return family and order of a density such as ``davidian-3``, None for ``normal``; else raise ``ModelError``."""
    if density == NORMAL:
        return None
    family, _, order = str(density).rpartition("-")
    if family not in FAMILIES or not order.isdigit() or not 1 <= int(order) <= HIGHEST:
        allowed = ", ".join(f"'{name}-1' to '{name}-{HIGHEST}'" for name in FAMILIES)
        raise ModelError(f"density='{density}' is not known; choose 'normal', or one of {allowed}.")
    return family, int(order)

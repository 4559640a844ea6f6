"""Testlets: a general dimension for all items and a specific one for those of each testlet (bifactor structure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from talentassess.calibration.structures import NormalGroups, PersonScores
from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.kernel_bifactor import Packed, pack_reduced, reduced_pass
from talentassess.core.likelihood import EStep, ItemBlock
from talentassess.core.reduction import ReducedForm, finer_form, plain_form, reduced_posteriors, suited_form


@dataclass(frozen=True, eq=False, slots=True)
class Bifactor:
    """A general dimension, normal in every group, and F specific ones, standard normal in all; all uncorrelated.

    A block of a testlet's items has dims (0, f), f = 1..F; other items have dims (0,). The likelihood needs pairs of
    nodes only, whatever F is (Gibbons & Hedeker 1992; Cai, Yang & Hansen 2011). In its ``EStep`` the mass is (G, Qg),
    at the general nodes.

    Attributes
    ----------
    base : the general dimension by itself, with the answers; its nodes are those of ``form``.
    form : which items belong to which testlet, and the nodes.
    packed : the answers as the compiled kernel reads them, or None.
    """

    base: NormalGroups
    form: ReducedForm
    packed: Packed | None

    @property
    def groups(self) -> tuple[str, ...]:
        """Labels; the first is the reference group."""
        return self.base.groups

    @property
    def names(self) -> tuple[str, ...]:
        """Free means and logs of free standard deviations of the general dimension."""
        return self.base.names

    @property
    def start(self) -> FloatArray:
        """Standard normal in every group; (L,)."""
        return self.base.start

    @property
    def lower(self) -> FloatArray:
        """Lower bounds (L,)."""
        return self.base.lower

    @property
    def upper(self) -> FloatArray:
        """Upper bounds (L,)."""
        return self.base.upper

    @property
    def theta(self) -> FloatArray:
        """The pairs of nodes (Q, 1 + F)."""
        return self.form.theta

    @property
    def base_weights(self) -> FloatArray:
        """Weights (Q,) of the pairs under two standard normal distributions."""
        return np.outer(self.base.base_weights, np.exp(self.form.specific_log_weights)).ravel()

    def group_sizes(self) -> FloatArray:
        """Return (G,) summed weights of the persons with answers in each group."""
        return self.base.group_sizes()

    def e_step(self, log_prob: FloatArray, latent: FloatArray) -> tuple[EStep, FloatArray] | None:
        """Return expected counts at log probabilities (S, Q), and the gradient (L,) by the latent values."""
        log_prior = self.base.log_prior(latent)
        if not np.isfinite(log_prior).all():
            return None
        a = self.base.answers
        step = reduced_pass(self.form, self.packed, a, log_prob, log_prior)
        gradient: FloatArray = np.einsum("gq,gql->l", step.mass, self.base.d_log_prior(latent))
        return step, gradient

    def information(self, step: EStep, latent: FloatArray) -> FloatArray:
        """Return (L, L) Fisher information of normal means and log standard deviations."""
        return self.base.information(step, latent)

    def lost(self, step: EStep, latent: FloatArray, information: FloatArray) -> None:
        """Return None: a pair of nodes (D, Q) is not one trait whose loss could be taken off."""

    def moments(self, latent: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return means (G, 1 + F), zero but for the general one, and diagonal covariances (G, 1 + F, 1 + F)."""
        mean, variance = self.base.moments(latent)
        size = 1 + len(self.form.testlets)
        means, covariances = np.zeros((len(mean), size)), np.tile(np.eye(size), (len(mean), 1, 1))
        means[:, 0], covariances[:, 0, 0] = mean[:, 0], variance[:, 0, 0]
        return means, covariances

    def person_scores(self, log_prob: FloatArray, latent: FloatArray) -> Iterator[PersonScores]:
        """Yield for each dimension the posterior of its pairs of nodes (n, Q), and latent scores (n, L)."""
        a, by_latent = self.base.answers, self.base.d_log_prior(latent)
        specific = np.exp(self.form.specific_log_weights)
        for p in reduced_posteriors(self.form, a.x, log_prob, self.base.log_prior(latent), a.group):
            n, rows = len(p.general), p.rows
            joint = [specific[None, None, :], *p.conditional]  # without a testlet the pairs' second node is idle
            pairs = tuple((p.general[:, :, None] * given).reshape(n, -1) for given in joint)
            scores: FloatArray = np.einsum("nq,nql->nl", p.general, by_latent[a.group[rows]])
            yield PersonScores(a.x[rows], a.weight[rows], a.weight_sq[rows], pairs, scores)

    def suited(self, blocks: Sequence[ItemBlock], latent: FloatArray) -> Bifactor | None:
        """Return the structure on the nodes that suit these items and latent values (L,); None if it is on them."""
        better = suited_form(self.form, blocks, *self.base.mean_sd(latent))
        return None if better is None else self._on(better)

    def finer(self) -> Bifactor:
        """Return the same structure on grids twice as fine and one third wider, for checking the quadrature."""
        return self._on(finer_form(self.form))

    def sample(self, n: int) -> Bifactor | None:
        """Return the structure on about n of the persons; None where that would not save much."""
        base = self.base.sample(n)
        return None if base is None else replace(self, base=base, packed=pack_reduced(self.form, base.answers))

    def _on(self, form: ReducedForm) -> Bifactor:
        return replace(self, base=replace(self.base, nodes=form.general), form=form)


def with_testlets(base: NormalGroups, testlets: tuple[IntArray, ...]) -> Bifactor:
    """Return ``base`` with a specific dimension per testlet, given by the positions (J_f,) of its items."""
    form = plain_form(base.answers.starts, testlets)
    return Bifactor(replace(base, nodes=form.general), form, pack_reduced(form, base.answers))

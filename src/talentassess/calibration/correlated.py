"""Several correlated dimensions, normal in every group; every item measures one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from talentassess.calibration.structures import PersonScores
from talentassess.core.arrays import BoolArray, FloatArray, IntArray
from talentassess.core.calibration import correlation_name
from talentassess.core.derived import joint_grid
from talentassess.core.ep import EpForm, ep_pass, ep_posteriors, some_persons
from talentassess.core.likelihood import EStep, ItemBlock
from talentassess.core.quadrature import grid, normal_log_weights

TOL = 1e-6  # of a site within the optimiser, posterior standard deviations: the log evidence errs by its square
STEEPEST = 10.0  # bound of a correlation's root: two dimensions alone may correlate up to .995


@dataclass(frozen=True, eq=False, slots=True)
class Design:
    """The population as a function of the free latent values.

    Attributes
    ----------
    mean, cov : (G, D), (G, D, D).
    d_mean, d_cov : (G, D, L), (G, D, D, L) derivatives by the latent values.
    """

    mean: FloatArray
    cov: FloatArray
    d_mean: FloatArray
    d_cov: FloatArray


@dataclass(frozen=True, eq=False, slots=True)
class CorrelatedNormal:
    """D correlated dimensions, multivariate normal in every group, integrated by expectation propagation.

    The latent values are the free means, the logs of free standard deviations, and per group the roots of the
    correlations: row d of the correlations' Cholesky factor is (x_1, ..., x_(d-1), 1, 0, ...) divided by its length,
    so that every value of the roots x gives a proper correlation matrix and zero means uncorrelated.

    Attributes
    ----------
    form : the answers as they enter the likelihood.
    dimensions, groups : labels; the first group is the reference.
    free_mean, free_sd : (G, D) which means and standard deviations are estimated.
    nodes : (Q,) quadrature nodes common to all dimensions, logits.
    start : (L,) starting values.
    sites : (2, N, D) where the last pass ended: a warm start that never changes a result beyond the tolerance.
    """

    form: EpForm
    dimensions: tuple[str, ...]
    groups: tuple[str, ...]
    free_mean: BoolArray
    free_sd: BoolArray
    nodes: FloatArray
    start: FloatArray
    sites: FloatArray

    @property
    def n_dims(self) -> int:
        """Number of dimensions D."""
        return len(self.dimensions)

    @property
    def names(self) -> tuple[str, ...]:
        """Free means, logs of free standard deviations, roots of the correlations."""
        roots = [f"{name} (root)" for name in self._correlation_names()]
        return (*self._plain_names("log latent sd"), *roots)

    def shown_names(self) -> tuple[str, ...]:
        """Return the names of ``shown``."""
        return (*self._plain_names("latent sd"), *self._correlation_names())

    def _plain_names(self, spread: str) -> tuple[str, ...]:
        cells = [(g, d) for g in range(len(self.groups)) for d in range(self.n_dims)]
        means = (f"{self.dimensions[d]}: latent mean [{self.groups[g]}]" for g, d in cells if self.free_mean[g, d])
        sds = (f"{self.dimensions[d]}: {spread} [{self.groups[g]}]" for g, d in cells if self.free_sd[g, d])
        return (*means, *sds)

    def _correlation_names(self) -> list[str]:
        low = list(zip(*np.tril_indices(self.n_dims, -1), strict=True))
        return [correlation_name(self.dimensions[b], self.dimensions[a], g) for g in self.groups for a, b in low]

    @property
    def n_roots(self) -> int:
        """Number of correlations of one group."""
        return self.n_dims * (self.n_dims - 1) // 2

    @property
    def upper(self) -> FloatArray:
        """Mean up to 10 logits, standard deviation up to 12, roots up to ``STEEPEST``."""
        n_roots = self.n_roots * len(self.groups)
        counts = (int(self.free_mean.sum()), int(self.free_sd.sum()), n_roots)
        return np.repeat([10.0, 2.5, STEEPEST], counts)

    @property
    def lower(self) -> FloatArray:
        """Mean down to -10 logits, standard deviation down to 0.08, roots down to -``STEEPEST``."""
        return -self.upper

    @property
    def theta(self) -> FloatArray:
        """The nodes as a column per dimension (Q, D)."""
        return np.repeat(self.nodes[:, None], self.n_dims, axis=1)

    @property
    def base_weights(self) -> FloatArray:
        """Standard normal weights (Q,)."""
        return np.exp(normal_log_weights(self.nodes))

    def group_sizes(self) -> FloatArray:
        """Return (G,) summed weights of the persons with answers in each group."""
        return self.form.answers.group_sizes(len(self.groups))

    def design(self, latent: FloatArray) -> Design:
        """Return the population and its derivatives at the latent values (L,)."""
        n_groups, n_dims = self.free_mean.shape
        n_mean, n_sd, n_roots = int(self.free_mean.sum()), int(self.free_sd.sum()), self.n_roots
        mean, log_sd = np.zeros((n_groups, n_dims)), np.zeros((n_groups, n_dims))
        mean[self.free_mean], log_sd[self.free_sd] = latent[:n_mean], latent[n_mean : n_mean + n_sd]
        d_mean, d_cov = np.zeros((*mean.shape, len(latent))), np.zeros((*mean.shape, n_dims, len(latent)))
        d_mean[(*np.nonzero(self.free_mean), np.arange(n_mean))] = 1.0
        cov = np.empty((n_groups, n_dims, n_dims))
        for g in range(n_groups):
            first = n_mean + n_sd + g * n_roots
            correlation, slopes = _correlations(latent[first : first + n_roots], n_dims)
            scale = np.exp(log_sd[g])
            cov[g] = correlation * np.outer(scale, scale)
            d_cov[g, :, :, first : first + n_roots] = slopes * np.outer(scale, scale)[:, :, None]
        for column, (g, d) in enumerate(zip(*np.nonzero(self.free_sd), strict=True), start=n_mean):
            d_cov[g, d, :, column] += cov[g, d]
            d_cov[g, :, d, column] += cov[g, d]
        return Design(mean, cov, d_mean, d_cov)

    def moments(self, latent: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return means (G, D) and covariances (G, D, D) at the latent values (L,)."""
        design = self.design(latent)
        return design.mean, design.cov

    def shown(self, latent: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return means, standard deviations and correlations (L,), and their derivatives (L, L) by the latent values.

        Their order is that of ``shown_names``.
        """
        n_mean, n_sd, n_roots = int(self.free_mean.sum()), int(self.free_sd.sum()), self.n_roots
        values, slopes = latent.copy(), np.eye(len(latent))
        sds = slice(n_mean, n_mean + n_sd)
        values[sds] = np.exp(latent[sds])
        slopes[sds, sds] = np.diag(values[sds])
        low = np.tril_indices(self.n_dims, -1)
        for g in range(len(self.groups)):
            own = slice(n_mean + n_sd + g * n_roots, n_mean + n_sd + (g + 1) * n_roots)
            correlation, by_root = _correlations(latent[own], self.n_dims)
            values[own], slopes[own, own] = correlation[low], by_root[low]
        return values, slopes

    def e_step(self, log_prob: FloatArray, latent: FloatArray) -> tuple[EStep, FloatArray] | None:
        """Return expected counts and the gradient (L,) by the latent values; see ``Structure``."""
        design = self.design(latent)
        step = ep_pass(self.form, log_prob, self.nodes, (design.mean, design.cov), self.sites, tol=TOL)
        if step is None or not np.isfinite(step.loglik):
            return None
        gradient = latent_gradient(design, step.mass, step.first, step.second)
        near = step.counts.sum(axis=0)  # over all items: where the persons are, whichever the dimension
        return EStep(step.loglik, step.counts, step.mass[:, None] * (near / near.sum())), gradient

    def information(self, step: EStep, latent: FloatArray) -> FloatArray:
        """Return about (L, L) observed information about the latent values; see ``Structure``.

        Equation: n d(mean)' P M P d(mean) + n tr(P d(cov) P M P d(cov) P M) / 2, P the inverse covariance and M what
        is seen of the covariance, i.e. that of the posterior means: all of it would be the information were theta
        seen (Magnus & Neudecker 1999). M is reckoned at the mean site, and what items share with it is left out.
        """
        design, total = self.design(latent), np.zeros((len(latent), len(latent)))
        a = self.form.answers
        for g, mass in enumerate(step.mass.sum(axis=1)):
            own = a.group == g
            known = np.maximum(np.average(self.sites[0, own], axis=0, weights=a.weight[own]), 0.0)
            precision = np.linalg.inv(design.cov[g])
            seen = design.cov[g] - np.linalg.inv(precision + np.diag(known))
            straight = precision @ design.d_mean[g]
            turned = np.einsum("ab,bcl,cd->lad", precision, design.d_cov[g], precision @ seen, optimize=True)
            by_cov = turned.reshape(len(latent), -1) @ turned.transpose(0, 2, 1).reshape(len(latent), -1).T
            total += mass * (straight.T @ seen @ straight + by_cov / 2)
        return total

    def lost(self, step: EStep, latent: FloatArray, information: FloatArray) -> FloatArray | None:
        """Return (D, Q) persons times posterior variance at test information (D, Q); see ``Structure``."""
        near, (_, cov) = step.mass.sum(axis=0), self.moments(latent)
        usual = np.diag(information @ near / near.sum())
        others = 1 / np.diagonal(np.linalg.inv(np.linalg.inv(cov[0]) + usual)) - np.diagonal(usual)
        persons: FloatArray = near / (information + others[:, None])
        return persons

    def person_scores(self, log_prob: FloatArray, latent: FloatArray) -> Iterator[PersonScores]:
        """Yield tilted distributions (n, Q) per dimension and expected latent scores (n, L); see ``Structure``."""
        a, design = self.form.answers, self.design(latent)
        passes = ep_posteriors(self.form, log_prob, self.nodes, (design.mean, design.cov), self.sites)
        for rows, persons in passes:
            scores = person_gradients(design, a.group[rows], persons.m, persons.v)
            yield PersonScores(a.x[rows], a.weight[rows], a.weight_sq[rows], tuple(persons.tilted), scores)

    def suited(self, blocks: Sequence[ItemBlock], latent: FloatArray) -> CorrelatedNormal | None:
        """Return the structure on the nodes that suit these items and latent values (L,); None if it is on them."""
        mean, cov = self.moments(latent)
        nodes = joint_grid(blocks, mean, cov)
        return None if len(nodes) == len(self.nodes) else replace(self, nodes=nodes)

    def sample(self, n: int) -> CorrelatedNormal | None:
        """Return the structure for an even sample of about n persons; None if there are not four times as many."""
        n_all = len(self.form.answers.x)
        if n_all <= 4 * n:
            return None
        rows = np.arange(0, n_all, n_all // n)
        return replace(self, form=some_persons(self.form, rows), sites=self.sites[:, rows])

    def finer(self) -> CorrelatedNormal:
        """Return the same structure on a grid twice as fine and one third wider, for checking the quadrature."""
        nodes = grid(8 * (len(self.nodes) - 1) // 3 + 1, float(self.nodes[-1]) * 4 / 3)
        return replace(self, nodes=nodes, sites=self.sites.copy())


def latent_gradient(design: Design, mass: FloatArray, first: FloatArray, second: FloatArray) -> FloatArray:
    """Return (L,) derivative of the expected complete-data log density of theta by the latent values.

    Parameters
    ----------
    mass, first, second : (G,), (G, D), (G, D, D) sums over persons of 1, E[theta], E[theta theta'].
    """
    by_group = [_normal_gradient(design, g, n, first[g], second[g]) for g, n in enumerate(mass)]
    total: FloatArray = np.sum(by_group, axis=0)
    return total


def _normal_gradient(design: Design, g: int, n: float, first: FloatArray, second: FloatArray) -> FloatArray:
    precision, mean = np.linalg.inv(design.cov[g]), design.mean[g]
    off = first - n * mean
    cross = np.outer(first, mean)
    scatter = second - cross - cross.T + n * np.outer(mean, mean) - n * design.cov[g]
    by_cov = precision @ scatter @ precision / 2
    gradient: FloatArray = precision @ off @ design.d_mean[g] + np.einsum("ab,abl->l", by_cov, design.d_cov[g])
    return gradient


def person_gradients(design: Design, group: IntArray, mean: FloatArray, cov: FloatArray) -> FloatArray:
    """Return (n, L) expected latent scores of persons with posterior means (n, D) and covariances (n, D, D)."""
    precision = np.linalg.inv(design.cov)
    off = mean - design.mean[group]
    scatter = cov + off[:, :, None] * off[:, None, :] - design.cov[group]
    by_cov = (precision[group] @ scatter @ precision[group] / 2).reshape(len(mean), -1)
    by_mean = np.einsum("nde,ne->nd", precision[group], off)
    out = np.empty((len(mean), design.d_mean.shape[2]))
    for g in np.unique(group):
        rows = group == g
        out[rows] = by_mean[rows] @ design.d_mean[g]
        out[rows] += by_cov[rows] @ design.d_cov[g].reshape(by_cov.shape[1], -1)
    return out


def _correlations(roots: FloatArray, n_dims: int) -> tuple[FloatArray, FloatArray]:
    """Return correlations (D, D) and their derivatives (D, D, R) at the roots (R,)."""
    factor, lengths = _factor(roots, n_dims)
    slopes = np.zeros((n_dims, n_dims, len(roots)))
    for k, (i, j) in enumerate(zip(*np.tril_indices(n_dims, -1), strict=True)):
        row = (np.eye(n_dims)[j] - factor[i, j] * factor[i]) / lengths[i]
        change = factor @ row
        slopes[i, :, k] += change
        slopes[:, i, k] += change
    correlation = factor @ factor.T
    np.fill_diagonal(correlation, 1.0)
    return correlation, slopes


def _factor(roots: FloatArray, n_dims: int) -> tuple[FloatArray, FloatArray]:
    """Return the Cholesky factor (D, D) of the correlations and the lengths (D,) its rows were divided by."""
    rows = np.eye(n_dims)
    rows[np.tril_indices(n_dims, -1)] = roots
    lengths = np.sqrt((rows**2).sum(axis=1))
    return rows / lengths[:, None], lengths


def correlation_roots(correlation: FloatArray) -> FloatArray:
    """Return the roots (R,) of a correlation matrix (D, D)."""
    factor = np.linalg.cholesky(correlation)
    roots: FloatArray = (factor / np.diag(factor)[:, None])[np.tril_indices(len(correlation), -1)]
    return roots

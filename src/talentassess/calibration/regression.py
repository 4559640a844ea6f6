"""Latent regression: each person's latent mean depends on covariates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from talentassess.calibration.structures import NormalGroups, PersonScores
from talentassess.core.answers import Answers, gather_answers
from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.covariates import Covariates
from talentassess.core.derived import suited_grid
from talentassess.core.errors import CalibrationError
from talentassess.core.likelihood import EStep, ItemBlock, posteriors
from talentassess.core.responses import Responses
from talentassess.core.survey import plain_worth

FARTHEST = 20.0  # bound of a coefficient, in logits per standard deviation of its covariate
DEPENDENT = 1e-6  # share of a covariate's spread left over by the others, below which it says nothing of its own
UNITS = (0.01, 100.0)  # standard deviations of covariates whose coefficients ``tol`` determines well enough


@dataclass(frozen=True, eq=False, slots=True)
class CovariateGroups:
    """One latent dimension, theta_i ~ Normal(mean_g + beta' z_i, sd_g^2).

    Persons of one group with the same covariates form a cell and share a row of prior weights. The metric: mean 0 of
    the first group at z = 0 and residual standard deviation 1, unless slopes or anchors fix it.

    Attributes
    ----------
    normal : groups, free intercepts and residual deviations, nodes (Q,).
    answers : the answers; their group number is the cell.
    cell_group : (C,) group of each cell; z : (C, P) its covariates, named by ``covariates``.
    """

    normal: NormalGroups
    answers: Answers
    cell_group: IntArray
    z: FloatArray
    covariates: tuple[str, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """Labels; the first is the reference group."""
        return self.normal.groups

    @property
    def names(self) -> tuple[str, ...]:
        """Free intercepts, logs of free residual standard deviations, coefficients."""
        return (*self.normal.names, *(f"beta [{name}]" for name in self.covariates))

    @property
    def start(self) -> FloatArray:
        """Standard normal for everybody (L,)."""
        return np.concatenate([self.normal.start, np.zeros(len(self.covariates))])

    @property
    def upper(self) -> FloatArray:
        """Upper bounds (L,)."""
        return np.concatenate([self.normal.upper, FARTHEST / np.ptp(self.z, axis=0)])

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

    @property
    def _cell_sizes(self) -> FloatArray:
        return self.answers.group_sizes(len(self.z))

    def group_sizes(self) -> FloatArray:
        """Return (G,) summed weights of the persons with answers in each group."""
        return np.bincount(self.cell_group, self._cell_sizes, minlength=len(self.groups)).astype(np.float64)

    def beta(self, latent: FloatArray) -> FloatArray:
        """Return the coefficients (P,) at the free latent values (L,)."""
        return latent[len(self.normal.names) :]

    def mean_sd(self, latent: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return intercepts (G,) and residual standard deviations (G,) at the free latent values (L,)."""
        return self.normal.mean_sd(latent[: len(self.normal.names)])

    def moments(self, latent: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return means (G, 1) and variances (G, 1, 1) of the groups, over their persons' covariates."""
        mean, sd = self.mean_sd(latent)
        predicted, size = self.z @ self.beta(latent), self._cell_sizes
        total, between = np.zeros((len(mean), 1)), np.zeros((len(mean), 1, 1))
        for g in range(len(mean)):
            cells = self.cell_group == g
            centre = np.average(predicted[cells], weights=size[cells])
            total[g, 0] = mean[g] + centre
            between[g, 0, 0] = np.average((predicted[cells] - centre) ** 2, weights=size[cells])
        return total, between + (sd**2)[:, None, None]

    def log_prior(self, latent: FloatArray) -> FloatArray:
        """Return (C, Q) log weights of the nodes in each cell at the free latent values (L,)."""
        log_prior = -0.5 * self._standardised(latent) ** 2
        log_prior -= log_prior.max(axis=1, keepdims=True)
        log_prior -= np.log(np.exp(log_prior).sum(axis=1, keepdims=True))
        return log_prior

    def e_step(self, log_prob: FloatArray, latent: FloatArray) -> tuple[EStep, FloatArray] | None:
        """Return expected counts and the gradient (L,) by the latent values; see ``Structure``.

        Equation: d log L / d beta = sum_i w_i (E_i[theta] - E_0i[theta]) z_i / sd^2, E_0i under the prior's weights.
        """
        log_prior = self.log_prior(latent)
        if not np.isfinite(log_prior).all():
            return None
        step = self.answers.e_step(log_prob, log_prior)
        moved = step.mass - self._cell_sizes[:, None] * np.exp(log_prior)
        gradient = self._by_latent(moved, latent, np.arange(len(self.z))).sum(axis=0)
        mass = np.stack([step.mass[self.cell_group == g].sum(axis=0) for g in range(len(self.groups))])
        return EStep(step.loglik, step.counts, mass), gradient

    def information(self, step: EStep, latent: FloatArray) -> FloatArray:
        """Return (L, L) information about intercepts, log deviations and coefficients if theta were seen."""
        _, sd = self.mean_sd(latent)
        n_means, n_normal = int(self.normal.free_mean.sum()), len(self.normal.names)
        dummies = (self.cell_group[:, None] == np.flatnonzero(self.normal.free_mean)).astype(np.float64)
        design = np.column_stack([dummies, self.z])
        known = (self._cell_sizes / sd[self.cell_group] ** 2)[:, None]
        where = np.concatenate([np.arange(n_means), np.arange(n_normal, len(latent))])
        out = np.zeros((len(latent), len(latent)))
        out[np.ix_(where, where)] = (design * known).T @ design
        spread = np.arange(n_means, n_normal)
        out[spread, spread] = 2 * step.mass.sum(axis=1)[self.normal.free_sd]
        return out

    def lost(self, step: EStep, latent: FloatArray, information: FloatArray) -> FloatArray | None:
        """Return (1, Q) persons times posterior variance at test information (1, Q); see ``Structure``."""
        return self.normal.lost(step, latent[: len(self.normal.names)], information)

    def person_scores(self, log_prob: FloatArray, latent: FloatArray) -> Iterator[PersonScores]:
        """Yield posteriors (n, Q) and expected latent scores (n, L); see ``Structure``."""
        a, log_prior = self.answers, self.log_prior(latent)
        for rows, _, posterior, _ in posteriors(a.x, log_prob, log_prior, a.group, a.starts):
            cell = a.group[rows]
            scores = self._by_latent(posterior - np.exp(log_prior[cell]), latent, cell)
            yield PersonScores(a.x[rows], a.weight[rows], a.weight_sq[rows], (posterior,), scores)

    def suited(self, blocks: Sequence[ItemBlock], latent: FloatArray) -> CovariateGroups | None:
        """Return the structure on the nodes that suit these items and latent values (L,); None if it is on them."""
        mean, sd = self.mean_sd(latent)
        predicted = mean[self.cell_group] + self.z @ self.beta(latent)
        nodes = suited_grid(blocks, np.array([predicted.min(), predicted.max()]), np.full(2, sd.max()))
        same = len(nodes) == len(self.normal.nodes) and nodes[-1] == self.normal.nodes[-1]
        return None if same else replace(self, normal=replace(self.normal, nodes=nodes))

    def sample(self, n: int) -> CovariateGroups | None:
        """Return the structure for an even sample of about n persons; None if there are not four times as many."""
        return replace(self, answers=self.answers.sample(n)) if len(self.answers.x) > 4 * n else None

    def finer(self) -> CovariateGroups:
        """Return the same structure on a grid twice as fine and one third wider, for checking the quadrature."""
        return replace(self, normal=self.normal.finer())

    def _standardised(self, latent: FloatArray) -> FloatArray:
        """Return (C, Q) nodes as deviations from each cell's mean in residual standard deviations."""
        mean, sd = self.mean_sd(latent)
        centre = mean[self.cell_group] + self.z @ self.beta(latent)
        out: FloatArray = (self.normal.nodes - centre[:, None]) / sd[self.cell_group][:, None]
        return out

    def _by_latent(self, moved: FloatArray, latent: FloatArray, cell: IntArray) -> FloatArray:
        """Return (n, L) scores from posterior less prior weights (n, Q) of persons or cells in these cells (n,).

        d log W / d mean = t / sd and d log W / d log sd = t^2, each less its mean under W.
        """
        t, group = self._standardised(latent)[cell], self.cell_group[cell]
        by_mean = (moved * t).sum(axis=1) / self.mean_sd(latent)[1][group]
        by_log_sd = (moved * t**2).sum(axis=1)
        return np.column_stack(
            [
                by_mean[:, None] * (group[:, None] == np.flatnonzero(self.normal.free_mean)),
                by_log_sd[:, None] * (group[:, None] == np.flatnonzero(self.normal.free_sd)),
                by_mean[:, None] * self.z[cell],
            ]
        )


def with_covariates(normal: NormalGroups, responses: Responses, group: IntArray, given: Covariates) -> CovariateGroups:
    """Return the structure in which covariates move the persons' means; group (N,) numbers.

    Raises ``CalibrationError`` if covariates do not vary, follow from others or from the groups, or come in units so
    large or small that their coefficients would have no digits left.
    """
    kept = np.asarray(responses.answered.any(axis=1))
    _check(given, given.values[kept], group[kept], len(normal.groups))
    cells, cell = np.unique(np.column_stack([group[kept], given.values[kept]]), axis=0, return_inverse=True)
    everyone = np.zeros(len(kept), dtype=np.int64)
    everyone[kept] = cell.ravel()
    return CovariateGroups(
        normal=normal,
        answers=gather_answers(responses, everyone, plain_worth(responses.n_cat))[0],
        cell_group=cells[:, 0].astype(np.int64),
        z=np.ascontiguousarray(cells[:, 1:]),
        covariates=given.names,
    )


def _check(given: Covariates, z: FloatArray, group: IntArray, n_groups: int) -> None:
    spread = z.std(axis=0)
    scale = np.maximum(np.abs(z).max(axis=0), 1e-300)
    flat = [f"'{n}' is {z[0, p]:g} for everybody" for p, n in enumerate(given.names) if spread[p] <= 1e-10 * scale[p]]
    if flat:
        raise CalibrationError("A covariate that does not vary explains nothing. Leave it out.", flat)
    odd = [f"'{n}' has a standard deviation of {s:.3g}" for n, s in zip(given.names, spread, strict=True)
           if not UNITS[0] <= s <= UNITS[1]]  # fmt: skip
    if odd:
        raise CalibrationError(
            f"Express covariates in units with a standard deviation of {UNITS[0]:g} to {UNITS[1]:g} (years, not days), "
            "so that their coefficients can be read and computed to full precision.",
            odd,
        )
    known = (group[:, None] == np.arange(n_groups)).astype(np.float64)
    for p, name in enumerate(given.names):
        column = (z[:, p] - z[:, p].mean()) / spread[p]
        left = column - known @ np.linalg.lstsq(known, column, rcond=None)[0]
        if np.sqrt(np.mean(left**2)) < DEPENDENT:
            others = ", ".join(given.names[:p]) or "the groups"
            raise CalibrationError(
                f"The covariate '{name}' follows from {others}{' and the groups' if n_groups > 1 and p else ''}: their "
                "effects cannot be told apart. Leave one of them out."
            )
        known = np.column_stack([known, column])

"""Second derivatives of the log evidence under expectation propagation, exact and without differencing passes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talentassess.calibration.correlated import CorrelatedNormal, Design, latent_gradient, person_gradients
from talentassess.calibration.missing_information import by_node, entry_scores, orthonormal
from talentassess.calibration.objective import Evaluation
from talentassess.calibration.problem import Problem
from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.ep import ep_posteriors
from talentassess.core.likelihood import stack_log_prob

ENOUGH = 1e-5  # share of the information that a further polynomial must add: errors of SEs stay below 1e-5 of them
PERSONS = 512  # at a time: their scores and latent derivatives stay within some tens of MB


@dataclass(frozen=True, eq=False, slots=True)
class CorrelatedMoments:
    """Sums over persons.

    Attributes
    ----------
    spread : (F, F) information lost because theta is not seen.
    crossprod : (F, F) sum w E_i[s] E_i[s]'; meat : sum w^2 E_i[s] E_i[s]'.
    design, mass, first, second : population and the posterior moments behind ``latent_gradient``.
    """

    spread: FloatArray
    crossprod: FloatArray
    meat: FloatArray
    structure: CorrelatedNormal
    latent: FloatArray
    mass: FloatArray
    first: FloatArray
    second: FloatArray

    def latent_gradient(self, shift: FloatArray) -> FloatArray:
        """Return the complete-data gradient (L,) at latent values moved by ``shift`` (L,), at fixed moments."""
        return latent_gradient(self.structure.design(self.latent + shift), self.mass, self.first, self.second)


def correlated_moments(problem: Problem, at: Evaluation, structure: CorrelatedNormal) -> CorrelatedMoments:
    """Return the moments of the complete-data scores, with the part that runs between dimensions.

    Write u = (z, (z^2 - 1) / root 2) for the standardised trait of each dimension, T for its covariance under the
    tilted distribution (block-diagonal) and G under the Gaussian posterior (margins of unit variance, so that its
    diagonal blocks are identities). At the fixed point both give u the same mean; differentiating that condition gives
    the response of the sites, eta' = M^-1 (B - (I - T) P) with M = (I - T) G + T, where B = Cov_tilted(u, s) for item
    parameters and P = Cov_posterior(u, s) for latent values, and from it the derivatives of all expected scores:

    items x items    Cov_tilted(s, s) within a dimension, plus B' (G - I) M^-1 B,
    items x latent   B' M^-T P,
    latent x latent  Cov_posterior(s, s) - P' M^-1 (I - T) P.
    """
    log_prob = stack_log_prob(at.blocks, structure.theta, problem.starts)
    design, a = structure.design(at.latent), structure.form.answers
    sums = _Sums.empty(problem, structure, design)
    slopes = [by_node(block, structure.theta) for block in at.blocks]
    population = (design.mean, design.cov)
    for chunk, persons in ep_posteriors(structure.form, log_prob, structure.nodes, population, structure.sites):
        for first in range(0, len(persons.m), PERSONS):
            part = slice(first, first + PERSONS)
            rows = slice(chunk.start + first, min(chunk.start + first + PERSONS, chunk.stop))
            # without answers there is no score to expand, but polynomials want a distribution
            seen = structure.form.answered[rows]
            tilted = [np.where(seen[:, [d]], w[part], 1 / len(w[0])) for d, w in enumerate(persons.tilted)]
            sums.add(problem, rows, (persons.m[part], persons.v[part], tilted), slopes)
    tie = problem.tie.matrix
    mixed = np.asarray(tie.T @ sums.mixed)
    spread = np.block([[np.asarray(tie.T @ sums.items) @ tie, mixed], [mixed.T, sums.latent]])
    mass = np.bincount(a.group, a.weight, minlength=len(structure.groups)).astype(np.float64)
    return CorrelatedMoments(
        (spread + spread.T) / 2, sums.crossprod, sums.meat, structure, at.latent, mass, sums.first, sums.second
    )


@dataclass(frozen=True, eq=False, slots=True)
class _Sums:
    """What ``add`` adds to, by stacked parameters: items (T, T), mixed (T, L), latent (L, L); see CorrelatedMoments.

    ``dim`` (T,) is the dimension of each stacked parameter.
    """

    structure: CorrelatedNormal
    design: Design
    dim: IntArray
    items: FloatArray
    mixed: FloatArray
    latent: FloatArray
    crossprod: FloatArray
    meat: FloatArray
    first: FloatArray
    second: FloatArray

    @classmethod
    def empty(cls, problem: Problem, structure: CorrelatedNormal, design: Design) -> _Sums:
        """Return zeros."""
        n_entries, n_latent = problem.tie.matrix.shape[0], design.d_mean.shape[2]
        size = problem.tie.n_free + n_latent
        dim = np.repeat([block.dims[0] for block in problem.blocks], [block.par.size for block in problem.blocks])
        shapes = (
            (n_entries, n_entries), (n_entries, n_latent), (n_latent, n_latent), (size, size), (size, size),
            design.mean.shape, design.cov.shape,
        )  # fmt: skip
        return cls(structure, design, dim, *(np.zeros(shape) for shape in shapes))

    def add(
        self,
        problem: Problem,
        rows: slice,
        posterior: tuple[FloatArray, FloatArray, list[FloatArray]],
        slopes: list[FloatArray],
    ) -> None:
        """Add some persons: posterior means (n, D), covariances (n, D, D), tilted weights (n, Q) per dimension."""
        a = self.structure.form.answers
        mean, cov, _ = posterior
        w, group = a.weight[rows], a.group[rows]
        expected, terms = self._expand(problem, rows, posterior, slopes)
        response = self._response(rows, posterior)
        self._add_across(w, terms, response)
        self._add_latent(w, group, (mean, cov), terms, response)
        latent = person_gradients(self.design, group, mean, cov)
        score = np.concatenate([np.asarray(expected @ problem.tie.matrix), latent], axis=1)
        self.crossprod[:] += (score * w[:, None]).T @ score
        self.meat[:] += (score * a.weight_sq[rows, None]).T @ score
        np.add.at(self.first, group, w[:, None] * mean)
        np.add.at(self.second, group, w[:, None, None] * (cov + mean[:, :, None] * mean[:, None, :]))

    def _expand(
        self,
        problem: Problem,
        rows: slice,
        posterior: tuple[FloatArray, FloatArray, list[FloatArray]],
        slopes: list[FloatArray],
    ) -> tuple[FloatArray, list[FloatArray]]:
        """Return expected scores (n, T) and their first two polynomial terms; add what is lost within dimensions."""
        a = self.structure.form.answers
        expected, terms, small = np.empty((0, 0)), [], 0
        own = [np.flatnonzero(self.dim == d) for d in range(self.structure.n_dims)]
        passes = zip(*(orthonormal(tilted, self.structure.nodes) for tilted in posterior[2]), strict=True)
        for r, by_dim in enumerate(passes):
            score = entry_scores(problem, a.x[rows], slopes, [by_dim[block.dims[0]] for block in problem.blocks])
            if r == 0:
                expected = score
                continue
            if r <= 2:
                terms.append(score)
            weighted = score * a.weight[rows, None]
            for columns in own:
                self.items[np.ix_(columns, columns)] += weighted[:, columns].T @ score[:, columns]
            gained = (weighted * score).sum(axis=0)
            small = small + 1 if np.all(gained <= ENOUGH * np.diag(self.items)) else 0
            if small == 2 and r >= 2:  # one may be small by symmetry
                break
        return expected, terms

    def _response(self, rows: slice, posterior: tuple[FloatArray, FloatArray, list[FloatArray]]) -> _Response:
        """Return the matrices that say how the sites of these persons answer to a change of parameters."""
        mean, cov, tilted = posterior
        n, n_dims = mean.shape
        sd = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
        skew, tail = np.zeros((n, n_dims)), np.ones((n, n_dims))
        for d in range(n_dims):
            z = (self.structure.nodes - mean[:, d : d + 1]) / sd[:, d : d + 1]
            square = (z**2 - 1) / np.sqrt(2)
            by_degree = orthonormal(tilted[d], self.structure.nodes)
            _, one, two = next(by_degree), next(by_degree), next(by_degree)
            answered = self.structure.form.answered[rows, d]
            skew[answered, d] = (one * square).sum(axis=1)[answered]
            tail[answered, d] = (two * square).sum(axis=1)[answered]
        correlation = cov / (sd[:, :, None] * sd[:, None, :])
        g, t, root = (np.zeros((n, 2 * n_dims, 2 * n_dims)) for _ in range(3))
        z_at, s_at = np.arange(n_dims), np.arange(n_dims, 2 * n_dims)
        g[:, :n_dims, :n_dims], g[:, n_dims:, n_dims:] = correlation, correlation**2
        t[:, z_at, z_at], t[:, s_at, s_at] = 1.0, skew**2 + tail**2
        t[:, z_at, s_at] = t[:, s_at, z_at] = skew
        root[:, z_at, z_at], root[:, s_at, z_at], root[:, s_at, s_at] = 1.0, skew, tail
        apart = np.eye(2 * n_dims) - t
        return _Response(sd, g, apart, root, apart @ g + t)

    def _add_across(self, w: FloatArray, terms: list[FloatArray], response: _Response) -> None:
        """Add B' (G - I) M^-1 B."""
        n_dims = self.structure.n_dims
        between = response.g - np.eye(2 * n_dims)
        kernel = np.swapaxes(response.root, 1, 2) @ between @ np.linalg.solve(response.m, response.root)
        for a in range(2):
            for d in range(n_dims):
                columns = np.flatnonzero(self.dim == d)
                row = kernel[:, a * n_dims + d]
                turned = terms[0] * row[:, self.dim] + terms[1] * row[:, n_dims + self.dim]
                self.items[columns] += (terms[a][:, columns] * w[:, None]).T @ turned

    def _add_latent(
        self,
        w: FloatArray,
        group: IntArray,
        posterior: tuple[FloatArray, FloatArray],
        terms: list[FloatArray],
        response: _Response,
    ) -> None:
        """Add the latent values' own covariance of scores, the sites' answer to it, and B' M^-T P."""
        n_dims, n_latent = self.structure.n_dims, len(self.latent)
        p = np.zeros((len(w), 2 * n_dims, n_latent))
        for g in np.unique(group):
            rows = np.flatnonzero(group == g)
            moments = (posterior[0][rows], posterior[1][rows])
            p[rows] = self._latent_covariances(int(g), w[rows], moments, response.sd[rows])
        x = np.linalg.solve(np.swapaxes(response.m, 1, 2), p)
        weighted = (x * w[:, None, None]).reshape(-1, n_latent)
        self.latent[:] -= weighted.T @ (response.apart @ p).reshape(-1, n_latent)
        turned = np.swapaxes(response.root, 1, 2) @ x
        for d in range(n_dims):
            columns = np.flatnonzero(self.dim == d)
            for a in range(2):
                self.mixed[columns] += (terms[a][:, columns] * w[:, None]).T @ turned[:, a * n_dims + d]

    def _latent_covariances(
        self, g: int, w: FloatArray, posterior: tuple[FloatArray, FloatArray], sd: FloatArray
    ) -> FloatArray:
        """Return P (n, 2D, L) for persons of group ``g`` and add their Cov_posterior(s, s) to ``latent``.

        A latent score is k'(theta - mean) + (theta - mean)' H (theta - mean) / 2 up to a constant, with
        k = precision d(mean) and H = precision d(cov) precision.
        """
        mean, cov = posterior
        n_dims, n_latent = self.structure.n_dims, len(self.latent)
        precision = np.linalg.inv(self.design.cov[g])
        straight = precision @ self.design.d_mean[g]
        bent = np.einsum("ab,bcl,cd->adl", precision, self.design.d_cov[g], precision, optimize=True)
        off = mean - self.design.mean[g]
        slope = straight + (off @ bent.transpose(1, 0, 2).reshape(n_dims, -1)).reshape(-1, n_dims, n_latent)
        by_z = cov @ slope
        self.latent[:] += (slope * w[:, None, None]).reshape(-1, n_latent).T @ by_z.reshape(-1, n_latent)
        flat = cov.reshape(len(w), -1)
        fourth = ((flat * w[:, None]).T @ flat).reshape((n_dims,) * 4).transpose(3, 0, 1, 2)
        bent_flat = bent.reshape(-1, n_latent)
        self.latent[:] += bent_flat.T @ fourth.reshape(n_dims**2, n_dims**2) @ bent_flat / 2
        squares = (cov[:, :, :, None] * cov[:, :, None, :]).reshape(len(w), n_dims, -1) @ bent_flat
        by_square = squares / (np.sqrt(2) * sd[:, :, None] ** 2)
        return np.concatenate([by_z / sd[:, :, None], by_square], axis=1)


@dataclass(frozen=True, eq=False, slots=True)
class _Response:
    """Matrices of ``correlated_moments`` for some persons: sd (n, D); G, I - T, a root of T and M, each (n, 2D, 2D)."""

    sd: FloatArray
    g: FloatArray
    apart: FloatArray
    root: FloatArray
    m: FloatArray

"""Expectation propagation in NumPy, all persons of a chunk at once: the reference for the compiled kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import BoolArray, FloatArray, IntArray

SETTLED, UNSETTLED, GUARDED = 0, 1, 2  # how a person's sites ended; the compiled kernel uses the same numbers
PROPER = 1e-9  # smallest cavity precision, relative to the posterior's
NARROWEST = 1e-3  # variance of a distribution that sits on one node, in squared spacings: all the grid can tell
GUARD = 0.9  # share of the population's weakest precision that guarded sites may take away


@dataclass(frozen=True, eq=False, slots=True)
class Populations:
    """Normal populations in the form the computations need.

    Attributes
    ----------
    precision : (G, D, D) inverse covariances; shift : (G, D) precision times mean.
    constant : (G,) 0.5 log|precision| - 0.5 mean' precision mean.
    floor : (G,) smallest site precision that leaves every posterior proper whatever the other sites are.
    """

    precision: FloatArray
    shift: FloatArray
    constant: FloatArray
    floor: FloatArray


def populations(mean: FloatArray, cov: FloatArray) -> Populations | None:
    """Return the populations with means (G, D) and covariances (G, D, D); None if a covariance is not proper."""
    if not (np.isfinite(mean).all() and np.isfinite(cov).all()):
        return None
    values = np.linalg.eigvalsh(cov)
    if np.any(values[:, 0] <= 1e-10 * values[:, -1]):
        return None
    precision = np.linalg.inv(cov)
    precision = (precision + precision.transpose(0, 2, 1)) / 2
    shift = np.einsum("gde,ge->gd", precision, mean)
    constant = -0.5 * np.log(values).sum(axis=1) - 0.5 * np.einsum("gd,gd->g", shift, mean)
    floor = np.asarray(-GUARD / values[:, -1], dtype=np.float64)
    return Populations(precision, shift, constant, floor)


@dataclass(slots=True)
class Settling:
    """Some persons on their way to the fixed point; it never leaves this package's ``core``.

    Attributes
    ----------
    log_like : per dimension (n, Q) log-likelihood of the answers; answered : (n, D).
    precision, shift, floor : (n, D, D), (n, D), (n,) of each person's population.
    tau, nu : (n, D) sites exp(-tau theta^2 / 2 + nu theta).
    v, m, log_det : posterior covariance (n, D, D), mean (n, D), log determinant (n,) of the posterior precision.
    part : (n, D) evidence of each site; tilted : per dimension (n, Q) weights of the tilted distribution.
    lowest, damping : (n,) bound on site precisions, -inf unless guarded; share of a proposed change that is made.
    """

    log_like: Sequence[FloatArray]
    answered: BoolArray
    precision: FloatArray
    shift: FloatArray
    floor: FloatArray
    tau: FloatArray
    nu: FloatArray
    v: FloatArray
    m: FloatArray
    log_det: FloatArray
    part: FloatArray
    tilted: list[FloatArray]
    lowest: FloatArray
    damping: FloatArray


def begin(
    log_like: Sequence[FloatArray], answered: BoolArray, world: Populations, group: IntArray, sites: FloatArray
) -> Settling:
    """Return persons at the posterior of the sites (2, n, D) they come with; improper sites are set back to zero.

    Parameters
    ----------
    log_like : per dimension (n, Q) log-likelihood of the answers; answered : (n, D); group : (n,) population of each.
    """
    n, n_dims = answered.shape
    precision = world.precision[group]
    tau, nu = sites[0].copy(), sites[1].copy()
    a = precision + tau[:, :, None] * np.eye(n_dims)
    improper = np.linalg.eigvalsh(a)[:, 0] <= 1e-12
    tau[improper], nu[improper] = 0.0, 0.0
    persons = Settling(
        log_like, answered, precision, world.shift[group], world.floor[group], tau, nu,
        v=np.empty((n, n_dims, n_dims)), m=np.empty((n, n_dims)), log_det=np.empty(n), part=np.zeros((n, n_dims)),
        tilted=[np.zeros_like(like) for like in log_like], lowest=np.full(n, -np.inf), damping=np.ones(n),
    )  # fmt: skip
    gather(persons, np.arange(n))
    return persons


def gather(persons: Settling, rows: IntArray) -> None:
    """Recompute the posteriors of some persons, given by position (M,), from their sites."""
    a = persons.precision[rows] + persons.tau[rows, :, None] * np.eye(persons.tau.shape[1])
    persons.v[rows] = np.linalg.inv(a)
    persons.m[rows] = np.einsum("nde,ne->nd", persons.v[rows], persons.shift[rows] + persons.nu[rows])
    persons.log_det[rows] = np.linalg.slogdet(a)[1]


def settle(persons: Settling, nodes: FloatArray, tol: float, max_sweeps: int) -> IntArray:
    """Sweep over the dimensions until no site moves by ``tol`` posterior standard deviations; return statuses (n,)."""
    n, n_dims = persons.tau.shape
    status = np.full(n, UNSETTLED)
    active, before, guarded = np.arange(n), np.full(n, np.inf), np.zeros(n, dtype=bool)
    for sweep in range(max_sweeps):
        change = np.zeros(n)
        for d in range(n_dims):
            rows = active[persons.answered[active, d] & np.isfinite(change[active])]
            change[rows] = np.maximum(change[rows], visit(persons, nodes, rows, d))
        lost = active[np.isinf(change[active])]
        if len(lost):  # the other sites took away more than the population gives: hold them back
            persons.lowest[lost], guarded[lost] = persons.floor[lost], True
            persons.tau[lost] = np.maximum(persons.tau[lost], persons.lowest[lost, None])
            gather(persons, lost)
        done = active[change[active] < tol]
        status[done] = np.where(guarded[done], GUARDED, SETTLED)
        slow = np.isfinite(change) & (change > 0.7 * before) & (persons.damping > 0.2) & (sweep > 2)
        persons.damping[slow] *= 0.5
        before = np.where(np.isfinite(change), change, before)
        active = active[change[active] >= tol]
        if not len(active):
            break
    return status


def visit(persons: Settling, nodes: FloatArray, rows: IntArray, d: int) -> FloatArray:
    """Match the moments of some persons on dimension ``d``; return the size of the proposed changes (n,).

    The cavity (posterior without the site) times the likelihood is the tilted distribution; the new site gives the
    posterior the tilted mean and variance. Size is counted in posterior standard deviations; inf marks persons whose
    cavity is not proper, who are left as they are.
    """
    p = persons
    variance, mean, tau, nu = p.v[rows, d, d], p.m[rows, d], p.tau[rows, d], p.nu[rows, d]
    cavity = 1 / variance - tau
    proper = cavity * variance > PROPER
    if not proper.all():
        partly = np.full(len(rows), np.inf)
        partly[proper] = visit(persons, nodes, rows[proper], d)
        return partly
    middle = (mean / variance - nu) / cavity
    weights = p.log_like[d][rows] - 0.5 * cavity[:, None] * (nodes - middle[:, None]) ** 2
    top = weights.max(axis=1)
    np.exp(weights - top[:, None], out=weights)
    z = weights.sum(axis=1)
    weights /= z[:, None]
    p.tilted[d][rows] = weights
    away = nodes - mean[:, None]
    off = (weights * away).sum(axis=1)
    spread = np.maximum((weights * away**2).sum(axis=1) - off**2, NARROWEST * (nodes[1] - nodes[0]) ** 2)
    by_tau = np.maximum(1 / spread - cavity, p.lowest[rows]) - tau
    by_nu = (mean + off) / spread - middle * cavity - nu
    change: FloatArray = np.maximum(np.abs(by_tau) * spread, np.abs(by_nu) * np.sqrt(spread))
    _move(persons, rows, d, by_tau * p.damping[rows], by_nu * p.damping[rows])
    precise = cavity + p.tau[rows, d]
    centre = (middle * cavity + p.nu[rows, d]) / precise
    spacing = nodes[1] - nodes[0]
    p.part[rows, d] = top + np.log(z * spacing * np.sqrt(precise / (2 * np.pi)))
    p.part[rows, d] -= 0.5 * (centre**2 * precise - middle**2 * cavity)
    return change


def _move(persons: Settling, rows: IntArray, d: int, by_tau: FloatArray, by_nu: FloatArray) -> None:
    """Change the sites on dimension ``d`` by these amounts (n,) and the posteriors with them (Sherman-Morrison)."""
    p = persons
    column = p.v[rows, :, d]
    grown = 1 + by_tau * column[:, d]
    push = (by_nu - by_tau * p.m[rows, d]) / grown
    p.tau[rows, d] += by_tau
    p.nu[rows, d] += by_nu
    p.m[rows] += push[:, None] * column
    p.v[rows] -= (by_tau / grown)[:, None, None] * column[:, :, None] * column[:, None, :]
    p.log_det[rows] += np.log(grown)


def log_evidence(persons: Settling, constant: FloatArray) -> FloatArray:
    """Return (n,) log evidence of the answers, ``constant`` (n,) being that of each person's population."""
    fit = np.einsum("nd,nd->n", persons.shift + persons.nu, persons.m)
    total: FloatArray = constant - 0.5 * persons.log_det + 0.5 * fit + (persons.part * persons.answered).sum(axis=1)
    return total

"""Expectation propagation: D correlated dimensions, every item measuring one of them, at the cost of D single ones.

The likelihood of a person's answers is a product over dimensions, L_1(theta_1) ... L_D(theta_D), under a correlated
normal population. Each factor is replaced by a Gaussian site exp(-tau theta^2 / 2 + nu theta) such that the posterior
has the mean and variance of the tilted distribution, i.e. of the exact factor in the place of its site (Minka 2001;
Rasmussen & Williams 2006, section 3.6). The tilted distributions are one-dimensional: they live on common nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from talentassess.core.answers import Answers
from talentassess.core.arrays import BoolArray, FloatArray, IntArray
from talentassess.core.ep_kernel import FAILED, Packed, pack_dimensions, run
from talentassess.core.ep_reference import (
    GUARDED,
    UNSETTLED,
    Populations,
    Settling,
    begin,
    log_evidence,
    populations,
    settle,
)
from talentassess.core.likelihood import one_hot

CHUNK = 2048  # persons at a time in the reference: its arrays stay within some tens of MB
TOL = 1e-9  # of a reported value, posterior standard deviations
SWEEPS = 100  # at the most; five to eight are usual from a cold start
MOMENTS = 12  # Hermite moments that describe how far a tilted distribution is from a normal one


@dataclass(frozen=True, eq=False, slots=True)
class EpForm:
    """Answers to items of D dimensions, ready for passes.

    Attributes
    ----------
    answers : the answers as they enter the likelihood.
    dim_of_item : (J,) dimension of each item; the items of a dimension stand together.
    n_dims : D.
    answered : (N, D) True where a person answered an item of the dimension.
    packed : the answers as the compiled kernel takes them, None where there is none.
    """

    answers: Answers
    dim_of_item: IntArray
    n_dims: int
    answered: BoolArray
    packed: Packed | None

    def no_sites(self) -> FloatArray:
        """Return sites (2, N, D), tau and nu, of a cold start."""
        return np.zeros((2, len(self.answers.x), self.n_dims))


def ep_form(answers: Answers, dim_of_item: IntArray, n_dims: int, *, compiled: bool = True) -> EpForm:
    """Prepare answers for passes; ``dim_of_item`` (J,) rises. ``compiled=False`` keeps to NumPy."""
    x = answers.x[:]
    seen = x >= 0
    answered = np.stack([seen[:, dim_of_item == d].any(axis=1) for d in range(n_dims)], axis=1)
    packed = pack_dimensions(x, answers.starts, dim_of_item, n_dims) if compiled else None
    return EpForm(answers, dim_of_item, n_dims, answered, packed)


def some_persons(form: EpForm, rows: IntArray) -> EpForm:
    """Return a form of these rows (n,) only."""
    a = form.answers
    part = Answers(a.x[rows], a.group[rows], a.weight[rows], a.weight_sq[rows], a.starts)
    return ep_form(part, form.dim_of_item, form.n_dims, compiled=form.packed is not None)


@dataclass(frozen=True, eq=False, slots=True)
class EpPass:
    """Sufficient statistics of one pass over the persons.

    Attributes
    ----------
    loglik : weighted sum of the log evidence; evidence : (N,) per person.
    counts : (S, Q) expected number of persons in each category at each node.
    mass : (G,) summed weights; first : (G, D) and second : (G, D, D) sums of posterior E[theta] and E[theta theta'].
    unsettled : persons whose sites still moved at the last sweep.
    guarded : persons whose sites were held back, because without that their posterior would not be proper.
    """

    loglik: float
    evidence: FloatArray
    counts: FloatArray
    mass: FloatArray
    first: FloatArray
    second: FloatArray
    unsettled: int
    guarded: int


def ep_pass(
    form: EpForm,
    log_prob: FloatArray,
    nodes: FloatArray,
    population: tuple[FloatArray, FloatArray],
    sites: FloatArray,
    *,
    tol: float = TOL,
) -> EpPass | None:
    """Return the marginal log-likelihood under EP with expected counts; None if a covariance is not proper.

    At the fixed point the derivative of the log evidence by any parameter is the expectation of the complete-data
    derivative under the tilted distributions (items) and the Gaussian posterior (population): Fisher's identity holds
    for the approximation itself.

    Parameters
    ----------
    form : from ``ep_form``.
    log_prob : (S, Q) log probability of each category at the nodes, each item on its own dimension.
    nodes : (Q,) equally spaced, logits, common to all dimensions.
    population : means (G, D) and covariances (G, D, D).
    sites : (2, N, D) a warm start; left at the fixed point. The start does not change the result beyond ``tol``.
    tol : largest change of a site in the last sweep, in posterior standard deviations.
    """
    world = populations(*population)
    if world is None:
        return None
    a = form.answers
    sums = _Sums.empty(form, len(world.constant), log_prob)
    if form.packed is None:
        _add_reference(form, log_prob, nodes, world, sites, tol, sums, np.arange(len(a.x)))
    else:
        done = run(form.packed, (form.answered, a.group, a.weight), world, log_prob, nodes, sites, (tol, SWEEPS))
        sums.counts[:], sums.first[:], sums.second[:] = done.counts, done.first, done.second
        sums.evidence[:], sums.status[:] = done.evidence, done.status
        failed = np.flatnonzero(done.status == FAILED)
        if len(failed):
            _add_reference(form, log_prob, nodes, world, sites, tol, sums, failed)
    mass = a.group_sizes(len(world.constant))
    return EpPass(
        float(a.weight @ sums.evidence), sums.evidence, sums.counts, mass, sums.first, sums.second,
        int(np.sum(sums.status == UNSETTLED)), int(np.sum(sums.status == GUARDED)),
    )  # fmt: skip


@dataclass(frozen=True, eq=False, slots=True)
class _Sums:
    """Arrays a pass adds to: the fields of ``EpPass``, and status (N,)."""

    evidence: FloatArray
    counts: FloatArray
    first: FloatArray
    second: FloatArray
    status: IntArray

    @classmethod
    def empty(cls, form: EpForm, n_groups: int, log_prob: FloatArray) -> _Sums:
        """Return zeros."""
        n, d = len(form.answers.x), form.n_dims
        first, second = np.zeros((n_groups, d)), np.zeros((n_groups, d, d))
        return cls(np.zeros(n), np.zeros_like(log_prob), first, second, np.zeros(n, dtype=np.int64))


def _add_reference(
    form: EpForm, log_prob: FloatArray, nodes: FloatArray, world: Populations, sites: FloatArray, tol: float,
    sums: _Sums, rows: IntArray,
) -> None:  # fmt: skip
    """Settle some persons in NumPy and add what they contribute."""
    a = form.answers
    for chunk in np.split(rows, range(CHUNK, len(rows), CHUNK)):
        persons, hot = _start(form, log_prob, world, sites, chunk)
        sums.status[chunk] = settle(persons, nodes, tol, SWEEPS)
        sites[0, chunk], sites[1, chunk] = persons.tau, persons.nu
        sums.evidence[chunk] = log_evidence(persons, world.constant[a.group[chunk]])
        w = a.weight[chunk]
        for d, (places, own) in enumerate(hot):
            sums.counts[places] += own.T @ (persons.tilted[d] * (w * form.answered[chunk, d])[:, None])
        second = persons.v + persons.m[:, :, None] * persons.m[:, None, :]
        np.add.at(sums.first, a.group[chunk], w[:, None] * persons.m)
        np.add.at(sums.second, a.group[chunk], w[:, None, None] * second)


def _start(
    form: EpForm, log_prob: FloatArray, world: Populations, sites: FloatArray, rows: IntArray
) -> tuple[Settling, list[tuple[IntArray, FloatArray]]]:
    """Return persons at their sites, and per dimension the places on the category axis with indicators (n, S_d)."""
    a, hot = form.answers, []
    item_of_place = np.repeat(np.arange(len(form.dim_of_item)), np.diff(a.starts))
    all_hot = one_hot(a.x[rows], a.starts)
    for d in range(form.n_dims):
        places = np.flatnonzero(form.dim_of_item[item_of_place] == d)
        hot.append((places, all_hot[:, places]))
    likes = [own @ log_prob[places] for places, own in hot]
    return begin(likes, form.answered[rows], world, a.group[rows], sites[:, rows]), hot


def ep_posteriors(
    form: EpForm,
    log_prob: FloatArray,
    nodes: FloatArray,
    population: tuple[FloatArray, FloatArray],
    sites: FloatArray,
) -> Iterator[tuple[slice, Settling]]:
    """Yield (rows, persons at the fixed point) for consecutive chunks; arguments as in ``ep_pass``.

    ``persons.m`` (n, D) and ``persons.v`` (n, D, D) are posterior means and covariances, ``persons.tilted`` the (n, Q)
    weights of each dimension's tilted distribution. ``sites`` is left at the fixed point.
    """
    world = populations(*population)
    for first in range(0, len(form.answers.x) if world is not None else 0, CHUNK):
        rows = np.arange(first, min(first + CHUNK, len(form.answers.x)))
        if world is not None:
            persons, _ = _start(form, log_prob, world, sites, rows)
            settle(persons, nodes, TOL, SWEEPS)
            sites[0, rows], sites[1, rows] = persons.tau, persons.nu
            yield slice(first, first + len(rows)), persons


def gaussian_posteriors(
    sites: FloatArray, group: IntArray, population: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Return posterior means (N, D) and covariances (N, D, D) that sites (2, N, D) give persons of groups (N,)."""
    precision = np.linalg.inv(population[1])
    shift = np.einsum("gde,ge->gd", precision, population[0])
    cov = np.linalg.inv(precision[group] + sites[0][:, :, None] * np.eye(sites.shape[2]))
    return np.einsum("nde,ne->nd", cov, shift[group] + sites[1]), (cov + cov.transpose(0, 2, 1)) / 2


def evidence_error(persons: Settling, nodes: FloatArray) -> FloatArray:
    """Return (n,) log evidence under EP minus the exact one, to second order.

    Each tilted distribution agrees with the posterior's margin in mean and variance; what it has beyond is described
    by its Hermite moments of order 3 and more. The exact evidence is that of EP times the posterior expectation of the
    product over dimensions of (tilted density / posterior margin), whose leading terms pair the dimensions:

    Z / Z_EP = 1 + sum_(d < e) sum_(k >= 3) r_de^k h_dk h_ek + ..., h_dk = E_tilted[He_k(z_d)] / sqrt(k!),

    r the posterior correlation (Opper, Paquet & Winther 2013, section 3; Mehler's formula). Exact for two dimensions.
    """
    sd = np.sqrt(np.diagonal(persons.v, axis1=1, axis2=2))
    correlation = persons.v / (sd[:, :, None] * sd[:, None, :])
    moments = np.zeros((MOMENTS + 1, *sd.shape))
    for d, tilted in enumerate(persons.tilted):
        z = (nodes - persons.m[:, d : d + 1]) / sd[:, d : d + 1]
        before, now = np.zeros_like(z), np.ones_like(z)
        for k in range(1, MOMENTS + 1):
            before, now = now, (z * now - np.sqrt(k - 1) * before) / np.sqrt(k)
            moments[k, :, d] = (tilted * now).sum(axis=1)
    low = np.tril_indices(sd.shape[1], -1)
    pairs = sum(correlation**k * (moments[k][:, :, None] * moments[k][:, None, :]) for k in range(3, MOMENTS + 1))
    error: FloatArray = -np.log1p(np.asarray(pairs)[:, low[0], low[1]].sum(axis=1))
    return error

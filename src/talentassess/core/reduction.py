"""Integration over a general and many specific dimensions, two at a time: forms with testlets (bifactor structure).

Given the general dimension the testlets are independent, so that the integral over 1 + F dimensions is F integrals over
two (Gibbons & Hedeker 1992). Nodes are the pairs (general, specific) of two grids; every testlet uses the same pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from talentassess.core.arrays import CodeRows, FloatArray, IntArray
from talentassess.core.likelihood import EStep, ItemBlock, one_hot
from talentassess.core.quadrature import grid, normal_log_weights

CELLS = 4_000_000  # posterior weights held at a time (32 MB), over persons, nodes and testlets
# Nodes per dimension and how far they reach: at least these, and so many that a gap stays below NARROW standard
# deviations of the narrowest posterior. With 50 graded items in five testlets, 21 general nodes cost 0.4 log-likelihood
# units for 5,000 persons (0.004 in a parameter), 31 cost 3e-4, 35 are used; 16 specific nodes cost 3e-4.
GENERAL, SPECIFIC = (21, 6.0), (16, 5.25)
NARROW, MOST = (1.25, 1.5), (81, 48)
LANES = 8  # the compiled kernel takes specific nodes in blocks of eight


@dataclass(frozen=True, eq=False, slots=True)
class ReducedForm:
    """A form whose items measure a general dimension and at most one specific dimension each.

    Attributes
    ----------
    starts : (J + 1,) item offsets on the stacked category axis.
    testlets : per specific dimension, (J_f,) positions of its items.
    general, specific : (Qg,), (Qs,) nodes, logits.
    """

    starts: IntArray
    testlets: tuple[IntArray, ...]
    general: FloatArray
    specific: FloatArray

    @property
    def n_nodes(self) -> tuple[int, int]:
        """Qg and Qs; Q = Qg * Qs pairs in all, the specific node running fastest."""
        return len(self.general), len(self.specific)

    @property
    def single(self) -> IntArray:
        """Positions (J_0,) of the items that measure the general dimension only."""
        listed = np.concatenate([np.empty(0, dtype=np.int64), *self.testlets])
        return np.setdiff1d(np.arange(len(self.starts) - 1), listed)

    @property
    def theta(self) -> FloatArray:
        """The pairs of nodes (Q, 1 + F): the general node, and the specific one once per testlet."""
        n_general, n_specific = self.n_nodes
        pairs = np.tile(self.specific, n_general)
        return np.column_stack([np.repeat(self.general, n_specific), *[pairs] * len(self.testlets)])

    @property
    def specific_log_weights(self) -> FloatArray:
        """Log weights (Qs,) of the specific nodes: standard normal."""
        return normal_log_weights(self.specific)

    def rows(self, items: IntArray) -> IntArray:
        """Return the positions of all categories of these items (M,) on the stacked axis."""
        parts = [np.arange(self.starts[j], self.starts[j + 1]) for j in items]
        return np.concatenate([np.empty(0, dtype=np.int64), *parts])


@dataclass(frozen=True, eq=False, slots=True)
class ReducedPosterior:
    """The posterior of some persons, factor by factor.

    Attributes
    ----------
    rows : which persons; hot : (n, S) indicators of the chosen categories.
    general : (n, Qg) weights of the general nodes.
    conditional : per testlet, (n, Qg, Qs) weights of the specific nodes given the general one.
    log_marginal : (n,) log-likelihood of each person.
    """

    rows: slice
    hot: FloatArray
    general: FloatArray
    conditional: tuple[FloatArray, ...]
    log_marginal: FloatArray


def reduced_posteriors(
    form: ReducedForm, x: CodeRows, log_prob: FloatArray, log_prior: FloatArray, group: IntArray
) -> Iterator[ReducedPosterior]:
    """Yield the posteriors of consecutive chunks of persons.

    Parameters
    ----------
    x : (N, J) codes, -1 missing.
    log_prob : (S, Q) stacked log probabilities at the pairs of nodes.
    log_prior : (G, Qg) log weights of the general nodes per group of persons; specific dimensions are standard normal.
    group : (N,) group number of each person.

    Equation: p(x) = sum_g W(g) P_0(x | g) prod_f [sum_s w(s) P_f(x | g, s)] (Gibbons & Hedeker 1992, eq. 8; Cai, Yang &
    Hansen 2011), all in logarithms.
    """
    n_general, n_specific = form.n_nodes
    by_pair = log_prob.reshape(-1, n_general, n_specific)
    single, own = form.rows(form.single), [form.rows(items) for items in form.testlets]
    size = max(1, CELLS // (n_general * n_specific * (len(own) + 1)))
    for first in range(0, len(x), size):
        rows = slice(first, min(first + size, len(x)))
        hot = one_hot(x[rows], form.starts)
        general = log_prior[group[rows]] + hot[:, single] @ by_pair[single, :, 0]
        conditional = []
        for categories in own:
            joint = (hot[:, categories] @ log_prob[categories]).reshape(-1, n_general, n_specific)
            joint += form.specific_log_weights
            level = _normalise(joint)
            general += level
            conditional.append(joint)
        log_marginal = _normalise(general)
        yield ReducedPosterior(rows, hot, general, tuple(conditional), log_marginal)


def _normalise(log_weights: FloatArray) -> FloatArray:
    """Turn log weights (..., Q) into weights that sum to one, in place; return the log of the sums (...)."""
    top = log_weights.max(axis=-1, keepdims=True)
    log_weights -= top
    np.exp(log_weights, out=log_weights)
    total = log_weights.sum(axis=-1, keepdims=True)
    log_weights /= total
    level: FloatArray = (np.log(total) + top)[..., 0]
    return level


def reduced_e_step(
    form: ReducedForm, x: CodeRows, log_prob: FloatArray, log_prior: FloatArray, group: IntArray, weight: FloatArray
) -> EStep:
    """Return log-likelihood, expected counts (S, Q) and, in ``mass``, persons per group and general node (G, Qg).

    Arguments as in ``reduced_posteriors``; weight (N,). Counts of items without a testlet are spread over the specific
    nodes as the standard normal is, so that sums over the pairs come out right for them too.
    """
    n_general, n_specific = form.n_nodes
    loglik = 0.0
    counts, mass = np.zeros((len(log_prob), n_general, n_specific)), np.zeros_like(log_prior)
    at_general = np.zeros((len(log_prob), n_general))
    single, own = form.rows(form.single), [form.rows(items) for items in form.testlets]
    for p in reduced_posteriors(form, x, log_prob, log_prior, group):
        w = weight[p.rows]
        loglik += float(w @ p.log_marginal)
        general = p.general * w[:, None]
        at_general[single] += p.hot[:, single].T @ general
        for categories, conditional in zip(own, p.conditional, strict=True):
            joint = (conditional * general[:, :, None]).reshape(len(w), -1)
            counts[categories] += (p.hot[:, categories].T @ joint).reshape(-1, n_general, n_specific)
        for g in range(len(log_prior)):
            mass[g] += general[group[p.rows] == g].sum(axis=0)
    counts[single] = at_general[single][:, :, None] * np.exp(form.specific_log_weights)
    return EStep(loglik, counts.reshape(len(log_prob), -1), mass)


def plain_form(starts: IntArray, testlets: tuple[IntArray, ...]) -> ReducedForm:
    """Return the form on the usual nodes, for items given by offsets (J + 1,) and testlets (F,) of positions."""
    return ReducedForm(starts, testlets, grid(*GENERAL), grid(*SPECIFIC))


def finer_form(form: ReducedForm) -> ReducedForm:
    """Return the same form on grids twice as fine and (about) one third wider."""
    (n_general, n_specific), reach = form.n_nodes, float(form.specific[-1])
    general = grid(8 * (n_general - 1) // 3 + 1, float(form.general[-1]) * 4 / 3)
    n = LANES * int(np.ceil((8 * (n_specific - 1) / 3 + 1) / LANES))
    return replace(form, general=general, specific=grid(n, (n - 1) * reach / (n_specific - 1) / 2))


def suited_form(form: ReducedForm, blocks: Sequence[ItemBlock], mean: FloatArray, sd: FloatArray) -> ReducedForm | None:
    """Return the form on wider or finer grids if its items or the groups' mean, sd (G,) need them, else None.

    The narrowest posteriors follow from the items' information at pairs of nodes: of a specific dimension given the
    general one, 1 / (1 + I_ss); of the general one, 1 / (1 / sd^2 + sum_f [I_gg - I_gs^2 / (1 + I_ss)]).
    """
    far = float(np.max(np.abs(mean) + 4 * sd))
    limit = float(form.general[-1]) if far <= form.general[-1] else float(np.ceil(np.max(np.abs(mean) + 6 * sd)))
    by_general, by_specific = _information(form, blocks)
    widths = 1 / np.sqrt(by_general + 1 / float(np.max(sd)) ** 2), 1 / np.sqrt(1 + by_specific)
    n_general = _enough(2 * limit, NARROW[0] * float(widths[0]), 2, MOST[0])
    n_specific = _enough(2 * float(form.specific[-1]), NARROW[1] * float(widths[1]), LANES, MOST[1])
    n_general += 1 - n_general % 2
    now = form.n_nodes
    if limit == form.general[-1] and n_general <= now[0] and n_specific <= now[1]:
        return None
    general, specific = grid(max(n_general, now[0]), limit), grid(max(n_specific, now[1]), float(form.specific[-1]))
    return replace(form, general=general, specific=specific)


def _enough(reach: float, gap: float, multiple: int, most: int) -> int:
    return min(most, multiple * int(np.ceil((reach / gap + 1) / multiple)))


def _information(form: ReducedForm, blocks: Sequence[ItemBlock]) -> tuple[float, float]:
    """Return the largest information about the general dimension (specific ones integrated out) and a specific one."""
    n = 13
    probe = replace(form, general=grid(n, float(form.general[-1])), specific=grid(n, 3.0))
    total, largest = np.zeros(n), 0.0
    for f in range(len(form.testlets) + 1):
        info = np.zeros((n * n, 2, 2))
        for block in blocks:
            if block.dims[1:] != ((f,) if f else ()):
                continue
            slope = block.d_theta(probe.theta)
            used = slope.shape[3]
            probability = np.exp(block.log_prob(probe.theta))
            info[:, :used, :used] += np.einsum("qjk,qjkd,qjke->qde", probability, slope, slope)
        profiled = info[:, 0, 0] - info[:, 0, 1] ** 2 / (1 + info[:, 1, 1])
        total += profiled.reshape(n, n).max(axis=1)
        largest = max(largest, float(info[:, 1, 1].max()))
    return float(total.max()), largest

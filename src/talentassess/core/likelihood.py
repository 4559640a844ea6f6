"""The marginal likelihood: stacked item probabilities, the E-step, posteriors.

Item categories are stacked into one long axis of length S = sum of the declared categories, item after item, so that
the log-likelihood of all persons at all nodes is one matrix product (N, S) @ (S, Q).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import CodeArray, CodeRows, FloatArray, IntArray
from talentassess.core.model import ItemModel

CHUNK = 8192  # persons per matrix product: the posterior of a chunk stays within a few MB


@dataclass(frozen=True, eq=False, slots=True)
class ItemBlock:
    """Items of one model with one number of categories.

    Attributes
    ----------
    model : the item response model.
    n_cat : number of categories K of every item in the block.
    items : (Jb,) positions of the items in the form.
    par : (Jb, P) parameters in the order of ``model.params(n_cat, len(dims))``.
    dims : the latent dimensions the items measure.
    variant : name under which the block was asked for, e.g. ``rasch``; equal to ``model.name`` if unconstrained.
    """

    model: ItemModel
    n_cat: int
    items: IntArray
    par: FloatArray
    dims: tuple[int, ...] = (0,)
    variant: str = ""

    def log_prob(self, theta: FloatArray) -> FloatArray:
        """Return (Q, Jb, K) log probabilities at theta (Q, D), D over all dimensions of the form."""
        return self.model.log_prob(theta[:, self.dims], self.par, self.n_cat)

    def d_par(self, theta: FloatArray) -> FloatArray:
        """Return (Q, Jb, K, P) derivatives of the log probabilities by the items' parameters, theta (Q, D)."""
        return self.model.d_par(theta[:, self.dims], self.par, self.n_cat)

    def d_theta(self, theta: FloatArray) -> FloatArray:
        """Return (Q, Jb, K, len(dims)) derivatives of the log probabilities by the block's own dimensions."""
        return self.model.d_theta(theta[:, self.dims], self.par, self.n_cat)


def offsets(n_cat: IntArray) -> IntArray:
    """Return (J + 1,) start of each item on the stacked category axis; the last entry is its length S."""
    return np.concatenate([[0], np.cumsum(n_cat)]).astype(np.int64)


def block_rows(block: ItemBlock, starts: IntArray) -> IntArray:
    """Return (Jb, K) positions of the block's categories on the stacked axis."""
    return starts[block.items][:, None] + np.arange(block.n_cat)


def one_hot(x: CodeArray, starts: IntArray) -> FloatArray:
    """Return (N, S) indicators of the chosen categories; a missing answer (-1) is a row of zeros for its item."""
    hot = np.zeros((len(x), int(starts[-1])))
    person, item = np.nonzero(x >= 0)
    hot[person, starts[item] + x[person, item]] = 1.0
    return hot


def stack_log_prob(blocks: Sequence[ItemBlock], theta: FloatArray, starts: IntArray) -> FloatArray:
    """Return (S, Q) log probability of every category of every item at theta (Q, D)."""
    stacked = np.empty((int(starts[-1]), len(theta)))
    for block in blocks:
        stacked[block_rows(block, starts)] = block.log_prob(theta).transpose(1, 2, 0)
    return stacked


@dataclass(frozen=True, eq=False, slots=True)
class EStep:
    """Sufficient statistics of one pass over the persons.

    Attributes
    ----------
    loglik : weighted marginal log-likelihood.
    counts : (S, Q) expected number of persons in each category at each node.
    mass : (G, Q) expected number of persons of each group at each node.
    """

    loglik: float
    counts: FloatArray
    mass: FloatArray


def posteriors(
    x: CodeRows, log_prob: FloatArray, log_prior: FloatArray, group: IntArray, starts: IntArray
) -> Iterator[tuple[slice, FloatArray, FloatArray, FloatArray]]:
    """Yield (rows, one-hot (n, S), posterior (n, Q), log marginal (n,)) for consecutive chunks of persons.

    Parameters
    ----------
    x : (N, J) codes, -1 missing.
    log_prob : (S, Q) stacked log probabilities.
    log_prior : (G, Q) log weights of the nodes per group.
    group : (N,) group number of each person.
    starts : (J + 1,) from ``offsets``.
    """
    for first in range(0, len(x), CHUNK):
        rows = slice(first, min(first + CHUNK, len(x)))
        hot = one_hot(x[rows], starts)
        joint = hot @ log_prob + log_prior[group[rows]]
        top = joint.max(axis=1, keepdims=True)
        np.exp(joint - top, out=joint)
        total = joint.sum(axis=1, keepdims=True)
        joint /= total
        yield rows, hot, joint, (np.log(total) + top)[:, 0]


def e_step(
    x: CodeRows, log_prob: FloatArray, log_prior: FloatArray, group: IntArray, weight: FloatArray, starts: IntArray
) -> EStep:
    """Return the marginal log-likelihood and expected counts; arguments as in ``posteriors``, weight (N,).

    Equation: r_jkq = sum_i w_i [x_ij = k] p(theta_q | x_i) (Bock & Aitkin 1981, eq. 10-13).
    """
    loglik = 0.0
    counts, mass = np.zeros_like(log_prob), np.zeros_like(log_prior)
    for rows, hot, posterior, log_marginal in posteriors(x, log_prob, log_prior, group, starts):
        w = weight[rows]
        loglik += float(w @ log_marginal)
        posterior *= w[:, None]
        counts += hot.T @ posterior
        order = np.argsort(group[rows], kind="stable")
        present, first = np.unique(group[rows][order], return_index=True)
        mass[present] += np.add.reduceat(posterior[order], first, axis=0)
    return EStep(loglik, counts, mass)

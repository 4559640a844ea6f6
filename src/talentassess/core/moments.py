"""Moments that a calibrated form implies: what the limited-information tests of fit compare with the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.calibration import Calibration
from talentassess.core.derived import suited_grid
from talentassess.core.errors import ModelError
from talentassess.core.likelihood import ItemBlock, block_rows, offsets, stack_log_prob
from talentassess.core.quadrature import d_normal_log_weights, normal_log_weights


@dataclass(frozen=True, eq=False, slots=True)
class ExpectedMoments:
    """First and second moments of features of the answers; a feature is a weighted sum of one item's indicators.

    The features are the R = S indicators of all categories, or what ``moments_at`` was asked for, e.g. R = J scores.

    Attributes
    ----------
    names : (T,) stacked item parameters, e.g. ``q1.slope``, block by block; empty where nobody named them.
    item : (R,) item number of each feature.
    weights : (Q,) of the nodes; d_weights : (Q, L) their derivatives by the latent values (mean and log sd).
    conditional : (R, Q) expectation of each feature at each node.
    slope : (R, P, Q) its derivatives by the parameters of its item, padded with zeros to the longest item.
    columns : (R, P) which of the T parameters these are, T where it is padding; n_par : their number T.
    univariate : (R,) expectation of each feature.
    bivariate : (R, R) expectation of each product of two features; of one item, too.
    """

    names: tuple[str, ...]
    item: IntArray
    weights: FloatArray
    d_weights: FloatArray
    conditional: FloatArray
    slope: FloatArray
    columns: IntArray
    n_par: int
    univariate: FloatArray
    bivariate: FloatArray

    def d_univariate(self) -> FloatArray:
        """Return (R, T + L) derivatives of the univariate moments by item parameters and latent values."""
        return self._placed([(self.slope @ self.weights, self.columns)], self.conditional @ self.d_weights)

    def d_bivariate(self, first: IntArray, second: IntArray) -> FloatArray:
        """Return (M, T + L) derivatives of E[f_first f_second] for features (M,) and (M,) of different items.

        Equation: d E[fg] = sum_q w_q (f'_q g_q + f_q g'_q), because answers are independent given theta. Two features
        of one item raise ``ModelError``.
        """
        if np.any(self.item[first] == self.item[second]):
            raise ModelError("d_bivariate takes features of different items; found a pair of the same item.")
        one, other = self.conditional[first], self.conditional[second]
        by_first: FloatArray = np.einsum("mpq,mq->mp", self.slope[first], self.weights * other)
        by_second: FloatArray = np.einsum("mpq,mq->mp", self.slope[second], self.weights * one)
        parts = [(by_first, self.columns[first]), (by_second, self.columns[second])]
        return self._placed(parts, (one * other) @ self.d_weights)

    def _placed(self, parts: Sequence[tuple[FloatArray, IntArray]], latent: FloatArray) -> FloatArray:
        out = np.zeros((len(latent), self.n_par + 1))  # the last column takes the padding
        rows = np.arange(len(latent))[:, None]
        for values, columns in parts:
            out[rows, columns] += values
        return np.concatenate([out[:, :-1], latent], axis=1)


def moments_at(
    blocks: Sequence[ItemBlock],
    theta: FloatArray,
    weights: FloatArray,
    *,
    d_weights: FloatArray | None = None,
    features: FloatArray | None = None,
) -> ExpectedMoments:
    """Return the moments that items imply under any latent distribution given on nodes.

    Parameters
    ----------
    blocks : the items, numbered 0..J-1.
    theta : (Q, D) nodes; weights : (Q,) their probabilities; d_weights : (Q, L) derivatives by latent values, if any.
    features : (R, S) weights of the categories of all items, each row within one item; left out: every indicator.

    Equations: E[f_a] = sum_q w_q f_a(theta_q); E[f_a f_b] = sum_q w_q f_a(theta_q) f_b(theta_q) for different items
    (Maydeu-Olivares & Joe 2005, section 2; C2 takes item scores as second-order features, Cai & Monroe 2014).
    Raises ``ModelError`` if a row of features touches two items or none.
    """
    n_cat = np.zeros(sum(len(b.items) for b in blocks), dtype=np.int64)
    for block in blocks:
        n_cat[block.items] = block.n_cat
    starts = offsets(n_cat)
    a = np.eye(int(starts[-1])) if features is None else features
    item = _item_of(a, np.repeat(np.arange(len(n_cat)), n_cat))
    probability = np.exp(stack_log_prob(blocks, theta, starts))
    slope, columns, n_par = _slopes(blocks, theta, starts, probability)
    conditional = a @ probability
    by_category = probability @ weights
    same = item[:, None] == item
    return ExpectedMoments(
        names=(),
        item=item,
        weights=weights,
        d_weights=np.zeros((len(weights), 0)) if d_weights is None else d_weights,
        conditional=conditional,
        slope=(a @ slope.reshape(len(slope), -1)).reshape(len(a), *slope.shape[1:]),
        columns=columns[item],
        n_par=n_par,
        univariate=a @ by_category,
        bivariate=np.where(same, (a * by_category) @ a.T, (conditional * weights) @ conditional.T),
    )


def expected_moments(
    calibration: Calibration, dimension: str | None = None, *, group: int = 0, features: FloatArray | None = None
) -> ExpectedMoments:
    """Return the moments that one dimension of a calibration implies for one of its groups.

    Parameters
    ----------
    calibration : items that each measure one dimension, normal latent distributions.
    dimension : its name; left out, the first. The items of the dimension are numbered in their order on the form.
    group : number of the group.
    features : (R, S) over the categories of the dimension's items, as in ``moments_at``.

    Returns
    -------
    Moments whose latent values are the mean and log sd of the group; an unknown dimension raises ``ModelError``.

    Examples
    --------
    >>> import talentassess as ta
    >>> answers = ta.simulate(ta.load_bank("service_core"), 300, seed=1).select(["ow_sr_01", "ow_sr_02", "ow_sr_03"])
    >>> moments = expected_moments(ta.calibrate(answers, "graded", se=None))
    >>> moments.univariate.reshape(3, 5).sum(axis=1).round(12).tolist(), moments.d_univariate().shape
    ([1.0, 1.0, 1.0], (15, 17))
    """
    name = calibration.dimensions[0] if dimension is None else dimension
    if name not in calibration.dimensions:
        known = ", ".join(calibration.dimensions)
        raise ModelError(f"There is no dimension '{name}' in the calibration; there are: {known}.")
    d = calibration.dimensions.index(name)
    own = [b for b in calibration.blocks if b.dims == (d,)]
    places = np.sort(np.concatenate([b.items for b in own]))
    blocks = [replace(b, items=np.searchsorted(places, b.items), dims=(0,)) for b in own]
    mean, sd = calibration.latent.mean[:, d], np.sqrt(calibration.latent.cov[:, d, d])
    nodes = suited_grid(blocks, mean, sd)
    m, s = float(mean[group]), float(sd[group])
    weights = np.exp(normal_log_weights(nodes, m, s))
    by_latent = weights[:, None] * d_normal_log_weights(nodes, m, s)
    found = moments_at(blocks, nodes[:, None], weights, d_weights=by_latent, features=features)
    names = (
        f"{calibration.item_ids[j]}.{p.name}"
        for b in own
        for j in b.items
        for p in b.model.params(b.n_cat, len(b.dims))
    )
    return replace(found, names=tuple(names))


def _item_of(features: FloatArray, item_of_category: IntArray) -> IntArray:
    """Return (R,) the item of each feature (R, S)."""
    used = features != 0
    item: IntArray = item_of_category[np.argmax(used, axis=1)]
    wrong = np.flatnonzero(np.any(used & (item_of_category != item[:, None]), axis=1) | ~used.any(axis=1))
    if len(wrong):
        raise ModelError(f"Feature {wrong[0]} must be made of the categories of one item; it has two items or none.")
    return item


def _slopes(
    blocks: Sequence[ItemBlock], theta: FloatArray, starts: IntArray, probability: FloatArray
) -> tuple[FloatArray, IntArray, int]:
    """Return dP/dpar (S, P, Q), the positions (J, P) of each item's parameters among all T, and T."""
    most = max(b.par.shape[1] for b in blocks)
    n_par = sum(b.par.size for b in blocks)
    slope = np.zeros((int(starts[-1]), most, len(theta)))
    columns = np.full((len(starts) - 1, most), n_par)
    first = 0
    for block in blocks:
        rows, size = block_rows(block, starts), block.par.shape[1]
        slope[rows, :size] = block.d_par(theta).transpose(1, 2, 3, 0) * probability[rows][:, :, None, :]
        columns[block.items, :size] = first + np.arange(block.par.size).reshape(block.par.shape)
        first += block.par.size
    return slope, columns, n_par

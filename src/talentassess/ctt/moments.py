"""Means and covariances of items with holes in the data, by matrix products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import BoolArray, CodeArray, FloatArray, IntArray
from talentassess.core.responses import MISSING


@dataclass(frozen=True, eq=False, slots=True)
class Moments:
    """Moments of J items.

    Attributes
    ----------
    mean : (J,) category codes; NaN where nobody answered.
    cov : (J, J) squared codes, pairwise; NaN where fewer than two persons answered both items.
    n_pair : (J, J) int, persons who answered both items; the diagonal counts the answers to one item.
    """

    mean: FloatArray
    cov: FloatArray
    n_pair: IntArray

    @property
    def sd(self) -> FloatArray:
        """(J,) standard deviation of each item, ddof 1."""
        return np.sqrt(np.diag(self.cov))

    def select(self, keep: BoolArray) -> Moments:
        """Return the moments of the items where keep (J,) is True."""
        square = np.ix_(keep, keep)
        return Moments(self.mean[keep], self.cov[square], self.n_pair[square])


def pairwise_moments(x: CodeArray, weight: FloatArray | None = None) -> Moments:
    """Return means and pairwise-complete covariances of items.

    Parameters
    ----------
    x : (N, J) int16, codes 0..K-1, -1 missing.
    weight : (N,) positive sampling weights, or None.

    Every entry rests on the persons who answered both items:
    cov_ij = n_ij / (n_ij - 1) * (sum w x_i x_j / W_ij - mean_i|ij mean_j|ij), with n_ij a count of persons, so that
    weights may be on any scale. This is the covariance that R psych 2.2.9 uses for ``alpha`` and ``r.drop``.

    Examples
    --------
    >>> moments = pairwise_moments(np.array([[0, 1], [2, -1], [1, 0], [3, 2]], dtype=np.int16))
    >>> moments.mean.tolist(), moments.n_pair.tolist()
    ([1.5, 1.0], [[4, 3], [3, 3]])
    """
    answered = x != MISSING
    mask = answered.astype(np.float64)
    weighted_mask = mask if weight is None else mask * weight[:, None]
    n_pair = np.rint(mask.T @ mask).astype(np.int64)
    mean = _ratio(np.sum(weighted_mask * x, axis=0), np.sum(weighted_mask, axis=0))
    # Centred on a whole number near the mean: sums stay exact, so that a constant item has variance 0 and not 1e-33.
    centred = np.where(answered, x - np.rint(np.nan_to_num(mean)), 0.0)
    weighted = centred if weight is None else centred * weight[:, None]
    total = weighted_mask.T @ mask
    shift = _ratio(weighted.T @ mask, total)
    biased = _ratio(weighted.T @ centred, total) - shift * shift.T
    return Moments(mean, biased * _ratio(n_pair.astype(np.float64), n_pair - 1.0), n_pair)


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    quotient: FloatArray = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    return quotient

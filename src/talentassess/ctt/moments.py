"""Means and covariances of items with holes in the data, by matrix products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from talentassess.core import kernel
from talentassess.core.arrays import BoolArray, CodeArray, FloatArray, IntArray
from talentassess.core.responses import MISSING

CHUNK = 1024  # persons per matrix product: they stay within the second-level cache


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
    n_items, known = x.shape[1], _known(x)
    centre = np.zeros(n_items) if weight is None else _whole_means(x)
    products, persons = _products(x, centre.astype(np.int16), known, weight)
    total: FloatArray = products[:known, :known]
    sums: FloatArray = products[known:, :known]
    squares: FloatArray = products[known:, known:]
    pairs: FloatArray = np.broadcast_to(persons, squares.shape)
    mean: FloatArray = centre + np.diag(np.broadcast_to(_ratio(sums, total), squares.shape))
    top: FloatArray = total * squares - sums * sums.T
    biased: FloatArray = _ratio(top, np.broadcast_to(np.square(total), squares.shape))
    cov: FloatArray = biased * _ratio(pairs, pairs - 1.0)
    return Moments(mean, cov, np.rint(pairs).astype(np.int64))


def _known(x: CodeArray) -> int:
    """Return how many columns say who answered: one for all items if nothing is missing, otherwise one per item."""
    return 1 if x.min(initial=0) >= 0 else x.shape[1]


def _whole_means(x: CodeArray) -> FloatArray:
    """Return (J,) whole numbers near the means, so that a weighted constant item has variance 0 and not 1e-33."""
    answers = np.sum(x != MISSING, axis=0)
    sums = np.sum(x, axis=0) - MISSING * (len(x) - answers)
    means: FloatArray = np.rint(sums / np.maximum(answers, 1))
    return means


def _products(x: CodeArray, centre: CodeArray, known: int, weight: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    """Return weighted products of the columns [answered | centred codes], and persons who answered both items.

    Unweighted sums of whole numbers are exact, in single precision as long as no chunk's sum reaches 2^24.
    """
    if weight is None and x.max(initial=0) <= 1 and kernel.library() is not None:
        products = _products_of_bits(x.T, known)
        return products, products[:known, :known]
    items = x.T  # each item's codes are side by side in memory when an analysis calls
    small = weight is None and CHUNK * int(x.max(initial=1)) ** 2 < 2**24
    room = np.empty((known + len(items), min(CHUNK, len(x))), dtype=np.float32 if small else np.float64)
    products, persons = np.zeros((len(room), len(room))), np.zeros((known, known))
    for first in range(0, len(x), CHUNK):
        part = items[:, first : first + CHUNK]
        z = room[:, : part.shape[1]]
        answered, codes = z[:known], z[known:]
        codes[:] = part - centre[:, None]
        answered[:] = 1.0
        if known == len(items):
            answered[:] = part != MISSING
            codes *= answered
        if weight is not None:
            mask = answered.astype(np.float32)
            persons += mask @ mask.T
            z *= np.sqrt(weight[first : first + CHUNK])
        products += z @ z.T
    return products, products[:known, :known] if weight is None else persons


def _products_of_bits(codes: CodeArray, known: int) -> FloatArray:
    """Return the products of ``_products`` for dichotomous codes (J, N): in how many persons two bits are both set."""
    answered = _packed(codes != MISSING if known == len(codes) else np.ones((1, codes.shape[1]), dtype=np.bool_))
    return kernel.common_bits(np.concatenate([answered, _packed(codes) & answered]))


def _packed(flags: NDArray[np.generic]) -> NDArray[np.uint64]:
    """Return (R, words) bits that are set where flags (R, N) are not zero."""
    room = np.zeros((len(flags), -(-flags.shape[1] // 64) * 8), dtype=np.uint8)
    for row, out in zip(flags, room, strict=True):
        bits = np.packbits(row.astype(np.bool_))
        out[: len(bits)] = bits
    return room.view(np.uint64)


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    quotient: FloatArray = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    return quotient

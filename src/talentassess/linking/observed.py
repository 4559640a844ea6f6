"""Model-implied score distributions, how they depend on the estimates, and equipercentile equivalents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from talentassess.core.arrays import FloatArray, IntArray
from talentassess.linking.common import ItemSet
from talentassess.scoring.sumscore import sum_score_likelihood

ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True, eq=False, slots=True)
class ScoreDistribution:
    """Probabilities of the sum scores 0..M-1 of a form in a population.

    Attributes
    ----------
    share : (M,) probabilities.
    by_par : (M, T) derivatives by the calibration's stacked parameters.
    by_link : (M, 2) derivatives by A and B.
    """

    share: FloatArray
    by_par: FloatArray
    by_link: FloatArray


def score_distribution(
    side: ItemSet, theta: FloatArray, weight: FloatArray, theta_by_link: FloatArray
) -> ScoreDistribution:
    """Return the distribution of the sum score over theta (Q,) with weights (Q,) that add up to one.

    Parameters
    ----------
    side : the form.
    theta_by_link : (2, Q) derivatives of theta by A and B; zero where the nodes do not move with the link.

    Equation: P(s) = sum_q w_q P(s | theta_q), by the recursion of Lord & Wingersky (1984). An item's parameters act on
    P(s | theta) through the distribution of the other items' sum, which is had for all items at once as a product of
    characteristic functions: no division, so nothing is lost where a function vanishes.
    """
    starts, p = side.starts, side.probability(theta)
    parts = [p[starts[j] : starts[j + 1]] for j in range(len(side.items))]
    share = sum_score_likelihood(parts, len(theta)) @ weight
    size, slope = len(share), side.slope(theta)
    by_par, by_link = np.zeros((size, len(side.estimates.matrix))), np.zeros((size, 2))
    others = _sums_without(parts, size)
    for block, rows in zip(side.blocks, side.rows, strict=True):
        by_item = np.exp(block.log_prob(theta[:, None]))[..., None] * block.model.d_par(
            theta[:, None], block.par, block.n_cat
        )
        wave = _waves(block.n_cat, size)
        for row, j in enumerate(block.items):
            seen = others[j] * weight
            turned = np.einsum("fq,qkp,fk->fp", seen, by_item[:, row], wave, optimize=True)
            by_par[:, rows[row]] = np.fft.irfft(turned, size, axis=0)
            moved = np.einsum(
                "fq,kq,aq,fk->fa", seen, slope[starts[j] : starts[j + 1]], theta_by_link, wave, optimize=True
            )
            by_link += np.fft.irfft(moved, size, axis=0)
    return ScoreDistribution(share, by_par, by_link)


def _waves(n_cat: int, size: int) -> ComplexArray:
    """Return the (F, K) terms exp(-i w_f k) of a characteristic function on the frequencies of ``size`` scores."""
    frequency = 2 * np.pi * np.arange(size // 2 + 1) / size
    waves: ComplexArray = np.exp(-1j * np.outer(frequency, np.arange(n_cat)))
    return waves


def _sums_without(parts: list[FloatArray], size: int) -> list[ComplexArray]:
    """Return per item the (F, Q) characteristic function of the sum of all other items."""
    own = [_waves(len(p), size) @ p for p in parts]
    before, after = [np.ones_like(own[0])], [np.ones_like(own[0])]
    for j in range(len(own) - 1):
        before.append(before[-1] * own[j])
        after.append(after[-1] * own[-1 - j])
    return [left * right for left, right in zip(before, reversed(after), strict=True)]


def equipercentile(x: FloatArray, y: FloatArray) -> tuple[FloatArray, IntArray, FloatArray]:
    """Return the equivalents (M,) on Y of the scores of X, and what their derivatives need.

    Parameters
    ----------
    x, y : (M,) and (M',) probabilities of the scores of both forms in one population.

    Returns
    -------
    equated : (M,) scores of Y with the same percentile rank; scores are spread evenly over +- 1/2.
    cell : (M,) the score of Y in whose interval the equivalent lies.
    inside : (M,) how far into that interval, 0 to 1.

    Equation: Kolen & Brennan (2014), eq. 2.14 to 2.18.
    """
    rank, top = np.cumsum(x) - x / 2, np.cumsum(y)
    cell = np.minimum(np.searchsorted(top, rank, side="right"), len(y) - 1)
    inside = (rank - (top[cell] - y[cell])) / y[cell]
    return cell - 0.5 + inside, cell.astype(np.int64), inside


def equipercentile_rates(
    rate_x: FloatArray, rate_y: FloatArray, y: FloatArray, cell: IntArray, inside: FloatArray
) -> FloatArray:
    """Return (M, T) derivatives of the equivalents from those of the score probabilities.

    Parameters
    ----------
    rate_x, rate_y : (M, T) and (M', T) derivatives of the probabilities of the scores of X and Y.
    y : (M',) probabilities of the scores of Y.
    cell, inside : (M,) from ``equipercentile``.

    Equation: d y = (d P(x) - d G(cell - 1) - inside d g(cell)) / g(cell).
    """
    rank = np.cumsum(rate_x, axis=0) - rate_x / 2
    below = np.cumsum(rate_y, axis=0) - rate_y
    return (rank - below[cell] - inside[:, None] * rate_y[cell]) / y[cell][:, None]

"""MAP, ML and WLE: the root of an estimating equation, bracketed on a grid and then solved to full precision.

Every person's equation is a sum over the chosen categories, so its values at nodes shared by many persons are one
matrix product. On the grid this gives the bracket; within a grid cell the equation is a polynomial through Chebyshev
points, whose root is found without evaluating a model again. Where the polynomial's last coefficients say that it does
not follow the equation to full precision (very steep items), the equation itself is solved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from talentassess.core.arrays import BoolArray, CodeArray, FloatArray, IntArray
from talentassess.core.likelihood import ItemBlock, block_rows, one_hot
from talentassess.scoring.form import Form

REACH, NODES = 15.0, 301  # an estimate beyond 15 logits is an extreme pattern, not a measurement
GRID = np.linspace(-REACH, REACH, NODES)
TOLERANCE, ROUNDS = 1e-10, 60
DIFFERENCE = 1e-4  # step of the central difference of the analytic slope that Warm's J needs
CHUNK = 2048  # persons per matrix product: their values on the grid stay within a few MB
DEGREE = 8  # on a cell of 0.1 logits a slope of 4 leaves an error of 1e-12, one of 2 less than rounding
DEGREES = np.arange(DEGREE + 1)
POINTS = -np.cos(np.pi * DEGREES / DEGREE)  # Chebyshev points of a cell, scaled to -1..1
TO_COEFFICIENTS = np.linalg.inv(np.polynomial.chebyshev.chebvander(POINTS, DEGREE)).T


def solve_modes(form: Form, x: CodeArray, group: IntArray, method: str) -> tuple[FloatArray, FloatArray]:
    """Return estimates (N,) in logits and their error variances (N,).

    Error variance: 1 / I(theta) for ml and wle, 1 / (I(theta) + 1 / sd^2) for map, I the expected information of the
    answered items. Extreme patterns under ml give +-inf with variance inf; no answers give NaN under ml and wle.
    """
    return ModeSolver(form, method).solve(x, group)


@dataclass(frozen=True, eq=False, slots=True)
class Pieces:
    """What the estimating equation is summed from, at nodes (Q,).

    Attributes
    ----------
    nodes : (Q,) logits.
    slope : (S, Q) slopes of log P of every category.
    info, warm : (Jd, Q) information and Warm's J of every item (zeros unless wle).
    """

    nodes: FloatArray
    slope: FloatArray
    info: FloatArray
    warm: FloatArray


class ModeSolver:
    """Tables of one form and method, built when they are first needed and then kept.

    Parameters
    ----------
    form : the items of one dimension.
    method : map, ml or wle.
    """

    def __init__(self, form: Form, method: str) -> None:
        self.form, self.method = form, method
        self.table: Callable[[int], Pieces] = cache(self._table)

    def solve(self, x: CodeArray, group: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return estimates (N,) and error variances (N,) for codes x (N, Jd) and group numbers (N,)."""
        theta, cell = np.empty(len(x)), np.empty(len(x), dtype=np.int64)
        for first in range(0, len(x), CHUNK):
            rows = slice(first, first + CHUNK)
            theta[rows], cell[rows] = _bracket(self._values(self.table(-1), x[rows], group[rows])[0])
        variance = np.where(np.isnan(theta), np.nan, np.inf)
        found = np.flatnonzero(cell >= 0)
        if len(found):
            theta[found], variance[found] = self._within(x[found], group[found], cell[found])
        return theta, variance

    def _table(self, cell: int) -> Pieces:
        """Return the pieces on the grid (cell -1) or at the Chebyshev points of a cell."""
        if cell < 0:
            return _tabulate(self.form, GRID, self.method)
        half = (GRID[cell + 1] - GRID[cell]) / 2
        return _tabulate(self.form, GRID[cell] + half * (1 + POINTS), self.method)

    def _values(self, pieces: Pieces, x: CodeArray, group: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return (n, Q) values of the estimating equation and of the precision (inverse error variance) at nodes."""
        answered = (x >= 0).astype(np.float64)
        total = one_hot(x, self.form.starts) @ pieces.slope
        info, warm = answered @ pieces.info, answered @ pieces.warm
        return self._complete(total, info, warm, pieces.nodes, group)

    def _complete(
        self, total: FloatArray, info: FloatArray, warm: FloatArray, theta: FloatArray, group: IntArray
    ) -> tuple[FloatArray, FloatArray]:
        """Add the prior or Warm's correction to (n, Q) sums at nodes (Q,) or at each person's own theta (n, 1)."""
        if self.method == "map":
            mean, sd = self.form.mean[group][:, None], self.form.sd[group][:, None]
            return total - (theta - mean) / sd**2, info + 1 / sd**2
        if self.method == "wle":
            total = total + np.divide(warm, 2 * info, out=np.zeros_like(warm), where=info > 0)
        return total, info

    def _within(self, x: CodeArray, group: IntArray, cell: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return roots (n,) and error variances (n,) of persons whose root lies in a known cell (n,)."""
        equation, precision = np.empty((len(x), DEGREE + 1)), np.empty((len(x), DEGREE + 1))
        order = np.argsort(cell, kind="stable")
        cells, firsts = np.unique(cell[order], return_index=True)
        for c, rows in zip(cells, np.split(order, firsts[1:]), strict=True):
            equation[rows], precision[rows] = self._values(self.table(int(c)), x[rows], group[rows])
        f, p = equation @ TO_COEFFICIENTS, precision @ TO_COEFFICIENTS
        ends = np.full(len(x), -1.0), np.full(len(x), 1.0)
        half = (GRID[1] - GRID[0]) / 2
        place = _false_position(lambda at, rows: _chebyshev(f[rows], at), *ends, TOLERANCE / half)
        theta, variance = GRID[cell] + half * (1 + place), _reciprocal(_chebyshev(p, place))
        rough = ~(_resolved(f, equation[:, 0] - equation[:, -1]) & _resolved(p, precision.max(axis=1)))
        if rough.any():
            theta[rough], variance[rough] = self._exactly(x[rough], group[rough], cell[rough])
        return theta, variance

    def _exactly(self, x: CodeArray, group: IntArray, cell: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return roots (n,) and error variances (n,) from the equation itself."""
        theta = _false_position(
            lambda at, rows: self.at(x[rows], group[rows], at)[0], GRID[cell], GRID[cell + 1], TOLERANCE
        )
        return theta, _reciprocal(self.at(x, group, theta)[1])

    def at(self, x: CodeArray, group: IntArray, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return (n,) values of the equation and of the precision at each person's own theta (n,)."""
        total, info, warm = np.zeros(len(theta)), np.zeros(len(theta)), np.zeros(len(theta))
        for block in self.form.blocks:
            slope, item_info, item_warm = item_pieces(block, theta, self.method)
            codes, answered = x[:, block.items], x[:, block.items] >= 0
            picked = np.take_along_axis(slope, np.maximum(codes, 0).astype(np.int64)[:, :, None], axis=2)[:, :, 0]
            total += (answered * picked).sum(axis=1)
            info += (answered * item_info).sum(axis=1)
            warm += (answered * item_warm).sum(axis=1)
        f, precision = self._complete(total[:, None], info[:, None], warm[:, None], theta[:, None], group)
        return f[:, 0], precision[:, 0]


def item_pieces(block: ItemBlock, theta: FloatArray, method: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return at theta (Q,): slopes of log P (Q, Jb, K), information (Q, Jb), Warm's J (Q, Jb; zeros unless wle)."""
    points = theta[:, None]
    probability, slope = np.exp(block.model.log_prob(points, block.par, block.n_cat)), _slope(block, points)
    info = (probability * slope**2).sum(axis=2)
    if method != "wle":
        return slope, info, np.zeros_like(info)
    up, down = _slope(block, points + DIFFERENCE), _slope(block, points - DIFFERENCE)
    second = slope**2 + (up - down) / (2 * DIFFERENCE)
    return slope, info, (probability * slope * second).sum(axis=2)


def _slope(block: ItemBlock, points: FloatArray) -> FloatArray:
    return block.model.d_theta(points, block.par, block.n_cat)[..., 0]


def _tabulate(form: Form, nodes: FloatArray, method: str) -> Pieces:
    slope = np.empty((int(form.starts[-1]), len(nodes)))
    info, warm = np.empty((len(form.n_cat), len(nodes))), np.empty((len(form.n_cat), len(nodes)))
    for block in form.blocks:
        item_slope, item_info, item_warm = item_pieces(block, nodes, method)
        slope[block_rows(block, form.starts)] = item_slope.transpose(1, 2, 0)
        info[block.items], warm[block.items] = item_info.T, item_warm.T
    return Pieces(nodes, slope, info, warm)


def _bracket(f: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return theta (n,) where it is not finite (+-inf or NaN) and else the cell (n,) that holds the root.

    The root is the one at which the integral of f (the penalised log-likelihood) is highest. f has shape (n, 301).
    """
    height = np.concatenate([np.zeros((len(f), 1)), np.cumsum((f[:, 1:] + f[:, :-1]) / 2, axis=1)], axis=1)
    best = height.argmax(axis=1)
    person = np.arange(len(f))
    left = np.where(f[person, best] > 0, best, best - 1)
    theta, top = np.full(len(f), np.nan), height[person, best]
    informed = np.ptp(height, axis=1) > 0
    # the height saturates in floating point before the end is reached, so the ends are compared, not argmax's place
    low_end, high_end = height[:, 0] >= top, height[:, -1] >= top
    theta[informed & low_end], theta[informed & ~low_end & high_end] = -np.inf, np.inf
    inside = informed & ~low_end & ~high_end & (left >= 0) & (left + 1 < NODES)
    return theta, np.where(inside, left, -1)


def _resolved(coefficients: FloatArray, change: FloatArray) -> BoolArray:
    """Tell for which persons the polynomial follows the function: its last two coefficients have vanished.

    Parameters
    ----------
    coefficients : (n, 9) by degree.
    change : (n,) by how much the function changes over the cell, which turns its error into one of the root.
    """
    resolved: BoolArray = np.abs(coefficients[:, -2:]).sum(axis=1) <= TOLERANCE * np.abs(change)
    return resolved


def _chebyshev(coefficients: FloatArray, place: FloatArray) -> FloatArray:
    """Return (n,) values at places -1..1 (n,) of polynomials with Chebyshev coefficients (n, 9): sum c_k cos(k t)."""
    angle = np.arccos(np.clip(place, -1.0, 1.0))
    values: FloatArray = np.einsum("nk,nk->n", coefficients, np.cos(angle[:, None] * DEGREES))
    return values


def _reciprocal(precision: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return 1 / precision


def _false_position(
    f: Callable[[FloatArray, IntArray], FloatArray], low: FloatArray, high: FloatArray, tolerance: float
) -> FloatArray:
    """Return roots (n,) of ``f(at (m,), rows (m,))`` bracketed by low and high (n,), by the Illinois rule."""
    rows = np.arange(len(low))
    low, high = low.copy(), high.copy()
    f_low, f_high = f(low, rows), f(high, rows)
    root, side = (low + high) / 2, np.zeros(len(low), dtype=np.int64)
    for _ in range(ROUNDS):
        width = f_low[rows] - f_high[rows]
        share = np.divide(f_low[rows], width, out=np.full_like(width, 0.5), where=np.abs(width) > 1e-300)
        new = low[rows] + np.clip(share, 0.0, 1.0) * (high[rows] - low[rows])
        value = f(new, rows)
        step = np.abs(new - root[rows])
        root[rows] = new
        up, was = value > 0, side[rows]
        f_high[rows] = np.where(up, np.where(was == 1, f_high[rows] / 2, f_high[rows]), value)
        f_low[rows] = np.where(up, value, np.where(was == -1, f_low[rows] / 2, f_low[rows]))
        low[rows], high[rows] = np.where(up, new, low[rows]), np.where(up, high[rows], new)
        side[rows] = np.where(up, 1, -1)
        rows = rows[step >= tolerance]
        if not len(rows):
            break
    return root

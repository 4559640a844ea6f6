"""MAP, ML and WLE: the root of an estimating equation, bracketed on a grid and then solved to full precision."""

from __future__ import annotations

import numpy as np

from talentassess.core.arrays import CodeArray, FloatArray, IntArray
from talentassess.core.likelihood import CHUNK, ItemBlock
from talentassess.scoring.form import Form

REACH, NODES = 15.0, 301  # an estimate beyond 15 logits is an extreme pattern, not a measurement
TOLERANCE, ROUNDS = 1e-10, 60
DIFFERENCE = 1e-4  # step of the central difference of the analytic slope that Warm's J needs


def solve_modes(form: Form, x: CodeArray, group: IntArray, method: str) -> tuple[FloatArray, FloatArray]:
    """Return estimates (N,) in logits and their error variances (N,).

    Error variance: 1 / I(theta) for ml and wle, 1 / (I(theta) + 1 / sd^2) for map, I the expected information of the
    answered items. Extreme patterns under ml give +-inf with variance inf; no answers give NaN under ml and wle.
    """
    theta, variance = np.empty(len(x)), np.empty(len(x))
    for first in range(0, len(x), CHUNK):
        rows = slice(first, first + CHUNK)
        equation = _Equation(form, x[rows], group[rows], method)
        theta[rows] = _root(equation)
        variance[rows] = equation.variance(theta[rows])
    return theta, variance


class _Equation:
    """The estimating equation of a chunk of persons: f(theta) = dl/dtheta + prior or Warm's correction."""

    def __init__(self, form: Form, x: CodeArray, group: IntArray, method: str) -> None:
        self.form, self.x, self.group, self.method = form, x, group, method
        self.mean, self.sd = form.mean[group], form.sd[group]
        self.answered = (x >= 0).astype(np.float64)

    def take(self, persons: IntArray) -> _Equation:
        """Return the equation of some persons, given by position (M,)."""
        return _Equation(self.form, self.x[persons], self.group[persons], self.method)

    def on_grid(self, nodes: FloatArray) -> FloatArray:
        """Return (n, Q) values of f at common nodes (Q,)."""
        total = np.zeros((len(self.x), len(nodes)))
        info, warm = np.zeros_like(total), np.zeros_like(total)
        for block in self.form.blocks:
            slope, item_info, item_warm = _pieces(block, nodes, self.method)
            codes = self.x[:, block.items]
            for j in range(len(block.items)):
                total += np.where(codes[:, j, None] >= 0, slope[:, j, np.maximum(codes[:, j], 0)].T, 0.0)
            info += self.answered[:, block.items] @ item_info.T
            warm += self.answered[:, block.items] @ item_warm.T
        return self._complete(total, info, warm, np.broadcast_to(nodes, total.shape))

    def at(self, theta: FloatArray) -> FloatArray:
        """Return (n,) values of f at each person's own theta (n,)."""
        total, info, warm = np.zeros(len(theta)), np.zeros(len(theta)), np.zeros(len(theta))
        for block in self.form.blocks:
            slope, item_info, item_warm = _pieces(block, theta, self.method)
            codes, answered = self.x[:, block.items], self.answered[:, block.items]
            picked = np.take_along_axis(slope, np.maximum(codes, 0).astype(np.int64)[:, :, None], axis=2)[:, :, 0]
            total += (answered * picked).sum(axis=1)
            info += (answered * item_info).sum(axis=1)
            warm += (answered * item_warm).sum(axis=1)
        return self._complete(total, info, warm, theta)

    def variance(self, theta: FloatArray) -> FloatArray:
        """Return (n,) error variances at theta (n,)."""
        info, finite = np.zeros(len(theta)), np.where(np.isfinite(theta), theta, 0.0)
        for block in self.form.blocks:
            info += (self.answered[:, block.items] * _pieces(block, finite, "ml")[1]).sum(axis=1)
        if self.method == "map":
            info += 1 / self.sd**2
        with np.errstate(divide="ignore"):
            return np.where(np.isnan(theta), np.nan, np.where(np.isfinite(theta), 1 / info, np.inf))

    def _complete(self, total: FloatArray, info: FloatArray, warm: FloatArray, theta: FloatArray) -> FloatArray:
        if self.method == "map":
            shape = (-1,) + (1,) * (theta.ndim - 1)
            return total - (theta - self.mean.reshape(shape)) / self.sd.reshape(shape) ** 2
        if self.method == "wle":
            return total + np.divide(warm, 2 * info, out=np.zeros_like(warm), where=info > 0)
        return total


def _pieces(block: ItemBlock, theta: FloatArray, method: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return at theta (Q,): slopes of log P (Q, Jb, K), information (Q, Jb), Warm's J (Q, Jb; zeros unless wle)."""
    points = theta[:, None]
    probability, slope = np.exp(block.log_prob(points)), block.d_theta(points)[..., 0]
    info = (probability * slope**2).sum(axis=2)
    if method != "wle":
        return slope, info, np.zeros_like(info)
    up, down = block.d_theta(points + DIFFERENCE)[..., 0], block.d_theta(points - DIFFERENCE)[..., 0]
    second = slope**2 + (up - down) / (2 * DIFFERENCE)
    return slope, info, (probability * slope * second).sum(axis=2)


def _root(equation: _Equation) -> FloatArray:
    """Return the root at which the integral of f (the penalised log-likelihood) is highest."""
    nodes = np.linspace(-REACH, REACH, NODES)
    f = equation.on_grid(nodes)
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
    if inside.any():
        found = np.flatnonzero(inside)
        theta[found] = _regula_falsi(equation.take(found), nodes[left[found]], nodes[left[found] + 1])
    return theta


def _regula_falsi(equation: _Equation, low: FloatArray, high: FloatArray) -> FloatArray:
    """Return roots bracketed by low and high (n,), by false position with the Illinois correction."""
    f_low, f_high = equation.at(low), equation.at(high)
    theta, side = (low + high) / 2, np.zeros(len(low), dtype=np.int64)
    moving = np.arange(len(low))
    for _ in range(ROUNDS):
        width = f_low[moving] - f_high[moving]
        share = np.divide(f_low[moving], width, out=np.full_like(width, 0.5), where=np.abs(width) > 1e-300)
        new = low[moving] + np.clip(share, 0.0, 1.0) * (high[moving] - low[moving])
        f = equation.take(moving).at(new)
        step = np.abs(new - theta[moving])
        theta[moving] = new
        up, was = f > 0, side[moving]
        f_high[moving] = np.where(up, np.where(was == 1, f_high[moving] / 2, f_high[moving]), f)
        f_low[moving] = np.where(up, f, np.where(was == -1, f_low[moving] / 2, f_low[moving]))
        low[moving], high[moving] = np.where(up, new, low[moving]), np.where(up, high[moving], new)
        side[moving] = np.where(up, 1, -1)
        moving = moving[step >= TOLERANCE]
        if not len(moving):
            break
    return theta

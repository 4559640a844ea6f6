"""MAP, ML and WLE: the root of an estimating equation, bracketed on a grid and then solved to full precision."""

from __future__ import annotations

import numpy as np

from talentassess.core.arrays import CodeArray, FloatArray, IntArray
from talentassess.core.likelihood import CHUNK, ItemBlock
from talentassess.score.form import Form

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
        self.form, self.x, self.method = form, x, method
        self.mean, self.sd = form.mean[group], form.sd[group]
        self.answered = (x >= 0).astype(np.float64)

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
    rising = f[person, best] > 0
    left = np.where(rising, best, best - 1)
    theta = np.full(len(f), np.nan)
    inside = (left >= 0) & (left + 1 < NODES) & (np.ptp(height, axis=1) > 0)
    theta[(left < 0) & (np.ptp(height, axis=1) > 0)] = -np.inf
    theta[left + 1 >= NODES] = np.inf
    if inside.any():
        low, high = nodes[np.where(inside, left, 0)], nodes[np.where(inside, left + 1, 1)]
        theta[inside] = _regula_falsi(equation, low, high)[inside]
    return theta


def _regula_falsi(equation: _Equation, low: FloatArray, high: FloatArray) -> FloatArray:
    """Return roots bracketed by low and high (n,), by false position with the Illinois correction."""
    f_low, f_high = equation.at(low), equation.at(high)
    theta, side = (low + high) / 2, np.zeros(len(low), dtype=np.int64)
    for _ in range(ROUNDS):
        width = f_low - f_high
        share = np.divide(f_low, width, out=np.full_like(width, 0.5), where=np.abs(width) > 1e-300)
        new = low + np.clip(share, 0.0, 1.0) * (high - low)
        f = equation.at(new)
        done = np.abs(new - theta) < TOLERANCE
        theta = new
        if done.all():
            break
        up = f > 0
        f_high = np.where(up & (side == 1), f_high / 2, f_high)
        f_low = np.where(~up & (side == -1), f_low / 2, f_low)
        low, f_low = np.where(up, new, low), np.where(up, f, f_low)
        high, f_high = np.where(up, high, new), np.where(up, f_high, f)
        side = np.where(up, 1, -1)
    return theta

"""Characteristic curve criteria: A and B that bring two sets of curves together, and what they depend on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares

from talentassess.core.arrays import FloatArray
from talentassess.core.quadrature import grid, normal_log_weights
from talentassess.core.status import Status
from talentassess.linking.common import ItemSet

STARTS = [(a, b) for a in (0.5, 1.0, 2.0) for b in (-2.0, -1.0, 0.0, 1.0, 2.0)]  # the criterion may have several minima
COARSE = 5  # of the nodes, to choose among starting values
TOLERANCE, STEPS = 1e-10, 200  # of the search; Newton steps do the rest
NEWTON_STEPS, SETTLED = 10, 1e-11
SINGULAR = 1e-10  # smallest to largest curvature of the criterion: below this one coefficient is not determined
REACH = 1e3  # A or 1/A beyond this is no unit of measurement


@dataclass(frozen=True, eq=False, slots=True)
class LinkGrid:
    """Where the curves are compared, and with what weight.

    Attributes
    ----------
    old_theta, old_weight : (Q,) nodes on the old scale, logits, and weights.
    new_theta, new_weight : (Q',) the same on the new scale; empty for a criterion in one direction.
    """

    old_theta: FloatArray
    old_weight: FloatArray
    new_theta: FloatArray
    new_weight: FloatArray


def normal_grid(new: ItemSet, old: ItemSet, symmetric: bool) -> LinkGrid:
    """Return 61 nodes on mean +- 6 SD of each scale's reference group with normal weights that add up to one."""
    sides = []
    for side in (old, new):
        theta = side.mean + side.sd * grid()
        sides.append((theta, np.exp(normal_log_weights(theta, side.mean, side.sd))))
    if not symmetric:
        sides[1] = (np.empty(0), np.empty(0))
    return LinkGrid(*sides[0], *sides[1])


@dataclass(frozen=True, eq=False, slots=True)
class CurveLink:
    """A solved criterion.

    Attributes
    ----------
    a, b : the coefficients.
    value : the criterion at its minimum.
    by_new, by_old : (2, T) derivative of A and B by the stacked parameters of the new and the old calibration.
    status : how the search ended.
    """

    a: float
    b: float
    value: float
    by_new: FloatArray
    by_old: FloatArray
    status: Status


@dataclass(frozen=True, eq=False, slots=True)
class Direction:
    """One direction of the comparison: curves that stay, and curves that are moved to them.

    Attributes
    ----------
    stay, move : the two sets of items.
    theta, weight : (Q,) nodes and weights on the scale of the curves that stay.
    to_new : True if theta lies on the old scale, so that the new curves are read at (theta - B) / A.
    summed : True if expected scores are summed over items before they are compared (Stocking & Lord).
    """

    stay: ItemSet
    move: ItemSet
    theta: FloatArray
    weight: FloatArray
    to_new: bool
    summed: bool

    def moved(self, a: float, b: float) -> FloatArray:
        """Return (Q,) the nodes on the scale of the curves that are moved."""
        return (self.theta - b) / a if self.to_new else a * self.theta + b

    def moved_by(self, a: float, b: float) -> FloatArray:
        """Return (2, Q) derivatives of ``moved`` by A and B."""
        one = np.ones_like(self.theta)
        return np.stack([-(self.theta - b) / a**2, -one / a] if self.to_new else [self.theta, one])

    def moved_twice(self, a: float, b: float) -> FloatArray:
        """Return (2, 2, Q) second derivatives of ``moved`` by A and B."""
        out = np.zeros((2, 2, len(self.theta)))
        if self.to_new:
            out[0, 0], out[0, 1] = 2 * (self.theta - b) / a**3, 1 / a**2
            out[1, 0] = out[0, 1]
        return out

    def channels(self, curves: FloatArray) -> FloatArray:
        """Return what is compared, (1, Q) expected sum scores or (S, Q) probabilities, from curves (S, Q)."""
        return (self.stay.codes @ curves)[None, :] if self.summed else curves

    def back(self, channels: FloatArray) -> FloatArray:
        """Return (S, Q), the transpose of ``channels`` applied to (1, Q) or (S, Q)."""
        return self.stay.codes[:, None] * channels if self.summed else channels

    def residuals(self, a: float, b: float) -> tuple[FloatArray, FloatArray]:
        """Return (R,) weighted residuals and their (R, 2) derivatives by A and B."""
        tau, root = self.moved(a, b), np.sqrt(self.weight)
        gap = self.channels(self.stay.probability(self.theta) - self.move.probability(tau)) * root
        slope = self.channels(self.move.slope(tau)) * root
        by_link = -(slope[..., None] * self.moved_by(a, b).T)
        return gap.ravel(), by_link.reshape(-1, 2)

    def equation(self, a: float, b: float) -> tuple[FloatArray, FloatArray]:
        """Return what each channel adds to F, half the criterion's gradient by (A, B): (C, 2), derivative (C, 2, 2).

        Equation: F = -sum_q w_q (C_stay - C_move) C'_move d tau / d(A, B).
        """
        tau, first = self.moved(a, b), self.moved_by(a, b)
        gap = self.channels(self.stay.probability(self.theta) - self.move.probability(tau))
        slope, curve = (self.channels(f(tau)) for f in (self.move.slope, self.move.curvature))
        squared, bent = (slope**2 - gap * curve) * self.weight, gap * slope * self.weight
        by_link = np.einsum("cq,aq,bq->cab", squared, first, first, optimize=True)
        by_link -= np.einsum("cq,abq->cab", bent, self.moved_twice(a, b))
        return -bent @ first.T, by_link

    def sensitivity(self, a: float, b: float) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives (2, T) of F by the stacked parameters of the curves that stay and that are moved."""
        tau = self.moved(a, b)
        gap = self.channels(self.stay.probability(self.theta) - self.move.probability(tau))
        weight = self.moved_by(a, b)[:, None, :] * self.weight
        pull = weight * self.back(self.channels(self.move.slope(tau)))
        by_move = self.move.by_par(tau, pull) - self.move.slope_by_par(tau, weight * self.back(gap))
        return -self.stay.by_par(self.theta, pull), by_move


def match_curves(
    new: ItemSet,
    old: ItemSet,
    nodes: LinkGrid,
    *,
    summed: bool,
    fix_scale: bool,
    start: tuple[float, float] | None = None,
) -> CurveLink:
    """Minimise the squared distance of the common items' curves over A and B.

    Parameters
    ----------
    new, old : the common items in both calibrations.
    nodes : where, on the old scale (Q,) and on the new (Q',), and with what weight.
    summed : True compares expected sum scores (Stocking & Lord 1983), False each category's probability (Haebara 1980).
    fix_scale : True keeps A at 1.
    start : A and B near the minimum, which saves the search for it; None if they are not known.

    Equation: sum_q w_q (C_old(theta_q) - C_new((theta_q - B) / A))^2 + sum_q w_q (C_new(theta_q) - C_old(A theta_q +
    B))^2, summed over the curves C; derivatives by the implicit function theorem (Ogasawara 2001, Andersson 2018).
    """
    directions = list_directions(new, old, nodes, summed)
    a, b, status = (*start, Status.CONVERGED) if start is not None else _search(directions, fix_scale)
    a, b, by_link, status = _polish(directions, a, b, fix_scale, status)
    if start is not None and not status.ok:
        return match_curves(new, old, nodes, summed=summed, fix_scale=fix_scale)
    value = sum(float(np.sum(one.residuals(a, b)[0] ** 2)) for one in directions)
    by_old, by_new = directions[0].sensitivity(a, b)
    if len(directions) == 2:
        by_stay, by_move = directions[1].sensitivity(a, b)
        by_new, by_old = by_new + by_stay, by_old + by_move
    return CurveLink(a, b, value, -by_link @ by_new, -by_link @ by_old, status)


def list_directions(new: ItemSet, old: ItemSet, nodes: LinkGrid, summed: bool) -> list[Direction]:
    """Return the comparison on the old scale and, unless ``nodes`` leaves it out (0,), that on the new scale."""
    directions = [Direction(old, new, nodes.old_theta, nodes.old_weight, True, summed)]
    if len(nodes.new_theta):
        directions.append(Direction(new, old, nodes.new_theta, nodes.new_weight, False, summed))
    return directions


def _polish(
    directions: list[Direction], a: float, b: float, fix_scale: bool, status: Status
) -> tuple[float, float, FloatArray, Status]:
    """Solve F = 0 by Newton steps from a good start; return A, B, the inverse (2, 2) of F's derivative, and the status.

    Least squares stops when the criterion no longer falls, which leaves A and B good to half their digits only.
    """
    free, inverse = ([1] if fix_scale else [0, 1]), np.full((2, 2), np.nan)
    for _ in range(NEWTON_STEPS if status.ok else 0):
        parts = [one.equation(a, b) for one in directions]
        value = np.sum([p[0].sum(axis=0) for p in parts], axis=0)[free]
        by_link = np.sum([p[1].sum(axis=0) for p in parts], axis=0)[np.ix_(free, free)]
        curvature = np.linalg.eigvalsh(by_link) if np.isfinite(by_link).all() else np.full(1, np.nan)
        if not curvature[0] > SINGULAR * curvature[-1]:
            return a, b, np.full((2, 2), np.nan), Status.NOT_IDENTIFIED
        inverse = np.zeros((2, 2))
        inverse[np.ix_(free, free)] = np.linalg.inv(by_link)
        step = inverse[:, free] @ value
        a, b = a - float(step[0]), b - float(step[1])
        if not 1 / REACH < a < REACH:
            return a, b, np.full((2, 2), np.nan), Status.NON_FINITE
        if np.abs(step).max() < SETTLED:
            return a, b, inverse, Status.CONVERGED
    return a, b, inverse, Status.STALLED if status.ok else status


def _search(directions: list[Direction], fix_scale: bool) -> tuple[float, float, Status]:
    """Return A, B and how the search from the best of several starting values ended."""

    def residuals(x: FloatArray) -> FloatArray:
        a, b = _unpack(x)
        return np.concatenate([one.residuals(a, b)[0] for one in directions])

    def slopes(x: FloatArray) -> FloatArray:
        a, b = _unpack(x)
        by_link = np.concatenate([one.residuals(a, b)[1] for one in directions])
        return by_link[:, 1:] if fix_scale else by_link * [a, 1.0]

    starts = [(1.0, b) for _, b in STARTS[:5]] if fix_scale else STARTS
    coarse = [replace(one, theta=one.theta[::COARSE], weight=one.weight[::COARSE]) for one in directions]

    def rough(start: tuple[float, float]) -> float:
        return sum(float(np.sum(one.residuals(*start)[0] ** 2)) for one in coarse)

    best = _pack(*min(starts, key=rough), fix_scale)
    limits = {"xtol": TOLERANCE, "ftol": TOLERANCE, "gtol": TOLERANCE, "max_nfev": STEPS}
    done = least_squares(residuals, best, slopes, method="lm", **limits)
    a, b = _unpack(done.x)
    if not (np.isfinite(done.x).all() and 1 / REACH < a < REACH):
        return a, b, Status.NON_FINITE
    return a, b, Status.CONVERGED if done.status > 0 else Status.MAX_STEPS


def _pack(a: float, b: float, fix_scale: bool) -> FloatArray:
    return np.array([b]) if fix_scale else np.array([np.log(a), b])


def _unpack(x: FloatArray) -> tuple[float, float]:
    return (1.0, float(x[0])) if len(x) == 1 else (float(np.exp(x[0])), float(x[1]))

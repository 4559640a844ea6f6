"""Shapes of a latent distribution beyond the normal: smooth densities of mean 0 and standard deviation 1.

Two families, both with the normal at zero values:

``davidian``: the square of a polynomial times the normal density, h(z) = P(z)^2 phi(z) (Zhang & Davidian 2001; Woods &
Lin 2009). P is written in orthonormal Hermite polynomials; its coefficients lie on the unit sphere and are given by
angles, with the normal in the middle of their range instead of at the poles where angles lose their meaning.

``loglinear``: log h(t) = b t + c t^2 + sum_r v_r g_r(t), g_r the Hermite function of degree r + 2; b and c are solved
for mean 0 and standard deviation 1. It is the smoothed latent histogram (Mislevy 1984; Casabianca & Lewis 2015) with
an orthogonal-series exponential family (Barron & Sheu 1991) in place of plain powers, whose tails would explode.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import FloatArray

DAVIDIAN, LOGLINEAR = "davidian", "loglinear"
FAMILIES = (DAVIDIAN, LOGLINEAR)
HIGHEST = 10  # order: beyond it the curve follows the sample rather than the population
INSIDE = np.linspace(-12.0, 12.0, 481)  # where the log-linear family is standardised; exact to rounding for its tails
HEAVIEST = -0.15  # of c: flatter tails would still weigh at 12 standard deviations
NEWTON_STEPS, SOLVED = 60, 1e-13
TINY = 1e-200  # keeps the logarithm finite where the polynomial is exactly zero


@dataclass(frozen=True, eq=False, slots=True)
class ShapeTerms:
    """A standardised density at points t (Q,) and how it changes.

    Attributes
    ----------
    log_density : (Q,) up to a constant; NaN if the values are not admissible.
    slope : (Q,) derivative by t.
    by_value : (Q, k) derivatives by the k values, up to a constant per column.
    roughness : how many times finer than a standard normal the density may vary.
    """

    log_density: FloatArray
    slope: FloatArray
    by_value: FloatArray
    roughness: float


@dataclass(frozen=True, eq=False, slots=True)
class LatentShape:
    """The shape of one latent dimension, the same in all groups, which differ in mean and standard deviation.

    Attributes
    ----------
    family : ``davidian`` or ``loglinear``.
    values : (k,) its values: angles in radians, or coefficients.
    """

    family: str
    values: FloatArray

    @property
    def name(self) -> str:
        """Family and order, e.g. ``davidian-3``."""
        return f"{self.family}-{len(self.values)}"

    def log_weights(self, nodes: FloatArray, mean: float = 0.0, sd: float = 1.0) -> FloatArray:
        """Return (Q,) log weights of the nodes (Q,), normalised to sum to one on them.

        Examples
        --------
        >>> np.exp(LatentShape("davidian", np.zeros(2)).log_weights(np.array([-1.0, 0.0, 1.0]))).round(3)
        array([0.274, 0.452, 0.274])
        """
        return normalised(shape_terms(self.family, self.values, (nodes - mean) / sd).log_density)

    def density(self, theta: FloatArray, mean: float = 0.0, sd: float = 1.0) -> FloatArray:
        """Return the probability density (Q,) at theta (Q,)."""
        area = np.log(np.sum(np.exp(shape_terms(self.family, self.values, INSIDE).log_density)))
        inner = shape_terms(self.family, self.values, (theta - mean) / sd).log_density
        out: FloatArray = np.exp(inner - area) / (sd * (INSIDE[1] - INSIDE[0]))
        return out

    def skewness_kurtosis(self) -> tuple[float, float]:
        """Return skewness and excess kurtosis; both are 0 for the normal."""
        weights = np.exp(self.log_weights(INSIDE))
        return float(weights @ INSIDE**3), float(weights @ INSIDE**4 - 3)

    @property
    def roughness(self) -> float:
        """How many times finer than a standard normal the density may vary."""
        return shape_terms(self.family, self.values, np.zeros(1)).roughness

    def reach(self) -> float:
        """Return how many standard deviations from the mean carry all but 1e-8 of the distribution, at least 6."""
        outwards = np.argsort(-np.abs(INSIDE), kind="stable")
        beyond = np.cumsum(np.exp(self.log_weights(INSIDE))[outwards])
        return max(6.0, float(np.abs(INSIDE[outwards])[np.searchsorted(beyond, 1e-8)]))


def normalised(log_density: FloatArray) -> FloatArray:
    """Return (Q,) log weights that sum to one from log densities (Q,)."""
    if not np.isfinite(log_density).all():
        return np.full(len(log_density), np.nan)
    top = float(log_density.max())
    out: FloatArray = log_density - (top + np.log(np.sum(np.exp(log_density - top))))
    return out


def shape_terms(family: str, values: FloatArray, t: FloatArray) -> ShapeTerms:
    """Return the standardised density of a family at points t (Q,) and its derivatives by t and the values (k,)."""
    return _davidian(values, t) if family == DAVIDIAN else _loglinear(values, t)


def hermite(z: FloatArray, degree: int) -> FloatArray:
    """Return (Q, degree + 1) Hermite polynomials at z (Q,), orthonormal under the standard normal.

    Recurrence: sqrt(j + 1) e_(j+1) = z e_j - sqrt(j) e_(j-1).
    """
    out = np.ones((len(z), degree + 1))
    for j in range(degree):
        before = np.sqrt(j) * out[:, j - 1] if j else 0.0
        out[:, j + 1] = (z * out[:, j] - before) / np.sqrt(j + 1)
    return out


def sphere(angles: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the point (K + 1,) of the unit sphere at angles (K,), and its derivatives (K + 1, K).

    The last coefficient is sin(a_1), the one before cos(a_1) sin(a_2), ..., the first cos(a_1) ... cos(a_k): all angles
    zero is the constant polynomial.
    """
    k = len(angles)
    point, slope = np.zeros(k + 1), np.zeros((k + 1, k))
    rest, d_rest = 1.0, np.zeros(k)
    for j, angle in enumerate(angles):
        sine, cosine, unit = float(np.sin(angle)), float(np.cos(angle)), np.eye(k)[j]
        point[k - j], slope[k - j] = rest * sine, d_rest * sine + rest * cosine * unit
        rest, d_rest = rest * cosine, d_rest * cosine - rest * sine * unit
    point[0], slope[0] = rest, d_rest
    return point, slope


def _davidian(angles: FloatArray, t: FloatArray) -> ShapeTerms:
    """Evaluate h(m + s t), m and s the mean and standard deviation of h(z) = P(z)^2 phi(z).

    Multiplying by z is a tridiagonal matrix A in orthonormal Hermite polynomials, so m = u'Au and m^2 + s^2 = u'AAu.
    """
    k = len(angles)
    point, d_point = sphere(angles)
    times_z = np.diag(np.sqrt(np.arange(1.0, k + 2)), 1)
    times_z = times_z + times_z.T
    once = times_z[:, : k + 1] @ point
    mean, second = float(point @ once[: k + 1]), float(once @ once)
    sd = float(np.sqrt(second - mean**2))
    d_mean = 2 * once[: k + 1] @ d_point
    d_sd = (2 * (times_z @ once)[: k + 1] @ d_point - 2 * mean * d_mean) / (2 * sd)
    z = mean + sd * t
    basis = hermite(z, k)
    value = basis @ point
    d_value = basis[:, :-1] @ (np.sqrt(np.arange(1.0, k + 1)) * point[1:])
    ratio = 2 * value / (value**2 + TINY)
    by_z = ratio * d_value - z
    by_value = ratio[:, None] * (basis @ d_point) + by_z[:, None] * (d_mean + t[:, None] * d_sd)
    return ShapeTerms(np.log(value**2 + TINY) - z**2 / 2, by_z * sd, by_value, max(sd, 1.0))


def _loglinear(values: FloatArray, t: FloatArray) -> ShapeTerms:
    """Evaluate b t + c t^2 + sum_r v_r g_r(t), b and c solved for mean 0 and standard deviation 1."""
    inside, _ = _hermite_functions(INSIDE, len(values))
    (b, c), weights = _standardising(inside @ values)
    if not c <= HEAVIEST:
        blank = np.full(len(t), np.nan)
        return ShapeTerms(blank, blank, np.full((len(t), len(values)), np.nan), 1.0)
    moments = np.column_stack([INSIDE, INSIDE**2])
    centred = (moments - weights @ moments) * weights[:, None]
    d_solved = -np.linalg.solve(centred.T @ moments, centred.T @ inside)
    g, d_g = _hermite_functions(t, len(values))
    return ShapeTerms(
        log_density=b * t + c * t**2 + g @ values,
        slope=b + 2 * c * t + d_g @ values,
        by_value=g + np.column_stack([t, t**2]) @ d_solved,
        roughness=1.0,
    )


def _hermite_functions(t: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    """Return Hermite functions of degree 3 .. n + 2 at t (Q,), e_j(t) exp(-t^2 / 4), and their slopes, each (Q, n)."""
    polynomial = hermite(t, n + 2)
    damping = np.exp(-(t**2) / 4)[:, None]
    degree = np.sqrt(np.arange(3.0, n + 3))
    value = polynomial[:, 3:] * damping
    return value, (degree * polynomial[:, 2:-1] - t[:, None] / 2 * polynomial[:, 3:]) * damping


def _standardising(extra: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (b, c) for which exp(b t + c t^2 + extra (Q,)) has mean 0 and variance 1, and its weights (Q,).

    Newton on the convex dual, log sum exp(b t + c t^2 + extra) - c, halved where it overshoots; NaN if it does not end.
    """
    moments, target = np.column_stack([INSIDE, INSIDE**2]), np.array([0.0, 1.0])
    solved = np.array([0.0, -0.5])

    def dual(at: FloatArray) -> tuple[float, FloatArray]:
        exponent = moments @ at + extra
        top = float(exponent.max())
        weights = np.exp(exponent - top)
        return float(np.log(weights.sum()) + top - at @ target), weights / weights.sum()

    height, weights = dual(solved)
    for _ in range(NEWTON_STEPS):
        gap = weights @ moments - target
        if np.max(np.abs(gap)) < SOLVED:
            return solved, weights
        spread = ((moments - weights @ moments) * weights[:, None]).T @ moments
        step, share = np.linalg.solve(spread, gap), 1.0
        while share > 1e-6:
            new_height, new_weights = dual(solved - share * step)
            if new_height <= height + 1e-14 * abs(height):
                break
            share /= 2
        if np.max(np.abs(share * step)) < SOLVED:
            break
        solved, height, weights = solved - share * step, new_height, new_weights
    return (solved, weights) if np.max(np.abs(weights @ moments - target)) < 1e-9 else (np.full(2, np.nan), weights)

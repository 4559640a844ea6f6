"""Rotate factor loadings: varimax, quartimax, oblimin and geomin by gradient projection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import FloatArray
from talentassess.core.errors import ModelError

ORTHOGONAL, OBLIQUE = ("varimax", "quartimax"), ("oblimin", "geomin")
ROTATIONS = ("none", *ORTHOGONAL, *OBLIQUE)
GEOMIN_SHIFT = 0.01  # keeps the geometric mean of squared loadings smooth near zero (Browne 2001, p. 119)
ROUNDS, TOLERANCE = 5000, 1e-7
ROUGH = 1e-5  # gradient below which a run that could go no further counts as settled
HALVINGS = 30
NEAR = 1e-5  # step of the central difference of the tangent gradient
STARTS = 10  # random ones beside the identity: oblique criteria may have several minima
SAME = 1e-6  # criterion values closer than this are one minimum

Criterion = Callable[[FloatArray], tuple[float, FloatArray]]


@dataclass(frozen=True, eq=False, slots=True)
class Rotation:
    """A rotation of D factors.

    Attributes
    ----------
    transform : (D, D) matrix T with columns of length one; rotated = unrotated @ inv(T)'.
    loadings : (J, D) rotated loadings (the pattern matrix).
    correlation : (D, D) factor correlations T'T; the identity under orthogonal rotations.
    criterion : value of what was minimised.
    settled : True if the gradient vanished.
    agreeing : share of the random starts that ended in this minimum.
    """

    transform: FloatArray
    loadings: FloatArray
    correlation: FloatArray
    criterion: float
    settled: bool
    agreeing: float


def rotate(loadings: FloatArray, method: str = "oblimin", *, normalize: bool = True, seed: int = 1) -> Rotation:
    """Rotate loadings (J, D) to simple structure; the largest factor comes first and every factor points upwards.

    Parameters
    ----------
    loadings : unrotated, of orthogonal factors.
    method : ``varimax``, ``quartimax`` (orthogonal), ``oblimin`` (gamma 0, i.e. quartimin), ``geomin`` (oblique), or
        ``none``.
    normalize : Kaiser's normalisation: rows are scaled to length one while rotating.
    seed : of the random starts.

    Raises
    ------
    ModelError : unknown method.

    Equations: varimax minimises -sum_d var_j(L_jd^2) (J/4); quartimax -sum L^4 / 4; oblimin sum_{d<e} sum_j L_jd^2
    L_je^2 / 2; geomin sum_j (prod_d (L_jd^2 + .01))^(1/D). Gradient projection: Jennrich (2001, 2002, Psychometrika).

    Examples
    --------
    >>> simple = np.array([[0.8, 0.0], [0.7, 0.0], [0.0, 0.6], [0.0, 0.5]])
    >>> turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    >>> rotate(simple @ turn, "varimax").loadings.round(6) + 0.0
    array([[0.8, 0. ],
           [0.7, 0. ],
           [0. , 0.6],
           [0. , 0.5]])
    """
    if method not in ROTATIONS:
        raise ModelError(f"There is no rotation '{method}'; choose one of: {', '.join(ROTATIONS)}.")
    n_dims = loadings.shape[1]
    length = np.sqrt((loadings**2).sum(axis=1))
    usable = np.where(length > 0, length, 1.0) if normalize else np.ones(len(loadings))
    scaled = loadings / usable[:, None]
    if method == "none" or n_dims == 1:
        found, values = (np.eye(n_dims), 0.0, True), [0.0]
    else:
        rng = np.random.default_rng(seed)
        starts = [np.eye(n_dims), *(_random_turn(n_dims, rng) for _ in range(STARTS))]
        ends = [project(scaled, method, start) for start in starts]
        found, values = min(ends, key=lambda end: end[1]), [end[1] for end in ends]
    transform, value, settled = found
    agreeing = float(np.mean(np.array(values) < value + SAME * max(1.0, abs(value))))
    transform = transform if method == "none" else _ordered(loadings, transform)
    rotated = loadings @ np.linalg.inv(transform).T
    return Rotation(transform, rotated, transform.T @ transform, value, settled, agreeing)


def project(scaled: FloatArray, method: str, start: FloatArray) -> tuple[FloatArray, float, bool]:
    """Return the transform (D, D), criterion and whether it settled, from loadings (J, D) and a start (D, D).

    Equation: T <- P(T - s G_p), G_p the gradient in the tangent space of the constraint and P the way back to it: the
    nearest orthogonal matrix, or columns scaled to length one; s is halved until the criterion falls enough.
    """
    criterion, oblique = CRITERIA[method], method in OBLIQUE
    transform, step = start, 1.0
    size = np.inf
    value, gradient = _at(scaled, transform, criterion)
    for _ in range(ROUNDS):
        tangent = _tangent(transform, gradient, oblique)
        size = float(np.linalg.norm(tangent))
        if size < TOLERANCE:
            return transform, value, True
        step *= 2.0
        for _ in range(HALVINGS):
            new = _back(transform - step * tangent, oblique)
            new_value, new_gradient = _at(scaled, new, criterion)
            if new_value <= value - 0.5 * size**2 * step:
                break
            step /= 2.0
        else:
            return transform, value, size < ROUGH  # rounding hides any further fall
        transform, value, gradient = new, new_value, new_gradient
    return transform, value, size < ROUGH


def _at(scaled: FloatArray, transform: FloatArray, criterion: Criterion) -> tuple[float, FloatArray]:
    """Return the criterion and its gradient (D, D) by the transform: dQ/dT = -(L' dQ/dL T^-1)'."""
    inverse = np.linalg.inv(transform)
    loadings = scaled @ inverse.T
    value, by_loadings = criterion(loadings)
    return value, -(loadings.T @ by_loadings @ inverse).T


def _tangent(transform: FloatArray, gradient: FloatArray, oblique: bool) -> FloatArray:
    if oblique:
        along: FloatArray = (transform * gradient).sum(axis=0)
        return gradient - transform * along
    turned = transform.T @ gradient
    return gradient - transform @ (turned + turned.T) / 2


def _back(transform: FloatArray, oblique: bool) -> FloatArray:
    if oblique:
        scaled: FloatArray = transform / np.sqrt((transform**2).sum(axis=0))
        return scaled
    u, _, v = np.linalg.svd(transform)
    nearest: FloatArray = u @ v
    return nearest


def follow(scaled: FloatArray, method: str, transform: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """Return a function from loadings (J, D) near ``scaled`` to their transform (D, D), without rotating anew.

    Equation: the solution makes the tangent gradient S(T, L) vanish, so dT = -(dS/dT)^-1 dS (implicit function theorem;
    Jennrich 1973). Right to first order in the distance from ``scaled``.
    """
    basis = _tangent_basis(transform, method in OBLIQUE)

    def slope(at: FloatArray, loadings: FloatArray) -> FloatArray:
        _, gradient = _at(loadings, at, CRITERIA[method])
        tangent = _tangent(at, gradient, method in OBLIQUE)
        return np.array([(tangent * direction).sum() for direction in basis])

    def moved(by: FloatArray) -> FloatArray:
        return _back(transform + np.einsum("b,bde->de", by, basis), method in OBLIQUE)

    units = np.eye(len(basis)) * NEAR
    curvature = np.column_stack([(slope(moved(u), scaled) - slope(moved(-u), scaled)) / (2 * NEAR) for u in units])
    inverse = np.linalg.pinv(curvature)
    return lambda loadings: moved(-inverse @ slope(transform, loadings))


def _tangent_basis(transform: FloatArray, oblique: bool) -> FloatArray:
    """Return (B, D, D) directions in which a transform may move under its constraint."""
    n_dims = len(transform)
    directions = []
    for d in range(n_dims):
        for e in range(n_dims):
            if oblique and e != d:
                column = transform[:, e] - transform[:, d] * (transform[:, d] @ transform[:, e])
                directions.append(np.outer(column, np.eye(n_dims)[d]))
            elif not oblique and e < d:
                turn = np.zeros((n_dims, n_dims))
                turn[d, e], turn[e, d] = 1.0, -1.0
                directions.append(transform @ turn)
    return np.stack(directions)


def _random_turn(n_dims: int, rng: np.random.Generator) -> FloatArray:
    q, r = np.linalg.qr(rng.standard_normal((n_dims, n_dims)))
    return np.asarray(q * np.sign(np.diag(r)), dtype=np.float64)


def _ordered(loadings: FloatArray, transform: FloatArray) -> FloatArray:
    """Order factors by their sum of squared loadings and turn them upwards."""
    rotated = loadings @ np.linalg.inv(transform).T
    order = np.argsort(-(rotated**2).sum(axis=0), kind="stable")
    signs = np.where((rotated**3).sum(axis=0) < 0, -1.0, 1.0)
    ordered: FloatArray = (transform * signs)[:, order]
    return ordered


def _varimax(loadings: FloatArray) -> tuple[float, FloatArray]:
    squared = loadings**2
    centred = squared - squared.mean(axis=0)
    return -float((centred**2).sum()) / 4, -loadings * centred


def _quartimax(loadings: FloatArray) -> tuple[float, FloatArray]:
    return -float((loadings**4).sum()) / 4, -(loadings**3)


def _oblimin(loadings: FloatArray) -> tuple[float, FloatArray]:
    squared = loadings**2
    others = squared.sum(axis=1, keepdims=True) - squared
    return float((squared * others).sum()) / 4, loadings * others


def _geomin(loadings: FloatArray) -> tuple[float, FloatArray]:
    shifted = loadings**2 + GEOMIN_SHIFT
    mean = np.exp(np.log(shifted).mean(axis=1))
    return float(mean.sum()), 2 / loadings.shape[1] * loadings / shifted * mean[:, None]


CRITERIA: dict[str, Criterion] = {
    "varimax": _varimax,
    "quartimax": _quartimax,
    "oblimin": _oblimin,
    "geomin": _geomin,
}

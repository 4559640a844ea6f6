"""How much of a score's error comes from the item parameters being estimates: the delta method over all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from talentassess.core.arrays import CodeArray, FloatArray, IntArray
from talentassess.core.calibration import Calibration
from talentassess.core.errors import ScoringError
from talentassess.core.likelihood import ItemBlock
from talentassess.core.parameter_map import ParameterMap, map_parameters, require_covariance
from talentassess.scoring.form import Form, dimension_form
from talentassess.scoring.inputs import Aligned, refuse_correlated
from talentassess.scoring.modes import ModeSolver
from talentassess.scoring.posterior import posterior_weights

HELD = 1_000_000  # numbers per array: larger ones leave the cache, and time doubles
STEP = 1e-4  # of central differences of analytic functions: truncation and rounding of the second about 1e-8
METHODS = ("eap", "map", "ml", "wle")


@dataclass(frozen=True, eq=False, slots=True)
class _Part:
    """One dimension of the calibration: its form, its number, and the blocks' derivatives by the F estimates.

    Attributes
    ----------
    items : one sparse (Jb * P, F) array per block of the form.
    mean, log_sd : (G, F) derivatives of the latent distribution.
    """

    form: Form
    items: tuple[sparse.csr_array, ...]
    mean: FloatArray
    log_sd: FloatArray


Gradient = Callable[[_Part, CodeArray, IntArray, FloatArray], FloatArray]


def item_error_covariance(calibration: Calibration, aligned: Aligned, theta: FloatArray, method: str) -> FloatArray:
    """Return (N, D, D) covariance of the scores that is due to the estimated parameters.

    Equation: G cov(estimates) G', G = d theta_hat / d estimates. For EAP the derivative by a parameter is the posterior
    covariance of theta with the parameter's score, Cov(theta, d log P(x | theta) / d par | x); for modes it is
    -f_par / f_theta of the estimating equation f = 0 (implicit function theorem). NaN where theta is not finite.
    Latent means and standard deviations count where they were estimated.

    Parameters
    ----------
    calibration : with standard errors.
    aligned : the answers of N persons.
    theta : (N, D) their scores by ``method``.
    method : eap, map, ml or wle.

    Raises
    ------
    ScoringError : sum-eap, or correlated dimensions.
    CalibrationError : the calibration lacks standard errors.
    """
    if method not in METHODS:
        raise ScoringError(
            f"item_uncertainty is not offered for method='{method}'; choose one of: {', '.join(METHODS)}."
        )
    refuse_correlated(calibration, "item_uncertainty")
    cov = require_covariance(calibration)
    parts = _parts(calibration, map_parameters(calibration))
    gradient: Gradient = _eap_gradient if method == "eap" else _mode_gradient(method)
    out = np.empty((len(theta), len(parts), len(parts)))
    per_person = max(len(cov) * len(parts), sum(block.par.size * block.n_cat for block in calibration.blocks))
    chunk = int(np.clip(HELD / per_person, 64, 4096))
    for first in range(0, len(theta), chunk):
        rows = slice(first, first + chunk)
        by_estimates = np.stack(
            [
                gradient(part, aligned.x[rows][:, part.form.positions], aligned.group[rows], theta[rows, d])
                for d, part in enumerate(parts)
            ],
            axis=1,
        )
        out[rows] = (by_estimates @ cov) @ by_estimates.transpose(0, 2, 1)
    return out


def _parts(calibration: Calibration, layout: ParameterMap) -> list[_Part]:
    return [
        _Part(
            form=dimension_form(calibration, d),
            items=tuple(m for b, m in zip(calibration.blocks, layout.items, strict=True) if b.dims == (d,)),
            mean=layout.mean[:, d],
            log_sd=layout.log_sd[:, d],
        )
        for d in range(len(calibration.dimensions))
    ]


def _eap_gradient(part: _Part, x: CodeArray, group: IntArray, theta: FloatArray) -> FloatArray:
    """Return (n, F) derivatives of posterior means (n,)."""
    form = part.form
    nodes = form.nodes()
    out = np.empty((len(x), part.mean.shape[1]))
    for rows, weights in posterior_weights(form, x, group, nodes):
        centred = weights * (nodes - theta[rows, None])
        by_items = []
        for block in form.blocks:
            by_par = block.model.d_par(nodes[:, None], block.par, block.n_cat)
            every = (centred @ by_par.reshape(len(nodes), -1)).reshape(len(centred), *by_par.shape[1:])
            by_items.append(_chosen(every, x[rows][:, block.items]))
        mean, sd = form.mean[group[rows]], form.sd[group[rows]]
        by_mean = (centred @ nodes) / sd**2
        by_log_sd = (centred * ((nodes - mean[:, None]) / sd[:, None]) ** 2).sum(axis=1)
        out[rows] = _by_estimates(part, by_items, by_mean, by_log_sd, group[rows])
    return out


def _chosen(every: FloatArray, codes: CodeArray) -> FloatArray:
    """Return (n, Jb, P) of the chosen categories from (n, Jb, K, P), zero where the answer is missing."""
    at = np.maximum(codes, 0).astype(np.int64)[:, :, None, None]
    picked = np.take_along_axis(every, at, axis=2)[:, :, 0]
    return np.where(codes[:, :, None] >= 0, picked, 0.0)


def _by_estimates(
    part: _Part, by_items: Sequence[FloatArray], by_mean: FloatArray, by_log_sd: FloatArray, group: IntArray
) -> FloatArray:
    """Return (n, F) by the chain rule, from derivatives by items (n, Jb, P), latent mean (n,) and log sd (n,)."""
    out = by_mean[:, None] * part.mean[group] + by_log_sd[:, None] * part.log_sd[group]
    for by_par, matrix in zip(by_items, part.items, strict=True):
        out += by_par.reshape(len(by_par), -1) @ matrix
    return out


def _mode_gradient(method: str) -> Gradient:
    def gradient(part: _Part, x: CodeArray, group: IntArray, theta: FloatArray) -> FloatArray:
        """Return (n, F) derivatives of the roots theta (n,); NaN where there is none."""
        finite = np.isfinite(theta)
        at = np.where(finite, theta, 0.0)
        solver = ModeSolver(part.form, method)
        up, down = solver.at(x, group, at + STEP)[0], solver.at(x, group, at - STEP)[0]
        by_items = _equation_by_items(part.form, x, at, method)
        by_mean, by_log_sd = np.zeros(len(x)), np.zeros(len(x))
        if method == "map":
            mean, sd = part.form.mean[group], part.form.sd[group]
            by_mean, by_log_sd = 1 / sd**2, 2 * (at - mean) / sd**2
        moves = _by_estimates(part, by_items, by_mean, by_log_sd, group)
        out = np.full(moves.shape, np.nan)
        out[finite] = -moves[finite] / ((up - down) / (2 * STEP))[finite, None]
        return out

    return gradient


def _equation_by_items(form: Form, x: CodeArray, theta: FloatArray, method: str) -> list[FloatArray]:
    """Return per block (n, Jb, P) derivatives of the estimating equation at theta (n,) by the items' parameters.

    The slope's derivative by a parameter is the parameter score's derivative by theta, a central difference of the
    analytic one. Warm's correction J / (2 I) adds J_par / (2 I) - J I_par / (2 I^2).
    """
    if method != "wle":
        return [_chosen(_by_theta(block, theta)[1], x[:, block.items]) for block in form.blocks]
    parts = [_warm_parts(block, theta) for block in form.blocks]
    answered = [(x[:, block.items] >= 0)[:, :, None] for block in form.blocks]
    info, warm = np.zeros((len(x), 1, 1)), np.zeros((len(x), 1, 1))
    for part, given in zip(parts, answered, strict=True):
        info += (given * part.info[:, :, None]).sum(axis=1, keepdims=True)
        warm += (given * part.warm[:, :, None]).sum(axis=1, keepdims=True)
    safe = np.where(info > 0, info, np.inf)
    return [
        _chosen(part.mixed, x[:, block.items]) + given * (part.d_warm / (2 * safe) - warm * part.d_info / (2 * safe**2))
        for block, part, given in zip(form.blocks, parts, answered, strict=True)
    ]


@dataclass(frozen=True, eq=False, slots=True)
class _WarmParts:
    """Information and Warm's J (n, Jb), their derivatives by parameters (n, Jb, P), and d2 log P (n, Jb, K, P)."""

    info: FloatArray
    warm: FloatArray
    d_info: FloatArray
    d_warm: FloatArray
    mixed: FloatArray


def _warm_parts(block: ItemBlock, theta: FloatArray) -> _WarmParts:
    """Differentiate I = sum P s^2 and J = sum P s (s^2 + s') by the parameters, s = d log P / d theta.

    Equations, with p = d log P / d par and p', p'' its derivatives by theta: I_par = sum P (p s^2 + 2 s p'),
    J_par = sum P (p s (s^2 + s') + p' (s^2 + s') + s (2 s p' + p'')).
    """
    probability = np.exp(block.model.log_prob(theta[:, None], block.par, block.n_cat))
    s, bend = _slope(block, theta), (_slope(block, theta + STEP) - _slope(block, theta - STEP)) / (2 * STEP)
    second = s**2 + bend
    p, first, twice = _by_theta(block, theta)
    by_info = p * (s**2)[..., None] + 2 * s[..., None] * first
    by_warm = (p * s[..., None] + first) * second[..., None] + s[..., None] * (2 * s[..., None] * first + twice)
    weight = probability[..., None]
    return _WarmParts(
        info=(probability * s**2).sum(axis=2),
        warm=(probability * s * second).sum(axis=2),
        d_info=(weight * by_info).sum(axis=2),
        d_warm=(weight * by_warm).sum(axis=2),
        mixed=first,
    )


def _slope(block: ItemBlock, theta: FloatArray) -> FloatArray:
    return block.model.d_theta(theta[:, None], block.par, block.n_cat)[..., 0]


def _by_theta(block: ItemBlock, theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return d log P / d par (n, Jb, K, P) and its first two derivatives by theta, by central differences."""
    low, middle, high = (
        block.model.d_par((theta + shift)[:, None], block.par, block.n_cat) for shift in (-STEP, 0.0, STEP)
    )
    return middle, (high - low) / (2 * STEP), (high - 2 * middle + low) / STEP**2

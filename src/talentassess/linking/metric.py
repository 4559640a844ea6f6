"""How a model's parameters move when theta is re-expressed as A theta + B, found from the model's own derivatives.

No model says this in so many words. If P(A theta + B; par') = P(theta; par) for every theta, then near A = 1, B = 0

    d log P / d theta + sum_p (d log P / d par_p) (d par_p / dB) = 0,
    theta d log P / d theta + sum_p (d log P / d par_p) (d par_p / dA) = 0,

linear equations that the analytic derivatives of any model solve. The solutions are affine in the parameters (for a
graded item d a / dB = 0, d d_k / dB = -a; for a partial credit item d d_k / dB = -k a), so that the finite change of
metric is a product of two matrix exponentials. A model without solution has no parameters on another metric and is
refused; the result is checked on the items at hand each time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import expm

from talentassess.core.arrays import FloatArray
from talentassess.core.errors import ModelError
from talentassess.core.likelihood import ItemBlock
from talentassess.core.model import ItemModel

PROBES = np.linspace(-3.0, 3.0, 13)  # logits; where the equations are set up and the result is checked
SOLVED, NEAR_WHOLE = 1e-6, 1e-5  # residual of the equations; distance from a whole number that is rounding
SAME = 1e-9  # largest difference of two category probabilities that are the same


@dataclass(frozen=True, eq=False, slots=True)
class Generators:
    """The two directions in which a model's parameters move, as matrices on (par, 1).

    Attributes
    ----------
    scale, shift : (P + 1, P + 1) derivative of (par, 1) by A and by B at A = 1, B = 0.
    """

    scale: FloatArray
    shift: FloatArray


@dataclass(frozen=True, eq=False, slots=True)
class MetricChange:
    """The parameters of one block on the metric A theta + B.

    Attributes
    ----------
    par : (Jb, P) parameters on the new metric.
    by_par : (P, P) derivative by the old parameters; the same for every item.
    by_link : (Jb, P, 2) derivative by A and by B.
    """

    par: FloatArray
    by_par: FloatArray
    by_link: FloatArray


def find_generators(model: ItemModel, n_cat: int) -> Generators:
    """Solve a model's equations at parameters drawn from its typical ranges; no solution raises ``ModelError``."""
    declared = model.params(n_cat, 1)
    rng, size = np.random.default_rng(0), len(declared)
    par = np.array([[rng.uniform(*p.typical) for p in declared] for _ in range(2 * (size + 1))])
    theta = PROBES[:, None]
    by_par, by_theta = model.d_par(theta, par, n_cat), model.d_theta(theta, par, n_cat)[..., 0]
    scale = _directions(by_par, by_theta * PROBES[:, None, None])
    shift = _directions(by_par, by_theta)
    if scale is None or shift is None:
        raise _no_metric(model)
    return Generators(*(_affine(par, rate, model) for rate in (scale, shift)))


def _directions(by_par: FloatArray, wanted: FloatArray) -> FloatArray | None:
    """Return (n, P) rates that solve by_par (Q, n, K, P) @ rate = -wanted (Q, n, K) item by item, or None."""
    rates = []
    for j in range(by_par.shape[1]):
        left, right = by_par[:, j].reshape(-1, by_par.shape[3]), -wanted[:, j].ravel()
        rate = np.linalg.lstsq(left, right, rcond=None)[0]
        if np.abs(left @ rate - right).max() > SOLVED:
            return None
        rates.append(rate)
    return np.array(rates)


def _affine(par: FloatArray, rate: FloatArray, model: ItemModel) -> FloatArray:
    """Return the (P + 1, P + 1) matrix with rate = matrix @ (par, 1); its last row is zero."""
    extended = np.column_stack([par, np.ones(len(par))])
    matrix = np.linalg.lstsq(extended, rate, rcond=None)[0].T
    if np.abs(extended @ matrix.T - rate).max() > SOLVED:
        raise _no_metric(model)
    whole = np.round(matrix)
    matrix = np.where(np.abs(matrix - whole) < NEAR_WHOLE, whole, matrix)
    return np.vstack([matrix, np.zeros(len(matrix) + 1)])


def _no_metric(model: ItemModel) -> ModelError:
    return ModelError(
        f"The {model.label} cannot be put on another metric: no change of its parameters has the effect of "
        "A theta + B. Leave its items out of the link, or calibrate both samples together with groups."
    )


def change_metric(block: ItemBlock, a: float, b: float) -> MetricChange:
    """Return a one-dimensional block's parameters on the metric theta' = A theta + B, with derivatives.

    Parameters
    ----------
    block : items of one model.
    a, b : scalars A > 0 and B, logits of the new metric.

    Equation: (par', 1) = exp(B G_shift) exp(log A G_scale) (par, 1); for slope-intercept models a' = a / A and
    d' = d - a B / A (Kolen & Brennan 2014, eq. 6.2 and 6.3, in slope-intercept form).

    Raises
    ------
    ModelError : the model's curves have no parameters on another metric.
    """
    generators = find_generators(block.model, block.n_cat)
    by_shift, by_scale = expm(b * generators.shift), expm(np.log(a) * generators.scale)
    whole = by_shift @ by_scale
    extended = np.column_stack([block.par, np.ones(len(block.par))])
    by_a = by_shift @ generators.scale @ by_scale / a
    by_b = generators.shift @ whole
    rates = np.stack([extended @ by_a.T, extended @ by_b.T], axis=2)
    changed = MetricChange((extended @ whole.T)[:, :-1], whole[:-1, :-1], rates[:, :-1])
    _check_curves(block, changed.par, a, b)
    return changed


def _check_curves(block: ItemBlock, par: FloatArray, a: float, b: float) -> None:
    theta = PROBES[:, None]
    before = block.model.log_prob(theta, block.par, block.n_cat)
    after = block.model.log_prob(a * theta + b, par, block.n_cat)
    if np.isnan(before).any():
        raise ModelError(
            f"An item of the {block.model.label} has parameters for which its curves are not defined (thresholds out "
            "of order, for example); calibrate it again before linking."
        )
    if not np.abs(np.exp(after) - np.exp(before)).max() <= SAME:
        raise _no_metric(block.model)

"""Moment methods: A and B from means and standard deviations of slopes and difficulties."""

from __future__ import annotations

import numpy as np

from talentassess.core.arrays import FloatArray
from talentassess.core.errors import CalibrationError
from talentassess.linking.common import ItemSet

STEP = 1e-6  # of the central difference of the closed-form transformation to difficulties


def match_moments(
    new: ItemSet, old: ItemSet, *, by_sd: bool, fix_scale: bool
) -> tuple[float, float, FloatArray, FloatArray]:
    """Return A, B and their derivatives (2, T) by the new and by the old calibration's stacked parameters.

    Parameters
    ----------
    new, old : the common items.
    by_sd : True for mean-sigma (Marco 1977), A = sd(b_old) / sd(b_new); False for mean-mean (Loyd & Hoover 1980),
        A = mean(a_new) / mean(a_old). In both B = mean(b_old) - A mean(b_new).
    fix_scale : True keeps A at 1.

    The means run over items for slopes and over all thresholds of all items for difficulties. Items without slope and
    difficulties (nominal), or mean slopes or spreads of zero, raise ``CalibrationError``.
    """
    sides = [_moments(side) for side in (new, old)]
    at = 2 if by_sd else 0
    (m_new, g_new), (m_old, g_old) = sides
    top, bottom = (m_old[at], m_new[at]) if by_sd else (m_new[at], m_old[at])
    if not (np.isfinite(top) and np.isfinite(bottom) and top > 0 and bottom > 0):
        what = "spread of the difficulties" if by_sd else "mean slope"
        raise CalibrationError(
            f"The {what} of the common items is {m_new[at]:.3g} (new), {m_old[at]:.3g} (old); both must lie above 0. "
            "Use method='haebara' or 'stocking-lord', or more common items."
        )
    a = 1.0 if fix_scale else float(top / bottom)
    b = float(m_old[1] - a * m_new[1])
    sign = 0.0 if fix_scale else -1.0 if by_sd else 1.0
    a_new, a_old = sign * a * g_new[at] / m_new[at], -sign * a * g_old[at] / m_old[at]
    by_new = np.stack([a_new, -a * g_new[1] - m_new[1] * a_new])
    by_old = np.stack([a_old, g_old[1] - m_new[1] * a_old])
    return a, b, by_new, by_old


def _moments(side: ItemSet) -> tuple[FloatArray, FloatArray]:
    """Return (3,) mean slope, mean and standard deviation of the difficulties, and their (3, T) derivatives."""
    size = len(side.estimates.matrix)
    slopes, difficulties = [], []
    slope_rows, rates = [], []
    for block, rows in zip(side.blocks, side.rows, strict=True):
        column, values, gradient = _difficulties(side, block.par, block_number=side.blocks.index(block))
        slopes.append(block.par[:, column])
        slope_rows.append(rows[:, column])
        difficulties.append(values.ravel())
        for j in range(len(rows)):
            rate = np.zeros((values.shape[1], size))
            rate[:, rows[j]] = gradient[j]
            rates.append(rate)
    b, by_par = np.concatenate(difficulties), np.concatenate(rates)
    centred = b - b.mean()
    sd = float(np.sqrt(np.mean(centred**2)))
    gradient = np.zeros((3, size))
    every = np.concatenate(slope_rows)
    gradient[0, every] = 1 / len(every)
    gradient[1] = by_par.mean(axis=0)
    if sd > 0:
        gradient[2] = centred @ by_par / (len(b) * sd)
    return np.array([float(np.concatenate(slopes).mean()), float(b.mean()), sd]), gradient


def _difficulties(side: ItemSet, par: FloatArray, block_number: int) -> tuple[int, FloatArray, FloatArray]:
    """Return the slope's column, difficulties (Jb, M) and their derivatives (Jb, M, P) of one block."""
    block = side.blocks[block_number]
    names = [p.name for p in block.model.params(block.n_cat, 1)]

    def values(at: FloatArray) -> FloatArray:
        shown = block.model.display(at, block.n_cat, 1)
        return np.array([v for name, v in shown.items() if name.startswith("b")]).reshape(-1, len(at)).T

    b = values(par)
    if "slope" not in names or not b.size or not np.isfinite(b).all():
        raise CalibrationError(
            f"Items of the {block.model.label} ('{side.items[block.items[0]]}') have no slope and difficulties to take "
            "means of. Use method='haebara', or leave them out with items=[...]."
        )
    unit = np.eye(par.shape[1]) * STEP
    columns = [(values(par + step) - values(par - step)) / (2 * STEP) for step in unit]
    return names.index("slope"), b, np.stack(columns, axis=2)

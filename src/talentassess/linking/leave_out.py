"""Haebara links without one item each: one pass over the curves serves all of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import FloatArray
from talentassess.core.errors import CalibrationError
from talentassess.linking.common import ItemSet
from talentassess.linking.criteria import SINGULAR, CurveLink, list_directions, match_curves, normal_grid
from talentassess.linking.estimates import Influence, pool

FAR_STEP = 0.01  # A or B, logits: after a Newton step this long what is left of the way is about its square, 1e-4


@dataclass(frozen=True, eq=False, slots=True)
class Coefficients:
    """A and B with their influences.

    Attributes
    ----------
    a, b : the coefficients.
    influences : how both depend on each calibration's estimates.
    """

    a: float
    b: float
    influences: tuple[Influence, ...]


def links_without_each(new: ItemSet, old: ItemSet, left_out: Collection[str], fix_scale: bool) -> list[Coefficients]:
    """Return, per common item, the Haebara link from all others but those left out.

    Parameters
    ----------
    new, old : the common items.
    left_out : items that serve in no link.
    fix_scale : True keeps A at 1.

    The criterion is a sum over items, so the equations of a link without one item are those of the link with it minus
    the item's share. They are solved by one Newton step from the common solution, or from scratch if that step is long.
    Items that do not determine a link raise ``CalibrationError``.
    """
    base = [item for item in old.items if item not in left_out]
    new_base, old_base = new.select(base), old.select(base)
    nodes = normal_grid(new_base, old_base, symmetric=True)
    whole = match_curves(new_base, old_base, nodes, summed=False, fix_scale=fix_scale)
    if not whole.status.ok:
        raise CalibrationError(
            f"The common items {', '.join(base[:8])} do not determine a link ({whole.status.value}). Give a link made "
            "from other items with link=ta.link_scales(...), or choose among the items with items=[...]."
        )
    value, by_link = _shares(new_base, old_base, whole)
    free = [1] if fix_scale else [0, 1]
    links = []
    for item in old.items:
        if item not in base:
            links.append(_influenced(new_base, old_base, whole))
            continue
        j = base.index(item)
        rest = (by_link.sum(axis=0) - by_link[j])[np.ix_(free, free)]
        step = np.full(2, np.inf)
        if np.linalg.cond(rest) < 1 / SINGULAR:
            step = np.zeros(2)
            step[free] = -np.linalg.solve(rest, (value.sum(axis=0) - value[j])[free])
        if np.abs(step).max() > FAR_STEP:
            keep = [other for other in base if other != item]
            links.append(_solved_without(new.select(keep), old.select(keep), whole, fix_scale))
            continue
        links.append(_stepped(new_base, old_base, j, whole, by_link, step, free))
    return links


def _shares(new: ItemSet, old: ItemSet, at: CurveLink) -> tuple[FloatArray, FloatArray]:
    """Return each item's share (J, 2) of the equations for A and B, and (J, 2, 2) of their derivative, at a link."""
    nodes = normal_grid(new, old, symmetric=True)
    parts = [one.equation(at.a, at.b) for one in list_directions(new, old, nodes, summed=False)]
    value, by_link = (np.sum([part[k] for part in parts], axis=0) for k in (0, 1))
    starts = new.starts[:-1]
    return np.add.reduceat(value, starts, axis=0), np.add.reduceat(by_link, starts, axis=0)


def _influenced(new: ItemSet, old: ItemSet, link: CurveLink) -> Coefficients:
    return Coefficients(link.a, link.b, pool([new.influence(link.by_new), old.influence(link.by_old)]))


def _solved_without(new: ItemSet, old: ItemSet, whole: CurveLink, fix_scale: bool) -> Coefficients:
    nodes = normal_grid(new, old, symmetric=True)
    start = (whole.a, whole.b)
    return _influenced(new, old, match_curves(new, old, nodes, summed=False, fix_scale=fix_scale, start=start))


def _stepped(
    new: ItemSet, old: ItemSet, j: int, whole: CurveLink, by_link: FloatArray, step: FloatArray, free: list[int]
) -> Coefficients:
    """Return the link one (2,) Newton step away, and its derivatives: those of the whole link without item ``j``'s."""
    total, rest = (m[np.ix_(free, free)] for m in (by_link.sum(axis=0), by_link.sum(axis=0) - by_link[j]))
    change = np.zeros((2, 2))
    change[np.ix_(free, free)] = np.linalg.solve(rest, total)
    parts = []
    for side, by_par in ((new, whole.by_new), (old, whole.by_old)):
        own = next(
            rows[block.items == j] for block, rows in zip(side.blocks, side.rows, strict=True) if j in block.items
        )
        without = change @ by_par
        without[:, own.ravel()] = 0.0
        parts.append(side.influence(without))
    return Coefficients(whole.a + float(step[0]), whole.b + float(step[1]), pool(parts))

"""Which statements could stand together in a block of three."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from talentassess.assembly.form import Statement
from talentassess.core.arrays import BoolArray, FloatArray, IntArray

NEIGHBOURS = 14  # per statement and kind: enough for near-equal desirability, few enough for the integer programme


@dataclass(frozen=True, eq=False, slots=True)
class Triplets:
    """Candidate blocks.

    Attributes
    ----------
    members : (T, 3) positions of statements, ascending; three different scales each.
    spread : (T,) range of desirability within the block, in points.
    mixed : (T,) True if not all three are keyed in the same direction.
    """

    members: IntArray
    spread: FloatArray
    mixed: BoolArray


def candidate_triplets(statements: Sequence[Statement], tolerance: float, *, mixed: bool) -> Triplets:
    """Return the candidate blocks around every statement.

    Each statement is combined with its nearest neighbours in desirability from other scales: those keyed alike, and if
    ``mixed`` also those keyed the other way. Blocks whose desirability spreads over more than ``tolerance`` points are
    left out.
    """
    desirability = np.array([s.desirability for s in statements])
    reverse = np.array([s.reverse for s in statements])
    scale = np.unique([s.scale for s in statements], return_inverse=True)[1]
    found: set[tuple[int, int, int]] = set()
    for i in range(len(statements)):
        distance = np.abs(desirability - desirability[i])
        others = (scale != scale[i]) & (distance <= tolerance + 1e-9)
        alike = _nearest(others & (reverse == reverse[i]), distance)
        found.update(_with(i, alike, scale))
        if mixed:
            opposite = _nearest(others & (reverse != reverse[i]), distance)
            found.update(_with(i, [*alike[: NEIGHBOURS // 2], *opposite[: NEIGHBOURS // 2]], scale))
    members: IntArray = np.array(sorted(found), dtype=np.int64).reshape(-1, 3)
    spread: FloatArray = np.ptp(desirability[members], axis=1)
    turned = reverse[members].sum(axis=1)
    keep = spread <= tolerance + 1e-9
    return Triplets(members[keep], spread[keep], ((turned > 0) & (turned < 3))[keep])


def _nearest(allowed: BoolArray, distance: FloatArray) -> list[int]:
    there = np.flatnonzero(allowed)
    return [int(j) for j in there[np.argsort(distance[there], kind="stable")[:NEIGHBOURS]]]


def _with(i: int, others: Sequence[int], scale: IntArray) -> set[tuple[int, int, int]]:
    triplets: set[tuple[int, int, int]] = set()
    for j, k in combinations(others, 2):
        if scale[j] != scale[k]:
            first, second, third = sorted((i, j, k))
            triplets.add((first, second, third))
    return triplets

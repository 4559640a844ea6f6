"""Answers as scoring needs them: codes in the calibration's item order and group numbers, copied only if need be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talentassess.core import kernel
from talentassess.core.arrays import CodeArray, FloatArray, IntArray, StatusArray
from talentassess.core.calibration import Calibration
from talentassess.core.errors import ScoringError
from talentassess.core.responses import MISSING, Responses
from talentassess.core.status import Status


@dataclass(frozen=True, eq=False, slots=True)
class Aligned:
    """Answers in the order of a calibration.

    Attributes
    ----------
    x : (N, J) codes, -1 missing; the answers' own array if they already stand in that order.
    group : (N,) group number of each person.
    """

    x: CodeArray
    group: IntArray

    def any_missing(self) -> bool:
        """Return whether any code is missing; reads them all."""
        return bool(kernel.any_missing(self.x).any())

    def columns(self, positions: IntArray) -> CodeArray:
        """Return (N, Jd) codes of the items at these positions (Jd,); a view if they are all items in order."""
        if np.array_equal(positions, np.arange(self.x.shape[1])):
            return self.x
        return np.ascontiguousarray(self.x[:, positions])


def align(calibration: Calibration, responses: Responses, partial: bool) -> Aligned:
    """Bring the answers into the calibration's item order; absent items become missing if that was asked for.

    ``ScoringError`` names items that the calibration does not have, absent items, other categories, unknown groups.
    """
    _check_items(calibration, responses, partial)
    x = responses.x
    if responses.item_ids != calibration.item_ids:
        place = {item: j for j, item in enumerate(calibration.item_ids)}
        x = np.full((responses.n_persons, len(place)), MISSING, dtype=np.int16)
        x[:, [place[item] for item in responses.item_ids]] = responses.x
    return Aligned(x, group_numbers(calibration, responses))


def _check_items(calibration: Calibration, responses: Responses, partial: bool) -> None:
    known = {item: j for j, item in enumerate(calibration.item_ids)}
    unknown = [f"item '{item}' is not in the calibration" for item in responses.item_ids if item not in known]
    other = [
        f"item '{item}' declares {k} categories; it was calibrated with {calibration.n_cat[known[item]]}"
        for item, k in zip(responses.item_ids, responses.n_cat, strict=True)
        if item in known and k != calibration.n_cat[known[item]]
    ]
    given = set(responses.item_ids)
    absent = [f"item '{item}' is missing from the answers" for item in known if item not in given]
    if unknown or other or (absent and not partial):
        raise ScoringError(
            "The answers do not fit the calibration. Select the calibrated items with responses.select([...]), declare "
            "the same categories, and for a shortened form call score(..., partial=True).",
            [*unknown, *other, *([] if partial else absent)],
        )


def group_numbers(calibration: Calibration, responses: Responses) -> IntArray:
    """Return (N,) the calibration's number of each person's group; an unknown label raises ``ScoringError``."""
    groups = calibration.latent.groups
    if len(groups) == 1:
        return np.zeros(responses.n_persons, dtype=np.int64)
    if responses.group is None:
        raise ScoringError(f"The calibration has the groups {', '.join(groups)}; the answers carry no group column.")
    unknown = sorted(set(responses.group) - set(groups))
    if unknown:
        raise ScoringError(f"Unknown group(s): {', '.join(unknown)}. The calibration has: {', '.join(groups)}.")
    number = {label: g for g, label in enumerate(groups)}
    return np.array([number[label] for label in responses.group], dtype=np.int64)


def count_answers(x: CodeArray, complete: bool) -> IntArray:
    """Return (N,) number of answers in codes x (N, Jd)."""
    if complete:
        return np.full(len(x), x.shape[1], dtype=np.int64)
    given = (x != MISSING).view(np.uint8)
    # sums of a narrow type are several times faster; 255 is the most that a byte holds
    counted: IntArray = given.sum(axis=1, dtype=np.uint8 if x.shape[1] < 256 else np.int64).astype(np.int64)
    return counted


def score_statuses(theta: FloatArray, n_answered: IntArray, calibrated: Status) -> StatusArray:
    """Return (N, D) statuses: no answers, an extreme pattern (theta not finite), else the calibration's own."""
    out: StatusArray = np.full(theta.shape, calibrated, dtype=np.object_)
    out[~np.isfinite(theta)] = Status.EXTREME_PATTERN
    out[n_answered == 0] = Status.NO_ANSWERS
    return out


def refuse_correlated(calibration: Calibration, what: str) -> None:
    """Raise ``ScoringError`` if dimensions are correlated: their posterior is joint, and ``what`` takes one by one."""
    if np.any(calibration.latent.cov[:, ~np.eye(len(calibration.dimensions), dtype=bool)]):
        raise ScoringError(
            f"{what} is offered for dimensions that were calibrated one by one; here "
            f"{', '.join(calibration.dimensions)} are correlated. Calibrate without correlations for it."
        )

"""What to know before using a link: how well the common items agree, how many there are, what their errors rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import BoolArray
from talentassess.core.calibration import Calibration
from talentassess.core.quadrature import grid, normal_log_weights
from talentassess.core.status import Finding, Severity
from talentassess.linking.common import ItemSet

FEW_ITEMS = 5  # common items: fewer and one drifting item moves the whole scale
SHARE = 0.20  # of either form: the usual least length of an anchor (Kolen & Brennan 2014, ch. 8)
LARGE_RMSD = 0.10  # of a category's probability: the size at which large-scale assessments start to look at an item


@dataclass(frozen=True, slots=True)
class ItemAgreement:
    """How far one common item's curves differ after linking, weighted over the old scale's reference group.

    Attributes
    ----------
    item, n_cat : id and number of categories.
    difference : mean of the old minus the moved new expected category code; NaN where categories are not ordered.
    rmsd : root mean square difference of the category probabilities, sqrt(sum_q w_q sum_k (difference)^2 / 2); for a
        dichotomous item that of the characteristic curve.
    """

    item: str
    n_cat: int
    difference: float
    rmsd: float


def item_agreement(new: ItemSet, old: ItemSet, a: float, b: float) -> tuple[ItemAgreement, ...]:
    """Compare the curves of the common items on the old scale, the new ones read at (theta - B) / A.

    Parameters
    ----------
    new, old : the common items.
    a, b : scalars A and B of the link.
    """
    theta = old.mean + old.sd * grid()
    weight = np.exp(normal_log_weights(theta, old.mean, old.sd))
    gap = old.probability(theta) - new.probability((theta - b) / a)
    square = np.add.reduceat(gap**2 @ weight, old.starts[:-1]) / 2
    score = np.add.reduceat(old.codes * (gap @ weight), old.starts[:-1])
    score = np.where(_ordered(new) & _ordered(old), score, np.nan)
    return tuple(
        ItemAgreement(item, int(k), float(d), float(np.sqrt(s)))
        for item, k, d, s in zip(old.items, old.n_cat, score, square, strict=True)
    )


def _ordered(side: ItemSet) -> BoolArray:
    out = np.zeros(len(side.items), dtype=bool)
    for block in side.blocks:
        out[block.items] = block.model.ordered
    return out


def review_link(
    calibrations: tuple[Calibration, Calibration],
    forms: tuple[ItemSet, ItemSet],
    common: tuple[ItemSet, ItemSet],
    agreement: Sequence[ItemAgreement],
) -> list[Finding]:
    """List what a reader must know about a link between a new and an old calibration.

    Parameters
    ----------
    calibrations : new and old.
    forms, common : all items of the dimension, and the common ones, new and old.
    agreement : of the common items.
    """
    findings = _unfinished(calibrations) + _errors(common) + _anchor_size(forms, common)
    if common[0].estimates.source == common[1].estimates.source:
        findings.append(
            Finding(
                "same_calibration", Severity.NOTE, "new, old", "Both sides are the same calibration.",
                "A = 1 and B = 0 without error follow from that; nothing was learned from data.",
            )
        )  # fmt: skip
    return findings + _other_models(common) + _apart(agreement)


def _unfinished(calibrations: tuple[Calibration, Calibration]) -> list[Finding]:
    return [
        Finding(
            "calibration_status", Severity.WARNING, f"{role} calibration",
            f"It ended: {calibration.status.value}.", calibration.status.remedy,
        )
        for role, calibration in zip(("new", "old"), calibrations, strict=True)
        if not calibration.status.ok
    ]  # fmt: skip


def _errors(common: tuple[ItemSet, ItemSet]) -> list[Finding]:
    """Say where the errors of A and B cannot be had, or are only roughly known."""
    findings = []
    for role, side in zip(("new", "old"), common, strict=True):
        rows = np.concatenate([r.ravel() for r in side.rows])
        used = np.flatnonzero(np.abs(side.estimates.matrix[rows]).sum(axis=0))
        variances = np.diag(side.estimates.cov)[used]
        if not np.isfinite(variances).all():
            findings.append(
                Finding(
                    "no_standard_errors", Severity.WARNING, f"{role} calibration",
                    "Some of its common items have no standard errors, so A and B have none.",
                    "Calibrate with se='oakes', and look for parameters at a bound.",
                )
            )  # fmt: skip
        elif not side.estimates.exact:
            findings.append(
                Finding(
                    "covariances_between_items", Severity.NOTE, f"{role} calibration",
                    "Its free values could not be told apart, so errors of different items count as independent.",
                    "The standard errors of A and B are rough; calibrate without the constraints to have them exact.",
                )
            )  # fmt: skip
        elif not len(used):
            findings.append(
                Finding(
                    "known_parameters", Severity.NOTE, f"{role} calibration",
                    "Its common items' parameters are fixed, so it adds no error to A and B.",
                    "Right if they define the scale; otherwise use the calibration in which they were estimated.",
                )
            )  # fmt: skip
    return findings


def _anchor_size(forms: tuple[ItemSet, ItemSet], common: tuple[ItemSet, ItemSet]) -> list[Finding]:
    n, longest = len(common[0].items), max(len(form.items) for form in forms)
    if n >= FEW_ITEMS and n >= SHARE * longest:
        return []
    return [
        Finding(
            "few_common_items", Severity.WARNING if n < FEW_ITEMS else Severity.NOTE, "common items",
            f"The link rests on {n} common item(s), {n / longest:.0%} of the longer form.",
            f"Use at least {FEW_ITEMS} and {SHARE:.0%} of the form, spread over content and difficulty.",
        )
    ]  # fmt: skip


def _other_models(common: tuple[ItemSet, ItemSet]) -> list[Finding]:
    models = [{side.items[j]: b.model.name for b in side.blocks for j in b.items} for side in common]
    other = [item for item in common[0].items if models[0][item] != models[1][item]]
    if not other:
        return []
    return [
        Finding(
            "other_model", Severity.NOTE, ", ".join(other[:5]),
            f"{len(other)} common item(s) were calibrated under another model on either side, "
            f"e.g. {models[0][other[0]]} (new) and {models[1][other[0]]} (old).",
            "Their curves are compared as they are; calibrate them alike to compare parameters.",
        )
    ]  # fmt: skip


def _apart(agreement: Sequence[ItemAgreement]) -> list[Finding]:
    return [
        Finding(
            "items_disagree", Severity.WARNING, one.item,
            f"Its curves differ by {one.rmsd:.2f} (root mean square of a probability) after linking.",
            "See ta.parameter_drift; look for changed wording, position or exposure before leaving it out with items=.",
        )
        for one in agreement
        if one.rmsd > LARGE_RMSD
    ]  # fmt: skip

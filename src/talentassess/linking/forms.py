"""Two forms laid out for equating: whose scores have a meaning, on which scale, and between which limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import FloatArray
from talentassess.core.calibration import Calibration
from talentassess.core.errors import CalibrationError
from talentassess.core.provenance import Provenance, hash_json
from talentassess.core.status import Finding, Severity, gravest_first
from talentassess.linking.common import ItemSet, item_set
from talentassess.linking.link import Link

FAR = 1e3  # logits: theta at which characteristic curves have reached their asymptotes
PROBES = np.linspace(-6.0, 6.0, 121)  # where expected scores must rise
LIMITS = (8.0, 16.0, 64.0, 256.0, FAR)
ROUNDS, SETTLED = 200, 1e-12
EDGE = 1e-6  # score points: closer to an asymptote a score has no finite theta in practice


@dataclass(frozen=True, eq=False, slots=True)
class FormPair:
    """Forms X and Y, and how theta on X's scale is read on Y's: A theta + B.

    Attributes
    ----------
    x, y : the items.
    a, b : coefficients; 1 and 0 where both are on one scale.
    link : where they come from, or None.
    simulated : whether any answer behind the forms was simulated.
    findings, provenance : of the pair.
    """

    x: ItemSet
    y: ItemSet
    a: float
    b: float
    link: Link | None
    findings: tuple[Finding, ...]
    provenance: Provenance


def pair_forms(
    form_x: Calibration,
    form_y: Calibration,
    items: tuple[Sequence[str] | None, Sequence[str] | None],
    dimension: str | None,
    link: Link | None,
) -> FormPair:
    """Lay two forms out side by side.

    Items that are not calibrated, not ordered, or with expected scores that fall raise ``CalibrationError``.
    """
    names = (link.new_dimension, link.old_dimension) if link is not None and dimension is None else (dimension,) * 2
    sides = []
    for calibration, chosen, name, role in zip((form_x, form_y), items, names, ("form X", "form Y"), strict=True):
        alone = len(calibration.dimensions) == 1
        whole = item_set(calibration, None if alone else name, role)
        sides.append(_chosen(whole, chosen, role))
    for side, role in zip(sides, ("form X", "form Y"), strict=True):
        _check_order(side, role)
    sources = {"form X": form_x.parameter_hash, "form Y": form_y.parameter_hash}
    options = {**sources, "link": "none: both on one scale" if link is None else f"A = {link.A!r}, B = {link.B!r}"}
    origins = [form_x.provenance, form_y.provenance, *([] if link is None else [link.provenance])]
    return FormPair(
        x=sides[0],
        y=sides[1],
        a=1.0 if link is None else link.A,
        b=0.0 if link is None else link.B,
        link=link,
        findings=gravest_first([*_unfinished(form_x, form_y), *_scale(form_x, form_y, link)]),
        provenance=Provenance(
            source=f"{form_x.provenance.source} -> {form_y.provenance.source}",
            data_hash=hash_json([*sources.values(), list(sides[0].items), list(sides[1].items)]),
            simulated=any(origin.simulated for origin in origins),
            options=options,
        ),
    )


def _chosen(whole: ItemSet, items: Sequence[str] | None, role: str) -> ItemSet:
    if items is None:
        return whole
    unknown = [item for item in items if item not in whole.items]
    if isinstance(items, str) or unknown or not items:
        found = f"'{items}'" if isinstance(items, str) else ", ".join(unknown) or "no items"
        raise CalibrationError(f"The items of {role} must be a list of calibrated item ids; found: {found}.")
    return whole.select(list(dict.fromkeys(items)))


def _check_order(side: ItemSet, role: str) -> None:
    """Refuse forms whose sum score does not rise with theta."""
    problems = [
        f"item '{side.items[j]}': categories of the {b.model.label} are not ordered, so its codes cannot be added up"
        for b in side.blocks
        if not b.model.ordered
        for j in b.items
    ]
    scores = side.score(side.mean + side.sd * PROBES)
    falls = np.flatnonzero(np.diff(scores, axis=1).min(axis=1) < -1e-12)
    problems += [f"item '{side.items[j]}': its expected score falls as theta rises" for j in falls]
    if problems:
        raise CalibrationError(
            f"Scores of {role} cannot be equated. Repair reversed keys, or choose items with items_x=, items_y=.",
            problems,
        )


def _unfinished(form_x: Calibration, form_y: Calibration) -> list[Finding]:
    return [
        Finding("calibration_status", Severity.WARNING, role, f"It ended: {c.status.value}.", c.status.remedy)
        for role, c in (("form X", form_x), ("form Y", form_y))
        if not c.status.ok
    ]


def _scale(form_x: Calibration, form_y: Calibration, link: Link | None) -> list[Finding]:
    """Say what the common scale rests on, where the calibrations do not show it themselves."""
    if form_x.parameter_hash == form_y.parameter_hash:
        return []
    if link is None:
        return [
            Finding(
                "scale_assumed", Severity.NOTE, "form X, form Y",
                "Two calibrations were given without a link: they are taken to be on one scale, errors independent.",
                "Give the calibration as it was and link=ta.link_scales(x, y), so that shared error is counted once.",
            )
        ]  # fmt: skip
    findings = [f for f in link.findings if f.severity is not Severity.NOTE]
    if (link.new_source, link.old_source) != (form_x.parameter_hash, form_y.parameter_hash):
        findings.append(
            Finding(
                "other_link", Severity.WARNING, "link", "The link was made from other calibrations than these forms.",
                "Right only if form X is on the link's new scale and form Y on its old one.",
            )
        )  # fmt: skip
    return findings


def score_range(side: ItemSet) -> tuple[float, float, int]:
    """Return the expected sum score at theta = -infinity and +infinity, and the largest possible score (scalars)."""
    low, high = side.score(np.array([-FAR, FAR])).sum(axis=0)
    return float(low), float(high), int(np.sum(side.n_cat - 1))


def theta_of_score(side: ItemSet, wanted: FloatArray) -> FloatArray:
    """Return theta (M,) at which the expected sum score is ``wanted`` (M,), each strictly between the asymptotes.

    Newton steps, halved where they leave the bracket.
    """
    limit = next((x for x in LIMITS if _reaches(side, x, wanted)), FAR)
    low, high = np.full(len(wanted), -limit), np.full(len(wanted), limit)
    theta = np.zeros(len(wanted))
    for _ in range(ROUNDS):
        gap = side.score(theta).sum(axis=0) - wanted
        low, high = np.where(gap < 0, theta, low), np.where(gap >= 0, theta, high)
        slope = side.codes @ side.slope(theta)
        step = theta - np.divide(gap, slope, out=np.full_like(gap, np.inf), where=slope > 0)
        new = np.where((step > low) & (step < high), step, (low + high) / 2)
        moved, theta = np.abs(new - theta).max(initial=0.0), new
        if moved < SETTLED:
            break
    return theta


def _reaches(side: ItemSet, limit: float, wanted: FloatArray) -> bool:
    low, high = side.score(np.array([-limit, limit])).sum(axis=0)
    return bool(np.all((wanted > low) & (wanted < high)))

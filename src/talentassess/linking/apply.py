"""Putting a calibration or scores on a link's old scale, errors included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from talentassess.core.arrays import FloatArray
from talentassess.core.calibration import Calibration, FreeParameters, Latent
from talentassess.core.errors import CalibrationError, ScoringError
from talentassess.core.likelihood import ItemBlock
from talentassess.core.provenance import Provenance
from talentassess.core.scores import Scores
from talentassess.core.status import Finding, Severity
from talentassess.linking.estimates import (
    Estimates,
    Influence,
    find_dimension,
    one_dimensional,
    read_estimates,
    total_cov,
)
from talentassess.linking.metric import change_metric
from talentassess.models import PLAIN, find_model

if TYPE_CHECKING:
    from talentassess.linking.link import Link

KEPT = 1e-8  # logits: how closely moved parameters must follow the calibration's ties


@dataclass(frozen=True, eq=False, slots=True)
class _Moved:
    """All blocks of a calibration after the change of metric.

    Attributes
    ----------
    blocks : with moved parameters.
    par : (T,) the stacked moved parameters.
    by_par : (T, T) derivative by the stacked parameters; by_link : (T, 2) by A and B.
    """

    blocks: tuple[ItemBlock, ...]
    par: FloatArray
    by_par: FloatArray
    by_link: FloatArray


def calibration_on_scale(calibration: Calibration, link: Link, *, uncertainty: bool) -> Calibration:
    """Return the calibration on the link's old scale; see ``Link.apply``."""
    d = find_dimension(calibration, _own_dimension(calibration, link), "new")
    estimates = read_estimates(calibration)
    moved = _move(calibration, d, estimates, link)
    free, cov = _free_values(calibration, d, estimates, moved, link, uncertainty)
    par_cov = _item_cov(calibration, estimates, moved, link, uncertainty)
    dimensions = tuple(link.old_dimension if k == d else name for k, name in enumerate(calibration.dimensions))
    if len(set(dimensions)) < len(dimensions):
        dimensions = calibration.dimensions
    return replace(
        calibration,
        blocks=moved.blocks,
        par_cov=par_cov,
        dimensions=dimensions,
        latent=_latent(calibration.latent, d, link.A, link.B),
        free=FreeParameters(calibration.free.names, free, cov, calibration.free.effects),
        audit=(*calibration.audit, _finding(link, uncertainty)),
        provenance=_provenance(calibration.provenance, link, uncertainty),
    )


def _own_dimension(calibration: Calibration, link: Link) -> str | None:
    return None if len(calibration.dimensions) == 1 else link.new_dimension


def _move(calibration: Calibration, d: int, estimates: Estimates, link: Link) -> _Moved:
    size, moving = len(estimates.matrix), one_dimensional(calibration, d)
    par, by_par, by_link = np.zeros(size), np.eye(size), np.zeros((size, 2))
    blocks = []
    for k, block in enumerate(calibration.blocks):
        rows = estimates.starts[k] + np.arange(block.par.size)
        values = block.par
        if k in moving:
            changed = change_metric(replace(block, dims=(0,)), link.A, link.B)
            values, by_link[rows] = changed.par, changed.by_link.reshape(-1, 2)
            by_par[np.ix_(rows, rows)] = np.kron(np.eye(len(block.items)), changed.by_par)
            block = _renamed(replace(block, par=values), link.A)
        par[rows] = values.ravel()
        blocks.append(block)
    return _Moved(tuple(blocks), par, by_par, by_link)


def _renamed(block: ItemBlock, a: float) -> ItemBlock:
    """Return the block under its model's name if the new unit breaks what its variant fixes (a Rasch slope of 1)."""
    variant = find_model(block.variant)[1] if block.variant else PLAIN
    return replace(block, variant=block.model.name) if variant.free_variance and a != 1.0 else block


def _shares(estimates: Estimates, link: Link, uncertainty: bool) -> tuple[FloatArray, list[Influence]]:
    """Return (2, F) how A and B depend on this calibration's free values, and on other calibrations."""
    own = np.zeros((2, estimates.matrix.shape[1]))
    if not uncertainty:
        return own, []
    others = []
    for one in link.influences:
        if one.source == estimates.source and one.gradient.shape == own.shape:
            own = own + one.gradient
        else:
            others.append(one)
    return own, others


def _spread(by_free: FloatArray, by_link: FloatArray, estimates: Estimates, others: Sequence[Influence]) -> FloatArray:
    """Return the (M, M) covariance of moved values from derivatives (M, F) by the free values and (M, 2) by A, B."""
    parts = [Influence(estimates.source, by_free, estimates.cov)]
    parts += [Influence(one.source, by_link @ one.gradient, one.cov) for one in others]
    return total_cov(parts, len(by_free))


def _item_cov(
    calibration: Calibration, estimates: Estimates, moved: _Moved, link: Link, uncertainty: bool
) -> tuple[FloatArray, ...]:
    """Return the (Jb, P, P) covariance of each item's moved parameters, block by block."""
    own, others = _shares(estimates, link, uncertainty)
    by_free = moved.by_par @ estimates.matrix + moved.by_link @ own
    out = []
    for k, block in enumerate(calibration.blocks):
        size = block.par.shape[1]
        rows = [estimates.rows(k, j, size) for j in range(len(block.items))]
        out.append(np.array([_spread(by_free[r], moved.by_link[r], estimates, others) for r in rows]))
    return tuple(out)


def _free_values(
    calibration: Calibration, d: int, estimates: Estimates, moved: _Moved, link: Link, uncertainty: bool
) -> tuple[FloatArray, FloatArray]:
    """Return the moved free values (F,) and their covariance (F, F).

    Item values are read off the moved parameters through the calibration's ties; means and log SDs of the latent
    distribution move as A mean + B and log SD + log A.
    """
    if not estimates.exact:
        raise CalibrationError(
            "The calibration ties parameters in a way its free values do not show, so they cannot be moved. Calibrate "
            "again without the constraints, or calibrate both samples together with groups."
        )
    used = np.flatnonzero(np.abs(estimates.matrix).sum(axis=0))
    values, inverse = calibration.free.values.copy(), np.linalg.pinv(estimates.matrix[:, used])
    values[used] = inverse @ (moved.par - _constants(calibration, estimates))
    _check_ties(calibration, estimates, moved, values)
    by_free, by_link = np.eye(len(values)), np.zeros((len(values), 2))
    by_free[used] = inverse @ moved.by_par @ estimates.matrix
    by_link[used] = inverse @ moved.by_link
    _move_latent(calibration, d, link, (values, by_free, by_link))
    own, others = _shares(estimates, link, uncertainty)
    return values, _spread(by_free + by_link @ own, by_link, estimates, others)


def _constants(calibration: Calibration, estimates: Estimates) -> FloatArray:
    """Return (T,) what the ties add to the free values' share of a parameter; 0 where the parameter is wholly fixed."""
    par = np.concatenate([block.par.ravel() for block in calibration.blocks])
    moving = np.abs(estimates.matrix).sum(axis=1) > 0
    constants: FloatArray = np.where(moving, par - estimates.matrix @ calibration.free.values, 0.0)
    return constants


def _check_ties(calibration: Calibration, estimates: Estimates, moved: _Moved, values: FloatArray) -> None:
    """Refuse ties that do not hold on the old scale, e.g. equal intercepts of items with different slopes."""
    moving = np.abs(estimates.matrix).sum(axis=1) > 0
    gap = np.abs(estimates.matrix @ values + _constants(calibration, estimates) - moved.par)[moving]
    if gap.size and not gap.max() < KEPT:
        raise CalibrationError(
            "The calibration holds parameters equal that differ on the old scale (equal intercepts of items with "
            "different slopes, for example). Calibrate again without that constraint, then link."
        )


def _move_latent(
    calibration: Calibration, d: int, link: Link, moved: tuple[FloatArray, FloatArray, FloatArray]
) -> None:
    """Fill in values (F,), and derivatives (F, F) and (F, 2), of estimated latent means and log standard deviations."""
    values, by_free, by_link = moved
    prefix = "" if len(calibration.dimensions) == 1 else f"{calibration.dimensions[d]}: "
    for k, name in enumerate(calibration.free.names):
        if name.startswith(f"{prefix}latent mean ["):
            by_link[k] = values[k], 1.0
            values[k], by_free[k, k] = link.A * values[k] + link.B, link.A
        elif name.startswith(f"{prefix}log latent sd ["):
            by_link[k] = 1 / link.A, 0.0
            values[k] += np.log(link.A)
        elif name.startswith(f"{prefix}beta ["):
            by_link[k] = values[k], 0.0
            values[k], by_free[k, k] = link.A * values[k], link.A


def _latent(latent: Latent, d: int, a: float, b: float) -> Latent:
    """Return the latent distribution with dimension ``d`` moved; scalars A and B."""
    mean, factor = latent.mean.copy(), np.ones(latent.mean.shape[1])
    mean[:, d] = a * mean[:, d] + b
    factor[d] = a
    # a shape is standardised, so it stays as it is
    moved = replace(latent, mean=mean, cov=latent.cov * np.outer(factor, factor))
    if latent.regression is None:
        return moved
    r = latent.regression
    column, intercept = factor[:, None], r.mean * factor
    intercept[:, d] += b
    regression = replace(r, beta=r.beta * column, se=r.se * column, mean=intercept, sd=r.sd * factor)
    return replace(moved, regression=regression)


def _finding(link: Link, uncertainty: bool) -> Finding:
    a, b = f"{link.A:.4f} (SE {link.se[0]:.4f})", f"{link.B:.4f} (SE {link.se[1]:.4f})"
    error = "carry the error of A and B" if uncertainty else "take A and B as known"
    return Finding(
        "linked", Severity.NOTE, link.old_dimension,
        f"Moved to another scale by A = {a}, B = {b} ({link.method}); standard errors {error}.",
        "Read parameters and scores on the old scale; common items keep this sample's estimates beside the old ones.",
    )  # fmt: skip


def _provenance(provenance: Provenance, link: Link, uncertainty: bool) -> Provenance:
    options = {
        **provenance.options,
        "linked to": link.old_source,
        "link": f"A = {link.A!r}, B = {link.B!r}, {link.method}",
        "link error": "included" if uncertainty else "left out",
    }
    return replace(provenance, options=options, simulated=provenance.simulated or link.provenance.simulated)


def scores_on_scale(scores: Scores, link: Link, *, uncertainty: bool) -> Scores:
    """Return scores on the link's old scale; see ``Link.apply_scores``."""
    if scores.metric != "logit":
        raise ScoringError(f"A link moves scores in logits of the latent metric; these are in '{scores.metric}'.")
    d = 0 if len(scores.dimensions) == 1 else scores.column(link.new_dimension)
    theta, cov = scores.theta.copy(), scores.cov.copy()
    theta[:, d] = link.A * theta[:, d] + link.B
    cov[:, d, :] *= link.A
    cov[:, :, d] *= link.A
    if uncertainty:
        at = np.column_stack([scores.theta[:, d], np.ones(len(theta))])
        finite = np.isfinite(at[:, 0])
        cov[finite, d, d] += np.einsum("na,ab,nb->n", at[finite], link.cov, at[finite])
    names = tuple(link.old_dimension if k == d else name for k, name in enumerate(scores.dimensions))
    return replace(
        scores,
        theta=theta,
        cov=cov,
        dimensions=names if len(set(names)) == len(names) else scores.dimensions,
        provenance=_provenance(scores.provenance, link, uncertainty),
    )

"""What a form measures along theta, with the uncertainty of its parameters: expected scores and information."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from talentassess.core.arrays import FloatArray
from talentassess.core.calibration import Calibration
from talentassess.core.derived import expected_score, item_information
from talentassess.core.errors import CalibrationError, ScoringError
from talentassess.core.likelihood import ItemBlock
from talentassess.core.parameter_map import map_parameters, require_covariance
from talentassess.core.provenance import Provenance
from talentassess.core.status import Finding, Severity, finding_columns
from talentassess.core.tabular import Columns, Tabular

REACH, POINTS = 4.0, 81
STEP = 1e-5  # of the central difference by theta of the analytic derivative by parameters


@dataclass(frozen=True, eq=False, kw_only=True)
class CharacteristicCurves(Tabular):
    """Expected scores, information and conditional standard errors along theta, with delta-method standard errors.

    The errors of the test's curves use the joint covariance of all estimates; they are NaN where it is not known, and a
    finding says so. Expected scores are NaN where categories are not ordered.

    Attributes
    ----------
    dimensions, item_ids : names; item_dimensions (J,) the dimension of each item.
    theta : (Q,) logits.
    expected, expected_se : (D, Q) test characteristic curve: expected sum of the codes, counted from 0.
    information, information_se : (D, Q) test information.
    item_expected, item_expected_se : (J, Q) expected code of each item.
    item_information, item_information_se : (J, Q).
    findings : what a reader must know.
    provenance : of the calibration.
    """

    dimensions: tuple[str, ...]
    item_ids: tuple[str, ...]
    item_dimensions: tuple[str, ...]
    theta: FloatArray
    expected: FloatArray
    expected_se: FloatArray
    information: FloatArray
    information_se: FloatArray
    item_expected: FloatArray
    item_expected_se: FloatArray
    item_information: FloatArray
    item_information_se: FloatArray
    findings: tuple[Finding, ...]
    provenance: Provenance

    def __repr__(self) -> str:
        return (
            f"CharacteristicCurves({', '.join(self.dimensions)}; {len(self.item_ids)} items, theta {self.theta[0]:g} "
            f"to {self.theta[-1]:g}; {self.provenance.label})"
        )

    @property
    def sem(self) -> FloatArray:
        """(D, Q) conditional standard error of measurement, 1 / sqrt(information); infinite where there is none."""
        with np.errstate(divide="ignore"):
            return 1 / np.sqrt(self.information)

    @property
    def sem_se(self) -> FloatArray:
        """(D, Q) standard error of ``sem``: SE(I) / (2 I^1.5)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            error: FloatArray = self.information_se / (2 * self.information**1.5)
        return error

    def tables(self) -> dict[str, Columns]:
        """Return ``tests`` (a row per dimension and theta), ``items`` (per item and theta) and ``findings``."""
        q = len(self.theta)
        return {
            "tests": {
                "dimension": np.repeat(self.dimensions, q),
                "theta": np.tile(self.theta, len(self.dimensions)),
                "expected score": self.expected.ravel(),
                "se(expected score)": self.expected_se.ravel(),
                "information": self.information.ravel(),
                "se(information)": self.information_se.ravel(),
                "sem": self.sem.ravel(),
                "se(sem)": self.sem_se.ravel(),
            },
            "items": {
                "item": np.repeat(self.item_ids, q),
                "dimension": np.repeat(self.item_dimensions, q),
                "theta": np.tile(self.theta, len(self.item_ids)),
                "expected score": self.item_expected.ravel(),
                "se(expected score)": self.item_expected_se.ravel(),
                "information": self.item_information.ravel(),
                "se(information)": self.item_information_se.ravel(),
            },
            "findings": finding_columns(self.findings),
        }


def characteristic_curves(calibration: Calibration, theta: ArrayLike | None = None) -> CharacteristicCurves:
    """Return expected scores, information and conditional standard errors, each with its standard error.

    Parameters
    ----------
    calibration : from ``calibrate``; without standard errors the curves have none, and a finding says so.
    theta : (Q,) logits; 81 points from -4 to 4 if left out.

    Raises
    ------
    ScoringError : theta is not one row of finite numbers; items that measure several dimensions.

    Equations: T = sum_j sum_k k P_jk; I = sum_j sum_k P_jk (d log P_jk / d theta)^2 (Samejima 1969); SE^2 = g' V g with
    V the covariance of the estimates and g the derivative of T or I by them (delta method; Thissen & Wainer 1990 for
    such envelopes). dT is analytic. dI = sum P_k (p_k s_k^2 + 2 s_k dp_k/d theta), with s and p the analytic
    derivatives of log P by theta and by a parameter; the last factor is a central difference of the analytic p.

    Examples
    --------
    >>> import talentassess as ta
    >>> answers = ta.simulate(ta.load_bank("service_core"), 300, seed=1).select(["ow_sr_01", "ow_sr_02", "ow_sr_03"])
    >>> curves = ta.characteristic_curves(ta.calibrate(answers), [-1, 0, 1])
    >>> curves.expected.shape, bool(np.all(np.diff(curves.expected) > 0)), bool(np.all(curves.sem_se > 0))
    ((1, 3), True, True)
    """
    line = np.linspace(-REACH, REACH, POINTS) if theta is None else np.asarray(theta, dtype=np.float64)
    if line.ndim != 1 or not len(line) or not np.isfinite(line).all():
        raise ScoringError(f"theta must be one row of finite numbers; found shape {line.shape}.")
    several = [calibration.item_ids[j] for block in calibration.blocks if len(block.dims) > 1 for j in block.items]
    if several:
        raise ScoringError(
            f"Curves along one theta need items that measure one dimension; {several[0]} measures several "
            f"({len(several)} item(s) in all)."
        )
    items = [_block_curves(block, line) for block in calibration.blocks]
    tests, findings = _test_curves(calibration, items, len(line))
    return CharacteristicCurves(
        dimensions=calibration.dimensions,
        item_ids=calibration.item_ids,
        item_dimensions=tuple(calibration.dimension_of(item) for item in calibration.item_ids),
        theta=line,
        expected=tests[0],
        expected_se=tests[1],
        information=tests[2],
        information_se=tests[3],
        **_item_curves(calibration, items),
        findings=(*findings, *_unordered(calibration)),
        provenance=calibration.provenance,
    )


@dataclass(frozen=True, eq=False, slots=True)
class _BlockCurves:
    """Curves of a block's items and their derivatives.

    Attributes
    ----------
    expected, information : (Q, Jb).
    d_expected, d_information : (Q, Jb, P) by the items' parameters.
    """

    expected: FloatArray
    information: FloatArray
    d_expected: FloatArray
    d_information: FloatArray


def _block_curves(block: ItemBlock, line: FloatArray) -> _BlockCurves:
    points, par, k = line[:, None], block.par, block.n_cat
    own = ItemBlock(block.model, k, block.items, par, (0,), block.variant)
    probability, slope = np.exp(own.log_prob(points)), own.d_theta(points)[..., 0]
    by_par = block.model.d_par(points, par, k)
    up, down = block.model.d_par(points + STEP, par, k), block.model.d_par(points - STEP, par, k)
    mixed = (up - down) / (2 * STEP)
    weight, s = probability[..., None], slope[..., None]
    out = _BlockCurves(
        expected=expected_score(own, points),
        information=item_information(own, points),
        d_expected=(weight * by_par * np.arange(k, dtype=np.float64)[:, None]).sum(axis=2),
        d_information=(weight * (by_par * s**2 + 2 * s * mixed)).sum(axis=2),
    )
    if not block.model.ordered:
        out.expected[:], out.d_expected[:] = np.nan, np.nan
    return out


def _item_curves(c: Calibration, items: list[_BlockCurves]) -> dict[str, FloatArray]:
    shape = (len(c.item_ids), len(items[0].expected))
    out = {
        name: np.empty(shape)
        for name in ("item_expected", "item_expected_se", "item_information", "item_information_se")
    }
    for block, curves, cov in zip(c.blocks, items, c.par_cov, strict=True):
        out["item_expected"][block.items] = curves.expected.T
        out["item_information"][block.items] = curves.information.T
        for name, gradient in (("expected", curves.d_expected), ("information", curves.d_information)):
            variance = np.einsum("qjp,jpr,qjr->jq", gradient, cov, gradient)
            out[f"item_{name}_se"][block.items] = np.sqrt(np.maximum(variance, 0.0))
    return out


def _test_curves(c: Calibration, items: list[_BlockCurves], n_points: int) -> tuple[list[FloatArray], list[Finding]]:
    """Return expected score, its SE, information, its SE, each (D, Q), and what is to be said about the errors."""
    shape = (len(c.dimensions), n_points)
    expected, information = np.zeros(shape), np.zeros(shape)
    owners = [block.dims[0] for block in c.blocks]
    for d, curves in zip(owners, items, strict=True):
        expected[d] += curves.expected.sum(axis=1)
        information[d] += curves.information.sum(axis=1)
    try:
        cov, layout = require_covariance(c), map_parameters(c)
    except CalibrationError as error:
        nothing = np.full(shape, np.nan)
        return [expected, nothing, information, nothing.copy()], [_without_errors(c, error)]
    errors = []
    for name in ("d_expected", "d_information"):
        by_estimates = np.zeros((*shape, len(cov)))
        for d, curves, matrix in zip(owners, items, layout.items, strict=True):
            gradient: FloatArray = getattr(curves, name)
            by_estimates[d] += gradient.reshape(n_points, -1) @ matrix
        variance = np.einsum("dqf,dqf->dq", by_estimates @ cov, by_estimates)
        errors.append(np.sqrt(np.maximum(variance, 0.0)))
    return [expected, errors[0], information, errors[1]], []


def _without_errors(c: Calibration, error: CalibrationError) -> Finding:
    return Finding(
        "curves_without_errors", Severity.WARNING, ", ".join(c.dimensions),
        "The curves of the test have no standard errors.", error.message,
    )  # fmt: skip


def _unordered(c: Calibration) -> list[Finding]:
    items = [c.item_ids[j] for block in c.blocks if not block.model.ordered for j in block.items]
    if not items:
        return []
    dims = sorted({c.dimensions[block.dims[0]] for block in c.blocks if not block.model.ordered})
    return [
        Finding(
            "no_expected_score", Severity.NOTE, ", ".join(dims),
            f"{len(items)} item(s) have categories without an order ({', '.join(items[:5])}"
            f"{' ...' if len(items) > 5 else ''}): their codes have no expected score.",
            "Read the information, or score the items with an ordered model.",
        )
    ]  # fmt: skip

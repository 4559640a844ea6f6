"""Two independent estimators side by side: ours and girth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talentassess.calibration import Fixed, calibrate
from talentassess.calibration.girth_engine import calibrate_with_girth
from talentassess.core.arrays import FloatArray
from talentassess.core.calibration import Calibration
from talentassess.core.likelihood import ItemBlock
from talentassess.core.provenance import Provenance
from talentassess.core.responses import Responses
from talentassess.core.tabular import Columns, Tabular


@dataclass(frozen=True, eq=False, kw_only=True)
class CrossCheck(Tabular):
    """Two estimators side by side.

    Attributes
    ----------
    parameters : (F,) names, e.g. ``q1.slope``.
    provenance : of the answers both were given.
    native, girth : (F,) estimates; native_se : (F,) standard errors of ours, 0 where fixed.
    """

    parameters: tuple[str, ...]
    native: FloatArray
    native_se: FloatArray
    girth: FloatArray
    provenance: Provenance

    @property
    def in_standard_errors(self) -> FloatArray:
        """(F,) differences in units of our standard error; NaN where the parameter is fixed."""
        free = self.native_se > 0
        difference = self.girth - self.native
        return np.divide(difference, self.native_se, out=np.full_like(difference, np.nan), where=free)

    @property
    def largest(self) -> float:
        """The largest difference in standard errors; below about 0.1 the two agree for all practical use."""
        return float(np.nanmax(np.abs(self.in_standard_errors)))

    def tables(self) -> dict[str, Columns]:
        """Return ``cross_check``: parameter, both estimates, difference, difference in standard errors."""
        return {
            "cross_check": {
                "parameter": list(self.parameters),
                "native": self.native,
                "se": self.native_se,
                "girth": self.girth,
                "difference": self.girth - self.native,
                "difference / se": self.in_standard_errors,
            }
        }


def cross_check(calibration: Calibration, responses: Responses) -> CrossCheck:
    """Calibrate the same answers with girth and put both results side by side.

    Persons with missing answers are left out of girth's run, so the two differ by more than rounding when there are
    many. A Rasch calibration is compared at a latent variance of 1, as girth fixes it. Models that girth does not
    have raise ``ModelError``.

    Examples
    --------
    >>> import talentassess as ta
    >>> answers = ta.simulate(ta.load_bank("service_core"), 400, seed=2).select(["ow_sr_01", "ow_sr_02", "ow_sr_03"])
    >>> check = ta.cross_check(ta.calibrate(answers), answers)
    >>> check.largest < 0.5
    True
    """
    complete = np.flatnonzero(responses.answered.all(axis=1))
    names = {calibration.item_ids[j]: b.variant or b.model.name for b in calibration.blocks for j in b.items}
    parts: dict[str, list[str]] = {}
    for item in calibration.item_ids:
        parts.setdefault(calibration.dimension_of(item), []).append(item)
    chosen = responses.select(calibration.item_ids).take(complete)
    theirs = calibrate_with_girth(chosen, names, parts)
    if set(names.values()) == {"rasch"}:
        calibration = calibrate(chosen, "2pl", dimensions=parts, constraints=[Fixed("slope", 1.0)])
    return CrossCheck(
        parameters=theirs.free.names,
        native=np.concatenate([_aligned(calibration, block) for block in theirs.blocks]),
        native_se=np.concatenate([_aligned(calibration, block, errors=True) for block in theirs.blocks]),
        girth=theirs.free.values,
        provenance=theirs.provenance,
    )


def _aligned(calibration: Calibration, other: ItemBlock, errors: bool = False) -> FloatArray:
    """Return our values (or standard errors) in the order of another block's stacked parameters."""
    rows = []
    for item in other.items:
        for block, cov in zip(calibration.blocks, calibration.par_cov, strict=True):
            at = np.flatnonzero(block.items == item)
            if len(at):
                rows.append(np.sqrt(np.diag(cov[at[0]])) if errors else block.par[at[0]])
    return np.concatenate(rows)

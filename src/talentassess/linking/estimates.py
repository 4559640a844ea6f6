"""A calibration's item parameters as functions of what was estimated, and variances that share estimates.

Every result of this package is a function of the estimates of one or more calibrations. Its covariance is a sum over
calibrations of G C G', with G the derivative by that calibration's free values and C their covariance; two results that
rest on the same calibration are correlated, and adding their derivatives before squaring gets that right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talentassess.calibration.constraints import list_entries, tie_parameters
from talentassess.core.arrays import FloatArray
from talentassess.core.calibration import Calibration
from talentassess.core.errors import CalibrationError
from talentassess.core.likelihood import ItemBlock
from talentassess.models import PLAIN, find_model

SAME_VALUE = 1e-9  # logits; a tied parameter equals its free value to rounding


@dataclass(frozen=True, eq=False, slots=True)
class Influence:
    """How some results depend on one calibration's estimates.

    Attributes
    ----------
    source : the calibration's parameter hash.
    gradient : (M, F) derivative of the M results by its free values.
    cov : (F, F) their covariance; NaN where it is not known.
    """

    source: str
    gradient: FloatArray
    cov: FloatArray


def pool(influences: Sequence[Influence]) -> tuple[Influence, ...]:
    """Add up the (M, F) derivatives that belong to the same calibration."""
    pooled: dict[str, Influence] = {}
    for one in influences:
        known = pooled.get(one.source)
        gradient = one.gradient if known is None else known.gradient + one.gradient
        pooled[one.source] = Influence(one.source, gradient, one.cov)
    return tuple(pooled.values())


def total_cov(influences: Sequence[Influence], size: int) -> FloatArray:
    """Return the (M, M) covariance of M results: sum of G C G' over calibrations; NaN if one C is not known.

    Free values that a result does not depend on may have an unknown error.
    """
    out = np.zeros((size, size))
    for one in pool(influences):
        used = np.flatnonzero(np.abs(one.gradient).sum(axis=0) != 0)
        g = one.gradient[:, used]
        out += g @ one.cov[np.ix_(used, used)] @ g.T
    return out


@dataclass(frozen=True, eq=False, slots=True)
class Estimates:
    """The stacked item parameters of a calibration, block after block, item after item.

    Attributes
    ----------
    source : the calibration's parameter hash.
    starts : per block, the first row of its parameters.
    matrix : (T, F) derivative of the stacked parameters by the free values; zero rows are fixed parameters.
    cov : (F, F) covariance of the free values.
    exact : False if covariances between items are not known and were taken as zero.
    """

    source: str
    starts: tuple[int, ...]
    matrix: FloatArray
    cov: FloatArray
    exact: bool

    def rows(self, block: int, row: int, size: int) -> slice:
        """Return the stacked rows of one item's ``size`` parameters."""
        first = self.starts[block] + row * size
        return slice(first, first + size)

    def influence(self, by_par: FloatArray) -> Influence:
        """Turn derivatives (M, T) by the stacked parameters into derivatives by the free values."""
        return Influence(self.source, by_par @ self.matrix, self.cov)


def read_estimates(calibration: Calibration) -> Estimates:
    """Return how a calibration's item parameters depend on its free values.

    The map is rebuilt from the models' own ties; where a user's constraints changed it, entry by entry from names,
    values and variances. Where neither explains a parameter, each item's own covariance is used and ``exact`` is False.
    """
    sizes = [block.par.size for block in calibration.blocks]
    starts = tuple(int(s) for s in np.cumsum([0, *sizes])[:-1])
    matrix = np.zeros((sum(sizes), calibration.n_free))
    explained = all(_explain(calibration, family, starts, matrix) for family in _families(calibration))
    source = calibration.parameter_hash
    if explained:
        return Estimates(source, starts, matrix, calibration.free.cov, True)
    return Estimates(source, starts, np.eye(sum(sizes)), _item_by_item(calibration), False)


def _families(calibration: Calibration) -> list[list[int]]:
    """Return the numbers of the blocks that may share values: one variant on one dimension."""
    families: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    for k, block in enumerate(calibration.blocks):
        families.setdefault((block.variant or block.model.name, block.dims), []).append(k)
    return list(families.values())


def _explain(calibration: Calibration, family: list[int], starts: Sequence[int], matrix: FloatArray) -> bool:
    """Fill in the (T, F) rows of some blocks; return whether every parameter was explained."""
    blocks = [calibration.blocks[k] for k in family]
    rows = np.concatenate([starts[k] + np.arange(calibration.blocks[k].par.size) for k in family])
    mapped = _by_model(calibration, blocks)
    if mapped is None:
        mapped = _by_entry(calibration, family)
    if mapped is None:
        return False
    matrix[rows] = mapped
    return True


def _positions(calibration: Calibration, block: ItemBlock) -> dict[str, int]:
    """Return the position of each free value by name, the dimension's prefix removed."""
    prefix = f"{calibration.dimensions[block.dims[0]]}: "
    return {name.removeprefix(prefix): k for k, name in enumerate(calibration.free.names)}


def _by_model(calibration: Calibration, blocks: Sequence[ItemBlock]) -> FloatArray | None:
    """Return the (T, F) map that the models' own ties make, or None if the free values have other names."""
    variants = [find_model(b.variant)[1] if b.variant else PLAIN for b in blocks]
    entries = list_entries(blocks, calibration.item_ids)
    tie = tie_parameters(blocks, variants, entries, ())
    position = _positions(calibration, blocks[0])
    if not set(tie.names) <= set(position):
        return None
    out = np.zeros((len(entries.items), calibration.n_free))
    out[:, [position[name] for name in tie.names]] = tie.matrix.toarray()
    return out


def _by_entry(calibration: Calibration, family: Sequence[int]) -> FloatArray | None:
    """Return the (T, F) map found parameter by parameter, or None if one has an error but no free value."""
    position = _positions(calibration, calibration.blocks[family[0]])
    blocks = [calibration.blocks[k] for k in family]
    entries = list_entries(blocks, calibration.item_ids)
    values = np.concatenate([b.par.ravel() for b in blocks])
    variances = np.concatenate([np.diagonal(calibration.par_cov[k], axis1=1, axis2=2).ravel() for k in family])
    out, composed = np.zeros((len(values), calibration.n_free)), _composed(calibration)
    for t, (item, param) in enumerate(zip(entries.items, entries.params, strict=True)):
        if (item, param.name) in composed:
            out[t] = composed[item, param.name]
            continue
        found = position.get(f"{item}.{param.name}")
        if found is None and variances[t] != 0:
            found = _shared(calibration, position, param.name, values[t], variances[t])
            if found is None:
                return None
        if found is not None:
            out[t, found] = 1.0
    return out


def _composed(calibration: Calibration) -> dict[tuple[str, str], FloatArray]:
    """Return the (F,) weights of the effects that each composed parameter is a sum of."""
    place = {name: k for k, name in enumerate(calibration.free.names)}
    out: dict[tuple[str, str], FloatArray] = {}
    for name, item, param, weight in calibration.free.effects:
        out.setdefault((item, param), np.zeros(calibration.n_free))[place[name]] = weight
    return out


def _shared(
    calibration: Calibration, position: dict[str, int], param: str, value: float, variance: float
) -> int | None:
    """Return the one free value that is common to several items and has this value and variance, or None."""
    near = [
        k
        for name, k in position.items()
        if name.startswith(f"{param} (common to")
        and abs(calibration.free.values[k] - value) < SAME_VALUE
        and (np.isnan(variance) or np.isclose(calibration.free.cov[k, k], variance, rtol=1e-6, atol=0.0))
    ]
    return near[0] if len(near) == 1 else None


def _item_by_item(calibration: Calibration) -> FloatArray:
    """Return (T, T) covariances of the stacked parameters, zero between items."""
    parts = [cov for block_cov in calibration.par_cov for cov in block_cov]
    out, first = np.zeros((sum(len(p) for p in parts),) * 2), 0
    for part in parts:
        out[first : first + len(part), first : first + len(part)] = part
        first += len(part)
    return out


def find_dimension(calibration: Calibration, dimension: str | None, role: str) -> int:
    """Return the number of a dimension; no name among several, or an unknown one, raises ``CalibrationError``."""
    if dimension is None and len(calibration.dimensions) == 1:
        return 0
    if dimension not in calibration.dimensions:
        raise CalibrationError(
            f"Name one dimension of the {role} calibration with dimension=...: {', '.join(calibration.dimensions)} "
            f"(found: {dimension})."
        )
    return calibration.dimensions.index(dimension)


def one_dimensional(calibration: Calibration, d: int) -> tuple[int, ...]:
    """Return the numbers of the blocks on dimension ``d`` alone.

    Items that measure several dimensions at once raise ``CalibrationError``.
    """
    several = [b for b in calibration.blocks if d in b.dims and len(b.dims) > 1]
    if several:
        item = calibration.item_ids[several[0].items[0]]
        raise CalibrationError(
            f"Item '{item}' measures {len(several[0].dims)} dimensions at once; links and equating take one at a time."
        )
    return tuple(k for k, b in enumerate(calibration.blocks) if b.dims == (d,))

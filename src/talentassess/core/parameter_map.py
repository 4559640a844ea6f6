"""From the estimated parameters to the items: how every item parameter moves when an estimate moves.

A calibration keeps its estimates by name (``q1.slope``, ``slope (common to 5 items: q1 ... q5)``, ``latent mean [b]``)
together with their joint covariance. Whatever carries that covariance on (scores, curves) needs the linear map from
the estimates to the items' parameters; it is laid out here from the names and checked against the covariances that
the calibration keeps for every single item.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.calibration import Calibration, Latent
from talentassess.core.errors import CalibrationError
from talentassess.core.likelihood import ItemBlock

COMMON = re.compile(r"(?P<param>.+) \(common to (?P<n>\d+) items: (?P<first>.+) \.\.\. (?P<last>.+)\)")
LATENT = re.compile(r"(?P<kind>latent mean|log latent sd) \[(?P<group>.+)\]")
AGREEMENT = 1e-8  # relative: both covariances come from the same matrix, so they differ by rounding only


@dataclass(frozen=True, eq=False, slots=True)
class ParameterMap:
    """Derivatives of all parameters by the F estimates.

    Attributes
    ----------
    items : one sparse (Jb * P, F) array per block: derivatives of its items' parameters, item by item.
    mean, log_sd : (G, D, F) derivatives of the latent means and of the logs of the latent standard deviations.
    """

    items: tuple[sparse.csr_array, ...]
    mean: FloatArray
    log_sd: FloatArray


def map_parameters(calibration: Calibration) -> ParameterMap:
    """Lay out how item and latent parameters follow from the estimates.

    Returns
    -------
    ParameterMap; with no estimates (F = 0) all derivatives are empty.

    Raises
    ------
    CalibrationError : a name that cannot be placed, or a map that contradicts the items' own covariances.
    """
    size, shape = len(calibration.free.names), calibration.latent.mean.shape
    drawn = _Draft(
        items=[sparse.lil_array((block.par.size, size)) for block in calibration.blocks],
        mean=np.zeros((*shape, size)),
        log_sd=np.zeros((*shape, size)),
    )
    strange = [name for f, name in enumerate(calibration.free.names) if not _place(calibration, drawn, f, name)]
    _place_designs(calibration, drawn)
    if strange:
        raise CalibrationError(
            "The joint covariance of the parameters cannot be used: the meaning of some estimates is not known here.",
            [f"'{name}' belongs to no item and no group of the calibration" for name in strange],
        )
    out = ParameterMap(tuple(sparse.csr_array(part) for part in drawn.items), drawn.mean, drawn.log_sd)
    _check(calibration, out)
    return out


def require_covariance(calibration: Calibration) -> FloatArray:
    """Return the (F, F) covariance of the estimates; ``CalibrationError`` if it is missing, in whole or in part."""
    cov = calibration.free.cov
    bad = np.flatnonzero(~np.isfinite(np.diag(cov)))
    if not len(calibration.free.names):
        raise CalibrationError(
            "The calibration has no estimated parameters, so it does not say how uncertain they are. Use one made by "
            "calibrate with standard errors."
        )
    if len(bad):
        raise CalibrationError(
            f"The calibration has no standard errors for {len(bad)} of {len(cov)} estimates, so their uncertainty "
            "cannot be carried on. Calibrate with se='oakes', and repair the items named in the audit.",
            [f"no standard error: {calibration.free.names[f]}" for f in bad],
        )
    return cov


def moved(calibration: Calibration, layout: ParameterMap, shift: FloatArray) -> Calibration:
    """Return the calibration with its estimates moved by ``shift`` (F,): item parameters and latent distribution."""
    blocks = tuple(
        replace(block, par=block.par + (part @ shift).reshape(block.par.shape))
        for block, part in zip(calibration.blocks, layout.items, strict=True)
    )
    latent, scale = calibration.latent, np.exp(layout.log_sd @ shift)
    cov = latent.cov * scale[:, :, None] * scale[:, None, :]
    return replace(calibration, blocks=blocks, latent=Latent(latent.groups, latent.mean + layout.mean @ shift, cov))


@dataclass(frozen=True, eq=False, slots=True)
class _Draft:
    """A ParameterMap that is being filled."""

    items: list[sparse.lil_array]
    mean: FloatArray
    log_sd: FloatArray


def _place(c: Calibration, out: _Draft, f: int, name: str) -> bool:
    """Enter one estimate into the map; False if its name means nothing here. Designs are entered afterwards."""
    if parts := [part[1:] for part in c.free.effects if part[0] == name]:
        return all(_place_part(c, out, f, *part) for part in parts)
    dims, bare = _dimension(c, name)
    if latent := LATENT.fullmatch(bare):
        if latent["group"] not in c.latent.groups:
            return False
        target = out.mean if latent["kind"] == "latent mean" else out.log_sd
        target[c.latent.groups.index(latent["group"]), dims, f] = 1.0
        return True
    if common := COMMON.fullmatch(bare):
        return _place_common(c, out, f, dims, common)
    item, _, param = bare.rpartition(".")
    if item not in c.item_ids:
        return False
    b, row = _row_of(c, item)
    names = _param_names(c.blocks[b])
    if param in names and not _designed(c.blocks[b]):
        out.items[b][row * len(names) + names.index(param), f] = 1.0
        return True
    return _designed(c.blocks[b])


def _place_part(c: Calibration, out: _Draft, f: int, item: str, param: str, weight: float) -> bool:
    """Enter the weight of an effect in one parameter of an item; False if there is no such parameter."""
    if item not in c.item_ids:
        return False
    b, row = _row_of(c, item)
    names = _param_names(c.blocks[b])
    if param not in names:
        return False
    out.items[b][row * len(names) + names.index(param), f] = weight
    return True


def _dimension(c: Calibration, name: str) -> tuple[IntArray, str]:
    """Split 'scale: name' into the positions of the dimensions meant and the bare name; an item's name is bare."""
    for d, dimension in enumerate(c.dimensions):
        if name.startswith(f"{dimension}: ") and name.rpartition(".")[0] not in c.item_ids:
            return np.array([d]), name.removeprefix(f"{dimension}: ")
    return np.arange(len(c.dimensions)), name


def _place_common(c: Calibration, out: _Draft, f: int, dims: IntArray, common: re.Match[str]) -> bool:
    """Enter a shared estimate: the parameters of that name that have its value and no estimate of their own."""
    if common["first"] not in c.item_ids:
        return False
    if _designed(c.blocks[_row_of(c, common["first"])[0]]):
        return True
    value, found = c.free.values[f], 0
    for block, part in zip(c.blocks, out.items, strict=True):
        names = _param_names(block)
        if common["param"] not in names or block.dims[0] not in dims or _designed(block):
            continue
        p = names.index(common["param"])
        own = [f"{c.item_ids[j]}.{common['param']}" in c.free.names for j in block.items]
        shared = (block.par[:, p] == value) & ~np.array(own)
        part[np.flatnonzero(shared) * len(names) + p, f] = 1.0
        found += int(shared.sum())
    return found == int(common["n"])


def _place_designs(c: Calibration, out: _Draft) -> None:
    """Enter the estimates of blocks with a design (rating scale), whose columns stand in order among the estimates."""
    for b, block in enumerate(c.blocks):
        if not _designed(block):
            continue
        columns = [f for f, name in enumerate(c.free.names) if _of_design(c, block, name)]
        design = block.model.variants[block.variant].design
        if design is not None:
            matrix = design(len(block.items), block.n_cat)[0]
            matrix = matrix[:, np.abs(matrix).sum(axis=0) > 0]
            if matrix.shape[1] == len(columns):
                out.items[b][:, columns] = matrix


def _of_design(c: Calibration, block: ItemBlock, name: str) -> bool:
    bare = _dimension(c, name)[1]
    common = COMMON.fullmatch(bare)
    item = common["first"] if common else bare.rpartition(".")[0]
    return item in c.item_ids and c.item_ids.index(item) in block.items


def _designed(block: ItemBlock) -> bool:
    variant = block.model.variants.get(block.variant)
    return variant is not None and variant.design is not None


def _row_of(c: Calibration, item: str) -> tuple[int, int]:
    position = c.item_ids.index(item)
    b = next(b for b, block in enumerate(c.blocks) if position in block.items)
    return b, int(np.flatnonzero(c.blocks[b].items == position)[0])


def _param_names(block: ItemBlock) -> list[str]:
    return [p.name for p in block.model.params(block.n_cat, len(block.dims))]


def _check(c: Calibration, out: ParameterMap) -> None:
    """Hold the map against the covariance that the calibration keeps for each item."""
    wrong: list[str] = []
    for block, part, known in zip(c.blocks, out.items, c.par_cov, strict=True):
        wrong += _contradictions([c.item_ids[j] for j in block.items], part, c.free.cov, known)
    if wrong:
        raise CalibrationError(
            "The joint covariance of the parameters does not agree with the items' own covariances, so it cannot be "
            "used. Calibrate again with standard errors.",
            wrong,
        )


def _contradictions(items: Sequence[str], part: sparse.csr_array, cov: FloatArray, known: FloatArray) -> list[str]:
    found, n_par = [], known.shape[1]
    for row, (item, expected) in enumerate(zip(items, known, strict=True)):
        rows = part[row * n_par : (row + 1) * n_par]
        used = np.unique(rows.indices)
        matrix: FloatArray = rows[:, used].toarray()
        own = matrix @ cov[np.ix_(used, used)] @ matrix.T
        scale = max(float(np.abs(expected).max(initial=0.0)), 1e-12)
        if not np.allclose(own, expected, rtol=0.0, atol=AGREEMENT * scale, equal_nan=True):
            found.append(f"item '{item}'")
    return found

"""A calibrated form: item parameters with their uncertainty, latent distribution, status, audit and provenance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.covariates import LatentRegression
from talentassess.core.errors import CalibrationError
from talentassess.core.latent_shape import FAMILIES, LatentShape
from talentassess.core.likelihood import ItemBlock
from talentassess.core.model import loading_params
from talentassess.core.provenance import Provenance, hash_arrays
from talentassess.core.status import Finding, Status, finding_columns
from talentassess.core.tabular import Columns, Tabular

DRAWN = 121  # points at which a density is tabulated


@dataclass(frozen=True, eq=False, slots=True)
class Latent:
    """Latent distribution, one per group; normal unless a shape is given.

    Attributes
    ----------
    groups : labels; the first is the reference group.
    mean : (G, D) logits.
    cov : (G, D, D) squared logits.
    shapes : (D,) shape of each dimension, None for a normal one; empty if all are normal.
    regression : on covariates, or None; ``mean`` and ``cov`` are then those of the calibration sample as a whole.
    """

    groups: tuple[str, ...]
    mean: FloatArray
    cov: FloatArray
    shapes: tuple[LatentShape | None, ...] = ()
    regression: LatentRegression | None = None

    def shape_of(self, dimension: int) -> LatentShape | None:
        """Return the shape of one dimension, None for the normal."""
        return self.shapes[dimension] if self.shapes else None


@dataclass(frozen=True, eq=False, slots=True)
class FreeParameters:
    """The parameters that were estimated, and how certain they are.

    Attributes
    ----------
    names : (F,) e.g. ``q1.slope``; tied ones carry the name of what they share.
    values : (F,) estimates.
    cov : (F, F) covariance matrix of the estimates, NaN if standard errors were not asked for.
    effects : (name, item, parameter, weight) of each part of a composed parameter; empty without ``Composed``.
    """

    names: tuple[str, ...]
    values: FloatArray
    cov: FloatArray
    effects: tuple[tuple[str, str, str, float], ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Calibration(Tabular):
    """Result of ``calibrate``.

    Attributes
    ----------
    item_ids, n_cat : the form, in order; n_cat (J,).
    dimensions : names of the D latent dimensions (scales, competencies).
    blocks : the items by model; together they cover every item once.
    par_cov : one (Jb, P, P) array per block: covariance of each item's parameters; 0 where fixed, NaN if not computed.
    latent : the latent distribution.
    free : the estimated parameters and their covariance.
    loglik : marginal log-likelihood at the estimates (without priors).
    n_persons : number of persons with at least one answer.
    n_steps : passes over the data (E-steps).
    status : how the estimation ended; look at it before the numbers.
    trace : per dimension, the objective (log-likelihood plus log priors) after each step.
    audit : findings before and after fitting.
    provenance : data, options and version.
    """

    item_ids: tuple[str, ...]
    n_cat: IntArray
    dimensions: tuple[str, ...]
    blocks: tuple[ItemBlock, ...]
    par_cov: tuple[FloatArray, ...]
    latent: Latent
    free: FreeParameters
    loglik: float
    n_persons: int
    n_steps: int
    status: Status
    trace: tuple[tuple[float, ...], ...]
    audit: tuple[Finding, ...]
    provenance: Provenance

    def __repr__(self) -> str:
        models = "/".join(dict.fromkeys(block.variant or block.model.name for block in self.blocks))
        return (
            f"Calibration({models}, {len(self.item_ids)} items, {len(self.dimensions)} dimension(s), "
            f"{self.n_persons} persons, logLik {self.loglik:.3f}, {self.status.value}, {self.provenance.label})"
        )

    @property
    def parameter_hash(self) -> str:
        """Hash of what scores rest on: item parameters and latent distribution."""
        latent = [self.latent.mean, self.latent.cov]
        for d, shape in enumerate(self.latent.shapes):
            if shape is not None:
                latent += [np.array([d, FAMILIES.index(shape.family)], dtype=np.float64), shape.values]
        if self.latent.regression is not None:
            latent += [self.latent.regression.beta, self.latent.regression.mean, self.latent.regression.sd]
        return hash_arrays(*(block.par for block in self.blocks), *latent)

    @property
    def n_free(self) -> int:
        """Number of estimated parameters."""
        return len(self.free.names)

    @property
    def aic(self) -> float:
        """Akaike information criterion, 2 F - 2 logLik."""
        return 2 * self.n_free - 2 * self.loglik

    @property
    def bic(self) -> float:
        """Bayesian information criterion, F log N - 2 logLik."""
        return float(self.n_free * np.log(self.n_persons) - 2 * self.loglik)

    @property
    def hq(self) -> float:
        """Hannan-Quinn criterion, 2 F log log N - 2 logLik."""
        return float(2 * self.n_free * np.log(np.log(self.n_persons)) - 2 * self.loglik)

    @property
    def items(self) -> Columns:
        """The item table: model, dimension, parameters with standard errors, difficulties; one row per item."""
        return self.tables()["items"]

    def tables(self) -> dict[str, Columns]:
        """Return ``items`` (a row per item), ``parameters`` (a row per estimate), ``latent``, ``audit``.

        There is also ``density`` (theta, density, normal density) if the trait has a shape of its own, ``regression``
        (a row per coefficient) if it depends on covariates, and ``correlations`` (a row per group and pair) if
        dimensions are correlated.
        """
        together = _correlation_table(self)
        tables: dict[str, Columns] = {
            "items": _item_table(self),
            "parameters": {
                "parameter": list(self.free.names),
                "estimate": self.free.values,
                "se": np.sqrt(np.diag(self.free.cov)),
            },
            "latent": _latent_table(self),
            "audit": finding_columns(self.audit),
            **({"correlations": together} if together else {}),
        }
        if self.latent.shapes:
            tables["density"] = _density_table(self)
        if self.latent.regression is not None:
            tables["regression"] = self.latent.regression.table(self.dimensions)
        return tables

    def dimension_of(self, item: str) -> str:
        """Return the name of the (first) dimension an item measures; an unknown item raises ``CalibrationError``."""
        if item not in self.item_ids:
            raise CalibrationError(f"Unknown item '{item}'. Calibrated: {', '.join(self.item_ids[:12])} ...")
        position = self.item_ids.index(item)
        block = next(b for b in self.blocks if position in b.items)
        return self.dimensions[block.dims[0]]


def display_parameters(block: ItemBlock, cov: FloatArray) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return a block's read-friendly parameters with delta-method errors: name -> (value (Jb,), se (Jb,)).

    Parameters
    ----------
    block : the items.
    cov : (Jb, P, P) covariance of each item's parameters.

    Equation: var(f) = grad(f)' cov grad(f); the gradient by central differences of the closed-form transformation.
    """
    n_dims, step = len(block.dims), 1e-6
    shown = block.model.display(block.par, block.n_cat, n_dims)
    gradient = {name: np.zeros(block.par.shape) for name in shown}
    for p in range(block.par.shape[1]):
        shift = np.zeros(block.par.shape[1])
        shift[p] = step
        up = block.model.display(block.par + shift, block.n_cat, n_dims)
        down = block.model.display(block.par - shift, block.n_cat, n_dims)
        for name in shown:
            gradient[name][:, p] = (up[name] - down[name]) / (2 * step)
    variance = {name: np.einsum("jp,jpr,jr->j", g, cov, g) for name, g in gradient.items()}
    return {name: (shown[name], np.sqrt(np.maximum(variance[name], 0.0))) for name in shown}


def _item_table(c: Calibration) -> Columns:
    rows: list[dict[str, object]] = [{} for _ in c.item_ids]
    # slopes carry the number of their dimension in the form where any item measures several, else the item's own "a"
    within = any(len(block.dims) > 1 for block in c.blocks)
    for block, cov in zip(c.blocks, c.par_cov, strict=True):
        se = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
        dims, n_dims = (block.dims, len(c.dimensions)) if within else ((0,), 1)
        symbols = [p.symbol for p in loading_params(block.model, block.n_cat, dims, n_dims)]
        columns = {symbol: (block.par[:, p], se[:, p]) for p, symbol in enumerate(symbols)}
        columns |= display_parameters(block, cov)
        for row, item in enumerate(block.items):
            rows[item] = _item_cells(c, block, int(item)) | {
                key: float(value[row])
                for name, (estimate, error) in columns.items()
                for key, value in ((name, estimate), (f"se({name})", error))
            }
    # longest first, so that d5 of a long item stands behind d4 and not behind the b of shorter items
    longest_first = sorted(rows, key=len, reverse=True)
    names = list(dict.fromkeys(name for cells in longest_first for name in cells))
    return {name: [cells.get(name) for cells in rows] for name in names}


def _item_cells(c: Calibration, block: ItemBlock, item: int) -> dict[str, object]:
    return {
        "item": c.item_ids[item],
        "dimension": "+".join(c.dimensions[d] for d in block.dims),
        "model": block.variant or block.model.name,
        "categories": block.n_cat,
    }


def _latent_table(c: Calibration) -> Columns:
    cells = [(g, d) for g in range(len(c.latent.groups)) for d in range(len(c.dimensions))]
    return {
        "group": [c.latent.groups[g] for g, _ in cells],
        "dimension": [c.dimensions[d] for _, d in cells],
        "mean": [float(c.latent.mean[g, d]) for g, d in cells],
        "sd": [float(np.sqrt(c.latent.cov[g, d, d])) for g, d in cells],
        **_shape_columns(c, [d for _, d in cells]),
    }


def correlation_name(first: str, second: str, group: str) -> str:
    """Return how the correlation of two dimensions, in their order, is called among the free values."""
    return f"correlation {first} ~ {second} [{group}]"


def _correlation_table(c: Calibration) -> Columns:
    """Return the correlations with their standard errors (NaN where none was estimated); empty if all are zero."""
    sd = np.sqrt(np.diagonal(c.latent.cov, axis1=1, axis2=2))
    correlation = c.latent.cov / (sd[:, :, None] * sd[:, None, :])
    cells = [(g, a, b) for g in range(len(sd)) for a in range(sd.shape[1]) for b in range(a + 1, sd.shape[1])]
    if not any(correlation[cell] for cell in cells):
        return {}
    error = dict(zip(c.free.names, np.sqrt(np.diag(c.free.cov)), strict=True))
    names = [correlation_name(c.dimensions[a], c.dimensions[b], c.latent.groups[g]) for g, a, b in cells]
    return {
        "group": [c.latent.groups[g] for g, _, _ in cells],
        "dimension": [c.dimensions[a] for _, a, _ in cells],
        "with": [c.dimensions[b] for _, _, b in cells],
        "correlation": [float(correlation[cell]) for cell in cells],
        "se": [float(error.get(name, np.nan)) for name in names],
    }


def _shape_columns(c: Calibration, dimensions: list[int]) -> Columns:
    """Return density, skewness and excess kurtosis per row; nothing if every dimension is normal."""
    if not c.latent.shapes:
        return {}
    shapes = [c.latent.shape_of(d) for d in dimensions]
    moments = [(0.0, 0.0) if shape is None else shape.skewness_kurtosis() for shape in shapes]
    return {
        "density": ["normal" if shape is None else shape.name for shape in shapes],
        "skewness": [skewness for skewness, _ in moments],
        "excess kurtosis": [kurtosis for _, kurtosis in moments],
    }


def _density_table(c: Calibration) -> Columns:
    """Return the reference group's density at 121 points of each dimension with a shape, and the normal's."""
    columns: dict[str, list[object]] = {"dimension": [], "theta": [], "density": [], "normal density": []}
    t = np.linspace(-4.0, 4.0, DRAWN)
    for d, name in enumerate(c.dimensions):
        shape = c.latent.shape_of(d)
        if shape is not None:
            mean, sd = float(c.latent.mean[0, d]), float(np.sqrt(c.latent.cov[0, d, d]))
            columns["dimension"] += [name] * DRAWN
            columns["theta"] += (mean + sd * t).tolist()
            columns["density"] += shape.density(mean + sd * t, mean, sd).tolist()
            columns["normal density"] += (np.exp(-0.5 * t**2) / (sd * np.sqrt(2 * np.pi))).tolist()
    return columns

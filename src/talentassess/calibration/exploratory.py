"""Exploratory dimensions: how many traits the answers need, and which items go with which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import qr

from talentassess.calibration.constraints import Fixed
from talentassess.calibration.inputs import name_models
from talentassess.calibration.loadings import LoadingProblem, build_loading_problem, free_slope_model
from talentassess.calibration.mhrm import RobbinsMonro, run_chain
from talentassess.calibration.priors import Prior
from talentassess.calibration.problem import check_estimable
from talentassess.calibration.rotation import OBLIQUE, ROTATIONS, Rotation, follow, rotate
from talentassess.calibration.stochastic import as_calibration
from talentassess.core.arrays import FloatArray
from talentassess.core.calibration import Calibration
from talentassess.core.errors import ModelError
from talentassess.core.model import slope_dimension
from talentassess.core.provenance import Provenance
from talentassess.core.responses import Responses
from talentassess.core.status import Finding, Severity, Status, finding_columns
from talentassess.core.survey import survey_responses
from talentassess.core.tabular import Column, Columns, Tabular
from talentassess.models import find_model

NORMAL_OGIVE = 1.702  # logistic slope that comes nearest to a normal ogive of slope 1 (Haley 1952)
LARGEST_COMMUNALITY = 0.8  # of a start: principal axes overshoot where items are few
DIFFERENCE = 1e-5  # step of the central difference through the rotation
HEYWOOD = 0.97  # a communality above this leaves the item next to no variance of its own


@dataclass(frozen=True, eq=False, kw_only=True)
class DimensionExploration(Tabular):
    """Result of ``explore_dimensions`` for J items and D dimensions.

    Attributes
    ----------
    calibration : the unrotated solution: orthogonal dimensions, zeros above the diagonal for ``reference_items``.
    reference_items : (D,) item k of these has slopes on the first k dimensions only, which fixes the axes.
    rotation, normalize : how it was rotated.
    unrotated : (J, D) slopes before rotation.
    transform : (D, D) matrix T: rotated slopes are unrotated @ inv(T)', so rotated scores are theta @ T and their error
        covariances T' cov T, with theta and cov from ``score(calibration, ...)``.
    slopes, slope_se : (J, D) rotated slopes, logits, and their standard errors.
    loadings, loading_se : (J, D) standardised rotated loadings (pattern), and their standard errors.
    correlation, correlation_se : (D, D) correlations of the rotated dimensions, and their standard errors.
    communality, communality_se : (J,) share of an item's latent response that the dimensions account for.
    loglik, loglik_se : log-likelihood by importance sampling, and its Monte-Carlo standard error.
    status : how the estimation ended; look at it before the numbers.
    audit : findings.
    provenance : data, options and version.
    """

    calibration: Calibration
    reference_items: tuple[str, ...]
    rotation: str
    normalize: bool
    unrotated: FloatArray
    transform: FloatArray
    slopes: FloatArray
    slope_se: FloatArray
    loadings: FloatArray
    loading_se: FloatArray
    correlation: FloatArray
    correlation_se: FloatArray
    communality: FloatArray
    communality_se: FloatArray
    loglik: float
    loglik_se: float
    status: Status
    audit: tuple[Finding, ...]
    provenance: Provenance

    def __repr__(self) -> str:
        n_items, n_dims = self.slopes.shape
        return (
            f"DimensionExploration({n_items} items, {n_dims} dimension(s), {self.rotation}, logLik {self.loglik:.2f} "
            f"+- {self.loglik_se:.2f}, {self.status.value}, {self.provenance.label})"
        )

    @property
    def n_free(self) -> int:
        """Number of estimated parameters: slopes and intercepts, less D (D - 1) / 2 for the choice of axes."""
        return self.calibration.n_free

    @property
    def aic(self) -> float:
        """Akaike information criterion; its Monte-Carlo standard error is twice ``loglik_se``."""
        return self.calibration.aic

    @property
    def bic(self) -> float:
        """Bayesian information criterion; its Monte-Carlo standard error is twice ``loglik_se``."""
        return self.calibration.bic

    def tables(self) -> dict[str, Columns]:
        """Return ``loadings`` (a row per item), ``slopes``, ``unrotated``, ``correlations``, ``fit``, ``audit``."""
        names = self.calibration.dimensions
        items: dict[str, Column] = {"item": list(self.calibration.item_ids)}
        return {
            "loadings": items
            | _with_errors(names, self.loadings, self.loading_se)
            | {"communality": self.communality, "se(communality)": self.communality_se},
            "slopes": items | _with_errors(names, self.slopes, self.slope_se),
            "unrotated": items | {name: self.unrotated[:, d] for d, name in enumerate(names)},
            "correlations": {"dimension": list(names)} | _with_errors(names, self.correlation, self.correlation_se),
            "fit": {
                "measure": ["logLik", "AIC", "BIC"],
                "value": [self.loglik, self.aic, self.bic],
                "monte_carlo_se": [self.loglik_se, 2 * self.loglik_se, 2 * self.loglik_se],
            },
            "audit": finding_columns(self.audit),
        }


def _with_errors(names: tuple[str, ...], values: FloatArray, errors: FloatArray) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    for d, name in enumerate(names):
        columns |= {name: values[:, d], f"se({name})": errors[:, d]}
    return columns


def explore_dimensions(
    responses: Responses,
    n_dimensions: int,
    model: str | Mapping[str, str] = "graded",
    *,
    rotation: str = "oblimin",
    normalize: bool = True,
    priors: Mapping[str, Prior] | None = None,
    seed: int = 1,
    run: RobbinsMonro | None = None,
) -> DimensionExploration:
    """Let every item measure each of D dimensions and rotate the solution: full-information item factor analysis.

    Parameters
    ----------
    responses : scored answers of N persons to J items; scales are not looked at.
    n_dimensions : D, 1 or more.
    model : a model name, or a mapping item id -> model name; models with one slope per dimension and no constraints.
    rotation : ``oblimin``, ``geomin`` (oblique), ``varimax``, ``quartimax`` (orthogonal) or ``none``.
    normalize : Kaiser's normalisation while rotating.
    priors : parameter name -> prior; left out, the models' defaults apply; {} means none.
    seed : of all random numbers; the same seed gives the same result.
    run : settings of the chain.

    Returns
    -------
    DimensionExploration; look at ``.status`` and ``.audit`` before the numbers.

    Raises
    ------
    ModelError : unknown rotation or model, a model without a slope per dimension, more dimensions than items allow.
    CalibrationError : items without variation.

    Equations: estimates by Metropolis-Hastings Robbins-Monro (Cai 2010a, Psychometrika 75, 33-57). Standardised loading
    = (a_d / 1.702) / sqrt(1 + |a / 1.702|^2) in the unrotated solution (McLeod, Swygert & Thissen 2001), then rotated;
    standard errors by the delta method through the rotation.

    Examples
    --------
    >>> import talentassess as ta
    >>> answers = ta.simulate(ta.load_bank("service_core"), 200, seed=1)
    >>> answers = answers.select(["ow_sr_01", "ow_sr_02", "ow_sr_03", "ow_sr_04", "ow_sr_05"])
    >>> found = ta.explore_dimensions(answers, 1, run=ta.RobbinsMonro(samples=100))
    >>> found.loadings.shape, found.status.value
    ((5, 1), 'converged')
    """
    models = name_models(responses, model)
    if rotation not in ROTATIONS:
        raise ModelError(f"There is no rotation '{rotation}'; choose one of: {', '.join(ROTATIONS)}.")
    _check_number(responses, n_dimensions)
    check_estimable(responses.item_ids, survey_responses(responses))
    _check_slopes(responses, models, n_dimensions)
    axes = _starting_axes(responses, n_dimensions)
    problem = _triangular(responses, models, axes, priors)
    options = run if run is not None else RobbinsMonro()
    path = run_chain(problem, options, seed, _start(problem, axes))
    calibration = as_calibration(path, {**options.options(), "seed": str(seed), "exploratory": "yes"})
    return _explored(calibration, problem, axes.reference, rotation, normalize, seed)


def _check_number(responses: Responses, n_dimensions: int) -> None:
    # D dimensions leave J D - D (D - 1) / 2 slopes for J (J - 1) / 2 associations between items
    j, d = responses.n_items, n_dimensions
    most = max((k for k in range(1, j + 1) if j * k - k * (k - 1) / 2 <= j * (j - 1) / 2), default=0)
    if not 1 <= d <= max(most, 0):
        raise ModelError(
            f"n_dimensions={d} cannot be estimated from {j} items: choose 1 to {most}, or take more items."
            if most
            else f"{j} items are too few to look for dimensions; take at least 3."
        )


def _check_slopes(responses: Responses, models: Mapping[str, str], n_dims: int) -> None:
    for item, n_cat in zip(responses.item_ids, responses.n_cat, strict=True):
        model = free_slope_model(models[item], int(n_cat), n_dims)
        kinds = [slope_dimension(p.name, n_dims) for p in model.params(int(n_cat), n_dims)]
        if kinds[:n_dims] != list(range(n_dims)) or any(kind is not None for kind in kinds[n_dims:]):
            raise ModelError(
                f"The {model.label} (item '{item}') has several slopes per dimension, which cannot be rotated as "
                "loadings. Use 2pl, 3pl, graded or gpcm."
            )


@dataclass(frozen=True, eq=False, slots=True)
class _Axes:
    """Where the exploration starts: slopes (J, D), zeros above the diagonal in the rows ``rows`` (D,) of reference."""

    slopes: FloatArray
    rows: tuple[int, ...]
    reference: tuple[str, ...]


def _starting_axes(responses: Responses, n_dims: int) -> _Axes:
    """Return slopes from principal axes of the codes' correlations, turned so that the reference rows are triangular.

    Reference items are those whose loadings lie farthest apart (QR with column pivoting): a poor choice would leave an
    axis almost undetermined.
    """
    loadings = _principal_axes(_correlations(responses), n_dims)
    left = np.sqrt(np.maximum(1 - (loadings**2).sum(axis=1, keepdims=True), 1 - LARGEST_COMMUNALITY))
    slopes = NORMAL_OGIVE * loadings / left
    _, _, order = qr(loadings.T, pivoting=True, mode="economic")
    rows = tuple(int(j) for j in order[:n_dims])
    turn, triangle = np.linalg.qr(slopes[list(rows)].T)
    turned = slopes @ (turn * np.where(np.diag(triangle) < 0, -1.0, 1.0))
    for k, row in enumerate(rows):
        turned[row, k + 1 :] = 0.0
    return _Axes(turned, rows, tuple(responses.item_ids[row] for row in rows))


def _correlations(responses: Responses) -> FloatArray:
    """Return (J, J) correlations of the codes over the persons who answered both items; 0 where there are none."""
    given = responses.answered.astype(np.float64)
    n = np.maximum(given.T @ given, 1.0)
    x = np.where(responses.answered, responses.x, 0).astype(np.float64)
    mean_of_pair = (x.T @ given) / n
    cov = x.T @ x / n - mean_of_pair * mean_of_pair.T
    var = (x**2).T @ given / n - mean_of_pair**2
    spread = np.sqrt(var * var.T)
    out: FloatArray = np.divide(cov, spread, out=np.zeros_like(cov), where=spread > 0)
    np.fill_diagonal(out, 1.0)
    return np.clip(out, -1.0, 1.0)


def _principal_axes(correlation: FloatArray, n_dims: int) -> FloatArray:
    """Return (J, D) loadings by iterated principal axes."""
    reduced = correlation.copy()
    apart = np.abs(correlation - np.eye(len(correlation))).max(axis=1)
    for _ in range(30):
        np.fill_diagonal(reduced, np.minimum(apart, LARGEST_COMMUNALITY))
        values, vectors = np.linalg.eigh(reduced)
        loadings: FloatArray = vectors[:, -n_dims:] * np.sqrt(np.maximum(values[-n_dims:], 1e-3))
        apart = (loadings**2).sum(axis=1)
    return loadings


def _triangular(
    responses: Responses, models: Mapping[str, str], axes: _Axes, priors: Mapping[str, Prior] | None
) -> LoadingProblem:
    n_dims = axes.slopes.shape[1]
    zeros = [
        Fixed(slope, 0.0, (item,))
        for k, (item, row) in enumerate(zip(axes.reference, axes.rows, strict=True))
        for slope in _slope_names(models[item], int(responses.n_cat[row]), n_dims)[k + 1 :]
    ]
    pattern = dict.fromkeys(responses.item_ids, tuple(range(n_dims)))
    names = tuple(f"F{d + 1}" for d in range(n_dims))
    return build_loading_problem(responses, models, pattern, names, pairs=(), constraints=zeros, priors=priors)


def _slope_names(model: str, n_cat: int, n_dims: int) -> list[str]:
    return [param.name for param in find_model(model)[0].params(n_cat, n_dims)[:n_dims]]


def _start(problem: LoadingProblem, axes: _Axes) -> FloatArray:
    n_dims = problem.n_dims
    blocks = []
    for block in problem.blocks:
        par = block.par.copy()
        par[:, :n_dims] = axes.slopes[block.items] / _step_size(block.n_cat, block.model.name)
        blocks.append(replace(block, par=par))
    return replace(problem, blocks=tuple(blocks)).start()


def _step_size(n_cat: int, model: str) -> float:
    """Return what a slope must be divided by where it counts once per category step."""
    return float(max(n_cat - 1, 1)) if model == "gpcm" else 1.0


def _stacked(calibration: Calibration) -> FloatArray:
    """Return the (J, D) slopes of a calibration in which all items measure all dimensions."""
    n_dims = len(calibration.dimensions)
    slopes = np.empty((len(calibration.item_ids), n_dims))
    for block in calibration.blocks:
        slopes[block.items] = block.par[:, :n_dims]
    return slopes


def standardised(slopes: FloatArray) -> FloatArray:
    """Return (J, D) standardised loadings of orthogonal dimensions from slopes (J, D) on the logistic metric.

    Equation: (a_d / 1.702) / sqrt(1 + sum_d (a_d / 1.702)^2).

    Examples
    --------
    >>> standardised(np.array([[1.702, 0.0]])).round(4)
    array([[0.7071, 0.    ]])
    """
    ogive = slopes / NORMAL_OGIVE
    scaled: FloatArray = ogive / np.sqrt(1 + (ogive**2).sum(axis=1, keepdims=True))
    return scaled


def _explored(
    calibration: Calibration,
    problem: LoadingProblem,
    reference: tuple[str, ...],
    rotation: str,
    normalize: bool,
    seed: int,
) -> DimensionExploration:
    slopes = _stacked(calibration)
    turned = rotate(standardised(slopes), rotation, normalize=normalize, seed=seed)
    errors = _rotated_errors(calibration, problem, turned, rotation, normalize)
    shape = slopes.shape
    sizes = np.cumsum([slopes.size, slopes.size, shape[1] ** 2])
    by_slope, by_loading, by_correlation, by_share = np.split(errors, sizes)
    provenance = calibration.provenance
    options = {**provenance.options, "rotation": rotation, "normalize": str(normalize)}
    communality = (standardised(slopes) ** 2).sum(axis=1)
    return DimensionExploration(
        calibration=calibration,
        reference_items=reference,
        rotation=rotation,
        normalize=normalize,
        unrotated=slopes,
        transform=turned.transform,
        slopes=slopes @ np.linalg.inv(turned.transform).T,
        slope_se=by_slope.reshape(shape),
        loadings=turned.loadings,
        loading_se=by_loading.reshape(shape),
        correlation=turned.correlation,
        correlation_se=_off_diagonal(by_correlation, shape[1], rotation),
        communality=communality,
        communality_se=by_share,
        loglik=calibration.loglik,
        loglik_se=float(provenance.options["loglik_se"]),
        status=calibration.status,
        audit=calibration.audit + _rotation_findings(turned, rotation, calibration, communality),
        provenance=replace(provenance, options=options),
    )


def _off_diagonal(errors: FloatArray, n_dims: int, rotation: str) -> FloatArray:
    """Return (D, D) errors of the correlations, exactly zero where they are fixed and not estimated."""
    square = errors.reshape(n_dims, n_dims) * (1 - np.eye(n_dims))
    return square if rotation in OBLIQUE else np.zeros_like(square)


def _rotated_errors(
    calibration: Calibration, problem: LoadingProblem, turned: Rotation, rotation: str, normalize: bool
) -> FloatArray:
    """Return standard errors of rotated slopes, loadings, correlations and communalities, one after another.

    Equation: var = G cov G', G the derivative of the rotated quantities by the free slopes, by central differences; the
    transform follows the loadings by the implicit function theorem.
    """
    n_dims, base = problem.n_dims, _stacked(calibration)
    transform_of = _following(standardised(base), turned, rotation, normalize)

    def quantities(free: FloatArray) -> FloatArray:
        blocks, _ = problem.unpack(free)
        slopes = np.empty_like(base)
        for block in blocks:
            slopes[block.items] = block.par[:, :n_dims]
        scaled = standardised(slopes)
        transform = transform_of(scaled)
        inverse = np.linalg.inv(transform).T
        parts = (slopes @ inverse, scaled @ inverse, transform.T @ transform, (scaled**2).sum(axis=1))
        return np.concatenate([part.ravel() for part in parts])

    free = calibration.free.values
    moving = [f for f, name in enumerate(problem.tie.param_names) if slope_dimension(name, n_dims) is not None]
    columns = [
        (quantities(free + shift) - quantities(free - shift)) / (2 * DIFFERENCE)
        for shift in np.eye(len(free))[moving] * DIFFERENCE
    ]
    gradient = np.column_stack(columns)
    variance = np.einsum("qf,fg,qg->q", gradient, calibration.free.cov[np.ix_(moving, moving)], gradient)
    errors: FloatArray = np.sqrt(np.maximum(variance, 0.0))
    return errors


def _following(
    scaled: FloatArray, turned: Rotation, rotation: str, normalize: bool
) -> Callable[[FloatArray], FloatArray]:
    """Return a function from loadings (J, D) near the estimates to the transform that rotates them."""
    if rotation == "none" or scaled.shape[1] == 1:
        return lambda _: turned.transform

    def rows(loadings: FloatArray) -> FloatArray:
        return loadings / np.sqrt((loadings**2).sum(axis=1, keepdims=True)) if normalize else loadings

    nearby = follow(rows(scaled), rotation, turned.transform)
    return lambda loadings: nearby(rows(loadings))


def _rotation_findings(
    turned: Rotation, rotation: str, calibration: Calibration, communality: FloatArray
) -> tuple[Finding, ...]:
    findings = []
    if not turned.settled:
        findings.append(
            Finding(
                "rotation_not_settled", Severity.WARNING, rotation,
                "The rotation stopped before its gradient vanished.",
                "Compare with another rotation before reading it.",
            )
        )  # fmt: skip
    if turned.agreeing < 0.5:
        findings.append(
            Finding(
                "rotation_minima", Severity.NOTE, rotation,
                f"Only {100 * turned.agreeing:.0f} % of the random starts ended in this, the lowest minimum.",
                "Other rotations fit nearly as well: look at them before naming the dimensions.",
            )
        )  # fmt: skip
    for item, share in zip(calibration.item_ids, communality, strict=True):
        if share > HEYWOOD:
            findings.append(
                Finding(
                    "communality_near_one", Severity.WARNING, item,
                    f"The dimensions account for {100 * share:.1f} % of it.",
                    "A dimension may consist of this item alone: try fewer dimensions, or look for its double.",
                )
            )  # fmt: skip
    return tuple(findings)

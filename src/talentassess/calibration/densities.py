"""Estimate the shape of the latent distribution: starts from a histogram, one fit per start, the highest one kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from talentassess.calibration.inputs import Settings
from talentassess.calibration.run import Path
from talentassess.calibration.shaped import ShapedGroups, parse_density
from talentassess.calibration.structures import NormalGroups
from talentassess.core.arrays import FloatArray
from talentassess.core.errors import ModelError
from talentassess.core.latent_shape import DAVIDIAN, LatentShape, normalised, shape_terms
from talentassess.core.likelihood import stack_log_prob
from talentassess.core.status import Finding, Severity, Status

GRID_ROUNDS = 5  # as for the normal: each lets the estimates move once more
HISTOGRAM_STEPS = 25  # EM steps of the free histogram: enough to show skewness and modes, too few to split into spikes
DRAWS, WIDEST = 16, 1.2  # starting angles drawn, and their largest size in radians
KEPT = 2  # histogram starts carried through the whole calibration; one for the orders below the one asked for
ROUGH = 1e-3  # tolerance for the orders below: they only serve as starts
VAGUE = 1.0  # standard error of an angle or coefficient: values that far apart give quite different curves
SAME = 1e-4  # difference in fit to the histogram, or in log-likelihood, below which two solutions count as one


@dataclass(frozen=True, eq=False, slots=True)
class ShapeFit:
    """The best calibration under a shape, and what came of the other starts.

    Attributes
    ----------
    path : how the best run ended.
    normal_loglik : log-likelihood under the normal.
    others : log-likelihoods of the other starts.
    """

    path: Path
    normal_loglik: float
    others: tuple[float, ...]

    def findings(self, dimension: str, status: Status, cov: FloatArray) -> list[Finding]:
        """Say what the shape is worth beside the normal, and whether the answers determine it; cov (F, F)."""
        structure = self.path.problem.structure
        if not isinstance(structure, ShapedGroups):
            return []
        shape = structure.shape(self.path.last.latent)
        found = [self._against_normal(shape, dimension, structure), *self._other_maxima(dimension)]
        vague = np.sqrt(np.maximum(np.diag(cov)[len(cov) - len(shape.values) :], 0.0)) > VAGUE
        if not status.ok or vague.any():
            found.append(_too_flexible(shape, dimension, status))
        return found

    def _against_normal(self, shape: LatentShape, dimension: str, structure: ShapedGroups) -> Finding:
        gain, k = self.path.last.loglik - self.normal_loglik, len(shape.values)
        n = max(float(structure.group_sizes().sum()), 3.0)
        aic, bic = 2 * k - 2 * gain, k * float(np.log(n)) - 2 * gain
        skewness, kurtosis = shape.skewness_kurtosis()
        message = (
            f"A {shape.name} density raises the log-likelihood by {gain:.2f} over the normal with {k} more value(s): "
            f"AIC {aic:+.1f}, BIC {bic:+.1f} (negative speaks for the curve); skewness {skewness:.2f}, excess kurtosis "
            f"{kurtosis:.2f}."
        )
        if bic < 0:
            remedy = "The trait departs from the normal in this sample: keep the curve, and compare other orders."
            return Finding("latent_density_departs", Severity.NOTE, dimension, message, remedy)
        remedy = "The normal is enough by BIC: prefer density='normal' unless AIC and theory both speak for the curve."
        return Finding("latent_density_normal", Severity.NOTE, dimension, message, remedy)

    def _other_maxima(self, dimension: str) -> list[Finding]:
        lower = [value for value in self.others if value < self.path.last.loglik - 0.01]
        if not lower:
            return []
        return [
            Finding(
                "several_maxima", Severity.NOTE, dimension,
                f"{len(lower)} of {len(self.others) + 1} starts ended {self.path.last.loglik - max(lower):.2f} or more "
                "log-likelihood units lower.", "The highest solution is kept; a lower order may have one maximum only.",
            )
        ]  # fmt: skip


def _too_flexible(shape: LatentShape, dimension: str, status: Status) -> Finding:
    return Finding(
        "density_too_flexible", Severity.WARNING if status.ok else Severity.PROBLEM, dimension,
        f"The answers hardly determine the {len(shape.values)} values of a {shape.name} density: several curves "
        "fit alike.",
        "Take a lower order, or density='normal'; ta.compare_densities shows which orders the answers support.",
    )  # fmt: skip


def fit_shape(path: Path, settings: Settings, climb: Callable[..., Path]) -> ShapeFit:
    """Go on from a normal calibration to the density the settings ask for; ``climb`` is ``maximise`` for one dimension.

    Davidian curves have several maxima and are singular at the normal, where mean, variance and first two angles say
    the same (Zhang & Davidian 2001 start from a grid of shapes for that reason). So the answers are first put into a
    histogram at the normal's items and curves are fitted to it from many starts; the best distinct ones are carried
    through, and so is the best curve of the order below, whose likelihood a higher order must not miss.
    """
    asked = parse_density(settings.density)
    structure = path.problem.structure
    if asked is None or path.status is Status.INTERRUPTED:
        return ShapeFit(path, path.last.loglik, ())
    if not isinstance(structure, NormalGroups):
        raise ModelError("A density other than the normal needs one plain latent dimension; drop the other structure.")
    family, order = asked
    histogram = _histogram(path, structure)
    n_steps, below = path.n_steps, path
    for k in range(1 if family == DAVIDIAN else order, order + 1):
        starts = [np.concatenate([path.last.free, first]) for first in _starts(family, k, histogram)]
        # the highest Hermite coefficient is the sine of the first angle: a zero in front is the same curve
        nested: list[FloatArray] = (
            [] if k == 1 or family != DAVIDIAN else [np.insert(below.last.free, len(path.last.free), 0.0)]
        )
        own = settings if k == order else replace(settings, tol=max(settings.tol, ROUGH))
        runs: list[Path] = []
        for start in nested + starts[: KEPT if k == order else 1]:
            runs.append(_run(path, ShapedGroups(structure, family, start[-k:]), start, own, climb))
            if runs[-1].status is Status.INTERRUPTED:
                break
        stopped = runs[-1].status is Status.INTERRUPTED
        runs.sort(key=lambda run: (run.status.ok, run.last.value), reverse=True)
        n_steps, below = n_steps + sum(run.n_steps for run in runs), runs[0]
        if stopped:  # the best curve so far, which may be of a lower order than asked for
            below = replace(below, status=Status.INTERRUPTED)
            break
    joined = replace(below, n_steps=n_steps, trace=path.trace + below.trace)
    return ShapeFit(joined, path.last.loglik, tuple(run.last.loglik for run in runs[1:]))


def _run(path: Path, shaped: ShapedGroups, start: FloatArray, settings: Settings, climb: Callable[..., Path]) -> Path:
    """Maximise under a shape from ``start`` (F,), on wider or finer grids as long as the estimates ask for one."""
    problem, n_steps = path.problem, 0
    trace: tuple[float, ...] = ()
    better = shaped.suited(path.last.blocks, start[path.problem.tie.n_free :])
    for _ in range(GRID_ROUNDS):
        shaped = shaped if better is None else better
        problem = replace(problem, structure=shaped)
        run = climb(problem, tol=settings.tol, max_steps=settings.max_steps, start=start)
        n_steps, trace, start = n_steps + run.n_steps, trace + run.trace, run.last.free
        better = shaped.suited(run.last.blocks, run.last.latent)
        if better is None or run.status is Status.INTERRUPTED:
            break
    return replace(run, n_steps=n_steps, trace=trace)


def _starts(family: str, order: int, histogram: tuple[FloatArray, FloatArray]) -> list[FloatArray]:
    """Return distinct starting shapes (k,), the best fitting to the histogram's nodes and weights (Q,) first."""
    t, weights = histogram
    rng = np.random.default_rng(order)  # fixed: the same answers give the same estimates
    draws = rng.uniform(-WIDEST, WIDEST, (DRAWS, order)) if family == DAVIDIAN else np.zeros((1, order))
    found = [_fit_histogram(family, draw, t, weights) for draw in draws]
    found.sort(key=lambda pair: pair[0])
    distinct = [found[0]]
    for misfit, values in found[1:]:
        if all(abs(misfit - known) > SAME for known, _ in distinct):
            distinct.append((misfit, values))
    return [values for _, values in distinct]


def _histogram(path: Path, structure: NormalGroups) -> tuple[FloatArray, FloatArray]:
    """Return standardised nodes (Q,) and weights (Q,) of the reference group: EM steps of a free histogram."""
    log_prob = stack_log_prob(path.last.blocks, structure.theta, path.problem.starts)
    log_prior = structure.log_prior(path.last.latent)
    weights = np.exp(log_prior[0])
    for _ in range(HISTOGRAM_STEPS):
        mass = structure.answers.e_step(log_prob, log_prior).mass[0]
        weights = mass / mass.sum()
        log_prior[0] = np.log(np.maximum(weights, 1e-300))
    mean = float(weights @ structure.nodes)
    sd = float(np.sqrt(weights @ (structure.nodes - mean) ** 2))
    return (structure.nodes - mean) / sd, weights


def _fit_histogram(family: str, start: FloatArray, t: FloatArray, weights: FloatArray) -> tuple[float, FloatArray]:
    """Return misfit and shape (k,) that minimise the Kullback-Leibler divergence from the histogram (Q,)."""

    def misfit(values: FloatArray) -> tuple[float, FloatArray]:
        terms = shape_terms(family, values, t)
        log_weights = normalised(terms.log_density)
        if not np.isfinite(log_weights).all():
            return 1e6, np.zeros(len(values))
        return -float(weights @ log_weights), -(weights - np.exp(log_weights)) @ terms.by_value

    from scipy.optimize import minimize  # slow to load, and only other densities than the normal need it

    fitted = minimize(misfit, start, jac=True, method="BFGS", options={"maxiter": 200})
    return float(fitted.fun), np.asarray(fitted.x, dtype=np.float64)

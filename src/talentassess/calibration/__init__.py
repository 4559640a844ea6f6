"""Calibrate items: marginal maximum likelihood over any mix of models, with standard errors and an audit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from talentassess.calibration.assemble import Fit, join_fits
from talentassess.calibration.audit import audit_after, audit_before, count_parameters
from talentassess.calibration.constraints import Composed, Constraint, Equal, Fixed
from talentassess.calibration.densities import ShapeFit, fit_shape
from talentassess.calibration.inputs import (
    Settings,
    anchor_constraints,
    check_anchors,
    check_constraints,
    concerning,
    group_labels,
    name_dimensions,
    name_models,
    ties_across,
)
from talentassess.calibration.optimise import maximise
from talentassess.calibration.priors import BetaPrior, LogNormalPrior, NormalPrior, Prior
from talentassess.calibration.problem import Problem, build_problem
from talentassess.calibration.regression import with_covariates
from talentassess.calibration.run import Progress
from talentassess.calibration.stages import from_sample, on_suited_grid, right_way_round
from talentassess.calibration.standard_errors import covariance
from talentassess.calibration.structures import NormalGroups
from talentassess.calibration.testlet_audit import audit_testlets, orient
from talentassess.calibration.testlets import check_testlet_models, name_testlets
from talentassess.core.calibration import Calibration
from talentassess.core.covariates import read_covariates
from talentassess.core.errors import ModelError
from talentassess.core.kernel import one_blas_thread
from talentassess.core.packed import Gathered, StreamPart
from talentassess.core.responses import Responses
from talentassess.core.status import Status

__all__ = ["BetaPrior", "Composed", "Equal", "Fixed", "LogNormalPrior", "NormalPrior", "Prior", "Progress", "calibrate"]


def _silent(progress: Progress) -> None:
    """Report nothing."""


def calibrate(
    responses: Responses | Iterable[Responses] | str | Path,
    model: str | Mapping[str, str] = "graded",
    *,
    dimensions: Mapping[str, Sequence[str]] | None = None,
    groups: bool | Sequence[str] = False,
    anchors: Calibration | None = None,
    constraints: Sequence[Constraint] = (),
    priors: Mapping[str, Prior] | None = None,
    se: str | None = "oakes",
    tol: float = 1e-6,
    engine: str = "native",
    optimiser: str = "l-bfgs",
    max_steps: int = 1000,
    correlated: bool = False,
    progress: Callable[[Progress], None] = _silent,
    density: str = "normal",
    covariates: Mapping[str, ArrayLike] | None = None,
    testlets: Mapping[str, Sequence[str]] | None = None,
) -> Calibration:
    """Fit item response models to answers by marginal maximum likelihood.

    Every scale of ``responses`` (or every entry of ``dimensions``) becomes one latent dimension. By default each is
    calibrated on its own items and correlations between dimensions are not estimated; ``correlated=True`` calibrates
    all of them at once with their correlations, integrating by expectation propagation. The latent distribution is
    standard normal (logit metric, no 1.7), except where the model fixes the slopes (rasch, pcm, rsm: variance
    estimated), for further groups (mean and variance estimated), and with anchors (mean and variance estimated).

    Parameters
    ----------
    responses : scored answers of N persons to J items; or a stream of them that is read once and never held as a
        whole: ``open_responses(...)``, the path of a Parquet file, or any iterable of chunks.
    model : a model name for all items, or a mapping item id -> model name; see ``talentassess.models.model_names()``.
    dimensions : name -> item ids; each item once. Left out: one dimension per scale of ``responses``.
    groups : True uses ``responses.group``; or (N,) labels. The first label met is the reference group.
    anchors : an earlier calibration; items it shares with ``responses`` keep its parameters.
    constraints : ``Fixed``, ``Equal`` and ``Composed`` objects.
    priors : parameter name -> prior; left out, the models' defaults apply (3pl and 4pl asymptotes); {} means none.
    se : ``oakes``, ``crossprod``, ``sandwich`` or None.
    tol : largest proposed change of any parameter at convergence, logits.
    engine : ``native``, or ``girth`` for the independent second estimator.
    optimiser : ``l-bfgs``, or ``squarem`` (accelerated EM, slower), to look at an optimum from another side.
    max_steps : passes over the data at the most.
    correlated : True estimates the correlations of the dimensions, which must be normal.
    progress : called after each step with a ``Progress``.
    density : of the latent trait: ``normal``, ``davidian-k`` or ``loglinear-k``, k = 1..10 (see ``core.latent_shape``);
        groups share the shape. ``compare_densities`` helps to choose k.
    covariates : name -> (N,) numbers: latent regression theta_i ~ Normal(beta' z_i, 1), no intercept, covariates as
        they are; the residual variance is estimated where the model fixes the slopes, intercepts for further groups.
    testlets : name -> ids of two or more items of one dimension that share more than the dimension (a common text, a
        common situation). Each becomes a specific dimension, uncorrelated with the general one and with the others
        (bifactor model): its items have a ``slope`` and a ``specific_slope``. With models that fix or share the slope
        the specific slope is one per testlet (rasch, pcm: the Rasch testlet model).

    Returns
    -------
    Calibration; look at ``.status`` and ``.audit`` before the numbers.

    Raises
    ------
    CalibrationError : items without variation, items in no or in two dimensions, too few persons, covariates that do
        not vary or follow from others.
    DataError : covariates that are missing for a person or no numbers.
    ModelError : unknown model, constraint or prior; a model that does not take the items' categories or testlets.

    Equation: log L = sum_i w_i log sum_q W(theta_q) prod_j P_j(x_ij | theta_q) (Bock & Aitkin 1981); with testlets the
    sum runs over the general dimension and, within it, one specific dimension at a time (Gibbons & Hedeker 1992).

    Examples
    --------
    >>> import talentassess as ta
    >>> answers = ta.simulate(ta.load_bank("service_core"), 300, seed=1).select(["ow_sr_01", "ow_sr_02", "ow_sr_03"])
    >>> calibration = ta.calibrate(answers, "graded")
    >>> calibration.status.value, calibration.n_free
    ('converged', 15)

    The first three of six items refer to the same text:

    >>> six = ta.simulate(ta.load_bank("service_core"), 300, seed=1).select([f"ow_sr_0{k}" for k in range(1, 7)])
    >>> with_text = ta.calibrate(six, "pcm", testlets={"text": six.item_ids[:3]}, se=None)
    >>> with_text.dimensions, [name for name in with_text.free.names if "slope" in name]
    (('ownership', 'text'), ['specific_slope (common to 3 items: ow_sr_01 ... ow_sr_03)'])
    """
    whole = {"correlated": correlated, "covariates": bool(covariates), "testlets": bool(testlets)}
    responses, gathered = _at_hand(responses, model, dimensions, groups, whole | {"engine='girth'": engine == "girth"})
    settings = Settings(
        name_models(responses, model),
        group_labels(responses, groups) if gathered is None else gathered.labels,
        anchors,
        tuple(constraints) if isinstance(constraints, Sequence) else (constraints,),
        priors,
        se,
        tol,
        max_steps,
        optimiser,
        density,
        None if covariates is None else read_covariates(covariates, responses.person_ids),
        testlets,
        correlated,
    )
    parts = name_dimensions(responses, dimensions)
    own = name_testlets(testlets, parts)
    if engine == "girth":
        from talentassess.calibration.girth_engine import calibrate_with_girth, refuse_settings

        refuse_settings(settings)
        return calibrate_with_girth(responses, model, dimensions)
    if engine != "native":
        raise ModelError(f"engine='{engine}' is not known; choose 'native' or 'girth'.")
    check_testlet_models(testlets or {}, settings.models, anchored=anchors is not None)
    check_constraints(settings, responses, parts)
    across = ties_across(settings.constraints, parts)
    within = replace(settings, constraints=tuple(c for c in settings.constraints if c not in across))
    with one_blas_thread():
        problems = _problems(responses if gathered is None else gathered, parts, within, own)
        if correlated:
            from talentassess.calibration.together import calibrate_together  # one by one, none of it is needed

            return calibrate_together(responses, problems, settings, across, progress)
        return join_fits(responses, _fit_all(problems, settings, progress), settings)


def _at_hand(
    source: Responses | Iterable[Responses] | str | Path,
    model: str | Mapping[str, str],
    dimensions: Mapping[str, Sequence[str]] | None,
    groups: bool | Sequence[str],
    whole: Mapping[str, bool],
) -> tuple[Responses, Gathered | None]:
    """Return the answers; of a stream, its first persons and what was gathered from all of it."""
    if isinstance(source, Responses):
        return source, None
    from talentassess.calibration.streaming import gather  # answers at hand need no reader of streams

    gathered = gather(source, model, dimensions, groups, whole)
    return replace(gathered.some, provenance=gathered.provenance), gathered


def _problems(
    responses: Responses | Gathered,
    parts: Mapping[str, Sequence[str]],
    settings: Settings,
    testlets: Mapping[str, Mapping[str, Sequence[str]]],
) -> dict[str, Problem]:
    """Set up one problem per dimension; priors that would act on nothing raise ``ModelError``."""
    anchors: Calibration | None = settings.anchors
    held: tuple[str, ...] = ()
    if anchors is not None:
        held = check_anchors(anchors, _form(responses), settings.models)
    problems = {}
    for name, items in parts.items():
        part = _part(responses, tuple(items))
        constraints = concerning(settings.constraints, items)
        if anchors is not None:
            constraints += anchor_constraints(anchors, _form(part), settings.models)
        problem = build_problem(
            part,
            settings.models,
            groups=settings.labels,
            held=[item for item in items if item in held],
            constraints=constraints,
            priors=settings.priors,
            testlets=testlets[name],
        )
        problems[name] = _regressed(problem, settings)
    free = {name for problem in problems.values() for name in problem.tie.param_names}
    idle = [name for name in settings.priors or {} if name not in free]
    if idle:
        raise ModelError(f"The prior on '{idle[0]}' has nothing to act on: the parameter is fixed or part of a design.")
    return problems


def _form(responses: Responses | Gathered | StreamPart) -> Responses:
    """Return answers that show the form: of a stream, its first persons."""
    return responses if isinstance(responses, Responses) else responses.some


def _part(responses: Responses | Gathered, items: tuple[str, ...]) -> Responses | StreamPart:
    if isinstance(responses, Gathered):
        return responses.parts[items]
    return responses if items == responses.item_ids else responses.select(items)


def _regressed(problem: Problem, settings: Settings) -> Problem:
    """Let covariates move the latent means if there are any."""
    structure = problem.structure
    if settings.covariates is None or not isinstance(structure, NormalGroups):
        return problem
    group = np.zeros(problem.responses.n_persons, dtype=np.int64)
    if settings.labels is not None:
        group = np.array([structure.groups.index(label) for label in settings.labels], dtype=np.int64)
    return replace(problem, structure=with_covariates(structure, problem.in_memory, group, settings.covariates))


def _fit_all(problems: Mapping[str, Problem], settings: Settings, progress: Callable[[Progress], None]) -> list[Fit]:
    """Fit the dimensions one by one; after an interrupt the rest stay at their starting values and say so."""
    fits: list[Fit] = []
    for name, problem in problems.items():
        climb = partial(maximise, report=progress, dimension=name, optimiser=settings.optimiser)
        if any(fit.status is Status.INTERRUPTED for fit in fits):
            path = replace(climb(problem, tol=settings.tol, max_steps=1), status=Status.INTERRUPTED)
        else:
            path = on_suited_grid(from_sample(problem, settings, climb), settings, climb)
            path = right_way_round(path, settings, climb)
        fits.append(_finish(name, fit_shape(orient(path), settings, climb), settings))
    return fits


def _finish(name: str, shaped: ShapeFit, settings: Settings) -> Fit:
    path, problem = shaped.path, shaped.path.problem
    cov = covariance(problem, path.last, settings.se, path.at_bound)
    counted = count_parameters(problem, name)
    if (cov is None or counted) and path.status is Status.CONVERGED:
        path = replace(path, status=Status.NOT_IDENTIFIED)
    if cov is None:
        cov = np.full((len(path.last.free),) * 2, np.nan)
    after = [*audit_after(problem, path, cov, name, settings.se), *shaped.findings(name, path.status, cov)]
    audit = [*audit_before(problem, name), *counted, *after]
    audit += audit_testlets(path, cov, name)
    return Fit(name, problem, path, cov, path.status, audit)

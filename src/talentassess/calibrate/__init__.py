"""Calibrate items: marginal maximum likelihood over any mix of models, with standard errors and an audit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from talentassess.calibrate.assemble import Fit, join_fits
from talentassess.calibrate.audit import audit_after, audit_before, check_estimable
from talentassess.calibrate.constraints import Constraint, Equal, Fixed
from talentassess.calibrate.inputs import (
    anchor_constraints,
    check_items,
    concerning,
    group_labels,
    name_dimensions,
    name_models,
)
from talentassess.calibrate.optimise import Progress, maximise
from talentassess.calibrate.priors import BetaPrior, LogNormalPrior, NormalPrior, Prior
from talentassess.calibrate.problem import Problem, build_problem
from talentassess.calibrate.standard_errors import covariance
from talentassess.core.calibration import Calibration
from talentassess.core.errors import ModelError
from talentassess.core.responses import Responses
from talentassess.core.status import Status

__all__ = ["BetaPrior", "Equal", "Fixed", "LogNormalPrior", "NormalPrior", "Prior", "Progress", "calibrate"]


def _silent(progress: Progress) -> None:
    """Report nothing."""


def calibrate(
    responses: Responses,
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
    max_steps: int = 1000,
    progress: Callable[[Progress], None] = _silent,
) -> Calibration:
    """Fit item response models to answers by marginal maximum likelihood.

    Every scale of ``responses`` (or every entry of ``dimensions``) becomes one latent dimension, calibrated on its own
    items; correlations between dimensions are not estimated. The latent distribution is standard normal (logit metric,
    no 1.7), except where the model fixes the slopes (rasch, pcm, rsm: variance estimated), for further groups
    (mean and variance estimated), and with anchors (mean and variance estimated).

    Parameters
    ----------
    responses : scored answers of N persons to J items.
    model : a model name for all items, or a mapping item id -> model name; see ``talentassess.models.model_names()``.
    dimensions : name -> item ids; each item once. Left out: one dimension per scale of ``responses``.
    groups : True uses ``responses.group``; or (N,) labels. The first label met is the reference group.
    anchors : an earlier calibration; items it shares with ``responses`` keep its parameters.
    constraints : ``Fixed`` and ``Equal`` objects.
    priors : parameter name -> prior; left out, the models' defaults apply (3pl and 4pl asymptotes); {} means none.
    se : ``oakes``, ``crossprod``, ``sandwich`` or None.
    tol : largest proposed change of any parameter at convergence, logits.
    engine : ``native``, or ``girth`` for the independent second estimator.
    max_steps : passes over the data at the most.
    progress : called after each step with a ``Progress``.

    Returns
    -------
    Calibration; look at ``.status`` and ``.audit`` before the numbers.

    Raises
    ------
    CalibrationError : items without variation, items in no or in two dimensions, too few persons.
    ModelError : unknown model, constraint or prior; a model that does not take the items' categories.

    Equation: log L = sum_i w_i log sum_q W(theta_q) prod_j P_j(x_ij | theta_q) (Bock & Aitkin 1981).

    Examples
    --------
    >>> import talentassess as ta
    >>> answers = ta.simulate(ta.load_bank("service_core"), 300, seed=1).select(["ow_sr_01", "ow_sr_02", "ow_sr_03"])
    >>> calibration = ta.calibrate(answers, "graded")
    >>> calibration.status.value, calibration.n_free
    ('converged', 15)
    """
    if engine == "girth":
        from talentassess.calibrate.girth_engine import calibrate_with_girth

        return calibrate_with_girth(responses, model, dimensions)
    if engine != "native":
        raise ModelError(f"engine='{engine}' is not known; choose 'native' or 'girth'.")
    models = name_models(responses, model)
    check_items(constraints, responses)
    labels = group_labels(responses, groups)
    fits = []
    for name, items in name_dimensions(responses, dimensions).items():
        part = responses.select(items)
        check_estimable(part)
        problem = build_problem(
            part,
            models,
            groups=labels,
            anchored=anchors is not None,
            constraints=[*concerning(constraints, items), *anchor_constraints(anchors, part)],
            priors=priors,
        )
        fits.append(_fit(problem, name, se, tol, max_steps, progress))
    return join_fits(responses, fits, _options(model, se, tol, labels, anchors))


def _fit(
    problem: Problem,
    name: str,
    se: str | None,
    tol: float,
    max_steps: int,
    progress: Callable[[Progress], None],
) -> Fit:
    before = audit_before(problem, name)
    path = maximise(problem, tol=tol, max_steps=max_steps, report=progress, dimension=name)
    cov = covariance(problem, path.last, se, path.at_bound)
    if cov is None:
        cov = np.full((len(path.last.free),) * 2, np.nan)
        status = Status.NOT_IDENTIFIED if path.status is Status.CONVERGED else path.status
        path = replace(path, status=status)
    errors = np.sqrt(np.diag(cov))
    return Fit(name, problem, path, cov, path.status, before + audit_after(problem, path, errors, name))


def _options(
    model: str | Mapping[str, str],
    se: str | None,
    tol: float,
    labels: tuple[str, ...] | None,
    anchors: Calibration | None,
) -> dict[str, str]:
    name = model if isinstance(model, str) else "/".join(sorted(set(model.values())))
    options = {"model": name, "engine": "native", "se": str(se), "tol": f"{tol:g}", "nodes": "61 on -6..6"}
    if labels is not None:
        options["groups"] = ", ".join(dict.fromkeys(labels))
    if anchors is not None:
        options["anchors"] = anchors.provenance.data_hash
    return options

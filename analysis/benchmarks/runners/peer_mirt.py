"""The PyPI package mirt: EM with a Rust E-step, 61 Gauss-Hermite nodes (it offers no equally spaced ones)."""

from __future__ import annotations

from collections.abc import Callable

import mirt
import numpy as np
from mirt.estimation.priors import BetaPrior
from protocol import MAX_STEPS, QUADRATURE, TOLERANCE, Found, Job, serve, versions

NAMES = {"2pl": "2PL", "3pl": "3PL", "graded": "GRM", "gpcm": "GPCM"}


def prepare(job: Job, x: np.ndarray) -> Callable[[], Found]:
    """Return the call to be timed: ``fit_mirt``, ``bfactor`` or ``fscores``."""
    codes = x.astype(np.int64)
    if job.task == "score":
        model = at_truth(job, codes.shape[1])
        return lambda: mirt.fscores(model, codes, method="EAP", n_quadpts=QUADRATURE)
    common = {"tol": TOLERANCE, "max_iter": MAX_STEPS, "compute_standard_errors": False} | job.options
    if job.task == "bifactor":
        return lambda: mirt.bfactor(codes, job.truth()["scale"], n_quadpts=21, **common)
    model_name = NAMES[job.model]
    if job.task == "correlated":
        structure = syntax(job.truth()["scale"])
        return lambda: mirt.fit_mirt(codes, model_name, n_categories=job.k, spec=structure, n_quadpts=7, **common)
    if job.model == "3pl":
        common["priors"] = {"guessing": BetaPrior(5, 17)}
    if job.k > 2:
        common["n_categories"] = job.k
    return lambda: mirt.fit_mirt(codes, model_name, n_quadpts=QUADRATURE, **common)


def at_truth(job: Job, n_items: int) -> Found:
    """Return a 2PL that holds the true parameters."""
    truth = job.truth()
    slope = truth["slope"][:, 0]
    model = mirt.TwoParameterLogistic(n_items=n_items)
    model.set_parameters(discrimination=slope, difficulty=-truth["intercept"][:, 0] / slope)
    model._is_fitted = True
    return model


def syntax(scale: np.ndarray) -> str:
    """Return model syntax: a factor per scale, all correlations free."""
    factors = [f"F{s + 1}" for s in np.unique(scale)]
    lines = [
        f"F{s + 1} = {np.flatnonzero(scale == s)[0] + 1}-{np.flatnonzero(scale == s)[-1] + 1}" for s in np.unique(scale)
    ]
    return "\n".join([*lines, "COV = " + "*".join(factors)])


def describe(job: Job, found: Found) -> dict[str, object]:
    """Return the estimates in slope/intercept form, or the scores."""
    if job.task == "score":
        return {"theta": np.ravel(found.theta).tolist()}
    par = found.model.parameters
    told = {"iterations": found.n_iterations, "loglik": found.log_likelihood, "status": str(found.converged)}
    if job.task != "fit":
        return told
    a = np.asarray(par["discrimination"])
    b = np.asarray(par[{"graded": "thresholds", "gpcm": "steps"}.get(job.model, "difficulty")]).reshape(len(a), -1)
    intercept = -a[:, None] * b
    if job.model == "gpcm":
        intercept = np.cumsum(intercept, axis=1)
    guessing = {"guessing": np.asarray(par["guessing"]).tolist()} if job.model == "3pl" else {}
    return {"slope": a.tolist(), "intercept": intercept.tolist(), **guessing, **told}


if __name__ == "__main__":
    serve(prepare, describe, versions("mirt", "numpy", "scipy"))

"""The PyPI package theta-irt: EM compiled by JAX for the shape of the data, 61 Gauss-Hermite nodes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import theta
from protocol import MAX_STEPS, QUADRATURE, TOLERANCE, Found, Job, serve, versions
from theta.score import score


def prepare(job: Job, x: np.ndarray) -> Callable[[], Found]:
    """Return the call to be timed: ``fit`` or ``score``."""
    codes = np.where(x < 0, np.nan, x).astype(np.float64)
    if job.task == "score":
        truth = job.truth()
        a, d = truth["slope"][:, 0], truth["intercept"][:, 0]
        return lambda: score(codes, a, -d / a, np.zeros_like(a), np.ones_like(a), method="EAP", n_points=QUADRATURE)
    return lambda: theta.fit(
        codes,
        job.model.upper(),
        n_points=QUADRATURE,
        tol=TOLERANCE,
        max_iter=MAX_STEPS,
        priors=theta.Priors(c_a=5, c_b=17),  # acts on the 3PL only
    )


def describe(job: Job, found: Found) -> dict[str, object]:
    """Return the estimates in slope/intercept form, or the scores."""
    if job.task == "score":
        return {"theta": np.ravel(found[0]).tolist()}
    guessing = {"guessing": np.asarray(found.c).tolist()} if job.model == "3pl" else {}
    a, b = np.asarray(found.a), np.asarray(found.b)
    told = {"iterations": int(found.n_iter), "loglik": float(found.loglik), "status": str(bool(found.converged))}
    return {"slope": a.tolist(), "intercept": (-a * b).tolist(), **guessing, **told}


if __name__ == "__main__":
    serve(prepare, describe, versions("theta-irt", "jax", "numpy"), whole_warm_up=True)

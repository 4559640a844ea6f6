"""The PyPI package girth: 61 equally spaced nodes on -6..6; its stopping rule (slopes to 1e-3) cannot be set."""

from __future__ import annotations

from collections.abc import Callable

import girth
import numpy as np
from protocol import QUADRATURE, Found, Job, serve, versions

ESTIMATORS = {"2pl": "twopl_mml", "3pl": "threepl_mml", "graded": "grm_mml", "gpcm": "pcm_mml"}
OPTIONS = {"quadrature_n": QUADRATURE, "quadrature_bounds": (-6, 6), "max_iteration": 500}


def prepare(job: Job, x: np.ndarray) -> Callable[[], Found]:
    """Return the call to be timed; girth wants items x persons, and categories of ordered items from 1."""
    first = 0 if job.k == 2 else 1
    codes = x.T.astype(int) + first
    if (x < 0).any():
        codes = girth.tag_missing_data(codes, list(range(first, first + job.k)))
    estimate = getattr(girth, ESTIMATORS[job.model])
    return lambda: estimate(codes, dict(OPTIONS))


def describe(job: Job, found: Found) -> dict[str, object]:
    """Return the estimates in slope/intercept form."""
    slope = np.asarray(found["Discrimination"])
    intercept = -slope[:, None] * np.asarray(found["Difficulty"]).reshape(len(slope), -1)
    if job.model == "gpcm":
        intercept = np.cumsum(intercept, axis=1)
    guessing = {"guessing": np.asarray(found["Guessing"]).tolist()} if job.model == "3pl" else {}
    return {"slope": slope.tolist(), "intercept": intercept.tolist(), **guessing}


if __name__ == "__main__":
    serve(prepare, describe, versions("girth", "numpy", "scipy"))

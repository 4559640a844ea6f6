"""talentassess, this checkout, through its public names only."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from protocol import Found, Job, UnavailableError, serve, versions

import talentassess as ta


# The calls whose arguments are still settling stand here, one line each.
def fit_plain(answers: ta.Responses, job: Job) -> ta.Calibration:
    priors = {"guessing": ta.BetaPrior(5, 17)} if job.model == "3pl" else None  # every runner is given this prior
    return ta.calibrate(answers, job.model, priors=priors, **job.options)


def fit_correlated(answers: ta.Responses, job: Job) -> ta.Calibration:
    return ta.calibrate(answers, job.model, correlated=True, **job.options)


def fit_bifactor(answers: ta.Responses, job: Job) -> ta.Calibration:
    testlets = {scale: answers.items_of(scale) for scale in answers.scale_names}
    return ta.calibrate(answers, job.model, dimensions={"general": answers.item_ids}, testlets=testlets, **job.options)


NEEDS = {"correlated": "correlated", "bifactor": "testlets"}  # task -> argument of ta.calibrate it rests on
FITS = {"fit": fit_plain, "correlated": fit_correlated, "bifactor": fit_bifactor}


def prepare(job: Job, x: np.ndarray) -> Callable[[], Found]:
    """Build the Responses and return the call to be timed."""
    argument = NEEDS.get(job.task)
    if argument and argument not in inspect.signature(ta.calibrate).parameters:
        raise UnavailableError(f"ta.calibrate has no argument '{argument}' in this checkout.")
    answers = responses(job, x)
    if job.task == "score":
        calibration = calibration_at_truth(job, answers)
        return lambda: ta.score(calibration, answers)
    if job.task == "ctt":
        return lambda: ta.analyze_items(answers)
    return lambda: FITS[job.task](answers, job)


def responses(job: Job, x: np.ndarray) -> ta.Responses:
    """Return the codes as Responses, marked SIMULATED."""
    from talentassess.core.provenance import Provenance

    return ta.Responses(
        x=x,
        n_cat=[job.k] * x.shape[1],
        item_ids=[f"q{j + 1}" for j in range(x.shape[1])],
        person_ids=[str(i) for i in range(len(x))],
        scales=tuple(f"scale{s + 1}" for s in job.truth()["scale"]),
        provenance=Provenance("benchmark", simulated=True),
    )


def calibration_at_truth(job: Job, answers: ta.Responses) -> ta.Calibration:
    """Return a calibration that holds the true 2PL parameters, so that every scorer scores with the same.

    The option ``latent_sd`` widens the latent distribution, and with it the grid.
    """
    fitted = ta.calibrate(answers.take(range(min(500, answers.n_persons))), job.model, se=None, tol=1e-2)
    truth = job.truth()
    par = np.column_stack([truth["slope"], truth["intercept"]])
    latent = replace(fitted.latent, cov=fitted.latent.cov * float(job.options.get("latent_sd", 1)) ** 2)
    blocks = tuple(replace(block, par=par[block.items]) for block in fitted.blocks)
    return replace(fitted, blocks=blocks, latent=latent)


def describe(job: Job, found: Found) -> dict[str, object]:
    """Return the estimates in slope/intercept form, the scores, or alpha."""
    if job.task == "score":
        return {"theta": found.theta[:, 0].tolist()}
    if job.task == "ctt":
        return {"alpha": found.alpha}
    n_dims = 2 if job.task == "bifactor" else 1
    slope, intercept, guessing = zip(*map(split_row, rows_of(found), [n_dims] * len(found.item_ids)), strict=True)
    return {
        "slope": slope,
        "intercept": intercept,
        **({"guessing": guessing} if job.model == "3pl" else {}),
        "latent_cov": found.latent.cov[0].tolist(),
        "iterations": found.n_steps,
        "status": found.status.value,
        "loglik": found.loglik,
    }


def rows_of(calibration: ta.Calibration) -> list[tuple[str, np.ndarray]]:
    """Return (model name, parameters) of every item in the form's order."""
    rows: dict[int, tuple[str, np.ndarray]] = {}
    for block in calibration.blocks:
        rows |= {int(item): (block.model.name, par) for item, par in zip(block.items, block.par, strict=True)}
    return [rows[item] for item in sorted(rows)]


def split_row(row: tuple[str, np.ndarray], n_dims: int) -> tuple[list[float], list[float], float]:
    """Return slopes, intercepts and the guessing parameter of one item."""
    name, par = row
    slope, rest = par[:n_dims], par[n_dims:]
    if name == "3pl":
        return slope.tolist(), rest[:1].tolist(), float(1 / (1 + np.exp(-rest[1])))
    return slope.tolist(), rest.tolist(), 0.0


def kernel() -> str:
    """Say whether the compiled E-step is in use."""
    if importlib.util.find_spec("talentassess.core.kernel") is None:
        return "NumPy"
    from talentassess.core.kernel import library

    return "NumPy" if library() is None else "compiled"


if __name__ == "__main__":
    serve(prepare, describe, {"talentassess": ta.__version__, "kernel": kernel(), **versions("numpy", "scipy")})

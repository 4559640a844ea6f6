"""Confirmatory calibration of items that measure several dimensions, and the record a stochastic run leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from talentassess.calibration.audit import FEW_ANSWERS
from talentassess.calibration.constraints import Equal, Fixed, Tie
from talentassess.calibration.inputs import name_models
from talentassess.calibration.loadings import LoadingProblem, build_loading_problem, read_pairs, read_pattern
from talentassess.calibration.look import Look
from talentassess.calibration.mhrm import RobbinsMonro, StochasticPath, run_chain
from talentassess.calibration.priors import Prior
from talentassess.calibration.problem import check_estimable
from talentassess.core.arrays import FloatArray
from talentassess.core.calibration import Calibration, FreeParameters, Latent
from talentassess.core.errors import ModelError
from talentassess.core.provenance import Provenance
from talentassess.core.responses import Responses
from talentassess.core.status import Finding, Severity, Status
from talentassess.core.survey import survey_responses

LARGE_SE, STEEP_SLOPE = 2.0, 6.0  # logits
FEW_DRAWS = 0.05  # of the draws: a person whose weights rest on fewer is badly covered
HIGH_CORRELATION = 0.95


def calibrate_loadings(
    responses: Responses,
    model: str | Mapping[str, str],
    loadings: Mapping[str, Sequence[str]],
    *,
    correlated: bool | Sequence[tuple[str, str]] = True,
    constraints: Sequence[Tie] = (),
    priors: Mapping[str, Prior] | None = None,
    seed: int = 1,
    run: RobbinsMonro | None = None,
) -> Calibration:
    """Fit item response models in which an item may measure several dimensions, by a stochastic EM-type chain.

    The latent distribution is normal with means 0 and variances 1 (logit metric, no 1.7); an item's slopes on
    dimensions it is not listed under are zero.

    Parameters
    ----------
    responses : scored answers of N persons to J items; scales are not looked at.
    model : a model name for all items, or a mapping item id -> model name; models with free slopes only.
    loadings : dimension -> item ids; an item may stand under several dimensions.
    correlated : True estimates all correlations between dimensions, False none (a bifactor model), or list the pairs.
    constraints : ``Fixed`` and ``Equal`` objects; slopes are named ``slope1`` .. ``slopeD`` by dimension.
    priors : parameter name -> prior; left out, the models' defaults apply; {} means none.
    seed : of all random numbers; the same seed gives the same result.
    run : settings of the chain.

    Returns
    -------
    Calibration; look at ``.status`` and ``.audit`` before the numbers. Its log-likelihood comes from importance
    sampling; ``provenance.options["loglik_se"]`` and the audit state its Monte-Carlo standard error.

    Raises
    ------
    CalibrationError : items without variation or in no dimension, unknown items or dimensions.
    ModelError : unknown model, constraint or prior; models that hold slopes or steps together.

    Equation: log L = sum_i w_i log integral N(theta; 0, Sigma) prod_j P_j(x_ij | theta) d theta, maximised by
    Metropolis-Hastings Robbins-Monro (Cai 2010b, Journal of Educational and Behavioral Statistics 35, 307-335).

    Examples
    --------
    >>> import talentassess as ta
    >>> answers = ta.simulate(ta.load_bank("service_core"), 200, seed=1)
    >>> items = ["ow_sr_01", "ow_sr_02", "ow_sr_03", "ow_sr_04"]
    >>> fit = ta.calibrate_loadings(answers.select(items), "graded", {"all": items}, run=ta.RobbinsMonro(samples=100))
    >>> fit.status.value, fit.n_free
    ('converged', 20)
    """
    models = name_models(responses, model)
    pattern = read_pattern(responses, loadings)
    constraints = tuple(constraints) if isinstance(constraints, Sequence) else (constraints,)
    strange = [c for c in constraints if not isinstance(c, Fixed | Equal)]
    if strange:
        raise ModelError(f"constraints must be Fixed(...) or Equal(...) objects; found {strange[0]!r}.")
    check_estimable(responses.item_ids, survey_responses(responses))
    problem = build_loading_problem(
        responses,
        models,
        pattern,
        tuple(loadings),
        pairs=read_pairs(tuple(loadings), correlated),
        constraints=constraints,
        priors=priors,
    )
    options = run if run is not None else RobbinsMonro()
    settings = {**options.options(), "seed": str(seed)}
    if constraints:
        settings["constraints"] = "; ".join(map(repr, constraints))
    return as_calibration(run_chain(problem, options, seed), settings)


def as_calibration(path: StochasticPath, settings: Mapping[str, str]) -> Calibration:
    """Turn a finished run into a calibration with its audit; unknown numbers are NaN."""
    problem, responses = path.problem, path.problem.responses
    blocks, latent = problem.unpack(path.free)
    cov = np.full((len(path.free),) * 2, np.nan)
    if path.look is not None and path.look.cov is not None:
        cov = path.look.cov
    loglik_se = path.look.loglik_se if path.look is not None else float("nan")
    models = sorted({block.variant for block in blocks})
    return Calibration(
        item_ids=responses.item_ids,
        n_cat=responses.n_cat,
        dimensions=problem.dimensions,
        blocks=blocks,
        par_cov=tuple(_item_covariances(problem, cov)),
        latent=Latent(("all",), latent.mean[None], latent.cov[None]),
        free=FreeParameters(problem.names, path.free, cov),
        loglik=path.look.loglik if path.look is not None else float("nan"),
        n_persons=len(problem.x),
        n_steps=path.n_cycles,
        status=path.status,
        trace=(path.trace,),
        audit=tuple(audit_run(path, cov)),
        provenance=Provenance(
            source=responses.provenance.source,
            data_hash=responses.provenance.data_hash,
            simulated=responses.provenance.simulated,
            options={"model": "/".join(models), **settings, "loglik_se": f"{loglik_se:.6g}"},
        ),
    )


def _item_covariances(problem: LoadingProblem, cov: FloatArray) -> list[FloatArray]:
    """Return one (Jb, P, P) covariance array per block: the linear map carries the free values' covariance over."""
    matrix, out, row = problem.tie.matrix.toarray(), [], 0
    for n_items, n_par in problem.entries.sizes:
        per_item = []
        for _ in range(n_items):
            part = matrix[row : row + n_par]
            used = np.flatnonzero(np.abs(part).sum(axis=0))
            per_item.append(part[:, used] @ cov[np.ix_(used, used)] @ part[:, used].T)
            row += n_par
        out.append(np.stack(per_item))
    return out


def audit_run(path: StochasticPath, cov: FloatArray) -> list[Finding]:
    """Say what a reader must know about the data and the estimates; cov (F, F) is that of the estimates."""
    where = "+".join(path.problem.dimensions)
    findings = _data_findings(path.problem, where)
    if not path.status.ok:
        findings.append(
            Finding(
                "status", Severity.PROBLEM, where, f"The estimation did not end well: {path.status.value}.",
                path.status.remedy,
            )
        )  # fmt: skip
    for f in np.flatnonzero(path.at_bound):
        findings.append(
            Finding(
                "at_bound", Severity.PROBLEM, path.problem.names[f],
                f"The estimate ran to its bound, {path.free[f]:.3g}.", Status.AT_BOUND.remedy,
            )
        )  # fmt: skip
    findings += _estimate_findings(path, cov, where)
    if path.look is None:
        findings.append(
            Finding(
                "not_looked_at", Severity.PROBLEM, where,
                "The run ended before log-likelihood and standard errors were computed.", path.status.remedy,
            )
        )  # fmt: skip
        return findings
    return findings + _monte_carlo_findings(path, path.look, where)


def _data_findings(problem: LoadingProblem, where: str) -> list[Finding]:
    responses, findings = problem.responses, []
    for j, (item, n_cat) in enumerate(zip(responses.item_ids, responses.n_cat, strict=True)):
        counts = np.bincount(responses.x[responses.answered[:, j], j], minlength=int(n_cat))
        unused, rare = np.flatnonzero(counts == 0), np.flatnonzero(counts < FEW_ANSWERS)
        if len(unused):
            findings.append(
                Finding(
                    "unused_category", Severity.WARNING, item,
                    f"Categories {', '.join(map(str, unused))} (codes from 0) are declared but nobody chose them.",
                    "The declared categories are kept; a weak prior worth one answer holds their parameters. "
                    "Collapse them only if that is how the item will be scored.",
                )
            )  # fmt: skip
        elif len(rare):
            listed = ", ".join(f"{k} ({counts[k]})" for k in rare)
            findings.append(
                Finding(
                    "rare_category", Severity.NOTE, item, f"Few answers in categories {listed}.",
                    "Their thresholds are uncertain: read them with their standard errors.",
                )
            )  # fmt: skip
    empty = responses.n_persons - len(problem.x)
    if empty:
        findings.append(
            Finding(
                "no_answers", Severity.NOTE, where, f"{empty} person(s) answered none of the items.",
                "Nothing to do; they carry no information about them.",
            )
        )  # fmt: skip
    if responses.weight is not None:
        findings.append(
            Finding(
                "weights_as_counts", Severity.NOTE, where, "The weights were taken as numbers of persons.",
                "Standard errors are too small or too large under sampling weights.",
            )
        )  # fmt: skip
    return findings


def _estimate_findings(path: StochasticPath, cov: FloatArray, where: str) -> list[Finding]:
    problem, findings = path.problem, []
    names, kinds = np.array(problem.names), problem.tie.param_names
    se = np.sqrt(np.maximum(np.nan_to_num(np.diag(cov)), 0.0))
    if (se > LARGE_SE).any():
        findings.append(
            Finding(
                "large_se", Severity.WARNING, where,
                f"{(se > LARGE_SE).sum()} estimate(s) have a standard error above 2 logits: "
                f"{', '.join(names[se > LARGE_SE][:6])}.",
                "The data say little about them; do not interpret them singly.",
            )
        )  # fmt: skip
    findings += [
        Finding(
            "steep_slope", Severity.WARNING, name, f"The slope is {value:.1f}: the item nearly determines a dimension.",
            "Look for another item that asks the same, or try fewer dimensions.",
        )
        for name, kind, value in zip(names, kinds, path.free, strict=False)
        if kind.startswith("slope") and abs(value) > STEEP_SLOPE
    ]  # fmt: skip
    findings += [
        Finding(
            "high_correlation", Severity.WARNING, name, f"The correlation is {value:.3f}.",
            "The two dimensions can hardly be told apart: consider joining them.",
        )
        for name, value in zip(names[problem.tie.n_free :], path.free[problem.tie.n_free :], strict=True)
        if abs(value) > HIGH_CORRELATION
    ]  # fmt: skip
    held = sorted({name for name, prior in zip(kinds, problem.priors, strict=True) if prior})
    if held:
        findings.append(
            Finding(
                "priors", Severity.NOTE, where, f"Priors are in force on: {', '.join(held)}.",
                "The estimates are posterior modes; pass priors={} for plain maximum likelihood.",
            )
        )  # fmt: skip
    return findings


def _monte_carlo_findings(path: StochasticPath, look: Look, where: str) -> list[Finding]:
    findings = [
        Finding(
            "monte_carlo", Severity.NOTE, where,
            f"Log-likelihood by importance sampling, Monte-Carlo standard error {look.loglik_se:.2f}; the estimates "
            f"lie within {look.distance:.2f} standard errors (root mean square) of the maximum, noise included; "
            f"noise alone gives {look.noise:.2f}.",
            "Differences of log-likelihood smaller than two such errors mean nothing; raise RobbinsMonro(samples=...).",
        )
    ]  # fmt: skip
    thin = int((look.draws_worth < FEW_DRAWS * look.n_draws).sum())
    if thin:
        findings.append(
            Finding(
                "few_effective_draws", Severity.WARNING, where,
                f"For {thin} of {len(look.draws_worth)} persons the importance weights rest on few draws.",
                "Raise RobbinsMonro(samples=...) and see whether log-likelihood and standard errors stay.",
            )
        )  # fmt: skip
    return findings

"""Score answers with a frozen calibration: EAP, MAP, ML, WLE and sum-score EAP, each with its standard error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import ArrayLike

from talentassess.core.arrays import BoolArray, FloatArray, IntArray
from talentassess.core.calibration import Calibration
from talentassess.core.errors import ScoringError
from talentassess.core.provenance import Provenance
from talentassess.core.responses import Responses
from talentassess.core.scores import Scores
from talentassess.scoring.bayes import expected_a_posteriori
from talentassess.scoring.bifactor import has_testlets, refuse_with_testlets, testlet_scores
from talentassess.scoring.correlated import JOINT, is_correlated, joint_posterior
from talentassess.scoring.form import Form, person_priors
from talentassess.scoring.inputs import Aligned, align, count_answers, score_statuses
from talentassess.scoring.modes import solve_modes
from talentassess.scoring.multidim import measures_jointly, refuse_options_jointly, score_jointly
from talentassess.scoring.sumscore import SumScoreTable, refuse_unordered, sum_score_eap, sum_score_table
from talentassess.scoring.uncertainty import item_error_covariance

__all__ = ["METHODS", "SumScoreTable", "score", "sum_score_table"]

METHODS = ("eap", "map", "ml", "wle", "sum-eap")


@overload
def score(
    calibration: Calibration,
    responses: Responses,
    method: str = "eap",
    *,
    partial: bool = False,
    item_uncertainty: bool = False,
    covariates: Mapping[str, ArrayLike] | None = None,
) -> Scores: ...


@overload
def score(
    calibration: Calibration,
    responses: Iterable[Responses] | str | Path,
    method: str = "eap",
    *,
    partial: bool = False,
    item_uncertainty: bool = False,
) -> Iterator[Scores]: ...


def score(
    calibration: Calibration,
    responses: Responses | Iterable[Responses] | str | Path,
    method: str = "eap",
    *,
    partial: bool = False,
    item_uncertainty: bool = False,
    covariates: Mapping[str, ArrayLike] | None = None,
) -> Scores | Iterator[Scores]:
    """Score answers on every dimension of a calibration.

    Parameters
    ----------
    calibration : from ``calibrate``; it is not changed.
    responses : answers to the calibrated items, with the same declared categories, in any order. A stream of them
        (``open_responses(...)``, the path of a Parquet file, any iterable of chunks) gives an iterator of ``Scores``,
        one for each chunk.
    method : ``eap`` (posterior mean; the default), ``map`` (posterior mode), ``ml`` (maximum likelihood), ``wle``
        (Warm's weighted likelihood), ``sum-eap`` (posterior mean given the sum score).
    partial : True if items of the calibration may be absent from the answers (a short form).
    item_uncertainty : True adds to ``cov`` what the estimation of the item parameters (and of the latent distribution,
        where it was estimated) leaves uncertain, and keeps that part in ``item_cov``. It matters where items were
        calibrated on few persons. The error is shared by all who take the form: it moves persons together more than
        apart, so ``reliability`` leaves it out.
    covariates : name -> (N,) numbers of the calibration's latent regression. Left out, nobody's score depends on them:
        all persons of a group share one prior, the calibration sample's. Given, equal answers score differently where
        covariates differ: right for describing populations, as a rule wrong for decisions about persons.

    Returns
    -------
    Scores in logits of the latent metric. Where the calibration knows how its dimensions correlate
    (``calibrate(..., correlated=True)``), ``eap`` and ``map`` use all answers for every dimension, and ``cov`` is the
    full posterior covariance; a dimension without answers of its own is predicted from the others and has the status
    ``NO_ANSWERS``. ``ml``, ``wle`` and ``sum-eap`` always go dimension by dimension, with a diagonal ``cov``. Where
    items measure several dimensions, ``eap`` and ``map`` score them jointly, with testlets ``eap`` only. Unless
    asked for, the standard errors take the item parameters as known.

    Raises
    ------
    ScoringError : unknown method, items the calibration does not have, absent items, other categories, unknown group,
        item_uncertainty with sum-eap, covariates without a latent regression, map under a density other than normal;
        with items of several dimensions, covariates, item_uncertainty or a method that goes one by one.
    DataError : covariates that are missing for a person or no numbers.
    CalibrationError : item_uncertainty with a calibration that has no standard errors.

    Equations: EAP = sum_q theta_q p(theta_q | x) (Bock & Mislevy 1982); MAP, ML: the mode of posterior or likelihood;
    WLE solves dl/dtheta + J / (2 I) = 0 with J = sum P' P'' / P (Warm 1989, eq. 10). With item uncertainty, Var =
    Var(theta | x, par) + G cov(par) G', G = d theta_hat / d par: the first-order form of the law of total variance
    (Tsutakawa & Johnson 1990; Yang, Hansen & Cai 2012).

    Examples
    --------
    >>> import talentassess as ta
    >>> answers = ta.simulate(ta.load_bank("service_core"), 300, seed=1).select(["ow_sr_01", "ow_sr_02", "ow_sr_03"])
    >>> ta.score(ta.calibrate(answers), answers)
    Scores(300 persons, ownership; eap, logit, SIMULATED)
    """
    if method not in METHODS:
        raise ScoringError(f"There is no scoring method '{method}'; choose one of: {', '.join(METHODS)}.")
    if not isinstance(responses, Responses):
        if covariates is not None:
            raise ScoringError("covariates need all answers at once; read them with ta.read_responses.")
        return _score_stream(calibration, responses, method, partial, item_uncertainty)
    if method == "sum-eap":
        refuse_unordered(calibration.blocks)
    if method == "map" and any(calibration.latent.shapes):
        raise ScoringError("method='map' needs a normal latent distribution: this one may have several modes. Use eap.")
    if item_uncertainty and (covariates is not None or any(calibration.latent.shapes)):
        raise ScoringError(
            "item_uncertainty is offered for normal latent distributions without covariates. Leave one of the two out."
        )
    aligned = align(calibration, responses, partial)
    if has_testlets(calibration):
        refuse_with_testlets(method, item_uncertainty, covariates is not None)
        theta, cov, n_answered = testlet_scores(calibration, aligned.x, aligned.group)
    elif measures_jointly(calibration, method):
        refuse_options_jointly(item_uncertainty, covariates is not None)
        theta, cov, n_answered = score_jointly(calibration, aligned.x, aligned.group, responses.person_ids, method)
    elif method in JOINT and covariates is None and is_correlated(calibration):
        theta, cov, n_answered = joint_posterior(calibration, aligned, method)
    else:
        forms, group = person_priors(calibration, responses, aligned.group, covariates)
        theta, cov, n_answered = _score_dimensions(forms, replace(aligned, group=group), method)
    variance, item_cov = np.diagonal(cov, axis1=1, axis2=2).copy(), None
    if item_uncertainty:
        item_cov = item_error_covariance(calibration, aligned, theta, method)
        cov += np.nan_to_num(item_cov)  # NaN stands beside scores that are not finite; their variance says so already
    return Scores(
        person_ids=responses.person_ids,
        dimensions=calibration.dimensions,
        theta=theta,
        cov=cov,
        method=method,
        metric="logit",
        status=score_statuses(theta, n_answered, calibration.status),
        n_answered=n_answered,
        reliability=_reliability(theta, variance, n_answered > 0, method),
        group=responses.group,
        provenance=_provenance(calibration, responses, method, item_uncertainty, covariates is not None),
        item_cov=item_cov,
    )


def _diagonal(variance: FloatArray) -> FloatArray:
    """Return (N, D, D) covariances with these variances (N, D); zeros elsewhere even where a variance is infinite."""
    cov = np.zeros((*variance.shape, variance.shape[1]))
    each = np.arange(variance.shape[1])
    cov[:, each, each] = variance
    return cov


def _score_stream(
    calibration: Calibration,
    source: Iterable[Responses] | str | Path,
    method: str,
    partial: bool,
    item_uncertainty: bool,
) -> Iterator[Scores]:
    if isinstance(source, str | Path):
        from talentassess.bank.answer_file import (
            open_responses,  # brings the table reader, which most calls do not need
        )

        source = open_responses(source)
    for chunk in source:
        yield score(calibration, chunk, method, partial=partial, item_uncertainty=item_uncertainty)


def _score_dimensions(forms: Sequence[Form], aligned: Aligned, method: str) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return theta (N, D), error covariances (N, D, D) and numbers of answers (N, D), one dimension after the other."""
    columns = [_score_dimension(form, aligned, method) for form in forms]
    theta, variance, n_answered = (np.column_stack(part) for part in zip(*columns, strict=True))
    return theta, _diagonal(variance), n_answered


def _score_dimension(form: Form, aligned: Aligned, method: str) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return theta (N,), error variance (N,) and number of answers (N,) on one dimension."""
    x, group = aligned.columns(form.positions), aligned.group
    if method == "eap":
        return expected_a_posteriori(form, x, group)
    if method == "sum-eap":
        theta, variance = sum_score_eap(form, x, group)
    else:
        theta, variance = solve_modes(form, x, group, method)
    return theta, variance, count_answers(x, complete=False)


def _reliability(theta: FloatArray, variance: FloatArray, answered: BoolArray, method: str) -> FloatArray:
    """Return (D,) empirical reliability over the persons with a finite score.

    Equation: var(theta) / (var(theta) + mean(SE^2)) for EAP and MAP, whose scores are shrunken; 1 - mean(SE^2) /
    var(theta) for ML and WLE (Chalmers 2012, empirical_rxx).
    """
    out = np.full(theta.shape[1], np.nan)
    for d in range(theta.shape[1]):
        use = answered[:, d] & np.isfinite(theta[:, d])
        rows: slice | BoolArray = slice(None) if use.all() else use  # a mask copies, which costs more than the moments
        if use.sum() > 1:
            observed, error = float(np.var(theta[rows, d], ddof=1)), float(np.mean(variance[rows, d]))
            shrunken = method in ("eap", "map", "sum-eap")
            out[d] = observed / (observed + error) if shrunken else 1 - error / observed if observed > 0 else np.nan
    return out


def _provenance(
    calibration: Calibration, responses: Responses, method: str, item_uncertainty: bool, with_covariates: bool
) -> Provenance:
    return Provenance(
        source=responses.provenance.source,
        data_hash=responses.provenance.data_hash,
        simulated=responses.provenance.simulated or calibration.provenance.simulated,
        options={
            "method": method,
            "calibration": calibration.parameter_hash,
            "calibrated on": calibration.provenance.source,
            **({"item uncertainty": "delta method, in the standard errors"} if item_uncertainty else {}),
            **({"covariates": calibration.provenance.options.get("covariates", "")} if with_covariates else {}),
        },
    )

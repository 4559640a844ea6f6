"""Score answers with a frozen calibration: EAP, MAP, ML, WLE and sum-score EAP, each with its standard error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from talentassess.core.arrays import BoolArray, FloatArray, IntArray
from talentassess.core.calibration import Calibration
from talentassess.core.errors import ScoringError
from talentassess.core.provenance import Provenance
from talentassess.core.responses import MISSING, Responses
from talentassess.core.scores import Scores
from talentassess.core.status import Status
from talentassess.scoring.bayes import expected_a_posteriori
from talentassess.scoring.correlated import JOINT, is_correlated, joint_posterior
from talentassess.scoring.form import Form, dimension_form
from talentassess.scoring.modes import solve_modes
from talentassess.scoring.sumscore import SumScoreTable, sum_score_eap, sum_score_table

__all__ = ["METHODS", "SumScoreTable", "score", "sum_score_table"]

METHODS = ("eap", "map", "ml", "wle", "sum-eap")


def score(calibration: Calibration, responses: Responses, method: str = "eap", *, partial: bool = False) -> Scores:
    """Score answers on every dimension of a calibration.

    Parameters
    ----------
    calibration : from ``calibrate``; it is not changed.
    responses : answers to the calibrated items, with the same declared categories, in any order.
    method : ``eap`` (posterior mean; the default), ``map`` (posterior mode), ``ml`` (maximum likelihood), ``wle``
        (Warm's weighted likelihood), ``sum-eap`` (posterior mean given the sum score).
    partial : True if items of the calibration may be absent from the answers (a short form).

    Returns
    -------
    Scores in logits of the latent metric. Where the calibration knows how its dimensions correlate
    (``calibrate(..., correlated=True)``), ``eap`` and ``map`` use all answers for every dimension, and ``cov`` is the
    full posterior covariance; a dimension without answers of its own is predicted from the others and has the status
    ``NO_ANSWERS``. ``ml``, ``wle`` and ``sum-eap`` always go dimension by dimension, with a diagonal ``cov``. The
    standard errors do not include the item parameters' own uncertainty.

    Raises
    ------
    ScoringError : unknown method, items the calibration does not have, absent items, other categories, unknown group.

    Equations: EAP = sum_q theta_q p(theta_q | x) (Bock & Mislevy 1982); MAP, ML: the mode of posterior or likelihood;
    WLE solves dl/dtheta + J / (2 I) = 0 with J = sum P' P'' / P (Warm 1989, eq. 10).

    Examples
    --------
    >>> import talentassess as ta
    >>> answers = ta.simulate(ta.load_bank("service_core"), 300, seed=1).select(["ow_sr_01", "ow_sr_02", "ow_sr_03"])
    >>> ta.score(ta.calibrate(answers), answers)
    Scores(300 persons, ownership; eap, logit, SIMULATED)
    """
    if method not in METHODS:
        raise ScoringError(f"There is no scoring method '{method}'; choose one of: {', '.join(METHODS)}.")
    unordered = [block.model.label for block in calibration.blocks if not block.model.ordered]
    if method == "sum-eap" and unordered:
        raise ScoringError(
            f"A sum score of the {unordered[0]} has no meaning: its categories are not ordered. Use eap."
        )
    aligned = _align(calibration, responses, partial)
    group = _group_numbers(calibration, responses)
    if method in JOINT and is_correlated(calibration):
        theta, cov = joint_posterior(calibration, aligned.x, group, method)
    else:
        forms = [dimension_form(calibration, d) for d in range(len(calibration.dimensions))]
        columns = [_score_dimension(form, aligned, group, method) for form in forms]
        theta = np.column_stack([column[0] for column in columns])
        cov = _diagonal(np.column_stack([column[1] for column in columns]))
    variance = np.diagonal(cov, axis1=1, axis2=2)
    n_answered = _answers_per_dimension(calibration, aligned)
    return Scores(
        person_ids=responses.person_ids,
        dimensions=calibration.dimensions,
        theta=theta,
        cov=cov,
        method=method,
        metric="logit",
        status=_statuses(theta, n_answered, calibration.status),
        n_answered=n_answered,
        reliability=_reliability(theta, variance, n_answered > 0, method),
        group=responses.group,
        provenance=_provenance(calibration, responses, method),
    )


def _diagonal(variance: FloatArray) -> FloatArray:
    """Return (N, D, D) covariances with these variances (N, D); zeros elsewhere even where a variance is infinite."""
    cov = np.zeros((*variance.shape, variance.shape[1]))
    each = np.arange(variance.shape[1])
    cov[:, each, each] = variance
    return cov


def _align(calibration: Calibration, responses: Responses, partial: bool) -> Responses:
    """Bring the answers into the calibration's item order; absent items become missing if that was asked for."""
    known = {item: j for j, item in enumerate(calibration.item_ids)}
    unknown = [f"item '{item}' is not in the calibration" for item in responses.item_ids if item not in known]
    other = [
        f"item '{item}' declares {k} categories; it was calibrated with {calibration.n_cat[known[item]]}"
        for item, k in zip(responses.item_ids, responses.n_cat, strict=True)
        if item in known and k != calibration.n_cat[known[item]]
    ]
    absent = [f"item '{item}' is missing from the answers" for item in known if item not in responses.item_ids]
    if unknown or other or (absent and not partial):
        raise ScoringError(
            "The answers do not fit the calibration. Select the calibrated items with responses.select([...]), declare "
            "the same categories, and for a shortened form call score(..., partial=True).",
            [*unknown, *other, *([] if partial else absent)],
        )
    x = np.full((responses.n_persons, len(known)), MISSING, dtype=np.int16)
    x[:, [known[item] for item in responses.item_ids]] = responses.x
    return replace(
        responses,
        x=x,
        n_cat=calibration.n_cat,
        item_ids=calibration.item_ids,
        scales=tuple(calibration.dimension_of(item) for item in calibration.item_ids),
        reversed_items=(),
        seconds=None,
    )


def _group_numbers(calibration: Calibration, responses: Responses) -> IntArray:
    groups = calibration.latent.groups
    if len(groups) == 1:
        return np.zeros(responses.n_persons, dtype=np.int64)
    if responses.group is None:
        raise ScoringError(f"The calibration has the groups {', '.join(groups)}; the answers carry no group column.")
    unknown = sorted(set(responses.group) - set(groups))
    if unknown:
        raise ScoringError(f"Unknown group(s): {', '.join(unknown)}. The calibration has: {', '.join(groups)}.")
    return np.array([groups.index(g) for g in responses.group], dtype=np.int64)


def _answers_per_dimension(calibration: Calibration, responses: Responses) -> IntArray:
    """Return (N, D) numbers of answers."""
    own = [np.isin(responses.scales, [name]) for name in calibration.dimensions]
    return np.column_stack([(responses.x[:, items] != MISSING).sum(axis=1) for items in own])


def _score_dimension(form: Form, responses: Responses, group: IntArray, method: str) -> tuple[FloatArray, FloatArray]:
    """Return theta (N,) and error variance (N,) on one dimension."""
    x = responses.x[:, form.positions]
    if method == "eap":
        return expected_a_posteriori(form, x, group)
    if method == "sum-eap":
        return sum_score_eap(form, x, group)
    return solve_modes(form, x, group, method)


def _statuses(theta: FloatArray, n_answered: IntArray, calibrated: Status) -> tuple[tuple[Status, ...], ...]:
    def one(value: float, answers: int) -> Status:
        if answers == 0:
            return Status.NO_ANSWERS
        return calibrated if np.isfinite(value) else Status.EXTREME_PATTERN

    return tuple(
        tuple(one(float(value), int(n)) for value, n in zip(row, answers, strict=True))
        for row, answers in zip(theta, n_answered, strict=True)
    )


def _reliability(theta: FloatArray, variance: FloatArray, answered: BoolArray, method: str) -> FloatArray:
    """Return (D,) empirical reliability over the persons with a finite score.

    Equation: var(theta) / (var(theta) + mean(SE^2)) for EAP and MAP, whose scores are shrunken; 1 - mean(SE^2) /
    var(theta) for ML and WLE (Chalmers 2012, empirical_rxx).
    """
    out = np.full(theta.shape[1], np.nan)
    for d in range(theta.shape[1]):
        use = answered[:, d] & np.isfinite(theta[:, d])
        if use.sum() > 1:
            observed, error = float(np.var(theta[use, d], ddof=1)), float(np.mean(variance[use, d]))
            shrunken = method in ("eap", "map", "sum-eap")
            out[d] = observed / (observed + error) if shrunken else 1 - error / observed if observed > 0 else np.nan
    return out


def _provenance(calibration: Calibration, responses: Responses, method: str) -> Provenance:
    return Provenance(
        source=responses.provenance.source,
        data_hash=responses.provenance.data_hash,
        simulated=responses.provenance.simulated or calibration.provenance.simulated,
        options={
            "method": method,
            "calibration": calibration.parameter_hash,
            "calibrated on": calibration.provenance.source,
        },
    )

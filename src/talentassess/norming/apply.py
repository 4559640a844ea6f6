"""Set people's scores against a norm: percentiles and standard scores that carry both errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from talentassess.core.arrays import BoolArray, FloatArray
from talentassess.core.errors import NormError
from talentassess.core.ipsative import refuse_ipsative
from talentassess.core.scores import Scores
from talentassess.core.status import Finding, Severity
from talentassess.norming.given import GivenScores
from talentassess.norming.normed import NO_SCORE, OUTSIDE, NormedScores, NormSettings
from talentassess.norming.sampling import normalised_z_se, percentile_interval, percentile_se, z_se
from talentassess.norming.scale_norm import ScaleNorm

if TYPE_CHECKING:
    from talentassess.norming.table import NormTable


def apply_norms(norms: NormTable, scores: Scores, *, settings: NormSettings | None = None) -> NormedScores:
    """Set scores against a norm table.

    Parameters
    ----------
    norms : covers every dimension of the scores, in the same metric.
    scores : theta (N, D) with errors.
    settings : confidence of the percentile interval, stanine rule.

    Equations, with e the score's standard error, m and s the norm's mean and SD, P the norm's percentile function:
    se(z)^2 = (e / s)^2 + (1 + z^2 / 2) / n. The percentile's error joins the larger of |P(x +- e) - P(x)| and
    sqrt(p (1 - p) / n); its interval joins the intervals of both sources of error (MOVER: Zou & Donner 2008), within
    0..100.

    Raises
    ------
    NormError : scales without a norm, or another metric.
    ScoringError : ipsative scores.

    Examples
    --------
    >>> from talentassess.core.status import Status
    >>> from talentassess.norming import NormCard, fit_norms
    >>> scores = Scores(person_ids=tuple(map(str, range(50))), dimensions=("listening",),
    ...                 theta=np.linspace(-2, 2, 50)[:, None], cov=np.full((50, 1, 1), 0.1), method="eap",
    ...                 metric="logit", status=((Status.CONVERGED,),) * 50, n_answered=np.full((50, 1), 8),
    ...                 reliability=np.array([0.9]))
    >>> card = NormCard(population="call centre trainees", sample="one cohort", n=50, collected_from="2024",
    ...                 collected_to="2024", source_hash="ab12", simulated=False, method="EAP, graded model")
    >>> normed = apply_norms(fit_norms(scores, card=card), scores)
    >>> limits = (normed.percentile, normed.percentile_low, normed.percentile_high)
    >>> [round(float(column[40, 0]), 1) for column in limits]
    [81.0, 63.9, 96.3]
    """
    refuse_ipsative(scores, "norms")
    return _apply(norms, GivenScores.from_scores(scores), settings or NormSettings())


def apply_norms_raw(
    norms: NormTable,
    values: Mapping[str, ArrayLike],
    *,
    se: Mapping[str, float] | None = None,
    person_ids: Sequence[str] | None = None,
    simulated: bool = False,
    settings: NormSettings | None = None,
) -> NormedScores:
    """Set raw scores (sum scores, observed composites) against a norm table.

    Parameters
    ----------
    norms : a table in metric ``raw``.
    values : scale -> (N,) scores, NaN where a person has none.
    se : scale -> standard error of measurement in score points. A scale left out gets no error of measurement, and a
        finding says so.
    person_ids : (N,) labels; 1, 2, 3 ... if left out.
    simulated : True if any of the scores rests on simulated answers.
    settings : confidence of the percentile interval, stanine rule.

    Raises
    ------
    NormError : scales without a norm, another metric, columns of unequal length, or a negative error.

    Examples
    --------
    >>> from talentassess.norming import NormCard, fit_norms_raw
    >>> card = NormCard(population="trainees", sample="a cohort", n=40, collected_from="2024", collected_to="2024",
    ...                 source_hash="ab12", simulated=False, method="number right")
    >>> norms = fit_norms_raw({"numeracy": [1, 2, 2, 3] * 10}, card=card)
    >>> normed = apply_norms_raw(norms, {"numeracy": [2, 3]}, se={"numeracy": 0.4})
    >>> normed.percentile.ravel().tolist(), normed.sten.ravel().tolist()
    ([50.0, 87.5], [6.0, 8.0])
    """
    return _apply(norms, GivenScores.from_raw(values, se or {}, person_ids, simulated), settings or NormSettings())


def _apply(norms: NormTable, given: GivenScores, settings: NormSettings) -> NormedScores:
    _check_fit(norms, given)
    parts = [_norm_one(norms.scale(name), given, d, settings) for d, name in enumerate(given.scales)]
    stacked = {key: np.column_stack([part[key] for part in parts]) for key in parts[0]}
    outside = np.column_stack([norms.scale(name).outside(given.score[:, d]) for d, name in enumerate(given.scales)])
    text = np.where(np.isnan(given.score), NO_SCORE, np.where(outside, OUTSIDE, ""))
    simulated = given.provenance.simulated or norms.provenance.simulated
    options = {**given.provenance.options, "norms": norms.card.population, "norm data": norms.card.source_hash}
    return NormedScores(
        person_ids=given.person_ids,
        scales=given.scales,
        score=given.score,
        score_se=given.se,
        **stacked,
        flags=tuple(tuple(str(flag) for flag in row) for row in text),
        settings=settings,
        population=norms.card.population,
        group=given.group,
        findings=tuple(_findings(norms, given, outside)),
        provenance=replace(given.provenance, simulated=simulated, options=options),
    )


def _check_fit(norms: NormTable, given: GivenScores) -> None:
    unnormed = [name for name in given.scales if name not in norms.names]
    if unnormed:
        raise NormError(
            f"No norm for {len(unnormed)} scale(s). Normed scales: {', '.join(norms.names)}. Fit norms for the others, "
            "or leave them out of the scores.",
            [f"unnormed scale '{name}'" for name in unnormed],
        )
    if given.metric != norms.metric:
        raise NormError(
            f"The scores are in metric '{given.metric}', the norms in metric '{norms.metric}'. Use norms fitted to the "
            "same kind of scores."
        )


def _norm_one(norm: ScaleNorm, given: GivenScores, d: int, settings: NormSettings) -> dict[str, FloatArray]:
    from scipy.special import ndtri

    score, se = given.score[:, d], given.se[:, d]
    z, percentile = norm.standardise(score), norm.percentile_of(score)
    normalised = np.asarray(ndtri(percentile / 100.0))
    up, down = (np.asarray(ndtri(norm.percentile_of(score + sign * se) / 100.0)) for sign in (1, -1))
    measured = np.maximum(up - normalised, normalised - down)
    low, high = _percentile_limits(norm, score, se, settings.confidence)
    return {
        "percentile": percentile,
        "percentile_se": np.hypot(_percentile_shift(norm, score, se), percentile_se(percentile, norm.n_effective)),
        "percentile_low": low,
        "percentile_high": high,
        "z": z,
        "z_se": np.hypot(se / norm.sd, z_se(z, norm.n_effective)),
        "z_normalised": normalised,
        "z_normalised_se": np.hypot(measured, normalised_z_se(percentile, norm.n_effective)),
    }


def _percentile_shift(norm: ScaleNorm, score: FloatArray, se: FloatArray) -> FloatArray:
    # The larger side, because at an end of the norm sample's range one side cannot move.
    middle = norm.percentile_of(score)
    return np.maximum(norm.percentile_of(score + se) - middle, middle - norm.percentile_of(score - se))


def _percentile_limits(
    norm: ScaleNorm, score: FloatArray, se: FloatArray, confidence: float
) -> tuple[FloatArray, FloatArray]:
    from scipy.special import ndtri

    middle = norm.percentile_of(score)
    reach = float(ndtri(0.5 + confidence / 2.0)) * se
    low, high = percentile_interval(middle, norm.n_effective, confidence)
    down = np.hypot(middle - norm.percentile_of(score - reach), middle - low)
    up = np.hypot(norm.percentile_of(score + reach) - middle, high - middle)
    return np.maximum(middle - down, 0.0), np.minimum(middle + up, 100.0)


def _findings(norms: NormTable, given: GivenScores, outside: BoolArray) -> Iterator[Finding]:
    for d, name in enumerate(given.scales):
        yield from _scale_findings(name, int(outside[:, d].sum()), int(np.isnan(given.score[:, d]).sum()))
        blind = int(np.sum(np.isnan(given.se[:, d]) & ~np.isnan(given.score[:, d])))
        if blind:
            yield Finding(
                "no_standard_error",
                Severity.WARNING,
                name,
                f"{blind} score(s) have no standard error: their errors and intervals are left empty.",
                "Score the persons again with a method that gives standard errors.",
            )
        if len(given.unsettled) and given.unsettled[d]:
            yield Finding(
                "score_not_converged",
                Severity.WARNING,
                name,
                f"{given.unsettled[d]} score(s) did not converge; they are normed all the same.",
                "Look at the status of each score before using it.",
            )
    for name in given.without_error:
        yield Finding(
            "no_measurement_error",
            Severity.WARNING,
            name,
            "No standard error of measurement was given: the errors shown hold the norm's sampling error only.",
            "Pass se={scale: SEM}; SEM = SD sqrt(1 - reliability).",
        )
    yield from _method_findings(norms, given)


def _scale_findings(name: str, outside: int, without: int) -> Iterator[Finding]:
    if outside:
        yield Finding(
            "outside_norm_range",
            Severity.WARNING,
            name,
            f"{outside} person(s) score below the lowest or above the highest person of the norm sample.",
            "Their percentile is that end's, flagged; say 'beyond the norm sample' rather than a number.",
        )
    if without:
        yield Finding(
            "no_score",
            Severity.NOTE,
            name,
            f"{without} person(s) have no usable score (no answers, or no finite estimate); their rows are empty.",
            "Nothing needs to be done if they were not given it; for extreme patterns score with EAP, MAP or WLE.",
        )


def _method_findings(norms: NormTable, given: GivenScores) -> Iterator[Finding]:
    kinds = (("scoring", given.method), ("calibration", given.provenance.options.get("calibration", "")))
    for key, found in kinds:
        normed = norms.provenance.options.get(key, "")
        if found and normed and found != normed:
            yield Finding(
                f"other_{key}",
                Severity.WARNING,
                f"{norms.card.population}",
                f"The norm sample's {key} is '{normed}', these scores' is '{found}': the two need not be comparable.",
                f"Score the persons with the same {key} as the norm sample.",
            )

"""Scores, levels and weights of a match, brought together on the competencies in play and checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from talentassess.core.arrays import BoolArray, FloatArray
from talentassess.core.errors import NormError, ProfileError
from talentassess.core.provenance import Provenance
from talentassess.core.scores import Scores
from talentassess.matching.fit import roots
from talentassess.matching.profiles import JobProfile, Requirement, Standard

SHIFTS = (0.0, -10.0, 10.0)  # percentile points; the first one is the policy itself


class NormQuantiles(Protocol):
    """What matching asks of norms: the score at a percentile, and z in the norm group."""

    @property
    def provenance(self) -> Provenance:
        """Where the norms come from, and whether they are simulated."""

    @property
    def metric(self) -> str:
        """The metric of the norms; it must be that of the scores."""

    def quantile(self, scale: str, percent: float, /) -> tuple[float, float]:
        """Return the score (calibration's metric) at a percentile of the norm group, and its standard error."""

    def standardise(self, scale: str, theta: FloatArray, /) -> FloatArray:
        """Return (N,) z of (N,) scores in the norm group."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """Scores and levels on the C competencies in play, S shifts of the declared percentile.

    theta, z, slope (N, C); cov, root, z_cov (N, C, C); level, level_se (S, C), NaN where nothing is required;
    shifts (S,) percentile points; required, importance_known (C,); sign (C,) +1 or -1.
    importance (C,) and its covariance are those behind the weights: times the emphasis of the role context.
    """

    profile: JobProfile
    theta: FloatArray
    cov: FloatArray
    root: FloatArray
    z: FloatArray
    slope: FloatArray
    z_cov: FloatArray
    shifts: tuple[float, ...]
    level: FloatArray
    level_se: FloatArray
    required: BoolArray
    sign: FloatArray
    importance: FloatArray
    importance_cov: FloatArray
    importance_known: BoolArray

    @property
    def declared(self) -> list[Standard]:
        """The levels that rest on the declared policy and move with it."""
        return declared_standards(self.profile)


def prepare(scores: Scores, profile: JobProfile, norms: NormQuantiles | None) -> Case:
    """Bring scores, levels and weights together; raise ``ProfileError`` where ``match`` says so."""
    _check_persons(scores)
    _check_scored(scores, profile)
    played = profile.restricted_to([c for c in profile.competencies if c in scores.dimensions])
    _check_norms(played, norms, scores.metric)
    columns = [scores.column(c) for c in played.competencies]
    theta, cov = scores.theta[:, columns], scores.cov[:, np.array(columns)[:, None], columns]
    _check_finite(scores.person_ids, played.competencies, theta, cov)
    z, slope = _standardised(played.competencies, theta, norms)
    shifts = _shifts(played, norms)
    levels = np.array([[_level(r, norms, shift) for r in played.requirements] for shift in shifts])
    known = np.array([r.importance is not None for r in played.requirements])
    emphasis = np.array([r.emphasis for r in played.requirements])
    return Case(
        profile=played,
        theta=theta,
        cov=cov,
        root=roots(cov, scores.person_ids),
        z=z,
        slope=slope,
        z_cov=slope[:, :, None] * cov * slope[:, None, :],
        shifts=shifts,
        level=levels[:, :, 0],
        level_se=levels[:, :, 1],
        required=np.array([r.standard is not None for r in played.requirements]),
        sign=np.array([r.sign for r in played.requirements], dtype=np.float64),
        importance=np.array([r.importance or 0.0 for r in played.requirements]) * emphasis,
        importance_cov=np.nan_to_num(played.importance_cov) * np.outer(emphasis, emphasis),
        importance_known=known,
    )


def _check_persons(scores: Scores) -> None:
    twice = [f"'{p}' comes {count} times" for p, count in Counter(scores.person_ids).items() if count > 1]
    if twice:
        raise ProfileError("Every candidate must have one row of scores. Remove or rename the repeated ones.", twice)
    if not scores.person_ids:
        raise ProfileError("There is no candidate: the scores have no row.")


def _check_scored(scores: Scores, profile: JobProfile) -> None:
    missing = [
        f"competency '{r.competency}': required ({r.standard.source}), but there is no score of this name"
        for r in profile.requirements
        if r.standard is not None and r.competency not in scores.dimensions
    ]
    there = [r for r in profile.requirements if r.competency in scores.dimensions]
    if missing:
        raise ProfileError(
            f"{profile.code} requires what was not scored. Scored: {', '.join(scores.dimensions)}. Score it, or leave "
            f"it out on purpose with profile.restricted_to({[r.competency for r in there]}).",
            missing,
        )
    if not sum(r.importance or 0.0 for r in there):
        raise ProfileError(
            f"None of the scored dimensions ({', '.join(scores.dimensions)}) is a competency of {profile.code} with "
            f"known importance ({', '.join(r.competency for r in profile.requirements)}): there is nothing to weight. "
            "Name the dimensions after competencies, or link a competency to O*NET elements."
        )


def _check_norms(profile: JobProfile, norms: NormQuantiles | None, metric: str) -> None:
    problems = []
    if norms is not None and norms.metric != metric:
        problems.append(f"the scores are in metric '{metric}', the norms in metric '{norms.metric}'")
    for r in profile.requirements:
        percent = r.standard.percentile if r.standard else None
        if norms is None and percent is not None:
            problems.append(
                f"competency '{r.competency}': the level is percentile {percent:g}, and no norms were given"
            )
        if norms is not None and (problem := _norm_problem(r, norms)):
            problems.append(problem)
    if problems:
        raise ProfileError(
            "Levels that are percentiles, and z scores, need norms of every scale, in the metric of the scores. Give "
            "norms=fit_norms(...) or load_norms(...) that hold these scales, leave the scales out with "
            "profile.restricted_to([...]), or, without norms, set every level as theta with "
            "profile.with_standard(competency, theta=...).",
            problems,
        )


def _norm_problem(requirement: Requirement, norms: NormQuantiles) -> str:
    scale = requirement.competency
    try:
        norms.standardise(scale, np.zeros(1))
    except NormError as error:
        return f"unnormed scale '{scale}': {error.message}"
    try:
        _level(requirement, norms, 0.0)
    except NormError as error:
        return f"required level of '{scale}': {error.message}"
    return ""


def _check_finite(persons: Sequence[str], competencies: Sequence[str], theta: FloatArray, cov: FloatArray) -> None:
    variance = np.diagonal(cov, axis1=1, axis2=2)
    usable = np.isfinite(theta) & np.isfinite(cov).all(axis=2) & (variance >= 0)
    bad = np.argwhere(~usable)
    if len(bad):
        raise ProfileError(
            f"{len(bad)} score(s) or their errors are not numbers one can compare. Score with method='eap', which is "
            "finite for every answer pattern, or leave these persons out.",
            [
                f"person '{persons[i]}', competency '{competencies[c]}': score {theta[i, c]}, variance {variance[i, c]}"
                for i, c in bad
            ],
        )


def _standardised(
    competencies: Sequence[str], theta: FloatArray, norms: NormQuantiles | None
) -> tuple[FloatArray, FloatArray]:
    """Return z and its slope by theta, both (N, C); the slope carries the error of theta over to z."""
    if norms is None:
        return theta.copy(), np.ones(theta.shape)
    step = 0.05  # logits: small beside any score's error, large beside rounding in a table of norms
    z, slope = np.empty(theta.shape), np.empty(theta.shape)
    for c, competency in enumerate(competencies):
        z[:, c] = norms.standardise(competency, theta[:, c])
        up, down = (norms.standardise(competency, theta[:, c] + h) for h in (step, -step))
        slope[:, c] = (np.asarray(up) - np.asarray(down)) / (2 * step)
    return z, slope


def _shifts(profile: JobProfile, norms: NormQuantiles | None) -> tuple[float, ...]:
    """Return the shifts the norms can follow for every declared level, the unmoved policy first."""
    declared = [r for r in profile.requirements if r.standard is not None and r.standard.declared]
    possible = [s for s in SHIFTS[1:] if declared and all(_readable(r, norms, s) for r in declared)]
    return (0.0, *possible)


def _readable(requirement: Requirement, norms: NormQuantiles | None, shift: float) -> bool:
    standard = requirement.standard
    if standard is None or standard.percentile is None or not 1 <= standard.percentile + shift <= 99:
        return False
    try:
        _level(requirement, norms, shift)
    except NormError:
        return False
    return True


def declared_standards(profile: JobProfile) -> list[Standard]:
    """Return the levels of a profile that rest on its declared policy."""
    return [r.standard for r in profile.requirements if r.standard is not None and r.standard.declared]


def _level(requirement: Requirement, norms: NormQuantiles | None, shift: float) -> tuple[float, float]:
    """Return level and standard error in the calibration's metric; NaN where nothing is required."""
    standard = requirement.standard
    if standard is None:
        return float("nan"), float("nan")
    if standard.theta is not None:
        return standard.theta, standard.se
    if standard.percentile is None or norms is None:
        raise ProfileError(f"The required level of '{requirement.competency}' is neither a score nor a percentile.")
    percent = standard.percentile + (shift if standard.declared else 0.0)
    level, se = norms.quantile(requirement.competency, percent)
    return level, float(np.hypot(se, _percentile_error(requirement.competency, standard, norms)))


def _percentile_error(scale: str, standard: Standard, norms: NormQuantiles) -> float:
    """Return the standard error of a level given as percentile, carried over to theta by the slope of the norms."""
    if standard.percentile is None or standard.se == 0:
        return 0.0
    # Half-way to the ends at most: the slope is taken inside the norm table, however large the error.
    down = max(standard.percentile - standard.se, standard.percentile / 2)
    up = min(standard.percentile + standard.se, (100 + standard.percentile) / 2)
    rise = norms.quantile(scale, up)[0] - norms.quantile(scale, down)[0]
    return standard.se * rise / (up - down)

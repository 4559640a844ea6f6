"""Match candidates with a role: probabilities, a composite with ranks, and fit among all occupations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.errors import ProfileError
from talentassess.core.ipsative import refuse_ipsative
from talentassess.core.provenance import Provenance, hash_arrays
from talentassess.core.scores import Scores
from talentassess.core.status import Finding, Severity, Status
from talentassess.matching.case import SHIFTS, Case, NormQuantiles, prepare
from talentassess.matching.fit import BLOCK, Drawing, probability_meets, role_fit, roots
from talentassess.matching.matches import (
    ALL_REQUIRED,
    FIT_DRAWS,
    Composite,
    Matches,
    VerdictCount,
    above,
    count_verdicts,
)
from talentassess.matching.profiles import JobProfile

FEW_COMPETENCIES = 6


def match(
    scores: Scores,
    profile: JobProfile,
    *,
    norms: NormQuantiles | None = None,
    draws: int = 4000,
    seed: int = 1,
    confidence: float = 0.90,
) -> Matches:
    """Match candidates with a role and say how sure each statement is.

    Per competency P(true >= required) = Phi((theta - r) / sqrt(se^2 + se_r^2)); jointly by draws from the posterior
    covariance and from the error of the levels, where one draw of the levels holds for all candidates. The composite
    is the sum of norm z with weights in proportion to importance; ranks come from draws of scores and weights.
    Candidates with P(composite > that of the first) above (1 - confidence) / 2 cannot be told apart from the first.
    A verdict is given where a probability reaches ``confidence`` or 1 - ``confidence``; else it is "cannot tell".

    The covariance of EAP and MAP scores is the posterior's; ML and WLE scores are used as if the prior were flat, and
    a finding says so.

    Parameters
    ----------
    scores : theta (N, D) with covariance (N, D, D); dimensions bear the ids of competencies.
    profile : the role; competencies that are neither required nor scored stay out of the composite, with a finding.
    norms : norms of the scales; without them only levels given as theta can be used, and z is theta itself.
    draws, seed : for joint probabilities, ranks and intervals.
    confidence : of intervals and verdicts, between 0.5 and 1.

    Raises
    ------
    ProfileError : a required competency has no score, a scale has no norms, a score is not finite, a person comes
        twice, no competency with known importance is scored, or an option is out of range.

    Examples
    --------
    >>> from talentassess.matching import load_profile
    >>> links = {"listening": [("2.A.1.b", 1.0)], "dependability": [("1.C.5.a", 1.0)]}
    >>> profile = load_profile("43-4051.00", links=links)
    >>> for competency in links:
    ...     profile = profile.with_standard(competency, theta=0.0, se=0.1, source="nine supervisors")
    >>> scores = Scores(
    ...     person_ids=("ann", "bo"), dimensions=("listening", "dependability"),
    ...     theta=np.array([[1.0, 0.8], [0.9, -0.2]]), cov=np.tile(0.16 * np.eye(2), (2, 1, 1)),
    ...     method="eap", metric="logit", status=((Status.CONVERGED,) * 2,) * 2,
    ...     n_answered=np.full((2, 2), 10), reliability=np.full(2, 0.84))
    >>> matches = match(scores, profile)
    >>> matches.p_meets.round(3).tolist(), matches.leading
    ([[0.992, 0.974], [0.985, 0.314]], ('ann', 'bo'))
    """
    refuse_ipsative(scores, "a match with a role")
    drawing = _drawing(draws, seed, confidence)
    case = prepare(scores, profile, norms)
    drawn = _draw(case, drawing)
    composite = _composite(case, drawn, confidence)
    known = np.flatnonzero(case.importance_known)
    p_meets = _marginal(case, 0)
    return Matches(
        person_ids=scores.person_ids,
        group=scores.group,
        profile=case.profile,
        theta=case.theta,
        cov=case.cov,
        z=case.z,
        z_cov=case.z_cov,
        level=case.level[0],
        level_se=case.level_se[0],
        p_meets=p_meets,
        p_all=drawn.p_all[0],
        p_all_mc=_monte_carlo_error(drawn.p_all[0], draws),
        composite=composite,
        fit=role_fit(
            case.z[:, known],
            roots(case.z_cov[:, known[:, None], known]),
            case.profile.reference[:, known],
            profile.role,
            Drawing(draws=min(draws, FIT_DRAWS), seed=seed, confidence=confidence),
        ),
        sensitivity=_sensitivity(case, drawn, confidence),
        drawing=drawing,
        findings=_findings(scores, profile, norms, case),
        provenance=_provenance(scores, profile, norms, drawing, case),
    )


@dataclass(frozen=True, eq=False, slots=True)
class _Drawn:
    """p_all (S, N) joint probability per shift, rank (draws, N)."""

    p_all: FloatArray
    rank: IntArray


def _drawing(draws: int, seed: int, confidence: float) -> Drawing:
    problems = []
    if draws < 100:
        problems.append(f"draws {draws}: at least 100 are needed for an interval, 4000 are usual")
    if seed < 0:
        problems.append(f"seed {seed}: must be 0 or more")
    if not 0.5 < confidence < 1:
        problems.append(f"confidence {confidence}: must lie between 0.5 and 1, e.g. 0.90")
    if problems:
        raise ProfileError("These options of match cannot be used.", problems)
    return Drawing(draws=draws, seed=seed, confidence=confidence)


def _marginal(case: Case, shift: int) -> FloatArray:
    """Return (N, C) P(true >= required); for a ceiling P(true <= required)."""
    se = np.sqrt(np.diagonal(case.cov, axis1=1, axis2=2))
    level, level_se = case.sign * case.level[shift], case.level_se[shift]
    p = probability_meets(case.sign * case.theta, se, level, level_se)
    return np.where(case.required, p, np.nan)


def _draw(case: Case, drawing: Drawing) -> _Drawn:
    """Draw true scores, levels and weights; levels and weights are drawn once per draw, for all candidates."""
    n, c = case.theta.shape
    rng = np.random.default_rng(drawing.seed)
    weight_root = roots(case.importance_cov[None])[0]
    met, rank = np.zeros((len(case.shifts), n)), np.empty((drawing.draws, n), dtype=np.int64)
    size = max(1, BLOCK // (n * c))
    for start in range(0, drawing.draws, size):
        part = slice(start, min(start + size, drawing.draws))
        error = np.einsum("ncd,bnd->bnc", case.root, rng.standard_normal((part.stop - start, n, c)))
        level_error = rng.standard_normal((part.stop - start, c))
        importance = case.importance + rng.standard_normal((part.stop - start, c)) @ weight_root.T
        for s in range(len(case.shifts)):
            met[s] += _all_met(case, error, level_error, s)
        weight = case.sign * _shares(np.maximum(importance, 0.0))
        rank[part] = _ranks(np.einsum("bnc,bc->bn", case.z + case.slope * error, weight))
    nobody_asked = not case.required.any()
    return _Drawn(np.full(met.shape, np.nan) if nobody_asked else met / drawing.draws, rank)


def _all_met(case: Case, error: FloatArray, level_error: FloatArray, shift: int) -> FloatArray:
    """Return (N,) number of draws in which a candidate meets every required level."""
    met = np.ones((len(error), len(case.theta)), dtype=np.bool_)
    for c in np.flatnonzero(case.required):
        level = case.level[shift, c] + case.level_se[shift, c] * level_error[:, c]
        met &= case.sign[c] * (case.theta[:, c] + error[:, :, c] - level[:, None]) >= 0
    return np.asarray(met.sum(axis=0), dtype=np.float64)


def _shares(importance: FloatArray) -> FloatArray:
    total = importance.sum(axis=-1, keepdims=True)
    return importance / np.where(total > 0, total, 1.0)


def _ranks(values: FloatArray) -> IntArray:
    """Return ranks along the last axis, 1 for the highest; ties share the better rank."""
    ordered = np.sort(-values, axis=-1)
    return np.array([1 + np.searchsorted(o, -v, side="left") for o, v in zip(ordered, values, strict=True)])


def _composite(case: Case, drawn: _Drawn, confidence: float) -> Composite:
    weight, weight_cov = case.sign * _shares(case.importance), _weight_covariance(case)
    tail, value = (1 - confidence) / 2, case.z @ weight
    noise = np.einsum("c,ncd,d->n", weight, case.z_cov, weight)
    shared = np.einsum("nc,cd,nd->n", case.z, weight_cov, case.z)
    rank = _ranks(value[None])[0]
    first = int(np.argmin(rank))
    p_above = above(case.z, case.z_cov, weight, weight_cov, first)
    p_above[first] = np.nan
    lower, upper = np.quantile(drawn.rank, [tail, 1 - tail], axis=0, method="inverted_cdf")
    return Composite(
        weight=weight,
        weight_cov=weight_cov,
        value=value,
        se=np.sqrt(noise + shared),
        rank=rank,
        rank_lower=lower.astype(np.int64),
        rank_upper=upper.astype(np.int64),
        p_best=np.mean(drawn.rank == 1, axis=0),
        p_above_best=p_above,
        leading=np.isnan(p_above) | (p_above > tail),
    )


def _weight_covariance(case: Case) -> FloatArray:
    """Return (C, C) covariance of w = sign i / sum(i), by the delta method: J cov J', J = sign (I - w 1') / sum."""
    total, c = case.importance.sum(), len(case.importance)
    gradient = case.sign[:, None] * (np.eye(c) - _shares(case.importance)[:, None]) / total
    cov: FloatArray = gradient @ case.importance_cov @ gradient.T
    return cov


def _monte_carlo_error(p: FloatArray, draws: int) -> FloatArray:
    # One success and one failure are added: a share of 0 or 1 is not known without error either.
    shrunk = (p * draws + 1) / (draws + 2)
    return np.sqrt(shrunk * (1 - shrunk) / draws)


def _sensitivity(case: Case, drawn: _Drawn, confidence: float) -> tuple[VerdictCount, ...]:
    asked = [(c, r) for c, r in enumerate(case.profile.requirements) if r.standard is not None]
    moving = bool(case.declared)
    rows = []
    for s in sorted(range(len(case.shifts)), key=lambda s: case.shifts[s]):
        p, shift = _marginal(case, s), case.shifts[s]
        for c, r in asked:
            moves = r.standard is not None and r.standard.declared
            rows.append(count_verdicts(shift, r.competency, moves, p[:, c], confidence))
        if asked:
            rows.append(count_verdicts(shift, ALL_REQUIRED, moving, drawn.p_all[s], confidence))
    return tuple(rows)


def _findings(scores: Scores, profile: JobProfile, norms: NormQuantiles | None, case: Case) -> tuple[Finding, ...]:
    """List what a reader must know before the numbers."""
    return (
        *_score_findings(scores, case),
        *_norm_findings(scores, norms),
        *_profile_findings(profile, case),
        *_policy_findings(case),
    )


def _score_findings(scores: Scores, case: Case) -> list[Finding]:
    found = []
    if scores.method in ("ml", "wle"):
        found.append(
            Finding(
                "flat_prior",
                Severity.WARNING,
                "scores",
                f"Scores by {scores.method.upper()} are not regressed to the mean; the probabilities take them as if "
                "every true score had been equally likely beforehand.",
                "Score with method='eap', unless a flat prior is meant.",
            )
        )
    for competency in case.profile.competencies:
        column = scores.column(competency)
        odd = [p for p, row in zip(scores.person_ids, scores.status, strict=True) if not row[column].ok]
        if odd:
            statuses = {row[column] for row in scores.status} - {Status.CONVERGED}
            found.append(
                Finding(
                    "score_status",
                    Severity.WARNING,
                    competency,
                    f"{len(odd)} score(s) are not plain estimates ({', '.join(sorted(s.value for s in statuses))}): "
                    f"{', '.join(odd[:5])}{' ...' if len(odd) > 5 else ''}.",
                    " ".join(sorted(s.remedy for s in statuses)),
                )
            )
    return found


def _norm_findings(scores: Scores, norms: NormQuantiles | None) -> list[Finding]:
    if norms is None:
        return [
            Finding(
                "no_norms",
                Severity.WARNING,
                "norms",
                "No norms were given: z is the score in the metric of the calibration, whose spread may differ from "
                "scale to scale, and so may the competencies' real weights.",
                "Give norms=fit_norms(...) or load_norms(...).",
            )
        ]
    found = []
    ours, theirs = (p.options.get("calibration", "") for p in (scores.provenance, norms.provenance))
    if ours and theirs and ours != theirs:
        found.append(
            Finding(
                "other_calibration",
                Severity.WARNING,
                "norms",
                f"The norms rest on another calibration ('{theirs}') than the scores ('{ours}'): levels and scores "
                "need not be on one scale.",
                "Score the norm sample and the candidates with the same calibration.",
            )
        )
    if norms.provenance.simulated and not scores.provenance.simulated:
        found.append(
            Finding(
                "simulated_norms",
                Severity.WARNING,
                "norms",
                "Real answers are compared with SIMULATED norms; the whole result is marked SIMULATED.",
                "Use norms from real answers before anything is decided.",
            )
        )
    return found


def _profile_findings(profile: JobProfile, case: Case) -> list[Finding]:
    unscored = [c for c in profile.competencies if c not in case.profile.competencies]
    unknown = [r.competency for r in case.profile.requirements if r.importance is None]
    domains = {e.domain for r in case.profile.requirements for e in r.elements}
    compared = int(case.importance_known.sum())
    rules = (
        (
            bool(unscored),
            "not_scored",
            Severity.WARNING,
            f"Of the profile, {', '.join(unscored)} has no required level and was not scored: it is not in the "
            "composite, and the weights of the others add up to 1.",
            "Score it, or cut the profile with restricted_to([...]).",
        ),
        (
            bool(profile.left_out),
            "not_assessed",
            Severity.WARNING,
            f"The role also requires {', '.join(profile.left_out)}; as this was left out, meeting the levels "
            "assessed here says nothing about it.",
            "Assess it by another method before the decision.",
        ),
        (
            bool(unknown),
            "importance_not_known",
            Severity.WARNING,
            f"The importance of {', '.join(unknown)} is not known: it has no weight in the composite and no part in "
            "the fit of the profile's shape.",
            "Link it to O*NET elements in the competency model.",
        ),
        (
            compared < FEW_COMPETENCIES,
            "few_competencies",
            Severity.WARNING,
            f"The shape of a profile of {compared} competencies is compared with occupations: with so few points "
            "the correlation takes extreme values by chance"
            f"{', and with fewer than 3 it is not computed' if compared < 3 else ''}.",
            "Read the role's percentile with its interval, never the correlation alone.",
        ),
        (
            len(domains) > 1,
            "mixed_raters",
            Severity.NOTE,
            f"Importance comes from {' and '.join(sorted(domains))}, which different people rated and which differ in "
            "average; weights in proportion to raw importance favour the domain that was rated higher.",
            "Look at z_over_occupations in the requirements before reading weights as priorities.",
        ),
    )
    return [
        Finding(code, severity, profile.code, message, remedy)
        for holds, code, severity, message, remedy in rules
        if holds
    ]


def _policy_findings(case: Case) -> list[Finding]:
    if not case.required.any():
        return [
            Finding(
                "no_required_level",
                Severity.WARNING,
                case.profile.code,
                "No scored competency has a required level, so nothing is said about meeting the role's standard.",
                "Set levels with with_standard(...), or declare a policy with with_policy(...).",
            )
        ]
    if case.declared and len(case.shifts) < len(SHIFTS):
        return [
            Finding(
                "policy_not_moved",
                Severity.NOTE,
                case.profile.code,
                "The declared percentile was not moved by 10 points both ways: it would leave the range from 1 to 99, "
                "or that of the norm sample.",
                "Read the sensitivity table for the levels that it shows.",
            )
        ]
    return []


def _provenance(
    scores: Scores, profile: JobProfile, norms: NormQuantiles | None, drawing: Drawing, case: Case
) -> Provenance:
    parents = [scores.provenance, *([norms.provenance] if norms is not None else [])]
    return Provenance(
        source=f"match of {scores.provenance.source} with {profile.code} {profile.title}",
        data_hash=hash_arrays(case.theta, case.cov, case.level, case.level_se, case.importance),
        simulated=any(parent.simulated for parent in parents),
        options={
            "onet": profile.version,
            "policy": profile.policy.source,
            "context": profile.context,
            "norms": f"{norms.provenance.source} {norms.provenance.data_hash}".strip() if norms else "none",
            "scores": scores.provenance.data_hash,
            "draws": str(drawing.draws),
            "seed": str(drawing.seed),
            "confidence": f"{drawing.confidence:g}",
        },
    )

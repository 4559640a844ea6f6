"""Make a norm table from the scores of a norm sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from talentassess.core.arrays import FloatArray
from talentassess.core.errors import NormError
from talentassess.core.ipsative import refuse_ipsative
from talentassess.core.provenance import Provenance, hash_arrays
from talentassess.core.scores import Scores
from talentassess.core.status import Finding, Severity
from talentassess.norming.card import NormCard
from talentassess.norming.given import raw_columns, usable
from talentassess.norming.sampling import percentile_se, z_se
from talentassess.norming.scale_norm import SAME_DECIMALS, ScaleNorm
from talentassess.norming.table import NormTable, check_simulated

SMALLEST, MODEST = 30, 200


def fit_norms(
    scores: Scores, *, card: NormCard, weights: ArrayLike | None = None, scales: Sequence[str] | None = None
) -> NormTable:
    """Make norms from the scores of a norm sample.

    Parameters
    ----------
    scores : theta (N, D) of the whole sample. Persons without answers on a scale are left out of its norm, which a
        finding states: their score is the population's, not theirs.
    card : who was measured; ``card.n`` is N, ``card.simulated`` agrees with the scores' provenance.
    weights : (N,) positive sampling weights.
    scales : dimensions to norm; all if left out.

    Raises
    ------
    NormError : fewer than 30 persons (or effective persons, with weights) on a scale, scores without spread or without
        finite value, or a card that does not fit the scores.

    Examples
    --------
    >>> from talentassess.core.status import Status
    >>> theta = np.linspace(-2, 2, 50)[:, None]
    >>> scores = Scores(person_ids=tuple(map(str, range(50))), dimensions=("listening",), theta=theta,
    ...                 cov=np.full((50, 1, 1), 0.1), method="eap", metric="logit",
    ...                 status=((Status.CONVERGED,),) * 50, n_answered=np.full((50, 1), 8), reliability=np.array([0.9]))
    >>> card = NormCard(population="call centre trainees", sample="one cohort", n=50, collected_from="2024",
    ...                 collected_to="2024", source_hash="ab12", simulated=False, method="EAP, graded model")
    >>> norms = fit_norms(scores, card=card)
    >>> norms
    NormTable(listening; logit; call centre trainees, one cohort, N = 50, real answers)
    >>> theta, se = norms.quantile("listening", 40)
    >>> round(theta, 3), round(se, 3)
    (-0.408, 0.277)
    """
    refuse_ipsative(scores, "a norm table")
    chosen = list(scores.dimensions) if scales is None else list(scales)
    unknown = [name for name in chosen if name not in scores.dimensions]
    if unknown or not chosen:
        asked = ", ".join(unknown) or "none"
        raise NormError(f"Cannot norm: {asked}. The scores' dimensions are: {', '.join(scores.dimensions)}.")
    _check_finite(scores, chosen)
    known, unsettled = usable(scores)
    theta = np.where(known, scores.theta, np.nan)
    columns = {name: theta[:, scores.column(name)] for name in chosen}
    table = _fit(columns, card, weights, scores.metric, _options(scores.provenance, "scoring", scores.method))
    late = [_not_converged(name, int(unsettled[scores.column(name)])) for name in chosen]
    return replace(table, findings=(*(f for f in late if f is not None), *table.findings))


def fit_norms_raw(values: Mapping[str, ArrayLike], *, card: NormCard, weights: ArrayLike | None = None) -> NormTable:
    """Make norms from raw scores (sum scores, observed composites) of a norm sample.

    Parameters
    ----------
    values : scale -> (N,) scores in points, NaN where a person has none.
    card : who was measured; ``card.n`` is N.
    weights : (N,) positive sampling weights.

    Raises
    ------
    NormError : as ``fit_norms``.

    Examples
    --------
    >>> card = NormCard(population="trainees", sample="a cohort", n=40, collected_from="2024", collected_to="2024",
    ...                 source_hash="ab12", simulated=False, method="number right")
    >>> norms = fit_norms_raw({"numeracy": [1, 2, 2, 3] * 10}, card=card)
    >>> norms.scale("numeracy").percentile.tolist()
    [12.5, 50.0, 87.5]
    """
    table = raw_columns(values)
    source = Provenance("raw scores", data_hash=hash_arrays(table), simulated=card.simulated)
    columns = {name: table[:, d] for d, name in enumerate(values)}
    return _fit(columns, card, weights, "raw", _options(source, "scoring", "raw"))


def _check_finite(scores: Scores, chosen: Sequence[str]) -> None:
    answered = scores.n_answered > 0
    lines = []
    for name in chosen:
        d = scores.column(name)
        bad = np.flatnonzero(answered[:, d] & ~np.isfinite(scores.theta[:, d]))
        lines += [f"person '{scores.person_ids[i]}', scale '{name}': {scores.theta[i, d]}" for i in bad]
    if lines:
        raise NormError(
            f"{len(lines)} score(s) are not finite; leaving them out would cut off an end of the norm. Score with EAP, "
            "MAP or WLE.",
            lines,
        )


def _options(provenance: Provenance, key: str, value: str) -> Provenance:
    return replace(provenance, options={**provenance.options, key: value})


def _not_converged(name: str, count: int) -> Finding | None:
    if not count:
        return None
    return Finding(
        "score_not_converged",
        Severity.WARNING,
        name,
        f"{count} score(s) of the norm sample did not converge; they are in the norm all the same.",
        "Look at the status of the scores and fit the norms again.",
    )


def _fit(
    columns: Mapping[str, FloatArray], card: NormCard, weights: ArrayLike | None, metric: str, provenance: Provenance
) -> NormTable:
    check_simulated(card, provenance)
    n_persons = len(next(iter(columns.values())))
    weight = _weights(weights, n_persons)
    if card.n != n_persons:
        raise NormError(
            f"The card says N = {card.n}, but {n_persons} persons were given. Pass the whole norm sample, or correct n."
        )
    sizes = {name: _sizes(column, weight) for name, column in columns.items()}
    problems = [line for name, column in columns.items() for line in _problems(name, column, *sizes[name])]
    if problems:
        raise NormError(f"Norms need at least {SMALLEST} persons with scores that differ, on every scale.", problems)
    return NormTable(
        card=card,
        scales=tuple(_scale_norm(name, column, weight, *sizes[name]) for name, column in columns.items()),
        metric=metric,
        findings=tuple(f for name in columns for f in _findings(name, n_persons, *sizes[name])),
        provenance=_options(provenance, "weights", "none" if weights is None else "sampling weights"),
    )


def _weights(weights: ArrayLike | None, n_persons: int) -> FloatArray:
    if weights is None:
        return np.ones(n_persons)
    weight = np.asarray(weights, dtype=np.float64)
    if weight.shape != (n_persons,):
        raise NormError(f"weights has shape {weight.shape}; one weight per person is needed, ({n_persons},).")
    bad = np.flatnonzero(~np.isfinite(weight) | (weight <= 0))
    if len(bad):
        lines = [f"person row {i}: weight {weight[i]}" for i in bad]
        raise NormError("Weights must be positive numbers. Remove persons of weight zero instead.", lines)
    return weight


def _sizes(column: FloatArray, weight: FloatArray) -> tuple[int, float]:
    """Return the number of persons with a score, and the effective number (Kish 1965)."""
    known = weight[~np.isnan(column)]
    n = len(known)
    return n, float(known.sum() ** 2 / np.sum(known**2)) if n else 0.0


def _problems(name: str, column: FloatArray, n: int, effective: float) -> list[str]:
    if effective < SMALLEST:
        size = f"{n} persons" if effective == n else f"{n} persons worth {effective:.1f} after weighting"
        error = f"{float(percentile_se(50.0, effective)):.0f} percentile points" if effective > 0 else "unlimited"
        return [f"scale '{name}': {size}; the standard error of the median's percentile would be {error}"]
    if len(np.unique(np.round(column[~np.isnan(column)], SAME_DECIMALS))) < 2:
        return [f"scale '{name}': all {n} persons have the same score"]
    return []


def _scale_norm(name: str, column: FloatArray, weight: FloatArray, n: int, effective: float) -> ScaleNorm:
    known = ~np.isnan(column)
    score, place = np.unique(np.round(column[known], SAME_DECIMALS), return_inverse=True)
    mass = np.bincount(place, weights=weight[known])
    return ScaleNorm(name=name, score=score, frequency=mass * (n / mass.sum()), n=n, n_effective=effective)


def _findings(name: str, n_persons: int, n: int, effective: float) -> list[Finding]:
    findings = []
    if n < n_persons:
        findings.append(
            Finding(
                "persons_left_out",
                Severity.NOTE,
                name,
                f"{n_persons - n} of {n_persons} persons have no score on it and are not in its norm.",
                "Check that they were not meant to answer; people who skip a scale may differ from those who do not.",
            )
        )
    if effective < MODEST:
        median, mean = float(percentile_se(50.0, effective)), 10 * float(z_se(0.0, effective))
        findings.append(
            Finding(
                "small_norm_sample",
                Severity.WARNING,
                name,
                f"{effective:.0f} persons: at the median the standard error is {median:.1f} percentile points, "
                f"at the mean {mean:.1f} T points.",
                f"Report standard scores with their errors; collect at least {MODEST} persons for decisions.",
            )
        )
    if n / effective > 1.5:
        findings.append(
            Finding(
                "large_design_effect",
                Severity.WARNING,
                name,
                f"The weights cost much: {n} persons are worth {effective:.0f} (design effect {n / effective:.2f}).",
                "Look for a few very large weights; trim them openly or collect the group that is missing.",
            )
        )
    return findings

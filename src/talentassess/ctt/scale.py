"""One scale's sum score: its statistics, and what stands against using them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from talentassess.core.arrays import FloatArray
from talentassess.core.status import Finding, Severity, Status
from talentassess.ctt.choices import number_or_none
from talentassess.ctt.moments import Moments
from talentassess.ctt.one_factor import OneFactor, minres_one_factor
from talentassess.ctt.records import ScaleStatistics
from talentassess.ctt.reliability import (
    correlations,
    cronbach_alpha,
    feldt_interval,
    odd_even_split_half,
    omega_total,
    sum_variance,
)
from talentassess.ctt.rest_scores import ScaleAnswers

NAN = float("nan")


def scale_statistics(
    name: str, answers: ScaleAnswers, weight: FloatArray | None, used: Moments, confidence: float
) -> tuple[ScaleStatistics, OneFactor]:
    """Return a scale's statistics and the one-factor solution behind omega.

    Parameters
    ----------
    name : of the scale.
    answers : of all items of the scale.
    weight : (N,) positive, or None. The interval of alpha uses the effective sample size
        (sum w)^2 / sum w^2 (Kish 1965).
    used : moments of the items that have variance.
    confidence : of the interval of alpha.
    """
    anybody = answers.given > 0
    n_used = len(used.mean)
    r = correlations(used.cov)
    factor = minres_one_factor(r) if np.all(np.isfinite(r)) else OneFactor(np.full(n_used, NAN), Status.NON_FINITE)
    alpha, sd = cronbach_alpha(used.cov), float(np.sqrt(sum_variance(used.cov)))
    persons = int(anybody.sum())
    size = float(persons) if weight is None else _effective_size(weight[anybody])
    low, high = (NAN, NAN) if np.isnan(alpha) else feldt_interval(alpha, size, n_used, confidence)
    values = {
        "mean": float(used.mean.sum()) if n_used else NAN,
        "sd": sd,
        "alpha": alpha,
        "alpha_low": low,
        "alpha_high": high,
        "alpha_standardised": cronbach_alpha(r),
        "omega": omega_total(used.cov, factor),
        "omega_standardised": omega_total(r, factor),
        "split_half": odd_even_split_half(used.cov) if n_used > 1 else NAN,
        "sem": sd * float(np.sqrt(1.0 - alpha)) if alpha <= 1.0 else NAN,
        "mean_inter_item": float((r.sum() - n_used) / (n_used * (n_used - 1))) if n_used > 1 else NAN,
    }
    statistics = ScaleStatistics(
        scale=name,
        n_persons=persons,
        n_complete=int(np.sum(answers.given == len(answers.columns))),
        n_items=len(answers.columns),
        n_used=n_used,
        confidence=confidence,
        **{key: number_or_none(value) for key, value in values.items()},
    )
    return statistics, factor


def scale_findings(
    scale: ScaleStatistics, used: Moments, item_ids: Sequence[str], factor: OneFactor, n_listed: int
) -> list[Finding]:
    """Return what a reader must know before using a scale's statistics.

    Parameters
    ----------
    scale : the statistics.
    used, item_ids : moments and ids of the items that have variance.
    factor : the solution behind omega.
    n_listed : persons in the table, with or without answers.
    """
    return [
        *_about_size(scale, n_listed),
        *_about_pairs(scale, used, item_ids),
        *_about_alpha(scale),
        *_about_omega(scale, item_ids, factor),
    ]


def _effective_size(weight: FloatArray) -> float:
    return float(weight.sum() ** 2 / np.sum(weight**2))


def _about_size(scale: ScaleStatistics, n_listed: int) -> Iterator[Finding]:
    if scale.n_used < 2:
        yield Finding(
            "too_few_items",
            Severity.PROBLEM,
            scale.scale,
            f"{scale.n_used} of its {scale.n_items} item(s) have variance; alpha, omega and item-rest correlations "
            "need at least two, so they are left empty.",
            "Add items, or name the scale of each item (all items of one scale together).",
        )
    elif scale.n_used == 2:
        yield Finding(
            "two_items",
            Severity.NOTE,
            scale.scale,
            "Two items with variance: alpha-without-item and omega do not exist, so they are left empty.",
            "Use the interval of alpha; two items are a narrow sample of what a scale means.",
        )
    if scale.n_persons < n_listed:
        yield Finding(
            "persons_without_answers",
            Severity.NOTE,
            scale.scale,
            f"{n_listed - scale.n_persons} of {n_listed} persons answered none of its items; they do not enter it.",
            "Nothing needs to be done if they were not given the scale.",
        )


def _about_pairs(scale: ScaleStatistics, used: Moments, item_ids: Sequence[str]) -> Iterator[Finding]:
    undefined = np.argwhere(np.triu(np.isnan(used.cov), 1))
    if not len(undefined):
        yield from _about_definiteness(scale, used)
        return
    pairs = ", ".join(f"{item_ids[i]} & {item_ids[j]}" for i, j in undefined[:5])
    yield Finding(
        "no_common_answers",
        Severity.PROBLEM,
        scale.scale,
        f"{len(undefined)} pair(s) of items have fewer than two persons in common ({pairs}), so the scale's covariance "
        "matrix has holes: reliability and item-rest correlations are left empty.",
        "Analyse the forms apart, or calibrate the items: an item response model needs no common persons.",
    )


def _about_definiteness(scale: ScaleStatistics, used: Moments) -> Iterator[Finding]:
    smallest = float(np.linalg.eigvalsh(correlations(used.cov))[0]) if scale.n_used > 1 else 0.0
    if smallest < -1e-8:
        yield Finding(
            "covariances_disagree",
            Severity.WARNING,
            scale.scale,
            f"The pairwise correlations contradict each other (smallest eigenvalue {smallest:.3f}): too many different "
            "persons stand behind them.",
            f"Compare with an analysis of the {scale.n_complete} persons who answered every item.",
        )


def _about_alpha(scale: ScaleStatistics) -> Iterator[Finding]:
    if scale.alpha is None and scale.mean_inter_item is not None:
        yield Finding(
            "no_sum_variance",
            Severity.PROBLEM,
            scale.scale,
            "The sum score has no variance: its items cancel each other, so reliability is left empty.",
            "Check the keys; usually an item is reversed that should not be, or the other way round.",
        )
    elif scale.alpha is not None and scale.alpha < 0:
        yield Finding(
            "negative_alpha",
            Severity.PROBLEM,
            scale.scale,
            f"Alpha is {scale.alpha:.2f}: on the whole, the items go against each other.",
            "Check the keys of the items with a negative item-rest correlation.",
        )


def _about_omega(scale: ScaleStatistics, item_ids: Sequence[str], factor: OneFactor) -> Iterator[Finding]:
    if factor.status is Status.AT_BOUND:
        loadings = zip(item_ids, factor.loadings, strict=True)
        at_bound = ", ".join(item for item, loading in loadings if abs(loading) >= 1.0)
        yield Finding(
            "heywood_case",
            Severity.WARNING,
            scale.scale,
            f"The one-factor solution behind omega gives item {at_bound} no unique variance (a Heywood case).",
            "Do not use omega here; look for near-duplicate items or more than one factor.",
        )
    elif factor.status is Status.MAX_STEPS:
        yield Finding(
            "omega_not_converged",
            Severity.WARNING,
            scale.scale,
            "The one-factor solution behind omega stopped at the step limit.",
            "Do not use omega here; use alpha and its interval.",
        )

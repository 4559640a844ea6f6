"""How each expert stands to the others: order, severity, and what they find relevant."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from talentassess.core.arrays import FloatArray
from talentassess.core.status import Finding, Severity
from talentassess.panel.concordance import correlation
from talentassess.panel.ratings import ExpertRatings
from talentassess.panel.records import ExpertAgreement
from talentassess.panel.settings import PanelSettings

FEWEST = 5  # options that a correlation with the others needs to say anything at all


def expert_agreement(ratings: ExpertRatings) -> tuple[ExpertAgreement, ...]:
    """Return a record per expert."""
    return tuple(_one(ratings, e) for e in range(len(ratings.experts)))


def _one(ratings: ExpertRatings, e: int) -> ExpertAgreement:
    own, rest = against_others(ratings.effectiveness, e)
    relevance, essential = (x[e][~np.isnan(x[e])] for x in (ratings.relevance, ratings.essential))
    return ExpertAgreement(
        expert=ratings.experts[e],
        n_effectiveness=int(np.sum(~np.isnan(ratings.effectiveness[e]))),
        n_relevance=len(relevance),
        n_essential=len(essential),
        expert_rest=correlation(own, rest) if len(own) >= FEWEST else None,
        severity=float(np.mean(own - rest)) if len(own) else None,
        relevance=float(relevance.mean()) if len(relevance) else None,
        essential=float(essential.mean()) if len(essential) else None,
    )


def against_others(x: FloatArray, e: int) -> tuple[FloatArray, FloatArray]:
    """Return expert e's ratings and the mean of the others', for the options of x (E, O) that both rated; (n,) each."""
    others = np.delete(x, e, axis=0)
    count = np.sum(~np.isnan(others), axis=0)
    both = ~np.isnan(x[e]) & (count > 0)
    return x[e, both], np.nansum(others[:, both], axis=0) / count[both]


def expert_findings(experts: tuple[ExpertAgreement, ...], settings: PanelSettings) -> Iterator[Finding]:
    """Yield a finding for every expert who orders the options unlike the others, or is much more severe or lenient."""
    for row in experts:
        if row.expert_rest is not None and row.expert_rest < settings.expert_rest:
            yield Finding(
                "expert_apart", Severity.WARNING, row.expert,
                f"Correlates {row.expert_rest:.2f} with the other experts, below {settings.expert_rest:.2f}.",
                "Ask how the scale was understood before the ratings are used; a scale read backwards looks like this. "
                "Leaving an expert out because of disagreement alone makes agreement by selection.",
            )  # fmt: skip
        if row.severity is not None and abs(row.severity) > settings.severity:
            kind = "more severe" if row.severity < 0 else "more lenient"
            yield Finding(
                "expert_severity", Severity.NOTE, row.expert,
                f"Is {abs(row.severity):.2f} points {kind} than the other experts on average.",
                "Severity shifts all options alike: the order, and so the best and worst option, does not hang on it.",
            )  # fmt: skip

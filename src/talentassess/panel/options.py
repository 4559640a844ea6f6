"""The options of a situational item as a panel sees them: mean, interval, and which one is best."""

from __future__ import annotations

import numpy as np

from talentassess.bank.schema import SituationalItem
from talentassess.core.arrays import FloatArray
from talentassess.panel.ratings import EFFECTIVENESS
from talentassess.panel.records import OptionConsensus
from talentassess.panel.settings import PanelSettings


def option_consensus(item: SituationalItem, x: FloatArray, settings: PanelSettings) -> tuple[OptionConsensus, ...]:
    """Return a record per option from ratings x (E, n), NaN where an expert did not rate it."""
    first = probability_best(complete(x), settings)
    return tuple(
        _one(item, position, x[:, position], None if first is None else float(first[position]), settings)
        for position in range(x.shape[1])
    )


def complete(x: FloatArray) -> FloatArray:
    """Return the rows of x (E, n) of experts who rated all n options."""
    whole: FloatArray = x[~np.isnan(x).any(axis=1)]
    return whole


def probability_best(x: FloatArray, settings: PanelSettings) -> FloatArray | None:
    """Return (n,) probabilities that the panel's mean puts each option first; None with fewer than two experts.

    Experts are drawn with replacement from the E rows of x (E, n) (Efron & Tibshirani 1993); options that tie share
    the draw. With few experts who agree the bootstrap is too sure: it knows no opinion that nobody present holds.
    """
    if len(x) < 2:
        return None
    # every item draws anew from the same seed: its numbers do not depend on which other items were rated
    rng = np.random.default_rng(settings.seed)
    times = rng.multinomial(len(x), np.full(len(x), 1 / len(x)), size=settings.draws)
    total = times @ x  # sums of whole numbers, so that ties are exact
    first = total == total.max(axis=1, keepdims=True)
    shares: FloatArray = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
    return shares


def t_interval(x: FloatArray, confidence: float) -> tuple[float, float] | None:
    """Return the limits of the mean of x (n,) by Student's t, cut at the ends of the scale; None if n < 2.

    Equation: mean +- t_(n-1) sd / sqrt(n). Experts who all give one rating leave an interval without width.
    """
    from scipy.special import stdtrit

    n = len(x)
    if n < 2:
        return None
    reach = float(stdtrit(n - 1, 0.5 + confidence / 2)) * float(x.std(ddof=1)) / np.sqrt(n)
    low, high = EFFECTIVENESS[0], EFFECTIVENESS[-1]
    return float(np.clip(x.mean() - reach, low, high)), float(np.clip(x.mean() + reach, low, high))


def _one(
    item: SituationalItem, position: int, column: FloatArray, p_best: float | None, settings: PanelSettings
) -> OptionConsensus:
    option = item.options[position]
    x = column[~np.isnan(column)]
    limits = t_interval(x, settings.confidence)
    sd = float(x.std(ddof=1)) if len(x) > 1 else None
    mean, key = (float(x.mean()) if len(x) else None), option.effectiveness
    return OptionConsensus(
        item=item.id,
        option=option.id,
        n=len(x),
        mean=mean,
        median=float(np.median(x)) if len(x) else None,
        sd=sd,
        se=None if sd is None else sd / float(np.sqrt(len(x))),
        lower=None if limits is None else limits[0],
        upper=None if limits is None else limits[1],
        p_best=p_best,
        key=key,
        difference=None if mean is None or key is None else mean - key,
        excludes_key=None if limits is None or key is None else not limits[0] <= key <= limits[1],
    )

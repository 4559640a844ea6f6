"""Equating: which score on form Y says the same as a score on form X."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.calibration import Calibration
from talentassess.core.errors import CalibrationError
from talentassess.core.provenance import Provenance
from talentassess.core.quadrature import grid, normal_log_weights
from talentassess.core.status import Finding, finding_columns
from talentassess.core.tabular import Columns, Tabular
from talentassess.linking.common import ItemSet
from talentassess.linking.estimates import Influence, total_cov
from talentassess.linking.forms import EDGE, FAR, FormPair, pair_forms, score_range, theta_of_score
from talentassess.linking.link import Link
from talentassess.linking.observed import (
    ScoreDistribution,
    equipercentile,
    equipercentile_rates,
    score_distribution,
)

CURVE, BELOW, ABOVE = "curve", "below the lower asymptotes", "above the upper asymptotes"


@dataclass(frozen=True, eq=False, kw_only=True)
class EquatingTable(Tabular):
    """Scores of form X and their equivalents on form Y; M = largest score of X plus one.

    Attributes
    ----------
    method : ``true score`` or ``observed score``.
    score : (M,) sum scores of form X, codes counted from 0.
    theta : (M,) latent value with that expected score, logits of form Y's scale; -inf and inf at the ends, NaN where
        there is none (below the sum of guessing) or where the method has none.
    equated : (M,) score points of form Y, not rounded.
    se : (M,) standard error of ``equated`` from the item parameters' and the link's errors; 0 where a convention sets
        the value, NaN if errors are not known.
    rule : (M,) how the value was found: on the curves, or by the convention below or above their asymptotes.
    items_x, items_y : the forms.
    max_y : largest score of form Y.
    findings : read them before the numbers.
    provenance : of both forms and the link.
    """

    method: str
    score: IntArray
    theta: FloatArray
    equated: FloatArray
    se: FloatArray
    rule: tuple[str, ...]
    items_x: tuple[str, ...]
    items_y: tuple[str, ...]
    max_y: int
    findings: tuple[Finding, ...]
    provenance: Provenance

    def __repr__(self) -> str:
        return (
            f"EquatingTable({self.method}: {len(self.items_x)} items, 0..{self.score[-1]} -> {len(self.items_y)} "
            f"items, 0..{self.max_y}; largest SE {np.max(self.se):.3f}, {len(self.findings)} finding(s), "
            f"{self.provenance.label})"
        )

    def tables(self) -> dict[str, Columns]:
        """Return ``equating`` (a row per score of form X) and ``findings``."""
        return {
            "equating": {
                "score": self.score,
                "theta": self.theta,
                "equated": self.equated,
                "se": self.se,
                "rounded": np.floor(self.equated + 0.5).astype(np.int64),
                "rule": list(self.rule),
            },
            "findings": finding_columns(self.findings),
        }


def equate_true_scores(
    form_x: Calibration,
    form_y: Calibration,
    *,
    items_x: Sequence[str] | None = None,
    items_y: Sequence[str] | None = None,
    dimension: str | None = None,
    link: Link | None = None,
) -> EquatingTable:
    """Equate scores of form X to form Y through the latent value at which they are expected.

    Parameters
    ----------
    form_x, form_y : calibrations on one scale (the same one, for forms of one bank), or on two scales with a link.
    items_x, items_y : the items of each form; left out, all of the dimension.
    dimension : its name; left out where a calibration has only one.
    link : from ``link_scales(form_x, form_y)``; its error is then in the standard errors, correlated as it should be
        with those of the forms. Left out, both calibrations are taken to be on one scale.

    Returns
    -------
    EquatingTable with one row per score of form X.

    Raises
    ------
    CalibrationError : unknown items, items whose categories are not ordered, reversed items.

    Equation: y = T_Y(A theta + B) with T_X(theta) = x, T the expected sum score (Lord 1980, ch. 13; Kolen & Brennan
    2014, ch. 6). Below the sum of lower asymptotes L, y = x L_Y / L_X (Kolen 1981); above the sum of upper asymptotes
    likewise from the top; 0 and the largest score correspond. Standard errors by the delta method (Lord 1982; Ogasawara
    2001).

    Examples
    --------
    >>> import talentassess as ta
    >>> answers = ta.simulate(ta.load_bank("service_core"), 300, seed=1)
    >>> calibration = ta.calibrate(answers.select(["ow_sr_01", "ow_sr_02", "ow_sr_03", "ow_sr_04"]))
    >>> table = ta.equate_true_scores(
    ...     calibration, calibration, items_x=["ow_sr_01", "ow_sr_02"], items_y=["ow_sr_03", "ow_sr_04"]
    ... )
    >>> len(table.equated), float(table.equated[0])
    (9, 0.0)
    """
    pair = pair_forms(form_x, form_y, (items_x, items_y), dimension, link)
    low, high, top = score_range(pair.x)
    low_y, high_y, top_y = score_range(pair.y)
    score = np.arange(top + 1)
    rule = np.where(score <= low + EDGE, BELOW, np.where(score >= high - EDGE, ABOVE, CURVE))
    on_curve = rule == CURVE
    theta = np.where(rule == BELOW, np.nan, np.full(len(score), np.nan))
    theta[on_curve] = theta_of_score(pair.x, score[on_curve].astype(np.float64))
    equated, rates = np.zeros(len(score)), _Rates(pair, len(score))
    equated[on_curve] = rates.along_curves(np.flatnonzero(on_curve), theta[on_curve])
    below, above = np.flatnonzero(rule == BELOW), np.flatnonzero(rule == ABOVE)
    equated[below] = rates.from_end(below, score[below], (low, low_y), -FAR)
    equated[above] = top_y - rates.from_end(above, top - score[above], (top - high, top_y - high_y), FAR)
    theta = pair.a * theta + pair.b
    theta[score == 0], theta[score == top] = -np.inf, np.inf
    return _table("true score", pair, score, theta, equated, rates.se(), tuple(str(r) for r in rule))


class _Rates:
    """Derivatives of the M equated scores by the estimates behind both forms and the link, filled in by region."""

    def __init__(self, pair: FormPair, size: int) -> None:
        self.pair, self.size = pair, size
        self.by_x = np.zeros((size, len(pair.x.estimates.matrix)))
        self.by_y = np.zeros((size, len(pair.y.estimates.matrix)))
        self.by_link = np.zeros((size, 2))

    def along_curves(self, rows: IntArray, theta: FloatArray) -> FloatArray:
        """Return the equated scores (n,) of some rows (n,) at theta (n,) on X's scale, and note their derivatives."""
        x, y, a = self.pair.x, self.pair.y, self.pair.a
        at_y = a * theta + self.pair.b
        rise_y = y.codes @ y.slope(at_y)
        self.by_x[rows] = -(a * rise_y / (x.codes @ x.slope(theta)))[:, None] * x.score_by_par(theta)
        self.by_y[rows] = y.score_by_par(at_y)
        self.by_link[rows] = rise_y[:, None] * np.column_stack([theta, np.ones_like(theta)])
        equated: FloatArray = y.score(at_y).sum(axis=0)
        return equated

    def from_end(self, rows: IntArray, distance: IntArray, limits: tuple[float, float], end: float) -> FloatArray:
        """Return distance (n,) on Y for a distance (n,) on X from an end of the score range, and note derivatives.

        Parameters
        ----------
        rows : (n,) rows of the table.
        limits : distance of X's and of Y's asymptote from that end; where X has none, only distance 0 occurs.
        end : theta that stands for the asymptote.
        """
        x_limit, y_limit = limits
        if x_limit < EDGE:
            return np.zeros(len(rows))
        share = distance / x_limit
        at = np.array([end])
        # at either end the asymptote's distance falls or rises with the expected score; the equated score itself rises
        self.by_x[rows] = -(share * y_limit / x_limit)[:, None] * self.pair.x.score_by_par(at)
        self.by_y[rows] = share[:, None] * self.pair.y.score_by_par(at)
        return share * y_limit

    def se(self) -> FloatArray:
        """Return (M,) standard errors of the equated scores."""
        parts = [self.pair.x.influence(self.by_x), self.pair.y.influence(self.by_y)]
        if self.pair.link is not None:
            parts += [Influence(i.source, self.by_link @ i.gradient, i.cov) for i in self.pair.link.influences]
        return np.sqrt(np.maximum(np.diag(total_cov(parts, self.size)), 0.0))


def _table(
    method: str,
    pair: FormPair,
    score: IntArray,
    theta: FloatArray,
    equated: FloatArray,
    se: FloatArray,
    rule: tuple[str, ...],
) -> EquatingTable:
    return EquatingTable(
        method=method,
        score=score,
        theta=theta,
        equated=equated,
        se=se,
        rule=rule,
        items_x=pair.x.items,
        items_y=pair.y.items,
        max_y=int(np.sum(pair.y.n_cat - 1)),
        findings=pair.findings,
        provenance=pair.provenance,
    )


def equate_observed_scores(
    form_x: Calibration,
    form_y: Calibration,
    *,
    items_x: Sequence[str] | None = None,
    items_y: Sequence[str] | None = None,
    dimension: str | None = None,
    link: Link | None = None,
    weight_x: float = 1.0,
) -> EquatingTable:
    """Equate scores of form X to form Y so that both have the same percentile rank in one population.

    Parameters
    ----------
    form_x, form_y, items_x, items_y, dimension, link : as in ``equate_true_scores``.
    weight_x : share of form X's reference group in the population, 0 to 1; the rest is form Y's. Both are normal with
        the calibrations' latent means and SDs, which are taken as given.

    Returns
    -------
    EquatingTable with one row per score of form X; ``theta`` is NaN throughout.

    Raises
    ------
    CalibrationError : as in ``equate_true_scores``, or a weight outside 0 to 1.

    Equation: score distributions by Lord & Wingersky (1984), then equipercentile equating with scores spread evenly
    over +- 1/2 (Kolen & Brennan 2014, ch. 2 and 6). Standard errors by the delta method.

    Examples
    --------
    >>> import talentassess as ta
    >>> answers = ta.simulate(ta.load_bank("service_core"), 300, seed=1)
    >>> calibration = ta.calibrate(answers.select(["ow_sr_01", "ow_sr_02"]))
    >>> ta.equate_observed_scores(calibration, calibration).equated.round(9)
    array([0., 1., 2., 3., 4., 5., 6., 7., 8.])
    """
    if not 0 <= weight_x <= 1:
        raise CalibrationError(f"weight_x is the share of form X's group and lies from 0 to 1; found {weight_x}.")
    pair = pair_forms(form_x, form_y, (items_x, items_y), dimension, link)
    x, y = _population(pair, weight_x)
    equated, cell, inside = equipercentile(x.share, y.share)
    no_x, no_y = np.zeros((len(x.share), y.by_par.shape[1])), np.zeros((len(y.share), x.by_par.shape[1]))
    by_x = equipercentile_rates(x.by_par, no_y, y.share, cell, inside)
    by_y = equipercentile_rates(no_x, y.by_par, y.share, cell, inside)
    by_link = equipercentile_rates(x.by_link, y.by_link, y.share, cell, inside)
    parts = [pair.x.influence(by_x), pair.y.influence(by_y)]
    if link is not None:
        parts += [Influence(i.source, by_link @ i.gradient, i.cov) for i in link.influences]
    se = np.sqrt(np.maximum(np.diag(total_cov(parts, len(equated))), 0.0))
    score = np.arange(len(equated))
    unknown = np.full(len(score), np.nan)
    return _table("observed score", pair, score, unknown, equated, se, ("equipercentile",) * len(score))


def _population(pair: FormPair, weight_x: float) -> tuple[ScoreDistribution, ScoreDistribution]:
    """Return the score distributions of both forms in a mixture of both reference groups."""
    a, b = pair.a, pair.b
    theta_x, w_x = _group(pair.x)
    theta_y, w_y = _group(pair.y)
    still_x, still_y = np.zeros((2, len(theta_x))), np.zeros((2, len(theta_y)))
    to_y = np.stack([theta_x, np.ones_like(theta_x)])
    to_x = np.stack([-(theta_y - b) / a**2, np.full_like(theta_y, -1 / a)])
    x = (score_distribution(pair.x, theta_x, w_x, still_x), score_distribution(pair.x, (theta_y - b) / a, w_y, to_x))
    y = (score_distribution(pair.y, a * theta_x + b, w_x, to_y), score_distribution(pair.y, theta_y, w_y, still_y))
    return _mix(*x, weight_x), _mix(*y, weight_x)


def _group(side: ItemSet) -> tuple[FloatArray, FloatArray]:
    theta = side.mean + side.sd * grid()
    return theta, np.exp(normal_log_weights(theta, side.mean, side.sd))


def _mix(first: ScoreDistribution, second: ScoreDistribution, weight: float) -> ScoreDistribution:
    def both(one: FloatArray, other: FloatArray) -> FloatArray:
        return weight * one + (1 - weight) * other

    return ScoreDistribution(
        both(first.share, second.share), both(first.by_par, second.by_par), both(first.by_link, second.by_link)
    )

"""Scores from sum scores: the Lord-Wingersky recursion and the posterior mean given the sum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import BoolArray, CodeArray, FloatArray, IntArray
from talentassess.core.calibration import Calibration
from talentassess.core.errors import ScoringError
from talentassess.core.likelihood import stack_log_prob
from talentassess.core.quadrature import grid, normal_log_weights
from talentassess.core.tabular import Columns, Tabular
from talentassess.score.form import Form, dimension_form


@dataclass(frozen=True, eq=False, kw_only=True)
class SumScoreTable(Tabular):
    """EAP score for every possible sum score of one dimension.

    Attributes
    ----------
    dimension : its name.
    sum_score : (M,) 0..sum of (K - 1), codes counted from 0.
    eap, se : (M,) posterior mean and standard deviation, logits.
    share : (M,) probability of the sum score in the reference population.
    """

    dimension: str
    sum_score: IntArray
    eap: FloatArray
    se: FloatArray
    share: FloatArray

    def tables(self) -> dict[str, Columns]:
        """Return ``sum_scores``: sum score, EAP, standard error, expected share."""
        return {
            "sum_scores": {"sum score": self.sum_score, "eap": self.eap, "se": self.se, "expected share": self.share}
        }


def sum_score_table(calibration: Calibration, dimension: str | None = None) -> SumScoreTable:
    """Return the sum score to EAP conversion of one dimension (the only one, if left out).

    Equation: P(s | theta) by the recursion of Lord & Wingersky (1984), for polytomous items Thissen et al. (1995);
    EAP(s) = E[theta | s]. An unknown dimension raises ``ScoringError``.
    """
    if dimension is None and len(calibration.dimensions) == 1:
        dimension = calibration.dimensions[0]
    if dimension not in calibration.dimensions:
        raise ScoringError(f"Name one dimension: {', '.join(calibration.dimensions)} (found: {dimension}).")
    form = dimension_form(calibration, calibration.dimensions.index(dimension))
    eap, variance, share = _table(form, np.ones(len(form.n_cat), dtype=bool), 0)
    return SumScoreTable(dimension=dimension, sum_score=np.arange(len(eap)), eap=eap, se=np.sqrt(variance), share=share)


def sum_score_eap(form: Form, x: CodeArray, group: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return EAP given the sum score (N,) and its variance (N,); one conversion per set of answered items."""
    answered = x >= 0
    keys = np.column_stack([answered, group])
    distinct, where = np.unique(keys, axis=0, return_inverse=True)
    sums = np.where(answered, x, 0).sum(axis=1)
    theta, variance = np.empty(len(x)), np.empty(len(x))
    for number, key in enumerate(distinct):
        rows = where.ravel() == number
        eap, var, _ = _table(form, key[:-1].astype(bool), int(key[-1]))
        theta[rows], variance[rows] = eap[sums[rows]], var[sums[rows]]
    return theta, variance


def _table(form: Form, use: BoolArray, group: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return EAP (M,), variance (M,) and probability (M,) of each sum score over the items in ``use`` (Jd,)."""
    nodes = grid()
    weight = np.exp(normal_log_weights(nodes, form.mean[group], form.sd[group]))
    joint = sum_score_likelihood(form, nodes, use) * weight
    share = joint.sum(axis=1)
    eap = joint @ nodes / share
    return eap, joint @ nodes**2 / share - eap**2, share


def sum_score_likelihood(form: Form, nodes: FloatArray, use: BoolArray) -> FloatArray:
    """Return (M, Q) probability of each sum score at each node, over the items in ``use`` (Jd,)."""
    probability = np.exp(stack_log_prob(form.blocks, nodes[:, None], form.starts))
    table = np.ones((1, len(nodes)))
    for j in np.flatnonzero(use):
        p = probability[form.starts[j] : form.starts[j + 1]]
        longer = np.zeros((len(table) + len(p) - 1, len(nodes)))
        for k, row in enumerate(p):
            longer[k : k + len(table)] += table * row
        table = longer
    return table

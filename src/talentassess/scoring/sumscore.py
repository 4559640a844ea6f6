"""Scores from sum scores: the Lord-Wingersky recursion and the posterior mean given the sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import BoolArray, CodeArray, FloatArray, IntArray
from talentassess.core.calibration import Calibration
from talentassess.core.errors import ScoringError
from talentassess.core.likelihood import ItemBlock, stack_log_prob
from talentassess.core.provenance import Provenance
from talentassess.core.tabular import Columns, Tabular
from talentassess.scoring.form import Form, dimension_form


@dataclass(frozen=True, eq=False, kw_only=True)
class SumScoreTable(Tabular):
    """EAP score for every possible sum score of one dimension.

    Attributes
    ----------
    dimension : its name.
    sum_score : (M,) 0..sum of (K - 1), codes counted from 0.
    eap, se : (M,) posterior mean and standard deviation, logits.
    share : (M,) probability of the sum score in the reference population.
    provenance : of the calibration.
    """

    dimension: str
    sum_score: IntArray
    eap: FloatArray
    se: FloatArray
    share: FloatArray
    provenance: Provenance

    def tables(self) -> dict[str, Columns]:
        """Return ``sum_scores``: sum score, EAP, standard error, expected share."""
        return {
            "sum_scores": {"sum score": self.sum_score, "eap": self.eap, "se": self.se, "expected share": self.share}
        }


def sum_score_table(calibration: Calibration, dimension: str | None = None) -> SumScoreTable:
    """Return the sum score to EAP conversion of one dimension (the only one, if left out).

    Equation: P(s | theta) by the recursion of Lord & Wingersky (1984), for polytomous items Thissen et al. (1995);
    EAP(s) = E[theta | s]. An unknown dimension, or one with unordered categories, raises ``ScoringError``.
    """
    if dimension is None and len(calibration.dimensions) == 1:
        dimension = calibration.dimensions[0]
    if dimension not in calibration.dimensions:
        raise ScoringError(f"Name one dimension: {', '.join(calibration.dimensions)} (found: {dimension}).")
    form = dimension_form(calibration, calibration.dimensions.index(dimension))
    refuse_unordered(form.blocks)
    nodes, probability = _category_probabilities(form)
    weight = np.exp(form.log_prior(nodes)[0])
    eap, variance, share = _table(form, nodes, probability, np.ones(len(form.n_cat), dtype=bool), weight)
    return SumScoreTable(
        dimension=dimension,
        sum_score=np.arange(len(eap)),
        eap=eap,
        se=np.sqrt(variance),
        share=share,
        provenance=calibration.provenance,
    )


def refuse_unordered(blocks: Sequence[ItemBlock]) -> None:
    """Raise ``ScoringError`` if a block's categories are not ordered: their codes cannot be added up."""
    unordered = [block.model.label for block in blocks if not block.model.ordered]
    if unordered:
        raise ScoringError(
            f"A sum score of the {unordered[0]} has no meaning: its categories are not ordered. Use eap."
        )


def sum_score_eap(form: Form, x: CodeArray, group: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return EAP given the sum score (N,) and its variance (N,); one conversion per set of answered items."""
    answered = x >= 0
    keys = np.column_stack([answered, group])
    distinct, where = np.unique(keys, axis=0, return_inverse=True)
    sums = np.where(answered, x, 0).sum(axis=1)
    theta, variance = np.empty(len(x)), np.empty(len(x))
    nodes, probability = _category_probabilities(form)
    weights = np.exp(form.log_prior(nodes))
    for number, key in enumerate(distinct):
        rows = where.ravel() == number
        eap, var, _ = _table(form, nodes, probability, key[:-1].astype(bool), weights[int(key[-1])])
        theta[rows], variance[rows] = eap[sums[rows]], var[sums[rows]]
    return theta, variance


def _category_probabilities(form: Form) -> tuple[FloatArray, FloatArray]:
    """Return nodes (Q,) and stacked category probabilities (S, Q)."""
    nodes = form.nodes()
    return nodes, np.exp(stack_log_prob(form.blocks, nodes[:, None], form.starts))


def _table(
    form: Form, nodes: FloatArray, probability: FloatArray, use: BoolArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return EAP (M,), variance (M,) and probability (M,) of each sum score over the items in ``use`` (Jd,)."""
    parts = [probability[form.starts[j] : form.starts[j + 1]] for j in np.flatnonzero(use)]
    joint = sum_score_likelihood(parts, len(nodes)) * weight
    share = joint.sum(axis=1)
    eap = joint @ nodes / share
    return eap, joint @ nodes**2 / share - eap**2, share


def sum_score_likelihood(parts: Sequence[FloatArray], n_nodes: int) -> FloatArray:
    """Return (M, Q) probability of each sum score at each node, from the items' category probabilities (K, Q)."""
    table = np.ones((1, n_nodes))
    for p in parts:
        longer = np.zeros((len(table) + len(p) - 1, n_nodes))
        for k, row in enumerate(p):
            longer[k : k + len(table)] += table * row
        table = longer
    return table

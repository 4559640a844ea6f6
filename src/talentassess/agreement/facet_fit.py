"""How well raters and questions fit the many-facet Rasch model: mean squares over the persons' posteriors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talentassess.agreement.facet_design import FacetDesign
from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.calibration import Calibration
from talentassess.core.likelihood import stack_log_prob
from talentassess.scoring.form import dimension_form
from talentassess.scoring.posterior import posterior_weights


@dataclass(frozen=True, eq=False, slots=True)
class FitSums:
    """Sums over the ratings of each of V questions x raters.

    Attributes
    ----------
    n : (V,) ratings. squared : (V,) squared residuals; expected : (V,) their model variances; standardised : (V,)
        squared standardised residuals.
    """

    n: FloatArray
    squared: FloatArray
    expected: FloatArray
    standardised: FloatArray

    def mean_squares(self, place: IntArray, size: int) -> tuple[FloatArray, FloatArray]:
        """Return infit and outfit (S,) of the S raters or questions whose positions are ``place`` (V,)."""
        n, squared, expected, z2 = (
            np.bincount(place, part, minlength=size)
            for part in (self.n, self.squared, self.expected, self.standardised)
        )
        return squared / expected, z2 / n


def fit_sums(calibration: Calibration, design: FacetDesign) -> FitSums:
    """Sum residuals over persons, each over the person's posterior.

    Equation: E_i[(x - E(theta))^2 / V(theta)] over p(theta | x_i), which averages to 1 under the model without the
    shrinkage of a point estimate (the marginal form of infit and outfit, Adams & Wu 2007).
    """
    form = dimension_form(calibration, 0)
    nodes = form.nodes()
    groups = np.zeros(len(design.x), dtype=np.int64)
    weights = np.concatenate([part for _, part in posterior_weights(form, design.x, groups, nodes)])
    size = design.x.shape[1]
    prob = np.exp(stack_log_prob(form.blocks, nodes[:, None], form.starts)).reshape(size, design.n_cat, -1)
    points = np.arange(design.n_cat, dtype=np.float64)
    mean = np.einsum("vkq,k->vq", prob, points)
    variance = np.einsum("vkq,k->vq", prob, points**2) - mean**2
    sums = np.zeros((4, size))
    for v in range(size):
        rows = np.flatnonzero(design.x[:, v] >= 0)
        residual = (design.x[rows, v][:, None] - mean[v]) ** 2
        own = weights[rows]
        spread = own @ variance[v]
        sums[:, v] = len(rows), np.sum(own * residual), spread.sum(), np.sum(own * residual / variance[v])
    return FitSums(*sums)

"""Exploratory dimensions of real answers against R psych (limited information, other estimator: congruence only), and
the importance-sampled log-likelihood against a grid."""

from __future__ import annotations

import json
from functools import cache
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from loading_cases import Grid
from shared_data import bfi, sat12
from talentassess.calibration.exploratory import explore_dimensions, standardised
from talentassess.calibration.mhrm import RobbinsMonro
from talentassess.core.responses import Responses
from talentassess.core.status import Status

OPEN = json.loads((Path(__file__).parents[1] / "calibration" / "reference_open.json").read_text())

SAT12_TEXT = """
.187 .401 .337 .033 .385 .179 .603 .105 .310 .426 .622 -.034 .490 .276 .669 .190 .542 .533 .322 .430 .355 .547 .022 .514
.135 .389 .650 .436 .164 .209 .591 .043 .445 .483 .431 .439 .309 .635 .053 .391 .035 .313 .066 .187 .237 .403 .082 .400
.136 .514 .329 .392 -.017 .198 .484 .213 .481 .562 .247 .349 .500 .119 .365 .039"""
BFI_TEXT = """
-.029 .078 .070 -.050 -.210 .041 .154 .064 -.173 -.235 .771 .761 .793 .573 .622 .414 .715 .771 .432 .684 .020 .055
.046 -.047 .003 -.024 -.048 .033 -.081 .080 -.004 .039 .019 .137 -.062 .591 .701 .521 .664 .541 .002 .022 -.020
-.077 -.005"""


def by_columns(text: str, n_dims: int) -> np.ndarray:
    return np.array([float(cell) for cell in text.split()]).reshape(n_dims, -1).T


SAT12_VARIMAX, BFI_OBLIMIN = by_columns(SAT12_TEXT, 2), by_columns(BFI_TEXT, 3)
BFI_CORRELATION = np.array([[1, -0.121, -0.191], [-0.121, 1, 0.304], [-0.191, 0.304, 1]])


def congruence(ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, list[int], np.ndarray]:
    """Return Tucker's congruence of matched columns, their order and their signs."""
    cosine = ours.T @ theirs / np.outer(np.linalg.norm(ours, axis=0), np.linalg.norm(theirs, axis=0))
    columns = range(theirs.shape[1])
    order = list(max(permutations(columns), key=lambda p: np.abs(cosine[list(p), columns]).sum()))
    matched = cosine[order, columns]
    return np.abs(matched), order, np.sign(matched)


@cache
def sat12_explored():
    run = RobbinsMonro(samples=60, tol=0.4)
    return explore_dimensions(sat12(OPEN["SAT12_key"]), 2, "2pl", rotation="varimax", seed=4, run=run)


def test_sat12_loadings_resemble_those_of_tetrachoric_factor_analysis():
    found = sat12_explored()
    assert found.status is Status.CONVERGED
    match, _, _ = congruence(found.loadings, SAT12_VARIMAX)
    assert match.min() > 0.95
    assert found.n_free == 32 * 3 - 1


def test_sat12_loglik_is_that_of_a_grid():
    found = sat12_explored()
    intercepts = np.empty(32)
    for block in found.calibration.blocks:
        intercepts[block.items] = block.par[:, -1]
    exact = Grid(sat12(OPEN["SAT12_key"]).x, n_nodes=61).loglik(found.unrotated, intercepts, 0.0)
    assert found.loglik_se < 1.5
    assert abs(found.loglik - exact) < 4 * found.loglik_se


def test_rotated_slopes_describe_the_same_items():
    """Communalities and slope lengths do not depend on the axes; reference items have their zeros."""
    found = sat12_explored()
    np.testing.assert_allclose((found.loadings**2).sum(axis=1), found.communality, atol=1e-12)
    np.testing.assert_allclose((found.slopes**2).sum(axis=1), (found.unrotated**2).sum(axis=1), atol=1e-10)
    np.testing.assert_allclose(standardised(found.slopes), found.loadings, atol=1e-10)
    np.testing.assert_allclose(found.slopes @ found.transform.T, found.unrotated, atol=1e-10)
    assert found.unrotated[found.calibration.item_ids.index(found.reference_items[0]), 1] == 0.0


def test_bfi_loadings_resemble_those_of_polychoric_factor_analysis():
    parts = [bfi(scale).take(range(400)) for scale in ("agree", "conscientious", "neuroticism")]
    items = [item for part in parts for item in part.item_ids]
    x = np.concatenate([part.x for part in parts], axis=1)
    answers = Responses(x=x, n_cat=[6] * 15, item_ids=items, person_ids=range(400))
    found = explore_dimensions(answers, 3, "graded", seed=4, run=RobbinsMonro(samples=60, tol=0.4))
    assert found.status is Status.CONVERGED
    match, order, signs = congruence(found.loadings, BFI_OBLIMIN)
    assert match.min() > 0.95
    ours = found.correlation[np.ix_(order, order)] * np.outer(signs, signs)
    np.testing.assert_allclose(ours, BFI_CORRELATION, atol=0.1)
    # with 400 persons a clear loading is known to about .05; the rotation adds little
    clear = np.abs(found.loadings) > 0.5
    assert 0.02 < np.median(found.loading_se[clear]) < 0.07
    assert np.isfinite(found.correlation_se).all()


def test_tables_carry_every_number_with_its_error():
    found = sat12_explored()
    loadings = found.to_frame()
    assert list(loadings) == ["item", "F1", "se(F1)", "F2", "se(F2)", "communality", "se(communality)"]
    fit = found.to_frame("fit").set_index("measure")
    assert fit.loc["AIC", "value"] == pytest.approx(2 * found.n_free - 2 * found.loglik)
    assert fit.loc["BIC", "monte_carlo_se"] == pytest.approx(2 * found.loglik_se)
    assert (found.to_frame("correlations")["se(F1)"] == 0).all()  # orthogonal: fixed, not estimated
    assert "monte_carlo" in list(found.to_frame("audit")["code"])

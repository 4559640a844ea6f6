"""MAP, ML and WLE against a root found person by person from the models alone, and a form of 1,308 items."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import logsumexp

from scoring_cases import made_form
from talentassess.core.errors import ScoringError
from talentassess.core.responses import Responses
from talentassess.scoring import modes as modes_module
from talentassess.scoring import score, sum_score_table
from talentassess.workflow.simulate import simulate

MIXED = [("3pl", 6, 2), ("graded", 5, 5), ("gpcm", 4, 3), ("nominal", 3, 4), ("4pl", 3, 2)]


def equation(calibration, codes, method):
    """Return f(theta) of one person, summed over the items: no tables, no polynomials."""
    latent = calibration.latent

    def f(theta):
        total, info, warm, at = 0.0, 0.0, 0.0, np.array([[theta]])
        for block in calibration.blocks:
            slope, p = block.d_theta(at)[0, :, :, 0], np.exp(block.log_prob(at))[0]
            h = 1e-4
            second = slope**2 + (block.d_theta(at + h) - block.d_theta(at - h))[0, :, :, 0] / (2 * h)
            chosen = codes[block.items]
            row = np.flatnonzero(chosen >= 0)
            total += slope[row, chosen[row]].sum()
            info += (p * slope**2)[row].sum()
            warm += (p * slope * second)[row].sum()
        prior = (theta - latent.mean[0, 0]) / latent.cov[0, 0, 0]
        return {"map": total - prior, "ml": total, "wle": total + warm / (2 * info)}[method]

    return f


@pytest.mark.parametrize("method", ["map", "ml", "wle"])
@pytest.mark.parametrize("slope", [None, (12.0, 24.0)], ids=["usual", "very steep"])
def test_roots_equal_those_of_brents_method(method, slope):
    """Steep items are not followed by the polynomials and go through the equation itself."""
    form = made_form(MIXED if slope is None else [("2pl", 8, 2), ("graded", 4, 4)], seed=3, slope=slope)
    people = simulate(form, 25, seed=4)
    x = people.x.copy()
    x[::3, ::4] = -1
    people = Responses(x=x, n_cat=people.n_cat, item_ids=people.item_ids, person_ids=people.person_ids)
    theta = score(form, people, method).theta[:, 0]
    compared = 0
    for codes, found in zip(x, theta, strict=True):
        if np.isfinite(found):
            f = equation(form, codes, method)
            root = brentq(f, found - 0.02, found + 0.02, xtol=1e-13)  # fails unless the root is that near
            assert root == pytest.approx(found, abs=2e-10)  # both stop at 1e-10 or finer
            compared += 1
    assert compared >= (4 if method == "ml" else 15)  # the rest are extreme patterns, without a finite root


def test_very_steep_items_leave_the_polynomials(monkeypatch):
    form = made_form([("2pl", 8, 2)], seed=3, slope=(12.0, 24.0))
    solved = []
    whole = modes_module.ModeSolver._exactly

    def counted(self, x, group, cell):
        solved.append(len(x))
        return whole(self, x, group, cell)

    monkeypatch.setattr(modes_module.ModeSolver, "_exactly", counted)
    people = simulate(form, 50, seed=4)
    score(form, people, "map")
    assert sum(solved) > 0
    solved.clear()
    score(made_form([("2pl", 30, 2)], seed=3), simulate(made_form([("2pl", 30, 2)], seed=3), 50, seed=4), "map")
    assert sum(solved) == 0


def test_scores_do_not_depend_on_who_else_is_scored():
    form = made_form(MIXED, seed=5)
    people = simulate(form, 40, seed=6)
    for method in ("eap", "map", "ml", "wle"):
        alone = [score(form, people.take([i]), method).theta[0, 0] for i in range(0, 40, 7)]
        np.testing.assert_allclose(alone, score(form, people, method).theta[::7, 0], atol=1e-9)


# --- a form of 1,308 items -------------------------------------------------------------------------------------------

LONG = [("2pl", 500, 2), ("graded", 508, 5), ("3pl", 300, 2)]


def log_posterior(calibration, codes, theta):
    """Return (Q,) log posterior up to a constant: a sum of logarithms, compensated (math.fsum), item by item."""
    points = np.asarray(theta)[:, None]
    picked = np.concatenate(
        [block.log_prob(points)[:, np.arange(len(block.items)), codes[block.items]] for block in calibration.blocks],
        axis=1,
    )
    mean, variance = calibration.latent.mean[0, 0], calibration.latent.cov[0, 0, 0]
    return np.array([math.fsum(row) for row in picked]) - (np.asarray(theta) - mean) ** 2 / (2 * variance)


def test_a_form_of_1308_items_neither_underflows_nor_loses_digits():
    """Likelihoods are about e^-1000 here, far below the smallest double; the reference works with logarithms alone."""
    form = made_form(LONG, seed=1)
    people = simulate(form, 2, seed=2)
    eap, mode, wle = (score(form, people, method) for method in ("eap", "map", "wle"))
    for i, codes in enumerate(people.x.astype(int)):
        root = brentq(equation(form, codes, "map"), mode.theta[i, 0] - 0.01, mode.theta[i, 0] + 0.01, xtol=1e-13)
        assert root == pytest.approx(mode.theta[i, 0], abs=2e-10)
        warm = brentq(equation(form, codes, "wle"), wle.theta[i, 0] - 0.01, wle.theta[i, 0] + 0.01, xtol=1e-13)
        assert warm == pytest.approx(wle.theta[i, 0], abs=2e-10)
        fine = np.linspace(root - 0.6, root + 0.6, 601)  # 10 posterior standard deviations each way
        logs = log_posterior(form, codes, fine)
        assert logs.max() < -745  # exp of it is zero
        weight = np.exp(logs - logsumexp(logs))
        mean = weight @ fine
        # 3e-6: what the rule for the grid promises (core.derived.suited_grid)
        assert eap.theta[i, 0] == pytest.approx(mean, abs=3e-6)
        assert eap.se[i, 0] == pytest.approx(np.sqrt(weight @ (fine - mean) ** 2), abs=3e-6)


# --- sum scores of mixed forms ---------------------------------------------------------------------------------------


def test_sum_score_table_of_a_mixed_form_by_enumeration():
    """All 2*2*2*3*4 answer patterns of a form of 3PL, graded and partial credit items, one by one."""
    form = made_form([("3pl", 3, 2), ("graded", 1, 3), ("gpcm", 1, 4)], seed=8)
    fine = np.linspace(-8, 8, 1601)
    prior = np.exp(-(fine**2) / 2)
    prior /= prior.sum()
    patterns = np.array(np.meshgrid(*[range(k) for k in form.n_cat])).reshape(5, -1).T
    n_scores = int((form.n_cat - 1).sum()) + 1
    mass, first, second = np.zeros(n_scores), np.zeros(n_scores), np.zeros(n_scores)
    logs = [block.log_prob(fine[:, None]) for block in form.blocks]
    for codes in patterns:
        log_p = sum(
            part[:, row, codes[item]]
            for part, block in zip(logs, form.blocks, strict=True)
            for row, item in enumerate(block.items)
        )
        joint = np.exp(log_p) * prior
        s = codes.sum()
        mass[s], first[s], second[s] = mass[s] + joint.sum(), first[s] + joint @ fine, second[s] + joint @ fine**2
    table = sum_score_table(form)
    # 1e-6: the reference reaches out to 8 logits, the table's grid to 6
    np.testing.assert_allclose(table.share, mass, atol=1e-8)
    np.testing.assert_allclose(table.eap, first / mass, atol=1e-6)
    np.testing.assert_allclose(table.se, np.sqrt(second / mass - (first / mass) ** 2), atol=1e-6)


def test_sum_scores_of_unordered_categories_are_refused():
    form = made_form([("2pl", 2, 2), ("nominal", 2, 3)])
    for refused in (lambda: sum_score_table(form), lambda: score(form, simulate(form, 3, seed=1), "sum-eap")):
        with pytest.raises(ScoringError, match="A sum score of the nominal response model has no meaning"):
            refused()

"""Panels of experts: rwg, CVR, CVI and modified kappa against published tables and hand calculation."""

from __future__ import annotations

import numpy as np
import pytest

import talentassess as ta
from talentassess.agreement import Ratings, from_matrix
from talentassess.agreement.content import critical_agreement
from talentassess.agreement.within_group import null_variance


def test_critical_cvr_of_ayre_and_scally():
    # Ayre & Scally (2014): exact critical CVR at alpha .05, one-tailed.
    table = {5: 1.0, 6: 1.0, 7: 1.0, 8: 0.75, 9: 0.778, 10: 0.8, 11: 0.636, 12: 0.667, 13: 0.538, 14: 0.571, 15: 0.6}
    table |= {20: 0.5, 25: 0.44, 30: 0.333, 40: 0.3}
    found = {n: round(2 * critical_agreement(n) / n - 1, 3) for n in table}
    assert found == pytest.approx(table, abs=5e-4)
    assert critical_agreement(4) is None


def test_modified_kappa_of_polit_beck_owen():
    # Polit, Beck & Owen (2007): experts, agreeing -> I-CVI, p_c, kappa*.
    table = {(3, 3): (1.0, 0.125, 1.0), (3, 2): (0.67, 0.375, 0.47), (4, 3): (0.75, 0.25, 0.67)}
    table |= {(5, 4): (0.8, 0.156, 0.76), (6, 5): (0.83, 0.094, 0.81), (9, 7): (0.78, 0.070, 0.76)}
    for (n, agree), (i_cvi, chance, kappa) in table.items():
        row = [4] * agree + [1] * (n - agree)
        element = ta.content_validity(from_matrix([row, row], low=1, high=4), agree=3).elements[0]
        # printed with two decimals, kappa reckoned from the rounded parts
        assert (element.i_cvi, element.chance, element.kappa) == pytest.approx((i_cvi, chance, kappa), abs=1e-2)


def test_cvr_and_scale_level_indices():
    # Ten experts on essential (3), useful (2), not needed (1); the third element lacks two of them.
    x = np.array([[3] * 10, [3] * 8 + [2] * 2, [3] * 4 + [1] * 4 + [np.nan] * 2])
    panel = ta.content_validity(from_matrix(x, low=1, high=3, person_ids=["a", "b", "c"]), agree=3)
    assert [e.cvr for e in panel.elements] == pytest.approx([1.0, 0.6, 0.0])
    assert [e.cvr_critical for e in panel.elements] == pytest.approx([0.8, 0.8, 0.75])
    assert panel["b"].p == pytest.approx((45 + 10 + 1) / 1024)
    assert (panel.s_cvi_ave, panel.s_cvi_ua) == pytest.approx((2.3 / 3, 1 / 3))
    assert [f.code for f in panel.findings] == ["below_critical_cvr"]
    assert "2 element(s) do not reach the critical CVR at alpha = 0.05: b, c." in panel.findings[0].message


def test_small_panels_have_no_critical_value():
    panel = ta.content_validity(from_matrix([[4, 4, 4], [1, 4, 4]], low=1, high=4), agree=3)
    assert [e.cvr_critical for e in panel.elements] == [None, None]
    assert [f.code for f in panel.findings] == ["few_experts"]


def test_rwg_by_hand():
    # s2 of 4, 4, 5 is 1/3; null variance of five categories (25 - 1) / 12 = 2.
    result = ta.within_group_agreement(from_matrix([[4, 4, 5], [1, 5, 3], [2, np.nan, np.nan]], low=1, high=5))
    assert result.targets[0].rwg == pytest.approx(1 - (1 / 3) / 2)
    assert (result.targets[1].rwg, result.targets[1].raw) == (0.0, -1.0)
    assert result.targets[2].rwg is None
    assert (result.mean_rwg, result.median_rwg) == pytest.approx(((1 - 1 / 6) / 2,) * 2)
    assert [f.code for f in result.findings] == ["less_than_random", "single_rater"]


def test_rwg_j_is_spearman_brown_of_the_mean_rwg():
    # Exact identity: rwg(J) is the Spearman-Brown prophecy of 1 - mean variance / null for J items.
    rng = np.random.default_rng(2)
    x = rng.integers(3, 6, (2, 4, 3))
    person, rater, item = (index.ravel() for index in np.indices(x.shape))
    ratings = Ratings(
        person=person, rater=rater, item=item, score=x.ravel(), low=1, high=5,
        person_ids=("a", "b"), rater_ids="wxyz", item_ids=("i", "j", "k"),
    )  # fmt: skip
    for i, target in enumerate(ta.within_group_agreement(ratings).targets):
        single = 1 - x[i].var(axis=0, ddof=1).mean() / 2
        assert target.rwg == pytest.approx(3 * single / (1 + 2 * single))


def test_null_distributions():
    # LeBreton & Senter (2008): five categories, slight skew 1.34; uniform (A^2 - 1) / 12.
    assert null_variance("slight_skew", 5)[1] == pytest.approx(1.34)
    assert null_variance("uniform", 7)[1] == pytest.approx(4.0)
    assert null_variance([0.5, 0, 0, 0, 0.5], 5) == ("given shares", pytest.approx(4.0))


def test_rwg_of_incomplete_ratings_is_that_of_a_plain_loop():
    # SIMULATED ratings of 40 targets by 6 raters on 3 items, half of them missing; null variance 2.
    rng = np.random.default_rng(0)
    x = rng.integers(1, 6, (40, 6, 3)).astype(float)
    x[rng.random(x.shape) < 0.5] = np.nan
    person, rater, item = np.nonzero(~np.isnan(x))
    result = ta.within_group_agreement(
        Ratings(
            person=person, rater=rater, item=item, score=x[person, rater, item], low=1, high=5,
            person_ids=tuple(map(str, range(40))), rater_ids=tuple("abcdef"), item_ids=tuple("xyz"),
        )
    )  # fmt: skip
    for i, target in enumerate(result.targets):
        columns = [column[~np.isnan(column)] for column in x[i].T]
        pairs = [column for column in columns if len(column) > 1]
        m, n = np.mean([column.var(ddof=1) for column in pairs]) / 2, len(pairs)
        assert target.rwg == pytest.approx(0.0 if m >= 1 else n * (1 - m) / (n * (1 - m) + m))
        assert (target.n_items, target.n_raters) == (n, min(len(column) for column in columns if len(column)))
        assert target.mean == pytest.approx(np.mean([column.mean() for column in columns if len(column)]))

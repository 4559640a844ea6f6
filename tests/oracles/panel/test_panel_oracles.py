"""Each statistic of a panel review against an independent source; see README.md beside this file."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from bank_fixtures import TINY_BANK
from talentassess.bank.load import load_bank
from talentassess.panel import ExpertRatings, PanelSettings, consensus_key, review_panel
from talentassess.panel.concordance import kendall_w, rank_correlation
from talentassess.panel.options import probability_best, t_interval
from talentassess.panel.review import _icc, _whole

TINY = load_bank(TINY_BANK)
ITEM = "ow_pick"  # key 5, 2, 2, 4


def panel(effectiveness, *, relevance=None, essential=None, item=ITEM) -> ExpertRatings:
    """Ratings of one item: x (E, 4), relevance (E,), essential (E,)."""
    x = np.asarray(effectiveness, dtype=float)
    n = len(x)
    return ExpertRatings(
        experts=tuple(f"e{i}" for i in range(n)),
        items=(item,),
        options=tuple((item, o) for o in "abcd"),
        effectiveness=x,
        relevance=np.full((n, 1), np.nan) if relevance is None else np.reshape(relevance, (n, 1)),
        essential=np.full((n, 1), np.nan) if essential is None else np.reshape(essential, (n, 1)),
        collected="2026-11",
        bank_hash=TINY.content_hash,
    )


def test_rwg_by_hand():
    # ratings of 3 experts; sample variances of the options 1/3, 0, 1, 4/3; their mean m = 2/3; null (5^2 - 1) / 12 = 2
    x = [[5, 2, 1, 5], [5, 2, 2, 3], [4, 2, 3, 5]]
    found = review_panel(panel(x), TINY)[ITEM]
    share = (2 / 3) / 2
    assert found.rwg == pytest.approx(1 - share, abs=1e-12)
    assert found.rwg_j == pytest.approx(4 * (1 - share) / (4 * (1 - share) + share), abs=1e-12)


def test_rwg_of_experts_who_differ_more_than_chance_is_zero():
    found = review_panel(panel([[1, 5, 1, 5], [5, 1, 5, 1], [1, 5, 5, 1]]), TINY)[ITEM]
    assert (found.rwg, found.rwg_j) == (0.0, 0.0)
    assert found.verdict == "rework"


@pytest.mark.parametrize(
    ("n", "agree", "i_cvi", "kappa"),
    [
        (3, 3, 1.0, 1.0),
        (3, 2, 0.67, 0.47),
        (5, 4, 0.80, 0.76),
        (6, 5, 0.83, 0.81),
        (8, 6, 0.75, 0.72),
        (9, 7, 0.78, 0.76),
    ],
)
def test_modified_kappa_of_polit_beck_and_owen(n, agree, i_cvi, kappa):
    relevance = [4.0] * agree + [2.0] * (n - agree)
    found = review_panel(panel(np.full((n, 4), np.nan), relevance=relevance), TINY)[ITEM]
    # the table has two decimals and its kappa comes from rounded entries
    assert found.i_cvi == pytest.approx(i_cvi, abs=0.005)
    assert found.kappa == pytest.approx(kappa, abs=0.0101)


def test_cvr_by_hand():
    found = review_panel(panel(np.full((8, 4), np.nan), essential=[1.0] * 7 + [0.0]), TINY)[ITEM]
    assert found.cvr == pytest.approx((7 - 4) / 4)
    # 7 of 8 is the fewest with P(X >= c) <= .05: 9 / 256 = .035, while 6 or more have 37 / 256
    assert found.cvr_critical == pytest.approx(0.75)


def test_kendall_w_by_hand_without_ties():
    # rank sums 4, 7, 8, 11 around 7.5: S = 12.25 + 0.25 + 0.25 + 12.25 = 25; W = 12 * 25 / (9 * 60)
    x = np.array([[1.0, 2, 3, 4], [1, 4, 2, 3], [2, 1, 3, 4]])
    assert kendall_w(x).w == pytest.approx(300 / 540, abs=1e-12)


def test_kendall_w_with_ties_is_friedmans_test():
    x = np.random.default_rng(4).integers(1, 6, (7, 5)).astype(float)
    found, oracle = kendall_w(x), stats.friedmanchisquare(*x.T)
    assert found.chi_square == pytest.approx(oracle.statistic, rel=1e-12)
    assert found.p == pytest.approx(oracle.pvalue, rel=1e-10)
    assert found.w == pytest.approx(oracle.statistic / (7 * 4), rel=1e-12)


def test_kendall_w_of_experts_who_tie_everything_does_not_exist():
    assert kendall_w(np.full((3, 4), 2.0)) is None


def test_icc_of_shrout_and_fleiss():
    x = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float)
    # published .29 and .62 for ratings 1..10; a linear change of all ratings, here to 1..5, does not touch the ICC
    one, mean = _icc((1 + (x - 1) * 4 / 9).T)
    assert one == pytest.approx(0.29, abs=0.005)
    assert mean == pytest.approx(0.62, abs=0.005)


def test_icc_keeps_the_part_of_the_ratings_that_is_larger():
    # Two of ten experts rated all six options; the other eight left out the last one. Two experts by six options are
    # 12 ratings, ten experts by five options 50.
    rng = np.random.default_rng(2)
    x = np.clip(np.round(rng.normal(3, 1, 6) + rng.normal(0, 0.7, (10, 6))), 1, 5)
    x[2:, 5] = np.nan
    assert _whole(x).shape == (10, 5)
    assert _icc(x) == _icc(x[:, :5])
    x[2:, 1:] = np.nan
    assert _whole(x).shape == (2, 6)  # one option does not make an ICC


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(1)
    x, y = rng.integers(1, 6, 9).astype(float), rng.integers(1, 6, 9).astype(float)
    assert rank_correlation(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


def test_interval_is_students():
    x = np.array([3.0, 4, 4, 5, 3, 4])
    low, high = stats.t.interval(0.95, 5, x.mean(), x.std(ddof=1) / np.sqrt(6))
    assert t_interval(x, 0.95) == pytest.approx((low, high), abs=1e-9)


def test_option_statistics_by_hand():
    row = review_panel(panel([[5, 2, 1, 5], [5, 2, 2, 3], [4, 2, 3, 5]]), TINY).options_of(ITEM)[3]
    assert (row.n, row.median, row.key) == (3, 5.0, 4)
    assert row.mean == pytest.approx(13 / 3)
    assert row.se == pytest.approx(np.sqrt(4 / 3) / np.sqrt(3))
    assert row.difference == pytest.approx(1 / 3)
    assert row.upper == 5.0  # cut at the end of the scale
    assert row.excludes_key is False


def test_probability_best_is_the_bootstrap_distribution():
    x = np.array([[5.0, 4, 1, 1], [4, 5, 1, 1], [5, 3, 1, 1]])
    wins = []
    for rows in product(range(3), repeat=3):  # all 27 samples of 3 experts
        total = x[list(rows)].sum(axis=0)
        wins.append((total == total.max()) / np.sum(total == total.max()))
    exact = np.mean(wins, axis=0)
    found = probability_best(x, PanelSettings(draws=20_000))
    # Monte-Carlo standard error of a share of 20,000 draws is at most 0.0036
    np.testing.assert_allclose(found, exact, atol=0.015)


def test_standard_error_of_a_median_is_that_of_its_bootstrap_distribution():
    x = np.array([[5, 2, 1, 5], [5, 2, 2, 3], [4, 2, 3, 5.0]])
    keyed = consensus_key(
        review_panel(panel(x), TINY), TINY, statistic="median", accept=("accept", "discuss", "rework")
    )
    medians = [np.median(x[list(rows), 3]) for rows in product(range(3), repeat=3)]
    found = keyed.item(ITEM).options[3]
    assert found.effectiveness == 5
    # relative Monte-Carlo error of a standard deviation from 2,000 draws is near 2 %
    assert found.effectiveness_se == pytest.approx(np.std(medians), rel=0.06)


def test_expert_against_the_others_by_hand():
    row = review_panel(panel([[5, 2, 1, 5], [5, 2, 2, 3], [4, 2, 3, 5]]), TINY).experts[0]
    others = np.array([4.5, 2.0, 2.5, 4.0])
    assert row.severity == pytest.approx(np.mean(np.array([5, 2, 1, 5]) - others))
    assert row.expert_rest is None  # four options are too few for a correlation

"""Option analysis and moments against their definitions, person by person, whichever way the persons are counted."""

from __future__ import annotations

import numpy as np
import pytest

from talentassess.core import kernel
from talentassess.core.responses import Responses
from talentassess.ctt import OptionSettings, analyze_items, analyze_options
from talentassess.ctt.moments import pairwise_moments

GROUPS = 4


@pytest.fixture(params=["compiled", "numpy"], autouse=True)
def counting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Count with the compiled kernel (where there is one) and without it."""
    if request.param == "numpy":
        monkeypatch.setattr(kernel, "library", lambda: None)
    elif kernel.library() is None:
        pytest.skip("no compiled kernel here")


def answers(n: int, n_cat: list[int], *, holes: float, weighted: bool, seed: int) -> Responses:
    rng = np.random.default_rng(seed)
    trait = rng.normal(size=(n, 1)) + rng.normal(size=(n, len(n_cat)))
    share = 1 / (1 + np.exp(-trait))
    x = (share * np.array(n_cat)).astype(np.int16)
    x[rng.random(x.shape) < holes] = -1
    return Responses(
        x=x,
        n_cat=n_cat,
        item_ids=[f"q{j}" for j in range(len(n_cat))],
        person_ids=[str(i) for i in range(n)],
        weight=rng.uniform(0.2, 3, n) if weighted else None,
    )


def expected_groups(score: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Group of each person: the weight below the score and half of that at it, as a share of all."""
    middle = [weight[score < s].sum() + weight[score == s].sum() / 2 for s in score]
    return np.minimum(np.floor(np.array(middle) / weight.sum() * GROUPS + 1e-9).astype(int), GROUPS - 1)


# 400 persons with 200 categories fill few of the cells, so these persons are sorted; the others are counted.
@pytest.mark.parametrize("n_cat", [[2] * 6, [3, 3, 5, 2, 2, 5], [200] * 5], ids=["binary", "mixed", "sparse"])
@pytest.mark.parametrize("holes", [0.0, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
def test_options_of_every_item_equal_their_definitions(n_cat: list[int], holes: float, weighted: bool) -> None:
    r = answers(400, n_cat, holes=holes, weighted=weighted, seed=11)
    analysis = analyze_items(r, groups=GROUPS)
    weight = np.ones(400) if r.weight is None else r.weight
    codes = np.where(r.x < 0, np.nan, r.x)
    for j, item in enumerate(r.item_ids):
        others = np.delete(codes, j, axis=1)
        n_others = np.sum(~np.isnan(others), axis=1)
        known = (r.x[:, j] >= 0) & (n_others > 0)
        rest, code, w = np.nansum(others[known], axis=1) / n_others[known], r.x[known, j], weight[known]
        group = expected_groups(rest, w)
        answered = r.x[:, j] >= 0
        for row in (row for row in analysis.categories if row.item == item):
            chose = code == row.category
            assert row.n == np.sum(r.x[:, j] == row.category)
            assert row.share == pytest.approx(
                weight[r.x[:, j] == row.category].sum() / weight[answered].sum(), abs=1e-12
            )
            if not chose.any():
                assert row.mean_score is row.rest_r is None
                continue
            cov = np.cov(chose, rest, aweights=w)
            assert row.mean_score == pytest.approx(np.average(rest[chose], weights=w[chose]), abs=1e-10)
            assert row.rest_r == pytest.approx(cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1]), abs=1e-10)
        for point in (point for point in analysis.options if point.item == item):
            inside = group == point.group - 1
            assert point.n == inside.sum()
            assert point.share == pytest.approx(w[inside & (code == point.category)].sum() / w[inside].sum(), abs=1e-12)


def test_a_score_that_is_the_same_for_all_has_no_correlation() -> None:
    """Weighted sums of one number are not exact; the correlation must be undefined, not rounding over rounding."""
    choices, weight = [0, 1, 2, 0, 1, 2, 0], [0.3, 1.7, 0.1, 2.9, 0.7, 1.1, 0.9]
    for score in (0.1, 1 / 3, 123.456):
        result = analyze_options({"": choices}, [score] * 7, 3, weight=weight, settings=OptionSettings(groups=2))
        assert [row.rest_r for row in result.categories] == [None] * 3
        assert [row.mean_score for row in result.categories] == [score] * 3


@pytest.mark.parametrize("top", [1, 6, 200, 29_999], ids=["binary", "graded", "beyond single precision", "largest"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("holes", [0.0, 0.4])
def test_moments_equal_those_of_each_pair(top: int, weighted: bool, holes: float) -> None:
    rng = np.random.default_rng(5)
    x = rng.integers(0, top + 1, size=(3_000, 4)).astype(np.int16)
    x[:, 3] = top  # constant: its variance must be exactly 0
    x[rng.random(x.shape) < holes] = -1
    weight = rng.uniform(0.2, 3, len(x)) if weighted else None
    moments = pairwise_moments(x, weight)
    assert moments.cov[3, 3] == 0
    for i in range(4):
        for j in range(4):
            both = (x[:, i] >= 0) & (x[:, j] >= 0)
            w = np.ones(both.sum()) if weight is None else weight[both]
            pair = np.cov(x[both, i], x[both, j], aweights=w, ddof=0) * both.sum() / (both.sum() - 1)
            assert moments.n_pair[i, j] == both.sum()
            assert moments.cov[i, j] == pytest.approx(pair[0, 1], abs=1e-12 * top**2, rel=1e-12)
        one = x[:, i] >= 0
        assert moments.mean[i] == pytest.approx(np.average(x[one, i], weights=None if weight is None else weight[one]))

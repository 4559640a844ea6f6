"""What holds for scores of any form: order, holes, counts; and the record that keeps them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring_cases import made_form
from talentassess.core.errors import ScoringError
from talentassess.core.scores import Scores
from talentassess.core.status import Status
from talentassess.scoring import score
from talentassess.scoring.inputs import count_answers
from talentassess.scoring.plausible import invert
from talentassess.workflow.simulate import simulate

FORM = made_form([("3pl", 4, 2), ("graded", 4, 4), ("gpcm", 3, 3)], seed=2)
PEOPLE = simulate(FORM, 40, seed=3)


@settings(max_examples=10)
@given(order=st.permutations(range(11)), method=st.sampled_from(["eap", "map", "wle", "sum-eap"]))
def test_the_order_of_the_items_does_not_matter(order, method):
    shuffled = PEOPLE.select([PEOPLE.item_ids[j] for j in order])
    np.testing.assert_array_equal(score(FORM, shuffled, method).theta, score(FORM, PEOPLE, method).theta)


@settings(max_examples=10)
@given(kept=st.sets(st.sampled_from(PEOPLE.item_ids), min_size=1), method=st.sampled_from(["eap", "map", "ml", "wle"]))
def test_an_absent_item_is_a_missing_answer(kept, method):
    x = PEOPLE.x.copy()
    x[:, [j for j, item in enumerate(PEOPLE.item_ids) if item not in kept]] = -1
    short = score(FORM, PEOPLE.select([item for item in PEOPLE.item_ids if item in kept]), method, partial=True)
    holes = score(FORM, replace(PEOPLE, x=x), method)
    np.testing.assert_array_equal(short.theta, holes.theta)
    np.testing.assert_array_equal(short.status, holes.status)
    np.testing.assert_array_equal(short.n_answered, holes.n_answered)


@pytest.mark.parametrize("n_items", [1, 255, 256, 300])
def test_answers_are_counted_right_on_long_forms(n_items):
    """255 is the most that a byte holds."""
    x = np.zeros((3, n_items), dtype=np.int16)
    x[1], x[2, 0] = -1, -1
    assert count_answers(x, complete=False).tolist() == [n_items, 0, n_items - 1]
    assert count_answers(x[:1], complete=True).tolist() == [n_items]


@settings(max_examples=30)
@given(
    logs=st.lists(st.floats(-700, 0), min_size=3, max_size=30),
    low=st.floats(0, 0.999),
    step=st.floats(1e-3, 0.2),
)
def test_quantiles_rise_with_the_probability_and_stay_on_the_grid(logs, low, step):
    nodes = np.linspace(-6, 6, len(logs))
    high = min(low + step, 1 - 1e-16)
    found = invert(np.exp(np.array([logs])), nodes, np.array([[0.0, low, high, 1 - 1e-16]]))[0]
    assert np.all(np.diff(found) >= -1e-12)
    assert found[0] >= -6
    assert found[-1] <= 6


def test_a_status_for_everybody_is_required():
    fields = {"person_ids": ("a", "b"), "dimensions": ("s",), "theta": np.zeros((2, 1)), "cov": np.ones((2, 1, 1))}
    rest = {"method": "eap", "metric": "logit", "n_answered": np.ones((2, 1)), "reliability": np.ones(1)}
    made = Scores(**fields, **rest, status=((Status.CONVERGED,), (Status.NO_ANSWERS,)))
    assert made.status[1][0] is made.status[1, 0] is Status.NO_ANSWERS
    with pytest.raises(ScoringError, match=r"shape \(1, 1\); one per person and dimension needs \(2, 1\)"):
        Scores(**fields, **rest, status=((Status.CONVERGED,),))

"""The one-person scorer gives what ``score`` gives, and refuses what it cannot read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import talentassess as ta
from scoring_cases import made_form
from talentassess.calibration import calibrate
from talentassess.core.errors import ScoringError
from talentassess.core.status import Status
from talentassess.scoring import score
from talentassess.workflow.simulate import simulate

FORM = made_form([("3pl", 6, 2), ("graded", 5, 5), ("nominal", 3, 4)], seed=5)


@pytest.fixture(scope="module")
def two_groups():
    """Two scales and two groups, with holes in the answers."""
    people = simulate(made_form([("2pl", 9, 2)], seed=1), 300, seed=1)
    people = replace(people, scales=("u",) * 4 + ("v",) * 5, group=("a", "b", "b") * 100)
    return calibrate(people, "2pl", groups=True), people


@pytest.mark.parametrize("method", ["eap", "map", "ml", "wle"])
def test_it_gives_the_numbers_of_score(method, two_groups):
    people = simulate(FORM, 20, seed=6)
    x = people.x.copy()
    x[::2, ::3] = -1
    x[0] = -1
    cases = [(FORM, replace(people, x=x)), (two_groups[0], two_groups[1].take(np.arange(12)))]
    for calibration, answers in cases:
        scorer, expected = ta.prepare_scorer(calibration, method), score(calibration, answers, method)
        for i, codes in enumerate(answers.x):
            one = scorer(codes, None if answers.group is None else answers.group[i])
            np.testing.assert_allclose(one.theta, expected.theta[i], atol=1e-9)
            np.testing.assert_allclose(one.se, expected.se[i], atol=1e-9)
            assert one.status == tuple(expected.status[i])
            assert one.n_answered == tuple(expected.n_answered[i])
        assert scorer.calibration_hash == expected.provenance.options["calibration"]


def test_codes_may_come_as_a_list_or_by_name():
    scorer = ta.prepare_scorer(FORM)
    codes = [1, None, 0, 1, -1, 0, 4, 3, None, 2, 0, 3, 1, 2]
    by_name = {item: code for item, code in zip(FORM.item_ids, codes, strict=True) if code is not None}
    assert scorer(codes) == scorer(by_name) == scorer(np.array([-1 if c is None else c for c in codes]))
    assert scorer({}).status == (Status.NO_ANSWERS,)
    assert isinstance(scorer(codes).theta[0], float)


def test_extreme_patterns_say_so():
    form = made_form([("2pl", 6, 2)], seed=1)
    one = ta.prepare_scorer(form, "ml")([1] * 6)
    assert one.theta == (np.inf,)
    assert one.se == (np.inf,)
    assert one.status == (Status.EXTREME_PATTERN,)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ([1] * 13, r"One code per item is needed, 14 in all; found shape \(13,\)"),
        ([2, *[0] * 13], r"item 'i1': 2 is not one of 0\.\.1"),
        ([0.5] * 14, "Codes must be whole numbers from 0, or -1 or None"),
        ({"i1": 1, "q9": 0}, "item 'q9' is not in the calibration"),
    ],
)
def test_codes_it_cannot_read_are_refused(codes, message):
    with pytest.raises(ScoringError, match=message):
        ta.prepare_scorer(FORM)(codes)


def test_other_refusals(two_groups):
    with pytest.raises(ScoringError, match="no one-person scoring by 'sum-eap'; choose one of: eap, map, ml, wle"):
        ta.prepare_scorer(FORM, "sum-eap")
    with pytest.raises(ScoringError, match=r"Name the person's group: a, b \(found: None\)"):
        ta.prepare_scorer(two_groups[0])([0] * 9)
    latent = replace(two_groups[0].latent, cov=np.full((2, 2, 2), 0.5) + 0.5 * np.eye(2))
    with pytest.raises(ScoringError, match="prepare_scorer is offered for dimensions that were calibrated one by one"):
        ta.prepare_scorer(replace(two_groups[0], latent=latent))

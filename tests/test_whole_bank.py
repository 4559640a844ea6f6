"""The whole service bank through the public API: SIMULATED answers, calibrated together, scored, matched."""

from __future__ import annotations

import numpy as np
import pytest

import talentassess as ta
from talentassess.workflow.simulate import CORRELATION, drawn_calibration

N_PILOT, N_PEOPLE = 1000, 400


@pytest.fixture(scope="module")
def run():
    bank = ta.load_bank("service")
    pilot, people = ta.simulate(bank, N_PILOT, seed=1), ta.simulate(bank, N_PEOPLE, seed=2)
    calibration = ta.calibrate(pilot, "graded", correlated=True, se=None)
    return bank, pilot, people, calibration


def test_346_items_on_twenty_correlated_competencies_are_calibrated_together(run):
    bank, pilot, _, calibration = run
    assert calibration.status is ta.Status.CONVERGED
    assert pilot.provenance.simulated
    assert calibration.provenance.simulated
    assert (len(calibration.item_ids), len(calibration.dimensions)) == (len(bank.items), 20)
    true = dict(zip(*(drawn_calibration(bank).items[name] for name in ("item", "a")), strict=True))
    error = np.array(
        [slope - true[item] for item, slope in zip(*(calibration.items[n] for n in ("item", "a")), strict=True)]
    )
    # with 1,000 persons the SE of a slope is .05 to .15, by its size
    assert np.sqrt(np.mean(error**2)) < 0.12
    assert abs(error.mean()) < 0.02
    off = calibration.latent.cov[0][np.triu_indices(20, 1)]
    assert off.mean() == pytest.approx(CORRELATION, abs=0.05)
    assert off.std() < 0.06  # the standard error of one correlation is about .03


def test_new_people_are_scored_and_matched_on_all_twenty(run):
    _, _, people, calibration = run
    scores = ta.score(calibration, people)
    assert scores.theta.shape == (N_PEOPLE, 20)
    assert scores.cov.shape == (N_PEOPLE, 20, 20)
    mine = people.select(list(people.items_of("empathy")))
    alone = ta.score(ta.calibrate(mine, "graded", se=None), mine)
    d = scores.column("empathy")
    # the other nineteen competencies, correlated .4, tell something about empathy as well
    assert np.mean(scores.cov[:, d, d]) < np.mean(alone.cov[:, 0, 0])
    assert np.corrcoef(scores.theta[:, d], alone.theta[:, 0])[0, 1] > 0.95
    card = ta.norm_card(scores, population="nobody", sample="SIMULATED", collected=("2026", "2026"))
    profile = ta.load_profile("43-4051.00", context="call_centre")
    matches = ta.match(scores, profile, norms=ta.fit_norms(scores, card=card))
    assert matches.provenance.simulated
    assert not profile.left_out
    assert len(matches.composite.weight) == 20

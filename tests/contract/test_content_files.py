"""What every shipped content file must satisfy."""

from __future__ import annotations

import pytest

from talentassess.bank.check import check_bank
from talentassess.bank.load import bank_names, load_bank, load_competencies
from talentassess.bank.schema import SituationalItem
from talentassess.content import content_dir
from talentassess.core.status import Severity


def test_the_first_bank_is_shipped():
    # an empty parametrisation below would pass in silence
    assert "service_core" in bank_names()


@pytest.mark.parametrize("name", bank_names())
def test_bank_loads_and_its_check_finds_no_problem(name):
    bank = load_bank(name)
    assert bank.id == name
    check = check_bank(bank, load_competencies())
    assert [str(finding) for finding in check.having(Severity.PROBLEM)] == []


@pytest.mark.parametrize("name", bank_names())
def test_keys_of_drafts_are_not_called_more_than_they_are(name):
    sources = {
        item.key_source
        for item in load_bank(name).items
        if isinstance(item, SituationalItem) and item.status == "draft" and item.keyed
    }
    assert sources <= {"rational (authors)"}


@pytest.mark.parametrize("name", bank_names())
def test_nothing_is_operational_before_real_data_say_so(name):
    calibrated = (content_dir("items") / name / "params.json").exists()
    assert calibrated or all(item.status != "operational" for item in load_bank(name).items)


def test_core_competencies_are_described_in_every_context():
    model = load_competencies()
    assert {"active_listening", "service_orientation", "ownership", "dependability", "follow_up"} <= set(model.ids)
    for competency in model.competencies:
        for indicators in (competency.positive, competency.negative):
            assert indicators.general
            assert indicators.corner_store
            assert indicators.call_centre


def test_ownership_and_follow_up_say_that_they_have_no_element_of_their_own():
    model = load_competencies()
    for name in ("ownership", "follow_up"):
        assert model.competency(name).onet_note, f"{name} is mapped to other elements; onet_note must say so"

"""What the shipped content promises: twenty competencies, the service bank, paired versions, keys per context."""

from __future__ import annotations

from collections import Counter
from typing import get_args

import pytest

from talentassess.bank.competency import CompetencyId
from talentassess.bank.load import load_bank, load_competencies, load_contexts
from talentassess.bank.schema import OPPOSITE_NEED
from talentassess.matching import load_occupations

CONTEXTS = ("general", "corner_store", "call_centre")


@pytest.fixture(scope="module")
def bank():
    return load_bank("service")


def test_all_twenty_competencies_are_described_and_measured_by_all_methods(bank):
    model = load_competencies()
    assert model.ids == get_args(CompetencyId) or set(model.ids) == set(get_args(CompetencyId))
    assert len(model.ids) == 20
    assert set(bank.scale_ids) == set(model.ids)
    for competency in model.competencies:
        assert set(competency.methods) == {"self_report", "situational", "interview"}
        for indicators in (competency.positive, competency.negative):
            assert len(indicators.general) >= 4
            assert len(indicators.corner_store) >= 3
            assert len(indicators.call_centre) >= 3


def test_every_pillar_is_served():
    model = load_competencies()
    assert {p for c in model.competencies for p in c.pillars} == {p.id for p in model.pillars}


def test_onet_links_name_elements_of_the_shipped_pack():
    names = {element.id: element.name for element in load_occupations().elements}
    links = [(c.id, link) for c in load_competencies().competencies for link in c.onet]
    assert len(links) >= 30
    assert [(c, link.element_id, link.element) for c, link in links if names.get(link.element_id) != link.element] == []


def test_statements_per_competency_and_their_direction(bank):
    for scale in bank.scale_ids:
        items = [item for item in bank.self_report if item.scale == scale]
        assert len(items) >= 12, scale
        assert 0.40 <= sum(item.reverse for item in items) / len(items) <= 0.50, scale
        assert all(item.desirability is not None for item in items)


def test_situational_items_per_format_context_and_competency(bank):
    formats, contexts = (Counter(getattr(i, name) for i in bank.situational) for name in ("format", "context"))
    assert len(bank.situational) >= 80
    assert formats["most_least"] >= 40
    assert formats["pick_best"] >= 20
    assert formats["rate_each"] >= 10
    assert formats["rank"] >= 10
    assert all(contexts[context] >= 24 for context in CONTEXTS)
    assert min(Counter(i.scale for i in bank.situational).values()) >= 3
    for item in bank.situational:
        assert all(o.rationale and o.indicator and o.effectiveness for o in item.options)


def test_paired_versions_differ_in_need_and_best_option(bank):
    paired = [item for item in bank.situational if item.pair is not None]
    assert len(paired) >= 20  # at least ten pairs
    for item in paired:
        other = bank.item(item.pair)
        assert other.pair == item.id
        assert other.customer_need == OPPOSITE_NEED[item.customer_need]
        assert [o.text for o in other.options] == [o.text for o in item.options]
        best, best_there = (max(i.options, key=lambda o: o.effectiveness).id for i in (item, other))
        assert best != best_there


def test_keys_that_depend_on_the_context_change_the_best_option(bank):
    fitted = [item for item in bank.situational if any(o.in_context for o in item.options)]
    assert len(fitted) >= 8
    for item in fitted:
        best = {c: max(item.for_context(c).options, key=lambda o: o.effectiveness).id for c in CONTEXTS}
        assert len(set(best.values())) > 1, item.id


def test_the_core_bank_is_a_selection_of_the_service_bank(bank):
    core = load_bank("service_core")
    assert [core.item(i) for i in core.item_ids] == [bank.item(i) for i in core.item_ids]


def test_contexts_say_whose_judgement_they_are_and_shift_known_competencies():
    contexts = load_contexts()
    assert contexts.source == "rational (authors)"
    assert [c.id for c in contexts.contexts] == list(CONTEXTS)
    assert not contexts.context("general").emphasis
    for name in CONTEXTS[1:]:
        assert len(contexts.context(name).emphasis) >= 5

"""Status and audit stand before the numbers, in every report that shows results of a calibration (all SIMULATED)."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import talentassess as ta
from talentassess.core.status import Severity, Status
from talentassess.render.blocks import Block, Callout, ClaimBlock, FigureBlock, FindingBlock, TableBlock
from talentassess.render.doc import ReportDoc
from talentassess.workflow.report_study import _summary

STATUS = Status.MAX_STEPS.value
ITEMS = 4


@pytest.fixture(scope="module")
def answers() -> ta.Responses:
    """Two scales of four statements; one statement's answers are turned round."""
    bank = ta.load_bank("service_core")
    chosen = [i.id for s in ("ownership", "service_orientation") for i in bank.self_report if i.scale == s]
    assert len(chosen) >= 2 * ITEMS
    people = ta.simulate(bank, 150, seed=4)
    by_scale = {s: [i for i in people.items_of(s) if i in chosen][:ITEMS] for s in ("ownership", "service_orientation")}
    kept = people.select([i for items in by_scale.values() for i in items])
    x = kept.x.copy()
    x[:, 0] = 4 - x[:, 0]
    return replace(kept, x=x, provenance=replace(kept.provenance, data_hash=""))


@pytest.fixture(scope="module")
def unfinished(answers) -> ta.Calibration:
    return ta.calibrate(answers, max_steps=2, se=None)


def blocks_of(doc: ReportDoc) -> list[Block]:
    return [block for section in doc.sections for block in section.blocks]


def first(blocks: list[Block], test) -> int:
    return next(k for k, block in enumerate(blocks) if test(block))


def is_number(block: Block) -> bool:
    return isinstance(block, TableBlock | FigureBlock | ClaimBlock)


def warns(block: Block) -> bool:
    return isinstance(block, Callout) and block.title == f"Attention: {STATUS}" and block.severity is Severity.PROBLEM


def test_a_calibration_report_shows_status_then_problems_then_notes_then_numbers(unfinished, tmp_path):
    doc = ta.report(unfinished)
    blocks = blocks_of(doc)
    assert warns(blocks[0])
    loud, quiet = blocks[1], blocks[2]
    assert isinstance(loud, FindingBlock)
    assert isinstance(quiet, FindingBlock)
    assert first(blocks, is_number) > 2
    assert {f.code for f in loud.findings} >= {"status", "negative_item_rest"}
    assert loud.findings[0].severity is Severity.PROBLEM
    assert {f.severity for f in quiet.findings} == {Severity.NOTE}
    shown = {f.code for block in (loud, quiet) for f in block.findings}
    assert shown == {f.code for f in unfinished.audit}  # nothing is left out
    page = doc.save(tmp_path / "r.html").read_text(encoding="utf-8")
    assert 0 < page.index(f"Attention: {STATUS}") < page.index("Audit: look at these first") < page.index("<table")


def test_a_converged_calibration_says_so_first(answers):
    fitted = ta.calibrate(answers, se=None)
    blocks = blocks_of(ta.report(fitted))
    assert isinstance(blocks[0], Callout)
    assert blocks[0].title == "The estimation converged"
    assert first(blocks, lambda b: isinstance(b, FindingBlock)) < first(blocks, is_number)


def test_scores_of_an_unfinished_calibration_say_so_first(unfinished, answers):
    blocks = blocks_of(ta.report(ta.score(unfinished, answers)))
    assert first(blocks, warns) < first(blocks, is_number)
    settled = blocks_of(ta.report(ta.score(ta.calibrate(answers, se=None), answers)))
    assert not any(isinstance(b, Callout) and "Attention" in b.title for b in settled)


def test_a_pool_report_shows_what_is_unsettled_before_its_claims(unfinished, answers):
    bank = ta.load_bank("service_core")
    people = ta.simulate(bank, 200, seed=11)
    calibration = ta.calibrate(people, max_steps=2, se=None)
    scores = ta.score(calibration, people)
    card = ta.norm_card(scores, population="nobody", sample="SIMULATED", collected=("2025", "2025"))
    applicants = ta.score(calibration, people.take(np.arange(20)))
    role = ta.load_profile("43-4051.00").restricted_to(bank.scale_ids)
    pool = ta.compare_pool(applicants, role, ta.fit_norms(scores, card=card))
    blocks = blocks_of(ta.report(pool))
    found = first(blocks, lambda b: isinstance(b, FindingBlock) and "score_status" in {f.code for f in b.findings})
    assert found < first(blocks, is_number)
    assert STATUS in next(f.message for f in blocks[found].findings if f.code == "score_status")


def test_a_study_report_warns_before_its_summary(unfinished):
    bank = ta.load_bank("service_core")
    people = ta.simulate(bank, 60, seed=11)

    scores = ta.score(unfinished, people.select(unfinished.item_ids))
    card = ta.norm_card(scores, population="nobody", sample="SIMULATED", collected=("2025", "2025"))
    study = SimpleNamespace(
        analysis=ta.analyze_items(people),
        responses=people,
        bank=bank,
        calibration=unfinished,
        norms=ta.fit_norms(scores, card=card),
    )
    blocks = list(_summary(study))
    assert warns(blocks[0])
    assert isinstance(blocks[1], ClaimBlock)
    study.calibration = replace(unfinished, status=Status.CONVERGED)
    assert not any(warns(block) for block in _summary(study))


def test_a_calibration_at_a_bound_has_a_report(answers, tmp_path):
    """Unknown errors and a slope of 25 do not keep anybody from reading why."""
    doubled = answers.select(answers.item_ids[:ITEMS])
    x = np.column_stack([doubled.x, doubled.x[:, 1]])
    copies = ta.Responses(
        x=x, n_cat=[5] * 5, item_ids=[*doubled.item_ids, "copy"], person_ids=doubled.person_ids,
        provenance=replace(doubled.provenance, data_hash=""),
    )  # fmt: skip
    fitted = ta.calibrate(copies, "graded")
    assert fitted.status is Status.AT_BOUND
    page = ta.report(fitted).save(tmp_path / "r.html").read_text(encoding="utf-8")
    assert page.index("Attention: a parameter sits at its bound") < page.index("<table")

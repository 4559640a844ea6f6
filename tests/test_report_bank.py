"""The content report of a bank: everything a reviewer needs is in it, and nothing the blind reader must not see."""

from __future__ import annotations

import pytest

import talentassess as ta
from bank_fixtures import TINY_BANK, broken_bank, made_bank, made_situational
from talentassess.bank.check import check_bank
from talentassess.bank.history import load_history
from talentassess.bank.load import load_bank, load_competencies
from talentassess.bank.traceability import TraceabilityFile, known_content
from talentassess.workflow.report_bank import blind_read_report

CORE = ta.load_bank("service_core")


@pytest.fixture(scope="module")
def doc():
    return ta.report(check_bank(CORE, load_competencies()))


def text_of(doc) -> str:
    cells = [str(cell) for table in doc.tables for column in table.columns.values() for cell in column]
    return "\n".join([*cells, *(str(getattr(block, "text", "")) for block in doc.blocks)])


def test_every_item_stands_in_the_report_with_its_options_and_reasons(doc):
    text = text_of(doc)
    wording = [item.text for item in CORE.self_report] + [item.scenario for item in CORE.situational]
    options = [part for i in CORE.situational for o in i.options for part in (o.text, o.rationale, o.indicator)]
    assert [part for part in [*wording, *options] if part.rstrip(".")[1:] not in text] == []  # indicators get a capital


def test_the_report_has_matrix_findings_rules_and_chart(doc):
    assert doc.title == "Content review: Service core"
    titles = [section.title for section in doc.sections]
    assert titles[:5] == ["Summary", "Findings", "Coverage", "Blind rules", "Items"]
    assert titles[5:10] == [scale.name for scale in CORE.scales]
    captions = [table.caption for table in doc.tables]
    assert "Items by scale, method and context" in captions
    assert "What blind rules earn on all keyed items" in captions
    assert len(doc.figures) == 1
    assert [f.code for f in doc.findings] == list(dict.fromkeys(f.code for f in check_bank(CORE).findings))
    assert not doc.simulated


def test_ledger_and_traceability_join_the_report(tmp_path):
    folder = broken_bank(tmp_path, {})
    bank = load_bank(folder)
    ta.record_history(bank.items, folder, author="A. Author", reason="first draft", date="2025-01-31")
    claims = TraceabilityFile.model_validate(
        {
            "schema": "talentassess/traceability/1",
            "sources": [{"id": "s1", "title": "One"}],
            "claims": [
                {"id": "c1", "source": "s1", "claim": "Waiting.", "covered_by": ["item:fu_2", "theme:t01"]},
                {"id": "c2", "source": "s1", "claim": "Another."},
            ],
        }
    )
    trace = ta.trace_claims(claims, known_content(load_competencies(), [bank]))
    check = check_bank(bank, history=load_history(folder), traceability=trace)
    (open_claims,) = [f for f in check.findings if f.code == "open_claims"]
    assert open_claims.message == "1 of 2 claims of 1 sources are covered; 1 are open or name what does not exist: c2."
    doc = ta.report(check, title="Mine")
    table = next(t for t in doc.tables if t.anchor == "trace-table").columns
    assert table["Claim"] == ("c1", "", "c2")
    assert table["Covered by"] == ("item:fu_2", "theme:t01", "nothing")
    assert table["Wording"] == ("I wait until customers ask again.", "(not looked up)", "")
    ledger = next(t for t in doc.tables if t.anchor == "ledger-table")
    assert ledger.n_rows == len(bank.items)
    assert (tmp_path / "r.html") == doc.save(tmp_path / "r.html")


def test_keys_per_context_and_pairs_are_shown():
    item = made_situational([["a thing", "b thing", "c thing", "d thing"]], [[5, 2, 4, 1]])[0]
    options = [o.model_dump() | {"in_context": {"call_centre": 5} if o.id == "c" else {}} for o in item.options]
    fields = {"options": options, "customer_need": "urgent", "pair": "q1"}
    doc = ta.report(check_bank(made_bank([type(item).model_validate(item.model_dump() | fields)])))
    table = next(t for t in doc.tables if t.caption == "Options of q0").columns
    assert table["Key"] == (5.0, 2.0, 4.0, 1.0)
    assert table["Call centre"] == (5.0, 2.0, 5.0, 1.0)
    assert "paired with q1, need: urgent" in text_of(doc)


def test_a_bank_without_published_wording_or_keys_has_a_report():
    doc = ta.report(check_bank(load_bank(TINY_BANK)))
    assert "(not published)" in text_of(doc)


def test_the_blind_sheet_holds_no_key():
    check = check_bank(CORE, seed=5)
    sheet = text_of(blind_read_report(check, "Blind read"))
    assert [item.id for item in check.blind_read if item.scenario not in sheet] == []
    hidden = [part for item in CORE.situational for o in item.options for part in (o.rationale, o.indicator)]
    assert [part for part in hidden if part in sheet] == []
    first = blind_read_report(check, "Blind read").tables[0]
    assert first.columns["No."] == tuple(range(1, first.n_rows + 1))
    assert first.columns["Option"] == tuple(option.text for option in check.blind_read[0].options)

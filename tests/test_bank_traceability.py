"""Claims of the sources: what covers them, what is missing, and what names nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

import talentassess as ta
from bank_fixtures import TINY_BANK
from talentassess.bank.load import load_bank, load_competencies
from talentassess.bank.traceability import known_content
from talentassess.core.errors import ContentError
from talentassess.core.status import Severity

HEAD = """schema: talentassess/traceability/1
sources:
  - {id: s1, title: The first article}
  - {id: s2, title: The second article}
claims:
"""


def claims(folder: Path, *lines: str):
    file = folder / "traceability.yaml"
    file.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    return ta.load_claims(file)


def known():
    return known_content(load_competencies(), [load_bank(TINY_BANK)])


def claim(name: str, *covers: str, source: str = "s1") -> str:
    return f"  - {{id: {name}, source: {source}, claim: Something is asked., covered_by: [{', '.join(covers)}]}}"


def test_references_are_resolved_to_their_wording(tmp_path):
    found = ta.trace_claims(
        claims(
            tmp_path,
            claim("c1", '"competency:ownership"', '"item:fu_2"', '"indicator:follow_up.positive.call_centre"'),
            claim("c2", '"context:corner_store"', '"onet:1.C.5.a"', source="s2"),
        ),
        known(),
    )
    assert found.ok
    assert [(row.reference, row.found) for row in found.covers][:2] == [
        ("competency:ownership", True),
        ("item:fu_2", True),
    ]
    assert found.covers[1].wording == "I wait until customers ask again."
    assert found.covers[2].wording == " ".join(load_competencies().competency("follow_up").positive.call_centre)
    assert repr(found) == "Traceability(2 of 2 claims of 2 sources are covered)"
    assert found.to_frame("sources")["covered"].tolist() == [1, 1]


def test_claims_without_cover_and_dangling_references_are_problems(tmp_path):
    found = ta.trace_claims(
        claims(tmp_path, claim("c1"), claim("c2", '"item:fu_3"'), claim("c3", '"itm:fu_1"')), known()
    )
    said = [(f.code, f.where, f.severity) for f in found.findings]
    assert said == [
        ("claim_not_covered", "c1", Severity.PROBLEM),
        ("claim_not_covered", "c2", Severity.PROBLEM),
        ("claim_not_covered", "c3", Severity.PROBLEM),
        ("dangling_reference", "c2", Severity.PROBLEM),
        ("dangling_reference", "c3", Severity.PROBLEM),
    ]
    assert "'item:fu_3' leads nowhere; did you mean 'fu_" in found.findings[3].message
    assert "did you mean 'item'?" in found.findings[4].message
    assert not found.ok


def test_a_claim_about_the_method_says_what_covers_it(tmp_path):
    line = "  - {id: c1, source: s1, claim: Raters share a form., elsewhere: talentassess interview form}"
    found = ta.trace_claims(claims(tmp_path, line), known())
    assert found.ok
    assert (found.covers[0].reference, found.covers[0].wording) == ("elsewhere", "talentassess interview form")


def test_kinds_that_were_not_given_are_not_looked_up(tmp_path):
    one = claims(tmp_path, claim("c1", '"question:al_iq_01"'))
    alone = ta.trace_claims(one, known())
    assert alone.ok
    assert [f.code for f in alone.findings] == ["not_looked_up"]
    assert "1 of the kind question" in alone.findings[0].message
    with_interview = ta.trace_claims(one, known() | {"question": {"al_iq_01": "Tell me about a time."}})
    assert with_interview.findings == ()
    assert with_interview.covers[0].wording == "Tell me about a time."
    assert not ta.trace_claims(one, known() | {"question": {}}).ok


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (claim("c1", "nothing"), "found 'nothing'; a kind and an id such as item:ow_sr_01 is needed"),
        (claim("c1", source="s3"), "claim 'c1', source: there is no source 's3'; there are: s1, s2"),
        ("  - {id: c1, source: s1}", "is missing"),
        (
            "  - {id: c1, source: s1, claim: x, cover: []}",
            "field 'cover': is not a known field; did you mean 'covered_by'",
        ),
    ],
)
def test_broken_files_are_refused_with_line_and_field(tmp_path, line, message):
    with pytest.raises(ContentError, match=r"traceability\.yaml' cannot be used") as caught:
        claims(tmp_path, line)
    assert message in "\n".join(caught.value.problems)
    assert "line " in caught.value.problems[0]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ContentError, match=r"traceability\.yaml' cannot be read"):
        ta.load_claims(tmp_path / "traceability.yaml")


def test_retired_items_cover_nothing():
    bank = load_bank(TINY_BANK)
    retired = bank.self_report[0].model_copy(update={"status": "retired"})
    thin = bank.model_copy(update={"self_report": (retired, *bank.self_report[1:])})
    content = known_content(load_competencies(), [thin])
    assert retired.id not in content["item"]
    assert "fu_2" in content["item"]

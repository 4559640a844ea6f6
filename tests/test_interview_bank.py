"""Interview banks: loading with every problem named, the published schemas, and the content check."""

from __future__ import annotations

import json

import jsonschema
import pytest

from interview_cases import TINY_INTERVIEW, broken_interview, tiny
from talentassess.bank.interview import InterviewBank
from talentassess.bank.interview_check import check_interview_bank
from talentassess.bank.interview_load import interview_bank_names, is_interview_bank, load_interview_bank
from talentassess.bank.interview_wording import closed_question, double_question
from talentassess.bank.json_schema import json_schemas
from talentassess.bank.load import bank_names, load_bank, load_competencies
from talentassess.bank.yaml_file import read_yaml
from talentassess.content import content_dir
from talentassess.core.errors import ContentError

FOLDERS = [TINY_INTERVIEW, *(content_dir("items") / name for name in interview_bank_names())]
FILES = [path for folder in FOLDERS for path in (folder / "bank.yaml", *sorted(folder.glob("interview/*.yaml")))]
OW = "interview/ownership.yaml"


def test_the_chain_stays_visible():
    bank = tiny()
    assert repr(bank) == "InterviewBank(tiny_interview 1.0.0, 2 competencies, 6 questions, 30 probes)"
    chain = bank.chains[1]
    assert (chain.competency, chain.behaviour.id, chain.situation.id, chain.question.id) == (
        *("ownership", "ow_b2", "ow_b2_s1"),
        "ow_iq_02",
    )
    assert bank.competency_of()["fu_iq_03"] == "follow_up"
    assert [len(bank.to_frame(name)) for name in bank.tables()] == [6, 30, 36, 4, 2, 2]
    context, anchors = bank.anchors("ownership", "call_centre")
    assert (context, sorted(anchors.levels)) == ("call_centre", [1, 3, 5])


def test_a_context_without_anchors_has_the_general_ones(tmp_path):
    text = (TINY_INTERVIEW / OW).read_text(encoding="utf-8")
    lines = text[text.index("  corner_store:\n") : text.index("  call_centre:\n")]
    bank = load_interview_bank(broken_interview(tmp_path, {OW: (lines, "")}))
    assert bank.anchors("ownership", "corner_store")[0] == "general"
    assert [f.code for f in check_interview_bank(bank).findings if f.severity.value == "problem"] == ["no_anchors"]


def test_item_banks_and_interview_banks_are_told_apart():
    assert not set(bank_names()) & set(interview_bank_names())
    assert is_interview_bank(TINY_INTERVIEW)
    assert not is_interview_bank("service_core")
    with pytest.raises(ContentError, match="talentassess/interview_bank/1"):
        load_bank(TINY_INTERVIEW)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("bank.yaml", "Solid, ", "", "bank.yaml, line 9, field 'rating': found 4 entries; at least 5 are needed"),
        (
            "bank.yaml",
            "part: task",
            "part: tasks",
            "STAR part number 2, field 'part': found 'tasks'; allowed: 'situation'",
        ),
        ("bank.yaml", "{id: t02,", "{id: t01,", "field 'themes': entry 't01' occurs 2 times"),
        (OW, "minutes: 7", "minutes: '7'", "question 'ow_iq_01', field 'minutes': found '7'; a number is needed"),
        (
            OW,
            "contexts: [general]",
            "contexts: [shop]",
            "found 'shop'; allowed: 'general', 'c",
        ),
        (
            OW,
            "themes: [t01]",
            "themes: [t1]",
            "'ow_iq_01', field 'themes': there is no theme 't1'; did you mean 't01'?",
        ),
        (OW, "id: ow_iq_02", "id: ow_iq_01", "field 'id': the question id occurs 2 times in the bank"),
        (
            OW,
            "part: result",
            "part: end",
            "field 'part': found 'end'; allowed: 'situation', 'task', 'action', 'result'",
        ),
        (
            OW,
            "            minutes: 7",
            "            minute: 7",
            "field 'minute': is not a known field; did you mean 'minutes'?",
        ),
        (OW, "\n    3: [", "\n    4: [", "field 'general', field '4': is not a known field; there are: 1, 3, 5"),
        (
            OW,
            "competency: ownership",
            "competency: follow_up",
            "has its questions in another file already; keep them in one",
        ),
        (
            OW,
            "behaviours:\n",
            "behaviours: []\nothers:\n",
            "field 'behaviours': found 0 entries; at least 1 are needed",
        ),
    ],
)
def test_problems_name_file_line_id_and_field(tmp_path, file, old, new, message):
    with pytest.raises(ContentError) as caught:
        load_interview_bank(broken_interview(tmp_path, {file: (old, new)}))
    assert any(message in line for line in caught.value.problems), caught.value.problems
    assert all(".yaml, line " in line for line in caught.value.problems)


def test_files_that_would_be_passed_over_are_named(tmp_path):
    folder = broken_interview(tmp_path, {})
    (folder / "sjt.yaml").write_text("items: []", encoding="utf-8")
    (folder / "interview" / "empathy.yml").write_text("x: 1", encoding="utf-8")
    with pytest.raises(ContentError) as caught:
        load_interview_bank(folder)
    assert set(caught.value.problems) == {
        "sjt.yaml: not a file of an interview bank; there are bank.yaml and interview/<competency>.yaml",
        "interview/empathy.yml: the ending must be .yaml, or the file is not read",
    }


def test_missing_banks_files_and_names(tmp_path):
    with pytest.raises(ContentError, match="There is no interview bank 'nowhere' among the shipped ones"):
        load_interview_bank("nowhere")
    with pytest.raises(ContentError, match=r"'bank.yaml' is a file; give the folder"):
        load_interview_bank(TINY_INTERVIEW / "bank.yaml")
    with pytest.raises(ContentError) as caught:
        load_interview_bank(tmp_path)
    assert "bank.yaml: there is no such file" in caught.value.problems[0]
    (tmp_path / "bank.yaml").write_text((TINY_INTERVIEW / "bank.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(ContentError, match=r"there is no interview/<competency>.yaml; give at least one"):
        load_interview_bank(tmp_path)
    with pytest.raises(ContentError, match="has no questions for 'owner'; did you mean 'ownership'"):
        tiny().interview("owner")


def test_parts_put_together_in_memory_must_fit_too():
    raw = tiny().model_dump(by_alias=True)
    raw["interviews"] = [raw["interviews"][0], raw["interviews"][0]]
    with pytest.raises(ContentError, match="The parts of the interview bank 'tiny_interview' do not fit together"):
        InterviewBank.model_validate(raw)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_files_pass_the_published_schemas(path):
    name = "interview_bank" if path.name == "bank.yaml" else "interview"
    schema = json.loads((content_dir("items") / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(read_yaml(path).data, schema, cls=jsonschema.Draft202012Validator)


def test_a_schema_refuses_what_the_loader_refuses(tmp_path):
    path = broken_interview(tmp_path, {OW: ("minutes: 7", "minutes: 99")}) / OW
    with pytest.raises(jsonschema.ValidationError, match="99 is greater than"):
        jsonschema.validate(read_yaml(path).data, json_schemas()["interview"])


@pytest.mark.parametrize("name", interview_bank_names())
def test_shipped_interview_banks_have_no_problem(name):
    check = check_interview_bank(load_interview_bank(name), load_competencies())
    assert [str(f) for f in check.findings if f.severity.value == "problem"] == []


def test_a_sound_bank_has_no_problem_and_shows_its_coverage():
    check = check_interview_bank(tiny())
    assert check.ok
    assert {f.severity.value for f in check.findings} == {"note"}
    row = next(r for r in check.coverage if (r.competency, r.context) == ("follow_up", "call_centre"))
    assert (row.questions, row.own, row.minutes, row.anchors) == (2, 1, 11.0, 6)
    assert [(t.theme, t.questions) for t in check.themes] == [("t01", 2), ("t02", 2)]
    assert list(check.tables()) == ["findings", "coverage", "themes", "statistics"]


@pytest.mark.parametrize(
    ("file", "old", "new", "code", "message"),
    [
        (
            OW,
            "              - {part: task, text: What were you asked to do about the slip?}\n",
            "",
            "probe_count",
            "Has 4 probes",
        ),
        (
            OW,
            "part: task, text: What were you asked to do about the slip?",
            "part: action, text: Why?",
            "star_part_not_asked",
            "No probe asks for: task",
        ),
        (
            OW,
            "status: draft\n            version: 1\n  - id: ow_b2",
            "status: retired\n            version: 1\n  - id: ow_b2",
            "few_questions",
            "Has 2 question(s) in use",
        ),
        (
            "bank.yaml",
            "{id: t02, name: Mistakes, description: An own mistake.}",
            "{id: t02, name: Mistakes}\n  - {id: t03, name: Change}",
            "theme_gap",
            "No question covers the theme 'Change'",
        ),
        (
            OW,
            "Tell me about a mistake of yours that reached a customer.",
            "Have you made a mistake that reached a customer?",
            "closed_question",
            "can be answered with yes or no",
        ),
        (
            OW,
            "Tell me about a mistake of yours that reached a customer.",
            "What went wrong, and how did you take it?",
            "double_question",
            "asks two things at once",
        ),
        (OW, "When did you meet the slip?", "When did he meet the slip?", "gendered", "Uses 'he' (gendered)"),
        (OW, "When did you meet the slip?", "How does your family see it?", "sensitive", "family"),
        (OW, "When did you meet the slip?", "Did you see the slip?", "closed_probe", "yes or no"),
        (
            OW,
            "When did you meet the slip?",
            "When did you meet the orphaned problem?",
            "repeated_probe",
            "stands 2 times",
        ),
        (
            OW,
            "Tell me about a call in which you had given wrong information.",
            "Tell me about a mistake of yours which reached a customer.",
            "near_duplicate",
            "much alike",
        ),
        (OW, "minutes: 7", "minutes: 20", "unusual_time", "Takes 20 minutes"),
    ],
)
def test_findings(tmp_path, file, old, new, code, message):
    check = check_interview_bank(load_interview_bank(broken_interview(tmp_path, {file: (old, new)})))
    found = [f.message for f in check.findings if f.code == code]
    assert any(message in text for text in found), check.findings
    assert code not in {f.code for f in check_interview_bank(tiny()).findings}


def test_a_bank_is_held_against_the_competency_model():
    model = load_competencies()
    codes = {(f.code, f.where) for f in check_interview_bank(tiny(), model).findings}
    planned = {c.id for c in model.competencies if "interview" in c.methods}
    assert {where for code, where in codes if code == "no_questions"} == planned - {"ownership", "follow_up"}


@pytest.mark.parametrize(
    ("text", "closed", "double"),
    [
        ("Did you ask the customer?", True, False),
        ("You were late. Were you told?", True, False),
        ("What did you do first?", False, False),
        ("Tell me about a day on which it rained, and what you did.", False, False),
        ("What did you say, and how did it end?", False, True),
        ("Who or what was waiting?", False, False),
        ("What happened? Who was there?", False, True),
    ],
)
def test_closed_and_double_questions(text, closed, double):
    assert (closed_question(text), double_question(text)) == (closed, double)

"""Interview guides: what is asked, what is left out and why, and the document."""

from __future__ import annotations

import pytest

import talentassess as ta
from interview_cases import ROLE, TINY_INTERVIEW, broken_interview, tiny, tiny_guide
from talentassess.bank.interview_load import load_interview_bank
from talentassess.core.errors import ArtefactError, InterviewError
from talentassess.interview import RoleWeights, plan_guide


def ids(guide):
    return [q.question.id for q in guide.questions]


def test_time_importance_and_context_choose_the_questions():
    # 20 minutes: 10 for questions; ownership first, its question for call centres (8) leaves no time for another
    assert ids(tiny_guide(minutes=20)) == ["ow_iq_03"]
    # 24 minutes: 14; ownership (8) and follow-up (6, its own context) fit exactly
    assert ids(tiny_guide(minutes=24)) == ["ow_iq_03", "fu_iq_03"]
    # 60 minutes: two of each at most, follow-up's corner store question never
    assert ids(tiny_guide(minutes=60)) == ["ow_iq_01", "ow_iq_03", "fu_iq_01", "fu_iq_03"] or ids(
        tiny_guide(minutes=60)
    ) == ["ow_iq_02", "ow_iq_03", "fu_iq_01", "fu_iq_03"]
    assert ids(tiny_guide("corner_store", 60))[-1] in ("fu_iq_02", "fu_iq_03")
    assert "ow_iq_03" not in ids(tiny_guide("corner_store", 60))


def test_the_weightier_competency_comes_first_and_the_schedule_fits():
    guide = tiny_guide(minutes=45)
    assert guide.competencies == ("ownership", "follow_up")
    assert guide.covered == pytest.approx(5 / 6)  # empathy is known to matter, and the bank has nothing on it
    schedule = guide.tables()["schedule"]
    ends = [s + m for s, m in zip(schedule["start"], schedule["minutes"], strict=True)]
    assert ends[:-1] == list(schedule["start"][1:])
    assert ends[-1] == guide.planned <= 45


def test_what_is_left_out_is_told_with_its_reason():
    left = {(x.competency, x.question): x.reason for x in tiny_guide(minutes=24).left_out}
    assert left["speaking", ""] == "Its importance for the role is not known, or is zero."
    assert left["empathy", ""] == "The bank has no questions for it."
    assert left["follow_up", "fu_iq_02"] == "It was written for another context (corner_store)."
    short = {(x.competency, x.question): x.reason for x in tiny_guide(minutes=20).left_out}
    assert short["follow_up", ""] == "Time: its shortest question takes 5 minutes, and no more than 2 remain."


def test_guides_are_the_same_every_time_and_a_seed_draws_among_equals():
    assert tiny_guide().guide_id == tiny_guide().guide_id
    bank = tiny()
    drawn = {tuple(ids(plan_guide(bank, ROLE, context="general", minutes=20, seed=s))) for s in range(8)}
    assert drawn <= {("ow_iq_01",), ("ow_iq_02",)}
    assert plan_guide(bank, ROLE, context="general", minutes=20, seed=3).guide_id == (
        plan_guide(bank, ROLE, context="general", minutes=20, seed=3).guide_id
    )


def test_one_question_per_competency_if_asked():
    guide = plan_guide(tiny(), ROLE, context="call_centre", minutes=60, questions_per_competency=1)
    assert len(guide.questions) == len(guide.competencies) == 2
    assert [f.code for f in guide.findings] == ["single_question", "draft_questions"]


def test_general_anchors_are_announced(tmp_path):
    text = (TINY_INTERVIEW / "interview/ownership.yaml").read_text(encoding="utf-8")
    lines = text[text.index("  call_centre:\n") :]
    bank = load_interview_bank(broken_interview(tmp_path, {"interview/ownership.yaml": (lines, "")}))
    guide = plan_guide(bank, ROLE, context="call_centre")
    assert "general_anchors" in [f.code for f in guide.findings]
    assert {q.anchor_context for q in guide.questions if q.competency == "ownership"} == {"general"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"context": "shop"}, "There is no context 'shop'"),
        ({"minutes": 10}, "10 minutes cannot be planned: 10 are kept for opening and closing"),
        ({"minutes": 300}, "more than 240 is no single interview"),
        ({"minutes": 12}, r"left for questions \(2 min\): the shortest takes 5. Give 3 min more, or another context"),
        ({"questions_per_competency": 0}, "questions_per_competency is 0; give a number from 1 to 10"),
    ],
)
def test_impossible_requests(options, message):
    with pytest.raises(InterviewError, match=message):
        plan_guide(tiny(), ROLE, **options)


def test_a_role_and_a_bank_without_common_ground():
    role = RoleWeights(title="Pilot", weights={"ownership": None, "speaking": 1.0}, names={})
    with pytest.raises(InterviewError, match="share no competency whose importance is known"):
        plan_guide(tiny(), role)


def test_a_profile_becomes_a_guide_with_its_attribution():
    guide = ta.build_guide(tiny(), ta.load_profile("43-4051.00"), context="call_centre", minutes=30)
    assert repr(guide) == (
        "InterviewGuide(Customer Service Representatives (43-4051.00), call_centre: 3 questions on 2 competencies with "
        f"{guide.covered:.2f} of the importance in 29 of 30 minutes)"
    )
    assert "O*NET" in guide.attribution
    assert guide.questions[-1].name == "Follow-up"


def test_a_guide_is_saved_and_loaded_and_an_edited_one_refused(tmp_path):
    guide = tiny_guide()
    path = ta.save_guide(guide, tmp_path / "guide.json")
    again = ta.load_guide(path)
    assert again.tables() == guide.tables()
    assert again.guide_id == guide.guide_id
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("Agent", "Pilot"), encoding="utf-8")
    with pytest.raises(ArtefactError, match="was changed after it was written"):
        ta.load_guide(path)
    other = ta.report(guide).save(tmp_path / "report.json")
    with pytest.raises(ArtefactError, match="not an interview guide"):
        ta.load_guide(other)


def test_the_document_shows_the_whole_chain(tmp_path):
    guide = tiny_guide(minutes=24)
    doc = ta.report(guide)
    html = doc.save(tmp_path / "guide.html").read_text(encoding="utf-8")
    for planned in guide.questions:
        for text in (planned.question.text, planned.behaviour, planned.situation, planned.question.probes[0].text):
            assert text in html
    for text in (
        "Rings back before the caller does",
        "Ask every candidate the same questions in the same order",
        "No result",
        "The bank has no questions for it.",
    ):
        assert text in html
    assert doc.save(tmp_path / "guide.pdf").read_bytes().startswith(b"%PDF")

"""Interview guides: questions chosen by the role's importance and the time, in one order for every candidate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from talentassess.bank.interview import (
    AnswerFault,
    InterviewBank,
    InterviewQuestion,
    LevelAnchors,
    QuestionChain,
    StarCriterion,
)
from talentassess.bank.records import Context, choices
from talentassess.core.errors import InterviewError
from talentassess.core.provenance import hash_json
from talentassess.core.status import Finding, Severity
from talentassess.core.tabular import Columns, Tabular
from talentassess.interview.choice import Candidate, choose_questions

OPENING, CLOSING = 5.0, 5.0  # minutes: welcome and plan of the talk; the candidate's questions and next steps
CONTEXTS: tuple[str, ...] = get_args(Context)


@dataclass(frozen=True, kw_only=True)
class RoleWeights:
    """What a role asks for, as far as a guide needs it.

    Attributes
    ----------
    title : of the role, as printed.
    weights : competency -> importance, in any unit; None where it is not known.
    names : competency -> name as printed; made from the id where it is left out.
    attribution : line that must stand where the weights are shown.
    """

    title: str
    weights: Mapping[str, float | None]
    names: Mapping[str, str]
    attribution: str = ""

    def name(self, competency: str) -> str:
        """Return the name of a competency as printed."""
        return self.names.get(competency, competency.replace("_", " ").capitalize())


@dataclass(frozen=True, kw_only=True)
class PlannedQuestion:
    """A question of a guide, with the chain behind it and what its answer is rated against.

    Attributes
    ----------
    number : place in the interview, from 1.
    competency, name, weight : the competency it asks for, and its share of the role's importance.
    behaviour, situation : the chain that leads to the question.
    question : the question with its probes.
    start : minutes from the beginning of the interview.
    anchor_context : the context the anchors were written for.
    anchors : observable anchors of the levels 1, 3 and 5.
    """

    number: int
    competency: str
    name: str
    weight: float
    behaviour: str
    situation: str
    question: InterviewQuestion
    start: float
    anchor_context: str
    anchors: LevelAnchors


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A competency or question that the guide does not hold, and why.

    Attributes
    ----------
    competency, name : its id, and its name as printed.
    question : id of the question; empty if the whole competency was left out.
    reason : a sentence.
    """

    competency: str
    name: str
    question: str
    reason: str


@dataclass(frozen=True, eq=False, kw_only=True)
class InterviewGuide(Tabular):
    """A structured interview: the same questions in the same order for every candidate.

    Attributes
    ----------
    bank, bank_hash : id and version of the interview bank, and the hash of its content.
    role, context : title of the role, and the role context.
    minutes, opening, closing : planned time, and the parts of it before and after the questions.
    questions : in the order they are asked.
    left_out : what the guide does not hold, and why.
    covered : share of the role's known importance that the guide's competencies hold, 0 to 1.
    rating : labels of the ratings 1 to 5.
    star, faults : rubric for the completeness of answers, and the checklist of their faults.
    findings : limits a reader should know.
    attribution : line that must stand where the weights are shown.
    """

    bank: str
    bank_hash: str
    role: str
    context: str
    minutes: float
    opening: float
    closing: float
    questions: tuple[PlannedQuestion, ...]
    left_out: tuple[LeftOut, ...]
    covered: float
    rating: tuple[str, ...]
    star: tuple[StarCriterion, ...]
    faults: tuple[AnswerFault, ...]
    findings: tuple[Finding, ...]
    attribution: str = ""

    def __repr__(self) -> str:
        return (
            f"InterviewGuide({self.role}, {self.context}: {len(self.questions)} questions on "
            f"{len(self.competencies)} competencies with {self.covered:.2f} of the importance in "
            f"{self.planned:g} of {self.minutes:g} minutes)"
        )

    @property
    def competencies(self) -> tuple[str, ...]:
        """The competencies that are asked for, in the order of the interview."""
        return tuple(dict.fromkeys(planned.competency for planned in self.questions))

    @property
    def planned(self) -> float:
        """Planned minutes with opening and closing."""
        return self.opening + sum(p.question.minutes for p in self.questions) + self.closing

    @property
    def guide_id(self) -> str:
        """Twelve hexadecimal digits that change with the questions, their order, the anchors or the rubrics."""
        asked = [[p.competency, p.question.model_dump(mode="json"), p.anchors.model_dump()] for p in self.questions]
        rubric = [s.model_dump() for s in self.star] + [f.model_dump() for f in self.faults]
        return hash_json([self.bank_hash, self.context, asked, list(self.rating), rubric])[:12]

    def tables(self) -> dict[str, Columns]:
        """Return ``questions``, ``schedule``, ``probes``, ``anchors`` and ``left_out``."""
        return {
            "questions": _question_columns(self.questions),
            "schedule": _schedule(self),
            "probes": _probe_columns(self.questions),
            "anchors": _anchor_columns(self.questions),
            "left_out": {n: [getattr(x, n) for x in self.left_out] for n in ("competency", "question", "reason")},
        }


def plan_guide(
    bank: InterviewBank,
    role: RoleWeights,
    *,
    context: str = "general",
    minutes: float = 45,
    questions_per_competency: int = 2,
    seed: int | None = None,
) -> InterviewGuide:
    """Plan a structured interview for a role.

    Five minutes at either end are kept for opening and closing. In the time between, the questions are chosen that
    cover the most importance (``choose_questions``), the weightiest competencies first; further questions on the same
    competency count half. Every candidate should be asked these questions in this order (Campion, Palmer & Campion
    1997, Personnel Psychology 50, 655-702: same questions, no unplanned prompts, anchored ratings of each answer).

    Parameters
    ----------
    bank : from ``load_interview_bank``.
    role : importance of each competency.
    context : ``general``, ``corner_store`` or ``call_centre``; questions of other contexts are not asked.
    minutes : for the whole interview.
    questions_per_competency : at most so many.
    seed : None takes the question that stands first in the bank among equally good ones; a number draws among them,
        for a second interview with other questions.

    Raises
    ------
    InterviewError : unknown context, impossible time or number, no competency with both importance and questions, or
        no question that fits.
    """
    _check_request(context, minutes, questions_per_competency)
    ranked = _ranked(bank, role)
    pool = [chain for chain in bank.chains if chain.competency in ranked]
    usable = [c for c in pool if c.question.fits(context) and c.question.status != "retired"]
    askable = [competency for competency in ranked if any(c.competency == competency for c in usable)]
    candidates = [_candidate(chain, askable, context) for chain in usable]
    weights = np.array([ranked[competency] for competency in askable])
    picked = choose_questions(candidates, weights, minutes - OPENING - CLOSING, questions_per_competency, seed)
    chosen = [usable[q] for q in picked]
    chosen.sort(key=lambda chain: askable.index(chain.competency))
    questions = _planned(bank, role, chosen, context, ranked)
    return InterviewGuide(
        bank=f"{bank.id} {bank.version}",
        bank_hash=bank.content_hash,
        role=role.title,
        context=context,
        minutes=float(minutes),
        opening=OPENING,
        closing=CLOSING,
        questions=questions,
        left_out=tuple(_left_out(bank, role, chosen, context, minutes)),
        covered=sum(ranked[c] for c in {q.competency for q in questions}),
        rating=bank.rating,
        star=bank.star,
        faults=bank.faults,
        findings=tuple(_findings(questions, context)),
        attribution=role.attribution,
    )


def _check_request(context: str, minutes: float, most: int) -> None:
    if context not in CONTEXTS:
        raise InterviewError(f"There is no context '{context}'; {choices(context, CONTEXTS)}.")
    if not OPENING + CLOSING < minutes <= 240:
        raise InterviewError(
            f"{minutes:g} minutes cannot be planned: {OPENING + CLOSING:g} are kept for opening and closing, and more "
            "than 240 is no single interview. Give the minutes of the whole interview, e.g. 45."
        )
    if not 1 <= most <= 10:
        raise InterviewError(f"questions_per_competency is {most}; give a number from 1 to 10.")


def _ranked(bank: InterviewBank, role: RoleWeights) -> dict[str, float]:
    """Return the share of importance of the competencies that can be asked for, weightiest first."""
    known = {c: w for c, w in role.weights.items() if w is not None and w > 0}
    total = sum(known.values())
    order = sorted(known, key=lambda c: -known[c])
    found = {c: known[c] / total for c in order if c in bank.competencies}
    if not found:
        raise InterviewError(
            f"The role '{role.title}' and the bank '{bank.id}' share no competency whose importance is known; the bank "
            f"has questions for: {', '.join(bank.competencies)}."
        )
    return found


def _candidate(chain: QuestionChain, askable: Sequence[str], context: str) -> Candidate:
    question = chain.question
    own = context != "general" and context in question.contexts
    return Candidate(askable.index(chain.competency), question.minutes, own, question.themes)


def _planned(
    bank: InterviewBank,
    role: RoleWeights,
    chosen: Sequence[QuestionChain],
    context: str,
    ranked: Mapping[str, float],
) -> tuple[PlannedQuestion, ...]:
    found: list[PlannedQuestion] = []
    start = OPENING
    for number, chain in enumerate(chosen, 1):
        anchor_context, anchors = bank.anchors(chain.competency, context)
        found.append(
            PlannedQuestion(
                number=number,
                competency=chain.competency,
                name=role.name(chain.competency),
                weight=ranked[chain.competency],
                behaviour=chain.behaviour.text,
                situation=chain.situation.text,
                question=chain.question,
                start=start,
                anchor_context=anchor_context,
                anchors=anchors,
            )
        )
        start += chain.question.minutes
    return tuple(found)


def _left_out(
    bank: InterviewBank, role: RoleWeights, chosen: Sequence[QuestionChain], context: str, minutes: float
) -> list[LeftOut]:
    found: list[LeftOut] = []
    asked = {chain.question.id for chain in chosen}
    covered = {chain.competency for chain in chosen}
    left = minutes - OPENING - CLOSING - sum(chain.question.minutes for chain in chosen)
    for competency in sorted({*role.weights, *bank.competencies}, key=lambda c: -(role.weights.get(c) or 0)):
        if competency not in covered:
            reason = _why_competency(bank, role, competency, context, left)
            found.append(LeftOut(competency=competency, name=role.name(competency), question="", reason=reason))
            continue
        for chain in bank.interview(competency).chains:
            if chain.question.id not in asked:
                reason = _why_question(chain, context, left)
                found.append(
                    LeftOut(
                        competency=competency, name=role.name(competency), question=chain.question.id, reason=reason
                    )
                )
    return found


def _why_competency(bank: InterviewBank, role: RoleWeights, competency: str, context: str, left: float) -> str:
    if not role.weights.get(competency):
        return "Its importance for the role is not known, or is zero."
    if competency not in bank.competencies:
        return "The bank has no questions for it."
    fitting = [c.question for c in bank.interview(competency).chains if c.question.fits(context)]
    if not any(question.status != "retired" for question in fitting):
        return f"None of its questions fits the context {context}."
    shortest = min(question.minutes for question in fitting)
    if shortest > left:
        rest = f"no more than {left:g} remain" if left > 0 else "none is left"
        return f"Time: its shortest question takes {shortest:g} minutes, and {rest}."
    return "Its questions take up themes that are asked already, which costs more than its importance adds."


def _why_question(chain: QuestionChain, context: str, left: float) -> str:
    if chain.question.status == "retired":
        return "It is retired."
    if not chain.question.fits(context):
        return f"It was written for another context ({', '.join(chain.question.contexts)})."
    if chain.question.minutes > left:
        return "Another question on the competency is asked; the time for a further one went to other competencies."
    return "Another question on the competency is asked, and a further one would repeat it or go beyond the number set."


def _findings(questions: Sequence[PlannedQuestion], context: str) -> list[Finding]:
    found: list[Finding] = []
    count = [q.competency for q in questions]
    single = list(dict.fromkeys(q.name for q in questions if count.count(q.competency) == 1))
    if single:
        message = f"{len(single)} competencies rest on a single question: {', '.join(single)}."
        remedy = "Read their ratings with care; give more time or fewer competencies for two questions each."
        found.append(Finding("single_question", Severity.NOTE, "guide", message, remedy))
    drafts = sum(q.question.status == "draft" for q in questions)
    if drafts:
        message = f"{drafts} of {len(questions)} questions are drafts that have not been tried with real candidates."
        remedy = "Pilot them with several raters before ratings count in a decision."
        found.append(Finding("draft_questions", Severity.NOTE, "guide", message, remedy))
    borrowed = [q.name for q in questions if q.anchor_context != context]
    if borrowed:
        message = f"No anchors for the context {context} exist for: {', '.join(dict.fromkeys(borrowed))}."
        found.append(Finding("general_anchors", Severity.WARNING, "guide", message, "The general anchors are shown."))
    return found


def _question_columns(questions: Sequence[PlannedQuestion]) -> Columns:
    return {
        "number": [q.number for q in questions],
        "start": [q.start for q in questions],
        "minutes": [q.question.minutes for q in questions],
        "competency": [q.competency for q in questions],
        "weight": [q.weight for q in questions],
        "question": [q.question.id for q in questions],
        "behaviour": [q.behaviour for q in questions],
        "situation": [q.situation for q in questions],
        "text": [q.question.text for q in questions],
    }


def _schedule(guide: InterviewGuide) -> Columns:
    last = guide.planned - guide.closing
    rows = [
        (0.0, guide.opening, "Opening"),
        *((q.start, q.question.minutes, f"Question {q.number}: {q.name}") for q in guide.questions),
        (last, guide.closing, "Closing"),
    ]
    return {name: [row[i] for row in rows] for i, name in enumerate(("start", "minutes", "part"))}


def _probe_columns(questions: Sequence[PlannedQuestion]) -> Columns:
    rows = [(q.question.id, number, p) for q in questions for number, p in enumerate(q.question.probes, 1)]
    return {
        "question": [question for question, _, _ in rows],
        "number": [number for _, number, _ in rows],
        "part": [probe.part for _, _, probe in rows],
        "text": [probe.text for _, _, probe in rows],
    }


def _anchor_columns(questions: Sequence[PlannedQuestion]) -> Columns:
    first = {q.competency: q for q in reversed(questions)}
    rows = [
        (q.competency, q.anchor_context, level, text)
        for q in questions
        if first[q.competency] is q
        for level, texts in q.anchors.levels.items()
        for text in texts
    ]
    return {name: [row[i] for row in rows] for i, name in enumerate(("competency", "context", "level", "anchor"))}

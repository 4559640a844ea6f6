"""What an interview bank may hold: the chain behaviour -> situation -> question -> probes, anchors and rubrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, StrictInt, model_validator

from talentassess.bank.card import Card
from talentassess.bank.competency import CompetencyId
from talentassess.bank.records import Context, Identifier, Record, Text, choices, refuse_repeats, repeats
from talentassess.bank.schema import ItemStatus, Misfit
from talentassess.core.errors import ContentError
from talentassess.core.provenance import hash_json
from talentassess.core.tabular import Columns, Tabular

StarPart = Literal["situation", "task", "action", "result"]
ProbePart = Literal["situation", "task", "action", "result", "reflection"]
LEVELS = (1, 3, 5)  # the anchored levels of the five-point scale; 2 and 4 lie between two anchors


class Probe(Record):
    """A follow-up question that draws out one part of the answer."""

    part: ProbePart = Field(description="The part of the answer it asks for: a STAR part, or reflection.")
    text: Text = Field(description="The probe as it is asked.")


class InterviewQuestion(Record):
    """A main question with its probes."""

    id: Identifier = Field(description="Unique in the bank.")
    contexts: tuple[Context, ...] = Field(min_length=1, description="Role contexts it fits; general fits any role.")
    text: Text = Field(description="The question as it is asked.")
    minutes: Annotated[float, Field(ge=1, le=30, strict=True)] = Field(
        description="Time it takes with its probes, in minutes."
    )
    themes: tuple[Identifier, ...] = Field(default=(), description="Ids of the themes it covers.")
    probes: tuple[Probe, ...] = Field(min_length=1, description="Follow-up questions, in the order they are asked.")
    status: ItemStatus = Field(description="draft, piloted, operational, retired, or external (not ours).")
    version: Annotated[StrictInt, Field(ge=1)] = Field(description="Goes up with every change of wording.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse_repeats("contexts", self.contexts)
        refuse_repeats("themes", self.themes)
        return self

    def fits(self, context: str) -> bool:
        """Return True if the question can be asked in a role context: it names the context, or is general."""
        return context in self.contexts or "general" in self.contexts


class InterviewSituation(Record):
    """A situation in which a behaviour shows, and the questions that ask for it."""

    id: Identifier = Field(description="Unique in the bank.")
    text: Text = Field(description="The situation, in one sentence.")
    questions: tuple[InterviewQuestion, ...] = Field(min_length=1, description="Questions that ask for it.")


class InterviewBehaviour(Record):
    """A behaviour that shows a competency, and the situations in which it can be seen."""

    id: Identifier = Field(description="Unique in the bank.")
    text: Text = Field(description="The behaviour, in one sentence.")
    situations: tuple[InterviewSituation, ...] = Field(min_length=1, description="Situations that show it.")


Anchors = Annotated[tuple[Text, ...], Field(min_length=1)]


class LevelAnchors(Record):
    """Observable anchors of the levels 1, 3 and 5 of the five-point scale."""

    low: Anchors = Field(alias="1", description="What an answer at level 1 shows.")
    middle: Anchors = Field(alias="3", description="What an answer at level 3 shows.")
    high: Anchors = Field(alias="5", description="What an answer at level 5 shows.")

    @property
    def levels(self) -> dict[int, tuple[str, ...]]:
        """The anchors by level: 1, 3, 5."""
        return dict(zip(LEVELS, (self.low, self.middle, self.high), strict=True))


class ContextAnchors(Record):
    """The anchors of a competency, in each role context."""

    general: LevelAnchors = Field(description="Anchors for any service role.")
    corner_store: LevelAnchors | None = Field(default=None, description="Anchors for a small corner store.")
    call_centre: LevelAnchors | None = Field(default=None, description="Anchors for a busy call centre.")

    @property
    def given(self) -> dict[str, LevelAnchors]:
        """The contexts that have anchors of their own."""
        found = {"general": self.general, "corner_store": self.corner_store, "call_centre": self.call_centre}
        return {context: anchors for context, anchors in found.items() if anchors is not None}


@dataclass(frozen=True, slots=True)
class QuestionChain:
    """A question with the chain that leads to it.

    Attributes
    ----------
    competency : its id.
    behaviour, situation : the behaviour it asks for and the situation that shows it.
    question : the question with its probes.
    """

    competency: str
    behaviour: InterviewBehaviour
    situation: InterviewSituation
    question: InterviewQuestion


class CompetencyInterview(Record):
    """A file ``interview/<competency>.yaml``: the questions and anchors of one competency."""

    schema_id: Literal["talentassess/interview/1"] = Field(alias="schema", description="Kind and version of this file.")
    competency: CompetencyId = Field(description="The competency the questions ask for.")
    behaviours: tuple[InterviewBehaviour, ...] = Field(min_length=1, description="Behaviours that show it.")
    anchors: ContextAnchors = Field(description="Anchors of the five-point scale, per role context.")

    @property
    def chains(self) -> tuple[QuestionChain, ...]:
        """Every question with its behaviour and situation, in the order of the file."""
        return tuple(
            QuestionChain(self.competency, behaviour, situation, question)
            for behaviour in self.behaviours
            for situation in behaviour.situations
            for question in situation.questions
        )


class StarCriterion(Record):
    """How completely an answer tells one part of its story (situation, task, action, result)."""

    part: StarPart = Field(description="situation, task, action or result.")
    name: Text = Field(description="Name as printed.")
    question: Text = Field(description="What the interviewer should know after the answer.")
    missing: Text = Field(description="What a missing part looks like.")
    partial: Text = Field(description="What a partial part looks like.")
    complete: Text = Field(description="What a complete part looks like.")


class AnswerFault(Record):
    """A fault of an answer that lowers what a rating can rest on."""

    id: Identifier = Field(description="Short name.")
    name: Text = Field(description="Name as printed.")
    description: Text = Field(description="How the fault shows in an answer.")
    hint: Text = Field(description="What the interviewer does about it.")


class InterviewTheme(Record):
    """A standard theme of service interviews, which questions cover."""

    id: Identifier = Field(description="Short name used by the questions.")
    name: Text = Field(description="Name as printed.")
    description: Text | None = Field(default=None, description="What the theme is about.")


class InterviewCard(Card):
    """What the ``bank.yaml`` of an interview bank says: authors, rating labels, STAR rubric, faults and themes."""

    schema_id: Literal["talentassess/interview_bank/1"] = Field(
        alias="schema", description="Kind and version of this file."
    )
    rating: tuple[Text, ...] = Field(min_length=5, max_length=5, description="Labels of the ratings 1 to 5.")
    star: tuple[StarCriterion, ...] = Field(min_length=1, description="Rubric for the completeness of an answer.")
    faults: tuple[AnswerFault, ...] = Field(min_length=1, description="Checklist of faults of an answer.")
    themes: tuple[InterviewTheme, ...] = Field(default=(), description="Standard themes the questions cover.")


class InterviewBank(InterviewCard, Tabular):
    """A bank of interview questions with probes, anchors and rubrics; made by ``load_interview_bank``.

    Raises ``ContentError`` where ids clash or a theme does not exist.
    """

    interviews: tuple[CompetencyInterview, ...] = Field(min_length=1, description="One entry per competency.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        found = interview_misfits(self, self.interviews)
        if found:
            lines = [str(misfit) for _, misfit in found]
            raise ContentError(f"The parts of the interview bank '{self.id}' do not fit together.", lines)
        return self

    def __repr__(self) -> str:
        probes = sum(len(chain.question.probes) for chain in self.chains)
        return (
            f"InterviewBank({self.id} {self.version}, {len(self.interviews)} competencies, {len(self.chains)} "
            f"questions, {probes} probes)"
        )

    __str__ = __repr__

    @property
    def competencies(self) -> tuple[str, ...]:
        """The ids of the competencies, in order."""
        return tuple(interview.competency for interview in self.interviews)

    @property
    def chains(self) -> tuple[QuestionChain, ...]:
        """Every question of every competency with its chain."""
        return tuple(chain for interview in self.interviews for chain in interview.chains)

    @property
    def content_hash(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of everything the bank says."""
        return hash_json(self.model_dump(mode="json", by_alias=True))

    def interview(self, competency: str) -> CompetencyInterview:
        """Return the questions of one competency; an unknown id raises ``ContentError`` and names the near ones."""
        for interview in self.interviews:
            if interview.competency == competency:
                return interview
        raise ContentError(
            f"The bank '{self.id}' has no questions for '{competency}'; {choices(competency, self.competencies)}."
        )

    def competency_of(self) -> dict[str, str]:
        """Return question id -> competency id."""
        return {chain.question.id: chain.competency for chain in self.chains}

    def anchors(self, competency: str, context: str) -> tuple[str, LevelAnchors]:
        """Return (context, anchors) of a competency; those of ``general`` where the context has none of its own."""
        given = self.interview(competency).anchors.given
        return (context, given[context]) if context in given else ("general", given["general"])

    def tables(self) -> dict[str, Columns]:
        """Return ``questions``, ``probes``, ``anchors`` (a row each), ``star``, ``faults`` and ``themes``."""
        return {
            "questions": _question_columns(self.chains),
            "probes": _probe_columns(self.chains),
            "anchors": _anchor_columns(self.interviews),
            "star": _record_columns(self.star),
            "faults": _record_columns(self.faults),
            "themes": _record_columns(self.themes),
        }


def interview_misfits(card: InterviewCard, interviews: Sequence[CompetencyInterview]) -> list[tuple[int, Misfit]]:
    """List where interviews do not fit the card or each other, with the interview's position (-1: the card itself)."""
    lists: dict[str, list[str]] = {"star": [s.part for s in card.star], "faults": [f.id for f in card.faults]}
    lists["themes"] = [theme.id for theme in card.themes]
    found = [(-1, Misfit("", name, line)) for name, ids in lists.items() for line in repeats("entry", ids)]
    if not interviews:
        found.append((-1, Misfit("", "interview", "there is no interview/<competency>.yaml; give at least one")))
    first: dict[str, int] = {}
    for position, interview in enumerate(interviews):
        owner = first.setdefault(interview.competency, position)
        if owner != position:
            line = f"'{interview.competency}' has its questions in another file already; keep them in one"
            found.append((position, Misfit("", "competency", line)))
    return [*found, *_id_misfits(interviews), *_theme_misfits(card, interviews)]


def _ids(interview: CompetencyInterview) -> Iterator[tuple[str, str]]:
    for behaviour in interview.behaviours:
        yield "behaviour", behaviour.id
        for situation in behaviour.situations:
            yield "situation", situation.id
            for question in situation.questions:
                yield "question", question.id


def _id_misfits(interviews: Sequence[CompetencyInterview]) -> Iterator[tuple[int, Misfit]]:
    counts = Counter(label for interview in interviews for _, label in _ids(interview))
    for position, interview in enumerate(interviews):
        for kind, label in dict.fromkeys(_ids(interview)):
            if counts[label] > 1:
                message = f"the {kind} id occurs {counts[label]} times in the bank; each id may occur once"
                yield position, Misfit(label, "id", message)


def _theme_misfits(card: InterviewCard, interviews: Sequence[CompetencyInterview]) -> Iterator[tuple[int, Misfit]]:
    known = [theme.id for theme in card.themes]
    for position, interview in enumerate(interviews):
        for chain in interview.chains:
            for theme in chain.question.themes:
                if theme not in known:
                    message = f"there is no theme '{theme}'; {choices(theme, known)}"
                    yield position, Misfit(chain.question.id, "themes", message)


def _question_columns(chains: Sequence[QuestionChain]) -> Columns:
    return {
        "question": [c.question.id for c in chains],
        "competency": [c.competency for c in chains],
        "behaviour": [c.behaviour.text for c in chains],
        "situation": [c.situation.text for c in chains],
        "contexts": [", ".join(c.question.contexts) for c in chains],
        "minutes": [c.question.minutes for c in chains],
        "themes": [", ".join(c.question.themes) for c in chains],
        "probes": [len(c.question.probes) for c in chains],
        "status": [c.question.status for c in chains],
        "version": [c.question.version for c in chains],
        "text": [c.question.text for c in chains],
    }


def _probe_columns(chains: Sequence[QuestionChain]) -> Columns:
    rows = [(c, number, probe) for c in chains for number, probe in enumerate(c.question.probes, 1)]
    return {
        "question": [c.question.id for c, _, _ in rows],
        "competency": [c.competency for c, _, _ in rows],
        "number": [number for _, number, _ in rows],
        "part": [probe.part for _, _, probe in rows],
        "text": [probe.text for _, _, probe in rows],
    }


def _anchor_columns(interviews: Sequence[CompetencyInterview]) -> Columns:
    rows = [
        (interview.competency, context, level, text)
        for interview in interviews
        for context, anchors in interview.anchors.given.items()
        for level, texts in anchors.levels.items()
        for text in texts
    ]
    return {name: [row[i] for row in rows] for i, name in enumerate(("competency", "context", "level", "anchor"))}


def _record_columns(records: Sequence[Record]) -> Columns:
    rows: list[Mapping[str, object]] = [record.model_dump() for record in records]
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {"id": []}

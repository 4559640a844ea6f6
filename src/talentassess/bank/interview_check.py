"""Review the content of an interview bank: coverage, probes, anchors, themes, wording; each finding with a remedy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from talentassess.bank.competency import CompetencyModel
from talentassess.bank.history import History, history_reviews
from talentassess.bank.interview import CompetencyInterview, InterviewBank, QuestionChain, StarPart
from talentassess.bank.interview_wording import interview_wording_reviews
from talentassess.bank.records import Context
from talentassess.bank.review import Reviewed, Statistic, note, problem, warning
from talentassess.core.status import Finding, finding_columns, gravest_first
from talentassess.core.tabular import Columns

FEWEST_QUESTIONS = 3  # per competency; two raters on one question cannot tell the question from the candidate
PROBES = (5, 10)
MINUTES = (4.0, 12.0)  # with its probes; shorter leaves no room for them, longer takes a third of a usual interview
STAR_PARTS: tuple[str, ...] = get_args(StarPart)
CONTEXTS: tuple[str, ...] = get_args(Context)


@dataclass(frozen=True, slots=True)
class InterviewCoverage:
    """How much of a competency can be asked and rated in one role context.

    Attributes
    ----------
    competency, context : their ids.
    questions : questions in use that can be asked there, the general ones included.
    own : those of them written for the context; for ``general`` all that name it.
    minutes : time all these questions take.
    anchors : anchors of the levels 1, 3 and 5 written for the context.
    """

    competency: str
    context: str
    questions: int
    own: int
    minutes: float
    anchors: int


@dataclass(frozen=True, slots=True)
class ThemeCoverage:
    """Which questions cover a standard theme.

    Attributes
    ----------
    theme, name : its id and name.
    questions : number of questions in use that cover it.
    ids : their ids.
    """

    theme: str
    name: str
    questions: int
    ids: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class InterviewBankCheck(Reviewed):
    """Result of ``check_interview_bank``.

    Attributes
    ----------
    bank : the bank.
    bank_hash : content hash of what was checked.
    findings : problems first, then warnings and notes.
    coverage : per competency and context.
    themes : per standard theme.
    statistics : the numbers behind the findings, and those that gave none.
    """

    bank: InterviewBank
    bank_hash: str
    findings: tuple[Finding, ...]
    coverage: tuple[InterviewCoverage, ...]
    themes: tuple[ThemeCoverage, ...]
    statistics: tuple[Statistic, ...]

    def __repr__(self) -> str:
        return f"InterviewBankCheck({self.bank.id} {self.bank.version}: {self.counts()})"

    def tables(self) -> dict[str, Columns]:
        """Return ``findings``, ``coverage`` (competency x context), ``themes`` and ``statistics``."""
        return {
            "findings": finding_columns(self.findings),
            "coverage": {n: [getattr(row, n) for row in self.coverage] for n in InterviewCoverage.__slots__},
            "themes": {
                "theme": [row.theme for row in self.themes],
                "name": [row.name for row in self.themes],
                "questions": [row.questions for row in self.themes],
                "ids": [", ".join(row.ids) for row in self.themes],
            },
            "statistics": {n: [getattr(row, n) for row in self.statistics] for n in Statistic.__slots__},
        }


def check_interview_bank(
    bank: InterviewBank, competencies: CompetencyModel | None = None, *, history: History | None = None
) -> InterviewBankCheck:
    """Review an interview bank's content.

    Questions per competency and context, probes and STAR parts of each question, anchors of the levels 1, 3 and 5 in
    each context, the coverage of the standard themes; closed and double questions, reading grade, watched words and
    near-duplicates. The wording measures point a reviewer to questions; they do not replace one.

    Parameters
    ----------
    bank : from ``load_interview_bank``.
    competencies : from ``load_competencies``; if given, those that plan the method interview must have questions.
    history : from ``load_history``; if given, questions are held against their ledger.
    """
    coverage = tuple(_coverage(bank))
    themes = tuple(_themes(bank))
    reviews: list[Finding | Statistic] = [
        *_size(bank),
        *_question_findings(bank),
        *_coverage_findings(bank, coverage),
        *_anchor_findings(bank),
        *_star_findings(bank),
        *_theme_findings(themes),
        *_competency_findings(bank, competencies),
        *interview_wording_reviews(bank),
        *([] if history is None else history_reviews([chain.question for chain in bank.chains], history)),
    ]
    return InterviewBankCheck(
        bank=bank,
        bank_hash=bank.content_hash,
        findings=gravest_first(review for review in reviews if isinstance(review, Finding)),
        coverage=coverage,
        themes=themes,
        statistics=tuple(review for review in reviews if isinstance(review, Statistic)),
    )


def _in_use(interview: CompetencyInterview) -> tuple[QuestionChain, ...]:
    return tuple(chain for chain in interview.chains if chain.question.status != "retired")


def _coverage(bank: InterviewBank) -> Iterator[InterviewCoverage]:
    for interview in bank.interviews:
        for context in CONTEXTS:
            usable = [c.question for c in _in_use(interview) if c.question.fits(context)]
            given = interview.anchors.given.get(context)
            yield InterviewCoverage(
                interview.competency,
                context,
                len(usable),
                sum(context in question.contexts for question in usable),
                sum(question.minutes for question in usable),
                0 if given is None else sum(map(len, given.levels.values())),
            )


def _themes(bank: InterviewBank) -> Iterator[ThemeCoverage]:
    chains = [chain for interview in bank.interviews for chain in _in_use(interview)]
    for theme in bank.themes:
        ids = tuple(chain.question.id for chain in chains if theme.id in chain.question.themes)
        yield ThemeCoverage(theme.id, theme.name, len(ids), ids)


def _size(bank: InterviewBank) -> Iterator[Statistic]:
    questions = [chain.question for interview in bank.interviews for chain in _in_use(interview)]
    yield Statistic("questions in use", bank.id, len(questions), f"at least {FEWEST_QUESTIONS} per competency")
    yield Statistic("probes", bank.id, sum(len(q.probes) for q in questions), "5 to 10 per question")
    yield Statistic("minutes of all questions", bank.id, sum(q.minutes for q in questions), "no target")


def _question_findings(bank: InterviewBank) -> Iterator[Finding]:
    for chain in bank.chains:
        question = chain.question
        count, asked = len(question.probes), {probe.part for probe in question.probes}
        if not PROBES[0] <= count <= PROBES[1]:
            found = f"has {count} probes; {PROBES[0]} to {PROBES[1]} are needed"
            yield problem("probe_count", question.id, found, "Add probes, or keep those that tell answers apart.")
        absent = [part for part in STAR_PARTS if part not in asked]
        if absent:
            found = f"no probe asks for: {', '.join(absent)}"
            yield problem("star_part_not_asked", question.id, found, "Add a probe for each of them.")
        if not MINUTES[0] <= question.minutes <= MINUTES[1]:
            found = f"takes {question.minutes:g} minutes with {count} probes"
            yield note("unusual_time", question.id, found, f"Usual are {MINUTES[0]:g} to {MINUTES[1]:g}; try it out.")


def _coverage_findings(bank: InterviewBank, coverage: tuple[InterviewCoverage, ...]) -> Iterator[Finding]:
    for interview in bank.interviews:
        count = len(_in_use(interview))
        if count < FEWEST_QUESTIONS:
            found = f"has {count} question(s) in use; at least {FEWEST_QUESTIONS} are needed"
            yield problem("few_questions", interview.competency, found, "Write more questions.")
    for row in coverage:
        if not row.questions:
            found = f"no question can be asked in the context {row.context}"
            yield problem("context_gap", row.competency, found, "Write one, or let a question fit any role (general).")
    for interview in bank.interviews:
        if not any(set(chain.question.contexts) - {"general"} for chain in _in_use(interview)):
            found = "no question is written for a corner store or a call centre"
            yield warning("no_context_question", interview.competency, found, "Write one for either.")


def _anchor_findings(bank: InterviewBank) -> Iterator[Finding]:
    for interview in bank.interviews:
        given = interview.anchors.given
        for context in CONTEXTS:
            if context not in given:
                found = f"there are no anchors for the context {context}"
                yield problem("no_anchors", interview.competency, found, "Write anchors for levels 1, 3 and 5.")
        texts = Counter(t.casefold() for anchors in given.values() for ts in anchors.levels.values() for t in ts)
        twice = [text for text, n in texts.items() if n > 1]
        if twice:
            found = f"{len(twice)} anchor(s) stand in more than one place, e.g. '{twice[0]}'"
            yield warning("repeated_anchor", interview.competency, found, "Say what the behaviour is in each context.")
        for context, anchors in given.items():
            for level, lines in anchors.levels.items():
                if len(lines) < 2:
                    found = f"level {level} in the context {context} has a single anchor"
                    yield note("single_anchor", interview.competency, found, "A second one helps raters to agree.")


def _star_findings(bank: InterviewBank) -> Iterator[Finding]:
    absent = [part for part in STAR_PARTS if part not in {criterion.part for criterion in bank.star}]
    if absent:
        found = f"the STAR rubric has no entry for: {', '.join(absent)}"
        yield problem("star_rubric", bank.id, found, "Add the part to star in bank.yaml.")


def _theme_findings(themes: tuple[ThemeCoverage, ...]) -> Iterator[Finding]:
    for row in themes:
        if not row.questions:
            found = f"no question covers the theme '{row.name}'"
            yield problem("theme_gap", row.theme, found, "Write a question for it, or tag the one that covers it.")


def _competency_findings(bank: InterviewBank, competencies: CompetencyModel | None) -> Iterator[Finding]:
    if competencies is None:
        return
    for competency in competencies.competencies:
        if "interview" in competency.methods and competency.id not in bank.competencies:
            found = "the competency model plans interviews, but the bank has no questions for it"
            yield warning("no_questions", competency.id, found, "Write its file, or drop the method.")
    for competency_id in bank.competencies:
        if competency_id not in competencies.ids:
            found = "the competency is not in the competency model yet"
            yield problem("unknown_competency", competency_id, found, "Describe it in competencies.yaml.")
        elif "interview" not in competencies.competency(competency_id).methods:
            found = "has interview questions, but the competency model does not plan this method"
            yield note("unplanned_method", competency_id, found, "Add the method, or drop the questions.")

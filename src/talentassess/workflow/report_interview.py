"""Reports on interviews: the guide to lead one, the scores it gave, and several methods side by side."""

from __future__ import annotations

from collections.abc import Sequence

from talentassess.core.status import gravest_first
from talentassess.core.tabular import Column, Columns
from talentassess.interview import InterviewGuide, InterviewScores, MultiMethodProfile, PlannedQuestion
from talentassess.render.doc import (
    Block,
    Callout,
    FindingBlock,
    Paragraph,
    ReportDoc,
    Section,
    TableBlock,
    compose_report,
)
from talentassess.workflow.report_parts import grouped, plain_name, rename

RULES = (
    "Ask every candidate the same questions in the same order, in the words given. Leave none out, whatever an answer "
    "has touched already: only then can candidates be compared.",
    "After each question let the candidate tell the story. Then use the probes for the parts that are still missing; a "
    "part that was told already need not be asked for again.",
    "Write down what was said and done, not what you think of it. Rate each answer right after it, against the "
    "anchors, before you talk with the other interviewer.",
    "Allow examples from work, study or voluntary help alike. Do not ask about health, family, faith, age or origin, "
    "and do not rate what a candidate says about them.",
)
PARTS = {"star": "STAR", "reflection": "Looking back"}


def context_words(context: str) -> str:
    """Return a context as words: ``call_centre`` -> ``call centre``."""
    return context.replace("_", " ")


def guide_report(guide: InterviewGuide, title: str | None = None) -> ReportDoc:
    """Return the guide as a document to lead an interview with."""
    questions = len(guide.questions)
    return ReportDoc(
        title=title or f"Interview guide: {guide.role}",
        subtitle=f"Context: {context_words(guide.context)}. {questions} questions, {guide.planned:g} minutes.",
        simulated=False,
        provenance=(
            f"Interview bank {guide.bank}, content {guide.bank_hash}",
            f"Guide {guide.guide_id}: questions with this number can be compared",
        ),
        sections=(
            _before(guide),
            *(_question(q, guide) for q in guide.questions),
            _rating(guide),
            _omissions(guide),
        ),
        attributions=(guide.attribution,) if guide.attribution else (),
    )


def _before(guide: InterviewGuide) -> Section:
    columns = guide.tables()["schedule"]
    plan = {"from minute": columns["start"], "minutes": columns["minutes"], "what": columns["part"]}
    opening = (
        f"Opening ({guide.opening:g} minutes): say who is in the room, how long the talk takes, that every candidate "
        "hears the same questions, and that you take notes."
    )
    closing = (
        f"Closing ({guide.closing:g} minutes): answer the candidate's questions and say when they will hear from you."
    )
    return Section(
        "Before you begin",
        "before",
        (
            *(Paragraph(rule) for rule in RULES),
            TableBlock("Time plan", plan, {"from minute": "0", "minutes": "0"}, anchor="time-plan"),
            Paragraph(opening),
            Paragraph(closing),
            FindingBlock(guide.findings, "Limits of this guide"),
        ),
    )


def _question(planned: PlannedQuestion, guide: InterviewGuide) -> Section:
    question, number = planned.question, planned.number
    probes = {
        "asks for": [_part(probe.part) for probe in question.probes],
        "probe": [probe.text for probe in question.probes],
    }
    where = "" if planned.anchor_context == "general" else f" in a {context_words(planned.anchor_context)}"
    anchors = {
        "rating": [f"{level} {guide.rating[level - 1]}" for level in planned.anchors.levels],
        "what the answer shows": [_lines(texts) for texts in planned.anchors.levels.values()],
    }
    blocks: tuple[Block, ...] = (
        Callout("Ask:", question.text),
        Paragraph(f"Why this question. Behaviour: {planned.behaviour} Situation: {planned.situation}"),
        TableBlock(f"Probes to question {number}", probes, anchor=f"probes-{number}"),
        TableBlock(
            f"Anchors: {planned.name}{where}",
            anchors,
            notes=(f"2 {guide.rating[1]} and 4 {guide.rating[3]} lie between the anchors.",),
            anchor=f"anchors-{number}",
        ),
    )
    title = f"Question {number}: {planned.name} ({question.minutes:g} minutes)"
    return Section(title, f"question-{number}", blocks, whole=True)


def _part(part: str) -> str:
    return PARTS.get(part, part.capitalize())


def _lines(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else "\n".join(f"\u2022 {text}" for text in texts)


def _rating(guide: InterviewGuide) -> Section:
    star = {
        "part": [criterion.name for criterion in guide.star],
        "what should be known": [criterion.question for criterion in guide.star],
        "how complete it is": [
            f"missing: {s.missing}\npartial: {s.partial}\ncomplete: {s.complete}" for s in guide.star
        ],
    }
    faults = {
        "fault": [fault.name for fault in guide.faults],
        "how it shows": [fault.description for fault in guide.faults],
        "what to do": [fault.hint for fault in guide.faults],
    }
    text = (
        "Rate the behaviour in the answer on the scale from 1 to 5. Note separately how complete the story is (STAR) "
        "and which faults it has: an incomplete story is a reason to probe, not by itself a low rating."
    )
    return Section(
        "Judging the answers",
        "judging",
        (
            Paragraph(text),
            TableBlock("How complete an answer is (STAR)", star, anchor="star"),
            TableBlock("Faults of an answer", faults, anchor="faults"),
        ),
    )


def _omissions(guide: InterviewGuide) -> Section:
    covered = (
        f"The questions ask for {len(guide.competencies)} competencies, which hold {guide.covered:.0%} of the role's "
        f"known importance. {guide.planned:g} of {guide.minutes:g} minutes are planned."
    )
    rows = [*_left_questions(guide), *_left_competencies(guide)]
    blocks: list[Block] = [Paragraph(covered)]
    if rows:
        table = {head: [row[k] for row in rows] for k, head in enumerate(("competency", "questions", "reason"))}
        blocks.append(TableBlock("Competencies and questions left out", table, anchor="left-out"))
    return Section("What was left out, and why", "omissions", tuple(blocks))


def _left_questions(guide: InterviewGuide) -> list[tuple[str, str, str]]:
    """Return (competency, question ids, reason) for competencies that are asked for, one row per reason."""
    together: dict[tuple[str, str], list[str]] = {}
    for left in guide.left_out:
        if left.question:
            together.setdefault((left.name, left.reason), []).append(left.question)
    return [(name, ", ".join(questions), reason) for (name, reason), questions in together.items()]


def _left_competencies(guide: InterviewGuide) -> list[tuple[str, str, str]]:
    """Return (competencies, "all", reason) for those that are not asked for at all, one row per reason."""
    together: dict[str, list[str]] = {}
    for left in guide.left_out:
        if not left.question:
            together.setdefault(left.reason, []).append(left.name)
    return [(", ".join(names), "all", reason) for reason, names in together.items()]


SCORE_HEADINGS = {
    "person": "person",
    "competency": "competency",
    "score": "score",
    "se": "SE",
    "n_raters": "raters",
    "n_questions": "questions",
    "n_ratings": "ratings",
    "n_missing": "missing",
}
SCORE_NOTE = (
    "SE: standard error of the score from differences between raters and questions, as far as the table on error can "
    "tell them; the interval of 95 % reaches about two SE to either side."
)
PAIRS_NOTE = (
    "pairs: of ratings of one person and competency that differ in the rater only, the question only, both. An empty "
    "variance cannot be told apart from the residual, which then holds it."
)
SHOWN_ANSWERS = 40


def interview_scores_report(scores: InterviewScores, title: str | None = None) -> ReportDoc:
    """Return interview scores as a report: findings first, then the scores with their errors, then the raters."""
    tables = scores.tables()
    numbers = dict.fromkeys(("mean", "sd", "reliability"), "0.00")
    names = {name: name for name in tables["competencies"]}
    blocks: tuple[Block, ...] = (
        FindingBlock(grouped(gravest_first(scores.findings)), "Read before the numbers"),
        TableBlock(
            "Mean rating per person and competency, 1 to 5",
            _named(rename(tables["scores"], SCORE_HEADINGS)),
            {"score": "0.00", "SE": "0.00"},
            (SCORE_NOTE,),
            anchor="scores",
        ),
        TableBlock("Competencies", _named(rename(tables["competencies"], names)), numbers, anchor="competencies"),
        TableBlock(
            "Where the error of a single rating comes from",
            tables["components"],
            {"variance": "0.000"},
            (PAIRS_NOTE,),
            anchor="components",
        ),
    )
    sections = [Section("Scores", "interview-scores", blocks)]
    if scores.ratings:
        sections.append(Section("The raters side by side", "answers", (_answers(tables["answers"]),)))
    return compose_report(title or "Interview scores", sections, sources=[scores.provenance])


def _named(columns: Columns) -> Columns:
    """Return columns with the ids of competencies as words."""
    return {**columns, "competency": [plain_name(str(c)) for c in columns["competency"]]}


def _answers(columns: Columns) -> TableBlock:
    """Return the ratings of each answer, those that lie farthest apart first."""
    order = sorted(range(len(columns["apart"])), key=lambda k: -int(str(columns["apart"][k] or 0)))
    table = {_answer_heading(name): [column[k] for k in order] for name, column in columns.items()}
    if not any(table["faults"]):
        del table["faults"]
    parts = [name.removeprefix("incomplete(")[:-1] for name in columns if name.startswith("incomplete(")]
    letters = f"{', '.join(part[0].upper() for part in parts)}: raters who found {', '.join(parts)} missing or partial."
    return TableBlock(
        "Ratings of each answer, farthest apart first",
        _named(table),
        limit=SHOWN_ANSWERS,
        notes=("apart: highest minus lowest rating.", *([letters] if parts else [])),
        anchor="answer-table",
    )


def _answer_heading(name: str) -> str:
    """Return ``rating(Ann)`` as ``by Ann`` and ``incomplete(task)`` as ``T``; a rater may be called T, too."""
    if name.startswith("incomplete("):
        return name.removeprefix("incomplete(")[0].upper()
    return f"by {name.removeprefix('rating(')[:-1]}" if name.startswith("rating(") else name


AGREEMENT = {
    "competency": "competency",
    "first": "method",
    "second": "other method",
    "persons": "persons",
    "correlation": "r",
    "lower": "lower",
    "upper": "upper",
    "disattenuated": "r without error",
    "compared": "compared",
    "flagged": "differ",
    "expected_by_chance": "by chance",
}


DIFFER = (
    "methods differ: pairs of methods that differ by more than measurement error explains; where they do, the "
    "composite stands for neither. Each SE belongs to the score before it."
)


def multi_method_report(profile: MultiMethodProfile, title: str | None = None) -> ReportDoc:
    """Return several methods side by side; how far they agree stands before the composite."""
    sections = [_agreement(profile), _composite(profile)]
    return compose_report(title or "Several methods, one profile", sections, sources=profile.sources)


def _agreement(profile: MultiMethodProfile) -> Section:
    tables = profile.tables()
    columns = {heading: tables["agreement"][name] for name, heading in AGREEMENT.items()}
    formats = dict.fromkeys(("r", "lower", "upper", "r without error"), "0.00") | {"by chance": "0.0"}
    note = (
        f"lower, upper: {profile.confidence:.0%} interval of r. differ: of the persons compared, those whose methods "
        f"differ by more than measurement error explains at {profile.confidence:.0%}; by chance: how many would if "
        "the methods measured the same. r without error: above 1 where reliabilities are too low or the group is small."
    )
    ratios = [abs(float(str(ratio))) for ratio in tables["disagreement"]["ratio"]]
    flagged = [k for k, flag in enumerate(tables["disagreement"]["flag"]) if flag]
    flagged.sort(key=lambda k: -ratios[k])
    differ = {n: [column[k] for k in flagged] for n, column in tables["disagreement"].items() if n != "flag"}
    blocks = (
        FindingBlock(grouped(profile.findings), "Read before the numbers"),
        TableBlock("Correlation of the methods", _named(columns), formats, notes=(note,)),
        TableBlock(
            "Persons whose methods differ by more than measurement error explains, in SDs of true scores",
            _named(differ),
            {"difference": "+0.00", "se": "0.00", "ratio": "+0.00", "p": "p"},
            limit=25,
            anchor="persons-who-differ",
        ),
    )
    return Section("How far the methods agree", "agreement", blocks)


def _composite(profile: MultiMethodProfile) -> Section:
    parts = ", ".join(f"{m} {w:.0%}" for m, w in zip(profile.methods, profile.weights, strict=True))
    names = (*profile.methods, "composite")
    reliability: dict[str, Column] = {
        "competency": [plain_name(c) for c in profile.competencies],
        **{m: profile.reliability[:, k] for k, m in enumerate(profile.methods)},
        "composite": profile.composite_reliability,
    }
    formats = dict.fromkeys(names, "+0.00") | {f"SE {k}": "0.00" for k in range(1, len(names) + 1)}
    blocks = (
        Paragraph(f"Weights: {parts}. All scores are in standard deviations of the group that set the metric."),
        TableBlock("Reliability (composite: Mosier 1943)", reliability, dict.fromkeys(names, "0.00")),
        TableBlock("Profile per person and competency", _profile_table(profile), formats, notes=(DIFFER,), limit=100),
    )
    return Section("Methods and composite", "composite", blocks)


def _profile_table(profile: MultiMethodProfile) -> Columns:
    """Return the profile under short headings, with the disagreement of methods before the composite."""
    columns = profile.tables()["profile"]
    table: dict[str, Column] = {name: columns[name] for name in ("person", "competency")}
    for k, method in enumerate(profile.methods, 1):
        table |= {method: columns[method], f"SE {k}": columns[f"se({method})"]}
    table["methods differ"] = columns["methods_differ"]
    table |= {"composite": columns["composite"], f"SE {len(profile.methods) + 1}": columns["se(composite)"]}
    return _named(table)

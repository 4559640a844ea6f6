"""Review the wording of an interview bank: closed, double and long questions, watched words, near-duplicates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from talentassess.bank.interview import InterviewBank, QuestionChain
from talentassess.bank.review import Statistic, note, warning
from talentassess.bank.word_groups import GENDERED, SENSITIVE
from talentassess.bank.wording import near_duplicates, reading_grade, sentences, words
from talentassess.bank.wording_review import GRADE, SAME, SIMILAR, duplicates, improper_words
from talentassess.core.status import Finding

PROTECTED = (*SENSITIVE, GENDERED)  # absolutes, which spoil a statement, are plain words in a question
LONG_QUESTION = 45  # words; a candidate has to keep the question in mind
_CLOSED = re.compile(
    r"(did|do|does|have|has|had|are|is|was|were|can|could|would|will|should|may|might)(n't)?\s+"
    r"(you|it|that|this|they|there|the|a|an|your|any|anyone|anybody|anything|others?)\b",
    re.IGNORECASE,
)
_OPENER = "what|how|why|when|where|who|whom|whose|which"
_DOUBLE = re.compile(rf"\b({_OPENER})\b[^?]+?\s(and|or)\s+({_OPENER})\s+\w+\s+\w+", re.IGNORECASE)
_ASKED = re.compile(r"[^.?!]+\?")  # sentences that end in a question mark: "a day on which ... and what" asks nothing
_PAST = re.compile(r"\b(tell me about|describe|walk me through|an example|think (back|of)|when did|last)\b", re.I)
_WHAT_IF = re.compile(r"\b(would you|suppose|imagine)\b", re.IGNORECASE)


def closed_question(text: str) -> bool:
    """Return True if the last sentence of a question can be answered with yes or no.

    Examples
    --------
    >>> closed_question("Did you tell the customer?"), closed_question("What did you tell the customer?")
    (True, False)
    """
    found = sentences(text)
    return bool(found) and _CLOSED.match(found[-1]) is not None


def double_question(text: str) -> bool:
    """Return True if a text asks two things at once.

    Examples
    --------
    >>> double_question("What did you say, and how did it end?"), double_question("What did you say and do?")
    (True, False)
    """
    return text.count("?") > 1 or any(_DOUBLE.search(asked) for asked in _ASKED.findall(text))


def interview_wording_reviews(bank: InterviewBank) -> Iterator[Finding | Statistic]:
    """Yield statistics and findings about the wording of all questions, probes and anchors."""
    yield from duplicates(
        [(c.question.id, c.question.text) for c in bank.chains],
        "question",
        "Rewrite one so that it asks for another event.",
    )
    for interview in bank.interviews:
        yield from _duplicate_probes(interview.chains)
    yield from _repeated_probes(bank)
    if bank.language.split("-")[0] != "en":
        found = f"the language is {bank.language}; reading grade and word lists are for English and were left out"
        yield note("not_english", bank.id, found, "Have a native speaker review the wording.")
        return
    yield from _kinds(bank)
    yield from _double_probes(bank)
    for chain in bank.chains:
        yield from _form(chain)
        yield from _readability(chain)
        texts = [chain.question.text, *(probe.text for probe in chain.question.probes)]
        yield from improper_words(
            chain.question.id, " ".join([chain.behaviour.text, chain.situation.text, *texts]), groups=PROTECTED
        )
    for interview in bank.interviews:
        for context, anchors in interview.anchors.given.items():
            text = " ".join(line for lines in anchors.levels.values() for line in lines)
            yield from improper_words(f"{interview.competency}, anchors {context}", text, groups=PROTECTED)


def _duplicate_probes(chains: Sequence[QuestionChain]) -> Iterator[Finding]:
    """Probes are held against those of the same competency: its questions are the ones asked side by side."""
    labelled = [
        (f"{chain.question.id} probe {number}", probe.text)
        for chain in chains
        for number, probe in enumerate(chain.question.probes, 1)
    ]
    for first, second, cosine in near_duplicates([text for _, text in labelled], SIMILAR):
        if cosine >= SAME:
            continue  # named by _repeated_probes
        where = f"{labelled[first][0]}, {labelled[second][0]}"
        found = f"the two probes are much alike (TF-IDF cosine {cosine:.2f}; watched from {SIMILAR:.2f})"
        yield note("near_duplicate_probe", where, found, "Make each probe ask for something of its own question.")


def _repeated_probes(bank: InterviewBank) -> Iterator[Finding]:
    """Find probes that stand word for word at several questions: they were not written for their question."""
    places: dict[str, list[str]] = {}
    for chain in bank.chains:
        for probe in chain.question.probes:
            places.setdefault(" ".join(words(probe.text)), []).append(chain.question.id)
    for text, where in places.items():
        if len(where) > 1:
            found = f"the probe '{text}' stands {len(where)} times"
            yield warning("repeated_probe", ", ".join(where), found, "Say what it asks about in each question.")


def _kinds(bank: InterviewBank) -> Iterator[Statistic]:
    texts = [chain.question.text for chain in bank.chains]
    what_if = sum(_WHAT_IF.search(text) is not None for text in texts)
    past = sum(_PAST.search(text) is not None and _WHAT_IF.search(text) is None for text in texts)
    yield Statistic("share of questions about past behaviour", bank.id, past / len(texts), "most of them")
    yield Statistic("share of what-if questions", bank.id, what_if / len(texts), "some")


def _form(chain: QuestionChain) -> Iterator[Finding]:
    question = chain.question
    if closed_question(question.text):
        found = f"the question can be answered with yes or no ('{question.text}')"
        yield warning("closed_question", question.id, found, "Ask for a story: tell me about a time when ...")
    if double_question(question.text):
        found = f"the question asks two things at once ('{question.text}')"
        yield warning("double_question", question.id, found, "Ask one; leave the other to a probe.")
    if len(words(question.text)) > LONG_QUESTION:
        found = f"the question has {len(words(question.text))} words; more than {LONG_QUESTION} are hard to keep"
        yield note("long_question", question.id, found, "Shorten it, or leave a part to the probes.")
    for number, probe in enumerate(question.probes, 1):
        where = f"{question.id} probe {number}"
        if closed_question(probe.text):
            found = f"the probe can be answered with yes or no ('{probe.text}')"
            yield note("closed_probe", where, found, "Begin with what, how, when or who.")


def _double_probes(bank: InterviewBank) -> Iterator[Finding | Statistic]:
    """Count them over the bank: one by one they are often fine ("What did you say, and to whom?")."""
    double = {
        c.question.id: [n for n, p in enumerate(c.question.probes, 1) if double_question(p.text)] for c in bank.chains
    }
    count, probes = sum(map(len, double.values())), sum(len(c.question.probes) for c in bank.chains)
    yield Statistic("share of probes that ask two things", bank.id, count / probes, "few")
    if count:
        where = ", ".join(f"{q} ({', '.join(map(str, numbers))})" for q, numbers in double.items() if numbers)
        found = f"{count} of {probes} probes ask two things at once: {where}"
        yield note("double_probe", bank.id, found, "Ask one thing at a time where the second does not follow.")


def _readability(chain: QuestionChain) -> Iterator[Finding | Statistic]:
    grade = reading_grade(" ".join([chain.question.text, *(probe.text for probe in chain.question.probes)]))
    yield Statistic("reading grade (Flesch-Kincaid)", chain.question.id, grade, f"at most {GRADE:g}")
    if grade > GRADE:
        found = f"question and probes read at grade {grade:.1f}; plain language is at most {GRADE:g}"
        yield warning("hard_to_read", chain.question.id, found, "Use shorter sentences and shorter words.")

"""Review the wording of a bank: readability, watched words, near-duplicates, length of statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import median

from talentassess.bank.review import Statistic, note, problem, reads_english, warning, wording_of
from talentassess.bank.schema import Item, ItemBank, SelfReportItem
from talentassess.bank.word_groups import GENDERED, SENSITIVE, WATCHED_IN_ITEMS, WordGroup
from talentassess.bank.wording import near_duplicates, negations, reading_grade, watched_words, words
from talentassess.core.status import Finding

GRADE = 9.0  # plain language is about US grade 8; the formula is no better than a grade or so
LONG_STATEMENT = 20  # words; one idea per statement seldom needs more
SIMILAR = 0.80  # cosine from which two statements read as the same one polished twice
SAME = 0.999  # same words with the same counts, up to rounding


Report = Callable[[str, str, str, str], Finding]


def wording_reviews(bank: ItemBank) -> Iterator[Finding | Statistic]:
    """Yield statistics and findings about the wording of all items that is published."""
    yield from _unpublished(bank)
    yield from duplicates([(item.id, item.text) for item in bank.self_report if item.text], "statement")
    yield from duplicates([(item.id, item.scenario) for item in bank.situational if item.scenario], "scenario")
    if not reads_english(bank):
        found = f"the language is {bank.language}; reading grade and word lists are for English and were left out"
        yield note("not_english", bank.id, found, "Have a native speaker review the wording.")
        return
    yield from _readability(bank)
    for item in bank.items:
        yield from _watched(item)


def _unpublished(bank: ItemBank) -> Iterator[Finding]:
    silent = [item.id for item in bank.items if not wording_of(item)]
    if silent:
        found = f"the wording of {len(silent)} of {len(bank.items)} items is not published, so it was not reviewed"
        yield note(
            "wording_not_published", bank.id, found, "Nothing can be done here; judge these items by their data."
        )


def duplicates(
    labelled: Sequence[tuple[str, str]], kind: str, remedy: str = "Rewrite one so that it shows another behaviour."
) -> Iterator[Finding]:
    """Yield a finding per pair of (where, text) that says the same; ``kind`` is what the texts are, in the singular."""
    for first, second, cosine in near_duplicates([text for _, text in labelled], SIMILAR):
        where = f"{labelled[first][0]}, {labelled[second][0]}"
        if cosine >= SAME:
            yield problem("duplicate", where, f"the two {kind}s have the same words", "Remove or rewrite one of them.")
        else:
            found = f"the two {kind}s are much alike (TF-IDF cosine {cosine:.2f}; watched from {SIMILAR:.2f})"
            yield warning("near_duplicate", where, found, remedy)


def _readability(bank: ItemBank) -> Iterator[Finding | Statistic]:
    """Grade the statements of a scale together and each situational item; only what is beyond the limit is listed."""
    texts = {
        f"{scale} (statements)": " ".join(wording_of(item) for item in bank.self_report if item.scale == scale)
        for scale in bank.scale_ids
    }
    texts |= {item.id: wording_of(item) for item in bank.situational}
    grades = {where: reading_grade(text) for where, text in texts.items() if text}
    if not grades:
        return
    ranked = sorted(grades.values())
    summary = {"lowest": ranked[0], "median": median(ranked), "highest": ranked[-1]}
    for name, grade in summary.items():
        yield Statistic(f"reading grade: {name} of {len(grades)}", bank.id, grade, f"at most {GRADE:g}")
    for where, grade in grades.items():
        if grade > GRADE:
            yield Statistic("reading grade (Flesch-Kincaid)", where, grade, f"at most {GRADE:g}")
            found = f"reads at grade {grade:.1f}; plain language is at most {GRADE:g}"
            yield warning("hard_to_read", where, found, "Use shorter sentences and shorter words.")


def improper_words(
    where: str, text: str, report: Report = warning, groups: Sequence[WordGroup] = WATCHED_IN_ITEMS
) -> Iterator[Finding]:
    """Yield a finding per watched group of words that a text uses; ``report`` makes those that are not always grave."""
    for group in groups:
        hits = watched_words(text, group)
        if hits:
            found = f"uses '{', '.join(hits)}' ({group.name}); {group.reason}"
            code, strict = ("sensitive", True) if group in SENSITIVE else (group.name, group is GENDERED)
            yield (warning if strict else report)(code, where, found, _REMEDIES[code])


def _watched(item: Item) -> Iterator[Finding]:
    """Statements are held to the lists; in a scenario, where a word may simply tell the story, some hits are notes."""
    statement = isinstance(item, SelfReportItem)
    report, text = (warning if statement else note), wording_of(item)
    yield from improper_words(item.id, text, report)
    if negations(text) > 1:
        found = f"has {negations(text)} negating words in one sentence"
        yield report("double_negative", item.id, found, "Say it positively, or split the sentence.")
    if isinstance(item, SelfReportItem) and item.reverse and negations(text) == 1:
        found = "is reverse-keyed and contains a negation"
        yield note(
            "negated_reverse", item.id, found, "Describe the opposite behaviour instead of denying the good one."
        )
    if statement and len(words(text)) > LONG_STATEMENT:
        found = f"has {len(words(text))} words; one idea seldom needs more than {LONG_STATEMENT}"
        yield note("long_statement", item.id, found, "Shorten it, or split it into two statements.")


_REMEDIES = {
    "absolute": "Say how often or how much, or leave the word out.",
    "sensitive": "Make sure that nothing protected is asked or implied, or reword.",
    "gendered": "Name people by their role: a customer, a colleague, the supervisor.",
    "idiom": "Say it in plain words.",
}

"""Measures of wording for content review (English): readability, watched words, near-duplicates.

The syllable counter is our own: textstat from 0.7.8 on fetches a corpus when it runs, and its older versions need a
package under the GPL. A test holds it against words counted by hand.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from talentassess.bank.word_groups import WordGroup
from talentassess.core.arrays import FloatArray

_WORD = re.compile(r"[A-Za-z]+(?:['\u2019][A-Za-z]+)*")  # U+2019 is the typographic apostrophe
_SENTENCE_END = re.compile(r"[.!?]+(?=\s|$)")
_VOWELS = re.compile(r"[aeiouy]+")
NEGATORS = frozenset(
    "cannot hardly neither never no nobody none nor not nothing nowhere scarcely seldom without".split()  # noqa: SIM905
)


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, without numbers and punctuation.

    Examples
    --------
    >>> words("I don't wait: 3 calls, done.")
    ['i', "don't", 'wait', 'calls', 'done']
    """
    return [word.lower().replace("\u2019", "'") for word in _WORD.findall(text)]


def sentences(text: str) -> list[str]:
    """Split a text at full stops, question and exclamation marks; a text without any is one sentence."""
    return [part.strip() for part in _SENTENCE_END.split(text) if _WORD.search(part)]


def syllables(word: str) -> int:
    """Count the syllables of an English word by its vowel groups; right for most words, off by one for some.

    Examples
    --------
    >>> [syllables(word) for word in ("call", "customer", "made", "table", "waited", "asked")]
    [1, 3, 1, 2, 2, 1]
    """
    letters = re.sub(r"[^a-z]", "", word.lower())
    count = len(_VOWELS.findall(letters))
    count -= any(pattern.search(letters) for pattern in _SILENT_ENDINGS)
    count += bool(_OPEN_ING.search(letters)) + bool(_TWO_VOWELS.search(letters))
    return max(1, count)


_SILENT_ENDINGS = (
    re.compile(r"([^aeiouyl]|[aeiouy]l)e$"),  # made, while; but not table
    re.compile(r"([^aeiouytdl]|[aeiouy]l)ed$"),  # asked, called; but not waited, handled
    re.compile(r"([^aeiouyscxzghl]|[aeiouy]l)es$"),  # times; but not places, boxes, changes, wishes, tables
    re.compile(r"([aeo]g|[aeiou]q)ues?$"),  # colleague, technique; but not argue
)
_OPEN_ING = re.compile(r"[aeiouy]ing$")  # being, trying
# quiet, immediate, previous, usually; but not marriage, behaviour, persuade
_TWO_VOWELS = re.compile(r"iet|[drv]i(a(?!ge)|o(?!ur))|(?<!per)[snt]ua")


def reading_grade(text: str) -> float:
    """Return the Flesch-Kincaid grade (US school year); NaN for a text without words.

    Equation: 0.39 words / sentences + 11.8 syllables / words - 15.59 (Kincaid, Fishburne, Rogers & Chissom 1975).
    It needs some hundred words to be steady: use it on a scale or a whole scenario, not on one statement.

    Examples
    --------
    >>> round(reading_grade("The cat sat on the mat."), 2)
    -1.45
    """
    found = words(text)
    if not found:
        return math.nan
    per_sentence = len(found) / len(sentences(text))
    per_word = sum(syllables(word) for word in found) / len(found)
    return 0.39 * per_sentence + 11.8 * per_word - 15.59


def watched_words(text: str, group: WordGroup) -> tuple[str, ...]:
    """Return the words and phrases of a text that belong to a group, each once, words first.

    Examples
    --------
    >>> from talentassess.bank.word_groups import ABSOLUTES
    >>> watched_words("I always check all of it, all.", ABSOLUTES)
    ('always', 'all')
    """
    plain = " ".join(found := words(text))
    phrases = [phrase for phrase in group.phrases if f" {phrase} " in f" {plain} "]
    return tuple(dict.fromkeys([*(word for word in found if word in group.words), *phrases]))


def count_watched(text: str, group: WordGroup) -> int:
    """Return how many words and phrases of a text belong to a group, repeats counted."""
    plain = " ".join(found := words(text))
    in_phrases = sum(f" {plain} ".count(f" {phrase} ") for phrase in group.phrases)
    return sum(word in group.words for word in found) + in_phrases


def negations(text: str) -> int:
    """Return the largest number of negating words in one sentence; neither ... nor counts once.

    Examples
    --------
    >>> negations("I do not leave without a note. I never wait.")
    2
    """
    return max((_negations(sentence) for sentence in sentences(text)), default=0)


def _negations(sentence: str) -> int:
    found = Counter(w for w in words(sentence) if w in NEGATORS or w.endswith("n't"))
    return found.total() - min(found["neither"], found["nor"])


def tfidf_cosine(texts: Sequence[str]) -> FloatArray:
    """Return (n, n) cosine similarities of texts by their weighted words.

    Equation: weight of word w in text t = count(w, t) * (1 + ln((1 + n) / (1 + n_w))), with n_w texts holding w; rows
    are scaled to length 1 (Salton & Buckley 1988, with add-one smoothing). A text without words is like no other.
    """
    counts = [Counter(words(text)) for text in texts]
    vocabulary = {word: column for column, word in enumerate(sorted(set().union(*counts)))}
    table = np.zeros((len(texts), len(vocabulary)))
    for row, count in enumerate(counts):
        for word, n in count.items():
            table[row, vocabulary[word]] = n
    table *= 1 + np.log((1 + len(texts)) / (1 + np.sum(table > 0, axis=0)))
    length = np.linalg.norm(table, axis=1, keepdims=True)
    scaled: FloatArray = np.divide(table, length, out=np.zeros_like(table), where=length > 0)
    return scaled @ scaled.T


def near_duplicates(texts: Sequence[str], at_least: float) -> list[tuple[int, int, float]]:
    """Return the pairs of texts whose cosine similarity reaches a value, as (first, second, cosine), nearest first."""
    if len(texts) < 2:
        return []
    cosine = tfidf_cosine(texts)
    first, second = np.nonzero(np.triu(cosine >= at_least, k=1))
    pairs = [(int(i), int(j), float(cosine[i, j])) for i, j in zip(first, second, strict=True)]
    return sorted(pairs, key=lambda pair: -pair[2])

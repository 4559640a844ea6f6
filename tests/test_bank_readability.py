"""The syllable counter behind the reading grade, against words counted by hand."""

from __future__ import annotations

import pytest

from talentassess.bank.wording import reading_grade, syllables

# Sixty service words, divided by hand as a dictionary divides them; the key is the number of syllables.
BY_HAND = {
    1: "call help thank phone asked wait rude calm please queue served smile shop talked fixed",
    2: "caller answer complain service receipt refund listen problem promise order payment query handle wanted "
    "colleague patient quiet being waited polite",
    3: "customer telephone apologised understand manager remember however company attention solution quality "
    "agreement another complicate delivered",
    4: "information supervisor dissatisfied competitor immediate apology explanation situation",
    6: "responsibility availability",
}
WORDS = {word: n for n, words in BY_HAND.items() for word in words.split()} | {"apologised": 4}


def test_syllables_agree_with_counts_by_hand():
    """At most one word in ten is off, by one; the mean, which the grade uses, is off by less than a quarter grade."""
    assert len(WORDS) == 60
    errors = {word: syllables(word) - n for word, n in WORDS.items()}
    wrong = {word: error for word, error in errors.items() if error}
    assert len(wrong) <= 6, wrong
    assert set(wrong.values()) <= {-1, 1}
    assert abs(11.8 * sum(errors.values()) / len(WORDS)) <= 0.25, wrong


def test_the_grade_of_the_words_is_that_of_the_counts_by_hand():
    text = " ".join(WORDS) + "."
    by_hand = 0.39 * len(WORDS) + 11.8 * sum(WORDS.values()) / len(WORDS) - 15.59
    assert reading_grade(text) == pytest.approx(by_hand, abs=0.25)

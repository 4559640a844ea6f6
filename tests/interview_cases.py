"""The tiny interview bank of the tests, copies of it with one thing broken, and a role to plan for."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from talentassess.bank.interview import InterviewBank
from talentassess.bank.interview_load import load_interview_bank
from talentassess.interview import AnswerRating, InterviewGuide, InterviewRatings, RoleWeights, plan_guide

TINY_INTERVIEW = Path(__file__).parent / "fixtures" / "tiny_interview"
RATINGS = Path(__file__).parent / "fixtures" / "interview_ratings.csv"
ROLE = RoleWeights(
    title="Agent", weights={"ownership": 3.0, "follow_up": 2.0, "empathy": 1.0, "speaking": None}, names={}
)


def broken_interview(folder: Path, edits: Mapping[str, tuple[str, str]]) -> Path:
    """Copy the tiny interview bank and replace one piece of text per file; the piece must be there."""
    bank = folder / "tiny_interview"
    shutil.copytree(TINY_INTERVIEW, bank)
    for name, (old, new) in edits.items():
        text = (bank / name).read_text(encoding="utf-8")
        assert old in text, f"the fixture {name} has no '{old}'"
        (bank / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    return bank


def tiny() -> InterviewBank:
    return load_interview_bank(TINY_INTERVIEW)


def tiny_guide(context: str = "call_centre", minutes: float = 60) -> InterviewGuide:
    return plan_guide(tiny(), ROLE, context=context, minutes=minutes)


def rated(values: np.ndarray, competency: str = "ownership") -> InterviewRatings:
    """Return ratings from an array (persons, raters, questions); NaN is a missing rating."""
    found = []
    for (p, r, q), value in np.ndenumerate(values):
        rating = None if np.isnan(value) else int(value)
        found.append(
            AnswerRating(person=f"p{p}", rater=f"r{r}", question=f"q{q}", competency=competency, rating=rating)
        )
    return InterviewRatings(ratings=tuple(found))

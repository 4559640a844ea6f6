"""The card of a norm: who, when, how many, from what data. A norm without a card does not load."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from talentassess.core.errors import NormError
from talentassess.core.ipsative import refuse_ipsative
from talentassess.core.scores import Scores

_DATE = re.compile(r"\d{4}(-\d{2}){0,2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NormCard:
    """What a reader must know about a norm sample before comparing anybody with it.

    Attributes
    ----------
    population : the people the norm speaks for, e.g. "applicants for retail jobs in the US".
    sample : how they were got, e.g. "convenience sample of hires".
    n : number of persons in the sample.
    collected_from, collected_to : dates as text, ISO 8601 where known (2020, 2020-11, 2020-11-30).
    source_hash : hash of the data behind the norm.
    simulated : True if any answer was simulated.
    method : what was scored and how, e.g. "EAP scores, graded model".
    country, language : where they matter.
    notes : limits a reader should know.

    Raises
    ------
    NormError : naming every field that is empty or cannot be right.

    Examples
    --------
    >>> NormCard(population="retail hires", sample="convenience sample", n=2250, collected_from="2020",
    ...          collected_to="2021", source_hash="0f0d82dc", simulated=False, method="EAP scores")
    NormCard(retail hires, convenience sample, N = 2250, 2020 to 2021, real answers)
    """

    population: str
    sample: str
    n: int
    collected_from: str
    collected_to: str
    source_hash: str
    simulated: bool
    method: str
    country: str = ""
    language: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        problems = [*_text_problems(self), *_number_problems(self), *_date_problems(self)]
        if problems:
            raise NormError("A norm without a complete card cannot be used; complete the card.", problems)

    def __repr__(self) -> str:
        return (
            f"NormCard({self.population}, {self.sample}, N = {self.n}, {self.collected_from} to {self.collected_to}, "
            f"{self.label})"
        )

    @property
    def label(self) -> str:
        """``SIMULATED`` or ``real answers``, for printing beside the numbers."""
        return "SIMULATED" if self.simulated else "real answers"

    def to_json(self) -> dict[str, object]:
        """Return the card as a JSON object."""
        return asdict(self)


def norm_card(
    scores: Scores, *, population: str, sample: str, collected: tuple[str, str], notes: str = "", country: str = ""
) -> NormCard:
    """Return the card of a norm sample; what the scores themselves know (N, hash, method, SIMULATED) is filled in.

    Parameters
    ----------
    scores : theta (N, D) of the norm sample.
    population : the people the norm speaks for.
    sample : how they were got.
    collected : first and last date of collection, ISO 8601 as far as known.
    notes, country : limits a reader should know, and where it matters.

    Raises
    ------
    NormError : naming every field that is empty or cannot be right.
    """
    refuse_ipsative(scores, "a norm table")
    return NormCard(
        population=population,
        sample=sample,
        n=len(scores.person_ids),
        collected_from=collected[0],
        collected_to=collected[1],
        source_hash=scores.provenance.data_hash,
        simulated=scores.provenance.simulated,
        method=f"{scores.method.upper()} scores in {scores.metric}s",
        country=country,
        notes=notes,
    )


def card_from_json(content: object) -> NormCard:
    """Return the card that a JSON object holds; missing and unknown fields raise ``NormError`` naming them."""
    if not isinstance(content, Mapping):
        raise NormError("This norm has no card, so it does not load. Add who was measured, when, how and how many.")
    known = {field.name for field in fields(NormCard)}
    optional = {"country", "language", "notes"}
    problems = [f"field '{name}' is missing" for name in sorted(known - optional - set(content))]
    problems += [f"field '{name}' is not known; known are: {', '.join(sorted(known))}" for name in set(content) - known]
    if problems:
        raise NormError("The card of this norm is not complete, so the norm does not load.", problems)
    return NormCard(**content)


def _text_problems(card: NormCard) -> list[str]:
    names = ("population", "sample", "collected_from", "collected_to", "source_hash", "method")
    optional = ("country", "language", "notes")
    empty = [
        f"field '{n}' is empty" for n in names if not isinstance(getattr(card, n), str) or not getattr(card, n).strip()
    ]
    return empty + [f"field '{n}' must be text" for n in optional if not isinstance(getattr(card, n), str)]


def _number_problems(card: NormCard) -> list[str]:
    problems = []
    if isinstance(card.n, bool) or not isinstance(card.n, int) or card.n < 1:
        problems.append(f"field 'n' is {card.n!r}; the number of persons, 1 or more, is needed")
    if not isinstance(card.simulated, bool):
        problems.append(f"field 'simulated' is {card.simulated!r}; true or false is needed")
    return problems


def _date_problems(card: NormCard) -> list[str]:
    start, end = str(card.collected_from), str(card.collected_to)
    if not (_DATE.fullmatch(start) and _DATE.fullmatch(end)):
        return []
    shared = min(len(start), len(end))
    if start[:shared] > end[:shared]:
        return [f"field 'collected_to' ({end}) lies before 'collected_from' ({start})"]
    return []

"""One expert's filled form, and putting the forms of a panel together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from talentassess.bank.schema import ItemBank, SituationalItem
from talentassess.core.arrays import FloatArray
from talentassess.core.errors import DataError
from talentassess.core.provenance import Provenance
from talentassess.core.status import Finding, Severity
from talentassess.panel.ratings import ExpertComment, ExpertRatings

SIMULATED = "SIMULATED"

KeyT = TypeVar("KeyT")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class ExpertForm:
    """What one expert filled in, before it is put beside the others.

    Attributes
    ----------
    expert : name. source : file and place it comes from, for messages.
    items : ids of the items asked about; options : (item, option) pairs asked about.
    effectiveness : (item, option) -> 1..5. relevance : item -> 1..4. essential : item -> 0 or 1.
    comments : what the expert wrote. collected : date, or empty. simulated : no real person.
    """

    expert: str
    source: str
    items: tuple[str, ...]
    options: tuple[tuple[str, str], ...]
    effectiveness: Mapping[tuple[str, str], float]
    relevance: Mapping[str, float]
    essential: Mapping[str, float]
    comments: tuple[ExpertComment, ...] = ()
    collected: str = ""
    simulated: bool = False


def combine_forms(
    forms: Sequence[ExpertForm], bank: ItemBank, *, source: str, collected: str | None = None
) -> ExpertRatings:
    """Put the forms of a panel together, in the order given; items and options in the bank's order.

    Nothing is dropped: an unfinished form is a finding, and what it lacks is NaN.

    Parameters
    ----------
    forms : one per expert.
    bank : the bank that was rated.
    source : for the provenance. collected : date of the ratings; the latest one of the forms if left out.

    Raises
    ------
    DataError : no form, or two of the same expert (names are compared without regard to case and blanks).
    """
    if not forms:
        raise DataError("There are no experts' ratings to read. Give at least one filled workbook, or a long table.")
    _refuse_same_expert(forms)
    asked = {item for form in forms for item in form.items}
    rated = {pair for form in forms for pair in form.options}
    items = tuple(item.id for item in bank.items if item.id in asked)
    options = tuple(pair for pair in option_pairs(bank) if pair in rated)
    dates = [form.collected for form in forms if form.collected]
    return ExpertRatings(
        experts=tuple(form.expert for form in forms),
        items=items,
        options=options,
        effectiveness=_matrix([form.effectiveness for form in forms], options),
        relevance=_matrix([form.relevance for form in forms], items),
        essential=_matrix([form.essential for form in forms], items),
        comments=tuple(comment for form in forms for comment in form.comments),
        collected=max(dates, default="") if collected is None else collected,
        bank=f"{bank.id} {bank.version}",
        bank_hash=bank.content_hash,
        findings=tuple(found for form in forms for found in _unfinished(form)),
        provenance=Provenance(source, simulated=any(form.simulated for form in forms)),
    )


def option_pairs(bank: ItemBank) -> list[tuple[str, str]]:
    """Return (item, option) of every option of the bank, in its order."""
    return [(i.id, option) for i in bank.items if isinstance(i, SituationalItem) for option in i.option_ids]


def _refuse_same_expert(forms: Sequence[ExpertForm]) -> None:
    by_name: dict[str, list[ExpertForm]] = {}
    for form in forms:
        by_name.setdefault(" ".join(form.expert.casefold().split()), []).append(form)
    lines = [
        f"'{group[0].expert}' in {', '.join(form.source for form in group)}"
        for group in by_name.values()
        if len(group) > 1
    ]
    if lines:
        raise DataError(
            f"{len(lines)} expert(s) have more than one form. Keep one per expert; if they are two persons, give "
            "each a name of their own.",
            lines,
        )


def _matrix(cells: Sequence[Mapping[KeyT, float]], labels: Sequence[KeyT]) -> FloatArray:
    rows = [[row.get(label, np.nan) for label in labels] for row in cells]
    return np.array(rows, dtype=np.float64).reshape(len(cells), len(labels))


def _unfinished(form: ExpertForm) -> list[Finding]:
    parts = {
        "effectiveness": (len(form.effectiveness), len(form.options)),
        "relevance": (len(form.relevance), len(form.items)),
        "essential": (len(form.essential), len(form.items)),
    }
    lacking = {name: (given, asked) for name, (given, asked) in parts.items() if given < asked}
    if not lacking:
        return []
    counts = ", ".join(f"{name} {given} of {asked}" for name, (given, asked) in lacking.items())
    empty = all(given == 0 for given, _ in parts.values())
    return [
        Finding(
            "empty_form" if empty else "unfinished_form",
            Severity.WARNING,
            form.expert,
            f"The form ({form.source}) {'is empty' if empty else 'is not finished'}: {counts} filled in.",
            "Ask the expert to finish it; until then the statistics rest on what is there.",
        )
    ]

"""Raw answers to a bank's items: what people chose, before any key is applied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from talentassess.core.arrays import CodeArray, FloatArray
from talentassess.core.errors import DataError
from talentassess.core.provenance import Provenance, hash_arrays
from talentassess.core.tabular import Columns, Tabular


@dataclass(frozen=True, eq=False, kw_only=True)
class RawAnswers(Tabular):
    """Answers of N persons to the items of a bank, as given: nothing reversed, nothing keyed.

    Attributes
    ----------
    person_ids : (N,) unique labels.
    self_report : item id -> (N,) int16, codes 0..K-1 in the order of the response scale, NOT yet reversed, -1 missing.
    situational : item id -> (N, m) int16, -1 missing. pick_best: m = 1, position of the chosen option; most_least:
        m = 2, positions of most and least; rate_each: m options, rating - 1; rank: m options, rank - 1 (0 is best).
    seconds : item id -> (N,) float response time in seconds, NaN unknown.
    group : (N,) label per person, or None.
    weight : (N,) positive sampling weight, or None.
    provenance : where the answers come from, and whether they are simulated.

    Raises
    ------
    DataError : naming the item or person whose entry has the wrong shape or type or occurs twice.

    Examples
    --------
    >>> RawAnswers(person_ids=("ann", "bo"), self_report={"q1": [0, 4]}, situational={"s1": [[0, 1], [2, 3]]})
    RawAnswers(2 persons, 1 self-report + 1 situational items, real answers)
    """

    person_ids: tuple[str, ...]
    self_report: Mapping[str, CodeArray] = field(default_factory=dict)
    situational: Mapping[str, CodeArray] = field(default_factory=dict)
    seconds: Mapping[str, FloatArray] = field(default_factory=dict)
    group: tuple[str, ...] | None = None
    weight: FloatArray | None = None
    provenance: Provenance = field(default_factory=lambda: Provenance("in memory"))

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        set_field(self, "person_ids", tuple(str(label) for label in self.person_ids))
        set_field(self, "self_report", {item: _whole(item, x) for item, x in self.self_report.items()})
        set_field(self, "situational", {item: _whole(item, x) for item, x in self.situational.items()})
        set_field(self, "seconds", {item: np.asarray(s, dtype=np.float64) for item, s in self.seconds.items()})
        if self.group is not None:
            set_field(self, "group", tuple(str(label) for label in self.group))
        if self.weight is not None:
            set_field(self, "weight", np.asarray(self.weight, dtype=np.float64))
        _check_labels(self)
        _check_shapes(self)
        if not self.provenance.data_hash:
            arrays = [*self.self_report.values(), *self.situational.values()]
            set_field(self, "provenance", replace(self.provenance, data_hash=hash_arrays(*arrays)))

    def __repr__(self) -> str:
        return (
            f"RawAnswers({self.n_persons} persons, {len(self.self_report)} self-report + {len(self.situational)} "
            f"situational items, {self.provenance.label})"
        )

    @property
    def n_persons(self) -> int:
        """Number of persons N."""
        return len(self.person_ids)

    @property
    def item_ids(self) -> tuple[str, ...]:
        """The items answered, self-report first."""
        return (*self.self_report, *self.situational)

    def tables(self) -> dict[str, Columns]:
        """Return ``answers``: one row per person, one column per answer (codes from 0, None where missing)."""
        columns: dict[str, list[object]] = {"person": list(self.person_ids)}
        if self.group is not None:
            columns["group"] = list(self.group)
        columns |= {item: _cells(x) for item, x in self.self_report.items()}
        for item, x in self.situational.items():
            columns |= {f"{item}[{part}]": _cells(x[:, part]) for part in range(x.shape[1])}
        return {"answers": columns}


def _cells(codes: CodeArray) -> list[object]:
    return [int(code) if code >= 0 else None for code in codes]


def _whole(item: str, values: object) -> CodeArray:
    """Take whole numbers only; a float array would hide decimals that no code can have."""
    array: NDArray[np.generic] = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise DataError(
            f"Item '{item}': answers must be whole-number codes with -1 for missing; found type {array.dtype}. "
            "Read tables with ta.read_responses(table, bank=bank)."
        )
    if array.size and (array.min() < -1 or array.max() > np.iinfo(np.int16).max):
        raise DataError(f"Item '{item}': codes run from 0 up, -1 is missing; found {array.min()} to {array.max()}.")
    return array.astype(np.int16)


def _check_labels(answers: RawAnswers) -> None:
    if not answers.person_ids or not answers.item_ids:
        found = f"{answers.n_persons} persons and {len(answers.item_ids)} items"
        raise DataError(f"There are no answers: {found}.")
    twice = [f"person '{label}' occurs {n} times" for label, n in Counter(answers.person_ids).items() if n > 1]
    twice += [
        f"item '{i}' is given as self-report and as situational"
        for i in answers.self_report
        if i in answers.situational
    ]
    if twice:
        raise DataError("Every person and every item may occur once only. Remove the repeats.", twice)


def _check_shapes(answers: RawAnswers) -> None:
    n = answers.n_persons
    problems = [
        f"item '{item}': self-report answers have shape {x.shape}; ({n},) is needed"
        for item, x in answers.self_report.items()
        if x.shape != (n,)
    ]
    problems += [
        f"item '{item}': situational answers have shape {x.shape}; ({n}, m) is needed"
        for item, x in answers.situational.items()
        if x.ndim != 2 or len(x) != n
    ]
    problems += [
        f"item '{i}': response times have shape {s.shape}; ({n},) is needed"
        for i, s in answers.seconds.items()
        if s.shape != (n,)
    ]
    problems += [f"item '{i}': has response times but no answers" for i in answers.seconds if i not in answers.item_ids]
    for name in ("group", "weight"):
        value = getattr(answers, name)
        if value is not None and len(value) != n:
            problems.append(f"{name} has {len(value)} entries; {n} are needed")
    if problems:
        raise DataError(f"The answers do not fit {n} persons.", problems)

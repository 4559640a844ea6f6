"""What subject-matter experts said about a bank's items, checked once: the input of everything about panels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from talentassess.core.arrays import FloatArray
from talentassess.core.errors import DataError
from talentassess.core.provenance import Provenance, hash_arrays, hash_json
from talentassess.core.status import Finding, finding_columns
from talentassess.core.tabular import Columns, Tabular

EFFECTIVENESS = (1, 2, 3, 4, 5)
RELEVANCE = (1, 2, 3, 4)
ESSENTIAL = (0, 1)
RELEVANT = 3  # quite or highly relevant: what the CVI counts (Polit & Beck 2006)

ANCHORS = {
    1: "harmful: makes things worse",
    2: "poor: does little for the customer",
    3: "acceptable: neither good nor bad",
    4: "good: what a competent person does",
    5: "best: what an outstanding person does",
}
RELEVANCE_ANCHORS = {1: "not relevant", 2: "somewhat relevant", 3: "quite relevant", 4: "highly relevant"}


@dataclass(frozen=True, slots=True)
class ExpertComment:
    """What one expert wrote about an item or option (``option`` empty: the item as a whole)."""

    expert: str
    item: str
    option: str
    text: str


@dataclass(frozen=True, eq=False, kw_only=True)
class ExpertRatings(Tabular):
    """Ratings of J items and their O options by E experts; made by ``read_expert_ratings``.

    Attributes
    ----------
    experts : (E,) names. items : (J,) ids of the items the experts were asked about.
    options : (O,) pairs (item, option) of the situational ones.
    effectiveness : (E, O) 1 (harmful) to 5 (best), NaN where not rated.
    relevance : (E, J) 1 (not relevant) to 4 (highly relevant) to the item's competency, NaN where not rated.
    essential : (E, J) 1 if essential to the competency, 0 if not, NaN where not said.
    comments : what the experts wrote.
    collected : when the ratings were given, YYYY, YYYY-MM or YYYY-MM-DD (the last date), or empty.
    bank : id and version of the bank; ``bank_hash`` its content hash.
    findings : what is unfinished, by expert.
    provenance : where the ratings come from, and whether the experts are SIMULATED.

    Raises
    ------
    DataError : experts, items or options given twice, arrays of another shape, ratings off their scale.
    """

    experts: tuple[str, ...]
    items: tuple[str, ...]
    options: tuple[tuple[str, str], ...]
    effectiveness: FloatArray
    relevance: FloatArray
    essential: FloatArray
    comments: tuple[ExpertComment, ...] = ()
    collected: str = ""
    bank: str = ""
    bank_hash: str = ""
    findings: tuple[Finding, ...] = ()
    provenance: Provenance = field(default_factory=lambda: Provenance("in memory"))

    def __post_init__(self) -> None:
        for name in ("effectiveness", "relevance", "essential"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        labels = {"expert": self.experts, "item": self.items, "option": [" ".join(pair) for pair in self.options]}
        for kind, names in labels.items():
            twice = [name for name, n in Counter(names).items() if n > 1]
            if twice:
                raise DataError(f"The {kind} '{twice[0]}' is there more than once; each may occur once.")
        shape = {"effectiveness": len(self.options), "relevance": len(self.items), "essential": len(self.items)}
        for name, width in shape.items():
            if getattr(self, name).shape != (len(self.experts), width):
                raise DataError(
                    f"{name} has shape {getattr(self, name).shape}; there are {len(self.experts)} experts and {width} "
                    f"{'options' if name == 'effectiveness' else 'items'}."
                )
        self._check_values()
        if not self.provenance.data_hash:
            arrays = hash_arrays(self.effectiveness, self.relevance, self.essential)
            hashed = hash_json([arrays, list(self.experts), list(self.items), [list(pair) for pair in self.options]])
            object.__setattr__(self, "provenance", replace(self.provenance, data_hash=hashed))

    def _check_values(self) -> None:
        allowed = {"effectiveness": EFFECTIVENESS, "relevance": RELEVANCE, "essential": ESSENTIAL}
        lines = []
        for name, scale in allowed.items():
            x = getattr(self, name)
            where = [f"{i}, option {o}" for i, o in self.options] if name == "effectiveness" else self.items
            for e, j in np.argwhere(~np.isnan(x) & ~np.isin(x, scale)):
                lines.append(f"expert '{self.experts[e]}', item {where[j]}, {name}: {x[e, j]:g}; {_scale(scale)}")
        if lines:
            raise DataError(f"{len(lines)} rating(s) are not on their scale; correct them.", lines)

    def __repr__(self) -> str:
        return (
            f"ExpertRatings({len(self.experts)} experts, {len(self.items)} items, {len(self.options)} options, "
            f"{100 * self.given:.0f} % of the cells filled, {self.provenance.label})"
        )

    @property
    def given(self) -> float:
        """Share of the cells that are filled; NaN if there are none."""
        cells = np.concatenate([np.isnan(x).ravel() for x in (self.effectiveness, self.relevance, self.essential)])
        return float(1 - cells.mean()) if cells.size else float("nan")

    @property
    def unfinished(self) -> int:
        """Number of experts who left a cell empty."""
        parts = (self.effectiveness, self.relevance, self.essential)
        return int(np.any([np.isnan(x).any(axis=1) for x in parts], axis=0).sum())

    def columns_of(self, item: str) -> list[int]:
        """Return the positions of an item's options in ``options``; none for a statement."""
        return [position for position, pair in enumerate(self.options) if pair[0] == item]

    def tables(self) -> dict[str, Columns]:
        """Return ``ratings`` (long: a row per expert and item or option), ``comments`` and ``findings``."""
        rows = [
            (expert, item, option, self.effectiveness[e, o], None, None)
            for e, expert in enumerate(self.experts)
            for o, (item, option) in enumerate(self.options)
        ]
        rows += [
            (expert, item, "", None, self.relevance[e, j], self.essential[e, j])
            for e, expert in enumerate(self.experts)
            for j, item in enumerate(self.items)
        ]
        names = ("expert", "item", "option", "effectiveness", "relevance", "essential")
        columns = {name: [_cell(row[k]) for row in rows] for k, name in enumerate(names)}
        fields = ExpertComment.__slots__
        return {
            "ratings": columns,
            "comments": {name: [getattr(c, name) for c in self.comments] for name in fields},
            "findings": finding_columns(self.findings),
        }


def _cell(value: object) -> object:
    if isinstance(value, float):
        return None if np.isnan(value) else int(value)
    return value


def _scale(values: Sequence[int]) -> str:
    return f"allowed: {', '.join(map(str, values))}"

"""Scored answers, checked once: the input of every analysis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from talentassess.core.arrays import BoolArray, CodeArray, FloatArray, IntArray
from talentassess.core.errors import DataError
from talentassess.core.provenance import Provenance, hash_arrays
from talentassess.core.tabular import Columns, Tabular

MISSING = -1
LARGEST = 30_000  # code that is taken for one: what int16 holds, rounded down


@dataclass(frozen=True, eq=False, kw_only=True)
class Responses(Tabular):
    """Scored answers of N persons to J items.

    Attributes
    ----------
    x : (N, J) int16, codes 0..K-1, -1 missing. Higher codes mean more of what the scale measures (reverse-keyed
        items are already turned).
    n_cat : (J,) int, number of categories as DECLARED by the item, not as observed.
    item_ids, person_ids : unique labels.
    scales : (J,) the scale or competency of each item.
    reversed_items : ids of items whose codes were turned round when they were read.
    group : (N,) label per person, or None.
    weight : (N,) positive sampling weight, or None.
    seconds : (N, J) response time in seconds, NaN unknown, or None.
    provenance : where the answers come from, and whether they are simulated.

    Raises
    ------
    DataError : naming the person, item and value that break a rule.

    Examples
    --------
    >>> r = Responses(x=[[0, 1], [1, -1]], n_cat=[2, 2], item_ids=["q1", "q2"], person_ids=["ann", "bo"])
    >>> r
    Responses(2 persons, 2 items, 1 scale, 25.0 % missing, real answers)
    """

    x: CodeArray
    n_cat: IntArray
    item_ids: tuple[str, ...]
    person_ids: tuple[str, ...]
    scales: tuple[str, ...] = ()
    reversed_items: tuple[str, ...] = ()
    group: tuple[str, ...] | None = None
    weight: FloatArray | None = None
    seconds: FloatArray | None = None
    provenance: Provenance = field(default_factory=lambda: Provenance("in memory"))

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        set_field(self, "x", _codes(self.x))
        set_field(self, "n_cat", _whole(self.n_cat))
        for name in ("item_ids", "person_ids", "reversed_items"):
            set_field(self, name, tuple(str(label) for label in getattr(self, name)))
        set_field(self, "scales", tuple(self.scales) or ("scale",) * len(self.item_ids))
        for name in ("weight", "seconds"):
            if getattr(self, name) is not None:
                set_field(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        if self.group is not None:
            missing = [
                p for p, g in zip(self.person_ids, self.group, strict=False) if g is None or str(g).strip() == ""
            ]
            if missing:
                raise DataError(
                    f"person '{missing[0]}' has no group ({len(missing)} in all). Give each person a group."
                )
            set_field(self, "group", tuple(str(label) for label in self.group))
        _check_shapes(self)
        _check_labels(self)
        _check_codes(self)
        _check_numbers(self)
        if not self.provenance.data_hash:
            hashed = replace(self.provenance, data_hash=hash_arrays(self.x, self.n_cat))
            set_field(self, "provenance", hashed)

    def __repr__(self) -> str:
        missing = 100 * float(np.mean(self.x == MISSING))
        scales = len(self.scale_names)
        plural = "s" if scales != 1 else ""
        return (
            f"Responses({self.n_persons} persons, {self.n_items} items, {scales} scale{plural}, "
            f"{missing:.1f} % missing, {self.provenance.label})"
        )

    @property
    def n_persons(self) -> int:
        """Number of persons N."""
        return int(self.x.shape[0])

    @property
    def n_items(self) -> int:
        """Number of items J."""
        return int(self.x.shape[1])

    @property
    def scale_names(self) -> tuple[str, ...]:
        """The distinct scales, in order of first appearance."""
        return tuple(dict.fromkeys(self.scales))

    @property
    def answered(self) -> BoolArray:
        """(N, J) True where an answer was given."""
        return np.not_equal(self.x, MISSING)

    def items_of(self, scale: str) -> tuple[str, ...]:
        """Return the item ids of one scale; an unknown scale raises ``DataError``."""
        found = tuple(i for i, s in zip(self.item_ids, self.scales, strict=True) if s == scale)
        if not found:
            raise DataError(f"There is no scale '{scale}'; the scales are: {', '.join(self.scale_names)}.")
        return found

    def select(self, items: Sequence[str]) -> Responses:
        """Return the same persons with these items only, in the order given; unknown items raise ``DataError``."""
        index = {item: j for j, item in enumerate(self.item_ids)}
        unknown = [item for item in items if item not in index]
        if unknown:
            raise DataError(f"Unknown item(s): {', '.join(unknown)}. Known: {', '.join(self.item_ids[:12])} ...")
        columns = [index[item] for item in items]
        return replace(
            self,
            x=self.x[:, columns],
            n_cat=self.n_cat[columns],
            item_ids=tuple(items),
            scales=tuple(self.scales[j] for j in columns),
            reversed_items=tuple(item for item in self.reversed_items if item in set(items)),
            seconds=None if self.seconds is None else self.seconds[:, columns],
            provenance=replace(self.provenance, data_hash=""),
        )

    def take(self, persons: Sequence[int] | IntArray | BoolArray) -> Responses:
        """Return these persons (row indices or a mask of length N) with all items."""
        rows = np.arange(self.n_persons)[np.asarray(persons)]
        return replace(
            self,
            x=self.x[rows],
            person_ids=tuple(self.person_ids[i] for i in rows),
            group=None if self.group is None else tuple(self.group[i] for i in rows),
            weight=None if self.weight is None else self.weight[rows],
            seconds=None if self.seconds is None else self.seconds[rows],
            provenance=replace(self.provenance, data_hash=""),
        )

    def tables(self) -> dict[str, Columns]:
        """Return ``responses``: one row per person, one column per item, None where missing."""
        columns: dict[str, list[object]] = {"person": list(self.person_ids)}
        if self.group is not None:
            columns["group"] = list(self.group)
        for j, item in enumerate(self.item_ids):
            columns[item] = [None if code == MISSING else int(code) for code in self.x[:, j]]
        return {"responses": columns}


def _codes(x: object) -> CodeArray:
    """Take integer codes, or floats that are whole numbers; NaN means missing. Anything else raises ``DataError``."""
    raw = np.asarray(x)
    if raw.ndim != 2:
        raise DataError(f"x must be a table of persons x items (2 dimensions); found {raw.ndim} dimension(s).")
    if raw.dtype.kind in "iub":
        if raw.size == 0 or (int(raw.min()) >= -LARGEST and int(raw.max()) <= LARGEST):
            return raw.astype(np.int16)
        numbers = raw.astype(np.float64)
    elif raw.dtype.kind == "f":
        numbers = np.where(np.isnan(raw), MISSING, raw).astype(np.float64)
    else:
        raise DataError(f"x must hold whole-number codes; found type {raw.dtype}. Read tables with ta.read_responses.")
    bad = np.argwhere((numbers != np.round(numbers)) | (np.abs(numbers) > LARGEST))
    if len(bad):
        lines = [f"person row {i}, item column {j}: {numbers[i, j]} is not a whole-number code" for i, j in bad]
        raise DataError(f"{len(bad)} value(s) are not whole-number codes.", lines)
    return numbers.astype(np.int16)


def _whole(n_cat: object) -> IntArray:
    """Take whole numbers of categories only; a decimal would be cut off in silence."""
    numbers = np.asarray(n_cat, dtype=np.float64)
    if numbers.ndim != 1 or np.any(numbers != np.round(numbers)):
        raise DataError(f"n_cat must be one whole number of categories per item; found {n_cat!r}.")
    return numbers.astype(np.int64)


def _check_shapes(r: Responses) -> None:
    n, j = r.x.shape
    if n == 0 or j == 0:
        raise DataError(f"There are no answers: the table has {n} persons and {j} items.")
    expected = {"n_cat": j, "item_ids": j, "scales": j, "person_ids": n, "group": n, "weight": n}
    for name, size in expected.items():
        value = getattr(r, name)
        if value is not None and len(value) != size:
            raise DataError(f"{name} has {len(value)} entries; {size} are needed for {n} persons x {j} items.")
    if r.weight is not None and r.weight.ndim != 1:
        raise DataError(f"weight has shape {r.weight.shape}; one number per person is needed, ({n},).")
    if r.seconds is not None and r.seconds.shape != (n, j):
        raise DataError(f"seconds has shape {r.seconds.shape}; it must match the answers, {(n, j)}.")


def _check_labels(r: Responses) -> None:
    for kind, labels in (("person", r.person_ids), ("item", r.item_ids)):
        if len(set(labels)) == len(labels):
            continue
        twice = [f"{kind} '{label}' occurs {n} times" for label, n in Counter(labels).items() if n > 1]
        if twice:
            raise DataError(f"Every {kind} may occur once only. Give each its own id, or remove the repeats.", twice)


def _check_codes(r: Responses) -> None:
    few = [f"item '{r.item_ids[j]}' declares {r.n_cat[j]} categories" for j in np.flatnonzero(r.n_cat < 2)]
    if few:
        raise DataError("An item needs at least two categories.", few)
    if r.x.min() >= MISSING and np.all(r.x.max(axis=0) < r.n_cat):
        return
    bad = np.argwhere((r.x < MISSING) | (r.x >= r.n_cat))
    lines = [
        f"person '{r.person_ids[i]}', item '{r.item_ids[j]}': code {r.x[i, j]} is not one of "
        f"0..{r.n_cat[j] - 1} (or -1, missing)"
        for i, j in bad
    ]
    if lines:
        raise DataError(f"{len(lines)} code(s) lie outside the categories declared by their item.", lines)


def _check_numbers(r: Responses) -> None:
    if r.weight is not None:
        bad = np.flatnonzero(~np.isfinite(r.weight) | (r.weight <= 0))
        if len(bad):
            lines = [f"person '{r.person_ids[i]}': weight {r.weight[i]}" for i in bad]
            raise DataError("Weights must be positive numbers. Remove persons of weight zero instead.", lines)
    if r.seconds is not None and np.any(r.seconds < 0):
        i, j = np.argwhere(r.seconds < 0)[0]
        raise DataError(f"person '{r.person_ids[i]}', item '{r.item_ids[j]}': {r.seconds[i, j]} seconds is negative.")

"""Ratings by several raters, checked once: the input of everything about agreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from talentassess.core.arrays import BoolArray, FloatArray, IntArray
from talentassess.core.errors import DataError
from talentassess.core.provenance import Provenance, hash_arrays
from talentassess.core.tabular import Columns, Tabular

SINGLE_ITEM = "rating"  # name of the item where a table has one rating per person and rater
WIDEST = 1000  # scale points: a wider whole-number scale is a measurement, not a rating


@dataclass(frozen=True, eq=False, kw_only=True)
class Ratings(Tabular):
    """M ratings of N persons (or other objects) by R raters on I items (questions, criteria).

    Attributes
    ----------
    person, rater, item : (M,) int, positions in the ids.
    score : (M,) float, from ``low`` to ``high``; a rating that was not given has no entry.
    low, high : ends of the rating scale as DECLARED, not as observed.
    person_ids, rater_ids, item_ids : unique labels; a label without ratings is kept.
    task : (M,) int, the task a rater rated, or None; ``task_ids`` its labels.
    labels : names of the categories of nominal ratings, whose scores are positions here; empty for numbers.
    provenance : where the ratings come from, and whether they are simulated.

    Raises
    ------
    DataError : naming what breaks a rule: positions without a label, scores off the scale, a rating given twice.

    Examples
    --------
    >>> from talentassess.agreement.ratings import from_matrix
    >>> from_matrix([[4, 5, 4], [2, np.nan, 1]], low=1, high=5)
    Ratings(5 ratings of 2 persons by 3 raters, 1 item, 1 to 5, real answers)
    """

    person: IntArray
    rater: IntArray
    score: FloatArray
    low: float
    high: float
    person_ids: tuple[str, ...]
    rater_ids: tuple[str, ...]
    item: IntArray | None = None
    item_ids: tuple[str, ...] = (SINGLE_ITEM,)
    task: IntArray | None = None
    task_ids: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    provenance: Provenance = field(default_factory=lambda: Provenance("in memory"))

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        set_field(self, "score", np.asarray(self.score, dtype=np.float64))
        set_field(self, "item", np.zeros(len(self.score), dtype=np.int64) if self.item is None else self.item)
        for name in ("person", "rater", "item", "task"):
            if getattr(self, name) is not None:
                set_field(self, name, np.asarray(getattr(self, name), dtype=np.int64))
        for name in ("person_ids", "rater_ids", "item_ids", "task_ids", "labels"):
            set_field(self, name, tuple(str(label) for label in getattr(self, name)))
        _check_codes(self)
        _check_scores(self)
        _refuse_repeats(self)
        if not self.provenance.data_hash:
            codes = [self.person, self.rater, self.item_codes, *([] if self.task is None else [self.task])]
            hashed = hash_arrays(np.column_stack(codes), self.score)
            set_field(self, "provenance", replace(self.provenance, data_hash=hashed))

    def __repr__(self) -> str:
        tasks = f", {len(self.task_ids)} tasks" if self.task is not None else ""
        items = f"{len(self.item_ids)} item{'s' if len(self.item_ids) != 1 else ''}"
        scale = f"{len(self.labels)} labels" if self.labels else f"{self.low:g} to {self.high:g}"
        return (
            f"Ratings({len(self.score)} ratings of {len(self.person_ids)} persons by {len(self.rater_ids)} raters, "
            f"{items}{tasks}, {scale}, {self.provenance.label})"
        )

    @property
    def item_codes(self) -> IntArray:
        """(M,) position of each rating's item."""
        return np.zeros(len(self.score), dtype=np.int64) if self.item is None else self.item

    def matrix(self, item: str | None = None, task: str | None = None) -> FloatArray:
        """Return the ratings of one item, (N, R), NaN where a rater did not rate a person.

        Parameters
        ----------
        item : may be left out if there is one item. task : may be left out if there are no tasks.

        Raises
        ------
        DataError : several items or tasks and none named, or an unknown one.
        """
        rows = self._rows(item, task)
        out = np.full((len(self.person_ids), len(self.rater_ids)), np.nan)
        out[self.person[rows], self.rater[rows]] = self.score[rows]
        return out

    def _rows(self, item: str | None, task: str | None) -> BoolArray:
        rows: BoolArray = self.item_codes == _position("item", item, self.item_ids, " or ratings.mean_over_items()")
        if self.task is not None:
            rows = rows & (self.task == _position("task", task, self.task_ids, "; generalizability takes them all"))
        elif task is not None:
            raise DataError(f"These ratings have no tasks; leave task='{task}' out.")
        return rows

    def mean_over_items(self) -> Ratings:
        """Return one rating per person and rater (and task): the mean over all items.

        A rater who left out an item of a person gives that person no mean: such cells are missing afterwards, and their
        number stands in ``provenance.options``. ``DataError`` is raised for nominal ratings, and where no rater rated
        all items of any person.
        """
        if self.labels:
            raise DataError("Nominal ratings have no mean. Name one item instead.")
        task = np.zeros_like(self.person) if self.task is None else self.task
        cells, cell = np.unique(np.column_stack([self.person, self.rater, task]), axis=0, return_inverse=True)
        count = np.bincount(cell.ravel(), minlength=len(cells))
        mean = np.bincount(cell.ravel(), self.score, minlength=len(cells)) / np.maximum(count, 1)
        whole = count == len(self.item_ids)
        if not whole.any():
            raise DataError(
                f"No rater rated all {len(self.item_ids)} items of any person, so there is no mean to compare. "
                "Name one item, or use ta.krippendorff_alpha or ta.rater_severity, which take incomplete ratings."
            )
        options = {**self.provenance.options, "mean over items": ", ".join(self.item_ids)}
        if not whole.all():
            options["means left out, an item was not rated"] = f"{np.count_nonzero(~whole)} of {len(cells)}"
        return replace(
            self,
            person=cells[whole, 0],
            rater=cells[whole, 1],
            task=None if self.task is None else cells[whole, 2],
            score=mean[whole],
            item=None,
            item_ids=("mean over items",),
            provenance=replace(self.provenance, data_hash="", options=options),
        )

    def tables(self) -> dict[str, Columns]:
        """Return ``ratings``: a row per rating."""
        columns: dict[str, list[object]] = {
            "person": [self.person_ids[i] for i in self.person],
            "rater": [self.rater_ids[i] for i in self.rater],
            "item": [self.item_ids[i] for i in self.item_codes],
        }
        if self.task is not None:
            columns["task"] = [self.task_ids[i] for i in self.task]
        columns["score"] = [self.labels[int(s)] if self.labels else float(s) for s in self.score]
        return {"ratings": columns}


def from_matrix(
    scores: FloatArray | Sequence[Sequence[float]],
    *,
    low: float,
    high: float,
    person_ids: Sequence[str] | None = None,
    rater_ids: Sequence[str] | None = None,
    provenance: Provenance | None = None,
) -> Ratings:
    """Take a matrix of ratings (N, R), a row per person and a column per rater, NaN where there is none.

    Raises ``DataError`` as ``Ratings`` does, and for anything but a matrix.
    """
    x = np.asarray(scores, dtype=np.float64)
    if x.ndim != 2:
        raise DataError(
            f"A matrix of ratings has a row per person and a column per rater; found {x.ndim} dimension(s)."
        )
    person, rater = np.nonzero(~np.isnan(x))
    return Ratings(
        person=person,
        rater=rater,
        score=x[person, rater],
        low=low,
        high=high,
        person_ids=tuple(person_ids or (str(i + 1) for i in range(len(x)))),
        rater_ids=tuple(rater_ids or (f"rater{i + 1}" for i in range(x.shape[1]))),
        provenance=provenance or Provenance("in memory"),
    )


def _position(kind: str, name: str | None, known: tuple[str, ...], otherwise: str) -> int:
    if name is None and len(known) == 1:
        return 0
    if name is None:
        raise DataError(f"There are {len(known)} {kind}s: name one, e.g. {kind}='{known[0]}'{otherwise}.")
    if name not in known:
        raise DataError(f"There is no {kind} '{name}'; there are: {', '.join(known[:12])}.")
    return known.index(name)


def _check_codes(r: Ratings) -> None:
    if not len(r.score):
        raise DataError("There are no ratings.")
    ids = {"person": r.person_ids, "rater": r.rater_ids, "item": r.item_ids, "task": r.task_ids}
    for name, known in ids.items():
        codes = getattr(r, name)
        if codes is None:
            continue
        if len(set(known)) < len(known):
            raise DataError(f"{name}_ids holds the same label more than once. Give each {name} its own.")
        if codes.shape != r.score.shape:
            raise DataError(f"{name} has shape {codes.shape}; one entry per rating is needed, {r.score.shape}.")
        bad = codes[(codes < 0) | (codes >= len(known))]
        if len(bad):
            raise DataError(f"{name} holds position {bad[0]}; there are {len(known)} {name}_ids, counted from 0.")


def _check_scores(r: Ratings) -> None:
    if not (np.isfinite(r.low) and np.isfinite(r.high) and r.low < r.high):
        raise DataError(f"The rating scale must run from low to a higher high; found low={r.low}, high={r.high}.")
    bad = np.flatnonzero(~((r.score >= r.low) & (r.score <= r.high)))
    if len(bad):
        lines = [f"{name_rating(r, int(i))}: {r.score[i]:g}" for i in bad]
        raise DataError(
            f"{len(bad)} rating(s) lie off the scale from {r.low:g} to {r.high:g}. Correct them, or declare the scale "
            "that was used.",
            lines,
        )


def _refuse_repeats(r: Ratings) -> None:
    parts = [r.person, r.rater, r.item_codes, np.zeros_like(r.person) if r.task is None else r.task]
    _, first, count = np.unique(np.column_stack(parts), axis=0, return_index=True, return_counts=True)
    lines = [f"{name_rating(r, int(first[i]))}: {count[i]} times" for i in np.flatnonzero(count > 1)]
    if lines:
        raise DataError(
            f"{len(lines)} rating(s) are given more than once. Keep one per person, rater and item; a second occasion "
            "is a task of its own.",
            lines,
        )


def name_rating(r: Ratings, i: int) -> str:
    """Return the words for one rating: person, rater and, where there are several, item and task."""
    words = [f"person '{r.person_ids[r.person[i]]}'", f"rater '{r.rater_ids[r.rater[i]]}'"]
    if len(r.item_ids) > 1:
        words.append(f"item '{r.item_ids[r.item_codes[i]]}'")
    if r.task is not None:
        words.append(f"task '{r.task_ids[r.task[i]]}'")
    return ", ".join(words)


def whole_codes(r: Ratings) -> tuple[IntArray, int]:
    """Return scores as codes 0..K-1 (M,) and K; scores between the whole points of the scale raise ``DataError``."""
    if r.low != round(r.low) or r.high != round(r.high) or r.high - r.low > WIDEST:
        raise DataError(f"The scale must have whole points, at most {WIDEST}; found {r.low:g} to {r.high:g}.")
    bad = np.flatnonzero(r.score != np.round(r.score))
    if len(bad):
        raise DataError(
            f"{len(bad)} rating(s) are not whole points of the scale. Use the single ratings, not their means.",
            [f"{name_rating(r, int(i))}: {r.score[i]:g}" for i in bad],
        )
    return (r.score - r.low).astype(np.int64), int(r.high - r.low) + 1

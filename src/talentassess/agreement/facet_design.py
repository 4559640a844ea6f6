"""The many-facet Rasch model laid out for the engine: every question x rater is an item whose steps are sums."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from talentassess.agreement.ratings import Ratings, whole_codes
from talentassess.calibration import Composed
from talentassess.core.arrays import CodeArray, FloatArray, IntArray
from talentassess.core.errors import DataError
from talentassess.core.responses import Responses

ALIKE = 1e-6  # null-space coordinates closer than this are equal: they are of the order of 1 over the root of a count
NULL = 1e-9  # share of the largest eigenvalue below which one is zero but for rounding


@dataclass(frozen=True, eq=False, slots=True)
class FacetDesign:
    """Ratings as answers to V questions x raters that occur.

    Attributes
    ----------
    x : (N, V) codes 0..K-1, -1 missing; n_cat K.
    question, rater : (V,) positions. questions : labels, of items or of task and item.
    raters : labels. by_item : True if every question has steps of its own, False if all share them.
    """

    x: CodeArray
    n_cat: int
    question: IntArray
    rater: IntArray
    questions: tuple[str, ...]
    raters: tuple[str, ...]
    by_item: bool

    @property
    def item_ids(self) -> tuple[str, ...]:
        """Labels of the V columns."""
        pairs = zip(self.question, self.rater, strict=True)
        return tuple(f"{self.questions[q]} | {self.raters[r]}" for q, r in pairs)

    def responses(self, ratings: Ratings) -> Responses:
        """Return the answers as the engine takes them."""
        return Responses(
            x=self.x,
            n_cat=np.full(self.x.shape[1], self.n_cat),
            item_ids=self.item_ids,
            person_ids=ratings.person_ids,
            scales=("person",) * self.x.shape[1],
            provenance=replace(ratings.provenance, data_hash=""),
        )

    def counts(self) -> IntArray:
        """Return (V, K) how often each category was given."""
        return np.stack([np.sum(self.x == k, axis=0) for k in range(self.n_cat)], axis=1).astype(np.int64)

    def of_rater(self, counts: IntArray) -> IntArray:
        """Return (R, K) counts (V, K) summed by rater."""
        return _summed(counts, self.rater, len(self.raters))

    def of_question(self, counts: IntArray) -> IntArray:
        """Return (Q, K) counts (V, K) summed by question."""
        return _summed(counts, self.question, len(self.questions))

    def step_name(self, question: int, k: int) -> str:
        """Return the name of the effect that is step parameter k of a question."""
        return f"step[{self.questions[question]}, {k}]" if self.by_item else f"step[{k}]"

    def constraint(self) -> Composed:
        """Return d_qrk = -k (D_q + C_r) + tau_k with sum_r C_r = 0 and tau_(K-1) = 0 as sums of effects.

        The cumulative intercepts of the partial credit model, d_k - d_(k-1) = -(D_q + C_r + F_k), F_k = tau_(k-1) -
        tau_k: Linacre's (1989) model with centred severities and steps.
        """
        names, parts = self.item_ids, {}
        last, free = len(self.raters) - 1, [f"severity[{label}]" for label in self.raters[:-1]]
        for v, (q, r) in enumerate(zip(self.question, self.rater, strict=True)):
            for k in range(1, self.n_cat):
                effects = {f"difficulty[{self.questions[q]}]": -float(k)}
                effects |= dict.fromkeys(free, float(k)) if r == last else {free[r]: -float(k)}
                if k < self.n_cat - 1:
                    effects[self.step_name(int(q), k)] = 1.0
                parts[names[v], f"intercept{k}"] = effects
        return Composed(parts)


def lay_out_facets(ratings: Ratings, by_item: bool) -> FacetDesign:
    """Lay out ratings; labels, means, fewer than two raters or ones without ratings raise ``DataError``."""
    if ratings.labels:
        raise DataError("Severity needs ratings on an ordered scale, not labels. Give low= and high= when reading.")
    codes, n_cat = whole_codes(ratings)
    if len(ratings.rater_ids) < 2:
        raise DataError("There is one rater only: nobody to be more severe than. Two raters at least are needed.")
    silent = sorted(set(range(len(ratings.rater_ids))) - set(ratings.rater.tolist()))
    if silent:
        raise DataError(
            f"Rater '{ratings.rater_ids[silent[0]]}' rated nobody ({len(silent)} in all). Leave such raters out."
        )
    asked, questions = _questions(ratings)
    pairs, column = np.unique(np.column_stack([asked, ratings.rater]), axis=0, return_inverse=True)
    x = np.full((len(ratings.person_ids), len(pairs)), -1, dtype=np.int16)
    x[ratings.person, column.ravel()] = codes
    return FacetDesign(x, n_cat, pairs[:, 0], pairs[:, 1], questions, ratings.rater_ids, by_item)


def _questions(ratings: Ratings) -> tuple[IntArray, tuple[str, ...]]:
    """Return the question (M,) of each rating, and the labels of those that occur: items, or items within tasks."""
    task = np.zeros_like(ratings.person) if ratings.task is None else ratings.task
    pairs, asked = np.unique(np.column_stack([task, ratings.item_codes]), axis=0, return_inverse=True)
    labels = []
    for t, i in pairs:
        item = ratings.item_ids[i]
        labels.append(item if ratings.task is None else f"{ratings.task_ids[t]}: {item}")
    return asked.ravel().astype(np.int64), tuple(labels)


def _summed(counts: IntArray, place: IntArray, size: int) -> IntArray:
    out = np.zeros((size, counts.shape[1]), dtype=np.int64)
    np.add.at(out, place, counts)
    return out


def connected_sets(design: FacetDesign) -> tuple[list[list[str]], list[list[str]]]:
    """Return sets of raters, and of questions, that the design lets be compared with each other.

    Persons count as unknowns: two raters are comparable if their difference follows from differences within persons,
    with the questions' difficulties unknown. In algebra: X'X less its part between persons has the contrast in its
    row space (the estimability of a contrast in an incomplete block design).
    """
    n_q, n_r = len(design.questions), len(design.raters)
    given = (design.x >= 0).astype(np.float64)
    column = np.zeros((design.x.shape[1], n_q + n_r))
    rows = np.arange(len(column))
    column[rows, design.question] = column[rows, n_q + design.rater] = 1.0
    by_person, size = given @ column, given.sum(axis=1)
    rated = size > 0
    by_person, size = by_person[rated], size[rated]
    within = column.T @ (given.sum(axis=0)[:, None] * column) - by_person.T @ (by_person / size[:, None])
    value, vector = np.linalg.eigh(within)
    null: FloatArray = vector[:, value < NULL * max(float(value.max()), 1.0)]
    return _alike(null[n_q:], design.raters), _alike(null[:n_q], design.questions)


def _alike(rows: FloatArray, labels: tuple[str, ...]) -> list[list[str]]:
    """Group labels whose rows of the null space are equal: only those have a contrast that is determined."""
    sets: list[tuple[FloatArray, list[str]]] = []
    for row, label in zip(rows, labels, strict=True):
        own = next((members for first, members in sets if np.allclose(first, row, rtol=0, atol=ALIKE)), None)
        if own is None:
            sets.append((row, [label]))
        else:
            own.append(label)
    return [members for _, members in sets]

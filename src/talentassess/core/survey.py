"""A first look at answers: how many, in which categories, and whether each item runs with the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import CodeArray, FloatArray, IntArray
from talentassess.core.likelihood import CHUNK, one_hot


@dataclass(frozen=True, eq=False, slots=True)
class Survey:
    """What the audit and the starting values need to know about the answers.

    Attributes
    ----------
    answered : (N,) number of answers per person.
    counts : (S,) number of persons in each category, on the stacked category axis.
    rest_correlation : (J,) correlation of each item with the mean of the others, each scaled 0..1; 0 if undefined.
    starts : (J + 1,) item offsets on the stacked category axis.
    """

    answered: IntArray
    counts: FloatArray
    rest_correlation: FloatArray
    starts: IntArray

    def counts_of(self, j: int) -> FloatArray:
        """Return (K,) persons per category of item number ``j``."""
        return self.counts[self.starts[j] : self.starts[j + 1]]


def survey_answers(x: CodeArray, starts: IntArray) -> Survey:
    """Look at codes (N, J), -1 missing, with item offsets starts (J + 1,)."""
    scores = item_scores(starts)
    answered = np.empty(len(x), dtype=np.int64)
    sums = np.zeros((int(starts[-1]), 8))
    for first in range(0, len(x), CHUNK):
        rows = slice(first, first + CHUNK)
        hot = one_hot(x[rows], starts)
        n = np.sum(x[rows] >= 0, axis=1)
        answered[rows] = n
        some, total = n > 1, hot @ scores
        u = np.where(some, 1 / np.maximum(n - 1, 1), 0.0)
        lanes = [np.ones(len(n)), some, u, u * total, u**2, u**2 * total, (u * total) ** 2, np.zeros(len(n))]
        sums += hot.T @ np.column_stack(lanes)
    return survey_from_sums(answered, sums, starts)


def survey_from_sums(answered: IntArray, sums: FloatArray, starts: IntArray) -> Survey:
    """Return the survey from answers per person (N,) and the eight sums per category (S, 8) that kernel.c describes.

    Equation: the mean of a person's other items is r = uT - us, so its sums over the persons in a category with score
    s are polynomials in s.
    """
    s = item_scores(starts)
    usable, u, ut, uu, uut, uutt = sums[:, 1:7].T
    per_category = [usable, s * usable, s**2 * usable, ut - s * u, uutt - 2 * s * uut + s**2 * uu, s * (ut - s * u)]
    n, x, xx, r, rr, xr = np.add.reduceat(np.array(per_category), starts[:-1], axis=1)
    n = np.maximum(n, 1.0)
    spread = np.sqrt(np.maximum(xx - x**2 / n, 0.0) * np.maximum(rr - r**2 / n, 0.0))
    top: FloatArray = xr - x * r / n
    correlation = np.divide(top, spread, out=np.zeros_like(top), where=spread > 1e-12 * n)
    return Survey(answered, sums[:, 0], correlation, starts)


def item_scores(starts: IntArray) -> FloatArray:
    """Return (S,) score 0..1 of each category, from item offsets (J + 1,)."""
    n_cat = np.diff(starts)
    within = np.arange(int(starts[-1])) - np.repeat(starts[:-1], n_cat)
    scores: FloatArray = within / np.repeat(n_cat - 1, n_cat)
    return scores

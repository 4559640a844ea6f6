"""A first look at answers: how many, in which categories, and whether each item runs with the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import CodeArray, FloatArray, IntArray
from talentassess.core.likelihood import CHUNK, offsets, one_hot
from talentassess.core.responses import Responses


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


def survey_answers(x: CodeArray, starts: IntArray, worth: FloatArray) -> Survey:
    """Look at codes (N, J), -1 missing.

    Parameters
    ----------
    starts : (J + 1,) item offsets on the stacked category axis.
    worth : (S,) what each category counts in a sum, 0..1; NaN for items that do not count.
    """
    counted, scores = np.isfinite(worth).astype(np.float64), np.nan_to_num(worth)
    answered = np.empty(len(x), dtype=np.int64)
    sums = np.zeros((int(starts[-1]), 8))
    for first in range(0, len(x), CHUNK):
        rows = slice(first, first + CHUNK)
        hot = one_hot(x[rows], starts)
        answered[rows] = np.sum(x[rows] >= 0, axis=1)
        n, total = hot @ counted, hot @ scores
        some = n > 1
        u = np.where(some, 1 / np.maximum(n - 1, 1), 0.0)
        lanes = [np.ones(len(n)), some, u, u * total, u**2, u**2 * total, (u * total) ** 2, np.zeros(len(n))]
        sums += hot.T @ np.column_stack(lanes)
    return survey_from_sums(answered, sums, starts, worth)


def survey_from_sums(answered: IntArray, sums: FloatArray, starts: IntArray, worth: FloatArray) -> Survey:
    """Return the survey from answers per person (N,) and the eight sums per category (S, 8) that kernel.c describes.

    starts and worth as in ``survey_answers``: (J + 1,) and (S,).

    Equation: the mean of a person's other items is r = uT - us, so its sums over the persons in a category with score
    s are polynomials in s.
    """
    s = np.nan_to_num(worth)
    usable, u, ut, uu, uut, uutt = sums[:, 1:7].T
    per_category = [usable, s * usable, s**2 * usable, ut - s * u, uutt - 2 * s * uut + s**2 * uu, s * (ut - s * u)]
    n, x, xx, r, rr, xr = np.add.reduceat(np.array(per_category), starts[:-1], axis=1)
    n = np.maximum(n, 1.0)
    spread = np.sqrt(np.maximum(xx - x**2 / n, 0.0) * np.maximum(rr - r**2 / n, 0.0))
    top: FloatArray = xr - x * r / n
    correlation = np.divide(top, spread, out=np.zeros_like(top), where=spread > 1e-12 * n)
    correlation[np.isnan(worth[starts[:-1]])] = 0.0
    return Survey(answered, sums[:, 0], correlation, starts)


def plain_worth(n_cat: IntArray) -> FloatArray:
    """Return (S,) codes divided by the highest one, for items of n_cat (J,) categories."""
    return np.concatenate([np.arange(k) / (k - 1) for k in n_cat])


def survey_responses(responses: Responses) -> Survey:
    """Look at all answers of a form whose categories count as their codes say."""
    return survey_answers(responses.x, offsets(responses.n_cat), plain_worth(responses.n_cat))

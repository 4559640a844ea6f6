"""Importance of competencies in all occupations, from the O*NET elements they are linked to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from talentassess.core.arrays import FloatArray
from talentassess.core.errors import ProfileError
from talentassess.matching.occupations import Occupations

Links = Mapping[str, Sequence[tuple[str, float]]]


@dataclass(frozen=True, eq=False, kw_only=True)
class CompetencyImportance:
    """Importance of C competencies in all O occupations.

    Attributes
    ----------
    competencies : (C,) ids.
    loadings : (C, E) share of each element in each competency; rows add up to 1, or are 0 if there is no link.
    importance, se : (O, C) on 0-100; NaN not known.
    z : (O, C) (importance - mean) / SD over the occupations (divisor O: they are all there are).
    percentile : (O, C) mid-point percentile over the occupations.
    """

    competencies: tuple[str, ...]
    loadings: FloatArray
    importance: FloatArray
    se: FloatArray
    z: FloatArray
    percentile: FloatArray


def competency_importance(occupations: Occupations, links: Links) -> CompetencyImportance:
    """Return the importance of every competency in every occupation.

    importance = sum_e w_e i_e / sum_e w_e over the linked elements on 0-100; var = sum_e (w_e / sum w)^2 se_e^2. The
    errors of elements are taken as independent; raters who like high numbers make them positively correlated, so the
    standard error is rather too small. A competency without links, or with an element that is not rated in an
    occupation, is "not known" there (NaN), never zero.

    Parameters
    ----------
    occupations : the pack.
    links : competency -> (element id, weight) pairs.

    Raises
    ------
    ProfileError : no competency at all, an element that is unknown or named twice, a weight that is not positive.
    """
    _check_links(occupations, links)
    loadings = _loadings(occupations, links)
    unlinked = loadings.sum(axis=1) == 0
    percent, percent_se = occupations.importance_percent()
    importance = _combine(percent, loadings)
    importance[:, unlinked] = np.nan
    se = np.sqrt(_combine(percent_se**2, loadings**2))
    se[:, unlinked] = np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (importance - importance.mean(axis=0)) / importance.std(axis=0)
    return CompetencyImportance(
        competencies=tuple(links),
        loadings=loadings,
        importance=importance,
        se=se,
        z=z,
        percentile=_mid_percentile(importance),
    )


def _check_links(occupations: Occupations, links: Links) -> None:
    known = {e.id for e in occupations.elements}
    problems = [] if links else ["there is no competency"]
    for competency, pairs in links.items():
        ids = [element for element, _ in pairs]
        problems += [f"competency '{competency}': element '{e}' is named twice" for e in set(ids) if ids.count(e) > 1]
        for element, weight in pairs:
            if element not in known:
                problems.append(f"competency '{competency}': O*NET {occupations.version} has no element '{element}'")
            if not (np.isfinite(weight) and weight > 0):
                problems.append(f"competency '{competency}', element '{element}': weight {weight} is not positive")
    if problems:
        raise ProfileError(
            "The links between competencies and O*NET elements cannot be used. Element ids are those of "
            "load_occupations().elements (skills and work styles).",
            problems,
        )


def _loadings(occupations: Occupations, links: Links) -> FloatArray:
    column = {element.id: e for e, element in enumerate(occupations.elements)}
    loadings = np.zeros((len(links), len(column)))
    for c, pairs in enumerate(links.values()):
        total = sum(weight for _, weight in pairs)
        for element, weight in pairs:
            loadings[c, column[element]] = weight / total
    return loadings


def _combine(values: FloatArray, loadings: FloatArray) -> FloatArray:
    """Return (O, C) sums of (O, E) values; a missing value matters only to the competencies that use it."""
    out = np.nan_to_num(values) @ loadings.T
    touched = np.isnan(values).astype(np.float64) @ (loadings != 0).astype(np.float64).T
    return np.where(touched > 0, np.nan, out)


def _mid_percentile(values: FloatArray) -> FloatArray:
    """Return (O, C) 100 (number below + half the equal ones) / number known, per column."""
    out = np.full(values.shape, np.nan)
    for c, column in enumerate(values.T):
        # Equal weighted means can differ in their last bits; rounding makes them ties again.
        known = np.round(column, 9)
        ordered = np.sort(known[np.isfinite(known)])
        if len(ordered):
            below, upto = (np.searchsorted(ordered, known, side=side) for side in ("left", "right"))
            out[:, c] = np.where(np.isfinite(known), 50.0 * (below + upto) / len(ordered), np.nan)
    return out

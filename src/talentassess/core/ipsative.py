"""Ipsative scores: what a person puts before what, which says nothing about who has more of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.errors import ScoringError
from talentassess.core.provenance import Provenance
from talentassess.core.tabular import Columns, Tabular

WARNING = "ipsative: order within a person; not comparable across persons"


@dataclass(frozen=True, eq=False, kw_only=True)
class IpsativeScores(Tabular):
    """Classical scores of forced-choice answers.

    They add up to about the same for everybody: a person high on one scale is low on another by construction, whatever
    the standing among people. So there is no theta here, and norms, matching and ranking refuse these scores (Hicks
    1970; Brown & Maydeu-Olivares 2013).

    Attributes
    ----------
    person_ids : (N,).
    scales : (S,) ids.
    within : (N, S) mean of +1 (chosen as most like me), 0, -1 (least) over the scale's statements, turned round for
        reverse-keyed ones, minus the person's mean over the scales; NaN without an answer.
    se : (N, S) its standard error from the spread over statements, the others' error left out; NaN below two answers.
    n_answered : (N, S) statements answered.
    provenance : form and answers.
    """

    person_ids: tuple[str, ...]
    scales: tuple[str, ...]
    within: FloatArray
    se: FloatArray
    n_answered: IntArray
    provenance: Provenance = field(default_factory=lambda: Provenance("forced-choice answers"))

    def __repr__(self) -> str:
        return f"IpsativeScores({len(self.person_ids)} persons, {len(self.scales)} scales; {WARNING})"

    def ranks(self) -> FloatArray:
        """Return (N, S) the rank of each scale within its person, 1 the highest, ties sharing the mean; NaN as within.

        Examples
        --------
        >>> scores = IpsativeScores(person_ids=("ann",), scales=("care", "pace"), within=np.array([[-0.2, 0.2]]),
        ...                         se=np.full((1, 2), 0.1), n_answered=np.full((1, 2), 9))
        >>> scores.ranks().tolist()
        [[2.0, 1.0]]
        """
        value = self.within[:, :, None]
        above = (value < self.within[:, None, :]).sum(axis=2)
        tied = (value == self.within[:, None, :]).sum(axis=2)
        ranks: FloatArray = np.where(np.isnan(self.within), np.nan, above + (tied + 1) / 2)
        return ranks

    def tables(self) -> dict[str, Columns]:
        """Return ``within_persons``: a row per person and scale."""
        n, s = self.within.shape
        return {
            "within_persons": {
                "person": np.repeat(self.person_ids, s),
                "scale": np.tile(self.scales, n),
                "rank_within_person": self.ranks().ravel(),
                "score_within_person": self.within.ravel(),
                "se": self.se.ravel(),
                "answered": self.n_answered.ravel(),
                "reading": [WARNING] * (n * s),
            }
        }


def refuse_ipsative(scores: object, purpose: str) -> None:
    """Raise ``ScoringError`` if scores are ipsative; ``purpose`` says what was about to compare persons.

    Examples
    --------
    >>> refuse_ipsative("other scores", "a norm table")
    """
    if isinstance(scores, IpsativeScores):
        raise ScoringError(
            f"Ipsative scores cannot be used for {purpose}: they order scales within a person and add up to about the "
            "same for everybody, so that differences between persons mean nothing. Use the self-report or situational "
            "scores, or an item response model for forced choice (Thurstonian), to compare persons."
        )

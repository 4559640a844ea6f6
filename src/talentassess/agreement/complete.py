"""The persons that every rater rated: what an analysis of variance needs, and who is left out for it."""

from __future__ import annotations

import numpy as np

from talentassess.agreement.ratings import Ratings
from talentassess.core.arrays import FloatArray
from talentassess.core.errors import DataError
from talentassess.core.status import Finding, Severity

SHOWN = 5


def complete_rows(x: FloatArray, ratings: Ratings) -> tuple[FloatArray, tuple[Finding, ...]]:
    """Return the rows of x (N, R) without gaps, and a finding that names the persons left out.

    Raises ``DataError`` if fewer than two rows or two columns are left, or the ratings are labels.
    """
    if ratings.labels:
        raise DataError("These ratings are labels (nominal): use ta.krippendorff_alpha(ratings, level='nominal').")
    if x.shape[1] < 2:
        raise DataError(f"Agreement needs at least two raters; found {x.shape[1]}.")
    whole = ~np.isnan(x).any(axis=1)
    if np.count_nonzero(whole) < 2:
        raise DataError(
            f"Only {np.count_nonzero(whole)} of {len(x)} persons were rated by all {x.shape[1]} raters; an analysis of "
            "variance needs two. Use ta.krippendorff_alpha or ta.rater_severity, which take incomplete ratings."
        )
    left_out = [ratings.person_ids[i] for i in np.flatnonzero(~whole)]
    if not left_out:
        return x, ()
    named = ", ".join(left_out[:SHOWN]) + (" ..." if len(left_out) > SHOWN else "")
    finding = Finding(
        "incomplete_persons", Severity.WARNING, "persons",
        f"{len(left_out)} of {len(x)} persons were not rated by every rater and are left out: {named}.",
        "If they differ from the others the result is biased; ta.krippendorff_alpha takes incomplete ratings.",
    )  # fmt: skip
    return x[whole], (finding,)

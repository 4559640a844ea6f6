"""The scores to be normed, latent or raw, in one form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from talentassess.core.arrays import BoolArray, FloatArray, IntArray
from talentassess.core.errors import NormError
from talentassess.core.provenance import Provenance, hash_arrays
from talentassess.core.scores import Scores
from talentassess.core.status import Status


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class GivenScores:
    """Scores (N, D) to be normed, from whatever source; NaN where a person has none."""

    person_ids: tuple[str, ...]
    scales: tuple[str, ...]
    score: FloatArray
    se: FloatArray
    metric: str
    method: str
    group: tuple[str, ...] | None
    provenance: Provenance
    without_error: tuple[str, ...] = ()
    unsettled: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @classmethod
    def from_scores(cls, scores: Scores) -> GivenScores:
        """Take latent scores; those without answers or without a finite value become NaN."""
        known, unsettled = usable(scores)
        return cls(
            person_ids=scores.person_ids,
            scales=scores.dimensions,
            score=np.where(known, scores.theta, np.nan),
            se=np.where(known, scores.se, np.nan),
            metric=scores.metric,
            method=scores.method,
            group=scores.group,
            provenance=scores.provenance,
            unsettled=unsettled,
        )

    @classmethod
    def from_raw(
        cls,
        values: Mapping[str, ArrayLike],
        se: Mapping[str, float],
        person_ids: Sequence[str] | None,
        simulated: bool,
    ) -> GivenScores:
        """Take raw scores per scale with one standard error each; see ``apply_norms_raw``."""
        score = raw_columns(values)
        bad = [f"scale '{name}': error {error}" for name, error in se.items() if not error >= 0]
        bad += [f"scale '{name}' has an error but no scores" for name in se if name not in values]
        persons = tuple(person_ids) if person_ids is not None else tuple(str(i + 1) for i in range(len(score)))
        if len(persons) != len(score):
            bad.append(f"{len(persons)} person ids for {len(score)} scores")
        if bad:
            raise NormError("The raw scores cannot be normed; errors must be 0 or more, one id per score.", bad)
        return cls(
            person_ids=persons,
            scales=tuple(values),
            score=score,
            se=np.where(np.isnan(score), np.nan, [se.get(name, 0.0) for name in values]),
            metric="raw",
            method="raw",
            group=None,
            provenance=Provenance("raw scores", data_hash=hash_arrays(score), simulated=simulated),
            without_error=tuple(name for name in values if name not in se),
        )


def usable(scores: Scores) -> tuple[BoolArray, IntArray]:
    """Tell which scores say something about the person.

    Returns
    -------
    (N, D) True where theta is finite and rests on answers, and (D,) the number of those that did not converge.
    """
    no_answers = scores.status == Status.NO_ANSWERS
    not_ok = scores.status != Status.CONVERGED
    known = np.isfinite(scores.theta) & (scores.n_answered > 0) & ~no_answers
    return known, np.sum(known & not_ok, axis=0)


def raw_columns(values: Mapping[str, ArrayLike]) -> FloatArray:
    """Return raw scores as (N, D) with NaN where missing; text, infinities and unequal lengths raise ``NormError``."""
    columns, problems = {}, []
    for name, column in values.items():
        try:
            columns[name] = np.asarray(column, dtype=np.float64)
        except (TypeError, ValueError):
            problems.append(f"scale '{name}' holds something that is not a number")
            continue
        if columns[name].ndim != 1 or np.any(np.isinf(columns[name])):
            problems.append(f"scale '{name}' must be one column of finite numbers (NaN where missing)")
    lengths = {name: column.size for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        problems.append("; ".join(f"scale '{name}' has {size} scores" for name, size in lengths.items()))
    if problems or not columns:
        raise NormError("Raw scores are needed as scale -> one score per person.", problems or ["no scale was given"])
    return np.column_stack(list(columns.values()))

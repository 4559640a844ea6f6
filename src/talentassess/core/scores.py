"""Competency scores with their uncertainty."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.errors import ScoringError
from talentassess.core.provenance import Provenance
from talentassess.core.status import Status
from talentassess.core.tabular import Columns, Tabular


@dataclass(frozen=True, eq=False, kw_only=True)
class Scores(Tabular):
    """Scores of N persons on D dimensions.

    Attributes
    ----------
    person_ids : (N,) labels.
    dimensions : (D,) names of scales or competencies.
    theta : (N, D) scores in the metric named by ``metric``.
    cov : (N, D, D) error covariance: the posterior's for EAP and MAP, the inverse information's for ML and WLE.
    method : eap, map, ml, wle or sum-eap.
    metric : ``logit`` (latent metric of the calibration).
    status : (N, D) one Status per score.
    n_answered : (N, D) answers the score rests on.
    reliability : (D,) empirical reliability of the scores of these persons (see ``score``).
    group : (N,) label per person, or None.
    provenance : where the answers came from, and the calibration's hash among the options.
    """

    person_ids: tuple[str, ...]
    dimensions: tuple[str, ...]
    theta: FloatArray
    cov: FloatArray
    method: str
    metric: str
    status: tuple[tuple[Status, ...], ...]
    n_answered: IntArray
    reliability: FloatArray
    group: tuple[str, ...] | None = None
    provenance: Provenance = field(default_factory=lambda: Provenance("in memory"))

    def __repr__(self) -> str:
        return (
            f"Scores({len(self.person_ids)} persons, {', '.join(self.dimensions)}; {self.method}, {self.metric}, "
            f"{self.provenance.label})"
        )

    @property
    def se(self) -> FloatArray:
        """(N, D) standard error of each score."""
        return np.sqrt(np.diagonal(self.cov, axis1=1, axis2=2))

    def column(self, dimension: str) -> int:
        """Return the position of a dimension; an unknown one raises ``ScoringError``."""
        if dimension not in self.dimensions:
            raise ScoringError(f"There is no score '{dimension}'; there are: {', '.join(self.dimensions)}.")
        return self.dimensions.index(dimension)

    def tables(self) -> dict[str, Columns]:
        """Return ``scores``: per person, each dimension's score, standard error, answers behind it and status."""
        columns: dict[str, object] = {"person": list(self.person_ids)}
        if self.group is not None:
            columns["group"] = list(self.group)
        for d, name in enumerate(self.dimensions):
            columns[name] = self.theta[:, d]
            columns[f"se({name})"] = self.se[:, d]
            columns[f"answers({name})"] = self.n_answered[:, d]
            columns[f"status({name})"] = [person[d].value for person in self.status]
        return {"scores": columns}  # type: ignore[dict-item]

"""Competency scores with their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from talentassess.core.arrays import FloatArray, IntArray, StatusArray
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
    status : (N, D) one Status per score, an array of ``Status`` objects; nested tuples are turned into it.
    n_answered : (N, D) answers the score rests on.
    reliability : (D,) empirical reliability of the scores of these persons (see ``score``).
    group : (N,) label per person, or None.
    provenance : where the answers came from, and the calibration's hash among the options.
    item_cov : (N, D, D) the part of ``cov`` that is due to the item parameters being estimates, or None if ``cov``
        takes them as known (see ``score``'s item_uncertainty).

    Raises
    ------
    ScoringError : the status does not have one entry per person and dimension.
    """

    person_ids: tuple[str, ...]
    dimensions: tuple[str, ...]
    theta: FloatArray
    cov: FloatArray
    method: str
    metric: str
    status: StatusArray
    n_answered: IntArray
    reliability: FloatArray
    group: tuple[str, ...] | None = None
    provenance: Provenance = field(default_factory=lambda: Provenance("in memory"))
    item_cov: FloatArray | None = None

    def __post_init__(self) -> None:
        size = (len(self.person_ids), len(self.dimensions))
        object.__setattr__(self, "status", status_array(self.status, size))

    def __repr__(self) -> str:
        return (
            f"Scores({len(self.person_ids)} persons, {', '.join(self.dimensions)}; {self.method}, {self.metric}, "
            f"{self.provenance.label})"
        )

    @property
    def se(self) -> FloatArray:
        """(N, D) standard error of each score."""
        return np.sqrt(np.diagonal(self.cov, axis1=1, axis2=2))

    @property
    def item_se(self) -> FloatArray | None:
        """(N, D) standard error due to the item parameters alone, or None if they were taken as known."""
        return None if self.item_cov is None else np.sqrt(np.diagonal(self.item_cov, axis1=1, axis2=2))

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
        se, item_se = self.se, self.item_se
        for d, name in enumerate(self.dimensions):
            columns[name] = self.theta[:, d]
            columns[f"se({name})"] = se[:, d]
            if item_se is not None:
                columns[f"se from items({name})"] = item_se[:, d]
            columns[f"answers({name})"] = self.n_answered[:, d]
            columns[f"status({name})"] = [status.value for status in self.status[:, d]]
        return {"scores": columns}  # type: ignore[dict-item]


def status_array(status: StatusArray | Sequence[Sequence[Status]], size: tuple[int, int]) -> StatusArray:
    """Return (N, D) statuses as an array of objects; another shape raises ``ScoringError``."""
    found = np.asarray(status, dtype=np.object_)
    if found.shape != size and found.size + size[0] > 0:  # no persons: an empty tuple has no second axis
        raise ScoringError(f"The statuses have the shape {found.shape}; one per person and dimension needs {size}.")
    return found.reshape(size)

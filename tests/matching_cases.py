"""Small scores, norms and profiles for the tests of matching."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtri

from talentassess.core.errors import NormError
from talentassess.core.provenance import Provenance
from talentassess.core.scores import Scores
from talentassess.core.status import Status
from talentassess.matching import JobProfile, load_profile

# Plain one-element links, so that expected importance can be read off the O*NET tables.
LINKS = {
    "listening": [("2.A.1.b", 1.0)],
    "service": [("2.B.1.f", 1.0)],
    "dependability": [("1.C.5.a", 1.0)],
    "initiative": [("1.C.1.c", 1.0)],
    "stress": [("1.C.4.b", 1.0)],
    "science": [("2.A.1.f", 1.0)],
}
CSR = "43-4051.00"


@dataclass
class LinearNorms:
    """Norms of normal scales with a mean, an SD and one standard error for all quantiles."""

    scales: tuple[str, ...]
    mean: float = 0.0
    sd: float = 1.0
    se: float = 0.0
    metric: str = "logit"
    lowest: float = 0.5
    provenance: Provenance = field(default_factory=lambda: Provenance("test norms", "n0"))

    def quantile(self, scale: str, percent: float) -> tuple[float, float]:
        if scale not in self.scales:
            raise NormError(f"there are no norms of '{scale}'")
        if not self.lowest <= percent <= 99.5:
            raise NormError(f"percentile {percent:g} cannot be read")
        return self.mean + self.sd * float(ndtri(percent / 100)), self.se

    def standardise(self, scale: str, theta: np.ndarray) -> np.ndarray:
        self.quantile(scale, 50.0)
        return (theta - self.mean) / self.sd


def profile(*competencies: str) -> JobProfile:
    """Return the customer service profile on some of LINKS (all if none is named)."""
    return load_profile(CSR, links={c: LINKS[c] for c in competencies or LINKS})


def levelled(competencies: tuple[str, ...], cuts: tuple[float, ...], se: float = 0.0) -> JobProfile:
    """Return that profile with levels given as theta."""
    out = profile(*competencies)
    for competency, cut in zip(competencies, cuts, strict=True):
        out = out.with_standard(competency, theta=cut, se=se, source="test study")
    return out


def make_scores(theta: np.ndarray, cov: np.ndarray, dimensions: tuple[str, ...], **changes: object) -> Scores:
    """Return EAP scores p000, p001, ...; ``cov`` (D, D) for all or (N, D, D)."""
    n, d = theta.shape
    fields: dict[str, object] = {
        "person_ids": tuple(f"p{i:03d}" for i in range(n)),
        "dimensions": dimensions,
        "theta": theta,
        "cov": np.broadcast_to(cov, (n, d, d)).copy(),
        "method": "eap",
        "metric": "logit",
        "status": ((Status.CONVERGED,) * d,) * n,
        "n_answered": np.full((n, d), 10),
        "reliability": np.full(d, 0.8),
        "provenance": Provenance("test answers", "a0"),
    }
    return Scores(**(fields | changes))  # type: ignore[arg-type]


def pool(n: int, dimensions: tuple[str, ...], seed: int = 0, se: float = 0.4) -> Scores:
    """Return posterior means of n persons from N(0, R) with r = .5, posterior covariance se^2 R."""
    d = len(dimensions)
    r = 0.5 * np.eye(d) + 0.5
    theta = np.random.default_rng(seed).multivariate_normal(np.zeros(d), (1 - se**2) * r, n)
    return make_scores(theta, se**2 * r, dimensions)

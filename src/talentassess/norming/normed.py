"""People's scores relative to a norm group, with what they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from talentassess.core.arrays import FloatArray
from talentassess.core.errors import NormError
from talentassess.core.provenance import Provenance
from talentassess.core.status import Finding, finding_columns
from talentassess.core.tabular import Columns, Tabular
from talentassess.norming.conversions import StanineRule, stanine_cuts, z_to_iq, z_to_stanine, z_to_sten, z_to_t
from talentassess.norming.sampling import check_confidence

OUTSIDE = "outside the norm sample's range"
NO_SCORE = "no score"


@dataclass(frozen=True, slots=True, kw_only=True)
class NormSettings:
    """How norms are applied.

    Attributes
    ----------
    confidence : of the percentile interval.
    stanine_rule : ``half-sd`` cuts the linear z; ``4-7-12-17-20`` cuts the percentile.
    """

    confidence: float = 0.90
    stanine_rule: StanineRule = "half-sd"

    def __post_init__(self) -> None:
        check_confidence(self.confidence)
        stanine_cuts(self.stanine_rule)


@dataclass(frozen=True, eq=False, kw_only=True)
class NormedScores(Tabular):
    """Scores of N persons on D scales, relative to a norm group.

    ``z``, ``t``, ``iq``, ``sten`` (and ``stanine`` by the half-sd rule) are LINEAR: distance from the norm group's mean
    in its standard deviations. ``percentile`` and ``z_normalised`` follow the ranks. Where a person has no score, all
    are NaN and ``flags`` says so.

    Attributes
    ----------
    person_ids, scales : labels.
    score, score_se : (N, D) in the metric of the norm.
    percentile, percentile_se : (N, D) mid-point percentile, and its error in per cent.
    percentile_low, percentile_high : (N, D) limits at ``settings.confidence``.
    z, z_se : (N, D) linear z score and its error.
    z_normalised, z_normalised_se : (N, D) normal deviate of the percentile and its error.
    flags : (N, D) text: "", "outside the norm sample's range" or "no score".
    settings : confidence and stanine rule.
    population : whom the persons are compared with.
    group : (N,) label per person, or None.
    findings : what to know before using the scores.
    provenance : of the scores; SIMULATED if either scores or norms rest on simulated answers.

    All errors join the score's error of measurement and the norm's sampling error.
    """

    person_ids: tuple[str, ...]
    scales: tuple[str, ...]
    score: FloatArray
    score_se: FloatArray
    percentile: FloatArray
    percentile_se: FloatArray
    percentile_low: FloatArray
    percentile_high: FloatArray
    z: FloatArray
    z_se: FloatArray
    z_normalised: FloatArray
    z_normalised_se: FloatArray
    flags: tuple[tuple[str, ...], ...]
    settings: NormSettings
    population: str
    group: tuple[str, ...] | None
    findings: tuple[Finding, ...]
    provenance: Provenance

    def __repr__(self) -> str:
        return (
            f"NormedScores({len(self.person_ids)} persons, {', '.join(self.scales)}; compared with {self.population}; "
            f"{self.provenance.label})"
        )

    @property
    def t(self) -> FloatArray:
        """(N, D) linear T scores; their error is 10 ``z_se``."""
        return z_to_t(self.z)

    @property
    def iq(self) -> FloatArray:
        """(N, D) linear scores with mean 100 and SD 15; their error is 15 ``z_se``."""
        return z_to_iq(self.z)

    @property
    def sten(self) -> FloatArray:
        """(N, D) stens 1..10 of the linear z; before cutting, their error is 2 ``z_se``."""
        return z_to_sten(self.z)

    @property
    def stanine(self) -> FloatArray:
        """(N, D) stanines 1..9 by ``settings.stanine_rule``; before cutting, their error is 2 z errors."""
        linear = self.settings.stanine_rule == "half-sd"
        return z_to_stanine(self.z if linear else self.z_normalised, self.settings.stanine_rule)

    @property
    def note(self) -> str:
        """One sentence for print: which scores are linear, which follow the ranks, and what the errors hold."""
        stanine = "stanine" if self.settings.stanine_rule == "half-sd" else "sten"
        ranked = "percentile" if stanine == "stanine" else "percentile and stanine (4-7-12-17-20)"
        return (
            f"z, T, IQ to {stanine}: linear, from mean and SD of {self.population}; {ranked}: from the ranks in it "
            f"(mid-point). Errors join measurement and norm sampling; intervals {100 * self.settings.confidence:g} %."
        )

    def column(self, scale: str) -> int:
        """Return the position of a scale; an unknown one raises ``NormError``."""
        if scale not in self.scales:
            raise NormError(f"There is no normed scale '{scale}' here; there are: {', '.join(self.scales)}.")
        return self.scales.index(scale)

    def tables(self) -> dict[str, Columns]:
        """Return ``normed`` (a row per person and scale) and ``findings``."""
        n, d = self.score.shape
        columns: dict[str, Sequence[object] | FloatArray] = {
            "person": [person for person in self.person_ids for _ in range(d)]
        }
        if self.group is not None:
            columns["group"] = [group for group in self.group for _ in range(d)]
        columns["scale"] = list(self.scales) * n
        columns |= {name: array.ravel() for name, array in _printed(self).items()}
        columns["flag"] = [flag for person in self.flags for flag in person]
        return {"normed": columns, "findings": finding_columns(self.findings)}


def _printed(normed: NormedScores) -> dict[str, FloatArray]:
    return {
        "score": normed.score,
        "se(score)": normed.score_se,
        "percentile": normed.percentile,
        "se(percentile)": normed.percentile_se,
        "percentile low": normed.percentile_low,
        "percentile high": normed.percentile_high,
        "z": normed.z,
        "se(z)": normed.z_se,
        "T": normed.t,
        "se(T)": 10.0 * normed.z_se,
        "IQ": normed.iq,
        "se(IQ)": 15.0 * normed.z_se,
        "sten": normed.sten,
        "stanine": normed.stanine,
        "se(sten, stanine)": 2.0 * normed.z_se,
        "normalised z": normed.z_normalised,
        "se(normalised z)": normed.z_normalised_se,
        "normalised T": z_to_t(normed.z_normalised),
    }

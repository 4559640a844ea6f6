"""A norm table: its card, its scales, and the scores it turns raw or latent scores into."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from talentassess.core.arrays import FloatArray
from talentassess.core.errors import ArtefactError, NormError
from talentassess.core.files import write_whole
from talentassess.core.provenance import Provenance, hash_json
from talentassess.core.scores import Scores
from talentassess.core.status import Finding, Severity, finding_columns
from talentassess.core.tabular import Columns, Tabular
from talentassess.norming.apply import apply_norms
from talentassess.norming.card import NormCard, card_from_json
from talentassess.norming.conversions import OFFSETS, normalised_z, z_to_iq, z_to_stanine, z_to_sten, z_to_t
from talentassess.norming.normed import NormedScores, NormSettings
from talentassess.norming.sampling import normalised_z_se, percentile_interval, percentile_se, z_se
from talentassess.norming.scale_norm import ScaleNorm

SCHEMA = "talentassess/norms/1"


@dataclass(frozen=True, eq=False, kw_only=True)
class NormTable(Tabular):
    """Norms of one or more scales, with the card of the sample they rest on.

    Attributes
    ----------
    card : population, sample, dates, n, hash.
    scales : one distribution per scale.
    metric : of the scores: ``logit`` (latent) or ``raw`` (sum scores).
    confidence : of the intervals of the printed table.
    findings : what to know before using the norms.
    provenance : where the scores came from and how they were made.

    Raises
    ------
    NormError : two scales have one name, or card and provenance disagree on whether the answers are simulated.
    """

    card: NormCard
    scales: tuple[ScaleNorm, ...]
    metric: str
    findings: tuple[Finding, ...]
    provenance: Provenance
    confidence: float = 0.90

    def __post_init__(self) -> None:
        if not self.scales or len(set(self.names)) < len(self.scales):
            raise NormError(
                f"A norm table needs scales with names of their own; found: {', '.join(self.names) or 'none'}."
            )
        check_simulated(self.card, self.provenance)

    def __repr__(self) -> str:
        return (
            f"NormTable({', '.join(self.names)}; {self.metric}; {self.card.population}, {self.card.sample}, "
            f"N = {self.card.n}, {self.card.label})"
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The scales that have norms."""
        return tuple(scale.name for scale in self.scales)

    def scale(self, name: str) -> ScaleNorm:
        """Return one scale's norm; a scale without one raises ``NormError`` that names it."""
        for scale in self.scales:
            if scale.name == name:
                return scale
        raise NormError(f"There is no norm for scale '{name}' in this table; normed scales: {', '.join(self.names)}.")

    def apply(self, scores: Scores, *, settings: NormSettings | None = None) -> NormedScores:
        """Return standard scores with errors; see ``apply_norms``. A scale without norm raises ``NormError``."""
        return apply_norms(self, scores, settings=settings)

    def quantile(self, scale: str, percent: float) -> tuple[float, float]:
        """Return the score at a percentile of the norm sample and its sampling error, in the table's metric."""
        return self.scale(scale).quantile(percent)

    def standardise(self, scale: str, theta: ArrayLike) -> FloatArray:
        """Return linear z scores relative to the norm sample, theta of any shape in the table's metric."""
        return self.scale(scale).standardise(theta)

    def tables(self) -> dict[str, Columns]:
        """Return ``norms`` (a row per scale and score), ``scales``, ``card`` and ``findings``."""
        parts = [scale_rows(scale, self.confidence) for scale in self.scales]
        card = self.card.to_json()
        return {
            "norms": {key: np.concatenate([np.asarray(part[key]) for part in parts]) for key in parts[0]},
            "scales": _scale_columns(self.scales),
            "card": {"field": list(card), "value": [str(value) for value in card.values()]},
            "findings": finding_columns(self.findings),
        }

    def to_json(self) -> dict[str, object]:
        """Return the table as a JSON object with schema version and content hash."""
        content: dict[str, object] = {
            "schema": SCHEMA,
            "card": self.card.to_json(),
            "metric": self.metric,
            "confidence": self.confidence,
            "scales": [_scale_to_json(scale) for scale in self.scales],
            "findings": [asdict(finding) | {"severity": finding.severity.value} for finding in self.findings],
            "provenance": asdict(self.provenance) | {"options": dict(self.provenance.options)},
        }
        return content | {"hash": hash_json(content)}

    def save(self, path: str | Path) -> Path:
        """Write the table as one JSON file and return its path; ``load_norms`` reads it."""
        file = Path(path)
        return write_whole(file, json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n")


def table_from_json(content: object, where: str) -> NormTable:
    """Return the norm table that a JSON object holds.

    Parameters
    ----------
    content : what ``NormTable.to_json`` made.
    where : name of the file, for messages.

    Raises
    ------
    NormError : there is no card, or it is not complete.
    ArtefactError : another schema, changed content, or fields that are missing.
    """
    if not isinstance(content, Mapping) or content.get("schema") != SCHEMA:
        found = content.get("schema") if isinstance(content, Mapping) else type(content).__name__
        raise ArtefactError(f"{where}: this is not a norm table of schema {SCHEMA}; found {found!r}.")
    card = card_from_json(content.get("card"))
    stated = content.get("hash")
    actual = hash_json({key: value for key, value in content.items() if key != "hash"})
    if stated != actual:
        raise ArtefactError(
            f"{where}: the content was changed after it was saved (its hash is {actual}, the file states {stated}). "
            "Restore the file, or fit the norms again."
        )
    try:
        return NormTable(
            card=card,
            scales=tuple(ScaleNorm(**scale) for scale in content["scales"]),
            metric=content["metric"],
            confidence=content["confidence"],
            findings=tuple(Finding(**{**f, "severity": Severity(f["severity"])}) for f in content["findings"]),
            provenance=Provenance(**content["provenance"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ArtefactError(f"{where}: the norm table is not complete: {error}. Fit the norms again.") from error


def check_simulated(card: NormCard, provenance: Provenance) -> None:
    """Raise ``NormError`` unless card and provenance agree on whether the answers are simulated."""
    if card.simulated != provenance.simulated:
        raise NormError(
            f"The card says {card.label}, but the scores come from {provenance.label} ({provenance.source}). "
            f"Set simulated={provenance.simulated} on the card, or use the data that the card describes."
        )


def scale_rows(scale: ScaleNorm, confidence: float) -> Columns:
    """Return the printed norm table of one scale, one row per distinct score.

    z, T, IQ, sten and stanine are linear in the score; the normalised z scores follow the ranks; every statistic has
    its sampling error beside it.
    """
    n, percentile, z = scale.n_effective, scale.percentile, scale.standardise(scale.score)
    low, high = percentile_interval(percentile, n, confidence)
    error = z_se(z, n)
    columns: dict[str, Sequence[object] | FloatArray] = {
        "scale": [scale.name] * len(z),
        "score": scale.score,
        "se(score)": scale.quantile_errors(),
        "frequency": scale.frequency,
        "percentile": percentile,
        "se(percentile)": percentile_se(percentile, n),
        "percentile low": low,
        "percentile high": high,
        "z": z,
        "se(z)": error,
        "T": z_to_t(z),
        "se(T)": 10.0 * error,
        "IQ": z_to_iq(z),
        "se(IQ)": 15.0 * error,
        "sten": z_to_sten(z),
        "stanine": z_to_stanine(z),
        "se(sten, stanine)": 2.0 * error,
        "stanine 4-7-12-17-20": z_to_stanine(normalised_z(scale.frequency), "4-7-12-17-20"),
        "se(normalised z)": normalised_z_se(percentile, n),
    }
    for method in OFFSETS:
        normal = normalised_z(scale.frequency, method)  # type: ignore[arg-type]
        columns |= {f"z {method}": normal, f"T {method}": z_to_t(normal)}
    return columns


def _scale_columns(scales: Sequence[ScaleNorm]) -> Columns:
    return {
        "scale": [s.name for s in scales],
        "n": [s.n for s in scales],
        "effective n": [s.n_effective for s in scales],
        "mean": [s.mean for s in scales],
        "se(mean)": [s.mean_se for s in scales],
        "sd": [s.sd for s in scales],
        "se(sd)": [s.sd_se for s in scales],
        "lowest": [float(s.score[0]) for s in scales],
        "highest": [float(s.score[-1]) for s in scales],
    }


def _scale_to_json(scale: ScaleNorm) -> dict[str, object]:
    content = {field.name: getattr(scale, field.name) for field in fields(scale)}
    return {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in content.items()}

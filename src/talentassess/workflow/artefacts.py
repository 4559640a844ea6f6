"""Save and load calibrations and scores as JSON with a schema version and a content hash. Never pickle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from talentassess.core.arrays import FloatArray, StatusArray
from talentassess.core.calibration import Calibration, FreeParameters, Latent
from talentassess.core.covariates import LatentRegression
from talentassess.core.errors import ArtefactError
from talentassess.core.files import read_artefact, write_artefact, write_whole
from talentassess.core.latent_shape import FAMILIES, LatentShape
from talentassess.core.likelihood import ItemBlock
from talentassess.core.provenance import Provenance
from talentassess.core.scores import Scores
from talentassess.core.status import Finding, Severity, Status
from talentassess.core.tabular import Tabular
from talentassess.models import all_models

Form = TypeVar("Form", bound=BaseModel)

CALIBRATION, SCORES = "talentassess/calibration/1", "talentassess/scores/1"
KINDS = {"calibration": "a calibration", "scores": "scores", "report": "a report", "norms": "norms"}


def save(result: Calibration | Scores, path: str | Path) -> Path:
    """Write a calibration or scores to a JSON file and return its path.

    The file carries a schema version and a content hash; loading notices when it was edited. Infinite and missing
    numbers come back as they were.

    Raises
    ------
    ArtefactError : the file cannot be written, or the result is of another kind.
    """
    schema, packed = _packed(result)
    with _plain_failure(Path(path), "written"):
        return write_artefact(Path(path), schema, packed.model_dump(mode="json", exclude_defaults=True))


def save_table(result: Tabular, path: str | Path) -> Path:
    """Write a result's main table as CSV and return its path; SIMULATED results carry a SIMULATED column."""
    with _plain_failure(Path(path), "written"):
        return write_whole(Path(path), result.to_frame().to_csv(index=False))


def load_calibration(path: str | Path) -> Calibration:
    """Read a calibration written by ``save``; raises ``ArtefactError`` for any other or edited file."""
    return _unpack_calibration(_read(path, CALIBRATION, CalibrationFile))


def load_scores(path: str | Path) -> Scores:
    """Read scores written by ``save``; raises ``ArtefactError`` for any other or edited file."""
    return _unpack_scores(_read(path, SCORES, ScoresFile))


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class ProvenancePart(_Part):
    """Where a result comes from."""

    source: str
    data_hash: str
    simulated: bool
    version: str
    created: str
    options: dict[str, str]


class FindingPart(_Part):
    """One audit finding."""

    code: str
    severity: Severity
    where: str
    message: str
    remedy: str


class BlockPart(_Part):
    """Items of one model: positions, dimensions, parameters (Jb, P) and their covariances (Jb, P, P)."""

    model: str
    variant: str
    n_cat: int
    items: list[int]
    dims: list[int]
    par: JsonValue
    par_cov: JsonValue


class ShapePart(_Part):
    """Shape of a latent dimension that is not normal."""

    family: str
    values: JsonValue


class RegressionPart(_Part):
    """Regression of the latent dimensions on covariates."""

    names: list[str]
    beta: JsonValue
    se: JsonValue
    mean: JsonValue
    sd: JsonValue
    explained: JsonValue


class CalibrationFile(_Part):
    """A calibration as it stands in the file; NaN is null, infinities are text."""

    item_ids: list[str]
    n_cat: list[int]
    dimensions: list[str]
    blocks: list[BlockPart]
    groups: list[str]
    latent_mean: JsonValue
    latent_cov: JsonValue
    latent_shapes: list[ShapePart | None] = []
    latent_regression: RegressionPart | None = None
    free_names: list[str]
    free_values: JsonValue
    free_cov: JsonValue
    free_effects: list[tuple[str, str, str, float]] = []  # written only if parameters are composed of effects
    loglik: JsonValue
    n_persons: int
    n_steps: int
    status: str
    trace: list[JsonValue]
    audit: list[FindingPart]
    provenance: ProvenancePart


class ScoresFile(_Part):
    """Scores as they stand in the file."""

    person_ids: list[str]
    dimensions: list[str]
    theta: JsonValue
    cov: JsonValue
    method: str
    metric: str
    status: list[list[str]]
    n_answered: list[list[int]]
    reliability: JsonValue
    group: list[str] | None
    provenance: ProvenancePart
    item_cov: JsonValue = None  # written only if the scores carry it


def _packed(result: Calibration | Scores) -> tuple[str, CalibrationFile | ScoresFile]:
    if isinstance(result, Calibration):
        return CALIBRATION, _pack_calibration(result)
    if isinstance(result, Scores):
        return SCORES, _pack_scores(result)
    raise ArtefactError(
        f"A {type(result).__name__} cannot be saved this way; a calibration or scores can. Norms: save_norms(norms, "
        "folder). A report: report(result).save('x.json')."
    )


@contextmanager
def _plain_failure(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ArtefactError(
            f"'{path.name}' cannot be {what}: {error.strerror}. Check the path and its permissions."
        ) from error


def read_saved(path: str | Path) -> tuple[str, dict[str, object]]:
    """Return (schema, content) of any saved file; ``ArtefactError`` if it cannot be read or was edited."""
    with _plain_failure(Path(path), "read"):
        return read_artefact(Path(path).resolve())  # resolved, so that messages can name the folder


def _read(path: str | Path, expected: str, form: type[Form]) -> Form:
    schema, content = read_saved(path)
    if schema != expected:
        raise ArtefactError(f"{Path(path).name} holds {_in_words(schema)}. Needed here: {_in_words(expected)}.")
    try:
        return form.model_validate(content)
    except ValidationError as error:
        lines = [f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()]
        raise ArtefactError(f"{Path(path).name} does not have the fields of '{schema}'.", lines) from None


def _in_words(schema: str) -> str:
    """Return a schema as words: ``talentassess/scores/1`` -> ``scores (version 1)``."""
    kind, _, version = schema.removeprefix("talentassess/").partition("/")
    return f"{KINDS.get(kind, kind)} (version {version or 'unknown'})"


def _numbers(array: FloatArray) -> JsonValue:
    """Return nested lists; NaN becomes null and infinities text, which JSON has no numbers for."""
    if array.ndim:
        return [_numbers(part) for part in array]
    value = float(array)
    return value if np.isfinite(value) else None if np.isnan(value) else str(value)


def _array(content: JsonValue) -> FloatArray:
    def fill(part: JsonValue) -> object:
        if isinstance(part, list):
            return [fill(element) for element in part]
        return float("nan") if part is None else float(str(part))

    return np.array(fill(content), dtype=np.float64)


def _pack_provenance(p: Provenance) -> ProvenancePart:
    return ProvenancePart(**asdict(p))


def _unpack_provenance(p: ProvenancePart) -> Provenance:
    return Provenance(**p.model_dump())


def _pack_calibration(c: Calibration) -> CalibrationFile:
    return CalibrationFile(
        item_ids=list(c.item_ids),
        n_cat=c.n_cat.tolist(),
        dimensions=list(c.dimensions),
        blocks=[_pack_block(block, cov) for block, cov in zip(c.blocks, c.par_cov, strict=True)],
        groups=list(c.latent.groups),
        latent_mean=_numbers(c.latent.mean),
        latent_cov=_numbers(c.latent.cov),
        latent_shapes=[None if s is None else _pack_shape(s) for s in c.latent.shapes],
        latent_regression=None if c.latent.regression is None else _pack_regression(c.latent.regression),
        free_names=list(c.free.names),
        free_values=_numbers(c.free.values),
        free_cov=_numbers(c.free.cov),
        free_effects=list(c.free.effects),
        loglik=_numbers(np.array(c.loglik)),
        n_persons=c.n_persons,
        n_steps=c.n_steps,
        status=c.status.name,
        trace=[_numbers(np.array(part, dtype=np.float64)) for part in c.trace],
        audit=[FindingPart(**asdict(finding)) for finding in c.audit],
        provenance=_pack_provenance(c.provenance),
    )


def _pack_block(block: ItemBlock, cov: FloatArray) -> BlockPart:
    return BlockPart(
        model=block.model.name,
        variant=block.variant,
        n_cat=block.n_cat,
        items=block.items.tolist(),
        dims=list(block.dims),
        par=_numbers(block.par),
        par_cov=_numbers(cov),
    )


def _unpack_block(part: BlockPart) -> ItemBlock:
    if part.model not in all_models():
        raise ArtefactError(f"The file uses the model '{part.model}', which this version lacks; use a newer one.")
    items = np.array(part.items, dtype=np.int64)
    return ItemBlock(all_models()[part.model], part.n_cat, items, _array(part.par), tuple(part.dims), part.variant)


def _pack_shape(shape: LatentShape) -> ShapePart:
    return ShapePart(family=shape.family, values=_numbers(shape.values))


def _unpack_shape(part: ShapePart | None) -> LatentShape | None:
    if part is None:
        return None
    if part.family not in FAMILIES:
        raise ArtefactError(f"The file uses the density '{part.family}', which this version lacks; use a newer one.")
    return LatentShape(part.family, _array(part.values))


def _pack_regression(r: LatentRegression) -> RegressionPart:
    numbers = {name: _numbers(getattr(r, name)) for name in ("beta", "se", "mean", "sd", "explained")}
    return RegressionPart(names=list(r.names), **numbers)


def _unpack_regression(part: RegressionPart | None) -> LatentRegression | None:
    if part is None:
        return None
    numbers = [_array(n) for n in (part.beta, part.se, part.mean, part.sd, part.explained)]
    return LatentRegression(tuple(part.names), *numbers)


def _status(name: str) -> Status:
    if name not in Status.__members__:
        raise ArtefactError(f"The file uses the status '{name}', which this version lacks; use a newer one.")
    return Status[name]


def _unpack_calibration(f: CalibrationFile) -> Calibration:
    n_free = len(f.free_names)  # an empty matrix is an empty list in JSON, which has no shape
    return Calibration(
        item_ids=tuple(f.item_ids),
        n_cat=np.array(f.n_cat, dtype=np.int64),
        dimensions=tuple(f.dimensions),
        blocks=tuple(_unpack_block(block) for block in f.blocks),
        par_cov=tuple(_array(block.par_cov) for block in f.blocks),
        latent=Latent(
            tuple(f.groups),
            _array(f.latent_mean),
            _array(f.latent_cov),
            tuple(_unpack_shape(shape) for shape in f.latent_shapes),
            _unpack_regression(f.latent_regression),
        ),
        free=FreeParameters(
            tuple(f.free_names),
            _array(f.free_values),
            _array(f.free_cov).reshape(n_free, n_free),
            tuple(f.free_effects),
        ),
        loglik=float(_array(f.loglik)),
        n_persons=f.n_persons,
        n_steps=f.n_steps,
        status=_status(f.status),
        trace=tuple(tuple(_array(part).tolist()) for part in f.trace),
        audit=tuple(Finding(**dict(finding)) for finding in f.audit),
        provenance=_unpack_provenance(f.provenance),
    )


def _pack_scores(s: Scores) -> ScoresFile:
    return ScoresFile(
        person_ids=list(s.person_ids),
        dimensions=list(s.dimensions),
        theta=_numbers(s.theta),
        cov=_numbers(s.cov),
        method=s.method,
        metric=s.metric,
        status=[[status.name for status in person] for person in s.status],
        n_answered=s.n_answered.tolist(),
        reliability=_numbers(s.reliability),
        group=None if s.group is None else list(s.group),
        provenance=_pack_provenance(s.provenance),
        item_cov=None if s.item_cov is None else _numbers(s.item_cov),
    )


def _unpack_scores(f: ScoresFile) -> Scores:
    return Scores(
        person_ids=tuple(f.person_ids),
        dimensions=tuple(f.dimensions),
        theta=_array(f.theta),
        cov=_array(f.cov),
        method=f.method,
        metric=f.metric,
        status=_statuses(f.status),
        n_answered=np.array(f.n_answered, dtype=np.int64),
        reliability=_array(f.reliability),
        group=None if f.group is None else tuple(f.group),
        provenance=_unpack_provenance(f.provenance),
        item_cov=None if f.item_cov is None else _array(f.item_cov),
    )


def _statuses(names: list[list[str]]) -> StatusArray:
    out: StatusArray = np.array([[_status(name) for name in person] for person in names], dtype=np.object_)
    return out

"""A report as a JSON file with schema and content hash, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, cast

from talentassess.core.errors import ArtefactError, TalentAssessError
from talentassess.core.files import read_artefact
from talentassess.core.provenance import hash_json
from talentassess.core.status import Finding, Severity
from talentassess.core.version import VERSION
from talentassess.render.blocks import (
    Block,
    Callout,
    Claim,
    ClaimBlock,
    FigureBlock,
    FindingBlock,
    Paragraph,
    TableBlock,
)
from talentassess.render.doc import ReportDoc, Section

SCHEMA = "talentassess/report/1"
KINDS = {
    Paragraph: "paragraph",
    TableBlock: "table",
    FigureBlock: "figure",
    FindingBlock: "findings",
    Callout: "callout",
    ClaimBlock: "claims",
}


def render_json(doc: ReportDoc) -> str:
    """Return the report as JSON text: schema, mark, version, hash of the content, content.

    Infinite numbers are written as ``{"number": "inf"}``, because JSON has none; missing cells are null.
    """
    mark = "SIMULATED" if doc.simulated else "real answers"
    content = {"mark": mark, "version": VERSION, "report": _plain(doc)}
    sealed = {"schema": SCHEMA, "content_hash": hash_json(content), **content}
    return json.dumps(sealed, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _plain(node: object) -> object:
    if is_dataclass(node):
        kind = {"kind": KINDS[type(node)]} if type(node) in KINDS else {}
        return kind | {f.name: _plain(getattr(node, f.name)) for f in fields(node)}
    if isinstance(node, Enum):
        return node.value
    if isinstance(node, Mapping):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, tuple | list):
        return [_plain(value) for value in node]
    if isinstance(node, float) and math.isinf(node):
        return {"number": "inf" if node > 0 else "-inf"}
    return node


def load_report(path: str | Path) -> ReportDoc:
    """Read a report that was saved as JSON.

    Raises
    ------
    ArtefactError : no such file, not a report, another schema, or content that does not match its hash.

    Examples
    --------
    >>> load_report("missing.json")
    Traceback (most recent call last):
    talentassess.core.errors.ArtefactError: There is no file missing.json in ...
    """
    name = Path(path).name
    schema, content = read_artefact(Path(path))
    if schema != SCHEMA:
        raise ArtefactError(
            f"{name} has the schema '{schema}'; a report has '{SCHEMA}'. Choose a report that was saved as JSON, "
            "or use the talentassess version that wrote it."
        )
    try:
        return _doc(cast("dict[str, Any]", content["report"]))
    except (KeyError, TypeError, ValueError, TalentAssessError) as error:
        raise ArtefactError(f"{name} is not a complete report: {error}") from error


def _doc(raw: dict[str, Any]) -> ReportDoc:
    return ReportDoc(**raw | {"sections": tuple(_section(section) for section in raw["sections"])})


def _section(raw: dict[str, Any]) -> Section:
    return Section(**raw | {"blocks": tuple(_block(block) for block in raw["blocks"])})


def _block(raw: dict[str, Any]) -> Block:
    return _READERS[raw["kind"]]({key: value for key, value in raw.items() if key != "kind"})


def _table(raw: dict[str, Any]) -> TableBlock:
    columns = {name: [_cell(value) for value in column] for name, column in raw["columns"].items()}
    return TableBlock(**raw | {"columns": columns})


def _cell(value: object) -> object:
    return float(value["number"]) if isinstance(value, dict) else value


def _figure(raw: dict[str, Any]) -> FigureBlock:
    table = raw["data_table"]
    inner = None if table is None else _table({key: value for key, value in table.items() if key != "kind"})
    return FigureBlock(**raw | {"data_table": inner})


def _findings(raw: dict[str, Any]) -> FindingBlock:
    found = tuple(Finding(**f | {"severity": Severity(f["severity"])}) for f in raw["findings"])
    return FindingBlock(**raw | {"findings": found})


_READERS: dict[str, Callable[[dict[str, Any]], Block]] = {
    "paragraph": lambda raw: Paragraph(**raw),
    "table": _table,
    "figure": _figure,
    "findings": _findings,
    "callout": lambda raw: Callout(**raw | {"severity": Severity(raw["severity"])}),
    "claims": lambda raw: ClaimBlock(**raw | {"claims": tuple(Claim(**claim) for claim in raw["claims"])}),
}

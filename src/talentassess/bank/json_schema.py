"""The JSON Schemas of the content files, so that editors and other programs can check them too."""

from __future__ import annotations

import json
from pathlib import Path

from talentassess.bank.card import BankCard
from talentassess.bank.competency import CompetencyModel
from talentassess.bank.contexts import RoleContexts
from talentassess.bank.interview import CompetencyInterview, InterviewCard
from talentassess.bank.records import Record
from talentassess.bank.schema import SelfReportFile, SituationalFile
from talentassess.bank.traceability import TraceabilityFile
from talentassess.core.files import write_whole

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schemas() -> dict[str, dict[str, object]]:
    """Return the JSON Schema of each content file, by the file's name without its ending.

    They hold the types, allowed values and required fields. What ties fields and files together (a scale that must
    exist, weights that add up to 1, key all options or none) only ``load_bank`` and ``load_competencies`` check.

    Examples
    --------
    >>> list(json_schemas())
    ['competencies', 'bank', 'self_report', 'sjt', 'interview_bank', 'interview', 'contexts', 'traceability']
    """
    files: dict[str, type[Record]] = {
        "competencies": CompetencyModel,
        "bank": BankCard,
        "self_report": SelfReportFile,
        "sjt": SituationalFile,
        "interview_bank": InterviewCard,
        "interview": CompetencyInterview,
        "contexts": RoleContexts,
        "traceability": TraceabilityFile,
    }
    return {name: {"$schema": DIALECT, **model.model_json_schema(by_alias=True)} for name, model in files.items()}


def write_json_schemas(folder: str | Path) -> tuple[Path, ...]:
    """Write the JSON Schemas to ``<folder>/<name>.schema.json``; return the files written."""
    target = Path(folder)
    written: list[Path] = []
    for name, schema in json_schemas().items():
        path = target / f"{name}.schema.json"
        written.append(write_whole(path, json.dumps(schema, indent=2, ensure_ascii=False) + "\n"))
    return tuple(written)

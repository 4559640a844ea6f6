"""Turn a saved file, whatever it holds, into a report."""

from __future__ import annotations

from pathlib import Path

from talentassess.core.files import read_artefact
from talentassess.render.doc import ReportDoc
from talentassess.render.json_file import load_report
from talentassess.workflow.artefacts import CALIBRATION, SCORES, load_calibration, load_scores
from talentassess.workflow.report import report


def report_of_file(path: str | Path) -> ReportDoc:
    """Return the report of a saved calibration or scores, or the saved report itself; else ``ArtefactError``."""
    schema, _ = read_artefact(Path(path))
    if schema == CALIBRATION:
        return report(load_calibration(path))
    if schema == SCORES:
        return report(load_scores(path))
    return load_report(path)

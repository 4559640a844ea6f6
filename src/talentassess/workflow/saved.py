"""Turn something saved, whatever it holds, into a report."""

from __future__ import annotations

from pathlib import Path

from talentassess.norming import load_norms
from talentassess.render.doc import ReportDoc
from talentassess.render.json_file import load_report
from talentassess.workflow.artefacts import CALIBRATION, SCORES, load_calibration, load_scores, read_saved
from talentassess.workflow.interview_guide import GUIDE, load_guide
from talentassess.workflow.report import report


def report_of_file(path: str | Path) -> ReportDoc:
    """Return the report of a saved calibration, scores, interview guide or folder of norms, or the saved report itself.

    Raises
    ------
    ArtefactError, NormError : nothing is there, it is none of these, or it was changed after it was saved.
    """
    if Path(path).is_dir():
        return report(load_norms(path))
    if _is_norm_file(Path(path)):
        return report(load_norms(path))
    schema, _ = read_saved(path)
    if schema == CALIBRATION:
        return report(load_calibration(path))
    if schema == SCORES:
        return report(load_scores(path))
    if schema == GUIDE:
        return report(load_guide(path))
    return load_report(path)


def _is_norm_file(path: Path) -> bool:
    """Return True for a norm table saved as one file, whose hash covers its schema name as well."""
    return path.is_file() and '"schema": "talentassess/norms/' in path.read_bytes()[:200].decode(errors="ignore")

"""One verb for every result: ``report(result)`` gives a ReportDoc that saves as HTML, PDF, XLSX or JSON."""

from __future__ import annotations

from talentassess.core.calibration import Calibration
from talentassess.core.errors import ReportError
from talentassess.core.scores import Scores
from talentassess.ctt import ItemAnalysis
from talentassess.norming import NormTable
from talentassess.panel import PanelReview
from talentassess.render.doc import ReportDoc, compose_report
from talentassess.workflow.pool import PoolComparison
from talentassess.workflow.report_panel import panel_report
from talentassess.workflow.report_parts import calibration_sections, item_sections, norm_sections, score_sections
from talentassess.workflow.report_pool import pool_report
from talentassess.workflow.report_study import study_report
from talentassess.workflow.study import Study

Reportable = Study | PoolComparison | ItemAnalysis | Calibration | Scores | NormTable | PanelReview


def report(result: Reportable, *, title: str | None = None) -> ReportDoc:
    """Turn a result into a report.

    Parameters
    ----------
    result : a study, a pool comparison, an item analysis, a calibration, scores, norms or a panel review.
    title : printed on top; a plain one is made if left out.

    Returns
    -------
    ReportDoc; ``.save("x.html")``, ``.pdf``, ``.xlsx`` or ``.json`` writes it.

    Raises
    ------
    ReportError : there is no report for this kind of result.

    Examples
    --------
    >>> import talentassess as ta
    >>> answers = ta.simulate(ta.load_bank("service_core"), 100, seed=1).select(["ow_sr_01", "ow_sr_02", "ow_sr_03"])
    >>> doc = ta.report(ta.analyze_items(answers))
    >>> doc.title, doc.simulated
    ('Item analysis', True)
    """
    if isinstance(result, Study):
        return study_report(result, title or f"Pilot study: {result.bank.title}")
    if isinstance(result, PoolComparison):
        return pool_report(result, title or f"Applicants and role: {result.matches.profile.title}")
    if isinstance(result, ItemAnalysis):
        return compose_report(title or "Item analysis", item_sections(result), sources=[result.provenance])
    if isinstance(result, Calibration):
        return compose_report(title or "Calibration", calibration_sections(result), sources=[result.provenance])
    if isinstance(result, Scores):
        return compose_report(title or "Scores", score_sections(result), sources=[result.provenance])
    if isinstance(result, NormTable):
        return compose_report(title or "Norms", norm_sections(result), sources=[result.provenance])
    if isinstance(result, PanelReview):
        return panel_report(result, title or f"Panel of experts: {result.ratings.bank}")
    kinds = "a study, a pool comparison, an item analysis, a calibration, scores, norms or a panel review"
    raise ReportError(f"There is no report for a {type(result).__name__}; there is one for {kinds}.")

"""One verb for every result: ``report(result)`` gives a ReportDoc that saves as HTML, PDF, XLSX or JSON."""

from __future__ import annotations

from functools import singledispatch

from talentassess.assembly import ForcedChoiceForm
from talentassess.bank.check import BankCheck
from talentassess.bank.interview_check import InterviewBankCheck
from talentassess.core.calibration import Calibration
from talentassess.core.errors import ReportError
from talentassess.core.scores import Scores
from talentassess.ctt import ItemAnalysis
from talentassess.interview import InterviewGuide, InterviewScores, MultiMethodProfile, RaterReview
from talentassess.norming import NormTable
from talentassess.panel import PanelReview
from talentassess.render.doc import ReportDoc, compose_report
from talentassess.workflow.pool import PoolComparison
from talentassess.workflow.report_bank import bank_report
from talentassess.workflow.report_forced_choice import forced_choice_report
from talentassess.workflow.report_interview import guide_report, interview_scores_report, multi_method_report
from talentassess.workflow.report_interview_bank import interview_bank_report
from talentassess.workflow.report_panel import panel_report
from talentassess.workflow.report_parts import calibration_sections, item_sections, norm_sections, score_sections
from talentassess.workflow.report_pool import pool_report
from talentassess.workflow.report_raters import rater_report
from talentassess.workflow.report_study import study_report
from talentassess.workflow.study import Study

Reportable = (
    Study
    | PoolComparison
    | ItemAnalysis
    | Calibration
    | Scores
    | NormTable
    | BankCheck
    | InterviewBankCheck
    | ForcedChoiceForm
    | InterviewGuide
    | InterviewScores
    | MultiMethodProfile
    | PanelReview
    | RaterReview
)


def report(result: Reportable, *, title: str | None = None) -> ReportDoc:
    """Turn a result into a report.

    Parameters
    ----------
    result : a study, a pool comparison, an item analysis, a calibration, scores, norms, a check of a bank, a
        forced-choice form, an interview guide, interview scores, several methods in one profile, or a panel
        review.
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
    return _document(result, title)


@singledispatch
def _document(result: object, title: str | None) -> ReportDoc:
    known = ", ".join(sorted(kind.__name__ for kind in _document.registry if kind is not object))
    raise ReportError(f"There is no report for a {type(result).__name__}; there is one for: {known}.")


@_document.register
def _(result: Study, title: str | None) -> ReportDoc:
    return study_report(result, title or f"Pilot study: {result.bank.title}")


@_document.register
def _(result: PoolComparison, title: str | None) -> ReportDoc:
    return pool_report(result, title or f"Applicants and role: {result.matches.profile.title}")


@_document.register
def _(result: ItemAnalysis, title: str | None) -> ReportDoc:
    return compose_report(title or "Item analysis", item_sections(result), sources=[result.provenance])


@_document.register
def _(result: Calibration, title: str | None) -> ReportDoc:
    return compose_report(title or "Calibration", calibration_sections(result), sources=[result.provenance])


@_document.register
def _(result: Scores, title: str | None) -> ReportDoc:
    return compose_report(title or "Scores", score_sections(result), sources=[result.provenance])


@_document.register
def _(result: NormTable, title: str | None) -> ReportDoc:
    return compose_report(title or "Norms", norm_sections(result), sources=[result.provenance])


@_document.register
def _(result: BankCheck, title: str | None) -> ReportDoc:
    return bank_report(result, title or f"Content review: {result.bank.title}")


@_document.register
def _(result: InterviewBankCheck, title: str | None) -> ReportDoc:
    return interview_bank_report(result, title or f"Content review: {result.bank.title}")


@_document.register
def _(result: ForcedChoiceForm, title: str | None) -> ReportDoc:
    return forced_choice_report(result, title or "Forced-choice form")


@_document.register
def _(result: InterviewGuide, title: str | None) -> ReportDoc:
    return guide_report(result, title)


@_document.register
def _(result: InterviewScores, title: str | None) -> ReportDoc:
    return interview_scores_report(result, title)


@_document.register
def _(result: MultiMethodProfile, title: str | None) -> ReportDoc:
    return multi_method_report(result, title)


@_document.register
def _(result: PanelReview, title: str | None) -> ReportDoc:
    return panel_report(result, title or f"Panel of experts: {result.ratings.bank}")


@_document.register
def _(result: RaterReview, title: str | None) -> ReportDoc:
    return rater_report(result, title or "Interview raters")

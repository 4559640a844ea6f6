"""talentassess: from answers to defensible competency scores and job matches, with the uncertainty kept in sight.

>>> import talentassess as ta
>>> ta.load_bank("service_core")
ItemBank(service_core 0.1.0, 5 scales, 50 self-report + 20 situational items)

Every name loads its module on first use, so importing the package is light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from talentassess.core.version import VERSION as __version__  # noqa: N811

if TYPE_CHECKING:
    from talentassess.agreement.content import content_validity
    from talentassess.agreement.facet_records import RaterSeverity
    from talentassess.agreement.facets import rater_severity
    from talentassess.agreement.gtheory import generalizability
    from talentassess.agreement.icc import intraclass_correlation
    from talentassess.agreement.krippendorff import krippendorff_alpha
    from talentassess.agreement.ratings import Ratings
    from talentassess.agreement.reading import read_ratings
    from talentassess.agreement.within_group import within_group_agreement
    from talentassess.assembly import (
        ForcedChoiceDesign,
        ForcedChoiceForm,
        build_forced_choice,
        load_forced_choice,
        score_forced_choice,
    )
    from talentassess.bank.answer_file import AnswerFile, open_responses
    from talentassess.bank.answers import RawAnswers
    from talentassess.bank.blind_rules import BlindRules, apply_blind_rules, draw_blind_read
    from talentassess.bank.check import BankCheck, check_bank
    from talentassess.bank.diff import BankDiff, compare_banks
    from talentassess.bank.history import History, advance_items, load_history, record_history
    from talentassess.bank.interview import InterviewBank
    from talentassess.bank.interview_check import check_interview_bank
    from talentassess.bank.interview_load import interview_bank_names, load_interview_bank
    from talentassess.bank.keys import derive_keys
    from talentassess.bank.load import bank_names, load_bank, load_competencies, load_contexts
    from talentassess.bank.save import save_bank
    from talentassess.bank.schema import ItemBank
    from talentassess.bank.tables import key_responses, read_answers, read_responses
    from talentassess.bank.traceability import Traceability, load_claims, trace_claims
    from talentassess.calibration import BetaPrior, Composed, Equal, Fixed, LogNormalPrior, NormalPrior, calibrate
    from talentassess.calibration.crosscheck import cross_check
    from talentassess.calibration.density_choice import DensityComparison, compare_densities
    from talentassess.calibration.exploratory import DimensionExploration, explore_dimensions
    from talentassess.calibration.mhrm import RobbinsMonro
    from talentassess.calibration.stochastic import calibrate_loadings
    from talentassess.core.calibration import Calibration
    from talentassess.core.errors import TalentAssessError
    from talentassess.core.ipsative import IpsativeScores
    from talentassess.core.responses import Responses
    from talentassess.core.scores import Scores
    from talentassess.core.status import Finding, Severity, Status
    from talentassess.ctt import ItemAnalysis, OptionSettings, analyze_items, analyze_options
    from talentassess.interview import (
        InterviewGuide,
        InterviewRatings,
        InterviewScores,
        MultiMethodProfile,
        RaterReview,
        combine_methods,
        composite_reliability,
        read_interview_ratings,
        review_raters,
        score_interview,
    )
    from talentassess.linking import (
        DriftTable,
        EquatingTable,
        Link,
        LinkGrid,
        chain_links,
        equate_observed_scores,
        equate_true_scores,
        link_scales,
        parameter_drift,
    )
    from talentassess.matching import (
        JobProfile,
        Matches,
        StandardPolicy,
        find_occupations,
        load_profile,
        match,
        probability_above,
    )
    from talentassess.models import model_names
    from talentassess.norming import NormCard, NormTable, fit_norms, load_norms, norm_card, save_norms
    from talentassess.panel import ExpertRatings, PanelReview, PanelSettings, consensus_key, review_panel
    from talentassess.render.doc import ReportDoc
    from talentassess.scoring import score, sum_score_table
    from talentassess.scoring.curves import characteristic_curves
    from talentassess.scoring.plausible import PlausibleValues, plausible_values
    from talentassess.scoring.pooling import pool_estimates
    from talentassess.scoring.service import prepare_scorer
    from talentassess.workflow.artefacts import load_calibration, load_scores, save
    from talentassess.workflow.content_review import review_bank, review_interview_bank, trace_content
    from talentassess.workflow.interview_forms import RatingForm, rating_form, read_rating_forms
    from talentassess.workflow.interview_guide import build_guide, load_guide, save_guide
    from talentassess.workflow.pool import PoolComparison, compare_pool
    from talentassess.workflow.rating_book import rating_workbook
    from talentassess.workflow.rating_book_reader import read_expert_ratings
    from talentassess.workflow.report import report
    from talentassess.workflow.report_forced_choice import questionnaire
    from talentassess.workflow.simulate import simulate
    from talentassess.workflow.study import NormGroup, Study, run_study

_HOME = {
    "talentassess.agreement.content": ("content_validity",),
    "talentassess.agreement.facet_records": ("RaterSeverity",),
    "talentassess.agreement.facets": ("rater_severity",),
    "talentassess.agreement.gtheory": ("generalizability",),
    "talentassess.agreement.icc": ("intraclass_correlation",),
    "talentassess.agreement.krippendorff": ("krippendorff_alpha",),
    "talentassess.agreement.ratings": ("Ratings",),
    "talentassess.agreement.reading": ("read_ratings",),
    "talentassess.agreement.within_group": ("within_group_agreement",),
    "talentassess.assembly": (
        "ForcedChoiceDesign",
        "ForcedChoiceForm",
        "build_forced_choice",
        "load_forced_choice",
        "score_forced_choice",
    ),
    "talentassess.bank.answer_file": ("AnswerFile", "open_responses"),
    "talentassess.bank.answers": ("RawAnswers",),
    "talentassess.bank.blind_rules": ("BlindRules", "apply_blind_rules", "draw_blind_read"),
    "talentassess.bank.check": ("BankCheck", "check_bank"),
    "talentassess.bank.diff": ("BankDiff", "compare_banks"),
    "talentassess.bank.history": ("History", "advance_items", "load_history", "record_history"),
    "talentassess.bank.interview": ("InterviewBank",),
    "talentassess.bank.interview_check": ("check_interview_bank",),
    "talentassess.bank.interview_load": ("interview_bank_names", "load_interview_bank"),
    "talentassess.bank.keys": ("derive_keys",),
    "talentassess.bank.load": ("bank_names", "load_bank", "load_competencies", "load_contexts"),
    "talentassess.bank.save": ("save_bank",),
    "talentassess.bank.schema": ("ItemBank",),
    "talentassess.bank.tables": ("key_responses", "read_answers", "read_responses"),
    "talentassess.bank.traceability": ("Traceability", "load_claims", "trace_claims"),
    "talentassess.calibration": (
        "BetaPrior",
        "Composed",
        "Equal",
        "Fixed",
        "LogNormalPrior",
        "NormalPrior",
        "calibrate",
    ),
    "talentassess.calibration.crosscheck": ("cross_check",),
    "talentassess.calibration.density_choice": ("DensityComparison", "compare_densities"),
    "talentassess.calibration.exploratory": ("DimensionExploration", "explore_dimensions"),
    "talentassess.calibration.mhrm": ("RobbinsMonro",),
    "talentassess.calibration.stochastic": ("calibrate_loadings",),
    "talentassess.core.calibration": ("Calibration",),
    "talentassess.core.errors": ("TalentAssessError",),
    "talentassess.core.ipsative": ("IpsativeScores",),
    "talentassess.core.responses": ("Responses",),
    "talentassess.core.scores": ("Scores",),
    "talentassess.core.status": ("Finding", "Severity", "Status"),
    "talentassess.ctt": ("ItemAnalysis", "OptionSettings", "analyze_items", "analyze_options"),
    "talentassess.interview": (
        "InterviewGuide",
        "InterviewRatings",
        "InterviewScores",
        "MultiMethodProfile",
        "RaterReview",
        "combine_methods",
        "composite_reliability",
        "read_interview_ratings",
        "review_raters",
        "score_interview",
    ),
    "talentassess.linking": (
        "DriftTable",
        "EquatingTable",
        "Link",
        "LinkGrid",
        "chain_links",
        "equate_observed_scores",
        "equate_true_scores",
        "link_scales",
        "parameter_drift",
    ),
    "talentassess.matching": (
        "JobProfile",
        "Matches",
        "StandardPolicy",
        "find_occupations",
        "load_profile",
        "match",
        "probability_above",
    ),
    "talentassess.models": ("model_names",),
    "talentassess.norming": ("NormCard", "NormTable", "fit_norms", "load_norms", "norm_card", "save_norms"),
    "talentassess.panel": ("ExpertRatings", "PanelReview", "PanelSettings", "consensus_key", "review_panel"),
    "talentassess.render.doc": ("ReportDoc",),
    "talentassess.scoring": ("score", "sum_score_table"),
    "talentassess.scoring.curves": ("characteristic_curves",),
    "talentassess.scoring.plausible": ("PlausibleValues", "plausible_values"),
    "talentassess.scoring.pooling": ("pool_estimates",),
    "talentassess.scoring.service": ("prepare_scorer",),
    "talentassess.workflow.artefacts": ("load_calibration", "load_scores", "save"),
    "talentassess.workflow.content_review": ("review_bank", "review_interview_bank", "trace_content"),
    "talentassess.workflow.interview_forms": ("RatingForm", "rating_form", "read_rating_forms"),
    "talentassess.workflow.interview_guide": ("build_guide", "load_guide", "save_guide"),
    "talentassess.workflow.pool": ("PoolComparison", "compare_pool"),
    "talentassess.workflow.rating_book": ("rating_workbook",),
    "talentassess.workflow.rating_book_reader": ("read_expert_ratings",),
    "talentassess.workflow.report": ("report",),
    "talentassess.workflow.report_forced_choice": ("questionnaire",),
    "talentassess.workflow.simulate": ("simulate",),
    "talentassess.workflow.study": ("NormGroup", "Study", "run_study"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "AnswerFile",
    "BankCheck",
    "BankDiff",
    "BetaPrior",
    "BlindRules",
    "Calibration",
    "Composed",
    "DensityComparison",
    "DimensionExploration",
    "DriftTable",
    "Equal",
    "EquatingTable",
    "ExpertRatings",
    "Finding",
    "Fixed",
    "ForcedChoiceDesign",
    "ForcedChoiceForm",
    "History",
    "InterviewBank",
    "InterviewGuide",
    "InterviewRatings",
    "InterviewScores",
    "IpsativeScores",
    "ItemAnalysis",
    "ItemBank",
    "JobProfile",
    "Link",
    "LinkGrid",
    "LogNormalPrior",
    "Matches",
    "MultiMethodProfile",
    "NormCard",
    "NormGroup",
    "NormTable",
    "NormalPrior",
    "OptionSettings",
    "PanelReview",
    "PanelSettings",
    "PlausibleValues",
    "PoolComparison",
    "RaterReview",
    "RaterSeverity",
    "RatingForm",
    "Ratings",
    "RawAnswers",
    "ReportDoc",
    "Responses",
    "RobbinsMonro",
    "Scores",
    "Severity",
    "StandardPolicy",
    "Status",
    "Study",
    "TalentAssessError",
    "Traceability",
    "__version__",
    "advance_items",
    "analyze_items",
    "analyze_options",
    "apply_blind_rules",
    "bank_names",
    "build_forced_choice",
    "build_guide",
    "calibrate",
    "calibrate_loadings",
    "chain_links",
    "characteristic_curves",
    "check_bank",
    "check_interview_bank",
    "combine_methods",
    "compare_banks",
    "compare_densities",
    "compare_pool",
    "composite_reliability",
    "consensus_key",
    "content_validity",
    "cross_check",
    "derive_keys",
    "draw_blind_read",
    "equate_observed_scores",
    "equate_true_scores",
    "explore_dimensions",
    "find_occupations",
    "fit_norms",
    "generalizability",
    "interview_bank_names",
    "intraclass_correlation",
    "key_responses",
    "krippendorff_alpha",
    "link_scales",
    "load_bank",
    "load_calibration",
    "load_claims",
    "load_competencies",
    "load_contexts",
    "load_forced_choice",
    "load_guide",
    "load_history",
    "load_interview_bank",
    "load_norms",
    "load_profile",
    "load_scores",
    "match",
    "model_names",
    "norm_card",
    "open_responses",
    "parameter_drift",
    "plausible_values",
    "pool_estimates",
    "prepare_scorer",
    "probability_above",
    "questionnaire",
    "rater_severity",
    "rating_form",
    "rating_workbook",
    "read_answers",
    "read_expert_ratings",
    "read_interview_ratings",
    "read_rating_forms",
    "read_ratings",
    "read_responses",
    "record_history",
    "report",
    "review_bank",
    "review_interview_bank",
    "review_panel",
    "review_raters",
    "run_study",
    "save",
    "save_bank",
    "save_guide",
    "save_norms",
    "score",
    "score_forced_choice",
    "score_interview",
    "simulate",
    "sum_score_table",
    "trace_claims",
    "trace_content",
    "within_group_agreement",
]


def __getattr__(name: str) -> object:
    """Load a public name's module when it is first used (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'talentassess' has no attribute '{name}'")
    value: object = getattr(importlib.import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return list(__all__)

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
    from talentassess.agreement import (
        RaterSeverity,
        Ratings,
        content_validity,
        generalizability,
        intraclass_correlation,
        krippendorff_alpha,
        rater_severity,
        read_ratings,
        within_group_agreement,
    )
    from talentassess.bank.answer_file import AnswerFile, open_responses
    from talentassess.bank.answers import RawAnswers
    from talentassess.bank.check import check_bank
    from talentassess.bank.keys import derive_keys
    from talentassess.bank.load import bank_names, load_bank, load_competencies
    from talentassess.bank.save import save_bank
    from talentassess.bank.schema import ItemBank
    from talentassess.bank.tables import key_responses, read_answers, read_responses
    from talentassess.calibration import BetaPrior, Composed, Equal, Fixed, LogNormalPrior, NormalPrior, calibrate
    from talentassess.calibration.crosscheck import cross_check
    from talentassess.calibration.density_choice import DensityComparison, compare_densities
    from talentassess.calibration.exploratory import DimensionExploration, explore_dimensions
    from talentassess.calibration.mhrm import RobbinsMonro
    from talentassess.calibration.stochastic import calibrate_loadings
    from talentassess.core.calibration import Calibration
    from talentassess.core.errors import TalentAssessError
    from talentassess.core.responses import Responses
    from talentassess.core.scores import Scores
    from talentassess.core.status import Finding, Severity, Status
    from talentassess.ctt import ItemAnalysis, OptionSettings, analyze_items, analyze_options
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
    from talentassess.workflow.pool import PoolComparison, compare_pool
    from talentassess.workflow.rating_book import rating_workbook
    from talentassess.workflow.rating_book_reader import read_expert_ratings
    from talentassess.workflow.report import report
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
    "talentassess.bank.answer_file": ("AnswerFile", "open_responses"),
    "talentassess.bank.answers": ("RawAnswers",),
    "talentassess.bank.check": ("check_bank",),
    "talentassess.bank.keys": ("derive_keys",),
    "talentassess.bank.load": ("bank_names", "load_bank", "load_competencies"),
    "talentassess.bank.save": ("save_bank",),
    "talentassess.bank.schema": ("ItemBank",),
    "talentassess.bank.tables": ("key_responses", "read_answers", "read_responses"),
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
    "talentassess.core.responses": ("Responses",),
    "talentassess.core.scores": ("Scores",),
    "talentassess.core.status": ("Finding", "Severity", "Status"),
    "talentassess.ctt": ("ItemAnalysis", "OptionSettings", "analyze_items", "analyze_options"),
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
    "talentassess.workflow.pool": ("PoolComparison", "compare_pool"),
    "talentassess.workflow.rating_book": ("rating_workbook",),
    "talentassess.workflow.rating_book_reader": ("read_expert_ratings",),
    "talentassess.workflow.report": ("report",),
    "talentassess.workflow.simulate": ("simulate",),
    "talentassess.workflow.study": ("NormGroup", "Study", "run_study"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "AnswerFile",
    "BetaPrior",
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
    "ItemAnalysis",
    "ItemBank",
    "JobProfile",
    "Link",
    "LinkGrid",
    "LogNormalPrior",
    "Matches",
    "NormCard",
    "NormGroup",
    "NormTable",
    "NormalPrior",
    "OptionSettings",
    "PanelReview",
    "PanelSettings",
    "PlausibleValues",
    "PoolComparison",
    "RaterSeverity",
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
    "__version__",
    "analyze_items",
    "analyze_options",
    "bank_names",
    "calibrate",
    "calibrate_loadings",
    "chain_links",
    "characteristic_curves",
    "check_bank",
    "compare_densities",
    "compare_pool",
    "consensus_key",
    "content_validity",
    "cross_check",
    "derive_keys",
    "equate_observed_scores",
    "equate_true_scores",
    "explore_dimensions",
    "find_occupations",
    "fit_norms",
    "generalizability",
    "intraclass_correlation",
    "key_responses",
    "krippendorff_alpha",
    "link_scales",
    "load_bank",
    "load_calibration",
    "load_competencies",
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
    "rater_severity",
    "rating_workbook",
    "read_answers",
    "read_expert_ratings",
    "read_ratings",
    "read_responses",
    "report",
    "review_panel",
    "run_study",
    "save",
    "save_bank",
    "save_norms",
    "score",
    "simulate",
    "sum_score_table",
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

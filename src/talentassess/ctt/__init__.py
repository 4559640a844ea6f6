"""Classical item analysis: item statistics, reliability, option analysis, and flags that say why."""

from talentassess.ctt.analysis import analyze_items
from talentassess.ctt.flags import FlagRules
from talentassess.ctt.options import OptionAnalysis, OptionSettings, analyze_options
from talentassess.ctt.records import CategoryStatistics, GroupShare, ItemAnalysis, ItemStatistics, ScaleStatistics

__all__ = [
    "CategoryStatistics",
    "FlagRules",
    "GroupShare",
    "ItemAnalysis",
    "ItemStatistics",
    "OptionAnalysis",
    "OptionSettings",
    "ScaleStatistics",
    "analyze_items",
    "analyze_options",
]

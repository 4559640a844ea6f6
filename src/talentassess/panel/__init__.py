"""Panels of subject-matter experts: what they rated, how far they agree, and the key that follows.

Follow a rating through the files: ``forms`` and ``long_table`` (reading), ``ratings`` (the record), ``options``,
``concordance``, ``experts`` and ``review`` (the statistics), ``settings`` and ``verdicts`` (the declared limits),
``consensus`` (the key). The workbooks experts fill in are written and read in ``workflow``.
"""

from talentassess.panel.consensus import consensus_key
from talentassess.panel.forms import ExpertForm, combine_forms
from talentassess.panel.long_table import read_rating_table
from talentassess.panel.ratings import ExpertComment, ExpertRatings
from talentassess.panel.records import ExpertAgreement, ItemConsensus, OptionConsensus, PanelReview
from talentassess.panel.review import review_panel
from talentassess.panel.settings import PanelSettings

__all__ = [
    "ExpertAgreement",
    "ExpertComment",
    "ExpertForm",
    "ExpertRatings",
    "ItemConsensus",
    "OptionConsensus",
    "PanelReview",
    "PanelSettings",
    "combine_forms",
    "consensus_key",
    "read_rating_table",
    "review_panel",
]

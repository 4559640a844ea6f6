"""Putting two calibrations on one scale, equating forms, and finding items that drifted.

Follow a link through the files: ``metric`` (how parameters move with the scale), ``estimates`` (what they were
estimated from), ``common`` (the common items), ``criteria`` and ``moments`` (A and B), ``link`` (the result), ``apply``
(a calibration or scores on the old scale), ``chain``, ``drift``; ``forms``, ``observed`` and ``equating`` for scores.
"""

from talentassess.linking.chain import chain_links
from talentassess.linking.criteria import LinkGrid
from talentassess.linking.drift import DriftTable, ItemDrift, parameter_drift
from talentassess.linking.equating import EquatingTable, equate_observed_scores, equate_true_scores
from talentassess.linking.link import METHODS, Link, link_scales
from talentassess.linking.review import ItemAgreement

__all__ = [
    "METHODS",
    "DriftTable",
    "EquatingTable",
    "ItemAgreement",
    "ItemDrift",
    "Link",
    "LinkGrid",
    "chain_links",
    "equate_observed_scores",
    "equate_true_scores",
    "link_scales",
    "parameter_drift",
]

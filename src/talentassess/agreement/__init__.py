"""Agreement of raters and panels: reliability of ratings, severity of raters, validity of content.

Follow a rating through the files: ``reading`` and ``ratings`` (the record everything here takes), ``icc``,
``krippendorff``, ``gtheory`` (how reliable are ratings), ``facets`` with ``facet_design``, ``facet_fit`` and
``facet_records`` (who is severe, and what a fair panel would have said), ``within_group`` and ``content`` (panels of
subject-matter experts).
"""

from talentassess.agreement.content import ContentValidity, content_validity
from talentassess.agreement.facet_records import RaterSeverity
from talentassess.agreement.facets import rater_severity
from talentassess.agreement.gtheory import DecisionStudy, GeneralizabilityStudy, generalizability
from talentassess.agreement.icc import IntraclassCorrelation, intraclass_correlation
from talentassess.agreement.krippendorff import KrippendorffAlpha, krippendorff_alpha
from talentassess.agreement.ratings import Ratings, from_matrix
from talentassess.agreement.reading import read_ratings
from talentassess.agreement.within_group import WithinGroupAgreement, within_group_agreement

__all__ = [
    "ContentValidity",
    "DecisionStudy",
    "GeneralizabilityStudy",
    "IntraclassCorrelation",
    "KrippendorffAlpha",
    "RaterSeverity",
    "Ratings",
    "WithinGroupAgreement",
    "content_validity",
    "from_matrix",
    "generalizability",
    "intraclass_correlation",
    "krippendorff_alpha",
    "rater_severity",
    "read_ratings",
    "within_group_agreement",
]

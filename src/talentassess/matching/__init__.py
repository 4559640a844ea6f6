"""Role profiles from O*NET, and matching candidates with them.

Follow a match through the files: ``occupations`` (the O*NET pack), ``importance`` (from elements to competencies),
``profiles`` (what a role asks for), ``case`` (scores and levels brought together), ``match`` (probabilities, ranks),
``matches`` (the result), with the formulas in ``fit``.
"""

from talentassess.matching.case import NormQuantiles
from talentassess.matching.fit import (
    ProfileDistance,
    RoleFit,
    probability_meets,
    profile_distance,
    true_score_above,
    true_score_order,
)
from talentassess.matching.importance import CompetencyImportance, competency_importance
from talentassess.matching.match import match
from talentassess.matching.matches import Composite, Matches, VerdictCount, probability_above
from talentassess.matching.occupations import (
    Element,
    Occupation,
    Occupations,
    find_occupations,
    load_occupations,
    read_occupations,
    smooth_errors,
    to_percent,
)
from talentassess.matching.profiles import (
    JobProfile,
    LinkedElement,
    Requirement,
    Standard,
    StandardPolicy,
    load_profile,
)

__all__ = [
    "CompetencyImportance",
    "Composite",
    "Element",
    "JobProfile",
    "LinkedElement",
    "Matches",
    "NormQuantiles",
    "Occupation",
    "Occupations",
    "ProfileDistance",
    "Requirement",
    "RoleFit",
    "Standard",
    "StandardPolicy",
    "VerdictCount",
    "competency_importance",
    "find_occupations",
    "load_occupations",
    "load_profile",
    "match",
    "probability_above",
    "probability_meets",
    "profile_distance",
    "read_occupations",
    "smooth_errors",
    "to_percent",
    "true_score_above",
    "true_score_order",
]

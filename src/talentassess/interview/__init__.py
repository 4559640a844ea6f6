"""Structured interviews: guides, ratings, scores, and how they agree with other methods.

Follow an interview through the files: ``choice`` (which questions fit the time), ``guide`` (the plan), ``ratings``
(what raters wrote down), ``raters`` (how far they agree), ``scores`` (means with their errors), ``composite`` (several
methods side by side, on the metric of ``metric``, with the formulas in ``mosier``).
"""

from talentassess.interview.composite import MethodAgreement, MultiMethodProfile, combine_methods
from talentassess.interview.guide import InterviewGuide, LeftOut, PlannedQuestion, RoleWeights, plan_guide
from talentassess.interview.metric import MethodMetric
from talentassess.interview.mosier import composite_reliability, disattenuated_correlation
from talentassess.interview.raters import CompetencyAgreement, RaterReview, review_raters
from talentassess.interview.ratings import AnswerRating, InterviewRatings, read_interview_ratings
from talentassess.interview.scores import InterviewScores, RatingComponents, rating_components, score_interview

__all__ = [
    "AnswerRating",
    "CompetencyAgreement",
    "InterviewGuide",
    "InterviewRatings",
    "InterviewScores",
    "LeftOut",
    "MethodAgreement",
    "MethodMetric",
    "MultiMethodProfile",
    "PlannedQuestion",
    "RaterReview",
    "RatingComponents",
    "RoleWeights",
    "combine_methods",
    "composite_reliability",
    "disattenuated_correlation",
    "plan_guide",
    "rating_components",
    "read_interview_ratings",
    "review_raters",
    "score_interview",
]

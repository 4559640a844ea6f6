"""Structured interviews: guides, ratings, scores, and how they agree with other methods.

Follow an interview through the files: ``choice`` (which questions fit the time), ``guide`` (the plan), ``ratings``
(what raters wrote down), ``scores`` (means with their errors), ``composite`` (several methods side by side).
"""

from talentassess.interview.guide import InterviewGuide, LeftOut, PlannedQuestion, RoleWeights, plan_guide

__all__ = ["InterviewGuide", "LeftOut", "PlannedQuestion", "RoleWeights", "plan_guide"]

"""Errors a user can act on: each says where, what was found, what is allowed, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

SHOWN = 20  # more problems than a person reads at one go are counted, not printed


class TalentAssessError(Exception):
    r"""Base of every error that talentassess raises about its input.

    Parameters
    ----------
    message : what is wrong and what to do, one or two sentences.
    problems : one line per bad row, item or field; all are kept in ``.problems``, the first 20 are printed.

    Examples
    --------
    >>> str(DataError("The table has 1 bad cell.", ["row 3, column q1: '9' is not one of 1, 2, 3"]))
    "The table has 1 bad cell.\n  - row 3, column q1: '9' is not one of 1, 2, 3"
    """

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        self.message = message
        self.problems = tuple(problems)
        lines = [message, *(f"  - {problem}" for problem in self.problems[:SHOWN])]
        if len(self.problems) > SHOWN:
            lines.append(f"  ... and {len(self.problems) - SHOWN} more (all in .problems of this error)")
        super().__init__("\n".join(lines))


class DataError(TalentAssessError):
    """A table of answers, or a record made from it, breaks a rule."""


class ContentError(TalentAssessError):
    """An item bank, key, competency model or other content file breaks its schema."""


class ModelError(TalentAssessError):
    """A model name, constraint or prior cannot be used as asked."""


class CalibrationError(TalentAssessError):
    """A calibration cannot start on this input."""


class ScoringError(TalentAssessError):
    """Answers cannot be scored with this calibration."""


class NormError(TalentAssessError):
    """A norm table cannot be built, loaded or applied."""


class ProfileError(TalentAssessError):
    """A job profile does not exist or cannot be matched."""


class InterviewError(TalentAssessError):
    """An interview cannot be planned, or its ratings cannot be read or added up."""


class ArtefactError(TalentAssessError):
    """A saved file is not what it says, or comes from a newer version."""


class ReportError(TalentAssessError):
    """A report cannot be written as asked."""

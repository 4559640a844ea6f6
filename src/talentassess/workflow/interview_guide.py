"""Join a role profile and an interview bank: build a guide, save it, load it."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from talentassess.bank.interview import InterviewBank
from talentassess.bank.load import load_competencies
from talentassess.core.errors import ArtefactError
from talentassess.core.files import read_artefact, write_artefact
from talentassess.interview.guide import InterviewGuide, RoleWeights, plan_guide
from talentassess.matching import JobProfile

GUIDE = "talentassess/interview_guide/1"


def build_guide(
    bank: InterviewBank,
    profile: JobProfile,
    *,
    context: str = "general",
    minutes: float = 45,
    questions_per_competency: int = 2,
    seed: int | None = None,
) -> InterviewGuide:
    """Plan a structured interview for a role: the questions that cover most of its importance in the time.

    Parameters
    ----------
    bank : from ``load_interview_bank``.
    profile : from ``load_profile``; ``profile.restricted_to([...])`` keeps the guide to some competencies.
    context : ``general``, ``corner_store`` or ``call_centre``.
    minutes : for the whole interview, five of them for opening and five for closing.
    questions_per_competency : at most so many.
    seed : None takes the first of equally good questions; a number draws among them.

    Raises
    ------
    InterviewError : see ``talentassess.interview.plan_guide``.

    Examples
    --------
    >>> import talentassess as ta
    >>> bank = ta.load_interview_bank("tests/fixtures/tiny_interview")  # doctest: +SKIP
    >>> ta.build_guide(bank, ta.load_profile("43-4051.00"), context="call_centre", minutes=30)  # doctest: +SKIP
    InterviewGuide(Customer Service Representatives (43-4051.00), call_centre: 3 questions on 2 competencies ...)
    """
    model = load_competencies()
    role = RoleWeights(
        title=f"{profile.title} ({profile.code})",
        weights={r.competency: r.weight for r in profile.requirements},
        names={competency.id: competency.name for competency in model.competencies},
        attribution=profile.attribution,
    )
    return plan_guide(
        bank,
        role,
        context=context,
        minutes=minutes,
        questions_per_competency=questions_per_competency,
        seed=seed,
    )


def save_guide(guide: InterviewGuide, path: str | Path) -> Path:
    """Write a guide to a JSON file with a content hash, and return its path; ``load_guide`` reads it."""
    content = TypeAdapter(InterviewGuide).dump_python(guide, mode="json", by_alias=True)
    return write_artefact(Path(path), GUIDE, content)


def load_guide(path: str | Path) -> InterviewGuide:
    """Read a guide written by ``save_guide``; ``ArtefactError`` for any other or edited file."""
    schema, content = read_artefact(Path(path).resolve())
    name = Path(path).name
    if schema != GUIDE:
        raise ArtefactError(f"{name} holds '{schema}', not an interview guide ('{GUIDE}').")
    try:
        return TypeAdapter(InterviewGuide).validate_python(content)
    except ValidationError as error:
        lines = [f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()]
        raise ArtefactError(f"{name} does not have the fields of '{GUIDE}'.", lines) from None

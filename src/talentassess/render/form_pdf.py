"""A rating form as PDF to print: notes, STAR boxes, the anchored scale and fault ticks for each question."""

from __future__ import annotations

import json
from collections.abc import Sequence

from talentassess.content import content_dir
from talentassess.core.errors import ReportError
from talentassess.core.version import VERSION
from talentassess.interview import InterviewGuide, PlannedQuestion


def render_form_pdf(guide: InterviewGuide, candidates: Sequence[str], rater: str) -> bytes:
    """Return one rater's forms, one per candidate, as the bytes of an A4 PDF.

    Raises
    ------
    ReportError : the page cannot be set.
    """
    import typst

    template = (content_dir("reports") / "templates" / "rating_form.typ").read_bytes()
    data = {
        "role": guide.role,
        "context": guide.context.replace("_", " "),
        "guide": guide.guide_id,
        "version": VERSION,
        "rater": rater,
        "candidates": list(candidates),
        "rating": list(guide.rating),
        "star": [criterion.name for criterion in guide.star],
        "faults": [fault.name for fault in guide.faults],
        "fault_texts": [[fault.name, fault.description] for fault in guide.faults],
        "star_texts": [[s.name, s.question] for s in guide.star],
        "questions": [_question(planned) for planned in guide.questions],
    }
    files = {"main.typ": template, "data.json": json.dumps(data, ensure_ascii=False).encode()}
    try:
        page: bytes = typst.compile(files, format="pdf")  # type: ignore[call-overload]  # as in render.pdf
    except typst.TypstError as error:
        raise ReportError(f"The rating form cannot be set: {error.message}") from error
    return page


def _question(planned: PlannedQuestion) -> dict[str, object]:
    return {
        "number": planned.number,
        "name": planned.name,
        "minutes": planned.question.minutes,
        "id": planned.question.id,
        "text": planned.question.text,
        "anchors": [list(texts) for texts in planned.anchors.levels.values()],
    }

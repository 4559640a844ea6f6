"""Write a report: the suffix chooses the renderer, the file appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

from talentassess.core.errors import ReportError
from talentassess.core.files import write_whole
from talentassess.render.doc import ReportDoc

SUFFIXES = (".html", ".pdf", ".xlsx", ".json")


def save_report(doc: ReportDoc, path: Path) -> Path:
    """Write a report to ``path`` and return the path; see ``ReportDoc.save``."""
    if path.suffix.lower() not in SUFFIXES:
        raise ReportError(
            f"A report cannot be saved as '{path.name}': '{path.suffix}' is not a known suffix. "
            f"Use one of: {', '.join(SUFFIXES)}."
        )
    content = render_bytes(doc, path.suffix.lower())
    try:
        return write_whole(path, content)
    except OSError as error:
        raise ReportError(
            f"'{path.name}' cannot be written in '{path.parent}': {error.strerror}. "
            "Close the file if it is open elsewhere, or choose another folder."
        ) from error


def render_bytes(doc: ReportDoc, suffix: str) -> bytes:
    """Return the report in the form of one of ``SUFFIXES``."""
    # each renderer brings a heavy library; only the one that is asked for is loaded
    if suffix == ".html":
        from talentassess.render.html import render_html

        return render_html(doc).encode()
    if suffix == ".pdf":
        from talentassess.render.pdf import render_pdf

        return render_pdf(doc)
    if suffix == ".xlsx":
        from talentassess.render.xlsx import render_xlsx

        return render_xlsx(doc)
    from talentassess.render.json_file import render_json

    return render_json(doc).encode()

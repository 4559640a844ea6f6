"""Reports: a ``ReportDoc`` says what, the renderers how (HTML, PDF, XLSX, JSON); charts are in ``render.charts``."""

from talentassess.render.doc import (
    Block,
    Callout,
    Claim,
    ClaimBlock,
    FigureBlock,
    FindingBlock,
    Paragraph,
    ReportDoc,
    Section,
    TableBlock,
    compose_report,
    provenance_line,
)
from talentassess.render.json_file import load_report
from talentassess.render.wording import caveat

__all__ = [
    "Block",
    "Callout",
    "Claim",
    "ClaimBlock",
    "FigureBlock",
    "FindingBlock",
    "Paragraph",
    "ReportDoc",
    "Section",
    "TableBlock",
    "caveat",
    "compose_report",
    "load_report",
    "provenance_line",
]

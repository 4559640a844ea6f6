"""A report as PDF, set by typst. Text reaches the template as data, never as markup, so nothing has to be escaped."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from talentassess.content import content_dir
from talentassess.core.errors import ReportError
from talentassess.core.version import VERSION
from talentassess.render import layout
from talentassess.render.blocks import Block, Callout, ClaimBlock, FigureBlock, FindingBlock, Paragraph, TableBlock
from talentassess.render.doc import ReportDoc, Section
from talentassess.render.drawing import draw

FONT = "Libertinus Serif"  # bundled with typst, so that the page looks the same on every machine
CHART_WIDTH = 680
PORTRAIT, LANDSCAPE = 118.0, 178.0  # characters that fit on a line of a small-type table
_LONG = re.compile(r"\S{19,}")
_BREAK = re.compile(r"(.{0,15}?[_/.:;,\-]|.{16})(?=.)")


def render_pdf(doc: ReportDoc) -> bytes:
    """Return the report as the bytes of an A4 PDF.

    Raises
    ------
    ReportError : a chart cannot be drawn, or the page cannot be set.
    """
    import typst

    template = (content_dir("reports") / "templates" / "report.typ").read_bytes()
    charts = {f"{figure.anchor}.svg": _chart(figure, doc.simulated) for figure in doc.figures}
    data = json.dumps(_content(doc), ensure_ascii=False, allow_nan=False).encode()
    files = {"main.typ": template, "data.json": data, **charts}
    try:
        # typst takes a mapping of files; its type hints do not know that yet
        page: bytes = typst.compile(files, format="pdf")  # type: ignore[call-overload]
    except typst.TypstError as error:
        raise ReportError(f"The PDF of '{doc.title}' cannot be set: {error.message}") from error
    return page


def _chart(figure: FigureBlock, simulated: bool) -> bytes:
    return draw(figure, width=CHART_WIDTH, simulated=simulated, font=FONT).svg.encode()


def _content(doc: ReportDoc) -> dict[str, object]:
    labels = doc.labels()
    return {
        "title": doc.title,
        "subtitle": doc.subtitle,
        "language": doc.language.split("-")[0],
        "simulated": doc.simulated,
        "version": VERSION,
        "provenance": list(doc.provenance),
        "attributions": list(doc.attributions),
        "sections": [_section(section, labels) for section in doc.sections],
    }


def _section(section: Section, labels: Mapping[str, str]) -> dict[str, object]:
    blocks = [_block(block, labels) for block in section.blocks]
    return {
        "title": section.title,
        "anchor": section.anchor,
        "level": section.level,
        # a table on a page of its own cannot stand inside a part that is kept together
        "whole": section.whole and not any(block.get("landscape", False) for block in blocks),
        "blocks": blocks,
    }


def _block(block: Block, labels: Mapping[str, str]) -> dict[str, object]:
    match block:
        case Paragraph(text):
            return {"kind": "paragraph", "text": text}
        case Callout(title, text, severity):
            return {"kind": "callout", "title": title, "text": text, "severity": severity.value}
        case FindingBlock(findings, title):
            found = [[f.severity.value, breakable(f.where), f.message, f.remedy] for f in findings]
            return {"kind": "findings", "title": title, "findings": found}
        case ClaimBlock(claims, title):
            made = [[c.sentence, c.rests_on, labels[c.rests_on], c.caveat] for c in claims]
            return {"kind": "claims", "title": title, "claims": made}
        case TableBlock():
            return _table(block, labels[block.anchor])
        case FigureBlock():
            return _figure(block, labels[block.anchor])


def _figure(figure: FigureBlock, label: str) -> dict[str, object]:
    return {
        "kind": "figure",
        "label": label,
        "caption": figure.caption,
        "anchor": figure.anchor,
        "alt": figure.alt_text,
        "file": f"{figure.anchor}.svg",
    }


def _table(table: TableBlock, label: str) -> dict[str, object]:
    width = sum(layout.column_widths(table).values())
    room = PORTRAIT if width <= PORTRAIT else LANDSCAPE
    groups = list(column_groups(layout.column_widths(table), room))
    rows = layout.rows(table)
    names = list(table.columns)
    parts = [[names.index(name) for name in group] for group in groups]
    return {
        "kind": "table",
        "label": label,
        "caption": table.caption,
        "anchor": table.anchor,
        "size": _type_size(width),
        "landscape": room == LANDSCAPE,
        "numeric": [table.numeric(name) for name in names],
        "headings": [breakable(name) for name in names],
        "parts": parts,
        "rows": [[breakable(text) for text in row] for row in rows],
        "notes": list(layout.notes(table)),
    }


def _type_size(width: float) -> float:
    """Return points: as large as fits on the page, upright up to ``PORTRAIT`` characters, on its side above."""
    large, middle = (80, 100) if width <= PORTRAIT else (135, 155)
    return 9.2 if width <= large else 8.2 if width <= middle else 7.2


def column_groups(widths: Mapping[str, float], room: float) -> Iterator[list[str]]:
    """Yield the columns that fit side by side; each group starts with the first column, so that rows keep their names.

    Parameters
    ----------
    widths : heading -> width in characters.
    room : characters that fit on a line.

    Examples
    --------
    >>> list(column_groups({"item": 10, "a": 40, "b": 40, "c": 40}, 100))
    [['item', 'a', 'b'], ['item', 'c']]
    """
    first, *others = widths
    group, used = [first], widths[first]
    for name in others:
        if used + widths[name] > room and len(group) > 1:
            yield group
            group, used = [first], widths[first]
        group.append(name)
        used += widths[name]
    yield group


def breakable(text: str) -> str:
    """Return text whose long words may break, after punctuation or every 16 characters, by zero-width spaces.

    Examples
    --------
    >>> breakable("service_orientation_01").split(chr(0x200B))
    ['service_', 'orientation_', '01']
    """
    return _LONG.sub(lambda word: _BREAK.sub("\\1\u200b", word[0]), text)

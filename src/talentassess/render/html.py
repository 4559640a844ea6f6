"""A report as one HTML file that needs nothing else: styles, scripts, charts and numbers are inside."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import jinja2
from markupsafe import Markup

from talentassess.content import content_dir
from talentassess.core.status import Finding, Severity
from talentassess.core.version import VERSION
from talentassess.render import layout
from talentassess.render.blocks import (
    Block,
    Callout,
    Claim,
    ClaimBlock,
    FigureBlock,
    FindingBlock,
    Paragraph,
    TableBlock,
)
from talentassess.render.cells import Cell, is_number
from talentassess.render.doc import ReportDoc
from talentassess.render.drawing import draw, marked

HEADS, KEEPS, WRAPS = 12, 22, 40  # headings and names up to so many characters keep to one line; longer text wraps


@dataclass(frozen=True)
class ColumnView:
    """A column heading."""

    name: str
    cls: str


@dataclass(frozen=True)
class CellView:
    """A cell as printed; ``value`` is what sorting compares, for numbers."""

    text: str
    cls: str
    value: str | None


@dataclass(frozen=True)
class TableView:
    """A table ready for the template."""

    label: str
    caption: str
    anchor: str
    density: str
    n_shown: int
    row_headed: bool
    columns: tuple[ColumnView, ...]
    rows: tuple[tuple[CellView, ...], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class FigureView:
    """A figure ready for the template: the still picture and the live specification."""

    label: str
    caption: str
    alt_text: str
    anchor: str
    image: str
    width: int
    height: int
    spec: Markup
    table: TableView | None


@dataclass(frozen=True)
class BlockView:
    """One block of a section; ``kind`` says which of the other fields is filled."""

    kind: str
    title: str = ""
    text: str = ""
    severity: Severity = Severity.NOTE
    findings: tuple[Finding, ...] = ()
    claims: tuple[Claim, ...] = ()
    table: TableView | None = None
    figure: FigureView | None = None


@dataclass(frozen=True)
class SectionView:
    """A section ready for the template."""

    title: str
    anchor: str
    level: int
    blocks: tuple[BlockView, ...]


def render_html(doc: ReportDoc) -> str:
    """Return the report as the text of one self-contained HTML file."""
    labels = doc.labels()
    return _template().render(
        doc=doc,
        labels=labels,
        sections=[
            SectionView(s.title, s.anchor, s.level, tuple(_block_view(b, doc, labels) for b in s.blocks))
            for s in doc.sections
        ],
        has_charts=bool(doc.figures),
        bundle=Markup(_chart_library()) if doc.figures else "",
        css=Markup(_asset("report.css")),
        js=Markup(_asset("report.js")),
        version=VERSION,
    )


@cache
def _template() -> jinja2.Template:
    loader = jinja2.FileSystemLoader(content_dir("reports") / "templates")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html.j2")


@cache
def _asset(name: str) -> str:
    return (content_dir("reports") / "templates" / name).read_text(encoding="utf-8")


@cache
def _chart_library() -> str:
    import vl_convert

    bundle: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # the argument is optional
    return bundle.replace("</script", "<\\/script")


def _block_view(block: Block, doc: ReportDoc, labels: Mapping[str, str]) -> BlockView:
    match block:
        case Paragraph(text):
            return BlockView("paragraph", text=text)
        case Callout(title, text, severity):
            return BlockView("callout", title=title, text=text, severity=severity)
        case FindingBlock(findings, title):
            return BlockView("findings", title=title, findings=findings)
        case ClaimBlock(claims, title):
            return BlockView("claims", title=title, claims=claims)
        case TableBlock():
            return BlockView("table", table=_table_view(block, labels[block.anchor]))
        case FigureBlock():
            return BlockView("figure", figure=_figure_view(block, labels[block.anchor], doc.simulated))


def _table_view(table: TableBlock, label: str) -> TableView:
    numeric = {name: table.numeric(name) for name in table.columns}
    return TableView(
        label=label,
        caption=table.caption,
        anchor=table.anchor,
        density=layout.density(table),
        n_shown=table.n_shown,
        row_headed=layout.row_headed(table),
        columns=tuple(ColumnView(name, _classes(name, is_numeric, HEADS)) for name, is_numeric in numeric.items()),
        rows=tuple(_row_views(table, tuple(numeric.values()))),
        notes=layout.notes(table),
    )


def _row_views(table: TableBlock, numeric: tuple[bool, ...]) -> Iterator[tuple[CellView, ...]]:
    values = zip(*table.cells.values(), strict=True)
    for texts, row in zip(layout.rows(table), values, strict=False):
        yield tuple(_cell_view(*cell) for cell in zip(texts, row, numeric, strict=True))


def _cell_view(text: str, cell: Cell, numeric: bool) -> CellView:
    names = f"{_classes(text, numeric, KEEPS)}{' none' if cell is None else ''}"
    return CellView(text, names.strip(), repr(cell) if is_number(cell) else None)


def _classes(text: str, numeric: bool, keeps: int) -> str:
    """Return the style classes of a cell: n for numbers, k for text that keeps to one line, w for text that wraps."""
    room = "k" if len(text) <= keeps else "w" if len(text) > WRAPS else ""
    return f"{'n' if numeric else ''} {room}".strip()


def _figure_view(figure: FigureBlock, label: str, simulated: bool) -> FigureView:
    still = draw(figure, simulated=simulated)
    return FigureView(
        label=label,
        caption=figure.caption,
        alt_text=figure.alt_text,
        anchor=figure.anchor,
        # a picture of its own, not inline: the clip paths of several charts share their ids
        image="data:image/svg+xml;base64," + base64.b64encode(still.svg.encode()).decode(),
        width=round(still.width),
        height=round(still.height),
        spec=_script_json(marked(figure.spec, simulated) | {"description": figure.alt_text}),
        table=None if figure.data_table is None else _table_view(figure.data_table, ""),
    )


def _script_json(content: object) -> Markup:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))

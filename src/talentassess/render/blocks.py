"""What a section of a report can hold: paragraphs, tables, figures, findings, callouts and claims. Data, no layout."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from talentassess.core.errors import ReportError
from talentassess.core.status import Finding, Severity, gravest_first
from talentassess.core.tabular import Columns
from talentassess.render.cells import FORMATS, Cell, is_format, is_number, plain_cell


def slug(text: str) -> str:
    """Return text as an anchor: small letters, digits and hyphens.

    Examples
    --------
    >>> slug("Item statistics: Größe & fit")
    'item-statistics-grosse-fit'
    """
    # casefold turns the German sharp s into ss, NFKD splits accents off their letters
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


@dataclass(frozen=True)
class Paragraph:
    """Running text, one paragraph, without markup."""

    text: str


@dataclass(frozen=True)
class Callout:
    """A boxed remark that must not be overread.

    Attributes
    ----------
    title, text : plain text.
    severity : note, warning or problem; decides colour and label.
    """

    title: str
    text: str
    severity: Severity = Severity.NOTE


@dataclass(frozen=True)
class FindingBlock:
    """Findings of an analysis, the gravest first.

    Attributes
    ----------
    findings : from any result's audit or flags.
    title : heading above the list.
    """

    findings: tuple[Finding, ...]
    title: str = "Findings"

    def __post_init__(self) -> None:
        object.__setattr__(self, "findings", gravest_first(self.findings))


@dataclass(frozen=True)
class Claim:
    """One sentence the report stands for, the result it rests on, and its limit.

    Attributes
    ----------
    sentence : the claim, with its number and its uncertainty.
    rests_on : anchor of the table, figure or section that shows it.
    caveat : what the sentence does not say.
    """

    sentence: str
    rests_on: str
    caveat: str


@dataclass(frozen=True)
class ClaimBlock:
    """Claims, in the order a reader should meet them."""

    claims: tuple[Claim, ...]
    title: str = "What the data say"

    def __post_init__(self) -> None:
        object.__setattr__(self, "claims", tuple(self.claims))


@dataclass(frozen=True)
class TableBlock:
    """A table with its caption.

    Attributes
    ----------
    caption : what the table shows.
    columns : heading -> cells; all of one length; NaN and None mean "not available".
    formats : heading -> number format (see ``cells.format_cell``).
    notes : printed below the table.
    widths : heading -> width in characters, for workbooks; the rest is measured.
    limit : rows shown on a page (HTML, PDF), which then says so; the workbook and the JSON file always hold all.
    anchor : name for links; made from the caption if left out.

    Raises
    ------
    ReportError : columns of different lengths, a format that is unknown or belongs to no column, a cell that is neither
        text nor number.

    Examples
    --------
    >>> table = TableBlock("Item means", {"item": ["q1", "q2"], "mean": [0.5, float("nan")]}, {"mean": "0.00"})
    >>> table.n_rows, table.anchor, table.columns["mean"]
    (2, 'item-means', (0.5, None))
    """

    caption: str
    columns: Columns
    formats: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    widths: Mapping[str, float] = field(default_factory=dict)
    limit: int | None = None
    anchor: str = ""

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        problems: list[str] = []
        set_field(self, "columns", {str(name): _cells(name, column, problems) for name, column in self.columns.items()})
        set_field(self, "formats", dict(self.formats))
        set_field(self, "notes", tuple(self.notes))
        set_field(self, "widths", {name: float(width) for name, width in self.widths.items()})
        set_field(self, "anchor", self.anchor or slug(self.caption))
        problems += _table_problems(self)
        if problems:
            raise ReportError(f"The table '{self.caption}' cannot be shown.", problems)

    @property
    def cells(self) -> dict[str, tuple[Cell, ...]]:
        """The columns as plain cells."""
        return dict(self.columns)  # type: ignore[arg-type]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return max((len(column) for column in self.columns.values()), default=0)

    @property
    def n_shown(self) -> int:
        """Number of rows shown on a page."""
        return self.n_rows if self.limit is None else min(self.limit, self.n_rows)

    def numeric(self, column: str) -> bool:
        """Return True if the column holds numbers (and missing cells) only."""
        known = [cell for cell in self.cells[column] if cell is not None]
        return bool(known) and all(is_number(cell) for cell in known)


def _cells(name: str, column: object, problems: list[str]) -> tuple[Cell, ...]:
    found: list[Cell] = []
    for row, value in enumerate(column, 1):  # type: ignore[arg-type, var-annotated]
        try:
            found.append(plain_cell(value))
        except TypeError as error:
            found.append(None)
            problems.append(f"column '{name}', row {row}: {error}; convert it to text or a number")
    return tuple(found)


def _table_problems(table: TableBlock) -> Iterator[str]:
    lengths = {name: len(column) for name, column in table.columns.items()}
    if not lengths:
        yield "it has no columns"
    if len(set(lengths.values())) > 1:
        yield "its columns differ in length: " + ", ".join(f"{name} {n}" for name, n in lengths.items())
    if table.limit is not None and table.limit < 1:
        yield f"limit is {table.limit}; it must be at least 1, or None for all rows"
    for name in (*table.formats, *table.widths):
        if name not in lengths:
            yield f"'{name}' has a format or width but is not a column; the columns are: {', '.join(lengths)}"
    for name, pattern in table.formats.items():
        if not is_format(pattern):
            yield f"column '{name}': '{pattern}' is not a number format; use one of: {FORMATS}"


@dataclass(frozen=True)
class FigureBlock:
    """A chart as data: a Vega-Lite specification with caption and alternative text.

    Attributes
    ----------
    caption : what the figure shows; ends with what was left out, if anything was.
    alt_text : what a reader who cannot see the chart must know. Never empty.
    spec : Vega-Lite specification with its data inside. A width of ``container`` follows the page.
    data_table : the numbers behind the chart, if they are few enough to read.
    anchor : name for links; made from the caption if left out.

    Raises
    ------
    ReportError : no alternative text, a specification that is not plain JSON or that fetches its data from an address.
    """

    caption: str
    alt_text: str
    spec: Mapping[str, object]
    data_table: TableBlock | None = None
    anchor: str = ""

    def __post_init__(self) -> None:
        if not self.alt_text.strip():
            raise ReportError(
                f"The figure '{self.caption}' has no alternative text. Say in alt_text what the chart shows."
            )
        try:
            spec = json.loads(json.dumps(self.spec, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise ReportError(
                f"The figure '{self.caption}': the specification is not plain JSON ({error}). "
                "Use numbers, text, lists and mappings only, and leave out NaN and infinite values."
            ) from error
        if "url" in _data_keys(spec):
            raise ReportError(
                f"The figure '{self.caption}' fetches data from an address. Put the values in the specification."
            )
        object.__setattr__(self, "spec", spec)
        object.__setattr__(self, "anchor", self.anchor or slug(self.caption))


def _data_keys(node: object) -> set[str]:
    if isinstance(node, list):
        return set().union(*(_data_keys(child) for child in node)) if node else set()
    if not isinstance(node, dict):
        return set()
    data = node.get("data")
    own = set(data) if isinstance(data, dict) else set()
    return own.union(*(_data_keys(child) for key, child in node.items() if key not in {"data", "datasets"}))


Block = Paragraph | TableBlock | FigureBlock | FindingBlock | Callout | ClaimBlock

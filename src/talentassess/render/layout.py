"""How wide a table is, and the lines below it: measured once, used by every renderer."""

from __future__ import annotations

from talentassess.render.blocks import TableBlock
from talentassess.render.cells import format_cell

TEXT_LIMIT = 34.0  # characters; longer text wraps instead of widening its column
PADDING = 2.0


def column_widths(table: TableBlock) -> dict[str, float]:
    """Return heading -> width in characters: of the widest cell or of the heading's longest word, whatever is more.

    Examples
    --------
    >>> column_widths(TableBlock("t", {"item": ["q1"], "item-rest correlation": [0.25]}))
    {'item': 6.0, 'item-rest correlation': 13.0}
    """
    return {name: _width(table, name) for name in table.columns}


def _width(table: TableBlock, name: str) -> float:
    pattern = table.formats.get(name, "")
    cells = max((len(format_cell(cell, pattern)) for cell in table.cells[name]), default=0)
    heading = max((len(word) for word in name.split()), default=0)
    return min(float(max(cells, heading)), TEXT_LIMIT) + PADDING


def density(table: TableBlock) -> str:
    """Return ``normal``, ``wide`` (smaller type), ``huge`` (a page on its side) or ``giant`` (upright headings too)."""
    total = sum(column_widths(table).values())
    limits = {95.0: "normal", 125.0: "wide", 190.0: "huge"}
    return next((name for limit, name in limits.items() if total <= limit), "giant")


def notes(table: TableBlock) -> tuple[str, ...]:
    """Return the table's notes, and a line that says how many rows were left out, if any were."""
    if table.n_shown == table.n_rows:
        return table.notes
    shown = f"The first {table.n_shown:,} of {table.n_rows:,} rows are shown here"
    return (*table.notes, f"{shown}; the workbook and the JSON file hold all of them.")


def row_headed(table: TableBlock) -> bool:
    """Return True if the first column names the rows (text, not numbers)."""
    return not table.numeric(next(iter(table.columns)))


def rows(table: TableBlock) -> list[list[str]]:
    """Return the rows shown on a page, as printed."""
    patterns = [table.formats.get(name, "") for name in table.columns]
    shown = [column[: table.n_shown] for column in table.cells.values()]
    return [
        [format_cell(cell, pattern) for cell, pattern in zip(row, patterns, strict=True)]
        for row in zip(*shown, strict=True)
    ]

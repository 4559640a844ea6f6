"""What the commands show: messages and progress on stderr, tables or JSON on stdout."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from enum import Enum

import numpy as np

from talentassess.core.status import Finding
from talentassess.core.tabular import Columns, Tabular

SHOWN = 40  # rows on a screen; --json and the files hold all


def say(message: str) -> None:
    """Print a message about the work going on, to stderr so that output can be piped."""
    print(message, file=sys.stderr, flush=True)


def emit_json(content: object) -> None:
    """Print JSON to stdout; not-a-number becomes null."""
    print(json.dumps(_plain(content), indent=1, ensure_ascii=False))


def emit_tables(result: Tabular, names: Sequence[str] | None = None) -> None:
    """Print a result's tables as one JSON object: table name -> list of rows."""
    tables = result.tables()
    emit_json({name: _rows(tables[name]) for name in (names or tables)})


def show_table(title: str, columns: Columns, *, limit: int = SHOWN, digits: int = 2) -> None:
    """Print columns as a table on the screen, numbers right-aligned and rounded."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold")
    for name, cells in columns.items():
        numeric = all(isinstance(c, int | float | np.number) for c in cells)
        table.add_column(name, justify="right" if numeric else "left", no_wrap=numeric)
    rows = _rows(columns)
    for row in rows[:limit]:
        table.add_row(*(_text(cell, digits) for cell in row.values()))
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    if len(rows) > limit:
        console.print(f"The first {limit} of {len(rows)} rows; --json and the files hold all.")


def show_findings(findings: Sequence[Finding], *, limit: int = SHOWN) -> None:
    """Print findings, the gravest first, each with its remedy."""
    order = ("problem", "warning", "note")
    ranked = sorted(findings, key=lambda f: order.index(f.severity.value))
    for finding in ranked[:limit]:
        print(finding)
    if len(ranked) > limit:
        print(f"... and {len(ranked) - limit} more; --json and the report hold all.")


def _rows(columns: Columns) -> list[dict[str, object]]:
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _plain(content: object) -> object:
    if isinstance(content, Mapping):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple | np.ndarray):
        return [_plain(value) for value in content]
    if isinstance(content, np.generic):
        content = content.item()
    if isinstance(content, Enum):
        return content.value
    if isinstance(content, float) and not math.isfinite(content):
        return None if math.isnan(content) else str(content)
    return content


def _text(cell: object, digits: int) -> str:
    if isinstance(cell, np.generic):
        cell = cell.item()
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return "-"
    return f"{cell:.{digits}f}" if isinstance(cell, float) else str(cell)

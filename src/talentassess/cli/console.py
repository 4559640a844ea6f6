"""What the commands show: messages and progress on stderr, tables or JSON on stdout."""

from __future__ import annotations

import json
import math
import re
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from typing import Literal

import numpy as np

from talentassess.core.status import Finding, gravest_first
from talentassess.core.tabular import Column, Columns, Tabular

SHOWN = 40  # rows on a screen; --json and the files hold all
READABLE = 24  # characters; text in a narrower column is read word by word
FOLDED = 50  # characters; longer text in a table is folded at its spaces

# Messages of the library name its arguments; who types commands needs the option.
OPTION_WORDS = (
    ("missing=[...]", "--missing"),
    ("categories=[...]", "--categories"),
    ("items=[...]", "--items"),
    ("ta.rating_workbook", "'talentassess bank panel export'"),
    ("more (all in .problems of this error)", "more"),
    (", or say replace=True to write over the bank in it", ""),
    ("ta.derive_keys(answers, bank)", "--derive-keys"),
    ("find_occupations('customer')", "'talentassess profile --search customer'"),
)
_RESTRICTED = re.compile(r"(profile\.)?restricted_to\(\[[^\]]*\]\)")  # the library lists what to keep


def say(message: str) -> None:
    """Print a message about the work going on, to stderr so that output can be piped."""
    print(message, file=sys.stderr, flush=True)


def as_options(message: str) -> str:
    """Return a message with the library's arguments named as the command line's options.

    Examples
    --------
    >>> as_options("name codes that mean missing (missing=[...])")
    'name codes that mean missing (--missing)'
    """
    for argument, option in OPTION_WORDS:
        message = message.replace(argument, option)
    return _RESTRICTED.sub("--scored-only", message)


def emit_tables(result: Tabular) -> None:
    """Print a result's tables as JSON; ``mark`` says whether they rest on real answers or are SIMULATED."""
    provenance = getattr(result, "provenance", None)
    emit_json(result.tables(), mark="" if provenance is None else provenance.label)


def emit_json(tables: Mapping[str, Columns], *, mark: str = "") -> None:
    """Print tables to stdout as one JSON object: table name -> list of rows. NaN becomes null, infinities text."""
    content = ({"mark": mark} if mark else {}) | {name: _rows(columns) for name, columns in tables.items()}
    # characters beyond ASCII are escaped, so that the JSON is right whatever the encoding of a pipe
    print(json.dumps(_plain(content), indent=1))


def show_table(title: str, columns: Columns, *, limit: int = SHOWN, digits: int = 2) -> None:
    """Print columns as a table on the screen, numbers right-aligned and rounded.

    No number and no word is ever cut: a cut number would be read as another number. Where the terminal is too narrow,
    text is folded and columns go to a second table below, beside the first column; output to a file or pipe is as wide
    as it needs.
    """
    from rich.console import Console
    from rich.text import Text

    texts = {name: [_text(cell, digits) for cell in cells[:limit]] for name, cells in columns.items()}
    n_rows = max((len(cells) for cells in columns.values()), default=0)
    if not n_rows:
        print(f"{title}: none")
        return
    natural = [_width(name, cells) for name, cells in texts.items()]
    words = [_longest_word(name, cells) for name, cells in texts.items()]
    least = [max(word, min(width, READABLE)) for word, width in zip(words, natural, strict=True)]
    room = shutil.get_terminal_size((0, 0)).columns or sys.maxsize  # 0: no terminal
    widths = dict(zip(columns, _fitted(natural, least, room), strict=True))
    numeric = {name for name, cells in columns.items() if _numeric(cells)}
    Console(width=len(title) + 1).print(Text(title, style="bold"))
    for names in _side_by_side(widths, room):
        _print_table({name: texts[name] for name in names}, widths, numeric)
    if n_rows > limit:
        print(f"The first {limit} of {n_rows} rows; --json and the files hold all.")


def _print_table(texts: Mapping[str, Sequence[str]], widths: Mapping[str, int], numeric: Collection[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(header_style="bold")
    for name in texts:
        justify: Literal["left", "right"] = "right" if name in numeric else "left"
        table.add_column(Text(name), justify=justify, width=widths[name])
    for row in zip(*texts.values(), strict=True):
        table.add_row(*map(Text, row))  # Text, because a plain string in brackets would be read as a colour and vanish
    Console(width=_needed([widths[name] for name in texts])).print(table)


def _needed(widths: Sequence[int]) -> int:
    """Return the characters a table takes: its columns, a space on both sides of each, the lines between."""
    return sum(widths) + 3 * len(widths) + 1


def _fitted(natural: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Return the columns' widths, the widest narrowed first until the table fits or no word can be folded further."""
    widths = list(natural)
    while _needed(widths) > room:
        narrowable = [i for i, width in enumerate(widths) if width > least[i]]
        if not narrowable:
            return list(natural)  # the table will be parted: nothing is won by folding
        widths[max(narrowable, key=lambda i: widths[i])] -= 1
    return widths


def _side_by_side(widths: Mapping[str, int], room: int) -> list[list[str]]:
    """Return the columns that fit side by side; every group begins with the first column, which names the rows."""
    first, *others = widths
    groups = [[first]]
    for name in others:
        if len(groups[-1]) > 1 and _needed([widths[n] for n in (*groups[-1], name)]) > room:
            groups.append([first])
        groups[-1].append(name)
    return groups


def _longest_word(name: str, texts: Sequence[str]) -> int:
    from rich.cells import cell_len

    return max(cell_len(word) for text in (name, *texts) for word in text.split() or [""])


def _width(name: str, texts: Sequence[str]) -> int:
    """Return a column's width: that of its longest cell, or of its longest word where text must be folded."""
    from rich.cells import cell_len

    return max(_longest_word(name, texts), min(FOLDED, max((cell_len(text) for text in texts), default=0)))


def _numeric(cells: Column) -> bool:
    known = [cell for cell in cells if cell is not None]
    return bool(known) and all(isinstance(c, int | float | np.number) and not isinstance(c, bool) for c in known)


def show_findings(findings: Sequence[Finding], *, limit: int = SHOWN) -> None:
    """Print findings, the gravest first, each with its remedy."""
    ranked = gravest_first(findings)
    for finding in ranked[:limit]:
        print(as_options(str(finding)))
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

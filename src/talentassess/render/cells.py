"""Table cells and their number formats: one pattern, one meaning, on screen, on paper and in a workbook."""

from __future__ import annotations

import math
import re
from datetime import date
from enum import Enum

import numpy as np

Cell = str | int | float | bool | None

MISSING, MINUS = "\u2013", "\u2212"  # en dash, minus sign
FORMATS = "0, 0.0, 0.00 ..., 0,000, 0 %, 0.0 %, a leading + for signed numbers, p, chance, text"
_PATTERN = re.compile(r"(?P<sign>\+?)0(?P<thousands>,000)?(?:\.(?P<digits>0+))?(?P<percent> %)?")


def is_format(pattern: str) -> bool:
    """Return True if the pattern is one of ``FORMATS``.

    Examples
    --------
    >>> is_format("0.00"), is_format("+0.0"), is_format("%.2f")
    (True, True, False)
    """
    return pattern in {"p", "chance", "text", ""} or _PATTERN.fullmatch(pattern) is not None


def plain_cell(value: object) -> Cell:
    """Return a value as text, a plain number, True/False or None; NaN means "not available" and becomes None.

    Raises
    ------
    TypeError : the value is of no kind that a table can show.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and math.isnan(value):
        return None
    if value is None or isinstance(value, str | int | float | bool):
        return str(value) if isinstance(value, str) else value
    raise TypeError(f"a {type(value).__name__} cannot be shown in a table cell")


def is_number(cell: Cell) -> bool:
    """Return True for whole and decimal numbers, not for True and False."""
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def format_cell(cell: Cell, pattern: str = "") -> str:
    """Return the cell as a reader sees it.

    Parameters
    ----------
    cell : None is printed as an en dash.
    pattern : ``0.00`` two decimals; ``0 %`` and ``0.0 %`` take a proportion; ``0,000`` groups thousands; ``+0.0``
        prints the sign of positive numbers too; ``p`` is a p value without leading zero; ``chance`` is a probability in
        per cent that is never printed as 0 % or 100 %; empty means whole numbers as
        they are and decimals with two digits.

    Examples
    --------
    >>> format_cell(0.257, "0 %"), format_cell(1.5, "+0.00"), format_cell(0.0004, "p"), format_cell(12500, "0,000")
    ('26 %', '+1.50', '< .001', '12,500')
    """
    if cell is None:
        return MISSING
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, str):
        return cell
    if pattern == "p":
        return _p_value(cell)
    if pattern == "chance":
        return chance(cell)
    return _number(cell, pattern or ("0" if isinstance(cell, int) else "0.00"))


def chance(p: float) -> str:
    """Return a probability in whole per cent; short of certainty it never reads 0 % or 100 %.

    Examples
    --------
    >>> chance(0.002), chance(0.41), chance(0.9993)
    ('< 1 %', '41 %', '> 99 %')
    """
    if p < 0.01:
        return "< 1 %"
    return "> 99 %" if p > 0.99 else f"{100 * p:.0f} %"


def _p_value(p: float) -> str:
    if p < 0.001:
        return "< .001"
    return "> .999" if p >= 0.9995 else f"{p:.3f}".removeprefix("0")


def _number(value: float, pattern: str) -> str:
    found = _PATTERN.fullmatch(pattern)
    if found is None:
        return str(value)
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    scaled = 100 * value if found["percent"] else value
    text = f"{abs(scaled):{',' if found['thousands'] else ''}.{len(found['digits'] or '')}f}"
    is_zero = not text.strip("0.,")
    sign = "" if is_zero else MINUS if scaled < 0 else "+" if found["sign"] else ""
    return f"{sign}{text}{found['percent'] or ''}"


def excel_format(pattern: str) -> str:
    """Return the workbook number format that shows what ``format_cell`` prints.

    Examples
    --------
    >>> excel_format("0.0 %"), excel_format("+0.00"), excel_format("0,000")
    ('0.0%', '+0.00;-0.00;0.00', '#,##0')
    """
    if pattern == "p":
        return '[<0.001]"< .001";.000'
    if pattern == "chance":
        return '[<0.01]"< 1 %";[>0.99]"> 99 %";0%'
    found = _PATTERN.fullmatch(pattern)
    if found is None:
        return "General"
    digits = f".{found['digits']}" if found["digits"] else ""
    core = f"{'#,##0' if found['thousands'] else '0'}{digits}{'%' if found['percent'] else ''}"
    return f"+{core};-{core};{core}" if found["sign"] else core

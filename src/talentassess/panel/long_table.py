"""Experts' ratings from a long table: a row per expert and option, and a row per expert and item."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from talentassess.bank.cells import ALWAYS_MISSING, canonical, suggest
from talentassess.bank.records import choices
from talentassess.bank.schema import ItemBank, SituationalItem
from talentassess.bank.table_files import load_table
from talentassess.core.errors import DataError
from talentassess.panel.forms import SIMULATED, ExpertForm, combine_forms
from talentassess.panel.ratings import EFFECTIVENESS, RELEVANCE, ExpertComment, ExpertRatings

if TYPE_CHECKING:
    from talentassess.bank.table_files import Table, TableSource

NEEDED = ("expert", "item")
KNOWN = (*NEEDED, "option", "effectiveness", "relevance", "essential", "comment", "collected", SIMULATED)
KeyT = TypeVar("KeyT")
YES_NO: Mapping[str, float] = {"y": 1, "yes": 1, "1": 1, "true": 1, "n": 0, "no": 0, "0": 0, "false": 0}


@dataclass(eq=False, slots=True)
class _Cells:
    """What one expert's rows hold so far."""

    effectiveness: dict[tuple[str, str], float] = field(default_factory=dict)
    relevance: dict[str, float] = field(default_factory=dict)
    essential: dict[str, float] = field(default_factory=dict)
    comments: list[ExpertComment] = field(default_factory=list)
    collected: str = ""


def read_rating_table(table: TableSource, bank: ItemBank, *, collected: str | None = None) -> ExpertRatings:
    """Read experts' ratings from a long table; every bad cell is named.

    Columns: ``expert``, ``item``; in rows of an option ``option`` and ``effectiveness`` (1..5); in rows of an item (no
    option) ``relevance`` (1..4) and ``essential`` (y or n); ``comment`` and ``collected`` (a date) in any. A column
    SIMULATED with anything in it marks the experts as simulated. Other columns are refused.

    Raises
    ------
    DataError : the file cannot be read, a column is missing or unknown, a cell is wrong, or a rating is given twice.

    Examples
    --------
    >>> import pandas as pd
    >>> from talentassess.bank.load import load_bank
    >>> rows = {"expert": ["A", "A"], "item": ["ow_sj_01"] * 2, "option": ["a", "b"], "effectiveness": [3, 1]}
    >>> read_rating_table(pd.DataFrame(rows), load_bank("service_core")).effectiveness[0, :2].tolist()
    [3.0, 1.0]
    """
    loaded = load_table(table)
    texts = _columns(loaded)
    experts: dict[str, _Cells] = defaultdict(_Cells)
    problems: list[str] = []
    for position, row in enumerate(loaded.rows):
        cells = {name: column[position] for name, column in texts.items()}
        found = _row_problem(cells, bank, experts[cells["expert"]])
        problems += [f"row {row}, {line}" for line in found]
    if problems:
        raise DataError(f"{loaded.source}: {len(problems)} problem(s) in the cells; nothing was read.", problems)
    simulated = any(texts.get(SIMULATED, ()))
    forms = _forms(experts, bank, loaded.source, simulated)
    return combine_forms(forms, bank, source=loaded.source, collected=collected)


def _columns(table: Table) -> dict[str, list[str]]:
    lines = [f"there is no column '{name}'{suggest(name, list(table.columns))}" for name in NEEDED]
    lines = [line for line, name in zip(lines, NEEDED, strict=True) if name not in table.columns]
    lines += [f"column '{name}' is not known{suggest(name, KNOWN)}" for name in table.columns if name not in KNOWN]
    if lines:
        raise DataError(
            f"{table.source} is not a table of experts' ratings. Its columns are: {', '.join(KNOWN)}; the first two "
            "are needed.",
            lines,
        )
    return {
        name: ["" if text in ALWAYS_MISSING else text for text in column.texts()]
        for name, column in table.columns.items()
    }


def _row_problem(cells: Mapping[str, str], bank: ItemBank, into: _Cells) -> list[str]:
    """Take one row into an expert's cells; return what is wrong with it."""
    item, option = cells["item"], cells.get("option", "")
    if not cells["expert"]:
        return ["column 'expert': empty; every row needs the expert's name"]
    if item not in bank.item_ids:
        return [f"column 'item': '{item}' is not in the bank '{bank.id}'; {choices(item, bank.item_ids)}"]
    rated = bank.item(item)
    known = rated.option_ids if isinstance(rated, SituationalItem) else ()
    if option and option not in known:
        return [f"column 'option': item '{item}' has no option '{option}'; {choices(option, known)}"]
    problems = _misplaced(cells, option)
    if option:
        problems += _take(into.effectiveness, (item, option), cells, "effectiveness", _points(EFFECTIVENESS))
    else:
        problems += _take(into.relevance, item, cells, "relevance", _points(RELEVANCE))
        problems += _take(into.essential, item, cells, "essential", YES_NO)
    if cells.get("comment"):
        into.comments.append(ExpertComment(cells["expert"], item, option, cells["comment"]))
    into.collected = max(into.collected, cells.get("collected", ""))
    return problems


def _misplaced(cells: Mapping[str, str], option: str) -> list[str]:
    wrong = ("relevance", "essential") if option else ("effectiveness",)
    place = "a row without an option" if option else "a row with an option"
    return [f"column '{name}': '{cells[name]}'; it belongs in {place}" for name in wrong if cells.get(name)]


def _points(scale: Sequence[int]) -> dict[str, float]:
    return {str(value): float(value) for value in scale}


def _take(
    into: dict[KeyT, float], key: KeyT, cells: Mapping[str, str], name: str, allowed: Mapping[str, float]
) -> list[str]:
    text = canonical(cells.get(name, "")).lower()
    if not text:
        return []
    if text not in allowed:
        shown = "y, n" if name == "essential" else ", ".join(allowed)
        return [f"column '{name}': '{cells[name]}'; allowed: {shown}"]
    if key in into:
        return [f"column '{name}': this expert has rated it already in an earlier row; keep one rating"]
    into[key] = allowed[text]
    return []


def _forms(experts: Mapping[str, _Cells], bank: ItemBank, source: str, simulated: bool) -> list[ExpertForm]:
    """Return a form per expert; asked is what the table asks of anybody."""
    options = {pair[0] for cells in experts.values() for pair in cells.effectiveness}
    items = {item for cells in experts.values() for item in (*cells.relevance, *cells.essential)} | options
    pairs = tuple(
        (item.id, option)
        for item in bank.items
        if item.id in options and isinstance(item, SituationalItem)
        for option in item.option_ids
    )
    asked = tuple(item.id for item in bank.items if item.id in items)
    return [
        ExpertForm(
            expert=expert,
            source=source,
            items=asked,
            options=pairs,
            effectiveness=cells.effectiveness,
            relevance=cells.relevance,
            essential=cells.essential,
            comments=tuple(cells.comments),
            collected=cells.collected,
            simulated=simulated or SIMULATED in expert,
        )
        for expert, cells in experts.items()
    ]

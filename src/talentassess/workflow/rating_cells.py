"""What the workbook for an expert and its reader agree on: sheets, columns, the hidden sheet."""

from __future__ import annotations

from talentassess.bank.schema import Item, SituationalItem
from talentassess.core.provenance import hash_json

SCHEMA = "talentassess/rating_workbook/1"
INSTRUCTIONS, EFFECTIVENESS_SHEET, RELEVANCE_SHEET, HIDDEN = "Instructions", "Effectiveness", "Relevance", "Workbook"

EXPERT_CELL, DATE_CELL = "B4", "B5"
FIRST_ROW = 2  # of the ratings, counted from 1; the heading stands above

# Column letters of the two sheets; the last two of each are hidden.
NUMBER, TEXT = "A", "B"
EFFECTIVENESS_COLUMN, OPTION_COMMENT, OPTION_ITEM, OPTION_ID = "C", "D", "E", "F"
COMPETENCY, RELEVANCE_COLUMN, ESSENTIAL_COLUMN, ITEM_COMMENT, ITEM_ID = "C", "D", "E", "F", "G"

SHOWN = "shown "  # before an item's id in the hidden sheet: what stands there is the hash of what the expert sees


def shown_hash(item: Item) -> str:
    """Return the hash of what an expert sees of an item: ratings hold as long as it stays, whatever the key or status.

    Examples
    --------
    >>> from talentassess.bank.load import load_bank
    >>> item = load_bank("service_core").situational[0]
    >>> shown_hash(item) == shown_hash(item.model_copy(update={"status": "reviewed", "version": 2}))
    True
    """
    if isinstance(item, SituationalItem):
        options = {option.id: option.text for option in item.options}
        return hash_json([item.scale, item.context, item.scenario, options])
    return hash_json([item.scale, item.text])

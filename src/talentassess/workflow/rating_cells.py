"""What the workbook for an expert and its reader agree on: sheets, columns, the hidden sheet."""

from __future__ import annotations

SCHEMA = "talentassess/rating_workbook/1"
INSTRUCTIONS, EFFECTIVENESS_SHEET, RELEVANCE_SHEET, HIDDEN = "Instructions", "Effectiveness", "Relevance", "Workbook"

EXPERT_CELL, DATE_CELL = "B4", "B5"
FIRST_ROW = 2  # of the ratings, counted from 1; the heading stands above

# Column letters of the two sheets; the last two of each are hidden.
NUMBER, TEXT = "A", "B"
EFFECTIVENESS_COLUMN, OPTION_COMMENT, OPTION_ITEM, OPTION_ID = "C", "D", "E", "F"
COMPETENCY, RELEVANCE_COLUMN, ESSENTIAL_COLUMN, ITEM_COMMENT, ITEM_ID = "C", "D", "E", "F", "G"

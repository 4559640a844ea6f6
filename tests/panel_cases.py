"""SIMULATED experts: ratings with a known true key, and workbooks filled in as an expert would."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import openpyxl

from talentassess.bank.schema import ItemBank
from talentassess.core.provenance import Provenance
from talentassess.panel import ExpertRatings
from talentassess.panel.forms import option_pairs
from talentassess.workflow import rating_cells as cells
from talentassess.workflow.rating_book import rating_workbook


def true_key(bank: ItemBank) -> np.ndarray:
    """(O,) the bank's own key, taken as the truth."""
    return np.array([value for item in bank.items if item.method == "situational" for value in item.effectiveness])


def expected_rating(truth: np.ndarray, noise: float) -> np.ndarray:
    """Mean of the rounded rating clip(round(truth + e), 1, 5), e normal: what a panel's mean estimates."""
    from scipy.special import ndtr

    cuts = np.array([1.5, 2.5, 3.5, 4.5])
    return 5 - ndtr((cuts[None, :] - truth[:, None]) / noise).sum(axis=1)


def simulated_experts(
    bank: ItemBank, n: int, *, seed: int, noise: float = 0.7, collected: str = "2026-11-20", relevant: float = 0.95
) -> ExpertRatings:
    """SIMULATED experts who see the true key with normal error."""
    rng = np.random.default_rng(seed)
    pairs, truth = option_pairs(bank), true_key(bank)
    effectiveness = np.clip(np.round(truth + rng.normal(0, noise, (n, len(pairs)))), 1, 5)
    shape = (n, len(bank.items))
    relevance = np.where(rng.random(shape) < relevant, rng.integers(3, 5, shape), rng.integers(1, 3, shape))
    return ExpertRatings(
        experts=tuple(f"SIMULATED expert {i + 1}" for i in range(n)),
        items=bank.item_ids,
        options=tuple(pairs),
        effectiveness=effectiveness,
        relevance=relevance.astype(float),
        essential=(rng.random(shape) < 0.9).astype(float),
        collected=collected,
        bank=f"{bank.id} {bank.version}",
        bank_hash=bank.content_hash,
        provenance=Provenance("SIMULATED experts", simulated=True),
    )


def filled_workbook(
    bank: ItemBank,
    path: Path,
    ratings: ExpertRatings,
    e: int,
    *,
    items: Sequence[str] | None = None,
    change: Callable[[openpyxl.Workbook], None] | None = None,
    when: str = "2026-11-20",
) -> Path:
    """Write expert e's workbook and fill it in through openpyxl, found by the hidden ids."""
    rating_workbook(bank, path, expert=ratings.experts[e], items=items)
    book = openpyxl.load_workbook(path)
    if cells.EFFECTIVENESS_SHEET in book.sheetnames:
        sheet = book[cells.EFFECTIVENESS_SHEET]
        for row in range(cells.FIRST_ROW, sheet.max_row + 1):
            pair = (sheet[f"{cells.OPTION_ITEM}{row}"].value, sheet[f"{cells.OPTION_ID}{row}"].value)
            if pair[0]:
                value = ratings.effectiveness[e, ratings.options.index(pair)]
                sheet[f"{cells.EFFECTIVENESS_COLUMN}{row}"] = None if np.isnan(value) else int(value)
    sheet = book[cells.RELEVANCE_SHEET]
    for row in range(cells.FIRST_ROW, sheet.max_row + 1):
        j = ratings.items.index(sheet[f"{cells.ITEM_ID}{row}"].value)
        relevance, essential = ratings.relevance[e, j], ratings.essential[e, j]
        sheet[f"{cells.RELEVANCE_COLUMN}{row}"] = None if np.isnan(relevance) else int(relevance)
        sheet[f"{cells.ESSENTIAL_COLUMN}{row}"] = None if np.isnan(essential) else "ny"[int(essential)]
    book[cells.INSTRUCTIONS][cells.DATE_CELL] = when
    if change is not None:
        change(book)
    book.save(path)
    return path

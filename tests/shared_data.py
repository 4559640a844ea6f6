"""Data that may be read but not shipped: it stands in ``shared/`` beside the checkout, and tests skip without it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from talentassess.core.responses import Responses

ROOT = Path(__file__).resolve().parents[1]


def shared(path: str) -> Path:
    """Return a path below ``../shared``; the test skips if it is not there."""
    found = ROOT.parent / "shared" / path
    if not found.exists():
        pytest.skip(f"shared/{path} is not beside this checkout")
    return found


def read_numbers(path: Path) -> tuple[list[str], np.ndarray]:
    """Return the header and the cells as floats, NaN where a cell is empty or NA."""
    rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    cells = [[float(c) if c not in ("", "NA") else np.nan for c in row] for row in rows[1:]]
    return rows[0], np.array(cells)


def counted(name: str) -> Responses:
    """Return a pattern-count table of ``tests/data`` as one row per person."""
    header, cells = read_numbers(ROOT / "tests" / "data" / name)
    patterns, counts = cells[:, :-1], cells[:, -1].astype(int)
    return make_responses(np.repeat(patterns, counts, axis=0), header[:-1])


def make_responses(x: np.ndarray, items: list[str] | None = None, n_cat: int | None = None) -> Responses:
    """Return responses from a code matrix that starts at 0."""
    k = n_cat or int(np.nanmax(x)) + 1
    names = items or [f"i{j + 1}" for j in range(x.shape[1])]
    return Responses(x=x, n_cat=[k] * x.shape[1], item_ids=names, person_ids=range(len(x)))


def science() -> Responses:
    """Return the four Science items (392 persons, categories 1-4 coded 0-3)."""
    header, cells = read_numbers(shared("data/oracle/mirt_Science4.csv"))
    return make_responses(cells[:, -4:] - 1, header[-4:])


def verbal_aggression(dichotomous: bool = False) -> Responses:
    """Return the 24 verbal aggression items (316 persons, 0-2; or 1 for any aggression)."""
    path = shared("data/oracle/psychotools_VerbalAggression_poly.csv")
    rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    x = np.array([[float(c) for c in row[2:]] for row in rows[1:]])
    return make_responses(np.minimum(x, 1) if dichotomous else x, rows[0][2:])


def sat12(key: list[int]) -> Responses:
    """Return the 32 SAT12 items scored with the key; an answer of 8 means none was given and is scored 0."""
    header, cells = read_numbers(shared("data/oracle/mirt_SAT12.csv"))
    return make_responses((cells == np.array(key)).astype(float), header)


BFI = {
    "agree": ["-A1", "A2", "A3", "A4", "A5"],
    "conscientious": ["C1", "C2", "C3", "-C4", "-C5"],
    "extraversion": ["-E1", "-E2", "E3", "E4", "E5"],
    "neuroticism": ["N1", "N2", "N3", "N4", "N5"],
    "openness": ["O1", "-O2", "O3", "O4", "-O5"],
}


def bfi(scale: str) -> Responses:
    """Return one bfi scale (2,800 persons, six categories, holes in it), reverse-keyed items turned."""
    header, cells = read_numbers(shared("data/oracle/psychTools_bfi.csv"))
    columns = []
    for item in BFI[scale]:
        codes = cells[:, header.index(item.lstrip("-"))] - 1
        columns.append(5 - codes if item.startswith("-") else codes)
    return make_responses(np.column_stack(columns), [i.lstrip("-") for i in BFI[scale]], 6)

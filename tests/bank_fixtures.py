"""The tiny bank of the tests, and copies of it with one thing broken."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

TINY_BANK = Path(__file__).parent / "fixtures" / "tiny_bank"


def broken_bank(folder: Path, edits: Mapping[str, tuple[str, str]]) -> Path:
    """Copy the tiny bank and replace one piece of text per file; the piece must be there."""
    bank = folder / "tiny"
    shutil.copytree(TINY_BANK, bank)
    for name, (old, new) in edits.items():
        text = (bank / name).read_text(encoding="utf-8")
        assert old in text, f"the fixture {name} has no '{old}'"
        (bank / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    return bank


def line_of(name: str, text: str) -> int:
    """Return the line of a fixture file on which a text stands first, counted from 1."""
    lines = (TINY_BANK / name).read_text(encoding="utf-8").splitlines()
    return 1 + next(i for i, line in enumerate(lines) if text in line)

"""The tiny bank of the tests, and copies of it with one thing broken."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from talentassess.bank.schema import ItemBank, SelfReportItem, SituationalItem

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


def made_situational(
    texts: Sequence[Sequence[str | None]],
    effectiveness: Sequence[Sequence[float | None]],
    *,
    form: str = "most_least",
    status: str = "draft",
) -> list[SituationalItem]:
    """Make situational items q0, q1 ... of one scale s from the wording and the key of their options."""
    items = []
    for number, (wording, key) in enumerate(zip(texts, effectiveness, strict=True)):
        options = [
            {"id": "abcde"[k], "text": text, "effectiveness": value, "rationale": "because"}
            for k, (text, value) in enumerate(zip(wording, key, strict=True))
        ]
        fields = {
            "id": f"q{number}",
            "scale": "s",
            "context": "general",
            "format": form,
            "scenario": None if status == "external" else "A customer waits.",
            "options": options,
            "key_source": None if key[0] is None else "rational (authors)",
            "status": status,
            "version": 1,
        }
        items.append(SituationalItem.model_validate(fields))
    return items


def made_bank(items: Sequence[SituationalItem | SelfReportItem], **card: object) -> ItemBank:
    """Make a bank of one scale s from items."""
    fields = {
        "schema": "talentassess/bank/1",
        "id": "made",
        "title": "Made",
        "description": "For the tests.",
        "version": "0.0.1",
        "language": "en",
        "licence": "Apache-2.0",
        "authors": ["Tests"],
        "scales": [{"id": "s", "name": "S", "competency": None}],
        "response_scales": {"agree5": ["1", "2", "3", "4", "5"]},
        "self_report": [item for item in items if isinstance(item, SelfReportItem)],
        "situational": [item for item in items if isinstance(item, SituationalItem)],
    }
    return ItemBank.model_validate(fields | card)

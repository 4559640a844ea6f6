"""Banks in several files, banks taken from another bank, and keys that depend on the role context."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import talentassess as ta
from bank_fixtures import TINY_BANK, broken_bank
from talentassess.bank.load import load_bank
from talentassess.core.errors import ContentError

SELF, SJT = "self_report.yaml", "sjt.yaml"


def in_folders(folder: Path) -> Path:
    """Copy the tiny bank with its items in folders, the first statement in a file of its own."""
    bank = folder / "tiny"
    shutil.copytree(TINY_BANK, bank)
    for name in (SELF, SJT):
        (bank / name[:-5]).mkdir()
    shutil.move(bank / SJT, bank / "sjt" / "all.yaml")
    text = (bank / SELF).read_text(encoding="utf-8")
    (bank / SELF).unlink()
    head, first, *rest = text.split("\n  - id: ")
    (bank / "self_report" / "a.yaml").write_text(f"{head}\n  - id: {first}\n", encoding="utf-8")
    (bank / "self_report" / "b.yaml").write_text("\n  - id: ".join([head, *rest]), encoding="utf-8")
    return bank


def part_of_tiny(folder: Path, selection: str, part_of: str = "tiny") -> Path:
    """Make a bank beside the tiny one that takes items from it."""
    if not (folder / "tiny").exists():
        shutil.copytree(TINY_BANK, folder / "tiny")
    short = folder / "short"
    short.mkdir()
    card = (TINY_BANK / "bank.yaml").read_text(encoding="utf-8").replace("id: tiny", "id: short", 1)
    (short / "bank.yaml").write_text(f"{card}\npart_of: {part_of}\nselection: {selection}\n", encoding="utf-8")
    return short


def test_items_in_folders_are_the_same_bank(tmp_path):
    assert load_bank(in_folders(tmp_path)).content_hash == load_bank(TINY_BANK).content_hash


def test_problems_in_a_folder_name_the_file(tmp_path):
    bank = in_folders(tmp_path)
    path = bank / "self_report" / "b.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("reverse: false", "reverse: maybe", 1), encoding="utf-8")
    with pytest.raises(ContentError, match=r"self_report/b\.yaml, line \d+, item"):
        load_bank(bank)


def test_other_files_in_a_folder_of_items_are_named(tmp_path):
    bank = in_folders(tmp_path)
    (bank / "sjt" / "more.yml").write_text("items: []", encoding="utf-8")
    with pytest.raises(ContentError, match=r"sjt/more\.yml: not read; a file of items ends in \.yaml"):
        load_bank(bank)


def test_a_bank_can_take_items_from_the_one_beside_it(tmp_path):
    whole = load_bank(TINY_BANK)
    ids = [whole.self_report[1].id, whole.self_report[0].id, whole.situational[0].id]
    short = load_bank(part_of_tiny(tmp_path, f"[{', '.join(ids)}]"))
    assert [item.id for item in (*short.self_report, *short.situational)] == ids
    assert short.item(ids[2]) == whole.item(ids[2])


@pytest.mark.parametrize(
    ("selection", "part_of", "message"),
    [
        ("[ow_1, ow_9]", "tiny", "the bank 'tiny' has no item 'ow_9'"),
        ("[ow_1, ow_1]", "tiny", "more than once"),
        ("[]", "tiny", "part_of and selection"),
        ("[ow_1]", "nowhere", "There is no bank 'nowhere'"),
        ("[ow_1]", "short", "takes its own items from 'short'"),
    ],
)
def test_a_selection_that_cannot_be_followed_is_named(tmp_path, selection, part_of, message):
    with pytest.raises(ContentError, match=message):
        load_bank(part_of_tiny(tmp_path, selection, part_of))


def test_a_selection_beside_own_items_is_refused(tmp_path):
    short = part_of_tiny(tmp_path, "[ow_1]")
    shutil.copy(TINY_BANK / SELF, short / SELF)
    with pytest.raises(ContentError, match="this folder has items of its own"):
        load_bank(short)


def general_item(folder: Path) -> Path:
    """Copy the tiny bank with a key that differs in a call centre in the first general item with a key."""
    return broken_bank(
        folder, {SJT: ("stand., effectiveness: 5", "stand., effectiveness: 5, in_context: {call_centre: 1}")}
    )


def test_the_key_depends_on_the_role_context(tmp_path):
    bank = load_bank(general_item(tmp_path))
    item = next(i for i in bank.situational if any(o.in_context for o in i.options))
    there = bank.for_context("call_centre").item(item.id)
    fitted = [o.id for o in item.options if o.in_context]
    before = dict(zip(item.option_ids, item.effectiveness, strict=True))
    after = dict(zip(there.option_ids, there.effectiveness, strict=True))
    assert {o: after[o] for o in after if after[o] != before[o]} == {fitted[0]: 1.0}
    assert bank.for_context("corner_store").item(item.id).effectiveness == item.effectiveness
    assert bank.for_context("general").self_report == bank.self_report


def test_an_unknown_context_is_refused_with_the_allowed_ones():
    with pytest.raises(ContentError, match="did you mean 'call_centre'"):
        ta.load_bank("service_core").for_context("call_center")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "stand., effectiveness: 5",
            "stand., effectiveness: 5, in_context: {general: 1}",
            "the general key stands in effectiveness",
        ),
        ("format: pick_best", "format: pick_best\n    pair: other", "a paired version needs both"),
        ("format: pick_best", "format: pick_best\n    customer_need: slow", "allowed: 'urgent', 'browsing'"),
    ],
)
def test_misused_fields_of_contexts_and_pairs(tmp_path, old, new, message):
    with pytest.raises(ContentError, match=message):
        load_bank(broken_bank(tmp_path, {SJT: (old, new)}))


def test_keys_for_other_contexts_belong_to_general_items(tmp_path):
    bank = general_item(tmp_path)
    text = (bank / SJT).read_text(encoding="utf-8").replace("context: general", "context: corner_store")
    (bank / SJT).write_text(text, encoding="utf-8")
    with pytest.raises(ContentError, match="only an item of the context general has keys for other contexts"):
        load_bank(bank)

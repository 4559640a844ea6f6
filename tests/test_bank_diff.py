"""Two versions of a bank compared: every kind of change, and every rule broken once."""

from __future__ import annotations

import pytest

import talentassess as ta
from bank_fixtures import TINY_BANK, broken_bank
from talentassess.bank.load import load_bank

TINY = load_bank(TINY_BANK)
SELF, SJT = "self_report.yaml", "sjt.yaml"


def edited(folder, file: str, old: str, new: str):
    return load_bank(broken_bank(folder, {file: (old, new)}))


def change(folder, file, old, new):
    found = ta.compare_banks(TINY, edited(folder, file, old, new))
    return [(c.item, c.kind, c.field, c.before, c.after) for c in found.changes]


def test_nothing_changed():
    found = ta.compare_banks(TINY, TINY)
    assert (found.changes, found.findings, found.ok) == ((), (), True)
    assert repr(found) == (
        "BankDiff(tiny 1.2.3 -> tiny 1.2.3: items 0 added, 0 removed, 0 wording, 0 key, 0 status; rules kept)"
    )


CHANGES = [
    (SELF, "I wait until", "I pause until", ("fu_2", "wording", "text", "I wait until customers ask again.")),
    (SELF, "reverse: true", "reverse: false", ("fu_2", "key", "reverse", "true")),
    (SELF, "status: draft", "status: reviewed", ("fu_1", "status", "status", "draft")),
    (SELF, "version: 1", "version: 2", ("fu_1", "version", "version", "1")),
    (SELF, "scale: follow_up", "scale: ownership", ("fu_1", "scale", "scale", "follow_up")),
    (
        SELF,
        "indicator: keeps promised dates",
        "indicator: on time",
        ("fu_1", "notes", "indicator", "keeps promised dates"),
    ),
    (SJT, "effectiveness: 2", "effectiveness: 3", ("ow_pick", "key", "options.b.effectiveness", "2.0")),
    (
        SJT,
        "Ask the customer",
        "Tell the customer",
        ("ow_pick", "wording", "options.b.text", "Ask the customer to come"),
    ),
    (SJT, "context: corner_store", "context: general", ("ow_pick", "other", "context", "corner_store")),
]


@pytest.mark.parametrize(("file", "old", "new", "expected"), CHANGES, ids=[f"{c[3][1]} {c[3][2]}" for c in CHANGES])
def test_each_kind_of_change_is_shown_with_before_and_after(tmp_path, file, old, new, expected):
    ((item, kind, field, before, after),) = change(tmp_path, file, old, new)
    assert (item, kind, field) == expected[:3]
    assert before.startswith(expected[3])
    assert after != before


def test_items_added_and_removed(tmp_path):
    new = edited(tmp_path, SELF, "id: fu_1", "id: fu_9")
    found = ta.compare_banks(TINY, new)
    assert (found.items("added"), found.items("removed")) == (("fu_9",), ("fu_1",))
    assert found.ok
    assert [f.code for f in found.findings] == ["bank_version"]
    assert "still version 1.2.3" in found.findings[0].message


def with_status(folder, status):
    return edited(folder, SELF, "status: draft", f"status: {status}")


def test_an_operational_item_must_not_change_or_vanish(tmp_path):
    old = with_status(tmp_path / "old", "operational")
    text = (tmp_path / "old" / "tiny" / SELF).read_text(encoding="utf-8")
    for name, edit, code in (
        ("wording", ("on the day I promised", "when I promised"), "changed_without_version"),
        ("gone", ("id: fu_1", "id: fu_9"), "removed"),
        ("back", ("status: operational", "status: piloted"), "status_back"),
    ):
        folder = broken_bank(tmp_path / name, {})
        (folder / SELF).write_text(text.replace(*edit), encoding="utf-8")
        found = ta.compare_banks(old, load_bank(folder))
        assert not found.ok
        assert found.findings[0].code == code
        assert found.findings[0].where == "fu_1"


def test_a_new_version_as_draft_is_the_open_way(tmp_path):
    old = with_status(tmp_path / "old", "operational")
    new = edited(
        tmp_path / "new", SELF,
        "I call customers back on the day I promised.\n    reverse: false\n    responses: agree5\n"
        "    indicator: keeps promised dates\n    status: draft\n    version: 1",
        "I ring customers on the day I promised.\n    reverse: false\n    responses: agree5\n"
        "    indicator: keeps promised dates\n    status: draft\n    version: 2",
    )  # fmt: skip
    found = ta.compare_banks(old, new)
    assert found.ok
    assert found.items("wording") == found.items("status") == found.items("version") == ("fu_1",)


def test_a_falling_version_breaks_the_rules(tmp_path):
    found = ta.compare_banks(TINY, edited(tmp_path, SELF, "version: 2", "version: 1"))
    assert not found.ok
    assert "The version falls from 2 to 1." in [f.message for f in found.findings]


def test_a_changed_draft_is_a_warning(tmp_path):
    found = ta.compare_banks(TINY, edited(tmp_path, SELF, "I wait until", "I pause until"))
    assert found.ok
    assert {f.code for f in found.findings} == {"changed_without_version", "bank_version"}
    assert set(found.to_frame().columns) == {"item", "kind", "field", "before", "after"}

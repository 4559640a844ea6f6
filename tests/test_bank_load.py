"""Reading banks and competencies: what a sound bank becomes, and what a broken one is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bank_fixtures import TINY_BANK, broken_bank, line_of
from talentassess.bank.load import bank_names, load_bank, load_competencies
from talentassess.bank.schema import ItemBank, SelfReportItem, SituationalItem
from talentassess.core.errors import ContentError


@pytest.fixture(scope="module")
def tiny() -> ItemBank:
    return load_bank(TINY_BANK)


def test_items_come_by_scale_then_self_report_first(tiny):
    assert tiny.scale_ids == ("ownership", "follow_up", "pace")
    assert tiny.item_ids[:4] == ("ow_1", "ow_2", "ow_pick", "ow_ml")
    assert tiny.item_ids[-3:] == ("pace_1", "pace_ml", "pace_pick")


@pytest.mark.parametrize(
    ("item", "categories"),
    [
        ("ow_1", 5),  # five labels
        ("pace_1", 2),  # two labels
        ("ow_pick", 3),  # effectiveness 5, 2, 2, 4: three levels
        ("ow_ml", 5),  # points -2..2
        ("pace_ml", 5),  # the same without a key
        ("fu_rate", 5),  # 0..4 options rated as keyed
        ("fu_rank", 6),  # effectiveness 1, 5, 4, 1: six pairs, one tied, so 0..5
    ],
)
def test_declared_categories(tiny, item, categories):
    assert tiny.n_cat(item) == categories


def test_categories_of_an_unkeyed_pick_best_item_are_not_known(tiny):
    with pytest.raises(ContentError, match=r"'pace_pick' \(pick_best\) has no key.*ta\.derive_keys"):
        tiny.n_cat("pace_pick")


def test_answer_columns_have_defaults(tiny):
    columns = {item.id: item.answer_columns for item in tiny.items}
    assert columns["pace_1"] == {"answer": "PScale01_Q1"}
    assert columns["ow_pick"] == {"choice": "ow_pick"}
    assert columns["ow_ml"] == {"most": "SJ_Most_1", "least": "SJ_Least_1"}
    assert columns["pace_ml"] == {"most": "pace_ml_most", "least": "pace_ml_least"}
    assert columns["fu_rank"] == {option: f"fu_rank_{option}" for option in "abcd"}
    assert [tiny.item(i).seconds_column for i in ("ow_ml", "fu_1")] == ["SJ_Time_1", "fu_1_seconds"]


def test_yes_and_no_stay_words(tiny):
    # YAML 1.1 would read the labels [No, Yes] as [False, True]
    assert tiny.response_scales["yes_no"] == ("No", "Yes")


def test_codes_are_kept_as_text_with_leading_zeros(tmp_path):
    bank = load_bank(broken_bank(tmp_path, {"self_report.yaml": ("codes: [0, 1]", "codes: [007, 010]")}))
    assert bank.item("pace_1").codes == ("007", "010")


def test_a_file_with_a_byte_order_mark_loads(tmp_path, tiny):
    bank = broken_bank(tmp_path, {})
    (bank / "sjt.yaml").write_bytes(b"\xef\xbb\xbf" + (bank / "sjt.yaml").read_bytes())
    assert load_bank(bank).content_hash == tiny.content_hash


def test_hash_follows_the_content_not_the_layout(tmp_path, tiny):
    commented = broken_bank(tmp_path / "1", {"bank.yaml": ("id: tiny", "id: tiny  # a comment")})
    rekeyed = broken_bank(tmp_path / "2", {"sjt.yaml": ("effectiveness: 4", "effectiveness: 3")})
    assert load_bank(commented).content_hash == tiny.content_hash
    assert load_bank(rekeyed).content_hash != tiny.content_hash


def test_a_bank_may_have_one_kind_of_items_only(tmp_path):
    bank = broken_bank(tmp_path, {})
    (bank / "sjt.yaml").unlink()
    loaded = load_bank(bank)
    assert loaded.situational == ()
    assert len(loaded.items) == 5


def test_bank_prints_what_it_holds_and_what_lacks_a_key(tiny):
    assert repr(tiny) == "ItemBank(tiny 1.2.3, 3 scales, 5 self-report + 6 situational items, 2 without a key)"
    assert str(tiny) == repr(tiny)


def test_bank_as_tables(tiny):
    items, options = tiny.to_frame().set_index("item"), tiny.to_frame("options")
    assert items.loc["fu_2", "key"] == "reversed"
    assert items.loc["fu_rate", "format"] == "rate_each"
    assert len(options) == 4 * 6
    assert tiny.to_frame("scales")["situational"].tolist() == [2, 2, 2]


def test_bank_and_items_are_frozen(tiny):
    from pydantic import ValidationError

    with pytest.raises(ValidationError, match="frozen"):
        tiny.items[0].scale = "other"


def test_item_kinds(tiny):
    assert isinstance(tiny.item("ow_1"), SelfReportItem)
    assert isinstance(tiny.item("ow_pick"), SituationalItem)
    with pytest.raises(ContentError, match="has no item 'ow_pik'; did you mean 'ow_pick'"):
        tiny.item("ow_pik")


def test_parts_that_do_not_fit_are_refused_without_files_too(tiny):
    fields = tiny.model_dump(by_alias=True) | {"scales": [{"id": "pace", "name": "Pace", "competency": None}]}
    with pytest.raises(ContentError, match="'tiny' do not fit together") as caught:
        ItemBank.model_validate(fields)
    assert len(caught.value.problems) == 8


# One thing broken -> what the message must say: file, line, item, field, what was found, what is allowed.
SELF, SJT, CARD = "self_report.yaml", "sjt.yaml", "bank.yaml"
BROKEN = {
    "broken YAML": (SELF, "responses: agree5", "responses: [agree5", ["self_report.yaml, line", "not valid YAML"]),
    "colon in a text": (SELF, "text: I wait", "text: I wait: until", ["a colon and a space into double quotes"]),
    "apostrophe in quotes": (SELF, "text: I wait", "text: 'I don't wait", ["double an apostrophe"]),
    "quote left open": (SELF, "text: I wait", "text: 'I wait", ["a quotation mark is not closed"]),
    "tab": (
        SELF,
        "    scale: follow_up",
        "\tscale: follow_up",
        ["self_report.yaml, line 4", "not valid YAML", "indent with spaces"],
    ),
    "unknown field": (
        SELF,
        "reverse: false",
        "revers: false",
        ["line 6, item 'fu_1', field 'revers': is not a known field; did you mean 'reverse'?"],
    ),
    "missing field": (SELF, "    reverse: false\n", "", ["item 'fu_1', field 'reverse': is missing"]),
    "unknown field of an option": (
        SJT,
        "indicator: mends",
        "indicater: mends",
        ["option 'a'", "'indicater'", "'indicator'?"],
    ),
    "truth value as word": (
        SELF,
        "reverse: false",
        "reverse: no",
        ["'fu_1', field 'reverse': found 'no'; true or false"],
    ),
    "text expected": (
        SELF,
        "text: I wait until customers ask again.",
        "text: 7",
        ["'fu_2', field 'text': found 7; a text"],
    ),
    "empty text": (
        SELF,
        "text: I wait until customers ask again.",
        'text: " "',
        ["found ' '; a text that is not empty"],
    ),
    "whole number expected": (
        SELF,
        "version: 2",
        "version: 2.5",
        ["'ow_2', field 'version': found 2.5; a whole number"],
    ),
    "version too small": (SELF, "version: 2", "version: 0", ["'ow_2', field 'version': found 0; at least 1"]),
    "list expected": (
        CARD,
        "authors: [Test authors]",
        "authors: Test authors",
        ["field 'authors'", "a list is needed"],
    ),
    "fields expected": (CARD, "yes_no: [No, Yes]", "yes_no: 2", ["field 'yes_no': found 2; a list"]),
    "unquoted version": (
        CARD,
        "version: 1.2.3",
        "version: 1.2",
        ["field 'version': found 1.2; a text is needed (put it"],
    ),
    "version pattern": (CARD, "version: 1.2.3", "version: '1.2'", ["found '1.2'; three numbers such as 0.1.0"]),
    "bad id": (CARD, "id: tiny", "id: 1 bank", ["field 'id': found '1 bank'; a letter followed by"]),
    "newer schema": (
        CARD,
        "bank/1",
        "bank/2",
        ["bank.yaml, line 1", "'talentassess/bank/2'", "allowed: 'talentassess/bank/1'"],
    ),
    "unknown competency": (
        CARD,
        "competency: ownership",
        "competency: owner",
        ["scale 'ownership'", "found 'owner'", "allowed:"],
    ),
    "unknown status": (SELF, "status: draft", "status: ready", ["'fu_1', field 'status': found 'ready'", "'piloted'"]),
    "unknown format": (
        SJT,
        "format: rank",
        "format: ranked",
        ["'fu_rank', field 'format': found 'ranked'", "'rate_each'"],
    ),
    "unknown context": (SJT, "context: corner_store", "context: shop", ["'ow_pick', field 'context': found 'shop'"]),
    "unknown scale": (
        SELF,
        "scale: follow_up",
        "scale: followup",
        ["'fu_1', field 'scale'", "did you mean 'follow_up'?"],
    ),
    "unknown response scale": (
        SELF,
        "responses: agree5",
        "responses: agree7",
        ["'fu_1'", "'agree7'", "did you mean 'agree5'"],
    ),
    "duplicate id across files": (
        SJT,
        "id: ow_pick",
        "id: ow_1",
        ["sjt.yaml, line 3, item 'ow_1'", "occurs 2 times", "(also in self_report.yaml)"],
    ),
    "duplicate scale": (CARD, "id: pace, name", "id: ownership, name", ["scale 'ownership' occurs 2 times"]),
    "field given twice": (
        SELF,
        "    reverse: false",
        "    id: again\n    reverse: false",
        ["line 6: the field 'id' is given twice"],
    ),
    "wording missing": (
        SELF,
        "text: I wait until customers ask again.",
        "text: null",
        ["'fu_2': text: found null with status draft"],
    ),
    "codes do not fit labels": (
        SELF,
        "codes: [0, 1]",
        "codes: [0, 1, 2]",
        ["'pace_1'", "3 codes", "'yes_no' has 2 labels"],
    ),
    "code twice": (SELF, "codes: [0, 1]", "codes: [1, 1]", ["'pace_1': codes: found 1 more than once"]),
    "column read twice": (
        SELF,
        "column: PScale01_Q1",
        "column: ow_1",
        ["'pace_1'", "'ow_1' is already read by item 'ow_1'"],
    ),
    "effectiveness out of range": (
        SJT,
        "effectiveness: 5",
        "effectiveness: 9",
        ["option 'a', field 'effectiveness': found 9; at most 5"],
    ),
    "effectiveness as text": (SJT, "effectiveness: 5", "effectiveness: high", ["found 'high'; a number is needed"]),
    "half keyed": (
        SJT,
        "effectiveness: 5",
        "effectiveness: null",
        ["'ow_pick': options: found b, c, d with", "a without; key all"],
    ),
    "key without source": (
        SJT,
        "key_source: rational (authors)",
        "key_source: null",
        ["'ow_pick': key_source: found none"],
    ),
    "source without key": (
        SJT,
        "key_source: null",
        "key_source: experts",
        ["'pace_ml': key_source: found 'experts'", "write null"],
    ),
    "option twice": (SJT, "{id: b, text: Ask", "{id: a, text: Ask", ["'ow_pick': options: found a more than once"]),
    "unknown part of columns": (
        SJT,
        "columns: {most:",
        "columns: {mist:",
        ["'ow_ml': columns: found 'mist'", "most, least, seconds"],
    ),
    "codes of another number": (
        SJT,
        "codes: [1, 2, 3, 4]",
        "codes: [1, 2]",
        ["'ow_ml': codes: found 2 codes for 4 options"],
    ),
    "codes where none are used": (
        SJT,
        "    format: rate_each",
        "    codes: [1, 2, 3, 4]\n    format: rate_each",
        ["'fu_rate': codes"],
    ),
    "alias": (
        SELF,
        "text: I wait until customers ask again.",
        "text: &a again\n    indicator: *a",
        ["alias (*)", "write it out"],
    ),
    "tag": (SELF, "version: 2", "version: !!python/name:os.system 2", ["line", "tags are not used"]),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_banks_are_told_where_and_what(kind, tmp_path):
    file, old, new, expected = BROKEN[kind]
    with pytest.raises(ContentError) as caught:
        load_bank(broken_bank(tmp_path, {file: (old, new)}))
    message = str(caught.value)
    assert "The bank 'tiny' cannot be used" in message
    for piece in expected:
        assert piece in message


def test_the_line_named_is_the_line_of_the_fault(tmp_path):
    line = line_of("sjt.yaml", "text: Quote a price")
    with pytest.raises(ContentError, match=f"sjt.yaml, line {line}, item 'fu_rate', option 'c', field 'effectiveness'"):
        load_bank(broken_bank(tmp_path, {"sjt.yaml": ("last year., effectiveness: 1", "last year., effectiveness: 0")}))


def test_all_problems_of_all_files_are_told_at_once(tmp_path):
    edits = {
        "bank.yaml": ("language: en", "language: English"),
        "self_report.yaml": ("reverse: false", "reverse: maybe"),
        "sjt.yaml": ("format: rank", "format: sort"),
    }
    with pytest.raises(ContentError) as caught:
        load_bank(broken_bank(tmp_path, edits))
    assert [problem.split(",")[0] for problem in caught.value.problems] == ["bank.yaml", "self_report.yaml", "sjt.yaml"]


def test_a_faulty_item_does_not_hide_the_misfit_of_another(tmp_path):
    bank = broken_bank(tmp_path, {"self_report.yaml": ("reverse: false", "reverse: maybe")})
    text = (bank / "self_report.yaml").read_text(encoding="utf-8")
    (bank / "self_report.yaml").write_text(text.replace("scale: pace", "scale: speed"), encoding="utf-8")
    with pytest.raises(ContentError) as caught:
        load_bank(bank)
    assert len(caught.value.problems) == 2
    assert "item 'fu_1', field 'reverse'" in caught.value.problems[0]
    assert "there is no scale 'speed'" in caught.value.problems[1]


def test_wrong_encoding_names_byte_and_line(tmp_path):
    bank = broken_bank(tmp_path, {})
    raw = (bank / "sjt.yaml").read_bytes().replace(b"torch", b"caf\xe9", 1)
    (bank / "sjt.yaml").write_bytes(raw)
    line = line_of("sjt.yaml", "torch")
    with pytest.raises(
        ContentError, match=rf"sjt\.yaml, line {line}: byte 0xe9 at position {raw.index(0xE9)} is not UTF-8"
    ):
        load_bank(bank)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "the file is empty"),
        ("# only a comment\n", "the file is empty"),
        ("- a\n- b\n", "found a list of 2; fields"),
        ("schema: talentassess/self_report/1\nitems: []\n", "field 'items': found 0 entries; at least 1"),
        ("schema: talentassess/self_report/1\n", "field 'items': is missing"),
        ("schema: talentassess/self_report/1\nitems: [5]\n", "item number 1: found 5; fields"),
    ],
)
def test_files_without_content(tmp_path, content, expected):
    bank = broken_bank(tmp_path, {})
    (bank / "self_report.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(ContentError) as caught:
        load_bank(bank)
    assert expected in str(caught.value)


def test_missing_card(tmp_path):
    bank = broken_bank(tmp_path, {})
    (bank / "bank.yaml").unlink()
    with pytest.raises(ContentError, match=r"bank\.yaml: there is no such file in the folder 'tiny'"):
        load_bank(bank)


def test_no_items_at_all(tmp_path):
    bank = broken_bank(tmp_path, {})
    (bank / "sjt.yaml").unlink()
    (bank / "self_report.yaml").unlink()
    with pytest.raises(ContentError, match=r"items.*there are none; give self_report\.yaml, sjt\.yaml or both"):
        load_bank(bank)


def test_a_misnamed_file_is_not_passed_over(tmp_path):
    bank = broken_bank(tmp_path, {})
    shutil.move(bank / "self_report.yaml", bank / "selfreport.yml")
    with pytest.raises(ContentError, match=r"selfreport\.yml: not a file of a bank; did you mean 'self_report\.yaml'"):
        load_bank(bank)


def test_unknown_bank_names_the_shipped_ones():
    with pytest.raises(ContentError, match=r"no bank 'service_cor'.*did you mean 'service_core'"):
        load_bank("service_cor")


def test_a_file_instead_of_a_folder():
    with pytest.raises(ContentError, match=r"'bank\.yaml' is a file; give the folder"):
        load_bank(TINY_BANK / "bank.yaml")


def test_shipped_bank_by_name():
    assert "service_core" in bank_names()
    assert load_bank("service_core").id == "service_core"


def write_competencies(folder: Path, old: str = "", new: str = "") -> Path:
    text = """schema: talentassess/competencies/1
pillars:
  - {id: reliability, name: Reliability, description: Keeps promises.}
competencies:
  - id: ownership
    name: Ownership
    definition: Sees a request through.
    positive: {general: [Stays with it], corner_store: [Notes the wish]}
    negative: {general: [Passes it on]}
    pillars: [reliability]
    methods: [self_report, situational]
    onet:
      - {element_id: 1.C.5.a, element: Dependability, weight: 0.6, rationale: Keeps at it.}
      - {element_id: 1.C.1.b, element: Initiative, weight: 0.4, rationale: Takes it on.}
"""
    assert old in text
    path = folder / "competencies.yaml"
    path.write_text(text.replace(old, new, 1) if old else text, encoding="utf-8")
    return path


def test_competencies_and_their_links(tmp_path):
    model = load_competencies(write_competencies(tmp_path))
    assert repr(model) == "CompetencyModel(1 competencies, 1 pillars)"
    assert model.onet_weights() == {"ownership": (("1.C.5.a", 0.6), ("1.C.1.b", 0.4))}
    assert model.competency("ownership").positive.call_centre == ()
    assert model.to_frame("onet")["element"].tolist() == ["Dependability", "Initiative"]
    with pytest.raises(ContentError, match="no competency 'owner'; did you mean 'ownership'"):
        model.competency("owner")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "weight: 0.6",
            "weight: 0.7",
            "competency 'ownership': onet: the weights add up to 1.1; they must add up to 1",
        ),
        ("weight: 0.6", "weight: 0", "O*NET link '1.C.5.a', field 'weight': found 0; more than 0 is needed"),
        ("pillars: [reliability]", "pillars: [reliable]", "there is no pillar 'reliable'; did you mean 'reliability'"),
        ("id: ownership", "id: courage", "competency 'courage', field 'id': found 'courage'; allowed:"),
        ("general: [Passes it on]", "home: [Passes it on]", "field 'home': is not a known field"),
        ("1.C.1.b", "1.C.5.a", "onet: found 1.C.5.a more than once"),
        ("1.C.1.b", "Initiative", "found 'Initiative'; an O*NET element id such as 1.C.5.a"),
        ("[self_report, situational]", "[self_report, survey]", "field 'methods', entry 2: found 'survey'"),
    ],
)
def test_broken_competencies(tmp_path, old, new, expected):
    with pytest.raises(ContentError) as caught:
        load_competencies(write_competencies(tmp_path, old, new))
    assert expected in str(caught.value)
    assert "competencies.yaml, line" in str(caught.value)


def test_shipped_competencies():
    assert {"ownership", "follow_up"} <= set(load_competencies().ids)


def test_what_systems_and_editors_leave_in_a_folder_is_no_problem(tmp_path, tiny):
    folder = broken_bank(tmp_path, {})
    (folder / "sjt").mkdir()
    for name in (".DS_Store", "~$items.xlsx", "Thumbs.db", "._extra.yaml", "extra.yml"):
        (folder / "sjt" / name).write_text("left over")
    (folder / ".hidden.yaml").write_text("left over")
    with pytest.raises(ContentError) as caught:
        load_bank(folder)
    assert caught.value.problems == ("sjt/extra.yml: not read; a file of items ends in .yaml",)
    (folder / "sjt" / "extra.yml").unlink()
    assert load_bank(folder) == tiny


def test_an_interview_bank_is_called_one():
    with pytest.raises(
        ContentError, match="'service_interview' is a shipped interview bank, and an item bank is needed"
    ):
        load_bank("service_interview")

"""The published JSON Schemas: current, valid, and in agreement with the shipped files."""

from __future__ import annotations

import json

import jsonschema
import pytest

from bank_fixtures import TINY_BANK, broken_bank
from talentassess.bank.json_schema import json_schemas, write_json_schemas
from talentassess.bank.load import bank_names
from talentassess.bank.yaml_file import read_yaml
from talentassess.content import content_dir

ITEMS = content_dir("items")
FOLDERS = [TINY_BANK, *(ITEMS / name for name in bank_names())]
FILES = [path for folder in FOLDERS for path in sorted(folder.glob("*.yaml"))] + [ITEMS / "competencies.yaml"]


def test_shipped_schemas_are_current(tmp_path):
    written = write_json_schemas(tmp_path)
    assert [path.name for path in written] == [f"{name}.schema.json" for name in json_schemas()]
    for path in written:
        shipped = ITEMS / "schemas" / path.name
        assert shipped.read_text(encoding="utf-8") == path.read_text(encoding="utf-8"), (
            f"{path.name} is out of date: run talentassess.bank.json_schema.write_json_schemas('items/schemas')"
        )


@pytest.mark.parametrize("name", json_schemas())
def test_schemas_are_valid_and_describe_every_field(name):
    schema = json_schemas()[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    parts = [schema, *schema.get("$defs", {}).values()]
    bare = [field for part in parts for field, body in part["properties"].items() if "description" not in body]
    assert bare == []
    assert all(part["additionalProperties"] is False for part in parts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_shipped_files_pass_the_published_schemas(path):
    schema = json.loads((ITEMS / "schemas" / f"{path.stem}.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(read_yaml(path).data, schema, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("self_report.yaml", "reverse: false", "revers: false", "'revers' was unexpected"),
        ("sjt.yaml", "effectiveness: 5", "effectiveness: 9", "9 is"),
        ("bank.yaml", "language: en", "language: English", "'English' does not match"),
        ("sjt.yaml", "format: rank", "format: sort", "'sort' is not one of"),
    ],
)
def test_schemas_refuse_what_the_loader_refuses(tmp_path, file, old, new, message):
    path = broken_bank(tmp_path, {file: (old, new)}) / file
    with pytest.raises(jsonschema.ValidationError, match=message):
        jsonschema.validate(read_yaml(path).data, json_schemas()[path.stem])

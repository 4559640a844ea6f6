"""The options that describe a table of answers, and reading it as they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from talentassess.core.errors import DataError, TalentAssessError

if TYPE_CHECKING:
    from talentassess.core.responses import Responses

Table = Annotated[
    Path, typer.Argument(help="Answers: .csv, .tsv, .xlsx, .parquet or .sav; wide, or long (id, item, resp).")
]
Bank = Annotated[
    str | None, typer.Option("--bank", help="Item bank the answers belong to: a shipped name or a folder.")
]
Items = Annotated[
    str | None,
    typer.Option("--items", help="Columns of one scale, e.g. 'q1,q2,-q3'; a minus marks a reverse-keyed item."),
]
Scales = Annotated[
    Path | None,
    typer.Option("--scales", help="YAML file: scale -> list of columns, a minus marks a reverse-keyed item."),
]
Person = Annotated[str | None, typer.Option("--person", help="Column with the persons' ids; row numbers if left out.")]
Group = Annotated[str | None, typer.Option("--group", help="Column with the persons' group.")]
Weight = Annotated[str | None, typer.Option("--weight", help="Column with sampling weights.")]
Categories = Annotated[
    str | None,
    typer.Option("--categories", help="Declared categories, low to high, e.g. '1,2,3,4,5'; inferred if left out."),
]
Missing = Annotated[str | None, typer.Option("--missing", help="Codes that mean missing, e.g. '-9,99'.")]
DeriveKeys = Annotated[
    bool, typer.Option("--derive-keys", help="Key unkeyed situational items by sample consensus (and say so).")
]
REPORTS = (".html", ".pdf", ".xlsx", ".json")
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Report = Annotated[Path | None, typer.Option("--report", help="Write a report: .html, .pdf, .xlsx or .json.")]


def read_table(
    table: Path,
    *,
    bank: str | None,
    items: str | None,
    scales: Path | None,
    person: str | None,
    group: str | None,
    weight: str | None,
    categories: str | None,
    missing: str | None,
    derive_keys: bool,
) -> Responses:
    """Read answers as the options describe them; options that exclude each other raise ``DataError``."""
    from talentassess.bank.tables import key_responses, read_answers, read_responses

    codes = _split(missing) or []
    if bank is not None:
        from talentassess.bank.keys import derive_keys as with_keys
        from talentassess.bank.load import load_bank

        if (items, scales, categories) != (None, None, None):
            raise DataError("--bank says what the items and categories are: leave out --items, --scales, --categories.")
        loaded = load_bank(bank)
        raw = read_answers(table, loaded, person=person, group=group, weight=weight, missing=codes)
        return key_responses(raw, with_keys(raw, loaded) if derive_keys else loaded)
    if items is not None and scales is not None:
        raise DataError("Give either --items (one scale) or --scales (a file), not both.")
    chosen = _one_scale(items) if items is not None else None if scales is None else _read_scales(scales)
    return read_responses(
        table,
        items=chosen,
        person=person,
        group=group,
        weight=weight,
        categories=_split(categories),
        missing=codes,
    )


def check_out(out: Path | None, suffixes: Sequence[str], *inputs: Path) -> None:
    """Refuse a file of a wrong kind, or one of the command's other files, before the work begins and not after it."""
    if out is None:
        return
    if out.suffix.lower() not in suffixes:
        raise TalentAssessError(
            f"'{out.name}' cannot be written: '{out.suffix}' is not a suffix of what this command writes. "
            f"Use {' or '.join(suffixes)}."
        )
    if out.is_dir():
        raise TalentAssessError(f"'{out.name}' is a folder; give the name of a file to write.")
    _check_parents(out)
    if out.resolve() in [path.resolve() for path in inputs]:
        raise TalentAssessError(f"'{out.name}' is used by this command already and would be lost. Choose another name.")


def check_folder(out: Path) -> None:
    """Refuse a file where a folder is needed."""
    if out.is_file():
        raise TalentAssessError(f"'{out.name}' is a file; give the name of a folder to write into.")
    _check_parents(out)


def _check_parents(out: Path) -> None:
    for parent in out.parents:
        if parent.is_file():
            raise TalentAssessError(f"'{out.name}' cannot be written: '{parent.name}' is a file and holds no others.")


def _split(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _one_scale(items: str) -> Mapping[str, list[str]]:
    columns = _split(items)
    if not columns:
        raise DataError("--items names no column; give some, e.g. 'q1,q2,-q3', or leave it out to take all columns.")
    return {"scale": columns}


def _read_scales(path: Path) -> Mapping[str, list[str]]:
    from talentassess.bank.yaml_file import read_yaml

    content = read_yaml(path.resolve()).data
    if not isinstance(content, dict) or not content or not all(map(_is_list_of_names, content.values())):
        raise DataError(f"{path.name} must hold scale names, each with a list of columns, e.g. care: [q1, q2, -q3].")
    return {str(scale): [str(column) for column in columns] for scale, columns in content.items()}


def _is_list_of_names(columns: object) -> bool:
    return isinstance(columns, list) and bool(columns) and all(isinstance(c, str | int | float) for c in columns)

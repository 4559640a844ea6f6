"""The options that describe a table of answers, and reading it as they say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from talentassess.core.errors import DataError

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
    from talentassess.bank.keys import derive_keys as with_keys
    from talentassess.bank.load import load_bank
    from talentassess.bank.tables import key_responses, read_answers, read_responses

    codes = _split(missing) or []
    if bank is not None:
        if items or scales or categories:
            raise DataError("--bank says what the items and categories are: leave out --items, --scales, --categories.")
        loaded = load_bank(bank)
        raw = read_answers(table, loaded, person=person, group=group, weight=weight, missing=codes)
        return key_responses(raw, with_keys(raw, loaded) if derive_keys else loaded)
    if items and scales:
        raise DataError("Give either --items (one scale) or --scales (a file), not both.")
    chosen = _read_scales(scales) if scales else ({"scale": _split(items) or []} if items else None)
    return read_responses(
        table,
        items=chosen,
        person=person,
        group=group,
        weight=weight,
        categories=_split(categories),
        missing=codes,
    )


def _split(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _read_scales(path: Path) -> Mapping[str, list[str]]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"There is no file {path.name}; --scales takes a YAML file: scale -> list of columns."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path.name} is not readable as YAML: {error}") from None
    if not isinstance(content, dict) or not all(isinstance(v, list) for v in content.values()):
        raise DataError(f"{path.name} must hold scale names, each with a list of columns, e.g. care: [q1, q2, -q3].")
    return {str(scale): [str(column) for column in columns] for scale, columns in content.items()}

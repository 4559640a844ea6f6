"""Norms on disk: one JSON file, or a folder with a card people read and a table they open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from talentassess.core.errors import ArtefactError, NormError
from talentassess.core.files import write_whole
from talentassess.core.provenance import hash_json
from talentassess.norming.table import NormTable, table_from_json

CARD, TABLE = "card.json", "table.csv"
# The columns that are read back; all others of table.csv are printed from them.
STORED = ("scale", "score", "frequency")


def save_norms(table: NormTable, folder: str | Path) -> Path:
    """Write ``card.json`` and ``table.csv`` to a folder and return the folder.

    ``card.json`` holds the card, what the norms rest on, and a hash over both files; ``table.csv`` the norm table with
    all standard scores and errors, one row per scale and score.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from talentassess.norming import NormCard, fit_norms_raw
    >>> card = NormCard(population="trainees", sample="a cohort", n=40, collected_from="2024", collected_to="2024",
    ...                 source_hash="ab12", simulated=False, method="number right")
    >>> norms = fit_norms_raw({"numeracy": [1, 2, 2, 3] * 10}, card=card)
    >>> with TemporaryDirectory() as folder:
    ...     load_norms(save_norms(norms, folder))
    NormTable(numeracy; raw; trainees, a cohort, N = 40, real answers)
    """
    place = Path(folder)
    text = _csv_text(table)
    content = {key: value for key, value in table.to_json().items() if key != "hash"}
    content["scales"] = [{"name": s.name, "n": s.n, "n_effective": s.n_effective} for s in table.scales]
    content["hash"] = hash_json({"card": content, "table": text})
    try:
        write_whole(place / TABLE, text)
        write_whole(place / CARD, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise NormError(f"The norms cannot be written to '{place.name}': {error.strerror}.") from error
    return place


def load_norms(name_or_path: str | Path) -> NormTable:
    """Read a norm table.

    Parameters
    ----------
    name_or_path : a folder that ``save_norms`` wrote, a file that ``NormTable.save`` wrote, or the name of norms
        shipped with the package (a folder under norms/).

    Raises
    ------
    NormError : nothing is there, or the norm has no complete card.
    ArtefactError : the content was changed after it was saved, or is not a norm table.
    """
    place = _find(name_or_path)
    if place.is_file():
        return table_from_json(_read_json(place), place.name)
    card = place / CARD
    if not card.is_file():
        raise NormError(
            f"'{place.name}' has no {CARD}, so it does not load: a norm needs a card with population, sample, n, dates "
            "and source hash."
        )
    return _from_folder(_read_json(card), place)


def _find(name_or_path: str | Path) -> Path:
    from talentassess.content import content_dir

    path = Path(name_or_path)
    if path.exists():
        return path
    shipped = content_dir("norms")
    found = shipped / path
    if found.is_dir() and found.resolve().is_relative_to(shipped.resolve()):
        return found
    names = sorted(
        card.parent.relative_to(shipped).as_posix() for card in shipped.rglob(CARD) if (card.parent / TABLE).is_file()
    )
    raise NormError(
        f"There are no norms '{name_or_path}': no such file or folder, and not among those shipped "
        f"({', '.join(names) or 'none yet'})."
    )


def _read_json(file: Path) -> object:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ArtefactError(f"{file.name}: this is not a JSON file in UTF-8: {error}.") from error


def _from_folder(content: object, place: Path) -> NormTable:
    table = place / TABLE
    if not isinstance(content, Mapping) or not table.is_file():
        raise ArtefactError(f"'{place.name}' is not a norm folder: it needs {CARD} and {TABLE}. Save the norms again.")
    # Version control may turn line ends; that is no change of content.
    text = table.read_text(encoding="utf-8").replace("\r\n", "\n")
    body = {key: value for key, value in content.items() if key != "hash"}
    if "card" in content and content.get("hash") != hash_json({"card": body, "table": text}):
        raise ArtefactError(
            f"'{place.name}': {CARD} or {TABLE} was changed after it was saved (hash {content.get('hash')} does not "
            "fit). Restore the files, or fit the norms again."
        )
    rows = list(csv.DictReader(io.StringIO(text)))
    body["scales"] = [_with_rows(scale, rows, place.name) for scale in body.get("scales", [])]
    return table_from_json(body | {"hash": hash_json(body)}, place.name)


def _with_rows(scale: Mapping[str, object], rows: list[dict[str, str]], where: str) -> dict[str, object]:
    try:
        own = [row for row in rows if row["scale"] == scale["name"]]
        columns = {key: [float(row[key]) for row in own] for key in STORED[1:]}
    except (KeyError, TypeError, ValueError) as error:
        raise ArtefactError(f"'{where}': {TABLE} needs the columns {', '.join(STORED)}: {error}.") from error
    return {**scale, **columns}


def _csv_text(table: NormTable) -> str:
    columns = table.tables()["norms"]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    exact = {"score", "frequency"}
    cells = [[_cell(value, name in exact) for value in column] for name, column in columns.items()]
    writer.writerows(zip(*cells, strict=True))
    return out.getvalue()


def _cell(value: object, exact: bool) -> str:
    if isinstance(value, np.floating | float):
        return repr(float(value)) if exact else f"{float(value):.6g}"
    return str(value)

"""Writing files so that an interrupted run never leaves half of one, and artefacts that notice being edited."""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from talentassess.core.errors import ArtefactError
from talentassess.core.provenance import hash_json


def write_whole(path: Path, content: str | bytes) -> Path:
    """Write a file under a temporary name and move it into place; folders are made; returns the path.

    The file's permissions are those of the user's umask, or of the file it replaces.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
        if path.exists():
            temporary.chmod(stat.S_IMODE(path.stat().st_mode))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)  # only there if the move did not happen
    return path


def write_artefact(path: Path, schema: str, content: Mapping[str, object]) -> Path:
    """Write JSON with its schema name and content hash (``schema`` like ``talentassess/calibration/1``)."""
    sealed = {"schema": schema, "content_hash": hash_json(content), **content}
    return write_whole(path, json.dumps(sealed, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_artefact(path: Path) -> tuple[str, dict[str, object]]:
    """Return (schema, content) of a JSON artefact; ``ArtefactError`` if it is unreadable, unknown or was edited."""
    try:
        sealed = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtefactError(f"There is no file {path.name} in {path.parent.name or '.'}.") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ArtefactError(f"{path.name} is not a talentassess file: it is not readable as JSON ({error}).") from None
    if not isinstance(sealed, dict) or not str(sealed.get("schema", "")).startswith("talentassess/"):
        raise ArtefactError(f"{path.name} is not a talentassess file: it has no 'schema' field naming one.")
    schema, stated = str(sealed.pop("schema")), sealed.pop("content_hash", None)
    if stated != hash_json(sealed):
        raise ArtefactError(
            f"{path.name} was changed after it was written: its content hash does not match. Make it again, or use "
            "the original file."
        )
    return schema, sealed

"""Base of the content records: refuse unknown fields, name near misses, say plainly what repeats."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

Context = Literal["general", "corner_store", "call_centre"]
Method = Literal["self_report", "situational", "interview"]

SHOWN = 12  # a longer list of allowed names is not read


def _code_text(value: object) -> object:
    """Let 1 and "1" be the same data code: codes are matched by their text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Identifier = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Text = Annotated[str, Field(pattern=r"\S")]
Code = Annotated[
    str,
    BeforeValidator(_code_text),
    Field(pattern=r"\S"),
    WithJsonSchema({"type": ["string", "integer"], "pattern": r"\S"}),
]


class Record(BaseModel):
    """A frozen record that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def choices(found: str, allowed: Sequence[str]) -> str:
    """Say what is allowed, the nearest name first if one is near.

    Examples
    --------
    >>> choices("owner", ["ownership", "empathy"])
    "did you mean 'ownership'? There are: ownership, empathy"
    """
    near = difflib.get_close_matches(found, allowed, n=1)
    shown = ", ".join(allowed[:SHOWN]) + (" ..." if len(allowed) > SHOWN else "")
    return f"did you mean '{near[0]}'? There are: {shown}" if near else f"there are: {shown or 'none'}"


def repeats(kind: str, ids: Iterable[str]) -> list[str]:
    """List the ids that occur more than once, one line each."""
    return [f"{kind} '{label}' occurs {n} times; each id may occur once" for label, n in Counter(ids).items() if n > 1]


def refuse_repeats(name: str, values: Iterable[str]) -> None:
    """Raise ``ValueError`` if a value of a field occurs twice."""
    twice = [value for value, n in Counter(values).items() if n > 1]
    if twice:
        raise ValueError(f"{name}: found {', '.join(twice)} more than once; each may occur once")

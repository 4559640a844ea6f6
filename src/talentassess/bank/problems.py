"""Turn validation errors into sentences an item writer can act on: where, what was found, what is allowed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, get_args

from talentassess.bank.records import Record, choices
from talentassess.bank.yaml_file import YamlFile

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

# What each pattern of the schema asks for, in words.
_PATTERNS = {
    r"\S": "a text that is not empty is needed",
    r"^[A-Za-z][A-Za-z0-9_]*$": "a letter followed by letters, digits and _ is needed",
    r"^[a-z]$": "one small letter is needed",
    r"^\d+\.\d+\.\d+$": "three numbers such as 0.1.0 are needed",
    r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$": "a language tag such as en or pt-BR is needed",
    r"^[a-z]+:\S+$": "a kind and an id such as item:ow_sr_01 is needed",
    r"^\d(\.[A-Za-z0-9]+)+$": "an O*NET element id such as 1.C.5.a is needed",
}

_TYPES = {
    "string_type": "a text is needed (put it in quotes if it looks like a number)",
    "int_type": "a whole number is needed",
    "float_type": "a number is needed",
    "bool_type": "true or false is needed",
    "tuple_type": "a list is needed",
    "mapping_type": "fields (name: value) are needed",
    "dict_type": "fields (name: value) are needed",
    "model_type": "fields (name: value) are needed",
}


def plain_problems(error: ValidationError, file: YamlFile, model: type[Record]) -> list[str]:
    """Return one sentence per validation error of a file read as ``model``."""
    details = error.errors()
    return [f"{file.place(d['loc'])}: {_sentence(d, model)}" for d in details if not _follows(d, details)]


def _follows(detail: ErrorDetails, details: Sequence[ErrorDetails]) -> bool:
    """True for "too short" where only faulty entries, named by themselves, make the list so."""
    place = detail["loc"]
    deeper = any(other["loc"][: len(place)] == place and other["loc"] != place for other in details)
    return detail["type"] == "too_short" and deeper


def _sentence(detail: ErrorDetails, model: type[Record]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    found = f"found {_describe(detail['input'])}"
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        allowed = [field.alias or name for name, field in _record_at(detail, model).model_fields.items()]
        return f"is not a known field; {choices(str(detail['loc'][-1]), allowed)}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        return f"{found}; {_PATTERNS.get(context['pattern'], context['pattern'])}"
    if kind == "literal_error":
        return f"{found}; allowed: {context['expected']}"
    if kind in ("too_short", "too_long"):
        bound = "at least" if kind == "too_short" else "at most"
        limit = context.get("min_length", context.get("max_length"))
        return f"found {context['actual_length']} entries; {bound} {limit} are needed"
    return f"{found}; {_TYPES.get(kind) or _limit(detail)}"


def _limit(detail: ErrorDetails) -> str:
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    for bound, value in detail.get("ctx", {}).items():
        if bound in words:
            return f"{words[bound]} {value:g} is needed"
    return detail["msg"]


def _record_at(detail: ErrorDetails, model: type[Record]) -> type[Record]:
    """Return the kind of record in which an unknown field was found, going down from the file's own."""
    found = model
    for step in detail["loc"][:-1]:
        field = next((f for name, f in found.model_fields.items() if step in (name, f.alias)), None)
        inner = next(_records_in(field.annotation), None) if field is not None else None
        found = inner or found
    return found


def _records_in(annotation: object) -> Iterator[type[Record]]:
    """Yield the kinds of record in a type such as tuple[Option, ...]."""
    if isinstance(annotation, type) and not get_args(annotation) and issubclass(annotation, Record):
        yield annotation
    for part in get_args(annotation):
        yield from _records_in(part)


def _describe(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}'" if len(value) <= 60 else f"'{value[:57]}...'"
    if isinstance(value, dict):
        return f"fields ({', '.join(map(str, value))})"
    return f"a list of {len(value)}" if isinstance(value, list) else str(value)

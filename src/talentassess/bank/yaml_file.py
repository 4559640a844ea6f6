"""Read a YAML file strictly, and keep the line of every value for messages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from talentassess.core.errors import ContentError

# YAML 1.2 core schema. PyYAML's own rules (YAML 1.1) turn the label No into False, the language no into False and the
# code 010 into 8; here such words stay text.
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?")

_PLAIN_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map")
_ENTRY_NAMES = {
    "items": "item",
    "options": "option",
    "scales": "scale",
    "competencies": "competency",
    "pillars": "pillar",
    "onet": "O*NET link",
    "contexts": "context",
    "behaviours": "behaviour",
    "situations": "situation",
    "questions": "question",
    "probes": "probe",
    "star": "STAR part",
    "faults": "fault",
    "themes": "theme",
}
_SCHEMA = re.compile(r"^schema:\s*['\"]?([\w/]+)", re.MULTILINE)


@dataclass(frozen=True, eq=False, slots=True)
class YamlFile:
    """A parsed file.

    Attributes
    ----------
    name : file name without folders.
    data : its content as dict, list, str, int, float, bool or None.
    node : the parse tree, which knows the lines.
    """

    name: str
    data: object
    node: yaml.Node

    def place(self, path: Sequence[int | str]) -> str:
        """Say where a value stands: file, line, the ids on the way to it, and the field."""
        steps = [step for step in path if step != "[key]"]
        words: list[str] = []
        node: yaml.Node | None = self.node
        line = self.node.start_mark.line
        for position, step in enumerate(steps):
            mark, node = _child(node, step)
            line = line if mark is None else mark.start_mark.line
            if isinstance(step, int):
                words[-1:] = [_entry_name(step, node, str(steps[position - 1]))]
            else:
                words.append(f"field '{step}'")
        return ", ".join([self.name, f"line {line + 1}", *words])


def read_yaml(path: Path, name: str | None = None) -> YamlFile:
    """Read one YAML file; ``name`` is what messages call it, its file name if left out.

    Raises
    ------
    ContentError : the file is missing, empty, not UTF-8, not valid YAML, repeats a field, or has tags or aliases; its
        ``problems`` name file and line.
    """
    label = name or path.name
    text = _decode(path, label)
    try:
        node = yaml.compose(text, Loader=yaml.CBaseLoader if yaml.__with_libyaml__ else yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None else f", line {mark.line + 1}, column {mark.column + 1}"
        problem = error.problem or error.context or ""
        remedy = next((text for words, text in _REMEDIES.items() if words in problem), "")
        raise _unusable(label, f"{label}{line}: not valid YAML ({problem}){remedy}") from error
    except yaml.YAMLError as error:
        raise _unusable(label, f"{label}: not valid YAML ({' '.join(str(error).split())})") from error
    if node is None:
        raise _unusable(label, f"{label}: the file is empty; fields (name: value) are needed")
    problems: list[str] = []
    data = _value(node, label, problems, set())
    if problems:
        raise _unusable(label, *problems)
    return YamlFile(label, data, node)


def declared_schema(path: Path) -> str:
    """Return the schema a YAML file names in its field ``schema``; empty if there is none, or no such file.

    Examples
    --------
    >>> declared_schema(Path("no_such_file.yaml"))
    ''
    """
    found = _SCHEMA.search(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else None
    return found[1] if found else ""


# What an author did, by the words of the parser, which do not say it.
_REMEDIES = {
    "mapping values are not allowed": "; put a text that holds a colon and a space into double quotes",
    "did not find expected key": "; look at the indentation, and double an apostrophe inside single quotes ('')",
    "tab character": "; indent with spaces",
    "cannot start any token": "; put a text that begins with a special character into double quotes",
    "unexpected end of stream": "; a quotation mark is not closed",
}


def _unusable(label: str, *problems: str) -> ContentError:
    return ContentError(f"The file '{label}' cannot be read.", problems)


def _decode(path: Path, label: str) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise _unusable(label, f"{label}: there is no such file in the folder '{path.parent.name}'") from error
    except OSError as error:
        raise _unusable(label, f"{label}: the file cannot be opened ({error.strerror})") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{raw[error.start]:02x} at position {error.start} is not UTF-8"
        raise _unusable(label, f"{label}, line {line}: {found}; save the file with the encoding UTF-8") from error


def _value(node: yaml.Node, name: str, problems: list[str], seen: set[int]) -> object:
    """Turn a node into plain data; ``problems`` collects what strict reading refuses."""
    line = node.start_mark.line + 1
    if id(node) in seen:
        problems.append(f"{name}, line {line}: the value is used again through an alias (*); write it out instead")
        return None
    seen.add(id(node))
    if node.tag not in _PLAIN_TAGS:
        problems.append(f"{name}, line {line}: found the tag '{node.tag}'; tags are not used in content files")
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, name, problems, seen)
    if isinstance(node, yaml.SequenceNode):
        return [_value(child, name, problems, seen) for child in node.value]
    return _scalar(node)


def _mapping(node: yaml.MappingNode, name: str, problems: list[str], seen: set[int]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
        if key in found:
            problems.append(f"{name}, line {line}: the field '{key}' is given twice; keep one")
        found[key] = _value(value_node, name, problems, seen)
    return found


def _scalar(node: yaml.Node) -> object:
    text = str(node.value)
    return text if getattr(node, "style", None) else plain_scalar(text)  # quoted or block text stays text


def plain_scalar(text: str) -> object:
    """Return what a plain (unquoted) value means: None, bool, int, float, or the text itself.

    Examples
    --------
    >>> [plain_scalar(text) for text in ("No", "010", "1.5", "null")]
    ['No', '010', 1.5, None]
    """
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _child(node: yaml.Node | None, step: int | str) -> tuple[yaml.Node | None, yaml.Node | None]:
    """Return (node whose line to show, child), both None where the step leads nowhere (a missing field)."""
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key, value
    return None, None


def _entry_name(step: int, node: yaml.Node | None, parent: str) -> str:
    """Name an entry of a list as a person would: by its id if it has one, else by its place."""
    for field in ("id", "element_id"):
        label = _child(node, field)[1]
        if isinstance(label, yaml.ScalarNode):
            return f"{_ENTRY_NAMES.get(parent, 'entry')} '{label.value}'"
    if parent in _ENTRY_NAMES:
        return f"{_ENTRY_NAMES[parent]} number {step + 1}"
    return f"field '{parent}', entry {step + 1}"

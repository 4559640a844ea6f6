"""Change the status of items in YAML text in place, so that comments, order and line breaks stay as written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from talentassess.bank.yaml_file import read_yaml
from talentassess.core.errors import ContentError


def edited_statuses(folder: Path, item_ids: Sequence[str], status: str) -> dict[Path, str]:
    """Return file -> its text with the new status, for the files of a folder in which one of the items stands.

    Raises
    ------
    ContentError : an item stands in no file of the folder, or its status is not a plain word.
    """
    wanted = set(item_ids)
    edited: dict[Path, str] = {}
    for path in sorted(folder.rglob("*.yaml")):
        nodes = [(label, node) for label, node in _statuses(read_yaml(path).node) if label in wanted]
        if nodes:
            edited[path] = _replace(path, nodes, status)
        wanted -= {label for label, _ in nodes}
    if wanted:
        lines = [f"item '{item}'" for item in sorted(wanted)]
        raise ContentError(f"The files of the folder '{folder.name}' have no status for these items.", lines)
    return edited


def _statuses(node: yaml.Node) -> Iterator[tuple[str, yaml.ScalarNode]]:
    """Yield (id, status node) of every mapping in a tree that has both."""
    if isinstance(node, yaml.MappingNode):
        fields = {key.value: value for key, value in node.value}
        label, status = fields.get("id"), fields.get("status")
        if isinstance(label, yaml.ScalarNode) and isinstance(status, yaml.ScalarNode):
            yield str(label.value), status
        for _, value in node.value:
            yield from _statuses(value)
    elif isinstance(node, yaml.SequenceNode):
        for child in node.value:
            yield from _statuses(child)


def _replace(path: Path, nodes: Sequence[tuple[str, yaml.ScalarNode]], status: str) -> str:
    with path.open(encoding="utf-8", newline="") as stream:  # newline="" keeps line ends as they are
        lines = stream.read().split("\n")
    mark = len("\ufeff") if lines[0].startswith("\ufeff") else 0  # a byte order mark is no column of the first line
    # from the last to the first, so that a replacement moves no later one on the same line
    for label, node in sorted(nodes, key=lambda pair: (pair[1].start_mark.line, pair[1].start_mark.column))[::-1]:
        row, start = node.start_mark.line, node.start_mark.column + (mark if node.start_mark.line == 0 else 0)
        end = start + len(str(node.value))
        if lines[row][start:end] != node.value:
            raise ContentError(f"{path.name}, line {row + 1}: write the status of '{label}' as a plain word.")
        lines[row] = f"{lines[row][:start]}{status}{lines[row][end:]}"
    return "\n".join(lines)

"""Write content as YAML that people read and review: block style, folded wording, nothing that needs a tag."""

from __future__ import annotations

import yaml

from talentassess.bank.yaml_file import plain_scalar

WIDTH = 116  # characters; review tools show it without scrolling
LONG = 88  # longer wording is folded below its field, as the shipped banks have it


class _Writer(yaml.SafeDumper):
    """Indents lists below their field, never uses anchors, and quotes what the reader would take for a number."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Indent lists too: PyYAML would put their dashes below the field's first letter."""
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        """Write every value out, because the reader refuses aliases."""
        return True


def _text(writer: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    foldable = text == " ".join(text.split()) and text.isprintable()
    style = ">" if len(text) > LONG and foldable else None
    if style is None and not isinstance(plain_scalar(text), str):
        style = '"'  # the reader follows YAML 1.2, whose numbers are not all numbers to PyYAML
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _number(writer: yaml.SafeDumper, value: float) -> yaml.ScalarNode:
    whole = value.is_integer() and abs(value) < 1e15
    text = str(int(value)) if whole else repr(value)
    mantissa, e, exponent = text.partition("e")
    if e and "." not in mantissa:  # 1e-05 would be read as text
        text = f"{mantissa}.0e{exponent}"
    return writer.represent_scalar(f"tag:yaml.org,2002:{'int' if whole else 'float'}", text)


_Writer.add_representer(str, _text)
_Writer.add_representer(float, _number)


def yaml_text(content: object, comment: str = "") -> str:
    r"""Return plain data (dict, list, str, int, float, bool, None) as the text of a YAML file.

    Parameters
    ----------
    content : read back by ``read_yaml`` as the same data; whole floats come back as int.
    comment : one line above it.

    Examples
    --------
    >>> print(yaml_text({"items": [{"id": "q1", "code": "010", "value": 2.5}], "more": ["No", "1.0e5"]}), end="")
    items:
      - id: q1
        code: '010'
        value: 2.5
    more:
      - 'No'
      - "1.0e5"
    """
    body: str = yaml.dump(
        content, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=WIDTH, default_flow_style=False
    )
    return f"# {comment}\n{body}" if comment else body

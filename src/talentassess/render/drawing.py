"""Draw a chart as SVG, without a browser."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from talentassess.core.errors import ReportError
from talentassess.render.blocks import FigureBlock

INK = "#8a1c5b"


@dataclass(frozen=True)
class Drawing:
    """A drawn chart: SVG text and its size in pixels."""

    svg: str
    width: float
    height: float


def draw(figure: FigureBlock, *, width: float = 680, simulated: bool = False, font: str | None = None) -> Drawing:
    """Return the figure as SVG.

    Parameters
    ----------
    figure : the chart.
    width : pixels that a width of ``container`` stands for, axes included.
    simulated : stamps SIMULATED on the chart.
    font : typeface instead of the chart's own.

    Raises
    ------
    ReportError : the specification cannot be drawn.
    """
    import vl_convert

    spec = fixed_width(marked(figure.spec, simulated), width)
    spec["background"] = "transparent"
    if font:
        config = spec.get("config")
        spec["config"] = {**(config if isinstance(config, dict) else {}), "font": font}
    try:
        svg = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    except ValueError as error:
        raise ReportError(f"The figure '{figure.caption}' cannot be drawn: {str(error).splitlines()[0]}") from error
    root = ElementTree.fromstring(svg)
    return Drawing(svg, float(root.attrib["width"]), float(root.attrib["height"]))


def marked(spec: Mapping[str, object], simulated: bool) -> dict[str, object]:
    """Return a copy of a specification, with SIMULATED above the chart if it is."""
    found = copy.deepcopy(dict(spec))
    if not simulated:
        return found
    title = found.get("title")
    own = dict(title) if isinstance(title, dict) else {"text": title}
    if own["text"]:
        found["title"] = own | {"subtitle": "SIMULATED", "subtitleColor": INK}
    else:
        found["title"] = {"text": "SIMULATED", "anchor": "end", "color": INK, "fontSize": 11, "fontWeight": "bold"}
    return found


def fixed_width(spec: dict[str, object], width: float) -> dict[str, object]:
    """Replace a width of ``container``; panels inside get the width less ``usermeta.frame``, the room of their axes."""
    if spec.get("width") == "container":
        return spec | {"width": width, "autosize": {"type": "fit-x", "contains": "padding"}}
    meta = spec.get("usermeta")
    frame = float(meta.get("frame", 0)) if isinstance(meta, dict) else 0.0
    return {
        key: value if key in {"data", "datasets"} else _inner_width(value, width - frame) for key, value in spec.items()
    }


def _inner_width(node: object, width: float) -> object:
    if isinstance(node, list):
        return [_inner_width(child, width) for child in node]
    if isinstance(node, dict):
        return {
            key: width if (key, value) == ("width", "container") else _inner_width(value, width)
            for key, value in node.items()
        }
    return node

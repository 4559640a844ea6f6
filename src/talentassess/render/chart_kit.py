"""What all charts share: one theme, colours that survive colour blindness and grey printing, and plain-JSON data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import altair as alt
import numpy as np
from numpy.typing import ArrayLike

from talentassess.core.arrays import FloatArray
from talentassess.core.calibration import Calibration
from talentassess.core.errors import ReportError
from talentassess.core.tabular import Column, Columns

# Okabe & Ito (2008), darkest first; yellow is left out because it vanishes on white
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B07A00", "#56B4E9", "#000000")
DASHES = ((1, 0), (7, 3), (2, 2), (9, 3, 2, 3), (4, 4), (12, 4), (1, 3))
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
BLUE, PALE, VERMILLION = "#0072B2", "#8fbfdd", "#D55E00"
INK, SOFT, GRID = "#1b2430", "#4c5a6a", "#e3e8ee"
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif'
SHOWN = 40  # rows that stay legible on one printed page
NAME_PIXELS = 170  # longer names are cut on the axis; the table behind the figure has them in full
HEIGHT = 270

Spec = dict[str, object]
Table = dict[str, Column]
AnyChart = alt.Chart | alt.LayerChart | alt.FacetChart | alt.VConcatChart | alt.ConcatChart


def theme() -> Spec:
    """Return the Vega-Lite configuration of all charts: type, grid and marks."""
    axis = {
        "labelFontSize": 12,
        "titleFontSize": 12.5,
        "titleFontWeight": 600,
        "titlePadding": 9,
        "labelColor": SOFT,
        "titleColor": INK,
        "gridColor": GRID,
        "domainColor": "#9aa5b1",
        "tickColor": "#9aa5b1",
        "labelLimit": NAME_PIXELS,
        "labelPadding": 5,
        "labelFlush": False,
    }
    legend = {
        "orient": "top",
        "labelFontSize": 12,
        "titleFontSize": 12.5,
        "titleFontWeight": 600,
        "labelColor": INK,
        "titleColor": INK,
        "symbolSize": 120,
        "symbolOpacity": 1,
        "columns": 4,
        "labelLimit": 320,
    }
    return {
        "font": FONT,
        "background": "transparent",
        "axis": axis,
        "axisXQuantitative": {"tickCount": 9},
        "axisYQuantitative": {"tickCount": 6},
        "legend": legend,
        "view": {"stroke": None},
        "rule": {"strokeWidth": 1.5},
        "text": {"fontSize": 12, "color": INK},
        "range": {"category": list(PALETTE), "symbol": list(SHAPES)},
    }


def records(columns: Columns, limit: int | None = None) -> alt.InlineData:
    """Return the first ``limit`` rows as chart data: records with six significant digits, null where not finite."""
    names = list(columns)
    lists = [[_value(value) for value in column[:limit]] for column in columns.values()]
    return alt.InlineData(values=[dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True)])


def _value(value: object) -> object:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.6g}") if np.isfinite(value) else None
    return value


def finish(chart: AnyChart, *, height: float | None = None, row: float | None = None) -> Spec:
    """Return the chart as a Vega-Lite specification with the theme, as wide as the page.

    Parameters
    ----------
    chart : of one panel.
    height : pixels of the panel; left out if ``row`` is given.
    row : pixels per row, for charts with one row per name.
    """
    spec: Spec = chart.to_dict()
    return spec | {"width": "container", "height": {"step": row} if row else height or HEIGHT, "config": theme()}


def finish_panels(chart: AnyChart, *, frame: float) -> Spec:
    """Return a chart of stacked panels; ``frame`` is the room in pixels that axes need beside each panel."""
    spec: Spec = chart.to_dict()
    return spec | {"config": theme(), "usermeta": {"frame": frame}}


def line_legend() -> alt.Legend:
    """Return a legend whose symbols are pieces of line, long enough to show their dash."""
    return alt.Legend(symbolType="stroke", symbolSize=420)


def colour_scale(labels: Sequence[str]) -> alt.Scale:
    """Return a scale that gives each label its own colour, in order; beyond seven they repeat with another dash."""
    return alt.Scale(domain=list(labels), range=colours(len(labels)))


def colours(n: int) -> list[str]:
    """Return n colours of the palette, starting again after its last."""
    return [PALETTE[i % len(PALETTE)] for i in range(n)]


def dash_scale(labels: Sequence[str]) -> alt.Scale:
    """Return a scale that gives each label its own dash; the dashes shift by one when the colours start again."""
    shift = [(i + i // len(PALETTE)) % len(DASHES) for i in range(len(labels))]
    return alt.Scale(domain=list(labels), range=[list(DASHES[i]) for i in shift])


def shape_scale(labels: Sequence[str]) -> alt.Scale:
    """Return a scale that gives each label its own point shape."""
    return alt.Scale(domain=list(labels), range=[SHAPES[i % len(SHAPES)] for i in range(len(labels))])


def numbers(value: ArrayLike | None, name: str, size: int) -> FloatArray:
    """Return (size,) floats, NaN everywhere for None; another length raises ``ReportError``."""
    if value is None:
        return np.full(size, np.nan)
    found = np.asarray(value, dtype=np.float64)
    if found.shape != (size,):
        raise ReportError(
            f"The chart needs {size} values in '{name}', one per row; found an array of shape {found.shape}."
        )
    return found


def distinct(names: Sequence[str], kind: str) -> list[str]:
    """Return names as text; none, or one that occurs twice, raises ``ReportError``."""
    labels = [str(name) for name in names]
    if not labels:
        raise ReportError(f"The chart has no {kind}. Give at least one.")
    twice = [f"'{label}' occurs {n} times" for label, n in Counter(labels).items() if n > 1]
    if twice:
        raise ReportError(f"Two rows of a chart cannot share a name. Give every {kind} its own.", twice)
    return labels


def shown_note(total: int, kind: str) -> str:
    """Return a sentence for the caption if only the first rows are drawn, else nothing."""
    return f" The first {SHOWN} of {total:,} {kind} are drawn." if total > SHOWN else ""


def calibration_note(calibration: Calibration) -> str:
    """Return what a reader must know before the numbers: simulated answers, an estimation that did not converge."""
    parts = [
        " Calibrated on SIMULATED answers." if calibration.provenance.simulated else "",
        "" if calibration.status.ok else f" Estimation {calibration.status.value}: {calibration.status.remedy}",
    ]
    return "".join(parts)


def dimension_index(calibration: Calibration, dimension: str) -> int:
    """Return the position of a dimension; an unknown one raises ``ReportError``."""
    if dimension not in calibration.dimensions:
        raise ReportError(f"There is no dimension '{dimension}'; there are: {', '.join(calibration.dimensions)}.")
    return calibration.dimensions.index(dimension)


def theta_points(calibration: Calibration, dimension: int, line: FloatArray) -> FloatArray:
    """Return (Q, D) points along one dimension, the others at the reference group's mean."""
    points = np.tile(calibration.latent.mean[0], (len(line), 1)).astype(np.float64)
    points[:, dimension] = line
    return points

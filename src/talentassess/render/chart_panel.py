"""Chart of estimates with intervals beside another set of values: a panel's key beside the authors' key."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
from numpy.typing import ArrayLike

from talentassess.render import chart_kit as kit
from talentassess.render.blocks import FigureBlock, TableBlock, slug
from talentassess.render.chart_people import interval_columns


def interval_comparison(
    names: Sequence[str],
    estimate: ArrayLike,
    lower: ArrayLike,
    upper: ArrayLike,
    other: ArrayLike,
    *,
    label: str,
    kinds: tuple[str, str],
) -> FigureBlock:
    """Draw estimates with their intervals and, in the same rows, values from elsewhere.

    Parameters
    ----------
    names : (R,) rows, in the order drawn.
    estimate, lower, upper : (R,) value and the limits of its interval.
    other : (R,) values to compare with, NaN where there is none.
    label : axis title with unit and level, e.g. ``Effectiveness (1 to 5), 95 % interval``.
    kinds : what the estimates and the other values are, for the legend.

    Of more than 40 rows the first 40 are drawn, and the caption says so; the table behind the figure has all.

    Raises
    ------
    ReportError : columns of different lengths, a name twice, a lower limit above the upper one.
    """
    columns = interval_columns(names, estimate, lower, upper, "name")
    rows = list(columns["name"])
    beside = kit.numbers(other, "other", len(rows))
    low, high = (np.asarray(columns[name], dtype=np.float64) for name in ("lower", "upper"))
    outside = int(np.sum((beside < low) | (beside > high)))
    behind = {"name": rows, kinds[0]: columns["estimate"], "lower": low, "upper": high, kinds[1]: beside}
    return FigureBlock(
        caption=f"{label}: {kinds[0]} (circle with interval) and {kinds[1]} (diamond)."
        f"{kit.shown_note(len(rows), 'rows')}",
        alt_text=f"{label}: {len(rows)} rows with {kinds[0]} and {kinds[1]}. In {outside} of them {kinds[1]} lies "
        "outside the interval.",
        spec=kit.finish(_comparison_chart({**columns, "other": beside}, label, kinds), row=18),
        data_table=TableBlock(label, behind),
        anchor=slug(f"comparison {label}"),
    )


def _comparison_chart(columns: kit.Table, label: str, kinds: tuple[str, str]) -> kit.AnyChart:
    size = len(columns["name"])
    data = kit.records({**columns, "one": [kinds[0]] * size, "two": [kinds[1]] * size}, kit.SHOWN)
    y = alt.Y("name:N", sort=list(columns["name"])[: kit.SHOWN], title=None, axis=alt.Axis(grid=True))
    legend = alt.Legend(title=None)
    colours = alt.Scale(domain=list(kinds), range=[kit.BLUE, kit.VERMILLION])
    shapes = alt.Scale(domain=list(kinds), range=["circle", "diamond"])
    tooltip = ["name:N", *(alt.Tooltip(f"{n}:Q", format=".2f") for n in ("estimate", "lower", "upper", "other"))]
    x = alt.X("lower:Q", title=label, scale=alt.Scale(zero=False, padding=8))
    bars = alt.Chart(data).mark_rule(strokeWidth=2, opacity=0.75, color=kit.BLUE).encode(x, alt.X2("upper:Q"), y)
    layers = [bars]
    for field, kind, size_of in (("estimate", "one", 64), ("other", "two", 90)):
        points = alt.Chart(data).mark_point(filled=kind == "one", size=size_of, opacity=1, strokeWidth=2)
        colour = alt.Color(f"{kind}:N", scale=colours, legend=legend)
        shape = alt.Shape(f"{kind}:N", scale=shapes, legend=legend)
        layers.append(points.encode(alt.X(f"{field}:Q", title=label), y, colour, shape, tooltip=tooltip))
    return alt.layer(*layers)

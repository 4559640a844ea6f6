"""Charts of estimates with intervals: candidates, profiles, probabilities and ranks."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
from numpy.typing import ArrayLike

from talentassess.core.arrays import FloatArray
from talentassess.core.errors import ReportError
from talentassess.core.tabular import Columns
from talentassess.render import chart_kit as kit
from talentassess.render.blocks import FigureBlock, TableBlock, slug
from talentassess.render.cells import chance

SHADES = ("#f4f8fb", "#d3e5f0", "#9cc4de", "#2f76a5", "#0a466b")  # one hue, even steps of lightness
LEVEL_NAMES = 7  # columns whose names fit side by side on a page
TIED, OTHERS = "cannot be told apart from the first", "others"


def interval_plot(
    names: Sequence[str],
    estimate: ArrayLike,
    lower: ArrayLike,
    upper: ArrayLike,
    *,
    label: str,
    reference: float | None = None,
    group: Sequence[str] | None = None,
) -> FigureBlock:
    """Draw estimates with their intervals, one row each, in the order given.

    Parameters
    ----------
    names : (R,) candidates, competencies or items.
    estimate, lower, upper : (R,) value and the limits of its interval.
    label : axis title with unit and level, e.g. ``T score, 90 % interval``.
    reference : a value to compare with, drawn as a line.
    group : (R,) label that decides colour and shape.

    Of more than 40 rows the first 40 are drawn, and the caption says so; the table behind the figure has all.

    Raises
    ------
    ReportError : columns of different lengths, a name twice, a lower limit above the upper one.
    """
    columns = interval_columns(names, estimate, lower, upper, "name")
    rows, value = list(columns["name"]), np.asarray(columns["estimate"], dtype=np.float64)
    groups = [""] * len(rows) if group is None else [str(g) for g in group]
    if len(groups) != len(rows):
        raise ReportError(f"The chart needs one group per row; found {len(rows)} rows and {len(groups)} groups.")
    behind = columns if group is None else {**columns, "group": groups}
    top = int(np.nanargmax(value))
    line = "" if reference is None else f" Vertical line: {reference:g}."
    return FigureBlock(
        caption=f"{label}.{line}{kit.shown_note(len(rows), 'rows')}",
        alt_text=f"{label}: {len(rows)} rows from {np.nanmin(value):.2f} to {value[top]:.2f} ({rows[top]})."
        f"{_include_text(columns, reference)}",
        spec=kit.finish(_interval_chart({**columns, "group": groups}, label, reference), row=18),
        data_table=TableBlock(label, behind),
        anchor=slug(f"intervals {label}"),
    )


def interval_columns(
    names: Sequence[str], estimate: ArrayLike, lower: ArrayLike, upper: ArrayLike, kind: str
) -> kit.Table:
    """Return name, estimate, lower and upper (R,) as columns; limits the wrong way round raise ``ReportError``."""
    rows = kit.distinct(names, kind)
    given = {"estimate": estimate, "lower": lower, "upper": upper}
    table = {name: kit.numbers(value, name, len(rows)) for name, value in given.items()}
    low, high = table["lower"], table["upper"]
    wrong = [f"'{rows[i]}': lower {low[i]:g} is above upper {high[i]:g}" for i in np.flatnonzero(low > high)]
    if wrong:
        raise ReportError("Limits of intervals are the wrong way round. Exchange them.", wrong)
    return {"name": rows, **table}


def _include_text(columns: kit.Table, reference: float | None) -> str:
    if reference is None:
        return ""
    low, high = (np.asarray(columns[name], dtype=np.float64) for name in ("lower", "upper"))
    inside = int(np.sum((low <= reference) & (high >= reference)))
    return f" {inside} of {len(low)} intervals include {reference:g}."


def _interval_chart(columns: kit.Table, label: str, reference: float | None) -> kit.AnyChart:
    data = kit.records(columns, kit.SHOWN)
    kinds = list(dict.fromkeys(str(g) for g in columns["group"]))
    legend = None if kinds == [""] else alt.Legend(title=None)
    y = alt.Y("name:N", sort=list(columns["name"])[: kit.SHOWN], title=None, axis=alt.Axis(grid=True))
    colour = alt.Color("group:N", scale=kit.colour_scale(kinds), legend=legend)
    shape = alt.Shape("group:N", scale=kit.shape_scale(kinds), legend=legend)
    tooltip = ["name:N", *(alt.Tooltip(f"{n}:Q", format=".2f") for n in ("estimate", "lower", "upper"))]
    x = alt.X("lower:Q", title=label, scale=alt.Scale(zero=False, padding=8))
    bars = alt.Chart(data).mark_rule(strokeWidth=2, opacity=0.75).encode(x, alt.X2("upper:Q"), y, colour)
    points = alt.Chart(data).mark_point(filled=True, size=64, opacity=1)
    marks = points.encode(alt.X("estimate:Q", title=label), y, colour, shape, tooltip=tooltip)
    rule = alt.Chart(kit.records({"at": [reference]})).mark_rule(color=kit.INK, strokeDash=[4, 3])
    lines = [] if reference is None else [rule.encode(alt.X("at:Q", title=label))]
    return alt.layer(*lines, bars, marks)


def probability_heatmap(
    persons: Sequence[str], competencies: Sequence[str], p: ArrayLike, *, confidence: float = 0.9
) -> FigureBlock:
    """Draw P(true score >= required level) of each person in each competency, as shade and as number.

    Parameters
    ----------
    persons : (N,) labels.
    competencies : (C,) labels.
    p : (N, C) probabilities 0..1; NaN where not known.
    confidence : from which a level counts as reached, in the description.

    Raises
    ------
    ReportError : a table of another shape, a value outside 0..1, a label twice.
    """
    rows, columns = kit.distinct(persons, "person"), kit.distinct(competencies, "competency")
    table = _probabilities(p, rows, columns)
    behind: kit.Table = {"person": rows, **{name: table[:, c] for c, name in enumerate(columns)}}
    sure = int(np.sum(np.all(table >= confidence, axis=1)))
    return FigureBlock(
        caption="Probability that the true score reaches the required level, given the error of the score and of the "
        f"level.{kit.shown_note(len(rows), 'persons')}",
        alt_text=f"{len(rows)} persons by {len(columns)} competencies; {sure} of them reach the level with a "
        f"probability of {100 * confidence:.0f} percent or more in every competency.",
        spec=kit.finish(_heatmap(rows[: kit.SHOWN], columns, table[: kit.SHOWN]), row=22),
        data_table=TableBlock("Probability of reaching the required level", behind, dict.fromkeys(columns, "chance")),
        anchor="probability-of-reaching-the-level",
    )


def _probabilities(p: ArrayLike, rows: list[str], columns: list[str]) -> FloatArray:
    table = np.asarray(p, dtype=np.float64)
    if table.shape != (len(rows), len(columns)):
        size = f"{len(rows)} x {len(columns)}"
        raise ReportError(f"The chart needs {size} probabilities; found an array of shape {table.shape}.")
    bad = np.argwhere((table < 0) | (table > 1))
    if len(bad):
        lines = [f"person '{rows[i]}', competency '{columns[c]}': {table[i, c]:g}" for i, c in bad]
        raise ReportError("Probabilities must lie between 0 and 1.", lines)
    return table


def _heatmap(rows: list[str], columns: list[str], p: FloatArray) -> kit.AnyChart:
    words = ["" if np.isnan(value) else chance(float(value)) for value in p.ravel()]
    cells_of: Columns = {"person": np.repeat(rows, len(columns)), "competency": columns * len(rows), "p": p.ravel()}
    data = kit.records({**cells_of, "chance": words})
    axis = _steep_names() if len(columns) > LEVEL_NAMES else _level_names(columns)
    x = alt.X("competency:N", sort=columns, title=None, axis=axis)
    y = alt.Y("person:N", sort=rows, title=None, axis=alt.Axis(domain=False, ticks=False))
    shade = alt.Color("p:Q", scale=alt.Scale(domain=[0, 1], range=list(SHADES)), legend=None)
    tooltip = ["person:N", "competency:N", alt.Tooltip("chance:N", title="Probability")]
    cells = alt.Chart().mark_rect(stroke="white", strokeWidth=2).encode(x, y, shade, tooltip=tooltip)
    ink = alt.when("datum.p > 0.66").then(alt.value("white")).otherwise(alt.value(kit.INK))
    text = alt.Chart().mark_text(fontSize=11.5).encode(x, y, color=ink, text=alt.Text("chance:N"))
    return alt.layer(cells, text, data=data)


def _level_names(columns: Sequence[str]) -> alt.Axis:
    """Return an axis with one word per line, so that long names fit above their column."""
    room = 15 * max(name.count(" ") for name in columns) + 5
    in_words = "split(datum.label, ' ')"
    return alt.Axis(orient="top", labelAngle=0, labelLimit=120, labelExpr=in_words, labelPadding=room, ticks=False)


def _steep_names() -> alt.Axis:
    """Return an axis with upright names: side by side they would run into each other."""
    return alt.Axis(orient="top", labelAngle=-90, labelLimit=kit.NAME_PIXELS, labelPadding=5, ticks=False)


def rank_intervals(
    names: Sequence[str],
    rank: ArrayLike,
    lower: ArrayLike,
    upper: ArrayLike,
    *,
    level: float = 0.90,
    tied: Sequence[bool] | None = None,
) -> FigureBlock:
    """Draw the rank of each candidate with its interval, best first.

    Parameters
    ----------
    names : (N,) candidates.
    rank, lower, upper : (N,) rank (1 is best) and the limits of its interval.
    level : probability of the interval.
    tied : (N,) True for candidates who cannot be told apart from the first.

    Raises
    ------
    ReportError : columns of different lengths, a name twice, limits the wrong way round.
    """
    given = interval_columns(names, rank, lower, upper, "candidate")
    n = len(given["name"])
    flags = kit.numbers([False] * n if tied is None else list(tied), "tied", n) > 0
    groups = [TIED if flag else OTHERS for flag in flags]
    order = np.argsort(np.asarray(given["estimate"]), kind="stable")
    keys = {"candidate": "name", "rank": "estimate", "lower": "lower", "upper": "upper"}
    columns: kit.Table = {new: [given[old][i] for i in order] for new, old in keys.items()}
    columns["group"] = [groups[i] for i in order]
    told = "" if tied is None else f" {int(flags.sum())} candidate(s) cannot be told apart from the first."
    return FigureBlock(
        caption=f"Rank of each candidate with its {100 * level:.0f} % interval, best first.{told}"
        f"{kit.shown_note(n, 'candidates')}",
        alt_text=f"Ranks of {n} candidates. The interval of the first, {columns['candidate'][0]}, runs from "
        f"{columns['lower'][0]:g} to {columns['upper'][0]:g}.{told}",
        spec=kit.finish(_rank_chart(columns, tied is not None), row=18),
        data_table=TableBlock("Rank intervals", columns, {"rank": "0", "lower": "0", "upper": "0"}),
        anchor="rank-intervals",
    )


def _rank_chart(columns: kit.Table, marked: bool) -> kit.AnyChart:
    legend = alt.Legend(title=None, columns=2) if marked else None
    y = alt.Y("candidate:N", sort=list(columns["candidate"])[: kit.SHOWN], title=None, axis=alt.Axis(grid=True))
    kinds = [TIED, OTHERS]
    colour = alt.Color("group:N", scale=alt.Scale(domain=kinds, range=[kit.VERMILLION, kit.BLUE]), legend=legend)
    shape = alt.Shape("group:N", scale=alt.Scale(domain=kinds, range=["diamond", "circle"]), legend=legend)
    title = "Rank (1 is best)"
    x = alt.X("lower:Q", title=title, scale=alt.Scale(domainMin=0, nice=True), axis=alt.Axis(tickMinStep=1))
    bars = alt.Chart().mark_rule(strokeWidth=2.4, opacity=0.6).encode(x, alt.X2("upper:Q"), y, colour)
    points = alt.Chart().mark_point(filled=True, size=70, opacity=1)
    tooltip = ["candidate:N", "rank:Q", "lower:Q", "upper:Q"]
    marks = points.encode(alt.X("rank:Q", title=title), y, colour, shape, tooltip=tooltip)
    return alt.layer(bars, marks, data=kit.records(columns, kit.SHOWN))

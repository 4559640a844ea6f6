"""Scores of a group on many scales in one chart: a row of points per scale, with the level it is held against."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
from numpy.typing import ArrayLike

from talentassess.core.errors import ReportError
from talentassess.render import chart_kit as kit
from talentassess.render.blocks import FigureBlock, TableBlock, slug

REACH = 1.645  # standard errors to either side of a level: 90 %


def score_strips(
    scales: Sequence[str], values: ArrayLike, *, label: str, level: ArrayLike, level_se: ArrayLike
) -> FigureBlock:
    """Draw the scores of N persons on C scales: a strip per scale, with its required level and the level's error.

    Parameters
    ----------
    scales : (C,) names.
    values : (N, C) scores on one unit; NaN are left out and counted in the caption.
    label : axis title with unit.
    level, level_se : (C,) level on the same unit and its standard error; NaN where none is required.

    Raises
    ------
    ReportError : a table of another shape, a scale twice, no score at all.
    """
    rows = kit.distinct(scales, "scale")
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != len(rows) or not np.isfinite(table).any():
        raise ReportError(f"The chart needs scores of {len(rows)} scales; found an array of shape {table.shape}.")
    given = {name: kit.numbers(value, name, len(rows)) for name, value in (("level", level), ("se", level_se))}
    lost = int(np.sum(~np.isfinite(table)))
    above = [int(np.sum(table[:, c] >= given["level"][c])) for c in range(len(rows))]
    behind: kit.Table = {
        "scale": rows,
        "persons": np.sum(np.isfinite(table), axis=0),
        "lowest": np.nanmin(table, axis=0),
        "median": np.nanmedian(table, axis=0),
        "highest": np.nanmax(table, axis=0),
        "required level": given["level"],
        "SE of the level": given["se"],
        "scores at or above": [n if np.isfinite(x) else None for n, x in zip(above, given["level"], strict=True)],
    }
    return FigureBlock(
        caption=f"{label}: a point per person. Upright line: required level, band: its 90 % interval. A point has an "
        "error of its own, which is not drawn; the heat map has it." + (f" {lost} scores are missing." if lost else ""),
        alt_text=f"{label} of {len(table)} persons on {len(rows)} scales, with the required levels.",
        spec=kit.finish(_strips(rows, behind, table, label), row=22),
        data_table=TableBlock(label, behind, dict.fromkeys(("lowest", "median", "highest"), "0.00")),
        anchor=slug(f"strips {label}"),
    )


def _strips(rows: list[str], behind: kit.Table, table: np.ndarray, label: str) -> kit.AnyChart:
    n = len(table)
    points = kit.records({"scale": np.repeat(rows, n), "score": table.T.ravel()})
    level, half = (np.asarray(behind[k], dtype=np.float64) for k in ("required level", "SE of the level"))
    known = np.isfinite(level)
    lines = kit.records(
        {
            "scale": [row for row, there in zip(rows, known, strict=True) if there],
            "level": level[known],
            "low": (level - REACH * half)[known],
            "high": (level + REACH * half)[known],
        }
    )
    y = alt.Y("scale:N", sort=rows, title=None, axis=alt.Axis(grid=True))
    x = alt.X("score:Q", title=label, scale=alt.Scale(zero=False, padding=8))
    dots = alt.Chart(points).mark_point(filled=True, size=38, opacity=0.45, color=kit.BLUE).encode(x, y)
    bar = alt.Chart(lines).mark_bar(height=16, opacity=0.3, color=kit.VERMILLION)
    band = bar.encode(alt.X("low:Q", title=label), alt.X2("high:Q"), y)
    tick = alt.Chart(lines).mark_tick(thickness=2.4, height=18, color=kit.VERMILLION)
    return alt.layer(band, dots, tick.encode(alt.X("level:Q", title=label), y))

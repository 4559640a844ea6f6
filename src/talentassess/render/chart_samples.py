"""Charts of samples: score distribution and reliability."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
from numpy.typing import ArrayLike

from talentassess.core.arrays import FloatArray
from talentassess.core.errors import ReportError
from talentassess.render import chart_kit as kit
from talentassess.render.blocks import FigureBlock, TableBlock, slug


def score_distribution(
    values: ArrayLike,
    *,
    label: str,
    cut: float | None = None,
    cut_se: float | None = None,
    norm: tuple[float, float] | None = None,
    cut_label: str = "required level",
) -> FigureBlock:
    """Draw the distribution of scores, with a cut and its uncertainty and the norm group's normal curve if given.

    Parameters
    ----------
    values : (N,) scores; NaN are left out and counted in the caption.
    label : axis title with unit, e.g. ``Service orientation (T score)``.
    cut, cut_se : a level on the same scale and its standard error; the band is cut ± 1.645 SE (90 %).
    norm : (mean, SD) of the norm group on the same scale.
    cut_label : what the level is.

    Raises
    ------
    ReportError : no value at all.
    """
    found = np.asarray(values, dtype=np.float64).ravel()
    known = found[np.isfinite(found)]
    if not len(known):
        raise ReportError(f"There is no score to draw for '{label}'.")
    edges = _edges(known)
    count, _ = np.histogram(known, edges)
    columns: kit.Table = {"from": edges[:-1], "to": edges[1:], "persons": count, "percent": 100 * count / len(known)}
    layers = [_bars(columns, label), *_cut_lines(cut, cut_se), *_norm_curve(edges, norm)]
    lost = len(found) - len(known)
    return FigureBlock(
        caption=f"Distribution of {label}, {len(known):,} persons.{_marks_text(cut, cut_se, norm, cut_label)}"
        + (f" {lost} without a score are left out." if lost else ""),
        alt_text=f"Histogram of {label}: mean {known.mean():.2f}, SD {known.std():.2f}, "
        f"from {known.min():.2f} to {known.max():.2f}.{_above_text(known, cut, cut_label)}",
        spec=kit.finish(alt.layer(*layers), height=260),
        data_table=TableBlock(f"Distribution of {label}", columns, {"percent": "0.0"}),
        anchor=slug(f"distribution {label}"),
    )


def _edges(values: FloatArray) -> FloatArray:
    """Return bin edges: one bin per whole number for sum scores, else 8 to 40 bins by the Freedman-Diaconis rule."""
    low, high = float(values.min()), float(values.max())
    if np.all(values == np.round(values)) and high - low <= 60:
        return np.arange(low - 0.5, high + 1.5)
    if low == high:
        return np.array([low - 0.5, high + 0.5])
    spread = float(np.subtract(*np.quantile(values, [0.75, 0.25])))
    width = 2 * spread / len(values) ** (1 / 3) or (high - low) / 8
    return np.linspace(low, high, int(np.clip(np.ceil((high - low) / width), 8, 40)) + 1)


def _bars(columns: kit.Table, label: str) -> alt.Chart:
    x = alt.X("from:Q", bin="binned", title=label, scale=alt.Scale(zero=False, padding=8))
    bars = alt.Chart(kit.records(columns)).mark_bar(color=kit.PALE, opacity=0.9, binSpacing=1)
    tooltip = [alt.Tooltip(f"{n}:Q", format=f) for n, f in (("from", ".2f"), ("to", ".2f"), ("persons", ""))]
    chart: alt.Chart = bars.encode(x, alt.X2("to:Q"), alt.Y("percent:Q", title="Persons (%)"), tooltip=tooltip)
    return chart


def _norm_curve(edges: FloatArray, norm: tuple[float, float] | None) -> list[alt.Chart]:
    if norm is None:
        return []
    mean, sd = norm
    x = np.linspace(min(edges[0], mean - 3 * sd), max(edges[-1], mean + 3 * sd), 121)
    density = np.exp(-0.5 * ((x - mean) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))
    data = kit.records({"score": x, "percent": 100 * density * (edges[1] - edges[0])})
    return [
        alt.Chart(data)
        .mark_line(color=kit.INK, strokeWidth=1.6, strokeDash=[7, 3])
        .encode(alt.X("score:Q"), alt.Y("percent:Q"))
    ]


def _cut_lines(cut: float | None, cut_se: float | None) -> list[alt.Chart]:
    if cut is None:
        return []
    half = 1.645 * (cut_se or 0.0)
    data = kit.records({"cut": [cut], "low": [cut - half], "high": [cut + half]})
    band = alt.Chart(data).mark_rect(color=kit.VERMILLION, opacity=0.22).encode(alt.X("low:Q"), alt.X2("high:Q"))
    rule = alt.Chart(data).mark_rule(color=kit.VERMILLION, strokeWidth=2.2).encode(alt.X("cut:Q"))
    return [band, rule] if cut_se else [rule]


def _marks_text(cut: float | None, cut_se: float | None, norm: tuple[float, float] | None, cut_label: str) -> str:
    band = f", band: its 90 % interval, SE {cut_se:.2f}" if cut_se else ""
    line = "" if cut is None else f" Vertical line: {cut_label}, {cut:.2f}{band}."
    curve = f" Dashed: normal curve of the norm group, mean {norm[0]:.2f}, SD {norm[1]:.2f}." if norm else ""
    return line + curve


def _above_text(values: FloatArray, cut: float | None, cut_label: str) -> str:
    if cut is None:
        return ""
    return f" {100 * np.mean(values >= cut):.0f} percent are at or above the {cut_label} of {cut:.2f}."


def reliability_bars(
    scales: Sequence[str],
    alpha: ArrayLike,
    *,
    lower: ArrayLike | None = None,
    upper: ArrayLike | None = None,
    omega: ArrayLike | None = None,
) -> FigureBlock:
    """Draw Cronbach's alpha of each scale with its interval, and omega total as a diamond.

    Parameters
    ----------
    scales : (S,) names.
    alpha, lower, upper : (S,) coefficient and the limits of its interval.
    omega : (S,) omega total.

    Raises
    ------
    ReportError : columns of different lengths, a scale twice.
    """
    names = kit.distinct(scales, "scale")
    given = {"alpha": alpha, "lower": lower, "upper": upper, "omega": omega}
    table = {name: kit.numbers(value, name, len(names)) for name, value in given.items()}
    low, high = int(np.nanargmin(table["alpha"])), int(np.nanargmax(table["alpha"]))
    whiskers = "" if lower is None or upper is None else " Whiskers: its confidence interval."
    diamonds = "" if omega is None else " Diamonds: omega total."
    columns: kit.Table = {"scale": names, **table}
    used = {name: column for name, column in columns.items() if given.get(name, alpha) is not None}
    return FigureBlock(
        caption=f"Reliability of the scales. Bars: alpha.{whiskers}{diamonds}{kit.shown_note(len(names), 'scales')}",
        alt_text=f"Alpha of {len(names)} scales, from {table['alpha'][low]:.2f} ({names[low]}) to "
        f"{table['alpha'][high]:.2f} ({names[high]}).",
        spec=kit.finish(_reliability_chart(columns, names[: kit.SHOWN], _least(table)), row=24),
        data_table=TableBlock("Reliability of the scales", used),
        anchor="reliability-of-the-scales",
    )


def _least(table: dict[str, FloatArray]) -> float:
    """Return where the axis starts: at 0, or lower if a coefficient or its limit is negative."""
    return min(0.0, *(float(np.nanmin(column)) for column in table.values() if np.isfinite(column).any()))


def _reliability_chart(columns: kit.Table, names: list[str], least: float) -> kit.AnyChart:
    data = kit.records(columns, kit.SHOWN)
    y = alt.Y("scale:N", sort=names, title=None)
    x = alt.X("alpha:Q", title="Reliability (alpha, omega total)", scale=alt.Scale(domain=[least, 1.0]))
    tooltip = ["scale:N", *(alt.Tooltip(f"{n}:Q", format=".3f") for n in ("alpha", "lower", "upper", "omega"))]
    bars = alt.Chart().mark_bar(color=kit.PALE, height=11).encode(x, y, tooltip=tooltip)
    whiskers = alt.Chart().mark_rule(color=kit.INK).encode(alt.X("lower:Q"), alt.X2("upper:Q"), y)
    ends = [alt.Chart().mark_tick(color=kit.INK, height=9).encode(alt.X(f"{n}:Q"), y) for n in ("lower", "upper")]
    diamonds = alt.Chart().mark_point(shape="diamond", filled=True, size=75, color=kit.VERMILLION, opacity=1)
    return alt.layer(bars, whiskers, *ends, diamonds.encode(alt.X("omega:Q"), y, tooltip=tooltip), data=data)

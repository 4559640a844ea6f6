"""Charts of a calibrated form: test information with the SEM, and the Wright map."""

from __future__ import annotations

from dataclasses import dataclass

import altair as alt
import numpy as np
from numpy.typing import ArrayLike

from talentassess.core.arrays import BoolArray, FloatArray
from talentassess.core.calibration import Calibration, display_parameters
from talentassess.core.derived import item_information
from talentassess.core.errors import ReportError
from talentassess.render import chart_kit as kit
from talentassess.render.blocks import FigureBlock, TableBlock, slug
from talentassess.scoring.curves import characteristic_curves

BAND = 1.6449  # standard errors each way: 90 %
FARTHEST = 6.0  # logits; an axis that follows every extreme threshold would squash all others


def test_information(
    calibration: Calibration,
    dimension: str,
    *,
    target_sem: float | None = None,  # noqa: PT028 - a chart with the field's own name, not a pytest function
    reach: float = 4.0,  # noqa: PT028
) -> FigureBlock:
    """Draw the test information of a dimension and the standard error of measurement that follows from it.

    Parameters
    ----------
    calibration : the calibrated form.
    dimension : its items are summed.
    target_sem : standard error one wants to stay below, logits; drawn as a line.
    reach : theta runs from -reach to reach, logits.

    Equation: I(theta) = sum_j I_j(theta), SEM(theta) = 1 / sqrt(I(theta)) (Samejima 1969). Items that measure several
    dimensions count where the dimension is their first. The bands are 90 % intervals by the delta method from the joint
    covariance of the estimates (``scoring.curves``); the caption says so, or why there are none.

    Raises
    ------
    ReportError : unknown dimension, or one without items.
    """
    line = np.linspace(-reach, reach, 81)
    information = _information(calibration, dimension, line)
    with np.errstate(divide="ignore"):
        sem = 1 / np.sqrt(information)
    best = int(information.argmax())
    limits, note = _limits(calibration, dimension, line)
    data = kit.records({"theta": line, "information": information, "sem": sem, **limits})
    every = slice(0, len(line), 5)
    columns: kit.Table = {"theta": line[every], "information": information[every], "SEM": sem[every]}
    target = "" if target_sem is None else f" Dotted line: target SEM {target_sem:.2f}."
    return FigureBlock(
        caption=f"Test information of {dimension} (solid, left axis) and its standard error of measurement, SEM "
        f"(dashed, right axis).{target}{note}{kit.calibration_note(calibration)}",
        alt_text=f"The information of {dimension} peaks at theta {line[best]:.1f} with {information[best]:.2f}, "
        f"where the SEM is {sem[best]:.2f} logits.{_target_text(line, sem, target_sem)}",
        spec=kit.finish(_information_chart(data, dimension, target_sem, float(np.nanmin(sem)))),
        data_table=TableBlock(f"Information and SEM of {dimension}", columns, {"theta": "0.0"}),
        anchor=slug(f"information {dimension}"),
    )


def _information(calibration: Calibration, dimension: str, line: FloatArray) -> FloatArray:
    d = kit.dimension_index(calibration, dimension)
    blocks = [block for block in calibration.blocks if block.dims[0] == d]
    if not blocks:
        raise ReportError(f"No item measures the dimension '{dimension}', so it has no information.")
    theta = kit.theta_points(calibration, d, line)
    total: FloatArray = np.sum([item_information(block, theta).sum(axis=1) for block in blocks], axis=0)
    return total


def _limits(calibration: Calibration, dimension: str, line: FloatArray) -> tuple[kit.Table, str]:
    """Return lower and upper limits of information and SEM (four columns (Q,)) and what the caption says of them."""
    nothing: kit.Table = {name: np.full(len(line), np.nan) for name in ("low", "high", "sem low", "sem high")}
    if any(len(block.dims) > 1 for block in calibration.blocks):
        return nothing, " No bands: items measure several dimensions."
    curves, d = characteristic_curves(calibration, line), calibration.dimensions.index(dimension)
    if not np.isfinite(curves.information_se[d]).all():
        return nothing, " No bands: the joint standard errors of the item parameters are not known."
    info, info_se = curves.information[d], BAND * curves.information_se[d]
    low, high = np.maximum(info - info_se, 0.0), info + info_se
    # the limits of the SEM are those of the information, turned over: two bands that say the same
    with np.errstate(divide="ignore"):
        table: kit.Table = {"low": low, "high": high, "sem low": 1 / np.sqrt(high), "sem high": 1 / np.sqrt(low)}
    return table, " Bands: 90 % intervals from the standard errors of the item parameters."


def _target_text(line: FloatArray, sem: FloatArray, target: float | None) -> str:
    if target is None:
        return ""
    inside = line[sem <= target]
    if not len(inside):
        return f" The target SEM of {target:.2f} is reached nowhere."
    return f" The target SEM of {target:.2f} is reached between theta {inside.min():.1f} and {inside.max():.1f}."


def _information_chart(data: alt.InlineData, dimension: str, target: float | None, least: float) -> kit.AnyChart:
    x = alt.X("theta:Q", title=f"{dimension}, theta (logits)", scale=alt.Scale(nice=False))
    left = alt.Y("information:Q", title="Information", axis=alt.Axis(titleColor=kit.BLUE), scale=alt.Scale(zero=True))
    # an SEM far out in the tails would flatten the part of the curve that people are on
    scale = alt.Scale(domain=[0, max(4 * least, 1.25 * (target or 0.0))], nice=True)
    axis = alt.Axis(titleColor=kit.VERMILLION, grid=False, orient="right")
    right = alt.Y("sem:Q", title="SEM (logits)", scale=scale, axis=axis)
    tooltip = [alt.Tooltip(f"{n}:Q", format=f) for n, f in (("theta", ".1f"), ("information", ".2f"), ("sem", ".2f"))]
    # without limits in the data the areas are empty
    low = alt.Y("low:Q", title="Information", axis=alt.Axis(titleColor=kit.BLUE), scale=alt.Scale(zero=True))
    between = alt.Chart(data).mark_area(color=kit.BLUE, opacity=0.18).encode(x, low, alt.Y2("high:Q"))
    information = alt.Chart(data).mark_line(color=kit.BLUE, strokeWidth=2.4).encode(x, left, tooltip=tooltip)
    low_sem = alt.Y("sem low:Q", title="SEM (logits)", scale=scale, axis=axis)
    around = alt.Chart(data).mark_area(color=kit.VERMILLION, opacity=0.14, clip=True)
    dashed = alt.Chart(data).mark_line(color=kit.VERMILLION, strokeWidth=2.2, strokeDash=[7, 3], clip=True)
    goal = alt.Chart(kit.records({"sem": [target]})).mark_rule(strokeDash=[2, 3], color=kit.INK).encode(right)
    error = alt.layer(
        around.encode(x, low_sem, alt.Y2("sem high:Q")),
        dashed.encode(x, right, tooltip=tooltip),
        *([] if target is None else [goal]),
    )
    chart: kit.AnyChart = alt.layer(alt.layer(between, information), error).resolve_scale(y="independent")
    return chart


@dataclass(frozen=True, eq=False)
class Thresholds:
    """Item thresholds: four columns of equal length.

    Attributes
    ----------
    item, step : (T,) item id and name of the threshold.
    location, se : (T,) logits.
    """

    item: tuple[str, ...]
    step: tuple[str, ...]
    location: FloatArray
    se: FloatArray

    def columns(self) -> kit.Table:
        """Return the columns by heading."""
        return {"item": self.item, "threshold": self.step, "location": self.location, "SE": self.se}

    def take(self, keep: BoolArray) -> Thresholds:
        """Return the rows where keep (T,) is True."""
        rows = np.flatnonzero(keep)
        item, step = (tuple(column[i] for i in rows) for column in (self.item, self.step))
        return Thresholds(item, step, self.location[rows], self.se[rows])


def wright_map(calibration: Calibration, dimension: str, theta: ArrayLike) -> FigureBlock:
    """Draw persons and item thresholds on one axis (Wright map).

    Parameters
    ----------
    calibration : the calibrated form.
    dimension : whose items are shown.
    theta : (N,) scores on this dimension, logits.

    Thresholds carry their standard error (delta method). Items are ordered by their mean threshold; of more than 40
    every n-th is drawn, and the caption says so. Nominal items have no thresholds.

    Raises
    ------
    ReportError : unknown dimension, no scores, or no item with thresholds.
    """
    found = np.asarray(theta, dtype=np.float64)
    persons = found[np.isfinite(found)]
    if not len(persons):
        raise ReportError(f"The Wright map of '{dimension}' needs at least one person with a score.")
    table = _thresholds(calibration, dimension)
    order = _by_location(table)
    drawn = _evenly(order, kit.SHOWN)
    chosen = np.isin(table.item, drawn)
    near = chosen & (np.abs(table.location) <= FARTHEST)
    notes = _left_out(len(order) - len(drawn), int(np.sum(chosen & ~near)), len(found) - len(persons))
    return FigureBlock(
        caption=f"Wright map of {dimension}: persons above, item thresholds with ±1 SE below, easiest item first."
        f"{notes}{kit.calibration_note(calibration)}",
        alt_text=f"{len(persons)} persons, mean {persons.mean():.2f}, SD {persons.std():.2f} logits. "
        f"Items from the easiest, {order[0]}, to the hardest, {order[-1]}; "
        f"thresholds from {table.location.min():.2f} to {table.location.max():.2f}.",
        spec=_wright_chart(dimension, persons, table.take(near), drawn),
        data_table=TableBlock(f"Thresholds of {dimension}", table.columns()),
        anchor=slug(f"wright map {dimension}"),
    )


def _left_out(items: int, far: int, persons: int) -> str:
    parts = [
        f" {items} items are not drawn; those drawn are spread over the range." if items else "",
        f" {far} threshold(s) beyond ±{FARTHEST:.0f} logits are not drawn; they are in the table." if far else "",
        f" {persons} person(s) without a score are left out." if persons else "",
    ]
    return "".join(parts)


def _thresholds(calibration: Calibration, dimension: str) -> Thresholds:
    d = kit.dimension_index(calibration, dimension)
    rows: list[tuple[str, str, float, float]] = []
    for block, cov in zip(calibration.blocks, calibration.par_cov, strict=True):
        if block.dims[0] != d:
            continue
        ids = [calibration.item_ids[i] for i in block.items]
        for name, (value, error) in display_parameters(block, cov).items():
            if name.startswith("b"):
                rows += [(item, name, float(b), float(se)) for item, b, se in zip(ids, value, error, strict=True)]
    if not rows:
        raise ReportError(f"No item of '{dimension}' has thresholds, so there is no Wright map.")
    item, step, location, se = zip(*rows, strict=True)
    return Thresholds(item, step, np.array(location), np.array(se))


def _by_location(table: Thresholds) -> list[str]:
    items = np.array(table.item)
    mean = {name: float(table.location[items == name].mean()) for name in dict.fromkeys(table.item)}
    return sorted(mean, key=lambda name: mean[name])


def _evenly(names: list[str], limit: int) -> list[str]:
    if len(names) <= limit:
        return names
    return [names[i] for i in np.linspace(0, len(names) - 1, limit).round().astype(int)]


def _wright_chart(dimension: str, persons: FloatArray, table: Thresholds, order: list[str]) -> kit.Spec:
    # a little room, so that the outermost mark does not sit on the frame
    reach = float(np.clip(np.max(np.abs([*persons, *table.location])) + 0.2, 3.0, FARTHEST + 0.2))
    scale = alt.Scale(domain=[-reach, reach], nice=False)
    panels = alt.vconcat(
        _person_panel(persons, reach, scale), _threshold_panel(dimension, table, order, scale), spacing=6
    )
    labels = min(kit.NAME_PIXELS, 6.9 * max(len(name) for name in order))
    return kit.finish_panels(panels, frame=labels + 30)


def _person_panel(persons: FloatArray, reach: float, scale: alt.Scale) -> alt.Chart:
    edges = np.linspace(-reach, reach, 49)
    # whoever lies beyond the axis is counted in its outermost bar, so that the bars add up to all persons
    count, _ = np.histogram(np.clip(persons, -reach, reach), edges)
    data = kit.records({"from": edges[:-1], "to": edges[1:], "percent": 100 * count / len(persons)})
    x = alt.X("from:Q", bin="binned", scale=scale, axis=alt.Axis(labels=False, ticks=False, title=None))
    y = alt.Y("percent:Q", title="Persons (%)", axis=alt.Axis(tickCount=4))
    tooltip = [alt.Tooltip(f"{n}:Q", format=".2f") for n in ("from", "to", "percent")]
    bars = alt.Chart(data, width="container", height=110).mark_bar(color=kit.PALE, binSpacing=1)
    panel: alt.Chart = bars.encode(x, alt.X2("to:Q"), y, tooltip=tooltip)
    return panel


def _threshold_panel(dimension: str, table: Thresholds, order: list[str], scale: alt.Scale) -> kit.AnyChart:
    steps = sorted(set(table.step))
    data = kit.records({**table.columns(), "low": table.location - table.se, "high": table.location + table.se})
    title = f"{dimension}, theta (logits)"
    y = alt.Y("item:N", sort=order, title=None, axis=alt.Axis(grid=True))
    colour = alt.Color("threshold:N", title="Threshold", scale=kit.colour_scale(steps))
    shape = alt.Shape("threshold:N", title="Threshold", scale=kit.shape_scale(steps))
    tooltip = ["item:N", "threshold:N", *(alt.Tooltip(f"{n}:Q", format=".2f") for n in ("location", "SE"))]
    x = alt.X("location:Q", title=title, scale=scale)
    low = alt.X("low:Q", title=title, scale=scale)
    bars = alt.Chart().mark_rule(color=kit.SOFT, clip=True).encode(low, alt.X2("high:Q"), y)
    points = alt.Chart().mark_point(filled=True, size=62, opacity=1).encode(x, y, colour, shape, tooltip=tooltip)
    return alt.layer(bars, points, data=data, width="container", height=alt.Step(17))

"""Charts of items: category curves, option trace lines, and items by difficulty and discrimination."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
from numpy.typing import ArrayLike

from talentassess.core.arrays import FloatArray
from talentassess.core.calibration import Calibration
from talentassess.core.errors import ReportError
from talentassess.core.likelihood import ItemBlock
from talentassess.render import chart_kit as kit
from talentassess.render.blocks import FigureBlock, TableBlock, slug

DRAWS, SEED, BAND = 400, 20, (0.05, 0.95)
NAMED = 12  # flagged items that a caption can name


def category_curves(calibration: Calibration, item: str, *, reach: float = 4.0) -> FigureBlock:
    """Draw the category characteristic curves P(x = k | theta) of one item, with 90 % bands.

    Parameters
    ----------
    calibration : holds the item.
    item : its id.
    reach : theta runs from -reach to reach, logits.

    The bands are the 5th and 95th percentile, at each theta, over 400 draws from the normal distribution of the item's
    parameters with their estimated covariance (fixed seed). Draws that the model does not admit (disordered thresholds)
    are left out and counted in the caption.

    Raises
    ------
    ReportError : unknown item.
    """
    block, row = _find(calibration, item)
    line = np.linspace(-reach, reach, 81)
    theta = kit.theta_points(calibration, block.dims[0], line)
    curve = np.exp(block.log_prob(theta)[:, row])
    lower, upper, note = _band(calibration, block, row, theta)
    categories = [str(k) for k in range(block.n_cat)]
    columns: kit.Table = {"theta": np.repeat(line, block.n_cat), "category": categories * len(line)}
    columns |= {"probability": curve.ravel(), "lower": lower.ravel(), "upper": upper.ravel()}
    title = f"{calibration.dimensions[block.dims[0]]}, theta (logits)"
    return FigureBlock(
        caption=f"Category characteristic curves of {item}, {block.model.label}."
        f"{note}{kit.calibration_note(calibration)}",
        alt_text=f"Probability of each answer category of {item} along theta. {_modal_text(line, curve)}",
        spec=kit.finish(_curves(kit.records(columns), categories, title)),
        anchor=slug(f"curves {item}"),
    )


def _find(calibration: Calibration, item: str) -> tuple[ItemBlock, int]:
    if item not in calibration.item_ids:
        known = ", ".join(calibration.item_ids[:12])
        raise ReportError(f"There is no item '{item}' in this calibration; items: {known} ...")
    position = calibration.item_ids.index(item)
    block = next(b for b in calibration.blocks if position in b.items)
    return block, int(np.flatnonzero(block.items == position)[0])


def _band(
    calibration: Calibration, block: ItemBlock, row: int, theta: FloatArray
) -> tuple[FloatArray, FloatArray, str]:
    """Return (Q, K) lower and upper limits and what the caption says about them."""
    index = next(i for i, b in enumerate(calibration.blocks) if b is block)
    cov = calibration.par_cov[index][row]
    empty = np.full((len(theta), block.n_cat), np.nan)
    if not np.all(np.isfinite(cov)):
        return empty, empty, " No bands: standard errors were not computed."
    curves = np.exp(block.model.log_prob(theta[:, block.dims], _draws(block.par[row], cov), block.n_cat))
    admitted = np.all(np.isfinite(curves), axis=(0, 2))
    if not admitted.any():
        return empty, empty, " No bands: the standard errors are too large for the model."
    lower, upper = np.quantile(curves[:, admitted], BAND, axis=1)
    left_out = "" if admitted.all() else f"; {DRAWS - int(admitted.sum())} of {DRAWS} draws were not admissible"
    return lower, upper, f" Bands: 90 % intervals from the standard errors of the item's parameters{left_out}."


def _draws(par: FloatArray, cov: FloatArray) -> FloatArray:
    """Return (400, P) draws; by eigenvectors, because fixed parameters make the covariance (P, P) singular."""
    values, vectors = np.linalg.eigh(cov)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    draws: FloatArray = par + np.random.default_rng(SEED).standard_normal((DRAWS, len(par))) @ root.T
    return draws


def _modal_text(line: FloatArray, curve: FloatArray) -> str:
    modal = curve.argmax(axis=1)
    spans = [
        f"category {k} is the most likely from {line[modal == k].min():.1f} to {line[modal == k].max():.1f}"
        for k in dict.fromkeys(modal.tolist())
    ]
    never = sorted(set(range(curve.shape[1])) - set(modal.tolist()))
    tail = f" Never the most likely: category {', '.join(map(str, never))}." if never else ""
    text = "; ".join(spans)
    return f"{text[0].upper()}{text[1:]}.{tail}"


def _curves(data: alt.InlineData, categories: list[str], x_title: str) -> kit.AnyChart:
    pick = alt.selection_point(name="pick", fields=["category"], bind="legend")
    x = alt.X("theta:Q", title=x_title, scale=alt.Scale(nice=False))
    ink = alt.Color("category:N", title="Category", scale=kit.colour_scale(categories), legend=kit.line_legend())
    dash = alt.StrokeDash("category:N", title="Category", scale=kit.dash_scale(categories))
    faint = alt.when(pick).then(alt.value(0.16)).otherwise(alt.value(0.03))
    clear = alt.when(pick).then(alt.value(1)).otherwise(alt.value(0.15))
    y = alt.Y("probability:Q", title="Probability", scale=alt.Scale(domain=[0, 1]))
    tooltip = [
        alt.Tooltip("category:N", title="Category"),
        alt.Tooltip("theta:Q", format=".1f"),
        alt.Tooltip("probability:Q", title="Probability", format=".2f"),
    ]
    limits = (x, alt.Y("lower:Q", title="Probability"), alt.Y2("upper:Q"))
    # one layer per band: bands that shared the colour scale would turn the legend's pieces of line into pale blots
    bands = [
        alt.Chart().transform_filter(f"datum.category === '{k}'").mark_area(color=colour).encode(*limits, opacity=faint)
        for k, colour in zip(categories, kit.colours(len(categories)), strict=True)
    ]
    lines = alt.Chart().mark_line().encode(x, y, ink, dash, opacity=clear, tooltip=tooltip).add_params(pick)
    return alt.layer(*bands, lines, data=data)


def option_trace_lines(
    score_group: Sequence[str], option: Sequence[str], share: ArrayLike, *, item: str, keyed: Sequence[str] = ()
) -> FigureBlock:
    """Draw the share of persons who choose each option of an item, by score group.

    Parameters
    ----------
    score_group : (R,) label of the group, lowest group first.
    option : (R,) option chosen.
    share : (R,) proportion 0..1 of the group that chose it.
    item : its id.
    keyed : options that earn credit; their lines are heavier.

    Raises
    ------
    ReportError : columns of different lengths, or none at all.
    """
    groups, options = [str(g) for g in score_group], [str(o) for o in option]
    shares = kit.numbers(share, "share", len(groups))
    if not groups or len(options) != len(groups):
        raise ReportError(f"The chart needs one option per row; found {len(groups)} rows and {len(options)} options.")
    names = [f"{o} (key)" if o in keyed else o for o in options]
    columns: kit.Table = {"score group": groups, "option": names, "share": shares}
    trends = [
        _trend(name, [s for n, s in zip(names, shares, strict=True) if n == name]) for name in dict.fromkeys(names)
    ]
    return FigureBlock(
        caption=f"Option trace lines of {item}: share of each score group that chose the option.",
        alt_text=f"Share of persons choosing each option of {item}, by score group. {' '.join(trends)}",
        spec=kit.finish(_traces(columns, {f"{o} (key)" if o in keyed else o: o in keyed for o in options})),
        data_table=TableBlock(f"Option shares of {item}", columns, {"share": "0 %"}),
        anchor=slug(f"trace lines {item}"),
    )


def _trend(name: str, shares: list[float]) -> str:
    return f"Option {name}: {100 * shares[0]:.0f} percent in the lowest group, {100 * shares[-1]:.0f} in the highest."


def _traces(columns: kit.Table, keyed: dict[str, bool]) -> kit.AnyChart:
    names, groups = list(keyed), list(dict.fromkeys(columns["score group"]))
    pick = alt.selection_point(name="pick", fields=["option"], bind="legend")
    axis = alt.Axis(labelAngle=0)
    x = alt.X("score group:O", sort=groups, title="Score group, lowest to highest", axis=axis)
    y = alt.Y("share:Q", title="Chose the option (%)", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%"))
    colour = alt.Color("option:N", title="Option", sort=names, scale=kit.colour_scale(names), legend=kit.line_legend())
    dash = alt.StrokeDash("option:N", title="Option", sort=names, scale=kit.dash_scale(names))
    weights = alt.Scale(domain=names, range=[3.6 if key else 1.8 for key in keyed.values()])
    width = alt.StrokeWidth("option:N", title="Option", sort=names, scale=weights)
    clear = alt.when(pick).then(alt.value(1)).otherwise(alt.value(0.15))
    tooltip = ["score group:N", "option:N", alt.Tooltip("share:Q", format=".1%")]
    lines = alt.Chart(kit.records(columns)).mark_line(point=alt.OverlayMarkDef(size=55, filled=True))
    chart: kit.AnyChart = lines.encode(x, y, colour, dash, width, opacity=clear, tooltip=tooltip).add_params(pick)
    return chart


def item_map(
    names: Sequence[str],
    difficulty: ArrayLike,
    discrimination: ArrayLike,
    *,
    flagged: Sequence[bool] | None = None,
    x_label: str = "Item mean",
    y_label: str = "Item-rest correlation",
) -> FigureBlock:
    """Draw items by difficulty and discrimination; flagged items carry their names.

    Parameters
    ----------
    names : (J,) item ids.
    difficulty, discrimination : (J,) e.g. mean or p, and item-rest correlation.
    flagged : (J,) items to point out.
    x_label, y_label : axis titles with units.

    Raises
    ------
    ReportError : columns of different lengths, an item twice.
    """
    items = kit.distinct(names, "item")
    x = kit.numbers(difficulty, "difficulty", len(items))
    y = kit.numbers(discrimination, "discrimination", len(items))
    flags = kit.numbers([False] * len(items) if flagged is None else list(flagged), "flagged", len(items)) > 0
    state = ["flagged" if flag else "not flagged" for flag in flags]
    pointed = [name for name, flag in zip(items, flags, strict=True) if flag]
    labels = [name if flag else "" for name, flag in zip(items, flags, strict=True)]
    data = kit.records({"item": items, "x": x, "y": y, "state": state, "label": labels})
    columns: kit.Table = {"item": items, x_label: x, y_label: y, "flag": state}
    return FigureBlock(
        caption=f"{y_label} by {x_label[0].lower()}{x_label[1:]}, one point per item. {_named(pointed)}",
        alt_text=f"{len(items)} items; {y_label} from {np.nanmin(y):.2f} to {np.nanmax(y):.2f}. {_named(pointed)}",
        spec=kit.finish(_scatter(data, x_label, y_label)),
        data_table=TableBlock(f"{x_label} and {y_label}", columns),
        anchor=slug(f"items {x_label} {y_label}"),
    )


def _named(pointed: list[str]) -> str:
    if not pointed:
        return "No item is flagged."
    return f"Flagged: {', '.join(pointed)}." if len(pointed) <= NAMED else f"{len(pointed)} items are flagged."


def _scatter(data: alt.InlineData, x_label: str, y_label: str) -> kit.AnyChart:
    x = alt.X("x:Q", title=x_label, scale=alt.Scale(zero=False, padding=18))
    y = alt.Y("y:Q", title=y_label, scale=alt.Scale(zero=True, padding=12))
    states = ["not flagged", "flagged"]
    colour = alt.Color("state:N", title=None, scale=kit.colour_scale(states))
    shape = alt.Shape("state:N", title=None, scale=kit.shape_scale(states))
    values = [alt.Tooltip(f"{n}:Q", title=t, format=".2f") for n, t in (("x", x_label), ("y", y_label))]
    points = alt.Chart().mark_point(filled=True, size=75, opacity=0.8)
    labels = alt.Chart().mark_text(align="left", dx=8, fontSize=11).encode(x, y, text="label:N")
    return alt.layer(points.encode(x, y, colour, shape, tooltip=["item:N", *values]), labels, data=data)

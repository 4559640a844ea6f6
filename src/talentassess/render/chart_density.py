"""Chart of the latent distribution: its estimated density against the normal of the same mean and spread."""

from __future__ import annotations

import altair as alt
import numpy as np

from talentassess.core.calibration import Calibration
from talentassess.core.errors import ReportError
from talentassess.render import chart_kit as kit
from talentassess.render.blocks import FigureBlock, TableBlock, slug


def latent_density(calibration: Calibration, dimension: str) -> FigureBlock:
    """Draw the latent density of a dimension (reference group) and the normal of the same mean and deviation.

    Raises
    ------
    ReportError : unknown dimension, or one whose latent distribution was taken to be normal.
    """
    d = kit.dimension_index(calibration, dimension)
    shape = calibration.latent.shape_of(d)
    if shape is None:
        raise ReportError(f"The latent distribution of '{dimension}' was taken to be normal: there is nothing to draw.")
    table = calibration.tables()["density"]
    rows = [i for i, name in enumerate(table["dimension"]) if name == dimension]
    theta, found, normal = (np.array(table[c], dtype=np.float64)[rows] for c in ("theta", "density", "normal density"))
    skewness, kurtosis = shape.skewness_kurtosis()
    group = f", group {calibration.latent.groups[0]}" if len(calibration.latent.groups) > 1 else ""
    label = [shape.name] * len(rows) + ["normal"] * len(rows)
    data = kit.records({"theta": np.tile(theta, 2), "density": np.concatenate([found, normal]), "curve": label})
    every = slice(0, len(rows), 5)
    columns: kit.Table = {"theta": theta[every], shape.name: found[every], "normal": normal[every]}
    return FigureBlock(
        caption=f"Latent distribution of {dimension}{group}. Solid: {shape.name}, skewness {skewness:.2f}, excess "
        f"kurtosis {kurtosis:.2f}. Dashed: normal of the same mean and standard deviation."
        f"{kit.calibration_note(calibration)}",
        alt_text=f"The density of {dimension} is highest at theta {theta[found.argmax()]:.1f}; its skewness is "
        f"{skewness:.2f} and its excess kurtosis {kurtosis:.2f}.",
        spec=kit.finish(_curves(data, dimension, [shape.name, "normal"])),
        data_table=TableBlock(f"Latent density of {dimension}", columns, {"theta": "0.0"}),
        anchor=slug(f"density {dimension}"),
    )


def _curves(data: alt.InlineData, dimension: str, labels: list[str]) -> kit.AnyChart:
    x = alt.X("theta:Q", title=f"{dimension}, theta (logits)", scale=alt.Scale(nice=False))
    y = alt.Y("density:Q", title="Density", scale=alt.Scale(zero=True))
    legend = kit.line_legend()
    colour = alt.Color("curve:N", scale=kit.colour_scale(labels), title=None, legend=legend)
    dash = alt.StrokeDash("curve:N", scale=kit.dash_scale(labels), title=None, legend=legend)
    tooltip = ["curve:N", alt.Tooltip("theta:Q", format=".2f"), alt.Tooltip("density:Q", format=".3f")]
    chart: alt.Chart = alt.Chart(data).mark_line(strokeWidth=2.2).encode(x, y, colour, dash, tooltip=tooltip)
    return chart

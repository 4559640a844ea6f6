"""All charts by name: each takes plain arrays or a core record and returns a ``FigureBlock``.

Every chart uses colours that survive colour blindness (Okabe & Ito 2008), repeats them as dash or shape, names its
units, and says in its caption what was left out.
"""

from talentassess.render.chart_density import latent_density
from talentassess.render.chart_forms import test_information, wright_map
from talentassess.render.chart_items import category_curves, item_map, option_trace_lines
from talentassess.render.chart_panel import interval_comparison
from talentassess.render.chart_people import interval_plot, probability_heatmap, rank_intervals
from talentassess.render.chart_samples import reliability_bars, score_distribution
from talentassess.render.chart_strips import score_strips

__all__ = [
    "category_curves",
    "interval_comparison",
    "interval_plot",
    "item_map",
    "latent_density",
    "option_trace_lines",
    "probability_heatmap",
    "rank_intervals",
    "reliability_bars",
    "score_distribution",
    "score_strips",
    "test_information",
    "wright_map",
]

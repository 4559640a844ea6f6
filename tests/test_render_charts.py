"""Charts: the numbers in them, what their captions admit, and what they refuse."""

import json
import re

import numpy as np
import pytest
from scipy.special import expit

from render_samples import INTERCEPTS, SLOPES, sample_calibration
from scoring_cases import made_form
from talentassess.calibration import calibrate
from talentassess.core.errors import ReportError
from talentassess.core.status import Status
from talentassess.render import charts
from talentassess.render.drawing import draw
from talentassess.scoring.curves import characteristic_curves
from talentassess.workflow.simulate import simulate


def rows_of(figure, key):
    """Return the first data set of a chart whose records have this field, as columns."""
    for rows in figure.spec["datasets"].values():
        if key in rows[0]:
            return {name: np.array([row[name] for row in rows]) for name in rows[0]}
    raise AssertionError(f"no data set has {key}")


NAMES = [f"person {i:02d}" for i in range(60)]
PLACES = np.arange(1, 61)
GROUPS = ["low", "low", "high", "high"]
EVERY = {
    "curves": lambda c: charts.category_curves(c, "q1"),
    "nominal": lambda c: charts.category_curves(c, "q5"),
    "information": lambda c: charts.test_information(c, "Service", target_sem=0.5),
    "wright": lambda c: charts.wright_map(c, "Service", np.linspace(-2, 2, 50)),
    "distribution": lambda _: charts.score_distribution(
        np.linspace(30, 70, 90), label="T score", cut=48.0, cut_se=2.0, norm=(50, 10)
    ),
    "trace": lambda _: charts.option_trace_lines(GROUPS, ["A", "B"] * 2, [0.4, 0.6, 0.9, 0.1], item="s1", keyed=["A"]),
    "items": lambda _: charts.item_map(["q1", "q2"], [2.5, 3.0], [0.4, 0.1], flagged=[False, True]),
    "intervals": lambda _: charts.interval_plot(
        NAMES, PLACES, PLACES - 1.0, PLACES + 1.0, label="T score", reference=9, group=["day", "night"] * 30
    ),
    "comparison": lambda _: charts.interval_comparison(
        ["q1 a", "q1 b"], [2.5, 4.0], [2.0, 3.5], [3.0, 4.5], [2.0, 5.0], label="Effectiveness", kinds=("panel", "key")
    ),
    "heatmap": lambda _: charts.probability_heatmap(
        ["a", "b"], ["Active listening", "Ownership"], [[0.2, 0.9], [1, 0]]
    ),
    "wide heatmap": lambda _: charts.probability_heatmap(
        ["a"], [f"Competency number {c}" for c in range(12)], [[0.5] * 12]
    ),
    "strips": lambda _: charts.score_strips(
        ["Listening", "Ownership"],
        [[0.1, 1.0], [-0.4, np.nan]],
        label="Scores",
        level=[0, np.nan],
        level_se=[0.1, np.nan],
    ),
    "ranks": lambda _: charts.rank_intervals(NAMES, PLACES, PLACES, PLACES + 3, tied=[i < 4 for i in range(60)]),
    "reliability": lambda _: charts.reliability_bars(["A", "B"], [0.8, 0.6], lower=[0.7, 0.5], upper=[0.9, 0.7]),
}


@pytest.mark.parametrize("name", EVERY)
def test_every_chart_draws_and_speaks(name):
    figure = EVERY[name](sample_calibration())
    assert draw(figure).svg.startswith("<svg")
    assert len(figure.alt_text) > 40
    assert figure.caption.endswith(".")
    assert figure.anchor
    # charts of one panel and charts of stacked panels both follow the page
    assert "container" in json.dumps(figure.spec)


@pytest.mark.parametrize("name", EVERY)
def test_charts_are_the_same_every_time(name):
    calibration = sample_calibration()
    assert EVERY[name](calibration).spec == EVERY[name](calibration).spec


def test_category_curves_are_the_graded_model():
    data = rows_of(charts.category_curves(sample_calibration(), "q1"), "probability")
    theta, zero = data["theta"][::4], data["probability"][::4]
    # oracle: Samejima (1969), P(x = 0) = 1 - F(a theta + d1); charts keep six significant digits
    np.testing.assert_allclose(zero, 1 - expit(SLOPES[0] * theta + INTERCEPTS[0, 0]), rtol=1e-5)
    np.testing.assert_allclose(data["probability"].reshape(-1, 4).sum(axis=1), 1.0, atol=1e-5)


def test_bands_cover_what_the_standard_error_says():
    slope_fixed = (np.tile(np.eye(4), (3, 1, 1)), np.array([[[0.0, 0.0], [0.0, 0.09]]]), np.eye(4)[None])
    data = rows_of(charts.category_curves(sample_calibration(par_cov=slope_fixed), "q4"), "probability")
    middle = 2 * 40 + 1  # theta = 0, category 1
    assert data["theta"][middle] == 0
    # oracle: only the intercept varies, so the band at theta = 0 is expit(-0.75 -+ 1.645 * 0.3);
    # a 5th percentile of 400 draws has a Monte-Carlo SE of about 0.105 SD = 0.03 logits, here < 0.008 of probability
    np.testing.assert_allclose(data["lower"][middle], expit(-0.75 - 1.645 * 0.3), atol=0.025)
    np.testing.assert_allclose(data["upper"][middle], expit(-0.75 + 1.645 * 0.3), atol=0.025)


def test_curves_say_when_there_are_no_standard_errors():
    missing = tuple(np.full_like(cov, np.nan) for cov in sample_calibration().par_cov)
    figure = charts.category_curves(sample_calibration(par_cov=missing), "q1")
    assert "No bands: standard errors were not computed." in figure.caption
    assert draw(figure).svg


def test_curves_count_the_draws_that_the_model_does_not_admit():
    vague = (np.tile(0.5 * np.eye(4), (3, 1, 1)), *sample_calibration().par_cov[1:])
    assert (
        "of 400 draws were not admissible." in charts.category_curves(sample_calibration(par_cov=vague), "q1").caption
    )


def test_captions_admit_simulation_and_failed_convergence():
    caption = charts.category_curves(sample_calibration(status=Status.MAX_STEPS), "q1").caption
    assert "Calibrated on SIMULATED answers." in caption
    assert f"Estimation {Status.MAX_STEPS.value}: {Status.MAX_STEPS.remedy}" in caption
    assert "SIMULATED" not in charts.category_curves(sample_calibration(simulated=False), "q1").caption


def test_information_is_the_sum_over_items():
    data = rows_of(charts.test_information(sample_calibration(), "Service"), "information")
    # oracle: q4 is 2PL with information a^2 P (1 - P) (Birnbaum 1968); graded items by Samejima's sum over categories,
    # (F_k (1 - F_k) a - F_(k+1) (1 - F_(k+1)) a)^2 / P_k
    theta = data["theta"]
    p = expit(1.5 * theta - 0.75)
    total = 1.5**2 * p * (1 - p)
    for a, d in zip(SLOPES, INTERCEPTS, strict=True):
        f = np.column_stack([np.ones_like(theta), expit(a * theta[:, None] + d), np.zeros_like(theta)])
        g = a * f * (1 - f)
        total += np.sum((g[:, :-1] - g[:, 1:]) ** 2 / (f[:, :-1] - f[:, 1:]), axis=1)
    np.testing.assert_allclose(data["information"], total, rtol=1e-5)
    np.testing.assert_allclose(data["sem"], 1 / np.sqrt(total), rtol=1e-5)


def test_information_has_bands_where_the_errors_are_known():
    calibration = calibrate(simulate(made_form([("graded", 5, 3)], seed=1), 200, seed=2), "graded")
    figure, curves = charts.test_information(calibration, "scale"), characteristic_curves(calibration)
    data = rows_of(figure, "information")
    # oracle: the curves' own standard errors (tests/oracles/scoring/test_curves.py); 1.645 is the normal's 95 % point
    np.testing.assert_allclose(data["high"], curves.information[0] + 1.645 * curves.information_se[0], rtol=1e-3)
    np.testing.assert_allclose(data["sem low"], 1 / np.sqrt(data["high"]), rtol=1e-4)
    assert np.all((data["low"] < data["information"]) & (data["information"] < data["high"]))
    assert "Bands: 90 % intervals from the standard errors of the item parameters." in figure.caption
    unknown = charts.test_information(sample_calibration(), "Service")
    assert "No bands: the joint standard errors of the item parameters are not known." in unknown.caption
    assert all(value is None for value in rows_of(unknown, "information")["high"])


def test_information_says_where_the_target_is_reached():
    calibration = sample_calibration()
    assert "is reached between theta -" in charts.test_information(calibration, "Service", target_sem=0.8).alt_text
    assert "is reached nowhere" in charts.test_information(calibration, "Service", target_sem=0.01).alt_text


def test_wright_map_places_thresholds_with_their_errors():
    figure = charts.wright_map(sample_calibration(), "Service", np.array([0.0, np.nan, 1.0]))
    table = figure.data_table.columns
    row = next(i for i, item in enumerate(table["item"]) if item == "q4")
    # oracle: b = -d / a; delta method var(b) = (var(d) + b^2 var(a)) / a^2 with var(a) = .04, var(d) = .01
    assert table["location"][row] == pytest.approx(0.5)
    assert table["SE"][row] == pytest.approx(np.sqrt(0.01 + 0.25 * 0.04) / 1.5, rel=1e-5)  # central differences
    assert "1 person(s) without a score are left out." in figure.caption
    assert sum(rows_of(figure, "percent")["percent"]) == pytest.approx(100, abs=1e-3)  # six digits per bar


def test_distribution_adds_up_and_admits_missing_scores():
    figure = charts.score_distribution([50, 55, np.nan, 61, 44, 50], label="T score", cut=50)
    assert sum(figure.data_table.columns["persons"]) == 5
    assert "5 persons." in figure.caption
    assert "1 without a score are left out." in figure.caption
    assert "80 percent are at or above the required level of 50.00." in figure.alt_text


def test_many_names_above_a_heat_map_stand_upright():
    axes = [
        EVERY[name](None).spec["layer"][0]["encoding"]["x"]["axis"]["labelAngle"]
        for name in ("heatmap", "wide heatmap")
    ]
    assert axes == [0, -90]


def test_strips_hold_every_score_and_say_what_is_missing():
    figure = EVERY["strips"](None)
    assert "1 scores are missing." in figure.caption
    table = figure.data_table.cells
    assert table["persons"] == (2, 1)
    assert table["scores at or above"] == (1, None)
    assert len(rows_of(figure, "score")["score"]) == 4
    with pytest.raises(ReportError, match=r"needs scores of 1 scales; found an array of shape \(1, 2\)"):
        charts.score_strips(["A"], [[1.0, 2.0]], label="S", level=[0], level_se=[0])


def test_distribution_of_equal_scores_draws():
    assert draw(charts.score_distribution([50.5, 50.5], label="T score")).svg


def test_long_charts_say_how_many_rows_are_drawn():
    figure = EVERY["ranks"](None)
    assert "The first 40 of 60 candidates are drawn." in figure.caption
    assert "4 candidate(s) cannot be told apart from the first." in figure.caption
    assert figure.data_table.n_rows == 60
    assert len(rows_of(figure, "candidate")["candidate"]) == 40
    assert "The first 40 of 60 rows are drawn." in EVERY["intervals"](None).caption


def test_colours_are_repeated_as_dash_or_shape():
    text = json.dumps(EVERY["curves"](sample_calibration()).spec)
    assert '"strokeDash"' in text
    assert '"shape"' in json.dumps(EVERY["intervals"](None).spec)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: charts.category_curves(c, "q9"), "There is no item 'q9' in this calibration; items: q1, q2"),
        (lambda c: charts.test_information(c, "Speed"), "no dimension 'Speed'; there are: Service, Other"),
        (lambda c: charts.wright_map(c, "Other", [0.0]), "No item of 'Other' has thresholds"),
        (lambda c: charts.wright_map(c, "Service", [np.nan]), "needs at least one person with a score"),
        (lambda _: charts.score_distribution([np.nan], label="T"), "There is no score to draw for 'T'"),
        (lambda _: charts.option_trace_lines([], [], [], item="s"), "one option per row; found 0 rows and 0 options"),
        (lambda _: charts.option_trace_lines(["a"], ["A"], [1, 2], item="s"), "needs 1 values in 'share', one per row"),
        (lambda _: charts.item_map(["q1", "q1"], [1, 2], [1, 2]), "'q1' occurs 2 times"),
        (lambda _: charts.item_map([], [], []), "The chart has no item. Give at least one."),
        (lambda _: charts.interval_plot(["a"], [1], [2], [0], label="T"), "'a': lower 2 is above upper 0"),
        (
            lambda _: charts.interval_plot(["a"], [1], [0], [2], label="T", group=["x", "y"]),
            "one group per row; found 1 rows and 2 groups",
        ),
        (lambda _: charts.probability_heatmap(["a"], ["b"], [[1.2]]), "person 'a', competency 'b': 1.2"),
        (lambda _: charts.probability_heatmap(["a"], ["b"], [[1, 0]]), r"needs 1 x 1 probabilities; found .*\(1, 2\)"),
        (lambda _: charts.reliability_bars(["A"], [0.8, 0.7]), "needs 1 values in 'alpha'"),
    ],
)
def test_charts_refuse_what_they_cannot_draw(call, message):
    with pytest.raises(ReportError, match=message):
        call(sample_calibration())


def test_dimension_without_items_has_no_information():
    from dataclasses import replace

    calibration = replace(sample_calibration(), dimensions=("Service", "Other", "Empty"))
    wider = replace(calibration.latent, mean=np.zeros((1, 3)), cov=np.eye(3)[None])
    with pytest.raises(ReportError, match=r"No item measures the dimension 'Empty'"):
        charts.test_information(replace(calibration, latent=wider), "Empty")


def test_the_line_of_the_keyed_option_is_heavier():
    svg = draw(EVERY["trace"](None)).svg
    # the theme's own line width once overrode the encoding, so the drawn chart is what counts
    assert re.findall(r'aria-roledescription="line mark"[^>]*stroke-width="([\d.]+)"', svg) == ["3.6", "1.8"]

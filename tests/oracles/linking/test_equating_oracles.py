"""Equated scores against Kolen's POLYEQUATE, brute force and exact identities; source as in test_linking_oracles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq

import talentassess as ta
from linking_cases import KB_X, KB_Y, drawn, graded, kb_form, known, logistic3, partial_credit, re_expressed
from talentassess.linking import LinkGrid
from talentassess.linking.common import item_set
from talentassess.linking.observed import score_distribution

MIXED_X = [
    (0.920353277679441, -1.181970629805, 0.244001), (1.170994236576, -1.111834306335, 0.242883),
    (0.609056109168193, -1.150369527755, 0.260893), (0.886869070441168, -0.550536364405, 0.243497),
    (1.05983303832279, -0.281302485405, 0.319135), (0.806179909475657, 0.00388215394, 0.277826),
    (1.32554832150229, 0.326604428895, 0.157979), (1.2106179296997, 0.675148828855, 0.084828),
    (1.52987732052845, 0.868505776025, 0.181874), (1.3678877449149, 1.47226315786, 0.246856),
    (0.536740756166129, 2.177620817575, 0.309243), (1.32565611774289, 3.17675688572, 0.192339),
]  # fmt: skip
MIXED_Y = [
    (0.887276, -1.334798, 0.134406), (1.184412, -1.129004, 0.237765), (0.609412, -1.464546, 0.151393),
    (0.923812, -0.576435, 0.240097), (0.822776, -0.476357, 0.192369), (0.707818, -0.235189, 0.189557),
    (1.306976, 0.242986, 0.165553), (1.295471, 0.598029, 0.090557), (1.366841, 0.923206, 0.172993),
    (1.389624, 1.380666, 0.238008), (0.293806, 2.02807, 0.203448), (0.885347, 3.152928, 0.195473),
]  # fmt: skip


def mixed(threes, three_cat, four_cat):
    """Form of twelve 3PL and five partial credit items given as slope, location and step offsets, metric 1.7."""
    parts = [("3pl", 2, logistic3(threes, 1.7))]
    for n_cat, rows in ((3, three_cat), (4, four_cat)):
        steps = [[location - offset for offset in offsets] for _, location, offsets in rows]
        parts.append(("gpcm", n_cat, partial_credit([row[0] for row in rows], steps, 1.7)))
    return known(parts)


def test_kolen_brennan_forms_against_polyequate():
    expected = """
    0.000000 0.888027 1.776054 2.66408 3.552107 4.440134 5.328161 6.134033 7.185802 8.39496 9.621725 10.82559
    12.000215 13.149525 14.280262 15.399495 16.513518 17.627108 18.742944 19.861174 20.979305 22.09259 23.194994
    24.280626 25.345249 26.387408 27.408805 28.413824 29.408303 30.397704 31.384411 32.363711 33.317925 34.209551
    34.979905 35.575623 36.000000"""
    theta = """-4.336128 -2.770096 -2.063286 -1.607182 -1.268170 -0.995059 -0.763274 -0.559258 -0.374740 -0.204264
    -0.044016 0.108779 0.256195 0.399813 0.540889 0.680503 0.819717 0.959750 1.102159 1.249018 1.403104 1.568130
    1.749146 1.953320 2.191603 2.482434 2.860365 3.399176 4.321431"""
    table = ta.equate_true_scores(known([("3pl", 2, kb_form(KB_X))]), known([("3pl", 2, kb_form(KB_Y))], prefix="y"))
    np.testing.assert_allclose(table.equated, np.array(expected.split(), float), atol=1e-6)
    np.testing.assert_allclose(table.theta[7:36], np.array(theta.split(), float), atol=1e-5)
    assert table.rule[:7] == ("below the lower asymptotes",) * 7  # the c of form X add up to 6.53
    assert np.isnan(table.theta[1:7]).all()
    assert table.theta[[0, -1]].tolist() == [-np.inf, np.inf]


def test_mixed_forms_against_polyequate():
    """Twelve 3PL and five generalized partial credit items of three and four categories."""
    expected = """0.000000 0.800918 1.601837 2.505823 3.769920 4.940334 6.044153 7.104130 8.135673 9.150035 10.154059
    11.151285 12.143439 13.131138 14.114030 15.090912 16.060224 17.020592 17.971175 18.912790 19.851019 20.789404
    21.701693 22.647306 24.000000"""
    x = mixed(
        MIXED_X,
        [
            (0.330731115752338, -0.44611721271, (0.89576021814, -0.89576021814)),
            (1.19127830416914, 0.88345078701, (0.08695323647, -0.08695323647)),
            (0.464028517005469, 2.379009065235, (1.716223932855, -1.716223932855)),
        ],
        [
            (0.658666878992595, 0.375180544696667, (-0.389003497996667, 0.882710239228333, -0.493706741231667)),
            (0.679246161290125, 1.53676010099, (0.822498071375, -0.161448079285, -0.66104999209)),
        ],
    )
    y = mixed(
        MIXED_Y,
        [
            (0.346324, -0.494115, (0.893232, -0.893232)),
            (1.252012, 0.856264, (0.09975, -0.09975)),
            (0.392282, 2.825801, (1.850498, -1.850498)),
        ],
        [
            (0.660841, 0.342977333333333, (-0.300428333333333, 0.761845666666667, -0.461417333333333)),
            (0.669612, 1.643267, (1.001974, -0.107221, -0.894753)),
        ],
    )
    np.testing.assert_allclose(ta.equate_true_scores(x, y).equated, np.array(expected.split(), float), atol=2e-6)


def test_graded_forms_against_polyequate():
    """Twelve 3PL and five graded items of three categories."""
    expected = """0.000000 0.800918 1.601837 2.481116 3.384396 4.208612 5.034510 5.892746 6.793426 7.733135 8.700971
    9.686628 10.686402 11.703859 12.746813 13.823575 14.939268 16.092578 17.277277 18.492807 19.740730 20.918832
    22.000000"""
    slopes_x, slopes_y = (1.1196, 1.229, 0.6405, 1.1622, 1.2249), (0.9171, 0.9751, 0.589, 0.9804, 1.0117)
    b_x = [(-2.1415, 0.0382), (-1.7523, -1.066), (-2.3126, -1.8816), (-1.9728, -0.281), (-2.2207, -0.8252)]
    b_y = [(-1.7786, 0.7177), (-1.4115, -0.4946), (-1.8478, -1.4078), (-1.6151, 0.3002), (-1.9355, -0.2267)]
    x = known([("3pl", 2, logistic3(MIXED_X, 1.7)), ("graded", 3, graded(slopes_x, b_x, 1.7))])
    y = known([("3pl", 2, logistic3(MIXED_Y, 1.7)), ("graded", 3, graded(slopes_y, b_y, 1.7))])
    np.testing.assert_allclose(ta.equate_true_scores(x, y).equated, np.array(expected.split(), float), atol=2e-6)


FORM = (("3pl", 2, 4), ("4pl", 2, 2), ("graded", 4, 3), ("gpcm", 3, 3))


@pytest.mark.parametrize("equate", [ta.equate_true_scores, ta.equate_observed_scores])
def test_a_form_equated_with_itself_is_the_identity_without_error(equate):
    form = drawn(FORM, seed=4)
    table = equate(form, form)
    np.testing.assert_allclose(table.equated, table.score, atol=1e-9)
    np.testing.assert_allclose(table.se, 0.0, atol=1e-7)
    assert table.findings == ()


@pytest.mark.parametrize("equate", [ta.equate_true_scores, ta.equate_observed_scores])
def test_the_link_carries_the_scale(equate):
    """The same curves on another scale: with the link the identity, and without it something else."""
    form = drawn(FORM, seed=4)
    other = re_expressed(form, 1.3, -0.4)
    link = ta.link_scales(other, form)
    np.testing.assert_allclose(equate(other, form, link=link).equated, np.arange(22), atol=1e-7)
    assert np.abs(equate(other, form).equated - np.arange(22)).max() > 0.3


def test_upper_asymptotes_below_one_follow_the_same_convention_from_the_top():
    x, y = drawn((("4pl", 2, 8),), seed=1), drawn((("4pl", 2, 8),), seed=2, prefix="y")
    table = ta.equate_true_scores(x, y)
    high_x, high_y = (float(np.sum(1 / (1 + np.exp(-c.blocks[0].par[:, 3])))) for c in (x, y))
    above = [k for k, rule in enumerate(table.rule) if rule == "above the upper asymptotes"]
    assert above == [k for k in range(9) if k >= high_x]
    np.testing.assert_allclose(
        table.equated[above], [8 - (8 - k) * (8 - high_y) / (8 - high_x) for k in above], atol=1e-9
    )


def brute_true(x, y):
    """Solve T_X(theta) = score by Brent's method, one score at a time; asymptotes by the convention."""

    def total(c, theta):
        return sum(float((np.exp(b.log_prob(np.full((1, 1), theta)))[0] @ np.arange(b.n_cat)).sum()) for b in c.blocks)

    low, high, top = total(x, -300.0), total(x, 300.0), int(np.sum(x.n_cat - 1))
    low_y, high_y, top_y = total(y, -300.0), total(y, 300.0), int(np.sum(y.n_cat - 1))
    out = []
    for k in range(top + 1):
        if k <= low:
            out.append(k * low_y / low)
        elif k >= high:
            out.append(top_y - (top - k) * (top_y - high_y) / (top - high))
        else:
            out.append(total(y, brentq(lambda t, k=k: total(x, t) - k, -40, 40, xtol=1e-12)))
    return np.array(out)


def brute_observed(x, y):
    """Interpolate the continuous distribution functions; score distributions by convolving item by item."""
    theta = np.linspace(-6, 6, 61)
    weight = np.exp(-(theta**2) / 2) / np.exp(-(theta**2) / 2).sum()

    def shares(c):
        rows = []
        for t in theta:
            distribution = np.ones(1)
            for b in c.blocks:
                for p in np.exp(b.log_prob(np.full((1, 1), t)))[0]:
                    distribution = np.convolve(distribution, p)
            rows.append(distribution)
        return weight @ np.array(rows)

    f, g = shares(x), shares(y)
    edges = np.arange(len(g) + 1) - 0.5
    return np.interp(np.cumsum(f) - f / 2, np.concatenate([[0.0], np.cumsum(g)]), edges)


@pytest.mark.parametrize(
    ("equate", "brute"), [(ta.equate_true_scores, brute_true), (ta.equate_observed_scores, brute_observed)]
)
def test_equated_scores_and_errors_against_brute_force(equate, brute):
    """Every parameter moved a little and everything solved anew; all parameters correlated."""
    parts = (("3pl", 2, 1), ("4pl", 2, 1), ("graded", 3, 1))
    rng = np.random.default_rng(8)
    root = rng.normal(size=(10, 10)) / 20
    x, y = drawn(parts, seed=5, cov=root @ root.T), drawn(parts, seed=6, cov=root.T @ root, prefix="y")
    table = equate(x, y)
    np.testing.assert_allclose(table.equated, brute(x, y), atol=1e-8)
    variance = np.zeros(len(table.score))
    for which in (0, 1):
        ends = [[brute(*_moved((x, y), which, k, s)) for k in range(10)] for s in (1e-5, -1e-5)]
        gradient = (np.array(ends[0]) - np.array(ends[1])) / 2e-5
        variance += np.einsum("ks,kl,ls->s", gradient, (x, y)[which].free.cov, gradient)
    np.testing.assert_allclose(table.se, np.sqrt(variance), rtol=1e-5, atol=1e-6)


def _moved(pair, which, position, step):
    form = pair[which]
    values = form.free.values.copy()
    values[position] += step
    blocks, first = [], 0
    for block in form.blocks:
        blocks.append(replace(block, par=values[first : first + block.par.size].reshape(block.par.shape)))
        first += block.par.size
    moved = replace(form, blocks=tuple(blocks))
    return (moved, pair[1]) if which == 0 else (pair[0], moved)


def test_error_of_equating_through_a_link_against_brute_force():
    """Form X is moved by a link that rests on some of its own items: every error counted once, with its sign."""
    parts = (("2pl", 2, 3), ("graded", 3, 1))
    x, y = drawn(parts, seed=5), drawn(parts, seed=6)
    nodes = LinkGrid(np.linspace(-3, 3, 9), np.full(9, 1 / 9), np.empty(0), np.empty(0))

    def linked(one, other):
        return ta.link_scales(one, other, items=["i1", "i2", "i4"], nodes=nodes)

    table = ta.equate_true_scores(x, y, link=linked(x, y))
    variance = np.zeros(len(table.score))
    for which in (0, 1):
        pairs = [[_moved((x, y), which, k, s) for k in range(9)] for s in (1e-4, -1e-4)]
        ends = [[ta.equate_true_scores(*pair, link=linked(*pair)).equated for pair in side] for side in pairs]
        gradient = (np.array(ends[0]) - np.array(ends[1])) / 2e-4
        variance += np.einsum("ks,kl,ls->s", gradient, (x, y)[which].free.cov, gradient)
    np.testing.assert_allclose(table.se, np.sqrt(variance), rtol=1e-4, atol=1e-6)
    # taking the moved form as independent of the old one, or the link as known, gives other errors
    loose = ta.equate_true_scores(linked(x, y).apply(x), y)
    assert np.abs(loose.equated - table.equated).max() < 1e-8
    assert np.abs(loose.se - table.se).max() > 0.01


def test_score_distribution_adds_up_and_its_derivatives_to_zero():
    form = item_set(drawn(FORM, seed=4), None, "form")
    theta, weight = np.linspace(-3, 3, 7), np.full(7, 1 / 7)
    found = score_distribution(form, theta, weight, np.ones((2, 7)))
    assert found.share.sum() == pytest.approx(1.0, abs=1e-13)
    np.testing.assert_allclose(found.by_par.sum(axis=0), 0.0, atol=1e-13)
    np.testing.assert_allclose(found.by_link.sum(axis=0), 0.0, atol=1e-13)


def test_observed_scores_in_a_mixed_population():
    """weight_x shifts the population from the new group to the old; identical forms stay identical in any."""
    x, y = drawn(FORM, seed=4, mean=0.0), drawn(FORM, seed=9, prefix="y", mean=1.0, sd=0.7)
    whole, none, half = (ta.equate_observed_scores(x, y, weight_x=w).equated for w in (1.0, 0.0, 0.5))
    assert np.abs(whole - none).max() > 0.01
    assert ((half >= np.minimum(whole, none) - 1e-9) & (half <= np.maximum(whole, none) + 1e-9)).mean() > 0.8
    np.testing.assert_allclose(ta.equate_observed_scores(y, y, weight_x=0.3).equated, np.arange(22), atol=1e-9)

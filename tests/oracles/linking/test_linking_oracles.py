"""A, B and their errors against Kolen's STUIRT program, R sirt, and a brute-force search with finite differences.

STUIRT (Kim & Kolen 2004), sirt and POLYEQUATE (Kolen) outputs are those quoted with their input in the unit tests of J.
P. Meyer's psychometrics library (github.com/meyerjp3/psychometrics, Apache-2.0: IrtScaleLinkingTest,
IrtTrueScoreEquatingTest); the first example's item parameters are Kolen & Brennan's Table 6.5.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

import talentassess as ta
from linking_cases import drawn, known, logistic3, partial_credit
from talentassess.linking import LinkGrid

X = [
    (0.4551, -0.7101, 0.2087), (0.5839, -0.8567, 0.2038), (0.7544, 0.0212, 0.1600), (0.6633, 0.0506, 0.1240),
    (1.0690, 0.9610, 0.2986), (0.9672, 0.1950, 0.0535), (0.3479, 2.2768, 0.1489), (1.4579, 1.0241, 0.2453),
    (1.8811, 1.4062, 0.1992), (0.7020, 2.2401, 0.0853), (1.4080, 1.5556, 0.0789), (1.2993, 2.1589, 0.1075),
]  # fmt: skip
Y = [
    (0.4416, -1.3349, 0.1559), (0.5730, -1.3210, 0.1913), (0.5987, -0.7098, 0.1177), (0.6041, -0.3539, 0.0818),
    (0.9902, 0.5320, 0.3024), (0.8081, -0.1156, 0.0648), (0.4140, 2.5538, 0.2410), (1.3554, 0.5811, 0.2243),
    (1.0417, 0.9392, 0.1651), (0.6336, 1.8960, 0.0794), (1.1347, 1.0790, 0.0630), (0.9255, 2.1337, 0.1259),
]  # fmt: skip
POINTS = np.array([-4.0, -3.111, -2.222, -1.333, -0.4444, 0.4444, 1.333, 2.222, 3.111, 4.0])
DENSITY_X = np.array([0.0001008, 0.00276, 0.03021, 0.142, 0.3149, 0.3158, 0.1542, 0.03596, 0.003925, 0.0001862])
DENSITY_Y = np.array([0.0001173, 0.003242, 0.03449, 0.1471, 0.3148, 0.311, 0.1526, 0.03406, 0.00251, 0.0001116])


def even(limit: float, n: int) -> LinkGrid:
    theta, weight = np.linspace(-limit, limit, n), np.full(n, 1 / n)
    return LinkGrid(theta, weight, theta, weight)


def check(new, old, expected, nodes, fix_scale=False):
    """Hold A and B to the printed digits: six decimals, the last one of the program's search free to differ."""
    for method, (a, b) in expected.items():
        link = ta.link_scales(new, old, method, nodes=nodes, fix_scale=fix_scale)
        assert link.status.ok
        assert (pytest.approx(a, abs=2e-6), pytest.approx(b, abs=2e-6)) == (link.A, link.B), method


def test_kolen_brennan_example_against_stuirt():
    """STUIRT example 1: twelve common 3PL items, ten quadrature points with estimated densities."""
    nodes = LinkGrid(POINTS, DENSITY_Y / DENSITY_Y.sum(), POINTS, DENSITY_X / DENSITY_X.sum())
    expected = {
        "mean-sigma": (1.168891, -0.515543),
        "mean-mean": (1.217266, -0.557156),
        "haebara": (1.067800, -0.471281),
        "stocking-lord": (1.083417, -0.487619),
    }
    check(known([("3pl", 2, logistic3(X, 1.7))]), known([("3pl", 2, logistic3(Y, 1.7))]), expected, nodes)


def test_mixed_form_against_stuirt():
    """Ten 3PL and three partial credit items (ICL estimates), 25 even points on -3..3 as is STUIRT's default."""
    new = [
        (0.762370, 1.009476, 0.109968), (1.336925, -0.437730, 0.157718), (1.876282, 1.093312, 0.135095),
        (0.830231, -1.502055, 0.227047), (1.274011, 1.029875, 0.280884), (1.139027, -0.142340, 0.132300),
        (0.645040, 0.785645, 0.176663), (1.099075, -1.501227, 0.183540), (1.173436, -0.055542, 0.247029),
        (0.855866, 1.022627, 0.209809),
    ]  # fmt: skip
    old = [
        (1.053310, 1.280453, 0.220378), (1.525842, -0.384423, 0.166410), (1.943304, 1.073916, 0.131654),
        (0.788018, -1.637711, 0.248980), (1.005941, 0.930207, 0.216200), (1.230981, -0.224566, 0.150033),
        (1.105784, 1.082957, 0.278372), (1.108659, -1.358290, 0.192793), (1.122514, -0.130496, 0.214603),
        (0.777442, 1.077921, 0.228847),
    ]  # fmt: skip
    steps_new = [(-0.765898, -0.262353, 1.077962), (-0.837283, -0.275441, 1.136771), (-1.194004, 0.318944, 1.059092)]
    steps_old = [(-0.681719, -0.412208, 1.126726), (-0.717030, -0.332964, 1.010151), (-1.360084, 0.274189, 1.085692)]
    slopes_new, slopes_old = (0.871415, 0.978374, 0.856862), (0.840509, 0.968292, 0.809768)
    expected = {
        "mean-sigma": (1.035626, 0.004596),
        "mean-mean": (0.959283, 0.010863),
        "haebara": (0.996992, -0.022233),
        "stocking-lord": (1.001785, -0.026322),
    }
    check(
        known([("3pl", 2, logistic3(new, 1.0)), ("gpcm", 4, partial_credit(slopes_new, steps_new, 1.0))]),
        known([("3pl", 2, logistic3(old, 1.0)), ("gpcm", 4, partial_credit(slopes_old, steps_old, 1.0))]),
        expected,
        even(3.0, 25),
    )


RASCH_X = [-3.188047976, 1.031760328, 0.819040914, -2.706947360, -0.094527077, 0.689697135, -0.551837153, -0.359559276]
RASCH_Y = [-3.074599226, 1.012824350, 0.868538408, -2.404483603, 0.037402866, 0.700747420, -0.602555046, -0.350426446]


def test_rasch_items_against_sirt():
    """R sirt's equating.rasch moves Y to X and compares on X's scale, 161 even points on -4..4; A is 1 unasked."""
    x, y = (known([("rasch", 2, np.column_stack([np.ones(8), -np.array(b)]))]) for b in (RASCH_X, RASCH_Y))
    nodes = even(4.0, 161)
    one_way = LinkGrid(nodes.old_theta, nodes.old_weight, np.empty(0), np.empty(0))
    for method, b in (("mean-mean", 0.068484), ("haebara", 0.06468396), ("stocking-lord", 0.05736233)):
        link = ta.link_scales(y, x, method, nodes=one_way)
        assert link.A == 1.0
        assert pytest.approx(b, abs=3e-6) == -link.B  # sirt's search stops at that
        assert link.cov[0, 0] == 0.0
        assert link.cov[1, 1] > 0.0


def curves(parts, theta):
    """Write out the category probabilities of 2PL, 3PL, graded and partial credit items: (J)(Q, K), from a, d."""
    out = []
    for name, _, par in parts:
        for row in par:
            a, d = row[0], row[1:]
            if name == "3pl":
                g = 1 / (1 + np.exp(-row[2]))
                p = g + (1 - g) / (1 + np.exp(-(a * theta + row[1])))
                out.append(np.column_stack([1 - p, p]))
            elif name == "graded":
                above = 1 / (1 + np.exp(-(a * theta[:, None] + d)))
                edge = np.ones((len(theta), 1))
                out.append(-np.diff(np.column_stack([edge, above, 0 * edge]), axis=1))
            else:
                z = np.column_stack([0 * theta, a * theta[:, None] * np.arange(1, len(d) + 1) + d])
                out.append(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))
    return out


def brute_force(new, old, summed, start=(1.0, 0.0)):
    """Minimise the symmetric criterion in its textbook form, by a general optimiser with numerical derivatives."""
    theta = np.linspace(-6, 6, 61)
    root = np.sqrt(np.exp(-(theta**2) / 2) / np.exp(-(theta**2) / 2).sum())[:, None]

    def gaps(x):
        parts = []
        for stay, move, moved in ((old, new, (theta - x[1]) / x[0]), (new, old, x[0] * theta + x[1])):
            apart = [(p - q) * root for p, q in zip(curves(stay, theta), curves(move, moved), strict=True)]
            parts += [sum(g @ np.arange(g.shape[1]) for g in apart)] if summed else [g.ravel() for g in apart]
        return np.concatenate(parts)

    def slope(x):
        return np.array([np.sum(gaps(x + h) ** 2) - np.sum(gaps(x - h) ** 2) for h in 1e-4 * np.eye(2)]) / 2e-4

    x = least_squares(gaps, start, jac="3-point").x
    for _ in range(3):  # least squares stops early on the flat bottom; Newton steps by differences go on
        curvature = np.array([slope(x + h) - slope(x - h) for h in 1e-3 * np.eye(2)]) / 2e-3
        x = x - np.linalg.solve(curvature, slope(x))
    return x


@pytest.mark.parametrize("method", ["stocking-lord", "haebara"])
def test_errors_of_a_and_b_against_brute_force(method):
    """Search anew with every parameter moved a little; the delta-method covariance follows from those differences."""
    form = (("3pl", 2, 1), ("graded", 4, 1), ("gpcm", 3, 1))
    rng = np.random.default_rng(3)
    root = rng.normal(size=(10, 10)) / 30
    new, old = drawn(form, seed=1, cov=root @ root.T), drawn(form, seed=2, cov=root.T @ root)
    link = ta.link_scales(new, old, method)
    sides = [[(b.model.name, b.n_cat, b.par) for b in c.blocks] for c in (new, old)]
    at = brute_force(*sides, method == "stocking-lord")
    np.testing.assert_allclose([link.A, link.B], at, atol=1e-6)
    cov = np.zeros((2, 2))
    for which, calibration in enumerate((new, old)):
        columns = []
        for k, (_, _, values) in enumerate(sides[which]):
            for position in np.ndindex(values.shape):
                ends = []
                for step in (1e-3, -1e-3):
                    par = values.copy()
                    par[position] += step
                    moved = [*sides[which]]
                    moved[k] = (*moved[k][:2], par)
                    pair = (moved, sides[1]) if which == 0 else (sides[0], moved)
                    ends.append(brute_force(*pair, method == "stocking-lord", at))
                columns.append((ends[0] - ends[1]) / 2e-3)
        gradient = np.array(columns).T
        cov += gradient @ calibration.free.cov @ gradient.T
    np.testing.assert_allclose(link.cov, cov, rtol=1e-3, atol=1e-6)  # the differences are good to four digits

"""The referee: likelihoods and scores from every runner's estimates, on one common grid, apart from talentassess.

The grid has 241 equally spaced nodes on -6..6. Runners estimate with 61 nodes (their own rule); a grid four times as
fine is exact for the longest test here (posterior SD about 0.2, spacing 0.05) and favours nobody.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from item_models import Floats, Parameters, probabilities
from simulate import Codes

NODES, LIMIT = 241, 6.0
NODES_2D = 61  # each way, for the bifactor model
CHUNK = 4_000
GUESSING_PRIOR = (5.0, 17.0)  # the Beta prior on the 3PL's lower asymptote that every runner is given


def grid(n: int = NODES) -> tuple[Floats, Floats]:
    """Return nodes (n,) and their log weights (n,) in a standard normal population."""
    nodes = np.linspace(-LIMIT, LIMIT, n)
    weights = np.exp(-0.5 * nodes**2)
    return nodes, np.log(weights / weights.sum())


def log_objective(x: Codes, items: Parameters) -> float:
    """Return the marginal log-likelihood of codes x (N, J), plus the log prior of guessing parameters if there are.

    Equation: sum_i log sum_q W(theta_q) prod_j P_j(x_ij | theta_q) + sum_j (4 log g_j + 16 log(1 - g_j)).
    """
    nodes, log_weights = grid()
    table = np.log(np.maximum(probabilities(items, nodes[:, None]), 1e-300))
    total = sum(float(np.sum(_log_sum(joint + log_weights))) for joint in _joint_pieces(x, table, CHUNK))
    if items.model == "3pl":
        a, b = GUESSING_PRIOR
        total += float(np.sum((a - 1) * np.log(items.guessing) + (b - 1) * np.log1p(-items.guessing)))
    return total


def log_objective_bifactor(x: Codes, items: Parameters, scale: Codes) -> float:
    """Return the marginal log-likelihood under a bifactor model by dimension reduction (Gibbons & Hedeker 1992).

    Parameters
    ----------
    x : (N, J) codes.
    items : slope (J, 2): general and specific.
    scale : (J,) number of each item's specific factor.
    """
    nodes, log_weights = grid(NODES_2D)
    plane = np.column_stack([np.repeat(nodes, NODES_2D), np.tile(nodes, NODES_2D)])
    table = np.log(np.maximum(probabilities(items, plane), 1e-300))
    general = np.zeros((len(x), NODES_2D))
    for s in np.unique(scale):
        mine = scale == s
        pieces = _joint_pieces(x[:, mine], table[:, mine], 400)
        inner = [_log_sum(piece.reshape(-1, NODES_2D, NODES_2D) + log_weights) for piece in pieces]
        general += np.concatenate(inner)
    return float(np.sum(_log_sum(general + log_weights)))


def expected_theta(x: Codes, items: Parameters) -> Floats:
    """Return (N,) posterior means of theta."""
    nodes, log_weights = grid()
    table = np.log(np.maximum(probabilities(items, nodes[:, None]), 1e-300))
    means = []
    for joint in _joint_pieces(x, table, CHUNK):
        posterior = np.exp(joint + log_weights - _log_sum(joint + log_weights)[:, None])
        means.append(posterior @ nodes)
    return np.concatenate(means)


def cronbach_alpha(x: Codes) -> float:
    """Return coefficient alpha of complete codes x (N, J): J / (J - 1) (1 - sum of variances / variance of the sum)."""
    n_items = x.shape[1]
    whole = x.astype(np.float64)
    return float(n_items / (n_items - 1) * (1 - whole.var(axis=0).sum() / whole.sum(axis=1).var()))


def _joint_pieces(x: Codes, table: Floats, size: int) -> Iterator[Floats]:
    """Yield pieces (n, Q) of log P(x_i | theta_q); table (Q, J, K); a missing answer adds nothing."""
    flat = table.reshape(len(table), -1).T
    starts = np.arange(x.shape[1]) * table.shape[2]
    for i in range(0, len(x), size):
        yield _one_hot(x[i : i + size], starts, len(flat)) @ flat


def _one_hot(x: Codes, starts: Codes, width: int) -> Floats:
    hot = np.zeros((len(x), width))
    person, item = np.nonzero(x >= 0)
    hot[person, starts[item] + x[person, item]] = 1.0
    return hot


def _log_sum(z: Floats) -> Floats:
    """Return log sum exp over the last axis."""
    top = z.max(axis=-1, keepdims=True)
    return np.asarray((np.log(np.exp(z - top).sum(axis=-1, keepdims=True)) + top)[..., 0])

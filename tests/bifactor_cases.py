"""Small forms with testlets, and their likelihood by brute force over all dimensions at once."""

from __future__ import annotations

import itertools

import numpy as np

from talentassess.calibration.problem import Problem, build_problem
from talentassess.core.likelihood import stack_log_prob
from talentassess.core.provenance import Provenance
from talentassess.core.responses import Responses

MIXED = {"q1": "graded", "q2": "graded", "q3": "2pl", "q4": "gpcm", "q5": "graded", "q6": "2pl", "q7": "2pl"}
N_CAT = (3, 3, 2, 4, 3, 2, 2)
TESTLETS = {"text": ("q1", "q3", "q5"), "film": ("q4", "q2")}  # q6 and q7 stand alone


def mixed_answers(n: int = 40, seed: int = 2) -> Responses:
    """Return SIMULATED answers of two groups to seven items of three models, with holes and weights."""
    rng = np.random.default_rng(seed)
    ability = rng.normal(size=n)
    x = np.column_stack([np.clip(np.round(ability + rng.normal(size=n) + (k - 1) / 2), 0, k - 1) for k in N_CAT])
    x[rng.random(x.shape) < 0.15] = np.nan
    return Responses(
        x=x,
        n_cat=N_CAT,
        item_ids=tuple(MIXED),
        person_ids=range(n),
        group=["a", "b"] * (n // 2),
        weight=rng.uniform(0.5, 2.0, n),
        provenance=Provenance("brute force", simulated=True),
    )


def mixed_problem(answers: Responses) -> Problem:
    """Return the calibration problem of ``mixed_answers``: the second group's mean and sd are free."""
    return build_problem(answers, MIXED, groups=answers.group, constraints=(), priors=None, testlets=TESTLETS)


def moved(problem: Problem, seed: int = 3) -> np.ndarray:
    """Return admissible free values away from the start."""
    start = problem.start()
    return start + np.random.default_rng(seed).uniform(-0.1, 0.1, len(start))


def dense_log_likelihoods(problem: Problem, free: np.ndarray) -> np.ndarray:
    """Return (N,) log-likelihoods over the full grid of 1 + F dimensions, person by person and node by node."""
    return np.log(dense_joint(problem, free)[1].sum(axis=1))


def dense_joint(problem: Problem, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the nodes (Q, 1 + F) of the full grid, and weight times likelihood (N, Q)."""
    form, base = problem.structure.form, problem.structure.base
    blocks, latent = problem.unpack(free)
    axes = [form.general, *[form.specific] * len(form.testlets)]
    nodes = np.array(list(itertools.product(*axes)))
    log_prob = stack_log_prob(blocks, nodes, problem.starts)
    mean, sd = base.mean_sd(latent)
    log_specific = sum(normal(nodes[:, f], form.specific, 0.0, 1.0) for f in range(1, nodes.shape[1]))
    rows = []
    for x, g in zip(base.answers.x, base.answers.group, strict=True):
        log_likelihood = sum(log_prob[problem.starts[j] + code] for j, code in enumerate(x) if code >= 0)
        rows.append(np.exp(log_likelihood + normal(nodes[:, 0], form.general, mean[g], sd[g]) + log_specific))
    return nodes, np.array(rows)


def normal(at: np.ndarray, axis: np.ndarray, mean: float, sd: float) -> np.ndarray:
    """Return log normal weights at nodes that are members of ``axis``, on which the weights sum to one."""
    return -0.5 * ((at - mean) / sd) ** 2 - np.log(np.exp(-0.5 * ((axis - mean) / sd) ** 2).sum())


def dense_loglik(problem: Problem, free: np.ndarray) -> float:
    """Return the weighted log-likelihood by brute force."""
    return float(problem.structure.base.answers.weight @ dense_log_likelihoods(problem, free))

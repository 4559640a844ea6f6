"""How far expectation propagation is from the exact log-likelihood: measured on the persons at hand."""

from __future__ import annotations

import numpy as np

from talentassess.calibration.correlated import CorrelatedNormal
from talentassess.calibration.objective import Evaluation
from talentassess.calibration.problem import Problem
from talentassess.core.ep import ep_posteriors, evidence_error, some_persons
from talentassess.core.likelihood import stack_log_prob
from talentassess.core.status import Finding, Severity

SAMPLE = 500  # persons
COARSE = 1e-3  # of a person's log evidence on average: a likelihood ratio of 1,000 persons is off by a unit


def approximation_finding(problem: Problem, at: Evaluation, structure: CorrelatedNormal, where: str) -> Finding:
    """Say what the approximation costs in log evidence, person by person (see ``core.ep.evidence_error``)."""
    log_prob = stack_log_prob(at.blocks, structure.theta, problem.starts)
    n = len(structure.form.answers.x)
    rows = np.unique(np.linspace(0, n - 1, min(n, SAMPLE)).astype(np.int64))
    sample, population = some_persons(structure.form, rows), structure.moments(at.latent)
    passes = ep_posteriors(sample, log_prob, structure.nodes, population, structure.sites[:, rows])
    error = np.concatenate([evidence_error(persons, structure.nodes) for _, persons in passes])
    weight = sample.answers.weight
    mean, worst = float(weight @ np.abs(error) / weight.sum()), float(np.max(np.abs(error)))
    size = float(structure.form.answers.weight.sum())
    total = f"{size * float(weight @ error / weight.sum()):+.1g}"
    if len(rows) < n:
        total += f" (standard error of this sample {size * float(np.std(error)) / np.sqrt(len(rows)):.1g})"
    coarse = mean > COARSE
    return Finding(
        "ep_approximation", Severity.WARNING if coarse else Severity.NOTE, where,
        "The dimensions were integrated by expectation propagation. To second order, the log evidence of a person is "
        f"off by {mean:.1e} on average and {worst:.1e} at most ({len(rows)} answer patterns), the log-likelihood by "
        f"about {total}.",
        "Check the correlations of short scales against a calibration of two dimensions at a time."
        if coarse else "It is close enough; standard errors and scores rest on the same approximation.",
    )  # fmt: skip

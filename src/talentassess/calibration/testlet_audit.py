"""After the estimation with testlets: which way the specific dimensions point, and what the reader must know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from talentassess.calibration.objective import evaluate
from talentassess.calibration.problem import Problem
from talentassess.calibration.run import Path
from talentassess.calibration.testlets import SPECIFIC_SLOPE
from talentassess.core.arrays import BoolArray, FloatArray
from talentassess.core.status import Finding, Severity

SMALLEST = 3  # items of a testlet: two specific slopes answer to one dependence


def orient(path: Path) -> Path:
    """Turn specific dimensions so that their slopes have a positive sum; the likelihood does not know their sign.

    A dimension with a fixed specific slope other than 0 is left as it is.
    """
    problem, free = path.problem, path.last.free.copy()
    for rows in _specific_rows(problem):
        slopes = _stacked(problem, free)[rows]
        if slopes.sum() < 0 and not np.any(problem.tie.offset[rows]):
            free[_columns(problem, rows)] *= -1
    turned = None if np.array_equal(free, path.last.free) else evaluate(problem, free)
    return path if turned is None else replace(path, last=turned)


def _specific_rows(problem: Problem) -> list[BoolArray]:
    """Return per testlet which of the T stacked parameters are its specific slopes."""
    named = np.array([p.name == SPECIFIC_SLOPE for p in problem.entries.params])
    of_block = np.repeat(np.arange(len(problem.blocks)), [j * p for j, p in problem.entries.sizes])
    dims = [block.dims[-1] for block in problem.blocks]
    return [named & (np.array(dims)[of_block] == f) for f in range(1, len(problem.specific) + 1)]


def _stacked(problem: Problem, free: FloatArray) -> FloatArray:
    return problem.tie.forth(free[: problem.tie.n_free])


def _columns(problem: Problem, rows: BoolArray) -> list[int]:
    found: list[int] = problem.tie.behind(np.flatnonzero(rows)).tolist()
    return found


def audit_testlets(path: Path, cov: FloatArray, dimension: str) -> list[Finding]:
    """Return what holds for testlets: assumed independence, testlets of two items, testlets without dependence.

    ``cov`` (F, F) is the covariance of the free values, NaN where it is not known.
    """
    problem = path.problem
    if not problem.specific:
        return []
    findings = [
        Finding(
            "orthogonal_testlets", Severity.NOTE, dimension,
            f"The {len(problem.specific)} specific dimension(s) are taken as uncorrelated with the general one and "
            "with each other, and as standard normal in every group.",
            "Compare with the fit without testlets (loglik, bic) before reading specific scores.",
        )
    ]  # fmt: skip
    stacked, se = _stacked(problem, path.last.free), np.sqrt(np.maximum(np.diag(cov), 0.0))
    for name, rows in zip(problem.specific, _specific_rows(problem), strict=True):
        columns = _columns(problem, rows)
        if rows.sum() < SMALLEST and len(columns) > 1:
            findings.append(_few_items(name, int(rows.sum())))
        errors = se[columns]
        values = path.last.free[columns]
        if len(columns) and np.isfinite(errors).all() and np.all(np.abs(values) < 2 * errors):
            findings.append(_idle(name, float(np.max(np.abs(stacked[rows])))))
    return findings


def _few_items(name: str, n_items: int) -> Finding:
    return Finding(
        "small_testlet", Severity.WARNING, name,
        f"The testlet has {n_items} items: their specific slopes rest on one dependence and are hardly determined.",
        f"Tie them with Equal('{SPECIFIC_SLOPE}', items=[...]), or add items.",
    )  # fmt: skip


def _idle(name: str, largest: float) -> Finding:
    return Finding(
        "idle_testlet", Severity.NOTE, name,
        f"No specific slope differs from zero by two standard errors (largest: {largest:.2f}).",
        "Given the general dimension its items look independent; the testlet may not be needed.",
    )  # fmt: skip

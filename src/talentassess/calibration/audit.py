"""The identifiability audit: what a reader must know about the data and the estimates, before and after fitting."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from talentassess.calibration.objective import Evaluation, log_likelihood
from talentassess.calibration.problem import Problem
from talentassess.calibration.run import Path
from talentassess.calibration.standard_errors import SPREAD_FROM
from talentassess.calibration.starts import rising_items
from talentassess.calibration.structures import NormalGroups
from talentassess.core.arrays import BoolArray, FloatArray, IntArray
from talentassess.core.errors import CalibrationError
from talentassess.core.status import Finding, Severity, Status

FEW_ANSWERS = 10  # per category: below this a threshold's standard error is of the order of a logit
SMALL_GROUP = 30  # persons
CHECKED = 1000  # persons on whom the quadrature is checked: its error is an average over persons
LOOKED_AT = 5000  # persons at a time
STEEP_SLOPE = 4.0  # logits: in practice the sign of two items that say the same thing, or of too little data


def audit_before(problem: Problem, dimension: str) -> list[Finding]:
    """Look at the data before fitting: reverse keys, unused or rare categories, empty persons, separate booklets."""
    responses = problem.responses
    findings = []
    for j, (item, r) in enumerate(zip(responses.item_ids, problem.survey.rest_correlation, strict=True)):
        if r < 0:
            findings.append(
                Finding(
                    "negative_item_rest", Severity.WARNING, item,
                    f"Item-rest correlation is {r:.2f}: it runs against the other items of '{dimension}'.",
                    "Check its key; mark it as reverse-keyed if it is. It was fitted as it stands, slope sign and all.",
                )
            )  # fmt: skip
        findings += _rare_categories(responses.item_ids[j], problem.survey.counts_of(j))
    empty = int(np.sum(problem.survey.answered == 0))
    if empty:
        findings.append(
            Finding(
                "no_answers", Severity.NOTE, dimension,
                f"{empty} person(s) answered none of its items and carry no information about them.",
                "Nothing to do; their scores will say that they rest on no answers.",
            )
        )  # fmt: skip
    return findings + _small_groups(problem) + _disconnected(problem, dimension)


def _models(problem: Problem) -> dict[str, str]:
    return {problem.responses.item_ids[j]: block.variant for block in problem.blocks for j in block.items}


def _rare_categories(item: str, counts: FloatArray) -> list[Finding]:
    unused = [str(k) for k in np.flatnonzero(counts == 0)]
    if unused:
        return [
            Finding(
                "unused_category", Severity.WARNING, item,
                f"Categories {', '.join(unused)} (codes from 0) are declared but nobody chose them.",
                "The declared categories are kept; a weak prior worth one answer holds their parameters. "
                "Collapse them only if that is how the item will be scored.",
            )
        ]  # fmt: skip
    rare = [f"{k} ({counts[k]:.0f})" for k in np.flatnonzero(counts < FEW_ANSWERS)]
    if not rare:
        return []
    return [
        Finding(
            "rare_category", Severity.NOTE, item, f"Few answers in categories {', '.join(rare)}.",
            "Their thresholds are uncertain: read them with their standard errors.",
        )
    ]  # fmt: skip


def _small_groups(problem: Problem) -> list[Finding]:
    """Look at the size of each group; a group without any answers has no place on the scale and is refused."""
    groups = problem.structure.groups
    sizes = problem.structure.group_sizes()
    empty = [group for group, n in zip(groups, sizes, strict=True) if n == 0]
    if empty:
        raise CalibrationError(f"Nobody in group(s) {', '.join(empty)} answered these items. Leave the group out.")
    return [
        Finding(
            "small_group", Severity.WARNING, group, f"Only {n:g} persons answered.",
            "Its mean and standard deviation are uncertain: read them with their standard errors.",
        )
        for group, n in zip(groups, sizes, strict=True)
        if len(groups) > 1 and n < SMALL_GROUP
    ]  # fmt: skip


def _disconnected(problem: Problem, dimension: str) -> list[Finding]:
    responses = problem.responses
    several = len(problem.structure.groups) > 1
    n_parts, part = _linked_items(problem)
    if n_parts == 1:
        return []
    example = [responses.item_ids[int(np.flatnonzero(part == p)[0])] for p in range(min(n_parts, 4))]
    return [
        Finding(
            "disconnected", Severity.PROBLEM if several else Severity.WARNING, dimension,
            f"The items fall into {n_parts} sets that no person answered across (e.g. {' | '.join(example)}).",
            "Their metrics agree only if the groups are equally able at random; add common items or anchors.",
        )
    ]  # fmt: skip


def _linked_items(problem: Problem) -> tuple[int, IntArray]:
    """Return how many sets the items fall into that no person answered across, and the set of each (J,)."""
    n_items = problem.responses.n_items
    if problem.survey.answered.max() == n_items:
        return 1, np.zeros(n_items, dtype=np.int64)
    x = problem.x
    together = np.eye(n_items, dtype=bool)
    n_parts, part = n_items, np.arange(n_items)
    for first in range(0, len(x), LOOKED_AT):  # a few persons connect most forms
        given = (x[first : first + LOOKED_AT] >= 0).astype(np.float32)
        together |= given.T @ given > 0
        n_parts, part = _connected(together)
        if n_parts == 1:
            break
    return n_parts, part


def _connected(together: BoolArray) -> tuple[int, IntArray]:
    """Return the number of connected parts and the part (J,) of each item; together (J, J): answered by one person."""
    part, before = np.arange(len(together)), np.full(len(together), -1)
    while np.any(part != before):  # every item takes the lowest number among its neighbours
        part, before = np.where(together, part, len(together)).min(axis=1), part
    numbers, part = np.unique(part, return_inverse=True)
    return len(numbers), part.astype(np.int64)


def count_parameters(problem: Problem, dimension: str) -> list[Finding]:
    """Find out whether there are more free values than the answer patterns could ever determine."""
    n_free = sum(prior is None for prior in problem.priors) + len(problem.structure.names)
    log_patterns = float(np.log(problem.responses.n_cat.astype(np.float64)).sum())
    if log_patterns > np.log(1e9) or n_free <= len(problem.structure.groups) * (np.exp(log_patterns) - 1):
        return []
    return [
        Finding(
            "more_parameters_than_data", Severity.PROBLEM, dimension,
            f"{n_free} parameters are estimated from {np.exp(log_patterns):.0f} possible answer patterns.",
            "Add items, or fix parameters (e.g. model='rasch'); the estimates are one of many that fit equally well.",
        )
    ]  # fmt: skip


def audit_after(problem: Problem, path: Path, cov: FloatArray, dimension: str, method: str | None) -> list[Finding]:
    """Look at the estimates: status, bounds, slopes, errors (cov (F, F)), priors, weights, the grid."""
    findings = []
    se = np.sqrt(np.maximum(np.diag(cov), 0.0))
    if not path.status.ok:
        findings.append(
            Finding("status", Severity.PROBLEM, dimension, f"The estimation {_ended(path.status)}.", path.status.remedy)
        )
    for f in np.flatnonzero(path.at_bound):
        findings.append(
            Finding(
                "at_bound", Severity.PROBLEM, problem.names[f],
                f"The estimate ran to its bound, {path.last.free[f]:g}.", Status.AT_BOUND.remedy,
            )
        )  # fmt: skip
    findings += _slopes(problem, path.last) + _priors_in_force(problem, dimension)
    findings += _reflection(problem, path.last, dimension)
    large = [problem.names[f] for f in np.flatnonzero(np.nan_to_num(se) > 2.0)]
    if large:
        findings.append(
            Finding(
                "large_se", Severity.WARNING, dimension,
                f"{len(large)} estimate(s) have a standard error above 2 logits: {', '.join(large[:6])}.",
                "The data say little about them; do not interpret them singly.",
            )
        )  # fmt: skip
    return findings + _about_errors(problem, method, dimension) + _node_doubling(problem, path.last, dimension)


def _about_errors(problem: Problem, method: str | None, dimension: str) -> list[Finding]:
    findings = []
    if method == "oakes" and isinstance(problem.structure, NormalGroups):
        sample = problem.structure.sample(SPREAD_FROM)
        if sample is not None:
            findings.append(
                Finding(
                    "errors_from_sample", Severity.NOTE, dimension,
                    f"The information that is lost with the trait was averaged over {len(sample.answers.x)} persons.",
                    "They are right to about one in a thousand; se='crossprod' uses everybody.",
                )
            )  # fmt: skip
    if method is None:
        findings.append(
            Finding(
                "identification_not_checked", Severity.NOTE, dimension,
                "Without standard errors, identification was not checked.", "Use se='oakes' before relying on it.",
            )
        )  # fmt: skip
    if method in ("crossprod", "sandwich") and problem.pseudo.any():
        findings.append(
            Finding(
                "errors_unknown", Severity.WARNING, dimension,
                f"Items with an unused category have no standard errors under se='{method}'.", "Use se='oakes'.",
            )
        )  # fmt: skip
    if problem.weighted and method in ("oakes", "crossprod"):
        findings.append(
            Finding(
                "weights_as_counts", Severity.NOTE, dimension,
                "The weights were taken as numbers of persons.", "For sampling weights use se='sandwich'.",
            )
        )  # fmt: skip
    return findings


def _ended(status: Status) -> str:
    return f"did not end well: {status.value}"


def _slopes(problem: Problem, at: Evaluation) -> list[Finding]:
    findings = []
    for block in at.blocks:
        if block.model.params(block.n_cat, 1)[0].name != "slope":  # nominal, unfolding: nothing that has to rise
            continue
        for j, slope in zip(block.items, block.par[:, 0], strict=True):
            item = problem.responses.item_ids[j]
            if slope < 0:
                findings.append(
                    Finding(
                        "negative_slope", Severity.WARNING, item, f"The slope is negative ({slope:.2f}).",
                        "Check the key: as it stands, higher categories mean less of the trait.",
                    )
                )  # fmt: skip
            if abs(slope) > STEEP_SLOPE:
                findings.append(
                    Finding(
                        "steep_slope", Severity.WARNING, item,
                        f"The slope is {slope:.1f}: the item nearly determines the trait by itself.",
                        "Look for another item that asks the same, or give the slopes a prior.",
                    )
                )  # fmt: skip
    return findings


def _reflection(problem: Problem, at: Evaluation, dimension: str) -> list[Finding]:
    """Say which way an unfolding scale runs where nothing but the convention decides it."""
    free = problem.tie.is_free
    locations = np.flatnonzero([p.name == "location" for p in problem.entries.params])
    if rising_items(problem.responses.item_ids, _models(problem)).any() or not free[locations].all():
        return []
    value = np.concatenate([block.par.ravel() for block in at.blocks])[locations]
    lowest, highest = (problem.entries.items[locations[k]] for k in (value.argmin(), value.argmax()))
    return [
        Finding(
            "reflection", Severity.NOTE, dimension,
            f"The direction of an unfolding scale is arbitrary: here it runs from '{lowest}' ({value.min():.2f}) to "
            f"'{highest}' ({value.max():.2f}).",
            "Read the two statements before naming the poles; the first item of the form with a clear side was put on "
            "the positive one. Put another item first, or fix a location, to turn the scale round.",
        )
    ]  # fmt: skip


def _priors_in_force(problem: Problem, dimension: str) -> list[Finding]:
    named = sorted({name for name, prior in zip(problem.tie.param_names, problem.priors, strict=True) if prior})
    findings = []
    if named:
        findings.append(
            Finding(
                "priors", Severity.NOTE, dimension, f"Priors are in force on: {', '.join(named)}.",
                "The estimates are posterior modes; pass priors={} for plain maximum likelihood.",
            )
        )  # fmt: skip
    if "guessing" in set(problem.tie.param_names) - set(named):
        findings.append(
            Finding(
                "guessing_without_prior", Severity.WARNING, dimension,
                "Guessing parameters are estimated without a prior.",
                "They are seldom determined by the data alone; leave priors at its default.",
            )
        )  # fmt: skip
    return findings


def _node_doubling(problem: Problem, at: Evaluation, dimension: str) -> list[Finding]:
    """Compare with a grid twice as fine and one third wider: what the quadrature costs in log-likelihood."""
    sample = problem.structure.sample(CHECKED)
    if sample is not None:
        problem = replace(problem, structure=sample)
    share = float(problem.structure.group_sizes().sum()) / float(at.step.mass.sum())
    coarse = at.loglik if sample is None else log_likelihood(problem, at.free)
    finer = log_likelihood(replace(problem, structure=problem.structure.finer()), at.free)
    gap = abs(finer - coarse) / share if finer is not None and coarse is not None else np.inf
    serious = gap > 1e-2
    persons = "" if sample is None else f", reckoned from every {1 / share:.0f}th person"
    return [
        Finding(
            "node_doubling", Severity.PROBLEM if serious else Severity.NOTE, dimension,
            f"A quadrature grid twice as fine and a third wider changes the log-likelihood by {gap:.1e}{persons}.",
            "The scale is too steep or wide for any grid: look for duplicates." if serious else "It is fine enough.",
        )
    ]  # fmt: skip

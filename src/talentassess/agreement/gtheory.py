"""Generalizability theory: where the variance of ratings comes from, and how many raters and tasks are enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from talentassess.agreement.complete import complete_rows
from talentassess.agreement.ratings import Ratings
from talentassess.core.arrays import FloatArray
from talentassess.core.errors import DataError
from talentassess.core.provenance import Provenance
from talentassess.core.status import Finding, Severity, finding_columns
from talentassess.core.tabular import Columns, Tabular

CROSSED, NESTED = "p x r", "p x (r:t)"


@dataclass(frozen=True, slots=True, kw_only=True)
class VarianceComponent:
    """One source of variance.

    Attributes
    ----------
    source : ``p``, ``r``, ``pr,e``; or ``p``, ``t``, ``r:t``, ``pt``, ``pr:t,e``.
    df : degrees of freedom; ``mean_square`` from the analysis of variance.
    raw : the estimate as it comes out, which may be negative; ``variance`` what is used, at least 0.
    se : standard error of ``raw``; with few degrees of freedom its distribution is skewed, so take it as a rough guide.
    share : of the sum of the variances, for one rater (and one task).
    """

    source: str
    df: int
    mean_square: float
    raw: float
    se: float
    variance: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a procedure with other numbers of raters and tasks would give.

    Attributes
    ----------
    n_raters : per task where raters are nested; n_tasks : 1 without tasks.
    relative_error, absolute_error : variances of the error of a person's mean, for ranks and for the level itself.
    relative_sem, absolute_sem : their roots, in points of the scale.
    e_rho2 : generalizability coefficient; ``phi`` : index of dependability. NaN without any variance.
    """

    n_raters: int
    n_tasks: int
    relative_error: float
    absolute_error: float
    relative_sem: float
    absolute_sem: float
    e_rho2: float
    phi: float


@dataclass(frozen=True, eq=False, kw_only=True)
class DecisionStudy(Tabular):
    """Result of ``GeneralizabilityStudy.decide``: a row per number of raters and tasks.

    Attributes
    ----------
    design : ``p x r`` or ``p x (r:t)``.
    rows : the procedures.
    provenance : of the ratings.
    """

    design: str
    rows: tuple[Decision, ...]
    provenance: Provenance

    def __repr__(self) -> str:
        return f"DecisionStudy({self.design}, {len(self.rows)} procedures, {self.provenance.label})"

    def tables(self) -> dict[str, Columns]:
        """Return ``decisions``: a row per procedure."""
        return {"decisions": {name: [getattr(row, name) for row in self.rows] for name in Decision.__slots__}}


@dataclass(frozen=True, eq=False, kw_only=True)
class GeneralizabilityStudy(Tabular):
    """Result of ``generalizability``.

    Attributes
    ----------
    design : ``p x r`` (every rater rates every person) or ``p x (r:t)`` (each task has raters of its own).
    components : the sources of variance; ``study["p"]`` picks one.
    n_persons, n_raters, n_tasks : of the study; raters per task where they are nested.
    findings : negative components, persons left out.
    provenance : of the ratings.
    """

    design: str
    components: tuple[VarianceComponent, ...]
    n_persons: int
    n_raters: int
    n_tasks: int
    findings: tuple[Finding, ...]
    provenance: Provenance

    def __repr__(self) -> str:
        own = self.decide(n_raters=[self.n_raters], n_tasks=[self.n_tasks]).rows[0]
        return (
            f"GeneralizabilityStudy({self.design}, {self.n_persons} persons, {self.n_raters} raters, {self.n_tasks} "
            f"task(s); Erho2 {own.e_rho2:.3f}, Phi {own.phi:.3f}; {len(self.findings)} finding(s), "
            f"{self.provenance.label})"
        )

    def __getitem__(self, source: str) -> VarianceComponent:
        found = [c for c in self.components if c.source == source]
        if not found:
            raise DataError(
                f"There is no source '{source}'; there are: {', '.join(c.source for c in self.components)}."
            )
        return found[0]

    def tables(self) -> dict[str, Columns]:
        """Return ``components`` (a row per source) and ``findings``."""
        names = VarianceComponent.__slots__
        return {
            "components": {name: [getattr(c, name) for c in self.components] for name in names},
            "findings": finding_columns(self.findings),
        }

    def decide(self, n_raters: Sequence[int] = range(1, 11), n_tasks: Sequence[int] | None = None) -> DecisionStudy:
        """Compute what other numbers of raters (and tasks) would give: the D study.

        Parameters
        ----------
        n_raters : numbers of raters, per task where raters are nested.
        n_tasks : numbers of tasks; left out: the study's own.

        Raises
        ------
        DataError : a number below 1, or several tasks in a design without tasks.

        Equations: Erho2 = s(p) / (s(p) + relative error), Phi = s(p) / (s(p) + absolute error); for p x r the errors
        are s(pr) / n_r and (s(r) + s(pr)) / n_r; for p x (r:t) s(pt) / n_t + s(pr:t) / (n_r n_t), and for the absolute
        error s(t) / n_t + s(r:t) / (n_r n_t) more (Brennan 2001, ch. 2 and 3).
        """
        tasks = [self.n_tasks] if n_tasks is None else list(n_tasks)
        wrong = [n for n in (*n_raters, *tasks) if n < 1 or n != int(n)]
        if wrong:
            raise DataError(f"Numbers of raters and tasks must be whole and at least 1; found {wrong[0]}.")
        if self.design == CROSSED and tasks != [1]:
            raise DataError("This design has no tasks, so nothing is known about several. Leave n_tasks out.")
        variance = {c.source: c.variance for c in self.components}
        rows = tuple(_decision(variance, int(r), int(t)) for t in tasks for r in n_raters)
        return DecisionStudy(design=self.design, rows=rows, provenance=self.provenance)


def generalizability(ratings: Ratings, *, item: str | None = None) -> GeneralizabilityStudy:
    """Estimate variance components by analysis of variance: the G study.

    The design is ``p x r``, or ``p x (r:t)`` where the ratings name tasks and each task has as many raters as the
    others, who count as raters of their own even if a name occurs in two tasks (a finding says so). Persons that some
    rater did not rate are left out, and a finding names them; negative estimates are reported, used as zero, and named
    in a finding.

    Parameters
    ----------
    ratings : of N persons. item : which item, if there are several.

    Raises
    ------
    DataError : labels instead of numbers, fewer than two complete persons, raters or tasks, or tasks with different
        numbers of raters.

    Equations: expected mean squares, e.g. for p x r: E MS(p) = s(pr) + n_r s(p), E MS(r) = s(pr) + n_p s(r),
    E MS(pr) = s(pr) (Brennan 2001, ch. 3). Each component is a sum of mean squares, sum_i c_i MS_i; with normal effects
    its standard error is sqrt(sum_i 2 c_i^2 MS_i^2 / (df_i + 2)) (Brennan 2001, ch. 6).

    Examples
    --------
    >>> from talentassess.agreement.ratings import from_matrix
    >>> r = from_matrix([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]],
    ...                 low=1, high=10)
    >>> generalizability(r)
    GeneralizabilityStudy(p x r, 6 persons, 4 raters, 1 task(s); Erho2 0.909, Phi 0.620; 0 finding(s), real answers)
    """
    if ratings.task is None:
        x, findings = complete_rows(ratings.matrix(item), ratings)
        cube = x[:, None, :]
        sums = _crossed(cube)
    else:
        cube, findings = _nested_cube(ratings, item)
        sums = _nested(cube)
    total = sum(max(raw, 0.0) for _, _, raw, _ in sums.values())
    components = tuple(
        VarianceComponent(
            source=source,
            df=df,
            mean_square=ms,
            raw=raw,
            se=se,
            variance=max(raw, 0.0),
            share=max(raw, 0.0) / total if total > 0 else float("nan"),
        )
        for source, (df, ms, raw, se) in sums.items()
    )
    return GeneralizabilityStudy(
        design=CROSSED if ratings.task is None else NESTED,
        components=components,
        n_persons=len(cube),
        n_tasks=cube.shape[1],
        n_raters=cube.shape[2],
        findings=(*findings, *_names_twice(ratings, item), *_negative(components), *_nothing(total)),
        provenance=ratings.provenance,
    )


def _nested_cube(ratings: Ratings, item: str | None) -> tuple[FloatArray, tuple[Finding, ...]]:
    """Return ratings (N', T, R) of the persons rated by all raters of all tasks."""
    parts = []
    for task in ratings.task_ids:
        x = ratings.matrix(item, task)
        parts.append(x[:, ~np.isnan(x).all(axis=0)])
    sizes = [part.shape[1] for part in parts]
    if len(parts) < 2 or len(set(sizes)) > 1 or sizes[0] < 2:
        found = ", ".join(f"'{task}' {n}" for task, n in zip(ratings.task_ids, sizes, strict=True))
        raise DataError(
            f"p x (r:t) needs two or more tasks with the same number of raters, two or more; found: {found}. Study the "
            "tasks one by one otherwise."
        )
    x, findings = complete_rows(np.column_stack(parts), ratings)
    return x.reshape(len(x), len(parts), sizes[0]), findings


# source -> degrees of freedom, mean square, raw variance component and its standard error
Sources = Mapping[str, tuple[int, float, float, float]]
ROUNDING = 1e-28  # share of the sum of squared ratings below which a sum of squares is zero but for rounding


def _crossed(x: FloatArray) -> Sources:
    """Return the sources of x (N, 1, R)."""
    (n, _, k), grand = x.shape, x.mean()
    by_p, by_r = x.mean(axis=(1, 2), keepdims=True), x.mean(axis=0, keepdims=True)
    df = {"p": n - 1, "r": k - 1, "pr,e": (n - 1) * (k - 1)}
    sums = {
        "p": k * _squares(by_p - grand),
        "r": n * _squares(by_r - grand),
        "pr,e": _squares(x - by_p - by_r + grand),
    }
    shares = {
        "p": {"p": 1 / k, "pr,e": -1 / k},
        "r": {"r": 1 / n, "pr,e": -1 / n},
        "pr,e": {"pr,e": 1.0},
    }
    return _sources(x, sums, df, shares)


def _nested(x: FloatArray) -> Sources:
    """Return the sources of x (N, T, R), raters within tasks."""
    (n, t, k), grand = x.shape, x.mean()
    by_p, by_t = x.mean(axis=(1, 2), keepdims=True), x.mean(axis=(0, 2), keepdims=True)
    by_pt, by_rt = x.mean(axis=2, keepdims=True), x.mean(axis=0, keepdims=True)
    df = {"p": n - 1, "t": t - 1, "r:t": t * (k - 1), "pt": (n - 1) * (t - 1), "pr:t,e": t * (n - 1) * (k - 1)}
    sums = {
        "p": t * k * _squares(by_p - grand),
        "t": n * k * _squares(by_t - grand),
        "r:t": n * _squares(by_rt - by_t),
        "pt": k * _squares(by_pt - by_p - by_t + grand),
        "pr:t,e": _squares(x - by_pt - by_rt + by_t),
    }
    one, nk = 1 / (t * k), 1 / (n * k)
    shares = {
        "p": {"p": one, "pt": -one},
        "t": {"t": nk, "pt": -nk, "r:t": -nk, "pr:t,e": nk},
        "r:t": {"r:t": 1 / n, "pr:t,e": -1 / n},
        "pt": {"pt": 1 / k, "pr:t,e": -1 / k},
        "pr:t,e": {"pr:t,e": 1.0},
    }
    return _sources(x, sums, df, shares)


def _sources(
    x: FloatArray, sums: Mapping[str, float], df: Mapping[str, int], shares: Mapping[str, Mapping[str, float]]
) -> Sources:
    """Return the sources from sums of squares and the mean squares' shares in each component."""
    floor = ROUNDING * _squares(x)
    ms = {source: (ss if ss > floor else 0.0) / df[source] for source, ss in sums.items()}
    out = {}
    for source, share in shares.items():
        variance = sum(2 * (c * ms[part]) ** 2 / (df[part] + 2) for part, c in share.items())
        out[source] = (df[source], ms[source], sum(c * ms[part] for part, c in share.items()), float(np.sqrt(variance)))
    return out


def _squares(x: FloatArray) -> float:
    return float(np.sum(x**2))


def _names_twice(ratings: Ratings, item: str | None) -> tuple[Finding, ...]:
    """Say that raters who rate several tasks are treated as different persons, which they are not."""
    tasks: dict[str, int] = {}
    for task in ratings.task_ids:
        given = ~np.isnan(ratings.matrix(item, task)).all(axis=0)
        for r in np.flatnonzero(given):
            tasks[ratings.rater_ids[r]] = tasks.get(ratings.rater_ids[r], 0) + 1
    several = [rater for rater, n in tasks.items() if n > 1]
    if not several:
        return ()
    named = ", ".join(several[:5]) + (" ..." if len(several) > 5 else "")
    return (
        Finding(
            "raters_across_tasks", Severity.WARNING, "r:t",
            f"{len(several)} rater(s) rated several tasks, but p x (r:t) takes raters of different tasks as different "
            f"people: {named}. What such a rater sees in a person on all tasks counts as the person's own variance.",
            "The coefficients are too high then. Give every task raters of its own, or study the raters' means over "
            "the tasks as p x r, for these very tasks: read them as items and use mean_over_items().",
        ),
    )  # fmt: skip


def _nothing(total: float) -> tuple[Finding, ...]:
    if total > 0:
        return ()
    return (
        Finding(
            "no_variance", Severity.WARNING, "ratings", "All ratings are the same, so there is no variance to divide.",
            "Nothing can be told from these; rate persons who differ.",
        ),
    )  # fmt: skip


def _negative(components: Sequence[VarianceComponent]) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            "negative_component", Severity.WARNING, c.source,
            f"The variance component of {c.source} is estimated as {c.raw:.4f}; 0 is used for it.",
            "The source is small, or the study too small to show it: more persons, raters or tasks would tell.",
        )
        for c in components
        if c.raw < 0
    )  # fmt: skip


def _decision(variance: Mapping[str, float], r: int, t: int) -> Decision:
    if "pr,e" in variance:
        relative, more = variance["pr,e"] / r, variance["r"] / r
    else:
        relative = variance["pt"] / t + variance["pr:t,e"] / (r * t)
        more = variance["t"] / t + variance["r:t"] / (r * t)
    person, absolute = variance["p"], relative + more
    return Decision(
        n_raters=r,
        n_tasks=t,
        relative_error=relative,
        absolute_error=absolute,
        relative_sem=float(np.sqrt(relative)),
        absolute_sem=float(np.sqrt(absolute)),
        e_rho2=person / (person + relative) if person + relative > 0 else float("nan"),
        phi=person / (person + absolute) if person + absolute > 0 else float("nan"),
    )

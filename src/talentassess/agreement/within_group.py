"""Within-group agreement of a panel: rwg and rwg(J), target by target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talentassess.agreement.ratings import Ratings, whole_codes
from talentassess.core.arrays import FloatArray
from talentassess.core.errors import DataError
from talentassess.core.provenance import Provenance
from talentassess.core.status import Finding, Severity, finding_columns
from talentassess.core.tabular import Columns, Tabular

UNIFORM = "uniform"
# Shares of the five categories under a slight leniency bias; their variance is the 1.34 of LeBreton & Senter (2008).
SLIGHT_SKEW = {"slight_skew": (0.05, 0.15, 0.20, 0.35, 0.25)}


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetAgreement:
    """One person or other object rated by the panel.

    Attributes
    ----------
    target : label.
    n_raters : the fewest raters of any of its items.
    n_items : items J with two or more ratings.
    mean : of the item means.
    variance : mean over items of the raters' variance (ddof 1).
    rwg : multi-item rwg(J); with one item rwg. None with fewer than two raters.
    raw : 1 - variance / null variance before negative values are set to 0; None with fewer than two raters.
    """

    target: str
    n_raters: int
    n_items: int
    mean: float | None
    variance: float | None
    rwg: float | None
    raw: float | None


@dataclass(frozen=True, eq=False, kw_only=True)
class WithinGroupAgreement(Tabular):
    """Result of ``within_group_agreement``.

    Attributes
    ----------
    targets : a record per target; ``result["p1"]`` picks one.
    null : name of the null distribution; ``null_variance`` its variance, in squared points.
    mean_rwg, median_rwg : over the targets that have one; NaN if none has.
    findings : agreement below that of random ratings, targets with a single rater.
    provenance : of the ratings.
    """

    targets: tuple[TargetAgreement, ...]
    null: str
    null_variance: float
    mean_rwg: float
    median_rwg: float
    findings: tuple[Finding, ...]
    provenance: Provenance

    def __repr__(self) -> str:
        return (
            f"WithinGroupAgreement({len(self.targets)} targets, median rwg {self.median_rwg:.3f} against {self.null}; "
            f"{len(self.findings)} finding(s), {self.provenance.label})"
        )

    def __getitem__(self, target: str) -> TargetAgreement:
        found = [t for t in self.targets if t.target == target]
        if not found:
            raise DataError(f"There is no target '{target}'; the first are: {_some([t.target for t in self.targets])}.")
        return found[0]

    def tables(self) -> dict[str, Columns]:
        """Return ``targets`` (a row per target) and ``findings``."""
        names = TargetAgreement.__slots__
        return {
            "targets": {name: [getattr(t, name) for t in self.targets] for name in names},
            "findings": finding_columns(self.findings),
        }


def within_group_agreement(ratings: Ratings, *, null: str | Sequence[float] = UNIFORM) -> WithinGroupAgreement:
    """Compute rwg for every target, over all its items rwg(J).

    Parameters
    ----------
    ratings : by a panel; the persons are the targets. All items on one scale with whole points.
    null : what raters without any agreement would do: ``uniform``; ``slight_skew`` (five categories); or the shares of
        the A categories from low to high.

    Raises
    ------
    DataError : labels, means or tasks instead of whole ratings, an unknown null, or shares that do not fit the scale.

    Equations: rwg = 1 - s2 / s2_E with the null's variance s2_E, (A^2 - 1) / 12 if uniform;
    rwg(J) = J (1 - m / s2_E) / (J (1 - m / s2_E) + m / s2_E) with the mean variance m of the J items (James, Demaree &
    Wolf 1984). Values below zero, where raters differ more than at random, are set to zero, and a finding says so.

    Examples
    --------
    >>> from talentassess.agreement.ratings import from_matrix
    >>> within_group_agreement(from_matrix([[4, 4, 5], [1, 5, 3]], low=1, high=5)).targets[1].rwg
    0.0
    """
    if ratings.labels or ratings.task is not None:
        raise DataError("rwg takes ratings on one numeric scale without tasks. Read the tasks as items (item=).")
    _, n_cat = whole_codes(ratings)
    name, variance = null_variance(null, n_cat)
    cube = np.stack([ratings.matrix(item) for item in ratings.item_ids], axis=2)
    targets = _targets(ratings.person_ids, cube, variance)
    known = np.array([t.rwg for t in targets if t.rwg is not None])
    return WithinGroupAgreement(
        targets=targets,
        null=name,
        null_variance=variance,
        mean_rwg=float(known.mean()) if len(known) else float("nan"),
        median_rwg=float(np.median(known)) if len(known) else float("nan"),
        findings=_findings(targets),
        provenance=ratings.provenance,
    )


def null_variance(null: str | Sequence[float], n_cat: int) -> tuple[str, float]:
    """Return the name and the variance of a null distribution over categories 1..A.

    Examples
    --------
    >>> null_variance("uniform", 5)
    ('uniform', 2.0)
    """
    if isinstance(null, str) and null != UNIFORM and null not in SLIGHT_SKEW:
        raise DataError(f"There is no null '{null}'; choose uniform, slight_skew, or give the categories' shares.")
    shares = np.full(n_cat, 1 / n_cat)
    if null != UNIFORM:
        shares = np.asarray(SLIGHT_SKEW[null] if isinstance(null, str) else null, dtype=np.float64)
    if shares.shape != (n_cat,) or np.any(shares < 0) or abs(shares.sum() - 1) > 1e-6:
        raise DataError(
            f"The null must give {n_cat} shares that sum to 1, one per category; found {len(shares)} with sum "
            f"{shares.sum():g}."
        )
    points = np.arange(n_cat)
    variance = float(shares @ points**2 - (shares @ points) ** 2)
    if variance <= 0:
        raise DataError("The null puts everybody into one category: its variance is 0, so nothing can be compared.")
    return (null if isinstance(null, str) else "given shares"), variance


def _targets(labels: Sequence[str], x: FloatArray, null: float) -> tuple[TargetAgreement, ...]:
    """Return the agreement on each of N targets from ratings x (N, R, J)."""
    given = np.sum(~np.isnan(x), axis=1)
    rated, use = given > 0, given >= 2
    total = np.nansum(x, axis=1)
    means = np.divide(total, given, out=np.zeros(total.shape), where=rated)
    spread = np.nansum((x - means[:, None]) ** 2, axis=1)
    variances = np.divide(spread, given - 1, out=np.zeros(total.shape), where=use)
    fewest = np.where(rated, given, x.shape[1]).min(axis=1)
    return tuple(
        _target(
            label,
            (int(fewest[i]) if rated[i].any() else 0, int(use[i].sum())),
            float(means[i, rated[i]].mean()) if rated[i].any() else None,
            float(variances[i, use[i]].mean()) if use[i].any() else None,
            null,
        )
        for i, label in enumerate(labels)
    )


def _target(
    label: str, counts: tuple[int, int], mean: float | None, variance: float | None, null: float
) -> TargetAgreement:
    """Return the record of one target; counts are its raters and its items with two ratings or more."""
    n_raters, n_items = counts
    if variance is None:
        return TargetAgreement(target=label, n_raters=n_raters, n_items=0, mean=mean, variance=None, rwg=None, raw=None)
    raw = 1.0 - variance / null
    above = max(raw, 0.0)
    rwg = n_items * above / (n_items * above + variance / null) if above > 0 else 0.0
    return TargetAgreement(
        target=label, n_raters=n_raters, n_items=n_items, mean=mean, variance=variance, rwg=rwg, raw=raw
    )


def _findings(targets: Sequence[TargetAgreement]) -> tuple[Finding, ...]:
    found = []
    below = [t.target for t in targets if t.raw is not None and t.raw < 0]
    alone = [t.target for t in targets if t.rwg is None]
    if below:
        found.append(
            Finding(
                "less_than_random", Severity.WARNING, "targets",
                f"On {len(below)} target(s) raters differ more than random ratings would: {_some(below)}. rwg is 0.",
                "Look for two camps among the raters, or an item understood in two ways.",
            )
        )  # fmt: skip
    if alone:
        found.append(
            Finding(
                "single_rater", Severity.WARNING, "targets",
                f"{len(alone)} target(s) have no item with two ratings, so no rwg: {_some(alone)}.",
                "Have a second rater rate them.",
            )
        )  # fmt: skip
    return tuple(found)


def _some(labels: Sequence[str]) -> str:
    return ", ".join(labels[:5]) + (" ..." if len(labels) > 5 else "")

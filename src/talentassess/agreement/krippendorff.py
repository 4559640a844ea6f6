"""Krippendorff's alpha: agreement beyond chance for any number of raters, any level of measurement, with gaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talentassess.agreement.ratings import Ratings
from talentassess.core.arrays import FloatArray
from talentassess.core.errors import DataError
from talentassess.core.provenance import Provenance
from talentassess.core.status import Finding, Severity, finding_columns
from talentassess.core.tabular import Columns, Tabular

LEVELS = ("nominal", "ordinal", "interval", "ratio")
FEW_UNITS = 30  # below, 95 % limits held the truth in 80 % (8 units) to 91 % (29 units) of simulated panels


@dataclass(frozen=True, eq=False, kw_only=True)
class KrippendorffAlpha(Tabular):
    """Result of ``krippendorff_alpha``.

    Attributes
    ----------
    alpha : 1 - observed / expected disagreement; NaN if all ratings are the same value.
    lower, upper : bootstrap percentile limits, NaN without a bootstrap.
    level : of measurement.
    observed, expected : the two disagreements, in units of the level's squared differences.
    n_units : persons with two or more ratings; the others carry no information. n_ratings : their ratings.
    n_raters : raters with at least one of these. n_boot, seed, confidence : of the limits.
    findings : what to know before using the number.
    provenance : of the ratings.
    """

    alpha: float
    lower: float
    upper: float
    level: str
    observed: float
    expected: float
    n_units: int
    n_ratings: int
    n_raters: int
    n_boot: int
    seed: int
    confidence: float
    findings: tuple[Finding, ...]
    provenance: Provenance

    def __repr__(self) -> str:
        return (
            f"KrippendorffAlpha({self.level} {self.alpha:.3f} [{self.lower:.3f}, {self.upper:.3f}], {self.n_units} "
            f"units, {len(self.findings)} finding(s), {self.provenance.label})"
        )

    def tables(self) -> dict[str, Columns]:
        """Return ``alpha`` (one row) and ``findings``."""
        names = ("level", "alpha", "lower", "upper", "observed", "expected", "n_units", "n_ratings", "n_raters")
        return {
            "alpha": {name: [getattr(self, name)] for name in names},
            "findings": finding_columns(self.findings),
        }


def krippendorff_alpha(
    ratings: Ratings,
    level: str = "ordinal",
    *,
    item: str | None = None,
    n_boot: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> KrippendorffAlpha:
    """Compute Krippendorff's alpha with limits from a bootstrap over the persons rated.

    Ratings that were not given are simply absent; persons with a single rating are left out and counted in a finding.

    Parameters
    ----------
    ratings : of N persons by R raters. item : which item, if there are several.
    level : ``nominal``, ``ordinal``, ``interval`` or ``ratio``.
    n_boot : samples of persons with replacement; 0 for no limits. seed : of these draws.
    confidence : of the percentile limits, between 0 and 1.

    Raises
    ------
    DataError : an unknown level, labels at another level than nominal, negative values at the ratio level, nobody with
        two ratings, a confidence or number of samples out of range.

    Equation: alpha = 1 - (n - 1) sum_ck o_ck d_ck / sum_ck n_c n_k d_ck, o the coincidences of values, n_c their
    margins, d squared differences of the level (Krippendorff 2011). Krippendorff's own bootstrap draws pairs
    of values; drawing whole persons keeps what is known of one person together.

    Examples
    --------
    >>> from talentassess.agreement.ratings import from_matrix
    >>> r = from_matrix([[1, 1], [2, 2], [3, 3], [3, 4], [2, 2], [1, 2]], low=1, high=4)
    >>> krippendorff_alpha(r, "interval")
    KrippendorffAlpha(interval 0.810 [0.353, 1.000], 6 units, 2 finding(s), real answers)
    """
    _check(ratings, level, n_boot, confidence)
    counts, values, single = _unit_counts(ratings, item)
    observed, expected = _disagreements(np.ones(len(counts)), counts, values, level)
    alpha = _alpha(observed, expected)
    draws = _bootstrap(counts, values, level, n_boot, seed)
    finite = draws[np.isfinite(draws)]
    tail = (1 - confidence) / 2
    lower, upper = np.quantile(finite, [tail, 1 - tail]) if len(finite) else (np.nan, np.nan)
    return KrippendorffAlpha(
        alpha=alpha,
        lower=float(lower),
        upper=float(upper),
        level=level,
        observed=observed,
        expected=expected,
        n_units=len(counts),
        n_ratings=int(counts.sum()),
        n_raters=_n_raters(ratings, item),
        n_boot=n_boot,
        seed=seed,
        confidence=confidence,
        findings=_findings(alpha, single, len(draws) - len(finite), len(counts) if n_boot else None),
        provenance=ratings.provenance,
    )


def _check(ratings: Ratings, level: str, n_boot: int, confidence: float) -> None:
    if level not in LEVELS:
        raise DataError(f"There is no level '{level}'; choose one of: {', '.join(LEVELS)}.")
    if ratings.labels and level != "nominal":
        raise DataError(f"These ratings are labels without an order: level='{level}' needs numbers. Use 'nominal'.")
    if level == "ratio" and ratings.score.min() < 0:
        raise DataError(f"level='ratio' needs values from 0 up; found {ratings.score.min():g}. Use 'interval'.")
    if n_boot < 0 or not 0 < confidence < 1:
        raise DataError(f"n_boot must be 0 or more and confidence between 0 and 1; found {n_boot}, {confidence:g}.")


def _unit_counts(ratings: Ratings, item: str | None) -> tuple[FloatArray, FloatArray, int]:
    """Return how often each of V values was given to each unit with two ratings (U, V), the values, and the others."""
    x = ratings.matrix(item)
    given = ~np.isnan(x)
    pairable = given.sum(axis=1) >= 2
    single = int(np.sum(given.sum(axis=1) == 1))
    if not pairable.any():
        raise DataError("No person has two ratings, so raters cannot be compared. Collect overlapping ratings.")
    kept = x[pairable]
    values = np.unique(kept[~np.isnan(kept)])
    counts = np.zeros((len(kept), len(values)))
    unit, rater = np.nonzero(~np.isnan(kept))
    np.add.at(counts, (unit, np.searchsorted(values, kept[unit, rater])), 1.0)
    return counts, values, single


def _n_raters(ratings: Ratings, item: str | None) -> int:
    given = ~np.isnan(ratings.matrix(item))
    return int(np.any(given[given.sum(axis=1) >= 2], axis=0).sum())


def _disagreements(weight: FloatArray, counts: FloatArray, values: FloatArray, level: str) -> tuple[float, float]:
    """Return observed and expected disagreement, units (U,) taken ``weight`` times.

    Sums over pairs of values follow from sums over values, so that a scale with many points costs no more than its
    points; only the ratio level, whose differences are no differences of places on a line, takes all pairs.
    """
    margin, size = weight @ counts, counts.sum(axis=1)
    n = float(margin.sum())
    if np.count_nonzero(margin) < 2:
        return 0.0, 0.0
    if level == "ratio":
        squared = _ratio(values)
        within, between = np.sum((counts @ squared) * counts, axis=1), float(margin @ squared @ margin)
    elif level == "nominal":
        within, between = size**2 - np.sum(counts**2, axis=1), n**2 - float(margin @ margin)
    else:
        # ranks by the number of ratings in between: half of the two ends' own, all of what lies between them
        place = values if level == "interval" else np.cumsum(margin) - margin / 2
        place = place - margin @ place / n
        within = 2 * (size * (counts @ place**2) - (counts @ place) ** 2)
        between = 2 * (n * float(margin @ place**2) - float(margin @ place) ** 2)
        within[np.max(counts, axis=1) == size] = 0.0  # exactly, not but for rounding
    return float(weight @ (within / (size - 1))) / n, between / (n * (n - 1))


def _alpha(observed: float, expected: float) -> float:
    return 1.0 - observed / expected if expected > 0 else float("nan")


def _bootstrap(counts: FloatArray, values: FloatArray, level: str, n_boot: int, seed: int) -> FloatArray:
    rng, n_units = np.random.default_rng(seed), len(counts)
    kinds, kind = np.unique(counts, axis=0, return_inverse=True)  # units with the same ratings count as one, repeated
    share, draws = np.full(n_units, 1 / n_units), np.empty(n_boot)
    for b in range(n_boot):
        times = rng.multinomial(n_units, share).astype(np.float64)
        weight = np.bincount(kind.ravel(), times, minlength=len(kinds)).astype(np.float64)
        draws[b] = _alpha(*_disagreements(weight, kinds, values, level))
    return draws


def _ratio(values: FloatArray) -> FloatArray:
    total = values[:, None] + values
    share: FloatArray = np.divide(values[:, None] - values, total, out=np.zeros_like(total), where=total > 0)
    return share**2


def _findings(alpha: float, single: int, undefined: int, n_units: int | None) -> tuple[Finding, ...]:
    found = []
    if np.isnan(alpha):
        found.append(
            Finding(
                "no_variance", Severity.PROBLEM, "alpha", "All ratings are the same value, so alpha does not exist.",
                "Agreement beyond chance cannot be told where nothing differs; rate persons who do.",
            )
        )  # fmt: skip
    if single:
        found.append(
            Finding(
                "single_ratings", Severity.NOTE, "persons",
                f"{single} person(s) have one rating only and are left out: nothing can be compared on them.",
                "Have a second rater rate them if they should count.",
            )
        )  # fmt: skip
    if n_units is not None and n_units < FEW_UNITS and not np.isnan(alpha):
        found.append(
            Finding(
                "few_units", Severity.NOTE, "alpha",
                f"The limits rest on a bootstrap over {n_units} persons; from fewer than {FEW_UNITS} it is too sure.",
                "Take the limits as the least that is uncertain, and rate more persons.",
            )
        )  # fmt: skip
    if undefined and not np.isnan(alpha):
        found.append(
            Finding(
                "bootstrap_undefined", Severity.NOTE, "alpha",
                f"In {undefined} bootstrap sample(s) all ratings were the same value; the limits leave these out.",
                "The limits are somewhat too narrow: rate more persons.",
            )
        )  # fmt: skip
    return tuple(found)

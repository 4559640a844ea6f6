"""Intraclass correlations: how well do raters agree on persons, one of them or their mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talentassess.agreement.complete import complete_rows
from talentassess.agreement.ratings import Ratings
from talentassess.core.arrays import FloatArray
from talentassess.core.errors import DataError
from talentassess.core.provenance import Provenance
from talentassess.core.status import Finding, Severity, finding_columns
from talentassess.core.tabular import Columns, Tabular

MEANINGS = {
    "ICC(1,1)": ("ICC(1)", "one rating, every person has other raters"),
    "ICC(2,1)": ("ICC(A,1)", "one rating, raters are a sample, absolute agreement"),
    "ICC(3,1)": ("ICC(C,1)", "one rating, these raters only, consistency"),
    "ICC(1,k)": ("ICC(k)", "mean rating, every person has other raters"),
    "ICC(2,k)": ("ICC(A,k)", "mean rating, raters are a sample, absolute agreement"),
    "ICC(3,k)": ("ICC(C,k)", "mean rating, these raters only, consistency"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IntraclassForm:
    """One form of the intraclass correlation.

    Attributes
    ----------
    form : as in Shrout & Fleiss (1979), e.g. ``ICC(2,1)``; ``also`` as in McGraw & Wong (1996); ``meaning`` in words.
    icc : the estimate; negative values are reported as they are. NaN for ICC(2) where the variance it is a share of
        comes out as zero or less: raters and persons whose means are closer than the error lets expect.
    f, df1, df2, p : F test that it is zero.
    lower, upper : confidence limits; the lower one of a mean rating is -inf where nothing bounds it.
    """

    form: str
    also: str
    meaning: str
    icc: float
    f: float
    df1: float
    df2: float
    p: float
    lower: float
    upper: float


@dataclass(frozen=True, eq=False, kw_only=True)
class IntraclassCorrelation(Tabular):
    """Result of ``intraclass_correlation``.

    Attributes
    ----------
    forms : the six forms; ``result["ICC(2,1)"]`` picks one by either name.
    n_persons, n_raters : of the complete matrix the numbers rest on.
    ms_persons, ms_raters, ms_error, ms_within : mean squares; within persons = raters and error together.
    confidence : of the limits.
    findings : persons left out, and what to know before using the numbers.
    provenance : of the ratings.
    """

    forms: tuple[IntraclassForm, ...]
    n_persons: int
    n_raters: int
    ms_persons: float
    ms_raters: float
    ms_error: float
    ms_within: float
    confidence: float
    findings: tuple[Finding, ...]
    provenance: Provenance

    def __repr__(self) -> str:
        one, mean = self["ICC(2,1)"], self["ICC(2,k)"]
        return (
            f"IntraclassCorrelation({self.n_persons} persons, {self.n_raters} raters; ICC(2,1) {one.icc:.3f}, "
            f"ICC(2,k) {mean.icc:.3f}; {len(self.findings)} finding(s), {self.provenance.label})"
        )

    def __getitem__(self, form: str) -> IntraclassForm:
        found = [f for f in self.forms if form in (f.form, f.also)]
        if not found:
            raise DataError(f"There is no form '{form}'; there are: {', '.join(f.form for f in self.forms)}.")
        return found[0]

    def tables(self) -> dict[str, Columns]:
        """Return ``forms`` (a row per form), ``anova`` (a row per source) and ``findings``."""
        names = ("form", "also", "meaning", "icc", "lower", "upper", "f", "df1", "df2", "p")
        n, k = self.n_persons, self.n_raters
        return {
            "forms": {name: [getattr(form, name) for form in self.forms] for name in names},
            "anova": {
                "source": ["persons", "within persons", "raters", "error"],
                "df": [n - 1, n * (k - 1), k - 1, (n - 1) * (k - 1)],
                "mean square": [self.ms_persons, self.ms_within, self.ms_raters, self.ms_error],
            },
            "findings": finding_columns(self.findings),
        }


def intraclass_correlation(
    ratings: Ratings, *, item: str | None = None, confidence: float = 0.95
) -> IntraclassCorrelation:
    """Compute the six intraclass correlations of Shrout & Fleiss with F tests and confidence limits.

    Persons that some rater did not rate are left out, and a finding names them.

    Parameters
    ----------
    ratings : of N persons by R raters. item : which item, if there are several.
    confidence : of the limits, between 0 and 1.

    Raises
    ------
    DataError : labels instead of numbers, fewer than two raters, or than two persons whom all of them rated.

    Equations: with mean squares of persons B, raters J, error E, within persons W, and k raters, n persons,
    ICC(1,1) = (B - W) / (B + (k - 1) W); ICC(2,1) = (B - E) / (B + (k - 1) E + k (J - E) / n);
    ICC(3,1) = (B - E) / (B + (k - 1) E); the mean of k by Spearman & Brown (Shrout & Fleiss 1979, with their
    limits; McGraw & Wong 1996).

    Examples
    --------
    >>> from talentassess.agreement.ratings import from_matrix
    >>> r = from_matrix([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]],
    ...                 low=1, high=10)
    >>> intraclass_correlation(r)
    IntraclassCorrelation(6 persons, 4 raters; ICC(2,1) 0.290, ICC(2,k) 0.620; 0 finding(s), real answers)
    """
    if not 0 < confidence < 1:
        raise DataError(f"confidence must lie between 0 and 1; found {confidence:g}.")
    x, findings = complete_rows(ratings.matrix(item), ratings)
    n, k = x.shape
    ms = _mean_squares(x)
    return IntraclassCorrelation(
        forms=_forms(ms, n, k, (1 - confidence) / 2),
        n_persons=n,
        n_raters=k,
        ms_persons=ms.persons,
        ms_raters=ms.raters,
        ms_error=ms.error,
        ms_within=ms.within,
        confidence=confidence,
        findings=(*findings, *_degenerate(ms, n)),
        provenance=ratings.provenance,
    )


@dataclass(frozen=True, slots=True)
class _MeanSquares:
    persons: float
    raters: float
    error: float
    within: float


def _mean_squares(x: FloatArray) -> _MeanSquares:
    n, k = x.shape
    by_person, by_rater, grand = x.mean(axis=1), x.mean(axis=0), x.mean()
    persons = k * float(np.sum((by_person - grand) ** 2))
    raters = n * float(np.sum((by_rater - grand) ** 2))
    error = float(np.sum((x - by_person[:, None] - by_rater + grand) ** 2))
    # what rounding leaves of a sum of squares that is zero would turn into an enormous F
    floor = 1e-28 * float(np.sum(x**2))
    persons, raters, error = (value if value > floor else 0.0 for value in (persons, raters, error))
    return _MeanSquares(
        persons / (n - 1), raters / (k - 1), error / ((n - 1) * (k - 1)), (raters + error) / (n * (k - 1))
    )


def _degenerate(ms: _MeanSquares, n: int) -> tuple[Finding, ...]:
    if n * ms.persons + ms.raters <= ms.error and ms.error > 0:
        return (
            Finding(
                "no_total_variance", Severity.WARNING, "ICC(2)",
                "Persons and raters differ by less than the error lets expect, so that the variance of a mean rating "
                "comes out as zero or less: ICC(2,1) and ICC(2,k) do not exist.",
                "Look at the ratings: such raters contradict each other, or one of them used the scale backwards.",
            ),
        )  # fmt: skip
    if ms.persons > 0 and ms.error > 0:
        return ()
    what = "The persons have the same mean rating" if ms.persons == 0 else "The raters differ by a constant at most"
    return (
        Finding(
            "no_variance", Severity.WARNING, "ratings", f"{what}: some F tests and limits do not exist.",
            "Look at the ratings before the coefficients: did every rater rate independently, and do persons differ?",
        ),
    )  # fmt: skip


def _forms(ms: _MeanSquares, n: int, k: int, tail: float) -> tuple[IntraclassForm, ...]:
    with np.errstate(divide="ignore", invalid="ignore"):
        one_way = _consistency("1", ms.persons, ms.within, k, (n - 1, n * (k - 1)), tail)
        fixed = _consistency("3", ms.persons, ms.error, k, (n - 1, (n - 1) * (k - 1)), tail)
        absolute = _absolute(ms, n, k, tail)
    return (one_way[0], absolute[0], fixed[0], one_way[1], absolute[1], fixed[1])


def _consistency(
    case: str, between: float, error: float, k: int, df: tuple[int, int], tail: float
) -> tuple[IntraclassForm, IntraclassForm]:
    """Return the single and the mean form of cases 1 and 3, whose limits are exact."""
    from scipy.special import fdtri

    b = np.float64(between)
    # the error at the estimate and at either limit of F, which also stands where there is no error at all
    errors = [error, error * fdtri(*df, 1 - tail), error / fdtri(*df[::-1], 1 - tail)]
    single = tuple((b - e) / (b + (k - 1) * e) for e in errors)
    mean = tuple((b - e) / b for e in errors)
    return _form(f"ICC({case},1)", single, b / error, df), _form(f"ICC({case},k)", mean, b / error, df)


def _absolute(ms: _MeanSquares, n: int, k: int, tail: float) -> tuple[IntraclassForm, IntraclassForm]:
    """Return the single and the mean form of case 2; limits with Satterthwaite's degrees of freedom."""
    from scipy.special import fdtri

    b, j, e = np.float64(ms.persons), np.float64(ms.raters), np.float64(ms.error)
    icc = (b - e) / (b + (k - 1) * e + k * (j - e) / n)
    if n * b + j <= e and e > 0:  # the mean rating's variance, b + (j - e) / n, is none
        icc = np.float64(np.nan)
    inner = e * (n * (1 + (k - 1) * icc) - k * icc)
    v = (k - 1) * (n - 1) * (k * icc * j + inner) ** 2 / ((n - 1) * k**2 * icc**2 * j**2 + inner**2)
    upper_f, lower_f = fdtri(n - 1, v, 1 - tail), fdtri(v, n - 1, 1 - tail)
    rest = k * j + (k * n - k - n) * e
    single = (
        icc,
        n * (b - upper_f * e) / (upper_f * rest + n * b),
        n * (lower_f * b - e) / (rest + n * lower_f * b),
    )
    # Satterthwaite's degrees of freedom are rough far below zero, where an upper limit may fall short of the estimate
    single = (icc, single[1], np.maximum(single[2], icc))
    # a limit at or below -1 / (k - 1) is one that no correlation of k raters can have: the mean's is without end
    mean = tuple(-np.inf if (k - 1) * value <= -1 else k * value / (1 + (k - 1) * value) for value in single)
    df = (n - 1, (n - 1) * (k - 1))
    return _form("ICC(2,1)", single, b / e, df), _form("ICC(2,k)", mean, b / e, df)


def _form(form: str, values: tuple[float, ...], f: float, df: tuple[int, int]) -> IntraclassForm:
    from scipy.special import fdtrc

    also, meaning = MEANINGS[form]
    icc, lower, upper = (float(value) for value in values)
    p = float(fdtrc(*df, f)) if np.isfinite(f) else (0.0 if f > 0 else float("nan"))
    return IntraclassForm(
        form=form,
        also=also,
        meaning=meaning,
        icc=icc,
        f=float(f),
        df1=df[0],
        df2=df[1],
        p=p,
        lower=lower,
        upper=upper,
    )

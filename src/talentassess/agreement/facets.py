"""Many-facet Rasch model: how severe each rater is, and what raters of average severity would have said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from talentassess.agreement.facet_design import FacetDesign, connected_sets, lay_out_facets
from talentassess.agreement.facet_fit import FitSums, fit_sums
from talentassess.agreement.facet_records import FacetElement, PersonMeasure, RaterSeverity, Threshold
from talentassess.agreement.ratings import Ratings
from talentassess.calibration import NormalPrior, calibrate
from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.calibration import Calibration
from talentassess.core.errors import DataError
from talentassess.core.scores import Scores
from talentassess.core.status import Finding, Severity, Status, gravest_first
from talentassess.models import find_model
from talentassess.scoring import score

THRESHOLDS = ("common", "by_question")
WEAK_SD = 5.0  # logits, of the prior on effects without a finite maximum: severities seldom leave -3..3
FIT_RANGE = (0.5, 1.5)  # mean squares productive for measurement (Linacre 2002)
# What the audit says of single columns of the design, which here are question x rater: said of raters instead.
OF_COLUMNS = frozenset({"rare_category", "unused_category", "negative_item_rest", "disconnected", "priors"})


def rater_severity(ratings: Ratings, *, thresholds: str = "common", tol: float = 1e-6) -> RaterSeverity:
    """Estimate raters' severity and persons' measures adjusted for it.

    Marginal maximum likelihood through ``ta.calibrate``: persons are normal with a standard deviation that is
    estimated, so that their shrinkage does not leak into the severities. Ratings may be incomplete as long as the
    design connects all raters; otherwise there is a finding that names the separate sets, and no numbers.

    Parameters
    ----------
    ratings : whole points of one scale; items (within tasks, if there are any) are the questions.
    thresholds : ``common`` steps for all questions (rating scale), or ``by_question`` (partial credit).
    tol : as in ``ta.calibrate``.

    Returns
    -------
    RaterSeverity; look at ``.status`` and ``.findings`` before the numbers.

    Raises
    ------
    DataError : labels or means instead of whole ratings, fewer than two raters, a rater without ratings, thresholds
        not known. CalibrationError, ModelError : as ``ta.calibrate``.

    Equation: log(P_k / P_(k-1)) = B_n - D_i - C_j - F_k with sum C = sum F = 0 and B ~ Normal(0, sd^2) (Linacre 1989).
    Ratings are independent given the person: raters who saw one and the same performance share more than that, and the
    persons' standard errors are then too small (Patz, Junker, Johnson & Mariano 2002).
    Where nobody gave a category, or a rater or question has one extreme category only, no finite maximum exists: a
    Normal(0, 5) prior then holds effects of that kind, and a finding says so.

    Examples
    --------
    >>> from talentassess.agreement.ratings import from_matrix
    >>> rng = np.random.default_rng(1)
    >>> person, severity = rng.normal(0, 1.5, (200, 1)), np.array([-0.5, 0.0, 0.5])
    >>> simulated = (rng.logistic(size=(200, 3)) < person - severity).astype(float)
    >>> result = rater_severity(from_matrix(simulated, low=0, high=1))
    >>> result.status.value, [round(r.measure, 1) for r in result.raters]
    ('converged', [...])
    """
    if thresholds not in THRESHOLDS:
        raise DataError(f"thresholds='{thresholds}' is not known; choose one of: {', '.join(THRESHOLDS)}.")
    design = lay_out_facets(ratings, thresholds == "by_question")
    apart = _disconnected(design)
    if apart:
        return _without_numbers(ratings, design, apart)
    priors, findings = _weak_priors(design, ratings)
    answers = design.responses(ratings)
    fitted = calibrate(answers, "pcm", constraints=[design.constraint()], priors=priors or None, tol=tol)
    scores = score(fitted, answers, "eap")
    effects, fit = _Effects.of(fitted), fit_sums(fitted, design)
    raters = _severities(design, ratings, effects, fit)
    chi_square, p = _equal_severity(effects, design)
    separation, reliability = _separation(raters)
    audit = [f for f in fitted.audit if f.code not in OF_COLUMNS]
    return RaterSeverity(
        status=fitted.status,
        raters=raters,
        questions=_difficulties(design, ratings, effects, fit),
        thresholds=_thresholds(design, ratings, effects),
        persons=_persons(design, ratings, effects, scores),
        separation=separation,
        reliability=reliability,
        chi_square=chi_square,
        df=len(raters) - 1,
        p=p,
        person_sd=float(np.sqrt(fitted.latent.cov[0, 0, 0])),
        calibration=fitted,
        scores=scores,
        findings=gravest_first([*audit, *findings, *_misfit(raters)]),
        provenance=ratings.provenance,
    )


@dataclass(frozen=True, eq=False, slots=True)
class _Effects:
    """Estimates by name, with their joint covariance."""

    place: Mapping[str, int]
    values: FloatArray
    cov: FloatArray

    @classmethod
    def of(cls, fitted: Calibration) -> _Effects:
        """Take the estimates (F,) of a calibration."""
        free = fitted.free
        return cls({name: f for f, name in enumerate(free.names)}, free.values, free.cov)

    def combine(self, rows: Sequence[Mapping[str, float]]) -> tuple[FloatArray, FloatArray]:
        """Return weighted sums of effects (S,) and their standard errors (S,)."""
        weights = np.zeros((len(rows), len(self.values)))
        for s, row in enumerate(rows):
            for name, weight in row.items():
                weights[s, self.place[name]] += weight
        variance = np.einsum("sf,fg,sg->s", weights, self.cov, weights)
        return weights @ self.values, np.sqrt(np.maximum(variance, 0.0))


def _disconnected(design: FacetDesign) -> list[Finding]:
    """Find sets of raters or questions whose differences the design does not determine."""
    findings = []
    for what, sets in zip(("raters", "questions"), connected_sets(design), strict=True):
        if len(sets) > 1:
            shown = " | ".join(", ".join(members[:4]) + (" ..." if len(members) > 4 else "") for members in sets[:4])
            findings.append(
                Finding(
                    "disconnected", Severity.PROBLEM, what,
                    f"The {what} fall into {len(sets)} sets that cannot be compared: {shown}"
                    + (" | ..." if len(sets) > 4 else "") + ".",
                    "Nothing is estimated. Let raters of different sets rate some of the same persons, or analyse the "
                    "sets one by one.",
                )
            )  # fmt: skip
    return findings


def _without_numbers(ratings: Ratings, design: FacetDesign, findings: Sequence[Finding]) -> RaterSeverity:
    """Return what can be said where the design is not connected: counts and means, no measures."""
    nan = float("nan")
    rater_counts, question_counts = design.of_rater(design.counts()), design.of_question(design.counts())
    none = np.full(max(len(design.raters), len(design.questions)), nan)
    persons = tuple(
        PersonMeasure(
            person=label, n=n, mean=mean, measure=nan, se=nan, fair=nan, status=Status.NOT_IDENTIFIED
        )
        for label, n, mean in _observed(design, ratings)
    )  # fmt: skip
    return RaterSeverity(
        status=Status.NOT_IDENTIFIED,
        raters=_elements(design.raters, rater_counts, ratings.low, (none, none), (none, none)),
        questions=_elements(design.questions, question_counts, ratings.low, (none, none), (none, none)),
        thresholds=(),
        persons=persons,
        separation=nan,
        reliability=nan,
        chi_square=nan,
        df=len(design.raters) - 1,
        p=nan,
        person_sd=nan,
        calibration=None,
        scores=None,
        findings=tuple(findings),
        provenance=ratings.provenance,
    )


def _weak_priors(design: FacetDesign, ratings: Ratings) -> tuple[dict[str, NormalPrior], list[Finding]]:
    """Return priors on kinds of effects without a finite maximum, and findings that name the reason."""
    counts = design.counts()
    by_rater, by_question = design.of_rater(counts), design.of_question(counts)
    steps = by_question if design.by_item else counts.sum(axis=0, keepdims=True)
    owners = design.questions if design.by_item else ("all questions",)
    unused = [
        f"{ratings.low + k:g} ({owner})"
        for owner, row in zip(owners, steps, strict=True)
        for k in np.flatnonzero(row == 0)
    ]
    reasons = {
        "severity": ("raters", "gave one extreme category only", _extreme(by_rater, design.raters)),
        "difficulty": ("questions", "have one extreme category only", _extreme(by_question, design.questions)),
        "step": ("categories", "were never given", unused if design.n_cat > 2 else []),
    }
    findings = [
        Finding(
            f"extreme_{kind}", Severity.WARNING, what,
            f"{len(found)} {what} {did}: {', '.join(found[:5])}{' ...' if len(found) > 5 else ''}.",
            f"No finite maximum exists; a Normal(0, {WEAK_SD:g}) prior holds all effects of this kind. Do not read the "
            "ones named here as measurements.",
        )
        for kind, (what, did, found) in reasons.items()
        if found
    ]  # fmt: skip
    return {kind: NormalPrior(0.0, WEAK_SD) for kind, (_, _, found) in reasons.items() if found}, findings


def _extreme(counts: IntArray, labels: Sequence[str]) -> list[str]:
    total = counts.sum(axis=1)
    return [
        label
        for label, low, high, n in zip(labels, counts[:, 0], counts[:, -1], total, strict=True)
        if n in (low, high)
    ]


def _severity_rows(design: FacetDesign) -> list[dict[str, float]]:
    free = [f"severity[{label}]" for label in design.raters[:-1]]
    return [{name: 1.0} for name in free] + [dict.fromkeys(free, -1.0)]


def _severities(design: FacetDesign, ratings: Ratings, effects: _Effects, fit: FitSums) -> tuple[FacetElement, ...]:
    counts = design.of_rater(design.counts())
    mean_squares = fit.mean_squares(design.rater, len(design.raters))
    return _elements(design.raters, counts, ratings.low, effects.combine(_severity_rows(design)), mean_squares)


def _difficulties(design: FacetDesign, ratings: Ratings, effects: _Effects, fit: FitSums) -> tuple[FacetElement, ...]:
    counts = design.of_question(design.counts())
    mean_squares = fit.mean_squares(design.question, len(design.questions))
    rows = [{f"difficulty[{label}]": 1.0} for label in design.questions]
    return _elements(design.questions, counts, ratings.low, effects.combine(rows), mean_squares)


def _elements(
    labels: Sequence[str],
    counts: IntArray,
    low: float,
    measures: tuple[FloatArray, FloatArray],
    fit: tuple[FloatArray, FloatArray],
) -> tuple[FacetElement, ...]:
    n = counts.sum(axis=1)
    mean = low + counts @ np.arange(counts.shape[1]) / n
    return tuple(
        FacetElement(
            label=label,
            n=int(n[s]),
            mean=float(mean[s]),
            measure=float(measures[0][s]),
            se=float(measures[1][s]),
            infit=float(fit[0][s]),
            outfit=float(fit[1][s]),
        )
        for s, label in enumerate(labels)
    )


def _thresholds(design: FacetDesign, ratings: Ratings, effects: _Effects) -> tuple[Threshold, ...]:
    """Return F_k = tau_(k-1) - tau_k with tau_0 = tau_(K-1) = 0."""
    rows, labels = [], []
    for q in range(len(design.questions) if design.by_item else 1):
        for k in range(1, design.n_cat):
            row = {design.step_name(q, k): -1.0} if k < design.n_cat - 1 else {}
            rows.append(row | ({design.step_name(q, k - 1): 1.0} if k > 1 else {}))
            labels.append((design.questions[q] if design.by_item else "all", ratings.low + k))
    measures, errors = effects.combine(rows)
    return tuple(
        Threshold(question=question, step=step, measure=float(m), se=float(e))
        for (question, step), m, e in zip(labels, measures, errors, strict=True)
    )


def _persons(design: FacetDesign, ratings: Ratings, effects: _Effects, scores: Scores) -> tuple[PersonMeasure, ...]:
    theta, se = scores.theta[:, 0], scores.se[:, 0]
    fair = ratings.low + _fair_ratings(design, effects, theta)
    return tuple(
        PersonMeasure(
            person=label,
            n=n,
            mean=mean,
            measure=float(theta[i]),
            se=float(se[i]),
            fair=float(fair[i]),
            status=scores.status[i, 0],
        )
        for i, (label, n, mean) in enumerate(_observed(design, ratings))
    )


def _observed(design: FacetDesign, ratings: Ratings) -> list[tuple[str, int, float]]:
    """Return label, number of ratings and their mean in points, per person."""
    given = design.x >= 0
    n = given.sum(axis=1)
    total = np.where(given, design.x, 0).sum(axis=1)
    mean = np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0) + ratings.low
    return [(label, int(n[i]), float(mean[i])) for i, label in enumerate(ratings.person_ids)]


def _fair_ratings(design: FacetDesign, effects: _Effects, theta: FloatArray) -> FloatArray:
    """Return (N,) expected category at theta (N,) by a rater of severity 0, averaged over the questions."""
    top, par = design.n_cat - 1, []
    for q, label in enumerate(design.questions):
        at = -effects.values[effects.place[f"difficulty[{label}]"]]
        steps = [effects.values[effects.place[design.step_name(q, k)]] for k in range(1, top)]
        par.append([1.0, *(k * at + step for k, step in enumerate([*steps, 0.0], start=1))])
    model, _ = find_model("pcm")
    probability = np.exp(model.log_prob(theta[:, None], np.array(par), design.n_cat))
    expected: FloatArray = (probability @ np.arange(design.n_cat, dtype=np.float64)).mean(axis=1)
    return expected


def _equal_severity(effects: _Effects, design: FacetDesign) -> tuple[float, float]:
    """Return the Wald chi-square of equal severity, with the severities' joint covariance, and its p."""
    from scipy.special import chdtrc

    at = [effects.place[f"severity[{label}]"] for label in design.raters[:-1]]
    cov, value = effects.cov[np.ix_(at, at)], effects.values[at]
    if not np.isfinite(cov).all():
        return float("nan"), float("nan")
    chi_square = float(value @ np.linalg.solve(cov, value))
    return chi_square, float(chdtrc(len(at), chi_square))


def _separation(raters: Sequence[FacetElement]) -> tuple[float, float]:
    """Return separation G = sd(true) / rmse and reliability = var(true) / var(observed) (Wright & Masters 1982).

    The variance is the mean square of these R severities: they sum to 0, and so do their errors, whose mean square it
    exceeds the true one by. Divided by R - 1 it would find differences between raters who are alike.
    """
    measure, se = np.array([r.measure for r in raters]), np.array([r.se for r in raters])
    observed, error = float(np.var(measure)), float(np.mean(se**2))
    true = max(observed - error, 0.0)
    return float(np.sqrt(true / error)), true / observed if observed > 0 else float("nan")


def _misfit(raters: Sequence[FacetElement]) -> list[Finding]:
    low, high = FIT_RANGE
    found = []
    for rater in raters:
        if rater.infit > high or rater.infit < low:
            noisy = rater.infit > high
            found.append(
                Finding(
                    "rater_misfit", Severity.WARNING, rater.label,
                    f"Infit is {rater.infit:.2f}, outside {low:g} to {high:g}: "
                    + ("more noise than the model expects." if noisy else "less variation than the model expects."),
                    "Look at this rater's ratings: a different understanding of the anchors, or errors of entry."
                    if noisy
                    else "Look at this rater's ratings: use of few categories, or ratings that are not independent.",
                )
            )  # fmt: skip
    return found

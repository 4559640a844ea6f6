"""Several methods side by side: common metric, how far they agree, and a composite that is never shown alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from talentassess.core.arrays import BoolArray, FloatArray
from talentassess.core.errors import InterviewError
from talentassess.core.provenance import Provenance
from talentassess.core.scores import Scores
from talentassess.core.status import Finding, Severity, Status, finding_columns, gravest_first
from talentassess.core.tabular import Columns, Tabular
from talentassess.interview.metric import MethodMetric, fit_metric
from talentassess.interview.mosier import disattenuated_correlation
from talentassess.interview.scores import InterviewScores

SHRUNKEN = ("eap", "map", "sum-eap")
BORROWED = "Reliabilities of test scores come from the group of their calibration, whose spread may differ."
STEADY = 50  # persons from which a correlation of .5 has a 95 % interval no wider than .5 (Fisher z)
LOW_AGREEMENT = 0.5  # disattenuated: less than a quarter of the true variance shared is no one competency


@dataclass(frozen=True, eq=False, kw_only=True)
class MethodAgreement:
    """How two methods agree on one competency.

    Attributes
    ----------
    competency, first, second : what is compared.
    persons : number behind the correlation: those who set the metric.
    correlation, lower, upper : observed, with its confidence interval (Fisher z).
    disattenuated, disattenuated_lower, disattenuated_upper : divided by sqrt(r_aa r_bb), the interval too (Hunter &
        Schmidt 2004, Methods of Meta-Analysis, ch. 3: the reliabilities are taken as known).
    compared : number of persons at hand who have both, with errors that are known.
    flagged : number of them on whom the methods differ by more than chance.
    expected_by_chance : number that would be flagged if they differed by measurement error alone.
    """

    competency: str
    first: str
    second: str
    persons: int
    correlation: float
    lower: float
    upper: float
    disattenuated: float
    disattenuated_lower: float
    disattenuated_upper: float
    compared: int
    flagged: int
    expected_by_chance: float


@dataclass(frozen=True, eq=False, kw_only=True)
class MultiMethodProfile(Tabular):
    """N persons, C competencies and M methods on one metric, with what speaks against adding them up.

    Attributes
    ----------
    person_ids, competencies, methods : (N,), (C,) and (M,) labels.
    weights : (M,) weights of the methods in the composite, adding up to 1.
    z, se : (N, C, M) standardised scores and their standard errors of measurement; NaN where not measured.
    reliability : (C, M) of each method.
    composite, composite_se : (N, C) weighted sum, standardised again; NaN where a method is missing.
    composite_reliability : (C,) by Mosier (1943).
    metric : means, SDs and correlations of the group that the scores are standardised by.
    agreement : per competency and pair of methods.
    confidence : of intervals and flags.
    findings : limits a reader should know.
    provenance : of each method.
    """

    person_ids: tuple[str, ...]
    competencies: tuple[str, ...]
    methods: tuple[str, ...]
    weights: FloatArray
    z: FloatArray
    se: FloatArray
    reliability: FloatArray
    composite: FloatArray
    composite_se: FloatArray
    composite_reliability: FloatArray
    metric: MethodMetric
    agreement: tuple[MethodAgreement, ...]
    confidence: float
    findings: tuple[Finding, ...]
    sources: tuple[Provenance, ...]

    def __repr__(self) -> str:
        parts = ", ".join(f"{m} {w:.2f}" for m, w in zip(self.methods, self.weights, strict=True))
        flagged = sum(a.flagged for a in self.agreement)
        return (
            f"MultiMethodProfile({len(self.person_ids)} persons, {len(self.competencies)} competencies; {parts}; "
            f"{flagged} disagreements beyond measurement error)"
        )

    @property
    def provenance(self) -> Provenance:
        """The first simulated source if there is one, else the first: what a mark has to follow."""
        return next((source for source in self.sources if source.simulated), self.sources[0])

    def tables(self) -> dict[str, Columns]:
        """Return ``profile`` (composite beside every method), ``agreement``, ``disagreement`` and ``findings``."""
        names = MethodAgreement.__dataclass_fields__
        return {
            "profile": _profile_columns(self),
            "agreement": {name: [getattr(a, name) for a in self.agreement] for name in names},
            "disagreement": _disagreement_columns(self),
            "findings": finding_columns(self.findings),
        }


@dataclass(frozen=True, eq=False, slots=True)
class _Measure:
    """One method's scores on the C common competencies: score and se (N, C), reliability (C,), shrunken or not."""

    persons: tuple[str, ...]
    score: FloatArray
    se: FloatArray
    reliability: FloatArray
    shrunken: bool
    provenance: Provenance
    odd: Mapping[str, Status]


def combine_methods(
    methods: Mapping[str, Scores | InterviewScores],
    *,
    weights: Mapping[str, float] | None = None,
    reference: MultiMethodProfile | None = None,
    confidence: float = 0.95,
) -> MultiMethodProfile:
    """Bring self-report, situational and interview scores into one profile, and show how far they disagree.

    Scores are standardised by a group of persons with all methods: z = (score - mean) / SD, SE_z = SE / SD. Shrunken
    scores (EAP, MAP) have SE_z = SE sqrt(r) / SD, the standard error of the score before shrinkage in its own SDs. The
    composite is sum_m w_m z_m / SD(sum), its SE sqrt(sum_m w_m^2 SE_zm^2) / SD(sum), its reliability Mosier's (1943).
    Errors of different methods are taken as independent.

    Two methods are compared in SDs of their true scores, t = z / sqrt(r), because the less reliable of two methods
    spreads its true scores over a smaller part of its observed SD. They disagree on a person where |t_a - t_b| /
    sqrt(SE_ta^2 + SE_tb^2) exceeds the two-sided normal quantile; as many as ``expected_by_chance`` would do so by
    measurement error alone, if the methods measured the same.

    Parameters
    ----------
    methods : name -> scores whose dimensions are named by competency; two or more. Only competencies that all methods
        measure are combined; the others are named in a finding.
    weights : method -> weight, made to add up to 1; equal if left out. They are a judgement, not an estimate.
    reference : the profile of a larger group with the same methods, for a few persons: its means, SDs, correlations
        and reliabilities are used. Left out, the persons themselves are the group.
    confidence : of intervals and flags.

    Raises
    ------
    InterviewError : fewer than two methods, no common competency, fewer than ten persons with all methods and no
        reference, a reference with other methods or competencies, a method that does not vary, or weights that are no
        weights.
    """
    names = tuple(methods)
    w = _weights(names, weights)
    if not 0.5 <= confidence < 1:
        raise InterviewError(f"confidence is {confidence:g}; give a number from 0.5 to below 1, e.g. 0.95.")
    competencies, findings = _common(methods)
    measures = [_measure(methods[name], competencies) for name in names]
    persons = tuple(dict.fromkeys(p for measure in measures for p in measure.persons))
    score, se = _aligned(measures, persons, len(competencies))
    complete: BoolArray = np.asarray(np.isfinite(score).all(axis=2))
    reliability = np.column_stack([measure.reliability for measure in measures])
    if reference is None:
        metric = fit_metric(score, complete, reliability, (competencies, names))
    else:
        metric = _reference_metric(reference, competencies, names)
    z, se_z = _standardised(score, se, metric, np.array([m.shrunken for m in measures]))
    sd = metric.composite_sd(w)
    agreement = tuple(_agreement(z, se_z, metric, confidence))
    return MultiMethodProfile(
        person_ids=persons,
        competencies=competencies,
        methods=names,
        weights=w,
        z=z,
        se=se_z,
        reliability=metric.reliability,
        composite=np.where(complete, z @ w, np.nan) / sd,
        composite_se=np.sqrt(np.where(complete, se_z**2 @ w**2, np.nan)) / sd,
        composite_reliability=metric.composite_reliability(w),
        metric=metric,
        agreement=agreement,
        confidence=confidence,
        findings=gravest_first(
            [
                *_uncertain_scores(dict(zip(names, measures, strict=True))),
                *_few_persons(metric, reference is None),
                *_findings(agreement, persons, complete, competencies),
                *findings,
            ]
        ),
        sources=tuple(measure.provenance for measure in measures),
    )


def _weights(names: Sequence[str], weights: Mapping[str, float] | None) -> FloatArray:
    if len(names) < 2:
        raise InterviewError("A composite needs two methods or more, e.g. {'self_report': ..., 'interview': ...}.")
    given = dict.fromkeys(names, 1.0) if weights is None else dict(weights)
    w = np.array([float(given.get(name, np.nan)) for name in names])
    if set(given) != set(names) or not np.all(np.isfinite(w) & (w > 0)):
        raise InterviewError(
            f"The weights {given} do not fit: give a positive number for each of {', '.join(names)}, and no other."
        )
    shares: FloatArray = w / w.sum()
    return shares


def _dimensions(scores: Scores | InterviewScores) -> tuple[str, ...]:
    return scores.competencies if isinstance(scores, InterviewScores) else scores.dimensions


def _common(methods: Mapping[str, Scores | InterviewScores]) -> tuple[tuple[str, ...], list[Finding]]:
    first, *others = methods.values()
    common = tuple(c for c in _dimensions(first) if all(c in _dimensions(other) for other in others))
    if not common:
        lists = "; ".join(f"{name}: {', '.join(_dimensions(scores))}" for name, scores in methods.items())
        raise InterviewError(f"The methods have no competency in common ({lists}). Their scales must be named alike.")
    findings = []
    for name, scores in methods.items():
        alone = [c for c in _dimensions(scores) if c not in common]
        if alone:
            message = f"{', '.join(alone)}: not measured by every method, so not combined."
            findings.append(Finding("not_common", Severity.NOTE, name, message, "Read these scores by themselves."))
    return common, findings


def _measure(scores: Scores | InterviewScores, competencies: Sequence[str]) -> _Measure:
    columns = [_dimensions(scores).index(c) for c in competencies]
    if isinstance(scores, InterviewScores):
        value, se, shrunken, odd = scores.score, scores.se, False, {}
    else:
        value, se, shrunken = scores.theta, scores.se, scores.method in SHRUNKEN
        unmeasured = scores.n_answered == 0  # the population's mean, not theirs
        value = np.where(unmeasured | ~np.isfinite(value), np.nan, value)
        odd = _odd_statuses(scores, competencies)
    rel = np.asarray(scores.reliability, dtype=np.float64)[columns]
    return _Measure(scores.person_ids, value[:, columns], se[:, columns], rel, shrunken, scores.provenance, odd)


def _odd_statuses(scores: Scores, competencies: Sequence[str]) -> dict[str, Status]:
    """Return competency -> how its calibration ended, where it did not end well."""
    own = (Status.CONVERGED, Status.NOT_CHECKED, Status.NO_ANSWERS, Status.EXTREME_PATTERN)
    found = {}
    for competency in competencies:
        statuses = [s for s in scores.status[:, scores.column(competency)] if s not in own]
        if statuses:
            found[competency] = statuses[0]
    return found


def _aligned(measures: Sequence[_Measure], persons: Sequence[str], n_c: int) -> tuple[FloatArray, FloatArray]:
    """Return scores and standard errors (N, C, M), NaN where a person lacks a method."""
    score = np.full((len(persons), n_c, len(measures)), np.nan)
    se = score.copy()
    place = {person: i for i, person in enumerate(persons)}
    for m, measure in enumerate(measures):
        if len(set(measure.persons)) < len(measure.persons):
            raise InterviewError("A person occurs twice in the scores of one method; each id may occur once.")
        rows = [place[person] for person in measure.persons]
        score[rows, :, m], se[rows, :, m] = measure.score, measure.se
    return score, se


def _reference_metric(
    reference: MultiMethodProfile, competencies: Sequence[str], methods: Sequence[str]
) -> MethodMetric:
    m = reference.metric
    if tuple(methods) != m.methods or not set(competencies) <= set(m.competencies):
        raise InterviewError(
            f"The reference has the methods {', '.join(m.methods)} on {', '.join(m.competencies)}; needed are "
            f"{', '.join(methods)} on {', '.join(competencies)}, the methods in the same order."
        )
    rows = [m.competencies.index(c) for c in competencies]
    return MethodMetric(
        competencies=tuple(competencies),
        methods=m.methods,
        persons=tuple(m.persons[c] for c in rows),
        mean=m.mean[rows],
        sd=m.sd[rows],
        reliability=m.reliability[rows],
        correlation=m.correlation[rows],
    )


def _standardised(
    score: FloatArray, se: FloatArray, metric: MethodMetric, shrunken: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Return z and its standard error (N, C, M)."""
    factor = np.where(shrunken, np.sqrt(metric.reliability), 1.0)
    return (score - metric.mean) / metric.sd, se * factor / metric.sd


def _agreement(z: FloatArray, se: FloatArray, metric: MethodMetric, confidence: float) -> Iterator[MethodAgreement]:
    """Yield how methods agree: correlations of the group that set the metric, flags of the persons at hand."""
    from scipy.special import ndtri

    critical = float(ndtri((1 + confidence) / 2))
    for c, competency in enumerate(metric.competencies):
        rel, n = metric.reliability[c], metric.persons[c]
        for a, b in combinations(range(len(metric.methods)), 2):
            r = float(metric.correlation[c, a, b])
            with np.errstate(divide="ignore"):
                bounds = np.tanh(np.arctanh(r) + np.array([-1, 1]) * critical / np.sqrt(n - 3))
            three = [disattenuated_correlation(float(x), rel[a], rel[b]) for x in (r, *bounds)]
            difference, error = _difference(z[:, c], se[:, c], rel, (a, b))
            ratio = difference / error
            yield MethodAgreement(
                competency=competency,
                first=metric.methods[a],
                second=metric.methods[b],
                persons=n,
                correlation=r,
                lower=float(bounds[0]),
                upper=float(bounds[1]),
                disattenuated=three[0],
                disattenuated_lower=three[1],
                disattenuated_upper=three[2],
                compared=int(np.isfinite(ratio).sum()),
                flagged=int(np.sum(np.abs(ratio[np.isfinite(ratio)]) > critical)),
                expected_by_chance=float(np.isfinite(ratio).sum() * (1 - confidence)),
            )


def _difference(
    z: FloatArray, se: FloatArray, reliability: FloatArray, pair: tuple[int, int]
) -> tuple[FloatArray, FloatArray]:
    """Return (N,) differences of two methods in SDs of true scores and their standard errors; NaN where not known."""
    a, b = pair
    known = np.where(reliability > 0, reliability, np.nan)
    t, error = z / np.sqrt(known), se / np.sqrt(known)
    joint = np.sqrt(error[:, a] ** 2 + error[:, b] ** 2)
    return t[:, a] - t[:, b], np.where(joint > 0, joint, np.nan)


def _uncertain_scores(measures: Mapping[str, _Measure]) -> Iterator[Finding]:
    """Yield what is known against the scores themselves: a calibration that ended badly, a reliability of zero."""
    for name, measure in measures.items():
        for status in dict.fromkeys(measure.odd.values()):
            where = ", ".join(c for c, s in measure.odd.items() if s is status)
            message = f"{name}: these scores come from a calibration that did not end well ({status.value})."
            remedy = "Its audit says where; until that is mended, trust neither their reliability nor the composite."
            yield Finding("score_status", Severity.PROBLEM, where, message, remedy)


def _few_persons(metric: MethodMetric, own: bool) -> Iterator[Finding]:
    n = min(metric.persons)
    if n < STEADY:
        message = f"Means, SDs and correlations of the methods rest on {n} persons, which leaves them rough."
        remedy = "Give reference=, the profile of a larger group." if own else "Use a larger group as reference."
        yield Finding("few_persons", Severity.WARNING, "metric", f"{message} {BORROWED}", remedy)


def _findings(
    agreement: Sequence[MethodAgreement], persons: Sequence[str], complete: BoolArray, competencies: Sequence[str]
) -> Iterator[Finding]:
    yield Finding(
        "weights_by_judgement",
        Severity.NOTE,
        "composite",
        "The weights of the methods are a judgement; no criterion has set them.",
        "Look at the methods one by one before the composite.",
    )
    for a in agreement:
        where = f"{a.competency}: {a.first}, {a.second}"
        observed = f"r = {a.correlation:.2f} [{a.lower:.2f}, {a.upper:.2f}]"
        freed = f"{a.disattenuated:.2f} [{a.disattenuated_lower:.2f}, {a.disattenuated_upper:.2f}]"
        numbers = f"{observed}, freed of measurement error {freed}"
        if not np.isfinite(a.disattenuated):
            message = f"{observed}; a reliability of zero or unknown leaves open whether they measure one thing."
            yield Finding("agreement_unknown", Severity.WARNING, where, message, "Do not lean on the composite.")
        elif a.disattenuated < LOW_AGREEMENT:
            message = f"The methods share little: {numbers}."
            remedy = "They may not measure the same competency; report them side by side rather than added up."
            yield Finding("methods_disagree", Severity.WARNING, where, message, remedy)
        if a.flagged > a.expected_by_chance + 2 * np.sqrt(a.expected_by_chance):
            message = f"{a.flagged} of {a.compared} persons differ by more than measurement error explains."
            remedy = f"About {a.expected_by_chance:.1f} would by chance; look at these persons' answers."
            yield Finding("many_differ", Severity.NOTE, where, message, remedy)
    above = [a.disattenuated for a in agreement if a.disattenuated > 1]
    if above:
        message = f"{len(above)} of {len(agreement)} correlations freed of error are above 1, up to {max(above):.2f}."
        remedy = "No correlation of true scores is: the reliabilities are too low for this group, or it is small."
        yield Finding("above_one", Severity.NOTE, "methods", message, remedy)
    for c, competency in enumerate(competencies):
        lacking = [person for person, whole in zip(persons, complete[:, c], strict=True) if not whole]
        if lacking:
            message = f"{len(lacking)} person(s) lack a method and have no composite: {', '.join(lacking[:10])}."
            yield Finding("no_composite", Severity.NOTE, competency, message, "Read the methods they have.")


def _profile_columns(p: MultiMethodProfile) -> Columns:
    rows = [(i, c) for i in range(len(p.person_ids)) for c in range(len(p.competencies))]
    columns: dict[str, list[object]] = {
        "person": [p.person_ids[i] for i, _ in rows],
        "competency": [p.competencies[c] for _, c in rows],
    }
    for m, method in enumerate(p.methods):
        columns[method] = [p.z[i, c, m] for i, c in rows]
        columns[f"se({method})"] = [p.se[i, c, m] for i, c in rows]
    columns["composite"] = [p.composite[i, c] for i, c in rows]
    columns["se(composite)"] = [p.composite_se[i, c] for i, c in rows]
    columns["methods_differ"] = [_differing(p, i, c) for i, c in rows]
    return columns


def _differing(p: MultiMethodProfile, person: int, competency: int) -> str:
    from scipy.special import ndtri

    critical = float(ndtri((1 + p.confidence) / 2))
    z, se = p.z[person, competency][None], p.se[person, competency][None]
    found = []
    for a, b in combinations(range(len(p.methods)), 2):
        difference, error = _difference(z, se, p.reliability[competency], (a, b))
        if abs(difference[0] / error[0]) > critical:
            found.append((a, b))
    return ", ".join(f"{p.methods[a]} / {p.methods[b]}" for a, b in found)


def _disagreement_columns(p: MultiMethodProfile) -> Columns:
    from scipy.special import ndtr, ndtri

    critical = float(ndtri((1 + p.confidence) / 2))
    rows: list[tuple[object, ...]] = []
    for c, competency in enumerate(p.competencies):
        for a, b in combinations(range(len(p.methods)), 2):
            difference, error = _difference(p.z[:, c], p.se[:, c], p.reliability[c], (a, b))
            ratio = difference / error
            for i in np.flatnonzero(np.isfinite(ratio)):
                chance = 2 * float(ndtr(-abs(ratio[i])))
                names = (p.person_ids[i], competency, p.methods[a], p.methods[b])
                rows.append((*names, float(difference[i]), float(error[i]), float(ratio[i]), chance))
    heads = ("person", "competency", "first", "second", "difference", "se", "ratio", "p")
    columns = {head: [row[k] for row in rows] for k, head in enumerate(heads)}
    return columns | {"flag": [abs(float(str(row[6]))) > critical for row in rows]}

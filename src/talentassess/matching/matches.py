"""The result of a match: who meets the levels, who ranks where, and how sure each of it is."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from talentassess.core.arrays import BoolArray, FloatArray, IntArray
from talentassess.core.errors import ProfileError
from talentassess.core.provenance import Provenance
from talentassess.core.status import Finding, finding_columns
from talentassess.core.tabular import Columns, Tabular
from talentassess.matching.fit import Drawing, RoleFit
from talentassess.matching.profiles import JobProfile

MEETS, CANNOT_TELL, BELOW, NO_LEVEL = "meets", "cannot tell", "does not meet", "no required level"
ALL_REQUIRED = "all required"
FIT_DRAWS = 200  # each is held against all occupations; the ends of a 90 % interval then move by one or two points


@dataclass(frozen=True, slots=True)
class VerdictCount:
    """How many candidates get which verdict when the declared percentile moves.

    Attributes
    ----------
    shift : percentile points the declared level was moved by.
    competency : its id, or ``all required``.
    moved : whether any level behind this row rests on the policy and was moved.
    meets, cannot_tell, does_not_meet : numbers of candidates.
    """

    shift: float
    competency: str
    moved: bool
    meets: int
    cannot_tell: int
    does_not_meet: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Composite:
    """The weighted compensatory composite and what follows from it; N candidates, C competencies.

    Attributes
    ----------
    weight : (C,) adding up to 1, in proportion to importance; 0 where importance is not known. Negative for a
        competency of which too much can hurt.
    weight_cov : (C, C) error covariance of the weights, from the error of importance; shared by all candidates.
    value, se : (N,) sum of weight times norm z, and its standard error from scores and weights.
    rank : (N,) 1 is highest; equal composites share the better rank.
    rank_lower, rank_upper : (N,) interval of the rank from draws.
    p_best : (N,) share of draws in which the candidate ranks first.
    p_above_best : (N,) P(composite > that of the first in rank); NaN for that candidate.
    leading : (N,) True if the candidate cannot be told apart from the first in rank.
    """

    weight: FloatArray
    weight_cov: FloatArray
    value: FloatArray
    se: FloatArray
    rank: IntArray
    rank_lower: IntArray
    rank_upper: IntArray
    p_best: FloatArray
    p_above_best: FloatArray
    leading: BoolArray


@dataclass(frozen=True, eq=False, kw_only=True)
class Matches(Tabular):
    """Result of ``match``: N candidates against one profile on C competencies.

    Attributes
    ----------
    person_ids : (N,) candidates; group : (N,) their group, or None.
    profile : the role, cut to the competencies that have scores.
    theta, cov : (N, C) scores and (N, C, C) their error covariance, in the calibration's metric.
    z, z_cov : the same on the norm group's z metric.
    level, level_se : (C,) required level and its standard error in the calibration's metric; NaN where none.
    p_meets : (N, C) P(true >= required); NaN where nothing is required.
    p_all : (N,) P(all required levels are met), jointly; p_all_mc : (N,) its Monte-Carlo standard error.
    composite : the weighted composite, ranks, and who cannot be told apart from the first.
    fit : shape of the candidate's profile against this role, among all occupations.
    sensitivity : verdicts when the declared percentile moves.
    drawing : number of draws, seed, confidence.
    findings : read them before the numbers.
    provenance : of scores, norms and profile together; simulated if any of them is.
    """

    person_ids: tuple[str, ...]
    group: tuple[str, ...] | None
    profile: JobProfile
    theta: FloatArray
    cov: FloatArray
    z: FloatArray
    z_cov: FloatArray
    level: FloatArray
    level_se: FloatArray
    p_meets: FloatArray
    p_all: FloatArray
    p_all_mc: FloatArray
    composite: Composite
    fit: RoleFit
    sensitivity: tuple[VerdictCount, ...]
    drawing: Drawing
    findings: tuple[Finding, ...]
    provenance: Provenance

    def __repr__(self) -> str:
        return (
            f"Matches({len(self.person_ids)} candidates, {self.profile.code} {self.profile.title}, "
            f"{len(self.leading)} cannot be told apart from the first, {self.provenance.label})"
        )

    @property
    def competencies(self) -> tuple[str, ...]:
        """(C,) ids of the competencies that were matched."""
        return self.profile.competencies

    @property
    def leading(self) -> tuple[str, ...]:
        """Candidates who cannot be told apart from the first in rank, that one included, by rank."""
        order = np.argsort(self.composite.rank, kind="stable")
        return tuple(self.person_ids[i] for i in order if self.composite.leading[i])

    @property
    def leading_rule(self) -> str:
        """The rule behind ``leading``, in words."""
        return (
            "cannot be told apart from the first in rank: P(composite > that of the first) is above "
            f"{(1 - self.drawing.confidence) / 2:.3g}"
        )

    def position(self, person: str) -> int:
        """Return the row of a candidate; an unknown one raises ``ProfileError`` with the nearest name."""
        if person not in self.person_ids:
            near = difflib.get_close_matches(person, self.person_ids, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise ProfileError(f"There is no candidate '{person}' among the {len(self.person_ids)} matched.{hint}")
        return self.person_ids.index(person)

    def tables(self) -> dict[str, Columns]:
        """Return ``candidates``, ``competencies``, ``sensitivity``, ``error_sources``, ``findings``, and the profile's.

        ``candidates`` has a row per person, ``competencies`` a row per person and competency.
        """
        return {
            "candidates": _candidate_columns(self),
            "competencies": _competency_columns(self),
            "sensitivity": _sensitivity_columns(self.sensitivity),
            "error_sources": _error_source_columns(self),
            "findings": finding_columns(self.findings),
            **self.profile.tables(),
        }


def probability_above(matches: Matches, a: str, b: str) -> float:
    """Return P(composite of candidate A > composite of candidate B).

    Phi(d / sqrt(w' (S_a + S_b) w + (z_a - z_b)' V (z_a - z_b))) with d the difference of the composites, S the error
    covariance of a candidate's z and V that of the weights. The weights are the same for both, so their error counts
    only as far as the profiles differ.

    Parameters
    ----------
    matches : result of ``match``.
    a, b : person ids; unknown ones raise ``ProfileError``.
    """
    first, second = matches.position(a), matches.position(b)
    return float(above(matches.z, matches.z_cov, matches.composite.weight, matches.composite.weight_cov, second)[first])


def above(z: FloatArray, z_cov: FloatArray, weight: FloatArray, weight_cov: FloatArray, other: int) -> FloatArray:
    """Return (N,) P(composite > that of candidate ``other``); 0.5 where the two are equal without error."""
    gap = z - z[other]
    noise = np.einsum("c,ncd,d->n", weight, z_cov + z_cov[other], weight)
    shared = np.einsum("nc,cd,nd->n", gap, weight_cov, gap)
    spread = np.sqrt(np.maximum(noise + shared, 0.0))
    difference = gap @ weight
    with np.errstate(divide="ignore", invalid="ignore"):
        p = ndtr(difference / spread)
    exact: FloatArray = np.where(spread > 0, p, 0.5 * (1 + np.sign(difference)))
    return exact


def verdicts(p: FloatArray, confidence: float) -> list[str]:
    """Return a verdict per probability p (N,): meets (>= confidence), does not meet (<= 1 - confidence), or neither."""
    return [_verdict(float(value), confidence) for value in p]


def count_verdicts(shift: float, competency: str, moved: bool, p: FloatArray, confidence: float) -> VerdictCount:
    """Count the verdicts of (N,) probabilities."""
    found = verdicts(p, confidence)
    return VerdictCount(shift, competency, moved, *(found.count(v) for v in (MEETS, CANNOT_TELL, BELOW)))


def _verdict(p: float, confidence: float) -> str:
    if np.isnan(p):
        return NO_LEVEL
    # A confidence of 0.9 must let 0.1 count as "1 - 0.9" whatever the last bit of the subtraction says.
    if p >= confidence:
        return MEETS
    return BELOW if p <= 1 - confidence + 1e-12 else CANNOT_TELL


def _candidate_columns(m: Matches) -> Columns:
    c, half = m.composite, ndtri(0.5 + m.drawing.confidence / 2)
    return {
        "person": list(m.person_ids),
        **({"group": list(m.group)} if m.group is not None else {}),
        "rank": c.rank,
        "rank_lower": c.rank_lower,
        "rank_upper": c.rank_upper,
        "composite": c.value,
        "composite_se": c.se,
        "composite_lower": c.value - half * c.se,
        "composite_upper": c.value + half * c.se,
        "p_best": c.p_best,
        "p_above_first": c.p_above_best,
        "with_first": ["cannot be told apart" if leads else "below" for leads in c.leading],
        "p_meets_all": m.p_all,
        "p_meets_all_mc_se": m.p_all_mc,
        "verdict": verdicts(m.p_all, m.drawing.confidence),
        "role_fit_r": m.fit.r,
        "role_fit_percentile": m.fit.percentile,
        "role_fit_lower": m.fit.lower,
        "role_fit_upper": m.fit.upper,
    }


def _competency_columns(m: Matches) -> Columns:
    n, c = m.theta.shape
    standards = [r.standard for r in m.profile.requirements]
    return {
        "person": np.repeat(np.array(m.person_ids, dtype=np.str_), c),
        "competency": list(m.competencies) * n,
        "theta": m.theta.ravel(),
        "se": np.sqrt(np.diagonal(m.cov, axis1=1, axis2=2)).ravel(),
        "z": m.z.ravel(),
        "z_se": np.sqrt(np.diagonal(m.z_cov, axis1=1, axis2=2)).ravel(),
        "required": np.tile(m.level, n),
        "required_se": np.tile(m.level_se, n),
        "p_meets": m.p_meets.ravel(),
        "verdict": verdicts(m.p_meets.ravel(), m.drawing.confidence),
        "level_source": [s.source if s else NO_LEVEL for s in standards] * n,
    }


def _sensitivity_columns(rows: Sequence[VerdictCount]) -> Columns:
    return {
        "shift_of_percentile": [r.shift for r in rows],
        "competency": [r.competency for r in rows],
        "level_moved": [r.moved for r in rows],
        MEETS: [r.meets for r in rows],
        CANNOT_TELL: [r.cannot_tell for r in rows],
        BELOW: [r.does_not_meet for r in rows],
    }


def _error_source_columns(m: Matches) -> Columns:
    draws = m.drawing.draws
    monte_carlo = f"{draws} draws, seed {m.drawing.seed}: standard error at most {0.5 / np.sqrt(draws):.4f}"
    unseen = "item parameters beyond the score's error; choice of the norm population"
    rows = (
        (
            "p_meets",
            "score; required level (norm sample or study)",
            f"{unseen}; norm percentiles are those of scores, not of true scores",
            "none: exact",
        ),
        (
            "p_meets_all",
            "scores and their covariance; required levels, the same draws for everybody",
            f"{unseen}; dependence between the levels' errors",
            monte_carlo,
        ),
        ("composite", "scores and their covariance; importance behind the weights", "norm sample", "none: exact"),
        ("p_above_first", "scores of both; importance behind the weights", "norm sample", "none: exact"),
        ("p_best", "scores of all; importance behind the weights", "norm sample", monte_carlo),
        ("rank_lower, rank_upper", "scores of all; importance behind the weights", "norm sample", monte_carlo),
        ("role_fit_percentile", "scores", "O*NET ratings; norm sample", f"{min(draws, FIT_DRAWS)} draws"),
    )
    names = ("column", "errors_included", "errors_not_included", "monte_carlo")
    return {name: [row[k] for row in rows] for k, name in enumerate(names)}

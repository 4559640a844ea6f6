"""Role profiles: how much each competency matters in an occupation, and which level is required, on whose word."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from talentassess.core.arrays import FloatArray
from talentassess.core.errors import ProfileError
from talentassess.core.tabular import Columns, Tabular
from talentassess.matching.importance import CompetencyImportance, Links, competency_importance
from talentassess.matching.occupations import ERROR_SOURCES, Occupations, load_occupations, position_of


@dataclass(frozen=True, slots=True)
class StandardPolicy:
    """A declared rule for required levels, used where no study has set them.

    O*NET says how important a competency is, never which score is enough; so a level has to come from somewhere, and
    failing a standard-setting study it is a policy that is printed beside every probability that rests on it.

    Attributes
    ----------
    percentile : the level: this percentile of the norm group.
    upper_share : share of occupations that counts as the upper part; a competency whose importance lies there gets
        the level.
    importance : or whose raw importance is at least this, 0 to 100.

    Examples
    --------
    >>> print(StandardPolicy(percentile=50).source)
    declared policy: percentile 50 of the norm group where importance lies in the upper 33 % of occupations or is at
    least 60 of 100
    """

    percentile: float = 40.0
    upper_share: float = 1 / 3
    importance: float = 60.0

    def __post_init__(self) -> None:
        problems = []
        if not 0 < self.percentile < 100:
            problems.append(f"percentile {self.percentile}: must lie between 0 and 100")
        if not 0 <= self.upper_share <= 1:
            problems.append(f"upper_share {self.upper_share}: must lie between 0 and 1")
        if not np.isfinite(self.importance):
            problems.append(f"importance {self.importance}: must be a number (above 100 switches the rule off)")
        if problems:
            raise ProfileError("This policy for required levels cannot be used.", problems)

    @property
    def source(self) -> str:
        """The sentence that is printed beside every probability of meeting the level."""
        return (
            f"declared policy: percentile {self.percentile:g} of the norm group where importance lies in the upper "
            f"{100 * self.upper_share:.0f} % of occupations or is at least {self.importance:g} of 100"
        )

    def requires(self, percentile: float, importance: float) -> bool:
        """Return whether a competency of this importance (percentile over occupations, raw 0-100) gets the level."""
        return percentile >= 100 * (1 - self.upper_share) or importance >= self.importance


@dataclass(frozen=True, slots=True)
class Standard:
    """A required level.

    Attributes
    ----------
    percentile : as percentile of the norm group, or None.
    theta : as score in the metric of the calibration, or None; exactly one of the two is given.
    se : standard error of the level, in the same unit.
    source : who or what says so.
    declared : True if it follows from a ``StandardPolicy``, so that it moves with it.
    """

    percentile: float | None
    theta: float | None
    se: float
    source: str
    declared: bool = False


@dataclass(frozen=True, slots=True)
class LinkedElement:
    """An O*NET element behind a competency: its share, importance 0-100, standard error and where that comes from."""

    id: str
    name: str
    domain: str
    weight: float
    importance: float
    importance_se: float
    error_source: str


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a role asks of one competency.

    Attributes
    ----------
    competency : its id.
    importance : 0 to 100, weighted mean of the linked elements; None is "not known" (no link, or not rated).
    importance_se : its standard error.
    z, percentile : importance standardised over all occupations, and its mid-point percentile among them.
    weight : share in the composite; the weights of a profile add up to 1; None if importance is not known.
    sign : +1 more is better, -1 too much can hurt (the required level is then a ceiling).
    standard : the required level, or None.
    elements : the linked elements.
    """

    competency: str
    importance: float | None
    importance_se: float | None
    z: float | None
    percentile: float | None
    weight: float | None
    sign: int
    standard: Standard | None
    elements: tuple[LinkedElement, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class JobProfile(Tabular):
    """What one occupation asks for.

    Attributes
    ----------
    code, title : of the occupation.
    version, attribution : O*NET release, and the line that must stand where its figures are shown.
    rated : when and by whom the occupation was rated.
    requirements : one per competency.
    policy : the declared rule behind levels that no study has set.
    importance_cov : (C, C) error covariance of the requirements' importance; competencies that share an element are
        correlated. NaN where not known.
    reference : (O, C) importance of the same competencies standardised over all occupations.
    role : row of this occupation in ``reference``.
    """

    code: str
    title: str
    version: str
    attribution: str
    rated: str
    requirements: tuple[Requirement, ...]
    policy: StandardPolicy
    importance_cov: FloatArray
    reference: FloatArray
    role: int

    def __repr__(self) -> str:
        required = sum(r.standard is not None for r in self.requirements)
        return (
            f"JobProfile({self.code} {self.title}, O*NET {self.version}, {len(self.requirements)} competencies, "
            f"{required} with a required level)"
        )

    @property
    def competencies(self) -> tuple[str, ...]:
        """(C,) ids of the competencies."""
        return tuple(r.competency for r in self.requirements)

    def requirement(self, competency: str) -> Requirement:
        """Return what is asked of one competency; an unknown one raises ``ProfileError`` with the nearest names."""
        return self.requirements[self._position(competency)]

    def with_policy(self, policy: StandardPolicy) -> JobProfile:
        """Return the profile with the declared levels set by another policy; levels set by ``with_standard`` stay.

        Examples
        --------
        >>> links = {"listening": [("2.A.1.b", 1.0)], "science": [("2.A.1.f", 1.0)]}
        >>> profile = load_profile("43-4051.00", links=links)
        >>> stricter = profile.with_policy(StandardPolicy(percentile=60))
        >>> stricter.requirement("listening").standard.percentile, stricter.requirement("science").standard
        (60, None)
        """
        requirements = tuple(_declare(r, policy) for r in self.requirements)
        return replace(self, requirements=requirements, policy=policy)

    def with_standard(
        self,
        competency: str,
        *,
        percentile: float | None = None,
        theta: float | None = None,
        se: float,
        source: str,
        sign: int = 1,
    ) -> JobProfile:
        """Return the profile with a required level from a study or from subject-matter experts.

        Parameters
        ----------
        competency : its id.
        percentile, theta : the level, as percentile of the norm group or in the calibration's metric; give one.
        se : standard error of the level in that unit; 0 only for a level that is decreed, not estimated.
        source : what is printed beside every P(meets), e.g. ``modified Angoff, 9 SMEs, 2026-03``.
        sign : -1 makes the level a ceiling.

        Raises
        ------
        ProfileError : unknown competency, not exactly one level, a level out of range, negative se, empty source.

        Examples
        --------
        >>> profile = load_profile("43-4051.00", links={"listening": [("2.A.1.b", 1.0)]})
        >>> angoff = profile.with_standard("listening", theta=0.2, se=0.15, source="modified Angoff, 9 SMEs")
        >>> angoff.requirement("listening").standard.source
        'modified Angoff, 9 SMEs'
        """
        _check_standard(competency, percentile, theta, se, source, sign)
        position = self._position(competency)
        standard = Standard(percentile, theta, se, source.strip())
        changed = [*self.requirements]
        changed[position] = replace(changed[position], standard=standard, sign=sign)
        return replace(self, requirements=tuple(changed))

    def restricted_to(self, competencies: Sequence[str]) -> JobProfile:
        """Return the profile of some of its competencies, weights adding up to 1 again.

        Parameters
        ----------
        competencies : ids, in the order they shall have. Unknown or repeated ones raise ``ProfileError``.
        """
        positions = [self._position(c) for c in competencies]
        if not positions or len(set(positions)) < len(positions):
            raise ProfileError("Name at least one competency, and each one once.", [str(c) for c in competencies])
        return replace(
            self,
            requirements=_weighted([self.requirements[p] for p in positions]),
            importance_cov=self.importance_cov[np.ix_(positions, positions)],
            reference=self.reference[:, positions],
        )

    def tables(self) -> dict[str, Columns]:
        """Return ``requirements`` (a row per competency), ``elements`` (a row per O*NET link), ``about``."""
        return {
            "requirements": _requirement_columns(self.requirements),
            "elements": _element_columns(self.requirements),
            "about": {
                "field": ["code", "title", "source", "rated", "policy", "attribution"],
                "value": [
                    self.code,
                    self.title,
                    f"O*NET {self.version}",
                    self.rated,
                    self.policy.source,
                    self.attribution,
                ],
            },
        }

    def _position(self, competency: str) -> int:
        if competency not in self.competencies:
            near = difflib.get_close_matches(competency, self.competencies, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise ProfileError(
                f"The profile {self.code} has no competency '{competency}'.{hint} It has: "
                f"{', '.join(self.competencies)}."
            )
        return self.competencies.index(competency)


def load_profile(
    role: str, *, links: Links | None = None, policy: StandardPolicy | None = None, version: str = "29.3"
) -> JobProfile:
    """Load what an occupation asks for, in terms of our competencies.

    Parameters
    ----------
    role : O*NET-SOC code (``43-4051.00``) or exact title.
    links : competency -> (element id, weight) pairs; the shipped competency model if left out.
    policy : rule for required levels; ``StandardPolicy()`` if left out.
    version : O*NET release.

    Raises
    ------
    ProfileError : unknown role (the message lists the nearest), or links that name unknown elements.

    Examples
    --------
    >>> links = {"active_listening": [("2.A.1.b", 0.75), ("2.B.1.a", 0.25)], "upselling": []}
    >>> profile = load_profile("Customer Service Representatives", links=links)
    >>> profile
    JobProfile(43-4051.00 Customer Service Representatives, O*NET 29.3, 2 competencies, 1 with a required level)
    >>> profile.requirement("active_listening").importance, profile.requirement("upselling").importance
    (68.75, None)
    """
    occupations = load_occupations(version)
    position = position_of(role, occupations)
    table = competency_importance(occupations, _shipped_links() if links is None else links)
    occupation = occupations.occupations[position]
    profile = JobProfile(
        code=occupation.code,
        title=occupation.title,
        version=occupations.version,
        attribution=occupations.attribution,
        rated=occupation.rated,
        requirements=_weighted(_requirements(occupations, table, position)),
        policy=StandardPolicy(),
        importance_cov=_error_covariance(occupations, table, position),
        reference=table.z,
        role=position,
    )
    return profile.with_policy(policy or StandardPolicy())


def _shipped_links() -> Links:
    # The competency model is YAML read by pydantic: too heavy for those who bring their own links.
    from talentassess.bank.load import load_competencies

    return load_competencies().onet_weights()


def _error_covariance(occupations: Occupations, table: CompetencyImportance, position: int) -> FloatArray:
    """Return (C, C) = L diag(se^2) L', with NaN rows and columns where importance is not known."""
    variance = np.nan_to_num(occupations.importance_percent()[1][position] ** 2)
    cov: FloatArray = (table.loadings * variance) @ table.loadings.T
    unknown = np.isnan(table.importance[position])
    cov[unknown, :] = cov[:, unknown] = np.nan
    return cov


def _requirements(occupations: Occupations, table: CompetencyImportance, position: int) -> list[Requirement]:
    return [
        Requirement(
            competency=competency,
            importance=_known(table.importance[position, c]),
            importance_se=_known(table.se[position, c]),
            z=_known(table.z[position, c]),
            percentile=_known(table.percentile[position, c]),
            weight=None,
            sign=1,
            standard=None,
            elements=_linked(occupations, table.loadings[c], position),
        )
        for c, competency in enumerate(table.competencies)
    ]


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _linked(occupations: Occupations, loadings: FloatArray, position: int) -> tuple[LinkedElement, ...]:
    percent, se = occupations.importance_percent()
    order = [int(e) for e in np.argsort(-loadings, kind="stable") if loadings[e] > 0]
    return tuple(
        LinkedElement(
            id=occupations.elements[e].id,
            name=occupations.elements[e].name,
            domain=occupations.elements[e].domain,
            weight=float(loadings[e]),
            importance=float(percent[position, e]),
            importance_se=float(se[position, e]),
            error_source=ERROR_SOURCES[occupations.error_source[position, e]],
        )
        for e in order
    )


def _weighted(requirements: Sequence[Requirement]) -> tuple[Requirement, ...]:
    """Set the weights in proportion to importance (0-100), over the competencies whose importance is known."""
    total = sum(r.importance for r in requirements if r.importance is not None)
    return tuple(
        replace(r, weight=None if r.importance is None or total <= 0 else r.importance / total) for r in requirements
    )


def _declare(requirement: Requirement, policy: StandardPolicy) -> Requirement:
    if requirement.standard is not None and not requirement.standard.declared:
        return requirement
    importance, percentile = requirement.importance, requirement.percentile
    required = importance is not None and percentile is not None and policy.requires(percentile, importance)
    standard = Standard(policy.percentile, None, 0.0, policy.source, declared=True) if required else None
    return replace(requirement, standard=standard)


def _check_standard(
    competency: str, percentile: float | None, theta: float | None, se: float, source: str, sign: int
) -> None:
    problems = []
    if (percentile is None) == (theta is None):
        problems.append("give either percentile= or theta=, not both and not neither")
    if percentile is not None and not 0 < percentile < 100:
        problems.append(f"percentile {percentile}: must lie between 0 and 100")
    if theta is not None and not np.isfinite(theta):
        problems.append(f"theta {theta}: must be a number")
    if not (np.isfinite(se) and se >= 0):
        problems.append(f"se {se}: must be 0 or more")
    if not source.strip():
        problems.append("source is empty: say who set the level, how and when")
    if sign not in (1, -1):
        problems.append(f"sign {sign}: must be 1 (a floor) or -1 (a ceiling)")
    if problems:
        raise ProfileError(f"The required level of '{competency}' cannot be used.", problems)


def _requirement_columns(requirements: Sequence[Requirement]) -> Columns:
    standards = [r.standard for r in requirements]
    return {
        "competency": [r.competency for r in requirements],
        "importance": [r.importance for r in requirements],
        "importance_se": [r.importance_se for r in requirements],
        "z_over_occupations": [r.z for r in requirements],
        "percentile_over_occupations": [r.percentile for r in requirements],
        "weight": [r.weight for r in requirements],
        "sign": [r.sign for r in requirements],
        "required_percentile": [s.percentile if s else None for s in standards],
        "required_theta": [s.theta if s else None for s in standards],
        "required_se": [s.se if s else None for s in standards],
        "level_source": [s.source if s else "no required level" for s in standards],
        "elements": [", ".join(f"{e.name} ({e.weight:.0%})" for e in r.elements) or "not linked" for r in requirements],
    }


def _element_columns(requirements: Sequence[Requirement]) -> Columns:
    rows = [(r.competency, e) for r in requirements for e in r.elements]
    return {
        "competency": [competency for competency, _ in rows],
        "element_id": [e.id for _, e in rows],
        "element": [e.name for _, e in rows],
        "domain": [e.domain for _, e in rows],
        "weight": [e.weight for _, e in rows],
        "importance": [e.importance for _, e in rows],
        "importance_se": [e.importance_se for _, e in rows],
        "error_source": [e.error_source for _, e in rows],
    }

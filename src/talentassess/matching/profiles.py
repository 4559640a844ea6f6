"""Role profiles: how much each competency matters in an occupation, and which level is required, on whose word."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
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
    weight : share in the composite, in proportion to importance times emphasis; the weights of a profile add up to 1;
        None if importance is not known.
    emphasis : factor on the weight in this role context; 1 is the occupation at large.
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
    emphasis: float = 1.0


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
    context : the role context whose emphasis the weights carry, and in brackets whose judgement it is.
    left_out : competencies with a required level that ``restricted_to`` took out: nothing is said about them.
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
    context: str = "general"
    left_out: tuple[str, ...] = ()

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

    def with_emphasis(self, factors: Mapping[str, float], *, context: str) -> JobProfile:
        """Return the profile with weights for the setting in which the role is practised.

        Importance and required levels stay as they are: what O*NET found does not change, only what the composite
        makes of it.

        Parameters
        ----------
        factors : competency -> factor on its weight, above 0; competencies of other profiles are passed over.
        context : what is printed: the setting, and whose judgement the factors are.

        Raises
        ------
        ProfileError : a factor that is not a positive number.

        Examples
        --------
        >>> links = {"listening": [("2.A.1.b", 1.0)], "selling": [("2.B.1.c", 1.0)]}
        >>> shop = load_profile("41-2031.00", links=links).with_emphasis({"selling": 2.0}, context="shop (SMEs, n = 8)")
        >>> [round(r.weight, 2) for r in shop.requirements]
        [0.32, 0.68]
        """
        wrong = [f"{name}: {value}" for name, value in factors.items() if not (np.isfinite(value) and value > 0)]
        if wrong:
            raise ProfileError("A factor of emphasis must be a number above 0.", wrong)
        fitted = [replace(r, emphasis=float(factors.get(r.competency, 1.0))) for r in self.requirements]
        return replace(self, requirements=_weighted(fitted), context=context)

    def restricted_to(self, competencies: Sequence[str]) -> JobProfile:
        """Return the profile of some of its competencies, weights adding up to 1 again.

        Competencies with a required level that are not among them are kept in ``left_out``, and ``match`` names them.

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
            left_out=(*self.left_out, *self._required_outside(positions)),
        )

    def _required_outside(self, positions: Sequence[int]) -> list[str]:
        return [r.competency for p, r in enumerate(self.requirements) if p not in positions and r.standard is not None]

    def tables(self) -> dict[str, Columns]:
        """Return ``requirements`` (a row per competency), ``elements`` (a row per O*NET link), ``about``."""
        return {
            "requirements": _requirement_columns(self.requirements),
            "elements": _element_columns(self.requirements),
            "about": {
                "field": ["code", "title", "context", "source", "rated", "policy", "attribution"],
                "value": [
                    self.code,
                    self.title,
                    self.context,
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
    role: str,
    *,
    context: str = "general",
    links: Links | None = None,
    policy: StandardPolicy | None = None,
    version: str = "29.3",
) -> JobProfile:
    """Load what an occupation asks for, in terms of our competencies.

    Parameters
    ----------
    role : O*NET-SOC code (``43-4051.00``) or exact title.
    context : ``corner_store`` or ``call_centre`` shift the weights by the shipped judgement of what counts there
        (``items/contexts.yaml``); ``general`` leaves them as importance has them.
    links : competency -> (element id, weight) pairs; the shipped competency model if left out.
    policy : rule for required levels; ``StandardPolicy()`` if left out.
    version : O*NET release.

    Raises
    ------
    ProfileError : unknown role (the message lists the nearest), or links that name unknown elements.
    ContentError : unknown context.

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
    profile = profile.with_policy(policy or StandardPolicy())
    return profile if context == "general" else _in_context(profile, context)


def _in_context(profile: JobProfile, context: str) -> JobProfile:
    from talentassess.bank.load import load_contexts  # YAML read by pydantic: only for those who name a context

    contexts = load_contexts()
    chosen = contexts.context(context)
    return profile.with_emphasis(chosen.factors, context=f"{chosen.name.lower()} ({contexts.source})")


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
    """Set the weights in proportion to importance (0-100) times emphasis, where importance is known."""
    parts = [None if r.importance is None else r.importance * r.emphasis for r in requirements]
    total = sum(part for part in parts if part is not None)
    return tuple(
        replace(r, weight=None if part is None or total <= 0 else part / total)
        for r, part in zip(requirements, parts, strict=True)
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
        "emphasis": [r.emphasis for r in requirements],
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

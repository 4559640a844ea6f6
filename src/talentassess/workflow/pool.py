"""The HR analyst's job: compare a pool of applicants with a role, and say how sure each statement is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talentassess.bank.schema import ItemBank, SituationalItem
from talentassess.core.errors import DataError
from talentassess.core.provenance import Provenance
from talentassess.core.responses import Responses
from talentassess.core.scores import Scores
from talentassess.core.tabular import Columns, Tabular
from talentassess.ctt import analyze_items
from talentassess.ctt.moments import pairwise_moments
from talentassess.matching import JobProfile, Matches, match
from talentassess.norming import NormedScores, NormSettings, NormTable


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodAgreement:
    """How far self-report and situational items of one scale agree in this sample.

    Attributes
    ----------
    scale : label.
    n_self_report, n_situational : items of each method.
    alpha_self_report, alpha_situational : coefficient alpha of each method's items; None if it does not exist.
    n_persons : who answered items of both methods.
    r : correlation of the two methods' sum scores.
    r_lower, r_upper : its 95 % interval (Fisher z); NaN with fewer than four persons.
    r_disattenuated : r / sqrt(alpha alpha); None where an alpha is not positive. Above 1 it says that the alphas
        understate reliability or the sample is small.
    """

    scale: str
    n_self_report: int
    n_situational: int
    alpha_self_report: float | None
    alpha_situational: float | None
    n_persons: int
    r: float
    r_lower: float
    r_upper: float
    r_disattenuated: float | None


@dataclass(frozen=True, eq=False, kw_only=True)
class PoolComparison(Tabular):
    """A pool of applicants against one role.

    Attributes
    ----------
    scores : of the applicants; norms : of the norm group; normed : the applicants' standard scores.
    matches : probabilities, ranks and verdicts against the role's profile.
    agreement : of the two methods per competency, if the answers were given.
    """

    scores: Scores
    norms: NormTable
    normed: NormedScores
    matches: Matches
    agreement: tuple[MethodAgreement, ...] = ()

    def __repr__(self) -> str:
        return f"PoolComparison({self.matches!r})"

    @property
    def provenance(self) -> Provenance:
        """Of scores, norms and profile together."""
        return self.matches.provenance

    def tables(self) -> dict[str, Columns]:
        """Return the tables of the match, ``normed`` scores and ``methods`` (agreement of methods)."""
        names = MethodAgreement.__slots__
        return {
            **self.matches.tables(),
            "normed": self.normed.tables()["normed"],
            "methods": {name: [getattr(row, name) for row in self.agreement] for name in names},
        }


def compare_pool(
    scores: Scores,
    profile: JobProfile,
    norms: NormTable,
    *,
    responses: Responses | None = None,
    bank: ItemBank | None = None,
    confidence: float = 0.90,
    seed: int = 1,
) -> PoolComparison:
    """Compare applicants with a role profile.

    Parameters
    ----------
    scores : of the applicants; dimensions bear the ids of competencies.
    profile : from ``load_profile``.
    norms : norms of the same scales; they give the required levels their place on the score scale.
    responses, bank : the applicants' answers and their bank; with both, the agreement of self-report and situational
        items is reported before they are taken as one score.
    confidence : of verdicts and intervals.
    seed : of the draws behind ranks and joint probabilities.

    Raises
    ------
    ProfileError, NormError : a required competency without scores, or a scale without norms.

    Examples
    --------
    >>> import talentassess as ta
    >>> bank = ta.load_bank("service_core")
    >>> pilot, people = ta.simulate(bank, 300, seed=1), ta.simulate(bank, 20, seed=2)
    >>> calibration = ta.calibrate(pilot, se=None)
    >>> scores = ta.score(calibration, pilot)
    >>> card = ta.norm_card(scores, population="nobody", sample="SIMULATED pilot", collected=("2025", "2025"))
    >>> norms = ta.fit_norms(scores, card=card)
    >>> role = ta.load_profile("43-4051.00").restricted_to(bank.scale_ids)
    >>> pool = ta.compare_pool(ta.score(calibration, people), role, norms)
    >>> pool.matches.p_meets.shape
    (20, 5)
    """
    agreement = () if responses is None or bank is None else method_agreement(responses, bank)
    return PoolComparison(
        scores=scores,
        norms=norms,
        normed=norms.apply(scores, settings=NormSettings(confidence=confidence)),
        matches=match(scores, profile, norms=norms, confidence=confidence, seed=seed),
        agreement=agreement,
    )


def method_agreement(responses: Responses, bank: ItemBank) -> tuple[MethodAgreement, ...]:
    """Correlate self-report and situational items of each scale that has both, with and without attenuation.

    Equation: r / sqrt(alpha_1 alpha_2) (Spearman 1904). Missing answers: pairwise covariances, as in the item analysis.
    """
    kind = {item.id: "situational" if isinstance(item, SituationalItem) else "self_report" for item in bank.items}
    unknown = [item for item in responses.item_ids if item not in kind]
    if unknown:
        raise DataError(
            f"The bank '{bank.id}' has no item(s) {', '.join(unknown[:8])}; give the bank of these answers."
        )
    found = []
    for scale in responses.scale_names:
        items = responses.items_of(scale)
        parts = {name: [i for i in items if kind[i] == name] for name in ("self_report", "situational")}
        if all(len(part) > 1 for part in parts.values()):
            found.append(_agreement(responses, scale, parts["self_report"], parts["situational"]))
    return tuple(found)


def _agreement(responses: Responses, scale: str, first: Sequence[str], second: Sequence[str]) -> MethodAgreement:
    both = responses.select([*first, *second])
    weight = np.ones(both.n_persons) if both.weight is None else both.weight
    cov = pairwise_moments(both.x, weight).cov
    k = len(first)
    r = float(cov[:k, k:].sum() / np.sqrt(cov[:k, :k].sum() * cov[k:, k:].sum()))
    n = int(np.sum(both.answered[:, :k].any(axis=1) & both.answered[:, k:].any(axis=1)))
    lower, upper = _fisher_interval(r, n)
    alphas = [analyze_items(responses.select(part)).scales[0].alpha for part in (first, second)]
    known = [alpha for alpha in alphas if alpha is not None and alpha > 0]
    return MethodAgreement(
        scale=scale,
        n_self_report=len(first),
        n_situational=len(second),
        alpha_self_report=alphas[0],
        alpha_situational=alphas[1],
        n_persons=n,
        r=r,
        r_lower=lower,
        r_upper=upper,
        r_disattenuated=r / float(np.sqrt(np.prod(known))) if len(known) == 2 else None,
    )


def _fisher_interval(r: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a correlation of n persons: tanh(artanh r -+ 1.96 / sqrt(n - 3)) (Fisher 1921)."""
    if n < 4 or not abs(r) < 1:
        return float("nan"), float("nan")
    half = 1.959964 / np.sqrt(n - 3)
    return float(np.tanh(np.arctanh(r) - half)), float(np.tanh(np.arctanh(r) + half))

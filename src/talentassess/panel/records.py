"""What a review of a panel returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from talentassess.core.errors import DataError
from talentassess.core.provenance import Provenance
from talentassess.core.status import Finding, finding_columns
from talentassess.core.tabular import Columns, Tabular
from talentassess.panel.ratings import ExpertRatings
from talentassess.panel.settings import PanelSettings

Verdict = Literal["accept", "discuss", "rework"]
VERDICTS: tuple[Verdict, ...] = ("accept", "discuss", "rework")


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionConsensus:
    """What the panel says of one option. None where too few experts rated it.

    Attributes
    ----------
    item, option : ids. n : experts who rated it.
    mean, median, sd : of their ratings, 1 (harmful) to 5 (best).
    se : standard error of the mean, sd / sqrt(n).
    lower, upper : interval of the mean by Student's t, cut at the ends of the scale.
    p_best : probability that the panel would put it first, by bootstrap over experts.
    key : the bank's effectiveness; ``difference`` mean - key; ``excludes_key`` True if the interval leaves it out.
    """

    item: str
    option: str
    n: int
    mean: float | None
    median: float | None
    sd: float | None
    se: float | None
    lower: float | None
    upper: float | None
    p_best: float | None
    key: float | None
    difference: float | None
    excludes_key: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemConsensus:
    """What the panel says of one item. None where it does not apply or too few experts rated it.

    Attributes
    ----------
    item, scale, method : of the item.
    n_effectiveness : fewest experts of any of its options; n_relevance : experts who rated its relevance.
    rwg : 1 - mean variance of the options / variance of a uniform null, not below 0: agreement on one option.
    rwg_j : rwg(J) of the J options together (James, Demaree & Wolf 1984); it grows with J even if agreement does not.
    icc, icc_k : ICC(2,1) and ICC(2,k) of the experts over the options: one expert, the panel's mean.
    w, w_p : Kendall's W and the p of its test.
    i_cvi, kappa : share of experts who find it relevant, and kappa modified for chance.
    cvr, cvr_critical : content validity ratio of "essential", and its critical value.
    best, worst : options with the highest and the lowest mean; p_best : probability that ``best`` is best.
    key_source : of the bank's key. rank_r : Spearman correlation of the means with it.
    best_agrees, worst_agrees : True if the panel's best (worst) options are among the key's.
    off_key : options whose interval leaves out the key. largest_difference : the largest |mean - key|.
    verdict : accept, discuss or rework, by ``PanelSettings``; ``reasons`` says why.
    """

    item: str
    scale: str
    method: str
    n_effectiveness: int
    n_relevance: int
    rwg: float | None
    rwg_j: float | None
    icc: float | None
    icc_k: float | None
    w: float | None
    w_p: float | None
    i_cvi: float | None
    kappa: float | None
    cvr: float | None
    cvr_critical: float | None
    best: tuple[str, ...]
    worst: tuple[str, ...]
    p_best: float | None
    key_source: str | None
    rank_r: float | None
    best_agrees: bool | None
    worst_agrees: bool | None
    off_key: tuple[str, ...]
    largest_difference: float | None
    verdict: Verdict
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertAgreement:
    """How one expert stands to the others. None without ratings to compare.

    Attributes
    ----------
    expert : name. n_effectiveness, n_relevance, n_essential : ratings given.
    expert_rest : correlation with the mean of the other experts over the options.
    severity : mean difference from the others over the options, points; negative is severe.
    relevance : mean relevance rating. essential : share of items called essential.
    """

    expert: str
    n_effectiveness: int
    n_relevance: int
    n_essential: int
    expert_rest: float | None
    severity: float | None
    relevance: float | None
    essential: float | None


@dataclass(frozen=True, eq=False, kw_only=True)
class PanelReview(Tabular):
    """Result of ``review_panel``.

    Attributes
    ----------
    items, options, experts : records; ``review["ow_sj_01"]`` picks an item.
    s_cvi_ave : mean I-CVI of the items; s_cvi_ua : share of items that all experts find relevant. None without ratings.
    icc, icc_k : ICC(2,1) and ICC(2,k) over all options, with 95 % limits; of experts who rated all of them, or of
        options that all rated, whichever keeps more (a finding says what is left out); None if that leaves too little.
    median_rwg : over the situational items.
    findings : read them before the numbers.
    settings : the limits of the verdicts. ratings : what the review rests on. provenance : of the ratings.
    """

    items: tuple[ItemConsensus, ...]
    options: tuple[OptionConsensus, ...]
    experts: tuple[ExpertAgreement, ...]
    s_cvi_ave: float | None
    s_cvi_ua: float | None
    icc: float | None
    icc_lower: float | None
    icc_upper: float | None
    icc_k: float | None
    icc_k_lower: float | None
    icc_k_upper: float | None
    median_rwg: float | None
    findings: tuple[Finding, ...]
    settings: PanelSettings
    ratings: ExpertRatings
    provenance: Provenance

    def __repr__(self) -> str:
        counts = ", ".join(f"{self.count(verdict)} {verdict}" for verdict in VERDICTS)
        return (
            f"PanelReview({len(self.experts)} experts, {len(self.items)} items: {counts}; {len(self.findings)} "
            f"finding(s), {self.provenance.label})"
        )

    def __getitem__(self, item: str) -> ItemConsensus:
        found = [row for row in self.items if row.item == item]
        if not found:
            raise DataError(f"The panel was not asked about an item '{item}'; see review.ratings.items.")
        return found[0]

    def count(self, verdict: Verdict) -> int:
        """Return how many items have this verdict."""
        return sum(row.verdict == verdict for row in self.items)

    def options_of(self, item: str) -> tuple[OptionConsensus, ...]:
        """Return the options of one item, in its order."""
        return tuple(row for row in self.options if row.item == item)

    def tables(self) -> dict[str, Columns]:
        """Return ``items``, ``options``, ``experts``, ``summary``, ``settings``, ``comments`` and ``findings``."""
        icc = ("icc", "icc_lower", "icc_upper", "icc_k", "icc_k_lower", "icc_k_upper")
        summary = ("s_cvi_ave", "s_cvi_ua", *icc, "median_rwg")
        rows = self.settings.rows()
        return {
            "items": {name: [_plain(getattr(row, name)) for row in self.items] for name in ItemConsensus.__slots__},
            "options": {name: [getattr(row, name) for row in self.options] for name in OptionConsensus.__slots__},
            "experts": {name: [getattr(row, name) for row in self.experts] for name in ExpertAgreement.__slots__},
            "summary": {"statistic": list(summary), "value": [getattr(self, name) for name in summary]},
            "settings": {name: [row[k] for row in rows] for k, name in enumerate(("setting", "value", "source"))},
            "comments": self.ratings.tables()["comments"],
            "findings": finding_columns(self.findings),
        }


def _plain(value: object) -> object:
    return "; ".join(value) if isinstance(value, tuple) else value

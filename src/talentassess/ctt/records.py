"""What an item analysis returns: statistics per item, scale and category, and what to know before using them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from talentassess.core.errors import DataError
from talentassess.core.provenance import Provenance
from talentassess.core.status import Finding, finding_columns
from talentassess.core.tabular import Columns, Tabular


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemStatistics:
    """One item. A statistic that does not exist is None, and a finding of the analysis says why.

    Attributes
    ----------
    item, scale : labels.
    categories : number of categories the item declares, K.
    reverse_keyed : True if the codes were turned round when they were read.
    n : persons who answered.
    missing : share of persons who did not.
    mean, sd : of the codes 0..K-1; sd with ddof 1.
    p : mean / (K - 1); for a dichotomous item the proportion of ones.
    item_total : correlation with the sum score, the item included.
    item_rest : correlation with the sum of the other items (corrected item-total correlation).
    alpha_without : alpha of the scale without this item.
    floor, ceiling : share of answers in the lowest and in the highest declared category.
    median_seconds : median response time in seconds, if times are known.
    """

    item: str
    scale: str
    categories: int
    reverse_keyed: bool
    n: int
    missing: float
    mean: float | None
    sd: float | None
    p: float | None
    item_total: float | None
    item_rest: float | None
    alpha_without: float | None
    floor: float | None
    ceiling: float | None
    median_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleStatistics:
    """One scale's sum score, in points of its codes. What does not exist is None, and a finding says why.

    Attributes
    ----------
    scale : label.
    n_persons : persons with at least one answer; ``n_complete`` of them answered every item.
    n_items : items of the scale; ``n_used`` of them have variance and enter what follows.
    mean, sd : of the sum score of the used items; with missing answers from item means and pairwise covariances.
    alpha : coefficient alpha, its confidence limits (Feldt) in ``alpha_low`` and ``alpha_high``.
    alpha_standardised : alpha of the items' correlations.
    omega : omega total of the sum score; one factor, minimum residuals.
    omega_standardised : omega total of the sum of standardised items.
    split_half : odd-even split-half (Guttman's lambda 4 of that split).
    sem : standard error of measurement, sd sqrt(1 - alpha).
    mean_inter_item : mean correlation between two items.
    confidence : of the limits of alpha.
    """

    scale: str
    n_persons: int
    n_complete: int
    n_items: int
    n_used: int
    mean: float | None
    sd: float | None
    alpha: float | None
    alpha_low: float | None
    alpha_high: float | None
    alpha_standardised: float | None
    omega: float | None
    omega_standardised: float | None
    split_half: float | None
    sem: float | None
    mean_inter_item: float | None
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryStatistics:
    """One category of an item, or one option of a situational item.

    Attributes
    ----------
    item : label. ``pick`` tells kinds of choices apart (most, least); "" for scored answers.
    category : code 0..K-1, or option position; ``label`` is its name.
    n : persons who chose it; ``share`` of those who answered, weighted if there are weights.
    rest_r : point-biserial correlation of choosing it with the rest score; None if nobody or everybody chose it.
    mean_score : mean rest score of those who chose it; None if nobody did.
    """

    item: str
    pick: str
    category: int
    label: str
    n: int
    share: float
    rest_r: float | None
    mean_score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupShare:
    """How often a score group chose a category: one point of an empirical option trace line.

    Attributes
    ----------
    item, pick, category, label : as in ``CategoryStatistics``.
    group : 1 (lowest rest scores) .. G; a group that ties leave empty has no row.
    n : persons of the group who answered the item.
    share : share of them who chose the category, weighted if there are weights.
    """

    item: str
    pick: str
    category: int
    label: str
    group: int
    n: int
    share: float


@dataclass(frozen=True, eq=False, kw_only=True)
class ItemAnalysis(Tabular):
    """Result of ``analyze_items``: every scale on its own.

    Attributes
    ----------
    scales : one record per scale; ``analysis["ownership"]`` picks one.
    item_statistics : one record per item, in the order of the answers; ``analysis.item("q1")`` picks one.
    categories : one record per item and category.
    options : one record per item, category and score group.
    findings : flags, each with its reason and remedy.
    provenance : where the answers came from.
    """

    scales: tuple[ScaleStatistics, ...]
    item_statistics: tuple[ItemStatistics, ...]
    categories: tuple[CategoryStatistics, ...]
    options: tuple[GroupShare, ...]
    findings: tuple[Finding, ...]
    provenance: Provenance

    def __repr__(self) -> str:
        alphas = ", ".join(f"{s.scale} {s.alpha:.3f}" for s in self.scales if s.alpha is not None)
        return (
            f"ItemAnalysis({len(self.item_statistics)} items, alpha: {alphas or 'none'}; "
            f"{len(self.findings)} finding(s), {self.provenance.label})"
        )

    def __getitem__(self, scale: str) -> ScaleStatistics:
        found = [s for s in self.scales if s.scale == scale]
        if not found:
            names = ", ".join(s.scale for s in self.scales)
            raise DataError(f"There is no scale '{scale}' in this analysis; the scales are: {names}.")
        return found[0]

    def item(self, item: str) -> ItemStatistics:
        """Return one item's statistics; an unknown item raises ``DataError``."""
        found = [i for i in self.item_statistics if i.item == item]
        if not found:
            names = ", ".join(i.item for i in self.item_statistics[:12])
            raise DataError(f"Unknown item '{item}'. Analysed: {names} ...")
        return found[0]

    @property
    def alpha(self) -> float | None:
        """Alpha of the only scale; with several scales ``DataError`` says how to pick one."""
        if len(self.scales) > 1:
            names = ", ".join(s.scale for s in self.scales)
            raise DataError(
                f"There are {len(self.scales)} scales, each with its own alpha. Pick one, e.g. "
                f"analysis['{self.scales[0].scale}'].alpha; the scales are: {names}."
            )
        return self.scales[0].alpha

    @property
    def items(self) -> Columns:
        """The item table, one row per item."""
        return self.tables()["items"]

    def tables(self) -> dict[str, Columns]:
        """Return ``items``, ``scales``, ``categories``, ``options`` (shares per score group) and ``findings``."""
        return {
            "items": record_columns(self.item_statistics, ItemStatistics),
            "scales": record_columns(self.scales, ScaleStatistics),
            "categories": record_columns(self.categories, CategoryStatistics),
            "options": record_columns(self.options, GroupShare),
            "findings": finding_columns(self.findings),
        }


Record = ItemStatistics | ScaleStatistics | CategoryStatistics | GroupShare


def record_columns(records: Sequence[Record], kind: type[Record]) -> Columns:
    """Return records of one kind as columns, in the order of the fields."""
    return {field.name: [getattr(record, field.name) for record in records] for field in fields(kind)}

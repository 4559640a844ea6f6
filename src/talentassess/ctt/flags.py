"""When a statistic deserves a second look, and what to do then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from talentassess.core.status import Finding, Severity, gravest_first
from talentassess.ctt.records import CategoryStatistics, ItemStatistics


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagRules:
    """Thresholds of the item flags. A flag asks for a look at the item; it never removes one.

    Attributes
    ----------
    item_rest : smallest item-rest correlation that raises no flag: .20 (Ebel & Frisbie 1991 call items below it poor).
    alpha_gain : smallest rise of alpha on deletion that is flagged: .005, the smallest that can show in two decimals
        (house rule).
    extreme_dichotomous : largest share of answers in one category of a dichotomous item: .95 (house rule).
    extreme_graded : largest share of answers in the lowest or highest category of a graded item: .80 (house rule).
    missing : largest share of missing answers: .10 (Bennett 2001: above it, analyses of the rest are likely biased).
    """

    item_rest: float = 0.20
    alpha_gain: float = 0.005
    extreme_dichotomous: float = 0.95
    extreme_graded: float = 0.80
    missing: float = 0.10

    def extreme(self, categories: int) -> float:
        """Return the largest tolerated share in an end category of an item with that many categories."""
        return self.extreme_dichotomous if categories == 2 else self.extreme_graded


def item_findings(
    item: ItemStatistics, categories: Sequence[CategoryStatistics], alpha: float | None, rules: FlagRules
) -> list[Finding]:
    """Return the flags of one item of a scale with that alpha, worst first."""
    found = [*_discrimination(item, rules), *_distribution(item, categories, rules), *_scale_effect(item, alpha, rules)]
    return list(gravest_first(found))


def _discrimination(item: ItemStatistics, rules: FlagRules) -> Iterator[Finding]:
    r = item.item_rest
    if r is not None and r < 0:
        turned = "was turned round when read (was the file already keyed?)" if item.reverse_keyed else "is not reversed"
        yield Finding(
            "negative_item_rest",
            Severity.PROBLEM,
            item.item,
            f"Item-rest correlation {r:.2f} on scale '{item.scale}': people high on the other items score low on it.",
            f"Check its key first; it {turned}. Otherwise read its wording, and drop it if nothing explains this.",
        )
    elif r is not None and r < rules.item_rest:
        yield Finding(
            "low_item_rest",
            Severity.WARNING,
            item.item,
            f"Item-rest correlation {r:.2f} on scale '{item.scale}' is below {rules.item_rest:.2f}.",
            "Read the item: is it about this scale, and does it say one thing only? Revise or replace it.",
        )


def _distribution(
    item: ItemStatistics, categories: Sequence[CategoryStatistics], rules: FlagRules
) -> Iterator[Finding]:
    if item.missing > rules.missing and item.n:
        yield Finding(
            "many_missing",
            Severity.WARNING,
            item.item,
            f"{100 * item.missing:.1f} % of the persons gave no answer (flagged above {100 * rules.missing:.0f} %).",
            "Find out why: late position, unclear wording, or a question people do not want to answer.",
        )
    if not item.sd:
        yield from _without_variance(item)
        return
    yield from _extreme(item, rules)
    unused = [row.label for row in categories if row.n == 0]
    if unused:
        yield Finding(
            "unused_category",
            Severity.WARNING,
            item.item,
            f"Nobody used categor{'y' if len(unused) == 1 else 'ies'} {', '.join(unused)} of its {item.categories}.",
            "Its share is 0 and its correlation undefined; expect no threshold estimate there. Declare fewer "
            "categories only if the answer format had fewer.",
        )


def _without_variance(item: ItemStatistics) -> Iterator[Finding]:
    if item.n == 0:
        yield Finding(
            "unanswered_item",
            Severity.PROBLEM,
            item.item,
            "Nobody answered it, so it has no statistics and is left out of its scale's.",
            "Check the column name in the table, or leave the item out.",
        )
        return
    alike = "gave the same answer" if item.n > 1 else "answered it (one person)"
    yield Finding(
        "constant_item",
        Severity.PROBLEM,
        item.item,
        f"Everybody who answered {alike}: no variance, no correlations; it is left out of its scale's statistics.",
        "Check that the column was read and keyed as meant; an item that all answer alike tells nobody apart.",
    )


def _extreme(item: ItemStatistics, rules: FlagRules) -> Iterator[Finding]:
    limit = rules.extreme(item.categories)
    ends = (("floor", item.floor, "lowest", "milder"), ("ceiling", item.ceiling, "highest", "more demanding"))
    for code, share, end, direction in ends:
        if share is not None and share > limit:
            yield Finding(
                code,
                Severity.WARNING,
                item.item,
                f"{100 * share:.0f} % of the answers are in the {end} category (flagged above {100 * limit:.0f} %).",
                f"It tells few people apart: make it {direction}, unless it is meant for the few.",
            )


def _scale_effect(item: ItemStatistics, alpha: float | None, rules: FlagRules) -> Iterator[Finding]:
    if alpha is None or item.alpha_without is None or item.alpha_without - alpha < rules.alpha_gain:
        return
    yield Finding(
        "alpha_rises_without",
        Severity.NOTE,
        item.item,
        f"Alpha of scale '{item.scale}' rises from {alpha:.3f} to {item.alpha_without:.3f} without it.",
        "Do not drop it for this alone: check what content the scale would lose, and whether new data show the rise.",
    )

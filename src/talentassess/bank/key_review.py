"""Review the keys of a bank: reverse-keyed share, unkeyed items, and whether an option's look gives the key away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from talentassess.bank.keys import KEY_REMEDY, situational_key
from talentassess.bank.review import Statistic, note, warning
from talentassess.bank.schema import ItemBank, SituationalItem
from talentassess.core.arrays import FloatArray
from talentassess.core.status import Finding

REVERSED_SHARE = (0.40, 0.50)
ALPHA = 0.05  # chance alone produces the pattern less often than this
STRONG = 0.30  # |correlation| of option length with effectiveness that a test-wise person could use
SPREAD = 2.0  # smallest difference in effectiveness between best and worst that separates people


def key_reviews(bank: ItemBank) -> Iterator[Finding | Statistic]:
    """Yield statistics and findings about reverse keys and situational keys."""
    yield from _reversed_share(bank)
    keyed = [item for item in bank.situational if item.keyed]
    for item in bank.situational:
        yield from _key_of_one(item)
    yield from _best_is_longest(bank.id, [item for item in keyed if _lengths(item) is not None])
    yield from _length_correlation(bank.id, [item for item in keyed if _lengths(item) is not None])
    yield from _best_position(bank.id, keyed)


def _reversed_share(bank: ItemBank) -> Iterator[Finding | Statistic]:
    low, high = REVERSED_SHARE
    for scale in bank.scale_ids:
        items = [item for item in bank.self_report if item.scale == scale]
        if not items:
            continue
        count = sum(item.reverse for item in items)
        yield Statistic("share reverse-keyed", scale, count / len(items), f"{low:.0%} to {high:.0%}")
        if not low <= count / len(items) <= high:
            # the wording of external items is not ours to balance
            report = note if all(item.status == "external" for item in items) else warning
            found = f"{count} of {len(items)} statements are reverse-keyed; {low:.0%} to {high:.0%} is the aim"
            yield report("key_balance", scale, found, "Agreeing with everything shifts the score: balance the keys.")


def _key_of_one(item: SituationalItem) -> Iterator[Finding]:
    if not item.keyed:
        yield warning("unkeyed", item.id, "has no key and cannot be scored.", KEY_REMEDY)
        return
    key = situational_key(item)
    ends = {"best": key.best, "worst": key.worst if item.format == "most_least" else ()}
    for end, options in ends.items():
        if item.format in ("pick_best", "most_least") and len(options) > 1:
            found = f"options {', '.join(options)} share the {end} effectiveness"
            yield warning("tied_key", item.id, found, f"Make one option the {end}, or choose another format.")
    if item.format == "rank" and len(set(key.effectiveness)) < len(key.effectiveness):
        yield note("tied_ranks", item.id, "some options are tied in the key; their order is not scored", "Untie them.")
    spread = max(key.effectiveness) - min(key.effectiveness)
    if spread < SPREAD:
        found = f"effectiveness spreads over {spread:.2g} points only; {SPREAD:g} or more separate people"
        yield warning("narrow_key", item.id, found, "Write a better best option or a worse worst one.")
    bare = [option.id for option in item.options if option.rationale is None and option.text is not None]
    if bare:
        found = f"no rationale is given for option(s) {', '.join(bare)}"
        yield warning("missing_rationale", item.id, found, "Say in one line why each option is as effective as keyed.")


def _lengths(item: SituationalItem) -> list[int] | None:
    """Return the options' lengths in characters, None if their wording is not published."""
    texts = [option.text for option in item.options if option.text is not None]
    return [len(text) for text in texts] if len(texts) == len(item.options) else None


def _best_is_longest(bank_id: str, items: Sequence[SituationalItem]) -> Iterator[Finding | Statistic]:
    """Compare how often the best option is the longest with chance (1/n per item, one-sided exact)."""
    hits, chances = 0, []
    for item in items:
        lengths = _lengths(item) or []
        longest = [o for o, n in zip(item.option_ids, lengths, strict=True) if n == max(lengths)]
        best = situational_key(item).best
        hits += len(longest) == 1 and longest[0] in best
        chances.append(len(best) / len(lengths))
    if not items:
        return
    expected, tail = sum(chances), upper_tail(hits, chances)
    yield Statistic("items whose best option is the longest", bank_id, hits, f"about {expected:.1f} by chance")
    if hits > expected and tail < ALPHA:
        chance = f"chance gives {expected:.1f} (p = {tail:.3f})"
        found = f"the best option is the longest in {hits} of {len(items)} items; {chance}"
        yield warning("best_is_longest", bank_id, found, "Lengthen some other options or shorten the best ones.")


def _length_correlation(bank_id: str, items: Sequence[SituationalItem]) -> Iterator[Finding | Statistic]:
    """Correlate length and effectiveness within items (both centred on their item's mean)."""
    length = np.concatenate([_centred(_lengths(item) or []) for item in items] or [np.empty(0)])
    value = np.concatenate([_centred(item.effectiveness) for item in items] or [np.empty(0)])
    scatter = float(np.sqrt(np.sum(length**2) * np.sum(value**2)))
    if scatter == 0:
        return
    r, df = float(np.sum(length * value)) / scatter, len(length) - len(items)
    yield Statistic("within-item correlation of option length and effectiveness", bank_id, r, "near 0")
    if abs(r) >= STRONG and abs(r) * np.sqrt(df) > 1.96:  # large-sample test: under independence SE(r) is 1/sqrt(df)
        found = f"within items, option length and effectiveness correlate {r:.2f}; |r| of {STRONG:.2f} is a usable cue"
        yield warning("length_gives_key_away", bank_id, found, "Even out the lengths of good and poor options.")


def _centred(values: Sequence[float]) -> FloatArray:
    array: FloatArray = np.asarray(values, dtype=np.float64)
    centred: FloatArray = array - array.mean()
    return centred


def _best_position(bank_id: str, items: Sequence[SituationalItem]) -> Iterator[Finding | Statistic]:
    """Compare how often each place holds the best option with chance (one-sided exact, Bonferroni over places)."""
    single = [item for item in items if len(situational_key(item).best) == 1]
    places = sorted({option for item in single for option in item.option_ids})
    for place in places:
        having = [item for item in single if place in item.option_ids]
        hits = sum(place in situational_key(item).best for item in having)
        chances = [1 / len(item.options) for item in having]
        expected, tail = sum(chances), upper_tail(hits, chances)
        yield Statistic(f"items whose best option is {place}", bank_id, hits, f"about {expected:.1f} by chance")
        if hits > expected and tail < ALPHA / len(places):
            chance = f"chance gives {expected:.1f} (p = {tail:.4f})"
            found = f"option {place} is the best in {hits} of {len(having)} items; {chance}"
            yield warning("best_position", bank_id, found, "Move the best options to other places.")


def upper_tail(hits: int, chances: Sequence[float]) -> float:
    """Return P(X >= hits) for X the number of successes in independent trials with these chances.

    Equation: the Poisson-binomial distribution by convolution, exact.

    Examples
    --------
    >>> upper_tail(2, [0.5, 0.5])
    0.25
    """
    probability = np.ones(1)
    for chance in chances:
        probability = np.convolve(probability, [1 - chance, chance])
    return float(probability[hits:].sum())

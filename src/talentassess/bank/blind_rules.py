"""Blind rules: what does somebody earn who does not read the scenario and goes by the look of the options.

A test-wise person may pick the longest option, the last one, or the one with the friendliest words. Each rule here puts
an item's options in an order without looking at scenario or key, and answers with it as the format asks: pick_best the
first, most_least the first and the last, rank the order itself, rate_each ratings from 5 down to 1 in even steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations

import numpy as np

from talentassess.bank.keys import RATING_LEVELS, key_situational, situational_key
from talentassess.bank.review import Statistic, warning
from talentassess.bank.schema import ItemBank, SituationalItem
from talentassess.bank.word_groups import HEDGES, NEGATIVE_TONE, POSITIVE_TONE, WordGroup
from talentassess.bank.wording import count_watched, words
from talentassess.core.arrays import CodeArray, FloatArray, IntArray
from talentassess.core.errors import DataError
from talentassess.core.status import Finding
from talentassess.core.tabular import Columns, Tabular

ALPHA = 0.05  # chance alone earns that much less often than this
USABLE = 0.15  # share of the way from chance to key that would move a test-wise person among honest ones
DRAWN = 20  # items of a blind read
_UNITS = 60  # a tie of 1 to 5 options splits a hit into whole sixtieths


def _count(groups: Sequence[WordGroup], text: str) -> int:
    return sum(count_watched(text, group) for group in groups)


def positive_words(text: str) -> int:
    """Count the words of courtesy, warmth, concern and assurance in a text.

    Examples
    --------
    >>> positive_words("Thank the customer warmly and explain the rule.")
    2
    """
    return _count(POSITIVE_TONE, text)


def _tone(text: str) -> int:
    return positive_words(text) - _count(NEGATIVE_TONE, text)


_WORDING: Mapping[str, Callable[[str], int]] = {
    "the longest": len,
    "the shortest": lambda text: -len(text),
    "the most words": lambda text: len(words(text)),
    "the most positive words": positive_words,
    "the fewest positive words": lambda text: -positive_words(text),
    "the kindest tone": _tone,
    "the most hedged": lambda text: _count((HEDGES,), text),
}
_ENGLISH = ("the most positive words", "the fewest positive words", "the kindest tone", "the most hedged")
_PLACES = ("the first", "the last")
RULES = (*_PLACES, *_WORDING)


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What one blind rule earns.

    Attributes
    ----------
    rule : what it picks.
    items : number of items it was tried on.
    share : mean share of the way from chance (0) to the key (1) that its answers earn.
    share_se : standard deviation of that mean if the rule's order had nothing to do with the key.
    hits : items whose best option it puts first; a tie of t options counts 1/t.
    expected : hits expected by chance.
    p : exact one-sided probability of so many hits by chance.
    """

    rule: str
    items: int
    share: float
    share_se: float
    hits: float
    expected: float
    p: float

    @property
    def pays(self) -> bool:
        """True if the rule earns a usable share of the points, and chance seldom earns as much."""
        z = self.share / self.share_se if self.share_se > 0 else 0.0
        return self.share >= USABLE and min(self.p, 0.5 * math.erfc(z / math.sqrt(2))) < ALPHA


@dataclass(frozen=True, slots=True)
class Place:
    """How often the best option has one place in an order.

    Attributes
    ----------
    order : ``position`` (as printed), or ``length`` (from the longest to the shortest, in characters).
    place : 1 for the first or the longest.
    items : items that have this place.
    best : those whose best option has it; a tie of t options counts 1/t.
    expected : by chance.
    p : exact one-sided probability of so many by chance.
    """

    order: str
    place: int
    items: int
    best: float
    expected: float
    p: float


@dataclass(frozen=True, eq=False, kw_only=True)
class BlindRules(Tabular):
    """Result of ``apply_blind_rules``.

    Attributes
    ----------
    rules : what each rule earns.
    places : where the best option stands, by position and by length.
    """

    rules: tuple[RuleResult, ...]
    places: tuple[Place, ...]

    def __repr__(self) -> str:
        if not self.rules:
            return "BlindRules(no keyed item)"
        top = max(self.rules, key=lambda rule: rule.share)
        return f"BlindRules({top.items} items; best rule: {top.rule}, {top.share:+.0%} of the way to the key)"

    def tables(self) -> dict[str, Columns]:
        """Return ``rules`` (a row each) and ``places`` (best option by position and by length)."""
        return {
            "rules": {name: [getattr(row, name) for row in self.rules] for name in RuleResult.__slots__},
            "places": {name: [getattr(row, name) for row in self.places] for name in Place.__slots__},
        }


def apply_blind_rules(items: Sequence[SituationalItem], *, english: bool = True) -> BlindRules:
    """Answer situational items by blind rules and say what that earns.

    Parameters
    ----------
    items : keyed ones are used; the rules on wording need published options.
    english : also apply the rules that count English words.

    Equations: with f(o) the points of answering by the order o of the options, an item's chance level is the mean of f
    over all orders, a rule's points are the mean over the orders its ties allow, and the share is (points - chance) /
    (highest code - chance). The null distribution lets every assignment of the rule's values to the options be equally
    likely; hits are convolved exactly, the share has its exact standard deviation.

    Examples
    --------
    >>> from talentassess.bank.load import load_bank
    >>> blind = apply_blind_rules(load_bank("service_core").situational)
    >>> blind.rules[0].rule, blind.rules[0].items
    ('the first', 20)
    """
    keyed = [item for item in items if item.keyed]
    published = [item for item in keyed if _published(item)]
    rules = [rule for rule in RULES if english or rule not in _ENGLISH]
    results = [_apply(rule, keyed if rule in _PLACES else published) for rule in rules]
    return BlindRules(
        rules=tuple(result for result in results if result.items),
        places=(*_places("position", keyed), *_places("length", published)),
    )


def _published(item: SituationalItem) -> bool:
    return all(option.text for option in item.options)


def draw_blind_read(items: Sequence[SituationalItem], n: int = DRAWN, *, seed: int = 1) -> tuple[SituationalItem, ...]:
    """Draw items at random and shuffle their options, for a reader who is to find the best one without a key.

    Parameters
    ----------
    items : keyed items whose options are published are drawn, without replacement; fewer than n are all taken.
    n : number of items.
    seed : of the draw; the same seed gives the same items in the same order. A negative one raises ``DataError``.

    The options keep their ids, so that an answer can be looked up; readers should be shown numbers instead.
    """
    if seed < 0 or n < 1:
        raise DataError(f"A blind read needs n of at least 1 and a seed of at least 0; found n = {n}, seed = {seed}.")
    usable = [item for item in items if item.keyed and _published(item)]
    rng = np.random.default_rng(seed)
    drawn = [usable[i] for i in rng.permutation(len(usable))[:n]]
    return tuple(
        item.model_copy(update={"options": tuple(item.options[k] for k in rng.permutation(len(item.options)))})
        for item in drawn
    )


def blind_reviews(bank: ItemBank, blind: BlindRules) -> Iterator[Finding | Statistic]:
    """Yield a finding for every rule that pays and for every place the best option favours."""
    for rule in blind.rules:
        if rule.pays:
            found = (
                f"picking {rule.rule} earns {rule.share:.0%} of the way from chance to the key and hits the best "
                f"option in {rule.hits:.3g} of {rule.items} items; chance gives {rule.expected:.1f} (p {_p(rule.p)})"
            )
            yield warning("blind_rule", bank.id, found, "Rewrite options until the look of an option tells nothing.")
    positions = [place for place in blind.places if place.order == "position"]
    for place in positions:
        if place.best > place.expected and place.p < ALPHA / len(positions):  # Bonferroni over the places
            chance = f"chance gives {place.expected:.1f} (p {_p(place.p)})"
            found = f"option {place.place} is the best in {place.best:.3g} of {place.items} items; {chance}"
            yield warning("best_position", bank.id, found, "Move the best options to other places.")


def _p(value: float) -> str:
    return f"= {value:.3f}" if value >= 0.0005 else "< 0.001"


# -- orders and points --------------------------------------------------------------------------------------------


@cache
def _orders(n: int) -> IntArray:
    """Return (n!, n) all orders of n options, the first option of each order being its favourite."""
    return np.array(list(permutations(range(n))), dtype=np.int64)


@cache
def _relabelled(n: int) -> IntArray:
    """Return (n!, n!) the index of the order that order o becomes when the options change places by order s."""
    orders = _orders(n)
    index = {tuple(order): i for i, order in enumerate(orders.tolist())}
    return np.array([[index[tuple(s[orders[o]].tolist())] for o in range(len(orders))] for s in orders])


def _answers(item: SituationalItem) -> CodeArray:
    """Return (n!, m) the answer to an item by every order, as raw codes."""
    orders = _orders(len(item.options))
    n = orders.shape[1]
    if item.format == "pick_best":
        return orders[:, :1].astype(np.int16)
    if item.format == "most_least":
        return orders[:, [0, -1]].astype(np.int16)
    place: CodeArray = np.argsort(orders, axis=1).astype(np.int16)
    if item.format == "rank":
        return place
    ratings: CodeArray = np.rint((RATING_LEVELS - 1) * (1 - place / (n - 1))).astype(np.int16)
    return ratings


def _shares(item: SituationalItem) -> FloatArray:
    """Return (n!,) what answering by each order earns: 0 is chance, 1 the highest code."""
    points = key_situational(item, _answers(item)).astype(np.float64)
    highest = {"most_least": 4, "rate_each": len(item.options)}.get(item.format, points.max())
    chance = points.mean()
    shares: FloatArray = (points - chance) / (highest - chance)
    return shares


def _values(rule: str, item: SituationalItem) -> FloatArray:
    """Return (n,) by how much a rule favours each option."""
    n = len(item.options)
    if rule in _PLACES:
        places = np.arange(n, dtype=np.float64)
        return -places if rule == "the first" else places
    return np.array([_WORDING[rule](option.text or "") for option in item.options], dtype=np.float64)


def _apply(rule: str, items: Sequence[SituationalItem]) -> RuleResult:
    if not items:
        return RuleResult(rule, 0, math.nan, math.nan, 0.0, 0.0, math.nan)
    earned, variances, tops = [], [], []
    for item in items:
        value = _values(rule, item)
        allowed = np.all(np.diff(value[_orders(len(value))], axis=1) <= 0, axis=1)
        earned.append(float(_shares(item)[allowed].mean()))
        null = allowed[_relabelled(len(value))] @ _shares(item) / allowed.sum()
        variances.append(float(np.mean(null**2)))
        tops.append(np.flatnonzero(value == value.max()).tolist())
    hits, expected, p = _hit_test(items, tops)
    share_se = math.sqrt(sum(variances)) / len(items)
    return RuleResult(rule, len(items), float(np.mean(earned)), share_se, hits, expected, p)


# -- hits ---------------------------------------------------------------------------------------------------------


def _hit_test(items: Sequence[SituationalItem], tops: Sequence[Sequence[int]]) -> tuple[float, float, float]:
    """Return (hits, expected by chance, exact P of so many or more) of picking one of ``tops`` (positions) per item."""
    units, expected = 0, 0.0
    chance = np.ones(1)
    for item, top in zip(items, tops, strict=True):
        best = situational_key(item).best
        n, m, t = len(item.options), len(best), len(top)
        units += sum(item.option_ids[k] in best for k in top) * _UNITS // t
        expected += m / n
        step = np.zeros(_UNITS + 1)
        for hit in range(max(0, t + m - n), min(t, m) + 1):  # hypergeometric: which options are best is anyone's guess
            step[hit * _UNITS // t] = math.comb(m, hit) * math.comb(n - m, t - hit) / math.comb(n, t)
        chance = np.convolve(chance, step)
    return units / _UNITS, expected, float(min(1.0, chance[units:].sum()))


def _places(order: str, items: Sequence[SituationalItem]) -> Iterator[Place]:
    for place in range(max((len(item.options) for item in items), default=0)):
        having = [item for item in items if place < len(item.options)]
        tops = [[place] if order == "position" else _of_length_rank(item, place) for item in having]
        yield Place(order, place + 1, len(having), *_hit_test(having, tops))


def _of_length_rank(item: SituationalItem, place: int) -> list[int]:
    """Return the options as long as the one at a place from the longest to the shortest."""
    lengths = [len(option.text or "") for option in item.options]
    wanted = sorted(lengths, reverse=True)[place]
    return [k for k, length in enumerate(lengths) if length == wanted]

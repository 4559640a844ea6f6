"""Review the keys of a bank: reverse-keyed share, desirability, ties, spread, rationales, contexts and pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from talentassess.bank.keys import KEY_REMEDY, situational_key
from talentassess.bank.review import Statistic, note, problem, warning
from talentassess.bank.schema import OPPOSITE_NEED, ItemBank, SituationalItem
from talentassess.core.status import Finding

REVERSED_SHARE = (0.40, 0.50)
SPREAD = 2.0  # smallest difference in effectiveness between best and worst that separates people
MIDDLE = 3.0  # the rating of somebody who does not decide
CLOSE = 1.0  # points of desirability within which a reverse and a plain statement look equally good


def key_reviews(bank: ItemBank) -> Iterator[Finding | Statistic]:
    """Yield statistics and findings about reverse keys, desirability, situational keys and their versions."""
    yield from _reversed_share(bank)
    yield from _desirability(bank)
    for item in bank.situational:
        yield from _key_of_one(item)
        yield from _keys_in_context(item)
    yield from _pairs(bank)


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


def _desirability(bank: ItemBank) -> Iterator[Finding | Statistic]:
    """Ask whether agreeing looks good with plain and bad with reverse-keyed statements: then the key is visible."""
    rated = [item for item in bank.self_report if item.desirability is not None]
    if not rated:
        return
    bare = [item.id for item in bank.self_report if item.desirability is None and item.status != "external"]
    if bare:
        found = f"no desirability is given for {len(bare)} of {len(bank.self_report)} statements: {', '.join(bare[:5])}"
        yield note("missing_desirability", bank.id, found, "Judge how good it looks to agree, 1 to 5.")
    values = np.array([item.desirability for item in rated], dtype=np.float64)
    direction = np.array([-1.0 if item.reverse else 1.0 for item in rated])
    yield Statistic("desirability of the statements: SD", bank.id, float(values.std()), "at least about 0.7")
    if values.std() > 0 and direction.std() > 0:
        r = float(np.corrcoef(values, direction)[0, 1])
        yield Statistic("desirability: correlation with the keyed direction", bank.id, r, "the lower the better")
    for scale in bank.scale_ids:
        plain = [i.desirability for i in rated if i.scale == scale and not i.reverse and i.desirability is not None]
        turned = [i.desirability for i in rated if i.scale == scale and i.reverse and i.desirability is not None]
        if plain and turned and min(plain) - max(turned) >= CLOSE:
            found = (
                f"each plain statement looks better to agree with than each reverse-keyed one (lowest {min(plain):g}, "
                f"highest {max(turned):g}), so the key can be guessed from how good a statement sounds"
            )
            yield warning("desirable_key", scale, found, "Write attractive reverse and modest plain statements.")


def _key_of_one(item: SituationalItem) -> Iterator[Finding]:
    if not item.keyed:
        yield warning("unkeyed", item.id, "has no key and cannot be scored.", KEY_REMEDY)
        return
    key = situational_key(item)
    yield from _tied_ends(item, "")
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
    middling = sum(abs(value - MIDDLE) <= 1 for value in key.effectiveness)
    if item.format == "rate_each" and 2 * middling > len(key.effectiveness):
        found = f"rating every option {MIDDLE:g} earns {middling} of {len(key.effectiveness)} points"
        yield warning("middle_ratings", item.id, found, "Make more options clearly good or clearly poor.")


def _tied_ends(item: SituationalItem, where: str) -> Iterator[Finding]:
    """Find a best option (most_least: or a worst one) that is not the only one; ``where`` names a role context."""
    key = situational_key(item)
    ends = {"best": key.best, "worst": key.worst if item.format == "most_least" else ()}
    for end, options in ends.items():
        if item.format in ("pick_best", "most_least") and len(options) > 1:
            found = f"options {', '.join(options)} share the {end} effectiveness{where}"
            yield warning("tied_key", item.id, found, f"Make one option the {end}, or choose another format.")


def _keys_in_context(item: SituationalItem) -> Iterator[Finding]:
    """Look at the keys an item has for other role contexts: they are worth having where another option is best."""
    contexts = sorted({context for option in item.options for context in option.in_context})
    best = {context: situational_key(item.for_context(context)).best for context in contexts}
    for context in contexts:
        yield from _tied_ends(item.for_context(context), f" in the context {context}")
    if contexts and all(options == situational_key(item).best for options in best.values()):
        found = f"has keys for {', '.join(contexts)}, but the best option is the same as in general"
        yield warning("context_without_effect", item.id, found, "Make another option best there, or drop these keys.")


# -- paired versions ----------------------------------------------------------------------------------------------


def _pairs(bank: ItemBank) -> Iterator[Finding]:
    """Hold the two versions of each pair against each other; each pair is reported once."""
    by_id = {item.id: item for item in bank.situational}
    for item in bank.situational:
        if item.pair is None:
            continue
        partner = by_id.get(item.pair)
        if partner is None:
            # a bank that takes items from another one may leave a version behind
            report = problem if bank.part_of is None else note
            found = f"its paired version '{item.pair}' is not among the situational items of the bank"
            yield report("pair_incomplete", item.id, found, "Write the other version, correct the id, or drop pair.")
        elif partner.pair != item.id:
            found = f"names '{partner.id}' as its paired version, but that item names '{partner.pair or 'none'}'"
            yield problem("pair_one_sided", item.id, found, "Let both versions name each other.")
        elif item.id < partner.id:
            for found in _unlike(item, partner):
                remedy = "Change nothing between the two but what the customer needs, and the key that follows from it."
                yield problem("pair_unlike", f"{item.id}, {partner.id}", found, remedy)


def _unlike(first: SituationalItem, second: SituationalItem) -> Iterator[str]:
    """Say how two paired versions break the rule that only the need, the scenario and the key may differ."""
    if first.customer_need is None or OPPOSITE_NEED[first.customer_need] != second.customer_need:
        yield f"the needs {first.customer_need} and {second.customer_need} are not opposites"
    for field in ("scale", "context", "format"):
        if getattr(first, field) != getattr(second, field):
            yield f"the {field} differs: {getattr(first, field)} and {getattr(second, field)}"
    if first.format not in ("pick_best", "most_least"):
        yield f"the format {first.format} has no one best option; a pair is pick_best or most_least"
    if [(o.id, o.text) for o in first.options] != [(o.id, o.text) for o in second.options]:
        yield "the options differ in wording or order"
    if first.keyed and second.keyed and situational_key(first).best == situational_key(second).best:
        yield f"the same option is best in both ({', '.join(situational_key(first).best)}), whatever the customer needs"

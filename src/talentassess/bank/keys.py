"""What an answer to a situational item is worth: read a key, apply it, or derive one from a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from talentassess.bank.answers import RawAnswers
from talentassess.bank.schema import Format, ItemBank, SituationalItem
from talentassess.core.arrays import CodeArray, FloatArray
from talentassess.core.errors import ContentError, DataError
from talentassess.core.responses import MISSING

KEY_REMEDY = "Derive one with ta.derive_keys(answers, bank), or give every option its effectiveness in sjt.yaml."
RATING_LEVELS = 5  # rate_each: options are rated on the scale of the key, 1..5
NEAR = 1.0 + 1e-9  # rate_each: a rating counts within one point; the rest forgives binary fractions in derived keys


@dataclass(frozen=True, slots=True)
class SituationalKey:
    """The key of one situational item, to be read by a person.

    Attributes
    ----------
    item, format : the item's id, and how it is answered.
    options : (n,) option ids.
    effectiveness : (n,) of each option, 1 (harmful) to 5 (best).
    best, worst : the options of the highest and of the lowest effectiveness.
    source : where the key comes from.
    """

    item: str
    format: Format
    options: tuple[str, ...]
    effectiveness: tuple[float, ...]
    best: tuple[str, ...]
    worst: tuple[str, ...]
    source: str

    def __str__(self) -> str:
        values = ", ".join(f"{o} {e:.2f}" for o, e in zip(self.options, self.effectiveness, strict=True))
        best, worst = "/".join(self.best), "/".join(self.worst)
        return f"{self.item} ({self.format}): best {best}, worst {worst}; effectiveness {values}; {self.source}"


def situational_key(item: SituationalItem) -> SituationalKey:
    """Return the key of an item; an item without one raises ``ContentError`` and says the remedy.

    Examples
    --------
    >>> from talentassess.bank.load import load_bank
    >>> situational_key(load_bank("service_core").situational[0]).source
    'rational (authors)'
    """
    if item.key_source is None:
        raise ContentError(f"Situational item '{item.id}' has no key. {KEY_REMEDY}")
    values, options = item.effectiveness, item.option_ids
    return SituationalKey(
        item=item.id,
        format=item.format,
        options=options,
        effectiveness=values,
        best=tuple(o for o, e in zip(options, values, strict=True) if e == max(values)),
        worst=tuple(o for o, e in zip(options, values, strict=True) if e == min(values)),
        source=item.key_source,
    )


def key_situational(item: SituationalItem, raw: CodeArray, persons: Sequence[str] = ()) -> CodeArray:
    """Return what each person's answer to one item is worth.

    Parameters
    ----------
    item : a keyed situational item.
    raw : (N, m) int16, option positions from 0, -1 missing. pick_best (N, 1) the chosen option; most_least (N, 2) most
        and least; rate_each (N, n_options) rating - 1; rank (N, n_options) rank - 1, 0 is best.
    persons : (N,) labels for messages; the row numbers if left out.

    Returns
    -------
    (N,) int16, codes 0..K-1 with K as in ``ItemBank.n_cat``; -1 if any part of the answer is missing.

    Equations, for effectiveness e of option o:
    pick_best: rank of e[choice] among the distinct levels of e. most_least: 2 + [most is best] - [most is worst]
    + [least is worst] - [least is best]. rate_each: number of options with |rating - e| <= 1. rank: number of pairs
    with e[o] > e[p] and o ranked before p.

    Raises
    ------
    ContentError : the item has no key.
    DataError : answers of the wrong shape, positions that do not exist, most equal to least, or ranks given twice.

    Examples
    --------
    >>> from talentassess.bank.load import load_bank
    >>> item = next(i for i in load_bank("service_core").situational if i.format == "pick_best")
    >>> best = item.option_ids.index(situational_key(item).best[0])
    >>> int(key_situational(item, np.array([[best]]))[0]) == len(set(item.effectiveness)) - 1
    True
    """
    key, x = situational_key(item), np.asarray(raw)
    problems = answer_problems(item, x, persons)
    if problems:
        raise DataError(f"{len(problems)} answer(s) to item '{item.id}' cannot be keyed; correct them.", problems)
    complete = np.all(x != MISSING, axis=1)
    codes = np.full(len(x), MISSING, dtype=np.int16)
    codes[complete] = _RULES[item.format](np.asarray(key.effectiveness), x[complete])
    return codes


def answer_problems(item: SituationalItem, raw: CodeArray, persons: Sequence[str] = ()) -> list[str]:
    """List, one line each, the answers that do not follow the item's format; arguments as in ``key_situational``."""
    parts = item.answer_parts
    if raw.ndim != 2 or raw.shape[1] != len(parts):
        return [f"item '{item.id}': answers have shape {raw.shape}; {item.format} needs (N, {len(parts)})"]
    names = [f"person '{p}'" for p in persons] or [f"row {row}" for row in range(1, len(raw) + 1)]
    levels = RATING_LEVELS if item.format == "rate_each" else len(item.options)
    problems = [
        f"{names[row]}, item '{item.id}', {parts[part]}: code {raw[row, part]} is not one of 0..{levels - 1} "
        "(or -1, missing)"
        for row, part in np.argwhere((raw < MISSING) | (raw >= levels))
    ]
    if item.format in ("most_least", "rank"):
        problems += [f"{names[row]}, item '{item.id}': {_repeat_words(item, raw[row])}" for row in _repeating_rows(raw)]
    return problems


def _repeating_rows(raw: CodeArray) -> list[int]:
    """Return the rows in which two parts of the answer are the same."""
    pairs = combinations(range(raw.shape[1]), 2)
    same = np.any([(raw[:, i] == raw[:, j]) & (raw[:, i] != MISSING) for i, j in pairs], axis=0)
    return [int(row) for row in np.flatnonzero(same)]


def _repeat_words(item: SituationalItem, answer: CodeArray) -> str:
    if item.format == "most_least":
        return f"option number {answer[0] + 1} is both most and least; they must differ"
    shown = ", ".join("missing" if rank == MISSING else str(rank + 1) for rank in answer)
    return f"the ranks are {shown}; each rank may be given once"


def _key_pick_best(effectiveness: FloatArray, raw: CodeArray) -> CodeArray:
    return np.searchsorted(np.unique(effectiveness), effectiveness[raw[:, 0]]).astype(np.int16)


def _key_most_least(effectiveness: FloatArray, raw: CodeArray) -> CodeArray:
    value = (effectiveness == effectiveness.max()).astype(np.int16) - (effectiveness == effectiveness.min())
    points: CodeArray = (value[raw[:, 0]] - value[raw[:, 1]] + 2).astype(np.int16)
    return points


def _key_rate_each(effectiveness: FloatArray, raw: CodeArray) -> CodeArray:
    near: CodeArray = np.sum(np.abs(raw + 1 - effectiveness) <= NEAR, axis=1).astype(np.int16)
    return near


def _key_rank(effectiveness: FloatArray, raw: CodeArray) -> CodeArray:
    better, worse = np.nonzero(effectiveness[:, None] > effectiveness[None, :])
    agreeing: CodeArray = np.sum(raw[:, better] < raw[:, worse], axis=1).astype(np.int16)
    return agreeing


_RULES: Mapping[str, Callable[[FloatArray, CodeArray], CodeArray]] = {
    "pick_best": _key_pick_best,
    "most_least": _key_most_least,
    "rate_each": _key_rate_each,
    "rank": _key_rank,
}


def derive_keys(answers: RawAnswers, bank: ItemBank) -> ItemBank:
    """Give each unkeyed pick-best and most/least item the key that the sample agrees on.

    The consensus of an option is the share of persons who chose it as most minus the share who chose it as least
    (pick best: the share who chose it), rescaled linearly to the effectiveness 1..5. Only complete answers count;
    sampling weights are used if there are any. Items that have a key keep it. A consensus key says what these people
    think, not what works: it rewards agreeing with the majority, and scoring the same sample flatters it.

    Parameters
    ----------
    answers : raw answers of the sample.
    bank : bank with unkeyed situational items.

    Raises
    ------
    ContentError : an unkeyed item has another format or no answers, or its best (most/least: or worst) options tie.
    DataError : answers that do not follow their item's format.

    Examples
    --------
    >>> from talentassess.bank.load import load_bank
    >>> bank = load_bank("service_core")
    >>> derive_keys(RawAnswers(person_ids=("ann",), self_report={"al_sr_01": [3]}), bank) == bank  # all are keyed
    True
    """
    unkeyed = [item for item in bank.situational if not item.keyed]
    _require_answers(unkeyed, answers)
    derived = {item.id: _with_consensus_key(item, answers) for item in unkeyed}
    ties = [line for item in derived.values() for line in _ties(item)]
    if ties:
        raise ContentError("The sample does not agree on a key; key these items by hand or add answers.", ties)
    situational = tuple(derived.get(item.id, item) for item in bank.situational)
    fields = {name: getattr(bank, name) for name in ItemBank.model_fields if name != "schema_id"}
    return ItemBank.model_validate(fields | {"schema": bank.schema_id, "situational": situational})


def _require_answers(items: Sequence[SituationalItem], answers: RawAnswers) -> None:
    """Raise unless every item has a format with a consensus key, and complete answers that follow it."""
    nobody = np.empty((0, 1), dtype=np.int16)
    given = {item.id: answers.situational.get(item.id, nobody) for item in items}
    hindrances = {item.id: _hindrance(item, given[item.id]) for item in items}
    content = [f"item '{item}': {reason}" for item, reason in hindrances.items() if reason]
    if content:
        raise ContentError("These items get no consensus key; key them by hand or leave them out.", content)
    data = [line for item in items for line in answer_problems(item, given[item.id], answers.person_ids)]
    if data:
        raise DataError(f"{len(data)} answer(s) do not follow their item's format; correct them.", data)


def _hindrance(item: SituationalItem, raw: CodeArray) -> str:
    if item.format not in ("pick_best", "most_least"):
        return f"the format {item.format} has no consensus key here; give every option its effectiveness in sjt.yaml"
    if not np.any(np.all(raw != MISSING, axis=1)):
        return "there are no complete answers to derive a key from"
    return ""


def _with_consensus_key(item: SituationalItem, answers: RawAnswers) -> SituationalItem:
    raw = answers.situational[item.id]
    effectiveness = consensus_effectiveness(item, raw, answers.weight)
    n = int(np.sum(np.all(raw != MISSING, axis=1)))
    weighted = "" if answers.weight is None else ", weighted"
    simulated = ", SIMULATED" if answers.provenance.simulated else ""
    options = tuple(
        option.model_copy(update={"effectiveness": float(value)})
        for option, value in zip(item.options, effectiveness, strict=True)
    )
    return item.model_copy(update={"options": options, "key_source": f"sample consensus, N = {n}{weighted}{simulated}"})


def consensus_effectiveness(item: SituationalItem, raw: CodeArray, weight: FloatArray | None = None) -> FloatArray:
    """Return (n_options,) effectiveness 1..5 by sample consensus.

    Parameters
    ----------
    item : a pick_best or most_least item.
    raw : (N, 1) or (N, 2) int16, option positions from 0, -1 missing; incomplete answers do not count.
    weight : (N,) sampling weights, or None.

    Equation: most_least 3 + 2 (share most - share least); pick_best 1 + 4 share chosen.
    """
    complete = np.all(raw != MISSING, axis=1)
    counted = np.ones(len(raw)) if weight is None else weight
    shares = [
        np.bincount(raw[complete, part], weights=counted[complete], minlength=len(item.options))
        / counted[complete].sum()
        for part in range(raw.shape[1])
    ]
    effectiveness = 1 + 4 * shares[0] if item.format == "pick_best" else 3 + 2 * (shares[0] - shares[1])
    rounded: FloatArray = np.round(effectiveness, 10)
    return rounded  # equal shares must be equal to the last bit: levels and ties depend on it


def _ties(item: SituationalItem) -> list[str]:
    key = situational_key(item)
    ends = {"best": key.best, "worst": key.worst if item.format == "most_least" else ()}
    return [
        f"item '{item.id}': options {', '.join(options)} tie for {end} ({key.source})"
        for end, options in ends.items()
        if len(options) > 1
    ]

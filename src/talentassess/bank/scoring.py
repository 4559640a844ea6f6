"""From raw answers to scored ones: turn reversed statements round and apply the keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from talentassess.bank.answers import RawAnswers
from talentassess.bank.keys import KEY_REMEDY, answer_problems, key_situational
from talentassess.bank.records import choices
from talentassess.bank.schema import Item, ItemBank, SelfReportItem, SituationalItem
from talentassess.core.arrays import CodeArray, FloatArray
from talentassess.core.errors import ContentError, DataError
from talentassess.core.provenance import Provenance
from talentassess.core.responses import MISSING, Responses


def key_answers(answers: RawAnswers, bank: ItemBank) -> Responses:
    """Score raw answers with the keys of their bank.

    Items come in the order of the bank's scales; the number of categories is the declared one. Reversed statements
    become K-1-x. A situational answer of which a part is missing counts as missing; how many is said in the
    provenance, as are bank items that the answers do not have.

    Parameters
    ----------
    answers : raw answers, e.g. from ``read_answers``.
    bank : the bank the items belong to.

    Returns
    -------
    Responses with x (N, J) int16, codes 0..K-1, -1 missing; its provenance names the bank, its version, its content
    hash and the sources of the keys.

    Raises
    ------
    ContentError : an item is not in the bank, or has no key.
    DataError : naming person and item: a code that does not exist, most equal to least, a rank given twice.

    Examples
    --------
    >>> from talentassess.bank.load import load_bank
    >>> raw = RawAnswers(person_ids=("ann", "bo"), self_report={"al_sr_01": [0, 4], "al_sr_02": [0, 4]})
    >>> key_answers(raw, load_bank("service_core")).x.tolist()  # al_sr_02 is reverse-keyed
    [[0, 4], [4, 0]]
    """
    _require_keyed_items(answers, bank)
    items = tuple(item for item in bank.items if item.id in answers.item_ids)
    problems = [line for item in items for line in _bad_answers(item, answers, bank)]
    if problems:
        raise DataError(f"{len(problems)} answer(s) cannot be scored with the bank '{bank.id}'.", problems)
    return Responses(
        x=np.column_stack([_score(item, answers, bank) for item in items]),
        n_cat=np.array([bank.n_cat(item.id) for item in items]),
        item_ids=tuple(item.id for item in items),
        person_ids=answers.person_ids,
        scales=tuple(item.scale for item in items),
        reversed_items=tuple(item.id for item in items if isinstance(item, SelfReportItem) and item.reverse),
        group=answers.group,
        weight=answers.weight,
        seconds=_seconds(items, answers),
        provenance=_provenance(items, answers, bank),
    )


def _require_keyed_items(answers: RawAnswers, bank: ItemBank) -> None:
    known = {"self-report": {i.id for i in bank.self_report}, "situational": {i.id for i in bank.situational}}
    given = {"self-report": answers.self_report, "situational": answers.situational}
    problems = [
        f"item '{item}' is not a {kind} item of this bank; {choices(item, sorted(known[kind]))}"
        for kind, items in given.items()
        for item in items
        if item not in known[kind]
    ]
    unkeyed = [item.id for item in bank.situational if item.id in answers.situational and not item.keyed]
    problems += [f"situational item '{item}' has no key" for item in unkeyed]
    if problems:
        remedy = KEY_REMEDY if unkeyed else "Check that these answers belong to this bank."
        raise ContentError(f"The answers cannot be scored with the bank '{bank.id}'. {remedy}", problems)


def _bad_answers(item: Item, answers: RawAnswers, bank: ItemBank) -> list[str]:
    if not isinstance(item, SelfReportItem):
        return answer_problems(item, answers.situational[item.id], answers.person_ids)
    x, highest = answers.self_report[item.id], bank.n_cat(item.id) - 1
    return [
        f"person '{answers.person_ids[row]}', item '{item.id}': code {x[row]} is not one of 0..{highest} "
        "(or -1, missing)"
        for row in np.flatnonzero((x < MISSING) | (x > highest))
    ]


def _score(item: Item, answers: RawAnswers, bank: ItemBank) -> CodeArray:
    """Return (N,) scored codes of one item."""
    if not isinstance(item, SelfReportItem):
        return key_situational(item, answers.situational[item.id], answers.person_ids)
    x = answers.self_report[item.id]
    return np.where(x == MISSING, x, bank.n_cat(item.id) - 1 - x).astype(np.int16) if item.reverse else x


def _seconds(items: Sequence[Item], answers: RawAnswers) -> FloatArray | None:
    if not answers.seconds:
        return None
    unknown = np.full(answers.n_persons, np.nan)
    return np.column_stack([answers.seconds.get(item.id, unknown) for item in items])


def _provenance(items: Sequence[Item], answers: RawAnswers, bank: ItemBank) -> Provenance:
    """Carry the answers' provenance on; a key derived from simulated answers makes the scores simulated as well."""
    sources: dict[str, list[str]] = {}
    for item in items:
        if isinstance(item, SituationalItem) and item.key_source:
            sources.setdefault(item.key_source, []).append(item.id)
    options = dict(answers.provenance.options) | {
        "bank": f"{bank.id} {bank.version}",
        "bank hash": bank.content_hash,
        "raw answers hash": answers.provenance.data_hash,
    }
    if sources:
        options["keys"] = "; ".join(f"{source} [{', '.join(ids)}]" for source, ids in sources.items())
    left_out = [item_id for item_id in bank.item_ids if item_id not in answers.item_ids]
    if left_out:
        options["items without answers"] = ", ".join(left_out)
    partial = {item_id: _n_partial(x) for item_id, x in answers.situational.items()}
    if any(partial.values()):
        options["incomplete answers set to missing"] = ", ".join(f"{i}: {n}" for i, n in partial.items() if n)
    simulated = answers.provenance.simulated or any("SIMULATED" in source for source in sources)
    return replace(answers.provenance, data_hash="", simulated=simulated, options=options)


def _n_partial(x: CodeArray) -> int:
    """Count persons who gave a part of an answer only."""
    missing = x == MISSING
    return int(np.sum(missing.any(axis=1) & ~missing.all(axis=1)))

"""What a bank covers: items per scale, method and context, formats per context, and the gaps in between."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from talentassess.bank.competency import CompetencyModel
from talentassess.bank.records import Context, Method
from talentassess.bank.review import note, problem, warning
from talentassess.bank.schema import Format, ItemBank, SituationalItem
from talentassess.core.status import Finding
from talentassess.core.tabular import Columns

FEW = {
    "self_report": 3,
    "situational": 2,
}  # fewer items give no item-rest correlation, or no reliability, worth reading
CONTEXTS: tuple[Context, ...] = get_args(Context)

Questions = Mapping[str, Mapping[Context, int]]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many items of one method measure a scale in one context.

    Attributes
    ----------
    scale, method : scale id; ``self_report``, ``situational`` or ``interview``.
    context : role context; ``any`` for self-report, which is not tied to one.
    items : number of items that are not retired.
    """

    scale: str
    method: Method
    context: Context | str
    items: int


def coverage_of(bank: ItemBank, questions: Questions | None = None) -> tuple[Coverage, ...]:
    """Count the items of each scale by method and context.

    Parameters
    ----------
    bank : the self-report and situational items; retired ones do not count.
    questions : number of interview questions by competency and context, from an interview bank; None if there is none.
    """
    in_use = [item for item in bank.items if item.status != "retired"]
    counts = Counter(
        (item.scale, item.method, item.context if isinstance(item, SituationalItem) else "any") for item in in_use
    )
    rows: list[Coverage] = []
    for scale in bank.scales:
        rows.append(Coverage(scale.id, "self_report", "any", counts[scale.id, "self_report", "any"]))
        rows += [Coverage(scale.id, "situational", c, counts[scale.id, "situational", c]) for c in CONTEXTS]
        if questions is not None:
            asked = questions.get(scale.competency or "", {})
            rows += [Coverage(scale.id, "interview", c, asked.get(c, 0)) for c in CONTEXTS]
    return tuple(rows)


def coverage_matrix(coverage: Sequence[Coverage]) -> Columns:
    """Return the counts as a matrix: a row per scale, a column per method and context, and the total at the end."""
    scales = list(dict.fromkeys(row.scale for row in coverage))
    kinds = list(dict.fromkeys((row.method, row.context) for row in coverage))
    counts = {(row.scale, row.method, row.context): row.items for row in coverage}
    columns: dict[str, list[object]] = {"scale": [*scales, "all"]}
    for method, context in kinds:
        cells = [counts[scale, method, context] for scale in scales]
        columns[method if context == "any" else f"{method} {context}"] = [*cells, sum(cells)]
    rows = [sum(counts[scale, method, context] for method, context in kinds) for scale in scales]
    return columns | {"items": [*rows, sum(rows)]}


def format_matrix(bank: ItemBank) -> Columns:
    """Return the number of situational items in use: a row per format, a column per context."""
    counts = Counter((item.format, item.context) for item in bank.situational if item.status != "retired")
    columns: dict[str, list[object]] = {"format": list(get_args(Format))}
    for context in CONTEXTS:
        columns[context] = [counts[form, context] for form in get_args(Format)]
    return columns | {"items": [sum(counts[form, c] for c in CONTEXTS) for form in get_args(Format)]}


def coverage_reviews(
    bank: ItemBank, coverage: Sequence[Coverage], competencies: CompetencyModel | None
) -> Iterator[Finding]:
    """Yield findings about ids, scales without enough items, gaps in contexts, and the competency model."""
    yield from _identifiers(bank)
    yield from _thin_scales(bank, coverage)
    yield from _context_gaps(coverage)
    if competencies is not None:
        yield from _against_model(bank, competencies)


def _identifiers(bank: ItemBank) -> Iterator[Finding]:
    """Find ids that a person would mix up: equal but for case, underscores and leading zeros."""
    alike: dict[str, list[str]] = {}
    for item_id in bank.item_ids:
        plain = re.sub(r"0+(?=\d)", "", item_id.lower().replace("_", " ")).replace(" ", "")
        alike.setdefault(plain, []).append(item_id)
    for ids in alike.values():
        if len(ids) > 1:
            found = "the ids differ only in case, underscores or leading zeros"
            yield warning("confusable_ids", ", ".join(ids), found, "Rename one.")
    used = {item.responses for item in bank.self_report}
    for name in bank.response_scales:
        if name not in used:
            yield note("unused_response_scale", name, "no item uses this response scale", "Remove it from bank.yaml.")


def _thin_scales(bank: ItemBank, coverage: Sequence[Coverage]) -> Iterator[Finding]:
    counts: Counter[tuple[str, str]] = Counter()
    for row in coverage:
        counts[row.scale, row.method] += row.items
    for scale in bank.scale_ids:
        if not any(counts[scale, method] for method in FEW):
            yield problem("empty_scale", scale, "the scale has no items in use", "Write items, or remove the scale.")
        for method, few in FEW.items():
            if 0 < counts[scale, method] < few:
                found = f"only {counts[scale, method]} {method} item(s); at least {few} are needed to judge them"
                yield warning("thin_scale", scale, found, "Write more items, or read its scores with care.")


def _context_gaps(coverage: Sequence[Coverage]) -> Iterator[Finding]:
    """Find scales without items in a context that other scales have, method by method."""
    for method in ("situational", "interview"):
        rows = [row for row in coverage if row.method == method]
        contexts = {row.context for row in rows if row.items}
        scales = {row.scale for row in rows if row.items}
        kind = "situational item" if method == "situational" else "interview question"
        for row in rows:
            if not row.items and row.context in contexts and row.scale in scales:
                found = f"no {kind} in the context {row.context}, which other scales have"
                yield note("context_gap", row.scale, found, "Write one if the bank is to be used in that context.")


def _against_model(bank: ItemBank, competencies: CompetencyModel) -> Iterator[Finding]:
    for scale in bank.scales:
        if scale.competency is None:
            continue
        if scale.competency not in competencies.ids:
            found = f"the competency '{scale.competency}' is not in the competency model yet"
            yield problem("unknown_competency", scale.id, found, "Describe it in competencies.yaml, or write null.")
            continue
        planned = competencies.competency(scale.competency).methods
        used = {item.method for item in bank.items if item.scale == scale.id}
        for method in sorted(used - set(planned)):
            found = f"has {method} items, but the competency model does not plan this method"
            yield note("unplanned_method", scale.id, found, "Add the method in competencies.yaml or drop the items.")

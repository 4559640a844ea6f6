"""What the user asked for, checked: models per item, items per dimension, groups, anchors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from talentassess.calibrate.constraints import Constraint, Fixed
from talentassess.core.calibration import Calibration
from talentassess.core.errors import CalibrationError, ModelError
from talentassess.core.responses import Responses
from talentassess.models import find_model


def name_models(responses: Responses, model: str | Mapping[str, str]) -> dict[str, str]:
    """Return item id -> model name for every item; unknown names or items raise ``ModelError``."""
    if isinstance(model, str):
        find_model(model)
        return dict.fromkeys(responses.item_ids, model)
    for name in set(model.values()):
        find_model(name)
    unknown = [item for item in model if item not in responses.item_ids]
    without = [item for item in responses.item_ids if item not in model]
    if unknown or without:
        problems = [f"unknown item '{item}'" for item in unknown] + [f"item '{item}' has no model" for item in without]
        raise ModelError("The mapping item -> model does not fit the items of the responses.", problems)
    return dict(model)


def name_dimensions(responses: Responses, dimensions: Mapping[str, Sequence[str]] | None) -> dict[str, tuple[str, ...]]:
    """Return dimension -> item ids; items in no or in two dimensions, or unknown ones, raise ``CalibrationError``."""
    if dimensions is None:
        return {scale: responses.items_of(scale) for scale in responses.scale_names}
    listed = [item for items in dimensions.values() for item in items]
    problems = [f"unknown item '{item}'" for item in dict.fromkeys(listed) if item not in responses.item_ids]
    problems += [f"item '{item}' is in no dimension" for item in responses.item_ids if item not in listed]
    problems += [f"item '{item}' is listed {n} times" for item, n in Counter(listed).items() if n > 1]
    if problems:
        raise CalibrationError(
            "Each item belongs to exactly one dimension: select items, or mend the mapping.", problems
        )
    return {name: tuple(items) for name, items in dimensions.items()}


def group_labels(responses: Responses, groups: bool | Sequence[str]) -> tuple[str, ...] | None:
    """Return (N,) group labels, or None for one population; missing or too few labels raise ``CalibrationError``."""
    if groups is False:
        return None
    labels = responses.group if groups is True else tuple(str(g) for g in groups)
    if labels is None:
        raise CalibrationError(
            "groups=True needs group labels: name the column in ta.read_responses(..., group='...')."
        )
    if len(labels) != responses.n_persons:
        raise CalibrationError(f"groups has {len(labels)} labels for {responses.n_persons} persons: give each one.")
    return labels


def check_items(constraints: Sequence[Constraint], responses: Responses) -> None:
    """Refuse constraints on items that are not there; raises ``ModelError`` naming them."""
    for constraint in constraints:
        unknown = [item for item in constraint.items or () if item not in responses.item_ids]
        if unknown:
            raise ModelError(f"The constraint on '{constraint.param}' names unknown item(s): {', '.join(unknown)}.")


def concerning(constraints: Sequence[Constraint], items: Sequence[str]) -> list[Constraint]:
    """Cut constraints down to the items of one dimension; those on other dimensions' items do not concern it."""
    cut = [c if c.items is None else replace(c, items=tuple(i for i in c.items if i in items)) for c in constraints]
    return [c for c in cut if c.items is None or c.items]


def anchor_constraints(anchors: Calibration | None, responses: Responses) -> list[Constraint]:
    """Return the constraints that hold the anchor items at their earlier parameters; no common item is an error."""
    if anchors is None:
        return []
    fixed: list[Constraint] = []
    for block in anchors.blocks:
        names = [p.name for p in block.model.params(block.n_cat, 1)]
        for row, position in enumerate(block.items):
            item = anchors.item_ids[position]
            if item in responses.item_ids:
                fixed += [Fixed(n, float(v), (item,)) for n, v in zip(names, block.par[row], strict=True)]
    if not fixed:
        raise CalibrationError(f"None of the items {', '.join(responses.item_ids[:8])} ... is in the anchors.")
    return fixed

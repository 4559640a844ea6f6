"""Testlets as the user names them: checked against the form, their slopes named, their ties."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from talentassess.calibration.constraints import Constraint, Entries, Equal
from talentassess.core.errors import CalibrationError, ModelError
from talentassess.core.likelihood import ItemBlock
from talentassess.core.model import ItemModel, Param
from talentassess.models import find_model

SPECIFIC_SLOPE = "specific_slope"


def name_testlets(
    testlets: Mapping[str, Sequence[str]] | None, dimensions: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return dimension -> testlet -> item ids; testlets that do not fit the dimensions raise ``CalibrationError``.

    Unknown items, items in two testlets, testlets of fewer than two items or across dimensions, and names that are
    taken already do not fit.
    """
    found: dict[str, dict[str, tuple[str, ...]]] = {name: {} for name in dimensions}
    home = {item: name for name, items in dimensions.items() for item in items}
    given = {str(name): items for name, items in (testlets or {}).items()}
    problems = [f"testlet '{name}' is a single text, not a list" for name, t in given.items() if isinstance(t, str)]
    listed = Counter(item for items in given.values() if not isinstance(items, str) for item in items)
    problems += [f"unknown item '{item}'" for item in listed if item not in home]
    problems += [f"item '{item}' is listed {n} times" for item, n in listed.items() if n > 1]
    for name, items in given.items():
        where = dict.fromkeys(home[item] for item in items if item in home)
        if name in dimensions:
            problems.append(f"testlet '{name}' has the name of a dimension")
        if not isinstance(items, str) and len(set(items)) < 2:
            problems.append(f"testlet '{name}' has {len(set(items))} item(s)")
        if len(where) > 1:
            problems.append(f"testlet '{name}' has items of the dimensions {' and '.join(where)}")
        for dimension in where:
            found[dimension][name] = tuple(items)
    if problems:
        raise CalibrationError(
            "A testlet is a list of two or more items of one dimension, and an item is in one testlet at the most: "
            "mend testlets=...",
            problems,
        )
    return found


def check_testlet_models(testlets: Mapping[str, Sequence[str]], models: Mapping[str, str], *, anchored: bool) -> None:
    """Refuse anchors, and items whose model has no place for a specific slope; raises ``ModelError`` naming one."""
    if testlets and anchored:
        raise ModelError(
            "Anchors and testlets do not go together yet: fix the parameters of the common items with Fixed(...) "
            "constraints ('slope', 'specific_slope', 'intercept1', ...)."
        )
    for name, items in testlets.items():
        for item in items:
            model, variant = find_model(models[item])
            n_cat = model.categories[0]
            if variant.design is not None or [p.name for p in model.params(n_cat, 2)][:2] != ["slope1", "slope2"]:
                raise ModelError(
                    f"Item '{item}' of testlet '{name}' has model '{models[item]}', which takes no specific slope. "
                    "Choose e.g. graded, gpcm, pcm, 2pl or rasch for it, or leave it out of the testlet."
                )


def declared_params(model: ItemModel, n_cat: int, in_testlet: bool) -> tuple[Param, ...]:
    """Return an item's parameters under the names that constraints and priors use.

    In a testlet they are ``slope`` (on the general dimension), ``specific_slope`` (on the testlet's), then the rest.
    """
    declared = model.params(n_cat, 2 if in_testlet else 1)
    if not in_testlet:
        return declared
    general, specific, *rest = declared
    return (replace(general, name="slope"), replace(specific, name=SPECIFIC_SLOPE), *rest)


def name_slopes(entries: Entries, blocks: Sequence[ItemBlock]) -> Entries:
    """Return the entries with the names of ``declared_params``."""
    params: list[Param] = []
    for block in blocks:
        params += declared_params(block.model, block.n_cat, len(block.dims) > 1) * len(block.items)
    return replace(entries, params=tuple(params))


def testlet_ties(testlets: Mapping[str, Sequence[str]], models: Mapping[str, str]) -> list[Constraint]:
    """Return the ties of models that fix or share the slope (rasch, pcm, 1pl ...): one specific slope per testlet.

    With the general slope at 1, the specific slope is the standard deviation of the testlet's own dimension: the Rasch
    testlet model (Wang & Wilson 2005).
    """
    ties: list[Constraint] = []
    for items in testlets.values():
        variants = {item: find_model(models[item])[1] for item in items}
        alike = tuple(item for item, v in variants.items() if "slope" in v.fixed or "slope" in v.tied)
        if len(alike) > 1:
            ties.append(Equal(SPECIFIC_SLOPE, alike))
    return ties

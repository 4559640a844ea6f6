"""What the user asked for, checked: models per item, items per dimension, groups, anchors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from talentassess.calibration.constraints import Composed, Constraint, Equal, Fixed, Tie
from talentassess.calibration.optimise import OPTIMISERS
from talentassess.calibration.priors import Prior
from talentassess.calibration.shaped import NORMAL, parse_density
from talentassess.calibration.standard_errors import METHODS
from talentassess.calibration.testlets import declared_params
from talentassess.core.calibration import Calibration
from talentassess.core.covariates import Covariates
from talentassess.core.errors import CalibrationError, ModelError
from talentassess.core.model import Param
from talentassess.core.provenance import hash_json
from talentassess.core.responses import Responses
from talentassess.models import find_model

LOOSEST = 1e-2  # a looser tolerance would call the starting values converged


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
    if isinstance(groups, str):
        raise CalibrationError("groups must be True or one label per person; found a single text.")
    labels = responses.group if groups is True else tuple(groups)
    if labels is None:
        raise CalibrationError(
            "groups=True needs group labels: name the column in ta.read_responses(..., group='...')."
        )
    if len(labels) != responses.n_persons:
        raise CalibrationError(f"groups has {len(labels)} labels for {responses.n_persons} persons: give each one.")
    missing = [p for p, g in zip(responses.person_ids, labels, strict=True) if g is None or str(g).strip() == ""]
    if missing:
        raise CalibrationError(f"{len(missing)} person(s) have no group, e.g. '{missing[0]}'. Give each a label.")
    return tuple(str(g) for g in labels)


@dataclass(frozen=True)
class Settings:
    """What a calibration was asked for, checked.

    Attributes
    ----------
    models : item id -> model name.
    labels : (N,) group labels, or None for one population.
    anchors, constraints, priors, se, tol, max_steps, optimiser, density, testlets, correlated : as in ``calibrate``.
    covariates : of the latent regression, or None.
    """

    models: Mapping[str, str]
    labels: tuple[str, ...] | None
    anchors: Calibration | None
    constraints: tuple[Constraint, ...]
    priors: Mapping[str, Prior] | None
    se: str | None = "oakes"
    tol: float = 1e-6
    max_steps: int = 1000
    optimiser: str = "l-bfgs"
    density: str = NORMAL
    covariates: Covariates | None = None
    testlets: Mapping[str, Sequence[str]] | None = None
    correlated: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.tol <= LOOSEST:
            raise ModelError(f"tol must lie above 0 and be at most {LOOSEST:g} (logits); found {self.tol:g}.")
        if self.testlets and self.correlated:
            raise ModelError("testlets are dimensions uncorrelated with all others. Leave correlated=True out.")
        if self.testlets and (self.density != NORMAL or self.covariates is not None):
            raise ModelError("testlets take a normal latent distribution without covariates. Leave one of the two out.")
        if self.optimiser not in OPTIMISERS:
            known = ", ".join(OPTIMISERS)
            raise ModelError(f"optimiser='{self.optimiser}' is not known; choose one of: {known}.")
        if self.max_steps < 1:
            raise ModelError(f"max_steps must be at least 1; found {self.max_steps}.")
        if self.se is not None and self.se not in METHODS:
            raise ModelError(f"se='{self.se}' is not known; choose one of: {', '.join(METHODS)}, or None for none.")
        if parse_density(self.density) is not None and self.covariates is not None:
            raise ModelError("density and covariates cannot be combined: the regression's residuals are normal.")
        if self.correlated and (parse_density(self.density) is not None or self.covariates or self.testlets):
            raise ModelError(
                "correlated=True takes normal latent distributions without covariates and testlets: leave density, "
                "covariates and testlets out, or calibrate the dimensions one by one."
            )
        strange = [c for c in self.constraints if not isinstance(c, Fixed | Equal | Composed)]
        if strange:
            raise ModelError(f"constraints must be Fixed(...), Equal(...) or Composed(...); found {strange[0]!r}.")
        if self.correlated and any(isinstance(c, Composed) for c in self.constraints):
            raise ModelError(
                "Composed(...) is offered for dimensions calibrated one by one: leave correlated=True out."
            )
        for name, prior in (self.priors or {}).items():
            if not all(hasattr(prior, part) for part in ("log_density", "slope", "curvature")):
                raise ModelError(f"priors['{name}'] must be a prior such as NormalPrior(0, 1); found {prior!r}.")

    def options(self) -> dict[str, str]:
        """Return the settings that change the numbers, as text for the provenance."""
        options = {
            "model": "/".join(sorted(set(self.models.values()))),
            "engine": "native",
            "se": str(self.se),
            "tol": f"{self.tol:g}",
            "max_steps": str(self.max_steps),
        }
        if self.optimiser != Settings.optimiser:
            options["optimiser"] = self.optimiser
        if self.correlated:
            options["correlated"] = "yes"
        if self.labels is not None:
            options["groups"] = ", ".join(dict.fromkeys(self.labels))
        if self.anchors is not None:
            options["anchors"] = self.anchors.parameter_hash
        if self.constraints:
            options["constraints"] = "; ".join(map(repr, self.constraints))
        sums = [c for c in self.constraints if isinstance(c, Composed)]
        if sums:  # their text shows counts only: the hash tells apart those that differ in a weight
            options["composed"] = hash_json(
                [[[*key, {e: float(w) for e, w in of.items()}] for key, of in one.parts.items()] for one in sums]
            )
        if self.priors is not None:
            options["priors"] = "; ".join(f"{n}: {p!r}" for n, p in self.priors.items()) or "none"
        if self.density != NORMAL:
            options["density"] = self.density
        if self.covariates is not None:
            options["covariates"] = ", ".join(self.covariates.names)
        if self.testlets:
            options["testlets"] = "; ".join(f"{name}: {', '.join(items)}" for name, items in self.testlets.items())
        return options


def check_constraints(settings: Settings, responses: Responses, dimensions: Mapping[str, Sequence[str]]) -> None:
    """Refuse constraints and priors that nothing in the form answers to; raises ``ModelError`` naming what is wrong."""
    in_testlet = {item for items in (settings.testlets or {}).values() for item in items}
    if not settings.constraints and not settings.priors:
        return
    declared = {
        item: {p.name: p for p in declared_params(find_model(settings.models[item])[0], int(k), item in in_testlet)}
        for item, k in zip(responses.item_ids, responses.n_cat, strict=True)
    }
    known = dict.fromkeys(name for params in declared.values() for name in params)
    for constraint in settings.constraints:
        if isinstance(constraint, Composed):
            _check_composed(constraint, declared, dimensions)
            known |= dict.fromkeys(sorted(constraint.kinds))
            continue
        unknown = [item for item in constraint.items or () if item not in declared]
        if unknown:
            raise ModelError(f"The constraint on '{constraint.param}' names unknown item(s): {', '.join(unknown)}.")
        meant = [item for item in constraint.items or declared if constraint.param in declared[item]]
        if not meant or len(meant) < len(constraint.items or ()):
            raise ModelError(
                f"No item has a parameter '{constraint.param}' to constrain; there are: {', '.join(known)}."
            )
        apart = {} if settings.correlated else dimensions
        _check_constraint(constraint, declared[meant[0]][constraint.param], apart)
    unknown = sorted(set(settings.priors or {}) - set(known))
    if unknown:
        raise ModelError(
            f"priors names parameter(s) that no item has: {', '.join(unknown)}. There are: {', '.join(known)}."
        )


def _check_composed(
    constraint: Composed, declared: Mapping[str, Mapping[str, Param]], dimensions: Mapping[str, Sequence[str]]
) -> None:
    problems = [
        f"item '{item}' has no parameter '{param}'" if item in declared else f"unknown item '{item}'"
        for item, param in constraint.parts
        if param not in declared.get(item, {})
    ]
    if problems:
        raise ModelError("Composed(...) names parameters that are not there.", list(dict.fromkeys(problems)))
    touched = [name for name, items in dimensions.items() if set(items) & set(constraint.items)]
    if len(touched) > 1:
        raise ModelError(
            f"Composed(...) reaches over the dimensions {' and '.join(touched)}, which are calibrated one by one. "
            "Give each dimension a constraint of its own."
        )


def _check_constraint(constraint: Tie, param: Param, dimensions: Mapping[str, Sequence[str]]) -> None:
    if isinstance(constraint, Fixed) and not param.lower <= constraint.value <= param.upper:
        raise ModelError(
            f"Fixed('{param.name}', {constraint.value:g}) lies outside the values the parameter may take, "
            f"{param.lower:g} to {param.upper:g}."
        )
    touched = [name for name, items in dimensions.items() if set(items) & set(constraint.items or ())]
    if isinstance(constraint, Equal) and len(touched) > 1:
        raise ModelError(
            f"Equal('{param.name}') ties items of the dimensions {' and '.join(touched)}, which are calibrated one by "
            "one. Tie within a dimension, fix the value in both, or calibrate them together with correlated=True."
        )


def ties_across(constraints: Sequence[Constraint], dimensions: Mapping[str, Sequence[str]]) -> tuple[Equal, ...]:
    """Return the ties between named items of different dimensions."""
    return tuple(
        c
        for c in constraints
        if isinstance(c, Equal) and sum(bool(set(items) & set(c.items or ())) for items in dimensions.values()) > 1
    )


def concerning(constraints: Sequence[Constraint], items: Sequence[str]) -> list[Constraint]:
    """Cut constraints down to the items of one dimension; those on other dimensions' items do not concern it."""
    touching = [c for c in constraints if c.items is None or set(c.items) & set(items)]
    return [
        c if isinstance(c, Composed) or c.items is None else replace(c, items=tuple(i for i in c.items if i in items))
        for c in touching
    ]


def check_anchors(anchors: Calibration, responses: Responses, models: Mapping[str, str]) -> tuple[str, ...]:
    """Return the items held by anchors; none, or ones of another model or number of categories, are an error."""
    common = [item for item in responses.item_ids if item in anchors.item_ids]
    if not common:
        raise CalibrationError(f"None of the items {', '.join(responses.item_ids[:8])} ... is in the anchors.")
    if any(len(block.dims) > 1 for block in anchors.blocks):
        raise CalibrationError("The anchors have testlets; anchors are taken from calibrations without them only.")
    problems = []
    for block in anchors.blocks:
        for item in (anchors.item_ids[j] for j in block.items if anchors.item_ids[j] in common):
            declared = int(responses.n_cat[responses.item_ids.index(item)])
            was, now = block.variant or block.model.name, models[item]
            if (was, block.n_cat) != (now, declared):
                problems.append(f"item '{item}': anchored as {was} with {block.n_cat}, now {now} with {declared}")
            elif find_model(now)[1].design is not None:
                problems.append(f"item '{item}': the steps of a {now} item belong to all items; calibrate it as pcm")
    if problems:
        raise CalibrationError("Anchor items must keep their model and number of categories.", problems)
    return tuple(common)


def anchor_constraints(anchors: Calibration, responses: Responses, models: Mapping[str, str]) -> list[Constraint]:
    """Return the constraints that hold the anchor items of one dimension at their earlier parameters."""
    fixed: list[Constraint] = []
    for block in anchors.blocks:
        variant = find_model(block.variant or block.model.name)[1]
        names = [p.name for p in block.model.params(block.n_cat, 1)]
        alike = tuple(i for i in responses.item_ids if models[i] == (block.variant or block.model.name))
        for row, position in enumerate(block.items):
            item = anchors.item_ids[position]
            if item in responses.item_ids:
                # a value shared by all items of the model holds for the new ones too
                fixed += [
                    Fixed(n, float(v), alike if n in variant.tied else (item,))
                    for n, v in zip(names, block.par[row], strict=True)
                ]
    return fixed

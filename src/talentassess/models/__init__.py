"""Item response models, one per file; listing this folder is the registry.

A new model is one new file that exports ``MODEL``; its constrained forms (Rasch, partial credit ...) are named in
``MODEL.variants``. Nothing else has to change.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from talentassess.core.errors import ModelError
from talentassess.core.model import ItemModel, Variant

PLAIN = Variant(label="unconstrained")


@cache
def all_models() -> dict[str, ItemModel]:
    """Return every model found in this folder by name.

    Examples
    --------
    >>> sorted(all_models())
    ['2pl', '3pl', '4pl', 'ggum', 'gpcm', 'graded', 'nested-logit', 'nominal', 'sequential']
    """
    files = sorted(info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_"))
    found = [importlib.import_module(f"{__name__}.{name}").MODEL for name in files]
    return {model.name: model for model in found}


@cache
def model_names() -> tuple[str, ...]:
    """Return every name that ``calibrate`` understands: models and their constrained forms."""
    return tuple(name for model in all_models().values() for name in (model.name, *model.variants))


def find_model(name: str) -> tuple[ItemModel, Variant]:
    """Return a model and the variant asked for; an unknown name raises ``ModelError`` and lists the names.

    Examples
    --------
    >>> model, variant = find_model("rasch")
    >>> model.name, variant.label
    ('2pl', 'Rasch model')
    """
    for model in all_models().values():
        if name == model.name:
            return model, PLAIN
        if name in model.variants:
            return model, model.variants[name]
    raise ModelError(f"There is no model '{name}'. Choose one of: {', '.join(model_names())}.")

"""The scripts of ``analysis/``, loaded as modules: their names begin with digits, so ``import`` cannot."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ANALYSIS = Path(__file__).resolve().parents[1] / "analysis"


def script(stem: str) -> ModuleType:
    """Return ``analysis/<stem>.py`` as a module."""
    name = f"analysis_{stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ANALYSIS / f"{stem}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look their module up while it is being run
        spec.loader.exec_module(module)
    return sys.modules[name]

"""What the numbers were measured on: processor, Python, NumPy, BLAS; never a host name or a path."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numpy as np

TOLD = ("avx2", "avx512f")


def describe_machine() -> dict[str, str]:
    """Return processor model, cores, vector extensions, system, Python, NumPy and BLAS."""
    info = _processor()
    flags = info.get("flags", "").split()
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "processor": info.get("model name", platform.machine()),
        "cores": str(os.cpu_count()),
        "flags": " ".join(flag for flag in TOLD if flag in flags) or "none of " + " ".join(TOLD),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas['name']} {blas['version']}",
    }


def _processor() -> dict[str, str]:
    """Return the first processor's lines of /proc/cpuinfo; empty where there is no such file."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return {}
    first = path.read_text(encoding="utf-8").split("\n\n")[0]
    pairs = (line.split(":", 1) for line in first.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}


def pin_to_one_core() -> None:
    """Keep this process and all it starts on one core, where the system allows it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

"""Who runs, and in which environment: each peer package gets a virtual environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SCRIPTS = HERE / "runners"


@dataclass(frozen=True)
class Runner:
    """A script and where it runs.

    Attributes
    ----------
    script : file in ``runners``.
    requirement : what pip installs into its environment; "" is the Python that runs this, "R name" an R package.
    settings : for the reader of the table.
    options : passed to the script.
    with_errors : True if standard errors are part of the time.
    patience : seconds to wait for it at the most.
    """

    script: str
    requirement: str = ""
    settings: str = ""
    options: Mapping[str, object] = field(default_factory=dict)
    with_errors: bool = False
    patience: float = float("inf")


MIRT = "mirt==1.2.0"
GAUSS_HERMITE = "61 Gauss-Hermite nodes (no equal spacing offered), tol 1e-4"
RUNNERS = {
    "ours": Runner("ours.py", "", "tol 1e-4, no SEs", {"se": None, "tol": 1e-4}),
    "ours-default": Runner("ours.py", "", "defaults: tol 1e-6, Oakes SEs", with_errors=True),
    "mirt": Runner("peer_mirt.py", MIRT, GAUSS_HERMITE),
    "mirt-squarem": Runner("peer_mirt.py", MIRT, GAUSS_HERMITE + ", SQUAREM", {"accelerate": "squarem"}),
    "mirt-squarem-se": Runner(
        "peer_mirt.py", MIRT, GAUSS_HERMITE + ", SQUAREM, Oakes SEs",
        {"accelerate": "squarem", "compute_standard_errors": True}, with_errors=True,
    ),
    "mirt-bifactor": Runner("peer_mirt.py", MIRT, "bfactor, 21 x 21 nodes"),
    "mirt-correlated": Runner("peer_mirt.py", MIRT, "COV model, 7 nodes per dimension", patience=300),
    "theta": Runner("peer_theta.py", "theta-irt", GAUSS_HERMITE),
    "girth": Runner(
        "peer_girth.py", "girth==0.8.0", "61 equal nodes, its fixed tolerance of 1e-3 on slopes", patience=240,
    ),
    "pingouin": Runner("peer_pingouin.py", "pingouin", "alpha, and alpha without each item"),
    "r-mirt": Runner("peer_r.R", "R mirt", "61 points on -6..6, TOL 1e-4"),
    "r-ltm": Runner("peer_r.R", "R ltm", "61 Gauss-Hermite points"),
    "r-psych": Runner("peer_r.R", "R psych", "psych::alpha"),
}  # fmt: skip

# One thread everywhere: BLAS, OpenMP, numba, Rust's rayon, XLA, and our own kernel.
POOLS = ("OPENBLAS", "OMP", "MKL", "NUMBA", "RAYON")
ONE_THREAD = {f"{pool}_NUM_THREADS": "1" for pool in POOLS} | {
    "TALENTASSESS_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}


class CannotRunError(Exception):
    """A runner is not to be had on this machine, or has failed; the message is short enough for the table."""


def environment() -> dict[str, str]:
    """Return the environment of every runner: one thread, and this checkout before any installed talentassess.

    Bytecode is kept, as pip does when it installs a peer: this checkout is not to be compiled anew by every process.
    """
    paths = [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def interpreter(runner: Runner, cache: Path) -> str:
    """Return the program that runs a runner's script; makes the virtual environment at first use.

    Raises
    ------
    CannotRunError : pip cannot install the package, or there is no R.
    """
    if not runner.requirement:
        return sys.executable
    if runner.script.endswith(".R"):
        found = shutil.which("Rscript")
        if found is None:
            raise CannotRunError("left out: there is no R on the path.")
        return found
    home = cache / "venvs" / runner.requirement.replace("==", "-")
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not (home / "installed").exists():
        print(f"  installing {runner.requirement} ...", flush=True)
        venv.create(home, with_pip=True, clear=True)
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", runner.requirement]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CannotRunError(f"pip could not install {runner.requirement}: {last_line(done.stderr)}")
        (home / "installed").touch()
    return str(python)


def last_line(text: str) -> str:
    """Return the last line that says something, cut to 160 characters and without this machine's folders."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = lines[-1] if lines else "it ended without a message"
    for folder in (str(ROOT), str(Path.home())):
        said = said.replace(folder, "...")
    return said[:160]

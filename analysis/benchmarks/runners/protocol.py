"""What every runner does: read a job, fit once, then fit again whenever the driver says so.

A runner is a process of its own. It gets one JSON argument (the job) and answers with one JSON line: when it is ready
(after a first fit), after each timed ``run``, and for ``result`` (what it estimated). Anything a package prints goes to
the error stream. A failure ends the process; its last line of error output is the message.
"""

from __future__ import annotations

import gc
import importlib.metadata
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

WARM_UP_ROWS = 2_000
QUADRATURE, TOLERANCE, MAX_STEPS = 61, 1e-4, 5_000


@dataclass(frozen=True)
class Job:
    """What to do: the task and model, the folder of the data, the number of categories, the runner's own options."""

    task: str
    model: str
    data: str
    k: int
    heavy: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    def codes(self) -> np.ndarray:
        """Return (N, J) int8 codes, -1 missing."""
        return np.load(f"{self.data}/x.npy")

    def truth(self) -> dict[str, np.ndarray]:
        """Return the parameters the data were simulated from: slope, intercept, guessing, scale."""
        return dict(np.load(f"{self.data}/truth.npz"))


class UnavailableError(Exception):
    """The package has no such feature; the message is a sentence for the table."""


Found = Any  # whatever a package returns from its fit
Prepare = Callable[[Job, np.ndarray], Callable[[], Found]]
Describe = Callable[[Job, Found], dict[str, object]]


def versions(*packages: str) -> dict[str, str]:
    """Return the installed versions of these distributions."""
    return {name: importlib.metadata.version(name) for name in packages}


def serve(prepare: Prepare, describe: Describe, stated: dict[str, str], whole_warm_up: bool = False) -> None:
    """Answer the driver until its line ends.

    Parameters
    ----------
    prepare : (job, codes) -> a function of no arguments that fits; its own time is reported apart.
    describe : (job, what the fit returned) -> slope, intercept ..., iterations.
    stated : versions.
    whole_warm_up : True where a package compiles for the shape of the data, so that the first fit must see all of it.
    """
    job = Job(**json.loads(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(**message: object) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    try:
        x = job.codes()
        small = job.heavy and not whole_warm_up
        started = time.perf_counter()
        outcome = prepare(job, x[:WARM_UP_ROWS] if small else x)()
        first = time.perf_counter() - started
        started = time.perf_counter()
        fit = prepare(job, x)
        say(ready=True, first=None if small else first, prepare=time.perf_counter() - started, versions=stated)
    except UnavailableError as reason:
        say(unavailable=str(reason))
        return
    for line in sys.stdin:
        if line.strip() == "run":
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            outcome = fit()
            say(wall=time.perf_counter() - wall, cpu=time.process_time() - cpu)
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            say(peak_mb=peak, **describe(job, outcome))

"""One pass of talentassess over a Parquet file (or, as the baseline, only reading it): time and peak memory."""

from __future__ import annotations

import inspect
import json
import resource
import sys
import time
from pathlib import Path

from pyarrow import parquet

import talentassess as ta


def fit_file(path: Path, job: dict[str, object]) -> ta.Calibration:
    return ta.calibrate(path, str(job["model"]), se=None, tol=1e-4)


def takes_a_path() -> bool:
    """True if the first argument of ``ta.calibrate`` may be a path."""
    return "Path" in str(next(iter(inspect.signature(ta.calibrate).parameters.values())).annotation)


def main() -> None:
    """Do the job of the command line and print one JSON line."""
    job = json.loads(sys.argv[1])
    path = Path(job["data"]) / "x.parquet"
    wall, cpu = time.perf_counter(), time.process_time()
    told: dict[str, object] = {}
    if job["options"].get("only_read"):
        told["rows"] = parquet.read_table(path).num_rows
    elif not takes_a_path():
        told["unavailable"] = "ta.calibrate does not take a path to a Parquet file in this checkout."
    else:
        found = fit_file(path, job)
        told |= {"iterations": found.n_steps, "loglik": found.loglik, "status": found.status.value}
    told |= {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    told["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told["versions"] = {"talentassess": ta.__version__}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()

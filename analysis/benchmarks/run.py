"""Measure talentassess and its peers on the same SIMULATED data, one thread, taking turns.

Run: python analysis/benchmarks/run.py [--cases NAME ...] [--quick] [--repeats N] [--out FOLDER]

Peers are installed with pip into virtual environments under the cache folder (default build/benchmarks), R packages are
used if R has them. Results are merged into results.json case by case, so a run can be broken off and taken up again;
results.md is written anew after each case.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from cases import CASES, Case, find
from check import cronbach_alpha, expected_theta, log_objective, log_objective_bifactor
from environments import ROOT, CannotRunError
from item_models import Parameters
from machine import describe_machine, pin_to_one_core
from simulate import prepare_data
from table import write_table
from workers import Plan, Record, as_json, run_once, take_turns, time_command

CASES_HELP = ", ".join(case.name for case in CASES) + "; tiny-NAME tries one out on 400 persons and 10 items"


def main(arguments: list[str] | None = None) -> None:
    """Measure the chosen cases."""
    options = read_options(arguments)
    plan = Plan(1 if options.quick else options.repeats, options.budget, options.timeout, options.cache)
    pin_to_one_core()
    options.out.mkdir(parents=True, exist_ok=True)
    for case in find(options.cases):
        if options.resume and case.name in read_results(options.out)["cases"]:
            continue
        print(f"{case.title} [{case.name}]", flush=True)
        records = measure(only(case, options.runners), plan)
        merge(options.out, case, records)
    print(f"results.json and results.md are in {options.out}")


def read_options(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="*", default=[], metavar="NAME", help=CASES_HELP)
    parser.add_argument("--runners", nargs="*", metavar="NAME", help="only these peers; none: ours alone")
    parser.add_argument("--quick", action="store_true", help="one repetition")
    parser.add_argument("--repeats", type=int, default=5, help="timed repetitions per peer (5)")
    parser.add_argument("--budget", type=float, default=60, help="begin no repetition after so many seconds (60)")
    parser.add_argument("--timeout", type=float, default=900, help="longest wait for one answer, seconds (900)")
    parser.add_argument("--resume", action="store_true", help="skip cases that results.json already has")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent, help="folder for the results")
    parser.add_argument("--cache", type=Path, default=ROOT / "build" / "benchmarks", help="environments and data")
    return parser.parse_args(arguments)


def only(case: Case, runners: list[str] | None) -> Case:
    """Return the case with these peers alone."""
    return case if runners is None else replace(case, runners=tuple(r for r in case.runners if r in runners))


def measure(case: Case, plan: Plan) -> dict[str, Record]:
    """Time every runner of a case and check what they found."""
    data = prepare_data(case, plan.cache / "data")
    if case.task == "stream":
        return {"ours": stream(case, data, plan)}
    records = take_turns(case, data, plan)
    if case.task == "cold":
        records["ours-command"] = cold_command(case, data, plan)
    for record in records.values():
        if record.found:
            record.found["check"] = judge(case, data, record.found)
    return records


def judge(case: Case, data: Path, found: dict[str, Any]) -> float | None:
    """Return the referee's number: log-likelihood (log posterior for the 3PL), or the largest error of a score."""
    x, truth = np.load(data / "x.npy"), dict(np.load(data / "truth.npz"))
    if case.task == "score":
        exact = expected_theta(x, Parameters(case.model, truth["slope"], truth["intercept"], truth["guessing"]))
        return float(np.max(np.abs(exact - found["theta"])))
    if case.task == "ctt":
        return abs(cronbach_alpha(x) - found["alpha"])
    if case.task == "correlated" or "slope" not in found:
        return None
    items = Parameters.from_lists(case.model, found)
    if case.task == "bifactor":
        return log_objective_bifactor(x, items, truth["scale"])
    return log_objective(x, items)


def stream(case: Case, data: Path, plan: Plan) -> Record:
    """Fit from a file in a process of its own; its peak memory beyond that of a process that only reads the file."""
    record = Record()
    try:
        baseline = run_once("stream.py", case, data, plan, only_read=True)
        for _ in range(plan.repeats):
            told = run_once("stream.py", case, data, plan)
            record.wall.append(told.pop("wall"))
            record.cpu.append(told.pop("cpu"))
            record.versions, record.peak_mb = told.pop("versions"), told.pop("peak_mb")
            record.found = told | {"check": None, "beyond_input_mb": record.peak_mb - baseline["peak_mb"]}
            print(f"  ours: {record.wall[-1]:.2f} s, {record.found['beyond_input_mb']:.0f} MB beyond the input")
    except CannotRunError as reason:
        record.note = str(reason)
        print(f"  ours: {reason}")
    return record


def cold_command(case: Case, data: Path, plan: Plan) -> Record:
    """Time the whole command ``talentassess calibrate`` on a CSV: start, reading, fit with SEs, writing.

    One run before the timed ones leaves the bytecode behind that an installed package has from the start.
    """
    record = Record()
    command = [sys.executable, "-m", "talentassess.cli", "calibrate", str(data / "x.csv"), "--model", case.model]
    command += ["--items", ",".join(f"q{j + 1}" for j in range(case.j)), "--categories", "0,1"]
    command += ["--out", str(data / "calibration.json")]
    try:
        time_command(command, plan.timeout)
        for _ in range(plan.repeats):
            wall, cpu = time_command(command, plan.timeout)
            record.wall.append(wall)
            record.cpu.append(cpu)
            print(f"  talentassess calibrate: {wall:.2f} s wall", flush=True)
    except CannotRunError as reason:
        record.note = str(reason)
        print(f"  talentassess calibrate: {reason}")
    return record


def read_results(out: Path) -> dict[str, Any]:
    """Return what results.json holds so far."""
    path = out / "results.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"simulated": True, "cases": {}}


def merge(out: Path, case: Case, records: dict[str, Record]) -> None:
    """Put a case into results.json and write results.md anew."""
    results = read_results(out)
    results["cases"][case.name] = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "machine": describe_machine(),
        "runners": {name: as_json(record) for name, record in records.items()},
    }
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (out / "results.md").write_text(write_table(results), encoding="utf-8")


def commit() -> str:
    """Return the short commit of this checkout, ``+`` behind it if files differ; empty outside git."""
    git = ["git", "-C", str(ROOT)]
    named = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run([*git, "status", "--porcelain", "src"], capture_output=True, text=True, check=False)
    return named.stdout.strip() + ("+" if changed.stdout.strip() else "")


if __name__ == "__main__":
    main()

"""From results.json to results.md: ratios, targets, and whether the estimates may be compared at all."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cases import KNOWN, REFERENCE_CASE, REFERENCE_RUNNER, REFERENCE_SECONDS, Case
from environments import RUNNERS

Results = Mapping[str, Any]
ELSEWHERE, ELSEWHERE_SHARE = 1.0, 1e-6  # log-likelihood units, and share of the log-likelihood
LOGLIK_SLACK = 0.01
LARGEST_ERROR = {"score": 1e-3, "ctt": 1e-9}
OURS = ("ours", "ours-default", "ours-command")


@dataclass(frozen=True)
class Verdict:
    """One case, judged.

    Attributes
    ----------
    ours : fastest CPU seconds of the fit without SEs (``cold``: wall seconds of the command).
    with_errors, cold : the default call with SEs; process start to first estimates (wall).
    r_seconds, r_source : CPU seconds of R and where they come from.
    peer, peer_seconds : the fastest Python peer without SEs.
    times_r, times_python : how many times slower they are than ours.
    difference : our log-likelihood minus the best peer's, or our largest error (score, item analysis).
    reached : ``yes``, ``no: why``, or ``-`` where there is no target or no figure.
    """

    case: Case
    ours: float | None = None
    with_errors: float | None = None
    cold: float | None = None
    r_seconds: float | None = None
    r_source: str = ""
    peer: str = ""
    peer_seconds: float | None = None
    times_r: float | None = None
    times_python: float | None = None
    difference: float | None = None
    reached: str = "-"


def machine_factor(results: Results) -> float | None:
    """Return how many times slower this machine is than the one of R's figures, by the peer measured on both."""
    here = fastest(results, REFERENCE_CASE, REFERENCE_RUNNER)
    return here / REFERENCE_SECONDS if here else None


def fastest(results: Results, case: str, runner: str, clock: str = "cpu") -> float | None:
    """Return the smallest time of a runner on a case, None if it has none."""
    times = results["cases"].get(case, {}).get("runners", {}).get(runner, {}).get(clock)
    return min(times) if times else None


def judge_case(results: Results, case: Case) -> Verdict:
    """Compare ours with R and with the best Python peer."""
    runners = results["cases"][case.name]["runners"]
    command = case.task == "cold"
    ours = fastest(results, case.name, "ours-command" if command else "ours", "wall" if command else "cpu")
    r_seconds, r_source = _r_seconds(results, case)
    peer, peer_seconds = _best_peer(results, case)
    difference = _difference(case, runners)
    found = Verdict(
        case,
        ours,
        fastest(results, case.name, "ours-default"),
        runners.get("ours", {}).get("cold"),
        r_seconds,
        r_source,
        peer,
        peer_seconds,
        r_seconds / ours if r_seconds and ours else None,
        peer_seconds / ours if peer_seconds and ours else None,
        difference,
    )
    return Verdict(**{**vars(found), "reached": _reached(found, runners)})


def _r_seconds(results: Results, case: Case) -> tuple[float | None, str]:
    runners = results["cases"][case.name]["runners"]
    here = {name: fastest(results, case.name, name) for name in runners if name.startswith("r-")}
    measured = {name: seconds for name, seconds in here.items() if seconds}
    if measured:
        name = "r-mirt" if "r-mirt" in measured else min(measured, key=lambda n: measured[n])
        return measured[name], f"{name} here"
    factor = machine_factor(results)
    return (case.r_seconds * factor, "scaled") if case.r_seconds and factor else (None, "")


def _best_peer(results: Results, case: Case) -> tuple[str, float | None]:
    """Return the fastest Python peer that fits the model without SEs; by its cold start where that is the case."""
    times: dict[str, float | None] = {}
    runners = results["cases"][case.name]["runners"]
    best_check = _best_check(case, runners)
    for name, record in runners.items():
        if _elsewhere(record, best_check):
            continue
        if name not in OURS and not name.startswith("r-") and not RUNNERS[name].with_errors:
            times[name] = record["cold"] if case.task == "cold" else fastest(results, case.name, name)
    finished = {name: seconds for name, seconds in times.items() if seconds}
    best = min(finished, key=lambda n: finished[n], default="")
    return best, finished.get(best)


def _difference(case: Case, runners: Mapping[str, Any]) -> float | None:
    """Return our log-likelihood minus the best of the peers', or our own largest error."""
    mine = runners.get("ours", {}).get("found", {}).get("check")
    if case.task in LARGEST_ERROR or mine is None:
        return mine
    others = [r["found"]["check"] for n, r in runners.items() if n not in OURS and r["found"].get("check") is not None]
    return mine - max(others) if others else None


def _reached(v: Verdict, runners: Mapping[str, Any]) -> str:
    """Say whether a case reached its targets; a failed check comes before any ratio."""
    if v.ours is None:
        notes = [r["note"] for n, r in runners.items() if n in OURS and r["note"]]
        return notes[0] if notes else "-"
    failed = _failed_check(v)
    if failed:
        return f"no: {failed}"
    if v.case.limit is not None:
        value = v.ours if v.case.task == "cold" else runners["ours"]["found"]["beyond_input_mb"]
        return _within(value, v.case.limit, "s" if v.case.task == "cold" else "MB")
    pairs = ((v.times_r, v.case.target_r, "R"), (v.times_python, v.case.target_python, "Python"))
    short = [f"{times:.3g} x {name}" for times, target, name in pairs if times and target and times < target]
    unknown = [f"{name} not measured" for times, target, name in pairs if target and not times]
    if v.case.target_r is None and v.case.target_python is None:
        return "-"
    return "no: " + ", ".join([*short, *unknown]) if short or unknown else "yes"


def _failed_check(v: Verdict) -> str:
    if v.difference is None:
        return ""
    if v.case.task in LARGEST_ERROR:
        return f"largest error {v.difference:.1e}" if not v.difference <= LARGEST_ERROR[v.case.task] else ""
    return f"log-likelihood {-v.difference:.3f} below the best peer's" if not v.difference >= -LOGLIK_SLACK else ""


def _within(value: float, limit: float, unit: str) -> str:
    return "yes" if value <= limit else f"no: {value:.3g} {unit}, limit {limit:g}"


def write_table(results: Results) -> str:
    """Return the whole of results.md."""
    measured = [case for case in KNOWN.values() if case.name in results["cases"]]
    verdicts = [judge_case(results, case) for case in measured]
    parts = [_HEAD, _summary(verdicts), _scaling(results), _linearity(results), _details(results, measured)]
    parts.insert(1, _kernel_warning(results, measured))
    parts += [_settings(results, measured), _notes(results, measured)]
    return "\n\n".join(part for part in [*parts, _machines(results, measured)] if part) + "\n"


_HEAD = """# Speed of talentassess and its peers (SIMULATED data)

Made by `python analysis/benchmarks/run.py`. One thread, one core; the runners took turns on the same data. Times are
the fastest of the repetitions in CPU seconds unless said otherwise; "cold" is wall time from the start of the process
to the first estimates, imports and compiling included. "Log-lik." is our log-likelihood minus the best peer's, both
recomputed from the estimates by one independent function on 241 equally spaced nodes (3PL: log posterior, everybody
with the same Beta(5, 17) prior; bifactor: 61 x 61 nodes); below -0.01 the case counts as failed whatever its speed. For
scores and item analysis it is our own largest error. A peer that ends more than 1 unit and a millionth of the
log-likelihood below the best has not fitted the same model (3PL without the prior, say); it is listed with its
shortfall, and not compared in speed."""


def _kernel_warning(results: Results, measured: list[Case]) -> str:
    """Say loudly where ours ran without its compiled kernel."""
    ours = {case.title: results["cases"][case.name]["runners"].get("ours", {}) for case in measured}
    slow = [title for title, r in ours.items() if r.get("versions", {}).get("kernel") == "NumPy"]
    return f"**Measured without the compiled kernel (NumPy alone): {'; '.join(slow)}.**" if slow else ""


def _summary(verdicts: list[Verdict]) -> str:
    header = (
        "case", "ours, cold", "ours", "ours, default with SEs", "R", "best Python peer", "x R (target)",
        "x Python (target)", "log-lik. / error", "reached",
    )  # fmt: skip
    rows = [
        (
            v.case.title, seconds(v.cold), seconds(v.ours), seconds(v.with_errors),
            f"{seconds(v.r_seconds)} {v.r_source}".strip(), f"{seconds(v.peer_seconds)} {v.peer}".strip(),
            _ratio(v.times_r, v.case.target_r),
            _ratio(v.times_python, v.case.target_python),
            _signed(v.difference), v.reached,
        )
        for v in verdicts
    ]  # fmt: skip
    return _markdown(header, rows)


def _scaling(results: Results) -> str:
    factor = machine_factor(results)
    if factor is None:
        return (
            f"The figures of R are left out where no R measured them here: their scale rests on the case "
            f"`{REFERENCE_CASE}` with the runner `{REFERENCE_RUNNER}`, which these results lack."
        )
    here = fastest(results, REFERENCE_CASE, REFERENCE_RUNNER)
    return (
        f"R: measured here where an R with the package is on the path; else its CPU seconds on another machine (the "
        f"lowest figure of each case) times {factor:.3f}. That factor is what `{REFERENCE_RUNNER}` took on "
        f"`{REFERENCE_CASE}` here ({here:.3f} s) over what it took there ({REFERENCE_SECONDS} s)."
    )


def _linearity(results: Results) -> str:
    """Say how the time grows from 100,000 to 1,000,000 persons."""
    small, large = fastest(results, "2pl-100k-100", "ours"), fastest(results, "2pl-1m-100", "ours")
    if not small or not large:
        return ""
    return f"Ten times the persons (2PL, 100,000 to 1,000,000 with reading Parquet): {large / small:.1f} x the time."


def _details(results: Results, measured: list[Case]) -> str:
    header = (
        "case", "runner", "CPU min", "CPU median", "wall min", "wall median", "n", "cold", "preparation", "iterations",
        "log-lik. / error", "peak MB",
    )  # fmt: skip
    rows = []
    for case in measured:
        for name, r in results["cases"][case.name]["runners"].items():
            if not r["wall"]:
                continue
            found, clocks = r["found"], [f(r[c]) if r[c] else None for c in ("cpu", "wall") for f in _SUMMARIES]
            peak = found.get("beyond_input_mb", r["peak_mb"])
            rows.append((
                case.title, name, *map(seconds, clocks), str(len(r["wall"])), seconds(r["cold"]), seconds(r["prepare"]),
                str(found.get("iterations", "")), _plain(found.get("check")), f"{peak:.0f}" if peak else "",
            ))  # fmt: skip
    return "## Every runner\n\n" + _markdown(header, rows)


_SUMMARIES = (min, statistics.median)


def _settings(results: Results, measured: list[Case]) -> str:
    """List what each runner was told, and its versions."""
    used: dict[str, dict[str, str]] = {}
    for case in measured:
        for name, r in results["cases"][case.name]["runners"].items():
            if r["wall"]:
                used.setdefault(name, {}).update(r["versions"])
    lines = [
        f"- {name}: {RUNNERS[name].settings if name in RUNNERS else 'talentassess calibrate, SEs, CSV in, JSON out'}"
        + (" (" + ", ".join(f"{p} {v}" for p, v in found.items()) + ")" if found else "")
        for name, found in used.items()
    ]
    return "## Settings and versions\n\n" + "\n".join(lines)


def _notes(results: Results, measured: list[Case]) -> str:
    """List who failed, was left out, did not converge or stopped short of the best likelihood."""
    told: dict[str, list[str]] = {}
    for case in measured:
        runners = results["cases"][case.name]["runners"]
        best = _best_check(case, runners)
        for name, r in runners.items():
            for words in _remarks(r, best):
                told.setdefault(f"{name}: {words}", []).append(case.title)
    lines = [f"- {words} ({'; '.join(titles)})" for words, titles in told.items()]
    return "## Who failed, was left out or stopped short\n\n" + "\n".join(lines) if lines else ""


def _best_check(case: Case, runners: Mapping[str, Any]) -> float | None:
    if case.task in LARGEST_ERROR:
        return None
    return max((r["found"]["check"] for r in runners.values() if r["found"].get("check") is not None), default=None)


def _elsewhere(record: Mapping[str, Any], best: float | None) -> bool:
    """True if a runner ended so far below the best that it did not fit the same model: its time compares nothing."""
    check = record["found"].get("check")
    return best is not None and check is not None and check < best - ELSEWHERE - ELSEWHERE_SHARE * abs(best)


def _remarks(record: Mapping[str, Any], best: float | None) -> list[str]:
    status, check = str(record["found"].get("status", "")), record["found"].get("check")
    remarks = [record["note"]] if record["note"] else []
    if status not in ("", "converged", "True"):
        remarks.append(f"ended with status {status}")
    if best is not None and check is not None and check < best - LOGLIK_SLACK:
        remarks.append(f"its log-likelihood is {best - check:.3g} below the best")
    return remarks


def _machines(results: Results, measured: list[Case]) -> str:
    """Name each machine, commit and date with the cases measured so."""
    told: dict[str, list[str]] = {}
    for case in measured:
        entry = results["cases"][case.name]
        machine = ", ".join(f"{name} {value}" for name, value in entry["machine"].items())
        told.setdefault(f"{entry['date']}, commit {entry['commit']}: {machine}", []).append(case.title)
    lines = [f"- {where}" + (f" ({'; '.join(names)})" if len(told) > 1 else "") for where, names in told.items()]
    return "## Machine\n\n" + "\n".join(lines)


def seconds(value: float | None) -> str:
    """Return seconds with three significant digits, empty for None."""
    if value is None:
        return ""
    return f"{value * 1000:.3g} ms" if value < 1 else f"{value:,.3g} s" if value < 1000 else f"{value:,.0f} s"


def _ratio(times: float | None, target: float | None) -> str:
    shown = "" if times is None else f"{times:,.3g}" if times < 1000 else f"{times:,.0f}"
    return f"{shown} (≥ {target:g})".strip() if target else shown


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.4f}" if abs(value) >= 1e-4 else f"{value:+.1e}"


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}" if abs(value) >= 1e-3 else f"{value:.1e}"


def _markdown(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in lines)

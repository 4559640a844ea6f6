"""Drive runners: start them, let them take turns, collect times and estimates."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import Any, Self

import numpy as np
from cases import Case
from environments import RUNNERS, SCRIPTS, CannotRunError, environment, interpreter, last_line


@dataclass
class Record:
    """What is known of one runner on one case; ``note`` says why if there are no times."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    cold: float | None = None
    first: float | None = None
    prepare: float | None = None
    peak_mb: float | None = None
    versions: dict[str, str] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Plan:
    """How long to go on: timed repetitions per peer, seconds per peer after which no more are begun, longest wait."""

    repeats: int
    budget: float
    timeout: float
    cache: Path


class Worker:
    """A runner's process, from its start to its end.

    Raises
    ------
    CannotRunError : it is not to be had, it fails, or it does not answer in time.
    """

    def __init__(self, name: str, case: Case, data: Path, plan: Plan, **options: object) -> None:
        self.timeout = min(plan.timeout, RUNNERS[name].patience)
        log = plan.cache / "logs" / f"{case.name}-{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log.open("w+")
        command = _command(name, case, data, plan.cache, options)
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment(),
        )  # fmt: skip

    def hear(self) -> dict[str, Any]:
        """Wait for the next message."""
        late = Timer(self.timeout, self.process.kill)
        late.start()
        line = self.process.stdout.readline() if self.process.stdout else ""
        in_time = late.is_alive()
        late.cancel()
        if line:
            message: dict[str, Any] = json.loads(line)
            return available(message)
        self.process.wait()
        self.log.seek(0)
        raise CannotRunError(last_line(self.log.read()) if in_time else f"no result within {self.timeout:.0f} seconds")

    def ask(self, order: str) -> dict[str, Any]:
        """Send an order and wait for the answer."""
        if self.process.stdin:
            try:
                self.process.stdin.write(order + "\n")
                self.process.stdin.flush()
            except BrokenPipeError:
                pass  # it has died; hear() tells why
        return self.hear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()  # waits, and closes the pipes
        self.log.close()


def _command(name: str, case: Case, data: Path, cache: Path, options: Mapping[str, object]) -> list[str]:
    runner = RUNNERS[name]
    program, script = interpreter(runner, cache), str(SCRIPTS / runner.script)
    if script.endswith(".R"):
        package = runner.requirement.removeprefix("R ")
        np.load(data / "x.npy").tofile(data / "x.bin")
        return [
            program,
            script,
            package,
            case.task,
            case.model,
            str(data),
            *map(str, (case.n, case.j, case.k, case.heavy)),
        ]
    task = "fit" if case.task == "cold" else case.task
    job = {"task": task, "model": case.model, "data": str(data), "k": case.k, "heavy": case.heavy}
    return [program, script, json.dumps(job | {"options": {**runner.options, **options}})]


def take_turns(case: Case, data: Path, plan: Plan) -> dict[str, Record]:
    """Time all runners of a case on the same data, ours before each peer: ours, peer, ours, next peer ..."""
    names = ["ours", *(["ours-default"] if case.task in ("fit", "correlated", "bifactor") else []), *case.runners]
    records = {name: Record() for name in names}
    workers: dict[str, Worker] = {}
    try:
        for name in names:
            _start(name, case, data, plan, workers, records[name])
        for _ in range(plan.repeats):
            for name in [n for n in names[1:] if n in workers] or ["ours"]:
                for turn in dict.fromkeys(("ours", name)):
                    _time_one(turn, workers, records[turn], plan)
        for name in list(workers):
            _collect(name, workers, records[name])
    finally:
        for worker in workers.values():
            worker.__exit__(None, None, None)
    return records


def _start(name: str, case: Case, data: Path, plan: Plan, workers: dict[str, Worker], record: Record) -> None:
    print(f"  {name}: starting", flush=True)
    try:
        worker = Worker(name, case, data, plan)
        workers[name] = worker
        ready = worker.hear()
        whole = ready["first"] is not None
        record.cold = time.perf_counter() - worker.started if whole else None
        record.first, record.prepare, record.versions = ready["first"], ready["prepare"], ready["versions"]
    except CannotRunError as reason:
        _give_up(name, workers, record, reason)


def _time_one(name: str, workers: dict[str, Worker], record: Record, plan: Plan) -> None:
    """Time one repetition, unless the runner has failed or used up its time."""
    if name not in workers or (record.wall and sum(record.wall) > plan.budget):
        return
    try:
        took = workers[name].ask("run")
        record.wall.append(took["wall"])
        record.cpu.append(took["cpu"])
        print(f"  {name}: {took['wall']:.4f} s wall, {took['cpu']:.4f} s CPU", flush=True)
    except CannotRunError as reason:
        _give_up(name, workers, record, reason)


def _collect(name: str, workers: dict[str, Worker], record: Record) -> None:
    try:
        record.found = workers[name].ask("result")
        record.peak_mb = record.found.pop("peak_mb", None)
    except CannotRunError as reason:
        _give_up(name, workers, record, reason)


def _give_up(name: str, workers: dict[str, Worker], record: Record, reason: CannotRunError) -> None:
    record.note = str(reason)
    print(f"  {name}: {reason}", flush=True)
    if name in workers:
        workers.pop(name).__exit__(None, None, None)


def run_once(script: str, case: Case, data: Path, plan: Plan, **options: object) -> dict[str, Any]:
    """Run a one-shot script of ours and return the JSON line it prints; ``CannotRunError`` if there is none."""
    job = {"model": case.model, "data": str(data), "options": options}
    command = [sys.executable, str(SCRIPTS / script), json.dumps(job)]
    return available(json.loads(_run(command, plan.timeout)))


def available(message: dict[str, Any]) -> dict[str, Any]:
    """Return a runner's message; ``CannotRunError`` if it says that the package has no such feature."""
    if "unavailable" in message:
        raise CannotRunError(f"left out: {message['unavailable']}")
    return message


def time_command(command: list[str], timeout: float) -> tuple[float, float]:
    """Return wall and CPU seconds of a whole process, start and end included."""
    before, started = os.times(), time.perf_counter()
    _run(command, timeout)
    wall, after = time.perf_counter() - started, os.times()
    return wall, after.children_user + after.children_system - before.children_user - before.children_system


def _run(command: list[str], timeout: float) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout, env=environment())
    except subprocess.TimeoutExpired:
        raise CannotRunError(f"no result within {timeout:.0f} seconds") from None
    if done.returncode:
        raise CannotRunError(last_line(done.stderr or done.stdout))
    return done.stdout


def as_json(record: Record) -> dict[str, Any]:
    """Return a record for results.json: scores and item parameters are left out once they are checked."""
    told = asdict(record)
    told["found"] = {key: value for key, value in record.found.items() if key not in BULKY}
    return told


BULKY = ("slope", "intercept", "guessing", "theta")

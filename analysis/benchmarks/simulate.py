"""SIMULATED answers for the benchmarks: fixed seeds, written once into the cache folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from cases import Case
from item_models import Floats, Parameters, probabilities
from numpy.typing import NDArray

Codes = NDArray[np.int8]
PIECE = 20_000  # persons drawn at a time, so that a million of them fit into memory
CORRELATION = 0.5


def scale_of(case: Case) -> NDArray[np.int64]:
    """Return (J,) the number of the scale of each item: equal parts, one after the other."""
    return np.arange(case.j) * case.scales // case.j


def draw_items(case: Case, rng: np.random.Generator) -> Parameters:
    """Draw item parameters: log-normal slopes, difficulties about zero, thresholds evenly spread and jittered."""
    if case.task == "bifactor":
        return _bifactor_items(case, rng)
    centre, spread = {"2pl": (0.2, None), "3pl": (0.2, None), "graded": (0.3, 1.6), "gpcm": (0.0, 1.2)}[case.model]
    a = rng.lognormal(centre, 0.3, case.j)
    if spread is None:
        b = rng.normal(0, 1, (case.j, 1))
    else:
        jitter = rng.normal(0, 0.35, (case.j, 1)) + rng.uniform(-0.2, 0.2, (case.j, case.k - 1))
        b = np.linspace(-spread, spread, case.k - 1) + jitter
    guessing = rng.uniform(0.1, 0.25, case.j) if case.model == "3pl" else np.zeros(case.j)
    intercept = -a[:, None] * (np.sort(b, axis=1) if case.model == "graded" else b)
    if case.model == "gpcm":
        intercept = np.cumsum(intercept, axis=1)
    slope = np.zeros((case.j, case.scales))
    slope[np.arange(case.j), scale_of(case)] = a
    return Parameters(case.model, slope, intercept, guessing)


def _bifactor_items(case: Case, rng: np.random.Generator) -> Parameters:
    slope = np.zeros((case.j, 1 + case.scales))
    slope[:, 0] = rng.lognormal(0.3, 0.25, case.j)
    slope[np.arange(case.j), 1 + scale_of(case)] = rng.lognormal(-0.1, 0.25, case.j)
    intercept = np.linspace(2, -2, case.k - 1) + rng.normal(0, 0.4, (case.j, 1))
    return Parameters("graded", slope, intercept)


def draw_answers(case: Case, items: Parameters, rng: np.random.Generator) -> Iterator[Codes]:
    """Yield pieces (n, J) of codes 0..K-1, -1 missing; persons are standard normal, scales correlate .5."""
    n_dims = items.slope.shape[1]
    cov = np.eye(n_dims)
    if case.task != "bifactor":
        cov = np.full((n_dims, n_dims), CORRELATION) + (1 - CORRELATION) * np.eye(n_dims)
    root = np.linalg.cholesky(cov)
    for first in range(0, case.n, PIECE):
        theta: Floats = rng.standard_normal((min(PIECE, case.n - first), n_dims)) @ root.T
        passed = np.cumsum(probabilities(items, theta), axis=2)[:, :, :-1]
        codes = (rng.random((*passed.shape[:2], 1)) > passed).sum(axis=2).astype(np.int8)
        codes[rng.random(codes.shape) < case.missing] = -1
        yield codes


def prepare_data(case: Case, folder: Path) -> Path:
    """Return the folder with the case's SIMULATED data, written if it is not there yet.

    It holds ``truth.npz`` (slope, intercept, guessing, scale) and ``x.npy`` (N, J) int8; for ``cold`` also ``x.csv``,
    for ``stream`` ``x.parquet`` instead.
    """
    home = folder / case.name
    if (home / "complete").exists():
        return home
    home.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(case.seed)
    items = draw_items(case, rng)
    np.savez(
        home / "truth.npz",
        slope=items.slope, intercept=items.intercept, guessing=items.guessing, scale=scale_of(case),
    )  # fmt: skip
    pieces = draw_answers(case, items, rng)
    if case.task == "stream":
        _write_parquet(home / "x.parquet", pieces)
    else:
        x = np.concatenate(list(pieces))
        np.save(home / "x.npy", x)
        if case.task == "cold":
            header = ",".join(f"q{j + 1}" for j in range(case.j))
            np.savetxt(home / "x.csv", x, fmt="%d", delimiter=",", header=header, comments="")
    (home / "complete").touch()
    return home


def _write_parquet(path: Path, pieces: Iterator[Codes]) -> None:
    """Write a row group per piece: int8 columns q1..qJ."""
    import pyarrow
    from pyarrow import parquet

    writer = None
    for piece in pieces:
        table = pyarrow.table({f"q{j + 1}": column for j, column in enumerate(np.ascontiguousarray(piece.T))})
        writer = writer or parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()

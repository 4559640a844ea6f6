"""What is measured: the data, who takes part, the figures to compare with, and the speed to reach.

The figures of R come from one 2-core x86-64 machine: mirt 1.47, 61 points, tolerance 1e-4, no standard errors, one
thread, CPU seconds (psych 2.x for the item analysis). ``reference_seconds`` is what the PyPI package mirt 1.2.0 with
SQUAREM took on that machine for the case ``2pl-5k-50``; the same fit here gives the factor between the machines.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

REFERENCE_CASE, REFERENCE_RUNNER, REFERENCE_SECONDS = "2pl-5k-50", "mirt-squarem", 0.155


@dataclass(frozen=True)
class Case:
    """One line of the table.

    Attributes
    ----------
    name, title : for the command line and for the table.
    task : ``fit``, ``correlated``, ``bifactor``, ``stream``, ``score``, ``ctt`` or ``cold``.
    model, n, j, k, seed, missing : the data; ``missing`` is the share of answers taken away at random.
    scales : number of scales of equal length; they correlate .5 (``bifactor``: not beyond the general factor).
    runners : who takes part besides talentassess, see ``environments.RUNNERS``.
    r_seconds : CPU seconds of R on the machine above; the lowest figure where there were several.
    target_r, target_python : how many times faster than R and than the best Python peer.
    limit : largest value allowed: seconds of wall time (``cold``) or MB beyond the input (``stream``).
    """

    name: str
    title: str
    task: str
    model: str
    n: int
    j: int
    k: int = 2
    seed: int = 0
    missing: float = 0.0
    runners: tuple[str, ...] = ()
    r_seconds: float | None = None
    target_r: float | None = None
    target_python: float | None = None
    limit: float | None = None
    scales: int = 1

    @property
    def heavy(self) -> bool:
        """True if a warm-up on all persons would cost minutes."""
        return self.n > 20_000


ALL_2PL = ("mirt", "mirt-squarem", "mirt-squarem-se", "theta", "girth", "r-mirt", "r-ltm")
ALL_GRADED = ("mirt", "mirt-squarem", "mirt-squarem-se", "girth", "r-mirt", "r-ltm")

CASES = (
    Case("2pl-5k-50", "2PL 5,000 x 50", "fit", "2pl", 5_000, 50, 2, 11, 0, ALL_2PL, 1.3, 60, 7),
    Case("graded-5k-40", "GRM-5 5,000 x 40", "fit", "graded", 5_000, 40, 5, 14, 0, ALL_GRADED, 4.1, 120, 40),
    Case(
        "graded-5k-40-m30", "GRM-5 5,000 x 40, 30 % missing", "fit", "graded", 5_000, 40, 5, 14, 0.3,
        ("mirt", "mirt-squarem", "girth", "r-mirt"), 5.07,
    ),
    Case(
        "3pl-10k-60", "3PL 10,000 x 60", "fit", "3pl", 10_000, 60, 2, 13, 0,
        ("mirt", "mirt-squarem", "theta", "girth", "r-mirt"), 10.2, 150, 60,
    ),
    Case(
        "gpcm-10k-40", "GPCM-5 10,000 x 40", "fit", "gpcm", 10_000, 40, 5, 16, 0,
        ("mirt", "mirt-squarem", "girth", "r-mirt"), 55.5,
    ),
    Case(
        "2pl-100k-100", "2PL 100,000 x 100", "fit", "2pl", 100_000, 100, 2, 12, 0,
        ("mirt-squarem", "theta", "r-mirt"), 48.2, 300, 70,
    ),
    Case(
        "graded-100k-60", "GRM-5 100,000 x 60", "fit", "graded", 100_000, 60, 5, 15, 0,
        ("mirt-squarem", "r-mirt"), 70.8, 300, 300,
    ),
    Case(
        "bifactor-5k-50", "bifactor GRM-5 5,000 x 50", "bifactor", "graded", 5_000, 50, 5, 18, 0,
        ("mirt-bifactor",), 34.0, scales=5,
    ),
    Case(
        "correlated-5k-50", "5 correlated scales, GRM-5 5,000 x 50", "correlated", "graded", 5_000, 50, 5, 17, 0,
        ("mirt-correlated",), 177.0, 300, scales=5,
    ),
    Case("score-100k-100", "EAP + SD, 100,000 x 100", "score", "2pl", 100_000, 100, 2, 12, 0,
         ("mirt", "theta"), 15.8, 600, 15),
    Case("ctt-100k-100", "item analysis, 100,000 x 100", "ctt", "2pl", 100_000, 100, 2, 12, 0,
         ("pingouin", "r-psych"), 5.7, 200),
    Case("cold-5k-50", "cold process, 2PL 5,000 x 50", "cold", "2pl", 5_000, 50, 2, 11, 0,
         ("mirt-squarem", "theta"), limit=1.0),
    Case("2pl-1m-100", "2PL 1,000,000 x 100 from Parquet", "stream", "2pl", 1_000_000, 100, 2, 19, limit=300.0),
)  # fmt: skip


def tiny(case: Case) -> Case:
    """Return the case with 400 persons and 10 items, to try the machinery out; its times mean nothing."""
    return replace(
        case, name=f"tiny-{case.name}", title=f"tiny: {case.title}", n=400, j=10,
        r_seconds=None, target_r=None, target_python=None, limit=None,
    )  # fmt: skip


KNOWN = {case.name: case for case in (*CASES, *map(tiny, CASES))}


def find(names: list[str]) -> list[Case]:
    """Return the cases by name; no name means the whole table. An unknown name raises ``SystemExit``."""
    unknown = [name for name in names if name not in KNOWN]
    if unknown:
        raise SystemExit(f"There is no case '{unknown[0]}'. Cases: {', '.join(KNOWN)}.")
    return [KNOWN[name] for name in names] if names else list(CASES)

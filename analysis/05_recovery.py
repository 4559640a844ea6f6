"""Check every item response model on SIMULATED answers with a known truth: bias, errors, coverage of intervals.

Run: python analysis/05_recovery.py [--quick] [--replications 100] [--out analysis/results]

Each replication draws new true parameters (from the range that the model calls typical; from the prior where the model
has one), simulates answers, calibrates, and compares. Parameters under a prior are posterior modes, and their intervals
are posterior intervals: they cover at their nominal rate on average over truths drawn from that prior, not at every
single truth; that is why the truth is drawn anew each time.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import stats

import talentassess as ta
from talentassess.core.calibration import FreeParameters, Latent
from talentassess.core.likelihood import ItemBlock
from talentassess.core.provenance import Provenance
from talentassess.models import find_model, model_names

Array = npt.NDArray[np.float64]

RESULTS = Path(__file__).resolve().parent / "results"
CATEGORIES = {"2pl": 2, "rasch": 2, "1pl": 2, "3pl": 2, "4pl": 2}  # the others have four
LATENT_SD = 1.2  # true standard deviation where a model fixes the slopes and estimates it
LARGE = ("3pl", 20_000, 5)  # shows where the 3pl goes with N: this many persons, every fifth replication
IMPLAUSIBLE = 1e-6  # an error as large as this chance says "converged" in the wrong place


@dataclass(frozen=True)
class Plan:
    """How much to simulate."""

    n_persons: int
    n_items: int
    replications: int
    seed: int


@dataclass(frozen=True)
class Replication:
    """One calibration beside its truth: kinds (F,), errors (F,), covariance (F, F), status, whether it was mirrored."""

    kinds: tuple[str, ...]
    error: Array
    cov: Array
    status: ta.Status
    mirrored: bool

    @property
    def se(self) -> Array:
        """Standard errors (F,)."""
        return np.sqrt(np.diag(self.cov))

    @property
    def distance(self) -> float:
        """Squared Mahalanobis distance of estimates and truth: chi-square with F degrees of freedom."""
        return float(self.error @ np.linalg.solve(self.cov, self.error))


@dataclass(frozen=True)
class Row:
    """A line of the table: one kind of parameter of one model, pooled over items and replications."""

    model: str
    parameter: str
    values: int
    bias: float
    bias_mc_se: float
    rmse: float
    se_over_sd: float
    coverage: float
    coverage_mc_se: float


@dataclass(frozen=True)
class Summary:
    """What concerns a model as a whole; ``distance`` is the mean of Mahalanobis distance / F, 1 if all is well."""

    model: str
    n_free: int
    replications: int
    not_converged: int
    implausible: int
    mirrored: int
    distance: float
    coverage: float


def draw_truth(name: str, n_items: int, rng: np.random.Generator) -> tuple[ta.Calibration, Array | None]:
    """Return a calibration with drawn parameters; for a model with a design also the free values behind them."""
    model, variant = find_model(name)
    n_cat = CATEGORIES.get(name, 4)
    declared = model.params(n_cat, 1)
    par = np.array(
        [[rng.normal(*p.prior) if p.prior else rng.uniform(*p.typical) for p in declared] for _ in range(n_items)]
    )
    drawn = None
    if variant.design is not None:
        drawn = np.concatenate([rng.uniform(-1.0, 1.0, n_items), rng.uniform(0.2, 1.0, n_cat - 2)])
        design, offset = variant.design(n_items, n_cat)
        par = (design @ drawn + offset).reshape(n_items, len(declared))
    for p, one in enumerate(declared):
        if one.name in variant.fixed:
            par[:, p] = variant.fixed[one.name]
        if one.name in variant.tied:
            par[:, p] = par[0, p]
    sd = LATENT_SD if variant.free_variance else 1.0
    return known_calibration(ItemBlock(model, n_cat, np.arange(n_items), par, (0,), name), sd), drawn


def known_calibration(block: ItemBlock, sd: float) -> ta.Calibration:
    """Return a one-block calibration with these parameters taken as true."""
    n_items = len(block.items)
    return ta.Calibration(
        item_ids=tuple(f"q{j + 1}" for j in range(n_items)),
        n_cat=np.full(n_items, block.n_cat),
        dimensions=("trait",),
        blocks=(block,),
        par_cov=(np.zeros((*block.par.shape, block.par.shape[1])),),
        latent=Latent(("all",), np.zeros((1, 1)), np.full((1, 1, 1), sd**2)),
        free=FreeParameters((), np.empty(0), np.empty((0, 0))),
        loglik=float("nan"),
        n_persons=0,
        n_steps=0,
        status=ta.Status.NOT_CHECKED,
        trace=(),
        audit=(),
        provenance=Provenance("recovery study", simulated=True),
    )


def replicate(name: str, plan: Plan, number: int) -> Replication:
    """Draw a truth, simulate, calibrate, compare; unfolding scales are compared up to their reflection."""
    rng = np.random.default_rng([plan.seed, number, *name.encode()])  # no two models or replications share persons
    known, drawn = draw_truth(name, plan.n_items, rng)
    fitted = ta.calibrate(ta.simulate(known, plan.n_persons, seed=int(rng.integers(2**62))), name)
    true = true_values(known, drawn, fitted.free.names)
    values, sign = fitted.free.values, np.ones(len(true))
    locations = np.array([label.endswith(".location") for label in fitted.free.names])
    mirrored = drawn is None and bool(locations.any() and values[locations] @ true[locations] < 0)
    if mirrored:
        sign[locations] = -1.0
    kinds = tuple(kind_of(label) for label in fitted.free.names)
    return Replication(kinds, sign * values - true, np.outer(sign, sign) * fitted.free.cov, fitted.status, mirrored)


def true_values(known: ta.Calibration, drawn: Array | None, names: Sequence[str]) -> Array:
    """Return the truth (F,) of the free values with these names."""
    (block,) = known.blocks
    log_sd = float(np.log(known.latent.cov[0, 0, 0]) / 2)
    if drawn is not None:
        return np.array([*drawn, log_sd])
    column = {p.name: k for k, p in enumerate(block.model.params(block.n_cat, 1))}
    out = []
    for name in names:
        item, _, param = name.partition(".") if " " not in name else ("q1", "", name.split(" ")[0])
        out.append(block.par[known.item_ids.index(item), column[param]] if param in column else log_sd)
    return np.array(out)


def kind_of(name: str) -> str:
    """Return the kind of parameter a free value is: ``q3.intercept2`` -> ``intercept``."""
    label = name.split(" (")[0].split(" [")[0].rpartition(".")[2]
    return re.sub(r"\d+$", "", label) + (" (common)" if "(common" in name else "")


def summarise(label: str, done: Sequence[Replication]) -> tuple[Summary, list[Row]]:
    """Return the model's summary and a row per kind of parameter; only converged replications enter the numbers."""
    good = [r for r in done if r.status.ok]
    distance = np.array([r.distance for r in good])
    n_free = len(good[0].error)
    inside = np.array([np.abs(r.error) < 1.959964 * r.se for r in good])
    summary = Summary(
        model=label,
        n_free=n_free,
        replications=len(done),
        not_converged=len(done) - len(good),
        implausible=int((stats.chi2.sf(distance, n_free) < IMPLAUSIBLE).sum()),
        mirrored=sum(r.mirrored for r in good),
        distance=float(distance.mean() / n_free),
        coverage=float(inside.mean()),
    )
    kinds = np.array(good[0].kinds)
    error, se = np.array([r.error for r in good]), np.array([r.se for r in good])
    rows = []
    for kind in dict.fromkeys(good[0].kinds):
        e, s, covered = error[:, kinds == kind], se[:, kinds == kind], inside[:, kinds == kind]
        rows.append(
            Row(
                model=label,
                parameter=kind,
                values=e.size,
                bias=float(e.mean()),
                bias_mc_se=_mc_se(e.mean(axis=1)),
                rmse=float(np.sqrt(np.mean(e**2))),
                se_over_sd=float(np.sqrt(np.mean(s**2)) / e.std()),
                coverage=float(covered.mean()),
                coverage_mc_se=_mc_se(covered.mean(axis=1)),
            )
        )
    return summary, rows


def _mc_se(per_replication: Array) -> float:
    """Monte-Carlo standard error from replication means: parameters of one replication share their errors."""
    return (
        float(per_replication.std(ddof=1) / np.sqrt(len(per_replication))) if len(per_replication) > 1 else float("nan")
    )


def as_markdown(plan: Plan, summaries: Sequence[Summary], rows: Sequence[Row]) -> str:
    """Return the two tables with what they rest on."""
    lines = [
        "# Parameter recovery of every model (SIMULATED)",
        "",
        f"SIMULATED answers: {plan.n_persons} persons, {plan.n_items} items (two categories for 2pl, rasch, 1pl, 3pl, "
        f"4pl, else four), {plan.replications} replications per model, seed {plan.seed}, talentassess "
        f"{ta.__version__}; written by `analysis/05_recovery.py`. Logit metric, maximum likelihood but for the default "
        "priors of 3pl and 4pl (posterior modes). The truth is drawn anew in each replication, from the priors "
        "where there are any.",
        "",
        "| model | replications | free values | not converged | implausible | mirrored | distance / F "
        "| coverage of 95 % intervals |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {s.model} | {s.replications} | {s.n_free} | {s.not_converged} | {s.implausible} | {s.mirrored} | "
        f"{s.distance:.3f} | {100 * s.coverage:.1f} % |"
        for s in summaries
    ]
    lines += [
        "",
        "implausible: converged, but further from the truth than happens once in a million. mirrored: the unfolding "
        "scale ran the other way and was turned before comparing. distance / F: mean of (estimate - truth)' "
        "covariance^-1 (estimate - truth) over the number of free values F; 1 if errors and their correlations are "
        "right.",
        "",
        "3pl and 4pl: slope, intercept and asymptote of an easy or flat item lie on a bent ridge, along which the data "
        "say little and the prior decides; the posterior is far from normal there, so that intervals around its mode "
        "fall short of 95 % and distances of some replications are large. It is not the optimiser (a start at the "
        "truth ends at the same mode), and errors are of the right size (SE / empirical SD near 1). With ten times the "
        "persons distances come down; coverage there rests on few replications: read it with its Monte-Carlo error.",
        "",
        "| model | parameter | values | bias (MC SE) | RMSE | SE / empirical SD | coverage (MC SE) |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.model} | {r.parameter} | {r.values} | {r.bias:+.4f} ({r.bias_mc_se:.4f}) | {r.rmse:.3f} | "
        f"{r.se_over_sd:.3f} | {100 * r.coverage:.1f} % ({100 * r.coverage_mc_se:.1f}) |"
        for r in rows
    ]
    return "\n".join(lines) + "\n"


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Parameter recovery of every model on SIMULATED answers.")
    parser.add_argument("--quick", action="store_true", help="two small replications per model, to see that it runs")
    parser.add_argument("--replications", type=int, default=100)
    parser.add_argument("--models", nargs="*", default=list(model_names()))
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> None:
    """Run the study and write recovery.md and recovery.json."""
    asked = arguments(given)
    plan = Plan(600, 10, 2, 1) if asked.quick else Plan(2000, 15, asked.replications, 20_251)
    summaries, rows = [], []
    studies = [(name, name, plan) for name in asked.models]
    if LARGE[0] in asked.models and not asked.quick:
        large = replace(plan, n_persons=LARGE[1], replications=max(2, plan.replications // LARGE[2]))
        studies.append((f"{LARGE[0]}, {LARGE[1]:,} persons", LARGE[0], large))
    for label, name, size in studies:
        summary, own = summarise(label, [replicate(name, size, r) for r in range(size.replications)])
        summaries.append(summary)
        rows += own
        print(f"{label}: coverage {100 * summary.coverage:.1f} %, {summary.not_converged} not converged", flush=True)
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "recovery.md").write_text(as_markdown(plan, summaries, rows), encoding="utf-8")
    record = {
        "label": "SIMULATED",
        "version": ta.__version__,
        "plan": asdict(plan),
        "models": [asdict(s) for s in summaries],
        "parameters": [asdict(r) for r in rows],
    }
    (asked.out / "recovery.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

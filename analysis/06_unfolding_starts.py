"""Find out how often the unfolding model's start leads to the best of many maxima. SIMULATED answers.

Run: python analysis/06_unfolding_starts.py [--quick] [--out analysis/results]

The likelihood of an unfolding form has local maxima for many of the ways of putting its items on the wrong side. Each
calibration here is run from the package's own start, from the true parameters, from starts that know each item's side
and nothing else, and from starts that know nothing; the log-likelihoods reached are compared.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import talentassess as ta
from talentassess.calibration.optimise import Path as Run
from talentassess.calibration.optimise import maximise
from talentassess.calibration.problem import Problem, build_problem
from talentassess.core.calibration import FreeParameters, Latent
from talentassess.core.likelihood import ItemBlock
from talentassess.core.provenance import Provenance
from talentassess.models import find_model

Array = npt.NDArray[np.float64]

RESULTS = Path(__file__).resolve().parent / "results"
SEED = 2077
SAME = 0.01  # log-likelihood units: two runs that end this close are at the same maximum
STEPS = 150  # passes at the most; a run from a bad start that has not ended by then counts as it stands


@dataclass(frozen=True)
class Form:
    """A kind of form: categories, items, persons and the range of the true locations."""

    n_cat: int
    n_items: int
    n_persons: int
    locations: tuple[float, float]


FORMS = (
    Form(4, 15, 1000, (-2.0, 2.0)),
    Form(2, 12, 1000, (-2.0, 2.0)),
    Form(4, 8, 500, (-2.0, 2.0)),
    Form(6, 10, 300, (-2.5, 2.5)),
    Form(4, 12, 1000, (-1.0, 1.0)),
    Form(4, 12, 1000, (-0.5, 2.5)),
)


@dataclass(frozen=True)
class Row:
    """How often each kind of start reached the best maximum found; ``shortfall`` is ours at its worst, in logs."""

    form: Form
    samples: int
    ours: float
    truth: float
    right_side: float
    random: float
    shortfall: float
    ours_converged: int


def study(form: Form, samples: int, tries: int, seed: int) -> Row:
    """Return the shares of runs that end within ``SAME`` of the best, over samples (and tries, for drawn starts)."""
    reached = np.array([one_sample(form, tries, seed + s) for s in range(samples)])
    best = reached[:, :-1].max(axis=1, keepdims=True)
    hit = reached[:, :-1] > best - SAME
    return Row(
        form,
        samples,
        ours=float(hit[:, 0].mean()),
        truth=float(hit[:, 1].mean()),
        right_side=float(hit[:, 2 : 2 + tries].mean()),
        random=float(hit[:, 2 + tries :].mean()),
        shortfall=float((best[:, 0] - reached[:, 0]).max()),
        ours_converged=int(reached[:, -1].sum()),
    )


def one_sample(form: Form, tries: int, seed: int) -> list[float]:
    """Return log-likelihoods: ours, from the truth, ``tries`` from the right sides, ``tries`` at random; ours ok."""
    rng = np.random.default_rng([seed, form.n_cat, form.n_items, form.n_persons])
    model, _ = find_model("ggum")
    true = np.array([[rng.uniform(*p.typical) for p in model.params(form.n_cat, 1)] for _ in range(form.n_items)])
    true[:, 1] = rng.uniform(*form.locations, form.n_items)
    answers = ta.simulate(known_form(true, form.n_cat), form.n_persons, seed=int(rng.integers(2**62)))
    models = dict.fromkeys(answers.item_ids, "ggum")
    problem = build_problem(answers, models, groups=None, constraints=(), priors=None)
    ours = run(problem, None)
    others = [true]
    for knows_side in (True, False):
        for _ in range(tries):
            drawn = drawn_start(form, rng)
            if knows_side:
                drawn[:, 1] = np.sign(true[:, 1]) * np.abs(drawn[:, 1])
            others.append(drawn)
    return [ours.last.loglik, *(run(problem, par).last.loglik for par in others), float(ours.status.ok)]


def drawn_start(form: Form, rng: np.random.Generator) -> Array:
    """Return (J, K + 1) discriminations 0.6..1.6, locations -3..3, thresholds 0.6 apart."""
    thresholds = np.tile(-0.6 * np.arange(form.n_cat - 1, 0, -1), (form.n_items, 1))
    return np.column_stack([rng.uniform(0.6, 1.6, form.n_items), rng.uniform(-3, 3, form.n_items), thresholds])


def run(problem: Problem, start: Array | None) -> Run:
    at = None if start is None else start.ravel()
    return maximise(problem, tol=1e-5, max_steps=STEPS, report=lambda _: None, dimension="trait", start=at)


def known_form(par: Array, n_cat: int) -> ta.Calibration:
    """Return a calibration with these unfolding parameters (J, K + 1) taken as true."""
    n_items = len(par)
    return ta.Calibration(
        item_ids=tuple(f"q{j + 1}" for j in range(n_items)),
        n_cat=np.full(n_items, n_cat),
        dimensions=("trait",),
        blocks=(ItemBlock(find_model("ggum")[0], n_cat, np.arange(n_items), par, (0,), "ggum"),),
        par_cov=(np.zeros((*par.shape, par.shape[1])),),
        latent=Latent(("all",), np.zeros((1, 1)), np.ones((1, 1, 1))),
        free=FreeParameters((), np.empty(0), np.empty((0, 0))),
        loglik=float("nan"),
        n_persons=0,
        n_steps=0,
        status=ta.Status.NOT_CHECKED,
        trace=(),
        audit=(),
        provenance=Provenance("study of starts", simulated=True),
    )


def as_markdown(rows: Sequence[Row], tries: int, seed: int) -> str:
    """Return the table with what it rests on."""
    lines = [
        "# Which start finds the best maximum of the unfolding model (SIMULATED)",
        "",
        f"SIMULATED answers, talentassess {ta.__version__}, seed {seed}; {tries} drawn starts of each kind per sample; "
        "written by `analysis/06_unfolding_starts.py`. A start counts as good if its run ends within "
        f"{SAME} log-likelihood units of the best run of that sample, in at most {STEPS} passes. Percentages of runs.",
        "",
        "| K | items | persons | true locations | samples | our start | start at the truth | right sides, else random "
        "| random | largest shortfall of ours | ours converged |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.form.n_cat} | {r.form.n_items} | {r.form.n_persons} | {r.form.locations[0]:g} to "
        f"{r.form.locations[1]:g} | {r.samples} | {100 * r.ours:.0f} % | {100 * r.truth:.0f} % | "
        f"{100 * r.right_side:.0f} % | {100 * r.random:.0f} % | {r.shortfall:.2f} | {r.ours_converged} |"
        for r in rows
    ]
    return "\n".join(lines) + "\n"


def main(given: Sequence[str] | None = None) -> None:
    """Run the study and write unfolding_starts.md and .json."""
    parser = argparse.ArgumentParser(description="Starts of the unfolding model on SIMULATED answers.")
    parser.add_argument("--quick", action="store_true", help="one small form, to see that it runs")
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args(given)
    forms: tuple[Form, ...] = FORMS
    samples, tries = asked.samples, asked.tries
    if asked.quick:
        forms, samples, tries = (Form(3, 6, 200, (-2.0, 2.0)),), 1, 1
    rows = []
    for form in forms:
        rows.append(study(form, samples, tries, seed=SEED))
        print(rows[-1], flush=True)
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "unfolding_starts.md").write_text(as_markdown(rows, tries, SEED), encoding="utf-8")
    record = {"label": "SIMULATED", "version": ta.__version__, "seed": SEED, "rows": [asdict(r) for r in rows]}
    (asked.out / "unfolding_starts.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

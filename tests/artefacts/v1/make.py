"""Write the artefacts of version 1: SIMULATED answers and everything that is saved from them.

Run once, with the version whose files they are; then they stay as they are, so that later versions are tested on them:
``python tests/artefacts/v1/make.py``. A later file format gets a folder of its own beside this one.
"""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

import talentassess as ta
from talentassess.calibration import calibrate
from talentassess.render.doc import Claim, ClaimBlock, Paragraph, ReportDoc, Section, TableBlock
from talentassess.scoring import score

HERE = Path(__file__).parent
ITEMS = {"care": ["c1", "c2", "c3", "c4"], "pace": ["p1", "p2", "p3", "p4", "p5"]}
# three kinds of blocks, so that every model's parameters are in the file
MODELS = {"c1": "graded", "c2": "graded", "c3": "gpcm", "c4": "nominal"} | dict.fromkeys(ITEMS["pace"], "2pl")
N = 80


def main() -> None:
    """Write answers.csv, calibration.json, scores.json, scores_ml.json, norms/, report.json and known.json."""
    write_answers(HERE / "answers.csv")
    answers = read_answers(HERE / "answers.csv")
    priors = {"slope": ta.LogNormalPrior(0.0, 0.5)}
    calibration = calibrate(answers, MODELS, priors=priors)
    scores, ml = score(calibration, answers), score(calibration, answers, "ml")
    card = ta.norm_card(scores, population="nobody", sample="SIMULATED", collected=("2026", "2026"), notes="version 1")
    norms = ta.fit_norms(scores, card=card)
    ta.save(calibration, HERE / "calibration.json")
    ta.save(scores, HERE / "scores.json")
    ta.save(ml, HERE / "scores_ml.json")
    ta.save_norms(norms, HERE / "norms")
    report = with_every_block(ta.report(ta.analyze_items(answers), title="Artefacts of version 1"))
    report.save(HERE / "report.json")
    estimates = zip(calibration.free.names, calibration.free.values, strict=True)
    silent = [row[0].name == "NO_ANSWERS" for row in ml.status]
    known = {
        "loglik": round(calibration.loglik, 6),
        "status": calibration.status.name,
        "n_free": calibration.n_free,
        "parameters": {name: round(float(v), 6) for name, v in estimates},
        "first_person": {
            "id": scores.person_ids[0],
            "theta": np.round(scores.theta[0], 6).tolist(),
            "se": np.round(scores.se[0], 6).tolist(),
        },
        "ml_infinite": int(np.isinf(ml.theta).sum()),
        "no_answers": [p for p, nothing in zip(ml.person_ids, silent, strict=True) if nothing],
        "norm_t_of_first_person": np.round(norms.apply(scores).t[0], 6).tolist(),
        "claims": [claim.sentence for claim in report.claims],
        "tables": [table.caption for table in report.tables],
        "alpha": [round(float(a), 6) for a in report.tables[1].columns["Alpha"]],
    }
    (HERE / "known.json").write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def with_every_block(doc: ReportDoc) -> ReportDoc:
    """Put a section in front that holds what the report of an item analysis lacks: a claim, numbers without end."""
    claim = Claim("One of three numbers is finite.", "numbers", "It is made up.")
    numbers = TableBlock("Numbers", {"Number": [float("inf"), float("nan"), 0.1], "Text": ["\u221e", None, "0,1"]})
    first = Section("Made up", "made-up", (Paragraph("SIMULATED."), ClaimBlock((claim,)), numbers))
    return replace(doc, sections=(first, *doc.sections))


def read_answers(path: Path) -> ta.Responses:
    """Read the answers as any user would."""
    categories = {"care": ["0", "1", "2"], "pace": ["0", "1"]}
    return ta.read_responses(path, items=ITEMS, person="id", group="site", categories=categories)


def write_answers(path: Path) -> None:
    """Draw two correlated traits, 4 items of three and 5 of two categories, some holes, one person without answers."""
    rng = np.random.default_rng(2026)
    theta = rng.multivariate_normal([0.0, 0.0], [[1.0, 0.4], [0.4, 1.0]], size=N)
    three = (theta[:, :1] * 1.5 + rng.logistic(size=(N, 4)))[:, :, None] > np.array([-0.9, 0.8])
    two = theta[:, 1:] * 1.5 + rng.logistic(size=(N, 5)) > np.array([-1.2, -0.6, 0.0, 0.5, 1.1])
    cells = np.hstack([three.sum(axis=2), two]).astype(int).astype(str)
    cells[rng.random(cells.shape) < 0.03] = ""
    cells[-1] = ""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["id", "site", *ITEMS["care"], *ITEMS["pace"], "SIMULATED"])
        writer.writerows(
            [f"s{i + 1:02d}", "north" if i % 2 else "south", *row, "SIMULATED"] for i, row in enumerate(cells)
        )


if __name__ == "__main__":
    main()

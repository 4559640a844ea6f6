"""Real answers: PROMIS Anxiety linked to its published parameters by curves and by fixed anchors (independent code)."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

import talentassess as ta
from linking_cases import graded, known
from shared_data import make_responses, shared


def test_links_to_the_promis_metric_agree_with_fixed_parameter_calibration():
    """751 persons, 29 graded items. Fixing the items at the anchor values gives mean and SD on the PROMIS metric
    directly; characteristic curve links must find them to within a standard error, from the same answers.
    """
    rows = list(csv.reader(shared("data/oracle/prosetta_anchor_AxMASQ.csv").read_text().splitlines()))[1:]
    data = list(csv.reader(shared("data/oracle/prosetta_dat_AxMASQ_v2.csv").read_text().splitlines()))
    items, slopes = [row[1] for row in rows], [float(row[2]) for row in rows]
    columns = [data[0].index(item) for item in items]
    x = np.array([[float(r[c]) - 1 if r[c] not in ("", "NA") else np.nan for c in columns] for r in data[1:]])
    answers = make_responses(x, items, 5)
    par = graded(slopes, [[float(v) for v in row[3:]] for row in rows], 1.0)
    promis = replace(known([("graded", 5, par)], cov=0.0), item_ids=tuple(items))
    free = ta.calibrate(answers, "graded", tol=1e-4)
    fixed = ta.calibrate(answers, "graded", anchors=promis, tol=1e-4)
    mean, sd = fixed.latent.mean[0, 0], np.sqrt(fixed.latent.cov[0, 0, 0])
    error = np.sqrt(np.diag(fixed.free.cov))
    for method in ("stocking-lord", "haebara"):
        link = ta.link_scales(free, promis, method)
        assert pytest.approx(sd, abs=1.5 * error[1] * sd) == link.A
        assert pytest.approx(mean, abs=error[0]) == link.B
        assert (link.se > 0.01).all()
        assert (link.se < 0.06).all()
    scores = ta.link_scales(free, promis).apply_scores(ta.score(free, answers))
    np.testing.assert_allclose(scores.theta, ta.score(fixed, answers).theta, atol=0.25)

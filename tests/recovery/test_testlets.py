"""Simulate forms with testlets, fit, recover, score. All SIMULATED."""

from __future__ import annotations

import numpy as np

from talentassess.calibration import calibrate
from talentassess.core.calibration import Calibration, FreeParameters, Latent
from talentassess.core.likelihood import ItemBlock
from talentassess.core.provenance import Provenance
from talentassess.core.status import Status
from talentassess.models import find_model
from talentassess.scoring import score
from talentassess.workflow.simulate import simulate

TESTLETS = {"mail": [0, 1, 2, 3], "call": [4, 5, 6, 7], "queue": [8, 9, 10, 11]}  # items 12 and 13 stand alone


def truth(model: str = "graded", n_cat: int = 4, seed: int = 5) -> Calibration:
    """Return fourteen items, twelve of them in three testlets, with drawn parameters."""
    rng = np.random.default_rng(seed)
    found, _ = find_model(model)
    blocks = []
    for f, items in enumerate([*TESTLETS.values(), [12, 13]], start=1):
        dims = (0, f) if f <= len(TESTLETS) else (0,)
        declared = found.params(n_cat, len(dims))
        par = np.array([[rng.uniform(*p.typical) for p in declared] for _ in items])
        par[:, 0] = rng.uniform(1.0, 2.0, len(items))
        if f <= len(TESTLETS):
            par[:, 1] = rng.uniform(0.7, 1.4, len(items))
        blocks.append(ItemBlock(found, n_cat, np.array(items), par, dims, model))
    return Calibration(
        item_ids=tuple(f"q{j}" for j in range(14)),
        n_cat=np.full(14, n_cat),
        dimensions=("service", *TESTLETS),
        blocks=tuple(blocks),
        par_cov=tuple(np.zeros((*b.par.shape, b.par.shape[1])) for b in blocks),
        latent=Latent(("all",), np.zeros((1, 4)), np.eye(4)[None]),
        free=FreeParameters((), np.empty(0), np.empty((0, 0))),
        loglik=float("nan"),
        n_persons=0,
        n_steps=0,
        status=Status.NOT_CHECKED,
        trace=(),
        audit=(),
        provenance=Provenance("recovery study", simulated=True),
    )


def named(source: Calibration) -> dict[str, list[str]]:
    return {name: [source.item_ids[j] for j in items] for name, items in TESTLETS.items()}


def standardised_errors(source: Calibration, fitted: Calibration) -> np.ndarray:
    """Return (estimate - truth) / SE of all parameters."""
    parts = []
    for block in source.blocks:
        other, cov = next(
            (o, c) for o, c in zip(fitted.blocks, fitted.par_cov, strict=True) if o.items[0] == block.items[0]
        )
        parts.append(((other.par - block.par) / np.sqrt(np.diagonal(cov, axis1=1, axis2=2))).ravel())
    return np.concatenate(parts)


def test_a_form_with_testlets_is_recovered_and_its_intervals_cover():
    """95 % intervals of 68 parameters in four replications: 272 cases, standard error of the coverage about 1.5 %."""
    source = truth()
    z = np.concatenate(
        [
            standardised_errors(
                source, calibrate(simulate(source, 1200, seed=s), "graded", testlets=named(source), tol=1e-4)
            )
            for s in range(4)
        ]
    )
    assert z.size == 4 * (12 * 5 + 2 * 4)
    assert 0.90 < np.mean(np.abs(z) < 1.96) < 0.995
    # parameters of one replication are correlated: the mean square has a standard deviation of about 0.12
    assert 0.6 < np.mean(z**2) < 1.5


def test_ignoring_testlets_overstates_precision():
    """The known price (Wainer & Wang 2000): without testlets the general trait looks more precise than it is."""
    source = truth(seed=8)
    rng = np.random.default_rng(3)
    theta = rng.standard_normal((1500, 4))
    answers = simulate(source, 1500, seed=4, theta=theta)
    with_testlets = calibrate(
        answers, "graded", dimensions={"service": answers.item_ids}, testlets=named(source), se=None
    )
    without = calibrate(answers, "graded", dimensions={"service": answers.item_ids}, se=None)
    honest, flattering = score(with_testlets, answers), score(without, answers)
    covered = [np.mean(np.abs(s.theta[:, 0] - theta[:, 0]) < 1.96 * s.se[:, 0]) for s in (honest, flattering)]
    # binomial standard error of a coverage of .95 in 1,500 persons: 0.6 %
    assert 0.93 < covered[0] < 0.97
    assert covered[1] < 0.90
    assert with_testlets.bic < without.bic


def test_rasch_testlets_recover_their_standard_deviations():
    source = truth("2pl", 2, seed=6)
    sds = {"mail": 0.6, "call": 1.0, "queue": 1.5}
    for block, sd in zip(source.blocks[:3], sds.values(), strict=True):
        block.par[:, 0], block.par[:, 1] = 1.0, sd
    source.blocks[3].par[:, 0] = 1.0
    fitted = calibrate(simulate(source, 4000, seed=7), "rasch", testlets=named(source))
    found = {name: (value, se) for name, value, se in zip(
        fitted.free.names, fitted.free.values, np.sqrt(np.diag(fitted.free.cov)), strict=True
    ) if name.startswith(("specific_slope", "log latent sd"))}  # fmt: skip
    assert fitted.status is Status.CONVERGED
    assert len(found) == 4
    for (value, se), expected in zip(found.values(), [*sds.values(), 0.0], strict=True):
        assert abs(value - expected) < 3.3 * se
        assert se < 0.12


def test_a_second_group_is_placed_on_the_general_dimension():
    source = truth(seed=9)
    rng = np.random.default_rng(1)
    theta = rng.standard_normal((2000, 4))
    label = np.repeat(["old", "new"], 1000)
    theta[1000:, 0] = 0.5 + 1.2 * theta[1000:, 0]
    fitted = calibrate(
        simulate(source, 2000, seed=2, theta=theta), "graded", testlets=named(source), groups=list(label), tol=1e-4
    )
    mean, log_sd = fitted.free.values[-2:]
    errors = np.sqrt(np.diag(fitted.free.cov))[-2:]
    assert abs(mean - 0.5) < 3 * errors[0]
    assert abs(log_sd - np.log(1.2)) < 3 * errors[1]
    np.testing.assert_allclose(fitted.latent.cov[1], np.diag([np.exp(2 * log_sd), 1, 1, 1]))
    np.testing.assert_allclose(fitted.latent.mean[1], [mean, 0, 0, 0])

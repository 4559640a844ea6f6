"""How many passes over SIMULATED answers a fit takes: the measure of speed that no other process on a machine disturbs.

Limits stand a quarter above what was counted, so that they tell a worse start or step from a chance of rounding.
"""

from __future__ import annotations

import numpy as np
import pytest

from talentassess.calibration import Equal, calibrate
from talentassess.core.provenance import Provenance
from talentassess.core.responses import Responses
from talentassess.core.status import Status
from talentassess.models import find_model


def answers(model: str, n: int, n_items: int, n_cat: int, seed: int) -> Responses:
    """Draw answers to items with log-normal slopes and difficulties all over the scale."""
    rng = np.random.default_rng(seed)
    a, b = rng.lognormal(0.2, 0.3, n_items), rng.normal(0, 1, n_items)
    par = [a, -a * b] if n_cat == 2 else [a, *(-a[:, None] * (b[:, None] / 2 + np.linspace(-1.4, 1.4, n_cat - 1))).T]
    if model in ("3pl", "4pl"):
        par.append(np.log(1 / rng.uniform(4, 10, n_items)))
    if model == "4pl":
        par.append(rng.uniform(2.4, 3.6, n_items))
    chances = np.exp(find_model(model)[0].log_prob(rng.standard_normal((n, 1)), np.column_stack(par), n_cat))
    x = (rng.random((n, n_items, 1)) > np.cumsum(chances, axis=2)[:, :, :-1]).sum(axis=2)
    labels = {"item_ids": [f"q{j}" for j in range(n_items)], "person_ids": range(n)}
    return Responses(x=x, n_cat=[n_cat] * n_items, provenance=Provenance("passes", simulated=True), **labels)


@pytest.mark.parametrize(
    ("model", "n_cat", "most"),
    [("rasch", 2, 11), ("2pl", 2, 10), ("3pl", 2, 18), ("4pl", 2, 22), ("graded", 5, 9)],
)
def test_few_passes_reach_the_maximum(model, n_cat, most):
    fitted = calibrate(answers(model, 3000, 30, n_cat, seed=6), model, se=None)
    assert fitted.status is Status.CONVERGED
    assert fitted.n_steps <= most


def test_slopes_that_run_to_their_bound_do_not_creep():
    """Perfect Guttman answers: four slopes meet their bound on ridges with the intercepts."""
    x = np.tri(7, 6, -1, dtype=int).repeat(30, axis=0)
    labels = {"item_ids": [f"q{j}" for j in range(6)], "person_ids": range(len(x))}
    guttman = Responses(x=x, n_cat=[2] * 6, provenance=Provenance("passes", simulated=True), **labels)
    free, tied = calibrate(guttman, "2pl", se=None), calibrate(guttman, "2pl", se=None, constraints=[Equal("slope")])
    assert free.status is Status.AT_BOUND
    assert free.n_steps <= 264
    assert tied.status is Status.AT_BOUND
    assert free.loglik == pytest.approx(tied.loglik, rel=1e-9)  # all slopes at the same bound

"""Calibrations with parameters taken as true, to simulate from."""

from __future__ import annotations

import numpy as np

from talentassess.core.calibration import Calibration, FreeParameters, Latent
from talentassess.core.likelihood import ItemBlock
from talentassess.core.provenance import Provenance
from talentassess.core.status import Status
from talentassess.models import find_model


def known_form(name: str, par: np.ndarray, n_cat: int) -> Calibration:
    """Return a form q1..qJ of one model with these parameters (J, P) and a standard normal trait."""
    n_items = len(par)
    return Calibration(
        item_ids=tuple(f"q{j + 1}" for j in range(n_items)),
        n_cat=np.full(n_items, n_cat),
        dimensions=("trait",),
        blocks=(ItemBlock(find_model(name)[0], n_cat, np.arange(n_items), np.asarray(par, dtype=float), (0,), name),),
        par_cov=(np.zeros((*np.shape(par), np.shape(par)[1])),),
        latent=Latent(("all",), np.zeros((1, 1)), np.ones((1, 1, 1))),
        free=FreeParameters((), np.empty(0), np.empty((0, 0))),
        loglik=float("nan"),
        n_persons=0,
        n_steps=0,
        status=Status.NOT_CHECKED,
        trace=(),
        audit=(),
        provenance=Provenance("known form", simulated=True),
    )

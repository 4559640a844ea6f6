"""Calibrations made from parameters drawn here (SIMULATED: nobody answered them), for tests of scoring."""

from __future__ import annotations

import numpy as np

from talentassess.core.calibration import Calibration, FreeParameters, Latent
from talentassess.core.likelihood import ItemBlock
from talentassess.core.provenance import Provenance
from talentassess.core.status import Status
from talentassess.models import find_model


def made_form(
    parts: list[tuple[str, int, int]],
    *,
    seed: int = 0,
    slope: tuple[float, float] | None = None,
    latent: tuple[float, float] = (0.0, 1.0),
) -> Calibration:
    """Return a one-dimensional form of parts (model, number of items, categories), parameters from typical ranges."""
    rng = np.random.default_rng(seed)
    blocks, start = [], 0
    for name, n_items, n_cat in parts:
        model, _ = find_model(name)
        par = np.array([[rng.uniform(*p.typical) for p in model.params(n_cat, 1)] for _ in range(n_items)])
        if slope is not None:
            par[:, 0] = rng.uniform(*slope, n_items)
        if name == "graded":
            par[:, 1:] = -np.sort(-par[:, 1:], axis=1)
        blocks.append(ItemBlock(model, n_cat, np.arange(start, start + n_items), par, (0,), name))
        start += n_items
    return Calibration(
        item_ids=tuple(f"i{j + 1}" for j in range(start)),
        n_cat=np.concatenate([np.full(n, k) for _, n, k in parts]),
        dimensions=("scale",),
        blocks=tuple(blocks),
        par_cov=tuple(np.zeros((*b.par.shape, b.par.shape[1])) for b in blocks),
        latent=Latent(("all",), np.array([[latent[0]]]), np.array([[[latent[1] ** 2]]])),
        free=FreeParameters((), np.empty(0), np.empty((0, 0))),
        loglik=float("nan"),
        n_persons=0,
        n_steps=0,
        status=Status.CONVERGED,
        trace=(),
        audit=(),
        provenance=Provenance("parameters drawn for a test", simulated=True),
    )

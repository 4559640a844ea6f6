"""One dimension of a calibration, laid out for scoring."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.calibration import Calibration
from talentassess.core.likelihood import ItemBlock, offsets


@dataclass(frozen=True, eq=False, slots=True)
class Form:
    """The items of one dimension.

    Attributes
    ----------
    positions : (Jd,) positions of its items in the calibration.
    starts : (Jd + 1,) offsets on the stacked category axis.
    n_cat : (Jd,) categories.
    blocks : items by model, positions counted within the dimension.
    mean, sd : (G,) latent distribution per group, logits.
    """

    positions: IntArray
    starts: IntArray
    n_cat: IntArray
    blocks: tuple[ItemBlock, ...]
    mean: FloatArray
    sd: FloatArray


def dimension_form(calibration: Calibration, d: int) -> Form:
    """Return the form of dimension number ``d``."""
    own = [block for block in calibration.blocks if block.dims == (d,)]
    positions = np.sort(np.concatenate([block.items for block in own]))
    blocks = tuple(replace(b, items=np.searchsorted(positions, b.items), dims=(0,)) for b in own)
    n_cat = calibration.n_cat[positions]
    return Form(
        positions=positions,
        starts=offsets(n_cat),
        n_cat=n_cat,
        blocks=blocks,
        mean=calibration.latent.mean[:, d],
        sd=np.sqrt(calibration.latent.cov[:, d, d]),
    )

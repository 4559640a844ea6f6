"""One dimension of a calibration, laid out for scoring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from talentassess.core.arrays import FloatArray, IntArray
from talentassess.core.calibration import Calibration
from talentassess.core.covariates import read_covariates
from talentassess.core.derived import suited_grid
from talentassess.core.errors import ScoringError
from talentassess.core.latent_shape import LatentShape
from talentassess.core.likelihood import ItemBlock, offsets
from talentassess.core.quadrature import normal_log_weights
from talentassess.core.responses import Responses


@dataclass(frozen=True, eq=False, slots=True)
class Form:
    """The items of one dimension.

    Attributes
    ----------
    positions : (Jd,) positions of its items in the calibration.
    starts : (Jd + 1,) offsets on the stacked category axis.
    n_cat : (Jd,) categories.
    blocks : items by model, positions counted within the dimension.
    mean, sd : (G,) latent distribution per prior, logits; a prior belongs to a group, or to the persons of one group
        with the same covariates.
    shape : of the latent distribution, None for the normal.
    """

    positions: IntArray
    starts: IntArray
    n_cat: IntArray
    blocks: tuple[ItemBlock, ...]
    mean: FloatArray
    sd: FloatArray
    shape: LatentShape | None = None

    def nodes(self) -> FloatArray:
        """Return quadrature nodes (Q,) that suit the form and its latent distribution."""
        return suited_grid(self.blocks, self.mean, self.sd, self.shape)

    def log_prior(self, nodes: FloatArray) -> FloatArray:
        """Return (G, Q) log weights of nodes (Q,) under each prior."""
        weigh = normal_log_weights if self.shape is None else self.shape.log_weights
        return np.stack([weigh(nodes, m, s) for m, s in zip(self.mean, self.sd, strict=True)])


def dimension_form(calibration: Calibration, d: int) -> Form:
    """Return the form of dimension number ``d``; one that shares items with another raises ``ScoringError``."""
    if any(d in block.dims and len(block.dims) > 1 for block in calibration.blocks):
        raise ScoringError(
            f"Items of '{calibration.dimensions[d]}' measure other dimensions (testlets) as well: it cannot be "
            "scored by itself. Use ta.score(..., method='eap')."
        )
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
        shape=calibration.latent.shape_of(d),
    )


def person_priors(
    calibration: Calibration, responses: Responses, group: IntArray, covariates: Mapping[str, ArrayLike] | None
) -> tuple[list[Form], IntArray]:
    """Return a form per dimension and the number (N,) of each person's prior in it.

    Parameters
    ----------
    group : (N,) group numbers, which are the priors' numbers without covariates.
    covariates : name -> (N,) numbers, all those of the calibration's latent regression, or None for priors that do not
        know them.

    Raises
    ------
    ScoringError : the calibration has no regression, or one on other covariates.
    DataError : covariates that are missing for a person or no numbers.
    """
    forms = [dimension_form(calibration, d) for d in range(len(calibration.dimensions))]
    if covariates is None:
        return forms, group
    regression = calibration.latent.regression
    if regression is None:
        raise ScoringError(
            "The calibration has no latent regression, so covariates cannot move its priors. Leave them out, or "
            "calibrate with calibrate(..., covariates=...)."
        )
    given = read_covariates(covariates, responses.person_ids)
    if set(given.names) != set(regression.names):
        raise ScoringError(
            f"The calibration's covariates are {', '.join(regression.names)}; found {', '.join(given.names)}. Give the "
            "same ones in the same units."
        )
    z = given.values[:, [given.names.index(name) for name in regression.names]]
    cells, cell = np.unique(np.column_stack([group, z]), axis=0, return_inverse=True)
    groups = cells[:, 0].astype(np.int64)
    moved = [
        replace(form, mean=regression.mean[groups, d] + cells[:, 1:] @ regression.beta[d], sd=regression.sd[groups, d])
        for d, form in enumerate(forms)
    ]
    return moved, cell.ravel()

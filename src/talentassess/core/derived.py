"""What follows from a calibrated form: characteristic curves, information, reliability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from talentassess.core.arrays import FloatArray
from talentassess.core.latent_shape import LatentShape
from talentassess.core.likelihood import ItemBlock
from talentassess.core.quadrature import LIMIT, NODES, grid

# standard deviations that must lie on the usual grid: with 4 de Ayala's 19,601 Rasch answers were 0.04 units off
REACH = 5.0
FINEST = 3  # halvings of the spacing at the most: enough for a test with a standard error of .02


def expected_score(block: ItemBlock, theta: FloatArray) -> FloatArray:
    """Return (Q, Jb) expected category code at theta (Q, D): T(theta) = sum_k k P_k(theta)."""
    probability: FloatArray = np.exp(block.log_prob(theta))
    return probability @ np.arange(block.n_cat, dtype=np.float64)


def suited_grid(
    blocks: Sequence[ItemBlock], mean: FloatArray, sd: FloatArray, shape: LatentShape | None = None
) -> FloatArray:
    """Return quadrature nodes (Q,) that suit a one-dimensional form and its latent distribution.

    The usual 61 nodes on -6..6 unless a group reaches further out than 5 standard deviations of it, or the form is so
    informative that a posterior would fall between the nodes.

    Parameters
    ----------
    blocks : all items of the form.
    mean, sd : (G,) latent distributions, logits.
    shape : of the distribution, None for the normal; heavy tails widen the grid, a rough density refines it.
    """
    far = np.abs(mean)
    near_enough, reach, roughness = (
        (REACH, 6.0, 1.0) if shape is None else (shape.reach(), shape.reach(), shape.roughness)
    )
    limit = LIMIT if np.max(far + near_enough * sd) <= LIMIT else float(np.ceil(np.max(far + reach * sd)))
    probe = np.linspace(-limit, limit, 121)[:, None]
    information = sum(item_information(block, probe).sum(axis=1) for block in blocks)
    narrowest = 1 / np.sqrt(float(np.max(information)) + (roughness / float(np.max(sd))) ** 2)
    spacing = 2 * LIMIT / (NODES - 1)
    # the rectangle rule is exact to 3e-6 while the spacing stays below 1.25 posterior standard deviations
    halvings = int(np.clip(np.ceil(np.log2(spacing / (1.25 * narrowest))), 0, FINEST))
    return grid(round(2 * limit / spacing * 2**halvings) + 1, limit)


def joint_grid(blocks: Sequence[ItemBlock], mean: FloatArray, cov: FloatArray) -> FloatArray:
    """Return quadrature nodes (Q,) common to several dimensions, each item measuring one; as ``suited_grid``.

    A dimension's posterior can be as narrow as its own items and all other dimensions together make it.

    Parameters
    ----------
    blocks : all items of the form.
    mean, cov : (G, D), (G, D, D) latent distributions, logits.
    """
    sd = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
    limit = LIMIT if np.max(np.abs(mean) + REACH * sd) <= LIMIT else float(np.ceil(np.max(np.abs(mean) + 6 * sd)))
    probe = np.linspace(-limit, limit, 121)[:, None]
    known = np.zeros(mean.shape[1])
    for d in range(mean.shape[1]):
        own = [replace(block, dims=(0,)) for block in blocks if block.dims == (d,)]
        known[d] = np.max(sum(item_information(block, probe).sum(axis=1) for block in own))
    from_others = np.max(np.diagonal(np.linalg.inv(cov), axis1=1, axis2=2), axis=0)
    narrowest = 1 / np.sqrt(np.max(known + from_others))
    spacing = 2 * LIMIT / (NODES - 1)
    halvings = int(np.clip(np.ceil(np.log2(spacing / (1.25 * narrowest))), 0, FINEST))
    return grid(round(2 * limit / spacing * 2**halvings) + 1, limit)


def item_information(block: ItemBlock, theta: FloatArray) -> FloatArray:
    """Return (Q, Jb) Fisher information about the block's first dimension at theta (Q, D).

    Equation: I(theta) = sum_k P_k (d log P_k / d theta)^2 (Samejima 1969, eq. 6-6).
    """
    probability = np.exp(block.log_prob(theta))
    slope = block.d_theta(theta)[..., 0]
    information: FloatArray = np.sum(probability * slope**2, axis=2)
    return information

"""What follows from a calibrated form: characteristic curves, information, reliability."""

from __future__ import annotations

import numpy as np

from talentassess.core.arrays import FloatArray
from talentassess.core.likelihood import ItemBlock


def expected_score(block: ItemBlock, theta: FloatArray) -> FloatArray:
    """Return (Q, Jb) expected category code at theta (Q, D): T(theta) = sum_k k P_k(theta)."""
    probability: FloatArray = np.exp(block.log_prob(theta))
    return probability @ np.arange(block.n_cat, dtype=np.float64)


def item_information(block: ItemBlock, theta: FloatArray) -> FloatArray:
    """Return (Q, Jb) Fisher information about the block's first dimension at theta (Q, D).

    Equation: I(theta) = sum_k P_k (d log P_k / d theta)^2 (Samejima 1969, eq. 6-6).
    """
    probability = np.exp(block.log_prob(theta))
    slope = block.d_theta(theta)[..., 0]
    information: FloatArray = np.sum(probability * slope**2, axis=2)
    return information

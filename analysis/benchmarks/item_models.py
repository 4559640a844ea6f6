"""Item category probabilities in slope/intercept form, written apart from talentassess: for simulating and checking."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Parameters:
    """Parameters of J items of one model, logistic metric (no 1.7).

    Attributes
    ----------
    model : ``2pl``, ``3pl``, ``graded`` or ``gpcm``.
    slope : (J, D) slopes; a column per latent dimension.
    intercept : (J, K - 1) intercepts: decreasing for ``graded``, cumulated steps for ``gpcm``.
    guessing : (J,) lower asymptotes; zeros but for ``3pl``.
    """

    model: str
    slope: Floats
    intercept: Floats
    guessing: Floats = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def from_lists(cls, model: str, found: dict[str, object]) -> Parameters:
        """Read what a runner reported: slope (J,) or (J, D), intercept (J,) or (J, K - 1), guessing (J,) if any."""
        slope, intercept = (np.asarray(found[name], dtype=np.float64) for name in ("slope", "intercept"))
        n_items = len(slope)
        return cls(
            model,
            slope.reshape(n_items, -1),
            intercept.reshape(n_items, -1),
            np.asarray(found.get("guessing", np.zeros(n_items)), dtype=np.float64),
        )


def probabilities(items: Parameters, theta: Floats) -> Floats:
    """Return (n, J, K) probabilities of each category at theta (n, D)."""
    line = theta @ items.slope.T
    if items.model == "gpcm":
        steps = np.column_stack([np.zeros(len(items.slope)), items.intercept])
        z = line[:, :, None] * np.arange(steps.shape[1]) + steps
        weights = np.exp(z - z.max(axis=2, keepdims=True))
        return np.asarray(weights / weights.sum(axis=2, keepdims=True))
    reached = 1 / (1 + np.exp(-(line[:, :, None] + items.intercept)))
    if items.model == "3pl":
        reached = items.guessing[:, None] + (1 - items.guessing[:, None]) * reached
    edge = np.ones((*line.shape, 1))
    return -np.diff(np.concatenate([edge, reached, 0 * edge], axis=2), axis=2)

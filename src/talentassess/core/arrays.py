"""Array types shared by all layers: numbers below, labels above."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
CodeArray = NDArray[np.int16]
BoolArray = NDArray[np.bool_]
StatusArray = NDArray[np.object_]


def nodes_innermost(n_nodes: int, *rest: int) -> FloatArray:
    """Return an uninitialised array of shape (Q, ...) whose nodes lie next to each other in memory.

    Models are evaluated at all nodes at once, item by item: elementwise work and sums over nodes then run along memory.
    """
    return np.moveaxis(np.empty((*rest, n_nodes)), -1, 0)

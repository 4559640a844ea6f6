"""Array types shared by all layers: numbers below, labels above."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

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


def block_diagonal(parts: Sequence[FloatArray]) -> FloatArray:
    """Return square arrays (n, n) of any sizes along the diagonal of one (N, N), zeros elsewhere."""
    size = sum(len(part) for part in parts)
    out, start = np.zeros((size, size)), 0
    for part in parts:
        out[start : start + len(part), start : start + len(part)] = part
        start += len(part)
    return out


class CodeRows(Protocol):
    """Codes (N, J) of which some persons are read at a time: an array, or answers packed away."""

    def __len__(self) -> int:
        """Return the number of persons N."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Persons and items, (N, J)."""
        ...

    def __getitem__(self, persons: slice | IntArray | BoolArray, /) -> CodeArray:
        """Return the codes of these persons, (n, J)."""
        ...

"""Array types shared by all layers: numbers below, labels above."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
CodeArray = NDArray[np.int16]
BoolArray = NDArray[np.bool_]

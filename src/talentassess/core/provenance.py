"""Where a result comes from: data, versions, options, and whether the answers were simulated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from talentassess.core.version import VERSION


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a result rests on.

    Attributes
    ----------
    source : the file, bank or function the data came from, without a machine's folders.
    data_hash : first 16 hexadecimal digits of the SHA-256 of the content.
    simulated : True if any answer behind the result was simulated; the mark is carried into every later result.
    version : talentassess version that made it.
    created : UTC date and time, ISO 8601.
    options : the settings that change the numbers.
    """

    source: str
    data_hash: str = ""
    simulated: bool = False
    version: str = VERSION
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """``SIMULATED`` or ``real answers``, for printing beside the numbers."""
        return "SIMULATED" if self.simulated else "real answers"


def hash_arrays(*arrays: NDArray[np.generic]) -> str:
    """Hash arrays (shape, type and content) to 16 hexadecimal digits.

    Examples
    --------
    >>> hash_arrays(np.arange(3, dtype=np.int16))
    '32800394698b9ad4'
    """
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]


def hash_json(content: object) -> str:
    """Hash a JSON-able object to 16 hexadecimal digits, independent of key order."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

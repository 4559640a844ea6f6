"""Temporary loader."""
from __future__ import annotations
import ctypes, os
from functools import cache

@cache
def library() -> ctypes.CDLL | None:
    p = os.environ.get("EP_LIB", "/tmp/epwork/libep.so")
    return ctypes.CDLL(p) if os.path.exists(p) and p else None

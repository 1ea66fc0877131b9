"""How raw bodies are kept: zlib (RFC 1950), so that any tool can read them.

Compressing here costs less than not compressing: PostgreSQL's own compression takes ten times as long, and without any
the write-ahead log is what limits the rate. `isal` writes the same format in a quarter of the time of the standard
library, which does it where there is no build of `isal`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from importlib import import_module


def _fastest() -> Callable[[bytes, int], bytes]:
    try:
        compress: Callable[[bytes, int], bytes] = import_module("isal.isal_zlib").compress
    except ImportError:
        return zlib.compress
    return compress


_compress = _fastest()


def pack(body: bytes) -> bytes:
    """The body as it is stored."""
    return _compress(body, 1)


def unpack(stored: bytes) -> bytes:
    """The body as it came; raises `zlib.error` for anything that `pack` did not write."""
    return zlib.decompress(stored)

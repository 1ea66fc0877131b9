"""How raw bodies are kept: as LZ4 frames, so that any tool can read them.

Compressing here costs less than not compressing: PostgreSQL's own compression takes many times as long, and without any
the write-ahead log is what limits the rate. LZ4 takes half the time of the fastest deflate for half as many bytes more.
"""

from __future__ import annotations

import zlib
from typing import Final

import lz4.frame

FRAME: Final = b"\x04\x22\x4d\x18"
"""How every LZ4 frame begins."""


class Damaged(Exception):
    """A stored body that cannot be unpacked."""


def pack(body: bytes) -> bytes:
    """The body as it is stored."""
    packed: bytes = lz4.frame.compress(body)
    return packed


def unpack(stored: bytes) -> bytes:
    """The body as it came, also of deliveries from before LZ4 (zlib); raises `Damaged` for anything else."""
    try:
        body: bytes = lz4.frame.decompress(stored) if stored.startswith(FRAME) else zlib.decompress(stored)
    except (RuntimeError, zlib.error) as error:
        raise Damaged(str(error)) from error
    return body

"""Two sorts of identifier: time-ordered for what happens here, derived for what a vendor already named.

A derived id is a function of its parts, so the same record recorded twice meets its own primary key.
"""

from __future__ import annotations

from hashlib import blake2b
from uuid import UUID

import uuid_utils.compat as uuid_utils


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): unique, and sorted by the time of its making."""
    return uuid_utils.uuid7()


def derived_id(*parts: str | int | UUID) -> UUID:
    """A UUIDv8 (RFC 9562) from the parts: BLAKE2b-128 over their length-prefixed UTF-8 text.

    The prefix keeps ("ab", "c") and ("a", "bc") apart. Lone surrogates, which vendors do send, are kept as they are.
    """
    digest = blake2b(digest_size=16)
    for part in parts:
        text = str(part).encode("utf-8", "surrogatepass")
        digest.update(len(text).to_bytes(4, "big"))
        digest.update(text)
    raw = bytearray(digest.digest())
    raw[6] = (raw[6] & 0x0F) | 0x80
    raw[8] = (raw[8] & 0x3F) | 0x80
    return UUID(bytes=bytes(raw))

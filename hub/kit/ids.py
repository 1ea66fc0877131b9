"""Two sorts of identifier: time-ordered for what happens here, derived for what a vendor already named.

A derived id is a function of its parts, so the same record recorded twice meets its own primary key.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from uuid import UUID

import uuid_utils.compat as uuid_utils

_VERSION_8 = 8 << 76 | 2 << 62
"""The version and the variant of a UUIDv8, where RFC 9562 puts them."""

_RANDOM_BITS = ~(15 << 76 | 3 << 62)
"""All the other bits."""


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): unique, and sorted by the time of its making."""
    return uuid_utils.uuid7()


@lru_cache(maxsize=10_000)
def read_id(text: str) -> UUID:
    """The UUID that a text says. A batch asks a dozen times for each of its accounts, so it is parsed once."""
    return UUID(text)


def derived_id(*parts: str | int | UUID) -> UUID:
    """A UUIDv8 (RFC 9562) from the parts: BLAKE2b-128 over their length-prefixed UTF-8 text.

    The prefix keeps ("ab", "c") and ("a", "bc") apart. Lone surrogates, which vendors do send, are kept as they are.
    """
    texts = [str(part).encode("utf-8", "surrogatepass") for part in parts]
    digest = blake2b(b"".join([len(text).to_bytes(4, "big") + text for text in texts]), digest_size=16).digest()
    return UUID(int=int.from_bytes(digest, "big") & _RANDOM_BITS | _VERSION_8)

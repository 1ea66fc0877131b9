"""The ids of what vendors know, derived, so that an event can point at a place before anybody knows whose it is."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

from hub.kit.ids import derived_id

REMEMBERED = 20_000
"""Places whose ids are kept at hand: the same ones come again and again."""


@lru_cache(maxsize=REMEMBERED)
def source_account_id(connection_id: UUID, place: str) -> UUID:
    """The id of a vendor's own account, from the connection and the vendor's name for it."""
    return derived_id("source-account", connection_id, place)


@lru_cache(maxsize=REMEMBERED)
def source_person_id(connection_id: UUID, place: str) -> UUID:
    """The id of a vendor's own user, from the connection and the vendor's name for them."""
    return derived_id("source-person", connection_id, place)


def own_place_id(account_id: UUID) -> UUID:
    """The id of an account's own place, where the hub's own facts about it lie; it goes where the account goes."""
    return derived_id("own-place", account_id)

"""Global ids: a prefix that names the type, and the key in hexadecimal. Opaque to clients.

An event's key leads with its source account, as its row does, so that one index probe finds it.
"""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from hub.kit.errors import Invalid


class Prefix(StrEnum):
    """What an id names."""

    ACCOUNT = "acc"
    ALERT = "alt"
    CONNECTION = "con"
    EVENT = "evt"
    FEEDBACK = "fbk"
    PERSON = "per"
    QUARANTINE = "qua"
    REFERENCE = "ref"
    RUN = "run"
    STAY = "sta"
    TASK = "tsk"
    WATCH = "wat"


KNOWN = frozenset(prefix.value for prefix in Prefix)


def event_id(source_account_id: UUID, id_: UUID) -> str:
    """The global id of an event."""
    return f"evt_{source_account_id.hex}{id_.hex}"


def read_any(text: str) -> tuple[Prefix, str]:
    """The type that an id names, and its key still as text. Raises `Invalid`."""
    prefix, separator, key = text.partition("_")
    if not separator or prefix not in KNOWN:
        raise Invalid(f"{shown(text)} is not an id of this API.", path=("id",))
    return Prefix(prefix), key


def read(prefix: Prefix, text: str, *path: str) -> UUID:
    """The key of an id that must name one type. Raises `Invalid` with the path of the argument."""
    given, separator, key = text.partition("_")
    if given != prefix or not separator:
        raise Invalid(f"{shown(text)} is not the id of this type; it begins with {prefix}_.", path=path or ("id",))
    return read_key(key, text, *path)


def read_event(text: str, *path: str) -> tuple[UUID, UUID]:
    """The source account and the event that an event's id names. Raises `Invalid`."""
    given, separator, key = text.partition("_")
    if given != Prefix.EVENT or not separator or len(key) != 64:
        raise Invalid(f"{shown(text)} is not the id of an event.", path=path or ("id",))
    return read_key(key[:32], text, *path), read_key(key[32:], text, *path)


def read_key(key: str, text: str, *path: str) -> UUID:
    """32 hexadecimal digits as an id. Raises `Invalid`."""
    try:
        if len(key) == 32 and key.isascii() and key.isalnum():
            return UUID(hex=key)
    except ValueError:
        pass
    raise Invalid(f"{shown(text)} is not an id of this API.", path=path or ("id",))


def shown(text: str) -> str:
    """An id as an error message may show it: what somebody sent, cut short."""
    return repr(text if len(text) <= 80 else f"{text[:80]}…")

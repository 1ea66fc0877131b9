"""Secrets stay secret: found in a configuration by their types, and blotted out of every text that anybody may read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr

LONGEST_REASON = 1_000
BLOT = "[redacted]"
SHORTEST_SECRET = 4


def secrets_of(config: BaseModel) -> list[str]:
    """Every secret text in a configuration, the longest first."""
    return sorted({secret for secret in _secrets(config) if secret}, key=len, reverse=True)


def printable(text: str, secrets: Iterable[str] = ()) -> str:
    """A text fit for a log, a column and a screen: no secrets, no NUL, no lone surrogates, no more than a paragraph."""
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, BLOT)
    text = text.replace("\x00", "�").encode("utf-8", "replace").decode()
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 1] + "…"


def _secrets(value: Any) -> Iterator[str]:
    match value:
        case SecretStr():
            yield value.get_secret_value()
        case SecretBytes():
            yield value.get_secret_value().decode("utf-8", "replace")
        case BaseModel():
            for name in type(value).model_fields:
                yield from _secrets(getattr(value, name))
        case dict():
            for part in value.values():
                yield from _secrets(part)
        case list() | tuple() | set() | frozenset():
            for part in value:
                yield from _secrets(part)
        case _:
            return

"""JSON from strangers: kept as bytes, whatever it holds, and made fit for PostgreSQL's JSON where it has to go there.

Vendors send lone surrogates, NULs, numbers of any size and deep nesting. The fast parser refuses some of it,
PostgreSQL's JSON types refuse more; the standard library takes nearly all.
"""

from __future__ import annotations

import json
from typing import Any

import orjson


def dumps(value: Any) -> bytes:
    """A JSON text of the value. Raises `ValueError` when there is none, e.g. when it is nested too deeply."""
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        pass
    try:
        return json.dumps(value, separators=(",", ":"), default=str).encode()
    except (RecursionError, TypeError) as error:
        raise ValueError(f"it cannot be kept as JSON: {error}") from None


def loads(payload: bytes) -> Any:
    """What `dumps` was given, in plain JSON values. Raises `ValueError` for anything else."""
    try:
        return orjson.loads(payload)
    except ValueError:
        pass
    try:
        return json.loads(payload)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def storable(value: Any) -> Any:
    """The value with NULs and lone surrogates replaced, so that a JSONB column takes it."""
    match value:
        case str():
            return value if value.isascii() and "\x00" not in value else _clean(value)
        case dict():
            return {storable(str(name)): storable(part) for name, part in value.items()}
        case list() | tuple():
            return [storable(part) for part in value]
        case _:
            return value


def _clean(text: str) -> str:
    return text.replace("\x00", "�").encode("utf-8", "replace").decode()

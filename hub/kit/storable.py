"""What PostgreSQL can store of what vendors send.

PostgreSQL's text and jsonb take neither NUL nor lone surrogates, both of which arrive in real payloads. They are
replaced by U+FFFD, which a reader sees; whoever needs the original finds it in the raw record. What has no meaning in
JSON at all (NaN, infinities, objects of some class) is refused instead: replacing it would invent a fact.
"""

from __future__ import annotations

import json
import math
from typing import Any

import orjson

REPLACEMENT = "�"
DEEPEST = 100
"""How deep lists and objects may be nested; real payloads stay under twenty."""


def storable(text: str) -> str:
    """The text with U+FFFD in the place of every NUL and lone surrogate."""
    if text.isascii():
        return text.replace("\x00", REPLACEMENT) if "\x00" in text else text
    try:
        text.encode()
    except UnicodeEncodeError:
        text = "".join(REPLACEMENT if "\ud800" <= sign <= "\udfff" else sign for sign in text)
    return text.replace("\x00", REPLACEMENT) if "\x00" in text else text


def storable_parts(value: Any) -> Any:
    """The value with every text in it made storable. Raises `ValueError` as `storable_json` does."""
    return _cleaned(value, 0)


def storable_json(value: Any) -> str:
    """The value as JSON text that jsonb takes; times become ISO 8601.

    Raises `ValueError` for a number that is not finite, a value that JSON does not know, and nesting beyond `DEEPEST`.
    """
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        return _dumped(storable_parts(value))
    # orjson writes NaN as null and a NUL as its escape, so only these two need the slow look.
    if "null" in text or "\\u0000" in text or text.count("[") + text.count("{") > DEEPEST:
        return _dumped(storable_parts(value))
    return text


def _dumped(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError as error:
        if "64-bit" not in str(error):
            raise ValueError(f"it is not JSON: {error}") from None
    try:
        # Only for integers beyond 64 bits, which orjson refuses and jsonb keeps exactly.
        return json.dumps(value, allow_nan=False, ensure_ascii=False)
    except TypeError as error:
        raise ValueError(f"it is not JSON: {error}") from None


def _cleaned(value: Any, depth: int) -> Any:
    if depth > DEEPEST:
        raise ValueError(f"it is nested more than {DEEPEST} levels deep")
    match value:
        case str():
            return storable(value)
        case float() if not math.isfinite(value):
            raise ValueError(f"{value} is not a number that can be stored")
        case dict():
            return {_name(name): _cleaned(part, depth + 1) for name, part in value.items()}
        case list() | tuple():
            return [_cleaned(part, depth + 1) for part in value]
        case _:
            return value


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise ValueError(f"the key {name!r} is not text")
    return storable(name)

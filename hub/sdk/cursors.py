"""Cursors: how one is kept as JSON, comes back as today's model, and has to move from page to page. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from hub.sdk.connector import Page, Stream
from hub.sdk.errors import CursorExpired


class RepeatedCursor(RuntimeError):
    """A stream yields a cursor again: it would be read for ever."""


@dataclass(slots=True)
class CursorTrail:
    """The cursors that one run has passed, to notice one that comes again.

    The first page may well keep the cursor that the run began with: nothing is new. From then on each page has to move.
    """

    at: dict[str, Any] | None
    _passed: set[bytes] = field(default_factory=set)
    _pages: int = 0

    def move(self, page: Page) -> dict[str, Any] | None:
        """The cursor to store after this page: the page's own, or the stored one where it has none.

        Raises `RepeatedCursor`.
        """
        stored = as_stored(page.cursor) or self.at
        # Digests, for a history has many pages: the bytes themselves keep the serialiser's whole buffer alive.
        mark = blake2b(orjson.dumps(stored, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()
        self._pages += 1
        if self._pages > 1 and mark in self._passed:
            raise RepeatedCursor(f"page {self._pages} has a cursor that this run has passed before")
        self._passed.add(mark)
        self.at = stored
        return stored


def as_stored(cursor: BaseModel | None) -> dict[str, Any] | None:
    """A cursor as JSON; None for one that holds nothing: a null never replaces what is known."""
    if cursor is None:
        return None
    stored = cursor.model_dump(mode="json")
    return stored if any(value is not None for value in stored.values()) else None


def as_cursor(stream: Stream[Any], stored: Mapping[str, Any] | None) -> BaseModel | None:
    """The stored cursor as the stream's model, migrated where its shape has changed.

    Raises `CursorExpired` when it fits neither way: the stream is then read from the beginning.
    """
    if stored is None:
        return None
    try:
        return stream.cursor.model_validate(stored)
    except ValidationError:
        if stream.migrate_cursor is None:
            raise CursorExpired(
                "The stored cursor is of an older shape, and the connector cannot migrate it."
            ) from None
    try:
        return stream.cursor.model_validate(stream.migrate_cursor(dict(stored)))
    except (ValidationError, KeyError, TypeError, ValueError) as error:
        raise CursorExpired(
            "The stored cursor is of an older shape, and migrating it failed.", detail=type(error).__name__
        ) from None

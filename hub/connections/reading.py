"""Decisions about reading a stream: which cursor, whether a page may be kept, what an end means. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from hub.sdk.connector import Page, Stream
from hub.sdk.errors import CursorExpired

DRIFT_SHARE = 0.2
DRIFT_AT_LEAST = 10
SHORTEST_RETRY = timedelta(seconds=5)
LONGEST_RETRY = timedelta(hours=1)


class Ended(StrEnum):
    """How a stretch of reading ended."""

    DONE = "done"
    """The vendor has nothing more."""
    MORE = "more"
    """The time given was used up, or a backfill has to follow."""
    RETRY = "retry"
    """The vendor does not answer, or asks for a pause."""
    PAUSED = "paused"
    """Somebody has to do something first."""
    FAILED = "failed"
    """A bug in the connector; it is tried again, ever less often."""
    OVERTAKEN = "overtaken"
    """Somebody else read the same stream meanwhile."""


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """What a stretch of reading did. `records` were read, `new` of them unknown before, `bad` of them quarantined.

    `interval` is how long after a `done` the stream is due again.
    """

    ended: Ended
    backfill: bool
    interval: timedelta
    pages: int = 0
    records: int = 0
    new: int = 0
    bad: int = 0
    problem: str | None = None
    retry_after: timedelta | None = None


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
        mark = orjson.dumps(stored, option=orjson.OPT_SORT_KEYS)
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


def drifted(read: int, bad: int) -> bool:
    """Whether so many rows do not fit their model that the model, not the rows, is to blame."""
    return bad >= DRIFT_AT_LEAST and bad > DRIFT_SHARE * read


def retry_in(attempts: int, asked: timedelta | None = None) -> timedelta:
    """How long to wait after the nth failure in a row: what the vendor asks for, or ever longer up to an hour."""
    if asked is not None:
        return max(asked, timedelta(seconds=1))
    doublings = min(max(attempts - 1, 0), 20)
    return min(SHORTEST_RETRY * (1 << doublings), LONGEST_RETRY)


def summary(reasons: Sequence[str]) -> str:
    """The commonest complaint of many, and how many there are."""
    commonest = max(set(reasons), key=reasons.count)
    return f"{len(reasons)} rows do not fit; most of them: {commonest}"

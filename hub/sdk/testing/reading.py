"""Reading a stream as the host does: rows judged, cursors through JSON, whoever reads killed where one likes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson

from hub.sdk.connector import Connector, Page, Stream
from hub.sdk.cursors import CursorTrail, as_cursor
from hub.sdk.rows import BadRow, RawRow, read_row
from hub.sdk.testing.hosting import NOW, Trial
from hub.sdk.testing.vendor import Row, Vendor

PAGE_SECONDS = 30.0
MOST_PAGES = 400
RECORDS = (7, 40, 1_000)
"""How many records the double is given, until the connector needs three pages for them."""

Key = tuple[str, str]


@dataclass
class Reading:
    """What a stretch of reading gave: rows by page, and the cursor as it was stored behind each."""

    stored: dict[str, Any] | None
    pages: list[list[RawRow]] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    complete: bool = False
    error: Exception | None = None

    @property
    def next_cursor(self) -> dict[str, Any] | None:
        """With which the host reads next: a full refresh that is through begins anew."""
        return None if self.complete else self.stored

    @property
    def rows(self) -> dict[Key, RawRow]:
        """The rows by id and version."""
        return {(row.record_id, row.version): row for page in self.pages for row in page}

    @property
    def ids(self) -> set[str]:
        """The ids of the rows."""
        return {row.record_id for page in self.pages for row in page}


async def read(
    connector: Connector[Any], stream: Stream[Any], stored: Mapping[str, Any] | None = None, *, pages: int = MOST_PAGES
) -> Reading:
    """Read until the connector ends, fails, or has given so many pages; what it fails with is in `error`."""
    found = Reading(through_json(stored))
    try:
        reading = stream.read(connector, as_cursor(stream, found.stored))
        if not isinstance(reading, AsyncGenerator):
            raise TypeError(
                f"{stream.name} must be an async generator: an async def that yields sdk.Page(rows, cursor)"
            )
        async with aclosing(reading):
            await _take(reading, stream, found, pages)
    except Exception as error:  # whatever a connector does wrong is what the kit looks for
        found.error = error
    return found


async def _take(reading: AsyncGenerator[Page, None], stream: Stream[Any], found: Reading, pages: int) -> None:
    trail = CursorTrail(found.stored)
    while len(found.pages) < pages and not found.complete:
        try:
            async with asyncio.timeout(PAGE_SECONDS):
                page = await anext(reading)
        except StopAsyncIteration:
            return
        judged = [read_row(stream, row, NOW) for row in page.rows]
        found.pages.append([row for row in judged if isinstance(row, RawRow)])
        found.bad += [row for row in judged if isinstance(row, BadRow)]
        found.stored = through_json(trail.move(page))
        found.complete = page.complete
    if len(found.pages) >= MOST_PAGES:
        raise RuntimeError(f"{stream.name} gives page after page: {MOST_PAGES}, and no end")


def through_json(cursor: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A cursor as it comes back from the database."""
    back: dict[str, Any] | None = orjson.loads(orjson.dumps(cursor)) if cursor is not None else None
    return back


async def read_killed(trial: Trial, stream: Stream[Any], wanted: set[str]) -> Reading:
    """Read page by page, each by a new connector from the stored cursor, until all that is wanted has come, or nothing
    new comes. A full refresh may begin anew when it is killed: there it happens once, after each of its pages in turn.
    """
    if stream.full_refresh:
        return await _read_killed_once(trial, stream, wanted)
    whole = Reading(None)
    for _ in range(MOST_PAGES):
        async with trial.connector() as connector:
            one = await read(connector, stream, whole.stored, pages=1)
        known, moved = set(whole.rows), one.stored != whole.stored
        whole.pages += one.pages
        whole.bad += one.bad
        whole.error, whole.stored, whole.complete = one.error, one.stored, one.complete
        ended = one.complete or not (moved or set(one.rows) - known)
        if one.error is not None or ended or wanted <= whole.ids:
            break
    return whole


async def _read_killed_once(trial: Trial, stream: Stream[Any], wanted: set[str]) -> Reading:
    """The first reading that fails or lacks something; the last one where none does."""
    whole = Reading(None)
    for kept in range(1, MOST_PAGES):
        async with trial.connector() as connector:
            first = await read(connector, stream, pages=kept)
        if whole.pages and (first.complete or len(first.pages) < kept):
            break
        async with trial.connector() as connector:
            whole = await read(connector, stream, first.stored)
        whole.pages, whole.bad = first.pages + whole.pages, first.bad + whole.bad
        if whole.error is not None or not wanted <= whole.ids:
            break
    return whole


def fill(vendor: Vendor, stream: str, count: int, *, tied: bool = False) -> list[Row]:
    """Give the double `count` records, as far apart as it says; `tied`: all at one time, but the first and the last."""
    rows = [vendor.make(stream, number, moment(vendor, number, count, tied=tied)) for number in range(count)]
    vendor.held[stream] += rows
    return rows


def moment(vendor: Vendor, number: int, count: int, *, tied: bool = False) -> datetime:
    """When record `number` of so many became true: one after another, none just now; where many, closer together."""
    if tied and 0 < number < count - 1:
        number = 1
    return NOW - timedelta(days=2) - vendor.apart * ((count - number) if count < 100 else (count - number) / 60)


def held_ids(vendor: Vendor, stream: Stream[Any], rows: list[Row] | None = None) -> set[str]:
    """The ids of what the double holds, as the connector's own model and key tell them."""
    return {_id_of(stream, row) for row in (vendor.held[stream.name] if rows is None else rows)}


def _id_of(stream: Stream[Any], row: Row) -> str:
    judged = read_row(stream, row, NOW)
    return judged.record_id if isinstance(judged, RawRow) else f"a row that does not fit: {judged.reason}"

"""Checks 5 to 9: reading. Rows that fit, nothing lost by whoever is killed, nothing read for ever, any weather."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson

from hub.sdk.connector import Stream
from hub.sdk.cursors import RepeatedCursor, as_cursor
from hub.sdk.errors import CursorExpired
from hub.sdk.rows import BadRow, read_row
from hub.sdk.testing.checks.stages import Filled, collect, filled, missing, refilled, some, stage, told
from hub.sdk.testing.fixtures import golden_pairs, stored_cursors
from hub.sdk.testing.hosting import NOW, Trial
from hub.sdk.testing.plugin import Plugin
from hub.sdk.testing.reading import Reading, moment, read, read_killed
from hub.sdk.testing.verdicts import Finding, NotApplicable


def polled(plugin: Plugin) -> list[Stream[Any]]:
    """The streams that are read. Raises `NotApplicable`."""
    if not plugin.polled:
        raise NotApplicable("no stream is polled")
    return plugin.polled


def rows(plugin: Plugin) -> Iterator[Finding]:
    """5: rows match the model; keys are there, and no two objects share one."""
    for record in golden_pairs(plugin.fixtures):
        stream = plugin.kind.streams.get(record.name.partition(".")[0])
        judged = read_row(stream, orjson.loads(record.read_bytes()), NOW) if stream else None
        if isinstance(judged, BadRow):
            yield Finding("rows.fit", f"{record.name} does not fit: {judged.reason}")
    yield from collect(_rows(plugin))


async def _rows(plugin: Plugin) -> AsyncIterator[Finding]:
    for stream in plugin.polled:
        async with stage(plugin) as trial:
            found = await filled(trial, stream)
            for failure in trial.weather.failures[:1]:
                yield Finding("rows.read", f"vendor.py fails over {failure}")
            for text in _unfit(found):
                yield Finding("rows.fit", text)
            if found.reading.error is not None and not found.repeats:
                yield Finding("rows.read", f"The stream {stream.name} cannot be read: {told(found.reading.error)}")
            elif not found.works and not found.repeats:
                yield Finding(
                    "rows.read",
                    f"The stream {stream.name} comes in fewer than three pages, however many records vendor.py holds: "
                    "let it give out held rows in pages of two, so that reading can be interrupted.",
                )


def _unfit(found: Filled) -> Iterator[str]:
    name, reading = found.stream.name, found.reading
    for reason in dict.fromkeys(row.reason for row in reading.bad):
        yield f"A row of the stream {name} does not fit {found.stream.record.__name__}: {reason}"
    seen: dict[tuple[str, str], bytes | None] = {}
    for row in (row for page in reading.pages for row in page):
        if seen.setdefault((row.record_id, row.version), row.payload) != row.payload:
            yield f"Two records of the stream {name} have the key {row.record_id!r}: set key= to what names one object."
            return
    if found.stream.full_refresh and reading.error is None and not reading.complete:
        yield f"The stream {name} is a full refresh and never says so: yield its last page with complete=True."


def resuming(plugin: Plugin) -> Iterator[Finding]:
    """6: killed after every page, and resumed through JSON by another process: nothing is lost."""
    yield from collect(_resuming(plugin, polled(plugin)))


async def _resuming(plugin: Plugin, streams: list[Stream[Any]]) -> AsyncIterator[Finding]:
    for stream in streams:
        async with stage(plugin) as trial:
            found = await filled(trial, stream)
            if not found.works:
                continue
            killed = await read_killed(trial, stream, found.reading.ids)
            if killed.error is not None:
                yield Finding("resuming.error", f"{stream.name}, resumed after each page: {told(killed.error)}")
            elif lost := sorted(found.reading.ids - killed.ids):
                yield Finding(
                    "resuming.lost",
                    f"The stream {stream.name} loses {some(lost)} when it is killed after a page and resumed: yield "
                    "each page with the cursor behind its own rows, and keep nothing outside of the cursor.",
                )


def continuing(plugin: Plugin) -> Iterator[Finding]:
    """7: a second run is empty or looks back a little; equal times at a page's edge; no cursor twice; empty pages."""
    yield from collect(_continuing(plugin, polled(plugin)))


async def _continuing(plugin: Plugin, streams: list[Stream[Any]]) -> AsyncIterator[Finding]:
    for stream in streams:
        async with stage(plugin) as trial:
            found = await filled(trial, stream)
            if found.repeats:
                yield Finding(
                    "continuing.repeated",
                    f"The stream {stream.name} yields a cursor that it has yielded before, and would be read for ever: "
                    "move the cursor with each page.",
                )
            if not found.works:
                continue
            found = await refilled(trial, stream, len(trial.vendor.held[stream.name]), tied=True)
            if lost := missing(trial, stream, found.reading):
                yield Finding(
                    "continuing.ties",
                    f"The stream {stream.name} loses {some(lost)}, which share their time with the last record of a "
                    "page: make the cursor the pair of time and id, or ask from that time on, itself included.",
                )
            async for finding in _again(trial, stream, found.reading):
                yield finding
        async for finding in _past_an_empty_page(plugin, stream):
            yield finding


async def _again(trial: Trial, stream: Stream[Any], first: Reading) -> AsyncIterator[Finding]:
    async with trial.connector() as connector:
        second = await read(connector, stream, first.next_cursor)
    if second.error is not None:
        repeats = isinstance(second.error, RepeatedCursor)
        aspect = "continuing.repeated" if repeats else "continuing.again"
        yield Finding(aspect, f"A second run of the stream {stream.name} fails: {told(second.error)}")
        return
    oldest = next(row.record_id for page in first.pages for row in page)
    if not stream.full_refresh and second.ids >= first.ids:
        yield Finding(
            "continuing.again",
            f"A second run of the stream {stream.name} reads everything again, {oldest} too: begin at the cursor, or "
            "declare full_refresh=True.",
        )
    count = len(trial.vendor.held[stream.name])
    late = trial.vendor.make(stream.name, count, moment(trial.vendor, count - 1, count, tied=True))
    trial.vendor.held[stream.name].append(late)
    async with trial.connector() as connector:
        third = await read(connector, stream, second.next_cursor)
    judged = read_row(stream, late, NOW)
    if not isinstance(judged, BadRow) and judged.record_id not in third.ids:
        yield Finding(
            "continuing.late",
            f"The stream {stream.name} misses a record that came later and has the time of the last one read: make "
            "the cursor the pair of time and id, or look back a little.",
        )


async def _past_an_empty_page(plugin: Plugin, stream: Stream[Any]) -> AsyncIterator[Finding]:
    async with stage(plugin) as trial:
        found = await filled(trial, stream)
        if not found.works:
            return
        hidden = found.middle
        trial.vendor.hide([row for row in trial.vendor.held[stream.name] if _id(stream, row) in hidden])
        async with trial.connector() as connector:
            reading = await read(connector, stream)
        if reading.error is not None:
            yield Finding("continuing.empty_page", f"{stream.name} fails over an empty page: {told(reading.error)}")
        elif reading.ids & hidden:
            yield Finding(
                "continuing.empty_page",
                f"vendor.py gives out records of {stream.name} that are hidden: pass each page through "
                "self.shown(rows); where the vendor never answers an empty page before the last one, exempt it.",
            )
        elif lost := sorted(found.reading.ids - hidden - reading.ids):
            yield Finding(
                "continuing.empty_page",
                f"The stream {stream.name} ends at an empty page and loses {some(lost)}: go on until the vendor says "
                "that there is no more.",
            )


def _id(stream: Stream[Any], row: dict[str, Any]) -> str | None:
    judged = read_row(stream, row, NOW)
    return None if isinstance(judged, BadRow) else judged.record_id


def cursors(plugin: Plugin) -> Iterator[Finding]:
    """8: cursors that releases have stored still parse."""
    yield from collect(_cursors(plugin, polled(plugin)))


async def _cursors(plugin: Plugin, streams: list[Stream[Any]]) -> AsyncIterator[Finding]:
    for stream in streams:
        stored = stored_cursors(plugin.fixtures, stream.name)
        for cursor in stored:
            try:
                as_cursor(stream, cursor)
            except CursorExpired as error:
                yield Finding(
                    "cursors.old",
                    f"The stream {stream.name} cannot read its cursor {orjson.dumps(cursor).decode()} of before: give "
                    f"@sdk.stream migrate_cursor=, which makes one of today of it. {error.message}",
                )
        async with stage(plugin) as trial:
            today = (await filled(trial, stream)).reading.stored
        if today is not None and not any(cursor.keys() == today.keys() for cursor in stored):
            yield Finding(
                "cursors.kept",
                f"Keep today's cursor of the stream {stream.name}, so that a later release is tried with it: add "
                f"{orjson.dumps(today).decode()} to the list in fixtures/cursors/{stream.name}.json",
            )

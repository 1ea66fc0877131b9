"""Check 9: reading in any weather. What the vendor refuses is not lost, and nobody waits by sleeping."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from hub.sdk.connector import Stream
from hub.sdk.errors import ConnectorError, RateLimited, Unavailable
from hub.sdk.testing.checks.reading import polled
from hub.sdk.testing.checks.stages import Filled, collect, filled, meaning, some, stage, told
from hub.sdk.testing.hosting import PATIENCE, SHORT_PATIENCE, Trial
from hub.sdk.testing.plugin import Plugin
from hub.sdk.testing.reading import Reading, read, read_killed
from hub.sdk.testing.verdicts import Finding
from hub.sdk.testing.watch import watched
from hub.sdk.testing.weather import RETRY_AFTER_SECONDS, Fault

CANCEL_SECONDS = 2.0


class Storm(NamedTuple):
    """Faults of the first requests, and what has to come of it: an error, or none where the host retries."""

    aspect: str
    name: str
    faults: tuple[Fault | None, ...]
    error: type[ConnectorError] | None


STORMS = (
    Storm("weather.429", "429 with Retry-After", (None, Fault.SLOW_DOWN), RateLimited),
    Storm("weather.500", "500 and then 200", (None, Fault.BROKEN, None), None),
    Storm("weather.500", "500 without end", (None, Fault.BROKEN), Unavailable),
    Storm("weather.silence", "an answer that stops half-way", (None, Fault.CUT, None), None),
    Storm("weather.silence", "no answer", (None, Fault.SILENCE), Unavailable),
)


def weather(plugin: Plugin) -> Iterator[Finding]:
    """9: 429 with Retry-After, 500 then 200, silence, cancellation; no undeclared host; no time.sleep."""
    streams = polled(plugin)
    with watched(plugin.kind.__module__) as seen:
        yield from collect(_weather(plugin, streams, allowed := set[str]()))
    for place in dict.fromkeys(seen.sleeps):
        yield Finding(
            "weather.sleep",
            f"time.sleep stops the whole hub ({place}): leave waiting to the host, or use await asyncio.sleep().",
        )
    for address in dict.fromkeys(talk for talk in seen.talks if talk not in allowed):
        yield Finding(
            "weather.hosts",
            f"The connector talks to {address} past the host: use self.http, and name its address in hosts().",
        )


async def _weather(plugin: Plugin, streams: list[Stream[Any]], allowed: set[str]) -> AsyncIterator[Finding]:
    for stream in streams:
        async with stage(plugin) as trial:
            allowed.add(trial.address)
            found = await filled(trial, stream)
            if not found.works:
                continue
            killed = await read_killed(trial, stream, found.reading.ids)
            for storm in STORMS:
                async for finding in _through(trial, found, storm, killed.ids):
                    yield finding
            async for finding in _cancelled(trial, found):
                yield finding


async def _through(trial: Trial, found: Filled, storm: Storm, kept: set[str]) -> AsyncIterator[Finding]:
    name = found.stream.name
    trial.faults(*storm.faults)
    patience = SHORT_PATIENCE if Fault.SILENCE in storm.faults else PATIENCE
    async with trial.connector(patience=patience) as connector:
        reading = await read(connector, found.stream)
    known = meaning(reading.error)
    if storm.error is None and reading.error is not None:
        yield Finding(storm.aspect, f"{name} does not survive {storm.name}: {told(reading.error)}")
        return
    if storm.error is not None and not isinstance(known, storm.error):
        yield Finding(
            storm.aspect,
            f"{name} gives {told(reading.error)} for {storm.name}; let {storm.error.__name__} pass, so that the host "
            "comes again later.",
        )
        return
    if isinstance(known, RateLimited) and known.retry_after != timedelta(seconds=RETRY_AFTER_SECONDS):
        yield Finding(storm.aspect, f"{name} does not say how long to wait: raise RateLimited with its retry_after.")
    trial.faults(None)
    if lost := await _lost(trial, found, reading, kept):
        yield Finding(storm.aspect, f"{name} loses {some(lost)} by {storm.name}: yield a cursor only behind its rows.")


async def _cancelled(trial: Trial, found: Filled) -> AsyncIterator[Finding]:
    """The hub stops in the middle of a request."""
    name = found.stream.name
    trial.weather.silent.clear()
    trial.faults(None, Fault.SILENCE)
    async with trial.connector() as connector:
        reading = asyncio.create_task(read(connector, found.stream))
        try:
            await asyncio.wait_for(trial.weather.silent.wait(), CANCEL_SECONDS)
        except TimeoutError:
            reading.cancel()
            await asyncio.wait([reading])
            return
        reading.cancel()
        await asyncio.wait([reading], timeout=CANCEL_SECONDS)
        if not reading.done() or not reading.cancelled():
            yield Finding(
                "weather.cancel",
                f"The stream {name} goes on when it is cancelled: catch Exception and never BaseException, and let "
                "asyncio.CancelledError pass.",
            )
            reading.cancel()
            await asyncio.wait([reading], timeout=CANCEL_SECONDS)


async def _lost(trial: Trial, found: Filled, interrupted: Reading, kept: set[str]) -> list[str]:
    """What is lost by the weather: not what a stream loses whenever it is interrupted, which check 6 says."""
    async with trial.connector() as connector:
        rest = await read(connector, found.stream, interrupted.stored)
    return sorted(kept - interrupted.ids - rest.ids)

"""What the checks stand on: a trial with the plugin's own double, streams that are filled, errors told in one line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.types import ASGIApp

from hub.sdk.connector import Stream
from hub.sdk.cursors import RepeatedCursor
from hub.sdk.errors import ConnectorError
from hub.sdk.http import connector_error
from hub.sdk.testing.hosting import Trial, trial
from hub.sdk.testing.plugin import Plugin
from hub.sdk.testing.reading import RECORDS, Reading, fill, held_ids, read
from hub.sdk.testing.vendor import Vendor
from hub.sdk.testing.verdicts import Finding

PAGES = 3
"""How many pages a stream has to come in, so that it can be interrupted between two."""


class Nobody(Vendor):
    """The vendor of a connector that asks nothing of anybody."""

    def app(self) -> ASGIApp:
        return Starlette()


@asynccontextmanager
async def stage(plugin: Plugin) -> AsyncIterator[Trial]:
    """A trial with a new double; raises `NotAPlugin` where the plugin needs one and has none."""
    vendor = plugin.new_vendor() if plugin.talks or plugin.vendor else Nobody()
    async with trial(plugin.kind, plugin.config, vendor) as opened:
        yield opened


def collect(findings: AsyncIterable[Finding]) -> list[Finding]:
    """All findings of an asynchronous check."""

    async def all_of() -> list[Finding]:
        return [finding async for finding in findings]

    return asyncio.run(all_of())


@dataclass(frozen=True)
class Filled:
    """A stream with its records at the vendor, read once without any disturbance."""

    stream: Stream[Any]
    reading: Reading

    @property
    def works(self) -> bool:
        """Whether it can be read at all; when not, checks 5 and 7 say so, and the others have nothing to add."""
        return self.reading.error is None and sum(map(bool, self.reading.pages)) >= PAGES

    @property
    def repeats(self) -> bool:
        """Whether it fails only by giving a cursor again."""
        return isinstance(self.reading.error, RepeatedCursor)

    @property
    def middle(self) -> set[str]:
        """The ids on the second page that holds any."""
        return {row.record_id for row in [page for page in self.reading.pages if page][1]}


async def filled(trial: Trial, stream: Stream[Any]) -> Filled:
    """Give the double records until the stream comes in at least three pages, and read it."""
    found = Filled(stream, Reading(None))
    for count in RECORDS:
        found = await refilled(trial, stream, count)
        if found.reading.error is not None or found.works:
            break
    return found


async def refilled(trial: Trial, stream: Stream[Any], count: int, *, tied: bool = False) -> Filled:
    """Give the double so many records instead of those that it has, `tied` in their time or not, and read them."""
    trial.vendor.held[stream.name].clear()
    fill(trial.vendor, stream.name, count, tied=tied)
    async with trial.connector() as connector:
        return Filled(stream, await read(connector, stream))


def missing(trial: Trial, stream: Stream[Any], reading: Reading) -> list[str]:
    """The ids that the double holds and the reading does not have."""
    return sorted(held_ids(trial.vendor, stream) - reading.ids)


def told(error: BaseException | None) -> str:
    """An error as a finding names it."""
    if error is None:
        return "no error"
    known = connector_error(error) if isinstance(error, Exception) else None
    if known is not None:
        return f"{type(known).__name__}: {known.message} {known.detail}".strip()
    return f"{type(error).__name__}: {error}"


def meaning(error: BaseException | None) -> ConnectorError | None:
    """What an error means to the host; None for none, and for a bug."""
    return connector_error(error) if isinstance(error, Exception) else None


def some(ids: list[str]) -> str:
    """A few of many."""
    return ", ".join(ids[:3]) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "")

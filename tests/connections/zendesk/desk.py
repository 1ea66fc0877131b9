"""What the tests of the Zendesk connector share: connecting, reading, looking."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hub_zendesk import Zendesk
from sqlalchemy import text

from hub.connections import registry
from hub.connections import service as connections
from hub.connections.model import Connection
from hub.connections.service import Ended, SyncOutcome, sync_stream
from hub.kit.runtime import Kit
from hub.sandbox import Sandbox
from hub.timeline.jobs import drain_raw_records

UNTIL = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
STREAMS = [name for name, stream in Zendesk.streams.items() if stream.interval is not None]


async def connect(kit: Kit, world: Sandbox, **settings: Any) -> Connection:
    """A connection to the double; `settings` replace those of the API token, None takes one away."""
    config = {
        "base_url": world.zendesk_url,
        "email": world.zendesk.email,
        "api_token": world.zendesk.token,
        "webhook_secret": world.zendesk_webhook_secret,
    }
    chosen = {name: value for name, value in (config | settings).items() if value is not None}
    async with kit.transaction() as session:
        return await connections.add(
            session, kit.vault, registry.current(), "zendesk", "support", chosen, now=kit.clock.now()
        )


async def rows(kit: Kit, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """What stands in the database."""
    async with kit.reading() as session:
        return [tuple(row) for row in await session.execute(text(statement), parameters)]


async def ids(kit: Kit, stream: str) -> set[int]:
    """The ids of a stream's records, tombstones aside."""
    found = "SELECT DISTINCT record_id FROM raw_record WHERE stream = :stream AND payload IS NOT NULL"
    return {int(one) for (one,) in await rows(kit, found, stream=stream)}


async def read(kit: Kit, support: Connection, *streams: str) -> None:
    """These streams (or all) to their ends, and on to the timeline."""
    for name in streams or STREAMS:
        outcome = await sync_stream(kit, support.id, name)
        assert outcome.ended is Ended.DONE, outcome
    while await drain_raw_records(kit):
        pass


async def in_slices(kit: Kit, support: Connection, stream: str) -> list[SyncOutcome]:
    """A stream read as if its process were killed after each page, until a page brings nothing new."""
    slices = [await sync_stream(kit, support.id, stream, seconds=0)]
    while slices[-1].ended is Ended.MORE and slices[-1].new:
        assert len(slices) < 200, "it would go on for ever"
        slices.append(await sync_stream(kit, support.id, stream, seconds=0))
    return slices

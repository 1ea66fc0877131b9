"""What the tests of the Salesforce connector share: connecting, reading, looking."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hub_salesforce import Salesforce
from sqlalchemy import text

from hub.connections import registry
from hub.connections import service as connections
from hub.connections.model import Connection
from hub.connections.service import Ended, SyncOutcome, sync_stream
from hub.kit.clock import FrozenClock
from hub.kit.runtime import Kit
from hub.sandbox import Sandbox
from hub.sandbox.salesforce.tokens import private_pem
from hub.timeline.jobs import drain_raw_records

UNTIL = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
STREAMS = [name for name, stream in Salesforce.streams.items() if stream.interval is not None]


async def connect(kit: Kit, world: Sandbox, **settings: Any) -> Connection:
    """A connection to the double; `settings` replace those of the JWT flow, None takes one away."""
    app = world.salesforce.signing_in
    config = {
        "base_url": world.salesforce_url,
        "client_id": app.client_id,
        "username": app.username,
        "private_key": private_pem(),
        "multi_currency": True,
        "organization_id": world.salesforce.org.id[:15],
        "message_secret": world.salesforce_message_secret,
    }
    chosen = {name: value for name, value in (config | settings).items() if value is not None}
    async with kit.transaction() as session:
        return await connections.add(
            session, kit.vault, registry.current(), "salesforce", "crm", chosen, now=kit.clock.now()
        )


async def rows(kit: Kit, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """What stands in the database."""
    async with kit.reading() as session:
        return [tuple(row) for row in await session.execute(text(statement), parameters)]


async def ids(kit: Kit, stream: str) -> list[str]:
    """The ids of a stream's records, tombstones aside."""
    found = "SELECT DISTINCT record_id FROM raw_record WHERE stream = :stream AND payload IS NOT NULL ORDER BY 1"
    return [str(one) for (one,) in await rows(kit, found, stream=stream)]


async def read(kit: Kit, crm: Connection, *streams: str) -> None:
    """These streams (or all) to their ends, and on to the timeline."""
    for name in streams or STREAMS:
        outcome = await sync_stream(kit, crm.id, name)
        assert outcome.ended is Ended.DONE, outcome
    while await drain_raw_records(kit):
        pass


async def in_slices(kit: Kit, crm: Connection, stream: str) -> list[SyncOutcome]:
    """A stream read as if its process were killed after each page, a second each, and began from what is stored."""
    assert isinstance(kit.clock, FrozenClock)
    slices = [await sync_stream(kit, crm.id, stream, seconds=0)]
    while slices[-1].ended is Ended.MORE:
        assert len(slices) < 100, "it would go on for ever"
        kit.clock.advance(timedelta(seconds=1))
        slices.append(await sync_stream(kit, crm.id, stream, seconds=0))
    return slices

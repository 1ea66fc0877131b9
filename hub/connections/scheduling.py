"""When streams are read: the work list `streams_to_sync` holds one entry for each, due when its interval has passed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.connections import registry
from hub.connections.lists import STREAMS_TO_SYNC
from hub.connections.model import Checkpoint, Connection, ConnectionStatus
from hub.kit import work


@dataclass(frozen=True, slots=True)
class StreamKey:
    """An entry of the list: a connection's stream, read live or as a backfill."""

    connection_id: UUID
    stream: str
    backfill: bool = False

    def __str__(self) -> str:
        return f"{self.connection_id}/{self.stream}/{'backfill' if self.backfill else 'live'}"

    @classmethod
    def parse(cls, key: str) -> StreamKey:
        """The reverse of `str`."""
        connection_id, stream, mode = key.split("/")
        return cls(UUID(connection_id), stream, mode == "backfill")


async def schedule_sync(
    session: AsyncSession,
    connection_id: UUID | None = None,
    *,
    backfill: bool = False,
    stream: str | None = None,
    now: datetime,
) -> list[StreamKey]:
    """Have streams read now: of one connection or of all that are active. Paused streams are resumed.

    With `backfill` they are read from the beginning once more, beside the live reading; one that is under way goes on.
    """
    keys = [
        StreamKey(connection, name, backfill and not full_refresh)
        for connection, name, full_refresh in await _polled(session, connection_id)
        if stream in (None, name)
    ]
    for key in keys:
        await session.execute(
            update(Checkpoint)
            .where(Checkpoint.connection_id == key.connection_id, Checkpoint.stream == key.stream, Checkpoint.paused)
            .values(paused=False, problem=None)
        )
        if key.backfill:
            await start_over(session, key, now=now)
    await work.mark(session, STREAMS_TO_SYNC, map(str, keys), due_at=now)
    return keys


async def schedule_missing(session: AsyncSession, *, now: datetime) -> int:
    """Put polled streams on the list that are not on it: those of a new version of a plugin, for instance."""
    keys = [StreamKey(connection, name) for connection, name, _ in await _polled(session, None)]
    paused = {
        (connection, name)
        for connection, name in await session.execute(
            select(Checkpoint.connection_id, Checkpoint.stream).where(Checkpoint.paused)
        )
    }
    listed = set(
        (
            await session.execute(text("SELECT key FROM work_item WHERE list = :list"), {"list": STREAMS_TO_SYNC})
        ).scalars()
    )
    missing = [str(key) for key in keys if str(key) not in listed and (key.connection_id, key.stream) not in paused]
    await work.mark(session, STREAMS_TO_SYNC, missing, due_at=now)
    return len(missing)


async def start_over(session: AsyncSession, key: StreamKey, *, now: datetime) -> None:
    """Begin a backfill at the beginning, unless one is under way."""
    await session.execute(
        text(
            "INSERT INTO checkpoint (connection_id, stream, backfill, done, records, started_at, updated_at, paused) "
            "VALUES (:connection, :stream, true, false, 0, :now, :now, false) "
            "ON CONFLICT (connection_id, stream, backfill) DO UPDATE SET cursor = NULL, done = false, records = 0, "
            "started_at = excluded.started_at, updated_at = excluded.updated_at, problem = NULL, paused = false "
            "WHERE checkpoint.done"
        ),
        {"connection": key.connection_id, "stream": key.stream, "now": now},
    )


async def _polled(session: AsyncSession, connection_id: UUID | None) -> Iterable[tuple[UUID, str, bool]]:
    """The streams that are read, of active connections whose plugin is there."""
    query = select(Connection.id, Connection.connector).where(Connection.status == ConnectionStatus.ACTIVE)
    if connection_id is not None:
        query = query.where(Connection.id == connection_id)
    connectors = registry.current().connectors
    return [
        (found, name, stream.full_refresh)
        for found, connector in await session.execute(query.order_by(Connection.name))
        if connector in connectors
        for name, stream in connectors[connector].streams.items()
        if stream.interval is not None
    ]

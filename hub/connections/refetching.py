"""Reading single records again, for webhooks that only say which one changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from hub.connections.faults import described
from hub.connections.hosting import open_connector
from hub.connections.installing import pause
from hub.connections.model import Connection, ConnectionStatus
from hub.connections.quarantine import Stage, Unreadable, quarantine
from hub.connections.records import store
from hub.kit.runtime import Kit
from hub.sdk.errors import AuthExpired, Misconfigured, RateLimited
from hub.sdk.http import connector_error
from hub.sdk.rows import BadRow, RawRow, read_row
from hub.sdk.secrecy import printable, secrets_of


@dataclass(frozen=True, slots=True)
class Wanted:
    """A record to read again."""

    connection_id: UUID
    stream: str
    record_id: str

    @classmethod
    def parse(cls, key: str) -> Wanted:
        """From an entry of `records_to_refetch`."""
        connection_id, stream, record_id = key.split("/", 2)
        return cls(UUID(connection_id), stream, record_id)


class NotFetched(Exception):
    """A record could not be read now; it is worth another try, not before `retry_after`."""

    def __init__(self, problem: str, retry_after: timedelta | None = None) -> None:
        super().__init__(problem)
        self.retry_after = retry_after


async def refetch(kit: Kit, wanted: Wanted) -> None:
    """Read one record by its id and keep it; raises `NotFetched`."""
    async with kit.reading() as session:
        row = await session.get(Connection, wanted.connection_id)
    if row is None or row.status == ConnectionStatus.REMOVED:
        return
    if row.status == ConnectionStatus.PAUSED:
        raise NotFetched(f"The connection is paused: {row.problem or 'resume it first'}")
    secrets: list[str] = []
    try:
        judged = await _fetch(kit, row, wanted, secrets)
    except Exception as error:  # a connector may fail in any way
        known = connector_error(error)
        problem = printable(known.message, secrets) if known else described(error, secrets)
        if isinstance(known, Misconfigured | AuthExpired):
            async with kit.transaction() as session:
                await pause(session, row.id, problem)
        raise NotFetched(problem, known.retry_after if isinstance(known, RateLimited) else None) from None
    now = kit.clock.now()
    async with kit.transaction() as session:
        if isinstance(judged, RawRow):
            await store(session, row.id, [judged], now=now)
        else:
            bad = Unreadable(row.id, Stage.RECORD, judged.reason, judged.stream, payload=judged.payload)
            await quarantine(session, [bad], now=now)


async def _fetch(kit: Kit, row: Connection, wanted: Wanted, secrets: list[str]) -> RawRow | BadRow:
    async with open_connector(kit, row) as (connector, _):
        secrets += secrets_of(connector.config)
        stream = connector.streams[wanted.stream]
        if stream.fetch is None:
            raise TypeError(f"{wanted.stream} cannot read one record: add @{wanted.stream}.refetch")
        return read_row(stream, await stream.fetch(connector, wanted.record_id), kit.clock.now())

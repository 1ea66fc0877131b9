"""What a connector does when a record came by webhook (`@stream.on_received`), e.g. close a message that was answered.

The mark stands in the transaction that keeps the record, so it is done at least once whatever dies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

import orjson
from sqlalchemy import text

from hub.connections import registry
from hub.connections.hosting import open_connector
from hub.connections.model import Connection, ConnectionStatus
from hub.kit.runtime import Kit
from hub.sdk.payloads import loads
from hub.sdk.rows import RawRow


@dataclass(frozen=True, slots=True)
class Arrived:
    """A version of a record that a webhook brought."""

    connection_id: UUID
    stream: str
    record_id: str
    version: str

    def __str__(self) -> str:
        return orjson.dumps([str(self.connection_id), self.stream, self.record_id, self.version]).decode()

    @classmethod
    def parse(cls, key: str) -> Arrived:
        """The reverse of `str`: from an entry of `records_to_follow_up`."""
        connection_id, stream, record_id, version = orjson.loads(key)
        return cls(UUID(connection_id), stream, record_id, version)


def to_follow_up(connection_id: UUID, connector_id: str, rows: Iterable[RawRow]) -> Iterator[str]:
    """The entries for those rows whose stream asks for it."""
    streams = registry.current().connector(connector_id).streams
    for row in rows:
        if streams[row.stream].follow_up is not None and row.payload is not None:
            yield str(Arrived(connection_id, row.stream, row.record_id, row.version))


async def follow_up(kit: Kit, arrived: Arrived) -> None:
    """Have the connector do its part. Raises what the connector raises, and `NotFound` when its plugin is gone."""
    async with kit.reading() as session:
        row = await session.get(Connection, arrived.connection_id)
        payload = await session.scalar(
            text(
                "SELECT payload FROM raw_record WHERE connection_id = :connection AND stream = :stream "
                "AND record_id = :record AND version = :version"
            ),
            {
                "connection": arrived.connection_id,
                "stream": arrived.stream,
                "record": arrived.record_id,
                "version": arrived.version,
            },
        )
    if row is None or row.status == ConnectionStatus.REMOVED or payload is None:
        return
    async with open_connector(kit, row) as (connector, _):
        stream = connector.streams[arrived.stream]
        if stream.follow_up is not None:
            await stream.follow_up(connector, stream.record.model_validate(loads(payload)))

"""Connections: what is installed, how fresh it is, and what could not be read. For administrators.

The type of a connection is `InstalledConnector`: a type whose name ends in `Connection` is a page of a list to every
Relay client.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from hub.connections import queries as connections
from hub.connections.queries import ConnectionStatus
from hub.graphql import ids
from hub.graphql.context import Info
from hub.graphql.declare import about, given, maybe, output, resolved, vocabulary
from hub.graphql.types.node import Node, text

vocabulary(
    ConnectionStatus,
    ACTIVE="It works.",
    PAUSED="Somebody has to do something; `problem` says what.",
    REMOVED="It is no longer used.",
)


@output
class StreamProgress:
    """How far one stream of a connection has been read."""

    stream: str = about("The stream's name in the connector.")
    backfill: bool = about("Whether this is the reading of history, beside the live one.")
    done: bool = about("Whether it has come to its end for now.")
    records: int = about("How many records were read.")
    started_at: datetime = about("When the reading began.")
    updated_at: datetime = about("When it last made progress: how fresh the stream is.")
    problem: str | None = about("What keeps it from going on; null when nothing does.")

    @classmethod
    def all_of(cls, rows: list[connections.Checkpoint]) -> list[StreamProgress]:
        """The streams of one connection."""
        return [
            cls(
                stream=row.stream,
                backfill=row.backfill,
                done=row.done,
                records=row.records,
                started_at=row.started_at,
                updated_at=row.updated_at,
                problem=row.problem,
            )
            for row in rows
        ]


@output
class InstalledConnector(Node):
    """A connection: one installed connector with its credentials. Two Stripe accounts are two of these."""

    key: strawberry.Private[UUID]
    name: str = about("Its name, which is part of the addresses of its webhooks.")
    connector: str = about("The connector, e.g. `stripe`.")
    tenant: str = about("The vendor's id of the account at the vendor.")
    status: ConnectionStatus = about("Whether it works, and if not, who has to do something.")
    problem: str | None = about("What somebody has to do; null when nothing.")
    created_at: datetime = about("When it was added.")

    @resolved
    def streams(self, info: Info) -> list[StreamProgress]:
        """How far each stream has been read."""
        return info.context.promise(StreamProgress.all_of, connections.checkpoints, self.key)

    @resolved
    async def quarantined(self, info: Info) -> int:
        """How many deliveries and records could not be read and wait for a replay."""
        found = await info.context.load(connections.quarantined, self.key)
        return 0 if found is None else found.count

    @classmethod
    def of(cls, row: connections.Connection) -> InstalledConnector:
        """The connection as the API shows it."""
        return cls(
            id=strawberry.ID(f"con_{row.id.hex}"),
            key=row.id,
            name=row.name,
            connector=row.connector,
            tenant=row.tenant,
            status=ConnectionStatus(row.status),
            problem=row.problem,
            created_at=row.created_at,
        )


@output
class QuarantinedRecord(Node):
    """Something that could not be read: kept, and replayed when the connector or the vendor was mended."""

    connection_key: strawberry.Private[UUID]
    stage: str = about("Where it failed: `delivery`, `record` or `normalize`.")
    stream: str | None = about("The stream that it is of; null when that is not known.")
    record_id: str | None = about("The vendor's id of the record; null when that is not known.")
    reason: str = about("Why it could not be read.")
    first_seen_at: datetime = about("When it first came.")
    last_seen_at: datetime = about("When it came or was tried last.")
    attempts: int = about("How often it was tried.")
    resolved_at: datetime | None = about("When it could be read after all; null while it cannot.")

    @resolved
    def connection(self, info: Info) -> InstalledConnector:
        """The connection that it came through."""
        return info.context.promise(InstalledConnector.of, connections.by_id, self.connection_key)

    @classmethod
    def of(cls, row: connections.Quarantine) -> QuarantinedRecord:
        """The entry as the API shows it."""
        return cls(
            id=strawberry.ID(f"qua_{row.id.hex}"),
            connection_key=row.connection_id,
            stage=row.stage,
            stream=row.stream,
            record_id=row.record_id,
            reason=row.reason,
            first_seen_at=row.first_seen_at,
            last_seen_at=row.last_seen_at,
            attempts=row.attempts,
            resolved_at=row.resolved_at,
        )


@given
class QuarantineFilter:
    """Which entries of the quarantine. All that is given has to hold."""

    connection: strawberry.ID | None = maybe("Of this connection.")
    stage: str | None = maybe("That failed here: `delivery`, `record` or `normalize`.")
    include_resolved: bool | None = maybe("Also entries that could be read since; left out unless true.")


WantedQuarantine = Annotated[
    QuarantineFilter | None, strawberry.argument(description="Which entries; all unresolved ones when left out.")
]


def wanted_quarantine(wanted: QuarantineFilter | None) -> connections.QuarantineFilter:
    """The filter as connections read it. Raises `Invalid`."""
    if wanted is None:
        return connections.QuarantineFilter()
    connection = wanted.connection
    return connections.QuarantineFilter(
        connection_id=ids.read(ids.Prefix.CONNECTION, connection, "filter", "connection") if connection else None,
        stage=text(wanted.stage, "filter", "stage"),
        resolved=bool(wanted.include_resolved),
    )

"""Raw records: what a vendor sent, row by row, before it means anything.

A row becomes a raw record when it fits the stream's model and has a key and a version; the four (connection, stream,
id, version) are its identity, so the same row by poll, by webhook and by backfill is one raw record. Only a new one is
put before the timeline: a repeated row causes no work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.connections import registry
from hub.connections.lists import RAW_RECORDS
from hub.connections.model import RawRecord
from hub.kit import work
from hub.kit.db import merge_by_copy
from hub.sdk import payloads
from hub.sdk.rows import RawRow, deleted_version

COPY_FROM = 1_000
"""Above so many rows a COPY and a sorted merge is cheaper than arrays in one statement."""

COLUMNS = ("connection_id", "stream", "record_id", "version", "payload", "received_at", "deleted_at")
KEY = COLUMNS[:4]


@dataclass(frozen=True, slots=True)
class PendingRecord:
    """A raw record that waits to become events; `payload` is None for a tombstone."""

    connection_id: UUID
    connector_id: str
    stream: str
    record_id: str
    version: str
    payload: Mapping[str, Any] | None
    received_at: datetime
    deleted_at: datetime | None


async def store(session: AsyncSession, connection_id: UUID, rows: Sequence[RawRow], *, now: datetime) -> int:
    """Keep rows and put the new ones before the timeline; returns how many were new.

    One statement for fewer than `COPY_FROM` rows, a COPY and two above. Sorted by key, so that two writers never wait
    for each other in a circle.
    """
    if not rows:
        return 0
    ordered = sorted(rows, key=lambda row: (row.stream, row.record_id, row.version))
    if len(ordered) < COPY_FROM:
        return await _store_arrays(session, connection_id, ordered, now)
    inserted = await merge_by_copy(
        session,
        _table(),
        COLUMNS,
        ((connection_id, row.stream, row.record_id, row.version, row.payload, now, row.deleted_at) for row in ordered),
        order_by=KEY,
        returning=KEY,
    )
    await put_before_timeline(session, connection_id, [(row.stream, row.record_id, row.version) for row in inserted])
    return len(inserted)


async def still_arriving(session: AsyncSession) -> bool:
    """Whether history is known to be on its way: deliveries or records wait to be read, or a backfill is under way."""
    found = await session.scalar(
        text(
            "SELECT EXISTS (SELECT 1 FROM raw_pending p JOIN connection c ON c.id = p.connection_id "
            "WHERE c.connector = ANY(CAST(:installed AS text[]))) "
            "OR EXISTS (SELECT 1 FROM webhook_delivery d JOIN connection c ON c.id = d.connection_id "
            "WHERE d.processed_at IS NULL AND d.problem IS NULL AND c.connector = ANY(CAST(:installed AS text[]))) "
            "OR EXISTS (SELECT 1 FROM checkpoint k JOIN connection c ON c.id = k.connection_id "
            "WHERE k.backfill AND NOT k.done AND NOT k.paused AND c.status = 'active')"
        ),
        {"installed": sorted(registry.current().connectors)},
    )
    return bool(found)


async def claim_pending(session: AsyncSession, limit: int) -> list[PendingRecord]:
    """Take up to `limit` records that wait for the timeline off their list, in the caller's transaction.

    Records of connections whose plugin is not there go on waiting.
    """
    installed = sorted(registry.current().connectors)
    rows = await session.execute(
        text(
            "WITH claimed AS (DELETE FROM raw_pending WHERE ctid = ANY(ARRAY("
            "SELECT p.ctid FROM raw_pending p JOIN connection c ON c.id = p.connection_id "
            "WHERE c.connector = ANY(CAST(:installed AS text[])) LIMIT :limit FOR UPDATE OF p SKIP LOCKED)) "
            "RETURNING connection_id, stream, record_id, version) "
            "SELECT r.connection_id, c.connector, r.stream, r.record_id, r.version, r.payload, r.received_at, "
            "r.deleted_at FROM claimed JOIN raw_record r USING (connection_id, stream, record_id, version) "
            "JOIN connection c ON c.id = r.connection_id"
        ),
        {"installed": installed, "limit": limit},
    )
    return [
        PendingRecord(
            connection_id=row.connection_id,
            connector_id=row.connector,
            stream=row.stream,
            record_id=row.record_id,
            version=row.version,
            payload=None if row.payload is None else payloads.loads(row.payload),
            received_at=row.received_at,
            deleted_at=row.deleted_at,
        )
        for row in rows
    ]


async def put_before_timeline(session: AsyncSession, connection_id: UUID, keys: Sequence[tuple[str, str, str]]) -> None:
    """Have records, by (stream, id, version), become events."""
    if not keys:
        return
    await session.execute(
        text(
            "INSERT INTO raw_pending (connection_id, stream, record_id, version) "
            "SELECT :connection, k.stream, k.record_id, k.version FROM unnest(CAST(:streams AS text[]), "
            "CAST(:ids AS text[]), CAST(:versions AS text[])) AS k(stream, record_id, version) ON CONFLICT DO NOTHING"
        ),
        {
            "connection": connection_id,
            "streams": [stream for stream, _, _ in keys],
            "ids": [record_id for _, record_id, _ in keys],
            "versions": [version for _, _, version in keys],
        },
    )
    work.nudge(session, RAW_RECORDS)


async def list_records(session: AsyncSession, connection_id: UUID, stream: str, record_ids: Sequence[str]) -> None:
    """Note that the running full refresh has listed these records."""
    await session.execute(
        text(
            "INSERT INTO listed_record (connection_id, stream, record_id) "
            "SELECT :connection, :stream, id FROM unnest(CAST(:ids AS text[])) AS id ON CONFLICT DO NOTHING"
        ),
        {"connection": connection_id, "stream": stream, "ids": sorted(set(record_ids))},
    )


async def delete_unlisted(session: AsyncSession, connection_id: UUID, stream: str, *, now: datetime) -> int:
    """End a full refresh: what it did not list gets a tombstone. Returns how many were gone."""
    where = {"connection": connection_id, "stream": stream}
    gone = await session.execute(
        text(
            "INSERT INTO raw_record (connection_id, stream, record_id, version, payload, received_at, deleted_at) "
            "SELECT :connection, :stream, latest.record_id, :version, NULL, :now, :now FROM ("
            "SELECT DISTINCT ON (record_id) record_id, deleted_at FROM raw_record "
            "WHERE connection_id = :connection AND stream = :stream "
            "ORDER BY record_id, received_at DESC, deleted_at NULLS LAST) AS latest "
            "WHERE latest.deleted_at IS NULL AND NOT EXISTS (SELECT FROM listed_record listed "
            "WHERE listed.connection_id = :connection AND listed.stream = :stream "
            "AND listed.record_id = latest.record_id) "
            "ORDER BY latest.record_id ON CONFLICT DO NOTHING RETURNING record_id"
        ),
        {**where, "now": now, "version": deleted_version(now)},
    )
    keys = [(stream, record_id, deleted_version(now)) for (record_id,) in gone]
    await put_before_timeline(session, connection_id, keys)
    await session.execute(
        text("DELETE FROM listed_record WHERE connection_id = :connection AND stream = :stream"), where
    )
    return len(keys)


async def _store_arrays(session: AsyncSession, connection_id: UUID, rows: Sequence[RawRow], now: datetime) -> int:
    result = await session.execute(
        text(
            "WITH inserted AS (INSERT INTO raw_record "
            "(connection_id, stream, record_id, version, payload, received_at, deleted_at) "
            "SELECT :connection, r.stream, r.record_id, r.version, r.payload, :now, r.deleted_at FROM unnest("
            "CAST(:streams AS text[]), CAST(:ids AS text[]), CAST(:versions AS text[]), CAST(:payloads AS bytea[]), "
            "CAST(:deleted AS timestamptz[])) AS r(stream, record_id, version, payload, deleted_at) "
            "ON CONFLICT DO NOTHING RETURNING connection_id, stream, record_id, version), "
            "pending AS (INSERT INTO raw_pending (connection_id, stream, record_id, version) "
            "SELECT * FROM inserted ON CONFLICT DO NOTHING) SELECT count(*) FROM inserted"
        ),
        {
            "connection": connection_id,
            "now": now,
            "streams": [row.stream for row in rows],
            "ids": [row.record_id for row in rows],
            "versions": [row.version for row in rows],
            "payloads": [row.payload for row in rows],
            "deleted": [row.deleted_at for row in rows],
        },
    )
    new = int(result.scalar_one())
    if new:
        work.nudge(session, RAW_RECORDS)
    return new


def _table() -> Table:
    table = RawRecord.__table__
    assert isinstance(table, Table)  # noqa: S101  # a mapped class's table is a Table
    return table

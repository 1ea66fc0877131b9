"""Other versions of the raw records at hand: what a tombstone buries, and the tombstones of what is read.

Raw records are committed before they can be claimed, so whichever of a record and its tombstone is read later finds the
other one, even while another worker is reading that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.sdk import payloads
from hub.timeline.reading import RawVersion

RecordName = tuple[UUID, str, str]
"""Connection, stream and record id."""

_VERSIONS = (
    "SELECT r.connection_id, r.stream, r.record_id, r.version, r.payload, r.received_at, r.deleted_at FROM raw_record r"
)


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version of a raw record that may have been read long ago."""

    connection_id: UUID
    stream: str
    record_id: str
    version: str
    payload: Mapping[str, Any] | None
    received_at: datetime
    deleted_at: datetime | None


def name_of(record: RawVersion) -> RecordName:
    """Which record it is, whatever the version."""
    return record.connection_id, record.stream, record.record_id


async def versions(
    session: AsyncSession, names: Collection[RecordName], *, deleted: bool
) -> Mapping[RecordName, Sequence[StoredVersion]]:
    """All versions of these records: the tombstones, or the others."""
    found: dict[RecordName, list[StoredVersion]] = defaultdict(list)
    if not names:
        return found
    rows = await session.execute(
        text(
            f"{_VERSIONS} JOIN unnest(CAST(:connections AS uuid[]), CAST(:streams AS text[]), CAST(:ids AS text[])) "
            "AS n(connection_id, stream, record_id) USING (connection_id, stream, record_id) "
            f"WHERE payload IS {'NULL' if deleted else 'NOT NULL'} ORDER BY r.version"
        ),
        {
            "connections": [connection for connection, _, _ in names],
            "streams": [stream for _, stream, _ in names],
            "ids": [record for _, _, record in names],
        },
    )
    for row in rows.all():
        version = _version(row)
        found[name_of(version)].append(version)
    return found


async def after(
    session: AsyncSession, connection_id: UUID, streams: Collection[str], position: Sequence[str], limit: int
) -> list[StoredVersion]:
    """The next versions of records of these streams behind `position` (stream, record id, version), in that order."""
    rows = await session.execute(
        text(
            f"{_VERSIONS} WHERE connection_id = :connection AND stream = ANY(CAST(:streams AS text[])) "
            "AND (stream, record_id, version) > (:stream, :record, :version) "
            "ORDER BY stream, record_id, version LIMIT :limit"
        ),
        {
            "connection": connection_id,
            "streams": list(streams),
            "stream": position[0],
            "record": position[1],
            "version": position[2],
            "limit": limit,
        },
    )
    return [_version(row) for row in rows.all()]


def _version(row: Any) -> StoredVersion:
    payload = None if row.payload is None else payloads.loads(row.payload)
    return StoredVersion(
        row.connection_id, row.stream, row.record_id, row.version, payload, row.received_at, row.deleted_at
    )

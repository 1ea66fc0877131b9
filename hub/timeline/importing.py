"""Rows of a file: kept as raw records, as a vendor's are, and a corrected row replaces its former self.

A vendor's record has versions, and each of them was true at its time. A row that a person corrects never was: what the
former one told is retracted, and the correction comes in as the events' next revision. So a file can be imported as
often as one likes, and what was known on a day can still be asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts import service as accounts
from hub.connections import service as connections
from hub.connections.service import Stage, Unreadable
from hub.kit.crypto import Vault
from hub.sdk.connector import Stream
from hub.sdk.rows import BadRow, RawRow, read_row
from hub.timeline import raw
from hub.timeline.intake import Readers
from hub.timeline.raw import StoredVersion
from hub.timeline.reading import Read


@dataclass(frozen=True, slots=True)
class Imported:
    """How many rows were new, replaced another, were known as they are, and could not be read."""

    new: int = 0
    replaced: int = 0
    known: int = 0
    bad: int = 0

    def __add__(self, other: Imported) -> Imported:
        return Imported(
            self.new + other.new, self.replaced + other.replaced, self.known + other.known, self.bad + other.bad
        )


async def import_rows(
    session: AsyncSession,
    vault: Vault,
    connection_id: UUID,
    stream: Stream[Any],
    rows: Sequence[Mapping[str, Any]],
    *,
    reasons: Mapping[int, str],
    now: datetime,
) -> Imported:
    """Keep a page of rows, each key once; `reasons` says of those that do not fit the model, by position, why.

    What waited in quarantine for the correction of a row that comes now is closed.
    """
    judged = [read_row(stream, row, now) for row in rows]
    for position, reason in reasons.items():
        judged[position] = BadRow(stream.name, judged[position].payload or b"", reason)
    good = [row for row in judged if isinstance(row, RawRow)]
    bad = [
        Unreadable(connection_id, Stage.RECORD, row.reason, row.stream, payload=row.payload)
        for row in judged
        if isinstance(row, BadRow)
    ]
    await connections.resolve_rows(session, connection_id, stream.name, [row.get("key") for row in rows], now=now)
    await connections.quarantine(session, bad, now=now)
    replaced = await _replace(session, vault, connection_id, good, now)
    new = await connections.store(session, connection_id, good, now=now)
    return Imported(new - replaced, replaced, len(good) - new, len(bad))


async def _replace(
    session: AsyncSession, vault: Vault, connection_id: UUID, rows: Sequence[RawRow], now: datetime
) -> int:
    """Take back what former versions of these rows told; returns how many rows had one."""
    current = {(connection_id, row.stream, row.record_id): row.version for row in rows}
    stored = await raw.versions(session, current, deleted=False)
    former = [one for name, versions in stored.items() for one in versions if one.version != current[name]]
    if not former:
        return 0
    # First off the list: whoever is reading one of them now is waited for, so that its events can be seen.
    await _delete(session, "raw_pending", former)
    readers = Readers(session, vault)
    told = [told for one in former if isinstance(told := await readers.read(one), Read)]
    keys = [(event.source_account_id, event.id) for one in told for event in (*one.events, *one.shared)]
    retracted = await session.execute(
        text(
            "UPDATE event e SET retracted_at = :now FROM unnest(CAST(:places AS uuid[]), CAST(:ids AS uuid[])) "
            "AS k(place, id) WHERE e.source_account_id = k.place AND e.id = k.id AND e.retracted_at IS NULL "
            "RETURNING e.source_account_id"
        ),
        {"now": now, "places": [place for place, _ in keys], "ids": [id_ for _, id_ in keys]},
    )
    changed = await accounts.accounts_at(session, set(retracted.scalars()))
    await accounts.mark_changed(session, changed, now)
    await _delete(session, "raw_record", former)
    kept = [(one.stream, one.record_id, one.version) for versions in stored.values() for one in versions]
    gone = {(one.stream, one.record_id, one.version) for one in former}
    replaced = {(one.stream, one.record_id) for one in former}
    await connections.put_before_timeline(
        session, connection_id, [key for key in kept if key not in gone and key[:2] in replaced]
    )
    return len({raw.name_of(one) for one in former})


async def _delete(session: AsyncSession, table: str, records: Sequence[StoredVersion]) -> None:
    await session.execute(
        text(
            f"DELETE FROM {table} t USING unnest(CAST(:connections AS uuid[]), CAST(:streams AS text[]), "
            "CAST(:ids AS text[]), CAST(:versions AS text[])) AS r(connection_id, stream, record_id, version) "
            "WHERE (t.connection_id, t.stream, t.record_id, t.version) "
            "= (r.connection_id, r.stream, r.record_id, r.version)"
        ),
        {
            "connections": [one.connection_id for one in records],
            "streams": [one.stream for one in records],
            "ids": [one.record_id for one in records],
            "versions": [one.version for one in records],
        },
    )

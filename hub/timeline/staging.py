"""The statements of a replay: what records tell now is staged, then the timeline is made to say the same.

What is staged is compared with what is in force, value by value: an event that stays as it is is not touched.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.kit.db import driver_connection, merge_by_copy
from hub.timeline.model import ReplayedEvent
from hub.timeline.reading import RawVersion
from hub.timeline.recording import in_order
from hub.timeline.rows import EventRecord

FORGOTTEN_AT_ONCE: Final = 20_000

_TABLE: Table = ReplayedEvent.__table__  # type: ignore[assignment]  # a mapped class's table is a Table

_TOLD: Final = ", ".join(f"m.{name}" for name in EventRecord._fields)
_CONTENT: Final = [name for name in EventRecord._fields if name not in ("source_account_id", "id")]
_SAME: Final = (
    "m.connection_id = e.connection_id AND m.source_account_id = e.source_account_id AND m.id = e.id AND "
    f"ROW({', '.join(f'm.{name}' for name in _CONTENT)}) IS NOT DISTINCT FROM "
    f"ROW({', '.join(f'e.{name}' for name in _CONTENT)})"
)


def _pointer(table: str) -> str:
    return ", ".join(f'{table}.{name} COLLATE "C"' for name in ("stream", "record_id", "version"))


_EARLIER: Final = (
    "(connection_id, source_account_id, id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _CONTENT if name != "connection_id")
    + f" WHERE ({_pointer('excluded')}) < ({_pointer('replayed_event')})"
)
_OF_STREAM: Final = "(CAST(:stream AS text) IS NULL OR {}.stream = :stream)"


async def stage(session: AsyncSession, records: Sequence[RawVersion], events: Sequence[EventRecord]) -> None:
    """Note which records could be read, and what they tell."""
    driver = await driver_connection(session)
    await driver.copy_records_to_table(
        "replayed_record",
        records=[(one.connection_id, one.stream, one.record_id, one.version) for one in records],
        columns=["connection_id", "stream", "record_id", "version"],
    )
    fields = EventRecord._fields
    await merge_by_copy(
        session,
        _TABLE,
        fields,
        in_order(events),
        order_by=("source_account_id", "id"),
        on_conflict=_EARLIER,
    )


async def places(session: AsyncSession, connection_id: UUID, after: str | None, limit: int) -> list[UUID]:
    """The connection's next source accounts, by id."""
    rows = await session.execute(
        text(
            "SELECT id FROM source_account WHERE connection_id = :connection "
            "AND (CAST(:after AS uuid) IS NULL OR id > CAST(:after AS uuid)) ORDER BY id LIMIT :limit"
        ),
        {"connection": connection_id, "after": after, "limit": limit},
    )
    return list(rows.scalars())


async def retract(
    session: AsyncSession,
    connection_id: UUID,
    stream: str | None,
    spared: Collection[str],
    at: Sequence[UUID],
    now: datetime,
) -> list[UUID]:
    """Retract what the records that were read no longer tell as it stands, at these places.

    Of a single stream's replay: only what came from it, and nothing of the `spared` kinds, which streams that were not
    read may tell as well. Returns the places, one for each event.
    """
    rows = await session.execute(
        text(
            "UPDATE event e SET retracted_at = :now FROM replayed_record r WHERE r.connection_id = :connection "
            "AND e.source_account_id = ANY(CAST(:places AS uuid[])) AND e.connection_id = r.connection_id "
            "AND e.retracted_at IS NULL AND e.stream = r.stream AND e.record_id = r.record_id "
            f"AND e.version = r.version AND {_OF_STREAM.format('e')} AND e.kind <> ALL(CAST(:spared AS text[])) "
            f"AND NOT EXISTS (SELECT FROM replayed_event m WHERE {_SAME}) RETURNING e.source_account_id"
        ),
        _names(connection_id, stream, at, now) | {"spared": sorted(spared)},
    )
    return list(rows.scalars())


async def add(
    session: AsyncSession, connection_id: UUID, stream: str | None, at: Sequence[UUID], now: datetime
) -> list[UUID]:
    """Bring in what is told now and not in force; returns the places, one for each event.

    Of a single stream's replay: what that stream tells, and what another one tells in its stead.
    """
    rows = await session.execute(
        text(
            f"INSERT INTO event ({', '.join(EventRecord._fields)}, revision, recorded_at) "
            f"SELECT {_TOLD}, coalesce(known.newest + 1, 0), :now FROM replayed_event m LEFT JOIN LATERAL ("
            "SELECT max(e.revision) AS newest, bool_or(e.retracted_at IS NULL) AS in_force, "
            f"bool_or({_OF_STREAM.format('e')}) AS of_stream FROM event e "
            "WHERE e.source_account_id = m.source_account_id AND e.id = m.id) AS known ON true "
            "WHERE m.connection_id = :connection AND m.source_account_id = ANY(CAST(:places AS uuid[])) "
            f"AND NOT coalesce(known.in_force, false) AND ({_OF_STREAM.format('m')} OR known.of_stream) "
            "ORDER BY m.source_account_id, m.id ON CONFLICT DO NOTHING RETURNING source_account_id"
        ),
        _names(connection_id, stream, at, now),
    )
    return list(rows.scalars())


async def read_what_came_meanwhile(session: AsyncSession, connection_id: UUID, since: datetime) -> None:
    """Put the records that the replay did not meet before the timeline once more: they may tell what it retracted."""
    await session.execute(
        text(
            "INSERT INTO raw_pending (connection_id, stream, record_id, version) "
            "SELECT r.connection_id, r.stream, r.record_id, r.version FROM raw_record r "
            "WHERE r.connection_id = :connection AND r.received_at >= :since AND NOT EXISTS ("
            "SELECT FROM replayed_record m WHERE (m.connection_id, m.stream, m.record_id, m.version) "
            "= (r.connection_id, r.stream, r.record_id, r.version)) ON CONFLICT DO NOTHING"
        ),
        {"connection": connection_id, "since": since},
    )


async def forget(session: AsyncSession, connection_id: UUID) -> bool:
    """Throw a batch of what was staged away; False when nothing is left."""
    gone = 0
    for table in ("replayed_record", "replayed_event"):
        result = await session.execute(
            text(
                f"WITH gone AS (DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} "
                "WHERE connection_id = :connection LIMIT :limit)) RETURNING 1) SELECT count(*) FROM gone"
            ),
            {"connection": connection_id, "limit": FORGOTTEN_AT_ONCE},
        )
        gone += result.scalar_one()
    return gone > 0


def _names(connection_id: UUID, stream: str | None, at: Sequence[UUID], now: datetime) -> dict[str, Any]:
    return {"connection": connection_id, "stream": stream, "places": list(at), "now": now}

"""Reading a connection's raw records anew, after its connector's mapping was mended.

Nothing is overwritten: an event that is no longer told, or is told otherwise, is retracted, and what is told now comes
in as its next revision. So what was known on a day can still be asked. Events that stay as they are are not touched,
and those of a record that the new mapping cannot read stay in force.

A whole connection is read at once, as two records may tell the same fact. Keys that the old mapping asserted stay
asserted: identity forgets nothing by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts import service as accounts
from hub.kit.crypto import Vault
from hub.kit.db import driver_connection, lock
from hub.timeline import raw
from hub.timeline.intake import Readers
from hub.timeline.reading import RawVersion, Read, deletions
from hub.timeline.rows import EventRecord

PAGE: Final = 1_000

_NAMES: Final = ", ".join(EventRecord._fields)
_CONTENT: Final = [name for name in EventRecord._fields if name not in ("source_account_id", "id")]
_SAME: Final = (
    "m.source_account_id = e.source_account_id AND m.id = e.id AND "
    f"ROW({', '.join(f'm.{name}' for name in _CONTENT)}) IS NOT DISTINCT FROM "
    f"ROW({', '.join(f'e.{name}' for name in _CONTENT)})"
)
_POINTER: Final = 'm.stream COLLATE "C", m.record_id COLLATE "C", m.version COLLATE "C"'


@dataclass(frozen=True, slots=True)
class Remapped:
    """How many raw records were read, could not be, and how many events that took back and brought."""

    read: int
    refused: int
    retracted: int
    added: int


async def remap(session: AsyncSession, vault: Vault, connection_id: UUID, *, now: datetime) -> Remapped:
    """Have the timeline say what the connector makes of the connection's records today.

    One transaction over all of them, one at a time for a connection; marks the accounts that changed. Reads the events
    of the connection twice, so it takes about as long as recording them did.
    """
    await lock(session, "remap", connection_id)
    await session.execute(
        text(f"CREATE TEMPORARY TABLE remapped ON COMMIT DROP AS SELECT {_NAMES} FROM event WITH NO DATA")
    )
    await session.execute(
        text("CREATE TEMPORARY TABLE remapped_record (stream text, record_id text, version text) ON COMMIT DROP")
    )
    seen = accounts.Seen()
    read, refused = await _stage(session, Readers(session, vault), connection_id, seen)
    for statement in (
        "CREATE INDEX ON remapped (source_account_id, id)",
        "ANALYZE remapped",
        "ANALYZE remapped_record",
    ):
        await session.execute(text(statement))
    retracted = await _retract(session, connection_id, now)
    added = await _add(session, now)
    # In the same order as the intake: events, then accounts under their lock, then the marks.
    registered = await accounts.observe(session, seen, now)
    touched = await accounts.resolve(session, registered.unresolved, now)
    changed = touched | registered.changed | await accounts.accounts_at(session, {*retracted, *added})
    await accounts.mark_changed(session, changed, now)
    await session.execute(text("DROP TABLE remapped, remapped_record"))
    return Remapped(read, refused, len(retracted), len(added))


async def _stage(session: AsyncSession, readers: Readers, connection_id: UUID, seen: accounts.Seen) -> tuple[int, int]:
    """Read all records into the temporary tables, and note whom they show."""
    total = refused = 0
    position = ("", "", "")
    while page := await raw.after(session, connection_id, position, PAGE):
        graves = await raw.versions(session, {raw.name_of(record) for record in page}, deleted=True)
        readable: list[RawVersion] = []
        events: list[EventRecord] = []
        for record in page:
            told = await readers.read(record)
            if not isinstance(told, Read):
                refused += 1
                continue
            readable.append(record)
            events += [*told.events, *told.shared]
            for sighting in told.sightings:
                seen.add(sighting)
            for tombstone in graves.get(raw.name_of(record), ()):
                events += deletions(tombstone, told.things)
        await _copy(session, readable, events)
        position = (page[-1].stream, page[-1].record_id, page[-1].version)
        total += len(page)
    return total, refused


async def _copy(session: AsyncSession, records: Sequence[RawVersion], events: Sequence[EventRecord]) -> None:
    driver = await driver_connection(session)
    await driver.copy_records_to_table("remapped", records=events, columns=list(EventRecord._fields))
    await driver.copy_records_to_table(
        "remapped_record", records=[(record.stream, record.record_id, record.version) for record in records]
    )


async def _retract(session: AsyncSession, connection_id: UUID, now: datetime) -> list[UUID]:
    """Retract what the records that were read no longer tell as it stands; returns the places, one for each event."""
    rows = await session.execute(
        text(
            "UPDATE event e SET retracted_at = :now FROM remapped_record r WHERE e.connection_id = :connection "
            "AND e.retracted_at IS NULL AND e.stream = r.stream AND e.record_id = r.record_id "
            f"AND e.version = r.version AND NOT EXISTS (SELECT FROM remapped m WHERE {_SAME}) "
            "RETURNING e.source_account_id"
        ),
        {"now": now, "connection": connection_id},
    )
    return list(rows.scalars())


async def _add(session: AsyncSession, now: datetime) -> list[UUID]:
    """Bring in what is told now and not in force; returns the places, one for each event."""
    told = ", ".join(f"m.{name}" for name in EventRecord._fields)
    rows = await session.execute(
        text(
            f"INSERT INTO event ({_NAMES}, revision, recorded_at) "
            f"SELECT {told}, (SELECT coalesce(max(x.revision) + 1, 0) FROM event x "
            "WHERE x.source_account_id = m.source_account_id AND x.id = m.id), :now "
            f"FROM (SELECT DISTINCT ON (m.source_account_id, m.id) {told} FROM remapped m "
            f"ORDER BY m.source_account_id, m.id, {_POINTER}) AS m "
            "WHERE NOT EXISTS (SELECT FROM event e WHERE e.source_account_id = m.source_account_id AND e.id = m.id "
            "AND e.retracted_at IS NULL) ON CONFLICT DO NOTHING RETURNING source_account_id"
        ),
        {"now": now},
    )
    return list(rows.scalars())

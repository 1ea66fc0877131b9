"""Recording in bulk: the same event recorded twice meets its own key, and the cost is the database's alone.

Three ways, all sorted by the key, so that a batch touches each index page once and two batches never wait for each
other in a circle:

- What is expected to be new goes into the table by COPY, at the speed of a bare one. Should one of the keys be there
  already, that COPY is taken back to its savepoint and the batch goes the second way.
- What may be there already (a fact that two records report) is copied into a temporary table and merged.
- A handful of events is one INSERT.

The key alone keeps events single; which way is taken only decides what it costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncSession

from hub.kit.db import driver_connection, merge_by_copy
from hub.timeline.model import EventRow
from hub.timeline.rows import EventRecord

FEW: Final = 1_000
"""Up to this many events are one INSERT."""

EventKey = tuple[UUID, UUID]
"""Source account and id."""

COLUMNS: Final = (*EventRecord._fields, "recorded_at")
_TABLE: Table = EventRow.__table__  # type: ignore[assignment]  # a mapped class's table is a Table
_ARRAYS: Final = {
    "source_account_id": "uuid",
    "id": "uuid",
    "occurred_at": "timestamptz",
    "amount_minor": "bigint",
    "value": "float8",
    "caused_by_run": "uuid",
    "connection_id": "uuid",
}
_CAST: Final = {"people": "uuid[]", "attributes": "jsonb", "changes": "jsonb"}
_INSERT_FEW: Final = (
    f"INSERT INTO event ({', '.join(COLUMNS)}) SELECT "
    + ", ".join(f"{name}::{_CAST[name]}" if name in _CAST else name for name in EventRecord._fields)
    + f", ${len(COLUMNS)} FROM unnest("
    + ", ".join(f"${nth}::{_ARRAYS.get(name, 'text')}[]" for nth, name in enumerate(EventRecord._fields, 1))
    + f") AS e({', '.join(EventRecord._fields)}) ORDER BY source_account_id, id "
    "ON CONFLICT DO NOTHING RETURNING source_account_id, id"
)
_EARLIER_POINTER: Final = (
    "WITH told AS (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[]) "
    "AS t(source, id, stream, record_id, version)), "
    "later AS (SELECT e.source_account_id, e.id, e.revision, t.stream, t.record_id, t.version FROM event e "
    "JOIN told t ON e.source_account_id = t.source AND e.id = t.id "
    'WHERE (t.stream COLLATE "C", t.record_id COLLATE "C", t.version COLLATE "C") '
    '< (e.stream COLLATE "C", e.record_id COLLATE "C", e.version COLLATE "C") '
    "ORDER BY e.source_account_id, e.id, e.revision FOR UPDATE OF e) "
    "UPDATE event e SET stream = later.stream, record_id = later.record_id, version = later.version FROM later "
    "WHERE (e.source_account_id, e.id, e.revision) = (later.source_account_id, later.id, later.revision)"
)
_RETRACTED: Final = (
    "SELECT t.source, t.id, max(e.revision) + 1 FROM unnest($1::uuid[], $2::uuid[]) AS t(source, id) "
    "JOIN event e ON e.source_account_id = t.source AND e.id = t.id "
    "GROUP BY t.source, t.id HAVING bool_and(e.retracted_at IS NOT NULL)"
)


async def insert(
    session: AsyncSession, records: Sequence[EventRecord], now: datetime, *, expected_new: bool = True
) -> list[EventKey]:
    """Store events that are not there yet; returns the keys of those.

    An event that several records report keeps the pointer to the first of them by stream, id and version, so that
    where it is said to come from does not depend on what arrived first.
    """
    rows = in_order(records)
    if not rows:
        return []
    if len(rows) <= FEW:
        inserted = await _insert_few(session, rows, now)
    elif expected_new and await _copied(session, rows, now):
        return [(row.source_account_id, row.id) for row in rows]
    else:
        inserted = await _merge(session, rows, now)
    if len(inserted) < len(rows):
        new = set(inserted)
        known = [row for row in rows if (row.source_account_id, row.id) not in new]
        await _point_to_the_first(session, known)
        inserted += await _bring_back(session, known, now)
    return inserted


def in_order(records: Iterable[EventRecord]) -> list[EventRecord]:
    """Sorted by key; of two with the same key the one with the first pointer."""
    records = list(records)
    by_key = {record.source_account_id.bytes + record.id.bytes: record for record in records}
    if len(by_key) < len(records):
        for record in records:
            key = record.source_account_id.bytes + record.id.bytes
            if _pointer(record) < _pointer(by_key[key]):
                by_key[key] = record
    return [by_key[key] for key in sorted(by_key)]


def _pointer(record: EventRecord) -> tuple[str, str, str]:
    return record.stream or "", record.record_id or "", record.version or ""


async def _copied(session: AsyncSession, rows: Sequence[EventRecord], now: datetime) -> bool:
    """Whether all rows could be copied straight into the table; when one was there already, none is."""
    try:
        async with session.begin_nested():
            driver = await driver_connection(session)
            await driver.copy_records_to_table(
                _TABLE.name, records=((*row, now) for row in rows), columns=list(COLUMNS)
            )
    except asyncpg.UniqueViolationError:
        return False
    return True


async def _merge(session: AsyncSession, rows: Sequence[EventRecord], now: datetime) -> list[EventKey]:
    inserted = await merge_by_copy(
        session,
        _TABLE,
        COLUMNS,
        ((*row, now) for row in rows),
        order_by=("source_account_id", "id"),
        returning=("source_account_id", "id"),
    )
    return [(row.source_account_id, row.id) for row in inserted]


async def _insert_few(session: AsyncSession, rows: Sequence[EventRecord], now: datetime) -> list[EventKey]:
    columns: list[list[Any]] = [list(values) for values in zip(*rows, strict=True)]
    people = EventRecord._fields.index("people")
    # An array of arrays would have to be rectangular, so each list travels as text.
    columns[people] = [f"{{{','.join(map(str, somebody))}}}" for somebody in columns[people]]
    driver = await driver_connection(session)
    return [(source, id_) for source, id_ in await driver.fetch(_INSERT_FEW, *columns, now)]


async def _bring_back(session: AsyncSession, rows: Sequence[EventRecord], now: datetime) -> list[EventKey]:
    """What a replay had retracted is told again, by another record: it comes in as its next revision."""
    driver = await driver_connection(session)
    gone = await driver.fetch(_RETRACTED, [row.source_account_id for row in rows], [row.id for row in rows])
    revisions = {(source, id_): revision for source, id_, revision in gone}
    back = [row for row in rows if (row.source_account_id, row.id) in revisions]
    if back:
        keys = [(row.source_account_id, row.id) for row in back]
        await driver.copy_records_to_table(
            _TABLE.name,
            records=((*row, now, revisions[key]) for row, key in zip(back, keys, strict=True)),
            columns=[*COLUMNS, "revision"],
        )
    return [(row.source_account_id, row.id) for row in back]


async def _point_to_the_first(session: AsyncSession, rows: Sequence[EventRecord]) -> None:
    told = [row for row in rows if row.stream is not None]
    if not told:
        return
    driver = await driver_connection(session)
    await driver.execute(
        _EARLIER_POINTER,
        [row.source_account_id for row in told],
        [row.id for row in told],
        *([getattr(row, name) for row in told] for name in ("stream", "record_id", "version")),
    )

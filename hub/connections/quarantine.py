"""What could not be read is kept, shown, and read again when the connector or the vendor was mended.

An entry's id follows from what it is about, so the same trouble twice is one entry with two attempts. Nothing in here
is removed: an entry is resolved by reading it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

import structlog
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.connections import metrics, registry
from hub.connections.lists import DELIVERIES
from hub.connections.model import Connection, Quarantine
from hub.connections.records import put_before_timeline, store
from hub.kit import work
from hub.kit.errors import NotFound
from hub.kit.ids import derived_id
from hub.sdk import payloads
from hub.sdk.rows import BadRow, read_row
from hub.sdk.secrecy import printable

log = structlog.get_logger()


CORRECTED_AT_ONCE = 5_000
"""So many open entries are looked through for rows that come again."""


class Stage(StrEnum):
    """Where it failed: in `receive`, against the record's model, or in `normalize`."""

    DELIVERY = "delivery"
    RECORD = "record"
    NORMALIZE = "normalize"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something to put into quarantine.

    A delivery is named by its id in `record_id` and keeps its body where it is stored; a record that did not fit its
    model has no id, and its JSON in `payload`; a record that could not be normalised has all three parts of its key.
    """

    connection_id: UUID
    stage: Stage
    reason: str
    stream: str | None = None
    record_id: str | None = None
    version: str | None = None
    payload: bytes = b""

    @property
    def id(self) -> UUID:
        """Derived from what it is about."""
        subject = self.record_id or hashlib.sha256(self.payload).hexdigest()
        return derived_id("quarantine", self.connection_id, self.stage, self.stream or "", subject, self.version or "")


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many entries could be read now (or are on their way), and how many still cannot."""

    resolved: int
    unreadable: int


async def quarantine(session: AsyncSession, entries: Iterable[Unreadable], *, now: datetime) -> None:
    """Keep what could not be read; what is there already counts one attempt more, and is open again."""
    by_id = {entry.id: entry for entry in entries}
    if not by_id:
        return
    await session.execute(
        text(
            "INSERT INTO quarantine (id, connection_id, stage, stream, record_id, version, payload, reason, "
            "first_seen_at, last_seen_at, attempts) SELECT q.*, :now, :now, 1 FROM unnest("
            "CAST(:ids AS uuid[]), CAST(:connections AS uuid[]), CAST(:stages AS text[]), CAST(:streams AS text[]), "
            "CAST(:records AS text[]), CAST(:versions AS text[]), CAST(:payloads AS bytea[]), "
            "CAST(:reasons AS text[])) AS q ORDER BY 1 ON CONFLICT (id) DO UPDATE SET reason = excluded.reason, "
            "last_seen_at = excluded.last_seen_at, attempts = quarantine.attempts + 1, resolved_at = NULL"
        ),
        {
            "now": now,
            "ids": list(by_id),
            "connections": [entry.connection_id for entry in by_id.values()],
            "stages": [entry.stage for entry in by_id.values()],
            "streams": [entry.stream for entry in by_id.values()],
            "records": [entry.record_id for entry in by_id.values()],
            "versions": [entry.version for entry in by_id.values()],
            "payloads": [entry.payload for entry in by_id.values()],
            "reasons": [printable(entry.reason) for entry in by_id.values()],
        },
    )
    for entry in by_id.values():
        metrics.quarantined.labels(entry.stage, entry.stream or "").inc()
    log.warning("quarantine.added", entries=len(by_id), stages=sorted({entry.stage.value for entry in by_id.values()}))


async def resolve(session: AsyncSession, ids: Sequence[UUID], *, now: datetime) -> None:
    """Close entries, where there are any: what they are about has been read."""
    await session.execute(
        text("UPDATE quarantine SET resolved_at = :now WHERE id = ANY(CAST(:ids AS uuid[])) AND resolved_at IS NULL"),
        {"now": now, "ids": list(ids)},
    )


class Normalized(Protocol):
    """A version of a raw record that could be read."""

    @property
    def connection_id(self) -> UUID: ...
    @property
    def stream(self) -> str: ...
    @property
    def record_id(self) -> str: ...
    @property
    def version(self) -> str: ...


async def resolve_normalized(session: AsyncSession, records: Sequence[Normalized], *, now: datetime) -> None:
    """Close the entries of records that could not be normalised before, and can be now."""
    if not records:
        return
    await session.execute(
        text(
            "UPDATE quarantine q SET resolved_at = :now FROM unnest(CAST(:connections AS uuid[]), "
            "CAST(:streams AS text[]), CAST(:ids AS text[]), CAST(:versions AS text[])) "
            "AS r(connection_id, stream, record_id, version) WHERE q.connection_id = r.connection_id "
            "AND q.resolved_at IS NULL AND q.stage = :stage AND q.stream = r.stream AND q.record_id = r.record_id "
            "AND q.version = r.version"
        ),
        {
            "now": now,
            "stage": Stage.NORMALIZE,
            "connections": [record.connection_id for record in records],
            "streams": [record.stream for record in records],
            "ids": [record.record_id for record in records],
            "versions": [record.version for record in records],
        },
    )


async def resolve_rows(
    session: AsyncSession, connection_id: UUID, stream: str, keys: Iterable[str | None], *, now: datetime
) -> None:
    """Close the entries of a file's rows that had one of these keys: the rows come again."""
    known = {key for key in keys if key}
    waiting = await session.execute(
        select(Quarantine.id, Quarantine.payload)
        .where(
            Quarantine.connection_id == connection_id,
            Quarantine.resolved_at.is_(None),
            Quarantine.stage == Stage.RECORD,
            Quarantine.stream == stream,
        )
        .order_by(Quarantine.last_seen_at.desc())
        .limit(CORRECTED_AT_ONCE)
    )
    again = [entry for entry, payload in waiting.all() if _key_of(payload) in known]
    if again:
        await resolve(session, again, now=now)


def _key_of(payload: bytes) -> str | None:
    try:
        row = payloads.loads(payload)
    except ValueError:
        return None
    key = row.get("key") if isinstance(row, dict) else None
    return key if isinstance(key, str) else None


async def replay_quarantine(
    session: AsyncSession,
    connection_id: UUID | None = None,
    *,
    ids: Sequence[UUID] | None = None,
    untried_since: datetime | None = None,
    limit: int = 1_000,
    now: datetime,
) -> Replayed:
    """Read open entries again, those tried longest ago first: of one connection, by their ids, or all.

    With `untried_since` those that were tried since then are left out, so that page after page comes to an end.
    A record that fits now becomes a raw record; deliveries and records to normalise go back on their lists, and come
    back here if they fail again.
    """
    query = select(Quarantine).where(Quarantine.resolved_at.is_(None))
    if connection_id is not None:
        query = query.where(Quarantine.connection_id == connection_id)
    if ids is not None:
        query = query.where(Quarantine.id.in_(ids))
    if untried_since is not None:
        query = query.where(Quarantine.last_seen_at < untried_since)
    found = (
        await session.execute(
            query.order_by(Quarantine.last_seen_at, Quarantine.id).limit(limit).with_for_update(skip_locked=True)
        )
    ).scalars()
    resolved, unreadable = 0, 0
    for entry in found:
        wrong = await _read_again(session, entry, now)
        entry.last_seen_at = now
        if wrong is None:
            entry.resolved_at = now
            resolved += 1
        else:
            entry.attempts += 1
            entry.reason = printable(wrong)
            unreadable += 1
    await session.flush()
    return Replayed(resolved, unreadable)


async def _read_again(session: AsyncSession, entry: Quarantine, now: datetime) -> str | None:
    """None when it was read or put back on its list, otherwise what is wrong."""
    match Stage(entry.stage):
        case Stage.DELIVERY:
            await session.execute(
                text("UPDATE webhook_delivery SET problem = NULL, processed_at = NULL WHERE id = CAST(:id AS uuid)"),
                {"id": entry.record_id},
            )
            work.nudge(session, DELIVERIES)
            return None
        case Stage.NORMALIZE:
            key = (entry.stream or "", entry.record_id or "", entry.version or "")
            await put_before_timeline(session, entry.connection_id, [key])
            return None
        case Stage.RECORD:
            return await _read_record_again(session, entry, now)


async def _read_record_again(session: AsyncSession, entry: Quarantine, now: datetime) -> str | None:
    connection = await session.get_one(Connection, entry.connection_id)
    try:
        stream = registry.current().connector(connection.connector).streams.get(entry.stream or "")
        if stream is None:
            return f"the connector has no stream {entry.stream!r} any more"
        row = read_row(stream, payloads.loads(entry.payload), now)
    except (NotFound, ValueError) as error:
        return str(error)
    if isinstance(row, BadRow):
        return row.reason
    await store(session, entry.connection_id, [row], now=now)
    return None

"""Taking raw records in: read them, record their events, resolve whose they are, mark the accounts for scoring.

All of it is the caller's one transaction, so a worker that dies has taken nothing. Events go in first, sorted by key;
then come accounts and people, under their lock; then the marks. As every worker goes in this order, none waits for
another in a circle, and the lock is held for a short time only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from asyncpg import PostgresError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts import service as accounts
from hub.connections import service as connections
from hub.connections.service import PendingRecord, Stage, Unreadable
from hub.kit.crypto import Vault
from hub.kit.errors import HubError
from hub.sdk.connector import Connector
from hub.timeline import raw, recording
from hub.timeline.erasing import withhold
from hub.timeline.reading import RawVersion, Read, Refused, deletions, read
from hub.timeline.rows import EventRecord

HISTORY = timedelta(days=1)
"""What happened longer ago is history, of which more may be on its way."""

ERASURE_REQUESTED: Final = "person.erasure_requested"

BREATH: Final = 100
"""After so many records the event loop gets a turn: reading is work for the processor alone."""

BLAMES_A_VALUE: Final = {"22", "54"}
"""Classes of SQLSTATE that are about what was to be stored: data, and limits."""


@dataclass(slots=True)
class Told:
    """What a batch of records tells: events, those that other records may have told already, and who was seen."""

    events: list[EventRecord] = field(default_factory=list)
    shared: list[EventRecord] = field(default_factory=list)
    seen: accounts.Seen = field(default_factory=accounts.Seen)
    refused: list[Unreadable] = field(default_factory=list)

    def places_since(self, moment: datetime) -> set[UUID]:
        """The source accounts with events after that moment."""
        return {event.source_account_id for event in (*self.events, *self.shared) if event.occurred_at > moment}

    def to_erase(self, new: Iterable[recording.EventKey]) -> dict[UUID, str]:
        """The source persons whom one of these events asks to erase, each with the connection that says so."""
        asked = [event for event in (*self.events, *self.shared) if event.kind == ERASURE_REQUESTED]
        keys = set(new) if asked else ()
        return {
            person: f"connection:{event.connection_id}"
            for event in asked
            if (event.source_account_id, event.id) in keys
            for person in event.people
        }

    def add(self, told: Read) -> None:
        self.events += told.events
        self.shared += told.shared
        for sighting in told.sightings:
            self.seen.add(sighting)


async def take_in(session: AsyncSession, vault: Vault, *, limit: int, now: datetime) -> int:
    """Turn up to `limit` waiting raw records into events; returns how many there were."""
    pending = await connections.claim_pending(session, limit)
    if pending:
        await _take(session, vault, pending, now)
    return len(pending)


async def take_one(session: AsyncSession, vault: Vault, *, now: datetime) -> int:
    """The same for a single record; one that the database does not take goes to quarantine."""
    pending = await connections.claim_pending(session, 1)
    if not pending:
        return 0
    try:
        async with session.begin_nested():
            await _take(session, vault, pending, now)
    except (PostgresError, DBAPIError) as error:
        if not blames_a_value(error):
            raise
        reason = f"The database does not take it: {cause(error)}"
        await connections.quarantine(session, [_unreadable(pending[0], reason)], now=now)
    return 1


def cause(error: PostgresError | DBAPIError) -> BaseException:
    """What the database said, whichever layer raised it."""
    return error.orig or error if isinstance(error, DBAPIError) else error


def blames_a_value(error: PostgresError | DBAPIError) -> bool:
    """Whether it is about what was to be stored, and not about the moment."""
    return str(getattr(cause(error), "sqlstate", ""))[:2] in BLAMES_A_VALUE


async def _take(session: AsyncSession, vault: Vault, pending: Sequence[PendingRecord], now: datetime) -> None:
    """What is told of erased people is withheld before anything of it is written."""
    readers = Readers(session, vault)
    told = await _read(session, readers, pending)
    await _bury(session, readers, pending, told)
    forgotten = await withhold(session, vault, told.seen, told.events, told.shared)
    await connections.quarantine(session, told.refused, now=now)
    new = await recording.insert(session, told.events, now)
    new += await recording.insert(session, told.shared, now, expected_new=False)
    await connections.forget_records(session, forgotten)
    places = {place for place, _ in new}
    registered = await accounts.observe(session, told.seen, now)
    await accounts.erase_by_request(session, told.to_erase(new), now)
    touched = await accounts.resolve(session, registered.unresolved, now)
    changed = touched | registered.changed | await accounts.accounts_at(session, places)
    news = await accounts.accounts_at(session, places & told.places_since(now - HISTORY))
    await accounts.mark_heard_of(session, news=news, history=changed - news, now=now)


class Readers:
    """The connectors of a batch, each opened once; one that cannot be opened refuses its records."""

    def __init__(self, session: AsyncSession, vault: Vault) -> None:
        self._session = session
        self._vault = vault
        self._open: dict[UUID, Connector[Any] | Refused] = {}

    async def read(self, record: RawVersion) -> Read | Refused:
        """The events of a record."""
        if record.connection_id not in self._open:
            self._open[record.connection_id] = await self._opened(record.connection_id)
        connector = self._open[record.connection_id]
        return connector if isinstance(connector, Refused) else read(connector, record)

    async def _opened(self, connection_id: UUID) -> Connector[Any] | Refused:
        try:
            return await connections.pure_connector(self._session, self._vault, connection_id)
        except HubError as error:
            return Refused(str(error))


async def _read(session: AsyncSession, readers: Readers, pending: Sequence[PendingRecord]) -> Told:
    """Read every record; one that was deleted buries the things that it tells of right away."""
    told = Told()
    graves = await raw.versions(session, {raw.name_of(record) for record in pending}, deleted=True)
    for nth, record in enumerate(pending, 1):
        match await readers.read(record):
            case Refused(reason):
                told.refused.append(_unreadable(record, reason))
            case Read() as events:
                told.add(events)
                for tombstone in graves.get(raw.name_of(record), ()):
                    told.shared += deletions(tombstone, events.things)
        if nth % BREATH == 0:
            await asyncio.sleep(0)
    return told


async def _bury(session: AsyncSession, readers: Readers, pending: Iterable[PendingRecord], told: Told) -> None:
    """Have each tombstone bury what the record's other versions tell of, read or waiting."""
    tombstones = [record for record in pending if record.payload is None]
    buried = await raw.versions(session, {raw.name_of(record) for record in tombstones}, deleted=False)
    for tombstone in tombstones:
        for version in buried.get(raw.name_of(tombstone), ()):
            events = await readers.read(version)
            if isinstance(events, Read):
                told.shared += deletions(tombstone, events.things)


def _unreadable(record: PendingRecord, reason: str) -> Unreadable:
    return Unreadable(record.connection_id, Stage.NORMALIZE, reason, record.stream, record.record_id, record.version)

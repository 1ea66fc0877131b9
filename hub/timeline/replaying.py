"""Replay: a connection's raw records read anew, after its connector's mapping was mended.

Nothing is overwritten: an event that is no longer told, or is told otherwise, is retracted, and what is told now comes
in as its next revision. So what was known on a day can still be asked. Events that stay as they are are not touched,
and those of a record that the new mapping cannot read stay in force.

As two records may tell the same fact, nothing is retracted before all of them were read: first what they tell is
staged, page by page, then the timeline is corrected, some places at a time. Every page is a transaction that also
moves the replay's position, so one that was interrupted goes on where it was. Records that arrive meanwhile are taken
in as ever, and once more at the end. Keys that the old mapping asserted stay asserted: identity forgets nothing by
itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts import service as accounts
from hub.connections import service as connections
from hub.connections.service import Stage, Unreadable
from hub.kit.db import lock
from hub.kit.errors import Invalid, NotFound
from hub.kit.runtime import Kit
from hub.sdk.connector import Connector
from hub.timeline import raw, staging
from hub.timeline.erasing import withhold
from hub.timeline.intake import Readers
from hub.timeline.model import ReplayRow
from hub.timeline.reading import RawVersion, Read, Refused, deletions
from hub.timeline.rows import EventRecord

RECORDS_AT_ONCE: Final = 1_000
PLACES_AT_ONCE: Final = 200
MARGIN: Final = timedelta(hours=1)
"""A record may be committed so long after the time that it carries."""


class Phase(StrEnum):
    """What a replay is about."""

    READING = "reading"
    CORRECTING = "correcting"
    CLEARING = "clearing"


@dataclass(frozen=True, slots=True)
class ReplayProgress:
    """How far a replay is: `done` of `total` records (reading) or source accounts (correcting); 0 of 0: not counted."""

    phase: Phase
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many raw records were read, could not be, and how many events that took back and brought."""

    read: int
    refused: int
    retracted: int
    added: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What one replay reads and may change; `stream` None is all of them."""

    connection_id: UUID
    stream: str | None
    reads: tuple[str, ...]
    spared: frozenset[str]


Watcher = Callable[[ReplayProgress], None]


async def replay(
    kit: Kit,
    connection_id: UUID,
    *,
    stream: str | None = None,
    restart: bool = False,
    progress: Watcher | None = None,
) -> Replayed:
    """Have the timeline say what the connector makes of the connection's records today.

    Goes on with a replay that was interrupted, or, with `restart`, begins anew. Memory does not grow with the history;
    the time is about that of recording it. Marks the accounts that changed. Raises `NotFound` (connection, plugin or
    stream) and `Invalid` (its configuration does not fit, or another replay is under way).
    """
    async with kit.reading() as session:
        connector = await connections.pure_connector(session, kit.vault, connection_id)
    plan = planned(connector, connection_id, stream)
    state = await _begin(kit, plan, restart)
    watch = _Watch(kit, plan, progress)
    await watch.start(state)
    while state.phase != Phase.CLEARING:
        async with kit.transaction() as session:
            state = await _take_up(session, plan, state)
            step = _read_page if state.phase == Phase.READING else _correct
            handled = await step(session, kit, plan, state)
        await watch.moved(state, handled)
    done = Replayed(state.records, state.refused, state.retracted, state.added)
    await _clear(kit, connection_id)
    return done


def planned(connector: Connector[Any], connection_id: UUID, stream: str | None) -> Plan:
    """Which streams have to be read so that `stream` can be corrected: those that may tell the same facts. Pure.

    A fact is shared by records that tell the same kind, so it is the streams that emit one of its kinds. Raises
    `NotFound`.
    """
    declared = connector.streams
    if stream is None:
        return Plan(connection_id, None, tuple(declared), frozenset())
    if stream not in declared:
        names = ", ".join(sorted(declared))
        raise NotFound(f"{connector.id} has no stream {stream!r}.", remedy=f"Its streams are: {names}")
    kinds = declared[stream].emits
    reads = tuple(name for name, other in declared.items() if name == stream or other.emits & kinds)
    unread = (other.emits for name, other in declared.items() if name not in reads)
    return Plan(connection_id, stream, reads, frozenset().union(*unread) - kinds)


async def _begin(kit: Kit, plan: Plan, restart: bool) -> ReplayRow:
    """The replay to go on with, or a new one."""
    async with kit.reading() as session:
        left = await session.get(ReplayRow, plan.connection_id)
    if left is not None and (restart or left.phase == Phase.CLEARING):
        await _clear(kit, plan.connection_id)
        left = None
    if left is not None and left.stream != plan.stream:
        what = f"of the stream {left.stream}" if left.stream else "of all streams"
        raise Invalid(f"A replay {what} was interrupted.", remedy="Go on with that one, or begin anew with --restart.")
    if left is not None:
        return left
    async with kit.transaction() as session:
        await lock(session, "replay", plan.connection_id)
        row = ReplayRow(
            connection_id=plan.connection_id,
            stream=plan.stream,
            phase=Phase.READING,
            position=["", "", ""],
            started_at=kit.clock.now(),
            records=0,
            refused=0,
            retracted=0,
            added=0,
        )
        session.add(row)
    return row


async def _take_up(session: AsyncSession, plan: Plan, known: ReplayRow) -> ReplayRow:
    """The replay's row, locked, if it is where this process left it. Raises `Invalid`."""
    row = await session.get(ReplayRow, plan.connection_id, with_for_update=True)
    if row is None or (row.phase, row.position, row.started_at) != (known.phase, known.position, known.started_at):
        raise Invalid("Another process replays this connection.", remedy="Let it end, or stop it and try again.")
    return row


async def _read_page(session: AsyncSession, kit: Kit, plan: Plan, row: ReplayRow) -> int:
    """Stage what the next records tell, note whom they show, and which of them cannot be read."""
    now = kit.clock.now()
    page = await raw.after(session, plan.connection_id, plan.reads, row.position, RECORDS_AT_ONCE)
    if not page:
        for table in ("replayed_record", "replayed_event"):
            await session.execute(text(f"ANALYZE {table}"))
        row.phase, row.position = Phase.CORRECTING, []
        return 0
    readers = Readers(session, kit.vault)
    graves = await raw.versions(session, {raw.name_of(record) for record in page}, deleted=True)
    readable: list[RawVersion] = []
    events: list[EventRecord] = []
    refused: list[Unreadable] = []
    seen = accounts.Seen()
    for record in page:
        match await readers.read(record):
            case Refused(reason):
                refused.append(_unreadable(record, reason))
            case Read() as told:
                readable.append(record)
                events += [*told.events, *told.shared]
                for sighting in told.sightings:
                    seen.add(sighting)
                for tombstone in graves.get(raw.name_of(record), ()):
                    events += deletions(tombstone, told.things)
    forgotten = await withhold(session, kit.vault, seen, events)
    await staging.stage(session, readable, events)
    await connections.quarantine(session, refused, now=now)
    await connections.resolve_normalized(session, readable, now=now)
    registered = await accounts.observe(session, seen, now)
    touched = await accounts.resolve(session, registered.unresolved, now)
    await accounts.mark_changed(session, touched | registered.changed, now)
    await connections.forget_records(session, forgotten)
    row.position = [page[-1].stream, page[-1].record_id, page[-1].version]
    row.records += len(page)
    row.refused += len(refused)
    return len(page)


async def _correct(session: AsyncSession, kit: Kit, plan: Plan, row: ReplayRow) -> int:
    """Have the events of the next places say what was staged."""
    now = kit.clock.now()
    after = row.position[0] if row.position else None
    places = await staging.places(session, plan.connection_id, after, PLACES_AT_ONCE)
    if not places:
        await staging.read_what_came_meanwhile(session, plan.connection_id, row.started_at - MARGIN)
        row.phase, row.position = Phase.CLEARING, []
        return 0
    retracted = await staging.retract(session, plan.connection_id, plan.stream, plan.spared, places, now)
    added = await staging.add(session, plan.connection_id, plan.stream, places, now)
    await accounts.mark_changed(session, await accounts.accounts_at(session, {*retracted, *added}), now)
    row.position = [str(places[-1])]
    row.retracted += len(retracted)
    row.added += len(added)
    return len(places)


async def _clear(kit: Kit, connection_id: UUID) -> None:
    """Throw away what was staged, and the replay itself last."""
    left = True
    while left:
        async with kit.transaction() as session:
            left = await staging.forget(session, connection_id)
    async with kit.transaction() as session:
        await session.execute(delete(ReplayRow).where(ReplayRow.connection_id == connection_id))


def _unreadable(record: RawVersion, reason: str) -> Unreadable:
    return Unreadable(record.connection_id, Stage.NORMALIZE, reason, record.stream, record.record_id, record.version)


class _Watch:
    """Counts what a phase has to do once, and says how far it is."""

    def __init__(self, kit: Kit, plan: Plan, progress: Watcher | None) -> None:
        self._kit, self._plan, self._progress = kit, plan, progress
        self._phase, self._done, self._total = "", 0, 0

    async def start(self, state: ReplayRow) -> None:
        await self.moved(state, 0)

    async def moved(self, state: ReplayRow, handled: int) -> None:
        if self._progress is None or state.phase == Phase.CLEARING:
            return
        if state.phase != self._phase:
            self._phase = state.phase
            self._done, self._total = await self._counted(Phase(state.phase), state.position)
        else:
            self._done += handled
        self._progress(ReplayProgress(Phase(state.phase), self._done, self._total))

    async def _counted(self, phase: Phase, position: Sequence[str]) -> tuple[int, int]:
        async with self._kit.reading() as session:
            if phase is Phase.READING:
                row = await session.execute(
                    text(
                        "SELECT count(*) FILTER (WHERE (stream, record_id, version) <= (:stream, :record, :version)), "
                        "count(*) FROM raw_record WHERE connection_id = :connection "
                        "AND stream = ANY(CAST(:streams AS text[]))"
                    ),
                    {
                        "connection": self._plan.connection_id,
                        "streams": list(self._plan.reads),
                        "stream": position[0],
                        "record": position[1],
                        "version": position[2],
                    },
                )
            else:
                row = await session.execute(
                    text(
                        "SELECT count(*) FILTER (WHERE id <= CAST(:after AS uuid)), count(*) FROM source_account "
                        "WHERE connection_id = :connection"
                    ),
                    {"connection": self._plan.connection_id, "after": position[0] if position else None},
                )
        done, total = row.one()
        return done, total

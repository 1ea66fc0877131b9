"""Reading timelines: a page of the events of many accounts in one statement.

An account's events lie at its source accounts, each an index range of its own. The statement takes the page's length
from each range and merges these few rows, so a page costs the same at the end of a long history as at its beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Date,
    FromClause,
    TableValuedAlias,
    Uuid,
    and_,
    bindparam,
    cast,
    column,
    func,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from hub.access.service import Viewer
from hub.accounts.model import SourceAccount, SourcePerson
from hub.accounts.queries import READERS
from hub.kit.paging import AnySelect, Key, Order, Page, Slice, among, bounded, cut, each, in_order, slice_of
from hub.timeline.model import EventRow
from hub.timeline.things import Thing, things

__all__ = [
    "ACCOUNT_OF_EVENT",
    "EventFilter",
    "EventRow",
    "Thing",
    "TimelineEvent",
    "events",
    "events_of_accounts",
    "select_timeline",
    "things_of",
    "timelines",
]


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events of a timeline (an empty tuple or None: no restriction). `since` counts, `until` does not."""

    kinds: tuple[str, ...] = ()
    flows: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    subject_type: str | None = None
    subject_id: str | None = None
    person_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One event as it is in force now, with the account that it belongs to now (None: waiting for one)."""

    account_id: UUID | None
    source_account_id: UUID
    id: UUID
    kind: str
    occurred_at: datetime
    recorded_at: datetime
    flow: str
    people: list[UUID]
    subject_type: str | None
    subject_id: str | None
    subject_state: str | None
    amount_minor: int | None
    currency: str | None
    value: float | None
    unit: str | None
    attributes: dict[str, Any]
    changes: dict[str, Any] | None
    title: str | None
    url: str | None
    caused_by_run: UUID | None
    connection_id: UUID | None


COLUMNS = (
    EventRow.source_account_id,
    EventRow.id,
    EventRow.kind,
    EventRow.occurred_at,
    EventRow.recorded_at,
    EventRow.flow,
    EventRow.people,
    EventRow.subject_type,
    EventRow.subject_id,
    EventRow.subject_state,
    EventRow.amount_minor,
    EventRow.currency,
    EventRow.value,
    EventRow.unit,
    EventRow.attributes,
    EventRow.changes,
    EventRow.title,
    EventRow.url,
    EventRow.caused_by_run,
    EventRow.connection_id,
)
_source = aliased(SourceAccount)
ACCOUNT_OF_EVENT = select(_source.account_id).where(_source.id == EventRow.source_account_id).scalar_subquery()
"""The account that an event belongs to now, for a larger statement."""

NEWEST_FIRST = Order("timeline", EventRow.occurred_at, EventRow.id, descending=True)
THINGS = Order("things", EventRow.occurred_at, EventRow.id, descending=True)


async def timelines(
    session: AsyncSession, viewer: Viewer, account_ids: Sequence[UUID], page: Page, wanted: EventFilter
) -> dict[UUID, Slice[TimelineEvent]]:
    """A page of each account's timeline, the newest event first."""
    viewer.require(*READERS)
    account = each(account_ids)
    merged = select_timeline(account.c.id, COLUMNS, page, wanted).correlate(account).lateral("merged")
    statement = select(account.c.id, merged).select_from(account.join(merged, true()))
    below: dict[UUID, list[tuple[TimelineEvent, Key]]] = {id_: [] for id_ in account_ids}
    for row in await session.execute(statement):
        event = TimelineEvent(*row)
        below[row[0]].append((event, (event.occurred_at, event.id)))
    return {
        account_id: slice_of(in_order(found, NEWEST_FIRST, backwards=page.backwards), page)
        for account_id, found in below.items()
    }


async def days_of(
    session: AsyncSession,
    viewer: Viewer,
    account_ids: Sequence[UUID],
    since: datetime,
    until: datetime,
    wanted: EventFilter,
) -> dict[UUID, dict[date, int]]:
    """How many events each account had on each day (UTC) from `since` until before `until`; days without any are left
    out. One statement; it reads the events of that time."""
    viewer.require(*READERS)
    day = cast(func.timezone("UTC", EventRow.occurred_at), Date)
    at_source = EventRow.source_account_id == SourceAccount.id
    counted = (
        _wanted(select(SourceAccount.account_id, day, func.count()), wanted)
        .select_from(SourceAccount)
        .join(EventRow, at_source)
        .where(
            among(SourceAccount.account_id, account_ids), EventRow.occurred_at >= since, EventRow.occurred_at < until
        )
        .group_by(SourceAccount.account_id, day)
    )
    below: dict[UUID, dict[date, int]] = {id_: {} for id_ in account_ids}
    for account_id, on, count in await session.execute(counted):
        below[account_id][on] = count
    return below


def select_timeline(
    account_id: ColumnElement[UUID], columns: Sequence[Any], page: Page, wanted: EventFilter
) -> AnySelect:
    """A page of an account's timeline and one row more: these columns of its events."""
    place = (EventRow.occurred_at.label("place_time"), EventRow.id.label("place_id"))
    of_source = select(*columns, *place).where(EventRow.source_account_id == SourceAccount.id)
    at_source = bounded(_wanted(of_source, wanted), NEWEST_FIRST, page).lateral("at_source")
    *asked, time, id_ = at_source.c
    return (
        select(*asked)
        .select_from(SourceAccount)
        .join(at_source, true())
        .where(SourceAccount.account_id == account_id)
        .order_by(*(column.asc() if page.backwards else column.desc() for column in (time, id_)))
        .limit(page.limit + 1)
    )


async def events(
    session: AsyncSession, viewer: Viewer, ids: Sequence[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], TimelineEvent]:
    """Events by (source account, event id); those retracted since are left out."""
    viewer.require(*READERS)
    asked = _pairs(ids)
    at_source = and_(EventRow.source_account_id == asked.c.first, EventRow.id == asked.c.second)
    statement = _located(asked.join(EventRow, at_source).join(SourceAccount, SourceAccount.id == asked.c.first))
    found = [TimelineEvent(*row) for row in await session.execute(statement)]
    return {(event.source_account_id, event.id): event for event in found}


async def events_of_accounts(
    session: AsyncSession, viewer: Viewer, ids: Sequence[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], TimelineEvent]:
    """Events by (account, event id), for whoever knows whose they are and not where they came in."""
    viewer.require(*READERS)
    asked = _pairs(ids)
    at_source = and_(EventRow.source_account_id == SourceAccount.id, EventRow.id == asked.c.second)
    statement = _located(asked.join(SourceAccount, SourceAccount.account_id == asked.c.first).join(EventRow, at_source))
    found = [TimelineEvent(*row) for row in await session.execute(statement)]
    return {(event.account_id, event.id): event for event in found if event.account_id is not None}


async def things_of(
    session: AsyncSession,
    viewer: Viewer,
    account_ids: Sequence[UUID],
    page: Page,
    as_of: datetime | None,
    known_at: datetime | None,
    type_: str | None,
) -> dict[UUID, Slice[Thing]]:
    """A page of each account's things, those that changed last at the head. Cost: all their things are read."""
    viewer.require(*READERS)
    below: dict[UUID, list[tuple[Thing, Key]]] = {id_: [] for id_ in account_ids}
    for thing in await things(session, account_ids, as_of=as_of, known_at=known_at, type=type_):
        below[thing.account_id].append((thing, (thing.since, thing.event_id)))
    return {account_id: cut(found, THINGS, page) for account_id, found in below.items()}


def _pairs(ids: Sequence[tuple[UUID, UUID]]) -> TableValuedAlias:
    """A table with the columns `first` and `second`: two bound values, however many pairs there are."""
    first, second = [one for one, _ in ids], [other for _, other in ids]
    unnested = func.unnest(bindparam(None, first, ARRAY(Uuid())), bindparam(None, second, ARRAY(Uuid())))
    return unnested.table_valued(column("first", Uuid()), column("second", Uuid()), name="asked").render_derived()


def _located(tables: FromClause) -> AnySelect:
    return select(SourceAccount.account_id, *COLUMNS).select_from(tables).where(EventRow.retracted_at.is_(None))


def _wanted(query: AnySelect, wanted: EventFilter) -> AnySelect:
    conditions: list[ColumnElement[bool]] = [EventRow.retracted_at.is_(None)]
    if wanted.kinds:
        conditions.append(among(EventRow.kind, wanted.kinds))
    if wanted.flows:
        conditions.append(among(EventRow.flow, wanted.flows))
    if wanted.since is not None:
        conditions.append(EventRow.occurred_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(EventRow.occurred_at < wanted.until)
    if wanted.subject_type is not None:
        conditions.append(EventRow.subject_type == wanted.subject_type)
    if wanted.subject_id is not None:
        conditions.append(EventRow.subject_id == wanted.subject_id)
    if wanted.person_id is not None:
        known_as = select(func.array_agg(SourcePerson.id)).where(SourcePerson.person_id == wanted.person_id)
        conditions.append(EventRow.people.overlap(known_as.scalar_subquery()))
    return query.where(*conditions)

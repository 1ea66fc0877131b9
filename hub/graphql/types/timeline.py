"""The account timeline."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from hub.accounts import queries as accounts
from hub.connections import queries as connections
from hub.graphql.context import Info
from hub.graphql.declare import about, given, maybe, output, resolved, vocabulary
from hub.graphql.ids import Prefix, event_id, read
from hub.graphql.scalars import Money, money
from hub.graphql.types.node import AnAccount, Node, promised_account, text, texts
from hub.graphql.types.people import Person
from hub.graphql.types.plays import Run
from hub.plays import queries as plays
from hub.sdk.events import Flow
from hub.timeline import queries as timeline

vocabulary(
    Flow,
    INTENT_DEMAND="From interest to demand: trials, visits, messages.",
    ORDER_TO_CASH="From the order to the money: subscriptions, invoices.",
    PROCURE_TO_PAY="From purchase to payment.",
    OPERATIONAL_EXECUTION="Using the product and being served.",
    FINANCIAL_PERFORMANCE="Payments, refunds, credits.",
    PEOPLE_GOVERNANCE="Who belongs to an account, and in what role.",
    META="The hub's own facts: stages, scores, alerts, plays.",
)


@output
class Subject:
    """The thing that an event is about, as it was after the event."""

    type: str = about("What sort of thing, e.g. `subscription`, `invoice`, `ticket`.")
    vendor_id: str = about("The vendor's own id of the thing.")
    state: str | None = about("Its state after the event; null when the event tells none.")


@output
class Event(Node):
    """A fact on the account timeline, told by a vendor or decided by the hub. Never changed afterwards."""

    account_key: strawberry.Private[UUID | None]
    people_keys: strawberry.Private[Sequence[UUID]]
    run_key: strawberry.Private[UUID | None]
    connection_key: strawberry.Private[UUID | None]
    kind: str = about("`object.action` in the past tense, e.g. `invoice.paid`; `schema/event-kinds.json` lists them.")
    flow: Flow = about("The business flow that the fact belongs to.")
    occurred_at: datetime = about("When it happened, by the vendor's clock.")
    recorded_at: datetime = about("When the hub got to know of it.")
    title: str | None = about("One line for people; null when the kind says it all.")
    url: str | None = about("Where to see it at the vendor; null when there is no such place.")
    subject: Subject | None = about("The thing that it is about; null when it is about none.")
    amount: Money | None = about("The money that it is about; null when it is about none.")
    value: float | None = about("Another number, e.g. a survey's score; null when there is none.")
    unit: str | None = about("The unit of `value`; null when it has none.")
    attributes: JSON = about("What else the vendor told.")
    changes: JSON | None = about("What changed in the thing: attribute → `{before, after}`; null when not told.")

    @resolved
    def account(self, info: Info) -> AnAccount | None:
        """The account that it belongs to; null while no key says whose it is."""
        return promised_account(info, self.account_key) if self.account_key else None

    @resolved
    def people(self, info: Info) -> list[Person]:
        """Who did it or was involved, as far as it is known who they are."""
        return self._people(info) if self.people_keys else []  # type: ignore[return-value]  # awaited by the executor

    @resolved
    def connection(self, info: Info) -> str | None:
        """The name of the connection that it came through; null for the hub's own facts."""
        if self.connection_key is None:
            return None
        return info.context.promise(str, connections.names, self.connection_key)

    @resolved
    def caused_by_run(self, info: Info) -> Run | None:
        """The run of a play that brought it about; null when none did."""
        return info.context.promise(Run.of, plays.runs, self.run_key) if self.run_key else None

    async def _people(self, info: Info) -> list[Person]:
        rows = await asyncio.gather(*(info.context.load(accounts.people_at_sources, key) for key in self.people_keys))
        return list({row.id: Person.of(row) for row in rows if row is not None}.values())

    @classmethod
    def of(cls, row: timeline.TimelineEvent) -> Event:
        """The event as the API shows it."""
        return cls(
            id=strawberry.ID(event_id(row.source_account_id, row.id)),
            account_key=row.account_id,
            people_keys=row.people,
            run_key=row.caused_by_run,
            connection_key=row.connection_id,
            kind=row.kind,
            flow=Flow(row.flow),
            occurred_at=row.occurred_at,
            recorded_at=row.recorded_at,
            title=row.title,
            url=row.url,
            subject=subject_of(row),
            amount=money(row.amount_minor, row.currency),
            value=row.value,
            unit=row.unit,
            attributes=JSON(row.attributes),
            changes=None if row.changes is None else JSON(row.changes),
        )


def subject_of(row: timeline.TimelineEvent) -> Subject | None:
    """The thing that an event is about."""
    if row.subject_type is None or row.subject_id is None:
        return None
    return Subject(type=row.subject_type, vendor_id=row.subject_id, state=row.subject_state)


@output
class Thing:
    """Something with a state that events are about: a subscription, an invoice, a ticket."""

    event_key: strawberry.Private[tuple[UUID, UUID]]
    connection_key: strawberry.Private[UUID | None]
    type: str = about("What sort of thing, e.g. `subscription`.")
    vendor_id: str = about("The vendor's own id of the thing.")
    state: str | None = about("Its state after the newest event about it; null when no event tells one.")
    since: datetime = about("When the newest event about it occurred.")
    attributes: JSON = about("What is known of it after that event.")

    @resolved
    def connection(self, info: Info) -> str | None:
        """The name of the connection that it comes from; null for the hub's own."""
        if self.connection_key is None:
            return None
        return info.context.promise(str, connections.names, self.connection_key)

    @resolved
    def event(self, info: Info) -> Event | None:
        """The newest event about it."""
        return info.context.promise(Event.of, timeline.events, self.event_key)

    @classmethod
    def of(cls, row: timeline.Thing) -> Thing:
        """The thing as the API shows it."""
        return cls(
            event_key=(row.source_account_id, row.event_id),
            connection_key=row.connection_id,
            type=row.type,
            vendor_id=row.id,
            state=row.state,
            since=row.since,
            attributes=JSON(row.attributes),
        )


@output
class DayCount:
    """How many events occurred on one day."""

    day: datetime = about("The day's beginning, in UTC.")
    events: int = about("How many: 1 or more.")

    @classmethod
    def all_of(cls, found: dict[date, int]) -> list[DayCount]:
        """The days of one account, in their order."""
        return [cls(day=datetime.combine(day, time.min, UTC), events=count) for day, count in sorted(found.items())]


@given
class EventFilter:
    """Which events of a timeline. All that is given has to hold; an empty list restricts nothing."""

    kind: list[str] | None = maybe("Of one of these kinds.")
    flow: list[Flow] | None = maybe("Of one of these flows.")
    since: datetime | None = maybe("Occurred at this time or later.")
    until: datetime | None = maybe("Occurred before this time.")
    subject_type: str | None = maybe("About a thing of this sort.")
    subject_id: str | None = maybe("About the thing with this id of the vendor's.")
    person: strawberry.ID | None = maybe("Done by this person, or with them.")


WantedEvents = Annotated[EventFilter | None, strawberry.argument(description="Which events; all when left out.")]


def wanted_events(wanted: EventFilter | None) -> timeline.EventFilter:
    """The filter as the timeline reads it. Raises `Invalid`."""
    if wanted is None:
        return timeline.EventFilter()
    return timeline.EventFilter(
        kinds=texts(wanted.kind, "filter", "kind"),
        flows=texts(wanted.flow, "filter", "flow"),
        since=wanted.since,
        until=wanted.until,
        subject_type=text(wanted.subject_type, "filter", "subjectType"),
        subject_id=text(wanted.subject_id, "filter", "subjectId"),
        person_id=read(Prefix.PERSON, wanted.person, "filter", "person") if wanted.person else None,
    )

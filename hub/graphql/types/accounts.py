"""Accounts, with everything about them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from hub.accounts import queries as accounts
from hub.feedback import queries as feedback
from hub.graphql.context import Info
from hub.graphql.declare import about, argument, output, resolved
from hub.graphql.paging import After, Before, Connection, First, Last, asked_page, connection
from hub.graphql.types.alerts import Alert, WantedAlerts, WatchEntry, wanted_alerts
from hub.graphql.types.brief import Brief
from hub.graphql.types.feedback import Feedback
from hub.graphql.types.health import DEAR, AsOf, Health, KnownAt
from hub.graphql.types.journeys import Journey
from hub.graphql.types.node import Node, text, texts
from hub.graphql.types.people import Person
from hub.graphql.types.plays import (
    TASK_ORDERS,
    Run,
    Task,
    TaskOrder,
    TasksBy,
    WantedRuns,
    WantedTasks,
    wanted_runs,
    wanted_tasks,
)
from hub.graphql.types.rollups import HealthRollUp
from hub.graphql.types.timeline import DayCount, Event, Thing, WantedEvents, wanted_events
from hub.health import queries as health
from hub.health import rollups
from hub.health.trends import check_days
from hub.plays import queries as plays
from hub.timeline import queries as timeline


@output
class Account(Node):
    """A customer company."""

    key: strawberry.Private[UUID]
    parent_key: strawberry.Private[UUID | None]
    name: str = about("What the company is called.")
    domain: str | None = about("Its internet domain; null when not known.")
    owner: str | None = about("Who of ours looks after it; null when nobody is named.")
    time_zone: str = about("Its IANA time zone, e.g. `Europe/Berlin`.")
    facts: JSON = about("What else is known of it, from the sources' profiles.")
    created_at: datetime = about("When the hub made the account.")
    first_seen_at: datetime = about("When a source first told of it.")

    @resolved
    def parent(self, info: Info) -> Account | None:
        """The account that it belongs to, e.g. its holding; null when it stands alone."""
        if self.parent_key is None:
            return None
        return info.context.promise(Account.of, accounts.accounts, self.parent_key)

    @resolved
    async def timeline(
        self,
        info: Info,
        filter: WantedEvents = None,  # noqa: A002  # the argument's name in the schema
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Event]:
        """Everything that happened, the newest first."""
        page = asked_page(timeline.NEWEST_FIRST, first, after, last, before)
        info.context.spend(page.limit)
        found = await info.context.load(timeline.timelines, self.key, page, wanted_events(filter))
        return connection(found, timeline.NEWEST_FIRST, Event.of)

    @resolved
    def timeline_days(
        self,
        info: Info,
        since: Annotated[datetime, argument("From this moment on.")],
        until: Annotated[datetime | None, argument("To before this moment; until now when left out.")] = None,
        filter: WantedEvents = None,  # noqa: A002  # the argument's name in the schema
    ) -> list[DayCount]:
        """How much happened on each day, at most 400 days; days on which nothing happened are left out."""
        end = until or info.context.now
        info.context.spend(check_days(since.date(), end.date()))
        return info.context.promise(DayCount.all_of, timeline.days_of, self.key, since, end, wanted_events(filter))

    @resolved
    async def things(
        self,
        info: Info,
        type: Annotated[str | None, argument("Only things of this sort, e.g. `invoice`.")] = None,  # noqa: A002
        as_of: AsOf = None,
        known_at: KnownAt = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Thing]:
        """What has a state, now or at another moment; those that changed last at the head."""
        page = asked_page(timeline.THINGS, first, after, last, before)
        info.context.spend(page.limit)
        found = await info.context.load(
            timeline.things_of, self.key, page, as_of or info.context.now, known_at, text(type, "type")
        )
        return connection(found, timeline.THINGS, Thing.of)

    @resolved
    async def people(
        self,
        info: Info,
        role: Annotated[list[str] | None, argument("With one of these roles; all when left out.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Person]:
        """Who is there, those seen first at the head."""
        page = asked_page(accounts.PEOPLE, first, after, last, before)
        info.context.spend(page.limit)
        wanted = accounts.PeopleFilter(roles=texts(role, "role"))
        found = await info.context.load(accounts.people_of, self.key, page, wanted)
        return connection(found, accounts.PEOPLE, Person.of)

    @resolved
    def journey(self) -> Journey:
        """Where it is on its journey, and where it was."""
        return Journey(account_key=self.key)

    @resolved
    async def health(self, info: Info, as_of: AsOf = None, known_at: KnownAt = None) -> Health:
        """How it is doing. For another moment it is worked out again, bit for bit: dear, at most 10 an operation."""
        if as_of is None and known_at is None:
            return Health.now(self.key, await info.context.load(health.current, self.key))
        info.context.spend(DEAR)
        found = await info.context.load(health.scores_at, self.key, as_of or info.context.now, known_at)
        return Health.then(found) if found else Health.now(self.key, None)

    @resolved
    def family_health(self, info: Info) -> HealthRollUp:
        """The health of the account together with all accounts below it."""
        info.context.spend(100)
        return info.context.promise(HealthRollUp.of, rollups.of_families, self.key)

    @resolved
    async def alerts(
        self,
        info: Info,
        filter: WantedAlerts = None,  # noqa: A002  # the argument's name in the schema
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Alert]:
        """Its alerts, the newest first."""
        page = asked_page(health.ALERTS, first, after, last, before)
        info.context.spend(page.limit)
        found = await info.context.load(health.alerts_of, self.key, page, wanted_alerts(filter))
        return connection(found, health.ALERTS, Alert.of)

    @resolved
    def watch(self, info: Info) -> WatchEntry | None:
        """Its entry on the watch list; null while it is not on it."""
        return info.context.promise(WatchEntry.of, health.watched, self.key)

    @resolved
    async def runs(
        self,
        info: Info,
        filter: WantedRuns = None,  # noqa: A002  # the argument's name in the schema
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Run]:
        """The plays that ran or run on it, the newest first."""
        page = asked_page(plays.RUNS, first, after, last, before)
        info.context.spend(page.limit)
        found = await info.context.load(plays.runs_of, self.key, page, wanted_runs(filter))
        return connection(found, plays.RUNS, Run.of)

    @resolved
    async def tasks(
        self,
        info: Info,
        filter: WantedTasks = None,  # noqa: A002  # the argument's name in the schema
        order_by: TasksBy = TaskOrder.DUE,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Task]:
        """The tasks about it."""
        order = TASK_ORDERS[order_by]
        page = asked_page(order, first, after, last, before)
        info.context.spend(page.limit)
        found = await info.context.load(plays.tasks_of, self.key, page, order, wanted_tasks(filter))
        return connection(found, order, Task.of)

    @resolved
    async def feedback(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Feedback]:
        """What its people said, the latest first."""
        page = asked_page(feedback.FEEDBACK, first, after, last, before)
        info.context.spend(page.limit)
        found = await info.context.load(feedback.feedback_of, self.key, page)
        return connection(found, feedback.FEEDBACK, Feedback.of)

    @resolved
    def brief(self) -> Brief:
        """The account on one page."""
        return Brief(account_key=self.key)

    @classmethod
    def of(cls, row: accounts.Account) -> Account:
        """The account as the API shows it."""
        return cls(
            id=strawberry.ID(f"acc_{row.id.hex}"),
            key=row.id,
            parent_key=row.parent_id,
            name=row.name,
            domain=row.domain,
            owner=row.owner,
            time_zone=row.time_zone,
            facts=JSON(row.facts),
            created_at=row.created_at,
            first_seen_at=row.first_seen_at,
        )

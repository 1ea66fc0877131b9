"""The account on one page: where it stands, what comes next, what threatens it, what it says."""

from __future__ import annotations

from uuid import UUID

import strawberry

from hub.feedback import queries as feedback
from hub.graphql.context import Info
from hub.graphql.declare import about, output, resolved
from hub.graphql.types.alerts import Alert, WatchEntry
from hub.graphql.types.feedback import Feedback
from hub.graphql.types.health import Health
from hub.graphql.types.journeys import Stay
from hub.graphql.types.plays import Task
from hub.health import queries as health
from hub.health.queries import AlertStatus
from hub.journeys import queries as journeys
from hub.kit.paging import Page
from hub.plays import queries as plays
from hub.plays.queries import TaskStatus

ALIVE = health.AlertFilter(statuses=(AlertStatus.OPEN, AlertStatus.ACKNOWLEDGED))
OPEN = plays.TaskFilter(statuses=(TaskStatus.OPEN,))
A_FEW = Page(5)
ONE = Page(1)


@output
class CurrentState:
    """Where the account stands."""

    health: Health = about("How it is doing.")
    stay: Stay | None = about("The stage that it is in; null before it entered any.")


@output
class Risk:
    """What threatens the account."""

    alerts: list[Alert] = about("Its alerts that are not resolved, the five newest.")
    watch: WatchEntry | None = about("Its entry on the watch list; null while it is not on it.")


@output
class Brief:
    """The account on one page."""

    account_key: strawberry.Private[UUID]

    @resolved
    async def current_state(self, info: Info) -> CurrentState:
        """Where it stands."""
        now = info.context.load(health.current, self.account_key)
        stay = info.context.load(journeys.current_stays, self.account_key)
        found = await stay
        return CurrentState(health=Health.now(self.account_key, await now), stay=Stay.of(found) if found else None)

    @resolved
    async def next_action(self, info: Info) -> Task | None:
        """The open task that is due first; null when nothing is to be done."""
        found = await info.context.load(plays.tasks_of, self.account_key, ONE, plays.BY_DUE, OPEN)
        return Task.of(found.rows[0]) if found and found.rows else None

    @resolved
    async def risk(self, info: Info) -> Risk:
        """What threatens it."""
        alerts = info.context.load(health.alerts_of, self.account_key, A_FEW, ALIVE)
        watch = info.context.load(health.watched, self.account_key)
        found, entry = await alerts, await watch
        return Risk(
            alerts=[Alert.of(alert) for alert in found.rows] if found else [],
            watch=WatchEntry.of(entry) if entry else None,
        )

    @resolved
    async def feedback(self, info: Info) -> list[Feedback]:
        """What its people said last, the five latest."""
        found = await info.context.load(feedback.feedback_of, self.account_key, A_FEW)
        return [Feedback.of(one) for one in found.rows] if found else []

"""What happens to alerts, runs and tasks, and on an account's timeline, as it happens.

Each event names what changed and brings it as it is when the event is sent: a client that hears of a change shows the
present, and a client that was away hears every change. Who may not see the account hears nothing of it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import strawberry

from hub.accounts.queries import READERS
from hub.graphql import ids
from hub.graphql.context import Context, Info
from hub.graphql.declare import about, argument, interface, output, resolved, subscription
from hub.graphql.facts import facts, is_seen, start, write_position
from hub.graphql.ids import Prefix
from hub.graphql.types.alerts import Alert
from hub.graphql.types.node import AnAccount, promised_account
from hub.graphql.types.plays import Run, Task
from hub.health import queries as health
from hub.kit.outbox import Fact
from hub.plays import queries as plays

ALERTS: Final = (
    *("alert.opened", "alert.acknowledged", "alert.assigned", "alert.snoozed", "alert.snooze_ended"),
    *("alert.resolved", "alert.rearmed"),
)
RUNS: Final = ("run.started", "run.advanced", "run.ended", "run.held_out")
TASKS: Final = (
    *("task.created", "task.assigned", "task.commented", "task.ticked", "task.reminded", "task.escalated"),
    "task.completed",
)

OfAccount = Annotated[strawberry.ID | None, argument("Only of this account; of all when left out.")]
Behind = Annotated[
    str | None, argument("A cursor of a subscription: go on behind it without a gap. From now on when left out.")
]


@interface
class Change:
    """Something that happened to what belongs to an account."""

    account_key: strawberry.Private[UUID]
    cursor: str = about("Where this event stands: `after` this, the next one follows. Opaque.")
    at: datetime = about("When it happened.")
    topic: str = about("What happened, e.g. `alert.opened`.")

    @resolved
    def account(self, info: Info) -> AnAccount:
        """The account."""
        return promised_account(info, self.account_key)


@output
class AlertChange(Change):
    """Something happened to an alert."""

    key: strawberry.Private[UUID]

    @resolved
    def alert(self, info: Info) -> Alert | None:
        """The alert as it is now; null only after the account was erased."""
        return info.context.promise(Alert.of, health.alerts, self.key)


@output
class RunChange(Change):
    """Something happened to a run of a play."""

    key: strawberry.Private[UUID]

    @resolved
    def run(self, info: Info) -> Run | None:
        """The run as it is now; null only after the account was erased."""
        return info.context.promise(Run.of, plays.runs, self.key)


@output
class TaskChange(Change):
    """Something happened to a task."""

    key: strawberry.Private[UUID]

    @resolved
    def task(self, info: Info) -> Task | None:
        """The task as it is now; null only after the account was erased."""
        return info.context.promise(Task.of, plays.tasks, self.key)


@output
class FollowingSubscription:
    """What can be followed beside health."""

    @subscription
    async def alert_changed(
        self, info: Info, account: OfAccount = None, after: Behind = None
    ) -> AsyncGenerator[AlertChange, None]:
        """Alerts that open, are handled or resolved. Ends with CURSOR_EXPIRED when `after` is too old."""
        async with aclosing(_followed(info.context, ALERTS, account, after)) as changes:
            async for fact in changes:
                yield AlertChange(**_shown(fact, "alert_id"))

    @subscription
    async def run_changed(
        self, info: Info, account: OfAccount = None, after: Behind = None
    ) -> AsyncGenerator[RunChange, None]:
        """Runs of plays that start, go on, wait or end. Ends with CURSOR_EXPIRED when `after` is too old."""
        async with aclosing(_followed(info.context, RUNS, account, after)) as changes:
            async for fact in changes:
                yield RunChange(**_shown(fact, "run_id"))

    @subscription
    async def task_changed(
        self, info: Info, account: OfAccount = None, after: Behind = None
    ) -> AsyncGenerator[TaskChange, None]:
        """Tasks that are given, worked on, late or done. Ends with CURSOR_EXPIRED when `after` is too old."""
        async with aclosing(_followed(info.context, TASKS, account, after)) as changes:
            async for fact in changes:
                yield TaskChange(**_shown(fact, "task_id"))


async def _followed(
    context: Context, topics: tuple[str, ...], account: strawberry.ID | None, after: str | None
) -> AsyncGenerator[Fact, None]:
    """The facts that the viewer may hear of, each with the context's position at it."""
    account_id = ids.read(Prefix.ACCOUNT, account, "account") if account is not None else None
    context.viewer.require(*READERS)
    position = await start(context, after or context.resume_after)
    async with aclosing(facts(context, topics, position)) as found:
        async for fact in found:
            if account_id is not None and fact.key != str(account_id):
                continue
            if await is_seen(context, UUID(fact.key)):
                context.position = write_position(fact.position)
                yield fact


def _shown(fact: Fact, name: str) -> dict[str, Any]:
    return {
        "account_key": UUID(fact.key),
        "key": UUID(fact.payload[name]),
        "cursor": write_position(fact.position),
        "at": fact.created_at,
        "topic": fact.topic,
    }

"""The entry points for reading."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import strawberry

from hub.access.service import Role
from hub.accounts import queries as accounts
from hub.connections import queries as connections
from hub.feedback import queries as feedback
from hub.graphql import ids
from hub.graphql.blueprint import BlueprintQuery
from hub.graphql.context import Context, Info
from hub.graphql.declare import about, argument, output, resolved, vocabulary
from hub.graphql.finding import FindingQuery
from hub.graphql.ids import Prefix
from hub.graphql.paging import After, Before, Connection, First, Last, asked_page, connected, connection
from hub.graphql.switching import PlayQuery
from hub.graphql.types.accounts import Account
from hub.graphql.types.alerts import Alert, WantedAlerts, WantedWatches, WatchEntry, wanted_alerts, wanted_watches
from hub.graphql.types.connections import (
    InstalledConnector,
    QuarantinedRecord,
    WantedQuarantine,
    wanted_quarantine,
)
from hub.graphql.types.feedback import Feedback
from hub.graphql.types.journeys import Stay
from hub.graphql.types.node import Node, several
from hub.graphql.types.people import Person
from hub.graphql.types.plays import (
    TASK_ORDERS,
    Play,
    Run,
    Task,
    TaskAssignee,
    TaskDue,
    TaskOrder,
    TasksBy,
    WantedRuns,
    WantedTasks,
    my_tasks,
    wanted_runs,
    wanted_tasks,
)
from hub.graphql.types.portfolio import (
    AccountConnection,
    AccountsBy,
    WantedAccounts,
    accounts_order,
    wanted_accounts,
)
from hub.graphql.types.references import Reference
from hub.graphql.types.rollups import SegmentHealth
from hub.graphql.types.timeline import Event
from hub.health import queries as health
from hub.health import rollups
from hub.journeys import queries as journeys
from hub.plays import queries as plays
from hub.references import service as references
from hub.timeline import queries as timeline

vocabulary(
    Role,
    ADMIN="May do everything.",
    CSM="Sees accounts and works with them.",
    VIEWER="Sees accounts.",
    MARKETING="Sees references alone.",
    INGEST="Sends data in; sees nothing.",
    PLUGIN="A plugin's own key; sees nothing.",
)

AnId = Annotated[strawberry.ID, argument("The id.")]


@output
class Viewer:
    """Whoever asks: the key of this request."""

    actor: str = about("How the audit log names it, e.g. `key:screens`.")
    role: Role = about("What it may do.")
    owner: str | None = about("Whose accounts alone it sees; null when it sees all.")


NODES: dict[Prefix, tuple[Callable[[Any], Node], Callable[..., Awaitable[Any]]]] = {
    Prefix.ACCOUNT: (Account.of, accounts.accounts),
    Prefix.ALERT: (Alert.of, health.alerts),
    Prefix.CONNECTION: (InstalledConnector.of, connections.by_id),
    Prefix.FEEDBACK: (Feedback.of, feedback.feedback),
    Prefix.PERSON: (Person.of, accounts.people),
    Prefix.QUARANTINE: (QuarantinedRecord.of, connections.quarantine_entries),
    Prefix.RUN: (Run.of, plays.runs),
    Prefix.STAY: (Stay.of, journeys.stays),
    Prefix.TASK: (Task.of, plays.tasks),
    Prefix.WATCH: (WatchEntry.of, health.watches),
}
"""How a node is found by its id. Events and references are found in ways of their own."""


def node_of(context: Context, id_: str) -> Any:
    """The future of a node (of None when there is nothing). Raises `Invalid` for what is no id."""
    prefix, key = ids.read_any(id_)
    if prefix is Prefix.EVENT:
        return context.promise(Event.of, timeline.events, ids.read_event(id_))
    if prefix is Prefix.REFERENCE:
        return context.promise(Reference.of, references.eligible_by_id, ids.read_key(key, id_), context.now)
    make, read = NODES[prefix]
    return context.promise(make, read, ids.read_key(key, id_))


@output
class Query(BlueprintQuery, FindingQuery, PlayQuery):
    """Everything that can be read."""

    @resolved
    def viewer(self, info: Info) -> Viewer:
        """Whoever asks."""
        viewer = info.context.viewer
        return Viewer(actor=viewer.actor, role=viewer.role, owner=viewer.owner)

    @resolved
    async def node(self, info: Info, id: AnId) -> Node | None:  # noqa: A002  # the argument's name in the schema
        """Whatever has this id; null when there is nothing (any more)."""
        found: Node | None = await node_of(info.context, id)
        return found

    @resolved
    async def nodes(
        self, info: Info, ids: Annotated[list[strawberry.ID], argument("At most 100 ids.")]
    ) -> list[Node | None]:
        """Whatever has these ids, in their order; null in the place of what does not exist (any more)."""
        return list(await asyncio.gather(*(node_of(info.context, id_) for id_ in several(ids, "ids"))))

    @resolved
    def account(self, info: Info, id: AnId) -> Account | None:  # noqa: A002  # the argument's name in the schema
        """An account; null when there is none with this id. The id of a merged account leads to where it went."""
        return info.context.promise(Account.of, accounts.accounts, ids.read(Prefix.ACCOUNT, id))

    @resolved
    async def accounts(
        self,
        info: Info,
        filter: WantedAccounts = None,  # noqa: A002  # the argument's name in the schema
        order_by: AccountsBy = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> AccountConnection:
        """The portfolio."""
        order, wanted = accounts_order(order_by), wanted_accounts(filter)
        page = asked_page(order, first, after, last, before)
        info.context.spend(page.limit)
        found = await info.context.read(health.portfolio, page, order, wanted)
        return AccountConnection(wanted=wanted, **connected(found, order, Account.of))

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
        """The alerts of all accounts, the newest first."""
        page = asked_page(health.ALERTS, first, after, last, before)
        info.context.spend(page.limit)
        found = await info.context.read(health.all_alerts, page, wanted_alerts(filter))
        return connection(found, health.ALERTS, Alert.of)

    @resolved
    async def segment_health(self, info: Info) -> list[SegmentHealth]:
        """The health of each segment, weighted by what its accounts are worth; accounts without a segment first."""
        found = await info.context.read(rollups.of_segments)
        return [SegmentHealth.of(name, one) for name, one in found.items()]

    @resolved
    async def watch_list(
        self,
        info: Info,
        filter: WantedWatches = None,  # noqa: A002  # the argument's name in the schema
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[WatchEntry]:
        """The watch list (the member-at-risk monitor, MAR), the account that has been on it longest first."""
        page = asked_page(health.WATCH_LIST, first, after, last, before)
        info.context.spend(page.limit)
        found = await info.context.read(health.watch_list, page, wanted_watches(filter))
        return connection(found, health.WATCH_LIST, WatchEntry.of)

    @resolved
    async def plays(self, info: Info) -> list[Play]:
        """The plays of the blueprint in force."""
        found = await info.context.read(plays.plays)
        return [Play.of(name, play) for name, play in found.items()]

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
        """The runs of plays on all accounts, the newest first."""
        page = asked_page(plays.RUNS, first, after, last, before)
        info.context.spend(page.limit)
        found = await info.context.read(plays.all_runs, page, wanted_runs(filter))
        return connection(found, plays.RUNS, Run.of)

    @resolved
    async def tasks(
        self,
        info: Info,
        filter: WantedTasks = None,  # noqa: A002  # the argument's name in the schema
        assignee: Annotated[TaskAssignee | None, argument("Whose; everybody's when left out.")] = None,
        due: Annotated[TaskDue | None, argument("Until when they are due; whenever when left out.")] = None,
        time_zone: Annotated[str, argument("Where `due`'s days end (IANA).")] = "UTC",
        order_by: TasksBy = TaskOrder.DUE,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Task]:
        """The tasks about all accounts. My day: `tasks(assignee: ME, due: TODAY)`."""
        order = TASK_ORDERS[order_by]
        page = asked_page(order, first, after, last, before)
        info.context.spend(page.limit)
        context = info.context
        wanted = my_tasks(wanted_tasks(filter), assignee, due, time_zone, context.viewer, context.now)
        found = await context.read(plays.all_tasks, page, order, wanted)
        return connection(found, order, Task.of)

    @resolved
    async def feedback(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Feedback]:
        """What the people of all accounts said, the latest first."""
        page = asked_page(feedback.FEEDBACK, first, after, last, before)
        info.context.spend(page.limit)
        found = await info.context.read(feedback.all_feedback, page)
        return connection(found, feedback.FEEDBACK, Feedback.of)

    @resolved
    async def references(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Reference]:
        """The accounts that could be quoted, by name. For marketing, csm and admin."""
        page = asked_page(references.ORDER, first, after, last, before)
        info.context.spend(page.limit)
        found = await info.context.read(references.eligible, page, info.context.now)
        return connection(found, references.ORDER, Reference.of)

    @resolved
    async def connections(self, info: Info) -> list[InstalledConnector]:
        """The connections, by name, with how fresh they are. For admin."""
        found = await info.context.read(connections.connections)
        return [InstalledConnector.of(row) for row in found]

    @resolved
    async def quarantine(
        self,
        info: Info,
        filter: WantedQuarantine = None,  # noqa: A002  # the argument's name in the schema
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[QuarantinedRecord]:
        """What could not be read, the latest first. For admin."""
        page = asked_page(connections.QUARANTINE, first, after, last, before)
        info.context.spend(page.limit)
        found = await info.context.read(connections.quarantine, page, wanted_quarantine(filter))
        return connection(found, connections.QUARANTINE, QuarantinedRecord.of)

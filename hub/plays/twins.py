"""Tasks that a vendor keeps as well, e.g. Salesforce: ours are made there, and whoever ends one ends both.

A connector keeps tasks when it has the actions `create_task` and `complete_task`, and asserts its own id of the account
as the key `external:<connector>.account`. The first active connection to such a connector is asked, under one key for
each task and what is to become of it, so that a repeated attempt makes no second task. That one was ended there comes
back as an event (`task.completed`, told by the record of that id), like anything else that happens at the account.

Neither side tells the other what it heard from it: a twin that is known to be closed is not closed again, and an event
about a task of ours that has ended already changes nothing. A task that is canceled here is completed there: a vendor
knows no other end.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.model import AccountKey, SourceAccount
from hub.connections import registry
from hub.connections.model import ActionStatus, Connection, ConnectionStatus
from hub.connections.service import ActionOutcome, Request, perform_all
from hub.kit import work
from hub.kit.paging import among
from hub.kit.runtime import Kit
from hub.plays.model import Task, TaskKind, TaskStatus, TaskTwin
from hub.plays.tasks import end_by_twin

TO_TWIN: Final = "tasks_to_twin"
"""The work list of tasks whose twin is to be made or closed; its keys are their ids."""

CREATE: Final = "create_task"
COMPLETE: Final = "complete_task"
BATCH: Final = 50
LEASE: Final = timedelta(seconds=120)
LONGEST_SUBJECT: Final = 200


async def keeper(session: AsyncSession) -> Connection | None:
    """The connection that keeps tasks as well; no statement where no connector does."""
    able = [id_ for id_, kind in registry.current().connectors.items() if {CREATE, COMPLETE} <= kind.actions.keys()]
    if not able:
        return None
    found = await session.execute(
        select(Connection)
        .where(Connection.connector.in_(able), Connection.status == ConnectionStatus.ACTIVE)
        .order_by(Connection.name)
        .limit(1)
    )
    return found.scalar_one_or_none()


async def tell_twins(session: AsyncSession, task_ids: Collection[UUID], *, now: datetime) -> None:
    """Tasks were given or have ended: their twins are to follow, where there is somebody to keep them."""
    if task_ids and await keeper(session) is not None:
        await work.mark(session, TO_TWIN, (str(id_) for id_ in task_ids), due_at=now)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a task's twin is to be asked for."""

    claim: work.Claim
    task: Task
    request: Request


async def drain_tasks_to_twin(kit: Kit) -> int:
    """Make and close the twins that are due, one batch; returns how many tasks."""
    async with kit.transaction() as session:
        claims = await work.claim(session, TO_TWIN, limit=BATCH, now=kit.clock.now(), lease=LEASE)
    if not claims:
        return 0
    async with kit.reading() as session:
        connection = await keeper(session)
        wanted = await _wanted(session, claims, connection) if connection is not None else []
    outcomes = await perform_all(kit, [one.request for one in wanted])
    later: dict[work.Claim, tuple[datetime, str | None]] = {}
    async with kit.transaction() as session:
        now = kit.clock.now()
        for one, outcome in zip(wanted, outcomes, strict=True):
            if outcome.status is ActionStatus.PENDING:
                later[one.claim] = outcome.retry_at or now, outcome.problem
            elif connection is not None:
                await _note(session, connection, one, outcome, now)
        await work.finish(session, [claim for claim in claims if claim not in later])
        await work.postpone_each(session, later)
    return len(claims)


async def _wanted(session: AsyncSession, claims: Sequence[work.Claim], connection: Connection) -> list[_Wanted]:
    ids = [UUID(claim.key) for claim in claims]
    tasks = {task.id: task for task in (await session.execute(select(Task).where(among(Task.id, ids)))).scalars()}
    found = await session.execute(select(TaskTwin).where(among(TaskTwin.task_id, ids)))
    twins = {twin.task_id: twin for twin in found.scalars()}
    accounts = await _known_as(session, connection, {task.account_id for task in tasks.values()})
    wanted = []
    for claim in claims:
        task = tasks.get(UUID(claim.key))
        if task is None:
            continue
        asked = _asked(task, twins.get(task.id), accounts.get(task.account_id))
        if asked is not None:
            action, given = asked
            key = f"task:{task.id}:{action}"
            wanted.append(_Wanted(claim, task, Request(connection.id, action, given, key)))
    return wanted


def _asked(task: Task, twin: TaskTwin | None, account: str | None) -> tuple[str, dict[str, Any]] | None:
    """The action that brings the twin to where the task is; None when it is there, or can never be."""
    if twin is None and task.status == TaskStatus.OPEN and task.kind == TaskKind.WORK and account is not None:
        given = {
            "account": account,
            "subject": task.title[:LONGEST_SUBJECT],
            "description": task.details,
            "due": task.due_at.date().isoformat() if task.due_at else None,
            "owner_email": task.owner if task.owner and "@" in task.owner else None,
        }
        return CREATE, given
    open_there = twin is not None and twin.external_id is not None and twin.closed_at is None
    if twin is not None and open_there and task.status != TaskStatus.OPEN:
        return COMPLETE, {"task": twin.external_id}
    return None


async def _known_as(session: AsyncSession, connection: Connection, ids: Collection[UUID]) -> Mapping[UUID, str]:
    """What the connection's vendor calls each account; the one it named first where there are several."""
    found = await session.execute(
        select(SourceAccount.account_id, AccountKey.value)
        .join(AccountKey, AccountKey.source_account_id == SourceAccount.id)
        .where(
            among(SourceAccount.account_id, list(ids)),
            SourceAccount.connection_id == connection.id,
            AccountKey.kind == f"external:{connection.connector}.account",
        )
        .order_by(AccountKey.asserted_at.desc(), AccountKey.value)
    )
    return {account_id: value for account_id, value in found if account_id is not None}


async def _note(
    session: AsyncSession, connection: Connection, one: _Wanted, outcome: ActionOutcome, now: datetime
) -> None:
    """Write down what became of the twin; what went wrong with it stays readable, and is not tried again."""
    done = outcome.status is ActionStatus.DONE
    if one.request.action == CREATE:
        values = {
            "task_id": one.task.id,
            "account_id": one.task.account_id,
            "connection_id": connection.id,
            "external_id": outcome.output.get("task") if done else None,
            "problem": None if done else outcome.problem,
            "created_at": now,
        }
        await session.execute(upsert(TaskTwin).values(values).on_conflict_do_nothing())
        return
    twin = await session.get_one(TaskTwin, one.task.id)
    twin.closed_at, twin.problem = (now, None) if done else (None, outcome.problem)


async def end_as_twins(session: AsyncSession, account_ids: Sequence[UUID], now: datetime) -> None:
    """End the open tasks at these accounts whose twins were ended. One statement, and a few for each that ends."""
    found = await session.execute(
        text(
            "SELECT DISTINCT ON (t.id) t.id, c.name, e.occurred_at FROM task t "
            "JOIN task_twin w ON w.task_id = t.id AND w.external_id IS NOT NULL "
            "JOIN connection c ON c.id = w.connection_id "
            "JOIN source_account s ON s.account_id = t.account_id AND s.connection_id = w.connection_id "
            "JOIN event e ON e.source_account_id = s.id AND e.kind = 'task.completed' "
            "AND e.record_id = w.external_id AND e.retracted_at IS NULL "
            "WHERE t.account_id = ANY(CAST(:ids AS uuid[])) AND t.status = 'open' ORDER BY t.id, e.occurred_at"
        ),
        {"ids": list(account_ids)},
    )
    for task_id, name, occurred_at in found.all():
        twin = await session.get_one(TaskTwin, task_id)
        twin.closed_at = now
        await end_by_twin(session, name, task_id, at=occurred_at, now=now)

"""Tasks of ours that Salesforce keeps as well: made there once, and whoever ends one ends both."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from hub.access.service import SYSTEM
from hub.blueprint import service as blueprints
from hub.connections.model import Connection
from hub.health.asking import frame_now
from hub.kit.clock import FrozenClock
from hub.kit.ids import new_id
from hub.kit.runtime import Kit
from hub.plays import announcements, service
from hub.plays.model import Task, TaskStatus, TaskTwin
from hub.plays.twins import drain_tasks_to_twin
from hub.reactions import drain_outbox
from hub.sandbox import Fault, Sandbox
from hub.sandbox.salesforce import Record
from tests.connections.salesforce.crm import read, rows
from tests.plays.scene import apply, drain, enrol

TITLE = "Ask O'Neill what they need"


@pytest.fixture
async def account(kit: Kit, world: Sandbox, crm: Connection) -> UUID:
    """An account that Salesforce knows, on the hub's side."""
    async with kit.transaction() as session:
        await blueprints.apply(session, {"blueprint": 1, "name": "test"}, "test", kit.clock.now())
    await read(kit, crm, "accounts")
    [(found,), *_] = await rows(kit, "SELECT account_id FROM source_account WHERE account_id IS NOT NULL ORDER BY id")
    return UUID(str(found))


async def give(kit: Kit, account: UUID, world: Sandbox) -> UUID:
    """A task for a colleague, as a play gives it."""
    owner = next(iter(world.salesforce.org.tables["User"].values()))["Email"]
    now = kit.clock.now()
    task = Task(
        id=new_id(),
        account_id=account,
        title=TITLE,
        owner=owner,
        due_at=now + timedelta(days=2),
        status=TaskStatus.OPEN,
        kind="work",
        created_at=now,
    )
    async with kit.transaction() as session:
        session.add(task)
        await announcements.task_created(session, task, now=now)
    return task.id


async def settle(kit: Kit) -> None:
    """Publish what was announced, and have the twins follow."""
    while await drain_outbox(kit) or await drain_tasks_to_twin(kit):
        pass


async def hear(kit: Kit, crm: Connection, account: UUID) -> None:
    """Read Salesforce's tasks, and look at the account as scoring does."""
    await read(kit, crm, "tasks")
    async with kit.transaction() as session:
        blueprint = await blueprints.current(session)
        frame = await frame_now(session, blueprint, [account], kit.clock.now())
        await service.follow(session, blueprint, frame, {}, kit.clock.now())


def theirs(world: Sandbox) -> list[Record]:
    return [one for one in world.salesforce.org.tables["Task"].values() if str(one["Subject"]).startswith(TITLE)]


async def ours(kit: Kit, model: Any = Task) -> Any:
    async with kit.reading() as session:
        return (await session.execute(select(model))).scalar_one()


@pytest.mark.parametrize("fault", [None, Fault.CUT])
async def test_what_ends_there_ends_here(
    kit: Kit, world: Sandbox, crm: Connection, clock: FrozenClock, account: UUID, fault: Fault | None
) -> None:
    """Made once, although the answer is lost; ended by a colleague in Salesforce, and not closed there again."""
    await give(kit, account, world)
    if fault is not None:
        world.salesforce.faults.strike(None, fault)
    await settle(kit)
    clock.advance(timedelta(minutes=5))
    await settle(kit)
    [twin] = theirs(world)
    owners = {user["Id"]: user["Email"] for user in world.salesforce.org.tables["User"].values()}
    assert owners[twin["OwnerId"]] == (await ours(kit)).owner
    assert (await ours(kit, TaskTwin)).external_id == twin["Id"]
    await hear(kit, crm, account)
    assert (await ours(kit)).status == TaskStatus.OPEN

    clock.advance(timedelta(hours=1))
    at = clock.now()
    world.salesforce.org.update("Task", twin["Id"], Status="Completed", IsClosed=True, CompletedDateTime=at)
    clock.advance(timedelta(minutes=1))
    stamp = twin["SystemModstamp"]
    for _ in range(2):
        await hear(kit, crm, account)
        await settle(kit)
    task = await ours(kit)
    assert (task.status, task.completed_by) == (TaskStatus.DONE, "connection:crm")
    assert (task.outcome or "").startswith("Done in crm at ")
    assert twin["SystemModstamp"] == stamp
    async with kit.reading() as session:
        told = "SELECT count(*) FROM outbox WHERE topic = 'task.completed'"
        assert (await session.execute(text(told))).scalar_one() == 1


async def test_what_ends_here_ends_there(
    kit: Kit, world: Sandbox, crm: Connection, clock: FrozenClock, account: UUID
) -> None:
    """Ended by us: closed in Salesforce once, and what comes back changes nothing."""
    task_id = await give(kit, account, world)
    await settle(kit)
    clock.advance(timedelta(hours=1))
    async with kit.transaction() as session:
        await service.complete_task(session, SYSTEM, task_id, "Spoke.", now=clock.now())
    await settle(kit)
    [twin] = theirs(world)
    assert twin["IsClosed"] is True
    stamp = twin["SystemModstamp"]
    clock.advance(timedelta(minutes=1))
    for _ in range(2):
        await hear(kit, crm, account)
        await settle(kit)
    assert twin["SystemModstamp"] == stamp
    assert (await ours(kit)).completed_by == SYSTEM.actor
    assert (await ours(kit, TaskTwin)).closed_at is not None
    assert len(theirs(world)) == 1


async def test_what_is_canceled_here_is_closed_there(
    kit: Kit, world: Sandbox, crm: Connection, clock: FrozenClock, account: UUID
) -> None:
    """A run is canceled, and its task with it: nobody goes on working for it in Salesforce."""
    await apply(kit, [{"task": TITLE}])
    run = await enrol(kit, account)
    assert run is not None
    await drain(kit)
    await settle(kit)
    [twin] = theirs(world)
    assert twin["IsClosed"] is False
    clock.advance(timedelta(hours=1))
    async with kit.transaction() as session:
        await service.cancel(session, SYSTEM, run.id, "They left.", now=clock.now())
    await settle(kit)
    assert twin["IsClosed"] is True
    clock.advance(timedelta(minutes=1))
    await hear(kit, crm, account)
    assert ((await ours(kit)).status, (await ours(kit)).outcome) == (TaskStatus.CANCELED, "They left.")
    assert (await ours(kit, TaskTwin)).closed_at is not None


async def test_one_that_ended_before_it_had_a_twin_gets_none(kit: Kit, world: Sandbox, account: UUID) -> None:
    """There is nothing left to do there."""
    task_id = await give(kit, account, world)
    async with kit.transaction() as session:
        await service.complete_task(session, SYSTEM, task_id, None, now=kit.clock.now())
    await settle(kit)
    assert theirs(world) == []

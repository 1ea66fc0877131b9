"""A play starts once for each occurrence, keeps its definition, and gives people work that is done once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import update

from hub.access.service import Role, Viewer
from hub.accounts.model import Account
from hub.kit.clock import FrozenClock
from hub.kit.errors import Invalid, NotAllowed, NotFound
from hub.kit.runtime import Kit
from hub.plays import service
from hub.plays.model import Run, RunStatus, StepStatus, Task, TaskStatus

from .scene import CALL, NOW, add_account, apply, count, drain, enrol, events, runs, steps, tasks, topics

CSM = Viewer("key:sam", Role.CSM)
READER = Viewer("key:screen", Role.VIEWER)


async def start(kit: Kit, account_id: object, *, viewer: Viewer = CSM, play: str = "win_back") -> Run:
    async with kit.transaction() as session:
        [run] = await service.start_play(session, viewer, play, account_id, now=kit.clock.now())  # type: ignore[arg-type]  # a UUID
        return run


async def complete(kit: Kit, task_id: object, *, viewer: Viewer = CSM, outcome: str | None = "spoke with Ada") -> Task:
    async with kit.transaction() as session:
        return await service.complete_task(session, viewer, task_id, outcome, now=kit.clock.now())  # type: ignore[arg-type]  # a UUID


async def test_one_occurrence_starts_one_run(kit: Kit) -> None:
    """Twenty enrolments at once for one occurrence leave one run; another occurrence starts another."""
    await apply(kit, [CALL])
    account = await add_account(kit)
    found = await asyncio.gather(*(enrol(kit, account) for _ in range(20)))
    assert sum(run is not None for run in found) == 1
    assert await enrol(kit, account) is None
    assert await enrol(kit, account, "alert:2") is not None
    assert await count(kit, Run) == 2
    assert (await topics(kit)).count("run.started") == 2


async def test_a_play_that_does_not_exist_is_not_found(kit: Kit) -> None:
    """The error names what there is."""
    await apply(kit, [CALL])
    with pytest.raises(NotFound, match="win_back"):
        await enrol(kit, await add_account(kit), play="winback")


async def test_a_running_run_keeps_its_definition(still: Kit) -> None:
    """A changed blueprint changes the next run, not one that is under way."""
    await apply(still, [{"wait": "1d"}, CALL])
    account = await add_account(still)
    await enrol(still, account)
    await drain(still)
    await apply(still, [{"task": "Write to {{ account.name }}"}])
    await enrol(still, account, "alert:2")
    assert isinstance(still.clock, FrozenClock)
    still.clock.advance(timedelta(days=1))
    await drain(still)
    first, second = await runs(still)
    assert {task.run_id: task.title for task in await tasks(still)} == {
        first.id: "Call Acme",
        second.id: "Write to Acme",
    }
    assert first.blueprint_version < second.blueprint_version


async def test_a_task_is_done_once_and_moves_the_run_on(still: Kit) -> None:
    """The run waits for its task; completing it twice completes it once, and the run ends."""
    await apply(still, [CALL])
    account = await add_account(still)
    run = await enrol(still, account)
    assert run is not None
    await drain(still)
    [task] = await tasks(still)
    assert (task.title, task.owner, task.status) == ("Call Acme", "sam", TaskStatus.OPEN)
    assert task.due_at == NOW + timedelta(days=3)
    assert [step.status for step in await steps(still, run.id)] == [StepStatus.WAITING]

    await complete(still, task.id)
    again = await complete(still, task.id, outcome="something else")
    assert (again.outcome, again.completed_by) == ("spoke with Ada", "key:sam")
    await drain(still)
    [ended] = await runs(still)
    assert (ended.status, ended.ended_at) == (RunStatus.DONE, NOW)
    assert await topics(still) == ["run.started", "task.created", "task.completed", "run.ended"]
    kinds = await events(still)
    assert sorted(kinds) == ["run.ended", "run.started", "task.completed", "task.created"]
    assert {event.caused_by_run for found in kinds.values() for event in found} == {run.id}


async def test_a_task_may_let_the_run_go_on(still: Kit) -> None:
    """With `until_done: false` the run ends while the task is open; completing it then changes nothing else."""
    await apply(still, [{**CALL, "until_done": False}])
    await enrol(still, await add_account(still))
    await drain(still)
    [run] = await runs(still)
    [task] = await tasks(still)
    assert (run.status, task.status) == (RunStatus.DONE, TaskStatus.OPEN)
    await complete(still, task.id)
    await drain(still)
    assert (await topics(still)).count("run.ended") == 1


async def test_tasks_are_for_those_who_may(kit: Kit) -> None:
    """A viewer may not complete a task or start a play; an unknown task is not found."""
    await apply(kit, [CALL])
    account = await add_account(kit)
    with pytest.raises(NotAllowed):
        await start(kit, account, viewer=READER)
    with pytest.raises(NotAllowed):
        await complete(kit, uuid4(), viewer=READER)
    with pytest.raises(NotFound):
        await complete(kit, uuid4())


async def test_a_play_is_started_by_hand_once_at_a_time(kit: Kit) -> None:
    """While it is under way it cannot be started again, not even by two people at once; afterwards it can."""
    await apply(kit, [CALL])
    account = await add_account(kit)
    answers = await asyncio.gather(*(start(kit, account) for _ in range(5)), return_exceptions=True)
    [run] = [answer for answer in answers if isinstance(answer, Run)]
    assert all(isinstance(answer, Invalid) for answer in answers if answer is not run)
    with pytest.raises(Invalid, match="under way"):
        await start(kit, account)
    await drain(kit)
    [task] = await tasks(kit)
    await complete(kit, task.id)
    await drain(kit)
    assert (await start(kit, account)).occurrence == "hand:2"


async def test_starting_by_hand_needs_a_play_and_an_account(kit: Kit) -> None:
    """Neither is made up."""
    await apply(kit, [CALL])
    with pytest.raises(NotFound, match="no account"):
        await start(kit, uuid4())
    with pytest.raises(NotFound, match="no play"):
        await start(kit, await add_account(kit), play="winback")


async def test_a_play_on_a_merged_account_is_on_the_one_it_became(kit: Kit) -> None:
    """A merged account's id leads to the survivor."""
    await apply(kit, [CALL])
    old, new = await add_account(kit, name="Old"), await add_account(kit, name="New")
    async with kit.transaction() as session:
        await session.execute(update(Account).where(Account.id == old).values(merged_into=new))
    assert (await start(kit, old)).account_id == new


async def test_a_canceled_run_does_nothing_more(still: Kit) -> None:
    """Its open task is canceled with it, what it had not done is skipped, and it cannot be canceled twice."""
    await apply(still, [CALL, {"wait": "1d"}])
    run = await enrol(still, await add_account(still))
    assert run is not None
    await drain(still)
    async with still.transaction() as session:
        canceled = await service.cancel(session, CSM, run.id, "They have signed.", now=NOW)
    assert (canceled.status, canceled.ended_at) == (RunStatus.CANCELED, NOW)
    await drain(still)
    assert [step.status for step in await steps(still, run.id)] == [StepStatus.SKIPPED] * 2
    [task] = await tasks(still)
    assert (task.status, task.outcome) == (TaskStatus.CANCELED, "They have signed.")
    with pytest.raises(Invalid, match="canceled"):
        await complete(still, task.id)
    async with still.transaction() as session:
        with pytest.raises(Invalid, match="ended"):
            await service.cancel(session, CSM, run.id, "again", now=NOW)
        with pytest.raises(NotFound):
            await service.cancel(session, CSM, uuid4(), "no such run", now=NOW)


async def test_a_declared_play_never_starts(kit: Kit) -> None:
    """Neither by a fact nor by hand; the error says what to do."""
    await apply(kit, [CALL], later={"enabled": False, "trigger": {"alert": "decline"}, "steps": [CALL]})
    account = await add_account(kit)
    alert = {"account_id": str(account), "alert_id": str(uuid4()), "rule": "decline"}
    async with kit.transaction() as session:
        started = await service.enrol_for_fact(session, "alert.opened", alert, now=NOW)
    assert [run.play for run in started] == ["win_back"]
    with pytest.raises(Invalid, match="Enable it in the blueprint"):
        await start(kit, account, play="later")

"""Work for our own people: whose it is, who is reminded of it and told when it is late, and what is said of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from hub.access.service import Role, Viewer
from hub.blueprint.problems import BlueprintInvalid
from hub.kit import work
from hub.kit.clock import FrozenClock
from hub.kit.errors import Invalid, NotAllowed
from hub.kit.outbox import OutboxRow
from hub.kit.runtime import Kit
from hub.plays import queries, service
from hub.plays.model import RunStatus, Task, TaskStatus
from hub.plays.task_moments import TO_FOLLOW, drain_tasks_to_follow
from hub.sections.document import check

from .scene import NOW, add_account, apply, drain, enrol, events, runs, tasks, topics

CSM = Viewer("key:sam", Role.CSM)
TEAM = {"manager": "kim"}
LATE = {
    "task": "Call {{ account.name }}",
    "due": "5d",
    "remind": ["2d", "1d"],
    "escalate": {"after": "1d", "to": "manager"},
    "checklist": ["Read the last tickets of {{ account.name }}", "Write down what they want"],
}


async def given(kit: Kit, **changed: object) -> Task:
    """The one task of a run that waits for it."""
    await apply(kit, [LATE | changed], team=TEAM)
    await enrol(kit, await add_account(kit))
    await drain(kit)
    [task] = await tasks(kit)
    return task


async def told(kit: Kit, topic: str) -> list[dict[str, object]]:
    async with kit.reading() as session:
        found = await session.execute(select(OutboxRow.payload).where(OutboxRow.topic == topic).order_by(OutboxRow.id))
        return list(found.scalars())


async def test_a_task_reminds_in_time_and_escalates_when_it_is_late(still: Kit, clock: FrozenClock) -> None:
    """Two days and one day before its time its owner is reminded; a day after it the manager is told, once."""
    task = await given(still)
    assert (task.owner, task.due_at) == ("sam", NOW + timedelta(days=5))
    seen = []
    for day in range(1, 10):
        clock.advance(timedelta(days=1))
        if await drain_tasks_to_follow(still):
            seen.append((day, len(await told(still, "task.reminded")), len(await told(still, "task.escalated"))))
    assert seen == [(3, 1, 0), (4, 2, 0), (6, 2, 1)]
    [escalated] = await told(still, "task.escalated")
    assert (escalated["to"], escalated["who"], escalated["task_id"]) == ("manager", "kim", str(task.id))
    [event] = (await events(still))["task.escalated"]
    assert event.title == "Call Acme"
    [task] = await tasks(still)
    assert task.escalated_at == NOW + timedelta(days=6)
    async with still.reading() as session:
        assert TO_FOLLOW not in await work.depth(session)


async def test_a_task_that_is_done_reminds_nobody(still: Kit, clock: FrozenClock) -> None:
    """It leaves the list in silence."""
    task = await given(still, checklist=[])
    async with still.transaction() as session:
        await service.complete_task(session, CSM, task.id, "done", now=NOW)
    clock.advance(timedelta(days=30))
    assert await drain_tasks_to_follow(still) == 1
    assert await drain_tasks_to_follow(still) == 0
    assert not {"task.reminded", "task.escalated"} & set(await topics(still))


async def test_several_moments_that_passed_at_once_are_one_reminder(still: Kit, clock: FrozenClock) -> None:
    """After a night in which nothing ran, nobody is reminded twice."""
    await given(still)
    clock.advance(timedelta(days=30))
    await drain_tasks_to_follow(still)
    assert (len(await told(still, "task.reminded")), len(await told(still, "task.escalated"))) == (1, 1)


async def test_a_checklist_is_ticked_off_before_a_task_is_done(still: Kit) -> None:
    """Its texts are the account's; an open point says so; a point can be taken back; done is done."""
    task = await given(still)
    assert next(point["text"] for point in task.checklist) == "Read the last tickets of Acme"
    with pytest.raises(Invalid, match="2 of 2 points of the checklist are open"):
        async with still.transaction() as session:
            await service.complete_task(session, CSM, task.id, None, now=NOW)
    for point, done in ((0, True), (0, True), (1, True), (1, False), (1, True)):
        async with still.transaction() as session:
            await service.tick_task(session, CSM, task.id, point, done=done, now=NOW)
    assert (await topics(still)).count("task.ticked") == 4
    with pytest.raises(Invalid, match="no point 2"):
        async with still.transaction() as session:
            await service.tick_task(session, CSM, task.id, 2, done=True, now=NOW)
    async with still.transaction() as session:
        ended = await service.complete_task(session, CSM, task.id, "spoke", now=NOW)
    assert [point["done_by"] for point in ended.checklist] == ["key:sam"] * 2
    await drain(still)
    assert (await runs(still))[0].status == RunStatus.DONE
    with pytest.raises(Invalid, match="not open any more"):
        async with still.transaction() as session:
            await service.tick_task(session, CSM, task.id, 0, done=False, now=NOW)


async def test_people_talk_about_a_task(still: Kit, clock: FrozenClock) -> None:
    """Comments stand in their order with their author, also behind the end of the task."""
    task = await given(still, checklist=[])
    for body in ("No answer yet.", "She calls back."):
        clock.advance(timedelta(hours=1))
        async with still.transaction() as session:
            await service.comment_on_task(session, CSM, task.id, body, now=clock.now())
    with pytest.raises(NotAllowed):
        async with still.transaction() as session:
            await service.comment_on_task(session, Viewer("key:screen", Role.VIEWER), task.id, "?", now=NOW)
    async with still.reading() as session:
        said = (await queries.comments(session, CSM, [task.id]))[task.id]
    assert [(one.author, one.body) for one in said] == [("key:sam", "No answer yet."), ("key:sam", "She calls back.")]


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ({"task": "x", "remind": "1d"}, "add `due`"),
        ({"task": "x", "due": "1d", "remind": "2d"}, "make `remind` shorter than `due`"),
        ({"task": "x", "owner": "manger"}, "nobody has the role 'manger'"),
        ({"task": "x", "due": "1d", "escalate": {"to": "boss"}}, "nobody has the role 'boss'"),
        ({"notify": "x", "to": "boss"}, "the section `team` says who has one"),
        ({"task": "x", "checklist": ["{{ person.name }}"]}, "person"),
    ],
)
def test_work_for_nobody_is_found_when_the_blueprint_is_checked(step: dict[str, object], why: str) -> None:
    """A role that nobody has, a reminder without a time, a point that cannot be filled in."""
    play = {"trigger": {"by_hand": True}, "steps": [step]}
    with pytest.raises(BlueprintInvalid) as refused:
        check({"blueprint": 1, "name": "test", "team": TEAM, "plays": {"tried": play}})
    assert why in " ".join(problem.message for problem in refused.value.problems)


async def test_work_goes_to_whoever_has_the_role(still: Kit) -> None:
    """A role of the team, whoever owns the account; nobody once the role is gone from the blueprint."""
    assert (await given(still, owner="manager")).owner == "kim"
    await apply(still, [LATE | {"owner": "manager"}])
    await enrol(still, await add_account(still, name="Beta"), "alert:2")
    await drain(still)
    last = (await tasks(still))[-1]
    assert (last.owner, last.status) == (None, TaskStatus.OPEN)

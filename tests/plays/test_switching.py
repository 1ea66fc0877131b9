"""A play is paused, goes on with everything that came meanwhile, is switched off and on; so is a single run."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from hub.access.service import Role, Viewer
from hub.kit.clock import FrozenClock
from hub.kit.errors import Invalid, NotAllowed
from hub.kit.runtime import Kit
from hub.plays import service
from hub.plays.model import CollectedStart, RunStatus, StepStatus, SwitchState, TaskStatus
from hub.plays.service import Existing, OpenTasks

from .scene import CALL, NOW, SEND, Somebody, add_account, apply, count, drain, enrol, look, own, runs, steps, tasks
from .vendor import Loft

CSM = Viewer("key:sam", Role.CSM)
ADMIN = Viewer("key:ops", Role.ADMIN)
LATER = {"wait": "1d"}


async def alerted(kit: Kit, account: UUID, nth: int) -> None:
    """The fact that starts `win_back`."""
    alert = {"account_id": str(account), "alert_id": str(UUID(int=nth)), "rule": "decline"}
    async with kit.transaction() as session:
        await service.enrol_for_fact(session, "alert.opened", alert, now=kit.clock.now())


async def pause(kit: Kit) -> None:
    async with kit.transaction() as session:
        await service.pause_play(session, ADMIN, "win_back", now=kit.clock.now())


async def resume(kit: Kit) -> int:
    async with kit.transaction() as session:
        switched = await service.resume_play(session, ADMIN, "win_back", now=kit.clock.now())
    await begin(kit)
    return switched.moved


async def begin(kit: Kit) -> None:
    """Start what was put aside."""
    while await service.drain_plays_to_start(kit):
        pass


async def off(kit: Kit, open_tasks: OpenTasks = OpenTasks.CLOSE) -> int:
    async with kit.transaction() as session:
        return (await service.switch_off(session, ADMIN, "win_back", open_tasks, now=kit.clock.now())).moved


async def on(kit: Kit, existing: Existing, play: str = "win_back") -> int:
    async with kit.transaction() as session:
        moved = (await service.switch_on(session, ADMIN, play, existing, now=kit.clock.now())).moved
    await begin(kit)
    return moved


async def test_a_paused_play_resumes_with_every_event_of_the_pause(still: Kit) -> None:
    """Each fact starts it once, in the order in which they came, also one that is told twice."""
    await apply(still, [CALL])
    accounts = [await add_account(still, name=f"Account {nth}") for nth in range(3)]
    await pause(still)
    for nth in (*range(9), 4):
        await alerted(still, accounts[nth % 3], nth)
    assert await runs(still) == []
    assert await resume(still) == 9
    assert await count(still, CollectedStart) == 0
    assert sorted(run.occurrence for run in await runs(still)) == [f"alert:{UUID(int=nth)}" for nth in range(9)]


async def test_facts_that_come_while_a_play_goes_on_are_not_lost(kit: Kit) -> None:
    """Whoever puts a start aside and whoever lets the play go on wait for each other: all of them start."""
    await apply(kit, [CALL])
    accounts = [await add_account(kit, name=f"Account {nth}") for nth in range(4)]
    await pause(kit)
    await asyncio.gather(*(alerted(kit, accounts[nth % 4], nth) for nth in range(12)), resume(kit))
    await begin(kit)
    assert len(await runs(kit)) == 12


async def test_the_runs_of_a_paused_play_stand(still: Kit, clock: FrozenClock, vendor: Loft) -> None:
    """What becomes due meanwhile is done when it goes on, and what a person completed moves its run on then."""
    await apply(still, [LATER, SEND, CALL])
    waiting = await add_account(still, Somebody())
    await enrol(still, waiting)
    await drain(still)
    await pause(still)
    clock.advance(timedelta(days=2))
    await drain(still)
    assert vendor.letters == []
    await resume(still)
    await drain(still)
    assert len(vendor.letters) == 1
    await pause(still)
    [task] = await tasks(still)
    async with still.transaction() as session:
        await service.complete_task(session, CSM, task.id, "spoke", now=clock.now())
    await drain(still)
    assert [run.status for run in await runs(still)] == [RunStatus.RUNNING]
    await resume(still)
    await drain(still)
    assert [run.status for run in await runs(still)] == [RunStatus.DONE]


@pytest.mark.parametrize(
    ("asked", "task_is"), [(OpenTasks.LEAVE, TaskStatus.OPEN), (OpenTasks.CLOSE, TaskStatus.CANCELED)]
)
async def test_switching_a_play_off_ends_its_runs(still: Kit, asked: OpenTasks, task_is: TaskStatus) -> None:
    """Their tasks are left or closed, as asked; the play starts nothing, not even by hand, and forgets what came."""
    await apply(still, [CALL])
    account = await add_account(still)
    await enrol(still, account)
    await drain(still)
    assert await off(still, asked) == 1
    await drain(still)
    [run] = await runs(still)
    assert (run.status, run.ending) == (RunStatus.CANCELED, {"reason": "switched_off", "tasks": asked})
    assert [task.status for task in await tasks(still)] == [task_is]
    await alerted(still, account, 1)
    with pytest.raises(Invalid, match="is off"):
        async with still.transaction() as session:
            await service.start_play(session, CSM, "win_back", account, now=NOW)
    assert await on(still, Existing.SKIP) == 0
    assert len(await runs(still)) == 1
    await alerted(still, account, 2)
    assert len(await runs(still)) == 2


@pytest.mark.parametrize(("existing", "begun"), [(Existing.SKIP, 0), (Existing.START, 1)])
async def test_whoever_switches_a_play_on_says_what_becomes_of_those_who_are_there(
    still: Kit, clock: FrozenClock, existing: Existing, begun: int
) -> None:
    """An account for which the rule holds already begins or does not, whatever the blueprint says of the first time."""
    await apply(still, [CALL], win_back={"trigger": {"rule_enters": "owner = 'kim'"}, "steps": [CALL]})
    account = await add_account(still, owner="kim")
    await look(still, account, before=None)
    before = len(await runs(still))
    await off(still)
    await drain(still)
    clock.advance(timedelta(days=1))
    await on(still, existing)
    await look(still, account, before=NOW)
    await look(still, account, before=clock.now())
    assert len(await runs(still)) - before == begun
    await own(still, account, "sam")
    await look(still, account, before=clock.now())
    clock.advance(timedelta(hours=1))
    await own(still, account, "kim")
    await look(still, account, before=clock.now())
    assert len(await runs(still)) - before == begun + 1


async def test_a_switch_says_why_it_does_not_move(still: Kit) -> None:
    """What is not paused cannot go on, and it takes an admin."""
    await apply(still, [CALL], idle={"trigger": {"by_hand": True}, "steps": [CALL], "enabled": False})
    with pytest.raises(Invalid, match="is on, so it cannot be resumed"):
        await resume(still)
    await pause(still)
    for step in (pause(still), on(still, Existing.SKIP)):
        with pytest.raises(Invalid, match="paused"):
            await step
    with pytest.raises(Invalid, match="not enabled"):
        await on(still, Existing.SKIP, "idle")
    with pytest.raises(NotAllowed):
        async with still.transaction() as session:
            await service.switch_off(session, CSM, "win_back", OpenTasks.LEAVE, now=NOW)
    async with still.transaction() as session:
        assert (await service.resume_play(session, ADMIN, "win_back", now=NOW)).state is SwitchState.ON


async def test_a_run_stands_until_it_is_resumed(still: Kit, clock: FrozenClock, vendor: Loft) -> None:
    """A paused run does nothing, though its time comes; then it goes on."""
    await apply(still, [LATER, SEND])
    run = await enrol(still, await add_account(still, Somebody()))
    assert run is not None
    await drain(still)
    async with still.transaction() as session:
        await service.pause_run(session, CSM, run.id, now=NOW)
    clock.advance(timedelta(days=2))
    await drain(still)
    assert vendor.letters == []
    async with still.transaction() as session:
        await service.resume_run(session, CSM, run.id, now=clock.now())
    await drain(still)
    assert len(vendor.letters) == 1
    assert [one.status for one in await runs(still)] == [RunStatus.DONE]


async def test_a_step_is_left_out_and_another_run_again(still: Kit, vendor: Loft) -> None:
    """The wait is cut short; the letter is sent once more under a new key, and the task is given anew."""
    await apply(still, [SEND, {**CALL, "until_done": False}, LATER, {"wait": "2d"}])
    run = await enrol(still, await add_account(still, Somebody()))
    assert run is not None
    await drain(still)

    async def act(what: object, *more: int) -> None:
        async with still.transaction() as session:
            await what(session, CSM, run.id, *more, now=NOW)  # type: ignore[operator]  # one of the two services
        await drain(still)

    await act(service.skip_step)
    assert (await runs(still))[0].step == 3
    await act(service.run_again, 0)
    await act(service.run_again, 1)
    first, second = (str(letter["key"]) for letter in vendor.letters)
    assert second == f"{first}#1"
    assert [task.status for task in await tasks(still)] == [TaskStatus.CANCELED, TaskStatus.OPEN]
    done, skipped, waiting = StepStatus.DONE, StepStatus.SKIPPED, StepStatus.WAITING
    assert [step.status for step in await steps(still, run.id)] == [done, done, skipped, waiting]
    with pytest.raises(Invalid, match="is not over"):
        await act(service.run_again, 3)


async def test_a_failed_step_goes_the_way_that_the_play_names(still: Kit, vendor: Loft) -> None:
    """The steps of `on_failure` instead of a person; where nothing fails they are left out."""
    otherwise = [{"task": "Write to {{ account.name }} by hand", "until_done": False}]
    await apply(still, [{**SEND, "on_failure": otherwise}, {"notify": "Well"}])
    vendor.moods.append("no")
    found = []
    for nth in range(2):
        run = await enrol(still, await add_account(still, Somebody(), name=f"A{nth}"))
        assert run is not None
        await drain(still)
        found.append([step.status for step in await steps(still, run.id)])
    done, failed, skipped = StepStatus.DONE, StepStatus.FAILED, StepStatus.SKIPPED
    assert found == [[failed, done, done], [done, skipped, done]]
    assert [run.status for run in await runs(still)] == [RunStatus.DONE] * 2
    assert [task.title for task in await tasks(still)] == ["Write to A0 by hand"]

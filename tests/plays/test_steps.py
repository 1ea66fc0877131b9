"""Each step of a run is carried out once, and whatever goes wrong with it is readable and held for a person."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from hub.connections import registry
from hub.connections.actions import ATTEMPTS
from hub.connections.registry import Registry
from hub.kit import work
from hub.kit.clock import FrozenClock
from hub.kit.runtime import Kit
from hub.plays.model import RunStatus, RunStep, StepCall, StepStatus, Touch
from hub.plays.service import TO_ADVANCE

from .scene import (
    CALL,
    NOW,
    SEND,
    SHOUT,
    Somebody,
    add_account,
    apply,
    count,
    drain,
    enrol,
    events,
    runs,
    steps,
    tasks,
    topics,
)
from .vendor import Loft


async def run_on(kit: Kit, account_id: UUID) -> tuple[str, list[RunStep]]:
    """Enrol the account, move the run on as far as it goes, and tell its status and steps."""
    run = await enrol(kit, account_id)
    assert run is not None
    await drain(kit)
    return (await runs(kit))[-1].status, await steps(kit, run.id)


async def test_an_action_reaches_those_it_is_for(still: Kit, vendor: Loft) -> None:
    """One letter for each person with the role who may be contacted and can be reached, each with its own key."""
    await apply(still, [{**SEND, "input": {"title": "Hi {{ person.name or 'there' }} of {{ account.name }}"}}, CALL])
    account = await add_account(
        still,
        Somebody("administrator"),
        Somebody("champion", name=None),
        Somebody("end_user"),
        Somebody("champion", do_not_contact=True),
        Somebody("champion", user=None),
    )
    status, [action, task] = await run_on(still, account)
    assert status == RunStatus.RUNNING
    assert (action.status, action.result, action.attempts) == (StepStatus.DONE, {"calls": 2, "done": 2}, 2)
    assert task.status == StepStatus.WAITING
    assert sorted((letter["user"], letter["title"]) for letter in vendor.letters) == [
        ("u0@Acme", "Hi Ada of Acme"),
        ("u1@Acme", "Hi there of Acme"),
    ]
    assert all(key.startswith(f"{action.run_id}:0:") for key in vendor.effects)
    assert await count(still, Touch) == 2
    sent = (await events(still))["message.sent"]
    assert [(event.caused_by_run, event.title is not None, event.occurred_at) for event in sent] == [
        (action.run_id, True, NOW)
    ] * 2
    assert all(len(event.people) == 1 for event in sent)
    assert await topics(still) == ["run.started", "run.advanced", "task.created"]


@pytest.mark.parametrize(
    ("people", "why"),
    [
        ((Somebody("end_user"),), "is administrator or champion"),
        ((Somebody("champion", do_not_contact=True),), "is administrator or champion"),
        ((Somebody("champion", user=None),), "No user is known of any of the 1 addressed."),
    ],
)
async def test_a_step_that_reaches_nobody_is_skipped_and_says_so(
    still: Kit, vendor: Loft, people: tuple[Somebody, ...], why: str
) -> None:
    """The run goes on with its next step."""
    await apply(still, [SEND, CALL])
    status, [action, task] = await run_on(still, await add_account(still, *people))
    assert (status, action.status, task.status) == (RunStatus.RUNNING, StepStatus.SKIPPED, StepStatus.WAITING)
    assert why in (action.problem or "")
    assert vendor.letters == []


async def test_an_action_for_nobody_in_particular_is_done_once(still: Kit, vendor: Loft) -> None:
    """Without `to` there is one call under the key `run:step`, and no touch."""
    await apply(still, [{"action": "pigeon.send", "input": {"title": "{{ account.name }} is quiet"}}])
    status, [action] = await run_on(still, await add_account(still))
    assert status == RunStatus.DONE
    assert dict(vendor.effects) == {f"{action.run_id}:0": 1}
    assert await count(still, Touch) == 0


async def test_a_vendor_that_is_down_is_asked_again_later_and_later(
    still: Kit, clock: FrozenClock, vendor: Loft
) -> None:
    """The run waits, its entry says why, and the letter is sent once when the vendor is back."""
    await apply(still, [SEND])
    account = await add_account(still, Somebody())
    vendor.moods.extend(["down"] * 40)
    status, [action] = await run_on(still, account)
    assert (status, action.status) == (RunStatus.RUNNING, StepStatus.WAITING)
    assert action.problem == "The vendor cannot answer now."
    delays = []
    for _ in range(3):
        entry = await entry_of(still)
        assert entry.last_error == "The vendor cannot answer now."
        delays.append(entry.due_at - clock.now())
        clock.advance(delays[-1] - timedelta(seconds=1))
        assert await drain(still) == 0
        clock.advance(timedelta(seconds=1))
        assert await drain(still) == 1
    assert delays == sorted(set(delays))
    vendor.moods.clear()
    clock.advance(timedelta(hours=1))
    assert await drain(still) == 1
    [run] = await runs(still)
    assert run.status == RunStatus.DONE
    assert len(vendor.letters) == 1
    async with still.reading() as session:
        assert await work.depth(session) == {}


async def entry_of(kit: Kit) -> work.WorkItem:
    """The one entry on the list of runs."""
    async with kit.reading() as session:
        return (await session.execute(select(work.WorkItem).where(work.WorkItem.list == TO_ADVANCE))).scalar_one()


async def test_a_vendor_that_asks_for_a_pause_gets_it(still: Kit, clock: FrozenClock, vendor: Loft) -> None:
    """Not before the time that it named."""
    await apply(still, [SEND])
    account = await add_account(still, Somebody())
    vendor.moods.append("pause")
    await run_on(still, account)
    clock.advance(timedelta(seconds=119))
    assert await drain(still) == 0
    clock.advance(timedelta(seconds=1))
    assert await drain(still) == 1
    assert len(vendor.letters) == 1


async def test_a_vendor_that_stays_down_holds_the_run_in_the_end(still: Kit, clock: FrozenClock, vendor: Loft) -> None:
    """After the last attempt a person has to decide."""
    await apply(still, [SEND])
    account = await add_account(still, Somebody())
    vendor.moods.extend(["down"] * 1_000)
    await run_on(still, account)
    for _ in range(ATTEMPTS + 2):
        clock.advance(timedelta(hours=2))
        await drain(still)
    [run] = await runs(still)
    [action] = await steps(still, run.id)
    assert (run.status, action.status, action.attempts) == (RunStatus.HELD, StepStatus.FAILED, ATTEMPTS)


async def test_what_a_vendor_refuses_holds_the_run_after_all_were_asked(still: Kit, vendor: Loft) -> None:
    """One refusal does not keep the letter from the others; the run is held, with the vendor's reason."""
    await apply(still, [SEND, CALL])
    account = await add_account(still, Somebody(), Somebody("champion"))
    vendor.moods.append("no")
    status, [action, task] = await run_on(still, account)
    assert (status, action.status, task.status) == (RunStatus.HELD, StepStatus.FAILED, StepStatus.PENDING)
    assert action.problem == "This address does not exist."
    assert action.result == {"calls": 2, "done": 1}
    assert len(vendor.letters) == 1
    assert await tasks(still) == []
    assert (await topics(still))[-1] == "run.advanced"


async def test_an_unclear_action_is_held_and_never_repeated(still: Kit, clock: FrozenClock, vendor: Loft) -> None:
    """Where the vendor knows no keys, a lost answer is for a person to judge, and counts as a touch."""
    await apply(still, [SHOUT, CALL])
    account = await add_account(still, Somebody())
    vendor.moods.append("lost")
    status, [action, _] = await run_on(still, account)
    assert (status, action.status) == (RunStatus.HELD, StepStatus.UNKNOWN)
    assert "may have happened" in (action.problem or "")
    clock.advance(timedelta(days=30))
    assert await drain(still) == 0
    assert len(vendor.letters) == 1
    assert await count(still, Touch) == 1
    assert "message.sent" not in await events(still)


async def test_a_lost_answer_is_no_problem_where_the_vendor_knows_the_key(
    still: Kit, clock: FrozenClock, vendor: Loft
) -> None:
    """The same key is asked for again, and the effect stays one."""
    await apply(still, [SEND])
    account = await add_account(still, Somebody())
    vendor.moods.append("lost")
    await run_on(still, account)
    clock.advance(timedelta(minutes=10))
    await drain(still)
    assert (await runs(still))[0].status == RunStatus.DONE
    assert len(vendor.letters) == 1
    assert sum(vendor.tries.values()) >= 2


async def test_a_missing_connector_holds_the_run(still: Kit, vendor: Loft) -> None:
    """A plugin that is gone is a reason that a person can read."""
    await apply(still, [SEND])
    account = await add_account(still, Somebody())
    with registry.using(Registry()):
        status, [action] = await run_on(still, account)
    assert (status, action.status) == (RunStatus.HELD, StepStatus.FAILED)
    assert "There is no connector 'pigeon'" in (action.problem or "")


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ({**SEND, "connection": "carrier"}, "carrier"),
        ({**SEND, "action": "pigeon.coo"}, "no action 'coo'"),
        ({**SEND, "input": {"titel": "Hello"}}, "title"),
        ({**SEND, "input": {"title": "{{ trigger.what }}"}}, "there is no 'what'"),
        ({"task": "Ask about {{ trigger.what }}"}, "there is no 'what'"),
    ],
)
async def test_a_step_that_cannot_be_done_as_it_stands_holds_the_run(
    still: Kit, vendor: Loft, step: dict[str, object], why: str
) -> None:
    """An unknown connection or action, input that does not fit, a text that cannot be filled in."""
    await apply(still, [step])
    status, [failed] = await run_on(still, await add_account(still, Somebody()))
    assert (status, failed.status) == (RunStatus.HELD, StepStatus.FAILED)
    assert why in (failed.problem or "")
    assert vendor.letters == []


async def test_time_passes_between_steps(still: Kit, clock: FrozenClock, vendor: Loft) -> None:
    """A wait ends when its time has come, counted from its beginning."""
    await apply(still, [SEND, {"wait": "2d"}, SEND])
    account = await add_account(still, Somebody())
    _, [_, wait, _] = await run_on(still, account)
    assert (wait.status, wait.due_at) == (StepStatus.WAITING, NOW + timedelta(days=2))
    clock.advance(timedelta(days=2) - timedelta(seconds=1))
    assert await drain(still) == 0
    clock.advance(timedelta(seconds=1))
    assert await drain(still) == 1
    assert (await runs(still))[0].status == RunStatus.DONE
    assert len(vendor.letters) == 2


async def test_words_are_chosen_before_anybody_is_asked(still: Kit, clock: FrozenClock, vendor: Loft) -> None:
    """A repeated call asks for the same, although the blueprint and the people have changed meanwhile."""
    await apply(still, [SEND])
    account = await add_account(still, Somebody())
    vendor.moods.extend(["down"] * 4)
    await run_on(still, account)
    await apply(still, [{**SEND, "input": {"title": "Goodbye"}}])
    async with still.reading() as session:
        [call] = (await session.execute(StepCall.__table__.select())).all()
    assert call.input == {"title": "Hello", "user": "u0@Acme"}
    vendor.moods.clear()
    clock.advance(timedelta(hours=1))
    await drain(still)
    assert [letter["title"] for letter in vendor.letters] == ["Hello"]

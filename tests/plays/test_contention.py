"""Many plays want the same people: nobody is touched above the budget, and priority decides who goes first."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from hub.access.service import SYSTEM
from hub.accounts.model import Person
from hub.kit import work
from hub.kit.clock import FrozenClock
from hub.kit.runtime import Kit
from hub.plays import jobs, service
from hub.plays.model import CallStatus, StepCall, Touch

from .scene import NOW, SEND, Somebody, add_account, apply, count, drain, enrol, runs, steps
from .vendor import Loft

PLAYS, PEOPLE = (int(part) for part in os.environ.get("HUB_CONTENTION", "6,12").split(","))
BUDGET = {"per_person_per_week": 2, "per_account_per_day": 3, "quiet": {"from": 20, "to": 8}, "patience": "2w"}
LETTER = {**SEND, "to": {"role": "any"}}


async def wait_for(kit: Kit, clock: FrozenClock, until: datetime) -> None:
    """Let the time pass as the work list says, until then."""
    while True:
        await drain(kit)
        async with kit.reading() as session:
            due = (await session.execute(select(work.WorkItem.due_at).order_by(work.WorkItem.due_at).limit(1))).scalar()
        if due is None or due > until:
            break
        clock.advance(max(due - clock.now(), timedelta(seconds=1)))
    clock.advance(max(until - clock.now(), timedelta(0)))


async def touches(kit: Kit) -> list[Touch]:
    async with kit.reading() as session:
        return list((await session.execute(select(Touch).order_by(Touch.touched_at))).scalars())


async def test_nobody_is_touched_above_the_budget(
    still: Kit, clock: FrozenClock, vendor: Loft, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A month of several plays over the same people: at most two letters a week each, three a day at one account, none
    at night or on a weekend. Each person hears from the most important plays, in their order; every other letter waits
    and says why, until it is dropped and says so."""
    if PLAYS * PEOPLE < 1000:  # few runs are one batch, in which nobody has to give way to another batch
        monkeypatch.setattr(jobs, "BATCH", 5)
    clock.advance(timedelta(hours=12))  # at night, so that all of them want the same morning
    plays = {
        f"play_{nth}": {"trigger": {"by_hand": True}, "priority": 10 + nth, "steps": [LETTER]} for nth in range(PLAYS)
    }
    await apply(still, [LETTER], budget=BUDGET, **plays)
    people = [Somebody("champion", name=f"P{nth}") for nth in range(4)]
    accounts = [await add_account(still, *people, name=f"Account {nth}") for nth in range(PEOPLE // 4)]
    for nth, account in enumerate(accounts):
        for play in plays:
            await enrol(still, account, f"alert:{nth}", play=play)
    for day, over in ((10, False), (30, True)):
        await wait_for(still, clock, NOW + timedelta(days=day))
        calls, found = await all_calls(still), await touches(still)
        assert len(calls) == PLAYS * PEOPLE
        _holds_the_budget(found)
        sent = {(call.run_id, call.person_id) for call in calls if call.status == CallStatus.DONE}
        assert sent == {(touch.run_id, touch.person_id) for touch in found}
        assert len(vendor.letters) == len(found) == len(sent)
        _says_what_became_of_it([call for call in calls if call.status != CallStatus.DONE], over=over)
        _goes_by_priority(found, {run.id: run.priority for run in await runs(still)})
    assert {run.status for run in await runs(still)} == {"done"}
    assert 0 < len(found) < PLAYS * PEOPLE


def _holds_the_budget(found: Sequence[Touch]) -> None:
    """No touch at night or on a weekend, and none too many in the seven days or the day before each."""
    of_person: defaultdict[UUID, list[datetime]] = defaultdict(list)
    at_account: defaultdict[UUID, list[datetime]] = defaultdict(list)
    for touch in found:
        local = touch.touched_at.astimezone(ZoneInfo("UTC"))
        assert 8 <= local.hour < 20
        assert local.weekday() < 5
        of_person[touch.person_id].append(touch.touched_at)
        at_account[touch.account_id].append(touch.touched_at)
    for times, most, span in (
        *((times, 2, timedelta(days=7)) for times in of_person.values()),
        *((times, 3, timedelta(days=1)) for times in at_account.values()),
    ):
        assert all(later - earlier >= span for earlier, later in zip(times, times[most:], strict=False))


def _says_what_became_of_it(calls: Sequence[StepCall], *, over: bool) -> None:
    """What was not sent waits, or was dropped in the end; either way it names the budget."""
    reasons = ("contacted", "quiet hour", "higher priority")
    for call in calls:
        waits = call.status == CallStatus.PENDING and call.waiting_since is not None
        dropped = call.status == CallStatus.DROPPED and (call.problem or "").startswith("Dropped: ")
        assert dropped if over else waits
        assert any(reason in (call.problem or "") for reason in reasons)


def _goes_by_priority(found: Sequence[Touch], priorities: Mapping[UUID, int]) -> None:
    """Each person had the most important plays first, and none that a more important one still waited behind."""
    heard: defaultdict[UUID, list[int]] = defaultdict(list)
    for touch in sorted(found, key=lambda one: (one.touched_at, -priorities[one.run_id])):
        heard[touch.person_id].append(priorities[touch.run_id])
    wanted = sorted(set(priorities.values()), reverse=True)
    assert len(heard) == PEOPLE
    for order in heard.values():
        assert order == wanted[: len(order)]


async def all_calls(kit: Kit) -> list[StepCall]:
    async with kit.reading() as session:
        return list((await session.execute(select(StepCall))).scalars())


async def test_priority_decides_who_goes_first(still: Kit, clock: FrozenClock, vendor: Loft) -> None:
    """Of two plays that wait for the same place, the more important one has it, though it came later."""
    low, high = ({"trigger": {"by_hand": True}, "priority": number, "steps": [LETTER]} for number in (10, 90))
    await apply(still, [LETTER], budget={**BUDGET, "per_person_per_week": 1}, low=low, high=high)
    account = await add_account(still, Somebody())
    order = [await enrol(still, account)]
    await drain(still)
    order += [await enrol(still, account, play=play) for play in ("low", "high")]
    await wait_for(still, clock, NOW + timedelta(days=8))
    first = [one.run_id for one in await touches(still)]
    assert first == [run.id for run in (order[0], order[2]) if run]
    await wait_for(still, clock, NOW + timedelta(days=16))
    assert len(await touches(still)) == 3


async def test_what_waits_says_why_and_is_dropped_in_the_end(still: Kit, clock: FrozenClock, vendor: Loft) -> None:
    """A message that waited longer than the budget's patience is not sent any more; the run goes on and says so."""
    budget = {**BUDGET, "per_person_per_week": 1, "patience": "2d"}
    await apply(still, [LETTER, {"notify": "through"}], budget=budget)
    account = await add_account(still, Somebody())
    await enrol(still, account, "alert:1")
    await drain(still)
    second = await enrol(still, account, "alert:2")
    assert second is not None
    await drain(still)
    assert await why(still, second.id) == "The person was contacted 1 times within a week; at most 1."
    clock.advance(timedelta(days=7))
    await drain(still)
    sent = await count(still, Touch)
    third = await enrol(still, account, "alert:3")
    assert third is not None
    await wait_for(still, clock, clock.now() + timedelta(days=8))
    call = await call_of(still, third.id)
    assert (sent, call.status, call.waiting_since) == (2, CallStatus.DROPPED, None)
    assert (await steps(still, third.id))[0].problem == (
        "Dropped: The person was contacted 1 times within a week; at most 1."
    )
    assert {run.status for run in await runs(still)} == {"done"}


async def call_of(kit: Kit, run_id: UUID) -> StepCall:
    async with kit.reading() as session:
        return (await session.execute(select(StepCall).where(StepCall.run_id == run_id))).scalar_one()


async def why(kit: Kit, run_id: UUID) -> str | None:
    return (await call_of(kit, run_id)).problem


async def test_whoever_says_no_meanwhile_is_not_contacted(still: Kit, clock: FrozenClock, vendor: Loft) -> None:
    """A person who unsubscribes while a message waits for the morning does not get it."""
    clock.advance(timedelta(hours=14))
    await apply(still, [LETTER], budget=BUDGET)
    account = await add_account(still, Somebody())
    run = await enrol(still, account)
    assert run is not None
    await drain(still)
    assert await why(still, run.id) == "It is a quiet hour where the person is (UTC)."
    async with still.transaction() as session:
        call = await call_of(still, run.id)
        await session.execute(update(Person).where(Person.id == call.person_id).values(do_not_contact=True))
    clock.advance(timedelta(hours=12))
    await drain(still)
    assert vendor.letters == []
    assert await why(still, run.id) == "Dropped: The person does not want to be contacted any more."


async def test_a_letter_that_was_refused_takes_no_place(still: Kit, vendor: Loft) -> None:
    """What certainly was not sent does not count; a person has it sent anew under a key of its own."""
    await apply(still, [LETTER], budget=BUDGET)
    run = await enrol(still, await add_account(still, Somebody()))
    assert run is not None
    vendor.moods.append("no")
    await drain(still)
    assert ((await runs(still))[0].status, await count(still, Touch), vendor.letters) == ("held", 0, [])
    async with still.transaction() as session:
        await service.try_again(session, SYSTEM, run.id, now=still.clock.now())
    await drain(still)
    assert ((await runs(still))[0].status, await count(still, Touch), len(vendor.letters)) == ("done", 1, 1)
    assert len(vendor.tries) == 2
    assert max(vendor.effects.values()) == 1

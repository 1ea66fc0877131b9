"""Waits that count business hours only, and waits that an event ends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import event, select, update

from hub.access.service import Role, Viewer
from hub.accounts.model import Account, Person, SourcePerson
from hub.accounts.service import TO_SCORE
from hub.kit.clock import FrozenClock
from hub.kit.ids import new_id
from hub.kit.runtime import Kit
from hub.kit.work import WorkItem
from hub.plays import service
from hub.plays.section import Play
from hub.timeline.service import append_fact

from .scene import CALL, NOW, SEND, Somebody, add_account, apply, drain, enrol, look, runs, steps, tasks
from .vendor import Loft

ADMIN = Viewer("key:ops", Role.ADMIN)
DAY = timedelta(days=1)
GOOD = {"wait": "7d", "until": {"event": "survey.answered", "where": {"answer": "yes"}}}
FINALLY = {"notify": "{{ account.name }} is through"}


async def answered(
    kit: Kit, account: UUID, answer: str = "yes", at: datetime | None = None, people: Sequence[UUID] = ()
) -> None:
    """Somebody at the account answers a survey."""
    async with kit.transaction() as session:
        moment = at or kit.clock.now()
        await append_fact(
            session,
            account,
            "survey.answered",
            occurred_at=moment,
            natural_key=str(new_id()),
            attributes={"answer": answer},
            people=people,
            now=kit.clock.now(),
        )


async def begun(kit: Kit, *play_steps: dict[str, Any]) -> UUID:
    """An account on which a run of these steps is under way."""
    await apply(kit, play_steps)
    account = await add_account(kit, Somebody())
    assert await enrol(kit, account) is not None
    await drain(kit)
    return account


async def standing(kit: Kit) -> list[str]:
    """Where each run stands, after it has gone as far as it gets."""
    await drain(kit)
    return [run.status for run in await runs(kit)]


def test_waits_survive_json() -> None:
    """A run keeps its definition as JSON, and reads the same play back."""
    more = [{"wait": {"business": "4h"}}, {"wait": "3d", "until": "owner = 'kim'"}]
    read = Play.model_validate({"trigger": {"by_hand": True}, "steps": [GOOD, *more]})
    assert Play.model_validate_json(read.model_dump_json()) == read
    assert [step.name for step in read.steps] == ["7d", "4h of business time", "3d"]


async def test_a_wait_of_business_time_is_over_in_the_accounts_working_hours(still: Kit, clock: FrozenClock) -> None:
    """From Monday 18:00 in Tokyo, four hours of work are over on Tuesday at 13:00 there."""
    await apply(still, [{"wait": {"business": "4h"}}, FINALLY])
    account = await add_account(still)
    async with still.transaction() as session:
        await session.execute(update(Account).where(Account.id == account).values(time_zone="Asia/Tokyo"))
    run = await enrol(still, account)
    assert run is not None
    await drain(still)
    over = datetime(2026, 3, 3, 4, tzinfo=UTC)
    assert (await steps(still, run.id))[0].due_at == over
    clock.advance(over - NOW - timedelta(seconds=1))
    assert await standing(still) == ["running"]
    clock.advance(timedelta(seconds=1))
    assert await standing(still) == ["done"]


async def test_a_wait_ends_with_its_event(still: Kit, clock: FrozenClock) -> None:
    """Another answer is not meant; the step says what came and when."""
    account = await begun(still, GOOD, FINALLY)
    clock.advance(DAY)
    await answered(still, account, "no")
    await look(still, account)
    assert await standing(still) == ["running"]
    clock.advance(DAY)
    await answered(still, account)
    await look(still, account)
    assert await standing(still) == ["done"]
    [run] = await runs(still)
    found = (await steps(still, run.id))[0].result
    assert {key: found[key] for key in ("event", "happened", "since", "occurred_at")} == {
        "event": "survey.answered",
        "happened": True,
        "since": NOW.isoformat(),
        "occurred_at": (NOW + 2 * DAY).isoformat(),
    }


async def test_without_the_event_a_wait_has_its_limit(still: Kit, clock: FrozenClock) -> None:
    """What happened before the run is not meant; the step says that nothing came."""
    await apply(still, [GOOD, FINALLY])
    account = await add_account(still)
    await answered(still, account, at=NOW - timedelta(hours=1))
    assert await enrol(still, account) is not None
    await drain(still)
    await look(still, account)
    clock.advance(7 * DAY - timedelta(seconds=1))
    assert await standing(still) == ["running"]
    clock.advance(timedelta(seconds=1))
    assert await standing(still) == ["done"]
    assert (await steps(still, (await runs(still))[0].id))[0].result["happened"] is False


async def test_an_answer_that_comes_before_the_wait_begins_is_not_missed(
    still: Kit, clock: FrozenClock, vendor: Loft
) -> None:
    """Somebody answers the task's letter while the task is open: the account is looked at as soon as the wait begins.
    A further wait asks for a further answer."""
    account = await begun(still, SEND, CALL, GOOD, GOOD, FINALLY)
    clock.advance(DAY)
    await answered(still, account)
    await look(still, account)
    [task] = await tasks(still)
    async with still.transaction() as session:
        await service.complete_task(session, ADMIN, task.id, "done", now=clock.now())
    clock.advance(DAY)
    assert await standing(still) == ["running"]
    async with still.reading() as session:
        due = select(WorkItem.due_at).where(WorkItem.list == TO_SCORE, WorkItem.key == str(account))
        assert (await session.execute(due)).scalar_one() == clock.now()
    await look(still, account)
    assert await standing(still) == ["running"]
    assert (await runs(still))[0].step == 3
    await look(still, account)
    assert await standing(still) == ["running"]


async def test_a_paused_play_keeps_the_event_that_came(still: Kit, clock: FrozenClock) -> None:
    """The run goes on with the play; one whose event came behind the limit says that none came in time."""
    account = await begun(still, GOOD, FINALLY)
    late = await add_account(still, name="Late")
    assert await enrol(still, late) is not None
    await drain(still)
    async with still.transaction() as session:
        await service.pause_play(session, ADMIN, "win_back", now=clock.now())
    clock.advance(DAY)
    await answered(still, account)
    await look(still, account)
    clock.advance(7 * DAY)
    await answered(still, late)
    await look(still, account, late)
    assert await standing(still) == ["running", "running"]
    async with still.transaction() as session:
        await service.resume_play(session, ADMIN, "win_back", now=clock.now())
    assert await standing(still) == ["done", "done"]
    found = {run.account_id: (await steps(still, run.id))[0].result["happened"] for run in await runs(still)}
    assert found == {account: True, late: False}


async def test_a_run_for_a_person_waits_for_that_person(still: Kit, clock: FrozenClock) -> None:
    """The answer of another one moves their own run alone."""
    each = {"trigger": {"alert": "decline"}, "each": {"role": "champion"}, "steps": [GOOD, FINALLY]}
    await apply(still, [CALL], care=each)
    account = await add_account(still, Somebody("champion", name="Ada"), Somebody("champion", name="Bob"))
    alert = {"account_id": str(account), "alert_id": str(new_id()), "rule": "decline"}
    async with still.transaction() as session:
        await service.enrol_for_fact(session, "alert.opened", alert, now=NOW)
    await drain(still)
    async with still.reading() as session:
        ada = select(SourcePerson).join(Person, Person.id == SourcePerson.person_id).where(Person.name == "Ada")
        [source] = (await session.execute(ada)).scalars()
    clock.advance(DAY)
    await answered(still, account, people=[source.id])
    await look(still, account)
    await drain(still)
    done = {run.person_id for run in await runs(still) if run.play == "care" and run.status == "done"}
    assert done == {source.person_id}


async def test_the_number_of_statements_does_not_grow_with_the_waits(still: Kit) -> None:
    """One run that begins to wait, and whose event comes, or five, on as many accounts: as many statements."""
    await apply(still, [GOOD, FINALLY])
    engine, costs = still.database.engine.sync_engine, []
    for size in (1, 5):
        accounts = [await add_account(still, name=f"{size}.{nth}") for nth in range(size)]
        for account in accounts:
            assert await enrol(still, account) is not None
        statements: list[str] = []

        def seen(*given: Any, statements: list[str] = statements) -> None:
            statements.append(given[2])

        event.listen(engine, "before_cursor_execute", seen)
        await drain(still)
        event.remove(engine, "before_cursor_execute", seen)
        begun = len(statements)
        for account in accounts:
            await answered(still, account)
        event.listen(engine, "before_cursor_execute", seen)
        await look(still, *accounts)
        event.remove(engine, "before_cursor_execute", seen)
        costs.append((begun, len(statements) - begun))
        assert await drain(still) == size
    assert costs[0] == costs[1]

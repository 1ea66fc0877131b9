"""What follows from a fact follows once, and a reaction that fails holds up no other."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from hub import reactions
from hub.accounts.model import Account
from hub.blueprint import service as blueprints
from hub.kit import outbox
from hub.kit.clock import FrozenClock
from hub.kit.ids import new_id
from hub.kit.outbox import Fact
from hub.kit.runtime import Kit
from hub.plays.model import Run
from hub.sdk.kinds import KINDS

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PLAYS = {
    "win_back": {"trigger": {"alert": "decline"}, "steps": [{"task": "Call"}]},
    "welcome": {"trigger": {"stage": "onboarding"}, "steps": [{"task": "Greet"}]},
}


@pytest.fixture
def still(kit: Kit) -> Kit:
    """The kit, at a time that stands still."""
    return replace(kit, clock=FrozenClock(NOW))


@pytest.fixture
async def account(kit: Kit) -> UUID:
    """An account, and a blueprint with two plays."""
    async with kit.transaction() as session:
        found = Account(id=new_id(), name="Acme", time_zone="UTC", facts={}, created_at=NOW, first_seen_at=NOW)
        session.add(found)
        await blueprints.apply(session, {"blueprint": 1, "name": "test", "plays": PLAYS}, "test", NOW)
    return found.id


def alert(account: UUID, **more: Any) -> dict[str, Any]:
    return {"account_id": str(account), "alert_id": str(new_id()), "rule": "decline", **more}


async def announce(kit: Kit, topic: str, payload: dict[str, Any]) -> None:
    async with kit.transaction() as session:
        await outbox.append(session, topic, payload["account_id"], payload, now=kit.clock.now())


async def started(kit: Kit) -> list[Run]:
    async with kit.reading() as session:
        return list((await session.execute(select(Run).order_by(Run.started_at, Run.id))).scalars())


async def relay(kit: Kit) -> None:
    while await reactions.drain_outbox(kit):
        pass


async def test_a_fact_starts_the_plays_that_wait_for_it(still: Kit, account: UUID) -> None:
    """One alert, one run of the play that names it, and of no other; the run keeps what started it."""
    payload = alert(account)
    await announce(still, "alert.opened", payload)
    await relay(still)
    [run] = await started(still)
    assert (run.play, run.account_id, run.occurrence) == ("win_back", account, f"alert:{payload['alert_id']}")
    assert run.trigger == {"topic": "alert.opened", **payload}


async def test_the_same_fact_told_twice_starts_one_run(still: Kit, account: UUID) -> None:
    """Facts come at least once; what follows is the same."""
    payload = alert(account)
    for _ in range(3):
        await announce(still, "alert.opened", payload)
    await relay(still)
    assert len(await started(still)) == 1


async def test_what_a_run_caused_does_not_start_its_play_again(still: Kit, account: UUID) -> None:
    """A fact that a run brought about starts other plays, and never the same one on the account."""
    await announce(still, "alert.opened", alert(account))
    await relay(still)
    [run] = await started(still)
    stage = {"account_id": str(account), "stay_id": "s", "stage": "onboarding", "segment": "smb"}
    await announce(still, "alert.opened", alert(account, caused_by_run=str(run.id)))
    await announce(still, "stage.entered", {**stage, "caused_by_run": str(run.id)})
    await relay(still)
    assert sorted(run.play for run in await started(still)) == ["welcome", "win_back"]


async def test_a_relay_that_dies_before_it_commits_leaves_nothing(
    still: Kit, account: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its database connection is cut after it has published and reacted: the next relay does both, once."""
    await announce(still, "alert.opened", alert(account))
    react = reactions.react

    async def react_and_die(session: AsyncSession, fact: Fact, now: datetime) -> None:
        await react(session, fact, now)
        own = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        async with still.reading() as killer:
            await killer.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": own})

    monkeypatch.setattr(reactions, "react", react_and_die)
    with pytest.raises(DBAPIError):
        await reactions.drain_outbox(still)
    assert await started(still) == []
    async with still.reading() as session:
        assert await outbox.last_position(session) == 0
    monkeypatch.undo()
    await relay(still)
    assert len(await started(still)) == 1
    async with still.reading() as session:
        published = await outbox.read_after(session, 0)
    assert [fact.topic for fact in published] == ["alert.opened", "run.started"]


async def test_relays_at_once_publish_each_fact_once(still: Kit, account: UUID) -> None:
    """Eight relays race over forty facts: each is reacted to once, and positions have no gap and no double."""
    for _ in range(40):
        await announce(still, "alert.opened", alert(account))

    async def until_empty() -> None:
        while await reactions.drain_outbox(still) or await unpublished(still):
            pass

    await asyncio.gather(*(until_empty() for _ in range(8)))
    assert len(await started(still)) == 40
    async with still.reading() as session:
        positions = [fact.position for fact in await outbox.read_after(session, 0)]
    assert len(positions) == len(set(positions)) == 80


async def unpublished(kit: Kit) -> bool:
    async with kit.reading() as session:
        found = await session.execute(select(outbox.OutboxRow.id).where(outbox.OutboxRow.position.is_(None)).limit(1))
        return found.first() is not None


async def test_a_reaction_that_fails_is_repeated_and_holds_up_no_other(
    still: Kit, account: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The facts around it are published and followed; its own is tried again, later and later, until it works."""
    broken = True

    async def sometimes(session: AsyncSession, fact: Fact, now: datetime) -> None:
        await reactions.start_plays(session, fact, now)
        if broken and fact.payload["rule"] == "decline":
            raise ZeroDivisionError("a bug")

    monkeypatch.setitem(reactions.REACTIONS, "alert.opened", (sometimes,))
    await announce(still, "alert.opened", alert(account))
    stage = {"account_id": str(account), "stay_id": "s", "stage": "onboarding", "segment": "smb"}
    await announce(still, "stage.entered", stage)
    await relay(still)
    assert [run.play for run in await started(still)] == ["welcome"]

    assert await reactions.drain_facts_to_repeat(still) == 1
    assert await reactions.drain_facts_to_repeat(still) == 0
    async with still.reading() as session:
        [error] = (await session.execute(text("SELECT last_error FROM work_item WHERE list = 'facts_to_repeat'"))).one()
    assert error == "ZeroDivisionError: a bug"

    broken = False
    assert isinstance(still.clock, FrozenClock)
    still.clock.advance(timedelta(minutes=1))
    assert await reactions.drain_facts_to_repeat(still) == 1
    assert sorted(run.play for run in await started(still)) == ["welcome", "win_back"]
    still.clock.advance(timedelta(days=1))
    assert await reactions.drain_facts_to_repeat(still) == 0


def test_the_table_knows_the_facts_of_the_house() -> None:
    """Every fact of the hub that is an event kind too is in the table, under the same name."""
    own = {name for name, kind in KINDS.items() if kind.flow == "meta"} - {"thing.deleted"}
    assert own <= reactions.REACTIONS.keys()

"""The work list of accounts to score: batches, time alone, and accounts that cannot be scored."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from hub.accounts.service import TO_SCORE, mark_changed
from hub.health import jobs
from hub.health.jobs import drain_accounts_to_score
from hub.health.service import score_accounts
from hub.kit.clock import FrozenClock
from hub.kit.runtime import Kit

if TYPE_CHECKING:
    from uuid import UUID

    from tests.health.conftest import World

MIDNIGHT = datetime(2026, 6, 2, tzinfo=UTC)


def _frozen(world: World) -> tuple[Kit, FrozenClock]:
    clock = FrozenClock(world.now)
    return replace(world.kit, clock=clock), clock


async def _mark(world: World, *accounts: UUID) -> None:
    async with world.kit.transaction() as session:
        await mark_changed(session, accounts, world.now)


async def _waiting(world: World) -> list[dict[str, Any]]:
    async with world.kit.reading() as session:
        query = text("SELECT * FROM work_item WHERE list = :list ORDER BY key")
        found = await session.execute(query, {"list": TO_SCORE})
        return [dict(row) for row in found.mappings()]


async def test_marked_accounts_are_scored_and_come_back_at_midnight(world: World) -> None:
    """The batch is handled, nothing is due, and each account waits for the next day."""
    kit, _ = _frozen(world)
    accounts = [await world.account(first_seen=world.now - timedelta(days=100)) for _ in range(3)]
    await _mark(world, *accounts)
    assert await drain_accounts_to_score(kit) == 3
    assert await drain_accounts_to_score(kit) == 0
    assert {entry["due_at"] for entry in await _waiting(world)} == {MIDNIGHT}
    assert all([(await world.scores(account)) for account in accounts])


async def test_time_alone_moves_an_account(world: World) -> None:
    """Nobody does anything, and still: the milestone becomes overdue, the stage is left, at the moment it is due."""
    kit, clock = _frozen(world)
    account = await world.account(first_seen=world.now)
    await _mark(world, account)
    steps = 0
    while (await world.milestones(account)).get("setup_completed") is None or not (await world.milestones(account))[
        "setup_completed"
    ].overdue_at:
        await drain_accounts_to_score(kit)
        (entry,) = await _waiting(world)
        clock.advance(entry["due_at"] - clock.now())
        steps += 1
        assert steps < 20
    setup = (await world.milestones(account))["setup_completed"]
    assert setup.overdue_at == setup.expected_at == world.now + timedelta(days=14)


async def test_an_account_marked_meanwhile_is_scored_again(world: World) -> None:
    """A mark that comes while the batch is scored is not lost."""
    kit, _ = _frozen(world)
    account = await world.account()
    await _mark(world, account)
    async with kit.transaction() as session:
        await session.execute(text("UPDATE work_item SET generation = 5 WHERE list = :list"), {"list": TO_SCORE})
    await drain_accounts_to_score(kit)
    await _mark(world, account)
    assert await drain_accounts_to_score(kit) == 1


async def test_one_account_that_cannot_be_scored_does_not_hold_up_the_others(world: World) -> None:
    """It waits with its error, longer each time; the others are scored in the same go."""
    kit, clock = _frozen(world)
    accounts = [await world.account() for _ in range(9)]
    poisoned = accounts[4]
    async with world.kit.transaction() as session:
        refused = f"ALTER TABLE score ADD CONSTRAINT poisoned CHECK (account_id <> '{poisoned}')"
        await session.execute(text(refused))
    await _mark(world, *accounts)
    assert await drain_accounts_to_score(kit) == 9
    assert [bool(await world.scores(account)) for account in accounts] == [account != poisoned for account in accounts]
    entries = {entry["key"]: entry for entry in await _waiting(world)}
    entry = entries[str(poisoned)]
    assert (entry["due_at"], entry["attempts"], entry["leased_until"]) == (world.now + timedelta(minutes=1), 1, None)
    assert "poisoned" in entry["last_error"]
    clock.advance(timedelta(minutes=1))
    assert await drain_accounts_to_score(kit) == 1
    entries = {entry["key"]: entry for entry in await _waiting(world)}
    assert entries[str(poisoned)]["due_at"] == clock.now() + timedelta(minutes=2)


async def test_a_key_that_is_no_account_is_put_off(world: World) -> None:
    """Whatever got onto the list, it harms only itself."""
    kit, _ = _frozen(world)
    account = await world.account()
    async with world.kit.transaction() as session:
        await mark_changed(session, [account], world.now)
        await session.execute(
            text(
                "INSERT INTO work_item (list, key, due_at, generation, attempts) VALUES (:list, 'nonsense', :now, 1, 0)"
            ),
            {"list": TO_SCORE, "now": world.now},
        )
    assert await drain_accounts_to_score(kit) == 2
    assert len(await world.scores(account)) == 1


async def test_without_a_blueprint_accounts_wait(world: World) -> None:
    """Nothing is scored and nothing is lost."""
    kit, _ = _frozen(world)
    account = await world.account()
    async with world.kit.transaction() as session:
        await session.execute(text("DELETE FROM blueprint_version"))
    await _mark(world, account)
    assert await drain_accounts_to_score(kit) == 0
    assert [entry["leased_until"] for entry in await _waiting(world)] == [None]


async def test_a_merged_account_leaves_the_list(world: World) -> None:
    """It has no next look."""
    kit, _ = _frozen(world)
    account, survivor = await world.account(), await world.account()
    async with world.kit.transaction() as session:
        await session.execute(
            text("UPDATE account SET merged_into = :into WHERE id = :id"), {"into": survivor, "id": account}
        )
    await _mark(world, account, survivor)
    assert await drain_accounts_to_score(kit) == 2
    assert [entry["key"] for entry in await _waiting(world)] == [str(survivor)]


async def test_long_histories_are_replayed_in_portions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No transaction takes longer than the claims are held; everybody is scored in the same go."""
    kit, _ = _frozen(world)
    monkeypatch.setattr(jobs, "MOST_DAYS", 150)
    seen: list[int] = []

    async def counted(session: Any, blueprint: Any, account_ids: Any, now: Any, then: Any) -> Any:
        seen.append(len(account_ids))
        return await score_accounts(session, blueprint, account_ids, now, then)

    monkeypatch.setattr(jobs, "score_accounts", counted)
    accounts = [await world.account(first_seen=world.now - timedelta(days=days)) for days in (100, 100, 100, 1000, 0)]
    await _mark(world, *accounts)
    assert await drain_accounts_to_score(kit) == 5
    assert len(seen) > 3
    assert sum(seen) == 5
    assert all([(await world.scores(account)) for account in accounts])
    assert {entry["leased_until"] for entry in await _waiting(world)} == {None}

"""Accounts come back when time alone may change something, at the right moment and not before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from hub.accounts.service import TO_SCORE, mark_changed
from hub.health.jobs import drain_accounts_to_score
from hub.kit.clock import FrozenClock
from tests.health.conftest import BLUEPRINT

if TYPE_CHECKING:
    from uuid import UUID

    from tests.health.conftest import World

DAY = timedelta(days=1)
MIDNIGHT = datetime(2026, 6, 2, tzinfo=UTC)


class Hub:
    """The hub's clock and its list, driven from moment to moment."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clock = FrozenClock(world.now)
        self.kit = replace(world.kit, clock=self.clock)

    async def mark(self, *accounts: UUID) -> None:
        async with self.kit.transaction() as session:
            await mark_changed(session, accounts, self.clock.now())

    async def look(self) -> int:
        self.world.now = self.clock.now()
        return await drain_accounts_to_score(self.kit)

    async def next(self) -> dict[UUID, datetime]:
        async with self.kit.reading() as session:
            query = text("SELECT key::uuid, due_at FROM work_item WHERE list = :list")
            found = await session.execute(query, {"list": TO_SCORE})
            return {row.key: row.due_at for row in found}

    async def go_to(self, moment: datetime) -> None:
        self.clock.advance(moment - self.clock.now())


async def test_an_account_that_time_cannot_change_sleeps(world: World) -> None:
    """After the look at which nothing changed any more; the next event wakes it."""
    hub, account = Hub(world), await world.account(first_seen=world.now - 100 * DAY)
    await hub.mark(account)
    await hub.look()
    assert await hub.next() == {account: MIDNIGHT}
    await hub.go_to(MIDNIGHT)
    assert await hub.look() == 1
    assert await hub.next() == {}
    await hub.mark(account)
    assert await hub.look() == 1


async def test_an_event_that_leaves_its_window_wakes_the_account_that_night(world: World) -> None:
    """Not every day until then: after 28 days, and when those before them are over, too."""
    hub, account = Hub(world), await world.account(first_seen=world.now - 100 * DAY)
    await world.event(account, "product.used", people=2, days_ago=3)
    await hub.mark(account)
    looks = []
    await hub.look()
    while moment := (await hub.next()).get(account):
        looks.append(moment)
        await hub.go_to(moment)
        await hub.look()
    # The score has changed today and on 27 June: rules may ask for the one before, so it is looked at the day after.
    assert [(look.month, look.day) for look in looks] == [(6, 2), (6, 27), (6, 28), (7, 25)]
    assert {(look.hour, look.minute) for look in looks} == {(0, 0)}


async def test_a_milestone_wakes_its_account_at_its_very_moment(world: World) -> None:
    """To the second, in a single look; and nobody else."""
    hub, account = Hub(world), await world.account(first_seen=world.now)
    other = await world.account(first_seen=world.now - 100 * DAY)
    await hub.mark(account, other)
    await hub.look()
    await hub.go_to(world.now + 14 * DAY - timedelta(seconds=1))
    await hub.look()
    due = (await hub.next())[account]
    assert due == world.now + timedelta(seconds=1)
    await hub.go_to(due)
    assert await hub.look() == 1
    assert (await world.milestones(account))["setup_completed"].overdue_at == due


async def test_what_moves_every_day_is_looked_at_once_a_day(world: World) -> None:
    """Days since something, and rules about the days in a stage; after midnight."""
    await world.apply(
        {**BLUEPRINT, "measures": {**BLUEPRINT["measures"], "since": {"kind": "days_since", "of": ["product.used"]}}}
    )
    hub = Hub(world)
    used, young, silent = [await world.account(first_seen=world.now - age * DAY) for age in (100, 5, 100)]
    await world.event(used, "product.used", people=1)
    await hub.mark(used, young, silent)
    await hub.look()
    for days in range(3):
        await hub.go_to(MIDNIGHT + days * DAY)
        assert await hub.look() == (3 if days == 0 else 2)
    assert await hub.next() == dict.fromkeys((used, young), MIDNIGHT + 3 * DAY)


async def test_an_event_of_the_future_wakes_its_account(world: World) -> None:
    """A vendor's clock was ahead: what it said counts from the day on which it happened."""
    hub, account = Hub(world), await world.account(first_seen=world.now - 100 * DAY)
    await world.event(account, "product.used", people=4, days_ago=-9.75)
    await hub.mark(account)
    await hub.look()
    await hub.go_to(MIDNIGHT)
    await hub.look()
    assert await hub.next() == {account: MIDNIGHT + 10 * DAY}

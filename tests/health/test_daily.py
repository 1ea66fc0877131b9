"""Every day of a time at once against the hub that scored every day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from hub.blueprint import service as blueprints
from hub.health.daily import DAILY, daily

if TYPE_CHECKING:
    from uuid import UUID

    import polars as pl

    from tests.health.conftest import World

DAY = timedelta(days=1)
START = datetime(2026, 6, 1, tzinfo=UTC)
DAYS = 40


async def _daily(world: World, accounts: list[UUID], days: int = DAYS) -> pl.DataFrame:
    async with world.kit.reading() as session:
        blueprint = await blueprints.current(session)
        return await daily(session, blueprint, accounts, first=START, days=days)


async def _live(world: World, accounts: list[UUID]) -> list[tuple[Any, ...]]:
    """What the hub keeps, scoring at the end of each day."""
    kept = []
    for number in range(DAYS):
        world.now = START + number * DAY
        await world.score(*accounts)
        for account in accounts:
            row = await world.health(account)
            kept.append((str(account), world.now, row.segment, row.stage, row.micro_points, row.coverage_ppm, row.band))
    return sorted(kept)


async def test_each_day_is_what_the_hub_kept_that_day(world: World) -> None:
    """Points, coverage, stage, and the band with its memory; also where the journey has to be replayed."""
    rng = Random(5)
    accounts = [await world.account(first_seen=START - rng.randint(40, 70) * DAY) for _ in range(3)]
    for account in accounts:
        for _ in range(25):
            world.now = START + DAYS * DAY
            age = rng.randint(0, 24 * (DAYS + 30)) / 24 + 0.01
            kind = rng.choice(["product.used"] * 4 + ["survey.answered", "invoice.payment_failed", "setup.completed"])
            at = START - 100 * DAY
            await world.event(account, kind, days_ago=age, people=rng.randint(2, 9), recorded_at=at, value=6.0)
    await world.event(accounts[0], "subscription.canceled", days_ago=12)
    columns = [name for name in DAILY if name != "profile"]
    kept = await _live(world, accounts)
    noted = (await _daily(world, accounts)).select(columns).rows()
    assert noted == kept
    assert len({row[-1] for row in kept}) > 2
    async with world.kit.transaction() as session:
        await session.execute(text("DELETE FROM stay"))
    assert (await _daily(world, accounts)).select(columns).rows() == kept


async def test_nobody_and_nothing_known(world: World) -> None:
    """No accounts have no days; before an account was first seen nothing is known of it."""
    assert (await _daily(world, [])).rows() == []
    account = await world.account(first_seen=START + 2 * DAY)
    found = await _daily(world, [account], 4)
    assert found["stage"].to_list() == [None, None, "onboarding", "onboarding"]
    assert found["band"].to_list() == ["unknown", "unknown", "red", "red"]

"""Where scores are going: a week, a month, a quarter, and day by day."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from hub.access.service import SYSTEM, Role, Viewer
from hub.health.trends import TrendDirection, by_day, trends
from hub.health.vocabulary import Band
from hub.kit.errors import Invalid, NotAllowed
from tests.graphql.conftest import counted

if TYPE_CHECKING:
    from tests.health.conftest import World

DAY = timedelta(days=1)


async def test_trends_of_many_accounts(world: World) -> None:
    """Then and now of a whole page in one statement; a young account has no past, a stranger nothing at all."""
    rising, steady, young, never = [await world.account() for _ in range(4)]
    await world.event(rising, "product.used", people=5)
    await world.event(steady, "product.used", people=5)
    await world.score(rising, steady)
    world.now += 8 * DAY
    await world.event(rising, "product.used", people=9)
    await world.event(young, "product.used", people=9)
    await world.score(rising, steady, young)
    async with world.kit.reading() as session:
        with counted(world.kit) as statements:
            found = await trends(session, SYSTEM, [rising, steady, young, never], world.now)
        assert len(statements) == 1
        with pytest.raises(NotAllowed):
            await trends(session, Viewer("key:press", Role.MARKETING), [rising], world.now)
    week = {account: one[0] for account, one in found.items()}
    assert {account: trend.direction for account, trend in week.items()} == {
        rising: TrendDirection.RISING,
        steady: TrendDirection.STEADY,
        young: TrendDirection.UNKNOWN,
        never: TrendDirection.UNKNOWN,
    }
    assert (week[rising].days, week[rising].before, week[rising].after) == (7, 50_000_000, 90_000_000)
    assert week[rising].change == 40_000_000
    assert [trend.direction for trend in found[rising][1:]] == [TrendDirection.UNKNOWN] * 2


async def test_each_day_has_the_score_in_force_at_its_end(world: World) -> None:
    """Of several on a day the last; a day without one goes on with the one before; none before the first."""
    account = await world.account()
    first = world.now.date()
    for hours, people in ((0, 2), (3, 6), (72, 10)):
        await world.event(account, "product.used", people=people, days_ago=0)
        world.now += timedelta(hours=hours)
        await world.score(account)
    async with world.kit.reading() as session:
        found = (await by_day(session, SYSTEM, [account], first - DAY, first + 4 * DAY))[account]
        later = (await by_day(session, SYSTEM, [account], first + DAY, first + 2 * DAY))[account]
        for since, until in ((first, first - DAY), (first, first + 400 * DAY)):
            with pytest.raises(Invalid):
                await by_day(session, SYSTEM, [account], since, until)
    assert [(one.day - first, one.micro_points, one.band) for one in found] == [
        (0 * DAY, 60_000_000, Band.YELLOW),
        (1 * DAY, 60_000_000, Band.YELLOW),
        (2 * DAY, 60_000_000, Band.YELLOW),
        (3 * DAY, 100_000_000, Band.GREEN),
        (4 * DAY, 100_000_000, Band.GREEN),
    ]
    assert [one.day for one in later] == [first + DAY, first + 2 * DAY]

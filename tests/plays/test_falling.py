"""Rules of plays about the change of a score, where no rule of health or journeys names the same window."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from hub.blueprint import service as blueprints
from hub.health.remembering import windows_of
from hub.health.service import score_accounts
from hub.kit.runtime import Kit
from hub.plays.model import Run
from hub.plays.service import follow
from tests.health.conftest import BLUEPRINT, NOW, World

DAY = timedelta(days=1)
FALLS: dict[str, Any] = {
    **BLUEPRINT,
    "plays": {
        "falling": {"trigger": {"rule_enters": "score_change_7d <= -10"}, "steps": [{"notify": "Falling"}]},
        "many": {
            "trigger": {"rule_enters": "people_28d >= 8"},
            "steps": [{"notify": "Many people"}],
            "exit": "score_change_90d < -10",
            "goal": {"when": "score_change_30d <= -20", "within": "60d"},
        },
    },
}


async def test_the_windows_are_those_that_the_plays_name(kit: Kit) -> None:
    """A trigger, and the exit and the goal of a run whose play the blueprint has no more."""
    world = World(kit)
    await world.apply(FALLS)
    account = await world.account(first_seen=NOW - 200 * DAY)

    async def look() -> None:
        async with kit.transaction() as session:
            blueprint = await blueprints.current(session)
            assert windows_of(blueprint) == ()
            await score_accounts(session, blueprint, [account], world.now, follow)

    await world.event(account, "product.used", people=2)
    await look()
    world.now += DAY
    await world.event(account, "product.used", people=8)
    await look()
    world.now += 40 * DAY
    await world.event(account, "product.used", people=8)
    await world.event(account, "invoice.payment_failed", days_ago=0)
    await world.apply({**FALLS, "plays": {"falling": FALLS["plays"]["falling"]}})
    await look()
    async with kit.reading() as session:
        runs = {run.play: run for run in (await session.execute(select(Run))).scalars()}
        assert runs["falling"].trigger["values"] == {"score_change_7d": -20.0}
        assert (runs["many"].goal_reached_at, runs["many"].ending) == (world.now, None)

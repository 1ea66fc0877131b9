"""Rules about the change of a score: over a week, a month, a quarter, from the scores that were kept."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from hub.blueprint import service as blueprints
from hub.health.remembering import recall, windows_of
from hub.sections import check
from tests.health.conftest import BLUEPRINT

if TYPE_CHECKING:
    from uuid import UUID

    from tests.health.conftest import World

DAY = timedelta(days=1)
FALLS: dict[str, Any] = {
    **BLUEPRINT,
    "alerts": {"falls": {"when": "score_change_7d <= -10"}, "slides": {"when": "score_change_30d <= -20"}},
}


async def _rules(world: World, account: UUID) -> list[tuple[str, str, Any]]:
    return [(one.rule, one.status, one.values) for one in await world.alerts(account)]


async def test_a_fall_in_a_week_opens_an_alert_and_ends_it(world: World) -> None:
    """Ten points in seven days: open from the day of the fall until a week after; thirty days see it longer."""
    await world.apply(FALLS)
    account = await world.account(first_seen=world.now - 200 * DAY)
    await world.event(account, "product.used", people=8)
    await world.score(account)
    world.now += 31 * DAY
    await world.event(account, "product.used", people=8)
    await world.event(account, "invoice.payment_failed", days_ago=0)
    await world.score(account)
    assert await _rules(world, account) == [
        ("falls", "open", {"score_change_7d": -20.0}),
        ("slides", "open", {"score_change_30d": -20.0}),
    ]
    world.now += 7 * DAY
    await world.score(account)
    assert [(rule, status) for rule, status, _ in await _rules(world, account)] == [
        ("falls", "resolved"),
        ("slides", "open"),
    ]


async def test_without_a_score_of_then_the_change_is_unknown(world: World) -> None:
    """A young account does not fall: nothing is known of the time before it."""
    await world.apply(FALLS)
    account = await world.account()
    await world.event(account, "product.used", people=1)
    await world.score(account)
    assert await world.alerts(account) == []


async def test_only_what_rules_name_is_read(world: World) -> None:
    """The windows come from the rules; each is the score in force then, as it was known then."""
    assert windows_of(check(BLUEPRINT)) == ()
    assert windows_of(check(FALLS)) == (7, 30)
    account = await world.account()
    await world.event(account, "product.used", people=5)
    await world.score(account)
    async with world.kit.reading() as session:
        now = await recall(session, [account], (7, 30), world.now + 8 * DAY)
        before = await recall(session, [account], (7,), world.now + 8 * DAY, world.now - DAY)
        assert (await blueprints.current(session)).version == now[account].blueprint_version
    assert now[account].points == {7: 50_000_000, 30: None}
    assert (before[account].points, before[account].computed_band) == ({7: None}, None)


async def test_a_new_blueprint_is_named_as_the_cause(world: World) -> None:
    """The fact of a score that another version made says which version is new."""
    account = await world.account()
    await world.event(account, "product.used", people=5)
    await world.score(account)
    profiles = {"smb": {**BLUEPRINT["profiles"]["smb"], "caps": [{"name": "low", "when": "score > 0", "at_most": 10}]}}
    version = await world.apply({**BLUEPRINT, "profiles": profiles})
    await world.score(account)
    async with world.kit.reading() as session:
        query = text("SELECT payload->>'new_blueprint' FROM outbox WHERE topic = 'score.changed' ORDER BY id")
        assert list((await session.execute(query)).scalars()) == [None, str(version)]

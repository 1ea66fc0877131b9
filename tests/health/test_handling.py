"""What people do about alerts: once, noted, refused where it cannot be, and ended by time where time ends it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from hub.access.service import Role, Viewer
from hub.accounts.service import mark_changed
from hub.health.handling import (
    Acknowledge,
    Assign,
    Rearm,
    Resolve,
    Snooze,
    Wish,
    change_alert,
    change_alerts,
)
from hub.health.jobs import drain_accounts_to_score
from hub.health.moments import drain_health_moments
from hub.kit.clock import FrozenClock
from hub.kit.errors import Conflict, Invalid, NotAllowed, NotFound
from tests.health.conftest import BLUEPRINT

if TYPE_CHECKING:
    from hub.health.model import Alert
    from tests.health.conftest import World

CSM = Viewer("key:anna", Role.CSM)
DAY = timedelta(days=1)


def _blueprint(**rule: Any) -> dict[str, Any]:
    return {**BLUEPRINT, "alerts": {"decline": {**BLUEPRINT["alerts"]["decline"], **rule}}}


async def _alerted(world: World, **rule: Any) -> UUID:
    """An account with an open alert."""
    if rule:
        await world.apply(_blueprint(**rule))
    account = await world.account(owner="anna", first_seen=world.now - 100 * DAY)
    await world.event(account, "product.used", people=2)
    await world.event(account, "product.used", people=10, days_ago=40)
    await world.score(account)
    return account


async def _do(world: World, alert: Alert, wish: Wish, expected: int | None = None) -> Alert:
    async with world.kit.transaction() as session:
        return await change_alert(session, CSM, alert.id, wish, world.now, expected)


async def _noted(world: World) -> list[str]:
    async with world.kit.reading() as session:
        return list((await session.execute(text("SELECT action FROM audit_entry ORDER BY id"))).scalars())


async def test_it_is_given_to_somebody_once(world: World) -> None:
    """The owner changes, a second time changes nothing, and nobody is an answer too."""
    account = await _alerted(world)
    (alert,) = await world.alerts(account)
    for owner, version in (("ben", 2), ("ben", 2), (None, 3)):
        changed = await _do(world, alert, Assign(owner))
        assert (changed.owner, changed.version) == (owner, version)
    assert await _noted(world) == ["alert.assigned", "alert.assigned"]
    assert (await world.announced(account)).count("alert.assigned") == 2


async def test_a_snooze_ends_on_time_and_the_newest_one_counts(world: World) -> None:
    """Put off, and put off for longer: it is back at the second moment and not at the first."""
    clock = FrozenClock(world.now)
    kit = replace(world.kit, clock=clock)
    account = await _alerted(world)
    (alert,) = await world.alerts(account)
    await _do(world, alert, Snooze(world.now + DAY))
    await _do(world, alert, Snooze(world.now + 3 * DAY))
    clock.advance(DAY)
    await drain_health_moments(kit)
    (alert,) = await world.alerts(account)
    assert alert.snoozed_until == world.now + 3 * DAY
    clock.advance(2 * DAY)
    await drain_health_moments(kit)
    (alert,) = await world.alerts(account)
    assert (alert.snoozed_until, alert.status, alert.version) == (None, "open", 4)
    assert (await world.announced(account)).count("alert.snooze_ended") == 1


async def test_a_snoozed_alert_goes_on(world: World) -> None:
    """Its values follow, and it resolves itself; then nothing is put off any more."""
    account = await _alerted(world)
    (alert,) = await world.alerts(account)
    await _do(world, alert, Snooze(world.now + DAY))
    await world.event(account, "product.used", people=3)
    await world.score(account)
    (alert,) = await world.alerts(account)
    assert (alert.values["people_28d"], alert.snoozed_until) == (3.0, world.now + DAY)
    await world.event(account, "product.used", people=10)
    await world.score(account)
    (alert,) = await world.alerts(account)
    assert (alert.status, alert.snoozed_until) == ("resolved", None)


async def test_armed_again_some_time_after_it_was_resolved(world: World) -> None:
    """`rearm: 7d`: resolved by a person it stays quiet for a week, then opens although nothing happened meanwhile."""
    clock = FrozenClock(world.now)
    kit = replace(world.kit, clock=clock)
    account = await _alerted(world, rearm="7d")
    (alert,) = await world.alerts(account)
    await _do(world, alert, Resolve())
    clock.advance(7 * DAY - timedelta(hours=1))
    await drain_health_moments(kit)
    await drain_accounts_to_score(kit)
    assert len(await world.alerts(account)) == 1
    clock.advance(timedelta(hours=1))
    assert await drain_health_moments(kit) == 1
    await drain_accounts_to_score(kit)
    first, second = await world.alerts(account)
    assert (first.status, first.rearmed_at, second.status) == ("resolved", clock.now(), "open")


async def test_a_rule_that_holds_again_too_early_opens_its_alert_when_it_is_armed(world: World) -> None:
    """Resolved by itself, it holds again the next day: nothing opens until the week is over, and then at once."""
    clock = FrozenClock(world.now)
    kit = replace(world.kit, clock=clock)
    account = await _alerted(world, rearm="7d")
    rescued = await world.event(account, "product.used", people=10)
    await world.score(account)
    async with world.kit.transaction() as session:
        await session.execute(text("DELETE FROM event WHERE id = :id"), {"id": rescued})
    resolved_at = world.now
    world.now += DAY
    await world.score(account)
    (alert,) = await world.alerts(account)
    assert (alert.status, alert.ceased_at, alert.rearmed_at) == ("resolved", None, None)
    clock.advance(7 * DAY)
    assert await drain_health_moments(kit) == 1
    await drain_accounts_to_score(kit)
    assert [one.opened_at for one in await world.alerts(account)] == [resolved_at, resolved_at + 7 * DAY]


async def test_armed_again_when_it_has_ceased_for_long_enough(world: World) -> None:
    """`ceased_for: 7d`: a rule that flickers opens no second alert; after a quiet week it does."""
    account = await _alerted(world, rearm={"ceased_for": "7d"})
    await world.event(account, "product.used", people=10)
    await world.score(account)
    (alert,) = await world.alerts(account)
    assert (alert.status, alert.rearmed_at, alert.ceased_at) == ("resolved", None, world.now)
    world.now += 7 * DAY
    await world.score(account)
    (alert,) = await world.alerts(account)
    assert alert.rearmed_at == world.now


async def test_armed_again_by_hand(world: World) -> None:
    """`by_hand`: nothing but a person lets the rule open the next one; one that is alive cannot be armed."""
    account = await _alerted(world, rearm="by_hand")
    (alert,) = await world.alerts(account)
    with pytest.raises(Invalid):
        await _do(world, alert, Rearm())
    await _do(world, alert, Resolve())
    world.now += 30 * DAY
    await world.event(account, "product.used", people=1)
    await world.event(account, "product.used", people=10, days_ago=40)
    await world.score(account)
    assert len(await world.alerts(account)) == 1
    await _do(world, alert, Rearm())
    await world.score(account)
    assert [one.status for one in await world.alerts(account)] == ["resolved", "open"]


async def test_who_read_an_older_version_is_refused(world: World) -> None:
    """Two people decide at once: the second one is told, and nothing is overwritten."""
    account = await _alerted(world)
    (alert,) = await world.alerts(account)
    await _do(world, alert, Assign("ben"), expected=1)
    with pytest.raises(Conflict):
        await _do(world, alert, Assign("eve"), expected=1)
    (alert,) = await world.alerts(account)
    assert alert.owner == "ben"


async def test_of_several_each_is_changed_or_refused_by_itself(world: World) -> None:
    """In one transaction: those that can be are changed, and for each of the others it is said why not."""
    accounts = [await _alerted(world) for _ in range(3)]
    alerts = [(await world.alerts(account))[0] for account in accounts]
    await _do(world, alerts[1], Resolve())
    stranger = uuid4()
    async with world.kit.transaction() as session:
        ids = [*(alert.id for alert in alerts), stranger]
        handled = await change_alerts(session, CSM, ids, Acknowledge(), world.now)
    assert [alert.id for alert in handled.alerts] == [alerts[0].id, alerts[2].id]
    assert {id_: type(why) for id_, why in handled.refused.items()} == {alerts[1].id: Invalid, stranger: NotFound}
    async with world.kit.transaction() as session:
        with pytest.raises(Invalid):
            await change_alerts(session, CSM, [uuid4() for _ in range(101)], Acknowledge(), world.now)
        with pytest.raises(NotAllowed):
            await change_alerts(session, Viewer("key:eve", Role.VIEWER), [], Acknowledge(), world.now)


async def test_what_cannot_be(world: World) -> None:
    """A resolved alert is neither given away nor put off; a snooze lies ahead, and not too far."""
    account = await _alerted(world)
    (alert,) = await world.alerts(account)
    for wish in (Snooze(world.now), Snooze(world.now + 91 * DAY), Assign(" ")):
        with pytest.raises(Invalid):
            await _do(world, alert, wish)
    await _do(world, alert, Resolve())
    for wish in (Assign("ben"), Snooze(world.now + DAY), Acknowledge()):
        with pytest.raises(Invalid):
            await _do(world, alert, wish)


async def test_a_silent_executive_is_noticed_on_the_day_and_once(world: World) -> None:
    """Nobody does anything: thirty days after an executive was last seen there is one alert, and no other later."""
    measures = {
        **BLUEPRINT["measures"],
        "executive_silent_days": {
            "kind": "days_since",
            "of": [{"event": "person.signed_in", "where": {"role": ["executive", "sponsor"]}}],
        },
        "champions_left_28d": {
            "kind": "count",
            "of": [{"event": "person.removed", "where": {"role": "champion"}}],
            "window": "28d",
        },
        "exports_7d": {"kind": "count", "of": ["data.exported"], "window": "7d"},
    }
    alerts = {
        "executive_silent": {"when": "executive_silent_days >= 30", "severity": "high", "watch": True},
        "champion_left": {"when": "champions_left_28d > 0"},
        "data_export": {"when": "exports_7d >= 3", "rearm": "7d"},
    }
    await world.apply({**BLUEPRINT, "measures": measures, "alerts": alerts})
    clock = FrozenClock(world.now)
    kit = replace(world.kit, clock=clock)
    account = await world.account(first_seen=world.now - 100 * DAY)
    await world.event(account, "person.signed_in", days_ago=0, attributes={"role": "sponsor"})
    await world.event(account, "person.removed", days_ago=0, attributes={"role": "end_user"})
    await world.score(account)
    async with kit.transaction() as session:
        await mark_changed(session, [account], world.now)
    while clock.now() < world.now + 45 * DAY:
        await drain_accounts_to_score(kit)
        async with kit.reading() as session:
            due = (await session.execute(text("SELECT min(due_at) FROM work_item"))).scalar_one()
        clock.advance(due - clock.now())
    (alert,) = await world.alerts(account)
    # Thirty whole days are over at noon; accounts are looked at when the day (in UTC) begins.
    noon = world.now + 30 * DAY
    assert (alert.rule, alert.status, alert.opened_at) == ("executive_silent", "open", noon + timedelta(hours=12))
    assert (await world.announced(account)).count("alert.opened") == 1

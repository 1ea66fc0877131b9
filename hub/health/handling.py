"""What people do about alerts: see them, give them to somebody, put them off, end them, arm them again.

Each wish is decided for each alert by a pure function; what is so already changes nothing. Of many alerts each is
changed or refused by itself, in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias, assert_never
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Role, Viewer, audit
from hub.accounts.service import mark_changed
from hub.blueprint import service as blueprints
from hub.health.model import Alert, AlertStatus
from hub.health.moments import alert_changed, look_again, remember_snooze
from hub.health.rules import ready
from hub.journeys.telling import tell
from hub.kit.errors import Conflict, HubError, Invalid, NotFound
from hub.kit.paging import among

MOST_AT_ONCE: Final = 100
LONGEST_SNOOZE: Final = timedelta(days=90)
LONGEST_OWNER: Final = 200


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Somebody has seen it."""


@dataclass(frozen=True, slots=True)
class Assign:
    """Somebody looks after it from now on (None: nobody)."""

    owner: str | None


@dataclass(frozen=True, slots=True)
class Snooze:
    """Nobody is reminded of it until then (None: from now on again)."""

    until: datetime | None


@dataclass(frozen=True, slots=True)
class Resolve:
    """It is over, whatever its rule says."""


@dataclass(frozen=True, slots=True)
class Rearm:
    """It was resolved; its rule may open another one from now on."""


Wish: TypeAlias = Acknowledge | Assign | Snooze | Resolve | Rearm

TOPICS: Final[Mapping[type[Wish], str]] = {
    Acknowledge: "alert.acknowledged",
    Assign: "alert.assigned",
    Snooze: "alert.snoozed",
    Resolve: "alert.resolved",
    Rearm: "alert.rearmed",
}


@dataclass(slots=True)
class Handled:
    """What came of a wish about several alerts: each as it is now, or why it was refused."""

    alerts: list[Alert] = field(default_factory=list)
    refused: dict[UUID, HubError] = field(default_factory=dict)


async def change_alert(
    session: AsyncSession,
    viewer: Viewer,
    alert_id: UUID,
    wish: Wish,
    now: datetime,
    expected_version: int | None = None,
) -> Alert:
    """Carry out a wish about one alert.

    Raises `NotAllowed` (it takes a csm or an admin), `NotFound`, `Conflict` when the alert has another version than the
    one expected, and `Invalid` when it cannot be done (see `decide`).
    """
    handled = await change_alerts(session, viewer, [alert_id], wish, now, expected_version)
    if handled.refused:
        raise handled.refused[alert_id]
    return handled.alerts[0]


async def change_alerts(
    session: AsyncSession,
    viewer: Viewer,
    ids: Sequence[UUID],
    wish: Wish,
    now: datetime,
    expected_version: int | None = None,
) -> Handled:
    """Carry out a wish about up to 100 alerts, each by itself. Raises `NotAllowed`, and `Invalid` for too many."""
    viewer.require(Role.CSM)
    if len(set(ids)) > MOST_AT_ONCE:
        raise Invalid(f"At most {MOST_AT_ONCE} alerts are changed at once.", path=("ids",))
    query = select(Alert).where(among(Alert.id, sorted(set(ids)))).order_by(Alert.id).with_for_update()
    found = (await session.execute(query, execution_options={"populate_existing": True})).scalars()
    there = {alert.id: alert for alert in found}
    handled, changed = Handled(), []
    for id_ in dict.fromkeys(ids):
        try:
            alert = there.get(id_)
            if alert is None:
                raise NotFound("There is no such alert.")
            _expect(alert, expected_version)
            if _apply(alert, wish, viewer.actor, now):
                changed.append(alert)
            handled.alerts.append(alert)
        except HubError as refusal:
            handled.refused[id_] = refusal
    await session.flush()
    await _note(session, viewer, wish, changed, now)
    return handled


def decide(alert: Alert, wish: Wish, actor: str, now: datetime) -> dict[str, Any] | None:
    """What becomes of an alert by a wish, as new values; None when it is so already.

    Raises `Invalid`: a resolved alert can only be armed again, one that is alive cannot be; a snooze ends within 90
    days; an owner has a name.
    """
    resolved = alert.status == AlertStatus.RESOLVED
    if resolved and not isinstance(wish, Resolve | Rearm):
        raise Invalid("The alert is resolved already.", remedy="It opens again by itself when its rule holds again.")
    match wish:
        case Acknowledge():
            seen = {"status": AlertStatus.ACKNOWLEDGED, "acknowledged_at": now, "acknowledged_by": actor}
            return seen if alert.status == AlertStatus.OPEN else None
        case Assign(owner):
            owner = _named(owner)
            return {"owner": owner} if alert.owner != owner else None
        case Snooze(until):
            _bound(until, now)
            return {"snoozed_until": until} if alert.snoozed_until != until else None
        case Resolve():
            ended = {"status": AlertStatus.RESOLVED, "resolved_at": now, "resolved_by": actor, "snoozed_until": None}
            return None if resolved else ended
        case Rearm():
            if not resolved:
                raise Invalid("The alert is alive.", remedy="Resolve it first.")
            return {"rearmed_at": now} if alert.rearmed_at is None else None
    assert_never(wish)


def _apply(alert: Alert, wish: Wish, actor: str, now: datetime) -> bool:
    values = decide(alert, wish, actor, now)
    if values is None:
        return False
    for name, value in values.items():
        setattr(alert, name, value)
    alert.updated_at, alert.version = now, alert.version + 1
    return True


def _expect(alert: Alert, version: int | None) -> None:
    if version is not None and alert.version != version:
        raise Conflict(
            f"The alert has changed meanwhile: it has version {alert.version}, not {version}.",
            remedy="Read it again, and decide anew.",
        )


def _named(owner: str | None) -> str | None:
    if owner is None:
        return None
    owner = owner.strip()
    if not owner or len(owner) > LONGEST_OWNER or "\x00" in owner:
        raise Invalid(f"An owner is a text of 1 to {LONGEST_OWNER} characters.", path=("owner",))
    return owner


def _bound(until: datetime | None, now: datetime) -> None:
    if until is not None and until <= now:
        raise Invalid("The snooze would have ended already.", remedy="Give a later moment.", path=("until",))
    if until is not None and until > now + LONGEST_SNOOZE:
        raise Invalid(f"A snooze lasts {LONGEST_SNOOZE.days} days at most.", path=("until",))


async def _note(session: AsyncSession, viewer: Viewer, wish: Wish, changed: Sequence[Alert], now: datetime) -> None:
    """The audit log, the facts, and what time has to do about it."""
    if not changed:
        return
    topic, more = TOPICS[type(wish)], _details(wish)
    for alert in changed:
        details = {"alert_id": str(alert.id), **more}
        await audit(session, viewer, topic, f"account:{alert.account_id}", details, now=now)
    facts = [
        alert_changed(topic, one.id, one.account_id, one.rule, viewer.actor, now, version=one.version, **more)
        for one in changed
    ]
    await tell(session, facts, now)
    match wish:
        case Snooze(until) if until is not None:
            await remember_snooze(session, changed, until)
        case Resolve():
            await _remember_rearming(session, changed, now)
        case Rearm():
            await mark_changed(session, {alert.account_id for alert in changed}, now)
        case _:
            pass


async def _remember_rearming(session: AsyncSession, resolved: Sequence[Alert], now: datetime) -> None:
    """An alert that may open again some time after it was resolved does so on time, although nothing happens."""
    if not await blueprints.in_force(session):
        return
    rules = {rule.name: rule.definition.rearm for rule in ready(await blueprints.current(session)).alerts}
    for alert in resolved:
        if alert.rule in rules and (span := rules[alert.rule].after) is not None:
            await look_again(session, alert.account_id, f"rearm-{alert.id}", now + span)


def _details(wish: Wish) -> dict[str, Any]:
    match wish:
        case Assign(owner):
            return {"owner": _named(owner)}
        case Snooze(until):
            return {"until": until.isoformat() if until else None}
        case _:
            return {}

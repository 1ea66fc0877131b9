"""Moments at which something ends by itself although nothing happens: an override runs out, a snooze is over, an alert
that a person resolved may open again.

Each is an entry of a work list, due at that moment; whatever ended meanwhile in another way is left as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.service import mark_changed
from hub.health.model import Alert, AlertStatus, BandOverride
from hub.health.store import THE_HUB
from hub.journeys.telling import Told, tell
from hub.kit import work
from hub.kit.paging import among
from hub.kit.runtime import Kit

MOMENTS: Final = "health_moments"
"""The work list; its keys are `override:ID`, `snooze:ID:VERSION` and `look:ACCOUNT:WHY`."""

BATCH: Final = 500
LEASE: Final = timedelta(seconds=30)


async def remember_override(session: AsyncSession, override: BandOverride) -> None:
    """See to it that the override ends on time."""
    await work.mark(session, MOMENTS, [f"override:{override.id}"], due_at=override.until)


async def remember_snooze(session: AsyncSession, alerts: Sequence[Alert], until: datetime) -> None:
    """See to it that the alerts are brought back to mind on time."""
    await work.mark(session, MOMENTS, [f"snooze:{alert.id}:{alert.version}" for alert in alerts], due_at=until)


async def look_again(session: AsyncSession, account_id: UUID, why: str, at: datetime) -> None:
    """See to it that the account is scored at that moment, whatever else happens; `why` tells occasions apart."""
    await work.mark(session, MOMENTS, [f"look:{account_id}:{why}"], due_at=at)


async def drain_health_moments(kit: Kit) -> int:
    """End what is over by now, a batch in one transaction; returns how many moments were handled."""
    now = kit.clock.now()
    async with kit.transaction() as session:
        claims = await work.claim(session, MOMENTS, limit=BATCH, now=now, lease=LEASE)
        named: dict[str, list[UUID]] = {"override": [], "snooze": [], "look": []}
        for claim in claims:
            sort, id_, *_ = claim.key.split(":")
            named[sort].append(UUID(id_))
        told = [
            *await _end_overrides(session, named["override"], now),
            *await _end_snoozes(session, named["snooze"], now),
        ]
        await tell(session, told, now)
        concerned = {UUID(one.account_id) for one in told if one.topic == "band.override_ended"} | {*named["look"]}
        await mark_changed(session, concerned, now)
        await work.finish(session, claims)
    return len(claims)


async def _end_overrides(session: AsyncSession, ids: list[UUID], now: datetime) -> list[Told]:
    if not ids:
        return []
    ended = await session.execute(
        update(BandOverride)
        .where(among(BandOverride.id, ids), BandOverride.ended_at.is_(None), BandOverride.until <= now)
        .values(ended_at=BandOverride.until, ended_by=THE_HUB)
        .returning(BandOverride.id, BandOverride.account_id, BandOverride.band)
    )
    return [override_ended(id_, account_id, band, THE_HUB, now) for id_, account_id, band in ended]


async def _end_snoozes(session: AsyncSession, ids: list[UUID], now: datetime) -> list[Told]:
    if not ids:
        return []
    ended = await session.execute(
        update(Alert)
        .where(among(Alert.id, ids), Alert.snoozed_until <= now, Alert.status != AlertStatus.RESOLVED)
        .values(snoozed_until=None, updated_at=now, version=Alert.version + 1)
        .returning(Alert.id, Alert.account_id, Alert.rule, Alert.version)
    )
    return [
        alert_changed("alert.snooze_ended", id_, account_id, rule, THE_HUB, now, version=version)
        for id_, account_id, rule, version in ended
    ]


def override_ended(override_id: UUID, account_id: UUID, band: str, by: str, now: datetime) -> Told:
    """An override is over: it ran out, or a person took it back."""
    facts = {"override_id": str(override_id), "band": band, "by": by}
    return Told(
        "band.override_ended",
        str(account_id),
        occurred_at=now,
        natural_key=f"band.override_ended:{override_id}",
        title=f"The band is no longer overridden as {band}",
        attributes=facts,
        payload=facts,
    )


def alert_changed(
    topic: str,
    alert_id: UUID,
    account_id: UUID,
    rule: str,
    by: str,
    now: datetime,
    *,
    version: int | None = None,
    **more: Any,
) -> Told:
    """What somebody (or the hub) did to an alert; `version` tells apart what may happen to it
    more than once."""
    facts = {"alert_id": str(alert_id), "rule": rule, "by": by, **more}
    return Told(
        topic,
        str(account_id),
        occurred_at=now,
        natural_key=f"{topic}:{alert_id}:{version}" if version else f"{topic}:{alert_id}",
        title=f"Alert {topic.partition('.')[2].replace('_', ' ')}: {rule}",
        attributes=facts,
        payload=facts,
    )

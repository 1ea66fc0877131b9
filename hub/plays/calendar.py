"""Times of the calendar where accounts are: when a cron expression came last, and when it comes next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from cronsim import CronSim
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.model import Account
from hub.kit.paging import among


def around(cron: str, time_zone: str, moment: datetime) -> tuple[datetime, datetime]:
    """The last time of the expression that had come by the moment, itself included, and the next one behind it; both in
    UTC, the expression read in the time zone."""
    local = moment.astimezone(ZoneInfo(time_zone))
    # cronsim counts in minutes and gives times strictly before: the whole minute counts as come.
    last = next(CronSim(cron, local.replace(second=0, microsecond=0) + timedelta(seconds=1), reverse=True))
    return last.astimezone(UTC), next(CronSim(cron, local)).astimezone(UTC)


def between(cron: str, time_zone: str, after: datetime, until: datetime) -> list[datetime]:
    """The times of the expression behind one moment and not behind another, in UTC."""
    found, times = [], CronSim(cron, after.astimezone(ZoneInfo(time_zone)))
    while (at := next(times).astimezone(UTC)) <= until:
        found.append(at)
    return found


async def time_zones(session: AsyncSession, account_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The time zone of each account. One statement."""
    found = await session.execute(select(Account.id, Account.time_zone).where(among(Account.id, account_ids)))
    return dict(found.all())

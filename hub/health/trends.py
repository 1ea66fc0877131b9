"""Where scores are going: over a week, a month and a quarter, and day by day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Viewer
from hub.accounts.queries import READERS
from hub.health.remembering import WINDOWS, recall
from hub.health.scoring import MICRO
from hub.health.vocabulary import Band
from hub.kit.errors import Invalid

STEADY: Final = MICRO
"""A change of less than a point is no trend."""

MOST_DAYS: Final = 400


class TrendDirection(StrEnum):
    """Where a score is going."""

    RISING = "rising"
    STEADY = "steady"
    FALLING = "falling"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Trend:
    """A score some days ago and now, in micro-points (None: unknown, or not scored yet)."""

    days: int
    before: int | None
    after: int | None

    @property
    def change(self) -> int | None:
        """By how many micro-points it changed; None where one of the two is unknown."""
        return None if self.before is None or self.after is None else self.after - self.before

    @property
    def direction(self) -> TrendDirection:
        if self.change is None:
            return TrendDirection.UNKNOWN
        if abs(self.change) < STEADY:
            return TrendDirection.STEADY
        return TrendDirection.RISING if self.change > 0 else TrendDirection.FALLING


@dataclass(frozen=True, slots=True)
class DayScore:
    """The score in force at the end of a day (UTC). `micro_points` is None while the band is unknown."""

    day: date
    score_id: UUID
    micro_points: int | None
    band: Band
    computed_band: Band


async def trends(
    session: AsyncSession, viewer: Viewer, account_ids: Sequence[UUID], at: datetime
) -> dict[UUID, tuple[Trend, ...]]:
    """The change of each account's score over each of `WINDOWS` up to a moment. One statement for all accounts."""
    viewer.require(*READERS)
    found = await recall(session, account_ids, WINDOWS, at)
    return {
        account_id: tuple(Trend(days, one.points[days], one.micro_points) for days in WINDOWS)
        for account_id, one in found.items()
    }


async def by_day(
    session: AsyncSession, viewer: Viewer, account_ids: Sequence[UUID], since: date, until: date
) -> dict[UUID, list[DayScore]]:
    """The score of each day from `since` to `until`, both counted; days before the first score are left out.

    One statement for all accounts. Raises `Invalid` for more than 400 days.
    """
    viewer.require(*READERS)
    days = check_days(since, until)
    rows = await session.execute(
        text(
            "SELECT a.id AS account_id, s.* FROM unnest(CAST(:ids AS uuid[])) AS a(id) CROSS JOIN LATERAL ("
            f"(SELECT {_COLUMNS} FROM score WHERE account_id = a.id AND as_of < :since ORDER BY {_NEWEST} LIMIT 1) "
            f"UNION ALL (SELECT DISTINCT ON (as_of::date) {_COLUMNS} FROM score WHERE account_id = a.id "
            f"AND as_of >= :since AND as_of < :until ORDER BY as_of::date DESC, {_NEWEST})) AS s "
            "ORDER BY a.id, s.as_of"
        ),
        {"ids": list(account_ids), "since": _begins(since), "until": _begins(until + timedelta(days=1))},
    )
    kept: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        kept[row.account_id].append(row)
    return {account_id: _filled(found, since, days) for account_id, found in kept.items()}


_COLUMNS: Final = "as_of, id AS score_id, micro_points, band, computed_band"
_NEWEST: Final = "as_of DESC, recorded_at DESC, id DESC"


def check_days(since: date, until: date) -> int:
    """How many days there are, both counted. Raises `Invalid` for none, and for more than 400."""
    days = (until - since).days + 1
    if not 1 <= days <= MOST_DAYS:
        raise Invalid(f"A series has 1 to {MOST_DAYS} days.", remedy="Ask for other days.", path=("since",))
    return days


def _filled(rows: list[Any], since: date, days: int) -> list[DayScore]:
    """A score stays in force until the next one."""
    after = since + timedelta(days=days)
    starts = [max(row.as_of.astimezone(UTC).date(), since) for row in rows]
    return [
        DayScore(since + timedelta(days=nth), row.score_id, row.micro_points, Band(row.band), Band(row.computed_band))
        for row, (first, last) in zip(rows, pairwise([*starts, after]), strict=True)
        for nth in range((first - since).days, (last - since).days)
    ]


def _begins(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)

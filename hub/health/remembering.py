"""What a batch has to remember of its accounts besides the score that stands: the band that the score itself gave, a
person's word against it, and the scores of a week, a month and a quarter ago.

It is one statement, and it reads only as many old scores as the rules of the blueprint name (`score_change_30d < -10`).
An old score is the one that was in force then; where there was none, or the band was unknown, the change is unknown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from uuid import UUID

import polars as pl
from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint.service import Blueprint
from hub.health.rating import COMPUTED_BEFORE
from hub.health.rules import ready
from hub.health.scoring import MICRO
from hub.health.terms import Override
from hub.health.vocabulary import Band
from hub.journeys import rules as journeys
from hub.kit.db import fetch
from hub.kit.ids import read_id
from hub.measures.rules import Rule

WINDOWS: Final = (7, 30, 90)
"""Over how many days the change of a score is a fact for rules, and a trend on the screen."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one account: the micro-points of its newest score (None: unknown, or never scored), the band that the score
    gave, the version of the blueprint, the override in force, and by number of days the micro-points of then."""

    micro_points: int | None = None
    computed_band: str | None = None
    blueprint_version: int | None = None
    override: Override | None = None
    points: Mapping[int, int | None] = field(default_factory=dict)


async def recall(
    session: AsyncSession,
    account_ids: Collection[UUID],
    windows: Sequence[int],
    as_of: datetime,
    known_at: datetime | None = None,
) -> dict[UUID, Memory]:
    """What is to be remembered of each account as of a moment, and as known at another (None: all that is known)."""
    columns = "".join(f", score_{days}.micro_points" for days in windows)
    laterals = " ".join(
        f"LEFT JOIN LATERAL (SELECT micro_points {_IN_FORCE} ${nth} {_NEWEST}) AS score_{days} ON true"
        for nth, days in enumerate(windows, start=4)
    )
    found = await fetch(
        session,
        "SELECT a.id, newest.micro_points, newest.computed_band, newest.blueprint_version, "
        f"o.id, o.band, o.reason, o.made_by, o.made_at, o.until{columns} "
        "FROM unnest($1::uuid[]) AS a(id) "
        "LEFT JOIN LATERAL (SELECT micro_points, computed_band, blueprint_version "
        f"{_IN_FORCE} $2 {_NEWEST}) AS newest ON true "
        "LEFT JOIN LATERAL (SELECT * FROM band_override WHERE account_id = a.id AND made_at <= $2 "
        "AND made_at <= $3 AND until > $2 "
        "AND (ended_at IS NULL OR ended_at > $2 OR ended_at > $3) "
        f"ORDER BY made_at DESC, id DESC LIMIT 1) AS o ON true {laterals}",
        list(account_ids),
        as_of,
        known_at or _EVER,
        *(as_of - timedelta(days=days) for days in windows),
    )
    return {
        account_id: Memory(
            points,
            computed_band,
            version,
            Override(override_id, Band(band), *said) if override_id else None,
            dict(zip(windows, then, strict=True)),
        )
        for account_id, points, computed_band, version, override_id, band, *rest in found
        for said, then in [(rest[:4], rest[4:])]
    }


_IN_FORCE: Final = "FROM score WHERE account_id = a.id AND recorded_at <= $3 AND as_of <="
_NEWEST: Final = "ORDER BY as_of DESC, recorded_at DESC, id DESC LIMIT 1"
_EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)


def overrides(memory: Mapping[UUID, Memory]) -> dict[UUID, Override]:
    """The overrides in force, by account."""
    return {account_id: one.override for account_id, one in memory.items() if one.override is not None}


@lru_cache(maxsize=16)
def windows_of(blueprint: Blueprint) -> tuple[int, ...]:
    """The windows whose change some rule of segments, journeys, caps, purple or alerts asks for."""
    named = frozenset[str]().union(*(rule.names for rule in _rules(blueprint)))
    return tuple(days for days in WINDOWS if change_name(days) in named)


def change_name(days: int) -> str:
    """What rules call the change of the score over so many days, in points."""
    return f"score_change_{days}d"


def with_memory(frame: pl.DataFrame, memory: Mapping[UUID, Memory]) -> pl.DataFrame:
    """Adds the band that the score gave before, and the changes up to `score` (points) as far as they were recalled."""
    nothing = Memory()
    recalled = [memory.get(read_id(account_id), nothing) for account_id in frame["account_id"]]
    bands = pl.Series(COMPUTED_BEFORE, [one.computed_band for one in recalled], dtype=pl.String)
    return with_changes(frame.with_columns(bands), memory)


def with_changes(frame: pl.DataFrame, memory: Mapping[UUID, Memory]) -> pl.DataFrame:
    """Adds, or works out anew, the changes up to `score`. Taken between whole micro-points, so ten points are ten."""
    windows = next((tuple(one.points) for one in memory.values()), ())
    return frame.with_columns(_change(frame, memory, days) for days in windows)


async def with_asked(session: AsyncSession, frame: pl.DataFrame, rules: Iterable[Rule], now: datetime) -> pl.DataFrame:
    """`frame` (accounts with their `score`) with those changes that the rules name and it lacks: for rules that stand
    above health, as those of plays. One statement, or none where nothing lacks."""
    named = frozenset[str]().union(*(rule.names for rule in rules)) - set(frame.columns)
    missing = [days for days in WINDOWS if change_name(days) in named]
    if not missing or frame.is_empty():
        return frame
    return with_changes(frame, await recall(session, [UUID(id_) for id_ in frame["account_id"]], missing, now))


def _change(frame: pl.DataFrame, memory: Mapping[UUID, Memory], days: int) -> pl.Series:
    then = (memory[read_id(id_)].points.get(days) if read_id(id_) in memory else None for id_ in frame["account_id"])
    changes = [
        None if before is None or score is None else (round(score * MICRO) - before) / MICRO
        for score, before in zip(frame["score"], then, strict=True)
    ]
    return pl.Series(change_name(days), changes, dtype=pl.Float64)


def _rules(blueprint: Blueprint) -> Iterator[Rule]:
    health, world = ready(blueprint), journeys.ready(blueprint)
    yield from (alert.rule for alert in health.alerts)
    for profile in health.profiles.values():
        yield from (rule for _, rule in profile.caps)
        if profile.purple is not None:
            yield profile.purple
    yield from (rule for _, rule in world.segments if rule is not None)
    for journey in world.journeys.values():
        yield from (rule for _, rule in journey.transitions)
        for milestones in journey.milestones.values():
            yield from (milestone.rule for milestone in milestones if milestone.rule is not None)

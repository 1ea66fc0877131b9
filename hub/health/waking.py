"""When to look at an account again although nothing happens: when time alone may change something.

- A milestone becomes overdue at its very moment.
- What moves all the time (days since something, days until a date, a rule that names the days in a stage) is looked at
  once a day, after midnight UTC. So is a score that has just changed, since rules may ask for the one before.
- What is counted in windows is looked at after midnight of the day on which the next event leaves or comes in.
- An account for which none of this holds sleeps until something happens to it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, time, timedelta
from functools import lru_cache
from typing import Final
from uuid import UUID

import polars as pl
from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint.service import Blueprint
from hub.health.rules import ready
from hub.health.section import Profiles
from hub.journeys import service as journeys
from hub.journeys.rules import ready as ready_map
from hub.journeys.section import ANY
from hub.kit.ids import read_id
from hub.measures.rules import Rule
from hub.measures.service import Catalogue, daily_measures, next_changes

STILL: Final = frozenset({"segment", "stage", "band", "score", "owner"})
"""What rules may ask of an account, besides measures, that time alone does not change."""

DAY: Final = timedelta(days=1)


async def next_looks(
    session: AsyncSession, blueprint: Blueprint, frame: pl.DataFrame, changed: Collection[UUID], now: datetime
) -> dict[UUID, datetime]:
    """When to look at each account again; one that may sleep is left out. `frame` is as `journeys.progress` gives it.

    One statement for all accounts that do not move every day, and none when all do.
    """
    tomorrow = midnight_after(now)
    looks: dict[UUID, datetime] = {}
    quiet: list[UUID] = []
    moving = _moving(blueprint, frame)
    columns = (frame["account_id"], moving, frame[journeys.DEADLINE])
    for account, moves, deadline in zip(*columns, strict=True):
        account_id = read_id(account)
        if deadline is not None:
            looks[account_id] = deadline
        if moves or account_id in changed:
            looks[account_id] = min(looks.get(account_id, tomorrow), tomorrow)
        else:
            quiet.append(account_id)
    catalogue = blueprint.section("measures", Catalogue)
    for account_id, moment in (await next_changes(session, catalogue, quiet, as_of=now)).items():
        look = midnight_after(moment - timedelta(microseconds=1))
        looks[account_id] = min(looks.get(account_id, look), look)
    return looks


def midnight_after(moment: datetime) -> datetime:
    """The next end of a day, UTC."""
    return datetime.combine(moment.date(), time.min, moment.tzinfo) + DAY


def _moving(blueprint: Blueprint, frame: pl.DataFrame) -> pl.Series:
    """Which accounts are looked at every day."""
    dated = daily_measures(blueprint.section("measures", Catalogue))
    places = [_moves(blueprint, *place) for place in frame.select("segment", "stage").iter_rows()]
    has_date = pl.any_horizontal(pl.lit(False), *(pl.col(name).is_not_null() for name in dated))
    return frame.select(has_date | pl.Series("moves", places, dtype=pl.Boolean)).to_series()


@lru_cache(maxsize=1024)
def _moves(blueprint: Blueprint, segment: str | None, stage: str | None) -> bool:
    """Whether a rule that concerns accounts in this stage names what moves by itself."""
    names = blueprint.section("measures", Catalogue).names | STILL
    return any(rule.names - names for rule in _rules(blueprint, segment, stage))


def _rules(blueprint: Blueprint, segment: str | None, stage: str | None) -> list[Rule]:
    world, health = ready_map(blueprint), ready(blueprint)
    rules = [rule for _, rule in world.segments if rule is not None] + [alert.rule for alert in health.alerts]
    if segment is not None and stage is not None and segment in world.journeys:
        journey = world.journeys[segment]
        rules += [rule for transition, rule in journey.transitions if transition.from_ in (stage, ANY)]
        rules += [one.rule for one in journey.milestones.get(stage, ()) if one.rule is not None]
    profile = health.profiles.get(blueprint.section("profiles", Profiles).name_for(segment, stage) or "")
    if profile is not None:
        rules += [rule for _, rule in profile.caps] + ([profile.purple] if profile.purple is not None else [])
    return rules

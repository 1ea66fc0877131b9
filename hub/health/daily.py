"""The health of many accounts at the end of every day of a time, e.g. to test a profile against what became of them.

Measures, stages and points are worked out for all days at once. Only what remembers the day before goes day by day: the
caps, whose rules may ask for the score before, and the bands with their hysteresis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import polars as pl
from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint.service import Blueprint
from hub.health.rating import in_points, judged, profile_names
from hub.health.remembering import WINDOWS, change_name
from hub.health.rules import ReadyProfile, ready
from hub.health.scoring import MICRO, totals
from hub.health.section import Profiles
from hub.health.vocabulary import Band
from hub.journeys import service as journeys
from hub.journeys.rules import known_names
from hub.measures.division import quotient
from hub.measures.service import Catalogue, series

DAILY: dict[str, pl.DataType | type[pl.DataType]] = {
    "account_id": pl.String,
    "as_of": pl.Datetime("us", "UTC"),
    "segment": pl.String,
    "stage": pl.String,
    "profile": pl.String,
    "micro_points": pl.Int64,
    "coverage_ppm": pl.Int64,
    "band": pl.String,
}
"""The columns of `daily`."""


async def daily(
    session: AsyncSession,
    blueprint: Blueprint,
    account_ids: Sequence[UUID],
    *,
    first: datetime,
    days: int,
    known_at: datetime | None = None,
) -> pl.DataFrame:
    """The health of the accounts under a blueprint at `first` and each day after it, as known at `known_at`.

    A row for each account and day, by account and day, with the columns of `DAILY`; nothing is written. The band of the
    day before is that of the row before: before the first day there is none. Stages are those that the hub noted, or
    those of a replay where it noted none. Cost: four statements and one for each batch of replayed accounts, memory for
    accounts × days × measures.
    """
    found = await _worked_out(session, blueprint, account_ids, first=first, days=days, known_at=known_at)
    return pl.DataFrame(schema=DAILY) if found.is_empty() else found.select(*DAILY).sort("account_id", "as_of")


async def days_known(
    session: AsyncSession,
    blueprint: Blueprint,
    account_ids: Sequence[UUID],
    *,
    first: datetime,
    days: int,
) -> pl.DataFrame:
    """The days of `daily` with everything that a rule may name: measures, facts, the score that each day gave (in
    points) and how it had changed. Days before an account was first seen are left out."""
    found = await _worked_out(session, blueprint, account_ids, first=first, days=days)
    if found.is_empty():
        return pl.DataFrame(schema={**dict.fromkeys(sorted(known_names(blueprint)), pl.String), **DAILY})
    found = found.sort("account_id", "as_of")
    found = found.with_columns(in_points(found["micro_points"]))
    changes = (
        quotient((pl.col("micro_points") - pl.col("micro_points").shift(span)).over("account_id"), float(MICRO)).alias(
            change_name(span)
        )
        for span in WINDOWS
    )
    return found.with_columns(changes).filter(pl.col("days_known") > 0)


async def _worked_out(
    session: AsyncSession,
    blueprint: Blueprint,
    account_ids: Sequence[UUID],
    *,
    first: datetime,
    days: int,
    known_at: datetime | None = None,
) -> pl.DataFrame:
    """The days one behind the other, each with everything that was known; `score` is that of the day before."""
    catalogue = blueprint.section("measures", Catalogue)
    measures = await series(session, catalogue, account_ids, first=first, days=days, known_at=known_at)
    if measures.is_empty():
        return measures
    frame = await journeys.placed_daily(session, blueprint, measures, known_at)
    # Days one behind the other, each with the same accounts in the same order.
    frame = frame.sort("as_of", "account_id")
    names = profile_names(frame, blueprint.section("profiles", Profiles))
    frame = frame.with_columns(names.alias("profile"))
    scored = _scored(frame, ready(blueprint).profiles)
    return _day_by_day(frame.hstack(scored), ready(blueprint).profiles, days)


def _scored(frame: pl.DataFrame, profiles: Mapping[str, ReadyProfile]) -> pl.DataFrame:
    """`micro_points` before caps and `coverage_ppm`, row by row; without a profile nothing is known."""
    rows = frame.with_row_index("row of day")
    parts = [
        rows.filter(pl.col("profile").is_null()).select(
            "row of day", pl.lit(None, pl.Int64).alias("micro_points"), pl.lit(0, pl.Int64).alias("coverage_ppm")
        )
    ]
    for name in frame["profile"].drop_nulls().unique().sort():
        mine = rows.filter(pl.col("profile") == name)
        parts.append(mine.select("row of day").hstack(totals(profiles[name].definition, mine)))
    return pl.concat(parts).sort("row of day").drop("row of day")


def _day_by_day(frame: pl.DataFrame, profiles: Mapping[str, ReadyProfile], days: int) -> pl.DataFrame:
    size = frame.height // days
    before = pl.DataFrame({"score": [None] * size, "band": [None] * size}, schema={"score": float, "band": str})
    found = []
    for number in range(days):
        day = frame.slice(number * size, size).drop("score", "band", strict=False).hstack(before)
        rated = _rated(day, profiles)
        found.append(day.drop("micro_points", "band").hstack(rated))
        before = pl.DataFrame([in_points(rated["micro_points"]), rated["band"]])
    return pl.concat(found)


def _rated(day: pl.DataFrame, profiles: Mapping[str, ReadyProfile]) -> pl.DataFrame:
    """`micro_points` and `band` of every account of one day."""
    rows = day.with_row_index("row of day")
    unknown = {"micro_points": pl.lit(None, pl.Int64), "band": pl.lit(Band.UNKNOWN.value)}
    parts = [rows.filter(pl.col("profile").is_null()).select("row of day", **unknown)]
    for (name,), mine in rows.filter(pl.col("profile").is_not_null()).group_by("profile", maintain_order=True):
        scored = mine.select("micro_points", "coverage_ppm")
        health = judged(scored, mine.drop("micro_points", "coverage_ppm"), profiles[str(name)])
        parts.append(mine.select("row of day").hstack(health.select("micro_points", "band")))
    return pl.concat(parts).sort("row of day").drop("row of day")

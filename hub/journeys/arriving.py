"""Accounts that arrive with a history: their journey until now is replayed, and written as if the hub had been there.

Every stay and milestone gets the date at which its rule began to hold, to the end of a day (UTC); milestones that are
events, and what was overdue, to the moment. What happened is told on the timeline at its date, but is no news: plays
and alerts start by what happens from now on, so nobody welcomes a customer of three years.

Scores are not replayed: to a rule of the past `score` and `band` are unknown, as the hub had given none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import Final
from uuid import UUID

import polars as pl
from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint.service import Blueprint
from hub.journeys import store
from hub.journeys.chronicle import facts_of
from hub.journeys.milestones import sought
from hub.journeys.progress import FIRST_SEEN
from hub.journeys.replay import ENTERED, MOMENT, History, days_since, held_first, milestones_then, replay
from hub.journeys.rules import measures_needed, ready
from hub.journeys.stays import Staying
from hub.journeys.telling import tell
from hub.measures.section import Catalogue
from hub.measures.service import series

DAY: Final = timedelta(days=1)

POINTS: Final = 200_000
"""Accounts × days that are worked through at once: some ten megabytes, whatever the number of measures."""

LONGEST: Final = 3660
"""Days looked at one by one; what is older than these ten years counts from the first of them."""

NEWS: Final = DAY
"""How old a fact about the present stay may be and still be announced: what is found at the end of a day is."""


async def arrive(
    session: AsyncSession, blueprint: Blueprint, strangers: pl.DataFrame, now: datetime
) -> dict[str, Staying]:
    """Replay the journeys of accounts that have no stay, until the end of yesterday, and write them.

    `strangers` has `account_id`, `owner` and `first seen at`. Returns the present stay of those that entered one; who
    was first seen today has no past. Statements: seven for each batch of `POINTS`.
    """
    entered: dict[str, Staying] = {}
    for batch in batches(strangers, now):
        first_seen = dict(zip(batch["account_id"], batch[FIRST_SEEN], strict=True))
        frame = await past(session, blueprint, batch, yesterday(now))
        history = replay(frame, ready(blueprint), first_seen)
        entered |= await _write(session, blueprint, frame, history, now)
    return entered


def yesterday(now: datetime) -> datetime:
    """The last end of a day (00:00 UTC) before `now`."""
    midnight = datetime.combine(now.date(), time.min, now.tzinfo)
    return midnight if midnight < now else midnight - DAY


def batches(strangers: pl.DataFrame, now: datetime) -> Iterator[pl.DataFrame]:
    """The accounts that have a past, those with an equally long one together."""
    last = yesterday(now)
    old = strangers.filter(pl.col(FIRST_SEEN) <= last).sort(FIRST_SEEN, "account_id")
    start = 0
    while start < old.height:
        size = max(1, POINTS // days_of(old[FIRST_SEEN][start], last))
        yield old.slice(start, size)
        start += size


def days_of(first_seen: datetime, last: datetime) -> int:
    """How many ends of days there are from the moment on; the last one counts."""
    return min((last - first_seen) // DAY + 1, LONGEST)


async def past(
    session: AsyncSession,
    blueprint: Blueprint,
    accounts: pl.DataFrame,
    last: datetime,
    *,
    catalogue: Catalogue | None = None,
    known_at: datetime | None = None,
) -> pl.DataFrame:
    """The table of a replay: a row for each account and end of a day since it was first seen, until `last`, with the
    measures of the catalogue (those that the journeys need) and what rules may ask besides."""
    count = max(days_of(first, last) for first in accounts[FIRST_SEEN])
    measures = await series(
        session,
        catalogue or measures_needed(blueprint),
        [UUID(account_id) for account_id in accounts["account_id"]],
        first=last - (count - 1) * DAY,
        days=count,
        known_at=known_at,
    )
    frame = measures.join(
        accounts.select("account_id", "owner", FIRST_SEEN), on="account_id", how="inner", maintain_order="left"
    ).filter(pl.col(MOMENT) >= pl.col(FIRST_SEEN))
    return frame.with_columns(
        days_since(FIRST_SEEN).alias("days_known"),
        pl.lit(None, pl.Float64).alias("score"),
        pl.lit(None, pl.String).alias("band"),
    )


async def replayed(
    session: AsyncSession, blueprint: Blueprint, strangers: pl.DataFrame, as_of: datetime, known_at: datetime | None
) -> dict[str, Staying]:
    """The stay that a replay until the end of the day before `as_of` puts each account in; nothing is written."""
    found: dict[str, Staying] = {}
    for batch in batches(strangers, as_of):
        first_seen = dict(zip(batch["account_id"], batch[FIRST_SEEN], strict=True))
        frame = await past(session, blueprint, batch, yesterday(as_of), known_at=known_at)
        found |= replay(frame, ready(blueprint), first_seen).current
    return found


async def placed_daily(
    session: AsyncSession,
    blueprint: Blueprint,
    accounts: pl.DataFrame,
    frame: pl.DataFrame,
    known_at: datetime | None,
) -> pl.DataFrame:
    """`frame` (`account_id`, `as_of`, measures; by both) with `segment`, `stage`, `days_in_stage`, `days_known` and
    `owner` at each moment: where the hub noted the account to be, or else where a replay puts it."""
    last: datetime = frame[MOMENT][-1]
    ids = [UUID(account_id) for account_id in accounts["account_id"]]
    stays = [ready(blueprint).renamed(stay) for stay in await store.all_stays(session, ids, known_at)]
    noted = {stay.account_id for stay in stays}
    strangers = accounts.filter(~pl.col("account_id").is_in(list(noted)))
    for batch in batches(strangers, last + timedelta(microseconds=1)):
        first_seen = dict(zip(batch["account_id"], batch[FIRST_SEEN], strict=True))
        days = await past(session, blueprint, batch, yesterday(last + timedelta(microseconds=1)), known_at=known_at)
        stays += list(replay(days, ready(blueprint), first_seen))
    return _at_each_moment(frame.join(accounts, on="account_id", how="inner", maintain_order="left"), stays)


def _at_each_moment(frame: pl.DataFrame, stays: Sequence[Staying]) -> pl.DataFrame:
    """The stay of each row is the last one entered by then."""
    entered = pl.DataFrame(
        [(stay.account_id, stay.entered_at, stay.segment, stay.stage) for stay in stays],
        schema={
            "account_id": pl.String,
            ENTERED: pl.Datetime("us", "UTC"),
            "segment": pl.String,
            "stage": pl.String,
        },
        orient="row",
    ).unique(["account_id", ENTERED], keep="last", maintain_order=True)
    placed = frame.join_asof(
        entered.sort("account_id", ENTERED),
        left_on=MOMENT,
        right_on=ENTERED,
        by="account_id",
        check_sortedness=False,
        coalesce=False,
    )
    return placed.with_columns(
        days_since(ENTERED).alias("days_in_stage"), days_since(FIRST_SEEN).alias("days_known")
    ).drop(ENTERED, FIRST_SEEN)


async def _write(
    session: AsyncSession, blueprint: Blueprint, frame: pl.DataFrame, history: History, now: datetime
) -> dict[str, Staying]:
    """Write stays and milestones and tell them; of an account that somebody else let in meanwhile, nothing."""
    world, last = ready(blueprint), yesterday(now)
    opened = await store.enter(session, list(history.current.values()), blueprint.version, now)
    current = {account_id: stay for account_id, stay in history.current.items() if stay.id in opened}
    history = History({id_: history.stays[id_] for id_ in current}, history.rows)
    stays = list(history)
    await store.enter(session, [stay for stay in stays if stay.left_at is not None], blueprint.version, now)
    reached = held_first(frame, world, history)
    reached |= await store.first_events(session, sought(world, stays, {}, last))
    kept = milestones_then(world, history, reached, last)
    await store.keep_milestones(session, kept)
    await tell(session, facts_of(stays, kept, {stay.id: stay for stay in stays}, news_since=now - NEWS), now)
    return current

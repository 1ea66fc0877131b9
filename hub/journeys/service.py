"""Moving accounts along their journeys, a batch at a time: load where they are, decide, write what changed, tell it.

The number of statements does not depend on the number of accounts. Everything is written under a unique key (one
current stay for an account, one row for a milestone of a stay), so looking twice changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import polars as pl
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.knowing import known_accounts
from hub.blueprint.service import Blueprint
from hub.journeys import arriving, milestones, store
from hub.journeys.chronicle import facts_of
from hub.journeys.milestones import Known, MilestoneState, Progress, StayStatus
from hub.journeys.progress import FIRST_SEEN, STAY_ID, at_stays, days_between, move
from hub.journeys.rules import ready
from hub.journeys.section import Journeys
from hub.journeys.stays import Staying
from hub.journeys.telling import tell
from hub.kit.ids import read_id

__all__ = [
    "DEADLINE",
    "StayStatus",
    "days_to_replay",
    "facts",
    "placed_at",
    "placed_daily",
    "progress",
    "status_of",
    "would_place",
]

DEADLINE = "next deadline"
"""A column beside measures and facts; with a space in its name it is no measure's."""

FACTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "account_id": pl.String,
    "owner": pl.String,
    "days_known": pl.Float64,
    FIRST_SEEN: pl.Datetime("us", "UTC"),
}


async def facts(
    session: AsyncSession, account_ids: Sequence[UUID], as_of: datetime, known_at: datetime | None = None
) -> pl.DataFrame:
    """What rules may ask of accounts besides measures, one row each, sorted: the columns of `FACTS`.

    Accounts that do not exist, or were merged into others at `known_at` (None: now), are left out; `owner` is who was
    known to own the account then.
    """
    found = await known_accounts(session, account_ids, known_at)
    rows = [(str(one.id), one.owner, days_between(one.first_seen_at, as_of), one.first_seen_at) for one in found]
    return pl.DataFrame(rows, schema=FACTS, orient="row")


async def progress(session: AsyncSession, blueprint: Blueprint, frame: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Move the accounts of `frame` along their journeys and note their milestones.

    `frame` has one row for each account: the measures, the columns of `facts`, and `score` and `band` as they were
    before. Returned are the same rows with `segment`, `stage`, `days_in_stage` (null: the account is on no journey) and
    `DEADLINE`, the moment at which a milestone of the present stay becomes overdue (null: none does).

    An account without a stay enters its journey when it was first seen, and what it did since then is replayed
    (`arriving`); several transitions may follow one another.
    Facts told: `stage.entered`, `milestone.reached`, `milestone.overdue`.
    """
    world = ready(blueprint)
    ids = [read_id(account_id) for account_id in frame["account_id"]]
    first_seen = dict(zip(frame["account_id"], frame[FIRST_SEEN], strict=True))
    await store.begin_when_seen(session, first_seen)
    stays = {id_: world.renamed(stay) for id_, stay in (await store.current_stays(session, ids)).items()}
    stays |= await arriving.arrive(session, blueprint, frame.filter(~pl.col("account_id").is_in(list(stays))), now)
    known: Known = await store.milestones_of(session, stays.values())
    moves = move(frame, world, stays, first_seen, now)

    reached = milestones.held(world, frame, moves.touched, known, now)
    reached |= await store.first_events(session, milestones.sought(world, moves.touched, known, now))
    changed = milestones.follow(world, moves.touched, known, reached, now)

    await store.leave(session, [stay for stay in moves.left if stay.id in {old.id for old in stays.values()}])
    opened = await store.enter(session, moves.entered, blueprint.version, now)
    refused = {stay.id for stay in moves.entered} - opened
    changed = [one for one in changed if one.stay_id not in refused]
    await store.keep_milestones(session, changed)
    newly = [one for one in changed if one.reached_at or _is_newly_overdue(one, known)]
    entered = [stay for stay in moves.entered if stay.id in opened]
    await tell(session, facts_of(entered, newly, {stay.id: stay for stay in moves.touched}), now)
    return _with_deadlines(_placed(frame, moves.current.values(), now), moves.current.values(), known, changed)


async def days_to_replay(session: AsyncSession, account_ids: Sequence[UUID], now: datetime) -> dict[UUID, int]:
    """How many days of history each of the accounts that have no stay brings along."""
    found = await session.execute(
        text(
            "SELECT a.id, a.first_seen_at FROM account a WHERE a.id = ANY(CAST(:ids AS uuid[])) "
            "AND NOT EXISTS (SELECT FROM stay s WHERE s.account_id = a.id)"
        ),
        {"ids": list(account_ids)},
    )
    return {id_: arriving.days_of(first_seen, now) for id_, first_seen in found if first_seen <= now}


async def would_place(session: AsyncSession, blueprint: Blueprint, frame: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """`frame` (as in `progress`) with `segment`, `stage` and `days_in_stage` as `progress` would leave them. Nothing is
    written."""
    ids = [read_id(account_id) for account_id in frame["account_id"]]
    first_seen = dict(zip(frame["account_id"], frame[FIRST_SEEN], strict=True))
    stays = await store.current_stays(session, ids)
    return _placed(frame, move(frame, ready(blueprint), stays, first_seen, now).current.values(), now)


async def placed_at(
    session: AsyncSession, blueprint: Blueprint, frame: pl.DataFrame, as_of: datetime, known_at: datetime | None
) -> pl.DataFrame:
    """`frame` (as in `progress`) with `segment`, `stage` and `days_in_stage` as of `as_of`, as known at `known_at`.

    They are those that the hub noted (None: all that it noted until now). An account of which it had noted nothing is
    placed as if it were met for the first time then, and its history replayed. Nothing is written.
    """
    first_seen = dict(zip(frame["account_id"], frame[FIRST_SEEN], strict=True))
    found = await store.stays_at(session, first_seen, as_of, known_at)
    noted = {account_id: ready(blueprint).renamed(stay) for account_id, stay in found.items()}
    strangers = frame.filter(~pl.col("account_id").is_in(list(noted)))
    past = await arriving.replayed(session, blueprint, strangers, as_of, known_at)
    met = move(strangers, ready(blueprint), past, first_seen, as_of).current
    return _placed(frame, [*noted.values(), *met.values()], as_of)


async def placed_daily(
    session: AsyncSession, blueprint: Blueprint, measures: pl.DataFrame, known_at: datetime | None
) -> pl.DataFrame:
    """A table of accounts and days (`account_id`, `as_of`, measures; by both) with what rules may ask besides measures,
    the score and band excepted; see `arriving.placed_daily`."""
    ids = [read_id(account_id) for account_id in measures["account_id"].unique(maintain_order=True)]
    accounts = (await facts(session, ids, measures["as_of"][-1], known_at)).drop("days_known")
    return await arriving.placed_daily(session, blueprint, accounts, measures, known_at)


def status_of(
    blueprint: Blueprint,
    segment: str,
    stage: str,
    entered_at: datetime,
    states: Iterable[MilestoneState],
    now: datetime,
) -> StayStatus:
    """How a stay goes (on track, behind, stuck) by the limits of its stage and its milestones."""
    journey = blueprint.section("journeys", Journeys).root.get(segment)
    return milestones.status(journey.stages.get(journey.called(stage)) if journey else None, entered_at, states, now)


def _placed(frame: pl.DataFrame, stays: Iterable[Staying], as_of: datetime) -> pl.DataFrame:
    stays = list(stays)
    placed = at_stays(frame.select("account_id"), stays, as_of).drop(STAY_ID)
    return frame.join(placed, on="account_id", how="left", maintain_order="left")


def _is_newly_overdue(one: Progress, known: Known) -> bool:
    before = known.get((one.stay_id, one.milestone))
    return one.overdue_at is not None and (before is None or before.overdue_at is None)


def _with_deadlines(
    frame: pl.DataFrame, stays: Iterable[Staying], known: Known, changed: Sequence[Progress]
) -> pl.DataFrame:
    present = {stay.id for stay in stays}
    after = {**known, **{(one.stay_id, one.milestone): one for one in changed}}
    deadlines: dict[str, datetime] = {}
    for one in after.values():
        if one.stay_id in present and one.expected_at and one.reached_at is None and one.overdue_at is None:
            deadlines[one.account_id] = min(deadlines.get(one.account_id, one.expected_at), one.expected_at)
    column = [deadlines.get(account_id) for account_id in frame["account_id"]]
    return frame.with_columns(pl.Series(DEADLINE, column, dtype=pl.Datetime("us", "UTC")))

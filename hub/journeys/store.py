"""Reading and writing stays and milestones, many at once: each function is one statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Table, select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from hub.journeys.milestones import Progress, Reached, Sought
from hub.journeys.model import MilestoneProgress, Stay
from hub.journeys.stays import Staying
from hub.kit.db import driver_connection, fetch, insert_rows, json_text
from hub.kit.paging import among
from hub.measures.fragments import Fragments, Question

STAY: Table = Stay.__table__  # type: ignore[assignment]  # a mapped class's table is a Table
MILESTONE: Table = MilestoneProgress.__table__  # type: ignore[assignment]  # as above


FIRST = "first_seen"
"""Why an account is in its first stay."""


async def current_stays(session: AsyncSession, account_ids: Sequence[UUID]) -> dict[str, Staying]:
    """The stay that each account is in, by account; accounts that have entered no stage are left out.

    Why it was entered is not read: nobody asks, and reading its JSON is most of the cost.
    """
    found = await fetch(
        session,
        "SELECT s.id, s.account_id::text, s.segment, s.stage, s.entered_at, NOT EXISTS (SELECT FROM stay earlier "
        "WHERE earlier.account_id = s.account_id AND earlier.left_at IS NOT NULL), s.blueprint_version "
        "FROM stay s WHERE s.account_id = ANY($1::uuid[]) AND s.left_at IS NULL",
        list(account_ids),
    )
    return {
        account_id: Staying(id_, account_id, segment, stage, entered_at, None, is_first, {}, version)
        for id_, account_id, segment, stage, entered_at, is_first, version in found
    }


async def begin_when_seen(session: AsyncSession, first_seen: Mapping[str, datetime]) -> None:
    """Let the first stay of each account begin when the account was first seen, as far as that is known now.

    Older events arrive late all the time (a backfill reads the newest page first), and the order of arrival must not
    decide when a journey began; a merge that is undone takes its past away again. Nobody begins in the future: then the
    moment counts at which the hub noticed. Milestones that are neither reached nor overdue move by as much.
    """
    await session.execute(
        text(
            "WITH moved AS (UPDATE stay SET entered_at = f.at "
            "FROM (SELECT s.id, s.entered_at AS before, least(a.at, s.recorded_at) AS at FROM stay s "
            "JOIN unnest(CAST(:ids AS uuid[]), CAST(:moments AS timestamptz[])) AS a(id, at) ON a.id = s.account_id "
            "WHERE s.because->>'reason' = 'first_seen' AND s.entered_at <> least(a.at, s.recorded_at) "
            "FOR UPDATE OF s) AS f "
            "WHERE stay.id = f.id RETURNING stay.id, f.before - f.at AS by) "
            "UPDATE milestone_progress SET expected_at = expected_at - moved.by FROM moved "
            "WHERE stay_id = moved.id AND reached_at IS NULL AND overdue_at IS NULL"
        ),
        {"ids": list(first_seen), "moments": list(first_seen.values())},
    )


async def stays_at(
    session: AsyncSession, first_seen: Mapping[str, datetime], as_of: datetime, known_at: datetime | None
) -> dict[str, Staying]:
    """The stay that each account was in at `as_of`, as far as it was known at `known_at` (None: now), by account.

    It is the last one entered by then: when a stay was left is known from the entry of the next. At that moment it had
    not been left. `first_seen` is when each account was first seen, as known then: its first stay begins there (see
    `begin_when_seen`), whatever has become known since.
    """
    is_first = STAY.c.because["reason"].astext == FIRST
    ids = [UUID(account_id) for account_id in first_seen]
    query = select(STAY).where(among(STAY.c.account_id, ids), (STAY.c.entered_at <= as_of) | is_first)
    if known_at is not None:
        query = query.where(STAY.c.recorded_at <= known_at)
    newest_first = query.order_by(STAY.c.account_id, is_first, STAY.c.entered_at.desc(), STAY.c.id.desc())
    found = {}
    for row in await session.execute(newest_first.ext(distinct_on(STAY.c.account_id))):
        stay = replace(_staying(row), left_at=None)
        if stay.because["reason"] == FIRST:
            stay = replace(stay, entered_at=min(first_seen[stay.account_id], row.recorded_at))
        if stay.entered_at <= as_of:
            found[stay.account_id] = stay
    return found


async def all_stays(session: AsyncSession, account_ids: Sequence[UUID], known_at: datetime | None) -> list[Staying]:
    """All stays of the accounts that were known at `known_at` (None: now), by account, entry and id."""
    query = select(STAY).where(among(STAY.c.account_id, account_ids))
    if known_at is not None:
        query = query.where(STAY.c.recorded_at <= known_at)
    found = await session.execute(query.order_by(STAY.c.account_id, STAY.c.entered_at, STAY.c.id))
    return [_staying(row) for row in found]


async def milestones_of(session: AsyncSession, stays: Iterable[Staying]) -> dict[tuple[UUID, str], Progress]:
    """What is kept of the milestones of the stays, by stay and milestone."""
    found = await session.execute(select(MILESTONE).where(among(MILESTONE.c.stay_id, [stay.id for stay in stays])))
    return {
        (row.stay_id, row.milestone): Progress(
            row.stay_id,
            row.milestone,
            str(row.account_id),
            row.expected_at,
            row.reached_at,
            row.overdue_at,
            row.evidence or None,
        )
        for row in found
    }


async def first_events(session: AsyncSession, wanted: Sequence[Sought]) -> dict[tuple[UUID, str], Reached]:
    """The first event that proves each of the milestones; those without one are left out.

    Reads the events of the accounts whose milestones are open, from the beginning of the stay. One statement: what the
    milestones ask of attributes stands in it once for each way of asking.
    """
    if not wanted:
        return {}
    fragments = Fragments(Question(None, wanted[0].until, None))
    numbers = {repr(one.where): one.where for one in wanted if one.where}
    filters = "".join(f"WHEN {nth} THEN {fragments.where(where)} " for nth, where in enumerate(numbers.values()))
    chosen = f"AND CASE w.filter {filters}ELSE TRUE END " if filters else ""
    rows = [_wanted(one, list(numbers).index(repr(one.where)) if one.where else None) for one in wanted]
    statement = (
        "SELECT w.stay_id, w.milestone, first.occurred_at, first.source_account_id, first.id "
        f"FROM jsonb_to_recordset({fragments.bind(json_text(rows), 'jsonb')}) AS w(stay_id uuid, milestone text, "
        "account_id uuid, kind text, since timestamptz, until timestamptz, filter int) CROSS JOIN LATERAL ("
        "SELECT e.occurred_at, e.source_account_id, e.id FROM source_account s "
        "JOIN event e ON e.source_account_id = s.id WHERE s.account_id = w.account_id AND e.kind = w.kind "
        "AND e.occurred_at >= coalesce(w.since, '-infinity') AND e.occurred_at <= w.until "
        f"AND e.retracted_at IS NULL {chosen}ORDER BY e.occurred_at, e.id LIMIT 1) AS first"
    )
    driver = await driver_connection(session)
    found = await driver.fetch(statement, *fragments.parameters)
    return {
        (stay_id, milestone): Reached(at, {"events": [{"source_account_id": str(place), "id": str(event)}]})
        for stay_id, milestone, at, place, event in found
    }


def _wanted(one: Sought, filter_: int | None) -> dict[str, Any]:
    return {
        "stay_id": one.stay_id,
        "milestone": one.milestone,
        "account_id": one.account_id,
        "kind": one.kind,
        "since": one.since,
        "until": one.until,
        "filter": filter_,
    }


async def leave(session: AsyncSession, stays: Sequence[Staying]) -> None:
    """Close stays, unless somebody closed them already."""
    if stays:
        await session.execute(
            text(
                "UPDATE stay SET left_at = l.left_at "
                "FROM unnest(CAST(:ids AS uuid[]), CAST(:moments AS timestamptz[])) AS l(id, left_at) "
                "WHERE stay.id = l.id AND stay.left_at IS NULL"
            ),
            {"ids": [stay.id for stay in stays], "moments": [stay.left_at for stay in stays]},
        )


async def enter(session: AsyncSession, stays: Sequence[Staying], blueprint_version: int, now: datetime) -> set[UUID]:
    """Open stays; returns the ids of those opened. A second current stay of an account is never opened."""
    rows = [
        {
            "id": stay.id,
            "account_id": stay.account_id,
            "segment": stay.segment,
            "stage": stay.stage,
            "entered_at": stay.entered_at,
            "recorded_at": now,
            "left_at": stay.left_at,
            "because": stay.because,
            "blueprint_version": blueprint_version,
        }
        for stay in stays
    ]
    return {row.id for row in await insert_rows(session, STAY, rows, returning=("id",))}


async def keep_milestones(session: AsyncSession, changed: Sequence[Progress]) -> None:
    """Insert or update milestones; what was reached or overdue already stays as it was."""
    rows: list[dict[str, Any]] = [
        {
            "stay_id": progress.stay_id,
            "milestone": progress.milestone,
            "account_id": progress.account_id,
            "expected_at": progress.expected_at,
            "reached_at": progress.reached_at,
            "overdue_at": progress.overdue_at,
            "evidence": progress.evidence or {},
        }
        for progress in changed
    ]
    await insert_rows(
        session,
        MILESTONE,
        rows,
        on_conflict="(stay_id, milestone) DO UPDATE SET "
        "expected_at = excluded.expected_at, "
        "reached_at = coalesce(milestone_progress.reached_at, excluded.reached_at), "
        "overdue_at = coalesce(milestone_progress.overdue_at, excluded.overdue_at), "
        "evidence = CASE WHEN milestone_progress.reached_at IS NULL THEN excluded.evidence "
        "ELSE milestone_progress.evidence END",
    )


def _staying(row: Row[Any]) -> Staying:
    return Staying(row.id, str(row.account_id), row.segment, row.stage, row.entered_at, row.left_at, False, row.because)

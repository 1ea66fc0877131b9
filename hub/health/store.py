"""Reading and writing scores, alerts and the watch list, many at once: each function is one statement (one COPY)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Table, case, delete, func, select, text, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.health.alerts import AlertChanges, StandingAlert
from hub.health.model import Alert, Health, Score, Watch, WatchStep
from hub.health.results import Result, Standing
from hub.health.vocabulary import AlertStatus, Band, WatchStatus
from hub.health.watching import Entry
from hub.kit.db import driver_connection, fetch, insert_rows, json_text
from hub.kit.paging import among, each

SCORE: Table = Score.__table__  # type: ignore[assignment]  # a mapped class's table is a Table
HEALTH: Table = Health.__table__  # type: ignore[assignment]  # as above
ALERT: Table = Alert.__table__  # type: ignore[assignment]  # as above
WATCH: Table = Watch.__table__  # type: ignore[assignment]  # as above
WATCH_STEP: Table = WatchStep.__table__  # type: ignore[assignment]  # as above

THE_HUB = "hub"
"""Who resolved an alert that resolved itself."""


@dataclass(frozen=True, slots=True)
class Watched:
    """An account's entry on the watch list, with its id."""

    id: UUID
    entry: Entry


async def hold(session: AsyncSession, account_ids: Collection[UUID]) -> dict[UUID, Standing]:
    """The health of the accounts, each locked until the transaction ends; accounts never scored are left out.

    Locked in the order of their ids, so that two batches that overlap wait for each other and never for ever.
    """
    return await _standings(session, account_ids, lock=True)


async def standings(session: AsyncSession, account_ids: Collection[UUID]) -> dict[UUID, Standing]:
    """The same to look at only."""
    return await _standings(session, account_ids, lock=False)


async def _standings(session: AsyncSession, account_ids: Collection[UUID], *, lock: bool) -> dict[UUID, Standing]:
    found = await fetch(
        session,
        "SELECT account_id, score_id, micro_points, band, scored_at, changed_at, digest FROM health "
        f"WHERE account_id = ANY($1::uuid[]) ORDER BY account_id{' FOR UPDATE' if lock else ''}",
        list(account_ids),
    )
    return {
        account_id: Standing(score_id, points, Band(band), scored_at, changed_at, digest)
        for account_id, score_id, points, band, scored_at, changed_at, digest in found
    }


async def remembered(session: AsyncSession, account_ids: Collection[UUID]) -> dict[UUID, Standing]:
    """The newest score of accounts without health, as if it still stood; accounts never scored are left out."""
    if not account_ids:
        return {}
    account = each(list(account_ids))
    newest = (
        select(SCORE)
        .where(SCORE.c.account_id == account.c.id)
        .order_by(SCORE.c.as_of.desc(), SCORE.c.recorded_at.desc(), SCORE.c.id.desc())
        .limit(1)
        .lateral("newest")
    )
    found = await session.execute(select(newest).select_from(account.join(newest, true())))
    return {
        row.account_id: Standing(row.id, row.micro_points, Band(row.band), row.as_of, row.as_of, b"") for row in found
    }


async def keep_health(
    session: AsyncSession, results: Sequence[Result], held: Collection[UUID], now: datetime
) -> set[UUID]:
    """Write the newest health; returns the accounts for which it was written.

    Those not in `held` are new: when somebody else has scored one meanwhile, theirs stands and ours is dropped.
    """
    if not results:
        return set()
    columns = {
        "account_id": ("uuid", [one.account_id for one in results]),
        "score_id": ("uuid", [one.score_id for one in results]),
        "micro_points": ("bigint", [one.micro_points for one in results]),
        "coverage_ppm": ("bigint", [one.coverage_ppm for one in results]),
        "band": ("text", [str(one.band) for one in results]),
        "segment": ("text", [one.segment for one in results]),
        "stage": ("text", [one.stage for one in results]),
        "changed_at": ("timestamptz", [one.changed_at for one in results]),
        "digest": ("bytea", [one.digest for one in results]),
        "revenue_minor": ("bigint", [one.revenue_minor for one in results]),
    }
    arrays = ", ".join(f"CAST(:{name} AS {kind}[])" for name, (kind, _) in columns.items())
    names = ", ".join(columns)
    updates = ", ".join(f"{name} = excluded.{name}" for name in (*columns, "scored_at") if name != "account_id")
    found = await session.execute(
        text(
            f"INSERT INTO health ({names}, scored_at) SELECT {names}, CAST(:now AS timestamptz) "
            f"FROM unnest({arrays}) AS r({names}) ORDER BY account_id "
            f"ON CONFLICT (account_id) DO UPDATE SET {updates} "
            "WHERE health.account_id = ANY(CAST(:held AS uuid[])) RETURNING account_id"
        ),
        {name: values for name, (_, values) in columns.items()} | {"held": list(held), "now": now},
    )
    return {account_id for (account_id,) in found}


async def confirm_health(session: AsyncSession, results: Sequence[Result], now: datetime) -> set[UUID]:
    """Note of accounts that are held, and whose score stands, that they were looked at; returns them."""
    if not results:
        return set()
    ids = [one.account_id for one in results]
    await session.execute(
        text(
            "UPDATE health SET scored_at = :now, revenue_minor = r.revenue_minor "
            "FROM unnest(CAST(:ids AS uuid[]), CAST(:revenues AS bigint[])) AS r(account_id, revenue_minor) "
            "WHERE health.account_id = r.account_id"
        ),
        {"ids": ids, "revenues": [one.revenue_minor for one in results], "now": now},
    )
    return set(ids)


async def keep_scores(session: AsyncSession, results: Sequence[Result], version: int, now: datetime) -> None:
    """Write scores by COPY, straight into the table: their ids are new, so none can be there already."""
    if not results:
        return
    rows = [
        (
            one.score_id,
            one.account_id,
            now,
            now,
            one.micro_points,
            one.coverage_ppm,
            str(one.band),
            str(one.computed_band),
            one.segment,
            one.stage,
            one.profile,
            one.terms,
            version,
        )
        for one in results
    ]
    columns = (
        "id",
        "account_id",
        "as_of",
        "recorded_at",
        "micro_points",
        "coverage_ppm",
        "band",
        "computed_band",
        "segment",
        "stage",
        "profile",
        "terms",
        "blueprint_version",
    )
    driver = await driver_connection(session)
    await driver.copy_records_to_table(SCORE.name, records=rows, columns=list(columns))


async def standing_alerts(session: AsyncSession, account_ids: Collection[UUID]) -> list[StandingAlert]:
    """The alerts of the accounts that are alive or not yet armed again, without the hub's own (`own_alerts`)."""
    found = await session.execute(
        select(
            ALERT.c.id,
            ALERT.c.account_id,
            ALERT.c.rule,
            ALERT.c.status,
            ALERT.c["values"],
            ALERT.c.resolved_at,
            ALERT.c.ceased_at,
        ).where(among(ALERT.c.account_id, list(account_ids)), ALERT.c.rearmed_at.is_(None), ~ALERT.c.rule.like("hub.%"))
    )
    return [
        StandingAlert(id_, str(account_id), rule, AlertStatus(status), values, resolved_at, ceased_at)
        for id_, account_id, rule, status, values, resolved_at, ceased_at in found
    ]


async def open_alerts(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> set[UUID]:
    """Insert alerts; returns the ids of those that are open now. One whose like is standing is left out."""
    return {row.id for row in await insert_rows(session, ALERT, rows, returning=("id",))}


async def update_alerts(session: AsyncSession, changes: AlertChanges, now: datetime) -> None:
    """Write the present values of alerts whose rules go on holding."""
    if changes.updated:
        rows = [{"id": alert.id, "values": values} for alert, values in changes.updated]
        await session.execute(
            text(
                'UPDATE alert SET "values" = u."values", updated_at = :now '
                'FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS u(id uuid, "values" jsonb) WHERE alert.id = u.id'
            ),
            {"rows": json_text(rows), "now": now},
        )


async def end_alerts(session: AsyncSession, changes: AlertChanges, now: datetime) -> set[UUID]:
    """Note whose rules ceased to hold or hold again, arm what is to be armed again, and resolve what is to be resolved;
    returns the alerts that were alive until now."""
    moved = {alert.id for alert in (*changes.rearmed, *changes.ceased, *changes.resumed)}
    if moved:
        rearmed, resumed = ([alert.id for alert in alerts] for alerts in (changes.rearmed, changes.resumed))
        await session.execute(
            update(ALERT)
            .where(among(ALERT.c.id, list(moved)))
            .values(
                rearmed_at=case((among(ALERT.c.id, rearmed), now), else_=ALERT.c.rearmed_at),
                ceased_at=case((among(ALERT.c.id, resumed), None), else_=func.coalesce(ALERT.c.ceased_at, now)),
            )
        )
    if not changes.resolved:
        return set()
    found = await session.execute(
        update(ALERT)
        .where(among(ALERT.c.id, [alert.id for alert in changes.resolved]), ALERT.c.status != AlertStatus.RESOLVED)
        .values(**_RESOLVED, resolved_at=now, resolved_by=THE_HUB, updated_at=now)
        .returning(ALERT.c.id)
    )
    return {id_ for (id_,) in found}


_RESOLVED = {"status": AlertStatus.RESOLVED, "snoozed_until": None, "version": ALERT.c.version + 1}


async def watched(session: AsyncSession, account_ids: Collection[UUID]) -> dict[str, Watched]:
    """The entries of the accounts that are on the watch list, by account."""
    found = await fetch(
        session,
        "SELECT account_id, id, status, reasons::text, revenue_at_risk_minor FROM watch "
        "WHERE account_id = ANY($1::uuid[]) AND ended_at IS NULL",
        list(account_ids),
    )
    return {
        str(account_id): Watched(id_, Entry(WatchStatus(status), tuple(orjson.loads(reasons)), revenue))
        for account_id, id_, status, reasons, revenue in found
    }


async def enter_watch(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> set[UUID]:
    """Put accounts on the watch list; returns the ids of the new entries. None is on it twice."""
    return {row.id for row in await insert_rows(session, WATCH, rows, returning=("id",))}


async def update_watch(session: AsyncSession, changed: Sequence[tuple[Watched, Entry]], now: datetime) -> set[UUID]:
    """Write changed entries that are still on the list; returns their ids."""
    if not changed:
        return set()
    rows = [
        {
            "id": before.id,
            "status": entry.status,
            "moved": entry.status is not before.entry.status,
            "ended": entry.ended,
            "reasons": entry.reasons,
            "revenue": entry.revenue_minor,
        }
        for before, entry in changed
    ]
    found = await session.execute(
        text(
            "UPDATE watch SET reasons = u.reasons, revenue_at_risk_minor = u.revenue, "
            "status = CASE WHEN u.moved THEN u.status ELSE watch.status END, "
            "status_since = CASE WHEN u.moved THEN :now ELSE watch.status_since END, "
            "version = watch.version + CASE WHEN u.moved THEN 1 ELSE 0 END, "
            "ended_at = CASE WHEN u.ended THEN CAST(:now AS timestamptz) END "
            "FROM jsonb_to_recordset(CAST(:rows AS jsonb)) "
            "AS u(id uuid, status text, moved boolean, ended boolean, reasons jsonb, revenue bigint) "
            "WHERE watch.id = u.id AND watch.ended_at IS NULL RETURNING watch.id"
        ),
        {"rows": json_text(rows), "now": now},
    )
    return {id_ for (id_,) in found}


async def keep_steps(session: AsyncSession, steps: Sequence[Mapping[str, Any]]) -> None:
    """Note the statuses that entries of the watch list took."""
    await insert_rows(session, WATCH_STEP, steps)


async def currencies(session: AsyncSession, account_ids: Collection[UUID]) -> dict[UUID, str]:
    """The currency of the newest event with money of each account; accounts without any are left out."""
    if not account_ids:
        return {}
    found = await session.execute(
        text(
            "SELECT DISTINCT ON (s.account_id) s.account_id, e.currency FROM source_account s "
            "JOIN event e ON e.source_account_id = s.id WHERE s.account_id = ANY(CAST(:ids AS uuid[])) "
            "AND e.currency IS NOT NULL AND e.retracted_at IS NULL ORDER BY s.account_id, e.occurred_at DESC, e.id DESC"
        ),
        {"ids": list(account_ids)},
    )
    return {row.account_id: row.currency for row in found}


async def forget(session: AsyncSession, account_ids: Collection[UUID], now: datetime) -> None:
    """Take accounts that are no more (merged into others, or deleted) off every list; their history stays."""
    ids = list(account_ids)
    if not ids:
        return
    await session.execute(delete(HEALTH).where(among(HEALTH.c.account_id, ids)))
    await session.execute(
        update(ALERT)
        .where(among(ALERT.c.account_id, ids), ALERT.c.status != AlertStatus.RESOLVED)
        .values(**_RESOLVED, resolved_at=now, resolved_by=THE_HUB, updated_at=now)
    )
    await session.execute(
        update(ALERT).where(among(ALERT.c.account_id, ids), ALERT.c.rearmed_at.is_(None)).values(rearmed_at=now)
    )
    await session.execute(
        update(WATCH).where(among(WATCH.c.account_id, ids), WATCH.c.ended_at.is_(None)).values(ended_at=now)
    )

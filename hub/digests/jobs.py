"""Seeing to it that each owner gets one digest a day, at the blueprint's hour.

The work list holds the next day, due at its hour, and, once it has come, each of its owners. A day and an owner have
one row, the message is written into it before anybody is asked to send it, and asking has a key of its own: whatever is
killed in between, the digest is sent once, or it is said that nobody knows. A hub that was down at the hour sends when
it is up again, until the next day's hour.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint import service as blueprints
from hub.connections.model import ActionStatus
from hub.connections.service import ActionOutcome, perform
from hub.digests.gathering import Window, gather
from hub.digests.model import DigestStatus, OwnerDigest
from hub.digests.rendering import message
from hub.digests.section import Digest
from hub.kit import work
from hub.kit.errors import NotFound
from hub.kit.paging import among
from hub.kit.runtime import Kit
from hub.kit.work import Claim

log = structlog.get_logger()

DIGESTS: Final = "digests"
"""The work list; its keys are `day:DAY` and `owner:DAY:OWNER`."""

AT_ONCE: Final = 5
LEASE: Final = timedelta(seconds=120)
"""Longer than a vendor may take for an action."""

DAY: Final = timedelta(days=1)
LONGEST_WINDOW: Final = timedelta(days=7)
AGAIN: Final = timedelta(minutes=5)

ENDS: Final = {
    ActionStatus.DONE: DigestStatus.SENT,
    ActionStatus.UNKNOWN: DigestStatus.UNKNOWN,
    ActionStatus.REJECTED: DigestStatus.FAILED,
    ActionStatus.FAILED: DigestStatus.FAILED,
}


async def plan_digests(kit: Kit) -> None:
    """Put the next day on the list; doing it again changes nothing. For the housekeeping: a blueprint that is put in
    force gets its first digest by this."""
    now = kit.clock.now()
    async with kit.transaction() as session:
        section = await _section(session)
        if section.connection is not None:
            await _plan(session, section, section.next_day(now))


async def drain_digests(kit: Kit) -> int:
    """Begin the days that have come, and send to some of their owners; returns how many entries were handled."""
    now = kit.clock.now()
    async with kit.transaction() as session:
        claims = await work.claim(session, DIGESTS, limit=AT_ONCE, now=now, lease=LEASE)
        if not claims:
            return 0
        section = await _section(session)
        days = [claim for claim in claims if claim.key.startswith("day:")]
        for claim in days:
            await _begin(session, section, claim, now)
        owners = [claim for claim in claims if claim not in days]
        await _write(session, section, owners, now)
    await asyncio.gather(*(_send(kit, section, claim) for claim in owners))
    return len(claims)


async def _section(session: AsyncSession) -> Digest:
    try:
        return (await blueprints.current(session)).section("digest", Digest)
    except NotFound:
        return Digest()


async def _plan(session: AsyncSession, section: Digest, day: date) -> None:
    await work.mark(session, DIGESTS, [f"day:{day}"], due_at=section.due(day))


async def _begin(session: AsyncSession, section: Digest, claim: Claim, now: datetime) -> None:
    """Begin a day and plan the next one. A day that is over begins no more; one whose hour has been moved meanwhile
    begins at its new hour."""
    day = date.fromisoformat(claim.key.partition(":")[2])
    if section.connection is not None and now < section.due(day):
        await work.postpone(session, claim, until=section.due(day))
        return
    if section.connection is not None:
        await _plan(session, section, max(day + DAY, section.next_day(now)))
        if now < section.due(day + DAY):
            await _give_rows(session, day, now)
    await work.finish(session, [claim])


async def _give_rows(session: AsyncSession, day: date, now: datetime) -> None:
    """Give each owner of accounts their row for the day; it goes on from where the last one ended."""
    begun = await session.execute(
        text(
            "INSERT INTO owner_digest (owner, day, since, until, status) "
            "SELECT o.owner, :day, greatest(coalesce(last.until, CAST(:yesterday AS timestamptz)), "
            "CAST(:earliest AS timestamptz)), :now, 'pending' "
            "FROM (SELECT DISTINCT owner FROM account WHERE owner IS NOT NULL AND merged_into IS NULL) AS o "
            "LEFT JOIN LATERAL (SELECT until FROM owner_digest d WHERE d.owner = o.owner "
            "ORDER BY day DESC LIMIT 1) AS last ON true ORDER BY o.owner ON CONFLICT DO NOTHING RETURNING owner"
        ),
        {"day": day, "yesterday": now - DAY, "earliest": now - LONGEST_WINDOW, "now": now},
    )
    await work.mark(session, DIGESTS, [f"owner:{day}:{owner}" for (owner,) in begun], due_at=now)


async def _write(session: AsyncSession, section: Digest, claims: Sequence[Claim], now: datetime) -> None:
    """Write the messages of owners that have none yet: they are the same for every attempt from now on."""
    keys = [_read(claim.key) for claim in claims]
    found = await session.execute(
        select(OwnerDigest)
        .where(among(OwnerDigest.owner, [owner for owner, _ in keys]), OwnerDigest.status == DigestStatus.PENDING)
        .with_for_update()
    )
    rows = [row for row in found.scalars() if (row.owner, row.day) in keys and row.message is None]
    found_parts = await gather(session, [Window(row.owner, row.since, row.until) for row in rows]) if rows else []
    for row, parts in zip(rows, found_parts, strict=True):
        if parts:
            row.message = message(row.owner, row.day, parts, section.zone)
        else:
            row.status, row.finished_at = DigestStatus.EMPTY, now


async def _send(kit: Kit, section: Digest, claim: Claim) -> None:
    owner, day = _read(claim.key)
    async with kit.reading() as session:
        row = await session.get_one(OwnerDigest, (owner, day))
    outcome = await _outcome(kit, section, row) if row.status == DigestStatus.PENDING else None
    now = kit.clock.now()
    async with kit.transaction() as session:
        if outcome is not None and outcome.status is ActionStatus.PENDING and now < section.due(day + DAY):
            again = max(outcome.retry_at or now, now + AGAIN)
            await work.postpone(session, claim, until=again, error=outcome.problem)
            return
        if outcome is not None:
            await _end(session, row, outcome, now)
        await work.finish(session, [claim])


async def _outcome(kit: Kit, section: Digest, row: OwnerDigest) -> ActionOutcome:
    if section.connection is None:
        return ActionOutcome(ActionStatus.FAILED, problem="The blueprint no longer names a connection for digests.")
    key = f"digest:{row.day}:{row.owner}"
    return await perform(kit, section.connection, section.action, row.message or {}, key=key)


async def _end(session: AsyncSession, row: OwnerDigest, outcome: ActionOutcome, now: datetime) -> None:
    """What came of it; one that could not be sent until the next day's hour has failed."""
    status = ENDS.get(outcome.status, DigestStatus.FAILED)
    if status is not DigestStatus.SENT:
        log.error("digest.not_sent", day=str(row.day), status=status.value, problem=outcome.problem)
    await session.execute(
        update(OwnerDigest)
        .where(OwnerDigest.owner == row.owner, OwnerDigest.day == row.day, OwnerDigest.status == DigestStatus.PENDING)
        .values(status=status, problem=outcome.problem, finished_at=now)
    )


def _read(key: str) -> tuple[str, date]:
    _, day, owner = key.split(":", 2)
    return owner, date.fromisoformat(day)

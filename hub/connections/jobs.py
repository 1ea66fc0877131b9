"""The work lists of this room, drained. A drain takes one batch, does it in transactions of its own, and returns how
many entries it handled; it may run twice, and beside itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from hub.connections.delivering import deliver
from hub.connections.faults import described
from hub.connections.following_up import Arrived, follow_up
from hub.connections.lists import (
    DELIVERIES,
    FACTS_TO_DELIVER,
    RECORDS_TO_FOLLOW_UP,
    RECORDS_TO_REFETCH,
    STREAMS_TO_SYNC,
)
from hub.connections.reading import Ended, retry_in
from hub.connections.receiving import give_up, read_deliveries, waiting
from hub.connections.refetching import NotFetched, Wanted, refetch
from hub.connections.scheduling import StreamKey, schedule_missing
from hub.connections.sync import sync_stream
from hub.kit import work
from hub.kit.errors import NotFound
from hub.kit.runtime import Kit
from hub.sdk.secrecy import printable

__all__ = [
    "DELIVERIES",
    "FACTS_TO_DELIVER",
    "RECORDS_TO_FOLLOW_UP",
    "RECORDS_TO_REFETCH",
    "STREAMS_TO_SYNC",
    "drain_deliveries",
    "drain_facts_to_deliver",
    "drain_records_to_follow_up",
    "drain_records_to_refetch",
    "drain_streams_to_sync",
    "keep_house",
]

log = structlog.get_logger()

STREAMS_AT_ONCE = 4
SLICE_SECONDS = 5.0
"""How long one stretch of reading takes: then others get their turn, and a restart loses little."""

LEASE = timedelta(seconds=30)
RENEW_SECONDS = 10.0
REFETCHES_AT_ONCE = 10
FOLLOW_UPS_AT_ONCE = 10
OUTLETS_AT_ONCE = 20
NOT_INSTALLED = timedelta(minutes=10)
DELIVERIES_FORGOTTEN_AT_ONCE = 2_000


async def drain_deliveries(kit: Kit) -> int:
    """Turn a batch of waiting deliveries into raw records.

    If the batch cannot be stored as a whole, each of it is tried alone, and the one to blame is kept as unreadable.
    """
    try:
        async with kit.transaction() as session:
            return await read_deliveries(session, kit.vault, now=kit.clock.now())
    except DBAPIError as error:
        if not _blames_the_data(error):
            raise
        log.warning("deliveries.batch_failed", reason=type(error.orig).__name__)
    async with kit.reading() as session:
        ids = await waiting(session, limit=50)
    for delivery_id in ids:
        await _read_alone(kit, delivery_id)
    return len(ids)


async def drain_streams_to_sync(kit: Kit) -> int:
    """Read the streams that are due, a few at once, each for a few seconds."""
    async with kit.transaction() as session:
        claims = await work.claim(session, STREAMS_TO_SYNC, limit=STREAMS_AT_ONCE, now=kit.clock.now(), lease=LEASE)
    async with _held(kit, claims):
        await asyncio.gather(*(_one(kit, claim, _sync) for claim in claims))
    return len(claims)


async def drain_records_to_refetch(kit: Kit) -> int:
    """Read single records again that webhooks named."""
    async with kit.transaction() as session:
        claims = await work.claim(
            session, RECORDS_TO_REFETCH, limit=REFETCHES_AT_ONCE, now=kit.clock.now(), lease=LEASE
        )
    async with _held(kit, claims):
        await asyncio.gather(*(_one(kit, claim, _refetch) for claim in claims))
    return len(claims)


async def drain_records_to_follow_up(kit: Kit) -> int:
    """Have connectors do what records that came by webhook ask for."""
    async with kit.transaction() as session:
        claims = await work.claim(
            session, RECORDS_TO_FOLLOW_UP, limit=FOLLOW_UPS_AT_ONCE, now=kit.clock.now(), lease=LEASE
        )
    async with _held(kit, claims):
        await asyncio.gather(*(_one(kit, claim, _follow_up) for claim in claims))
    return len(claims)


async def drain_facts_to_deliver(kit: Kit) -> int:
    """Deliver facts through the outlets that have some before them, side by side, each for a few seconds."""
    async with kit.transaction() as session:
        claims = await work.claim(session, FACTS_TO_DELIVER, limit=OUTLETS_AT_ONCE, now=kit.clock.now(), lease=LEASE)
    async with _held(kit, claims):
        await asyncio.gather(*(_one(kit, claim, _deliver) for claim in claims))
    return len(claims)


async def keep_house(kit: Kit) -> int:
    """Forget deliveries that were read long enough ago, and put streams on the list that are not on it.

    Returns how many deliveries were forgotten. For a cron, and for the start of a process.
    """
    now = kit.clock.now()
    before = now - timedelta(days=kit.settings.delivery_retention_days)
    forgotten = 0
    while True:
        async with kit.transaction() as session:
            gone = await session.execute(
                text(
                    "DELETE FROM webhook_delivery WHERE id = ANY(ARRAY(SELECT id FROM webhook_delivery "
                    "WHERE processed_at < :before LIMIT :limit FOR UPDATE SKIP LOCKED)) RETURNING 1"
                ),
                {"before": before, "limit": DELIVERIES_FORGOTTEN_AT_ONCE},
            )
            count = len(gone.all())
        forgotten += count
        if count < DELIVERIES_FORGOTTEN_AT_ONCE:
            break
    async with kit.transaction() as session:
        await schedule_missing(session, now=now)
    return forgotten


async def _read_alone(kit: Kit, delivery_id: UUID) -> None:
    try:
        async with kit.transaction() as session:
            await read_deliveries(session, kit.vault, now=kit.clock.now(), limit=1, only=delivery_id)
    except DBAPIError as error:
        if not _blames_the_data(error):
            raise
        problem = printable(f"What it holds cannot be stored: {error.orig}")
        async with kit.transaction() as session:
            await give_up(session, delivery_id, problem, now=kit.clock.now())


def _blames_the_data(error: DBAPIError) -> bool:
    """Whether PostgreSQL refuses the values: SQLSTATE class 22 (data exception) or 54 (a limit is exceeded)."""
    return str(getattr(error.orig, "sqlstate", None) or "")[:2] in ("22", "54")


@asynccontextmanager
async def _held(kit: Kit, claims: Sequence[work.Claim]) -> AsyncIterator[None]:
    """Keep the claims while the block runs: the lease is short, so that a dead worker's work is taken over soon."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            async with kit.transaction() as session:
                await work.renew(session, claims, until=kit.clock.now() + LEASE)

    renewing = asyncio.create_task(renew(), name="renew leases")
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.wait({renewing})


async def _one(kit: Kit, claim: work.Claim, do: Callable[[Kit, work.Claim], Awaitable[None]]) -> None:
    """Do one entry; what nobody foresaw postpones it and holds up no other."""
    try:
        await do(kit, claim)
    except (SQLAlchemyError, OSError):
        raise
    except Exception as error:  # a bug of ours, over this entry: the others go on
        log.exception("connections.entry_failed", list=claim.list, key=claim.key)
        async with kit.transaction() as session:
            until = kit.clock.now() + retry_in(claim.attempts)
            await work.postpone(session, claim, until=until, error=described(error))


async def _sync(kit: Kit, claim: work.Claim) -> None:
    """Read one stream for a while, and say when it is due again."""
    key = StreamKey.parse(claim.key)
    try:
        outcome = await sync_stream(kit, key.connection_id, key.stream, backfill=key.backfill, seconds=SLICE_SECONDS)
    except NotFound as error:
        async with kit.transaction() as session:
            until = kit.clock.now() + NOT_INSTALLED
            await work.postpone(session, claim, until=until, error=printable(str(error)))
        return
    now = kit.clock.now()
    async with kit.transaction() as session:
        match outcome.ended:
            case Ended.DONE:
                await work.finish(session, [claim])
                live = str(StreamKey(key.connection_id, key.stream))
                await work.mark(session, STREAMS_TO_SYNC, [live], due_at=now + outcome.interval)
            case Ended.MORE:
                await work.finish(session, [claim])
                await work.mark(session, STREAMS_TO_SYNC, [claim.key], due_at=now)
            case Ended.PAUSED:
                await work.finish(session, [claim])
            case Ended.RETRY | Ended.FAILED | Ended.OVERTAKEN:
                until = now + retry_in(claim.attempts, outcome.retry_after)
                await work.postpone(session, claim, until=until, error=outcome.problem)


async def _follow_up(kit: Kit, claim: work.Claim) -> None:
    await follow_up(kit, Arrived.parse(claim.key))
    async with kit.transaction() as session:
        await work.finish(session, [claim])


async def _deliver(kit: Kit, claim: work.Claim) -> None:
    rest = await deliver(kit, UUID(claim.key), seconds=SLICE_SECONDS)
    async with kit.transaction() as session:
        if rest.problem is not None and rest.until is not None:
            await work.postpone(session, claim, until=rest.until, error=rest.problem)
            return
        await work.finish(session, [claim])
        if rest.until is not None:
            await work.mark(session, FACTS_TO_DELIVER, [claim.key], due_at=rest.until)


async def _refetch(kit: Kit, claim: work.Claim) -> None:
    try:
        await refetch(kit, Wanted.parse(claim.key))
    except (NotFetched, NotFound) as error:
        asked = error.retry_after if isinstance(error, NotFetched) else NOT_INSTALLED
        async with kit.transaction() as session:
            until = kit.clock.now() + retry_in(claim.attempts, asked)
            await work.postpone(session, claim, until=until, error=printable(str(error)))
        return
    async with kit.transaction() as session:
        await work.finish(session, [claim])

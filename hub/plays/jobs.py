"""The work list of runs: taking a batch of those that have something to do, and moving each one on.

The lease of a claim is short, so that the runs of a process that died go on soon elsewhere; it is renewed for as long
as a vendor takes its time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import structlog

from hub.kit import work
from hub.kit.runtime import Kit
from hub.plays.enrolling import TO_ADVANCE
from hub.plays.steps import Turn, advance

log = structlog.get_logger()

BATCH = 25
AT_ONCE = 5
LEASE = timedelta(seconds=30)
FIRST_DELAY = timedelta(seconds=5)
LONGEST_DELAY = timedelta(hours=1)


async def drain_runs_to_advance(kit: Kit) -> int:
    """Move on the runs that are due, one batch; returns how many."""
    async with kit.transaction() as session:
        claims = await work.claim(session, TO_ADVANCE, limit=BATCH, now=kit.clock.now(), lease=LEASE)
    if not claims:
        return 0
    gate = asyncio.Semaphore(AT_ONCE)

    async def take(claim: work.Claim) -> None:
        async with gate:
            await _move_on(kit, claim)
        held.remove(claim)

    held = set(claims)
    async with _renewing(kit, held):
        await asyncio.gather(*(take(claim) for claim in claims))
    return len(claims)


async def _move_on(kit: Kit, claim: work.Claim) -> None:
    try:
        turn = await advance(kit, UUID(claim.key))
    except Exception as error:  # one run that cannot go on must not hold up the others
        log.exception("run.failed", run=claim.key, attempts=claim.attempts)
        delay = min(FIRST_DELAY * 2 ** min(claim.attempts - 1, 20), LONGEST_DELAY)
        turn = Turn(until=kit.clock.now() + delay, problem=f"{type(error).__name__}: {error}")
    async with kit.transaction() as session:
        if turn.until is None:
            await work.finish(session, [claim])
        else:
            await work.postpone(session, claim, until=turn.until, error=turn.problem)


@asynccontextmanager
async def _renewing(kit: Kit, held: set[work.Claim]) -> AsyncIterator[None]:
    """Keep the claims that are still held from running out."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            async with kit.transaction() as session:
                await work.renew(session, sorted(held, key=lambda claim: claim.key), until=kit.clock.now() + LEASE)

    renewing = asyncio.create_task(renew(), name="renew runs")
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)

"""The work list of runs: taking a batch of those that have something to do, and moving them on.

The lease of a claim is short, so that the runs of a process that died go on soon elsewhere; it is renewed for as long
as a vendor takes its time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from hub.kit import work
from hub.kit.runtime import Kit
from hub.plays.enrolling import TO_ADVANCE
from hub.plays.steps import advance

log = structlog.get_logger()

BATCH = 100
LEASE = timedelta(seconds=30)
FIRST_DELAY = timedelta(seconds=5)
LONGEST_DELAY = timedelta(hours=1)


async def drain_runs_to_advance(kit: Kit) -> int:
    """Move on the runs that are due, one batch; returns how many."""
    async with kit.transaction() as session:
        claims = await work.claim(session, TO_ADVANCE, limit=BATCH, now=kit.clock.now(), lease=LEASE)
    if not claims:
        return 0
    async with _renewing(kit, claims):
        turns = await advance(kit, [UUID(claim.key) for claim in claims])
    later: dict[work.Claim, tuple[datetime, str | None]] = {}
    for claim in claims:
        turn = turns[UUID(claim.key)]
        if turn.error is not None:
            later[claim] = _after_failure(kit, claim, turn.error)
        elif turn.until is not None:
            later[claim] = turn.until, turn.problem
    async with kit.transaction() as session:
        await work.finish(session, [claim for claim in claims if claim not in later])
        await work.postpone_each(session, later)
    return len(claims)


def _after_failure(kit: Kit, claim: work.Claim, error: Exception) -> tuple[datetime, str]:
    log.error("run.failed", run=claim.key, attempts=claim.attempts, exc_info=error)
    delay = min(FIRST_DELAY * 2 ** min(claim.attempts - 1, 20), LONGEST_DELAY)
    return kit.clock.now() + delay, f"{type(error).__name__}: {error}"


@asynccontextmanager
async def _renewing(kit: Kit, claims: Sequence[work.Claim]) -> AsyncIterator[None]:
    """Keep claims from running out."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            async with kit.transaction() as session:
                await work.renew(session, claims, until=kit.clock.now() + LEASE)

    renewing = asyncio.create_task(renew(), name="renew runs")
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)

"""The work list of accounts to score.

A batch is claimed, scored in one transaction, and put back for the next moment at which time alone can change
something (`waking`); an account that time cannot change waits for the next event.

One account that cannot be scored must not hold up the others: a batch that fails is halved, until what fails stands
alone; that one waits longer after each attempt, with its error, and the others are done.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from asyncpg import InterfaceError, OperatorInterventionError, PostgresConnectionError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.service import TO_SCORE, mark_later
from hub.blueprint import service as blueprints
from hub.blueprint.service import Blueprint
from hub.connections.service import still_arriving
from hub.health.service import Then, score_accounts
from hub.journeys import service as journeys
from hub.kit import work
from hub.kit.errors import NotFound
from hub.kit.runtime import Kit
from hub.kit.work import Claim

log = structlog.get_logger()

BATCH = 1000
LEASE = timedelta(seconds=30)
"""Much longer than a batch takes; when a worker dies, so long its accounts wait for another one."""

MOST_DAYS = 500_000
"""Days of history replayed in one transaction; those of a thousand accounts that have been customers for years take
longer than a lease."""

FIRST_DELAY = timedelta(minutes=1)
LONGEST_DELAY = timedelta(hours=6)
LONGEST_ERROR = 1000


async def drain_accounts_to_score(kit: Kit, then: Then | None = None) -> int:
    """Score one batch of the accounts that are due; returns how many were handled (0: none was due).

    `then` is what else is done with them in the transaction. Without a blueprint nothing is scored and nothing is lost:
    the accounts wait on their list.
    """
    now = kit.clock.now()
    async with kit.transaction() as session:
        try:
            blueprint = await blueprints.current(session)
        except NotFound:
            return 0
        arriving = await still_arriving(session)
        claims = await work.claim(session, TO_SCORE, limit=BATCH, now=now, lease=LEASE, still_arriving=arriving)
        portions = await _portions(session, claims, now)
    for nth, portion in enumerate(portions):
        if nth > 0:
            waiting = [claim for later in portions[nth:] for claim in later]
            async with kit.transaction() as session:
                await work.renew(session, waiting, until=kit.clock.now() + LEASE)
        await _score(kit, blueprint, portion, now, then)
    return len(claims)


async def _portions(session: AsyncSession, claims: Sequence[Claim], now: datetime) -> list[list[Claim]]:
    """The claims, in so many portions that no portion has more days to replay than fit in a lease."""
    ids = {claim.key: id_ for claim in claims if (id_ := _account_id(claim)) is not None}
    pasts = await journeys.days_to_replay(session, list(ids.values()), now)
    portions: list[list[Claim]] = []
    days = MOST_DAYS
    for claim in claims:
        mine = pasts.get(ids[claim.key], 0) if claim.key in ids else 0
        if not portions or days + mine > MOST_DAYS:
            portions.append([])
            days = 0
        portions[-1].append(claim)
        days += mine
    return portions


def _account_id(claim: Claim) -> UUID | None:
    """The account of an entry; None when somebody put something else on the list."""
    try:
        return UUID(claim.key)
    except ValueError:
        return None


async def _score(kit: Kit, blueprint: Blueprint, claims: Sequence[Claim], now: datetime, then: Then | None) -> None:
    """Score what was claimed in one transaction, or, when that fails, each half in its own."""
    error = await _failure(kit, blueprint, claims, now, then)
    if error is None:
        return
    if len(claims) == 1:
        await _put_off(kit, claims[0], error, now)
        return
    middle = len(claims) // 2
    await _score(kit, blueprint, claims[:middle], now, then)
    await _score(kit, blueprint, claims[middle:], now, then)


async def _failure(
    kit: Kit, blueprint: Blueprint, claims: Sequence[Claim], now: datetime, then: Then | None
) -> Exception | None:
    """Score what was claimed; returns what went wrong, and raises when the database is away."""
    try:
        async with kit.transaction() as session:
            result = await score_accounts(session, blueprint, [UUID(claim.key) for claim in claims], now, then)
            # In the order in which others mark accounts, so that nobody waits for us while we wait for them.
            await work.finish(session, sorted(claims, key=lambda claim: claim.key))
            await mark_later(session, result.looks)
    except Exception as error:
        if _is_the_connection_s(error):
            raise
        return error
    return None


async def _put_off(kit: Kit, claim: Claim, error: Exception, now: datetime) -> None:
    """Try a single account again later: after a minute, and after twice as long each time."""
    delay = min(FIRST_DELAY * 2 ** min(claim.attempts - 1, 20), LONGEST_DELAY)
    # What the database says is enough: the whole error repeats the statement with everybody's values.
    from_database = isinstance(error, DBAPIError)
    cause = error.orig if isinstance(error, DBAPIError) else error
    said = f"{type(cause).__name__}: {cause}"[:LONGEST_ERROR]
    log.error(
        "health.account_not_scored",
        account=claim.key,
        attempts=claim.attempts,
        error=said,
        exc_info=None if from_database else error,
    )
    async with kit.transaction() as session:
        await work.postpone(session, claim, until=now + delay, error=said)


def _is_the_connection_s(error: Exception) -> bool:
    """Whether the database is away: then every half would fail, and the lease brings the batch back."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return lost or isinstance(cause, OSError | InterfaceError | PostgresConnectionError | OperatorInterventionError)

"""What follows from what: the one table from a fact to the reactions of the house.

A reaction runs in the relay's transaction, together with the publishing of its fact: it happens when, and only when,
the fact is published. It reads and marks; it never waits for the outside. Every reaction may run twice for a fact and
leaves the same. One that fails is put on a list of its own and repeated, so that it holds up no other fact.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from hub.connections import service as connections
from hub.kit import outbox, work
from hub.kit.outbox import Fact
from hub.kit.runtime import Kit
from hub.plays import service as plays

log = structlog.get_logger()

Reaction: TypeAlias = Callable[[AsyncSession, Fact, datetime], Awaitable[None]]


async def start_plays(session: AsyncSession, fact: Fact, now: datetime) -> None:
    """Start the plays for which the fact is a reason."""
    await plays.enrol_for_fact(session, fact.topic, fact.payload, now=now)


async def follow_task(session: AsyncSession, fact: Fact, now: datetime) -> None:
    """Have the task's twin at a vendor follow it."""
    await plays.tell_twins(session, [UUID(fact.payload["task_id"])], now=now)


REACTIONS: Final[dict[str, tuple[Reaction, ...]]] = {
    "stage.entered": (start_plays,),
    "milestone.reached": (start_plays,),
    "milestone.overdue": (start_plays,),
    "score.changed": (),
    "band.changed": (start_plays,),
    "alert.opened": (start_plays,),
    "band.overridden": (),
    "band.override_ended": (),
    "alert.acknowledged": (),
    "alert.assigned": (),
    "alert.snoozed": (),
    "alert.snooze_ended": (),
    "alert.resolved": (),
    "alert.rearmed": (),
    "watch.entered": (),
    "watch.moved": (),
    "watch.left": (),
    "run.started": (),
    "run.advanced": (),
    "run.ended": (),
    "run.held_out": (),
    "play.switched": (),
    "notice.given": (),
    "task.created": (follow_task,),
    "task.completed": (follow_task,),
    "task.assigned": (),
    "task.commented": (),
    "task.ticked": (),
    "task.reminded": (),
    "task.escalated": (),
    "feedback.recorded": (),
    "account.merged": (),
    "account.unmerged": (),
    "blueprint.applied": (),
}
"""Every topic there is. Those without a reaction are read by subscriptions alone."""

TO_REPEAT: Final = "facts_to_repeat"
"""The work list of facts whose reactions failed; its keys are their positions."""

BATCH: Final = 200
LEASE: Final = timedelta(seconds=60)


async def drain_outbox(kit: Kit) -> int:
    """Publish the next facts, react to them, and have them delivered, in one transaction; then wake the readers.

    Returns how many.
    """
    async with kit.transaction() as session:
        facts = await outbox.publish(session, limit=BATCH)
        now = kit.clock.now()
        await _react_to_all(session, [fact for fact in facts if REACTIONS.get(fact.topic)], now)
        if facts:
            await connections.wake(session, now=now)
    if facts:
        await kit.broadcast.announce(facts[-1].position)
    return len(facts)


async def drain_facts_to_repeat(kit: Kit) -> int:
    """React once more to facts whose reactions failed, each in a transaction of its own. Returns how many."""
    now = kit.clock.now()
    async with kit.transaction() as session:
        claims = await work.claim(session, TO_REPEAT, limit=BATCH, now=now, lease=LEASE)
    for claim in claims:
        await _repeat(kit, claim, now)
    return len(claims)


async def react(session: AsyncSession, fact: Fact, now: datetime) -> None:
    """Run every reaction to a fact."""
    for reaction in REACTIONS.get(fact.topic, ()):
        await reaction(session, fact, now)


async def _react_to_all(session: AsyncSession, facts: Sequence[Fact], now: datetime) -> None:
    """React to facts together; where one reaction fails, what was done is taken back, and each is done apart."""
    if not facts:
        return
    accounts = {UUID(fact.payload["account_id"]) for fact in facts if fact.payload.get("account_id")}
    try:
        async with session.begin_nested(), plays.together(session, accounts, now=now):
            for fact in facts:
                await react(session, fact, now)
    except Exception as error:  # a broken reaction must not stop the relay
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise
    else:
        return
    for fact in facts:
        await _react_or_repeat(session, fact, now)


async def _react_or_repeat(session: AsyncSession, fact: Fact, now: datetime) -> None:
    try:
        async with session.begin_nested():
            await react(session, fact, now)
    except Exception as error:  # a broken reaction must not stop the relay
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise
        await work.mark(session, TO_REPEAT, [str(fact.position)], due_at=now)
        log.exception("reaction.failed", topic=fact.topic, position=fact.position)


async def _repeat(kit: Kit, claim: work.Claim, now: datetime) -> None:
    try:
        async with kit.transaction() as session:
            for fact in await outbox.read_after(session, int(claim.key) - 1, limit=1):
                if fact.position == int(claim.key):
                    await react(session, fact, now)
            await work.finish(session, [claim])
    except Exception as error:  # kept with the entry, and tried again later
        log.exception("reaction.failed_again", position=int(claim.key), attempts=claim.attempts)
        again = now + min(timedelta(seconds=5) * 2 ** min(claim.attempts, 10), timedelta(hours=1))
        async with kit.transaction() as session:
            await work.postpone(session, claim, until=again, error=f"{type(error).__name__}: {error}")

"""Starts that were put aside, and whose turn it is: of a play that goes on, or that a person starts on many."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint import service as blueprints
from hub.kit import work
from hub.kit.errors import NotFound
from hub.kit.runtime import Kit
from hub.plays.audience import account_of
from hub.plays.enrolling import BY_HAND, enrol_by_hand, enrol_if_wanted
from hub.plays.model import CollectedStart, SwitchState
from hub.plays.section import Plays
from hub.plays.switches import state_of

TO_START: Final = "plays_to_start"
"""The work list of plays with starts whose turn it is; its keys are their names."""

BATCH: Final = 200
LEASE: Final = timedelta(seconds=30)


async def drain_plays_to_start(kit: Kit) -> int:
    """Start what was put aside, a batch of one play in one transaction; returns how many starts were looked at."""
    async with kit.transaction() as session:
        now = kit.clock.now()
        claims = await work.claim(session, TO_START, limit=1, now=now, lease=LEASE)
        if not claims:
            return 0
        rows = await _take_aside(session, claims[0].key)
        for row in rows:
            await _start(session, row, now)
        if len(rows) < BATCH:
            await work.finish(session, claims)
        else:
            await work.postpone(session, claims[0], until=now)
    return max(len(rows), 1)


async def _take_aside(session: AsyncSession, play: str) -> list[CollectedStart]:
    """The next starts that were put aside, in the order in which they came; none while the play is paused."""
    if await state_of(session, play) is not SwitchState.ON:
        return []
    next_ones = (
        select(CollectedStart.account_id, CollectedStart.occurrence)
        .where(CollectedStart.play == play)
        .order_by(CollectedStart.collected_at, CollectedStart.account_id, CollectedStart.occurrence)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
        .cte("next_ones")
    )
    taken = await session.execute(
        delete(CollectedStart)
        .where(
            CollectedStart.play == play,
            CollectedStart.account_id == next_ones.c.account_id,
            CollectedStart.occurrence == next_ones.c.occurrence,
        )
        .returning(CollectedStart)
    )
    return sorted(taken.scalars(), key=lambda row: (row.collected_at, row.account_id, row.occurrence))


async def _start(session: AsyncSession, row: CollectedStart, now: datetime) -> None:
    """Start what was put aside, unless there is no such play or account any more."""
    blueprint = await blueprints.current(session)
    play = blueprint.section("plays", Plays).root.get(row.play)
    if play is None or not play.enabled:
        return
    try:
        account = await account_of(session, row.account_id)
    except NotFound:
        return
    how = enrol_by_hand if row.occurrence.startswith(BY_HAND) else enrol_if_wanted
    await how(session, blueprint, row.play, account.id, row.occurrence, row.trigger, now=now)

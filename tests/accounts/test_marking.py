"""Marking accounts for scoring: news at once, history when it has settled, and nobody waits in a circle."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text

from hub.accounts import service
from hub.kit import work
from hub.kit.runtime import Kit
from tests.accounts.world import NOW

ONE, OTHER = UUID(int=1), UUID(int=2)


async def test_news_is_due_at_once_and_history_when_it_is_quiet(kit: Kit) -> None:
    """An account with both is scored at once, as news cannot wait."""
    async with kit.transaction() as session:
        await service.mark_heard_of(session, news=[ONE], history=[ONE, OTHER], now=NOW)
    async with kit.reading() as session:
        due = await session.execute(text("SELECT key, due_at, settling_since FROM work_item ORDER BY key"))
        assert due.all() == [(str(ONE), NOW, None), (str(OTHER), NOW + service.QUIET, NOW)]


async def test_marks_and_finished_work_do_not_wait_in_a_circle(kit: Kit) -> None:
    """What is news to one transaction is history to the other, and a third finishes both entries, over and over."""

    async def mark(news: UUID, history: UUID) -> None:
        for _ in range(40):
            async with kit.transaction() as session:
                await service.mark_heard_of(session, news=[news], history=[history], now=NOW)
                await asyncio.sleep(0)

    async def score() -> None:
        for _ in range(40):
            later = NOW + timedelta(hours=1)
            async with kit.transaction() as session:
                claims = await work.claim(session, service.TO_SCORE, limit=10, now=later, lease=timedelta(seconds=-1))
            async with kit.transaction() as session:
                await work.finish(session, claims[::-1])
                await asyncio.sleep(0)

    await asyncio.gather(mark(ONE, OTHER), mark(OTHER, ONE), score(), score())

"""Much that happens to plays in one transaction, at the cost of little."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint import service as blueprints
from hub.plays.announcements import gathered
from hub.plays.audience import accounts_of


@asynccontextmanager
async def together(session: AsyncSession, account_ids: Collection[UUID], *, now: datetime) -> AsyncIterator[None]:
    """Inside the block these accounts and the blueprint are read already, and what plays announce is written together
    at its end: five statements for all that the block does, instead of as many for each run."""
    held = await accounts_of(session, account_ids) if account_ids else {}
    async with blueprints.held(session), gathered(session, now=now):
        yield
    held.clear()  # until here the session had them for whoever asked

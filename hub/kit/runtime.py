"""What a process of the hub holds open: settings, database, queue, broadcast, vault, clock.

`Kit.transaction` is the edge that commits: afterwards it wakes the workers of every list that was marked inside.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncSession

from hub.kit.broadcast import Broadcast
from hub.kit.clock import Clock, SystemClock
from hub.kit.crypto import Vault, open_vault
from hub.kit.db import Database
from hub.kit.errors import Unreachable
from hub.kit.queue import Queue
from hub.kit.settings import Settings


@dataclass(frozen=True, slots=True)
class Kit:
    """The open resources of one process."""

    settings: Settings
    database: Database
    queue: Queue
    broadcast: Broadcast
    vault: Vault
    clock: Clock = field(default_factory=SystemClock)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Commit at the end of the block, then wake whoever works on the lists that were marked in it."""
        async with self.database.transaction() as session:
            yield session
        for list_name in sorted(session.info.pop("nudged", ())):
            await self.queue.nudge(list_name)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session for reading only."""
        async with self.database.reading() as session:
            yield session


@asynccontextmanager
async def open_kit(settings: Settings, *, clock: Clock | None = None, pool_size: int = 10) -> AsyncIterator[Kit]:
    """Open everything for one process. `settings` must carry both URLs (the embedded servers' or others).

    Raises `Unreachable` when the broker does not answer; the database is first used when somebody needs it.
    """
    if settings.database_url is None or settings.redis_url is None:
        raise Unreachable(
            "No database or broker is running for this data directory.",
            remedy="Start one with `hub up`, or set HUB_DATABASE_URL and HUB_REDIS_URL.",
        )
    try:
        queue = await Queue.connect(settings.redis_url)
    except (RedisError, OSError) as error:
        raise Unreachable(
            f"The broker does not answer: {error}", remedy="Check HUB_REDIS_URL, or start Redis."
        ) from error
    database = Database(settings.database_url, pool_size=pool_size)
    try:
        yield Kit(
            settings=settings,
            database=database,
            queue=queue,
            broadcast=Broadcast(queue.redis),
            vault=open_vault(settings),
            clock=clock or SystemClock(),
        )
    finally:
        await queue.close()
        await database.close()

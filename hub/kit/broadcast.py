"""Broadcast: "there is something new behind this position", to every server process, through Redis.

A message is a hint. The facts themselves are read from the outbox, so a lost message delays a reader until its next
look (every few seconds) and never loses a fact.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = structlog.get_logger()

CHANNEL = "hub:facts"
LOOK_ANYWAY_SECONDS = 2.0


class Broadcast:
    """One subscription to Redis per process, shared by all readers in it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._generation = 0
        self._changed = asyncio.Condition()
        self._listener: asyncio.Task[None] | None = None

    async def announce(self, position: int) -> None:
        """Tell every process that facts up to `position` are published. Best effort."""
        try:
            await self._redis.publish(CHANNEL, str(position))
        except (RedisError, OSError) as error:
            log.warning("broadcast.failed", error=str(error))

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Broadcast]:
        """Listen to the other processes while the block runs."""
        self._listener = asyncio.create_task(self._listen(), name="broadcast")
        try:
            yield self
        finally:
            self._listener.cancel()
            with suppress(asyncio.CancelledError):
                await self._listener

    async def wakeups(self) -> AsyncGenerator[None, None]:
        """Yields at once, then whenever something may be new; at the latest every `LOOK_ANYWAY_SECONDS`."""
        while True:
            seen = self._generation
            yield
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_ANYWAY_SECONDS), self._changed:
                    while self._generation == seen:
                        await self._changed.wait()

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub() as pubsub:
                    await pubsub.subscribe(CHANNEL)
                    async for _message in pubsub.listen():
                        async with self._changed:
                            self._generation += 1
                            self._changed.notify_all()
            except (RedisError, OSError) as error:
                log.warning("broadcast.reconnecting", error=str(error))
                await asyncio.sleep(1)

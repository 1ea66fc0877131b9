"""Storing deliveries durably at the rate at which they come: group commit.

A request waits until its raw body is on disk, but not for a commit of its own: while one insert is under way the next
requests gather, and the following insert takes them all. One insert is in flight in a process: with two, measured on
one machine, the groups were half as large and each delivery cost both sides half as much again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from hub.connections import metrics
from hub.kit.db import Database

WRITERS = 1
LINGER_SECONDS = 1.0
"""How long an idle writer keeps its connection to the database."""

GROUP_ROWS = 256
GROUP_BYTES = 8_000_000
WAITING_BYTES = 64_000_000
"""What may wait for the database at most; beyond that vendors are asked to come again, before memory is full."""

INSERT = """
INSERT INTO webhook_delivery (id, connection_id, webhook, delivery_id, path, headers, body, received_at)
SELECT d.id, d.connection_id, d.webhook, d.delivery_id, d.path, d.headers::jsonb, d.body, d.received_at
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::timestamptz[])
AS d(id, connection_id, webhook, delivery_id, path, headers, body, received_at)
ON CONFLICT (connection_id, webhook, delivery_id) WHERE delivery_id IS NOT NULL DO NOTHING
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A verified delivery on its way into the table; `headers` is a JSON object as text, `body` is packed
    (`compression`)."""

    id: UUID
    connection_id: UUID
    webhook: str
    delivery_id: str | None
    path: str
    headers: str
    body: bytes
    received_at: datetime


Waiting: TypeAlias = tuple[Incoming, asyncio.Future[bool]]


class GroupCommit:
    """Stores deliveries of one process, many in one transaction."""

    def __init__(self, database: Database, stored: Callable[[], None]) -> None:
        """`stored` is called after each commit that stored something."""
        self._database = database
        self._stored = stored
        self._waiting: deque[Waiting] = deque()
        self._arrived = asyncio.Event()
        self._bytes = 0
        self._closing = False
        self._writers: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None  # asking for it costs a system call

    async def store(self, incoming: Incoming) -> bool:
        """Returns when the delivery is durable: True, or False when one of its id was there already.

        Raises `Unstorable`, `Overloaded`, or asyncpg's, SQLAlchemy's and OS errors when nothing can be stored now.
        """
        if self._bytes + len(incoming.body) > WAITING_BYTES:
            raise Overloaded("More is waiting for the database than it takes.")
        self._bytes += len(incoming.body)
        try:
            return await self._queued(incoming)
        finally:
            self._bytes -= len(incoming.body)

    async def _queued(self, incoming: Incoming) -> bool:
        self._loop = self._loop or asyncio.get_running_loop()
        done: asyncio.Future[bool] = self._loop.create_future()
        self._waiting.append((incoming, done))
        self._arrived.set()
        if len(self._writers) < WRITERS:
            writer = asyncio.create_task(self._write(), name="group commit")
            self._writers.add(writer)
            writer.add_done_callback(self._writers.discard)
        return await done

    async def close(self) -> None:
        """Wait for what is under way."""
        self._closing = True
        self._arrived.set()
        while self._writers:
            await asyncio.wait(self._writers)

    async def _write(self) -> None:
        """Write groups until nothing has come for a while; then give the connection back to the pool."""
        group: list[Waiting] = []
        try:
            async with _driver(self._database) as driver:
                while await self._more():
                    if len(self._waiting) * 2 < len(group):
                        await asyncio.sleep(0)  # those just answered are about to come again: let them join
                    group = self._next_group()
                    await self._commit(driver, group)
        except Exception as error:  # whatever it was, those who wait have to know
            if len(self._writers) == 1:
                group += self._waiting
                self._waiting.clear()
            for _, done in group:
                if not done.done():
                    done.set_exception(error)

    async def _more(self) -> bool:
        """Whether there is something to write; waits a moment for it."""
        while not self._waiting:
            if self._closing:
                return False
            self._arrived.clear()
            try:
                async with asyncio.timeout(LINGER_SECONDS):
                    await self._arrived.wait()
            except TimeoutError:
                return bool(self._waiting)
        return True

    def _next_group(self) -> list[Waiting]:
        group = [self._waiting.popleft()]
        size = len(group[0][0].body)
        while self._waiting and len(group) < GROUP_ROWS and size < GROUP_BYTES:
            group.append(self._waiting.popleft())
            size += len(group[-1][0].body)
        return group

    async def _commit(self, driver: Any, group: Sequence[Waiting]) -> None:
        try:
            new = await _insert(driver, [incoming for incoming, _ in group])
        except asyncpg.DataError:
            if len(group) == 1:
                group[0][1].set_exception(Unstorable("The delivery holds something that cannot be stored."))
                return
            # One of them cannot be stored: each gets a statement of its own, so that it fails alone.
            for one in group:
                await self._commit(driver, [one])
            return
        metrics.delivery_batches.observe(len(group))
        for incoming, done in group:
            if not done.done():
                done.set_result(incoming.id in new)
        if new:
            self._stored()


class Overloaded(ConnectionError):
    """The database is slower than what comes in."""


class Unstorable(ValueError):
    """PostgreSQL refuses the values of a delivery."""


async def _insert(driver: Any, group: Sequence[Incoming]) -> set[UUID]:
    rows = await driver.fetch(
        INSERT,
        [one.id for one in group],
        [one.connection_id for one in group],
        [one.webhook for one in group],
        [one.delivery_id for one in group],
        [one.path for one in group],
        [one.headers for one in group],
        [one.body for one in group],
        [one.received_at for one in group],
    )
    return {row["id"] for row in rows}


@asynccontextmanager
async def _driver(database: Database) -> AsyncIterator[Any]:
    """A connection outside of any transaction: each statement commits by itself."""
    async with database.engine.connect() as connection:
        raw = await connection.get_raw_connection()
        yield raw.driver_connection

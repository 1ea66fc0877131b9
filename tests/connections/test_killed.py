"""`kill -9` at any moment: nothing is lost, nothing is there twice."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
from collections.abc import Awaitable, Callable
from multiprocessing.process import BaseProcess
from typing import Any

import orjson
import pytest

from hub.connections import registry
from hub.connections import service as connections
from hub.connections.compression import pack
from hub.connections.deliveries import GroupCommit, Incoming
from hub.connections.model import Checkpoint, Connection
from hub.kit.ids import new_id
from hub.kit.runtime import Kit
from hub.kit.settings import Settings
from tests.connections import reader
from tests.connections.vendor import API_KEY, Vendor, answer, scalar

RECORDS = 20_000
KILLS = 6
COUNTS = (
    "SELECT (SELECT count(*) FROM raw_record) || ' ' || (SELECT count(DISTINCT record_id) FROM raw_record) "
    "|| ' ' || (SELECT count(*) FROM raw_pending)"
)
ONCE = f"{RECORDS} {RECORDS} {RECORDS}"


@pytest.fixture(scope="module")
def nursery() -> Any:
    """Where processes come from that have imported everything already, so that a kill costs no second of waiting."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.connections.reader"])
    return context


async def kill_until_done(start: Callable[[], BaseProcess], has_progressed: Callable[[], Awaitable[Any]]) -> int:
    """Start a process, kill it some time after it has got on, again and again; then let one end. Returns the kills."""
    dice = random.Random()
    for kills in range(KILLS):
        process = start()
        before = await has_progressed()
        while process.is_alive() and await has_progressed() == before:  # noqa: ASYNC110  # another process has no event
            await asyncio.sleep(0.005)
        await asyncio.sleep(dice.uniform(0, 0.15))
        if process.exitcode is not None:
            assert process.exitcode == 0
            return kills
        process.kill()
        await asyncio.to_thread(process.join)
    process = start()
    await asyncio.to_thread(process.join)
    assert process.exitcode == 0
    return KILLS


async def test_a_killed_reader_loses_and_doubles_nothing(
    kit: Kit, settings: Settings, vendor: Vendor, connection: Connection, nursery: Any
) -> None:
    """20,000 records over pages, the reading process killed at random moments: every record is there exactly once."""
    vendor.answers = [answer(number) for number in range(RECORDS)]
    vendor.delay = 0.003
    config = {"api_key": API_KEY, "base_url": vendor.url, "page": 250}
    async with kit.transaction() as session:
        await connections.reconnect(session, kit.vault, registry.current(), "panel", config, now=kit.clock.now())

    def start() -> BaseProcess:
        process: BaseProcess = nursery.Process(target=reader.read, args=(settings, connection.id))
        process.start()
        return process

    async def asked() -> int:
        return len(vendor.requests)

    assert await kill_until_done(start, asked) >= 3
    assert await scalar(kit, COUNTS) == ONCE
    async with kit.reading() as session:
        backfill = await session.get_one(Checkpoint, (connection.id, "answers", True))
        live = await session.get_one(Checkpoint, (connection.id, "answers", False))
    assert (backfill.records, backfill.done) == (RECORDS, True)
    assert live.cursor == {"after": RECORDS}


async def test_a_killed_receiver_loses_and_doubles_nothing(
    kit: Kit, settings: Settings, connection: Connection, nursery: Any
) -> None:
    """Deliveries that overlap, read by processes that are killed at random moments: every record exactly once."""
    commits = GroupCommit(kit.database, lambda: None)

    async def deliver(first: int) -> None:
        body = orjson.dumps({"answers": [answer(number % RECORDS) for number in range(first, first + 25)]})
        now = kit.clock.now()
        await commits.store(Incoming(new_id(), connection.id, "hook", None, "hook", "{}", pack(body), now))

    await asyncio.gather(*(deliver(first) for first in range(0, RECORDS, 20)))
    await commits.close()

    def start() -> BaseProcess:
        process: BaseProcess = nursery.Process(target=reader.receive, args=(settings,))
        process.start()
        return process

    async def read() -> Any:
        return await scalar(kit, "SELECT count(*) FROM webhook_delivery WHERE processed_at IS NOT NULL")

    companion = start()
    await kill_until_done(start, read)
    await asyncio.to_thread(companion.join)
    assert await scalar(kit, COUNTS) == ONCE
    assert await scalar(kit, "SELECT count(*) FROM webhook_delivery WHERE processed_at IS NULL") == 0

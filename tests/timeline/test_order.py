"""The order in which records arrive, and how often they do, changes nothing."""

from __future__ import annotations

import asyncio
from random import Random
from uuid import UUID

import pytest
from sqlalchemy import text

from hub.kit.runtime import Kit
from hub.sdk.rows import RawRow
from hub.timeline import jobs
from hub.timeline.service import fingerprint
from tests.timeline import world
from tests.timeline.acme import connect, drain, receive

ORDERS = 100
TABLES = (
    "event", "raw_record", "raw_pending", "work_item", "outbox", "account_assertion", "account_key", "merge_suggestion",
    "person_place", "person_key", "source_person", "person", "source_account", "account",
)  # fmt: skip


async def taken_in(kit: Kit, connections: tuple[UUID, UUID], order: list[tuple[int, RawRow]], rng: Random) -> str:
    """The fingerprint after these rows arrived in batches of random sizes, read now and then."""
    left = list(order)
    while left:
        size = rng.choice((1, 60, 200, 400))
        batch, left = left[:size], left[size:]
        for nth, connection in enumerate(connections):
            await receive(kit, connection, [row for which, row in batch if which == nth])
        if rng.random() < 0.5:
            await drain(kit)
    await drain(kit)
    async with kit.reading() as session:
        return await fingerprint(session)


async def test_shuffled_and_doubled_records_give_the_same_timeline_and_accounts(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred orders with repetitions, in batches of any size: one fingerprint."""
    connections = (await connect(kit, "product"), await connect(kit, "billing"))
    rng = Random(5)
    records = [(0, row) for row in world.product(rng)] + [(1, row) for row in world.billing(rng)]
    assert len(records) > 290
    found = set()
    for number in range(ORDERS):
        order = records + rng.sample(records, len(records) // 3)
        if number:
            rng.shuffle(order)
        monkeypatch.setattr(jobs, "BATCH", rng.choice((7, 100, 2000)) if number % 10 == 0 else 2000)
        found.add(await taken_in(kit, connections, order, rng))
        assert len(found) == 1, f"order {number} gave another result"
        async with kit.transaction() as session:
            for table in TABLES:
                await session.execute(text(f"DELETE FROM {table}"))


async def test_several_workers_at_once_give_the_same_result_as_one(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four workers drain small batches of everything at once: nothing is lost, doubled or decided otherwise."""
    connections = (await connect(kit, "product"), await connect(kit, "billing"))
    rng = Random(5)
    records = [(0, row) for row in world.product(rng)] + [(1, row) for row in world.billing(rng)]
    alone = await taken_in(kit, connections, records, Random(1))
    async with kit.transaction() as session:
        for table in TABLES:
            await session.execute(text(f"DELETE FROM {table}"))
    rng.shuffle(records)
    for nth, connection in enumerate(connections):
        await receive(kit, connection, [row for which, row in records if which == nth])
    monkeypatch.setattr(jobs, "BATCH", 10)
    handled = await asyncio.gather(*(drain(kit) for _ in range(4)))
    assert sum(handled) == len(records)
    assert sum(1 for count in handled if count) > 1
    async with kit.reading() as session:
        assert await fingerprint(session) == alone

"""The outbox gives every committed fact one position, in an order that a reader can resume from."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from hub.kit import outbox
from hub.kit.runtime import Kit

NOW = datetime(2026, 3, 1, tzinfo=UTC)


async def announce(kit: Kit, *keys: str) -> None:
    async with kit.transaction() as session:
        for key in keys:
            await outbox.append(session, "thing.happened", key, {"n": key}, now=NOW)


async def publish(kit: Kit, limit: int = 500) -> list[outbox.Fact]:
    async with kit.transaction() as session:
        return await outbox.publish(session, limit=limit)


async def test_facts_are_published_once_in_order(kit: Kit) -> None:
    """Positions rise in the order of writing, over several batches."""
    await announce(kit, "a", "b", "c")
    first, second = await publish(kit, limit=2), await publish(kit)
    assert [fact.key for fact in first + second] == ["a", "b", "c"]
    assert [fact.position for fact in first + second] == sorted(fact.position for fact in first + second)
    assert await publish(kit) == []


async def test_a_fact_rolled_back_was_never_there(kit: Kit) -> None:
    """An announcement belongs to its transaction."""
    with pytest.raises(RuntimeError):
        async with kit.transaction() as session:
            await outbox.append(session, "thing.happened", "a", {}, now=NOW)
            raise RuntimeError("changed my mind")
    assert await publish(kit) == []


async def test_a_publication_rolled_back_is_repeated(kit: Kit) -> None:
    """When the relay dies before its commit, the next one publishes the same facts."""
    await announce(kit, "a")
    with pytest.raises(RuntimeError):
        async with kit.transaction() as session:
            assert len(await outbox.publish(session)) == 1
            raise RuntimeError("killed")
    assert [fact.key for fact in await publish(kit)] == ["a"]


async def test_only_one_relay_publishes_at_a_time(kit: Kit) -> None:
    """While one relay's transaction is open, another finds nothing to do, so positions follow commits."""
    await announce(kit, "a")
    async with kit.transaction() as session:
        assert len(await outbox.publish(session)) == 1
        assert await publish(kit) == []


async def test_a_late_commit_gets_a_later_position(kit: Kit) -> None:
    """A fact that was written first but committed last is not overlooked by a reader who is already further."""
    written, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with kit.transaction() as session:
            await outbox.append(session, "thing.happened", "slow", {}, now=NOW)
            written.set()
            await go_on.wait()

    task = asyncio.create_task(slow())
    await written.wait()
    await announce(kit, "fast")
    [fast] = await publish(kit)
    go_on.set()
    await task
    await publish(kit)
    async with kit.reading() as session:
        assert [fact.key for fact in await outbox.read_after(session, fast.position)] == ["slow"]


async def test_readers_choose_topics_and_old_facts_are_forgotten(kit: Kit) -> None:
    """Topics filter; after retention only unpublished and young facts remain."""
    await announce(kit, "a")
    await publish(kit)
    async with kit.transaction() as session:
        assert await outbox.read_after(session, 0, topics=["other.happened"]) == []
        assert await outbox.last_position(session) > 0
        await outbox.forget_before(session, NOW + timedelta(days=8))
        assert await outbox.read_after(session, 0) == []

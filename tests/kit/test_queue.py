"""Nudges wake a worker, coalesce, and are never needed for the work to be known."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from hub.kit import work
from hub.kit.queue import QUEUE_NAME, Queue, deserialize, serialize
from hub.kit.runtime import Kit


async def waiting(kit: Kit) -> int:
    return int(await kit.queue.redis.zcard(QUEUE_NAME))


async def test_nudges_coalesce_until_one_is_accepted(kit: Kit) -> None:
    """Many marks before the job looks make one job; a mark after it began makes another."""
    for _ in range(5):
        await kit.queue.nudge("chores")
    assert await waiting(kit) == 1
    await kit.queue.accept_nudge("chores")
    await kit.queue.nudge("chores")
    assert await waiting(kit) == 2


async def test_a_committed_mark_nudges_and_a_rolled_back_one_does_not(kit: Kit) -> None:
    """Waking happens after the commit."""
    try:
        async with kit.transaction() as session:
            await work.mark(session, "chores", ["a"], due_at=kit.clock.now())
            raise RuntimeError("no")
    except RuntimeError:
        pass
    assert await waiting(kit) == 0
    async with kit.transaction() as session:
        await work.mark(session, "chores", ["a"], due_at=kit.clock.now())
    assert await waiting(kit) == 1


async def test_a_lost_broker_does_not_fail_the_transaction(kit: Kit, unused_tcp_port: int) -> None:
    """What was committed stays committed when nobody can be woken."""
    queue = Queue(Redis(host="127.0.0.1", port=unused_tcp_port))  # type: ignore[arg-type]  # nothing listens there
    await queue.nudge("chores")
    await queue.close()


def test_jobs_are_json() -> None:
    """Nothing is pickled."""
    job = {"t": 1, "f": "drain", "a": ["chores"], "k": {}, "et": 1700000000000}
    assert deserialize(serialize(job)) == job
    assert serialize(job).startswith(b"{")


async def test_broadcast_reaches_a_listener(kit: Kit) -> None:
    """A listener wakes when another process announces, long before it would have looked anyway."""
    async with kit.broadcast.listening() as broadcast:
        wakeups = broadcast.wakeups()
        await anext(wakeups)
        for _ in range(100):
            if (await kit.queue.redis.pubsub_numsub("hub:facts"))[0][1]:
                break
            await asyncio.sleep(0.01)
        woken = asyncio.ensure_future(anext(wakeups))
        await asyncio.sleep(0)
        await kit.broadcast.announce(7)
        async with asyncio.timeout(1):
            await woken
        await wakeups.aclose()

"""The pace: one for a connection over all processes, a backfill within its share."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from hub.connections.pace import Bucket, Pace, buckets, reserve
from hub.kit.runtime import Kit
from hub.sdk import Rate


def test_reservations_follow_the_rate() -> None:
    """After the burst each reservation waits one interval longer, and time that passes is not saved up."""
    bucket = Bucket("b", interval=100, burst=3)
    arrival, waits = 0, []
    for _ in range(5):
        arrival, wait = reserve(arrival, 1_000, bucket)
        waits.append(wait)
    assert waits == [0, 0, 0, 100, 200]
    assert reserve(arrival, 1_000_000, bucket) == (1_000_100, 0)


async def seconds_for(count: int, *paces: Pace) -> float:
    started = time.monotonic()
    await asyncio.gather(*(paces[number % len(paces)].wait() for number in range(count)))
    return time.monotonic() - started


async def test_processes_share_a_pace_and_a_backfill_has_less(kit: Kit) -> None:
    """Two processes together keep the rate; a backfill keeps its share, and counts against the whole."""
    rate = Rate(per_second=100, backfill_share=0.2)
    live = [Pace(buckets("c", rate, backfill=False), kit.queue.redis) for _ in range(2)]
    assert 0.2 <= await seconds_for(80, *live) < 1.5
    backfill = Pace(buckets("d", rate, backfill=True), kit.queue.redis)
    assert await seconds_for(20, backfill) >= 0.4
    busy = replace(rate, per_second=10)
    await seconds_for(8, Pace(buckets("e", busy, backfill=False), kit.queue.redis))
    assert await seconds_for(1, Pace(buckets("e", busy, backfill=True), kit.queue.redis)) >= 0.05


async def test_without_redis_each_process_keeps_its_own(kit: Kit) -> None:
    """While Redis is away the rate is still kept, by each process for itself."""
    pace = Pace(buckets("c", Rate(per_second=100), backfill=False), kit.queue.redis)
    await kit.queue.redis.sadd("hub:pace:c", "not a number")  # type: ignore[misc]  # redis' stubs mix two clients
    assert await seconds_for(80, pace) >= 0.2

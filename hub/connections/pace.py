"""How fast a vendor may be asked: one pace for a connection, whatever number of processes ask.

The generic cell rate algorithm (ITU-T I.371): a bucket is one number, the theoretical arrival time of the next request.
It is kept in Redis, so that all processes share it; while Redis is away each process keeps its own. A backfill has to
pass two buckets, the connection's and its own narrower one, so it never takes more than its share from live reading.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from hub.sdk.connector import Rate

log = structlog.get_logger()

BURST_SECONDS = 0.5

RESERVE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local wait = 0
for i, key in ipairs(KEYS) do
  local interval, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local arrival = math.max(tonumber(redis.call('GET', key) or '0'), now)
  wait = math.max(wait, arrival - interval * (burst - 1) - now)
  local following = arrival + interval
  redis.call('SET', key, string.format('%.0f', following), 'PX', math.ceil((following - now) / 1000) + 1000)
end
return string.format('%.0f', wait)
"""


@dataclass(frozen=True, slots=True)
class Bucket:
    """One limit: `interval` is the microseconds between two requests, `burst` how many may come at once."""

    key: str
    interval: int
    burst: int


def buckets(connection_id: UUID | str, rate: Rate, *, backfill: bool) -> list[Bucket]:
    """The limits that a request of this connection has to keep."""
    found = [_bucket(f"hub:pace:{connection_id}", rate.per_second)]
    if backfill:
        found.append(_bucket(f"hub:pace:{connection_id}:backfill", rate.per_second * rate.backfill_share))
    return found


def reserve(arrival: int, now: int, bucket: Bucket) -> tuple[int, int]:
    """The bucket's next arrival time, and how long this request has to wait; all in microseconds."""
    arrival = max(arrival, now)
    return arrival + bucket.interval, max(0, arrival - bucket.interval * (bucket.burst - 1) - now)


class Pace:
    """Makes requests wait for their turn."""

    def __init__(self, limits: Sequence[Bucket], redis: Redis | None = None) -> None:
        """Without `redis` the pace is this object's own: for a check before a connection exists."""
        self._limits = limits
        self._redis = redis
        self._own: dict[str, int] = {}

    async def wait(self) -> None:
        """Return when the next request may be sent."""
        delay = await self._reserve()
        if delay > 0:
            await asyncio.sleep(delay / 1_000_000)

    async def _reserve(self) -> int:
        if self._redis is not None:
            keys = [limit.key for limit in self._limits]
            numbers = [str(number) for limit in self._limits for number in (limit.interval, limit.burst)]
            reserving = cast("Awaitable[bytes]", self._redis.eval(RESERVE, len(keys), *keys, *numbers))
            try:
                return int(await reserving)
            except (RedisError, OSError) as error:
                log.warning("pace.alone", error=str(error))
        now, longest = time.monotonic_ns() // 1000, 0
        for limit in self._limits:
            self._own[limit.key], delay = reserve(self._own.get(limit.key, 0), now, limit)
            longest = max(longest, delay)
        return longest


def _bucket(key: str, per_second: float) -> Bucket:
    return Bucket(key, interval=max(1, round(1_000_000 / per_second)), burst=max(1, round(per_second * BURST_SECONDS)))

"""How much one key may ask for in a time: a leaky bucket in Redis, shared by all servers.

The bucket holds what has been asked for lately and leaks at a steady rate; an operation whose cost does not fit is
refused, and told when it will fit. Redis carries no truth: while it does not answer nobody is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from math import ceil
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = structlog.get_logger()

SECONDS_SAVED: Final = 60
"""A key that asked for nothing this long may ask for so many seconds' worth at once."""

# Redis's own clock: servers need not agree about the time. Answers: whether it fits, what is left, seconds to wait.
_POUR: Final = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local rate, capacity, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = redis.call('HMGET', KEYS[1], 'level', 'at')
local level = tonumber(kept[1] or '0')
local at = tonumber(kept[2] or now)
level = math.max(0, level - math.max(0, now - at) * rate)
local poured = math.min(cost, capacity)
if level + poured > capacity then
  return {0, math.floor(capacity - level), tostring((level + poured - capacity) / rate)}
end
redis.call('HSET', KEYS[1], 'level', tostring(level + poured), 'at', tostring(now))
redis.call('EXPIRE', KEYS[1], math.ceil(capacity / rate) + 1)
return {1, math.floor(capacity - level - poured), '0'}
"""


@dataclass(frozen=True, slots=True)
class Throttle:
    """How full a key's bucket is: `left` points of `capacity`, to which `per_second` come back each second.

    `retry_after` is None when the operation fits, else in how many seconds it will.
    """

    capacity: int
    left: int
    per_second: int
    retry_after: int | None = None

    def shown(self) -> dict[str, int]:
        """As `extensions.cost.throttle` has it."""
        return {"capacity": self.capacity, "left": self.left, "perSecond": self.per_second}


class Budget:
    """The buckets of all keys."""

    def __init__(self, redis: Redis, per_second: int) -> None:
        self._per_second = per_second
        self._capacity = per_second * SECONDS_SAVED
        self._pour = redis.register_script(_POUR)

    async def take(self, actor: str, cost: int) -> Throttle | None:
        """Pour a cost into the actor's bucket, if it fits; None while Redis does not answer. One round trip.

        What costs more than a whole bucket takes a whole bucket.
        """
        name = f"hub:budget:{blake2b(actor.encode(), digest_size=16).hexdigest()}"
        try:
            fits, left, wait = await self._pour(keys=[name], args=[self._per_second, self._capacity, cost])
        except (RedisError, OSError) as error:
            log.warning("graphql.budget_unknown", error=str(error))
            return None
        return Throttle(self._capacity, int(left), self._per_second, None if fits else max(1, ceil(float(wait))))

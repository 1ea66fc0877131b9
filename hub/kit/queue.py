"""The queue: arq behind a port of three verbs, carrying nudges and nothing durable.

What has to be done stands in the work lists (`hub.kit.work`); a nudge only says "look at this list now". Nudges
coalesce: while one waits in Redis, further ones for the same list are dropped. A job removes the mark before it
looks, so a mark committed later always leads to another look. Whatever Redis loses, the worker's crons notice.

Settings follow what was measured on arq 0.28: its defaults cap a worker at 201 jobs a second, its results block a
`_job_id`, and it pickles. Job arguments are JSON.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import orjson
import structlog
from arq.connections import ArqRedis, RedisSettings, create_pool
from redis.exceptions import RedisError

log = structlog.get_logger()

QUEUE_NAME = "hub:queue"
NUDGE_LIFE_MS = 30_000


def serialize(job: dict[str, Any]) -> bytes:
    """arq's job dictionary as JSON (tuples become lists, exceptions their text)."""
    return orjson.dumps(job, default=str)


def deserialize(data: bytes) -> dict[str, Any]:
    """The reverse of `serialize`."""
    job: dict[str, Any] = orjson.loads(data)
    return job


def redis_settings(url: str) -> RedisSettings:
    """arq's connection settings for a URL. A process that starts while Redis restarts waits for it a few seconds."""
    settings = RedisSettings.from_dsn(url)
    settings.conn_timeout = 5
    settings.conn_retries = 3
    settings.conn_retry_delay = 1
    settings.retry_on_timeout = True
    return settings


class Queue:
    """Wakes the workers."""

    def __init__(self, redis: ArqRedis) -> None:
        self.redis = redis

    @classmethod
    async def connect(cls, url: str) -> Queue:
        """Open a pool; raises redis' own errors when the broker does not answer."""
        return cls(
            await create_pool(
                redis_settings(url),
                default_queue_name=QUEUE_NAME,
                job_serializer=serialize,
                job_deserializer=deserialize,
            )
        )

    async def nudge(self, list_name: str) -> None:
        """Have the job `drain` look at a work list soon. Best effort: failure is logged, a cron looks anyway."""
        try:
            if await self.redis.set(_nudge_key(list_name), b"1", nx=True, px=NUDGE_LIFE_MS):
                await self.redis.enqueue_job("drain", list_name, _job_id=f"{list_name}:{uuid4().hex}")
        except (RedisError, OSError) as error:
            log.warning("queue.nudge_failed", list=list_name, error=str(error))

    async def accept_nudge(self, list_name: str) -> None:
        """Called by the job before it looks: from now on a new mark leads to a new look."""
        await self.redis.delete(_nudge_key(list_name))

    async def close(self) -> None:
        await self.redis.aclose()


def _nudge_key(list_name: str) -> str:
    return f"hub:nudge:{list_name}"

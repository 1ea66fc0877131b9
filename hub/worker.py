"""The worker: looks at every work list, when it is nudged and every few seconds anyway.

A nudge is an arq job that names a list; it is what makes an event reach the screen within milliseconds. The work
itself stands in SQL, so a second way does not need Redis: the worker sweeps every list at a steady beat. Hence a broker
that restarts, or loses everything, costs seconds and no work. (arq's own crons would stand in Redis too, and after a
pause of the process they make up for every beat that was missed.)

What several nudges ask for is done by few hands: at most `lanes` drains of one list run in a process, the others only
ask them to look again, so that batches stay big. A list whose drain fails rests for a while and holds up no other.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import asyncpg
import orjson
import structlog
from arq import worker as arq
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError

from hub import erasing, reactions
from hub.accounts.service import TO_ERASE, TO_SCORE
from hub.connections import jobs as connections
from hub.connections.lists import (
    DELIVERIES,
    FACTS_TO_DELIVER,
    RAW_RECORDS,
    RECORDS_TO_FOLLOW_UP,
    RECORDS_TO_REFETCH,
    STREAMS_TO_SYNC,
)
from hub.connections.service import oldest_needed
from hub.digests import jobs as digests
from hub.digests.jobs import DIGESTS
from hub.health import jobs as health
from hub.health.moments import MOMENTS, drain_health_moments
from hub.kit import outbox
from hub.kit.clock import Clock
from hub.kit.queue import QUEUE_NAME, deserialize, serialize
from hub.kit.runtime import Kit, open_kit
from hub.kit.settings import Settings
from hub.plays import jobs as plays
from hub.plays.service import TO_ADVANCE, TO_START, drain_plays_to_start, follow
from hub.plays.task_moments import TO_FOLLOW, drain_tasks_to_follow
from hub.plays.twins import TO_TWIN, drain_tasks_to_twin
from hub.timeline import jobs as timeline

log = structlog.get_logger()

Drain = Callable[[Kit], Awaitable[int]]

DRAINS: dict[str, Drain] = {
    DELIVERIES: connections.drain_deliveries,
    STREAMS_TO_SYNC: connections.drain_streams_to_sync,
    RECORDS_TO_FOLLOW_UP: connections.drain_records_to_follow_up,
    RECORDS_TO_REFETCH: connections.drain_records_to_refetch,
    RAW_RECORDS: timeline.drain_raw_records,
    MOMENTS: drain_health_moments,
    TO_SCORE: partial(health.drain_accounts_to_score, then=follow),
    outbox.LIST: reactions.drain_outbox,
    reactions.TO_REPEAT: reactions.drain_facts_to_repeat,
    TO_START: drain_plays_to_start,
    TO_ADVANCE: plays.drain_runs_to_advance,
    TO_FOLLOW: drain_tasks_to_follow,
    TO_TWIN: drain_tasks_to_twin,
    DIGESTS: digests.drain_digests,
    TO_ERASE: erasing.drain_people_to_erase,
    FACTS_TO_DELIVER: connections.drain_facts_to_deliver,
}
"""Every work list, in the order in which an event moves through them. A drain takes one batch and says how many entries
it handled; 0 means that nothing is due."""

LANES: dict[str, int] = {outbox.LIST: 1, STREAMS_TO_SYNC: 4, TO_SCORE: 3, TO_ADVANCE: 4, FACTS_TO_DELIVER: 4}
"""How many drains of a list one process runs at once, where it is not `USUAL_LANES`: the relay is one in the whole
fleet, talking with vendors mostly waits, and of scoring the database has the greater part."""

USUAL_LANES = 2
"""While the database works for one batch, this process works on the other."""

SWEEP_SECONDS = 2.0
DRAIN_SECONDS = 15.0
LONGEST_REST_SECONDS = 30.0
BATCH_SECONDS = 60.0
GRACE_SECONDS = 10.0
POLL_SECONDS = 0.01
SHORTEST_REST_SECONDS = 0.1
SEEN_EVERY_SECONDS = 5.0
HOUSEKEEPING_SECONDS = 3600.0
SEEN_PREFIX = "hub:worker:"


@dataclass(slots=True)
class Lane:
    """What this process does about one list."""

    at_once: int
    running: int = 0
    look_again: bool = False
    failures: int = 0
    rests_until: float = 0.0


@dataclass(slots=True)
class Crew:
    """The drains of one process."""

    kit: Kit
    drains: Mapping[str, Drain]
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    lanes: dict[str, Lane] = field(init=False)

    def __post_init__(self) -> None:
        self.lanes = {name: Lane(LANES.get(name, USUAL_LANES)) for name in self.drains}

    async def drain(self, list_name: str) -> None:
        """Work on a list until nothing is due; hands over to a new job when that takes long. Never raises."""
        lane, now = self.lanes[list_name], asyncio.get_running_loop().time
        if lane.running >= lane.at_once:
            lane.look_again = True
            return
        if now() < lane.rests_until:
            return
        lane.running += 1
        until = now() + DRAIN_SECONDS
        try:
            while not self.stopping.is_set():
                lane.look_again = False
                async with asyncio.timeout(BATCH_SECONDS):
                    handled = await self.drains[list_name](self.kit)
                lane.failures = 0
                if not handled and not lane.look_again:
                    return
                if now() > until:
                    await self.kit.queue.nudge(list_name)
                    return
        except Exception as error:  # whatever one list's drain raises, the other lists go on
            lane.failures += 1
            rest = min(2.0 ** (lane.failures - 1), LONGEST_REST_SECONDS)
            lane.rests_until = now() + rest
            report(list_name, error, rest)
        finally:
            lane.running -= 1

    async def sweep(self, list_name: str) -> None:
        """Look at a list at a steady beat, nudged or not. The beat is uneven, so that processes do not meet."""
        while not self.stopping.is_set():
            await self.drain(list_name)
            await pause(self.stopping, SWEEP_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311  # no secret


def report(list_name: str, error: Exception, rest: float) -> None:
    """Log a failed drain: one line for a database that is away, a traceback for a bug."""
    if isinstance(error, TimeoutError):
        log.warning("worker.batch_too_slow", list=list_name, limit_seconds=BATCH_SECONDS, rest_seconds=rest)
    elif is_database_away(error):
        log.warning("worker.database_away", list=list_name, error=str(error).partition("\n")[0], rest_seconds=rest)
    else:
        log.exception("worker.drain_failed", list=list_name, rest_seconds=rest)


AWAY = ("08", "53", "57", "55000", "3D000")
"""Beginnings of SQLSTATE for: no connection, no resources, an operator at work, not accepting, not there."""


def is_database_away(error: Exception) -> bool:
    """Whether the database, and not the work, is the cause."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or str(getattr(error.orig, "sqlstate", None)).startswith(AWAY)
    return isinstance(error, (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError))


async def pause(stopping: asyncio.Event, seconds: float) -> None:
    """Sleep, but no longer than until the worker has to stop."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopping.wait()


async def drain(ctx: dict[str, Any], list_name: str) -> None:
    """The one arq job. The nudge is taken before the list is read: a mark that comes later brings a job of its own."""
    crew: Crew = ctx["crew"]
    if list_name not in crew.drains:
        log.warning("worker.unknown_list", list=list_name)
        return
    await crew.kit.queue.accept_nudge(list_name)
    await crew.drain(list_name)


def arq_worker(crew: Crew) -> arq.Worker:
    """arq, set up as it was measured: short polls, all of the queue in sight, JSON, no results kept.

    `queue_read_limit` has to exceed what the whole fleet runs at once, since running jobs stay in the queue.
    """
    return arq.Worker(
        functions=[arq.func(drain, name="drain", timeout=DRAIN_SECONDS + BATCH_SECONDS + 5, keep_result=0)],
        queue_name=QUEUE_NAME,
        redis_pool=crew.kit.queue.redis,
        ctx={"crew": crew},
        handle_signals=False,
        max_jobs=crew.kit.settings.worker_concurrency,
        queue_read_limit=10_000,
        poll_delay=POLL_SECONDS,
        keep_result=0,
        log_results=False,
        job_serializer=serialize,
        job_deserializer=deserialize,
    )


async def listen(crew: Crew) -> None:
    """Take nudges until told to stop; when the broker goes away, wait for it.

    A worker of arq does not outlive its broker (and miscounts its jobs after an error), so each time is a new one,
    while the jobs of the one before end in peace. It is never closed: that would close the pool, which is the
    process's, in a way that redis-py has deprecated.
    """
    jobs: set[asyncio.Task[Any]] = set()
    stopping = asyncio.create_task(crew.stopping.wait())
    rest = SHORTEST_REST_SECONDS
    while not stopping.done():
        worker, began = arq_worker(crew), time.monotonic()
        polling = asyncio.create_task(worker.async_run(), name="arq")
        await asyncio.wait({polling, stopping}, return_when=asyncio.FIRST_COMPLETED)
        jobs |= set(worker.tasks.values())
        if stopping.done():
            # Canceling would leave a connection behind in the middle of a word: arq ends by itself when it is told
            # that it has started enough jobs.
            worker.burst, worker.max_burst_jobs = True, 0
            jobs |= {polling}
        elif isinstance(error := polling.exception(), (RedisError, OSError)):
            rest = SHORTEST_REST_SECONDS if time.monotonic() - began > LONGEST_REST_SECONDS else min(rest * 2, 5.0)
            log.warning("worker.broker_away", error=str(error), rest_seconds=rest)
            await pause(crew.stopping, rest)
        elif error is not None:
            raise error
    await finish(jobs)


async def finish(jobs: set[asyncio.Task[Any]]) -> None:
    """Let running jobs end their batch; those that take too long are canceled, and done again by whoever is next."""
    running = {job for job in jobs if not job.done()}
    if running:
        _, late = await asyncio.wait(running, timeout=GRACE_SECONDS)
        for job in late:
            job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)


async def be_seen(crew: Crew) -> None:
    """Say in Redis, every few seconds, that this worker lives (see `workers`)."""
    key = f"{SEEN_PREFIX}{socket.gethostname()}:{os.getpid()}"
    redis = crew.kit.queue.redis
    while not crew.stopping.is_set():
        busy = {name: lane.running for name, lane in crew.lanes.items() if lane.running}
        resting = {name: lane.failures for name, lane in crew.lanes.items() if lane.failures}
        with suppress(RedisError, OSError):  # the listener reports a broker that is away
            await redis.set(key, orjson.dumps({"busy": busy, "failing": resting}), ex=int(SEEN_EVERY_SECONDS * 3))
        await pause(crew.stopping, SEEN_EVERY_SECONDS)
    with suppress(RedisError, OSError):
        await redis.delete(key)


async def workers(redis: Redis) -> dict[str, dict[str, Any]]:
    """The workers that live, by `host:pid`, each with the lists it is busy with and those whose drain fails."""
    found = {}
    async for key in redis.scan_iter(match=f"{SEEN_PREFIX}*"):
        if (said := await redis.get(key)) is not None:
            found[key.decode().removeprefix(SEEN_PREFIX)] = orjson.loads(said)
    return found


async def forget_facts(kit: Kit) -> None:
    """Forget published facts that no reader resumes from any more, and no outlet has before it."""
    async with kit.transaction() as session:
        needed = await oldest_needed(session)
        await outbox.forget_before(session, kit.clock.now(), needed_behind=needed)


async def keep_house(crew: Crew) -> None:
    """Do the housekeeping at the start, and then every hour."""
    while not crew.stopping.is_set():
        for chore in HOUSEKEEPING:
            try:
                await chore(crew.kit)
            except Exception as error:  # forgetting can wait
                report("housekeeping", error, HOUSEKEEPING_SECONDS)
        await pause(crew.stopping, HOUSEKEEPING_SECONDS)


HOUSEKEEPING: tuple[Callable[[Kit], Awaitable[object]], ...] = (
    connections.keep_house,
    forget_facts,
    digests.plan_digests,
)


async def run_worker(
    settings: Settings,
    *,
    stop: asyncio.Event | None = None,
    clock: Clock | None = None,
    drains: Mapping[str, Drain] = DRAINS,
) -> None:
    """Work until `stop` is set, or, without one, until SIGTERM or SIGINT; running batches are finished first.

    Raises `Unreachable` when the broker does not answer at the start. Later it may come and go.
    """
    async with open_kit(settings, clock=clock) as kit, stop_signals(stop) as stopped:
        crew = Crew(kit, drains)
        parts = {asyncio.create_task(part) for part in (listen(crew), be_seen(crew), keep_house(crew))}
        parts |= {asyncio.create_task(crew.sweep(name), name=f"sweep {name}") for name in drains}
        waiting = asyncio.create_task(stopped.wait())
        log.info("worker.started", lists=len(drains))
        try:
            done, _ = await asyncio.wait({waiting, *parts}, return_when=asyncio.FIRST_COMPLETED)
            for part in done - {waiting}:
                part.result()
        finally:
            crew.stopping.set()
            waiting.cancel()
            _, late = await asyncio.wait(parts, timeout=GRACE_SECONDS + 1)
            for part in late:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
            log.info("worker.stopped")


@asynccontextmanager
async def stop_signals(stop: asyncio.Event | None) -> AsyncIterator[asyncio.Event]:
    """The given event, or one that the first SIGTERM or SIGINT sets; a second signal ends the process at once."""
    if stop is not None:
        yield stop
        return
    told, loop = asyncio.Event(), asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)

    def tell() -> None:
        told.set()
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, tell)
    try:
        yield told
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


async def drain_all(kit: Kit, drains: Mapping[str, Drain] = DRAINS, *, batches: int = 100_000) -> dict[str, int]:
    """Drain every list, here and now, until nothing is due in any of them: for commands and tests.

    Returns how many entries of each list were handled. Raises `RuntimeError` after `batches`: some list then makes
    work for ever. What another process has leased is left to it.
    """
    handled: Counter[str] = Counter()
    for _ in range(batches):
        for name, drain_once in drains.items():
            if count := await drain_once(kit):
                handled[name] += count
                break
        else:
            return dict(handled)
    raise RuntimeError(f"the work lists do not come to rest; handled so far: {dict(handled)}")

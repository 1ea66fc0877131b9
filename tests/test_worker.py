"""The worker: fast when nudged, complete without a nudge, and not to be stopped by a list, a broker or a database."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from sqlalchemy import make_url

from hub import worker
from hub.kit import work
from hub.kit.queue import QUEUE_NAME
from hub.kit.runtime import Kit
from hub.kit.settings import Settings

LIST = "chores"
Drain = Callable[[Kit], Awaitable[int]]


class Chores:
    """A drain of a list, and when it handled which keys."""

    def __init__(self, list_name: str = LIST, *, batch: int = 100, takes: float = 0.0) -> None:
        self.list_name, self.batch, self.takes = list_name, batch, takes
        self.done: dict[str, list[float]] = {}
        self.running = self.most = self.failures = 0

    async def __call__(self, kit: Kit) -> int:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            async with kit.transaction() as session:
                claims = await work.claim(
                    session, self.list_name, limit=self.batch, now=kit.clock.now(), lease=timedelta(seconds=30)
                )
            await asyncio.sleep(self.takes)
            async with kit.transaction() as session:
                await work.finish(session, claims)
            for claim in claims:
                self.done.setdefault(claim.key, []).append(time.monotonic())
            return len(claims)
        except Exception:
            self.failures += 1
            raise
        finally:
            self.running -= 1


@asynccontextmanager
async def working(settings: Settings, drains: dict[str, Drain]) -> AsyncIterator[asyncio.Task[None]]:
    """A worker for as long as the block runs."""
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run_worker(settings, stop=stop, drains=drains))
    try:
        yield task
    finally:
        stop.set()
        await task


async def mark(kit: Kit, *keys: str, list_name: str = LIST, after: timedelta = timedelta()) -> float:
    async with kit.transaction() as session:
        await work.mark(session, list_name, keys, due_at=kit.clock.now() + after)
    return time.monotonic()


async def until(condition: Callable[[], object], *, within: float = 10.0) -> None:
    """Wait for a condition (or for what a condition waits for) to hold."""
    async with asyncio.timeout(within):
        while not (await holds if inspect.isawaitable(holds := condition()) else holds):  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.005)


async def seen(kit: Kit) -> None:
    """Wait until a worker says that it lives, and for its first sweep to be over."""
    await until(lambda: worker.workers(kit.queue.redis))
    await asyncio.sleep(0.2)


async def none_waiting(kit: Kit) -> bool:
    return await kit.queue.redis.zcard(QUEUE_NAME) == 0


@pytest.fixture
def no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only nudges wake the worker (after its first look)."""
    monkeypatch.setattr(worker, "SWEEP_SECONDS", 3600.0)


@pytest.mark.usefixtures("no_sweep")
async def test_a_mark_is_worked_on_at_once(kit: Kit, settings: Settings) -> None:
    """From commit to done takes a fraction of a second, without waiting for a sweep."""
    chores = Chores()
    async with working(settings, {LIST: chores}):
        await seen(kit)
        delays = []
        for number in range(20):
            marked = await mark(kit, key := f"k{number}")
            await until(lambda key=key: key in chores.done)  # type: ignore[misc]  # bound at once
            delays.append(chores.done[key][0] - marked)
    assert sorted(delays)[len(delays) // 2] < 0.25
    assert all(len(times) == 1 for times in chores.done.values())


async def test_work_is_found_when_the_broker_forgot_the_nudge(kit: Kit, settings: Settings) -> None:
    """Whatever Redis loses, a sweep finds what is marked."""
    chores = Chores()
    async with working(settings, {LIST: chores}):
        await seen(kit)
        async with kit.database.transaction() as session:  # committed, and nobody is told
            await work.mark(session, LIST, ["forgotten"], due_at=kit.clock.now())
        await kit.queue.redis.flushdb()
        await until(lambda: "forgotten" in chores.done)


async def test_what_falls_due_later_needs_no_nudge(kit: Kit, settings: Settings) -> None:
    """An entry is worked on when its time has come, and not before."""
    chores = Chores()
    async with working(settings, {LIST: chores}):
        marked = await mark(kit, "later", after=timedelta(seconds=1))
        await until(lambda: "later" in chores.done)
        assert chores.done["later"][0] - marked >= 0.95


@pytest.mark.usefixtures("no_sweep")
async def test_marks_during_a_batch_are_not_lost_and_batches_stay_few(kit: Kit, settings: Settings) -> None:
    """However many marks come, few drains run at once, and the last mark is worked on."""
    chores = Chores(takes=0.02)
    async with working(settings, {LIST: chores}):
        await seen(kit)
        for number in range(100):
            await mark(kit, f"k{number}")
        await until(lambda: len(chores.done) == 100)
    assert 1 <= chores.most <= worker.USUAL_LANES


async def test_a_failing_list_rests_and_holds_up_no_other(
    kit: Kit, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug in one drain is reported and tried again later; the others go on meanwhile."""
    monkeypatch.setattr(worker, "SEEN_EVERY_SECONDS", 0.5)
    chores, attempts = Chores(), 0

    async def broken(kit: Kit) -> int:
        nonlocal attempts
        attempts += 1
        raise ZeroDivisionError("a bug")

    async with working(settings, {"broken": broken, LIST: chores}):
        await seen(kit)
        for number in range(50):
            await mark(kit, f"b{number}", list_name="broken")
        await mark(kit, "fine")
        await until(lambda: "fine" in chores.done)
        assert 1 <= attempts <= 3
        await until(lambda: failing(kit))
    assert attempts > 1


async def failing(kit: Kit) -> bool:
    """Whether the worker says that its drain of the broken list fails again and again."""
    return any(told["failing"].get("broken", 0) > 1 for told in (await worker.workers(kit.queue.redis)).values())


@pytest.mark.usefixtures("no_sweep")
async def test_a_list_that_takes_long_is_handed_over(
    kit: Kit, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job ends after a while although there is more to do, and a new one goes on."""
    monkeypatch.setattr(worker, "DRAIN_SECONDS", 0.1)
    chores = Chores(batch=1, takes=0.02)
    async with working(settings, {LIST: chores}):
        await seen(kit)
        await mark(kit, *(f"k{number}" for number in range(30)))
        await until(lambda: len(chores.done) == 30)


async def test_stopping_finishes_the_batch(kit: Kit, settings: Settings) -> None:
    """What a worker has begun when it is told to stop, it finishes; the rest waits for another."""
    chores = Chores(batch=1, takes=0.3)
    async with working(settings, {LIST: chores}):
        await mark(kit, "a", "b", "c", "d", "e", "f")
        await until(lambda: chores.running)
        stopped = time.monotonic()
    assert time.monotonic() - stopped < 5
    assert chores.running == 0
    async with kit.reading() as session:
        left = (await work.depth(session)).get(LIST, 0)
    assert left == 6 - len(chores.done) > 0
    assert await worker.workers(kit.queue.redis) == {}


class BrokerProxy:
    """Stands between a worker and Redis, and can go away like a broker that restarts."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self.port = 0

    @property
    def url(self) -> str:
        unix = self._parts.scheme == "unix"
        database = parse_qs(self._parts.query).get("db", ["0"])[0] if unix else self._parts.path.strip("/") or "0"
        return f"redis://127.0.0.1:{self.port}/{database}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._connections):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._parts.scheme == "unix":
            there = await asyncio.open_unix_connection(self._parts.path)
        else:
            there = await asyncio.open_connection(self._parts.hostname, self._parts.port or 6379)
        self._connections |= {writer, there[1]}

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65_536):
                    sink.write(data)
                    await sink.drain()
            sink.transport.abort()

        await asyncio.gather(copy(reader, there[1]), copy(there[0], writer))
        self._connections -= {writer, there[1]}


async def test_a_broker_that_restarts_empty_costs_no_work(
    kit: Kit, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the broker is away sweeps go on; when it is back, and empty, nudges wake the worker again."""
    proxy = BrokerProxy(settings.redis_url or "")
    await proxy.start()
    chores = Chores()
    async with working(settings.model_copy(update={"redis_url": proxy.url}), {LIST: chores}) as task:
        await seen(kit)
        await proxy.stop()
        await kit.queue.redis.flushdb()
        await mark(kit, "away")
        await until(lambda: "away" in chores.done)
        await kit.queue.redis.flushdb()
        await proxy.start()
        await until(lambda: not task.done())
        await kit.queue.nudge("nothing")
        await until(lambda: none_waiting(kit))  # the listener takes jobs again
        monkeypatch.setattr(worker, "SWEEP_SECONDS", 3600.0)
        await asyncio.sleep(2.5)  # the last sweep that was on its way is over
        await mark(kit, "back")
        await until(lambda: "back" in chores.done, within=2)
    await proxy.stop()


async def test_a_database_that_goes_away_is_waited_for(kit: Kit, settings: Settings, servers: Any) -> None:
    """Every connection is cut and none is let in for a while; afterwards the worker goes on by itself."""
    name = (make_url(settings.database_url or "").database or "").replace('"', "")

    async def outside(*statements: str) -> None:
        connection = await asyncpg.connect(
            servers.databases.server_url.replace("postgresql+asyncpg://", "postgresql://")
        )
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    chores = Chores()
    async with working(settings, {LIST: chores}) as task:
        await mark(kit, "before")
        await until(lambda: "before" in chores.done)
        await outside(
            f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false',
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
        )
        await kit.queue.nudge(LIST)
        await until(lambda: chores.failures)
        assert not task.done()
        await outside(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS true')
        await mark(kit, "after")
        await until(lambda: "after" in chores.done, within=20)


async def test_draining_everything_comes_to_rest(kit: Kit) -> None:
    """`drain_all` goes round until nothing is due, also what one list marks on another."""
    later = Chores("later")

    async def passing_on(kit: Kit) -> int:
        async with kit.transaction() as session:
            claims = await work.claim(session, LIST, limit=2, now=kit.clock.now(), lease=timedelta(seconds=9))
            await work.finish(session, claims)
            await work.mark(session, "later", [claim.key for claim in claims], due_at=kit.clock.now())
        return len(claims)

    await mark(kit, "a", "b", "c")
    assert await worker.drain_all(kit, {"later": later, LIST: passing_on}) == {LIST: 3, "later": 3}
    assert later.done.keys() == {"a", "b", "c"}


async def test_draining_a_list_that_never_rests_is_an_error(kit: Kit) -> None:
    """A list that makes work for ever is found out."""

    async def endless(kit: Kit) -> int:
        return 1

    with pytest.raises(RuntimeError, match="do not come to rest"):
        await worker.drain_all(kit, {LIST: endless}, batches=10)


async def test_every_list_is_drained(kit: Kit) -> None:
    """An empty hub is at rest, and each of its lists has somebody who looks after it."""
    assert await worker.drain_all(kit) == {}
    assert list(worker.DRAINS) == [
        "deliveries",
        "streams_to_sync",
        "records_to_follow_up",
        "records_to_refetch",
        "raw_records",
        "health_moments",
        "accounts_to_score",
        "outbox",
        "facts_to_repeat",
        "plays_to_start",
        "runs_to_advance",
        "tasks_to_follow",
        "tasks_to_twin",
        "digests",
        "people_to_erase",
        "facts_to_deliver",
    ]
    assert worker.LANES.keys() <= worker.DRAINS.keys()

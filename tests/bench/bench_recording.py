"""How fast events are recorded idempotently, against a bare COPY of the same rows into a table with the same indexes.

Both get the same prebuilt rows in the same batches, in the order of time, as they arrive from all accounts at once;
each batch is a transaction. Rounds alternate and take turns in going first, so that whatever else the machine does hits
both. For comparison, not for the ratio, once: the same events again (all are known), and as facts that other records
may have told already. Run it by hand:

    uv run python -m tests.bench.bench_recording [events] [batch] [rounds]
"""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import make_url, text

from hub.kit.db import Database, driver_connection
from hub.kit.embedded import EmbeddedServers
from hub.migrations.runner import upgrade
from hub.timeline.recording import COLUMNS
from hub.timeline.service import EventRecord, record

GOAL = 0.8
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLACES = 2_000


def events(number: int) -> list[EventRecord]:
    """Two years of use, and of things (a fifth), at `PLACES` source accounts with eight people each."""
    rng = Random(7)
    places = [UUID(int=rng.getrandbits(128)) for _ in range(PLACES)]
    people = {place: [UUID(int=rng.getrandbits(128)) for _ in range(8)] for place in places}
    connection = UUID(int=rng.getrandbits(128))
    step = timedelta(days=730) / number
    return [
        _event(rng, place := rng.choice(places), people[place], connection, NOW - step * (number - nth))
        for nth in range(number)
    ]


def _event(rng: Random, place: UUID, people: Sequence[UUID], connection: UUID, at: datetime) -> EventRecord:
    about = rng.random() < 0.2
    attributes = {
        "feature": f"feature {rng.randrange(40)}",
        "path": f"/projects/{rng.randrange(10**6)}/board",
        "browser": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "plan": rng.choice(("starter", "growth", "scale")),
        "session": f"{rng.getrandbits(64):016x}",
        "duration_ms": rng.randrange(100_000),
    }
    return EventRecord(
        source_account_id=place,
        id=UUID(int=rng.getrandbits(128)),
        kind="ticket.created" if about else "product.used",
        occurred_at=at,
        flow="operational_execution",
        people=[rng.choice(people)],
        subject_type="ticket" if about else None,
        subject_id=str(rng.randrange(10**6)) if about else None,
        subject_state="open" if about else None,
        attributes=orjson.dumps(attributes).decode(),
        title="Something happened",
        connection_id=connection,
        stream="messages",
        record_id=f"msg-{rng.getrandbits(96):024x}",
        version="1",
    )


@asynccontextmanager
async def prepared(rows: Sequence[EventRecord]) -> AsyncIterator[Database]:
    """A migrated database with accounts for the places: on the server of the tests, or on an embedded one."""
    async with AsyncExitStack() as stack:
        server = os.environ.get("HUB_TEST_DATABASE_URL")
        if not server:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            server = stack.enter_context(EmbeddedServers(folder).running()).database_url
        name = f"hub_bench_{secrets.token_hex(4)}"
        own = make_url(server).set(drivername="postgresql+asyncpg", database=name)
        admin = await asyncpg.connect(server.replace("+asyncpg", ""))
        stack.push_async_callback(admin.close)
        await admin.execute(f'CREATE DATABASE "{name}"')
        stack.push_async_callback(admin.execute, f'DROP DATABASE "{name}" WITH (FORCE)')
        database = Database(own.render_as_string(hide_password=False))
        stack.push_async_callback(database.close)
        await upgrade(database.engine)
        async with database.transaction() as session:
            await session.execute(text("CREATE TABLE bare_event (LIKE event INCLUDING ALL)"))
            await session.execute(
                text(
                    "INSERT INTO account (id, name, time_zone, facts, created_at, first_seen_at) "
                    "SELECT id, 'Account', 'UTC', '{}', :now, :now FROM unnest(CAST(:ids AS uuid[])) AS id"
                ),
                {"ids": list({row.source_account_id for row in rows}), "now": NOW},
            )
            await session.execute(
                text(
                    "INSERT INTO source_account (id, place, account_id, profile, first_seen_at) "
                    "SELECT id, 'group:' || id, id, '{}', created_at FROM account"
                )
            )
        yield database


async def copied(database: Database, batches: Sequence[Sequence[EventRecord]]) -> None:
    """The yardstick: each batch copied as it is. Its rows are made before the clock starts."""
    for batch in batches:
        async with database.transaction() as session:
            driver = await driver_connection(session)
            await driver.copy_records_to_table("bare_event", records=batch, columns=list(COLUMNS))


async def recorded(
    database: Database, batches: Sequence[Sequence[EventRecord]], *, expected_new: bool = True, inserts: bool = True
) -> None:
    """The same batches recorded; each event is stored once."""
    for batch in batches:
        async with database.transaction() as session:
            done = await record(session, batch, NOW, expected_new=expected_new)
        if done.inserted != (len(batch) if inserts else 0):
            raise RuntimeError(f"{done.inserted} of {len(batch)} events were stored")


async def emptied(database: Database) -> None:
    """Both tables empty, and nothing of the round before left to be written."""
    async with database.transaction() as session:
        await session.execute(text("TRUNCATE event, bare_event"))
    async with database.engine.connect() as connection:
        connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("CHECKPOINT"))


async def seconds(work: Awaitable[None]) -> float:
    """How long it takes, by the clock on the wall."""
    started = time.perf_counter()
    await work
    return time.perf_counter() - started


async def measure(number: int, size: int, rounds: int) -> float:
    """The rate of `record` as a share of the rate of a bare COPY: the median over the rounds."""
    rows = events(number)
    batches = [rows[start : start + size] for start in range(0, number, size)]
    bare: list[list[EventRecord]] = [[(*row, NOW) for row in batch] for batch in batches]  # type: ignore[misc]  # as COPY takes them
    gc.collect()
    gc.freeze()
    ratios = []
    async with prepared(rows) as database:
        ways: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            ("COPY", lambda: copied(database, bare)),
            ("record", lambda: recorded(database, batches)),
        ]
        for nth in range(rounds):
            times = {}
            for name, work in ways if nth % 2 == 0 else reversed(ways):
                await emptied(database)
                times[name] = await seconds(work())
            ratios.append(times["COPY"] / times["record"])
            print(
                f"round {nth + 1}: COPY {number / times['COPY']:,.0f}/s, record {number / times['record']:,.0f}/s, "
                f"ratio {ratios[-1]:.2f}",
                flush=True,
            )
        await emptied(database)
        shared = await seconds(recorded(database, batches, expected_new=False))
        known = await seconds(recorded(database, batches, inserts=False))
        print(f"perhaps known: {number / shared:,.0f}/s; known: {number / known:,.0f}/s")
    ratio = statistics.median(ratios)
    print(f"{number:,} events in batches of {size:,}: ratio {ratio:.2f} (goal {GOAL})")
    return ratio


def main() -> None:
    """Measure; the exit code says whether the goal was reached."""
    given = [int(value) for value in sys.argv[1:4]]
    number, size, rounds = [*given, *(400_000, 10_000, 7)[len(given) :]]
    ratio = asyncio.run(measure(number, size, rounds))
    sys.exit(0 if ratio >= GOAL else 1)


if __name__ == "__main__":
    main()

"""How fast runs are moved on, against what bare arq does with an empty job in the same process on the same machine.

A dispatch is one run that was due: claimed from the work list in SQL, its step (a task for a person) carried out and
written, told to the timeline and the outbox, the run ended, and its entry taken off the list. A job of the hub moves up
to a hundred such runs, so this compares runs with jobs, not jobs with jobs: what arq would need a job of its own for if
each run were one. The yardstick enqueues as many empty jobs and has one worker of arq, set up like the hub's, run them
in burst mode; the time of enqueuing is not counted on either side.

The second table is the cost of a hundred due runs while more and more others are open and wait for a time to come.

    uv run python -m tests.bench.bench_dispatch [runs] [open runs, at most]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from arq import worker as arq
from sqlalchemy import text

from hub.accounts.model import Account
from hub.blueprint import service as blueprints
from hub.kit.clock import SystemClock
from hub.kit.ids import new_id
from hub.kit.log import configure_logging
from hub.kit.queue import QUEUE_NAME, deserialize, serialize
from hub.kit.runtime import Kit, open_kit
from hub.plays import service
from hub.plays.jobs import BATCH, drain_runs_to_advance
from hub.plays.together import together
from tests.bench.servers import fresh_settings

GOAL: Final = 0.7
FLAT: Final = 2.0
"""A hundred runs may cost at most so many times as much among a million open ones as among a thousand."""

DOCUMENT: Final = {
    "blueprint": 1,
    "name": "bench",
    "plays": {
        "call": {"trigger": {"by_hand": True}, "steps": [{"task": "Call {{ account.name }}", "until_done": False}]}
    },
}


async def nothing(_ctx: dict[str, Any]) -> None:
    """The empty job."""


async def bare_arq(kit: Kit, jobs: int) -> float:
    """Empty jobs a second."""
    queue = f"{QUEUE_NAME}:bench"
    for _ in range(jobs):
        await kit.queue.redis.enqueue_job("nothing", _queue_name=queue)
    worker = arq.Worker(
        functions=[arq.func(nothing, name="nothing", keep_result=0)],
        queue_name=queue,
        redis_pool=kit.queue.redis,
        burst=True,
        handle_signals=False,
        max_jobs=kit.settings.worker_concurrency,
        queue_read_limit=10_000,
        poll_delay=0.01,
        keep_result=0,
        log_results=False,
        job_serializer=serialize,
        job_deserializer=deserialize,
    )
    began = time.perf_counter()
    await worker.async_run()
    return jobs / (time.perf_counter() - began)


async def enrolled(kit: Kit, runs: int) -> None:
    """Runs that are due, each on an account of its own."""
    for first in range(0, runs, 500):
        now = kit.clock.now()
        accounts = [new_id() for _ in range(first, min(first + 500, runs))]
        async with kit.transaction() as session:
            session.add_all(
                Account(id=id_, name="Acme", time_zone="UTC", facts={}, created_at=now, first_seen_at=now)
                for id_ in accounts
            )
            await session.flush()
            blueprint = await blueprints.current(session)
            async with together(session, accounts, now=now):
                for id_ in accounts:
                    await service.enrol(session, blueprint, "call", id_, "bench", {"topic": "hand"}, now=now)


async def dispatch(kit: Kit, lanes: int = 4) -> tuple[int, float, float]:
    """Move on all that is due, as a worker does it; how many, the seconds, and this process's seconds of CPU."""
    began, cpu, moved = time.perf_counter(), time.process_time(), 0

    async def lane() -> None:
        nonlocal moved
        while count := await drain_runs_to_advance(kit):
            moved += count

    await asyncio.gather(*(lane() for _ in range(lanes)))
    return moved, time.perf_counter() - began, time.process_time() - cpu


async def open_runs(kit: Kit, number: int) -> None:
    """Bring the number of runs that wait for a time to come up to this, by copying one."""
    later = kit.clock.now() + timedelta(days=30)
    async with kit.transaction() as session:
        there = (await session.execute(text("SELECT count(*) FROM run WHERE status = 'running'"))).scalar_one()
        columns = "play, account_id, person_id, status, step, holdout, trigger, definition, blueprint_version, priority"
        await session.execute(
            text(
                f"WITH made AS (INSERT INTO run (id, occurrence, started_at, updated_at, {columns}) "
                "SELECT gen_random_uuid(), 'open:' || n, r.started_at, r.updated_at, r.play, r.account_id, "
                "r.person_id, 'running', r.step, r.holdout, r.trigger, r.definition, r.blueprint_version, r.priority "
                "FROM (SELECT * FROM run LIMIT 1) AS r, generate_series(CAST(:first AS bigint), :last) AS n "
                "RETURNING id), "
                "steps AS (INSERT INTO run_step (run_id, index, kind, name, status, attempts, result) "
                "SELECT id, 0, 'wait', '30d', 'waiting', 1, '{}' FROM made) "
                "INSERT INTO work_item (list, key, due_at, generation, attempts) "
                "SELECT :list, id::text, CAST(:later AS timestamptz) + random() * interval '30 days', 1, 0 FROM made"
            ),
            {"first": there + 1, "last": number, "list": service.TO_ADVANCE, "later": later},
        )
    async with kit.database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text("ANALYZE run, run_step, work_item"))


async def measure(runs: int, most: int) -> bool:
    """Print both tables; whether the goals were reached."""
    with tempfile.TemporaryDirectory() as folder:
        async with fresh_settings(Path(folder)) as settings, open_kit(settings, clock=SystemClock()) as kit:
            async with kit.transaction() as session:
                await blueprints.apply(session, DOCUMENT, "bench", kit.clock.now())
            await enrolled(kit, 2 * BATCH)
            await dispatch(kit)  # everything is imported, compiled and connected
            ratios = []
            for _ in range(3):
                await enrolled(kit, runs)
                bare = await bare_arq(kit, runs)
                moved, seconds, cpu = await dispatch(kit)
                ratios.append(moved / seconds / bare)
                print(
                    f"{moved:,} runs: {moved / seconds:.0f}/s ({cpu / moved * 1000:.2f} ms of CPU each here), bare arq "
                    f"{bare:.0f} empty jobs/s: {ratios[-1]:.2f} (goal {GOAL})",
                    flush=True,
                )
            costs = []
            for number in (1_000, 10_000, 100_000, 1_000_000):
                if number > most:
                    break
                await open_runs(kit, number)
                found = []
                for _ in range(5):
                    await enrolled(kit, BATCH)
                    found.append((await dispatch(kit, lanes=1))[1])
                costs.append(sorted(found)[2])
                print(f"{number:>9,} open runs: {costs[-1] * 1000:6.0f} ms for the {BATCH} that are due", flush=True)
    middle = sorted(ratios)[1]
    growth = costs[-1] / costs[0] if costs else 1.0
    print(f"median {middle:.2f} of bare arq (goal {GOAL}); the last of the curve {growth:.2f} times its first")
    return middle >= GOAL and growth <= FLAT


def main() -> None:
    """Measure; the exit code says whether the goals were reached."""
    configure_logging("warning")
    given = [int(value) for value in sys.argv[1:3]]
    runs, most = [*given, *(2_000, 1_000_000)[len(given) :]]
    sys.exit(0 if asyncio.run(measure(runs, most)) else 1)


if __name__ == "__main__":
    main()

"""How long a year of daily scores takes: measures, stages, points and bands of every account at the end of every day.

The yardstick of the same run is the time that the same measures take for one day; the ratio says how many days' work
the year is. The hub knows nothing of the accounts' journeys before: all of them are replayed. Run it by hand:

    uv run python -m tests.bench.bench_series [accounts] [events] [days]
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from datetime import timedelta

import polars as pl

from hub.blueprint.service import Blueprint
from hub.health.daily import daily
from hub.measures.service import compute
from tests.bench.bench_scoring import AS_OF, CATALOGUE, DOCUMENT, check, prepared, seconds

GOAL = 60.0
BATCH = 1000


async def measure(accounts: int, events: int, days: int) -> float:
    """The seconds of the whole year."""
    blueprint = Blueprint(1, DOCUMENT)
    async with prepared(accounts, events) as database:
        async with database.reading() as session:
            ids = await check(session)
            one_day, _ = await seconds(compute(session, CATALOGUE, None, as_of=AS_OF))
        started, cpu, bands = time.perf_counter(), time.process_time(), pl.DataFrame()
        for start in range(0, len(ids), BATCH):
            async with database.reading() as session:
                first = AS_OF - (days - 1) * timedelta(days=1)
                found = await daily(session, blueprint, ids[start : start + BATCH], first=first, days=days)
            bands = pl.concat([bands, found.group_by("band", "stage").len()])
        whole, cpu = time.perf_counter() - started, time.process_time() - cpu
    print(bands.group_by("band", "stage").agg(pl.col("len").sum()).sort("stage", "band"))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{days} days of {accounts:,} accounts, {events:,} events, {len(CATALOGUE.names)} measures: {whole:.1f} s "
        f"({cpu:.1f} s of it in this process), {whole / one_day:.0f} times the measures of one day ({one_day:.2f} s); "
        f"at most {memory:.2f} GiB (goal {GOAL:.0f} s)"
    )
    return whole


def main() -> None:
    """Measure; the exit code says whether the goal was reached."""
    given = [int(value) for value in sys.argv[1:4]]
    accounts, events, days = [*given, *(10_000, 1_000_000, 365)[len(given) :]]
    sys.exit(0 if asyncio.run(measure(accounts, events, days)) <= GOAL else 1)


if __name__ == "__main__":
    main()

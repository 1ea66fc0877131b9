"""The whole base at once: 25 measures of every account against the bare aggregate, a hundredth of it, and many rules.

- All measures against one SQL statement by hand that aggregates the same windows of the same events; their values are
  compared first.
- Scoring a hundredth of the accounts against scoring all of them, in the worker's batches, after an event for each.
- A hundred rules over all accounts: processor time of this process, all its threads together.

Run it by hand; the sizes of the goals take some minutes, most of them to invent the base:

    uv run python -m tests.bench.bench_base [accounts] [events]
    uv run python -m tests.bench.bench_base 100000 10000000
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import polars as pl
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint import service as blueprints
from hub.blueprint.service import Blueprint, read_text
from hub.kit.db import Database, driver_connection
from hub.measures.rules import Rule
from hub.measures.section import Catalogue
from hub.measures.service import compute
from tests.bench.bench_scoring import AS_OF, BY_HAND, DOCUMENT, prepared, scored, seconds, something_happens

FULL_GOAL, SHARE_GOAL, RULES_GOAL = 1.5, 0.05, 0.5
ROUNDS = 3
SHARE = 100
KINDS = {"uses": "product.used", "sign_ins": "person.signed_in", "views": "report.viewed", "taken": "data.exported"}
WINDOWS = {"uses": (7, 14, 56, 90), "sign_ins": (7, 14, 28, 90), "views": (7, 56), "taken": (7, 90)}
COUNTS = [(f"{name}_{days}d", KINDS[name], days) for name, windows in WINDOWS.items() for days in windows]

MORE = {name: {"kind": "count", "of": [kind], "window": f"{days}d"} for name, kind, days in COUNTS} | read_text(
    "answers_90d: {kind: sum, of: [survey.answered], window: 90d}"
)
WHOLE = {**DOCUMENT, "measures": {**DOCUMENT["measures"], **MORE}}
CATALOGUE = Blueprint(0, WHOLE).section("measures", Catalogue)

COUNTED = ",\n".join(
    f"    count(*) FILTER (WHERE e.kind = '{kind}' AND e.occurred_at > $1::timestamptz - interval '{days} days') "
    f"AS {name}"
    for name, kind, days in COUNTS
)
BY_HAND_TOO = (
    BY_HAND.replace(
        "\nSELECT a.id::text",
        f""",
more AS (
  SELECT s.account_id,
{COUNTED},
    sum(e.value::numeric) FILTER (WHERE e.kind = 'survey.answered') AS answers_90d
  FROM source_account s
  JOIN event e ON e.source_account_id = s.id
  WHERE e.kind IN ('product.used', 'person.signed_in', 'report.viewed', 'data.exported', 'survey.answered')
    AND e.retracted_at IS NULL
    AND e.occurred_at <= $1::timestamptz AND e.occurred_at > $1::timestamptz - interval '90 days'
  GROUP BY s.account_id)
SELECT a.id::text""",
    )
    .replace(
        "AS renews_in\n", "AS renews_in, " + ", ".join(f"COALESCE({name}, 0)::float8 AS {name}" for name in MORE) + "\n"
    )
    .replace("LEFT JOIN held ON", "LEFT JOIN more ON more.account_id = a.id\nLEFT JOIN held ON")
)


async def _by_hand(session: AsyncSession) -> list[Any]:
    driver = await driver_connection(session)
    rows: list[Any] = await driver.fetch(BY_HAND_TOO, AS_OF)
    return rows


async def _computed(session: AsyncSession, ids: list[UUID] | None) -> pl.DataFrame:
    return await compute(session, CATALOGUE, ids, as_of=AS_OF)


async def _agree(session: AsyncSession) -> pl.DataFrame:
    frame, rows = await _computed(session, None), await _by_hand(session)
    if [tuple(row) for row in rows] != frame.select(*rows[0].keys()).rows():
        raise RuntimeError("the statement by hand and the measures disagree")
    return frame


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


async def _measures(database: Database) -> tuple[float, pl.DataFrame]:
    """Measures of all accounts as a multiple of the statement by hand (the better of the rounds for each)."""
    hand, ours = [], []
    async with database.reading() as session:
        before, frame = _memory(), await _computed(session, None)
        print(f"{frame.height:,} × {len(CATALOGUE.names)} measures: {_memory():.2f} GiB at most, {before:.2f} before")
        await _agree(session)
        for _ in range(ROUNDS):
            hand.append((await seconds(_by_hand(session)))[0])
            ours.append((await seconds(_computed(session, None)))[0])
        some = [UUID(id_) for id_ in frame["account_id"][::SHARE]]
        share, _ = await seconds(_computed(session, some))
    ratio = min(ours) / min(hand)
    print(f"by hand {min(hand):.2f} s, measures {min(ours):.2f} s (ratio {ratio:.2f}, goal {FULL_GOAL})")
    print(f"the measures of a hundredth: {share:.3f} s ({share / min(ours):.1%} of all)")
    return ratio, frame


async def _share(database: Database, ids: list[UUID]) -> float:
    """Scoring a hundredth of the accounts as a share of scoring all."""
    async with database.transaction() as session:
        await blueprints.apply(session, WHOLE, "bench", AS_OF)
        blueprint = await blueprints.current(session)
        # Known for years: nobody's history has to be replayed.
        await session.execute(
            text(
                "INSERT INTO stay (id, account_id, segment, stage, entered_at, recorded_at, because, "
                "blueprint_version) SELECT gen_random_uuid(), id, 'all', 'established', first_seen_at, first_seen_at, "
                '\'{"reason": "transition"}\', 1 FROM account'
            )
        )
    await scored(database, blueprint, ids, AS_OF)
    times = []
    for number, mine in enumerate((ids, ids[::SHARE]), 1):
        now = AS_OF + number * timedelta(hours=1)
        await something_happens(database, len(ids), now - timedelta(minutes=1))
        times.append((await seconds(scored(database, blueprint, list(mine), now)))[0])
    share = times[1] / times[0]
    print(f"scored: all in {times[0]:.1f} s, a hundredth in {times[1]:.2f} s ({share:.1%}, goal {SHARE_GOAL:.0%})")
    return share


def _rules(frame: pl.DataFrame) -> float:
    """The processor time of a hundred rules over all accounts."""
    names = sorted(CATALOGUE.names)
    texts = [
        f"{names[nth % 25]} < 0.8 * {names[(nth * 7 + 1) % 25]} AND {names[(nth * 3 + 2) % 25]} >= {nth % 5}"
        for nth in range(100)
    ]
    rules = [Rule.parse(text, CATALOGUE.names) for text in texts]
    started = time.process_time()
    held = sum(rule.holds(frame).sum() for rule in rules)
    spent = time.process_time() - started
    print(f"100 rules over {frame.height:,} accounts: {spent:.2f} s of processor ({held:,} hold, goal {RULES_GOAL} s)")
    return spent


async def measure(accounts: int, events: int) -> bool:
    """Whether all goals were reached."""
    async with prepared(accounts, events) as database:
        ratio, frame = await _measures(database)
        memory, rules = _memory(), _rules(frame)
        share = await _share(database, [UUID(id_) for id_ in frame["account_id"]])
    print(f"{accounts:,} accounts, {events:,} events; client memory {memory:.2f} GiB (goal 1)")
    return ratio <= FULL_GOAL and share <= SHARE_GOAL and rules <= RULES_GOAL and memory <= 1


def main() -> None:
    """Measure; the exit code says whether the goals were reached."""
    given = [int(value) for value in sys.argv[1:3]]
    accounts, events = [*given, *(20_000, 2_000_000)[len(given) :]]
    sys.exit(0 if asyncio.run(measure(accounts, events)) else 1)


if __name__ == "__main__":
    main()

"""The same records in any order, in any batches, some of them twice: the same timeline and the same scores."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import orjson
from sqlalchemy import text

from hub.accounts.service import TO_SCORE
from hub.cli.session import prepare
from hub.connections import registry
from hub.connections import service as connections
from hub.connections.records import store
from hub.health.jobs import drain_accounts_to_score
from hub.kit import work
from hub.kit.clock import FrozenClock
from hub.kit.runtime import Kit, open_kit
from hub.kit.settings import Settings
from hub.sandbox import Sandbox, invent
from hub.sandbox.books import Customer, Resource
from hub.sandbox.shapes import CURRENT, render
from hub.sdk.rows import RawRow, read_row
from hub.timeline import service as timeline
from hub.timeline.jobs import drain_raw_records
from tests.databases import emptying

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ROUNDS = 100
KEPT = {"connection", "blueprint_version"}


def records() -> dict[str, list[RawRow]]:
    """What Segment and Stripe tell of three companies, by connection."""
    sandbox = Sandbox(invent(accounts=9, until=NOW))
    companies = {company.id for company in sandbox.base.companies[:3]}
    streams = {name: registry.current().connector(name).streams for name in ("segment", "stripe")}
    since = (NOW - timedelta(days=60)).isoformat()
    messages = [
        {**message, "receivedAt": NOW.isoformat()}
        for message in sandbox.history()
        if message.get("groupId", message.get("context", {}).get("groupId")) in companies
        and (message["timestamp"] > since or message["type"] in ("group", "identify"))
    ]
    chosen = Random(1).sample(messages, min(160, len(messages)))
    rows: dict[str, list[Any]] = {"segment": [("messages", row) for row in chosen], "stripe": []}
    customers = {
        fact.id: fact for fact in sandbox.stripe.books.newest(Customer) if fact.metadata.get("group_id") in companies
    }
    for resource in (Resource.CUSTOMERS, Resource.SUBSCRIPTIONS, Resource.INVOICES):
        shelf = sandbox.stripe.books.shelves[resource]
        for place in range(len(shelf)):
            row = render(shelf.at(place), CURRENT)
            if row.get("customer", row["id"]) in customers:
                rows["stripe"].append((resource.value, row))
    return {
        name: [kept for stream, row in given if isinstance(kept := read_row(streams[name][stream], row, NOW), RawRow)]
        for name, given in rows.items()
    }


async def bring_in(kit: Kit, ids: dict[str, Any], given: dict[str, list[RawRow]], rng: Random) -> None:
    """All records in a new order, a fifth of them twice, in batches of any size, read now and then."""
    everything = [(name, row) for name, rows in given.items() for row in rows]
    everything += rng.sample(everything, len(everything) // 5)
    rng.shuffle(everything)
    while everything:
        size = rng.randint(1, 150)
        batch, everything = everything[:size], everything[size:]
        async with kit.transaction() as session:
            for name, connection_id in ids.items():
                await store(session, connection_id, [row for owner, row in batch if owner == name], now=NOW)
        if rng.random() < 0.5:
            await drain_raw_records(kit)
    while await drain_raw_records(kit):
        pass
    async with kit.transaction() as session:
        await work.stop_settling(session, TO_SCORE, now=NOW)
    while await drain_accounts_to_score(kit):
        pass


async def state_of(kit: Kit) -> tuple[str, str]:
    """The timeline's fingerprint, and a hash of every account's score with all its terms."""
    async with kit.reading() as session:
        found = await session.execute(
            text(
                "SELECT array_agg(s.place ORDER BY s.place) AS places, a.name, "
                "c.micro_points, c.coverage_ppm, c.band, c.stage, c.terms "
                "FROM health h JOIN score c ON c.id = h.score_id JOIN account a ON a.id = h.account_id "
                "JOIN source_account s ON s.account_id = a.id AND s.connection_id IS NOT NULL GROUP BY a.id, c.id"
            )
        )
        scores = sorted(orjson.dumps(list(row), option=orjson.OPT_SORT_KEYS) for row in found)
        assert len(scores) >= 3
        return await timeline.fingerprint(session), hashlib.sha256(b"\n".join(scores)).hexdigest()


async def test_order_does_not_matter(settings: Settings) -> None:
    """A hundred shuffles, each with repetitions and other batches, end in one and the same state."""
    async with open_kit(settings, clock=FrozenClock(NOW)) as kit:
        await prepare(kit)
        async with kit.transaction() as session:
            ids = {}
            for name, config in {
                "segment": {"write_key": "a write key for tests"},
                "stripe": {"api_key": "rk_test_1"},
            }.items():
                added = await connections.add(
                    session, kit.vault, registry.current(), name, name, config, now=NOW, check=False
                )
                ids[name] = added.id
        given = records()
        assert sum(map(len, given.values())) > 180
        states = set()
        for seed in range(ROUNDS):
            await bring_in(kit, ids, given, Random(seed))
            states.add(await state_of(kit))
            assert len(states) == 1, f"the shuffle with seed {seed} ends differently"
            async with kit.transaction() as session:
                await session.execute(text(emptying(*KEPT)))

"""Vendors on their worst days: whatever is cut, killed, shuffled and sent twice, the timeline is that of a calm day.

A round reads the same small world as the calm run did, but page by page in any order, with faults falling on the
vendors' answers, readers killed at every page and in between, and webhooks of the same objects arriving late, twice and
in any order. Another double is one line in `VENDORS`.

`HUB_TEST_TORTURE=1000` makes so many rounds; each round's seed is its number, and stands in the failure.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any, TypeVar
from uuid import UUID

import hub_intercom.connector
import hub_stripe.connector
import pytest
import stamina
from hub_intercom import Intercom
from hub_salesforce import Salesforce
from hub_segment import Segment
from hub_stripe import Stripe
from hub_zendesk import Zendesk
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.routing import Mount

from hub import sdk
from hub.connections import registry
from hub.connections import service as connections
from hub.connections.jobs import drain_deliveries, drain_records_to_refetch
from hub.connections.reading import Ended
from hub.connections.registry import Registry
from hub.connections.webhooks import Intake
from hub.kit.clock import FrozenClock
from hub.kit.loopback import serve
from hub.kit.runtime import Kit
from hub.sandbox import Fault, Faults, Sandbox, invent
from hub.sandbox.books import Resource
from hub.sandbox.doubles import DOUBLES
from hub.sandbox.intercom.workspace import Happened
from hub.sandbox.salesforce.outbound import Pending
from hub.tables import metadata
from hub.timeline import jobs
from hub.timeline.jobs import drain_raw_records
from hub.timeline.service import fingerprint

ROUNDS = int(os.environ.get("HUB_TEST_TORTURE", "16"))
PARTS = 4
"""The rounds are dealt out to so many tests, so that all processes of the suite share them."""

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
NOW = UNTIL + timedelta(minutes=2)
"""Zendesk withholds the last minute."""

SEED = 1
PAGE = 2
OTHERS_PAGE = 8
MESSAGES = 12
THINGS = 3
"""Of each sort, so many are also told of by webhook."""
FAULTS = {Fault.RATE_LIMITED: 0.06, Fault.SERVER_ERROR: 0.06, Fault.CUT: 0.06}
KILLED = 0.12
SPARED = {"connection", "alembic_version", "blueprint_version"}

T = TypeVar("T")
Send = Callable[[], Awaitable[Any]]


@dataclass(frozen=True)
class Vendor:
    """A vendor's part: its connector, and all that it sends to a connection's address."""

    connector: type[sdk.Connector[Any]]
    sends: Callable[[Sandbox, str], list[Send]]


def stripe_sends(sandbox: Sandbox, url: str) -> list[Send]:
    """Every event that Stripe still lists, one delivery each."""
    sandbox.stripe.endpoints.clear()
    endpoint = sandbox.stripe_webhook(f"{url}/webhook")
    shelf = sandbox.stripe.books.shelves[Resource.EVENTS]
    return [partial(endpoint.deliver, shelf.at(place)) for place in range(len(shelf))]


def segment_sends(sandbox: Sandbox, url: str) -> list[Send]:
    """The first and the last of the world's messages, a few in each batch."""
    history = list(sandbox.history())
    chosen = history[: MESSAGES // 2] + history[-MESSAGES // 2 :]
    sender = sandbox.segment(url)
    return [partial(sender.send, chosen[first : first + 4]) for first in range(0, len(chosen), 4)]


def salesforce_sends(sandbox: Sandbox, url: str) -> list[Send]:
    """An outbound message about records of each object, a few in each."""
    org = sandbox.salesforce.org
    messages = sandbox.salesforce_messages(f"{url}/outbound/{sandbox.salesforce_message_secret}")
    found = [
        Pending(f"04l{kind[:3]}{nth:012}", kind, record)
        for kind in ("Account", "Contact", "Opportunity", "Case", "Task")
        for nth, record in enumerate(list(org.tables[kind].values())[:THINGS])
    ]
    return [partial(messages.send, found[first : first + 4]) for first in range(0, len(found), 4)]


def zendesk_sends(sandbox: Sandbox, url: str) -> list[Send]:
    """A webhook about each of the first tickets, users and organisations."""
    webhook = sandbox.zendesk_webhook(f"{url}/webhook")
    found = [
        webhook.event(kind, row)
        for kind in ("ticket", "user", "organization")
        for row in list(sandbox.zendesk.desk.tables[f"{kind}s"])[:THINGS]
    ]
    return [partial(webhook.deliver, event) for event in found]


def intercom_sends(sandbox: Sandbox, url: str) -> list[Send]:
    """A notification about each of the first contacts, companies and conversations, as it stands."""
    endpoint = sandbox.intercom_notifications(f"{url}/webhook")
    workspace = sandbox.intercom.workspace
    things: dict[str, Any] = {
        "contact.user.updated": workspace.contacts,
        "company.updated": workspace.companies,
        "conversation.user.created": workspace.conversations,
    }
    return [
        partial(endpoint.deliver, Happened(f"notif_{topic}_{nth}", topic, thing.updated, thing))
        for topic, held in things.items()
        for nth, thing in enumerate(list(held.values())[:THINGS])
    ]


def unhurried(kind: type[sdk.Connector[Any]]) -> type[sdk.Connector[Any]]:
    """The connector without the pace that its vendor asks for."""
    return type(kind.__name__, (kind,), {"rate": sdk.Rate(per_second=1_000_000, backfill_share=1.0)})


VENDORS = (
    Vendor(unhurried(Stripe), stripe_sends),
    Vendor(Segment, segment_sends),
    Vendor(unhurried(Salesforce), salesforce_sends),
    Vendor(unhurried(Zendesk), zendesk_sends),
    Vendor(unhurried(Intercom), intercom_sends),
)


def doubles(sandbox: Sandbox) -> list[Any]:
    """Those that answer, and on whose answers faults fall."""
    return [sandbox.stripe, sandbox.salesforce, sandbox.zendesk, sandbox.intercom]


@dataclass
class Torture:
    """A hub in one process, and the vendors around it."""

    kit: Kit
    clock: FrozenClock
    sandbox: Sandbox
    url: str
    streams: Sequence[tuple[UUID, str]]

    def sends(self) -> list[Send]:
        """Everything that arrives by webhook."""
        return [
            send for vendor in VENDORS for send in vendor.sends(self.sandbox, f"{self.url}/in/{vendor.connector.id}")
        ]

    async def read(self, stream: tuple[UUID, str], *, seconds: float | None) -> Ended:
        """Read one stream, to its end or for a page; who is asked for patience has it."""
        outcome = await connections.sync_stream(self.kit, *stream, seconds=seconds)
        if outcome.retry_after is not None:
            self.clock.advance(outcome.retry_after)
        return outcome.ended

    async def settle(self) -> None:
        """Drain every list until nothing waits."""
        for _ in range(100):
            drains = (drain_deliveries, drain_records_to_refetch, drain_raw_records)
            if not sum([await drain(self.kit) for drain in drains]):
                waits = "SELECT count(*) FROM work_item WHERE list = 'records_to_refetch'"
                if not await self.count(waits):
                    return
            self.clock.advance(timedelta(hours=1))
        raise AssertionError("the work lists do not come to rest")

    async def count(self, statement: str) -> int:
        async with self.kit.reading() as session:
            return int((await session.execute(text(statement))).scalar_one())

    async def told(self) -> tuple[str, int]:
        """The timeline's hash, and how many raw records there are."""
        assert await self.count("SELECT count(*) FROM quarantine") == 0
        async with self.kit.reading() as session:
            return await fingerprint(session), await self.count("SELECT count(*) FROM raw_record")

    async def forget(self) -> None:
        """An empty hub with the same connections, on the first day again."""
        self.clock.advance(NOW - self.clock.now())
        async with self.kit.transaction() as session:
            tables = [table.name for table in reversed(metadata.sorted_tables)]  # what others point to comes last
            emptied = "; ".join(f"DELETE FROM {table}" for table in tables if table not in SPARED)
            await session.execute(text(f"DO $$ BEGIN {emptied}; END $$"))


@pytest.fixture
async def torture(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Torture]:
    """The hub and its vendors, connected. No pause between two attempts: rounds are many."""
    monkeypatch.setattr(hub_stripe.connector, "PAGE", PAGE)
    monkeypatch.setattr(hub_intercom.connector, "PAGE", OTHERS_PAGE)
    stamina.set_testing(True, attempts=1)
    clock = FrozenClock(NOW)
    async with kit.transaction() as session:
        # No power fails here: commits need not wait for the disk.
        name = (await session.execute(text("SELECT current_database()"))).scalar_one()
        await session.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = off'))
    await kit.database.engine.dispose()
    kit = replace(kit, clock=clock)
    base = invent(SEED, 1, until=UNTIL)
    with registry.using(Registry.of(*(vendor.connector for vendor in VENDORS))) as found:
        async with Sandbox(base, clock=clock.now).running() as sandbox:
            sandbox.salesforce.page = sandbox.zendesk.page = sandbox.intercom.scroll_page = OTHERS_PAGE
            # Time stands still here, so limits of requests a minute are none that could be kept.
            sandbox.salesforce.daily_limit = sandbox.zendesk.exports_per_minute = sandbox.intercom.per_window = 10**9
            intake = Intake(kit)
            async with serve(Starlette(routes=[Mount("/in", intake)])) as url:
                streams = []
                for vendor in VENDORS:
                    name = vendor.connector.id
                    async with DOUBLES[name](sandbox) as double, kit.transaction() as session:
                        config = dict(double.config)
                        row = await connections.add(session, kit.vault, found, name, name, config, now=clock.now())
                        streams += [
                            (row.id, stream.name) for stream in vendor.connector.streams.values() if stream.interval
                        ]
                yield Torture(kit, clock, sandbox, url, streams)
            await intake.close()
    stamina.set_testing(False)


async def calm(torture: Torture) -> tuple[str, int]:
    """Everything in order, once."""
    for double in doubles(torture.sandbox):
        double.faults = Faults()
    for stream in torture.streams:
        assert await torture.read(stream, seconds=None) is Ended.DONE
    for send in torture.sends():
        await send()
    await torture.settle()
    return await torture.told()


async def killed(work: Awaitable[T], rng: Random) -> T | None:
    """Now and then the process dies in the middle of it: None."""
    if rng.random() > KILLED:
        return await work
    try:
        return await asyncio.wait_for(work, rng.uniform(0, 0.02))
    except TimeoutError:
        return None


async def tortured(torture: Torture, seed: int) -> tuple[str, int]:
    """Anything in any order, until all of it was told at least once."""
    rng = Random(seed)
    for nth, double in enumerate(doubles(torture.sandbox)):
        double.faults = Faults(share=FAULTS, seed=seed * 10 + nth)
    sends = torture.sends()
    sends += rng.sample(sends, len(sends) // 3)
    rng.shuffle(sends)
    unread = set(torture.streams)
    while unread or sends:
        steps = ["read"] * len(unread) + ["send"] * len(sends) + ["deliveries", "records"]
        match rng.choice(steps):
            case "read":
                stream = rng.choice(sorted(unread))
                ended = await killed(torture.read(stream, seconds=rng.choice((0, None))), rng)
                if ended is Ended.DONE:
                    unread.discard(stream)
            case "send":
                await sends.pop()()
            case "deliveries":
                await killed(drain_deliveries(torture.kit), rng)
            case "records":
                await killed(drain_raw_records(torture.kit), rng)
    for double in doubles(torture.sandbox):
        double.faults = Faults()
    await torture.settle()
    return await torture.told()


@pytest.mark.parametrize("part", range(PARTS))
async def test_the_worst_days_tell_what_a_calm_day_tells(
    torture: Torture, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    """The same timeline, the same raw records, nothing in quarantine: nothing is lost, nothing is there twice."""
    expected = await calm(torture)
    assert expected[1] > 20
    for seed in range(part, ROUNDS, PARTS):
        await torture.forget()
        monkeypatch.setattr(jobs, "BATCH", Random(seed).choice((3, 20, 2_000)))
        found = await tortured(torture, seed)
        assert found == expected, f"round {seed} tells something else"


async def test_a_lost_record_would_be_noticed(torture: Torture) -> None:
    """The hash is worth something: without one of the events, it is another."""
    expected = await calm(torture)
    async with torture.kit.transaction() as session:
        await session.execute(text("DELETE FROM event WHERE ctid = (SELECT min(ctid) FROM event)"))
    assert (await torture.told())[0] != expected[0]

"""Processes killed at random moments, and a broker that loses everything: every record once, every step once."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from hub.sandbox import Sandbox, SendingFailed, invent, synthetic_books

from .conftest import RunningHub, add_connection

RECORDS = 20_000
COMPANIES = 24
KILLS = 12
SEED = 20_000


@pytest.mark.parametrize("seed", [SEED])
async def test_killed_at_random_nothing_is_lost_and_nothing_doubled(hub: RunningHub, seed: int) -> None:
    """20,000 invoices are synced and the usage of 24 accounts is sent, while server, worker and Redis keep dying."""
    until = datetime.now(UTC)
    books = synthetic_books(invoices=RECORDS, customers=200, until=until)
    async with Sandbox(invent(accounts=COMPANIES, until=until), books=books).running() as sandbox:
        config = {"api_key": sandbox.stripe_key, "base_url": sandbox.stripe_url}
        await add_connection(hub.kit, "stripe", "billing", config)
        sending = asyncio.create_task(send_history(hub, sandbox))
        await kill_at_random(hub, random.Random(seed))
        await sending
        await hub.quiet(seconds=240)
        messages = {str(message["messageId"]) for message in sandbox.history()}
    await every_record_once(hub, messages)
    await every_step_once(hub)


async def send_history(hub: RunningHub, sandbox: Sandbox) -> None:
    """Send the world's usage, again from where it broke off whenever the server dies."""
    sender = sandbox.segment(f"{hub.url}/in/segment", "write-key-of-the-tests", upload_size=250, retries=3, pause=0.2)
    history, sent = list(sandbox.history()), 0
    while sent < len(history):
        try:
            sent = (await sender.send(history, after=sent)).sent
        except SendingFailed as failure:
            sent = failure.progress.sent
            await asyncio.sleep(0.2)


async def kill_at_random(hub: RunningHub, rng: random.Random) -> None:
    """SIGKILL the server or the worker, start it again, and empty Redis, over and over."""
    redis = Redis.from_url(str(hub.kit.settings.redis_url))
    for _ in range(KILLS):
        await asyncio.sleep(rng.uniform(0.3, 3.0))
        name = rng.choice(["serve", "worker"])
        hub.kill(name)
        if rng.random() < 0.5:
            await redis.flushdb()
        hub.start(name)
    await redis.aclose()


async def every_record_once(hub: RunningHub, messages: set[str]) -> None:
    """Every invoice with its two facts (issued and paid), and every message, exactly once."""
    [(records, distinct)] = await hub.rows(
        "SELECT count(*), count(DISTINCT record_id) FROM raw_record WHERE stream = 'invoices'"
    )
    assert (records, distinct) == (RECORDS, RECORDS)
    [(events, facts)] = await hub.rows(
        "SELECT count(*), count(DISTINCT (kind, subject_id)) FROM event WHERE stream = 'invoices'"
    )
    assert (events, facts) == (2 * RECORDS, 2 * RECORDS)
    recorded = await hub.rows("SELECT record_id FROM raw_record WHERE stream = 'messages'")
    assert len(recorded) == len(messages)
    assert {identifier for (identifier,) in recorded} == messages
    told = await hub.rows("SELECT record_id FROM event WHERE stream = 'messages' AND kind <> 'person.identified'")
    assert len(told) == len(set(told))
    assert await hub.rows("SELECT count(*) FROM quarantine WHERE resolved_at IS NULL") == [(0,)]


async def every_step_once(hub: RunningHub) -> None:
    """Each declining account has one run; each of its steps was done once: one message a person, one task."""
    runs = await hub.rows("SELECT id, account_id FROM run WHERE play = 'win_back'")
    assert len(runs) >= 2
    assert len({account for _, account in runs}) == len(runs)
    steps = await hub.rows("SELECT kind, status, count(*) FROM run_step GROUP BY kind, status ORDER BY kind")
    assert steps == [("action", "done", len(runs)), ("task", "waiting", len(runs))], "a task waits for its person"
    messages = await hub.rows(
        "SELECT count(*), count(DISTINCT key), count(DISTINCT (recipient, left(key, 36))) FROM mailbox_message"
    )
    assert len(set(messages[0])) == 1, messages
    sent = await hub.rows("SELECT count(*) FROM event WHERE kind = 'message.sent' AND retracted_at IS NULL")
    assert sent[0][0] == messages[0][0]
    tasks = await hub.rows("SELECT count(*), count(DISTINCT run_id) FROM task")
    assert tasks == [(len(runs), len(runs))]

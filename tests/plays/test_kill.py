"""Whatever dies when: every run does each of its steps exactly once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest
from sqlalchemy import func, select

from hub.accounts.model import Account, Person, PersonKey, SourcePerson
from hub.kit import outbox
from hub.kit.ids import new_id
from hub.kit.runtime import Kit
from hub.kit.settings import Settings
from hub.plays.model import Run, RunStatus, RunStep, StepStatus, Task, Touch
from hub.timeline.model import EventRow

from .scene import CALL, NOW, SEND, apply, count
from .vendor import Loft

ROOT = Path(__file__).parents[2]
RUNS = int(os.environ.get("HUB_KILLED_RUNS", "120"))
"""How many runs; a hundred thousand for the proof by hand."""
LONGEST = max(300, RUNS)
SKEW = 1.0 if RUNS <= 1000 else 30.0
"""How many seconds a worker's clock may be off: what one that is ahead has leased is waited for so much longer."""
CHANCE = 20261123


async def add_accounts(kit: Kit, number: int) -> list[str]:
    """Accounts with one administrator each, and for each the fact that an alert opened."""
    for first in range(0, number, 1000):
        async with kit.transaction() as session:
            some = [(nth, new_id(), new_id(), new_id()) for nth in range(first, min(first + 1000, number))]
            session.add_all(
                Account(id=account, name=f"A{nth}", time_zone="UTC", facts={}, created_at=NOW, first_seen_at=NOW)
                for nth, account, _, _ in some
            )
            await session.flush()
            for nth, account, person, source in some:
                session.add_all(
                    [
                        Person(
                            id=person,
                            account_id=account,
                            role="administrator",
                            do_not_contact=False,
                            first_seen_at=NOW,
                        ),
                        SourcePerson(id=source, place=f"u:{nth}", person_id=person, profile={}, first_seen_at=NOW),
                        PersonKey(kind="segment.user", value=f"u{nth}", source_person_id=source, asserted_at=NOW),
                    ]
                )
            alerts = [{"account_id": str(one), "alert_id": str(new_id()), "rule": "decline"} for _, one, _, _ in some]
            facts = [("alert.opened", alert["account_id"], alert) for alert in alerts]
            await outbox.append_all(session, facts, now=kit.clock.now())
    return [f"u{nth}" for nth in range(number)]


class Workers:
    """Workers in processes of their own (see `worker_process`)."""

    def __init__(self, nursery: asyncio.subprocess.Process, chance: random.Random) -> None:
        self._nursery, self._chance = nursery, chance
        self.alive: list[int] = []

    async def start(self) -> None:
        """A worker more, whose clock is ahead or behind."""
        self.alive.append(await self._ask(f"start {self._chance.uniform(-SKEW, SKEW):.1f}"))

    async def end(self, worker: int, number: signal.Signals) -> int:
        """Send the signal to the nth worker that is alive, and wait for its end; tells its exit code."""
        return await self._ask(f"end {self.alive.pop(worker)} {int(number)}")

    async def _ask(self, command: str) -> int:
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write(f"{command}\n".encode())
        return int(await self._nursery.stdout.readline())


@asynccontextmanager
async def workers(settings: Settings, chance: random.Random) -> AsyncIterator[Workers]:
    assert settings.secret_key is not None
    nursery = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.plays.worker_process", str(settings.database_url), str(settings.redis_url)),
        settings.secret_key.get_secret_value(),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Workers(nursery, chance)
    finally:
        assert nursery.stdin is not None
        nursery.stdin.close()
        await nursery.wait()


async def ended(kit: Kit) -> int:
    async with kit.reading() as session:
        found = await session.execute(select(func.count()).select_from(Run).where(Run.status == RunStatus.DONE))
        return found.scalar_one()


@pytest.fixture
def chance() -> random.Random:
    """The same accidents each time."""
    return random.Random(CHANCE)


async def test_kills_and_a_forgetful_broker_double_nothing_and_lose_nothing(
    kit: Kit, settings: Settings, vendor: Loft, chance: random.Random
) -> None:
    """Two workers, whose clocks differ, advance many runs of two steps; one of them is killed again and again in the
    middle of its calls, and Redis is emptied each time. Every letter is sent once, every task is given once, every run
    ends once."""
    await apply(kit, [SEND, {**CALL, "until_done": False}])
    users = await add_accounts(kit, RUNS)
    vendor.seconds = 0.2 if RUNS <= 1000 else 0.02
    kills, began = 0, monotonic()
    async with workers(settings, chance) as crew, asyncio.timeout(LONGEST):
        await crew.start()
        await crew.start()
        while await ended(kit) < RUNS:
            target = len(vendor.letters) + chance.randint(4, 12) * max(1, RUNS // 500)
            while len(vendor.letters) < min(target, RUNS):  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0.02)
            if len(vendor.letters) < RUNS:
                await crew.end(chance.randrange(2), signal.SIGKILL)
                await kit.queue.redis.flushdb()
                kills += 1
                await crew.start()
                if RUNS > 1000:
                    print(f"{monotonic() - began:6.0f} s: {len(vendor.letters):,} letters, {kills} kills", flush=True)
            else:
                await asyncio.sleep(0.2)
        assert await crew.end(0, signal.SIGTERM) == 0
    assert kills >= 10
    await assert_each_step_once(kit, vendor, users)
    print(f"{RUNS:,} runs, {kills} kills, {monotonic() - began:.0f} s")


async def assert_each_step_once(kit: Kit, vendor: Loft, users: list[str]) -> None:
    assert Counter(letter["user"] for letter in vendor.letters) == Counter(users)
    assert set(vendor.effects.values()) == {1}
    assert len(vendor.effects) == RUNS
    assert await count(kit, Run) == await count(kit, Task) == await count(kit, Touch) == RUNS
    async with kit.reading() as session:
        accounts = select(func.count(Run.account_id.distinct())).where(Run.status == RunStatus.DONE)
        assert (await session.execute(accounts)).scalar_one() == RUNS
        left = select(func.count()).select_from(RunStep).where(RunStep.status != StepStatus.DONE)
        assert (await session.execute(left)).scalar_one() == 0
        topics = select(outbox.OutboxRow.topic, func.count()).group_by(outbox.OutboxRow.topic)
        told = dict((await session.execute(topics)).all())
        kinds = dict((await session.execute(select(EventRow.kind, func.count()).group_by(EventRow.kind))).all())
    for topic in ("run.started", "run.advanced", "task.created", "run.ended"):
        assert told[topic] == RUNS, topic
    for kind in ("run.started", "message.sent", "task.created", "run.ended"):
        assert kinds[kind] == RUNS, kind

"""The daily digest: what changed, to each owner, once a day, whatever happens in between."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from email.policy import default as modern
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import select, text

from hub.access.service import SYSTEM
from hub.connections import registry
from hub.connections import service as connections
from hub.digests.gathering import MOST, Part, Window, gather
from hub.digests.jobs import drain_digests, plan_digests
from hub.digests.model import OwnerDigest
from hub.digests.queries import unsent
from hub.digests.rendering import message
from hub.digests.section import Digest
from hub.health.saving import watch_account
from hub.kit.clock import FrozenClock
from hub.kit.ids import new_id
from hub.kit.runtime import Kit
from hub.plays.model import Task
from tests.graphql.conftest import counted
from tests.health.conftest import BLUEPRINT, World

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SEVEN = datetime(2026, 6, 1, 5, tzinfo=UTC)  # seven o'clock in Berlin
ANNA, BEN = "anna@example.net", "ben@example.net"


@dataclass
class Mailbox:
    """A real SMTP server, and what it took over."""

    taken: list[Any] = field(default_factory=list)
    refuses: str | None = None

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # its name
        if self.refuses:
            return self.refuses
        assert isinstance(envelope.content, bytes)
        self.taken.append(message_from_bytes(envelope.content, policy=modern))
        return "250 OK"

    @property
    def recipients(self) -> list[str]:
        return sorted(mail["To"] for mail in self.taken)


@dataclass
class Scene:
    """A hub with a mail connection, at a time that only the test moves."""

    world: World
    kit: Kit
    clock: FrozenClock
    mailbox: Mailbox

    async def pass_time(self, by: timedelta) -> None:
        self.clock.advance(by)
        self.world.now = self.clock.now()

    async def work(self) -> None:
        while await drain_digests(self.kit):
            pass

    async def digests(self) -> dict[tuple[str, int], str]:
        async with self.kit.reading() as session:
            found = (await session.execute(select(OwnerDigest))).scalars()
            return {(row.owner, row.day.day): row.status for row in found}

    async def red(self, owner: str | None) -> None:
        """An account of the owner that is red since now."""
        account = await self.world.account(owner=owner, first_seen=self.clock.now() - 100 * DAY)
        await self.world.event(account, "product.used", people=2)
        await self.world.event(account, "product.used", people=10, days_ago=40)
        await self.world.score(account)


@asynccontextmanager
async def _serving(mailbox: Mailbox) -> AsyncIterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@pytest.fixture
async def scene(kit: Kit) -> AsyncIterator[Scene]:
    """Seven o'clock in Berlin; the digest is due at eight."""
    clock, mailbox = FrozenClock(SEVEN), Mailbox()
    still = replace(kit, clock=clock)
    world = World(still, now=SEVEN)
    await world.apply({**BLUEPRINT, "digest": {"at": "08:00", "zone": "Europe/Berlin", "connection": "mail"}})
    async with _serving(mailbox) as port:
        config = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "hub@example.net"}
        async with still.transaction() as session:
            await connections.add(
                session, still.vault, registry.current(), "email", "mail", config, now=SEVEN, check=False
            )
        yield Scene(world, still, clock, mailbox)


async def test_each_owner_gets_one_a_day(scene: Scene) -> None:
    """At eight, not before; once, however often anybody looks; the next day only who has news."""
    await scene.red(ANNA)
    await scene.red(BEN)
    await scene.red(None)
    for _ in range(3):
        await plan_digests(scene.kit)
    await scene.pass_time(HOUR - timedelta(seconds=1))
    await scene.work()
    assert scene.mailbox.taken == []
    await scene.pass_time(timedelta(seconds=1))
    await scene.work()
    await plan_digests(scene.kit)
    await scene.work()
    assert scene.mailbox.recipients == [ANNA, BEN]
    await scene.pass_time(HOUR)
    await scene.red(BEN)
    await scene.pass_time(23 * HOUR)
    await scene.work()
    assert scene.mailbox.recipients == [ANNA, BEN, BEN]
    assert await scene.digests() == {(ANNA, 1): "sent", (BEN, 1): "sent", (ANNA, 2): "empty", (BEN, 2): "sent"}


async def test_two_workers_send_one(scene: Scene) -> None:
    """Whoever comes second finds it taken."""
    await scene.red(ANNA)
    await plan_digests(scene.kit)
    await scene.pass_time(HOUR)
    for _ in range(4):
        await asyncio.gather(*(drain_digests(scene.kit) for _ in range(3)))
    assert scene.mailbox.recipients == [ANNA]


async def test_killed_before_it_was_noted_it_is_not_sent_again(scene: Scene) -> None:
    """The row still says pending, the lease runs out, and the call is known by its key."""
    await scene.red(ANNA)
    await plan_digests(scene.kit)
    await scene.pass_time(HOUR)
    await scene.work()
    async with scene.kit.transaction() as session:
        await session.execute(text("UPDATE owner_digest SET status = 'pending', finished_at = NULL"))
        await session.execute(
            text(
                "INSERT INTO work_item (list, key, due_at, generation, attempts) "
                "VALUES ('digests', 'owner:2026-06-01:anna@example.net', :now, 1, 1)"
            ),
            {"now": scene.clock.now()},
        )
    await scene.work()
    assert scene.mailbox.recipients == [ANNA]
    assert await scene.digests() == {(ANNA, 1): "sent"}


async def test_what_is_refused_for_now_is_tried_again_and_for_good_is_said(scene: Scene) -> None:
    """451 is tried again until the next day; the message stays the same; an owner without an address fails."""
    await scene.red(ANNA)
    await scene.red("Ben")
    await plan_digests(scene.kit)
    scene.mailbox.refuses = "451 Later"
    await scene.pass_time(HOUR)
    await scene.work()
    assert await scene.digests() == {(ANNA, 1): "pending", ("Ben", 1): "failed"}
    async with scene.kit.reading() as session:
        (wrong,) = await unsent(session, SYSTEM, date(2026, 6, 1))
        assert (wrong.owner, "email" in (wrong.problem or "")) == ("Ben", True)
        assert await unsent(session, SYSTEM, date(2026, 6, 2)) == []
    scene.mailbox.refuses = None
    await scene.red(ANNA)
    await scene.pass_time(HOUR)
    await scene.work()
    assert scene.mailbox.recipients == [ANNA]
    assert "2 changes" in scene.mailbox.taken[0]["Subject"]  # of the first time alone
    assert (await scene.digests())[ANNA, 1] == "sent"


async def test_a_hub_that_was_down_sends_when_it_is_up_and_tells_everything(scene: Scene) -> None:
    """Hours late on the same day; of days that are over, the next digest tells what happened since the last one."""
    await scene.red(ANNA)
    await plan_digests(scene.kit)
    await scene.pass_time(3 * DAY + 5 * HOUR)
    await scene.work()
    assert scene.mailbox.taken == []
    await scene.pass_time(20 * HOUR)
    await scene.work()
    assert await scene.digests() == {(ANNA, 5): "empty"}


async def test_without_a_connection_nobody_gets_any(scene: Scene) -> None:
    """A blueprint that no longer names one ends it, also for a day that was planned."""
    await scene.red(ANNA)
    await plan_digests(scene.kit)
    await scene.world.apply(BLUEPRINT)
    await scene.pass_time(HOUR)
    await scene.work()
    await plan_digests(scene.kit)
    await scene.pass_time(DAY)
    await scene.work()
    assert await scene.digests() == {}


async def test_what_is_told(scene: Scene) -> None:
    """Bands, alerts, the watch list, overdue milestones and due tasks of this owner, each by its own statement."""
    now = scene.clock.now()
    account = await scene.world.account(owner=ANNA, first_seen=now - 14 * DAY + HOUR / 2)
    await scene.world.event(account, "product.used", people=10)
    await scene.world.score(account)
    since = now
    await scene.pass_time(HOUR)
    async with scene.kit.transaction() as session:
        await watch_account(session, SYSTEM, account, "<b>They said so</b>", scene.clock.now())
        session.add(
            Task(
                id=new_id(),
                account_id=account,
                title="Call them",
                owner=ANNA,
                due_at=now,
                status="open",
                created_at=now,
            )
        )
    await scene.world.event(account, "invoice.payment_failed", days_ago=0)
    await scene.world.score(account)
    windows = [Window(owner, since, scene.clock.now()) for owner in (ANNA, BEN)]
    async with scene.kit.reading() as session:
        with counted(scene.kit) as statements:
            anna, ben = await gather(session, windows)
    assert (len(statements), ben) == (6, {})
    assert {name: part.total for name, part in anna.items()} == {"bands": 1, "watch": 1, "tasks": 1, "milestones": 1}
    told = message(ANNA, date(2026, 6, 1), anna, "Europe/Berlin")
    assert told["subject"] == "01 June 2026: 4 changes on your accounts"
    for line in ("- Acme: green -> yellow [01.06. 08:00]", "- Acme: Call them, overdue", "<b>They said so</b>"):
        assert line in told["text"]
    assert "&lt;b&gt;They said so&lt;/b&gt;" in told["html"]


def test_of_many_changes_the_number_is_told() -> None:
    """A list has its limit, and says how many there are."""
    at = datetime(2026, 6, 1, tzinfo=UTC)
    lines = [{"account": f"Account {nth}", "at": at, "rule": "decline", "severity": "high"} for nth in range(MOST)]
    told = message(ANNA, date(2026, 6, 1), {"alerts": Part(lines, MOST + 5)}, "UTC")
    assert "and 5 more" in told["text"]
    assert "and 5 more" in told["html"]


def test_the_hour_is_the_zone_s() -> None:
    """Also on the days on which the clocks change; nonsense is refused."""
    berlin = Digest(at="08:00", zone="Europe/Berlin", connection="mail")
    assert berlin.due(date(2026, 1, 15)) == datetime(2026, 1, 15, 7, tzinfo=UTC)
    assert berlin.due(date(2026, 7, 15)) == datetime(2026, 7, 15, 6, tzinfo=UTC)
    skipped = Digest(at="02:30", zone="Europe/Berlin")
    assert skipped.due(date(2026, 3, 29)) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert berlin.next_day(datetime(2026, 6, 1, 5, tzinfo=UTC)) == date(2026, 6, 1)
    assert berlin.next_day(datetime(2026, 6, 1, 6, tzinfo=UTC)) == date(2026, 6, 2)
    for nonsense in ({"at": "24:00"}, {"zone": "Mars/Olympus"}):
        with pytest.raises(ValueError, match="Digest"):
            Digest(**nonsense)  # type: ignore[arg-type]  # nonsense on purpose

"""Outgoing webhooks over real sockets, verified by the unmodified `standardwebhooks` library."""

from __future__ import annotations

import asyncio
import base64
import multiprocessing
import random
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from typing import Any

import pytest
from hub_webhook_out import WebhookOut
from sqlalchemy import text
from starlette.responses import RedirectResponse, Response
from structlog.testing import capture_logs

from hub.connections import registry
from hub.connections import service as connections
from hub.connections.delivering import SCHEDULE, retry_after, wanted
from hub.connections.jobs import drain_facts_to_deliver
from hub.connections.registry import Registry
from hub.connections.service import Installed
from hub.kit import outbox
from hub.kit.clock import FrozenClock
from hub.kit.runtime import Kit, open_kit
from hub.kit.settings import Settings
from hub.reactions import drain_outbox
from hub.worker import forget_facts
from tests.vendors import courier
from tests.vendors.endpoint import Endpoint

OLD, NEW = ("whsec_" + base64.b64encode(bytes([byte]) * 32).decode() for byte in (1, 2))


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The endpoints of the tests are on this machine."""
    return settings.model_copy(update={"private_targets": True})


@pytest.fixture
def clock() -> FrozenClock:
    """The machine's time, for the library that verifies knows no other; and then it stands still."""
    return FrozenClock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
async def kit(settings: Settings, clock: FrozenClock) -> AsyncIterator[Kit]:
    """A process whose time is moved by hand."""
    async with open_kit(settings, clock=clock) as opened:
        yield opened


@pytest.fixture(autouse=True)
def installed() -> Iterator[Registry]:
    with registry.using(Registry.of(WebhookOut)) as found:
        yield found


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint(OLD).running() as running:
        yield running


async def connect(kit: Kit, url: str, name: str = "crm", **config: Any) -> None:
    async with kit.transaction() as session:
        given = {"url": url, "secret": OLD, **config}
        await connections.add(session, kit.vault, registry.current(), "webhook_out", name, given, now=kit.clock.now())


async def decide(kit: Kit, *topics: str) -> None:
    """Facts become true and are published."""
    async with kit.transaction() as session:
        facts = [(topic, f"account-{nth}", {"nth": nth}) for nth, topic in enumerate(topics)]
        await outbox.append_all(session, facts, now=kit.clock.now())
    while await drain_outbox(kit):
        pass


async def deliver(kit: Kit) -> None:
    """Do what is due."""
    while await drain_facts_to_deliver(kit):
        pass


async def listed(kit: Kit, name: str = "crm") -> Installed:
    async with kit.reading() as session:
        return next(one for one in await connections.listing(session) if one.name == name)


async def test_a_fact_arrives_as_the_specification_says(kit: Kit, endpoint: Endpoint) -> None:
    """Type, time and data, signed; the library verifies the raw body and the list shows what left."""
    await connect(kit, endpoint.url)
    await decide(kit, "band.changed")
    await deliver(kit)
    [message] = endpoint.messages
    assert message == {
        "type": "band.changed",
        "timestamp": kit.clock.now().isoformat(),
        "key": "account-0",
        "position": message["position"],
        "data": {"nth": 0},
    }
    [headers] = endpoint.headers
    assert headers["webhook-id"].startswith("msg_")
    assert headers["content-type"] == "application/json"
    assert ((await listed(kit)).delivered, (await listed(kit)).waiting) == (1, 0)


async def test_only_the_topics_that_were_asked_for_leave(kit: Kit, endpoint: Endpoint) -> None:
    """Others are passed over and not looked at again."""
    await connect(kit, endpoint.url, topics="alert.*,band.changed")
    await decide(kit, "alert.opened", "score.changed", "band.changed", "alert.resolved", "run.advanced")
    await deliver(kit)
    assert [message["type"] for message in endpoint.messages] == ["alert.opened", "band.changed", "alert.resolved"]
    assert (await listed(kit)).waiting == 0


async def test_it_begins_with_what_happens_afterwards(kit: Kit, endpoint: Endpoint) -> None:
    """History is not told to a new endpoint; what comes after it was connected is, also before a worker runs."""
    await decide(kit, "band.changed")
    await connect(kit, endpoint.url)
    await decide(kit, "stage.entered")
    await deliver(kit)
    assert [message["type"] for message in endpoint.messages] == ["stage.entered"]


@pytest.mark.parametrize("verifier", [OLD, NEW])
async def test_two_secrets_sign_while_one_is_rotated(kit: Kit, endpoint: Endpoint, verifier: str) -> None:
    """The receiver may know either; afterwards the old one signs no more."""
    await connect(kit, endpoint.url)
    async with kit.transaction() as session:
        rotated = {"secret": NEW, "previous_secret": OLD}
        await connections.change(session, kit.vault, registry.current(), "crm", rotated, now=kit.clock.now())
    endpoint.secret = verifier
    await decide(kit, "band.changed")
    await deliver(kit)
    assert len(endpoint.accepted) == 1
    assert len(endpoint.headers[0]["webhook-signature"].split()) == 2
    async with kit.transaction() as session:
        await connections.change(
            session, kit.vault, registry.current(), "crm", {"previous_secret": None}, now=kit.clock.now()
        )
    endpoint.secret = NEW
    await decide(kit, "band.changed")
    await deliver(kit)
    assert len(endpoint.accepted) == 2
    assert len(endpoint.headers[1]["webhook-signature"].split()) == 1


async def test_what_fails_comes_again_in_order_under_its_id(kit: Kit, endpoint: Endpoint, clock: FrozenClock) -> None:
    """The facts behind it wait for it; new ones do not make it come earlier."""
    await connect(kit, endpoint.url)
    endpoint.later = True
    endpoint.answers = [Response(status_code=500), Response(status_code=404)]
    await decide(kit, "band.changed", "stage.entered")
    await deliver(kit)
    first = endpoint.ids[0]
    await decide(kit, "alert.opened")
    await deliver(kit)
    assert endpoint.ids == [first]
    assert "500" in str((await listed(kit)).problem)
    for seconds, arrived in ((6, 2), (331, 5)):
        clock.advance(timedelta(seconds=seconds))
        await deliver(kit)
        assert len(endpoint.ids) == arrived
    assert endpoint.ids[:3] == [first] * 3
    assert endpoint.positions == sorted(endpoint.positions)
    assert ((await listed(kit)).problem, (await listed(kit)).waiting) == (None, 0)


async def test_after_days_it_pauses_and_goes_on_without_a_gap(kit: Kit, endpoint: Endpoint, clock: FrozenClock) -> None:
    """With the reason; its facts are kept however long that takes; `check` resumes it at the same fact."""
    await connect(kit, endpoint.url)
    endpoint.later = True
    endpoint.answers = [Response(status_code=500) for _ in range(len(SCHEDULE) + 1)]
    await decide(kit, "band.changed", "stage.entered")
    began = clock.now()
    for _ in range(len(SCHEDULE) + 1):
        await deliver(kit)
        clock.advance(timedelta(hours=27))
    assert len(endpoint.ids) == len(SCHEDULE) + 1
    paused = await listed(kit)
    assert (paused.status, paused.waiting) == ("paused", 2)
    assert "hub connect check crm" in str(paused.problem)
    assert sum(SCHEDULE, timedelta()) > timedelta(days=3)
    clock.advance(timedelta(days=60))
    await decide(kit, "alert.opened")
    await forget_facts(kit)
    await deliver(kit)
    assert clock.now() - began > timedelta(days=60)
    assert endpoint.accepted == []
    async with kit.transaction() as session:
        await connections.check(session, kit.vault, "crm", now=kit.clock.now())
    await deliver(kit)
    assert [message["type"] for message in endpoint.messages[-3:]] == ["band.changed", "stage.entered", "alert.opened"]
    assert (await listed(kit)).status == "active"
    async with kit.reading() as session:
        audited = (await session.execute(text("SELECT action FROM audit_entry ORDER BY id"))).scalars().all()
    assert audited == ["connection.added", "connection.resumed"]
    await forget_facts(kit)
    async with kit.reading() as session:
        kept = (await session.execute(text("SELECT topic FROM outbox"))).scalars().all()
    assert kept == ["alert.opened"]


async def test_one_that_is_stuck_holds_up_no_other(kit: Kit, endpoint: Endpoint) -> None:
    """While one endpoint does not answer at all, the other one has everything."""
    async with Endpoint(OLD, hold=3.0).running() as stuck:
        await connect(kit, stuck.url, "stuck")
        await connect(kit, endpoint.url)
        await decide(kit, *["band.changed"] * 20)
        delivering = asyncio.create_task(drain_facts_to_deliver(kit))
        async with asyncio.timeout(2.5):
            while len(endpoint.accepted) < 20:  # noqa: ASYNC110  # the endpoint tells nobody
                await asyncio.sleep(0.02)
        assert stuck.accepted == []
        stuck.hold = 0.0
        await delivering
    assert endpoint.positions == sorted(set(endpoint.positions))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (RedirectResponse("http://127.0.0.1:1/"), "Redirects are not followed"),
        (Response(status_code=401), "answered 401"),
        (Response(status_code=403), "answered 403"),
        (Response(b"x" * 5_000_000, status_code=400), "answered 400"),
        (Response(b"\x1f\x8b nonsense", status_code=500, headers={"content-encoding": "gzip"}), "answered 500"),
    ],
)
async def test_what_is_no_2xx_is_tried_again(kit: Kit, endpoint: Endpoint, answer: Response, said: str) -> None:
    """Nothing is followed, no body is read to its end or unpacked, and nothing pauses the connection at once."""
    await connect(kit, endpoint.url)
    endpoint.answers = [answer]
    await decide(kit, "band.changed")
    await deliver(kit)
    found = await listed(kit)
    assert (found.status, found.waiting) == ("active", 1)
    assert said in str(found.problem)
    assert len(endpoint.ids) == 1


async def test_a_receiver_may_ask_for_patience(kit: Kit, endpoint: Endpoint, clock: FrozenClock) -> None:
    """A Retry-After that is longer than the schedule's pause is kept."""
    await connect(kit, endpoint.url)
    endpoint.answers = [Response(status_code=429, headers={"retry-after": "120"})]
    await decide(kit, "band.changed")
    for seconds, arrived in ((0, 1), (100, 1), (30, 2)):
        clock.advance(timedelta(seconds=seconds))
        await deliver(kit)
        assert len(endpoint.ids) == arrived


async def test_one_that_is_gone_is_told_nothing_more(kit: Kit, endpoint: Endpoint) -> None:
    """410 pauses at once."""
    await connect(kit, endpoint.url)
    endpoint.answers = [Response(status_code=410)]
    await decide(kit, "band.changed")
    await deliver(kit)
    assert ((await listed(kit)).status, len(endpoint.ids)) == ("paused", 1)


async def test_a_removed_one_keeps_nothing(kit: Kit, endpoint: Endpoint, clock: FrozenClock) -> None:
    """Its facts may be forgotten; connected again it begins with what happens afterwards."""
    await connect(kit, endpoint.url)
    await decide(kit, "band.changed")
    async with kit.transaction() as session:
        await connections.remove(session, kit.vault, "crm", now=kit.clock.now())
    await connect(kit, endpoint.url)
    await decide(kit, "stage.entered")
    await deliver(kit)
    assert [message["type"] for message in endpoint.messages] == ["stage.entered"]


async def test_a_private_address_is_refused_unless_it_is_allowed(
    kit: Kit, settings: Settings, endpoint: Endpoint
) -> None:
    """Nothing is sent; the connection pauses with the setting's name."""
    await connect(kit, endpoint.url.replace("http:", "https:"))
    await decide(kit, "band.changed")
    strict = settings.model_copy(update={"private_targets": False})
    async with open_kit(strict, clock=FrozenClock(kit.clock.now())) as other:
        await deliver(other)
    found = await listed(kit)
    assert found.status == "paused"
    assert "HUB_PRIVATE_TARGETS" in str(found.problem)
    assert endpoint.ids == []


async def test_no_secret_and_no_signature_is_logged(kit: Kit, endpoint: Endpoint) -> None:
    """Also when it fails."""
    await connect(kit, endpoint.url)
    endpoint.answers = [Response(status_code=500)]
    await decide(kit, "band.changed")
    with capture_logs() as logs:
        await deliver(kit)
    [failed] = [line for line in logs if line["event"] == "delivery.failed"]
    assert OLD.removeprefix("whsec_") not in str(failed)
    assert endpoint.headers[0]["webhook-signature"] not in str(failed)
    assert endpoint.headers[0]["webhook-id"] not in str(failed)


async def test_a_killed_courier_loses_nothing(kit: Kit, settings: Settings, endpoint: Endpoint) -> None:
    """`kill -9` at random moments: every fact arrives at both endpoints, in order, under one id for each."""
    async with Endpoint(OLD).running() as second:
        await connect(kit, endpoint.url)
        await connect(kit, second.url, "dwh")
        await decide(kit, *["score.changed"] * 300)
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.vendors.courier"])
        dice = random.Random()

        def start() -> BaseProcess:
            process = context.Process(target=courier.deliver, args=(settings,))
            process.start()
            return process

        killed = 0
        for _ in range(6):
            process, before = start(), len(endpoint.ids)
            while process.is_alive() and len(endpoint.ids) == before:  # noqa: ASYNC110  # another process has no event
                await asyncio.sleep(0.005)
            await asyncio.sleep(dice.uniform(0, 0.2))
            if process.exitcode is None:
                process.kill()
                killed += 1
            await asyncio.to_thread(process.join)
            # What a killed one holds is taken over when its lease has run out.
            async with kit.transaction() as session:
                await session.execute(text("UPDATE work_item SET leased_until = NULL"))
        process = start()
        await asyncio.to_thread(process.join)
        assert process.exitcode == 0
        assert killed >= 3
    for one in (endpoint, second):
        assert sorted(set(one.positions)) == list(range(min(one.positions), min(one.positions) + 300))
        assert one.positions == sorted(one.positions)
        assert len(one.positions) - 300 <= killed
        by_position = set(zip(one.positions, one.ids, strict=True))
        assert len(by_position) == len({id_ for _, id_ in by_position}) == 300
    assert not set(endpoint.ids) & set(second.ids)


def test_the_pauses_grow_and_end() -> None:
    """Over three days, as the specification recommends; a longer wish of the receiver is kept, up to a day."""
    waits = [retry_after(failures) for failures in range(1, len(SCHEDULE) + 2)]
    assert waits == [*SCHEDULE, None]
    assert retry_after(1, timedelta(minutes=2)) == timedelta(minutes=2)
    assert retry_after(1, timedelta(days=9)) == timedelta(days=1)
    assert retry_after(2, timedelta(seconds=1)) == SCHEDULE[1]
    assert retry_after(1, chance=1.0) == timedelta(seconds=5.5)


@pytest.mark.parametrize(
    ("topic", "patterns", "is_wanted"),
    [
        ("alert.opened", ["alert.*"], True),
        ("alert.opened", ["*"], True),
        ("alert.opened", ["band.changed", "alert.opened"], True),
        ("alert.opened", ["alert"], False),
        ("alert.opened", ["alert.open"], False),
        ("alertXopened", ["alert.*"], False),
        ("alert.opened", [], False),
    ],
)
def test_patterns_choose_topics(topic: str, patterns: list[str], is_wanted: bool) -> None:
    """A whole name, or a `*`; a point is a point."""
    assert wanted(topic, patterns) is is_wanted

"""Traffic after the history: it goes on as the stories do, the same for the same times, and survives a restart."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import stripe
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub.kit.loopback import serve
from hub.sandbox import CompanyBase, Sandbox, Story, Traffic, invent, invent_books
from hub.sandbox.books import Books, Event
from hub.sandbox.messages import wire_time
from hub.sandbox.shapes import render
from hub.sandbox.usage import at_work


@dataclass
class Hub:
    """What a hub gets: messages and Stripe deliveries; `answers` are the statuses it gives to messages first."""

    url: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    deliveries: list[tuple[bytes, str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    async def batch(self, request: Request) -> Response:
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.messages += json.loads(await request.body())["batch"]
        return Response(status_code=status)

    async def hook(self, request: Request) -> Response:
        self.deliveries.append((await request.body(), request.headers["stripe-signature"]))
        return Response()


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    found = Hub()
    routes = [Route("/v1/batch", found.batch, methods=["POST"]), Route("/hook", found.hook, methods=["POST"])]
    async with serve(Starlette(routes=routes)) as url:
        found.url = url
        yield found


def ticking(base: CompanyBase, step: timedelta = timedelta(seconds=1)) -> Callable[[], datetime]:
    """A clock that starts at the end of the history and goes on by a step each time it is read."""
    seconds = itertools.count()
    return lambda: base.until + next(seconds) * step


def content(books: Books) -> list[dict[str, Any]]:
    """Every event of the books, and with them the state of what they are about."""
    return [render(event, event.api_version) for event in books.newest(Event)]


def test_the_same_times_give_the_same_traffic(base: CompanyBase) -> None:
    """Moments follow from seed, place and time alone."""
    times = [base.until + timedelta(seconds=7 * number) for number in range(150)]
    rows = []
    for _ in range(2):
        traffic = Traffic(base, invent_books(base))
        rows.append([(moment.title, moment.messages, moment.events) for moment in map(traffic.next, times)])
    assert rows[0] == rows[1]


def test_live_traffic_goes_on_with_the_stories(base: CompanyBase) -> None:
    """Who fell silent, left or dropped out stays away; payers pay, who cannot is declined, who grows grows."""
    traffic = Traffic(base, invent_books(base))
    moments = [traffic.next(base.until + timedelta(seconds=number)) for number in range(1_500)]
    people = Counter(message["userId"] for moment in moments for message in moment.messages)
    working = {person.id for company in base.companies for person in at_work(base, company, base.until)}
    administrators = {company.administrator.id for company in base.companies}
    assert set(people) <= working | administrators
    for company in base.told(Story.DECLINING):
        assert company.people[1].id not in people
    told = {story: Counter[str]() for story in Story}
    for moment in moments:
        told[moment.company.story].update(event.type for event in moment.events)
    assert set(told[Story.FAILING_PAYMENTS]) == {"charge.failed", "invoice.payment_failed"}
    assert set(told[Story.EXPANDING]) == {"customer.subscription.updated"}
    assert told[Story.HEALTHY]["invoice.paid"] > 0
    assert not told[Story.CHURNED]


def test_nothing_comes_from_the_future(base: CompanyBase) -> None:
    """A message of a moment is at most as late as the moment, and no message id occurs twice."""
    traffic = Traffic(base, invent_books(base))
    moments = [traffic.next(base.until + timedelta(seconds=number)) for number in range(300)]
    for moment in moments:
        assert all(message["timestamp"] <= wire_time(moment.at) for message in moment.messages)
        assert all(event.created <= moment.at.timestamp() for event in moment.events)
    ids = [message["messageId"] for moment in moments for message in moment.messages]
    assert len(set(ids)) == len(ids)


async def test_the_hub_sees_usage_and_signed_webhooks(base: CompanyBase, hub: Hub) -> None:
    """Messages arrive as batches, events as deliveries that verify, and the list holds the same events."""
    books = invent_books(base)
    before = {event.id for event in books.newest(Event)}
    told: list[str] = []
    async with Sandbox(base, books=books, clock=ticking(base)).running() as sandbox:
        sandbox.stripe_webhook(f"{hub.url}/hook")
        await sandbox.live(
            sandbox.segment(hub.url), rate=1e6, tell=lambda moment: told.append(moment.title), moments=80
        )
    assert len(told) == 80
    assert hub.messages
    found = [
        stripe.Webhook.construct_event(body, signature, sandbox.stripe_webhook_secret, tolerance=10**9)
        for body, signature in hub.deliveries
    ]
    assert {event.id for event in found} == {event.id for event in books.newest(Event)} - before
    assert len(found) == len({event.id for event in found}) > 0


async def test_messages_wait_while_the_hub_is_away(base: CompanyBase, hub: Hub) -> None:
    """What could not be sent is sent with the next moment, each message once."""
    hub.answers = [400, 400, 400]
    sent: list[str] = []
    async with Sandbox(base, clock=ticking(base)).running() as sandbox:
        await sandbox.live(
            sandbox.segment(hub.url),
            rate=1e6,
            tell=lambda moment: sent.extend(message["messageId"] for message in moment.messages),
            moments=12,
        )
    assert [message["messageId"] for message in hub.messages] == sent


async def test_a_restarted_sandbox_stands_where_it_stood(hub: Hub, tmp_path: Path) -> None:
    """With a journal the books are the same after a restart, and traffic goes on without repeating itself."""
    base = invent(accounts=12, until=datetime.fromisoformat("2026-11-20T15:30:00Z"))
    clock = ticking(base, timedelta(milliseconds=700))
    journal = tmp_path / "moments"
    async with Sandbox(base, clock=clock, journal=journal).running() as first:
        await first.live(first.segment(hub.url), rate=1e6, moments=60)
        left = content(first.stripe.books)
    async with Sandbox(base, clock=clock, journal=journal).running() as second:
        assert content(second.stripe.books) == left
        await second.live(second.segment(hub.url), rate=1e6, moments=20)
    ids = [message["messageId"] for message in hub.messages]
    assert len(set(ids)) == len(ids)
    assert len(journal.read_text().split()) == 80


async def test_the_rate_is_kept(base: CompanyBase, hub: Hub) -> None:
    """Ten moments at a hundred a second take a tenth of a second at least, and life ends when its task is cancelled."""
    async with Sandbox(base, clock=ticking(base)).running() as sandbox:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await sandbox.live(sandbox.segment(hub.url), rate=100, moments=10)
        assert loop.time() - began >= 0.1
        endless = asyncio.create_task(sandbox.live(sandbox.segment(hub.url), rate=100))
        await asyncio.sleep(0.05)
        endless.cancel()
        with pytest.raises(asyncio.CancelledError):
            await endless

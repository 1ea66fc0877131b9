"""Signed deliveries: Stripe's own verifier accepts them, refuses what it must, and disorder comes on demand."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import httpx
import pytest
import stripe
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub.kit.loopback import serve
from hub.sandbox import Disorder, Fault, Faults, Sandbox, WebhookEndpoint
from hub.sandbox.billing import customer_id
from hub.sandbox.books import Event


@dataclass
class Receiver:
    """A webhook endpoint that keeps what it gets; `answers` are the statuses it gives first."""

    url: str = ""
    got: list[tuple[bytes, str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        self.got.append((await request.body(), request.headers["stripe-signature"]))
        return Response(status_code=self.answers.pop(0) if self.answers else 200)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    async with serve(Starlette(routes=[Route("/hook", found.take, methods=["POST"])])) as url:
        found.url = f"{url}/hook"
        yield found


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


@pytest.fixture
def events(sandbox: Sandbox) -> list[Event]:
    """Twelve events, the oldest first."""
    return list(sandbox.stripe.books.newest(Event))[:12][::-1]


async def test_stripes_own_verifier_accepts_a_delivery(
    receiver: Receiver, http: httpx.AsyncClient, events: list[Event]
) -> None:
    """`construct_event` takes body and signature of every delivery and finds the event in them."""
    deliveries = await WebhookEndpoint(receiver.url, "whsec_one", http).deliver_all(events)
    assert all(delivery.accepted for delivery in deliveries)
    for (body, signature), event in zip(receiver.got, events, strict=True):
        found = stripe.Webhook.construct_event(body, signature, "whsec_one")
        assert (found.id, found.type, found.api_version) == (event.id, event.type, event.api_version)


async def test_stripes_own_verifier_refuses_what_is_wrong(
    receiver: Receiver, http: httpx.AsyncClient, events: list[Event]
) -> None:
    """A changed byte, another secret, a stale time and a forged delivery do not verify."""
    endpoint = WebhookEndpoint(receiver.url, "whsec_one", http)
    await endpoint.deliver(events[0])
    await endpoint.deliver(events[0], signed_at=datetime.now(UTC) - timedelta(minutes=6))
    endpoint.faults.strike(Fault.EXPIRED)
    await endpoint.deliver(events[0])
    (body, good), (_, stale), (_, forged) = receiver.got
    for attempt in ((body + b" ", good), (body, stale), (body, forged)):
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(*attempt, "whsec_one")
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, good, "whsec_two")


async def test_both_secrets_sign_while_one_is_rolled(
    receiver: Receiver, http: httpx.AsyncClient, events: list[Event]
) -> None:
    """During a roll the header holds two signatures, and either secret verifies."""
    await WebhookEndpoint(receiver.url, "whsec_old", http, rolled="whsec_new").deliver(events[0])
    body, signature = receiver.got[0]
    assert signature.count("v1=") == 2
    for secret in ("whsec_old", "whsec_new"):
        assert stripe.Webhook.construct_event(body, signature, secret).id == events[0].id


async def test_any_body_can_be_signed(receiver: Receiver, http: httpx.AsyncClient) -> None:
    """A notification of the newer kind carries a good signature and is still no event of the first API."""
    await WebhookEndpoint(receiver.url, "whsec_one", http).post(b'{"object": "v2.core.event", "id": "evt_1"}')
    body, signature = receiver.got[0]
    with pytest.raises(ValueError, match="thin event notification"):
        stripe.Webhook.construct_event(body, signature, "whsec_one")


def test_disorder_loses_nothing(events: list[Event]) -> None:
    """Late, doubled and shuffled, every event still comes, and the same seed gives the same row."""
    disorder = Disorder(late=0.3, duplicated=0.5, unordered=True, seed=3)
    row = disorder.applied_to(events)
    assert row == disorder.applied_to(events)
    assert {event.id for event in row} == {event.id for event in events}
    assert max(Counter(event.id for event in row).values()) == 2
    assert [event.id for event in row] != [event.id for event in events]
    assert Disorder().applied_to(events) == events


def test_a_late_event_comes_after_the_others(events: list[Event]) -> None:
    """The punctual ones keep their order, and so do the late ones behind them."""
    row = [events.index(event) for event in Disorder(late=0.3, seed=1).applied_to(events)]
    assert sorted(row) == list(range(len(events)))
    assert sum(after < before for before, after in pairwise(row)) == 1


async def test_a_refused_event_comes_again(receiver: Receiver, http: httpx.AsyncClient, events: list[Event]) -> None:
    """What the endpoint answers with an error is delivered again after the rest, signed anew."""
    receiver.answers = [500]
    deliveries = await WebhookEndpoint(receiver.url, "whsec_one", http).deliver_all(events[:3], attempts=2)
    assert [delivery.event for delivery in deliveries] == [one.id for one in (*events[:3], events[0])]
    assert [delivery.accepted for delivery in deliveries] == [False, True, True, True]


async def test_nobody_at_home_is_no_error(http: httpx.AsyncClient, events: list[Event]) -> None:
    """Stripe goes on when an endpoint cannot be reached, and so does its double."""
    delivery = await WebhookEndpoint("http://127.0.0.1:9/hook", "whsec_one", http).deliver(events[0])
    assert delivery.status is None
    assert not delivery.accepted


async def test_a_lost_answer_means_the_same_event_twice(
    receiver: Receiver, http: httpx.AsyncClient, events: list[Event]
) -> None:
    """After a time-out the event has arrived although the sender does not know it, and arrives again."""
    endpoint = WebhookEndpoint(receiver.url, "whsec_one", http, faults=Faults([Fault.TIMEOUT]))
    deliveries = await endpoint.deliver_all(events[:1], attempts=2)
    assert [delivery.status for delivery in deliveries] == [None, 200]
    assert [body for body, _ in receiver.got] == [receiver.got[0][0]] * 2


async def test_a_write_is_announced(receiver: Receiver, sandbox: Sandbox, api: httpx.AsyncClient) -> None:
    """What a request changes is told to the registered endpoint, and the list holds the very same event."""
    sandbox.stripe_webhook(receiver.url, clock=lambda: datetime.now(UTC))
    customer = customer_id(sandbox.base, sandbox.base.companies[0])
    (await api.post(f"/v1/customers/{customer}", data={"metadata[health]": "red"})).raise_for_status()
    deadline = time.monotonic() + 5
    while not receiver.got and time.monotonic() < deadline:
        await api.get("/v1/account")
    body, signature = receiver.got[0]
    told = stripe.Webhook.construct_event(body, signature, sandbox.stripe_webhook_secret)
    listed = (await api.get(f"/v1/events/{told.id}")).json()
    assert told.to_dict() == listed
    assert listed["data"]["previous_attributes"] == {"metadata": {"health": None}}

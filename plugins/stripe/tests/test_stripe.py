"""Stripe's formats: what each object and event means, in old and new shapes, and its signatures."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import orjson
import pytest
import stripe
from hub_stripe import Stripe, mapping
from hub_stripe.models import StripeEvent
from hub_stripe.money import monthly_minor
from hub_stripe.signature import StripeSignature
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from hub import sdk
from hub.kit.clock import SystemClock
from hub.sdk.connector import Host
from hub.sdk.errors import BadSignature
from hub.sdk.testing import normalized

FIXTURES = Path(__file__).parent / "fixtures"
SECRET = "whsec_test"
connector = Stripe(Stripe.Config(api_key=SecretStr("rk_test_1"), webhook_secret=SecretStr(SECRET)))


@pytest.mark.parametrize(
    ("event", "resource"),
    [
        ("events.invoice_paid", "invoices.paid"),
        ("events.invoice_voided", "invoices.void"),
        ("events.subscription_deleted", "subscriptions.canceled"),
        ("events.charge_succeeded", "charges.succeeded"),
        ("events.credit_note", "credit_notes.note"),
    ],
)
def test_an_event_and_a_resource_report_one_fact_alike(event: str, resource: str) -> None:
    """What both report has the same natural key and the same content, so order does not matter."""
    by_event = normalized(connector, FIXTURES / f"{event}.json")
    by_resource = normalized(connector, FIXTURES / f"{resource}.json")
    assert all(fact in by_resource for fact in by_event)
    assert all("natural_key" in fact for fact in by_event)


@pytest.mark.parametrize("name", ["subscriptions", "invoices"])
def test_both_shapes_mean_the_same(name: str) -> None:
    """A period on the items or on the subscription, a subscription under `parent` or beside it."""
    new = "subscriptions.yearly" if name == "subscriptions" else "invoices.paid"
    facts = [normalized(connector, FIXTURES / f"{file}.json") for file in (new, f"{name}.older_shape")]
    for events in facts:
        for event in events:
            event.pop("natural_key")
    assert facts[0] == facts[1]


def subscription(amount: int, interval: str, quantity: int = 1, **more: Any) -> dict[str, Any]:
    price = {"unit_amount": amount, "recurring": {"interval": interval, "interval_count": 1}}
    return {"status": "active", "items": {"data": [{"price": price, "quantity": quantity}]}, **more}


@pytest.mark.parametrize(
    ("given_subscription", "minor"),
    [
        (subscription(1000, "month", 3), 3000),
        (subscription(12_000, "year"), 1000),
        (subscription(1000, "year"), 83),
        (subscription(700, "week"), 3042),
        (subscription(1000, "month", discount={"coupon": {"percent_off": 25}}), 750),
        (subscription(1000, "month", discounts=[{"coupon": {"amount_off": 1500}}]), 0),
        (subscription(12_000, "year", discounts=[{"coupon": {"amount_off": 1200}}]), 900),
        (subscription(1000, "month", discounts=["di_not_expanded"]), 1000),
        (subscription(1000, "month", discounts=[{"source": {"coupon": {"percent_off": 12.5}}}]), 875),
        (subscription(1000, "month", discount={"coupon": {"percent_off": 50, "duration": "once"}}), 1000),
        (subscription(1000, "month", 0), 0),
        (subscription(1000, "month") | {"status": "trialing"}, 0),
        (subscription(1000, "month", pause_collection={"behavior": "void"}), 0),
        (
            {
                "items": {
                    "data": [
                        {"price": {"unit_amount": 900, "recurring": {"interval": "month", "interval_count": 3}}},
                        {
                            "price": {"unit_amount_decimal": "0.5", "recurring": {"interval": "month"}},
                            "quantity": 3,
                            "discounts": [{"coupon": {"amount_off": 1}}],
                        },
                        {"price": {"unit_amount": 99, "recurring": {"interval": "month", "usage_type": "metered"}}},
                    ]
                }
            },
            300,
        ),
        ({"status": "active", "items": {"data": []}}, 0),
        (
            {"status": "active", "items": {"data": [{"plan": {"amount": 500, "interval": "month"}, "quantity": 2}]}},
            1000,
        ),
    ],
)
def test_monthly_revenue(given_subscription: dict[str, Any], minor: int) -> None:
    """Quantity, interval, discounts and trial; rounded once, half to even."""
    assert monthly_minor(given_subscription) == minor


@pytest.mark.parametrize("on_the_items", [True, False])
def test_an_event_names_what_changed_in_either_shape(on_the_items: bool) -> None:
    """Eight licences became ten, told on the items or beside them."""
    event = orjson.loads((FIXTURES / "events.subscription_updated.json").read_bytes())
    [item] = event["data"]["object"]["items"]["data"]
    held = {"items": {"data": [{**item, "quantity": 8}]}} if on_the_items else {"quantity": 8}
    event["data"]["previous_attributes"] = held
    [told] = mapping.of_event(StripeEvent.model_validate(event), "group_id")
    assert told.subject
    assert told.subject.changes["quantity"] == sdk.Change(8, 10)


def answering(answers: dict[str, Any]) -> Stripe:
    """The connector, and a Stripe that gives these answers by path."""

    def answer(request: httpx.Request) -> httpx.Response:
        found = answers.get(request.url.path)
        return httpx.Response(404, json={"error": {"message": "No such thing"}}) if found is None else found(request)

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="https://api.stripe.com")
    host = Host(http=http, mailbox=cast(sdk.Mailbox, None), clock=SystemClock())
    return Stripe(connector.config, host)


def unexpanded() -> dict[str, Any]:
    event: dict[str, Any] = orjson.loads((FIXTURES / "events.subscription_updated.json").read_bytes())
    event["data"]["object"]["discounts"] = ["di_1"]
    return event


async def test_a_discount_that_an_event_only_names_is_looked_up_both_ways() -> None:
    """By webhook the event is read again, by poll it is completed: one record, and revenue that is true."""
    event = unexpanded()
    [received] = connector.webhooks["webhook"].receive(connector, delivery(orjson.dumps(event), None))
    assert received == sdk.Refetch("events", event["id"])
    discount = {"id": "di_1", "source": {"coupon": {"percent_off": 50, "duration": "forever"}}}

    def subscription_now(request: httpx.Request) -> httpx.Response:
        assert request.url.params["expand[]"] == "discounts.source.coupon"
        return httpx.Response(200, json={"id": "sub_1", "discounts": [discount]})

    def listed(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": [event], "has_more": False})

    vendor = answering(
        {
            "/v1/subscriptions/sub_1": subscription_now,
            "/v1/events": listed,
            f"/v1/events/{event['id']}": lambda request: httpx.Response(200, json=event),
        }
    )
    stream = connector.streams["events"]
    [page] = [page async for page in stream.read(vendor, None)]
    assert stream.fetch
    assert page.rows == [await stream.fetch(vendor, event["id"])]
    [told] = mapping.of_event(StripeEvent.model_validate(page.rows[0]), "group_id")
    assert told.amount == sdk.Amount(10_000, "USD")


async def test_a_discount_that_nobody_tells_any_more_leaves_the_event_as_it_is() -> None:
    """The subscription may be gone: the event is kept without it."""
    event = unexpanded()
    stream = connector.streams["events"]
    assert stream.fetch
    found = await stream.fetch(
        answering({f"/v1/events/{event['id']}": lambda _: httpx.Response(200, json=event)}), event["id"]
    )
    assert found == event


@pytest.mark.parametrize(
    ("event_type", "told", "expected"),
    [
        ("refund.created", {"id": "re_1"}, sdk.Refetch("refunds", "re_1")),
        ("charge.refunded", {"id": "ch_1", "refunds": {"data": [{"id": "re_1"}]}}, sdk.Refetch("refunds", "re_1")),
        ("charge.dispute.created", {"id": "dp_1"}, sdk.Refetch("disputes", "dp_1")),
    ],
)
def test_a_refund_and_a_dispute_are_read_when_a_webhook_names_them(
    event_type: str, told: dict[str, Any], expected: sdk.Refetch
) -> None:
    """They name no customer, in the older shape as in the newer one."""
    event = {"id": "evt_1", "object": "event", "created": 1, "type": event_type, "data": {"object": told}}
    [_, part] = connector.webhooks["webhook"].receive(connector, delivery(orjson.dumps(event), None))
    assert part == expected


async def test_a_dispute_gets_the_customer_of_its_charge() -> None:
    """The newer shape has no other way to tell whose it is."""
    stream = connector.streams["disputes"]
    assert stream.fetch
    vendor = answering(
        {
            "/v1/disputes/dp_1": lambda _: httpx.Response(200, json={"id": "dp_1", "charge": "ch_1"}),
            "/v1/charges/ch_1": lambda _: httpx.Response(200, json={"id": "ch_1", "customer": "cus_1"}),
        }
    )
    assert (await stream.fetch(vendor, "dp_1"))["customer"] == "cus_1"


def delivery(body: bytes, header: str | None, *, received: datetime | None = None) -> sdk.Delivery:
    headers = {} if header is None else {"stripe-signature": header}
    return sdk.Delivery("webhook", headers, body, received or datetime.now(UTC))


def accepted(candidate: sdk.Delivery, secrets: list[str]) -> bool:
    try:
        StripeSignature().verify(candidate, secrets)
    except BadSignature:
        return False
    return True


def accepted_by_stripe(body: bytes, header: str, secret: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(body.decode(), header, secret, tolerance=300)
    except stripe.SignatureVerificationError:
        return False
    return True


def header_for(body: str, secret: str, at: int) -> str:
    return f"t={at},v1={stripe.WebhookSignature._compute_signature(f'{at}.{body}', secret)}"


@given(
    body=st.text(max_size=50),
    secret=st.sampled_from([SECRET, "whsec_other"]),
    age=st.sampled_from([0, 10, 290, 310, 4000]),
    extra=st.sampled_from(["", ",v0=ab", ",v1=00ff", ",", ",v1="]),
    tampered=st.booleans(),
)
def test_our_verifier_agrees_with_stripes_own(body: str, secret: str, age: int, extra: str, tampered: bool) -> None:
    """Valid, stale, forged and rolled signatures: the unmodified SDK and we say the same."""
    header = header_for(body, secret, int(time.time()) - age) + extra
    sent = (body + "!" if tampered else body).encode()
    assert accepted(delivery(sent, header), [SECRET]) == accepted_by_stripe(sent, header, SECRET)


def test_two_secrets_are_active_while_one_is_rolled() -> None:
    """Signed with either, a delivery is genuine; Stripe itself signs with both meanwhile."""
    at = int(time.time())
    for secret in (SECRET, "whsec_old"):
        assert accepted(delivery(b"{}", header_for("{}", secret, at)), [SECRET, "whsec_old"])
    both = f"{header_for('{}', 'whsec_new', at)},{header_for('{}', SECRET, at).partition(',')[2]}"
    assert accepted(delivery(b"{}", both), [SECRET])
    assert accepted_by_stripe(b"{}", both, SECRET)


@pytest.mark.parametrize("header", [None, "", "t=1", "v1=ab", "t=x,v1=ab", "t=1,t=2,v1=ab", "nonsense"])
def test_an_incomplete_header_is_refused(header: str | None) -> None:
    """Nothing is assumed about what is missing."""
    assert not accepted(delivery(b"{}", header), [SECRET])


def test_a_signature_from_the_future_is_refused() -> None:
    """A time more than 300 s ahead is as wrong as one behind (Stripe's own library lets it pass)."""
    at = int(time.time())
    header = header_for("{}", SECRET, at)
    assert accepted(delivery(b"{}", header, received=datetime.fromtimestamp(at - 290, UTC)), [SECRET])
    assert not accepted(delivery(b"{}", header, received=datetime.fromtimestamp(at - 310, UTC)), [SECRET])
    assert not accepted(
        delivery(b"{}", header, received=datetime.fromtimestamp(at, UTC) + timedelta(hours=1)), [SECRET]
    )


def test_without_a_configured_secret_nothing_is_believed() -> None:
    """Deny by default."""
    assert not accepted(delivery(b"{}", header_for("{}", "", int(time.time()))), [])


def test_a_thin_event_is_not_read_as_a_snapshot() -> None:
    """`v2.core.event` has another shape: it is refused with the reason, and so shown in quarantine."""
    body = orjson.dumps({"id": "evt_1", "object": "v2.core.event", "type": "v1.billing.meter.error_report_triggered"})
    with pytest.raises(ValueError, match="thin v2 events"):
        list(connector.webhooks["webhook"].receive(connector, delivery(body, None)))


def test_a_webhook_gives_the_record_that_a_poll_gives() -> None:
    """The same stream, the same key: a fact that comes both ways is one."""
    body = (FIXTURES / "events.invoice_paid.json").read_bytes()
    [received] = connector.webhooks["webhook"].receive(connector, delivery(body, None))
    assert isinstance(received, sdk.Received)
    assert received.stream == "events"
    assert StripeEvent.model_validate(received.row).id == "evt_invoice_paid"
    assert connector.webhooks["webhook"].delivery_id(delivery(body, None)) == "evt_invoice_paid"

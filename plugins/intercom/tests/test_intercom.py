"""Intercom's formats: what contacts, companies and conversations mean, and what notifications bring."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hub_intercom import Intercom
from hub_intercom.happenings import happenings, notified
from hub_intercom.models import Company, Contact, Happening, SendMessage
from hub_intercom.notifications import SIGNATURE
from pydantic import SecretStr, ValidationError

from hub import sdk
from hub.sdk.errors import BadSignature
from hub.sdk.testing import expected_events

FIXTURES = Path(__file__).parent / "fixtures"
SECRET = "client-secret-1"
NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
connector = Intercom(Intercom.Config(access_token=SecretStr("tok_test_1"), client_secret=SecretStr(SECRET)))

PART = {"type": "conversation_part", "id": "471002", "part_type": "close", "created_at": 1_772_355_600, "body": None}
CONVERSATION: dict[str, Any] = {
    "type": "conversation",
    "id": "471001",
    "created_at": 1_772_352_000,
    "updated_at": 1_772_355_600,
    "state": "closed",
    "source": {
        "type": "conversation",
        "subject": "Export",
        "body": "<p>Hi</p>",
        "author": {"type": "user", "id": "c1"},
    },
    "contacts": {"type": "contact.list", "contacts": [{"type": "contact", "id": "c1"}]},
    "conversation_rating": {"rating": 5, "remark": None, "created_at": 1_772_355_700},
    "conversation_parts": {
        "conversation_parts": [
            {**PART, "id": "471003", "part_type": "comment", "author": {"type": "admin", "id": "1"}},
            PART,
        ]
    },
}


def delivery(topic: str, item: dict[str, Any], *, id_: str | None = "notif_1", secret: str = SECRET) -> sdk.Delivery:
    envelope = {"type": "notification_event", "topic": topic, "id": id_, "created_at": 1_772_355_600}
    body = orjson.dumps({**envelope, "data": {"type": "notification_event_data", "item": item}})
    signature = "sha1=" + hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
    return sdk.Delivery("webhook", {"x-hub-signature": signature}, body, NOW)


def received(topic: str, item: dict[str, Any]) -> list[Any]:
    return list(connector.webhooks["webhook"].receive(connector, delivery(topic, item)))


def test_times_are_read_in_both_shapes() -> None:
    """A contact by the API (unix seconds) and by a notification (ISO texts) is one record of one version."""
    contacts = connector.streams["contacts"]
    rows = [orjson.loads((FIXTURES / f"contacts.{name}.json").read_bytes()) for name in ("user", "notified")]
    first, second = (Contact.model_validate(row) for row in rows)
    assert rows[0]["updated_at"] != rows[1]["updated_at"]
    assert contacts.version(first) == contacts.version(second)
    assert expected_events(FIXTURES / "contacts.user.json") == expected_events(FIXTURES / "contacts.notified.json")


def test_a_conversation_is_taken_apart() -> None:
    """The opening message, each part with the state after it, and the rating: each a record of its own."""
    rows = [Happening.model_validate(row) for row in happenings(CONVERSATION)]
    assert [row.key for row in rows] == ["471001:source", "471001:471003", "471001:471002", "471001:rating"]
    assert [row.state for row in rows] == ["open", "open", "closed", "closed"]
    assert [row.version for row in rows][:3] == ["0", "00000000000000471003", "00000000000000471002"]


def test_a_notification_gives_the_records_that_reading_gives() -> None:
    """The same keys and versions, so that a fact that comes both ways is one."""
    newest = {**CONVERSATION, "conversation_parts": {"conversation_parts": [PART]}, "conversation_rating": None}
    read = {(row.key, row.version): row for row in map(Happening.model_validate, happenings(CONVERSATION))}
    for row in map(Happening.model_validate, notified(newest, created=True)):
        assert read[row.key, row.version].model_dump() == row.model_dump()


def test_a_merge_is_looked_up() -> None:
    """`contact.merged` names the survivor alone: it is taken, and its conversations are asked for."""
    survivor = orjson.loads((FIXTURES / "contacts.notified.json").read_bytes())
    assert received("contact.merged", survivor) == [
        sdk.Received("contacts", survivor),
        sdk.Refetch("merges", survivor["id"]),
    ]


@pytest.mark.parametrize(
    ("topic", "item", "expected"),
    [
        ("contact.deleted", {"type": "contact", "id": "c1"}, [("contacts", "c1")]),
        ("contact.lead.deleted", {"type": "contact", "id": "c1"}, [("contacts", "c1")]),
        ("company.deleted", {"type": "company", "id": "7"}, [("companies", "7")]),
        ("conversation.deleted", {"conversation_id": "471001"}, [("conversations", "471001:source")]),
        ("ping", {"type": "ping", "message": "something"}, []),
        ("ticket.created", {"type": "ticket", "id": "1"}, []),
        ("contact.company.attached", {"type": "contact_company"}, []),
    ],
)
def test_what_is_deleted_is_buried_and_what_is_foreign_is_passed_over(
    topic: str, item: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """A deletion is a tombstone; a topic that says nothing about these streams gives nothing."""
    assert [(one.stream, one.id) for one in received(topic, item)] == expected


def test_what_is_no_notification_is_refused() -> None:
    """It is genuine, so it is kept; the reason says what was expected."""
    with pytest.raises(ValueError, match="notification_event"):
        list(connector.webhooks["webhook"].receive(connector, sdk.Delivery("webhook", {}, b'{"type": "x"}', NOW)))


def test_a_delivery_is_known_by_its_notifications_id() -> None:
    """The replay guard, as no time is signed; a ping has no id."""
    webhook = connector.webhooks["webhook"]
    assert webhook.delivery_id(delivery("contact.merged", {})) == "notif_1"
    assert webhook.delivery_id(delivery("ping", {}, id_=None)) is None


@pytest.mark.parametrize("secrets", [[SECRET], ["new", SECRET]])
def test_a_genuine_delivery_is_accepted(secrets: list[str]) -> None:
    """With either of two active secrets."""
    SIGNATURE.verify(delivery("ping", {}), secrets)


@pytest.mark.parametrize("header", ["", "sha1=", "sha1=00", "sha256=00", "0" * 40])
def test_a_forged_delivery_is_refused(header: str) -> None:
    """A missing, short, other or unprefixed signature, and one of another secret."""
    forged = sdk.Delivery("webhook", {"x-hub-signature": header}, b"{}", NOW)
    with pytest.raises(BadSignature):
        SIGNATURE.verify(forged, [SECRET])
    with pytest.raises(BadSignature):
        SIGNATURE.verify(delivery("ping", {}, secret="another"), [SECRET])


@pytest.mark.parametrize(
    ("website", "domain"),
    [
        ("https://www.northwind.example/", "northwind.example"),
        ("northwind.example/shop", "northwind.example"),
        ("http://northwind.example:8080", "northwind.example"),
        ("localhost", None),
        ("https://[broken", None),
        ("", None),
        (None, None),
    ],
)
def test_a_website_names_a_domain(website: str | None, domain: str | None) -> None:
    """However people write it; what names no domain gives none."""
    assert Company(id="7", website=website, created_at=0, updated_at=0).domain == domain


@pytest.mark.parametrize("recipient", [{}, {"contact": "c1", "user": "u1"}])
def test_a_message_has_one_recipient(recipient: dict[str, str]) -> None:
    """By Intercom's id or by the product's."""
    with pytest.raises(ValidationError):
        SendMessage(body="Hello", **recipient)


def test_a_region_has_an_address() -> None:
    """Data that is kept in the EU or in Australia is asked for there."""
    hosts = [Intercom.hosts(Intercom.Config(access_token="tok_test_1", region=region)) for region in ("us", "eu", "au")]
    assert hosts == [("https://api.intercom.io",), ("https://api.eu.intercom.io",), ("https://api.au.intercom.io",)]

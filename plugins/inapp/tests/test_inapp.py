"""The in-app channel: reports become events, users are proved, messages are left once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from hub_inapp import InApp
from hub_inapp.connector import UserSignature, sign
from pydantic import SecretStr, ValidationError

from hub import sdk
from hub.sdk.errors import BadSignature

FIXTURES = Path(__file__).parent / "fixtures"
SECRET = "0123456789abcdef0123456789abcdef"
inapp = InApp(InApp.Config(secret=SecretStr(SECRET)))


def asks(user: str | None, signature: str | None) -> sdk.Delivery:
    return sdk.Delivery(
        path="messages",
        method="GET",
        headers={"x-hub-user-signature": signature} if signature else {},
        query={"user": user} if user else {},
        body=b"",
        received_at=datetime(2026, 3, 1, tzinfo=UTC),
    )


def test_a_user_is_who_the_products_server_says() -> None:
    """The signature is over the user's id, with any active secret."""
    UserSignature().verify(asks("u-7", sign(SECRET, "u-7")), ["rotated", SECRET])


@pytest.mark.parametrize(
    ("user", "signature"),
    [("u-8", sign(SECRET, "u-7")), ("u-7", "0" * 64), ("u-7", None), (None, sign(SECRET, "u-7")), ("u-7", "é")],
)
def test_nobody_reads_anothers_messages(user: str | None, signature: str | None) -> None:
    """A signature of somebody else, a made-up one, or none."""
    with pytest.raises(BadSignature):
        UserSignature().verify(asks(user, signature), [SECRET])


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"user": 3}', b"\xff"])
def test_a_report_from_nobody_is_refused(body: bytes) -> None:
    """What names no user cannot be proved."""
    report = sdk.Delivery("events", {"x-hub-user-signature": "x"}, body, datetime(2026, 3, 1, tzinfo=UTC))
    with pytest.raises(BadSignature):
        UserSignature().verify(report, [SECRET])


def test_a_report_that_cannot_be_read_is_refused_at_once() -> None:
    """The page that sent it is told what a report has."""
    accept = inapp.webhooks["events"].accept
    broken = sdk.Delivery("events", {}, b'{"user": "u-7"}', datetime(2026, 3, 1, tzinfo=UTC))
    refused = accept(broken)
    assert refused is not None
    assert refused.status == 400
    good = (FIXTURES / "reports.answered.json").read_bytes()
    assert accept(sdk.Delivery("events", {}, good, broken.received_at)) is None
    [received] = inapp.webhooks["events"].receive(inapp, sdk.Delivery("events", {}, good, broken.received_at))
    assert received == sdk.Received("reports", orjson.loads(good))


def test_a_link_leads_to_the_web_or_within_the_product() -> None:
    """A script address would run inside the product's page."""
    with pytest.raises(ValidationError):
        inapp.actions["send_message"].input.model_validate(
            {"user": "u", "title": "t", "body": "b", "url": "javascript:alert(1)"}
        )

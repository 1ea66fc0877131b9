"""Zendesk's formats: what records mean, how deliveries are signed, and what they name."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from hub_zendesk import Zendesk
from hub_zendesk.models import After
from hub_zendesk.reading import by_cursor, hold_back
from hub_zendesk.signature import SIGNATURE, TIMESTAMP, ZendeskSignature
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hub import sdk
from hub.sdk.errors import BadSignature, RateLimited

FIXTURES = Path(__file__).parent / "fixtures"
NOW = datetime(2026, 5, 1, 7, 25, 37, tzinfo=UTC)
SECRET = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="
CONFIG: dict[str, Any] = {"base_url": "https://acme.zendesk.com", "oauth_token": "a-token", "webhook_secret": SECRET}
connector = Zendesk(Zendesk.Config.model_validate(CONFIG))


def delivery(
    body: bytes,
    *,
    signed: bytes | None = None,
    written: str = "2026-05-01T07:25:37Z",
    secret: str = SECRET,
    **headers: str | None,
) -> sdk.Delivery:
    """A delivery signed over timestamp and body, or over what a test says."""
    over = written.encode() + body if signed is None else signed
    signature = base64.b64encode(hmac.new(secret.encode(), over, hashlib.sha256).digest()).decode()
    found = {SIGNATURE: signature, TIMESTAMP: written} | headers
    return sdk.Delivery("webhook", {name: value for name, value in found.items() if value is not None}, body, NOW)


def accepted(candidate: sdk.Delivery, secrets: list[str] | None = None) -> bool:
    try:
        ZendeskSignature().verify(candidate, [SECRET] if secrets is None else secrets)
    except BadSignature:
        return False
    return True


def test_timestamp_and_body_are_signed_in_this_order() -> None:
    """The superseded order, body before timestamp, is refused, and so is the body alone."""
    body, written = b'{"id":"1"}', "2026-05-01T07:25:37Z"
    assert accepted(delivery(body))
    assert not accepted(delivery(body, signed=body + written.encode()))
    assert not accepted(delivery(body, signed=body))


@given(body=st.binary(max_size=60), changed=st.integers(0, 59), secret=st.sampled_from([SECRET, "another"]))
def test_one_changed_byte_is_refused(body: bytes, changed: int, secret: str) -> None:
    """Genuine deliveries pass whatever they hold; with another byte or another secret none does."""
    genuine = delivery(body, secret=secret)
    assert accepted(genuine) is (secret == SECRET)
    if body:
        place = changed % len(body)
        other = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        assert not accepted(sdk.Delivery("webhook", genuine.headers, other, NOW))


@pytest.mark.parametrize(
    ("written", "good"),
    [
        ("2026-05-01T07:20:40Z", True),
        ("2026-05-01T07:30:30Z", True),
        ("2026-05-01T09:25:37+02:00", True),
        ("2026-05-01T07:20:30Z", False),
        ("2026-05-01T07:30:40Z", False),
        ("1777620337", False),
        ("yesterday", False),
    ],
)
def test_a_signature_counts_for_five_minutes(written: str, good: bool) -> None:
    """In the past and in the future; what is no time in ISO 8601 is refused."""
    assert accepted(delivery(b"{}", written=written)) is good


@pytest.mark.parametrize("missing", [SIGNATURE, TIMESTAMP])
def test_a_missing_header_is_refused(missing: str) -> None:
    """Nothing is assumed about what is not there, and without a secret nothing is believed."""
    assert not accepted(delivery(b"{}", **{missing: None}))
    assert not accepted(delivery(b"{}"), [])


def test_two_secrets_are_active_while_one_is_changed() -> None:
    """Signed with either, a delivery is genuine."""
    assert accepted(delivery(b"{}", secret="new"), [SECRET, "new"])


def received(told: Any) -> list[Any]:
    return list(connector.webhooks["webhook"].receive(connector, delivery(orjson.dumps(told))))


@pytest.mark.parametrize(
    ("kind", "record", "found"),
    [
        ("zen:event-type:ticket.status_changed", "12", [sdk.Refetch("tickets", "12")]),
        ("zen:event-type/ticket.merged", "12", [sdk.Refetch("tickets", "12")]),
        ("zen:event-type:user.deleted", "38", [sdk.Refetch("users", "38")]),
        ("zen:event-type:organization.created", "36", [sdk.Refetch("organizations", "36")]),
        ("zen:event-type:ticket.permanently_deleted", "12", [sdk.Tombstone("tickets", "12")]),
        ("zen:event-type:agent.state_changed", "1", []),
        ("zen:event-type:user.deleted", "0", []),
        ("zen:event-type:user.deleted", "", []),
        ("zen:event-type:user.deleted", None, []),
    ],
)
def test_an_event_names_what_is_read(kind: str, record: Any, found: list[Any]) -> None:
    """Both spellings of types; ids are texts, and none is 0 or nothing; what is not read is passed over."""
    assert received({"type": kind, "detail": {"id": record}}) == found


def test_a_merge_names_both_users() -> None:
    """Whichever of them is left; without the other one it only says that something changed."""
    told = {"type": "zen:event-type/user.merged", "time": "2026-05-01T07:25:37Z", "detail": {"id": "38"}}
    merge = {"user": "38", "other": "39", "at": "2026-05-01T07:25:37Z", "organization_id": None}
    both = told | {"event": {"user": {"id": "39"}}}
    assert received(both) == [sdk.Refetch("users", "38"), sdk.Received("user_merges", merge)]
    assert received(told) == [sdk.Refetch("users", "38")]


def test_a_body_of_ones_own_template_is_shown() -> None:
    """A trigger's webhook with another template is kept in quarantine with a hint."""
    with pytest.raises(ValueError, match="README"):
        received({"ticket_id": 12})


def test_edits_of_one_second_are_told_apart() -> None:
    """Another content is another version; the same content by export and by webhook is the same one."""
    stream = connector.streams["tickets"]
    row = orjson.loads((FIXTURES / "tickets.open.json").read_bytes())

    def version(**changes: Any) -> str:
        return stream.version(stream.record.model_validate(row | changes))

    assert version() == version(generated_timestamp=1)
    assert version() != version(status="solved")
    assert version(status="solved") < version(updated_at="2026-05-01T07:25:38Z")


async def test_a_cursor_of_null_is_no_cursor() -> None:
    """Behind the end there is none: a page with rows keeps the stored one, a page without is no page."""

    def answer(request: httpx.Request) -> httpx.Response:
        rows = [] if request.url.params.get("cursor") else [{"id": 1}]
        return httpx.Response(200, json={"tickets": rows, "after_cursor": None, "end_of_stream": True})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="https://acme.zendesk.com") as http:
        assert [page async for page in by_cursor(http, "tickets", None)] == [([{"id": 1}], After(cursor=None))]
        assert [page async for page in by_cursor(http, "tickets", After(cursor="c"))] == []


def test_a_spent_minute_is_waited_out() -> None:
    """The header says how many exports are left and for how long; without one we go on."""
    left = "total=10; remaining={}; resets=41"
    header = "zendesk-ratelimit-incremental-exports"
    hold_back(httpx.Response(200))
    hold_back(httpx.Response(200, headers={header: left.format(1)}))
    with pytest.raises(RateLimited) as raised:
        hold_back(httpx.Response(200, headers={header: left.format(0)}))
    assert raised.value.retry_after == timedelta(seconds=41)


@pytest.mark.parametrize(
    "wrong", [{"oauth_token": None}, {"email": "a@b.example", "api_token": "t"}, {"base_url": "acme"}]
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    """One way to sign in, and a whole address."""
    chosen = {name: value for name, value in (CONFIG | wrong).items() if value is not None}
    with pytest.raises(ValidationError):
        Zendesk.Config.model_validate(chosen)

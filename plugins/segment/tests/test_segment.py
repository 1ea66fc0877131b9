"""Segment's formats: what each call means, and the odd cases of time, identity, limits and signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from hub_segment import Segment
from hub_segment.intake import FirstElementHmac, WriteKey, first_element, refuse, rows
from hub_segment.models import Message
from pydantic import SecretStr, ValidationError

from hub import sdk
from hub.sdk.errors import BadSignature, Misconfigured

FIXTURES = Path(__file__).parent / "fixtures"
KEY = "a write key for tests"
NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
segment = Segment(Segment.Config(write_key=SecretStr(KEY)))


def delivery(body: bytes, path: str = "v1/batch", **headers: str) -> sdk.Delivery:
    return sdk.Delivery(path=path, headers=headers, body=body, received_at=NOW)


def basic(key: str) -> str:
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


def test_a_wrong_client_clock_is_corrected() -> None:
    """timestamp = receivedAt − (sentAt − originalTimestamp): an hour off in both cancels out."""
    wrong = NOW + timedelta(hours=1)
    message = Message.model_validate(
        {
            "type": "track",
            "messageId": "1",
            "userId": "7",
            "timestamp": (wrong - timedelta(days=400)).isoformat(),
            "sentAt": wrong.isoformat(),
            "receivedAt": NOW.isoformat(),
        }
    )
    assert message.happened_at == NOW - timedelta(days=400)


@pytest.mark.parametrize(
    "message", [{"type": "track", "event": "Lost"}, {"type": "page"}, {"type": "track", "userId": "", "event": "x"}]
)
def test_a_message_about_nobody_is_refused_with_the_fix(message: dict[str, object]) -> None:
    """Without a user and a group nothing can be said of any account."""
    record = Message.model_validate({"messageId": "1", "receivedAt": NOW.isoformat(), **message})
    with pytest.raises(ValueError, match="set userId, anonymousId or groupId"):
        list(segment.streams["messages"].normalizer(segment, record))  # type: ignore[misc]  # it has one


@pytest.mark.parametrize(
    ("body", "headers", "fits"),
    [
        (b"{}", {"authorization": basic(KEY)}, True),
        (b"{}", {"authorization": basic("another key")}, False),
        (orjson.dumps({"writeKey": KEY}), {}, True),
        (orjson.dumps({"writeKey": "another key"}), {}, False),
        (orjson.dumps({"writeKey": KEY}), {"authorization": basic("another key")}, False),
        (b"{}", {}, False),
        (b"not json", {}, False),
        (b"{}", {"authorization": "Bearer " + KEY}, False),
        (b"{}", {"authorization": "Basic %%%"}, False),
        ('{"writeKey": "\ud800"}'.encode("utf-8", "surrogatepass"), {}, False),
    ],
)
def test_the_write_key_decides(body: bytes, headers: dict[str, str], fits: bool) -> None:
    """In the header, or in the body where the header is left out; a wrong header is not saved by a right body."""
    if fits:
        WriteKey().verify(delivery(body, **headers), [KEY])
        return
    with pytest.raises(BadSignature):
        WriteKey().verify(delivery(body, **headers), [KEY])


@pytest.mark.parametrize("raw", [b'{"b": 1.0, "a": "\\u00e9"}', b' {"x":[1,2]} ', b'"text"'])
def test_only_the_first_element_is_signed(raw: bytes) -> None:
    """Its raw bytes count: serialised again they would differ, and what follows is not covered."""
    body = b"[ " + raw.strip() + b' ,{"type": "track"}]'
    signature = hmac.new(b"shared", raw.strip(), hashlib.sha1).hexdigest()
    assert first_element(body) == raw.strip()
    FirstElementHmac().verify(delivery(body, **{"x-signature": signature}), ["other", "shared"])
    with pytest.raises(BadSignature):
        FirstElementHmac().verify(delivery(body.replace(b"[ ", b"[ 0,", 1), **{"x-signature": signature}), ["shared"])


@pytest.mark.parametrize("secrets", [[], ["shared"]])
def test_an_unsigned_batch_is_refused(secrets: list[str]) -> None:
    """Without a header, or without a configured secret, nothing is believed."""
    with pytest.raises(BadSignature):
        FirstElementHmac().verify(delivery(b"[{}]"), secrets)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("v1/batch", b'{"batch": []}', None),
        ("v1/track", b'{"event": "x"}', None),
        ("v1/track", b'{"event": "\\ud800"}', None),
        ("v1/secrets", b"{}", 404),
        ("v1/batch", b"{", 400),
        ("v1/batch", b"[]", 400),
        ("v1/batch", b'{"batch": 3}', 400),
        ("v1/track", b'{"value": NaN}', 400),
        ("v1/track", b"\xff", 400),
        ("v1/track", b"[" * 100_000, 400),
        ("v1/track", orjson.dumps({"event": "x" * 33_000}), 400),
        ("v1/batch", orjson.dumps({"batch": [{}] * 2_501}), 400),
        ("v1/batch", orjson.dumps({"batch": [{"event": "x" * 30_000}] * 20}), 400),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_the_source_api_refuses_at_once(path: str, body: bytes, status: int | None) -> None:
    """Unknown calls, broken JSON and anything over the documented limits; a lone surrogate is no reason."""
    reply = refuse(delivery(body, path))
    assert (reply.status if reply else None) == status


def test_a_message_without_an_id_gets_one_from_its_content() -> None:
    """Sent twice it is still one record; the write key is not kept with it."""
    body = orjson.dumps({"batch": [{"type": "track", "userId": "7", "event": "x", "writeKey": KEY}], "sentAt": "t"})
    [first], [again] = rows(delivery(body)), rows(delivery(body))
    assert first["messageId"] == again["messageId"]
    assert first["messageId"].startswith("auto-")
    assert first["sentAt"] == "t"
    assert KEY not in str(first)


def test_something_that_is_no_message_is_kept_as_it_came() -> None:
    """A number in a batch becomes a row that fails its model, and so is shown, not lost."""
    [row] = rows(delivery(b'{"batch": [3]}'))
    assert row["unreadable"] == 3
    with pytest.raises(ValueError, match="type"):
        Message.model_validate(row)


async def test_a_key_that_basic_auth_cannot_carry_is_refused() -> None:
    """A colon would cut the key short at the other end."""
    with pytest.raises(Misconfigured):
        await Segment(Segment.Config(write_key=SecretStr("a:key with a colon"))).check()


def test_whoever_has_the_write_key_erases_nobody() -> None:
    """It stands in web pages; only what Segment forwards and signs may ask for an erasure."""
    asked = orjson.dumps({"batch": [{"type": "delete", "userId": "7", "messageId": "1"}]})
    [by_source] = rows(delivery(asked))
    with pytest.raises(ValidationError, match="type"):
        Message.model_validate(by_source)
    [forwarded] = rows(delivery(orjson.dumps([{"type": "delete", "userId": "7"}]), "destination"))
    assert Message.model_validate(forwarded).type == "delete"

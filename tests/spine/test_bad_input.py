"""Bad input over a socket: a clear answer, nothing lost, nothing secret in the logs."""

from __future__ import annotations

import base64
import gzip
from typing import Any

import httpx
import orjson

from .conftest import WRITE_KEY, RunningHub

GOOD = {"authorization": "Basic " + base64.b64encode(f"{WRITE_KEY}:".encode()).decode()}
WRONG = {"authorization": "Basic " + base64.b64encode(b"a key that somebody guessed:").decode()}


def message(**fields: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Report Viewed", "userId": "u-1", "context": {"groupId": "g-1"}} | fields


def batch(*messages: Any) -> bytes:
    return orjson.dumps({"batch": list(messages), "sentAt": "2026-03-01T10:00:00Z"})


async def post(hub: RunningHub, path: str, body: bytes, headers: dict[str, str] = GOOD) -> httpx.Response:
    async with httpx.AsyncClient(timeout=30) as client:
        return await client.post(f"{hub.url}/in/{path}", content=body, headers=headers)


REFUSED: list[tuple[str, bytes, dict[str, str], int]] = [
    ("segment/v1/batch", b'{"batch": [', GOOD, 400),
    ("segment/v1/batch", b"\xff\xfe", GOOD, 400),
    ("segment/v1/batch", b"", GOOD, 400),
    ("segment/v1/batch", b'{"batch": [' + b"[" * 100_000, GOOD, 400),
    ("segment/v1/batch", orjson.dumps({"batch": [message()] * 10_000}), GOOD, 400),
    ("segment/v1/track", orjson.dumps(message(event="x" * 40_000)), GOOD, 400),
    ("segment/v1/batch", b"x" * 3_000_000, GOOD, 413),
    ("segment/v1/batch", gzip.compress(b"x" * 50_000_000), GOOD | {"content-encoding": "gzip"}, 413),
    ("segment/v1/batch", b"not gzip", GOOD | {"content-encoding": "gzip"}, 400),
    ("segment/v1/batch", batch(message()), WRONG, 401),
    ("segment/v1/batch", batch(message()), {}, 401),
    ("segment/destination", batch(message()), {"x-signature": "0" * 40}, 401),
    ("segment/v1/explode", b"{}", GOOD, 404),
    ("segment/elsewhere", b"{}", GOOD, 404),
    ("nobody/v1/batch", batch(message()), GOOD, 404),
    ("inapp/events", b"{}", {}, 401),
]


async def test_what_is_refused_says_why(hub: RunningHub) -> None:
    """Each refusal is one JSON answer with a reason; nothing of it is stored, and no secret is logged."""
    for path, body, headers, status in REFUSED:
        answer = await post(hub, path, body, headers)
        assert answer.status_code == status, (path, body[:40], answer.text)
        assert answer.headers["content-type"].startswith("application/json"), (path, body[:40])
        assert answer.json(), "an answer says what is wrong"
        assert WRITE_KEY not in answer.text
    assert await hub.rows("SELECT count(*) FROM webhook_delivery") == [(0,)]
    assert WRITE_KEY not in hub.logged()
    assert "shared" not in hub.logged()


async def test_odd_text_is_recorded_and_the_original_kept(hub: RunningHub) -> None:
    """Lone surrogates, NUL and right-to-left text: shown readably on the timeline, kept as they came in the record."""
    odd = [
        ("m-surrogate", b'"\\ud800 Ltd"', "\ufffd Ltd"),
        ("m-nul", b'"a\\u0000b"', "a\ufffdb"),
        ("m-rtl", '"شركة ✓"'.encode(), "شركة ✓"),
    ]
    for identifier, raw, _ in odd:
        template = orjson.dumps(message(messageId=identifier, event="EVENT"))
        body = b'{"batch": [' + template.replace(b'"EVENT"', raw) + b"]}"
        assert (await post(hub, "segment/v1/batch", body)).json() == {"success": True}
    await hub.quiet()
    shown = dict(await hub.rows("SELECT record_id, title FROM event WHERE stream = 'messages'"))
    assert shown == {identifier: title for identifier, _, title in odd}
    kept = dict(await hub.rows("SELECT record_id, payload FROM raw_record"))
    assert rb"\ud800" in bytes(kept["m-surrogate"]).lower()
    assert rb"\u0000" in bytes(kept["m-nul"])


async def test_what_cannot_be_read_is_kept_shown_and_replayable(hub: RunningHub) -> None:
    """In one batch with good messages: unknown type, wrong types, nobody named. The good ones go on."""
    unreadable = [
        message(messageId="m-1", type="explode"),
        message(messageId="m-2", userId={"a": 1}),
        message(messageId="m-3", userId=None, context={}),
        message(messageId="m-4", timestamp="the day before yesterday"),
        42,
    ]
    answer = await post(
        hub, "segment/v1/batch", batch(message(messageId="good-1"), *unreadable, message(messageId="good-2"))
    )
    assert answer.status_code == 200
    await hub.quiet()
    recorded = await hub.rows("SELECT record_id FROM event WHERE stream = 'messages' ORDER BY record_id")
    assert recorded == [("good-1",), ("good-2",)]
    shown = await hub.graphql("{ quarantine(first: 20) { nodes { stage reason } } }")
    reasons = [entry["reason"] for entry in shown["quarantine"]["nodes"]]
    assert len(reasons) == len(unreadable)
    assert any("set userId, anonymousId or groupId" in reason for reason in reasons)
    assert any("timestamp" in reason for reason in reasons)
    kept = await hub.rows("SELECT payload FROM quarantine UNION ALL SELECT payload FROM raw_record")
    payloads = b"".join(bytes(payload) for (payload,) in kept)
    assert all(name in payloads for name in (b"m-1", b"m-2", b"m-3", b"m-4", b"42"))

"""What the intake says: JSON with a code that a machine can tell apart, or whatever a connector replies."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace

import orjson
from starlette.types import Receive, Send

from hub.sdk.webhooks import Reply

Headers = list[tuple[bytes, bytes]]


LINGER_SECONDS = 2.0
LINGER_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response; `outcome` is how it is counted, `closes` that the connection ends with it."""

    status: int
    body: bytes
    headers: Headers
    outcome: str
    closes: bool = False

    async def send(self, receive: Receive, send: Send) -> None:
        """Send it in one go; one that closes lingers a moment.

        Whoever is still sending would otherwise see its connection reset, and never this answer.
        """
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": self.closes})
        if self.closes:
            await _discard(receive)
            await send({"type": "http.response.body"})


async def _discard(receive: Receive) -> None:
    """Throw away what is on its way, within limits."""
    discarded = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while discarded < LINGER_BYTES:
                message = await receive()
                discarded += len(message.get("body", b""))
                if not message.get("more_body"):
                    return


def refuse(status: int, code: str, message: str, *, close: bool = False, **headers: str) -> Answer:
    """`{"error": {"code": …, "message": …}}`. `close` ends the connection; header names are given with `_` for `-`."""
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    if close:
        extra["connection"] = "close"
    refusal = _json(status, {"error": {"code": code, "message": message}}, extra, code)
    return replace(refusal, closes=close)


def answer(reply: Reply, outcome: str) -> Answer:
    """A connector's reply as a response."""
    return _json(reply.status, reply.body, dict(reply.headers), outcome)


def _json(status: int, body: object, headers: dict[str, str], outcome: str) -> Answer:
    content = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
    named = {name.lower(): value for name, value in headers.items()}
    if content:
        named.setdefault("content-type", "application/octet-stream" if isinstance(body, bytes) else "application/json")
    if status not in (204, 304):
        named["content-length"] = str(len(content))
    encoded = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in named.items()]
    return Answer(status, content, encoded, outcome)

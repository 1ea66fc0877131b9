"""What the intake says: JSON with a code that a machine can tell apart, or whatever a connector replies."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from starlette.types import Send

from hub.sdk.webhooks import Reply

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response. `outcome` is how it is counted."""

    status: int
    body: bytes
    headers: Headers
    outcome: str

    async def send(self, send: Send) -> None:
        """Send it in one go."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})


def refuse(status: int, code: str, message: str, *, close: bool = False, **headers: str) -> Answer:
    """`{"error": {"code": …, "message": …}}`. `close` ends the connection; header names are given with `_` for `-`."""
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    if close:
        extra["connection"] = "close"
    return _json(status, {"error": {"code": code, "message": message}}, extra, code)


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

"""Weather between a connector and its vendor's double: refusals, silence, nonsense and cut connections, on demand.

It stands in front of the double's application on the same socket, so that a connector meets what it would meet
outside: a status, an answer that stops half-way, or none at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Fault(StrEnum):
    """What becomes of a request."""

    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    UNPROCESSABLE = "422"
    SLOW_DOWN = "429"
    BROKEN = "500"
    PAGE = "a page in HTML"
    NOTHING = "JSON of another shape"
    SILENCE = "no answer"
    CUT = "an answer that stops half-way"
    DONE_IN_SILENCE = "it is done, and no answer comes"


RETRY_AFTER_SECONDS = 3_600
"""What `SLOW_DOWN` asks for: longer than the host waits within a run."""

ANSWERS: dict[Fault, tuple[int, bytes, bytes]] = {
    Fault.UNAUTHORIZED: (401, b"application/json", b'{"error": "unauthorized"}'),
    Fault.FORBIDDEN: (403, b"application/json", b'{"error": "forbidden"}'),
    Fault.UNPROCESSABLE: (422, b"application/json", b'{"error": "this cannot be processed"}'),
    Fault.SLOW_DOWN: (429, b"application/json", b'{"error": "too many requests"}'),
    Fault.BROKEN: (500, b"application/json", b'{"error": "internal server error"}'),
    Fault.PAGE: (200, b"text/html", b"<!doctype html><title>Sign in</title><p>Please sign in."),
    Fault.NOTHING: (200, b"application/json", b"[]"),
}


@dataclass
class Weather:
    """An ASGI application in front of another one.

    `chooses` gives the fault of each request, by its number (0 is the first) and its method; none by default.
    """

    app: ASGIApp
    chooses: Callable[[int, str], Fault | None] = lambda number, method: None
    requests: list[str] = field(default_factory=list)
    """`GET /v1/answers?after=3`, one for each."""
    failures: list[str] = field(default_factory=list)
    """What the double itself failed with: a bug in `vendor.py`, not in the connector."""
    silent: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a request is left without an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        fault = self.chooses(len(self.requests), scope["method"])
        query = scope["query_string"].decode("latin-1")
        self.requests.append(f"{scope['method']} {scope['path']}{'?' if query else ''}{query}")
        match fault:
            case None:
                await self._pass(scope, receive, send)
            case Fault.SILENCE | Fault.DONE_IN_SILENCE:
                await self._stay_silent(fault, scope, receive)
            case Fault.CUT:
                await _cut(send)
            case _:
                await _answer(fault, send)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def forward(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, forward)
        except Exception as error:  # the double is the plugin author's code; the verdict names it
            self.failures.append(f"{scope['method']} {scope['path']}: {type(error).__name__}: {error}")
            if not started:
                await _answer(Fault.BROKEN, send)

    async def _stay_silent(self, fault: Fault, scope: Scope, receive: Receive) -> None:
        async def swallow(message: Message) -> None:
            return

        if fault is Fault.DONE_IN_SILENCE:
            await self._pass(scope, receive, swallow)
        self.silent.set()
        while (await receive())["type"] != "http.disconnect":
            pass


async def _answer(fault: Fault, send: Send) -> None:
    status, content_type, body = ANSWERS[fault]
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    if fault is Fault.SLOW_DOWN:
        headers.append((b"retry-after", str(RETRY_AFTER_SECONDS).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _cut(send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    # To return before the announced body is complete makes the server close the connection.
    await send({"type": "http.response.body", "body": b'{"data": [', "more_body": True})

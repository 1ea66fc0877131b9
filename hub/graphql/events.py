"""Server-sent events: results as they come, each with the cursor to come back with.

The `distinct connections` mode of GraphQL over SSE: `event: next` for each result, `event: complete` at the end. The
`id:` line of an event is its cursor, so a client that comes back with `Last-Event-ID` goes on without a gap.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import orjson
from starlette.types import Receive, Send
from strawberry.types import ExecutionResult

from hub.graphql.context import Context
from hub.graphql.metrics import subscriptions

HEARTBEAT_SECONDS = 15.0
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
]


async def send_stream(
    receive: Receive, send: Send, results: AsyncGenerator[ExecutionResult, None], context: Context
) -> None:
    """Send results until they end or the client goes away."""
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    subscriptions.labels("sse").inc()
    sending = asyncio.create_task(_send(send, results, context), name="send events")
    leaving = asyncio.create_task(_gone(receive), name="wait for the client to go")
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, leaving):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await results.aclose()
        subscriptions.labels("sse").dec()


async def _send(send: Send, results: AsyncGenerator[ExecutionResult, None], context: Context) -> None:
    upcoming: asyncio.Task[ExecutionResult | None] | None = None
    try:
        while True:
            upcoming = upcoming or asyncio.create_task(_next(results))
            done, _ = await asyncio.wait({upcoming}, timeout=HEARTBEAT_SECONDS)
            if not done:
                await _write(send, b": still here\n\n")
                continue
            result, upcoming = upcoming.result(), None
            if result is None:
                break
            await _write(send, event(result, context.position))
        await _write(send, b"event: complete\ndata:\n\n")
        await send({"type": "http.response.body", "body": b""})
    finally:
        if upcoming is not None:
            upcoming.cancel()
            with suppress(asyncio.CancelledError):
                await upcoming


def event(result: ExecutionResult, position: str | None) -> bytes:
    """One result as an event."""
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body["errors"] = [error.formatted for error in result.errors]
    identity = f"id: {position}\n".encode() if position else b""
    return b"event: next\n" + identity + b"data: " + orjson.dumps(body) + b"\n\n"


async def _next(results: AsyncGenerator[ExecutionResult, None]) -> ExecutionResult | None:
    return await anext(results, None)


async def _write(send: Send, text: bytes) -> None:
    await send({"type": "http.response.body", "body": text, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

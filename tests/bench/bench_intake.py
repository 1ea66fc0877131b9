"""How fast the intake takes Segment batches durably, against a Starlette route that does nothing with the same bodies.

Both servers are uvicorn with httptools and uvloop, one process each. Rounds alternate, so that whatever the machine
does hits both. Run it by hand:

    uv run python -m tests.bench.bench_intake [seconds a round] [rounds] [clients]
"""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import socket
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast
from uuid import uuid4

import orjson
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from hub.asgi import create_app
from hub.connections import registry
from hub.connections import service as connections
from hub.kit.memory import settle
from hub.kit.runtime import open_kit
from hub.kit.settings import Settings
from tests.bench.servers import fresh_settings

GOAL = 0.5
MESSAGES = 100
WRITE_KEY = "the write key of the benchmark"
PATH = "/in/bench/v1/batch"


def body() -> bytes:
    """A batch as a server-side Segment client sends it: 100 `track` calls, about 40 KB."""
    return orjson.dumps({"batch": [_message(number) for number in range(MESSAGES)], "sentAt": "2026-03-02T10:00:01Z"})


def _message(number: int) -> dict[str, object]:
    return {
        "type": "track",
        "event": ("Report Viewed", "Dashboard Created", "Data Exported")[number % 3],
        "messageId": str(uuid4()),
        "userId": f"user-{number % 40}",
        "timestamp": f"2026-03-02T10:00:{number % 60:02}.{number:03}Z",
        "context": {"library": {"name": "analytics-python", "version": "2.3.4"}, "groupId": f"group-{number % 7}"},
        "properties": {"report": f"report-{number}", "rows": number * 17, "format": "pdf", "seconds": number / 7},
    }


def empty_app() -> ASGIApp:
    """What the intake is compared with: the body is received, nothing is done with it."""

    async def nothing(request: Request) -> JSONResponse:
        await request.body()
        return JSONResponse({"success": True})

    return Starlette(routes=[Route("/in/{connection}/{path:path}", nothing, methods=["POST"])])


async def serve(kind: str, port: int, settings: Settings) -> None:
    """Run one of the two servers until SIGTERM; the intake is that of the whole hub."""
    app = create_app(settings) if kind == "intake" else empty_app()
    settle()
    await uvicorn.Server(
        uvicorn.Config(app, port=port, http="httptools", log_level="warning", access_log=False)
    ).serve()


@asynccontextmanager
async def running(kind: str, settings: Settings) -> AsyncIterator[int]:
    """A server in a process of its own; yields its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.bench_intake",
        "serve",
        kind,
        str(port),
        env=os.environ
        | {
            "HUB_DATABASE_URL": str(settings.database_url).replace("+asyncpg", ""),
            "HUB_REDIS_URL": str(settings.redis_url),
            "HUB_DATA_DIR": str(settings.data_dir),
        },
    )
    try:
        for _ in range(600):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                break
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


class Client(asyncio.Protocol):
    """One keep-alive connection that sends the same request again as soon as it was answered."""

    def __init__(self, request: bytes) -> None:
        self.request, self.answered, self.refused, self.stopped = request, 0, 0, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 200"):
            self.answered += 1
        elif data.startswith(b"HTTP/1.1"):
            self.refused += 1
        if not self.stopped and data.endswith(b"}"):
            self.transport.write(self.request)


async def requests_per_second(port: int, seconds: float, clients: int, request: bytes) -> float:
    """Keep so many clients busy for a while; raises when anything was refused."""
    loop = asyncio.get_running_loop()
    busy = [(await loop.create_connection(lambda: Client(request), "127.0.0.1", port))[1] for _ in range(clients)]
    started = loop.time()
    await asyncio.sleep(seconds)
    answered = sum(client.answered for client in busy)
    took = loop.time() - started
    for client in busy:
        client.stopped = True
        client.transport.abort()
    refused = sum(client.refused for client in busy)
    if refused:
        raise RuntimeError(f"{refused} requests were refused")
    return answered / took


def http_request(content: bytes) -> bytes:
    """The request as bytes, authenticated by the write key."""
    credentials = base64.b64encode(f"{WRITE_KEY}:".encode()).decode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: analytics-python/2.3.4\r\n"
        f"Authorization: Basic {credentials}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


@asynccontextmanager
async def prepared() -> AsyncIterator[Settings]:
    """A migrated database with one Segment connection."""
    with tempfile.TemporaryDirectory() as folder:
        async with fresh_settings(Path(folder)) as settings, open_kit(settings) as kit:
            async with kit.transaction() as session:
                await connections.add(
                    session,
                    kit.vault,
                    registry.current(),
                    "segment",
                    "bench",
                    {"write_key": WRITE_KEY},
                    now=kit.clock.now(),
                )
            yield settings


async def measure(seconds: float, rounds: int, clients: int) -> float:
    """The intake's rate as a share of the empty route's: the median over the rounds."""
    content = body()
    request = http_request(content)
    ratios = []
    async with prepared() as settings, running("empty", settings) as empty, running("intake", settings) as intake:
        for port in (empty, intake):
            await requests_per_second(port, 1.0, clients, request)
        for number in range(rounds):
            nothing = await requests_per_second(empty, seconds, clients, request)
            durable = await requests_per_second(intake, seconds, clients, request)
            ratios.append(durable / nothing)
            print(
                f"round {number + 1}: empty {nothing * MESSAGES:,.0f} events/s, "
                f"intake {durable * MESSAGES:,.0f} events/s, ratio {ratios[-1]:.2f}"
            )
    ratio = statistics.median(ratios)
    print(f"body {len(content):,} bytes, {clients} clients: ratio {ratio:.2f} (goal {GOAL})")
    return ratio


def main() -> None:
    """Measure, or be one of the servers that are measured."""
    if sys.argv[1:2] == ["serve"]:
        uvloop.run(serve(sys.argv[2], int(sys.argv[3]), Settings()))
        return
    given = [float(value) for value in sys.argv[1:4]]
    defaults = (3.0, 5.0, 64.0)
    seconds, rounds, clients = (*given, *defaults[len(given) :])
    ratio = uvloop.run(measure(seconds, int(rounds), int(clients)))
    sys.exit(0 if ratio >= GOAL else 1)


if __name__ == "__main__":
    main()

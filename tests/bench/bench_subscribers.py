"""What many idle subscribers cost one server, and how fast a change reaches all of them, over server-sent events. Run
it by hand (`ulimit -n` has to allow as many connections, twice over):

    uv run python -m tests.bench.bench_subscribers [subscribers]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import orjson
import uvloop

from hub.access import service as access
from hub.access.service import SYSTEM, Role
from hub.kit import outbox
from hub.kit.runtime import Kit, open_kit
from tests.bench.bench_graphql import running
from tests.bench.servers import fresh_settings
from tests.graphql.world import NOW, key, populate

QUERY = "subscription { healthChanged { cursor band points } }"
GOAL_MIB = 300
GOAL_SECONDS = 1.0
AT_ONCE = 200

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def memory(pid: int) -> float:
    """What a process holds in memory, in MiB."""
    line = next(one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def subscribe(port: int, secret: str) -> Connection:
    """One subscriber, whose subscription has begun."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**12)
    content = orjson.dumps({"query": QUERY})
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {secret}\r\nAccept: text/event-stream\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    writer.write(head.encode() + content)
    status = await reader.readuntil(b"\r\n\r\n")
    if not status.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(status.decode())
    return reader, writer


async def heard(reader: asyncio.StreamReader) -> float:
    """When the change was heard."""
    while b"healthChanged" not in (line := await reader.readline()):
        if not line:
            raise RuntimeError("the server has ended a subscription")
    return time.perf_counter()


async def change(kit: Kit) -> None:
    """A new score, decided and published."""
    payload = {
        "account_id": str(key("account", 0)),
        "score_id": str(key("score", 0, 1)),
        "previous_score_id": None,
        "band": "red",
        "previous_band": "yellow",
        "micro_points": 21_000_000,
    }
    async with kit.transaction() as session:
        await outbox.append(session, "score.changed", str(key("account", 0)), payload, now=NOW)
    async with kit.transaction() as session:
        published = await outbox.publish(session)
    await kit.broadcast.announce(published[-1].position)


async def measure(count: int) -> None:
    """Print what they hold in memory together, and how long a change took to the first, the median and the last."""
    with tempfile.TemporaryDirectory() as folder:
        async with fresh_settings(Path(folder)) as settings, open_kit(settings) as kit:
            await populate(kit, 1)
            async with kit.transaction() as session:
                made = await access.create_key(
                    session, SYSTEM, "bench", Role.ADMIN, expires_in=None, now=kit.clock.now()
                )
            command = [sys.executable, "-m", "tests.bench.bench_graphql", "serve", "compiled", "PORT"]
            async with running(command, settings) as (port, pid):
                readers = [await subscribe(port, made.secret)]
                before = memory(pid)
                while len(readers) < count:
                    batch = min(AT_ONCE, count - len(readers))
                    readers += await asyncio.gather(*(subscribe(port, made.secret) for _ in range(batch)))
                await asyncio.sleep(3)
                held = memory(pid)
                waiting = [asyncio.create_task(heard(reader)) for reader, _ in readers]
                started = time.perf_counter()
                await change(kit)
                took = sorted(at - started for at in await asyncio.wait_for(asyncio.gather(*waiting), 120))
                mine = held - before
                print(
                    f"{count} idle subscribers: the server holds {held:.0f} MiB, {mine:.0f} for them (goal {GOAL_MIB})"
                )
                print(
                    f"a change reached the first in {took[0]:.2f} s, half of them in {took[len(took) // 2]:.2f} s, "
                    f"all in {took[-1]:.2f} s (goal {GOAL_SECONDS})"
                )


if __name__ == "__main__":
    uvloop.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5000))

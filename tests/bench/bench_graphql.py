"""How fast the API answers "50 accounts with health and their last 20 events" over HTTP, against three others in the
same run: an endpoint that gives the same JSON from one statement written by hand with `json_agg`, PostGraphile 5, and
the same schema on its resolvers with their loaders.

All are asked in turn, round by round, each by the same clients, so that whatever the machine does hits all. On a busy
machine rates follow from how many processes one has to run on, so what a request costs in CPU time, of the server and
of its database connections, is told as well. Run it by hand; without npm PostGraphile is left out:

    uv run python -m tests.bench.bench_graphql [accounts] [events] [seconds a round] [rounds]
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import asyncpg
import orjson
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from hub.access import service as access
from hub.access.service import SYSTEM, Role
from hub.asgi import create_app
from hub.graphql.schema import the_schema
from hub.kit.memory import settle
from hub.kit.runtime import open_kit
from hub.kit.settings import Settings
from tests.bench.servers import fresh_settings

CONNECTIONS = (1, 16, 64)
NEW_DOCUMENTS = 20
POSTGRAPHILE = Path(__file__).parent / "postgraphile"

QUERY = """{ accounts(first: 50) { nodes { id name health { band points }
  timeline(first: 20) { nodes { id kind title occurredAt } } } } }"""

POSTGRAPHILE_QUERY = """{ allAccounts(first: 50, orderBy: [NAME_ASC, ROW_ID_ASC], condition: {mergedInto: null}) {
  nodes { rowId name healthByAccountId { band microPoints }
  sourceAccountsByAccountId { nodes { eventsBySourceAccountId(first: 20, orderBy: [OCCURRED_AT_DESC, ROW_ID_DESC],
    condition: {retractedAt: null}) { nodes { rowId kind title occurredAt } } } } } } }"""

BY_HAND = """
SELECT json_build_object('data', json_build_object('accounts', json_build_object('nodes', json_agg(json_build_object(
  'id', 'acc_' || replace(a.id::text, '-', ''), 'name', a.name,
  'health', json_build_object('band', upper(coalesce(h.band, 'unknown')), 'points', h.micro_points::float8 / 1000000),
  'timeline', json_build_object('nodes', t.events)) ORDER BY a.name, a.id))))::text
FROM (SELECT id, name FROM account WHERE merged_into IS NULL ORDER BY name, id LIMIT 50) a
LEFT JOIN health h ON h.account_id = a.id
CROSS JOIN LATERAL (
  SELECT coalesce(json_agg(json_build_object(
    'id', 'evt_' || replace(e.source_account_id::text, '-', '') || replace(e.id::text, '-', ''),
    'kind', e.kind, 'title', e.title, 'occurredAt', e.occurred_at) ORDER BY e.occurred_at DESC, e.id DESC), '[]')
    AS events
  FROM (SELECT e.source_account_id, e.id, e.kind, e.title, e.occurred_at FROM source_account s
    CROSS JOIN LATERAL (SELECT * FROM event WHERE source_account_id = s.id AND retracted_at IS NULL
      ORDER BY occurred_at DESC, id DESC LIMIT 20) e
    WHERE s.account_id = a.id ORDER BY e.occurred_at DESC, e.id DESC LIMIT 20) e
) t
"""

FILL = """
INSERT INTO account (id, name, time_zone, facts, created_at, first_seen_at)
  SELECT md5('account' || n)::uuid, 'Company ' || lpad(n::text, 6, '0'), 'UTC', '{{}}', now(), now()
  FROM generate_series(1, {accounts}) n;
INSERT INTO source_account (id, place, account_id, profile, first_seen_at)
  SELECT md5('source' || n)::uuid, 'place ' || n, md5('account' || n)::uuid, '{{}}', now()
  FROM generate_series(1, {accounts}) n;
INSERT INTO health
  (account_id, score_id, micro_points, coverage_ppm, band, segment, stage, scored_at, changed_at, digest)
  SELECT md5('account' || n)::uuid, md5('score' || n)::uuid, (n * 7919) % 100000000, 1000000,
    (ARRAY['red', 'yellow', 'green', 'purple'])[n % 4 + 1], 'smb', 'established', now(), now(), ''
  FROM generate_series(1, {accounts}) n;
INSERT INTO event (source_account_id, id, revision, kind, occurred_at, recorded_at, flow, people, title, attributes)
  SELECT md5('source' || n)::uuid, md5('event' || n || '.' || e)::uuid, 0, 'product.used',
    timestamptz '2026-01-01T00:00:00Z' + make_interval(secs => (e * 3593 + n) % 5000000), now(),
    'operational_execution', '{{}}', 'Report viewed for the ' || e || '. time', '{{"feature": "reports"}}'
  FROM generate_series(1, {accounts}) n, generate_series(1, {events} / {accounts}) e;
ANALYZE account; ANALYZE source_account; ANALYZE health; ANALYZE event;
COMMENT ON TABLE health IS E'@foreignKey (account_id) references account (id)';
COMMENT ON TABLE event IS E'@foreignKey (source_account_id) references source_account (id)';
"""
"""One source account for each account: PostGraphile has no way to merge several without a function written for it."""


def by_hand(database_url: str) -> ASGIApp:
    """The endpoint with one statement."""
    pool: list[asyncpg.Pool] = []

    async def answer(request: Request) -> Response:
        await request.body()
        return Response(await pool[0].fetchval(BY_HAND), media_type="application/json")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        settings = {"jit": "off", "random_page_cost": "1.1", "timezone": "UTC"}
        pool.append(await asyncpg.create_pool(database_url, min_size=8, max_size=8, server_settings=settings))
        yield

    return Starlette(routes=[Route("/graphql", answer, methods=["POST"])], lifespan=lifespan)


async def serve(kind: str, port: int, settings: Settings) -> None:
    """Run one of the Python servers until SIGTERM."""
    if kind == "hand":
        app = by_hand(str(settings.database_url).replace("+asyncpg", ""))
    else:
        app = create_app(settings)
        if kind == "resolvers":
            for introspection in (True, False):
                the_schema(introspection=introspection).plans = None
    settle()
    config = uvicorn.Config(app, port=port, http="httptools", log_level="warning", access_log=False)
    await uvicorn.Server(config).serve()


@asynccontextmanager
async def running(command: list[str], settings: Settings) -> AsyncIterator[tuple[int, int]]:
    """A server in a process of its own; PORT in the command is its port. Gives the port and the process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(str(port) if part == "PORT" else part for part in command),
        env=os.environ
        | {
            "HUB_DATABASE_URL": str(settings.database_url).replace("+asyncpg", ""),
            "HUB_REDIS_URL": str(settings.redis_url),
            "HUB_DATA_DIR": str(settings.data_dir),
            "NODE_ENV": "production",
            "GRAPHILE_ENV": "production",
        },
    )
    try:
        for _ in range(1200):
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.05)
        yield port, process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await process.wait()


class Client(asyncio.Protocol):
    """One keep-alive connection that sends the same request again as soon as it was answered."""

    def __init__(self, request: bytes) -> None:
        self.request, self.took, self.stopped = request, list[float](), False
        self.body = bytearray()
        self.last = b""
        self.answered = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.ask()

    def ask(self) -> None:
        self.started = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.body += data
        head, separator, rest = self.body.partition(b"\r\n\r\n")
        if not separator:
            return
        _, _, length = head.lower().partition(b"content-length:")
        if len(rest) < int(length.partition(b"\r\n")[0]):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(bytes(self.body[:500]).decode())
        self.took.append(time.perf_counter() - self.started)
        self.last = bytes(rest)
        self.body.clear()
        self.answered.set()
        if not self.stopped:
            self.ask()


async def load(port: int, seconds: float, clients: int, request: bytes) -> tuple[float, float]:
    """Keep so many clients busy for a while: requests a second, and the 99th percentile of their times, in seconds."""
    loop = asyncio.get_running_loop()
    busy = [(await loop.create_connection(lambda: Client(request), "127.0.0.1", port))[1] for _ in range(clients)]
    started = loop.time()
    await asyncio.sleep(seconds)
    elapsed = loop.time() - started
    took = sorted(one for client in busy for one in client.took)
    for client in busy:
        client.stopped = True
        client.transport.abort()
    if not took:
        return 0.0, seconds
    return len(took) / elapsed, took[min(len(took) - 1, int(len(took) * 0.99))]


async def spent(server: int, connection: asyncpg.Connection) -> tuple[float, float]:
    """The CPU seconds so far of a server, and of all connections to the database."""
    rows = await connection.fetch("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
    return cpu(server), sum(cpu(row["pid"]) for row in rows)


def cpu(pid: int) -> float:
    """The CPU seconds of a process; 0 when it has ended."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


async def once(port: int, request: bytes) -> tuple[float, bytes]:
    """One request on a new connection: how long it took, and the body."""
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(lambda: Client(request), "127.0.0.1", port)
    client.stopped = True
    await client.answered.wait()
    client.transport.abort()
    return client.took[0], client.last


def http_request(query: str, secret: str) -> bytes:
    """The request as bytes."""
    content = orjson.dumps({"query": query})
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {secret}\r\nAccept: application/json\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


async def installed(folder: Path) -> bool:
    """PostGraphile, installed into the folder; False without npm."""
    try:
        process = await asyncio.create_subprocess_exec("bash", str(POSTGRAPHILE / "setup.sh"), str(folder))
    except OSError:
        return False
    return await process.wait() == 0


@asynccontextmanager
async def prepared(accounts: int, events: int) -> AsyncIterator[tuple[Settings, str]]:
    """A database of that size, and the secret of a key."""
    with tempfile.TemporaryDirectory() as folder:
        async with fresh_settings(Path(folder)) as settings, open_kit(settings) as kit:
            async with kit.transaction() as session:
                made = await access.create_key(
                    session, SYSTEM, "bench", Role.ADMIN, expires_in=None, now=kit.clock.now()
                )
            connection = await asyncpg.connect(str(settings.database_url).replace("+asyncpg", ""))
            await connection.execute(FILL.format(accounts=accounts, events=events))
            await connection.execute("CHECKPOINT")
            await connection.close()
            yield settings, made.secret


async def new_documents(port: int, secret: str) -> float:
    """How many seconds longer the first answer to a document takes than the second: the median over some documents."""
    more = []
    for number in range(NEW_DOCUMENTS):
        request = http_request(QUERY.replace("accounts(", f"page{number}: accounts("), secret)
        first, _ = await once(port, request)
        second, _ = await once(port, request)
        more.append(first - second)
    return statistics.median(more)


async def measure(accounts: int, events: int, seconds: float, rounds: int) -> None:
    """Print the rates, each as its median over the rounds, and what they are to each other."""
    async with AsyncExitStack() as stack:
        settings, secret = await stack.enter_async_context(prepared(accounts, events))
        requests = {kind: http_request(QUERY, secret) for kind in ("compiled", "hand", "resolvers")}
        servers = {
            kind: await stack.enter_async_context(
                running([sys.executable, "-m", "tests.bench.bench_graphql", "serve", kind, "PORT"], settings)
            )
            for kind in requests
        }
        modules = Path(os.environ.get("HUB_BENCH_POSTGRAPHILE", tempfile.gettempdir() + "/hub-bench-postgraphile"))
        if await installed(modules):
            url = str(settings.database_url).replace("+asyncpg", "")
            command = [str(modules / "node_modules/.bin/node"), str(modules / "server.mjs"), "PORT", url]
            servers["postgraphile"] = await stack.enter_async_context(running(command, settings))
            requests["postgraphile"] = http_request(POSTGRAPHILE_QUERY, secret)
        ports = {kind: port for kind, (port, _) in servers.items()}
        answers = {kind: (await once(ports[kind], requests[kind]))[1] for kind in requests}
        check(answers)
        rates: dict[tuple[str, int], list[tuple[float, float]]] = {}
        for kind in requests:
            await load(ports[kind], 1.0, 8, requests[kind])
        database = await asyncpg.connect(str(settings.database_url).replace("+asyncpg", ""))
        costs: dict[str, list[tuple[float, float]]] = {}
        for number in range(rounds):
            for clients in CONNECTIONS:
                for kind in requests:
                    before = await spent(servers[kind][1], database)
                    found = await load(ports[kind], seconds, clients, requests[kind])
                    after = await spent(servers[kind][1], database)
                    rates.setdefault((kind, clients), []).append(found)
                    if answered := found[0] * seconds:
                        cost = ((after[0] - before[0]) / answered, (after[1] - before[1]) / answered)
                        costs.setdefault(kind, []).append(cost)
            print(f"round {number + 1} of {rounds}", flush=True)
        await database.close()
        for kind, found in costs.items():
            own, other = (statistics.median(one[part] for one in found) * 1000 for part in (0, 1))
            print(f"CPU of a request: {kind} {own:.1f} ms, its database connections {other:.1f} ms")
        tell(rates, list(requests))
        longer = await new_documents(ports["compiled"], secret)
        print(f"first answer to a new document: {longer * 1000:.1f} ms more than the second (goal 20)")


def check(answers: dict[str, bytes]) -> None:
    """The ways answer the same; PostGraphile as many objects."""
    read = {kind: orjson.loads(body) for kind, body in answers.items()}
    for one in read.values():
        one.pop("extensions", None)
    if not read["compiled"] == read["hand"] == read["resolvers"]:
        raise RuntimeError("the answers differ")
    if "postgraphile" in read:
        if "data" not in read["postgraphile"]:
            raise RuntimeError(answers["postgraphile"].decode())
        nodes = read["postgraphile"]["data"]["allAccounts"]["nodes"]
        counts = [
            len(one["sourceAccountsByAccountId"]["nodes"][0]["eventsBySourceAccountId"]["nodes"]) for one in nodes
        ]
        if counts != [len(one["timeline"]["nodes"]) for one in read["compiled"]["data"]["accounts"]["nodes"]]:
            raise RuntimeError("PostGraphile answers something else")
    print(", ".join(f"{kind} {len(body):,} bytes" for kind, body in answers.items()))


def tell(rates: dict[tuple[str, int], list[tuple[float, float]]], kinds: list[str]) -> None:
    """The table, and the ratios with their goals."""
    goals = {"hand": 0.75, "postgraphile": 2.0, "resolvers": 8.0}
    for clients in CONNECTIONS:
        shown = {kind: statistics.median(rate for rate, _ in rates[kind, clients]) for kind in kinds}
        slowest = {kind: statistics.median(p99 for _, p99 in rates[kind, clients]) for kind in kinds}
        line = ", ".join(f"{kind} {shown[kind]:.1f}/s (p99 {slowest[kind] * 1000:.0f} ms)" for kind in kinds)
        print(f"{clients} connections: {line}")
        ratios: dict[str, Any] = {
            kind: statistics.median(
                ours / theirs if theirs else float("inf")
                for (ours, _), (theirs, _) in zip(rates["compiled", clients], rates[kind, clients], strict=True)
            )
            for kind in kinds
            if kind != "compiled"
        }
        print("  compiled against " + ", ".join(f"{kind} {ratios[kind]:.2f} (goal {goals[kind]})" for kind in ratios))


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        uvloop.run(serve(sys.argv[2], int(sys.argv[3]), Settings(_env_file=None)))
    else:
        numbers = sys.argv[1:] + ["10000", "1000000", "3", "3"][len(sys.argv) - 1 :]
        uvloop.run(measure(int(numbers[0]), int(numbers[1]), float(numbers[2]), int(numbers[3])))

"""The server: the API, the intake for vendors, and the probes, put together.

Everything that waits for a person or a vendor is here; work is done by the worker. Several of these may run side by
side: nothing is kept in a process but what is cheap to lose.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

import structlog
from graphql import GraphQLError
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Gauge, generate_latest
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.access.service import Role
from hub.connections.webhooks import Intake
from hub.graphql import explorer, trusted
from hub.graphql.budget import Budget
from hub.graphql.context import AT_ONCE, Gate
from hub.graphql.credentials import KeyRing, bearer_key
from hub.graphql.http import Endpoint
from hub.graphql.schema import the_schema
from hub.graphql.websocket import SocketEndpoint
from hub.kit import work
from hub.kit.ids import new_id
from hub.kit.runtime import Kit, open_kit
from hub.kit.settings import Settings
from hub.migrations import runner

log = structlog.get_logger()

PROBE_SECONDS = 3.0
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,100}")
FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-real-ip")
BROWSERS_MAY_SEND = ["authorization", "content-type", "last-event-id", "x-hub-cost", "x-request-id"]

waiting = Gauge("hub_work_items", "Entries of the work lists, due or not.", ["list"])


def create_app(settings: Settings) -> Starlette:
    """The server for these settings. Its lifespan opens the database and the broker, and closes them.

    The settings carry both URLs (the embedded servers' or others), and the database is migrated.
    """
    late = Late()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_kit(settings) as kit, kit.broadcast.listening():
            late.open(kit)
            app.state.kit = kit
            log.info("server.started")
            try:
                yield
            finally:
                await late.close()
                log.info("server.stopped")

    return Hub(
        late.intake,
        routes=[
            Route("/", _home),
            Route("/graphql/{asset:str}", late.asset),
            Route("/graphql", late.graphql),
            WebSocketRoute("/graphql", late.socket),
            Mount("/in", late.intake),
            Route("/healthz", _alive),
            Route("/readyz", late.ready),
            Route("/metrics", late.metrics),
        ],
        middleware=[
            Middleware(NameRequests),
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "POST"],
                allow_headers=BROWSERS_MAY_SEND,
                expose_headers=["retry-after", "x-request-id"],
                max_age=600,
            ),
        ],
        lifespan=lifespan,
    )


class Hub(Starlette):
    """Takes vendors' requests past all middleware and routing: the intake has its own answers to everything.

    Browsers (they send an `Origin`) go the long way, where CORS is.
    """

    def __init__(
        self, intake: ASGIApp, *, routes: list[BaseRoute], middleware: list[Middleware], lifespan: Any
    ) -> None:
        super().__init__(routes=routes, middleware=middleware, lifespan=lifespan)
        self._intake = intake

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        straight = (
            scope["type"] == "http"
            and scope["path"].startswith("/in/")
            and not any(name == b"origin" for name, _ in scope["headers"])
        )
        await (self._intake if straight else super().__call__)(scope, receive, send)


class Late:
    """What the routes lead to: there once the lifespan has opened the kit."""

    def open(self, kit: Kit) -> None:
        """Begin to serve."""
        schema = the_schema(introspection=kit.settings.introspection)
        self._kit = kit
        self._ring = KeyRing(kit)
        turns, gate = asyncio.Semaphore(AT_ONCE), _gate(kit)
        self._endpoint = Endpoint(kit, schema, self._ring, turns, gate)
        self._socket = SocketEndpoint(kit, schema, self._ring, turns, gate)
        self._intake = Intake(kit)

    async def close(self) -> None:
        """Finish what was taken in."""
        await self._intake.close()
        await self._ring.close()

    @property
    def graphql(self) -> ASGIApp:
        """`/graphql` over HTTP."""
        return Application(lambda: self._endpoint)

    @property
    def socket(self) -> ASGIApp:
        """`/graphql` over WebSockets."""
        return Application(lambda: self._socket)

    @property
    def intake(self) -> ASGIApp:
        """`/in/…`: webhooks and the connectors' own end users."""
        return Application(lambda: self._intake)

    @property
    def asset(self) -> ASGIApp:
        """The explorer's own files."""
        return Application(lambda: _Assets(self._kit.settings.graphiql))

    async def ready(self, request: Request) -> Response:
        """Whether requests can be answered: the database, its tables, and the broker."""
        found = dict(await asyncio.gather(*(_probe(name, probe) for name, probe in self._probes().items())))
        is_ready = all(problem is None for problem in found.values())
        return JSONResponse({"ready": is_ready, "problems": found}, status_code=200 if is_ready else 503)

    async def metrics(self, request: Request) -> Response:
        """Figures for Prometheus, for this machine or an admin's key."""
        if not is_local(request.scope) and not await self._is_admin(request):
            return JSONResponse(
                {"error": {"code": "FORBIDDEN", "message": "Ask from this machine, or with the key of an admin."}},
                status_code=403,
            )
        async with self._kit.reading() as session:
            depth = await work.depth(session)
        waiting.clear()
        for name, count in depth.items():
            waiting.labels(name).set(count)
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    async def _is_admin(self, request: Request) -> bool:
        try:
            viewer = await bearer_key(self._ring, request.headers.get("authorization")).viewer()
        except GraphQLError:
            return False
        return viewer.role is Role.ADMIN

    def _probes(self) -> dict[str, Callable[[], Awaitable[str | None]]]:
        return {"database": self._database, "broker": self._broker, "migrations": self._migrations}

    async def _database(self) -> str | None:
        async with self._kit.reading() as session:
            await session.execute(text("SELECT 1"))
        return None

    async def _broker(self) -> str | None:
        await self._kit.queue.redis.ping()
        return None

    async def _migrations(self) -> str | None:
        found, wanted = await runner.current(self._kit.database.engine), newest_revision()
        return None if found == wanted else f"at revision {found or 'none'}, not {wanted}: run hub db upgrade"


def _gate(kit: Kit) -> Gate:
    """What stands before each operation, as the settings have it. Raises `SettingsInvalid`."""
    settings = kit.settings
    budget = Budget(kit.queue.redis, settings.points_per_second) if settings.points_per_second else None
    return Gate(trusted.load(settings.trusted_documents, settings.ad_hoc_queries), budget)


class Application:
    """An ASGI application that is looked up when the first request comes."""

    def __init__(self, find: Callable[[], ASGIApp]) -> None:
        self._find = find

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._find()(scope, receive, send)


class _Assets:
    def __init__(self, served: bool) -> None:
        self._served = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path_params"]["asset"]
        if not self._served or not await explorer.asset(send, name):
            await JSONResponse({"error": {"code": "NOT_FOUND"}}, status_code=404)(scope, receive, send)


class NameRequests:
    """Middleware: gives each request an id, takes over a sensible one, and puts it into logs and the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        request_id = given if REQUEST_ID.fullmatch(given) else new_id().hex.encode()
        scope["request_id"] = request_id.decode()

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id)]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=scope["request_id"]):
            await self._app(scope, receive, named)


def is_local(scope: Scope) -> bool:
    """Whether the request comes from this machine, and not through a proxy on it."""
    client = scope.get("client")
    if client is None or any(name in FORWARDED for name, _ in scope["headers"]):
        return False
    try:
        return ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=1)
def newest_revision() -> str:
    """The revision of the tables that this code expects; read once, from its files."""
    return runner.head()


async def _probe(name: str, probe: Callable[[], Awaitable[str | None]]) -> tuple[str, str | None]:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return name, await probe()
    except (SQLAlchemyError, RedisError, OSError, TimeoutError) as error:
        # The text of an error may name hosts and users; the log has it.
        log.warning("server.not_ready", probe=name, error=str(error).partition("\n")[0])
        return name, "does not answer"


async def _home(request: Request) -> Response:
    return RedirectResponse("/graphql")


async def _alive(request: Request) -> Response:
    return JSONResponse({"alive": True})

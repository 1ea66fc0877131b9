"""Clients of the API: in process for what is answered at once, over a socket for what streams."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
import uvicorn
from sqlalchemy import event
from starlette.applications import Starlette
from starlette.types import ASGIApp

from hub.access.service import Role
from hub.asgi import create_app
from hub.kit.runtime import Kit
from hub.kit.settings import Settings
from tests.conftest import Servers, fresh
from tests.graphql.world import Keys, make_keys, populate


@dataclass
class Client:
    """Asks the API in the name of a role."""

    http: httpx.AsyncClient
    keys: Keys
    kit: Kit
    app: Starlette

    def headers(self, role: Role) -> dict[str, str]:
        return {"authorization": f"Bearer {self.keys[role]}"}

    async def answer(
        self, query: str, variables: dict[str, Any] | None = None, *, role: Role = Role.CSM, **headers: str
    ) -> dict[str, Any]:
        """The whole answer."""
        response = await self.http.post(
            "/graphql", json={"query": query, "variables": variables}, headers={**self.headers(role), **headers}
        )
        found: dict[str, Any] = response.json()
        return found

    async def data(self, query: str, variables: dict[str, Any] | None = None, *, role: Role = Role.CSM) -> Any:
        """The data of an answer that must have no errors."""
        found = await self.answer(query, variables, role=role)
        assert "errors" not in found, found["errors"]
        return found["data"]

    async def code(self, query: str, variables: dict[str, Any] | None = None, *, role: Role = Role.CSM) -> str:
        """The code of the first error of an answer."""
        found = await self.answer(query, variables, role=role)
        code: str = found["errors"][0]["extensions"]["code"]
        return code


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Client]:
    """The server, open, with a client in its process."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://hub.test") as http:
            yield Client(http, await make_keys(app.state.kit), app.state.kit, app)


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[Client]:
    """A client of a server on an empty database."""
    async with opened(settings) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reader(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A client of a server on a world of ten accounts that the module's tests only read."""
    folder = tmp_path_factory.mktemp("reader")
    async with fresh(servers, folder) as settings, opened(settings) as found:
        await populate(found.kit, 10)
        yield found


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """The server behind a socket; gives its `host:port`."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1, ws="websockets-sansio")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield "{}:{}".format(*listener.getsockname())
    finally:
        server.should_exit = True
        await running


@contextmanager
def counted(kit: Kit) -> Iterator[list[str]]:
    """The SQL statements that are executed while the block runs."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    engine = kit.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)

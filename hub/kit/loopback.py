"""Loopback: serves a double's ASGI application on a port of this machine, inside the running event loop.

Real sockets rather than an in-process transport: a cut connection, a withheld answer and a vendor's own SDK
can only be had over one. The program around keeps its signal handlers, because Ctrl-C is its business.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_log: Final = logging.getLogger("hub.kit.loopback")
# A cut answer is what was asked for, so uvicorn's complaint about it is no news.
_log.addFilter(lambda record: "without completing response" not in record.getMessage())

HOST: Final = "127.0.0.1"
_PATIENCE: Final = 5.0


@asynccontextmanager
async def serve(app: ASGIApp, port: int = 0, *, dated: bool = True) -> AsyncIterator[str]:
    """Serves the application until the block is left; yields its base URL. Port 0 takes a free one.

    `dated`: answers carry this machine's `Date`; otherwise the application gives its own.

    Raises OSError if the port is taken.
    """
    # asyncio switches Nagle's algorithm off only where the protocol is named: 40 ms an answer.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        config = uvicorn.Config(
            app,
            http=_Protocol,
            lifespan="off",
            access_log=False,
            log_config=None,
            date_header=dated,
            timeout_keep_alive=60,  # a client that waits some seconds between two requests finds its connection open
            timeout_graceful_shutdown=5,
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await server.ready.wait()
            yield f"http://{HOST}:{listener.getsockname()[1]}"
        finally:
            server.leaving.set()
            await serving


class _Server(uvicorn.Server):
    """uvicorn, which otherwise looks only every tenth of a second whether it shall end, and then pauses."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.leaving = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.ready.set()

    async def main_loop(self) -> None:
        await self.leaving.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self.server_state.tasks:
            _, unfinished = await asyncio.wait(self.server_state.tasks, timeout=_PATIENCE)
            for task in unfinished:
                task.cancel()
        for server in self.servers:
            await server.wait_closed()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Protocol(HttpToolsProtocol):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _log

"""`hub up`, `hub serve`, `hub worker`: the hub's processes.

Each loads only what it runs: the worker no GraphQL, the server no worker, and `hub up`, which starts both, neither.
"""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import socket
from typing import Annotated

import typer
import uvloop

from hub.access import service as access
from hub.cli.children import children, follow_parent
from hub.cli.console import say
from hub.cli.session import migrated, prepare, servers, with_urls
from hub.kit.embedded import EmbeddedServers
from hub.kit.errors import HubError, SettingsInvalid
from hub.kit.log import configure_logging
from hub.kit.memory import settle
from hub.kit.runtime import Kit, open_kit
from hub.kit.settings import Settings, load_settings

Host = Annotated[str | None, typer.Option(help="Address to bind to. Default: HUB_HOST, or loopback.")]
Port = Annotated[int | None, typer.Option(help="Port to bind to; 0 picks a free one. Default: HUB_PORT, or 8000.")]


SHUTDOWN_SECONDS = 3
"""How long open requests may take to end: event streams never would."""


def serve(host: Host = None, port: Port = None) -> None:
    """Serve the GraphQL API and the webhook intake."""
    with servers() as settings:
        uvloop.run(_serve(_bound(settings, host, port)))


def worker() -> None:
    """Work on what is due: deliveries, records, scores, plays. Run as many as you like."""
    from hub.worker import run_worker

    async def work(settings: Settings) -> None:
        async with migrated(settings):
            pass
        follow_parent()
        settle()
        await run_worker(settings)

    with servers() as settings:
        asyncio.run(work(settings))


def up(host: Host = None, port: Port = None) -> None:
    """Run the whole hub here: the embedded servers (where none are configured), the API and a worker.

    The data stays in HUB_DATA_DIR. Ctrl-C stops everything.
    """
    settings = _bound(load_settings(), host, port)
    configure_logging(settings.log_level, settings.log_format)
    if not settings.embedded:
        asyncio.run(_up(settings))
        return
    with EmbeddedServers(settings.data_dir).running() as urls:
        asyncio.run(_up(with_urls(settings, urls)))


async def _up(settings: Settings) -> None:
    stop = stop_requested()
    async with open_kit(settings) as kit:
        await prepare(kit)
        await _refuse_open_doors(kit)
        async with kit.reading() as session:
            has_keys = bool(await access.keys(session))
    say(f"The hub keeps its data in {settings.data_dir}.")
    if not has_keys:
        say("Make a key for yourself in another terminal: hub token create me --role admin")
    arguments = ("--host", settings.host, "--port", str(settings.port))
    async with children(settings, ("serve", *arguments), ("worker",)):
        await stop.wait()
        say("Stopping.")


async def _serve(settings: Settings) -> None:
    import uvicorn

    from hub.asgi import create_app

    async with migrated(settings) as kit:
        await _refuse_open_doors(kit)
    listener = _listen(settings)
    url = address(listener)
    follow_parent()
    config = uvicorn.Config(
        create_app(settings),
        log_config=None,
        access_log=False,
        http="httptools",
        ws_max_size=1_000_000,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    server = uvicorn.Server(config)
    settle()
    say(f"Serving GraphQL at {url}/graphql (Ctrl-C stops).")
    await server.serve(sockets=[listener])


async def _refuse_open_doors(kit: Kit) -> None:
    """Without any key, nobody but this machine may come in. Raises `SettingsInvalid`."""
    if is_loopback(kit.settings.host):
        return
    async with kit.reading() as session:
        if not any(key.revoked_at is None for key in await access.keys(session)):
            raise SettingsInvalid(
                f"There is no API key yet, so the hub binds to loopback only, not to {kit.settings.host}.",
                remedy="Make one first: hub token create NAME --role admin",
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bound(settings: Settings, host: str | None, port: int | None) -> Settings:
    return settings.model_copy(update={"host": host or settings.host, "port": settings.port if port is None else port})


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Named as TCP so that asyncio turns Nagle's algorithm off, which costs 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise HubError(
            f"Cannot bind to {settings.host}:{settings.port}: {error.strerror}.",
            remedy="Choose another port: --port 0 picks a free one.",
        ) from error
    listener.listen(2048)
    return listener


def address(listener: socket.socket) -> str:
    """The URL that a listening socket is reached at."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def stop_requested() -> asyncio.Event:
    """An event that SIGINT, SIGTERM and a closed terminal set, for the rest of this event loop's life."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    return stop

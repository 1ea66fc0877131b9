"""`hub demo`: the whole hub on this machine, with an invented world around it.

The embedded servers, local vendor doubles, the plugins connected to them, two years of traffic in the vendors' own wire
formats, and then life as it goes on. Started again, it goes on with the same data.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.children import children
from hub.cli.console import AsJson, print_json, say
from hub.cli.demo.setting import Stage, first_steps
from hub.cli.demo.syncing import bring_history
from hub.cli.demo.view import Screen, overview, watch
from hub.cli.serving import stop_requested
from hub.cli.session import prepare, with_urls
from hub.kit.embedded import EmbeddedServers
from hub.kit.log import configure_logging
from hub.kit.runtime import open_kit
from hub.kit.settings import Settings, load_settings

Reset = Annotated[bool, typer.Option("--reset", help="Forget the demo's data and start over.")]
Headless = Annotated[bool, typer.Option("--headless", help="Exit with a summary once everything is in and scored.")]
Port = Annotated[int, typer.Option(help="Port of the API; 0 picks a free one.")]
Accounts = Annotated[int, typer.Option(min=9, max=200, help="How many accounts are invented, the first time.")]


def demo(
    reset: Reset = False,
    headless: Headless = False,
    port: Port = 8000,
    accounts: Accounts = 60,
    as_json: AsJson = False,
) -> None:
    """Run the hub with an invented world around it: nothing to install, nothing leaves this machine.

    About 60 accounts with two years of history come in from local doubles of six vendors, are scored, alerted
    about and played upon, and can be asked over GraphQL. Ctrl-C stops everything; the data stays for the next time.
    """
    settings = load_settings()
    configure_logging("warning", settings.log_format)
    # The demo is a world of its own: configured servers, which may be somebody's real hub, are not touched.
    folder = settings.data_dir / "demo"
    own = settings.model_copy(
        update={
            "data_dir": folder,
            "database_url": None,
            "redis_url": None,
            "secret_key": None,
            "host": "127.0.0.1",
            "port": port,
            "blueprint": None,
        }
    )
    servers = EmbeddedServers(folder)
    if reset:
        servers.erase()
        Stage(folder, accounts).forget()
    if not as_json:
        say("Starting PostgreSQL and Valkey …")
    with servers.running() as urls, suppress(KeyboardInterrupt):
        asyncio.run(_play(with_urls(own, urls), accounts, headless=headless or as_json, as_json=as_json))
    if not as_json:
        say(
            f"Stopped. The demo's data is kept in {folder}; `hub demo` goes on with it, `hub demo --reset` starts over."
        )


async def _play(settings: Settings, accounts: int, *, headless: bool, as_json: bool) -> None:
    stop = stop_requested()
    stage = Stage(settings.data_dir, accounts)
    async with open_kit(settings) as kit:
        await prepare(kit)
        key = await stage.key(kit)
    async with stage.sandbox().running() as sandbox, open_kit(settings) as kit:
        await first_steps(kit, sandbox)
        port = stage.free_port(settings.port)
        logs = _folder(settings.data_dir / "logs")
        commands = (("serve", "--port", str(port)), ("worker",))
        async with children(settings, *commands, logs=logs):
            screen = Screen(f"http://127.0.0.1:{port}", key, logs, quiet=as_json)
            work = asyncio.create_task(bring_history(kit, stage, sandbox, screen))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                work.cancel()
                with suppress(asyncio.CancelledError):
                    await work
                return
            took = await work
            if headless:
                summary = {"seconds": round(took, 1), **await overview(screen)}
                print_json(summary) if as_json else screen.summary(summary)
                return
            await watch(kit, sandbox, screen, stop)


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path

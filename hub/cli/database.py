"""`hub db`: the database's schema."""

from __future__ import annotations

import asyncio

import typer

from hub.cli.console import AsJson, print_json, say
from hub.cli.session import prepare, servers
from hub.kit.runtime import open_kit
from hub.kit.settings import Settings
from hub.migrations.runner import head

app = typer.Typer(no_args_is_help=True, help="The database's schema.")


@app.callback()
def database() -> None:
    """The database's schema."""


@app.command()
def upgrade(as_json: AsJson = False) -> None:
    """Bring the tables up to this version of the hub, and put the blueprint into force.

    Safe to repeat, and to run from several machines at once.
    """

    async def migrate(settings: Settings) -> str:
        async with open_kit(settings) as kit:
            return await prepare(kit)

    with servers() as settings:
        before, after = asyncio.run(migrate(settings)), head()
    if as_json:
        print_json({"before": before or None, "revision": after})
    else:
        say(f"The database is at revision {after}." if before != after else f"Nothing to do: revision {after}.")

"""`hub quarantine`: what could not be read."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from hub.access.service import SYSTEM
from hub.cli.console import AsJson, print_json, print_table, say
from hub.cli.session import run
from hub.connections import queries
from hub.connections import service as connections
from hub.kit.paging import Page
from hub.kit.runtime import Kit

app = typer.Typer(no_args_is_help=True, help="What could not be read, and reading it again.")

Connection = Annotated[str | None, typer.Argument(help="The connection's name. Default: all of them.")]
MOST_SHOWN = 100


@app.command("list")
def list_quarantine(connection: Connection = None, as_json: AsJson = False) -> None:
    """Show the latest of what could not be read, with the reason. The content is kept and not shown: it is personal."""

    async def command(kit: Kit) -> list[dict[str, Any]]:
        async with kit.reading() as session:
            chosen = (await connections.find(session, connection)).id if connection else None
            found = await queries.quarantine(
                session, SYSTEM, Page(MOST_SHOWN), queries.QuarantineFilter(connection_id=chosen)
            )
        return [
            {
                "id": entry.id,
                "stage": entry.stage,
                "stream": entry.stream,
                "record": entry.record_id,
                "attempts": entry.attempts,
                "last_seen_at": entry.last_seen_at,
                "reason": entry.reason,
            }
            for entry in found.rows
        ]

    rows = run(command)
    if as_json:
        print_json(rows)
    else:
        columns = ["stage", "stream", "record", "attempts", "last_seen_at", "reason"]
        print_table("Quarantine", columns, rows, empty="Everything could be read.")


@app.command()
def replay(connection: Connection = None, as_json: AsJson = False) -> None:
    """Read it again, after the connector or the vendor was mended; what still cannot be read stays."""

    async def command(kit: Kit) -> connections.Replayed:
        async with kit.transaction() as session:
            chosen = (await connections.find(session, connection)).id if connection else None
            return await connections.replay_quarantine(session, chosen, now=kit.clock.now())

    found = run(command)
    if as_json:
        print_json(asdict(found))
    else:
        say(f"{found.resolved} read again or on their way, {found.unreadable} still unreadable.")

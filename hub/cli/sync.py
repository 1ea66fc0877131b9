"""`hub sync`: read from vendors now, with progress."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.progress import Progress

from hub.cli.console import AsJson, print_json, say
from hub.cli.progress import bar, carry_through
from hub.cli.session import run
from hub.connections import registry
from hub.connections import service as connections
from hub.kit.errors import NotFound
from hub.kit.runtime import Kit


def sync(
    connection: Annotated[str | None, typer.Argument(help="The connection's name. Default: all of them.")] = None,
    backfill: Annotated[bool, typer.Option("--backfill", help="Read the whole history, from the beginning.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read what is new (or everything) from vendors, and carry it through to the scores.

    Can be interrupted: every page is kept with its cursor, and the next sync goes on behind it.
    """

    async def command(kit: Kit) -> list[dict[str, Any]]:
        async with kit.reading() as session:
            found = [one for one in await connections.listing(session) if connection in (None, one.name)]
        if connection and not found:
            raise NotFound(f"There is no connection {connection!r}.", remedy="List them: hub connect list")
        with bar(as_json) as progress:
            results = [
                {"connection": one.name, "stream": stream, "records": await _read(kit, progress, one, stream, backfill)}
                for one in found
                for stream in _streams(one.connector)
            ]
            await carry_through(kit, progress)
        return results

    rows = run(command)
    if as_json:
        print_json(rows)
    else:
        names = {row["connection"] for row in rows}
        say(f"{sum(row['records'] for row in rows)} records read from {len(names)} connections.")


def _streams(connector: str) -> list[str]:
    declared = registry.current().connector(connector).streams
    return [name for name, stream in declared.items() if stream.interval is not None]


async def _read(kit: Kit, progress: Progress, connection: connections.Installed, stream: str, backfill: bool) -> int:
    name = f"{connection.name}: {stream}"
    task = progress.add_task(name, total=None)

    def note(page: connections.Progress) -> None:
        what = f"{name} (history)" if page.backfill else name
        told = [f"{page.earlier:,} before"] if page.earlier else []
        progress.update(task, description=what, completed=page.records, note=" · ".join([*told, _place(page.cursor)]))

    outcome = await connections.sync_stream(kit, connection.id, stream, backfill=backfill, progress=note)
    progress.update(
        task, total=outcome.records, completed=outcome.records, ended=True, note=outcome.problem or outcome.ended
    )
    progress.stop_task(task)
    return outcome.records


def _place(cursor: dict[str, Any] | None) -> str:
    """Where an interrupted run would go on. How much is left, a vendor does not say, so no line claims it."""
    return " ".join(f"{name}={value}" for name, value in (cursor or {}).items() if value is not None)

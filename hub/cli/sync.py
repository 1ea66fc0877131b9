"""`hub sync`: read from vendors now, with progress."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from hub.accounts.service import TO_SCORE
from hub.cli.console import AsJson, err, print_json, say
from hub.cli.session import run
from hub.connections import registry
from hub.connections import service as connections
from hub.kit import work
from hub.kit.errors import NotFound
from hub.kit.runtime import Kit
from hub.worker import drain_all


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
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=err, disable=as_json) as progress:
            results = [
                {"connection": one.name, "stream": stream, "records": await _read(kit, progress, one, stream, backfill)}
                for one in found
                for stream in _streams(one.connector)
            ]
            task = progress.add_task("recording and scoring", total=None, note="")
            handled = await drain_all(kit)
            async with kit.transaction() as session:
                await work.stop_settling(session, TO_SCORE, now=kit.clock.now())
            handled = Counter(handled) + Counter(await drain_all(kit))
            progress.update(
                task, note=f"{handled.get('raw_records', 0)} records, {handled.get('accounts_to_score', 0)} accounts"
            )
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
    task = progress.add_task(f"{connection.name}: {stream}", total=None, note="")

    def note(page: connections.Progress) -> None:
        progress.update(task, note=f"{page.records} records")

    outcome = await connections.sync_stream(kit, connection.id, stream, backfill=backfill, progress=note)
    progress.update(task, note=f"{outcome.records} records, {outcome.problem or outcome.ended}")
    progress.stop_task(task)
    return outcome.records

"""`hub replay`: history read anew from raw records, after a connector's mapping was mended."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

import typer

from hub.cli.console import AsJson, print_json, say
from hub.cli.progress import bar, carry_through
from hub.cli.session import run
from hub.connections import service as connections
from hub.kit.runtime import Kit
from hub.timeline import service as timeline

WORDS = {"reading": "records read", "correcting": "source accounts corrected"}


def replay(
    connection: Annotated[str, typer.Argument(help="The connection's name.")],
    stream: Annotated[str | None, typer.Option(help="Correct what came from this stream alone.")] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew instead of going on with the last one.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read a connection's records anew, also those in quarantine, and correct the timeline.

    For after an update of its plugin (on all workers). Nothing is doubled: events that are no longer told are
    retracted, and what is told otherwise becomes their next revision. Can be interrupted: the next one goes on.
    """

    async def command(kit: Kit) -> dict[str, Any]:
        async with kit.reading() as session:
            found = (await connections.find(session, connection)).id
        with bar(as_json) as progress:
            task = progress.add_task("quarantine", total=None)
            resolved, unreadable = await _quarantine(kit, found)
            progress.update(task, total=resolved + unreadable, completed=resolved + unreadable)

            tasks = {phase: progress.add_task(words, total=None, start=False) for phase, words in WORDS.items()}

            def show(now: timeline.ReplayProgress) -> None:
                progress.start_task(tasks[now.phase])
                progress.update(tasks[now.phase], completed=now.done, total=now.total)

            done = await timeline.replay(kit, found, stream=stream, restart=restart, progress=show)
            await carry_through(kit, progress)
        return {**asdict(done), "quarantine_read": resolved, "quarantine_unreadable": unreadable}

    done = run(command)
    if as_json:
        print_json(done)
        return
    say(
        f"{done['read']:,} records read, {done['retracted']:,} events retracted, {done['added']:,} added; "
        f"{done['refused'] + done['quarantine_unreadable']:,} cannot be read."
    )
    if done["refused"] or done["quarantine_unreadable"]:
        say(f"See why: hub quarantine list {connection}")


async def _quarantine(kit: Kit, connection_id: UUID) -> tuple[int, int]:
    """Deliveries and records that could not be read, read again page by page."""
    began = kit.clock.now()
    resolved = unreadable = 0
    while True:
        async with kit.transaction() as session:
            page = await connections.replay_quarantine(session, connection_id, untried_since=began, now=kit.clock.now())
        if not page.resolved + page.unreadable:
            return resolved, unreadable
        resolved, unreadable = resolved + page.resolved, unreadable + page.unreadable

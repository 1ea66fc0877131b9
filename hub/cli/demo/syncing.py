"""Bringing the world's history in, with progress: Segment sends it, the others are read, the worker does the rest."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from sqlalchemy import Row, text

from hub.cli.console import out
from hub.cli.demo.setting import Stage
from hub.cli.demo.view import Screen
from hub.kit.errors import HubError
from hub.kit.runtime import Kit
from hub.sandbox import Progress as Sent
from hub.sandbox import Sandbox

START_SECONDS = 60.0
BATCH = 500

LEFT = """
SELECT (SELECT count(*) FROM webhook_delivery WHERE processed_at IS NULL AND problem IS NULL) AS deliveries,
       (SELECT count(*) FROM raw_pending) AS records,
       (SELECT count(*) FROM work_item WHERE list = 'streams_to_sync' AND due_at <= now()) AS streams,
       (SELECT count(*) FROM work_item
        WHERE list = 'accounts_to_score' AND (due_at <= now() OR settling_since IS NOT NULL)) AS to_score,
       (SELECT count(*) FROM work_item WHERE list NOT IN ('streams_to_sync', 'accounts_to_score') AND due_at <= now())
         + (SELECT count(*) FROM outbox WHERE position IS NULL) AS others,
       (SELECT count(*) FROM event WHERE connection_id IS NOT NULL) AS events,
       (SELECT count(*) FROM health) AS scored,
       (SELECT coalesce(sum(records), 0) FROM checkpoint) AS read
"""


async def bring_history(kit: Kit, stage: Stage, sandbox: Sandbox, screen: Screen) -> float:
    """Send and sync everything that is not in yet, and wait until it is scored. Returns the seconds that it took."""
    began = time.perf_counter()
    await _server_ready(screen)
    history = list(sandbox.history())
    sender = sandbox.segment(f"{screen.url}/in/segment", upload_size=BATCH, gzip=True)
    with _progress(screen) as progress:
        sending = progress.add_task("Segment sends usage", total=len(history), figures="")
        told = Told(progress)

        def note(sent: Sent) -> None:
            stage.remember(sent=sent.sent)
            progress.update(sending, completed=sent.sent, figures=f"{sent.sent:,} of {len(history):,} messages")

        before = stage.world()["sent"]
        progress.update(sending, completed=before)
        watching = asyncio.create_task(_until_quiet(kit, told, expected=len(history)))
        try:
            await sender.send(history, after=before, progress=note)
            progress.update(sending, completed=len(history), figures=f"{len(history):,} messages")
            await watching
        finally:
            watching.cancel()
    sandbox.stripe_webhook(f"{screen.url}/in/stripe/webhook")
    return time.perf_counter() - began


def _progress(screen: Screen) -> Progress:
    return Progress(
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=12),
        TextColumn("{task.fields[figures]}", style="dim"),
        TimeElapsedColumn(),
        console=out,
        disable=screen.quiet,
    )


class Told:
    """What the worker has done so far, as two lines of the progress: nobody knows beforehand how much it will be."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._reading = progress.add_task("The others are read", total=None, figures="")
        self._recording = progress.add_task("Recorded and scored", total=None, figures="")

    def update(self, left: Row[Any]) -> None:
        """Show the figures of `LEFT`."""
        self._progress.update(self._reading, figures=f"{left.read:,} records")
        figures = f"{left.events:,} events, {left.scored:,} accounts"
        self._progress.update(self._recording, figures=figures)
        if left.read and not left.streams:
            self._progress.update(self._reading, total=1, completed=1)

    def done(self) -> None:
        """Everything is in."""
        for task in (self._reading, self._recording):
            self._progress.update(task, total=1, completed=1)


async def _server_ready(screen: Screen) -> None:
    """Wait until the server answers. Raises `HubError` when it does not within a minute."""
    async with httpx.AsyncClient(trust_env=False) as client:
        until = time.perf_counter() + START_SECONDS
        while time.perf_counter() < until:
            try:
                if (await client.get(f"{screen.url}/readyz")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
    raise HubError("The server did not start.", remedy=f"See {screen.logs / 'serve.log'}.")


async def _until_quiet(kit: Kit, told: Told, *, expected: int) -> None:
    """Show what the worker has done, until nothing is left to do and nothing more comes."""
    quiet = 0
    while quiet < 3:
        async with kit.reading() as session:
            left = (await session.execute(text(LEFT))).one()
        waiting = left.deliveries + left.records + left.streams + left.to_score + left.others
        complete = left.events >= expected and not waiting
        quiet = quiet + 1 if complete else 0
        told.update(left)
        await asyncio.sleep(0.2)
    told.done()

"""`hub plugin dev`: a plugin watched while it is written. Each save loads it anew, and shows what fixtures become."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.console import AsJson, cell, out, print_json
from hub.cli.plugin.manifest import Folder

if TYPE_CHECKING:
    from hub.sdk.testing import Plugin

STOP_SECONDS = 20.0


def dev(
    path: Folder,
    once: Annotated[bool, typer.Option("--once", help="Show it once, and do not watch.")] = False,
    with_hub: Annotated[
        bool, typer.Option("--hub", help="Also run `hub up` with the plugin, anew after each save.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the events that a plugin's fixtures become, anew after each save, until Ctrl-C."""
    if once:
        found = shown(path)
        print_json(found) if as_json else _print(found)
        return
    with suppress(KeyboardInterrupt):
        asyncio.run(_watch(path, str(path.resolve()), with_hub=with_hub, as_json=as_json))


async def _watch(path: Path, folder: str, *, with_hub: bool, as_json: bool) -> None:
    from watchfiles import PythonFilter, awatch

    wanted = PythonFilter(extra_extensions=(".json", ".toml"))
    hub = await _start_hub(folder) if with_hub else None
    changes = awatch(path, watch_filter=wanted)
    # The watcher begins before the first showing: what is saved meanwhile is not missed.
    following = asyncio.ensure_future(anext(changes))
    try:
        while True:
            await _show_anew(path, as_json)
            await following
            following = asyncio.ensure_future(anext(changes))
            if hub is not None:
                await _stop(hub)
                hub = await _start_hub(folder)
    finally:
        following.cancel()
        if hub is not None:
            await _stop(hub)


async def _show_anew(path: Path, as_json: bool) -> None:
    """In a process of its own: that is the one way to load a module again that is surely right."""
    extra = ["--json"] if as_json else []
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub", "plugin", "dev", str(path), "--once", *extra
    )
    await process.wait()


async def _start_hub(folder: str) -> asyncio.subprocess.Process:
    folders = [folder, *json.loads(os.environ.get("HUB_PLUGIN_FOLDERS", "[]"))]
    variables = os.environ | {"HUB_PLUGIN_FOLDERS": json.dumps(folders)}
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "hub", "up", env=variables)


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_SECONDS)


def shown(path: Path) -> list[dict[str, Any]]:
    """One entry for each fixture: the events that it becomes, or what it fails with."""
    from hub.cli.plugin.testing import plugins_in

    return [entry for plugin in plugins_in(path) for entry in _of(plugin)]


def _of(plugin: Plugin) -> list[dict[str, Any]]:
    from hub.sdk.testing import golden_pairs, normalized
    from hub.sdk.testing.checks.received import events_of_delivery
    from hub.sdk.testing.fixtures import deliveries

    connector = plugin.kind(plugin.config)
    records = [(path.name, partial(normalized, connector, path)) for path in golden_pairs(plugin.fixtures)]
    sent = [
        (one.file.name, partial(events_of_delivery, connector, one)) for one in deliveries(plugin.kind, plugin.fixtures)
    ]
    return [_entry(name, events) for name, events in [*records, *sent]]


def _entry(name: str, events: Callable[[], list[dict[str, Any]]]) -> dict[str, Any]:
    try:
        return {"fixture": name, "events": events(), "problem": None}
    except Exception as error:  # the connector's own code, while it is being written
        return {"fixture": name, "events": [], "problem": f"{type(error).__name__}: {error}"}


def _print(found: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="What the fixtures become", title_justify="left", header_style="bold")
    for column in ("fixture", "kind", "occurred at", "place", "thing", "value"):
        table.add_column(column)
    for entry in found:
        if entry["problem"]:
            table.add_row(cell(entry["fixture"]), Text(entry["problem"], style="bold red"))
        for event in entry["events"]:
            subject = event.get("subject")
            thing = f"{subject['type']} {subject['id']} {subject.get('state') or ''}".strip() if subject else None
            amount = event.get("amount")
            value = f"{amount['minor']} {amount['currency']}" if amount else event.get("value")
            place = event["account"]["place"]
            row = (entry["fixture"], event["kind"], event["occurred_at"], place, thing, value)
            table.add_row(*(cell(one) for one in row))
    out.print(table)

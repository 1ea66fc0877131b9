"""What the demo shows: asked over GraphQL, like any other frontend would."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx
from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from hub.cli.console import out
from hub.kit.errors import HubError
from hub.kit.runtime import Kit
from hub.sandbox import Moment, Sandbox

BANDS = {
    "PURPLE": ("magenta", "referenceable"),
    "GREEN": ("green", "engaged"),
    "YELLOW": ("yellow", "neutral"),
    "RED": ("red", "at risk"),
    "UNKNOWN": ("bright_black", "too little known"),
}
OF_BAND = "\n  ".join(f"{band}: accounts(first: 1, filter: {{band: [{band}]}}) {{ totalCount }}" for band in BANDS)
OVERVIEW = f"""
query Demo {{
  {OF_BAND}
  watchList(first: 8) {{
    nodes {{ reasons {{ rule }} revenueAtRisk {{ formatted }} account {{ name health {{ band points }} }} }}
  }}
  alerts(first: 100, filter: {{status: [OPEN, ACKNOWLEDGED]}}) {{ nodes {{ id }} }}
  runs(first: 8) {{ nodes {{ play status account {{ name }} steps {{ name status }} }} }}
  tasks(first: 100, filter: {{status: [OPEN]}}) {{ nodes {{ id }} }}
}}
"""

QUERIES = (
    (
        "who is at risk",
        "{ watchList(first: 10) { nodes { account { name health { points band } } reasons { rule } } } }",
    ),
    (
        "one account's story",
        "{ accounts(first: 1, filter: {band: [RED]}) { nodes { name journey { stage } "
        "timeline(first: 10) { nodes { occurredAt kind title } } } } }",
    ),
    ("who could be quoted", "{ references(first: 10) { nodes { name purpleSince evidence { statement at } } } }"),
)
REFRESH_SECONDS = 1.0
MOMENTS_A_SECOND = 2.0
LOOKING_USERS = 15


@dataclass
class Screen:
    """Where the API is, the key to it, and what happened last."""

    url: str
    key: str
    logs: Path
    quiet: bool = False
    moments: deque[Moment] = field(default_factory=lambda: deque(maxlen=6))
    seen: int = 0

    def note(self, moment: Moment) -> None:
        self.moments.append(moment)
        self.seen += 1

    def summary(self, facts: Mapping[str, Any]) -> None:
        """The last word of a headless run."""
        out.print(_bands(facts["bands"]))
        out.print(
            f"{facts['open_alerts']} open alerts, {len(facts['watch_list'])} accounts on the watch list, "
            f"{len(facts['runs'])} runs of plays, {facts['open_tasks']} open tasks; all in within {facts['seconds']} s."
        )


async def overview(screen: Screen) -> dict[str, Any]:
    """Accounts by band, the watch list, the last runs. Raises `HubError` when the API answers with errors."""
    headers = {"Authorization": f"Bearer {screen.key}"}
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        answer = await client.post(f"{screen.url}/graphql", json={"query": OVERVIEW}, headers=headers)
    body = answer.json()
    if "errors" in body:
        raise HubError(f"The API answers: {body['errors'][0]['message']}", remedy=f"See {screen.logs / 'serve.log'}.")
    data = body["data"]
    return {
        "bands": {band.lower(): data[band]["totalCount"] for band in BANDS},
        "open_alerts": len(data["alerts"]["nodes"]),
        "watch_list": data["watchList"]["nodes"],
        "runs": data["runs"]["nodes"],
        "open_tasks": len(data["tasks"]["nodes"]),
    }


async def watch(kit: Kit, sandbox: Sandbox, screen: Screen, stop: asyncio.Event) -> None:
    """Let the world go on and show the hub keep up, until `stop`."""
    sender = sandbox.segment(f"{screen.url}/in/segment", retries=2, pause=0.2)
    life = asyncio.create_task(sandbox.live(sender, rate=MOMENTS_A_SECOND, tell=screen.note))
    users = asyncio.create_task(_users_look(sandbox, screen))
    try:
        with Live(console=out, refresh_per_second=2, screen=False) as live:
            while not stop.is_set():
                with suppress(httpx.TransportError):
                    live.update(picture(screen, await overview(screen)))
                with suppress(TimeoutError):
                    async with asyncio.timeout(REFRESH_SECONDS):
                        await stop.wait()
    finally:
        life.cancel()
        users.cancel()
        await asyncio.gather(life, users, return_exceptions=True)


async def _users_look(sandbox: Sandbox, screen: Screen) -> None:
    """End users look into the product now and then, see their messages and react."""
    product = sandbox.product(screen.url, "inapp")
    everybody = [person.id for company in sandbox.base.companies for person in company.people]
    rng = Random(1)  # noqa: S311  # who looks when is no secret
    while True:
        with suppress(httpx.HTTPError):
            await product.visit(rng.sample(everybody, min(LOOKING_USERS, len(everybody))))
        await asyncio.sleep(REFRESH_SECONDS)


def picture(screen: Screen, facts: Mapping[str, Any]) -> Group:
    """The whole view."""
    return Group(
        Panel(_bands(facts["bands"]), title="Accounts by health", title_align="left"),
        Panel(_watch_list(facts["watch_list"]), title="Watch list", title_align="left"),
        Panel(_runs(facts["runs"]), title=f"Plays ({facts['open_tasks']} open tasks)", title_align="left"),
        Panel(_moments(screen), title=f"Coming in ({screen.seen} since the start)", title_align="left"),
        _invitation(screen),
    )


def _bands(bands: Mapping[str, int]) -> Table:
    total = max(1, sum(bands.values()))
    table = Table.grid(padding=(0, 2))
    for band, (colour, meaning) in BANDS.items():
        count = bands[band.lower()]
        bar = "█" * round(40 * count / total)
        table.add_row(Text(band.lower(), style=f"bold {colour}"), str(count), Text(bar, style=colour), meaning)
    return table


def _watch_list(entries: list[Mapping[str, Any]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for entry in entries:
        health = entry["account"]["health"]
        colour, _ = BANDS[health["band"]]
        points = "–" if health["points"] is None else f"{health['points']:.0f}"
        money = entry["revenueAtRisk"]["formatted"] if entry["revenueAtRisk"] else ""
        reasons = ", ".join(sorted({reason["rule"].replace("_", " ") for reason in entry["reasons"]}))
        table.add_row(Text(points, style=f"bold {colour}"), entry["account"]["name"], reasons, money)
    return table


def _runs(runs: list[Mapping[str, Any]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for run in runs:
        steps = " → ".join(f"{step['name']} {step['status'].lower()}" for step in run["steps"])
        table.add_row(run["play"], run["account"]["name"], run["status"].lower(), Text(steps, style="dim"))
    return table


def _moments(screen: Screen) -> Table:
    table = Table.grid(padding=(0, 2))
    for moment in screen.moments:
        table.add_row(Text(f"{moment.at:%H:%M:%S}", style="dim"), moment.company.name, moment.title)
    return table


def _invitation(screen: Screen) -> Panel:
    lines = Table.grid(padding=(0, 2))
    lines.add_row("GraphiQL", Text(f"{screen.url}/graphql", style="bold cyan"))
    lines.add_row("key", Text(screen.key, style="bold"))
    for title, query in QUERIES:
        lines.add_row(title, Text(query, style="dim"))
    clock = datetime.now(UTC)
    return Panel(lines, title=f"Try it (Ctrl-C stops; {clock:%H:%M:%S} UTC)", title_align="left")

"""What the demo shows: asked over GraphQL, like any other frontend would."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx
from rich.console import Console, Group, RenderableType
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
  watchList(first: 6) {{
    nodes {{ reasons {{ rule band text }} revenueAtRisk {{ formatted }} account {{ name health {{ band points }} }} }}
  }}
  watched: watchList(first: 100) {{ nodes {{ id }} }}
  alerts(first: 100, filter: {{status: [OPEN, ACKNOWLEDGED]}}) {{ nodes {{ id }} }}
  runs(first: 6) {{ nodes {{ play status account {{ name }} steps {{ name status }} }} }}
  started: runs(first: 100) {{ nodes {{ id }} }}
  tasks(first: 100, filter: {{status: [OPEN]}}) {{ nodes {{ id }} }}
}}
"""

QUERIES = (
    (
        "who is at risk",
        "{ watchList(first: 10) { nodes { account { name health { points band } } reasons { rule band } } } }",
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
LIST_ROWS = 6
SMALL_HEIGHT = 34
"""A terminal with fewer lines shows the bands in one of them."""

ACCOUNT_NAME = re.compile(r"\{\{\s*account\.name\s*\}\}")
SIGNS = {"DONE": "✓", "FAILED": "✗", "UNKNOWN": "?", "SKIPPED": "–"}
"""How a step went; one that is still to come has a circle."""


@dataclass
class Screen:
    """Where the API is, the key to it, and what happened last."""

    url: str
    key: str
    logs: Path
    quiet: bool = False
    moments: deque[Moment] = field(default_factory=lambda: deque(maxlen=LIST_ROWS))
    seen: int = 0

    def note(self, moment: Moment) -> None:
        self.moments.append(moment)
        self.seen += 1

    def summary(self, facts: Mapping[str, Any]) -> None:
        """The last word of a headless run."""
        out.print(_bands(facts["bands"]))
        out.print(
            f"{facts['open_alerts']} open alerts, {facts['watched']} accounts on the watch list, "
            f"{facts['started']} runs of plays, {facts['open_tasks']} open tasks; all in within {facts['seconds']} s."
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
        "watched": len(data["watched"]["nodes"]),
        "watch_list": data["watchList"]["nodes"],
        "started": len(data["started"]["nodes"]),
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
                    live.update(picture(screen, await overview(screen), out))
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


def picture(screen: Screen, facts: Mapping[str, Any], console: Console) -> Group:
    """The whole view, no higher than the terminal: the lists share what the rest of it leaves."""
    bands = _bands(facts["bands"]) if console.height >= SMALL_HEIGHT else _bands_in_a_line(facts["bands"])
    head, foot = _panel(f"{sum(facts['bands'].values())} accounts by health", bands), _invitation(screen)
    taken = sum(len(console.render_lines(part, pad=False)) for part in (head, foot))
    rows = max(1, min(LIST_ROWS, (console.height - 1 - taken) // 3 - 2))
    tasks = f"{facts['open_tasks']} tasks for people open"
    return Group(
        head,
        _panel("Watch list: score, why, revenue at risk in a year", _watch_list(facts["watch_list"][:rows])),
        _panel(f"Plays: {facts['started']} runs, {tasks}", _runs(facts["runs"][:rows])),
        _panel(f"Coming in: {screen.seen} since the start", _moments(list(screen.moments)[-rows:])),
        foot,
    )


def _panel(title: str, content: RenderableType) -> Panel:
    return Panel(content, title=Text(title, style="bold default"), title_align="left", border_style="bright_black")


def _list(columns: int, *, elastic: int, right: frozenset[int] = frozenset()) -> Table:
    """A table without lines; an entry stays one line, for which the elastic column is cut."""
    table = Table.grid(padding=(0, 2), expand=True)
    for column in range(columns):
        table.add_column(
            justify="right" if column in right else "left",
            ratio=1 if column == elastic else None,
            no_wrap=True,
            overflow="ellipsis",
        )
    return table


def _bands(bands: Mapping[str, int]) -> Table:
    most = max(1, *bands.values())
    table = _list(4, elastic=3, right=frozenset({1}))
    for band, (colour, meaning) in BANDS.items():
        count = bands[band.lower()]
        bar = "█" * round(32 * count / most)
        table.add_row(Text(band.lower(), style=f"bold {colour}"), str(count), Text(meaning), Text(bar, style=colour))
    return table


def _bands_in_a_line(bands: Mapping[str, int]) -> Text:
    parts = (
        Text(f"{bands[band.lower()]} {band.lower()}", style=f"bold {colour}") for band, (colour, _) in BANDS.items()
    )
    return Text("   ").join(parts)


def _reason(reason: Mapping[str, Any]) -> str:
    """The alert's rule, the band, or somebody's word."""
    band = f"{reason['band'].lower()} band" if reason["band"] else None
    found: str = reason["rule"] or band or reason["text"]
    return found.replace("_", " ")


def _watch_list(entries: Sequence[Mapping[str, Any]]) -> Table:
    table = _list(4, elastic=2, right=frozenset({0, 3}))
    for entry in entries:
        health = entry["account"]["health"]
        colour, _ = BANDS[health["band"]]
        points = "–" if health["points"] is None else f"{health['points']:.0f}"
        money = entry["revenueAtRisk"]["formatted"] if entry["revenueAtRisk"] else ""
        reasons = ", ".join(sorted({_reason(reason) for reason in entry["reasons"]}))
        table.add_row(Text(points, style=f"bold {colour}"), Text(entry["account"]["name"]), Text(reasons), Text(money))
    return table


def _runs(runs: Sequence[Mapping[str, Any]]) -> Table:
    table = _list(3, elastic=2)
    for run in runs:
        # A step's name is a template; the account stands beside it already.
        steps = (f"{SIGNS.get(step['status'], '○')} {ACCOUNT_NAME.sub('them', step['name'])}" for step in run["steps"])
        table.add_row(Text(run["play"].replace("_", " ")), Text(run["account"]["name"]), Text(" → ".join(steps)))
    return table


def _moments(moments: Sequence[Moment]) -> Table:
    table = _list(3, elastic=2)
    for moment in moments:
        table.add_row(Text(f"{moment.at:%H:%M:%S}", style="dim"), Text(moment.company.name), Text(moment.title))
    return table


def _invitation(screen: Screen) -> Panel:
    lines = Table.grid(padding=(0, 2))
    lines.add_row("GraphiQL", Text(f"{screen.url}/graphql", style="bold cyan"))
    lines.add_row("key", Text(screen.key, style="bold"))
    for title, query in QUERIES:
        lines.add_row(title, Text(query, style="dim"))
    return _panel(f"Try it (Ctrl-C stops; {datetime.now(UTC):%H:%M:%S} UTC)", lines)

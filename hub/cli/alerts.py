"""`hub alerts`: what needs attention, and what is done about it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hub.accounts import queries as accounts
from hub.cli.console import AsJson, print_json, print_table, say
from hub.cli.moments import ahead
from hub.cli.person import at_the_shell, known_id
from hub.cli.session import run
from hub.health import handling, queries
from hub.health.queries import Alert, AlertFilter, AlertStatus
from hub.kit.paging import Page
from hub.kit.runtime import Kit

app = typer.Typer(no_args_is_help=True, help="What needs attention, and what is done about it.")

MOST_SHOWN = 100
ALIVE = (AlertStatus.OPEN, AlertStatus.ACKNOWLEDGED)

Ids = Annotated[list[str], typer.Argument(help="The alerts' ids, at most 100.")]


@app.command("list")
def list_alerts(
    owner: Annotated[str | None, typer.Option(help="Only those that this person looks after.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Also those that are resolved.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the newest alerts, those that are alive unless said otherwise."""

    async def command(kit: Kit) -> list[dict[str, Any]]:
        wanted = AlertFilter(statuses=() if all_ else ALIVE, owners=(owner,) if owner else ())
        async with kit.reading() as session:
            found = await queries.all_alerts(session, at_the_shell(), Page(MOST_SHOWN), wanted)
            names = await accounts.accounts(session, at_the_shell(), [alert.account_id for alert in found.rows])
        return [
            {"account": names[alert.account_id].name if alert.account_id in names else None, **_shown(alert)}
            for alert in found.rows
        ]

    rows = run(command)
    if as_json:
        print_json(rows)
    else:
        columns = ["id", "account", "rule", "severity", "status", "owner", "opened_at", "snoozed_until"]
        print_table("Alerts", columns, rows, empty="Nothing needs attention.")


@app.command()
def ack(ids: Ids, as_json: AsJson = False) -> None:
    """Say that you have seen alerts and look after them."""
    _change(ids, lambda _: handling.Acknowledge(), "acknowledged", as_json)


@app.command()
def assign(
    ids: Ids,
    owner: Annotated[str | None, typer.Option("--to", help="Who looks after them. Default: nobody.")] = None,
    as_json: AsJson = False,
) -> None:
    """Give alerts to somebody."""
    _change(ids, lambda _: handling.Assign(owner), "assigned", as_json)


@app.command()
def snooze(
    ids: Ids,
    until: Annotated[str, typer.Option(help="Until when: a date, or days from now such as 7d.")] = "1d",
    as_json: AsJson = False,
) -> None:
    """Put alerts off: nobody is reminded of them until then."""
    _change(ids, lambda kit: handling.Snooze(ahead(until, kit.clock.now())), "put off", as_json)


@app.command()
def resolve(ids: Ids, as_json: AsJson = False) -> None:
    """Close alerts before their rules do."""
    _change(ids, lambda _: handling.Resolve(), "resolved", as_json)


@app.command()
def rearm(ids: Ids, as_json: AsJson = False) -> None:
    """Let the rules of resolved alerts open the next ones."""
    _change(ids, lambda _: handling.Rearm(), "armed again", as_json)


def _change(ids: list[str], wish: Any, done: str, as_json: bool) -> None:
    """Carry out a wish about the alerts; ends with 1 when any was refused."""

    async def command(kit: Kit) -> handling.Handled:
        keys = [known_id(one, "alt") for one in ids]
        async with kit.transaction() as session:
            return await handling.change_alerts(session, at_the_shell(), keys, wish(kit), kit.clock.now())

    handled = run(command)
    refused = [{"id": id_, "message": why.message, "remedy": why.remedy} for id_, why in handled.refused.items()]
    if as_json:
        print_json({"alerts": [_shown(alert) for alert in handled.alerts], "refused": refused})
    else:
        say(f"{len(handled.alerts)} {done}.")
        for one in refused:
            say(f"{one['id']}: {one['message']}")
    if refused:
        raise typer.Exit(1)


def _shown(alert: Alert) -> dict[str, Any]:
    columns = ("id", "rule", "severity", "status", "owner", "opened_at", "snoozed_until", "resolved_at", "version")
    return {name: getattr(alert, name) for name in columns} | {"values": alert.values}

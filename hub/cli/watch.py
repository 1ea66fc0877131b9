"""`hub watch`: the accounts that are being saved."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts import queries as accounts
from hub.accounts import service as people
from hub.cli.console import AsJson, print_json, print_table, say
from hub.cli.moments import ahead
from hub.cli.person import at_the_shell, known_id
from hub.cli.session import run
from hub.health import queries, saving
from hub.health.queries import Watch, WatchFilter, WatchStatus
from hub.kit.paging import Page
from hub.kit.runtime import Kit

app = typer.Typer(no_args_is_help=True, help="The watch list: accounts that are being saved.")

MOST_SHOWN = 100

Entry = Annotated[str, typer.Argument(help="The entry's id.")]
Do = Callable[[AsyncSession, Kit], Awaitable[Watch]]


@app.command("list")
def list_watch(
    owner: Annotated[str | None, typer.Option(help="Only those that this person saves.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the watch list, the account that has been on it longest first."""

    async def command(kit: Kit) -> list[dict[str, Any]]:
        wanted = WatchFilter(owners=(owner,) if owner else (), ended=all_)
        async with kit.reading() as session:
            found = await queries.watch_list(session, at_the_shell(), Page(MOST_SHOWN), wanted)
            names = await accounts.accounts(session, at_the_shell(), [entry.account_id for entry in found.rows])
        now = kit.clock.now()
        return [
            {
                "account": names[entry.account_id].name if entry.account_id in names else None,
                "days": ((entry.ended_at or now) - entry.entered_at).days,
                **_shown(entry),
            }
            for entry in found.rows
        ]

    rows = run(command)
    if as_json:
        print_json(rows)
    else:
        columns = ["id", "account", "status", "days", "owner", "revenue_at_risk", "next_action", "next_action_due"]
        print_table("Watch list", columns, rows, empty="No account is being saved.")


@app.command()
def add(
    account: Annotated[str, typer.Argument(help="The account's id, name or domain.")],
    reason: Annotated[str, typer.Option(help="Why it is at risk.")],
    owner: Annotated[str | None, typer.Option(help="Who saves it. Default: the account's owner.")] = None,
    as_json: AsJson = False,
) -> None:
    """Put an account on the watch list."""

    async def add_it(session: AsyncSession, kit: Kit) -> Watch:
        found = await people.find(session, account)
        return await saving.watch_account(session, at_the_shell(), found.id, reason, kit.clock.now(), owner)

    _do(add_it, as_json)


@app.command()
def move(
    entry: Entry,
    status: Annotated[WatchStatus, typer.Argument(help="How far saving it has come.")],
    note: Annotated[str | None, typer.Option(help="What there is to say about it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say how far saving an account has come; recovered and lost end the entry."""

    async def move_it(session: AsyncSession, kit: Kit) -> Watch:
        return await saving.move_watch(session, at_the_shell(), known_id(entry, "wat"), status, kit.clock.now(), note)

    _do(move_it, as_json)


@app.command()
def assign(
    entry: Entry,
    owner: Annotated[str | None, typer.Option("--to", help="Who saves it. Default: nobody.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say who saves an account."""

    async def assign_it(session: AsyncSession, kit: Kit) -> Watch:
        return await saving.assign_watch(session, at_the_shell(), known_id(entry, "wat"), owner, kit.clock.now())

    _do(assign_it, as_json)


@app.command()
def plan(
    entry: Entry,
    action: Annotated[str | None, typer.Argument(help="What is done next. Default: nothing is planned.")] = None,
    due: Annotated[str | None, typer.Option(help="By when: a date, or days from now such as 7d.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what is done next to save an account."""

    async def plan_it(session: AsyncSession, kit: Kit) -> Watch:
        now = kit.clock.now()
        by = ahead(due, now) if due else None
        return await saving.plan_watch(session, at_the_shell(), known_id(entry, "wat"), action, by, now)

    _do(plan_it, as_json)


def _do(change: Do, as_json: bool) -> None:
    async def command(kit: Kit) -> dict[str, Any]:
        async with kit.transaction() as session:
            return _shown(await change(session, kit))

    shown = run(command)
    if as_json:
        print_json(shown)
    else:
        say(f"{shown['id']} is {shown['status'].replace('_', ' ')}.")


def _shown(entry: Watch) -> dict[str, Any]:
    columns = (
        "id",
        "status",
        "owner",
        "next_action",
        "next_action_due",
        "entered_at",
        "ended_at",
        "reasons",
        "version",
    )
    revenue, currency = entry.revenue_at_risk_minor, entry.currency
    return {name: getattr(entry, name) for name in columns} | {
        "revenue_at_risk": f"{revenue / 100:,.0f} {currency or ''}".strip() if revenue is not None else None,
        "revenue_at_risk_minor": revenue,
        "currency": currency,
    }

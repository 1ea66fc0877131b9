"""`hub play`: the plays, their runs, what they would say and have done, and whether they run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Viewer
from hub.accounts import queries as account_queries
from hub.accounts import service as accounts
from hub.cli.console import AsJson, cell, out, print_json, print_table, say
from hub.cli.moments import moment
from hub.cli.person import at_the_shell
from hub.cli.progress import bar
from hub.cli.session import run
from hub.health.queries import AccountFilter, Band
from hub.kit.errors import Invalid
from hub.kit.paging import Page
from hub.kit.runtime import Kit
from hub.plays import queries
from hub.plays import service as plays
from hub.plays.queries import RunFilter, RunStatus

app = typer.Typer(no_args_is_help=True, help="The plays: their runs, what they would do, and whether they run.")

Name = Annotated[str, typer.Argument(help="The play's name in the blueprint.")]
MOST_SHOWN = 100


@app.command("list")
def list_plays(as_json: AsJson = False) -> None:
    """Show the plays of the blueprint in force, and whether they run."""

    async def command(kit: Kit) -> list[dict[str, Any]]:
        async with kit.reading() as session:
            found = await queries.plays(session, at_the_shell())
            states = await queries.play_states(session, at_the_shell(), list(found))
        return [
            {
                "play": name,
                "level": str(play.level),
                "state": str(states[name]) if play.enabled else "not enabled",
                "trigger": _trigger(play),
                "steps": len(play.steps),
            }
            for name, play in found.items()
        ]

    rows = run(command)
    if as_json:
        print_json(rows)
    else:
        print_table("Plays", ["play", "level", "state", "trigger", "steps"], rows, empty="There are no plays.")


@app.command()
def show(play: Name, as_json: AsJson = False) -> None:
    """Show what a play is: its trigger, whom it is for, its steps, and whether it works."""

    async def command(kit: Kit) -> dict[str, Any]:
        async with kit.reading() as session:
            definition = await queries.play(session, at_the_shell(), play)
            effect = (await queries.effects(session, at_the_shell(), [play], kit.clock.now()))[play]
            states = await queries.play_states(session, at_the_shell(), [play])
        shown = definition.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return {"play": play, "state": str(states[play]), **shown, "effect": asdict(effect)}

    shown = run(command)
    if as_json:
        print_json(shown)
        return
    say(f"{play}: {shown.get('description', '')}".rstrip(": "))
    for name, value in shown.items():
        if name not in ("play", "description", "steps", "effect"):
            say(f"  {name}: {value}")
    for number, step in enumerate(shown["steps"]):
        say(f"  step {number}: {step}")
    say(f"  effect: {shown['effect']['verdict'].replace('_', ' ')}")


@app.command()
def runs(
    play: Annotated[str | None, typer.Argument(help="Only those of this play.")] = None,
    status: Annotated[RunStatus | None, typer.Option(help="Only those with this status.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the newest runs."""

    async def command(kit: Kit) -> list[dict[str, Any]]:
        wanted = RunFilter(plays=(play,) if play else (), statuses=(status,) if status else ())
        async with kit.reading() as session:
            found = await queries.all_runs(session, at_the_shell(), Page(MOST_SHOWN), wanted)
            ids = [one.account_id for one in found.rows]
            names = await account_queries.accounts(session, at_the_shell(), ids)
        columns = ("id", "play", "status", "step", "holdout", "started_at", "ended_at", "occurrence")
        return [
            {"account": names[one.account_id].name if one.account_id in names else None}
            | {name: getattr(one, name) for name in columns}
            for one in found.rows
        ]

    rows = run(command)
    if as_json:
        print_json(rows)
    else:
        columns = ["id", "play", "account", "status", "step", "started_at", "ended_at"]
        print_table("Runs", columns, rows, empty="Nothing has run.")


@app.command()
def preview(
    play: Name,
    account: Annotated[str, typer.Argument(help="The account's id, name or domain.")],
    as_json: AsJson = False,
) -> None:
    """Show what a play would say on an account, to each person. Nothing is sent."""

    async def command(kit: Kit) -> list[dict[str, Any]]:
        async with kit.reading() as session:
            found = await accounts.find(session, account)
            _, said = await plays.preview(session, at_the_shell(), play, found.id, now=kit.clock.now())
        return [_said(one) for one in said]

    rows = run(command)
    if as_json:
        print_json(rows)
    else:
        print_table(f"{play} on {account}", ["step", "name", "to", "says", "problem"], rows, empty="It says nothing.")


@app.command()
def simulate(
    play: Name,
    since: Annotated[str, typer.Option(help="From when: a date, or days back such as 90d.")] = "90d",
    first: Annotated[int, typer.Option(min=0, max=10_000, help="How many runs are shown.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Try a play over the past: whom, when, what it would have said, and what the contact budget would have stopped.

    Nothing is sent or written. Tasks count as done when they are due, questions as answered with yes.
    """

    async def command(kit: Kit) -> plays.Simulation:
        now = kit.clock.now()
        with bar(as_json) as progress:
            task = progress.add_task("accounts", total=None)
            async with kit.reading() as session:
                return await plays.simulate(
                    session,
                    at_the_shell(),
                    play,
                    since=moment(since, now),
                    now=now,
                    first=first,
                    progress=lambda done, total: progress.update(task, completed=done, total=total),
                )

    found = run(command)
    if as_json:
        print_json(_simulated(found))
    else:
        _print_simulated(found)


@app.command()
def start(
    play: Name,
    account: Annotated[str | None, typer.Argument(help="The account's id, name or domain.")] = None,
    segment: Annotated[list[str] | None, typer.Option(help="Instead: all accounts in this segment.")] = None,
    stage: Annotated[list[str] | None, typer.Option(help="… in this stage.")] = None,
    band: Annotated[list[Band] | None, typer.Option(help="… with this band.")] = None,
    owner: Annotated[list[str] | None, typer.Option(help="… that this person looks after.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say whom it reaches.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Start on a list without being asked.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start a play by hand: on one account, or on all of a list."""
    wanted = AccountFilter(
        segments=tuple(segment or ()), stages=tuple(stage or ()), bands=tuple(band or ()), owners=tuple(owner or ())
    )
    if account is not None:
        begun = run(lambda kit: _start_on(kit, play, account))
        print_json({"runs": begun}) if as_json else say(f"{len(begun)} started.")
        return
    if wanted == AccountFilter():
        raise Invalid("Say where to start it.", remedy="Name an account, or a --segment, --stage, --band or --owner.")
    reach = run(lambda kit: _reach(kit, play, wanted))
    if not as_json:
        named = ", ".join(reach["first"])
        say(f"It reaches {reach['accounts']:,} accounts and {reach['people']:,} people there: {named or 'nobody'}.")
        say(f"It is under way on {reach['under_way']:,} more.")
    if not dry_run:
        if not (yes or as_json):
            typer.confirm("Start it?", abort=True)
        reach["started"] = run(lambda kit: _start_many(kit, play, wanted, reach["accounts"]))
    if as_json:
        print_json(reach)
    elif not dry_run:
        say(f"{reach['started']:,} are being started.")


@app.command()
def on(
    play: Name,
    existing: Annotated[
        bool | None,
        typer.Option("--existing/--new", help="Start on those where its trigger leads already, or on new ones only."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Switch a play on. Say what becomes of those for whom its trigger holds already."""
    if existing is None:
        raise Invalid(
            "Shall it start on those for whom its trigger holds already?", remedy="Say --existing, or --new for no."
        )
    choice = plays.Existing.START if existing else plays.Existing.SKIP
    _switch(lambda session, viewer, now: plays.switch_on(session, viewer, play, choice, now=now), as_json)


@app.command()
def off(
    play: Name,
    tasks: Annotated[
        plays.OpenTasks | None, typer.Option(help="What becomes of its open tasks: left to their owners, or closed.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Switch a play off: it starts nothing, and its runs end. Say what becomes of their open tasks."""
    if tasks is None:
        raise Invalid("What shall become of its open tasks?", remedy="Say --tasks leave or --tasks close.")
    _switch(lambda session, viewer, now: plays.switch_off(session, viewer, play, tasks, now=now), as_json)


@app.command()
def pause(play: Name, as_json: AsJson = False) -> None:
    """Let a play stand: it starts and sends nothing, and keeps what would have started it."""
    _switch(lambda session, viewer, now: plays.pause_play(session, viewer, play, now=now), as_json)


@app.command()
def resume(play: Name, as_json: AsJson = False) -> None:
    """Let a paused play go on, with everything that was kept."""
    _switch(lambda session, viewer, now: plays.resume_play(session, viewer, play, now=now), as_json)


Change = Callable[[AsyncSession, Viewer, Any], Awaitable[plays.Switched]]


def _switch(change: Change, as_json: bool) -> None:
    async def command(kit: Kit) -> plays.Switched:
        async with kit.transaction() as session:
            return await change(session, at_the_shell(), kit.clock.now())

    switched = run(command)
    if as_json:
        print_json(asdict(switched))
    else:
        what = "runs end" if switched.state == "off" else "starts were put aside and begin"
        say(f"{switched.play} is {switched.state}." + (f" {switched.moved:,} {what}." if switched.moved else ""))


async def _start_on(kit: Kit, play: str, account: str) -> list[str]:
    async with kit.transaction() as session:
        found = await accounts.find(session, account)
        begun = await plays.start_play(session, at_the_shell(), play, found.id, now=kit.clock.now())
        return [str(one.id) for one in begun]


async def _reach(kit: Kit, play: str, wanted: AccountFilter) -> dict[str, Any]:
    async with kit.reading() as session:
        found = await plays.reach(session, at_the_shell(), play, wanted)
        return {
            "accounts": found.accounts,
            "under_way": found.under_way,
            "people": found.people,
            "first": [one.name for one in found.first],
        }


async def _start_many(kit: Kit, play: str, wanted: AccountFilter, expected: int) -> int:
    async with kit.transaction() as session:
        return await plays.start_many(session, at_the_shell(), play, wanted, expected, now=kit.clock.now())


def _trigger(play: queries.Play) -> str:
    told = play.trigger.model_dump(mode="json", exclude_defaults=True)
    return ", ".join(f"{name}: {value}" for name, value in told.items())


def _said(one: plays.Said) -> dict[str, Any]:
    person = one.person
    return {
        "step": one.step,
        "kind": one.kind,
        "name": one.name,
        "to": None if person is None else person.name or person.email or str(person.id),
        "says": one.texts,
        "problem": one.problem,
    }


def _simulated(found: plays.Simulation) -> dict[str, Any]:
    return {
        "play": found.play,
        "since": found.since,
        "until": found.until,
        "accounts": found.accounts,
        "totals": found.totals,
        "left_out": found.left_out,
        "runs": [
            {
                "account": {"id": one.account_id, "name": found.names[one.account_id]},
                "person": one.person.name if one.person else None,
                "at": one.at,
                "trigger": one.trigger,
                "held_out": one.held_out,
                "ended": None if one.held_out else one.ended,
                "ended_at": one.ended_at,
                "words": [
                    {"at": word.at, "outcome": word.outcome, "why": word.why, **_said(word.said)} for word in one.words
                ],
            }
            for one in found.first
        ],
    }


def _print_simulated(found: plays.Simulation) -> None:
    table = Table(title=f"{found.play}, {found.since:%Y-%m-%d} to {found.until:%Y-%m-%d}", title_justify="left")
    for column in ("at", "account", "step", "to", "outcome", "why"):
        table.add_column(column)
    for one in found.first:
        name = found.names[one.account_id]
        table.add_row(cell(one.at), name, "held out" if one.held_out else "starts", "", "", "", style="bold")
        for word in one.words:
            said = _said(word.said)
            row = (word.at, "", said["name"], said["to"], str(word.outcome), word.why)
            table.add_row(*(cell(value) for value in row))
    if found.first:
        out.print(table)
    totals = found.totals
    say(f"{found.accounts:,} accounts looked at, {totals['runs']:,} runs, {totals['held_out']:,} held out.")
    say(
        f"{totals['sent']:,} words sent, {totals['late']:,} later because of the contact budget, "
        f"{totals['dropped']:,} stopped by it, {totals['skipped']:,} for nobody, {totals['failed']:,} failed."
    )
    for why, times in found.left_out.most_common():
        say(f"Not started {times:,} times: {why}")

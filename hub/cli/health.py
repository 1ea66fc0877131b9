"""`hub health`: why an account's score is what it is."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from hub.accounts import service as accounts
from hub.cli.console import AsJson, cell, out, print_json, say
from hub.cli.moments import ahead, moment
from hub.cli.person import at_the_shell
from hub.cli.session import run
from hub.health import overriding
from hub.health import service as health
from hub.health.queries import Band
from hub.kit.runtime import Kit

app = typer.Typer(no_args_is_help=True, help="Scores and their explanations.")

MICRO = 1_000_000


@app.callback()
def scores() -> None:
    """Scores and their explanations."""


@app.command()
def explain(
    account: Annotated[str, typer.Argument(help="The account's id, name or domain.")],
    since: Annotated[str, typer.Option(help="From when: a date, or days back such as 30d.")] = "30d",
    until: Annotated[str | None, typer.Option(help="To when: a date. Default: now.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what changed an account's score between two moments: named terms that add up exactly."""

    async def command(kit: Kit) -> dict[str, Any]:
        now = kit.clock.now()
        from_at, to_at = moment(since, now), moment(until, now) if until else now
        async with kit.reading() as session:
            found = await accounts.find(session, account)
            explanation = await health.explain(session, found.id, from_at, to_at)
        return {"account": {"id": found.id, "name": found.name}, "from": from_at, "to": to_at, "explained": explanation}

    shown = run(command)
    if as_json:
        print_json(shown)
    else:
        _print(shown)


@app.command()
def override(
    account: Annotated[str, typer.Argument(help="The account's id, name or domain.")],
    band: Annotated[Band, typer.Argument(help="The band that is to be in effect.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    until: Annotated[str, typer.Option(help="Until when: a date, or days from now such as 30d.")] = "30d",
    as_json: AsJson = False,
) -> None:
    """Put a band into effect for a time, whatever the score says; both stay visible."""

    async def command(kit: Kit) -> dict[str, Any]:
        now = kit.clock.now()
        async with kit.transaction() as session:
            found = await accounts.find(session, account)
            made = await overriding.override_band(
                session, at_the_shell(), found.id, band, reason, ahead(until, now), now
            )
        return {"account": {"id": found.id, "name": found.name}, "band": made.band, "until": made.until}

    shown = run(command)
    if as_json:
        print_json(shown)
    else:
        say(f"{shown['account']['name']} is {shown['band']} until {shown['until']:%Y-%m-%d %H:%M} UTC.")


@app.command()
def restore(
    account: Annotated[str, typer.Argument(help="The account's id, name or domain.")], as_json: AsJson = False
) -> None:
    """Take an override back: the computed band is in effect again."""

    async def command(kit: Kit) -> dict[str, Any]:
        async with kit.transaction() as session:
            found = await accounts.find(session, account)
            await overriding.end_override(session, at_the_shell(), found.id, kit.clock.now())
        return {"account": {"id": found.id, "name": found.name}}

    shown = run(command)
    if as_json:
        print_json(shown)
    else:
        say(f"The computed band of {shown['account']['name']} is in effect.")


def _print(shown: dict[str, Any]) -> None:
    explained = shown["explained"]
    say(f"{shown['account']['name']}: {_points(explained.before)} → {_points(explained.after)}")
    table = Table(header_style="bold")
    for column in ("term", "before", "after", "points", "events"):
        table.add_column(column, justify="right" if column == "points" else "left")
    for term in explained.terms:
        table.add_row(
            cell(term.name),
            cell(_value(term, term.before)),
            cell(_value(term, term.after)),
            f"{term.micro_points / MICRO:+.2f}",
            cell(len(term.evidence)),
        )
    total = sum(term.micro_points for term in explained.terms)
    table.add_section()
    table.add_row("sum", "", "", f"{total / MICRO:+.2f}", "")
    out.print(table)


def _value(term: Any, value: Any) -> Any:
    """A measure's value to four digits; what a cap took, in points."""
    if term.cause == health.Cause.CAP and isinstance(value, int):
        return f"{value / MICRO:+.2f}" if value else "–"
    return f"{value:.4g}" if isinstance(value, float) else value


def _points(score: Any) -> str:
    return (
        "no score"
        if score is None or score.micro_points is None
        else f"{score.micro_points / MICRO:.1f} ({score.band})"
    )

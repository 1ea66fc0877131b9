"""`hub health`: why an account's score is what it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.table import Table

from hub.accounts import service as accounts
from hub.cli.console import AsJson, cell, out, print_json, say
from hub.cli.session import run
from hub.health import service as health
from hub.kit.errors import Invalid
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


def moment(text: str, now: datetime) -> datetime:
    """A date, a date with a time, or days back (`30d`), as an aware time. Raises `Invalid`."""
    if text.endswith("d") and text[:-1].isdigit():
        return now - timedelta(days=int(text[:-1]))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text!r} is not a date.", remedy="Write 2026-03-01, 2026-03-01T12:00+00:00 or 30d.") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


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

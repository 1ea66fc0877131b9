"""`hub blueprint`: the document that says what health, journey and play mean here, and its versions."""

from __future__ import annotations

import getpass
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from hub.access.service import SYSTEM, Role, Viewer
from hub.accounts import service as accounts
from hub.blueprint import queries
from hub.blueprint import service as blueprints
from hub.blueprint.service import BlueprintInvalid, Change, ChangeKind, Document, Problem
from hub.cli.console import AsJson, cell, complain, err, print_json, print_table, say
from hub.cli.session import run
from hub.kit.errors import Invalid
from hub.kit.runtime import Kit
from hub.kit.settings import load_settings
from hub.sections import applying, document, planning

app = typer.Typer(
    no_args_is_help=True, help="The document that says what health, journey and play mean, and its versions."
)

A_PATH = "A YAML file, or a folder of them. Default: HUB_BLUEPRINT, or the shipped one."
DocumentPath = Annotated[Path | None, typer.Argument(help=A_PATH)]

SIGNS = {ChangeKind.ADDED: "+", ChangeKind.REMOVED: "-", ChangeKind.CHANGED: "~", ChangeKind.MOVED: "↕"}
MOST_PARTS = 6


@app.callback()
def blueprint() -> None:
    """The document that says what health, journey and play mean, and its versions."""


@app.command()
def check(path: DocumentPath = None, as_json: AsJson = False) -> None:
    """Say of every mistake in a document where it stands and what was meant. Needs no database."""
    found = _read(path, as_json)
    counts = {name: len(found[name]) for name in document.SECTIONS if found.get(name)}
    if as_json:
        print_json({"path": str(_chosen(path)), "name": found["name"], "problems": [], "entries": counts})
    else:
        listed = ", ".join(f"{count} {name}" for name, count in counts.items()) or "it is empty"
        say(f"{found['name']} is right: {listed}.")


@app.command()
def plan(
    path: DocumentPath = None,
    first: Annotated[int, typer.Option(min=0, help="How many of the accounts that change are named.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what applying a document would change: its entries, and which accounts change stage or band.

    The whole base is worked out with the document and with what is in force. Nothing is written.
    """
    draft = _read(path, as_json)
    found = run(lambda kit: _plan(kit, draft, first, quiet=as_json))
    print_json(_plan_as_json(found)) if as_json else _print_plan(found)


@app.command()
def apply(
    path: DocumentPath = None,
    comment: Annotated[str | None, typer.Option("--comment", "-m", help="Why; kept with the version.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put a document in force as a new version, and have every account scored under it.

    What is in force already is left alone; a document with mistakes changes nothing.
    """
    draft = _read(path, as_json)
    if not yes:
        if as_json:
            raise Invalid("Nobody can be asked with --json.", remedy="Add --yes.")
        if not run(lambda kit: _shown_and_different(kit, draft)):
            return
        typer.confirm("Put it in force?", abort=True, err=True)

    async def command(kit: Kit) -> applying.Applied:
        async with kit.transaction() as session:
            return await applying.apply(session, _somebody(), draft, comment=comment, now=kit.clock.now())

    done = run(command)
    if as_json:
        print_json(asdict(done) | {"changed": done.changed})
    elif done.changed:
        say(f"Version {done.version} is in force; {done.accounts} accounts are scored anew by the workers.")
    else:
        say(f"Nothing to do: version {done.version} says the same and is in force.")


@app.command()
def history(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many versions.")] = 20, as_json: AsJson = False
) -> None:
    """List the versions, the newest first: when, by whom, and why."""

    async def command(kit: Kit) -> list[dict[str, Any]]:
        async with kit.reading() as session:
            return [asdict(version) for version in await queries.versions(session, SYSTEM, limit=limit)]

    rows = run(command)
    if as_json:
        print_json(rows)
    else:
        columns = ["version", "applied_at", "applied_by", "comment"]
        print_table("Versions", columns, rows, empty="No blueprint is in force yet. Run: hub blueprint apply")


@app.command()
def show(
    version: Annotated[int | None, typer.Argument(help="Which version. Default: the one in force.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print a version as YAML, ready to be edited and applied again. Comments of its file are not kept in it."""
    found = run(lambda kit: _versions(kit, version))[0]
    print_json(found.document) if as_json else say(blueprints.as_yaml(found.document).rstrip())


@app.command()
def diff(
    before: Annotated[int, typer.Argument(help="The version to compare with.")],
    after: Annotated[int | None, typer.Argument(help="The other version. Default: the one in force.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what differs between two versions, entry by entry."""
    old, new = run(lambda kit: _versions(kit, before, after))
    found = blueprints.changes(old.document, new.document)
    if as_json:
        print_json({"before": old.version, "after": new.version, "changes": [asdict(change) for change in found]})
    else:
        _print_changes(found, empty=f"Versions {old.version} and {new.version} say the same.")


def _chosen(path: Path | None) -> Path:
    return path or load_settings().blueprint or blueprints.shipped_path()


def _read(path: Path | None, as_json: bool) -> Document:
    """The document, checked; with mistakes in it they are printed and the command ends with exit code 1."""
    chosen = _chosen(path)
    try:
        return document.read(chosen)
    except BlueprintInvalid as invalid:
        if as_json:
            problems = [_problem_as_json(problem) for problem in invalid.problems]
            print_json({"path": str(chosen), "error": invalid.message.partition("\n")[0], "problems": problems})
        else:
            for problem in invalid.problems:
                say(str(problem))
            complain(invalid.message.partition(":")[0] + ".", "Correct the document; nothing has been changed.")
        raise typer.Exit(1) from None


def _problem_as_json(problem: Problem) -> dict[str, Any]:
    place = problem.place
    return {
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "path": list(problem.path),
        "message": problem.message,
    }


def _somebody() -> Viewer:
    """Whoever runs the command: who reaches the database may do everything."""
    try:
        return Viewer(f"cli:{getpass.getuser()}", Role.ADMIN)
    except (KeyError, OSError):
        return Viewer("cli", Role.ADMIN)  # a container's user need not have a name


async def _plan(kit: Kit, draft: Mapping[str, Any], first: int, *, quiet: bool) -> planning.Plan:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    async with kit.reading() as session:
        total = await accounts.how_many(session)
        with Progress(*columns, console=err, disable=quiet, transient=True) as progress:
            task = progress.add_task("working out accounts", total=total)
            return await planning.plan(
                session,
                _somebody(),
                draft,
                now=kit.clock.now(),
                first=first,
                progress=lambda done: progress.update(task, completed=done),
            )


async def _shown_and_different(kit: Kit, draft: Mapping[str, Any]) -> bool:
    """Print the plan; whether there is anything to apply."""
    found = await _plan(kit, draft, 5, quiet=False)
    _print_plan(found)
    return not found.changes_nothing


async def _versions(kit: Kit, *wanted: int | None) -> list[blueprints.Blueprint]:
    async with kit.reading() as session:
        return [
            await (blueprints.current(session) if version is None else blueprints.at_version(session, version))
            for version in wanted
        ]


def _plan_as_json(found: planning.Plan) -> dict[str, Any]:
    def counted(moves: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
        return [{"from": before, "to": after, "accounts": count} for (before, after), count in moves.most_common()]

    return {
        "version": found.version,
        "changes": [asdict(change) for change in found.changes],
        "accounts": found.accounts,
        "moved": found.moved,
        "stages": counted(found.stages),
        "bands": counted(found.bands),
        "first": [asdict(one) for one in found.first],
    }


def _print_plan(found: planning.Plan) -> None:
    if found.changes_nothing:
        say(f"Nothing would change: version {found.version} says the same and is in force.")
        return
    _print_changes(found.changes, empty="No entry differs.")
    say(f"{found.moved} of {found.accounts} accounts would change stage or band.")
    for what, moves in (("stage", found.stages), ("band", found.bands)):
        for (before, after), count in moves.most_common():
            say(f"  {what}: {before or 'none'} → {after or 'none'}: {count}")
    if found.first:
        rows = [
            {
                "account": one.name,
                "stage": _from_to(one.before.stage_name, one.after.stage_name),
                "band": _from_to(one.before.band, one.after.band),
            }
            for one in found.first
        ]
        title = "Accounts" if len(rows) == found.moved else f"The first {len(rows)} accounts"
        print_table(title, ["account", "stage", "band"], rows, empty="")


def _from_to(before: str, after: str) -> str:
    return before if before == after else f"{before or 'none'} → {after or 'none'}"


def _print_changes(found: Iterable[Change], *, empty: str) -> None:
    found = list(found)
    if not found:
        say(empty)
    for change in found:
        say(f"{SIGNS[change.kind]} {'.'.join(filter(None, (change.section, change.entry)))}: {change.kind}")
        for part in change.parts[:MOST_PARTS]:
            where = ".".join(map(str, part.path))
            say(f"    {where + ': ' if where else ''}{cell(part.before)} → {cell(part.after)}")
        if len(change.parts) > MOST_PARTS:
            say(f"    and {len(change.parts) - MOST_PARTS} more")

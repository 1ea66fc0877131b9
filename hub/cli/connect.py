"""`hub connect`: connections to vendors."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated, Any

import orjson
import typer
from pydantic import BaseModel, SecretStr

from hub.cli.console import AsJson, print_json, print_table, say
from hub.cli.session import run
from hub.connections import registry
from hub.connections import service as connections
from hub.kit.errors import Invalid
from hub.kit.runtime import Kit

app = typer.Typer(no_args_is_help=True, help="Connections to vendors.")

Name = Annotated[str, typer.Argument(help="The connection's name.")]
Values = Annotated[
    list[str] | None, typer.Option("--set", help="A setting, e.g. --set api_key=rk_live_… (repeatable).")
]


@app.command()
def add(
    connector: Annotated[str, typer.Argument(help="Which connector; see `hub plugin list`.")],
    name: Annotated[str | None, typer.Option(help="What to call it; part of its webhook address.")] = None,
    values: Values = None,
    config: Annotated[
        typer.FileText | None, typer.Option(help="The settings as a JSON file; - reads standard input.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Connect a vendor: check the credentials, store them encrypted, and begin to read.

    Settings that are secret and not given are asked for without showing them.
    """
    kind = registry.current().connector(connector)
    given = _given(values or [], config)
    _ask_for_missing_secrets(kind.Config, given)
    chosen = name or connector

    async def command(kit: Kit) -> list[str]:
        async with kit.transaction() as session:
            await connections.add(session, kit.vault, registry.current(), connector, chosen, given, now=kit.clock.now())
        base = (kit.settings.public_url or f"http://{kit.settings.host}:{kit.settings.port}").rstrip("/")
        return [f"{base}/in/{chosen}/{webhook.path}" for webhook in kind.webhooks.values()]

    addresses = run(command)
    if as_json:
        print_json({"connection": chosen, "connector": connector, "webhooks": addresses})
        return
    polled = any(stream.interval is not None for stream in kind.streams.values())
    say(f"{chosen} is connected{'; its history is being read while a worker runs.' if polled else '.'}")
    for address in addresses:
        say(f"Webhooks go to {address}")


@app.command("list")
def list_connections(as_json: AsJson = False) -> None:
    """Show every connection: whether it works, how fresh it is, what could not be read and what waits to go out."""

    async def command(kit: Kit) -> list[dict[str, Any]]:
        async with kit.reading() as session:
            return [asdict(connection) for connection in await connections.listing(session)]

    rows = run(command)
    if as_json:
        print_json(rows)
    else:
        columns = ["name", "connector", "tenant", "status", "records", "last_read_at", "quarantined"]
        columns += ["delivered", "waiting", "problem"]
        print_table("Connections", columns, rows, empty="No connection yet. For example: hub connect add stripe")


@app.command()
def check(name: Name, as_json: AsJson = False) -> None:
    """Ask the vendor whether the credentials still work; a paused connection that works goes on."""

    async def command(kit: Kit) -> str:
        async with kit.transaction() as session:
            return (await connections.check(session, kit.vault, name, now=kit.clock.now())).tenant

    tenant = run(command)
    print_json({"connection": name, "tenant": tenant, "works": True}) if as_json else say(f"{name} works: {tenant}.")


@app.command("set")
def set_values(name: Name, values: Values = None, as_json: AsJson = False) -> None:
    """Change some settings, e.g. a rotated secret; the others stay. `--set NAME=` takes one away."""
    given = {key: value or None for key, value in _given(values or [], None).items()}
    if not given:
        raise Invalid("Nothing to change is given.", remedy="Write --set name=value.")

    async def command(kit: Kit) -> None:
        now = kit.clock.now()
        async with kit.transaction() as session:
            await connections.change(session, kit.vault, registry.current(), name, given, now=now)

    run(command)
    print_json({"connection": name, "changed": sorted(given)}) if as_json else say(f"{name} is changed.")


@app.command()
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Disconnect a vendor and forget its credentials. What was recorded stays on the timeline."""
    if not yes and not as_json:
        typer.confirm(f"Disconnect {name}?", abort=True)

    async def command(kit: Kit) -> None:
        async with kit.transaction() as session:
            await connections.remove(session, kit.vault, name, now=kit.clock.now())

    run(command)
    print_json({"removed": name}) if as_json else say(f"{name} is disconnected.")


def _given(values: list[str], config: Any) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if config is not None:
        try:
            given = orjson.loads(config.read())
        except orjson.JSONDecodeError as error:
            raise Invalid(f"The settings are not JSON: {error}", remedy='Write {"api_key": "…"}.') from None
    for value in values:
        key, separator, content = value.partition("=")
        if not separator:
            raise Invalid(f"{value!r} is not a setting.", remedy="Write --set name=value.")
        given[key] = content
    return given


def _ask_for_missing_secrets(config: type[BaseModel], given: dict[str, Any]) -> None:
    if not sys.stdin.isatty():
        return
    for name, field in config.model_fields.items():
        if field.annotation is SecretStr and field.is_required() and name not in given:
            given[name] = typer.prompt(name.replace("_", " "), hide_input=True)

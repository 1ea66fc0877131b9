"""`hub token`: API keys."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

import typer

from hub.access import service as access
from hub.cli.console import AsJson, print_json, print_table, say
from hub.cli.session import run
from hub.kit.errors import Invalid
from hub.kit.runtime import Kit

app = typer.Typer(no_args_is_help=True, help="API keys and their roles.")

DURATION = re.compile(r"^(\d+)([hdw])$")
UNIT = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for, e.g. `screens`.")],
    role: Annotated[access.Role, typer.Option(help="What it may do.")] = access.Role.VIEWER,
    expires: Annotated[str | None, typer.Option(help="When it ends, e.g. 12h, 90d, 4w. Default: never.")] = None,
    owner: Annotated[
        str | None, typer.Option(help="Limit a csm's or viewer's key to the accounts of this owner.")
    ] = None,
    ad_hoc: Annotated[
        bool, typer.Option("--ad-hoc", help="May ask more than trusted documents, where that takes a permission.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown once and only its digest is stored."""
    lifetime = _duration(expires) if expires else None

    async def command(kit: Kit) -> access.CreatedKey:
        async with kit.transaction() as session:
            return await access.create_key(
                session,
                access.SYSTEM,
                name,
                role,
                expires_in=lifetime,
                now=kit.clock.now(),
                owner=owner,
                ad_hoc=ad_hoc,
            )

    key = run(command)
    if as_json:
        print_json({"name": key.name, "role": key.role, "key": key.secret, "expires_at": key.expires_at})
    else:
        say(key.secret)


@app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """Show all keys, without their secrets."""

    async def command(kit: Kit) -> list[dict[str, object]]:
        async with kit.reading() as session:
            return [
                {
                    "name": key.name,
                    "role": key.role,
                    "owner": key.owner,
                    "ad_hoc": key.ad_hoc,
                    "created_at": key.created_at,
                    "expires_at": key.expires_at,
                    "revoked_at": key.revoked_at,
                    "last_used_at": key.last_used_at,
                }
                for key in await access.keys(session)
            ]

    rows = run(command)
    if as_json:
        print_json(rows)
    else:
        columns = ["name", "role", "owner", "ad_hoc", "created_at", "expires_at", "revoked_at", "last_used_at"]
        print_table("API keys", columns, rows, empty="No key yet. Make one: hub token create NAME --role admin")


@app.command()
def revoke(name: Annotated[str, typer.Argument(help="The key's name.")], as_json: AsJson = False) -> None:
    """Refuse a key from now on."""

    async def command(kit: Kit) -> None:
        async with kit.transaction() as session:
            await access.revoke_key(session, access.SYSTEM, name, now=kit.clock.now())

    run(command)
    print_json({"revoked": name}) if as_json else say(f"{name} is revoked.")


def _duration(text: str) -> timedelta:
    match = DURATION.match(text)
    if match is None:
        raise Invalid(f"{text!r} is not a duration.", remedy="Write hours, days or weeks: 12h, 90d, 4w.")
    return int(match[1]) * UNIT[match[2]]

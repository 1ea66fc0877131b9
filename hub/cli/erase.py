"""`hub erase`: have people's data erased, and see what came of it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hub.accounts import service as accounts
from hub.cli.console import AsJson, print_json, print_table, say
from hub.cli.person import at_the_shell
from hub.cli.session import run
from hub.erasing import erase
from hub.kit.runtime import Kit

app = typer.Typer(no_args_is_help=True, help="Erase people's data, and see what was erased.")


@app.command()
def person(
    sought: Annotated[str, typer.Argument(metavar="PERSON", help="Their e-mail address, or the person's id.")],
    reason: Annotated[str | None, typer.Option(help="Why, e.g. the number of their request; nothing of them.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: it cannot be undone.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase a person's data everywhere, now; what is told of them later does not come in.

    What they did stays counted, without a name. It cannot be undone.
    """

    async def found(kit: Kit) -> Any:
        async with kit.reading() as session:
            return await accounts.find_person(session, sought)

    async def command(kit: Kit) -> dict[str, Any]:
        async with kit.transaction() as session:
            person_id = await accounts.find_person(session, sought)
            asked = await accounts.request_erasure(
                session, at_the_shell(), person_id, reason=reason, now=kit.clock.now()
            )
        await erase(kit, asked.id)
        async with kit.reading() as session:
            [done] = [one for one in await accounts.erasures(session, at_the_shell()) if one.id == asked.id]
            return _shown(done)

    if not yes and not as_json:
        typer.confirm(f"Erase person {run(found)}? It cannot be undone.", abort=True)
    erased = run(command)
    if as_json:
        print_json(erased)
    else:
        removed = ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in erased["removed"].items())
        say(f"Erased: {removed or 'there was nothing but their name'}.")


@app.command("list")
def list_erasures(as_json: AsJson = False) -> None:
    """Show who was erased (by id), who asked for it, and what was removed."""

    async def command(kit: Kit) -> list[dict[str, Any]]:
        async with kit.reading() as session:
            return [_shown(one) for one in await accounts.erasures(session, at_the_shell())]

    rows = run(command)
    if as_json:
        print_json(rows)
        return
    shown = [row | {"removed": sum(row["removed"].values())} for row in rows]
    columns = ["person", "requested_by", "requested_at", "done_at", "removed", "reason"]
    print_table("Erasures", columns, shown, empty="Nobody was erased.")


def _shown(one: Any) -> dict[str, Any]:
    return {
        "person": f"per_{one.person_id.hex}",
        "requested_by": one.requested_by,
        "requested_at": one.requested_at.isoformat(),
        "done_at": one.done_at and one.done_at.isoformat(),
        "reason": one.reason,
        "removed": dict(one.counts),
    }

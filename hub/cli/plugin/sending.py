"""`hub plugin send`: a delivery's fixture, signed and sent to a running hub, as the vendor would."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.console import AsJson, print_json, say
from hub.kit.errors import HubError, Invalid, Unreachable

if TYPE_CHECKING:
    from hub.kit.runtime import Kit
    from hub.sdk import Delivery
    from hub.sdk.testing.fixtures import Sent

SECONDS = 15.0


def send(
    fixture: Annotated[Path, typer.Argument(help="A file of tests/fixtures/webhooks/.", exists=True, dir_okay=False)],
    connection: Annotated[str, typer.Option("--connection", "-c", help="The connection's name.")],
    to: Annotated[str | None, typer.Option(help="The hub's address. Default: as configured.")] = None,
    as_json: AsJson = False,
) -> None:
    """Sign a delivery with the connection's own secret and send it to a running hub; exit code 1 when it is refused."""
    import httpx

    from hub.cli.session import run

    async def command(kit: Kit) -> httpx.Response:
        delivery = await _signed(kit, connection, fixture)
        base = (to or kit.settings.public_url or f"http://{kit.settings.host}:{kit.settings.port}").rstrip("/")
        address = f"{base}/in/{connection}/{delivery.path}"
        async with httpx.AsyncClient(timeout=SECONDS) as client:
            try:
                return await client.post(
                    address, content=delivery.body, headers=dict(delivery.headers), params=dict(delivery.query)
                )
            except httpx.TransportError as error:
                raise Unreachable(
                    f"No hub answers at {base}: {type(error).__name__}.",
                    remedy="Start one: hub up, or name it with --to.",
                ) from None

    response = run(command)
    if as_json:
        print_json({"status": response.status_code, "answer": response.text})
    else:
        say(f"{response.status_code} {response.reason_phrase} {response.text}".rstrip())
    if response.is_error:
        raise typer.Exit(1)


async def _signed(kit: Kit, connection: str, fixture: Path) -> Delivery:
    from hub.connections.hosting import configured
    from hub.connections.installing import find
    from hub.sdk import Signing
    from hub.sdk.testing.fixtures import sent

    async with kit.reading() as session:
        row = await find(session, connection)
    kind, config = configured(kit.vault, row)
    try:
        one: Sent = sent(kind, fixture)
    except ValueError as error:
        raise Invalid(str(error)) from None
    secrets: list[Any] = list(one.webhook.secrets(config))
    if not secrets:
        raise HubError(
            f"The connection {connection} has no secret for {one.webhook.name}.",
            remedy="Set it: hub connect add --set …",
        )
    scheme = one.webhook.signature
    if not isinstance(scheme, Signing):
        raise HubError(f"{type(scheme).__name__} cannot sign.", remedy="Add def sign(self, delivery, secret) to it.")
    content_type = {"content-type": "application/json", **one.headers}
    return scheme.sign(_with_headers(one, kit, content_type), secrets[0])


def _with_headers(one: Sent, kit: Kit, headers: dict[str, str]) -> Delivery:
    from dataclasses import replace

    return replace(one.delivery(kit.clock.now()), headers=headers)

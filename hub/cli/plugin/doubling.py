"""`hub plugin double`: a plugin's double on a port, with a few records, for a hub to be connected to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.console import AsJson, print_json, say
from hub.cli.plugin.manifest import Folder
from hub.kit.errors import HubError

if TYPE_CHECKING:
    from hub.sdk.testing import Plugin, Vendor


def double(
    path: Folder,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 9009,
    records: Annotated[int, typer.Option(min=0, max=100_000, help="Of each stream.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Serve the double of a plugin's vendor on this machine until Ctrl-C."""
    import asyncio
    from contextlib import suppress

    from hub.cli.plugin.testing import plugins_in

    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(path, filled(plugins_in(path)[0], records), port, as_json))


def filled(plugin: Plugin, records: int) -> Vendor:
    """The double, holding so many records of each stream. Raises `HubError` for a plugin that has none."""
    from hub.sdk.testing import NotAPlugin
    from hub.sdk.testing.reading import fill

    try:
        vendor = plugin.new_vendor()
    except NotAPlugin as error:
        raise HubError(str(error)) from None
    for stream in plugin.polled:
        fill(vendor, stream.name, records)
    return vendor


async def _serve(path: Path, vendor: Vendor, port: int, as_json: bool) -> None:
    import asyncio

    from hub.kit.loopback import serve

    try:
        async with serve(vendor.app(), port) as url:
            print_json({"url": url}) if as_json else say(f"The double of {path} answers at {url} (Ctrl-C stops).")
            await asyncio.Event().wait()
    except OSError as error:
        raise HubError(f"The port {port} cannot be had: {error.strerror}.", remedy="Choose another: --port 0") from None
